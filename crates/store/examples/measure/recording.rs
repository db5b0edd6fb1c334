//! Recording through the store beside bare INSERTs of the same rows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use store::Store;

use crate::Outcome;
use crate::bare::Bare;
use crate::databases::Databases;
use crate::rows::{EVIDENCE, batch};

const WRITERS: u64 = 64;

pub(crate) async fn measure(databases: &Databases, during: Duration, turns: usize) -> Outcome<Value> {
    let during = during.max(Duration::from_millis(100));
    databases.make("recording").await?;
    let store = databases.open("recording").await?;
    let mut bare = Bare::open(databases, "bare").await?;
    let (next, mut inserted) = (Arc::new(AtomicU64::new(0)), 0);
    let mut found = Vec::new();
    for _ in 0..turns {
        let before = databases.transactions("recording").await?;
        let (durable, took) = by_writers(&store, &next, during).await?;
        let transactions = databases.transactions("recording").await?.saturating_sub(before).max(1);
        let group = ((durable + transactions / 2) / transactions).max(1);
        let (written, bare_took) = bare.record(group, inserted, during).await?;
        inserted += written;
        found.push(json!({
            "averageGroup": group,
            "storePerSecond": rate(durable, took),
            "barePerSecond": rate(written, bare_took),
        }));
    }
    store.close().await;
    bare.close().await?;
    found.remove(0);
    Ok(json!({ "writers": WRITERS, "evidenceBytes": EVIDENCE, "turns": found }))
}

/// What writers record who wait for each batch to be durable.
async fn by_writers(store: &Store, next: &Arc<AtomicU64>, during: Duration) -> Outcome<(u64, Duration)> {
    let begun = Instant::now();
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..WRITERS {
        let (store, next) = (store.clone(), Arc::clone(next));
        writers.spawn(async move {
            let mut durable = 0_u64;
            while begun.elapsed() < during {
                store.write(batch(next.fetch_add(1, Ordering::Relaxed))).await?;
                durable += 1;
            }
            Outcome::Ok(durable)
        });
    }
    let mut durable = 0;
    while let Some(written) = writers.join_next().await {
        durable += written??;
    }
    Ok((durable, begun.elapsed()))
}

fn rate(count: u64, took: Duration) -> u64 {
    count * 1000 / u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1)
}
