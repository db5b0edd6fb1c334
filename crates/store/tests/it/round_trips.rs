//! What goes in comes out as it was, and stays as it was when it is sent again.

use model::Verdict;
use store::{
    Activation, ActivationRow, Batch, Change, DecisionQuery, Idempotency, LeafQuery, PackagesRow, PolicyRow,
    PromotionRow, Scope, SignalRow, StoreError, WorkloadRow,
};

use crate::support::{Database, answer, at, decision, digest, evidence, id, leaf, on_both};

on_both!(
    b3_every_row_comes_back_as_it_was,
    what_is_there_is_left_as_it_is,
    a_key_answers_once_and_for_one_request,
    evidence_that_was_changed_is_not_given_out,
    what_was_submitted_is_taken_back_and_its_bytes_stay,
    packed_evidence_is_read_as_it_was
);

/// A batch with something in every field.
pub(crate) fn everything() -> Batch {
    let mut whole = decision(2);
    whole.verdict = Verdict::Deny;
    whole.facts = Some(evidence("facts").digest);
    whole.valid_until = Some(at(900));
    whole.children = vec![digest("child b"), digest("child a")];
    whole.record = vec![0, 159, 146, 150];
    let mut asked = answer(2, 2);
    asked.asked_by = Some("robot \"ß\"".to_owned());
    asked.pipeline = Some("4711".to_owned());
    asked.commit = Some("c0ffee".to_owned());
    asked.trace_id = Some("00-4bf92f".to_owned());
    asked.times = 3;
    let mut bare = leaf(3);
    (bare.subject, bare.repository) = (None, None);
    Batch {
        decisions: vec![decision(1), whole],
        answers: vec![answer(1, 1), asked],
        evidence: vec![evidence("facts"), evidence("")],
        policies: vec![policy("one"), policy("two")],
        activation: Some(Activation { row: activation(1, "one"), after: None }),
        signals: vec![signal(1, "report"), signal(2, "sbom")],
        withdrawn: Vec::new(),
        packages: vec![packages("image 1", "bom"), packages("image 2", "bom")],
        workloads: vec![workload("web", 10, 20)],
        promotions: vec![promotion(1)],
        items: vec![crate::items::item(1, 1, "requested")],
        uses: vec![(id(1), id(2), at(9))],
        jobs: Vec::new(),
        done: Vec::new(),
        leaves: vec![leaf(1), leaf(2), bare],
        changes: vec![Scope::Global, Scope::Image(digest("image 1"))],
        idempotency: Some(Idempotency {
            key: "caller/key".to_owned(),
            request: "r1".to_owned(),
            response: b"\0answer".to_vec(),
            until: at(100),
        }),
    }
}

pub(crate) fn policy(name: &str) -> PolicyRow {
    PolicyRow {
        digest: digest(name),
        names: vec![name.to_owned(), "b".to_owned()],
        bundle: format!("bundle of {name}").into_bytes(),
        uploaded_at: at(if name == "two" { 2 } else { 1 }),
        uploaded_by: "someone".to_owned(),
    }
}

pub(crate) fn activation(number: u64, name: &str) -> ActivationRow {
    ActivationRow {
        id: id(number),
        policy: digest(name),
        at: at(5),
        by: "someone".to_owned(),
        reason: Some("because".to_owned()),
    }
}

pub(crate) fn signal(number: u64, kind: &str) -> SignalRow {
    SignalRow {
        id: id(number),
        repository: "registry.example/team/app".to_owned(),
        digest: digest("image 1"),
        kind: kind.to_owned(),
        evidence: evidence("").digest,
        submitted_at: at(6),
        submitted_by: "scanner".to_owned(),
    }
}

pub(crate) fn packages(image: &str, set: &str) -> PackagesRow {
    PackagesRow {
        repository: "registry.example/team/app".to_owned(),
        digest: digest(image),
        set: digest(set),
        packages: vec![("pkg:npm/left-pad".to_owned(), "1.3.0".to_owned()), ("pkg:npm/x".to_owned(), String::new())],
    }
}

pub(crate) fn workload(container: &str, first: i64, last: i64) -> WorkloadRow {
    WorkloadRow {
        cluster: "c".to_owned(),
        namespace: "n".to_owned(),
        owner: "Deployment/web".to_owned(),
        container: container.to_owned(),
        repository: "registry.example/team/app".to_owned(),
        digest: digest("image 1"),
        first_seen: at(first),
        last_seen: at(last),
    }
}

pub(crate) fn promotion(number: u64) -> PromotionRow {
    PromotionRow {
        id: id(number),
        decision: id(1),
        digest: digest("image 1"),
        source: "registry.example/team/app".to_owned(),
        destination: "registry.example/prod/app:1".to_owned(),
        environment: "production".to_owned(),
        at: at(7),
        by: "someone".to_owned(),
    }
}

