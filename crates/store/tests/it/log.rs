//! The audit log: entries get their places once, by one.

use store::{Batch, LeafQuery, LogHead, LogNode, StoreError};

use crate::support::{Database, at, digest, id, leaf, on_both};

on_both!(
    entries_get_their_places,
    of_two_sequencers_one_wins,
    an_extension_happens_whole_or_not_at_all,
    entries_are_found_by_image
);

fn head(size: u64, by: &str) -> LogHead {
    LogHead { size, checkpoint: format!("{by} {size}\n"), at: at(1), key: "key".to_owned() }
}

fn node(level: u8, index: u64) -> LogNode {
    LogNode { level, index, hash: [u8::try_from(u64::from(level) * 50 + index % 50).unwrap(); 32] }
}

async fn filled(database: &Database, count: u64) -> store::Store {
    let store = database.open().await;
    store.write(Batch { leaves: (0..count).map(leaf).collect(), ..Batch::default() }).await.unwrap();
    store
}

async fn entries_get_their_places(database: &Database) {
    let store = filled(database, 700).await;
    let waiting = store.unsequenced(600).await.unwrap();
    assert_eq!(waiting.len(), 600);
    let ids: Vec<String> = waiting.into_iter().map(|leaf| leaf.id).collect();
    let nodes: Vec<LogNode> =
        (0..600).map(|index| node(0, index)).chain((0..300).map(|index| node(1, index))).collect();
    assert!(store.extend_log(0, &ids, &nodes, &head(600, "one")).await.unwrap());
    assert_eq!(store.log_head().await.unwrap(), Some(head(600, "one")));
    assert_eq!(store.unsequenced(1000).await.unwrap().len(), 100);
    let from = store.leaves_from(598, 10).await.unwrap();
    assert_eq!(
        from.iter().map(|leaf| (leaf.id.clone(), leaf.index)).collect::<Vec<_>>(),
        [(id(598), Some(598)), (id(599), Some(599))]
    );
    assert_eq!(store.leaf(&id(7)).await.unwrap().unwrap().index, Some(7));
    let wanted: Vec<(u8, u64)> = (0..600).rev().map(|index| (0, index)).chain([(1, 299), (1, 300), (9, 0)]).collect();
    let found = store.log_nodes(&wanted).await.unwrap();
    assert_eq!(found.len(), 601);
    assert_eq!((found[0], found[600]), (node(0, 599), node(1, 299)));
    assert_eq!(store.log_nodes(&[]).await.unwrap(), []);
    // A new key signs the same tree.
    assert!(store.extend_log(600, &[], &[], &head(600, "two")).await.unwrap());
    assert_eq!(store.log_head().await.unwrap(), Some(head(600, "two")));
}

async fn of_two_sequencers_one_wins(database: &Database) {
    let one = filled(database, 10).await;
    let two = if database.is_postgres { database.open().await } else { one.clone() };
    let ids: Vec<String> = (0..10).map(id).collect();
    let mut size = 0;
    for round in 0..5_usize {
        let (some, more) = (&ids[round * 2..=round * 2], &ids[round * 2..round * 2 + 2]);
        let (first, second) = (head(size + 1, "one"), head(size + 2, "two"));
        let (a, b) = tokio::join!(one.extend_log(size, some, &[], &first), two.extend_log(size, more, &[], &second));
        let (a, b) = (a.unwrap(), b.unwrap());
        assert_ne!(a, b, "one of them wins");
        let now = one.log_head().await.unwrap().unwrap();
        assert_eq!(now, if a { first } else { second });
        if now.size == size + 1 {
            assert!(
                two.extend_log(now.size, &ids[round * 2 + 1..round * 2 + 2], &[], &head(now.size + 1, "two"))
                    .await
                    .unwrap()
            );
        }
        size += 2;
    }
    let leaves = one.leaves_from(0, 100).await.unwrap();
    let places: Vec<(String, u64)> = leaves.into_iter().map(|leaf| (leaf.id, leaf.index.unwrap())).collect();
    assert_eq!(places, (0..10).map(|number| (id(number), number)).collect::<Vec<_>>());
}

async fn an_extension_happens_whole_or_not_at_all(database: &Database) {
    let store = filled(database, 3).await;
    let missing = [id(0), "unheard of".to_owned()];
    let refused = store.extend_log(0, &missing, &[node(0, 0)], &head(2, "one")).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    assert_eq!(store.unsequenced(10).await.unwrap().len(), 3);
    assert_eq!(store.log_nodes(&[(0, 0)]).await.unwrap(), []);
    assert_eq!(store.log_head().await.unwrap(), None);
    // The size has to be the sum.
    assert!(store.extend_log(0, &[id(0)], &[], &head(2, "one")).await.is_err());
    assert!(store.extend_log(0, &[id(0)], &[], &head(1, "one")).await.unwrap());
    // A place is given once.
    assert!(store.extend_log(1, &[id(0)], &[], &head(2, "one")).await.is_err());
    assert_eq!(store.leaf(&id(0)).await.unwrap().unwrap().index, Some(0));
    assert_eq!(store.log_head().await.unwrap().unwrap().size, 1);
}

async fn entries_are_found_by_image(database: &Database) {
    let store = database.open().await;
    let leaves = (0..30).map(|number| {
        let mut leaf = leaf(number);
        leaf.subject = (number % 3 != 2).then(|| digest(number % 3));
        leaf.repository = leaf.subject.is_some().then(|| format!("r{}", number % 2));
        leaf
    });
    let leaves: Vec<_> = leaves.collect();
    store.write(Batch { leaves: leaves.clone(), ..Batch::default() }).await.unwrap();
    for subject in [None, Some(digest(0)), Some(digest(1)), Some(digest("other"))] {
        for repository in [None, Some("r1".to_owned())] {
            let expected: Vec<_> = leaves
                .iter()
                .filter(|leaf| subject.is_none() || leaf.subject == subject)
                .filter(|leaf| repository.is_none() || leaf.repository == repository)
                .cloned()
                .collect();
            let mut found = Vec::new();
            loop {
                let after = found.last().map(|leaf: &store::LeafRow| leaf.id.clone());
                let query = LeafQuery { subject: subject.clone(), repository: repository.clone(), after, limit: 4 };
                let page = store.leaves(&query).await.unwrap();
                if page.is_empty() {
                    break;
                }
                found.extend(page);
            }
            assert_eq!(found, expected);
        }
    }
}
