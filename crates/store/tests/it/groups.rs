//! Batches that are written together: one that is bad takes no other with it, and of two that contradict each other one wins.

use store::{Activation, Batch, StoreError};

use crate::round_trips::{activation, policy};
use crate::support::{Database, decided, id, on_both};

on_both!(
    a_bad_batch_takes_no_other_with_it,
    of_two_activations_one_wins,
    what_is_not_urgent_is_written_within_a_second,
    a_closed_store_has_written_what_it_took,
);

async fn a_bad_batch_takes_no_other_with_it(database: &Database) {
    let store = database.open().await;
    let writes = (0..40).map(|number| {
        let mut batch = decided(number);
        match number {
            7 => batch.answers[0].times = 0,                     // the database refuses it
            21 => batch.answers[0].point = String::from("a\0b"), // one database would, the other would not
            _ => {}
        }
        let store = store.clone();
        async move { (number, store.write(batch).await) }
    });
    for (number, outcome) in futures_util::future::join_all(writes).await {
        let is_bad = number == 7 || number == 21;
        assert_eq!(outcome.is_err(), is_bad, "{number}: {outcome:?}");
        assert_eq!(store.decision(&id(number)).await.unwrap().is_none(), is_bad, "{number}: all of it or nothing");
        assert_eq!(store.leaf(&id(number)).await.unwrap().is_none(), is_bad);
    }
    // Of what nobody waits for, what cannot be written is counted.
    let mut bad = decided(50);
    bad.answers[0].times = 0;
    store.write_soon(bad).unwrap();
    store.write_soon(decided(51)).unwrap();
    store.close().await;
    assert_eq!((store.at_risk(), store.lost()), (0, 1));
    drop(store);
    assert!(database.open().await.decision(&id(51)).await.unwrap().is_some());
}

async fn of_two_activations_one_wins(database: &Database) {
    let store = database.open().await;
    store.write(Batch { policies: vec![policy("one"), policy("two")], ..Batch::default() }).await.unwrap();
    let activate = |number: u64, name: &str, after: Option<u64>| Batch {
        activation: Some(Activation { row: activation(number, name), after: after.map(id) }),
        ..decided(number)
    };
    // The id of the later one is smaller, as after a clock that was set back: what counts is what was in force.
    let (one, two) = tokio::join!(store.write(activate(9, "one", None)), store.write(activate(8, "two", None)));
    assert!(one.is_ok(), "{one:?}");
    assert!(matches!(two, Err(StoreError::Conflict { .. })), "{two:?}");
    assert_eq!(store.decision(&id(8)).await.unwrap(), None, "nothing of a refused batch is there");
    store.write(activate(7, "two", Some(9))).await.unwrap();
    store.write(activate(7, "two", Some(9))).await.unwrap();
    assert!(matches!(store.write(activate(6, "one", Some(9))).await, Err(StoreError::Conflict { .. })));
    let history: Vec<String> = store.activations(10).await.unwrap().into_iter().map(|row| row.id).collect();
    assert_eq!(history, [id(7), id(9)]);
    // What was never uploaded does not come into force.
    assert!(store.write(activate(5, "three", Some(7))).await.is_err());
    assert_eq!(store.activations(1).await.unwrap()[0].id, id(7));
}

async fn what_is_not_urgent_is_written_within_a_second(database: &Database) {
    let store = database.open().await;
    for number in 0..20 {
        store.write_soon(decided(number)).unwrap();
    }
    assert!(store.at_risk() > 0);
    let started = tokio::time::Instant::now();
    while store.at_risk() > 0 {
        assert!(started.elapsed().as_millis() < 1000, "{} are not written after a second", store.at_risk());
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    for number in 0..20 {
        assert!(store.decision(&id(number)).await.unwrap().is_some());
    }
}

async fn a_closed_store_has_written_what_it_took(database: &Database) {
    let store = database.open().await;
    let writes: Vec<_> = (0..30)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { store.write(decided(number)).await })
        })
        .collect();
    for number in 30..60 {
        store.write_soon(decided(number)).unwrap();
    }
    tokio::task::yield_now().await;
    store.close().await;
    assert!(matches!(store.write(decided(99)).await, Err(StoreError::Closed)));
    assert!(matches!(store.write_soon(decided(99)), Err(StoreError::Closed)));
    assert!(matches!(store.decision(&id(1)).await, Err(StoreError::Closed)));
    drop(store);
    let mut acknowledged = Vec::new();
    for (number, write) in writes.into_iter().enumerate() {
        if write.await.unwrap().is_ok() {
            acknowledged.push(number as u64);
        }
    }
    let store = database.open().await;
    for number in acknowledged.into_iter().chain(30..60) {
        assert!(store.decision(&id(number)).await.unwrap().is_some(), "{number}");
    }
}
