//! Forgetting takes what is old and not needed, and nothing else.

use std::cell::Cell;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use store::{Batch, EvidenceRow, Forgettable, LogHead, NewJob, Store};

use crate::round_trips::{promotion, signal};
use crate::support::{Database, at, decided, decision, digest, evidence, id, leaf, on_both};

on_both!(
    what_is_old_is_forgotten,
    a_decision_that_is_needed_stays,
    evidence_that_is_named_stays,
    o3_bytes_of_the_log_are_dropped_with_a_trace,
    o3_what_is_recorded_meanwhile_does_not_wait_for_the_log_to_be_dropped,
);

async fn count(store: &Store, table: &str) -> u64 {
    let status = store.status().await.unwrap();
    status.rows.iter().find(|(name, _)| *name == table).unwrap().1
}

async fn what_is_old_is_forgotten(database: &Database) {
    let store = database.open().await;
    // More than one transaction's worth.
    let answers: Vec<_> = (0..2500).flat_map(|number| decided(number).answers).collect();
    let signals = (0..10).map(|number| {
        let mut row = signal(number, "report");
        row.submitted_at = at(i64::try_from(number).unwrap());
        row
    });
    let keys = (0..10).map(|number| store::Idempotency {
        key: format!("k{number}"),
        request: "r".to_owned(),
        response: Vec::new(),
        until: at(number),
    });
    for key in keys {
        store.write(Batch { idempotency: Some(key), ..Batch::default() }).await.unwrap();
    }
    let jobs = ["dead", "waiting"].map(|key| NewJob {
        kind: "k".to_owned(),
        key: key.to_owned(),
        payload: String::new(),
        run_at: at(1),
    });
    store.write(Batch { answers, signals: signals.collect(), jobs: jobs.to_vec(), ..Batch::default() }).await.unwrap();
    for job in store.take_jobs(at(1), std::time::Duration::from_secs(1), 2).await.unwrap() {
        store.fail_job(&job.id, (job.key == "waiting").then(|| at(2)), "no").await.unwrap();
    }
    // Whoever only looks is told how many that would be.
    let looking = Store::look(&database.url).await.unwrap();
    assert_eq!(looking.prunable(Forgettable::Answers, at(2200)).await.unwrap(), 2200);
    assert_eq!(looking.prunable(Forgettable::Idempotency, at(7)).await.unwrap(), 7);
    assert_eq!(looking.prunable(Forgettable::Jobs, at(100)).await.unwrap(), 1);
    assert_eq!(store.prune(Forgettable::Answers, at(2200)).await.unwrap(), 2200);
    assert_eq!(store.prune(Forgettable::Answers, at(2200)).await.unwrap(), 0);
    assert_eq!(count(&store, "answers").await, 300);
    assert_eq!(store.prune(Forgettable::Signals, at(4)).await.unwrap(), 4);
    assert_eq!(store.signals("registry.example/team/app", &digest("image 1")).await.unwrap()[0].id, id(4));
    assert_eq!(store.prune(Forgettable::Idempotency, at(7)).await.unwrap(), 7);
    assert_eq!(store.prune(Forgettable::Jobs, at(100)).await.unwrap(), 1);
    assert_eq!(store.take_jobs(at(2), std::time::Duration::from_secs(1), 2).await.unwrap()[0].key, "waiting");
}

async fn a_decision_that_is_needed_stays(database: &Database) {
    let store = database.open().await;
    let of = |number: u64, image: &str, children: &[&str]| {
        let mut row = decision(number);
        row.digest = digest(image);
        row.children = children.iter().map(digest).collect();
        row
    };
    let decisions = vec![
        of(1, "a", &[]),
        of(2, "a", &[]),
        of(3, "index", &["old child", "child"]),
        of(4, "index", &["child"]),
        of(5, "index", &["child"]),
        of(6, "b", &[]),
        of(7, "b", &[]),
        of(90, "c", &[]),
        of(91, "c", &[]),
    ];
    let mut promoted = promotion(1);
    promoted.decision = id(6);
    store.write(Batch { decisions, promotions: vec![promoted], ..Batch::default() }).await.unwrap();
    assert_eq!(store.prunable(Forgettable::Decisions, at(50)).await.unwrap(), 2);
    assert_eq!(store.prune(Forgettable::Decisions, at(50)).await.unwrap(), 2);
    let mut gone = Vec::new();
    for number in [1, 2, 3, 4, 5, 6, 7, 90, 91] {
        if store.decision(&id(number)).await.unwrap().is_none() {
            gone.push(number);
        }
    }
    // 2, 5, 7: the newest; 3: covers a child that no newer one does; 6: promoted; 90, 91: not old.
    assert_eq!(gone, [1, 4]);
    let parent = store.parent_decision("registry.example/team/app", &digest("old child"), "production").await.unwrap();
    assert_eq!(parent.unwrap().id, id(3));
}

