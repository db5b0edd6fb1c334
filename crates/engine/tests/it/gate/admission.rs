//! S31, S32, S40, S5: what is answered where an image is about to run: by what ran there, by who broke the glass, and while a registry is away.

use std::sync::atomic::{AtomicI64, Ordering};

use engine::{
    Actor, Answered, AskError, Asked, BreakGlass, Bundle, Gate, GateError, GateSettings, NewDenial, Point, Refusal,
    Role, Seat, may_leave_open,
};
use model::{SignedDuration, Timestamp, UnknownClass, Verdict};
use serde_json::json;

use testkit::oci::Fault;

use super::documents::trivy;
use super::scene::{NOTHING, Scene, anybody, asked, bundle, by, named, now};

/// What the policy says beside its rules.
const RUNS_ON: &str = "\n  grandfathering: 14d";

fn lenient(more: &str) -> Bundle {
    bundle(&format!(
        "- {{ id: scan, vulnerabilities: {{ sources: {{ accept: [file] }}, maxScanAge: 400d, max: {{}} }} }}{more}"
    ))
}

fn strict(more: &str) -> Bundle {
    bundle(&format!(
        "- {{ id: scan, vulnerabilities: {{ sources: {{ accept: [file] }}, maxScanAge: 400d, max: {{ critical: 0 }} }} }}{more}"
    ))
}

static LATER: AtomicI64 = AtomicI64::new(0);

fn clock() -> Timestamp {
    now().checked_add(SignedDuration::from_secs(LATER.load(Ordering::SeqCst))).unwrap()
}

fn seat(owner: &str) -> Seat {
    Seat {
        cluster: "test".to_owned(),
        namespace: "team-a".to_owned(),
        owner: Some(owner.to_owned()),
        heir: None,
        workload: "Deployment/web".to_owned(),
        container: "app".to_owned(),
    }
}

async fn admit(gate: &Gate, image: &str, seat: &Seat) -> Answered {
    gate.admit(asked(image), seat, &by(Point::Admission), &anybody()).await.unwrap()
}

async fn basis(gate: &Gate, image: &str, seat: &Seat) -> &'static str {
    match admit(gate, image, seat).await.permit {
        Ok(permit) => permit.basis().as_str(),
        Err(refusal) => refusal.as_str(),
    }
}

async fn in_force(gate: &Gate, policy: Bundle) {
    let version = gate.upload(policy, &named("admin")).await.unwrap();
    gate.activate(&version.digest, None, None, &named("admin")).await.unwrap();
}

/// A gate with an image that has one critical vulnerability, and a policy that lets it run.
async fn running(scene: &Scene, policy: Bundle, found: serde_json::Value) -> (Gate, String) {
    let digest = scene.push("1", "1000");
    let settings = GateSettings { policy: Some(policy), now: clock, ..scene.settings("") };
    let gate = Gate::start(settings, scene.store().await).await.unwrap();
    super::documents::hand_in(&gate, scene, &digest, "report", &trivy(scene, &digest, &found)).await;
    (gate, scene.named(&format!("@{digest}")))
}

fn critical() -> serde_json::Value {
    json!([{ "VulnerabilityID": "CVE-2026-1", "PkgName": "openssl", "InstalledVersion": "1.0", "Severity": "CRITICAL" }])
}

