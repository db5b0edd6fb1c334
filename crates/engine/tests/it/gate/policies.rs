//! Policy versions: in force everywhere once acknowledged, refused before anything changes, rolled back, replayed.

use std::sync::atomic::{AtomicI64, Ordering};

use engine::{Actor, Asked, Gate, GateError, GateSettings, Point, ProposalState};
use model::{SignedDuration, Timestamp, Verdict};

use super::scene::{NON_ROOT, NOTHING, Scene, anybody, asked, bundle, by, named, now, verdict};

#[tokio::test(flavor = "multi_thread")]
async fn f6_an_acknowledged_change_is_in_force_on_every_replica() {
    let scene = Scene::new();
    let digest = scene.push("1", "1000");
    let store = scene.store().await;
    let one = Gate::start(scene.settings(NON_ROOT), store.clone()).await.unwrap();
    let two = Gate::start(scene.settings(NON_ROOT), store).await.unwrap();
    let pinned = scene.named(&format!("@{digest}"));
    assert_eq!((verdict(&one, &pinned).await, verdict(&two, &pinned).await), (Verdict::Allow, Verdict::Allow));
    let strict = one.upload(bundle(NOTHING), &named("ada")).await.unwrap();
    assert!(!strict.in_force);
    assert_eq!(verdict(&one, &pinned).await, Verdict::Allow, "uploaded is not in force");
    let strict = one.activate(&strict.digest, None, None, &named("ada")).await.unwrap();
    assert!(strict.in_force);
    assert_eq!(verdict(&one, &pinned).await, Verdict::Deny, "at once where it was acknowledged");
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(verdict(&two, &pinned).await, Verdict::Deny, "and after the lease everywhere");
    let back = two.roll_back(None, &named("bob")).await.unwrap();
    assert_ne!(back.digest, strict.digest);
    assert_eq!(verdict(&two, &pinned).await, Verdict::Allow);
    one.stop().await;
    two.stop().await;
}

/// The clock of one test, in seconds after the real one.
static AHEAD: AtomicI64 = AtomicI64::new(0);