async fn b3_every_row_comes_back_as_it_was(database: &Database) {
    let store = database.open().await;
    let sent = everything();
    assert_eq!(store.write(sent.clone()).await.unwrap(), Some(2));
    // Sent again, as after a commit that nobody heard of: the changes are told twice, nothing else is there twice.
    assert_eq!(store.write(sent.clone()).await.unwrap(), Some(4));
    store.close().await;
    drop(store);

    let store = database.open().await;
    for row in &sent.decisions {
        assert_eq!(store.decision(&row.id).await.unwrap().as_ref(), Some(row));
    }
    let all = DecisionQuery { limit: 10, ..DecisionQuery::default() };
    assert_eq!(store.decisions(&all).await.unwrap(), sent.decisions.iter().rev().cloned().collect::<Vec<_>>());
    assert_eq!(store.answers(&id(1), 10).await.unwrap(), sent.answers[..1]);
    assert_eq!(store.answers(&id(2), 10).await.unwrap(), sent.answers[1..]);
    for row in &sent.evidence {
        assert_eq!(store.evidence(&row.digest).await.unwrap().as_ref(), Some(row));
    }
    for row in &sent.policies {
        assert_eq!(store.policy(&row.digest).await.unwrap().as_ref(), Some(row));
    }
    let listed = store.policies(10).await.unwrap();
    assert_eq!(listed.iter().map(|row| row.digest.clone()).collect::<Vec<_>>(), [digest("two"), digest("one")]);
    assert!(listed.iter().all(|row| row.bundle.is_empty() && row.names.len() == 2));
    assert_eq!(store.activations(10).await.unwrap(), [activation(1, "one")]);
    assert_eq!(store.signals("registry.example/team/app", &digest("image 1")).await.unwrap(), sent.signals);
    assert_eq!(store.signals("registry.example/other", &digest("image 1")).await.unwrap(), []);
    let both = store.signals_about("registry.example/team/app", &[digest("image 2"), digest("image 1")]).await.unwrap();
    assert_eq!(both, sent.signals);
    assert_eq!(store.signals_about("registry.example/team/app", &[]).await.unwrap(), []);
    assert_eq!(store.signal(&id(2)).await.unwrap().as_ref(), Some(&sent.signals[1]));
    assert_eq!(store.workloads(&[digest("image 1")], 10).await.unwrap(), sent.workloads);
    assert_eq!(store.promotions(None, None, None, 10).await.unwrap(), sent.promotions);
    assert_eq!(store.leaves(&LeafQuery { limit: 10, ..LeafQuery::default() }).await.unwrap(), sent.leaves);
    assert_eq!(store.leaf(&id(3)).await.unwrap().as_ref(), Some(&sent.leaves[2]));
    assert_eq!(store.leaf("unheard of").await.unwrap(), None);
    let held = store.images_with("pkg:npm/left-pad", None, None, 10).await.unwrap();
    let mut images = [digest("image 1"), digest("image 2")];
    images.sort();
    let expected = images.map(|image| ("registry.example/team/app".to_owned(), image, "1.3.0".to_owned()));
    assert_eq!(held, expected);
    let told: Vec<Change> = (1..=4)
        .map(|seq| Change { seq, scope: sent.changes[usize::try_from((seq + 1) % 2).unwrap()].clone() })
        .collect();
    assert_eq!(store.changes(0, 10).await.unwrap(), told);
    assert_eq!(store.changes(3, 10).await.unwrap(), told[3..]);
    assert_eq!(store.sequence().await.unwrap(), 4);
    assert_eq!(store.idempotent("caller/key", "r1", at(99)).await.unwrap().as_deref(), Some(b"\0answer".as_slice()));
    assert_eq!(store.log_head().await.unwrap(), None);
    assert_eq!((store.at_risk(), store.lost()), (0, 0));
}

async fn what_is_there_is_left_as_it_is(database: &Database) {
    let store = database.open().await;
    store.write(everything()).await.unwrap();
    let mut other = everything();
    for row in &mut other.decisions {
        row.verdict = Verdict::Warn;
    }
    other.policies[0].bundle = b"another".to_vec();
    other.leaves[0].bytes = b"another".to_vec();
    other.answers[0].times = 77;
    other.activation = None;
    other.items.clear();
    store.write(other).await.unwrap();
    let sent = everything();
    assert_eq!(store.decision(&id(2)).await.unwrap().unwrap(), sent.decisions[1]);
    assert_eq!(store.policy(&digest("one")).await.unwrap().unwrap(), sent.policies[0]);
    assert_eq!(store.leaf(&id(1)).await.unwrap().unwrap(), sent.leaves[0]);
    assert_eq!(store.answers(&id(1), 10).await.unwrap(), sent.answers[..1]);

    // A container is seen again: from the first time to the last, in whichever order it is told.
    for (first, last) in [(15, 30), (5, 6), (12, 13)] {
        let seen = Batch { workloads: vec![workload("web", first, last)], ..Batch::default() };
        store.write(seen).await.unwrap();
    }
    assert_eq!(store.workloads(&[digest("image 1")], 10).await.unwrap(), [workload("web", 5, 30)]);
}

