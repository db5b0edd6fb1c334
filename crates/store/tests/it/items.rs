//! Items: what people settled, each replaced only by who has seen its last revision.

use std::sync::Arc;

use store::{Batch, ItemQuery, ItemRow, StoreError};

use crate::support::{Database, at, digest, id, leaf, on_both};

on_both!(
    b11_an_item_comes_back_as_it_was_and_is_found,
    b11_an_item_is_replaced_by_who_has_seen_it_alone,
    b11_uses_are_counted_once_for_each_decision
);

pub(crate) fn item(number: u64, revision: i64, state: &str) -> ItemRow {
    ItemRow {
        kind: "exception".to_owned(),
        id: id(number),
        revision,
        state: state.to_owned(),
        repository: Some("registry.example/team/app".to_owned()),
        digest: (number == 1).then(|| digest("image 1")),
        environment: (number == 1).then(|| "production".to_owned()),
        created_at: at(8),
        until: (number == 1).then(|| at(900)),
        body: format!("{{\"state\":{state:?}}}").into_bytes(),
    }
}

fn batch(item: ItemRow) -> Batch {
    Batch { items: vec![item], ..Batch::default() }
}

async fn b11_an_item_comes_back_as_it_was_and_is_found(database: &Database) {
    let store = database.open().await;
    for row in [item(1, 1, "requested"), item(2, 1, "active")] {
        store.write(batch(row)).await.unwrap();
    }
    let other = ItemRow { kind: "label".to_owned(), ..item(1, 1, "active") };
    store.write(batch(other.clone())).await.unwrap();
    assert_eq!(store.item("exception", &id(1)).await.unwrap(), Some(item(1, 1, "requested")));
    assert_eq!(store.item("label", &id(1)).await.unwrap(), Some(other));
    assert_eq!(store.item("exception", "unheard of").await.unwrap(), None);
    let all = ItemQuery { kind: "exception", limit: 10, ..ItemQuery::default() };
    let found =
        async |query: ItemQuery| store.items(&query).await.unwrap().into_iter().map(|row| row.id).collect::<Vec<_>>();
    assert_eq!(found(all.clone()).await, [id(2), id(1)]);
    assert_eq!(found(ItemQuery { limit: 1, ..all.clone() }).await, [id(2)]);
    assert_eq!(found(ItemQuery { before: Some(id(2)), ..all.clone() }).await, [id(1)]);
    assert_eq!(found(ItemQuery { state: Some("active".to_owned()), ..all.clone() }).await, [id(2)]);
    assert_eq!(found(ItemQuery { digest: Some(digest("image 1")), ..all.clone() }).await, [id(1)]);
    assert_eq!(found(ItemQuery { environment: Some("production".to_owned()), ..all.clone() }).await, [id(1)]);
    assert_eq!(found(ItemQuery { repository: Some("registry.example/other".to_owned()), ..all }).await, [""; 0]);
}

async fn b11_an_item_is_replaced_by_who_has_seen_it_alone(database: &Database) {
    let store = Arc::new(database.open().await);
    store.write(batch(item(1, 1, "requested"))).await.unwrap();
    // Sent again, as after a commit that nobody heard of.
    store.write(batch(item(1, 1, "requested"))).await.unwrap();
    let refused = |outcome: Result<Option<i64>, StoreError>| matches!(outcome, Err(StoreError::Conflict { .. }));
    for unseen in [item(1, 1, "active"), item(1, 3, "active"), item(2, 2, "active")] {
        // Nothing of a refused batch stays.
        let whole = Batch { leaves: vec![leaf(1)], ..batch(unseen) };
        assert!(refused(store.write(whole).await));
        assert_eq!(store.leaf(&id(1)).await.unwrap(), None);
    }
    // Of two that saw the same revision one replaces it.
    let (one, other) =
        tokio::join!(store.write(batch(item(1, 2, "approved"))), store.write(batch(item(1, 2, "rejected"))));
    assert_ne!(refused(one), refused(other), "one of them replaces it");
    let now = store.item("exception", &id(1)).await.unwrap().unwrap();
    assert_eq!(now.revision, 2);
    assert!(["approved", "rejected"].contains(&now.state.as_str()), "{now:?}");
    store.write(batch(item(1, 3, "revoked"))).await.unwrap();
    assert_eq!(store.item("exception", &id(1)).await.unwrap(), Some(item(1, 3, "revoked")));
}

async fn b11_uses_are_counted_once_for_each_decision(database: &Database) {
    let store = database.open().await;
    for (item, decision) in [(1, 10), (1, 11), (1, 11), (2, 10)] {
        let uses = vec![(id(item), id(decision), at(9))];
        store.write(Batch { uses, ..Batch::default() }).await.unwrap();
    }
    assert_eq!(store.uses(&id(1), None, 10).await.unwrap(), [(id(11), at(9)), (id(10), at(9))]);
    assert_eq!(store.uses(&id(1), Some(&id(11)), 10).await.unwrap(), [(id(10), at(9))]);
    let counts = store.use_counts(&[id(1), id(2), id(3)]).await.unwrap();
    assert_eq!(counts.into_iter().collect::<Vec<_>>(), [(id(1), 2), (id(2), 1)]);
}