fn ahead() -> Timestamp {
    now().checked_add(SignedDuration::from_secs(AHEAD.load(Ordering::Relaxed))).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn s34_what_nobody_confirms_within_seven_days_expires_and_that_is_on_record() {
    let scene = Scene::new();
    let settings = GateSettings { now: ahead, two_people: true, ..scene.settings(NON_ROOT) };
    let gate = Gate::start(settings, scene.store().await).await.unwrap();
    let person = |name: &str| Actor { person: Some(name.into()), ..Actor::clone(&named(name)) };
    let state = async |version: &model::Digest| {
        let versions = gate.versions(10, &anybody()).await.unwrap();
        versions.into_iter().find(|one| one.digest == *version).unwrap().proposal.unwrap().state
    };
    let version = gate.upload(bundle(NOTHING), &person("ada")).await.unwrap().digest;
    let proposed = gate.activate(&version, None, None, &person("ada")).await.unwrap().proposal.unwrap();
    assert_eq!((proposed.state, state(&version).await), (ProposalState::Open, ProposalState::Open));
    AHEAD.store(7 * 24 * 3600 + 60, Ordering::Relaxed);
    assert_eq!(state(&version).await, ProposalState::Expired, "whatever jobs did");
    let late = gate.confirm(&version, &person("bob")).await;
    assert!(matches!(late, Err(GateError::NotFound { .. })), "{late:?}");
    let late = gate.withdraw_proposal(&proposed.id, None, &person("ada")).await;
    assert!(matches!(late, Err(GateError::Conflict { .. })), "{late:?}");
    let mut log = String::new();
    for _ in 0..150 {
        log = gate.export(0, 1000, &anybody()).await.unwrap();
        if log.contains("policy.expired") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(log.contains("policy.expired") && log.contains(&proposed.id), "{log}");
    assert_eq!(state(&version).await, ProposalState::Expired);
    // Put forward anew it waits anew.
    let again = gate.activate(&version, None, None, &person("ada")).await.unwrap().proposal.unwrap();
    assert!(again.id != proposed.id && again.state == ProposalState::Open);
    assert!(gate.confirm(&version, &person("bob")).await.unwrap().in_force);
    assert_eq!(state(&version).await, ProposalState::Confirmed);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_cannot_be_used_changes_nothing() {
    let scene = Scene::new();
    let digest = scene.push("1", "1000");
    let gate = scene.gate(NON_ROOT).await;
    let before = gate.versions(10, &anybody()).await.unwrap();
    for (rules, what) in [
        ("- { id: r, nonsense: {} }", "nonsense"),
        ("- { id: r, rego: { file: house.rego } }", "does not hold \"house.rego\""),
    ] {
        let error = gate.upload(bundle(rules), &named("ada")).await.unwrap_err();
        assert!(matches!(&error, GateError::Invalid { what: said, .. } if said.contains(what)), "{error:?}");
    }
    assert_eq!(gate.versions(10, &anybody()).await.unwrap().len(), before.len());
    let unknown = "sha256:0000000000000000000000000000000000000000000000000000000000000000".parse().unwrap();
    assert!(matches!(gate.activate(&unknown, None, None, &named("ada")).await, Err(GateError::NotFound { .. })));
    assert_eq!(verdict(&gate, &scene.named(&format!("@{digest}"))).await, Verdict::Allow);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_activate_at_once_the_second_learns_of_the_first() {
    let scene = Scene::new();
    let gate = scene.gate(NON_ROOT).await;
    let now = gate.versions(1, &anybody()).await.unwrap().remove(0).digest;
    let strict = gate.upload(bundle(NOTHING), &named("ada")).await.unwrap().digest;
    gate.activate(&strict, Some(&now), None, &named("ada")).await.unwrap();
    let late = gate.activate(&strict, Some(&now), None, &named("bob")).await;
    assert!(matches!(late, Err(GateError::Conflict { .. })), "{late:?}");
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b10_a_version_is_replayed_over_what_was_decided() {
    let scene = Scene::new();
    let gate = scene.gate("- { id: seen, config: { nonRoot: true }, action: warn }").await;
    let (good, bad) = (scene.push("good", "1000"), scene.push("bad", "root"));
    for (digest, then) in [(&good, Verdict::Allow), (&bad, Verdict::Warn)] {
        assert_eq!(verdict(&gate, &scene.named(&format!("@{digest}"))).await, then);
    }
    let strict = gate.upload(bundle(NON_ROOT), &named("ada")).await.unwrap().digest;
    let replayed = gate.replay(&strict, None, 10, &anybody()).await.unwrap();
    assert_eq!((replayed.judged, replayed.not_judged, replayed.next), (2, 0, None));
    let flips: Vec<&str> = replayed.flips.iter().map(|flip| flip.digest.as_str()).collect();
    assert_eq!(flips, [bad.as_str()]);
    assert_eq!((replayed.flips[0].recorded, replayed.flips[0].replayed), (Verdict::Warn, Verdict::Deny));
    assert!(!replayed.flips[0].reasons.is_empty());
    gate.stop().await;
}

/// What a changed policy says of images that nobody asks about is on record without anybody asking.
#[tokio::test(flavor = "multi_thread")]
async fn b5_a_changed_policy_judges_what_was_decided_anew() {
    let scene = Scene::new();
    let digest = scene.push("1", "1000");
    let gate = scene.gate(NON_ROOT).await;
    let pinned = scene.named(&format!("@{digest}"));
    assert_eq!(
        gate.ask(Asked { ..asked(&pinned) }, &by(Point::Ci), &anybody()).await.unwrap().decision.verdict,
        Verdict::Allow
    );
    let strict = gate.upload(bundle(NOTHING), &named("ada")).await.unwrap().digest;
    gate.activate(&strict, None, None, &named("ada")).await.unwrap();
    let denied = engine::DecisionQuery { verdict: Some(Verdict::Deny), limit: 1, ..engine::DecisionQuery::default() };
    let mut found = Vec::new();
    for _ in 0..100 {
        found = gate.decisions(&denied, None, &anybody()).await.unwrap().0;
        if !found.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(found.iter().map(|row| row.digest.as_str()).collect::<Vec<_>>(), [digest.as_str()]);
    gate.stop().await;
}