#[tokio::test]
async fn s32_what_ran_runs_on_in_its_place_until_the_time_that_was_fixed_when_its_verdict_turned() {
    let scene = Scene::new();
    let (gate, image) = running(&scene, lenient(RUNS_ON), critical()).await;
    assert_eq!(basis(&gate, &image, &seat("one")).await, "allowed");
    written(&gate, &image).await;
    LATER.store(60, Ordering::SeqCst);
    in_force(&gate, strict(RUNS_ON)).await;
    let answer = admit(&gate, &image, &seat("one")).await;
    assert_eq!(answer.decision.verdict, Verdict::Deny, "it is no allow");
    let engine::Basis::Grandfathered(until) = *answer.permit.unwrap().basis() else { panic!("it runs on") };
    // Whatever differs is another place.
    for other in [
        seat("two"),
        Seat { owner: None, ..seat("one") },
        Seat { cluster: "other".to_owned(), ..seat("one") },
        Seat { namespace: "team-b".to_owned(), ..seat("one") },
        Seat { container: "sidecar".to_owned(), ..seat("one") },
    ] {
        assert_eq!(basis(&gate, &image, &other).await, "denied", "{other:?}");
    }
    // To run on begins nothing anew.
    LATER.store(13 * 86_400, Ordering::SeqCst);
    let answer = admit(&gate, &image, &seat("one")).await;
    assert_eq!(*answer.permit.unwrap().basis(), engine::Basis::Grandfathered(until));
    LATER.store(14 * 86_400 + 120, Ordering::SeqCst);
    assert_eq!(basis(&gate, &image, &seat("one")).await, "denied");
}