async fn a_key_answers_once_and_for_one_request(database: &Database) {
    let store = database.open().await;
    let with = |request: &str, number: u64, until: i64| Batch {
        decisions: vec![decision(number)],
        idempotency: Some(Idempotency {
            key: "k".to_owned(),
            request: request.to_owned(),
            response: vec![u8::try_from(number).unwrap()],
            until: at(until),
        }),
        ..Batch::default()
    };
    assert_eq!(store.idempotent("k", "r", at(0)).await.unwrap(), None);
    store.write(with("r", 1, 10)).await.unwrap();
    assert_eq!(store.idempotent("k", "r", at(9)).await.unwrap(), Some(vec![1]));
    assert!(matches!(store.idempotent("k", "other", at(9)).await, Err(StoreError::KeyReused)));
    // The whole batch is refused.
    assert!(matches!(store.write(with("other", 2, 10)).await, Err(StoreError::KeyReused)));
    assert_eq!(store.decision(&id(2)).await.unwrap(), None);
    // Two at once, and something beside them in the same transaction.
    let (one, two, beside) = tokio::join!(
        store.write(with("other", 3, 10)),
        store.write(with("r", 4, 10)),
        store.write(crate::support::decided(5))
    );
    assert!(matches!(one, Err(StoreError::KeyReused)) && two.is_ok() && beside.is_ok());
    assert_eq!(store.idempotent("k", "r", at(9)).await.unwrap(), Some(vec![1]));
    // When it is over, the key is free.
    assert_eq!(store.idempotent("k", "other", at(10)).await.unwrap(), None);
    store.write(with("other", 6, 20)).await.unwrap();
    assert_eq!(store.idempotent("k", "other", at(11)).await.unwrap(), Some(vec![6]));
}

async fn what_was_submitted_is_taken_back_and_its_bytes_stay(database: &Database) {
    let store = database.open().await;
    let signals = vec![signal(1, "report"), signal(2, "sbom")];
    let batch = Batch { signals: signals.clone(), evidence: vec![evidence("")], ..Batch::default() };
    store.write(batch).await.unwrap();
    store.write(Batch { withdrawn: vec![id(2), id(99)], ..Batch::default() }).await.unwrap();
    assert_eq!(store.signal(&id(2)).await.unwrap(), None);
    assert_eq!(store.signals("registry.example/team/app", &digest("image 1")).await.unwrap(), signals[..1]);
    assert!(store.evidence(&evidence("").digest).await.unwrap().is_some());
}

async fn packed_evidence_is_read_as_it_was(database: &Database) {
    let store = database.open().await;
    let raw = b"{\"findings\":[]}".repeat(100);
    let row = store::EvidenceRow::packed("application/json", &raw).unwrap();
    assert!(row.bytes.len() < raw.len() && row.digest == model::Digest::of(&raw));
    store.write(Batch { evidence: vec![row.clone()], ..Batch::default() }).await.unwrap();
    let read = store.evidence(&row.digest).await.unwrap().unwrap();
    assert_eq!((read.media_type.as_str(), read.bytes), ("application/json", raw));
    assert_eq!(store.kept(&[digest("image 1"), row.digest.clone()]).await.unwrap(), std::slice::from_ref(&row.digest));
    // Other bytes, however well they are packed, are not it.
    let other = store::EvidenceRow::packed("application/json", b"other").unwrap();
    let mut connection = crate::opening::connect(database).await;
    sqlx::query("UPDATE evidence SET bytes = $1").bind(other.bytes).execute(&mut connection).await.unwrap();
    assert!(matches!(store.evidence(&row.digest).await, Err(StoreError::Unreadable { .. })));
}

async fn evidence_that_was_changed_is_not_given_out(database: &Database) {
    let store = database.open().await;
    let row = evidence("facts");
    store.write(Batch { evidence: vec![row.clone()], ..Batch::default() }).await.unwrap();
    let mut connection = crate::opening::connect(database).await;
    let change = sqlx::query("UPDATE evidence SET bytes = $1").bind(b"other facts".as_slice());
    change.execute(&mut connection).await.unwrap();
    let found = store.evidence(&row.digest).await;
    assert!(matches!(found, Err(StoreError::Unreadable { .. })), "{found:?}");
}
