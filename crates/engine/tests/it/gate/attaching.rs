//! Decisions that are attached to images: on change, once, at most two about one environment, and never of what is pending.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use engine::{AttachSettings, Gate, GateSettings, StatementKey};
use model::Verdict;
use serde_json::Value;
use testkit::oci::{Registry, Settings};

use super::documents::{SCAN, critical, hand_in, trivy};
use super::scene::{NON_ROOT, NOTHING, Scene, anybody, bundle, named, verdict};

const VSA: &str = "https://slsa.dev/verification_summary/v1";

fn attaching(scene: &Scene, rules: &str) -> GateSettings {
    let key = StatementKey::File(
        trust::SigningKey::from_pem(trust::SigningKey::generate(None).unwrap().private.as_bytes(), None).unwrap(),
    );
    let attach = AttachSettings { key, verifier: "https://gate.example".to_owned(), version: "1".to_owned() };
    GateSettings { attach: Some(Arc::new(attach)), ..scene.settings(rules) }
}

/// The summaries about an image, the oldest first, by what the registry holds.
fn summaries(registry: &Registry, digest: &str) -> Vec<Value> {
    let mut found: Vec<Value> = registry
        .referrers("team/app", digest)
        .iter()
        .filter_map(|referrer| {
            let (_, manifest) = registry.manifest("team/app", referrer)?;
            let manifest: Value = serde_json::from_slice(&manifest).ok()?;
            let bundle = registry.blob("team/app", manifest["layers"][0]["digest"].as_str()?)?;
            let bundle: Value = serde_json::from_slice(&bundle).ok()?;
            let payload = bundle["dsseEnvelope"]["payload"].as_str()?;
            let payload = base64::engine::general_purpose::STANDARD.decode(payload).ok()?;
            let statement: Value = serde_json::from_slice(&payload).ok()?;
            (statement["predicateType"] == VSA).then(|| statement["predicate"].clone())
        })
        .collect();
    found.sort_by_key(|summary| summary["timeVerified"].as_str().unwrap_or("").to_owned());
    found
}

fn results(registry: &Registry, digest: &str) -> Vec<String> {
    let found = summaries(registry, digest);
    found.iter().map(|summary| summary["verificationResult"].as_str().unwrap_or("").to_owned()).collect()
}

async fn until(what: &str, ready: impl Fn() -> bool) {
    let begun = Instant::now();
    while !ready() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn activated(gate: &Gate, rules: &str) {
    let version = gate.upload(bundle(rules), &named("admin")).await.unwrap();
    gate.activate(&version.digest, None, None, &named("admin")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn s26_a_decision_is_attached_on_change_and_two_are_kept() {
    for settings in [Settings::new(), Settings::new().without_referrers_api()] {
        let scene = Scene { registry: settings.start(), ..Scene::new() };
        let digest = scene.push("1", "1000");
        let gate = Gate::start(attaching(&scene, NON_ROOT), scene.store().await).await.unwrap();
        let pinned = scene.named(&format!("@{digest}"));
        assert_eq!(verdict(&gate, &pinned).await, Verdict::Allow);
        until("it is attached", || results(&scene.registry, &digest) == ["PASSED"]).await;
        let [summary] = &summaries(&scene.registry, &digest)[..] else { panic!() };
        assert_eq!(
            (&summary["verifier"]["id"], &summary["ecrGate_environment"]),
            (&"https://gate.example".into(), &"production".into())
        );
        let decision = summary["ecrGate_decision"].as_str().unwrap();
        assert!(gate.decision(decision, &anybody()).await.is_ok());
        // The same again is not attached again.
        assert_eq!(verdict(&gate, &pinned).await, Verdict::Allow);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(results(&scene.registry, &digest), ["PASSED"]);
        activated(&gate, NOTHING).await;
        assert_eq!(verdict(&gate, &pinned).await, Verdict::Deny);
        until("a flip is attached", || results(&scene.registry, &digest) == ["PASSED", "FAILED"]).await;
        activated(&gate, NON_ROOT).await;
        assert_eq!(verdict(&gate, &pinned).await, Verdict::Allow);
        until("the oldest goes", || results(&scene.registry, &digest) == ["FAILED", "PASSED"]).await;
        let begun = Instant::now();
        loop {
            let told = super::promotions::entries(&gate, &digest).await;
            if told.iter().filter(|(kind, _)| kind == "summary.attached").count() == 3 {
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(10), "{told:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        gate.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s26_its_own_summary_is_no_signature_and_no_scan_and_changes_no_decision() {
    let scene = Scene::new();
    let digest = scene.push("1", "1000");
    let gate = Gate::start(attaching(&scene, SCAN), scene.store().await).await.unwrap();
    let pinned = scene.named(&format!("@{digest}"));
    hand_in(&gate, &scene, &digest, "report", &trivy(&scene, &digest, &critical())).await;
    assert_eq!(verdict(&gate, &pinned).await, Verdict::Deny);
    until("it is attached", || results(&scene.registry, &digest) == ["FAILED"]).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(verdict(&gate, &pinned).await, Verdict::Deny);
    let told = super::promotions::entries(&gate, &digest).await;
    assert_eq!(told.iter().filter(|(kind, _)| kind == "decision").count(), 1, "{told:?}");
    assert_eq!(results(&scene.registry, &digest), ["FAILED"]);
    gate.stop().await;
}