/// The inventory is written behind.
async fn written(gate: &Gate, image: &str) {
    let digest = [image.split_once('@').unwrap().1.parse().unwrap()];
    for _ in 0..100 {
        if !gate.workloads(&digest, 10, &anybody()).await.unwrap().is_empty() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("what runs is on record");
}

#[tokio::test]
async fn s32_nothing_runs_on_where_more_or_nothing_says_so() {
    for (turned, found, why) in [
        (strict(""), critical(), "the policy says nothing of it"),
        (bundle(&format!("{NOTHING}{RUNS_ON}")), critical(), "something else than a vulnerability stands against it"),
        (
            bundle(
                "- { id: scan, vulnerabilities: { sources: { accept: [file] }, maxScanAge: 400d, deny: [CVE-2026-1] } }\n  grandfathering: 14d",
            ),
            critical(),
            "it is denied by name",
        ),
    ] {
        let scene = Scene::new();
        let (gate, image) = running(&scene, lenient(RUNS_ON), found).await;
        assert_eq!(basis(&gate, &image, &seat("one")).await, "allowed");
        written(&gate, &image).await;
        in_force(&gate, turned).await;
        assert_eq!(basis(&gate, &image, &seat("one")).await, "denied", "{why}");
    }
}

#[tokio::test]
async fn s32_s30_what_is_denied_everywhere_runs_on_nowhere() {
    let scene = Scene::new();
    let (gate, image) = running(&scene, lenient(RUNS_ON), critical()).await;
    assert_eq!(basis(&gate, &image, &seat("one")).await, "allowed");
    written(&gate, &image).await;
    in_force(&gate, strict(RUNS_ON)).await;
    assert_eq!(basis(&gate, &image, &seat("one")).await, "grandfathered");
    let new = NewDenial {
        kind: "vulnerability".to_owned(),
        what: "CVE-2026-1".to_owned(),
        quarantine: false,
        reason: "worm".to_owned(),
    };
    gate.deny(new, &named("admin")).await.unwrap();
    assert_eq!(basis(&gate, &image, &seat("one")).await, "denied");
}

#[tokio::test]
async fn s32_an_image_that_was_never_allowed_runs_on_nowhere() {
    let scene = Scene::new();
    let (gate, image) = running(&scene, strict(RUNS_ON), critical()).await;
    assert_eq!(basis(&gate, &image, &seat("one")).await, "denied");
    assert_eq!(basis(&gate, &image, &seat("one")).await, "denied");
}

#[tokio::test]
async fn s32_what_ran_passes_to_what_its_owner_makes() {
    let scene = Scene::new();
    let (gate, image) = running(&scene, lenient(RUNS_ON), critical()).await;
    assert_eq!(basis(&gate, &image, &seat("deployment")).await, "allowed");
    written(&gate, &image).await;
    LATER.store(60, Ordering::SeqCst);
    in_force(&gate, strict(RUNS_ON)).await;
    // A restart: the Deployment makes another ReplicaSet, and that its pods.
    let made = Seat { heir: Some("replicas".to_owned()), ..seat("deployment") };
    assert_eq!(basis(&gate, &image, &seat("replicas")).await, "denied", "nobody made it yet");
    assert_eq!(basis(&gate, &image, &made).await, "grandfathered");
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert_eq!(basis(&gate, &image, &seat("replicas")).await, "grandfathered");
}

#[tokio::test]
async fn s15_a_dry_run_leaves_no_trace_of_running() {
    let scene = Scene::new();
    let (gate, image) = running(&scene, lenient(RUNS_ON), critical()).await;
    let dry = Asked { dry_run: true, ..asked(&image) };
    assert!(gate.admit(dry, &seat("one"), &by(Point::Admission), &anybody()).await.unwrap().permit.is_ok());
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    let digest = image.split_once('@').unwrap().1.parse().unwrap();
    assert!(gate.workloads(&[digest], 10, &anybody()).await.unwrap().is_empty());
}

#[tokio::test]
async fn s31_who_breaks_the_glass_lets_one_workload_through_and_ends_it() {
    let scene = Scene::new();
    let (gate, image) = running(&scene, strict(""), critical()).await;
    let made = Seat { heir: Some("replicas".to_owned()), ..seat("deployment") };
    let refused = admit(&gate, &image, &seat("deployment")).await;
    assert_eq!(refused.permit.as_ref().unwrap_err(), &Refusal::Denied);
    let says = |hours| BreakGlass {
        reason: "outage".to_owned(),
        ticket: Some("INC-1".to_owned()),
        lasts: SignedDuration::from_hours(hours),
    };
    let may = Actor::everywhere("kubernetes:ops", &[Role::BreakGlass]);
    let may_not = Actor::everywhere("kubernetes:dev", &[Role::Developer]);
    let error = gate.break_glass(&refused, &seat("deployment"), says(1), &may_not).await.unwrap_err();
    assert!(matches!(error, GateError::Forbidden { .. }), "{error}");
    let granted = gate.break_glass(&refused, &seat("deployment"), says(1), &may).await.unwrap();
    assert_eq!(granted.body.owner.as_ref().unwrap().uid, "deployment");

    assert_eq!(basis(&gate, &image, &seat("other")).await, "denied", "another workload in the same namespace");
    assert_eq!(basis(&gate, &image, &seat("replicas")).await, "denied", "nobody made it yet");
    assert_eq!(basis(&gate, &image, &made).await, "overridden");
    assert_eq!(basis(&gate, &image, &seat("replicas")).await, "overridden");
    // Without a place there is no override for one.
    let at_ci = gate.ask(asked(&image), &by(Point::Ci), &anybody()).await.unwrap();
    assert_eq!(at_ci.permit.unwrap_err(), Refusal::Denied);
    // What follows from it ends with it.
    gate.revoke_override(&granted.id, "over", &may).await.unwrap();
    assert_eq!(basis(&gate, &image, &seat("replicas")).await, "denied");
    let granted = gate.break_glass(&refused, &seat("deployment"), says(1), &may).await.unwrap();
    assert_eq!(basis(&gate, &image, &seat("deployment")).await, "overridden");
    LATER.store(3_700, Ordering::SeqCst);
    assert_eq!(basis(&gate, &image, &seat("deployment")).await, "denied", "{granted:?}");
}

#[tokio::test]
async fn s40_the_system_is_softened_for_what_is_not_known_and_for_nothing_else() {
    let scene = Scene::new();
    let digest = scene.push("1", "1000");
    let gate = Gate::start(GateSettings { policy: Some(strict("")), ..scene.settings("") }, scene.store().await)
        .await
        .unwrap();
    let image = scene.named(&format!("@{digest}"));
    let system = Seat { namespace: "kube-system".to_owned(), ..seat("proxy") };
    assert_eq!(basis(&gate, &image, &seat("proxy")).await, "denied", "nobody scanned it");
    assert_eq!(basis(&gate, &image, &system).await, "failOpen");
    super::documents::hand_in(&gate, &scene, &digest, "report", &trivy(&scene, &digest, &critical())).await;
    assert_eq!(basis(&gate, &image, &system).await, "denied", "it is known to be bad");
}

#[tokio::test]
async fn s40_what_was_denied_stays_denied_in_the_system_when_it_cannot_be_looked_at_any_more() {
    let scene = Scene::new();
    let (good, bad) = (scene.push("1", "1000"), scene.push("2", "root"));
    let settings = GateSettings {
        policy: Some(bundle("- { id: user, config: { nonRoot: true } }")),
        fresh: std::time::Duration::from_millis(1),
        ..scene.settings("")
    };
    let gate = Gate::start(settings, scene.store().await).await.unwrap();
    let system = Seat { namespace: "kube-system".to_owned(), ..seat("proxy") };
    let (good, bad) = (scene.named(&format!("@{good}")), scene.named(&format!("@{bad}")));
    assert_eq!(basis(&gate, &good, &system).await, "allowed");
    assert_eq!(basis(&gate, &bad, &system).await, "denied");
    scene.registry.fault(Fault::on("*", "/v2/").status(503));
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    let answers = async |image: &str| match gate.admit(asked(image), &system, &by(Point::Admission), &anybody()).await {
        Ok(answered) => answered.permit.map_or_else(Refusal::as_str, |permit| permit.basis().as_str()).to_owned(),
        Err(error) => format!("open: {}", leaves_open(&gate, &asked(image), &system, Some(&error)).await),
    };
    assert!(["failOpen", "open: true"].contains(&answers(&good).await.as_str()), "{}", answers(&good).await);
    assert!(["denied", "open: false"].contains(&answers(&bad).await.as_str()), "{}", answers(&bad).await);
}

/// Whether there is no answer, where none was found for this reason.
async fn leaves_open(gate: &Gate, asked: &Asked, seat: &Seat, why: Option<&AskError>) -> bool {
    may_leave_open(why) && gate.known_against(asked, seat).await == Some(false)
}

#[tokio::test]
async fn s40_nothing_is_said_about_the_system_while_what_would_tell_is_away_unless_something_is_known() {
    let scene = Scene::new();
    let (good, bad, listed) = (scene.push("1", "1000"), scene.push("2", "root"), scene.push("3", "1001"));
    let policy = bundle("- { id: user, config: { nonRoot: true } }");
    let gate_store = scene.store().await;
    let settings = GateSettings { policy: Some(policy), ..scene.settings("") };
    let gate = Gate::start(settings, gate_store.clone()).await.unwrap();
    let denial =
        NewDenial { kind: "digest".to_owned(), what: listed.clone(), quarantine: false, reason: "stolen".to_owned() };
    gate.deny(denial, &named("admin")).await.unwrap();
    let system = Seat { namespace: "kube-system".to_owned(), ..seat("proxy") };
    let bad = scene.named(&format!("@{bad}"));
    assert_eq!(basis(&gate, &bad, &system).await, "denied");
    let away = AskError::StoreUnavailable("it is away".to_owned());
    let throttled = AskError::Refused(model::Reason::new(model::ReasonCode::RegistryThrottled, "it is throttled"));
    let good = asked(&scene.named(&format!("@{good}")));
    let crowded = AskError::Overloaded("too much".to_owned());
    for why in [None, Some(&away), Some(&throttled), Some(&crowded)] {
        assert!(leaves_open(&gate, &good, &system, why).await, "{why:?}");
        assert!(leaves_open(&gate, &asked(&scene.named(":unknown")), &system, why).await, "{why:?}");
        assert!(!leaves_open(&gate, &good, &seat("proxy"), why).await, "of nothing else: {why:?}");
        assert!(!leaves_open(&gate, &asked(&bad), &system, why).await, "it was denied: {why:?}");
        let listed = asked(&scene.named(&format!("@{listed}")));
        assert!(!leaves_open(&gate, &listed, &system, why).await, "it is denied by name: {why:?}");
    }
    // Another process on the same store, which judged nothing yet, knows as much.
    let other = Gate::start(GateSettings { policy: None, ..scene.settings("") }, gate_store).await.unwrap();
    assert!(!leaves_open(&other, &asked(&bad), &system, None).await, "it was denied");
    assert!(leaves_open(&other, &good, &system, None).await);
    // What is wrong with the ask, or with the gate, leaves nothing open.
    let missing = AskError::Refused(model::Reason::new(model::ReasonCode::RegistryNotFound, "there is none"));
    for why in [AskError::Internal("a fault".to_owned()), missing] {
        assert!(!leaves_open(&gate, &good, &system, Some(&why)).await, "{why:?}");
    }
}

#[tokio::test]
async fn s5_while_the_registry_is_away_what_was_seen_stands_in_where_the_policy_says_so() {
    let last = "\n  onUnknown: { registryUnavailable: { lastKnownGood: 1h }, default: deny }";
    for (more, after, expected) in [
        (last, 120, Some("failOpen")),
        (last, 3_700, None),
        ("\n  onUnknown: { registryUnavailable: warn, default: deny }", 7_200, Some("warned")),
        ("", 120, None),
    ] {
        LATER.store(0, Ordering::SeqCst);
        let scene = Scene::new();
        let digest = scene.push("1", "1000");
        let settings = GateSettings {
            policy: Some(bundle(&format!("- {{ id: user, config: {{ nonRoot: true }} }}{more}"))),
            now: clock,
            fresh: std::time::Duration::from_millis(1),
            ..scene.settings("")
        };
        let gate = Gate::start(settings, scene.store().await).await.unwrap();
        let image = scene.named(&format!("@{digest}"));
        assert_eq!(basis(&gate, &image, &seat("one")).await, "allowed");
        scene.registry.fault(Fault::on("*", "/v2/").status(503));
        LATER.store(after, Ordering::SeqCst);
        let answer = gate.admit(asked(&image), &seat("one"), &by(Point::Admission), &anybody()).await;
        match (answer, expected) {
            (Ok(answer), Some(expected)) => {
                assert_eq!(answer.permit.as_ref().unwrap().basis().as_str(), expected, "{more}");
                assert!(gate.may_answer(&answer));
                // S42: only while the store is away is an answer given that is older than the lease.
                tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
                assert!(!gate.may_answer(&answer), "{more}: it waited for longer than the lease");
            }
            (Ok(answer), None) => assert!(answer.permit.is_err(), "{more} after {after} s"),
            (Err(AskError::Refused(reason)), None) => {
                assert_eq!(reason.code.class(), Some(UnknownClass::RegistryUnavailable));
            }
            (answer, expected) => panic!("{more} after {after} s: {answer:?}, not {expected:?}"),
        }
        // A pipeline that asks learns that it cannot be looked at.
        let at_ci = gate.ask(asked(&image), &by(Point::Ci), &anybody()).await;
        let stands_in = |answer: Answered| answer.permit.is_ok_and(|permit| permit.basis().as_str() == "failOpen");
        assert!(!at_ci.is_ok_and(stands_in));
        // Neither does it stand in for an image that nobody saw, nor for what somebody denied meanwhile.
        let unseen = scene.named(&format!("@sha256:{}", "a".repeat(64)));
        let answer = gate.admit(asked(&unseen), &seat("one"), &by(Point::Admission), &anybody()).await;
        assert!(!answer.is_ok_and(stands_in));
        let new =
            NewDenial { kind: "digest".to_owned(), what: digest.clone(), quarantine: false, reason: "worm".to_owned() };
        gate.deny(new, &named("admin")).await.unwrap();
        let answer = gate.admit(asked(&image), &seat("one"), &by(Point::Admission), &anybody()).await;
        assert!(answer.is_err() || answer.is_ok_and(|answer| answer.permit.is_err()), "denied by name");
    }
}
