//! A query by digest, whatever the number of decisions: databases of several sizes are asked in turns.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use store::{Batch, DecisionQuery, Store};

use crate::databases::Databases;
use crate::rows::{decision, image};
use crate::{Outcome, percentile};

/// Decisions about one image, made at different times.
const EACH: u64 = 5;
const TURNS: u64 = 21;
const QUERIES: u64 = 100;
/// How many go into one transaction.
const BATCH: u64 = 4000;

struct Sized {
    decisions: u64,
    store: Store,
    took: Vec<Duration>,
}

pub(crate) async fn measure(databases: &Databases, largest: u64) -> Outcome<Value> {
    let sizes = (4..10).map(|power| 10_u64.pow(power)).filter(|size| *size < largest).chain([largest.max(EACH)]);
    let mut all = Vec::new();
    let begun = Instant::now();
    for size in sizes {
        let name = format!("queries{size}");
        let store = databases.fill(&name).await?;
        fill(&store, size).await?;
        store.close().await;
        drop(store);
        all.push(Sized { decisions: size, store: databases.open(&name).await?, took: Vec::new() });
    }
    let filling = begun.elapsed();
    for turn in 0..TURNS {
        for one in &mut all {
            let images = one.decisions / EACH;
            for number in turn * QUERIES..(turn + 1) * QUERIES {
                // All over the table, in no order.
                let image = image(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) % images);
                let query = DecisionQuery { digest: Some(image), limit: 20, ..DecisionQuery::default() };
                let begun = Instant::now();
                let rows = one.store.decisions(&query).await?;
                let took = begun.elapsed();
                if rows.len() < usize::try_from(EACH)? {
                    return Err("decisions that were written are not found".into());
                }
                // In the first turn statements are prepared and files opened.
                if turn > 0 {
                    one.took.push(took);
                }
            }
        }
    }
    let mut found = Vec::new();
    for mut one in all {
        one.store.close().await;
        let (median, p99) = (percentile(&mut one.took, 50), percentile(&mut one.took, 99));
        found.push(json!({ "decisions": one.decisions, "medianMicros": median, "p99Micros": p99 }));
    }
    Ok(json!({ "sizes": found, "fillingSeconds": filling.as_secs() }))
}

async fn fill(store: &Store, size: u64) -> Outcome<()> {
    let images = size / EACH;
    let mut written = 0;
    while written < size {
        let some = BATCH.min(size - written);
        let decisions = (written..written + some).map(|number| decision(number, number % images, 100)).collect();
        store.write(Batch { decisions, ..Batch::default() }).await?;
        written += some;
    }
    Ok(())
}
