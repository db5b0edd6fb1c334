//! Changes are numbered without gaps, in the order in which they become visible, whoever writes them.

use std::time::Duration;

use store::{Batch, Scope};

use crate::support::{Database, digest, on_both};

on_both!(changes_have_no_gaps_under_many_writers, who_waits_hears_of_a_change);

const WRITERS: usize = 8;
const BATCHES: usize = 25;

async fn changes_have_no_gaps_under_many_writers(database: &Database) {
    let one = database.open().await;
    // PostgreSQL: two processes, as it sees them.
    let two = if database.is_postgres { database.open().await } else { one.clone() };
    let reader = one.clone();
    let reading = tokio::spawn(async move {
        let mut seen = 0;
        loop {
            for change in reader.changes(seen, 7).await.unwrap() {
                assert_eq!(change.seq, seen + 1, "a change was passed over");
                seen = change.seq;
            }
            if seen == i64::try_from(WRITERS * BATCHES * 2).unwrap() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let store = if writer % 2 == 0 { one.clone() } else { two.clone() };
        writers.spawn(async move {
            let mut numbers = Vec::new();
            for batch in 0..BATCHES {
                // One, two or three changes.
                let scopes = (0..=batch % 3).map(|n| Scope::Image(digest(format!("{writer} {batch} {n}"))));
                let changes: Vec<Scope> = scopes.collect();
                let last = store.write(Batch { changes: changes.clone(), ..Batch::default() }).await.unwrap().unwrap();
                let there = store.changes(last - i64::try_from(changes.len()).unwrap(), 3).await.unwrap();
                for (change, scope) in there.iter().zip(&changes) {
                    assert_eq!(change.scope, *scope);
                }
                numbers.push((last, changes.len()));
            }
            numbers
        });
    }
    let numbers: Vec<(i64, usize)> = writers.join_all().await.into_iter().flatten().collect();
    let told: usize = numbers.iter().map(|(_, count)| count).sum();
    // 25 batches of one, two, three, … are 49 changes; one more per writer makes the total that the reader waits for.
    let missing = WRITERS * BATCHES * 2 - told;
    let filler = Batch { changes: vec![Scope::Global; missing], ..Batch::default() };
    let last = one.write(filler).await.unwrap();
    assert_eq!(last, Some(i64::try_from(WRITERS * BATCHES * 2).unwrap()));
    reading.await.unwrap();
    let mut all: Vec<i64> = one.changes(0, 10_000).await.unwrap().into_iter().map(|change| change.seq).collect();
    let expected: Vec<i64> = (1..=last.unwrap()).collect();
    assert_eq!(all, expected);
    all.dedup();
    assert_eq!(two.sequence().await.unwrap(), last.unwrap());
}

async fn who_waits_hears_of_a_change(database: &Database) {
    let one = database.open().await;
    let two = if database.is_postgres { database.open().await } else { one.clone() };
    let changed = Batch { changes: vec![Scope::Global], ..Batch::default() };
    // Until it listens; from then on every change is heard.
    if database.is_postgres {
        tokio::time::timeout(Duration::from_secs(5), two.changed()).await.expect("it never listened");
    }
    for _ in 0..5 {
        one.write(changed.clone()).await.unwrap();
        tokio::time::timeout(Duration::from_secs(2), two.changed()).await.expect("nobody was woken");
    }
    // A change between two waits is not missed.
    one.write(changed.clone()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    tokio::time::timeout(Duration::from_secs(2), two.changed()).await.expect("a change was missed");
    // What changes nothing wakes nobody, once what was left over is heard.
    while tokio::time::timeout(Duration::from_millis(100), two.changed()).await.is_ok() {}
    one.write(crate::support::decided(1)).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(150), two.changed()).await.is_err());
}