async fn evidence_that_is_named_stays(database: &Database) {
    let store = database.open().await;
    let (raw, loose) = (evidence("raw"), evidence("loose"));
    // Packed, as the gate keeps them.
    let page = evidence("page");
    let pages = page.digest.as_str().as_bytes().to_vec();
    let media_type = "application/vnd.ecr-gate.pages.v1".to_owned();
    let pages = EvidenceRow { digest: model::Digest::of(&pages), media_type, bytes: pages };
    let facts = packed(&format!("{{\"read\":[\"{}\",\"{}\"]}}", raw.digest, pages.digest));
    let (bare_raw, submitted) = (evidence("bare raw"), evidence("submitted"));
    let sha512 = EvidenceRow { digest: format!("sha512:{}", "0".repeat(128)).parse().unwrap(), ..evidence("long") };
    let mut judged = decision(1);
    judged.facts = Some(facts.digest.clone());
    let mut bare = decision(2);
    bare.record = format!("{{\"evidence\":[\"{}\"]}}", bare_raw.digest).into_bytes();
    let mut handed_in = signal(1, "report");
    handed_in.evidence = submitted.digest.clone();
    let all = [&raw, &loose, &facts, &bare_raw, &submitted, &sha512, &pages, &page].map(Clone::clone);
    let batch =
        Batch { decisions: vec![judged, bare], evidence: all.to_vec(), signals: vec![handed_in], ..Batch::default() };
    store.write(batch).await.unwrap();
    assert_eq!(store.prune(Forgettable::Evidence, at(0)).await.unwrap(), 0, "nothing is that old");
    let year = at(365 * 86_400);
    // Stored again a day later, it is not old.
    let again = Batch { evidence: vec![loose.clone()], leaves: vec![leaf(90_000)], ..Batch::default() };
    store.write(again).await.unwrap();
    assert_eq!(store.prune(Forgettable::Evidence, at(80_000)).await.unwrap(), 0);
    assert_eq!(store.prunable(Forgettable::Evidence, year).await.unwrap(), 1);
    assert_eq!(store.prune(Forgettable::Evidence, year).await.unwrap(), 1);
    assert!(store.evidence(&loose.digest).await.unwrap().is_none());
    for kept in [&raw, &facts, &bare_raw, &submitted, &sha512, &pages, &page] {
        assert!(store.evidence(&kept.digest).await.unwrap().is_some());
    }
    // When nothing names them any more, they go: first the facts' decision, then facts and what they name.
    let newer: Vec<_> = [3, 4]
        .map(|number| {
            let mut row = decision(number);
            row.digest = decision(number - 2).digest;
            row
        })
        .into();
    store.write(Batch { decisions: newer, ..Batch::default() }).await.unwrap();
    assert_eq!(store.prune(Forgettable::Decisions, at(3)).await.unwrap(), 2);
    assert_eq!(store.prune(Forgettable::Signals, year).await.unwrap(), 1);
    assert_eq!(store.prune(Forgettable::Evidence, year).await.unwrap(), 5);
    assert_eq!(store.prune(Forgettable::Evidence, year).await.unwrap(), 1, "a page goes after the list of pages");
}

/// Facts that were packed.
fn packed(text: &str) -> EvidenceRow {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(text.as_bytes()).unwrap();
    let bytes = packer.finish().unwrap();
    EvidenceRow { digest: model::Digest::of(&bytes), media_type: "application/x+json+gzip".to_owned(), bytes }
}

async fn o3_bytes_of_the_log_are_dropped_with_a_trace(database: &Database) {
    let store = database.open().await;
    let mut earlier = leaf(2);
    earlier.kind = String::from("audit.trimmed");
    let leaves = vec![leaf(0), leaf(1), earlier.clone(), leaf(3), leaf(4)];
    store.write(Batch { leaves, ..Batch::default() }).await.unwrap();
    let head = LogHead { size: 4, checkpoint: "c".to_owned(), at: at(9), key: String::new() };
    assert!(store.extend_log(0, &[id(0), id(1), id(2), id(3)], &[], &head).await.unwrap());
    let mut trace = leaf(10);
    trace.kind = String::from("audit.trimmed");
    assert_eq!(store.drop_leaf_bytes(at(3), trace.clone()).await.unwrap(), 2);
    let found = store.leaves_from(0, 10).await.unwrap();
    assert_eq!(found.iter().map(|leaf| leaf.bytes.is_empty()).collect::<Vec<_>>(), [true, true, false, false]);
    assert!(
        found.iter().zip(0..).all(|(found, number)| found.hash == leaf(number).hash && found.index == Some(number))
    );
    // What has no place yet keeps its bytes, and so does the trace.
    assert_eq!(store.unsequenced(10).await.unwrap(), [leaf(4), trace]);
    assert_eq!(store.drop_leaf_bytes(at(3), leaf(11)).await.unwrap(), 1, "other traces are no exception");
}

async fn o3_what_is_recorded_meanwhile_does_not_wait_for_the_log_to_be_dropped(database: &Database) {
    const ENTRIES: u64 = 5_000;
    let store = database.open().await;
    let leaves = (0..ENTRIES).map(leaf).collect();
    store.write(Batch { leaves, ..Batch::default() }).await.unwrap();
    let ids: Vec<String> = (0..ENTRIES).map(id).collect();
    let head = LogHead { size: ENTRIES, checkpoint: "c".to_owned(), at: at(9), key: String::new() };
    assert!(store.extend_log(0, &ids, &[], &head).await.unwrap());
    let mut trace = leaf(ENTRIES);
    trace.kind = String::from("audit.dropped");
    let dropping = store.drop_leaf_bytes(at(1_000_000), trace);
    let recorded = Cell::new(0);
    let recording = async {
        // One after the other: each waits for at most one piece.
        for number in 1..=u64::MAX {
            store.write(Batch { decisions: vec![decision(number)], ..Batch::default() }).await.unwrap();
            recorded.set(number);
        }
    };
    let dropped = tokio::select! {
        dropped = dropping => dropped.unwrap(),
        () = recording => 0,
    };
    assert_eq!(dropped, ENTRIES);
    assert!(recorded.get() >= 6, "{} decisions in the time of ten pieces", recorded.get());
}
