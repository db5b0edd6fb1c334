//! The audit log: everything is in it, and it is verified without the gate.

use engine::{Gate, GateError, Point};
use trust::log::export::ExportVerifier;
use trust::log::{Checkpoint, VerifierKey, leaf_hash, verify_consistency, verify_inclusion};

use super::scene::{NON_ROOT, NOTHING, Scene, anybody, ask, asked, bundle, by, named};

async fn settled(gate: &Gate, entries: u64) {
    for _ in 0..100 {
        if gate.checkpoint().await.unwrap().is_some_and(|head| head.size >= entries) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the log has not {entries} entries");
}

#[tokio::test(flavor = "multi_thread")]
async fn o3_an_export_verifies_offline_and_every_entry_has_its_proof() {
    let scene = Scene::new();
    let gate = scene.gate(NON_ROOT).await;
    let decided = {
        scene.push("1", "1000");
        ask(&gate, &scene.named(":1")).await.unwrap().decision.id.clone()
    };
    settled(&gate, 2).await;
    let early = gate.checkpoint().await.unwrap().unwrap();
    let strict = gate.upload(bundle(NOTHING), &named("ada")).await.unwrap().digest;
    gate.activate(&strict, None, Some("freeze".to_owned()), &named("ada")).await.unwrap();
    gate.ask(asked(&scene.named(":1")), &by(Point::Api), &anybody()).await.unwrap();
    settled(&gate, early.size + 3).await;
    let key: VerifierKey = gate.audit_key().parse().unwrap();
    let head = gate.checkpoint().await.unwrap().unwrap();
    let checkpoint = Checkpoint::open(&head.checkpoint, &key).unwrap();
    // A proof for one decision.
    let proof = gate.inclusion(&decided, &anybody()).await.unwrap();
    let leaf = leaf_hash(proof.entry.as_bytes());
    let top = Checkpoint::open(&proof.checkpoint, &key).unwrap();
    verify_inclusion(&leaf, proof.index, top.head().size, &proof.hashes, &top.head().root).unwrap();
    assert!(proof.entry.contains(&decided));
    // The earlier checkpoint is a beginning of the later one.
    let earlier = Checkpoint::open(&early.checkpoint, &key).unwrap();
    let hashes = gate.consistency(early.size, head.size).await.unwrap();
    verify_consistency(early.size, head.size, &hashes, &earlier.head().root, &checkpoint.head().root).unwrap();
    // All of it, in two pages.
    let first = gate.export(0, 2, &anybody()).await.unwrap();
    let second = gate.export(2, 100, &anybody()).await.unwrap();
    let (_, second) = second.split_once('\n').unwrap();
    let mut verifier = ExportVerifier::new(Some(key));
    verifier.feed(first.as_bytes()).unwrap();
    verifier.feed(second.as_bytes()).unwrap();
    assert_eq!(verifier.finish().unwrap().head.size, gate.checkpoint().await.unwrap().unwrap().size);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_with_another_key_does_not_start() {
    let scene = Scene::new();
    let gate = scene.gate(NON_ROOT).await;
    settled(&gate, 1).await;
    gate.stop().await;
    drop(gate);
    std::fs::remove_file(scene.folder.path().join("audit.key")).unwrap();
    let error = Gate::start(scene.settings(NON_ROOT), scene.store().await).await.unwrap_err();
    assert!(matches!(&error, GateError::Setup { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_continue_the_log_at_once_leave_one_log() {
    let scene = Scene::new();
    let store = scene.store().await;
    let one = Gate::start(scene.settings(NON_ROOT), store.clone()).await.unwrap();
    let two = Gate::start(scene.settings(NON_ROOT), store.clone()).await.unwrap();
    for round in 0..20 {
        let digest = scene.push("1", &format!("{}", 1000 + round));
        let pinned = scene.named(&format!("@{digest}"));
        let (a, b) = tokio::join!(ask(&one, &pinned), ask(&two, &pinned));
        assert!(a.is_ok() && b.is_ok());
    }
    let waiting = || async { store.unsequenced(100).await.unwrap().len() };
    for _ in 0..100 {
        if waiting().await == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let mut verifier = ExportVerifier::new(Some(one.audit_key().parse().unwrap()));
    verifier.feed(two.export(0, 1000, &anybody()).await.unwrap().as_bytes()).unwrap();
    assert!(verifier.finish().unwrap().head.size >= 21);
    one.stop().await;
    two.stop().await;
}
