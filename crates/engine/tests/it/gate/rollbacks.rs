//! Rollbacks: what was promoted before is judged anew, and comes back only by leave or by an override that is on record (S33).

use std::time::Duration;

use engine::{Actor, Gate, GateError, Point, PromoteError, Promoted, Role, Rollback};
use model::Verdict;
use model::reports::ReportPeriod;
use serde_json::json;
use testkit::oci::{ImageBuilder, IndexBuilder};

use super::documents::{SCAN, critical, hand_in, trivy};
use super::promotions::{ci, ended, entries, kinds};
use super::scene::{NON_ROOT, NOTHING, Scene, anybody, asked, bundle, by, image, named, verdict};

impl Scene {
    fn rollback(&self) -> Rollback {
        Rollback {
            repository: self.registry.reference("release/app"),
            environment: None,
            to: None,
            tag: None,
            reason: None,
            wait: Duration::from_secs(5),
        }
    }
}

async fn rolled_back(gate: &Gate, wanted: &Rollback, actor: &Actor) -> Result<Promoted, PromoteError> {
    let id = gate.roll_back_to(wanted, &by(Point::Api), actor).await?;
    ended(gate, &id).await.ended.unwrap()
}

/// Two images, promoted one after the other, by a policy that looks at scans.
async fn two_releases(scene: &Scene) -> (Gate, [String; 2]) {
    let digests = [scene.push("1", "1000"), scene.push("2", "1001")];
    let gate = scene.gate(SCAN).await;
    for (digest, tag) in digests.iter().zip(["1", "2"]) {
        hand_in(&gate, scene, digest, "report", &trivy(scene, digest, &json!([]))).await;
        let id = gate.promote(&scene.promotion(&format!(":{tag}"), tag), &by(Point::Api), &ci()).unwrap();
        ended(&gate, &id).await.ended.unwrap().unwrap();
    }
    (gate, digests)
}

async fn order(gate: &Gate, scene: &Scene) -> Vec<String> {
    let repository = scene.registry.reference("release/app");
    let found = gate.rollback_candidates(&repository, None, 10, &ci()).await.unwrap();
    assert!(found.iter().enumerate().all(|(index, one)| one.is_current == (index == 0)), "{found:?}");
    found.into_iter().map(|one| one.digest.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn b8_what_was_promoted_before_comes_back_and_is_on_record() {
    let scene = Scene::new();
    let (gate, [one, two]) = two_releases(&scene).await;
    assert_eq!(order(&gate, &scene).await, [two.clone(), one.clone()]);
    let wanted = Rollback { tag: Some("2-back".parse().unwrap()), ..scene.rollback() };
    let back = rolled_back(&gate, &wanted, &ci()).await.unwrap();
    assert_eq!((back.digest.as_str(), back.basis.as_deref()), (&*one, Some("allowed")));
    assert_eq!(scene.released("2-back"), Some(one.clone()));
    assert_eq!(order(&gate, &scene).await, [one.clone(), two.clone()]);
    let told = entries(&gate, &one).await;
    let (kind, body) = told.last().unwrap();
    assert_eq!((kind.as_str(), &body["rollback"]), ("image.promoted", &true.into()));
    assert!(gate.promotion(&back.id, &ci()).await.unwrap().is_rollback);

    // Without a tag nothing is written anywhere but on record.
    let tags = scene.registry.tags("release/app");
    let again = rolled_back(&gate, &scene.rollback(), &ci()).await.unwrap();
    assert_eq!(again.destination, format!("{}@{two}", scene.registry.reference("release/app")));
    assert_eq!((order(&gate, &scene).await[0].as_str(), scene.registry.tags("release/app")), (&*two, tags));
    // A tag that is taken stays.
    let taken = Rollback { to: Some(one.parse().unwrap()), tag: Some("2".parse().unwrap()), ..scene.rollback() };
    let error = rolled_back(&gate, &taken, &ci()).await.unwrap_err();
    assert!(matches!(error, PromoteError::Destination { .. }), "{error:?}");
    assert_eq!(scene.released("2"), Some(two));
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s33_vulnerabilities_alone_are_overridden_by_somebody_who_may_and_says_why() {
    let scene = Scene::new();
    let (gate, [one, _]) = two_releases(&scene).await;
    hand_in(&gate, &scene, &one, "report", &trivy(&scene, &one, &critical())).await;
    let on_call = Actor { person: Some("ada".into()), ..Actor::everywhere("ada@sso", &[Role::BreakGlass, Role::Ci]) };
    let wanted = Rollback { tag: Some("back".parse().unwrap()), ..scene.rollback() };
    let reason = Some("INC-1: 2 loses orders".to_owned());
    for (wanted, actor) in
        [(&wanted, &ci()), (&wanted, &on_call), (&Rollback { reason: reason.clone(), ..wanted.clone() }, &ci())]
    {
        let error = rolled_back(&gate, wanted, actor).await.unwrap_err();
        assert!(matches!(error, PromoteError::Refused { hint: Some(_), .. }), "{error:?}");
        assert_eq!(scene.released("back"), None);
    }
    let wanted = Rollback { reason, ..wanted };
    let back = rolled_back(&gate, &wanted, &on_call).await.unwrap();
    assert_eq!((back.digest.as_str(), back.basis.as_deref()), (&*one, Some("overridden")));
    assert_eq!(scene.released("back"), Some(one.clone()));
    let mut told = entries(&gate, &one).await;
    // What was handed in before the promotion went along with it, and what was since with the way back.
    assert_eq!(told.extract_if(.., |(kind, body)| kind == "signal" && body.get("handedOn").is_some()).count(), 2);
    let [.., (_, granted), (_, done)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(kinds(&told)[told.len() - 3..], ["promotion.begun", "override.granted", "image.promoted"]);
    assert_eq!((&granted["reason"], &granted["person"]), (&"INC-1: 2 loses orders".into(), &"ada".into()));
    assert_eq!(granted["overridden"], json!(["vuln.maxExceeded"]));
    assert_eq!((&done["override"], &done["basis"]), (&granted["override"], &"overridden".into()));
    let answers = gate.answers(&back.decision, 10, &anybody()).await.unwrap();
    assert!(answers.iter().any(|answer| answer.basis == "overridden"), "{answers:?}");

    // It is listed, and for this rollback alone: nobody who asks is given it, and there is nothing to revoke.
    let (listed, _) = gate.overrides(None, None, None, 10, &anybody()).await.unwrap();
    let [listed] = listed.as_slice() else { panic!("{listed:?}") };
    assert_eq!(granted["override"], listed.id.as_str());
    assert_eq!((listed.state.as_str(), listed.digest.as_str(), listed.uses), ("rollback", &*one, 1));
    assert_eq!((&*listed.body.reason, listed.body.person.as_deref()), ("INC-1: 2 loses orders", Some("ada")));
    let place = scene.registry.reference("release/app");
    assert_eq!((listed.repository.as_str(), listed.environment.as_str()), (&*place, "production"));
    let there = gate.ask(asked(&format!("{place}@{one}")), &by(Point::Admission), &anybody()).await.unwrap();
    assert!(there.permit.is_err(), "{:?}", there.permit);
    let over = gate.revoke_override(&listed.id, "over", &on_call).await;
    assert!(matches!(over, Err(GateError::Conflict { .. })), "{over:?}");
    let report = gate.report(ReportPeriod::Weekly, None, None, &anybody()).await.unwrap();
    assert_eq!((report.overrides.granted, report.overrides.for_rollbacks, report.overrides.used), (1, 1, 1));
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s33_what_is_brought_back_is_what_was_asked_for_also_where_the_override_is_about_its_index() {
    let scene = Scene::new();
    let (one, other) = (image("1000"), ImageBuilder::new().platform("linux/arm64").user("1001").build());
    let index = IndexBuilder::new().image(&one).image(&other).build();
    let index = scene.registry.push("team/app", Some("1"), &index);
    let gate = scene.gate(&SCAN.replace("critical: 0", "critical: 9")).await;
    for platform in [&one, &other] {
        hand_in(&gate, &scene, &index, "report", &trivy(&scene, platform.digest(), &critical())).await;
    }
    let pinned = scene.named(&format!("@{index}"));
    assert_eq!(verdict(&gate, &pinned).await, Verdict::Allow);
    let id = gate.promote(&scene.promotion(&format!("@{}", one.digest()), "1"), &by(Point::Api), &ci()).unwrap();
    assert_eq!(ended(&gate, &id).await.ended.unwrap().unwrap().digest.as_str(), one.digest());
    let version = gate.upload(bundle(SCAN), &named("admin")).await.unwrap();
    gate.activate(&version.digest, None, None, &named("admin")).await.unwrap();
    let outage = engine::NewOverride {
        owner: None,
        image: pinned,
        environment: "production".to_owned(),
        reason: "outage".to_owned(),
        ticket: None,
        lasts: model::SignedDuration::from_mins(10),
    };
    gate.grant_override(outage, &anybody()).await.unwrap();
    let wanted = Rollback {
        to: Some(one.digest().parse().unwrap()),
        tag: Some("back".parse().unwrap()),
        reason: Some("INC-1".to_owned()),
        ..scene.rollback()
    };
    let on_call = Actor::everywhere("ada@sso", &[Role::BreakGlass, Role::Ci]);
    let back = rolled_back(&gate, &wanted, &on_call).await.unwrap();
    assert_eq!((back.digest.as_str(), back.basis.as_deref()), (one.digest(), Some("overridden")));
    assert_eq!(scene.released("back").as_deref(), Some(one.digest()));
    assert_eq!(scene.released(&index), None, "nothing else came");
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s33_what_stands_against_it_at_the_destination_is_overridden_alike() {
    let scene = Scene::new();
    let (gate, [one, _]) = two_releases(&scene).await;
    let on_call = Actor::everywhere("ada@sso", &[Role::BreakGlass, Role::Ci]);
    let wanted = Rollback { tag: Some("back".parse().unwrap()), reason: Some("INC-1".to_owned()), ..scene.rollback() };
    hand_in(&gate, &scene, &one, "report", &trivy(&scene, &one, &critical())).await;
    let lax = SCAN.replace("critical: 0", "critical: 9");
    for (released, comes) in [(NOTHING, false), (SCAN, true)] {
        let version = gate.upload(scene.two_policies(&lax, released), &named("admin")).await.unwrap();
        gate.activate(&version.digest, None, None, &named("admin")).await.unwrap();
        let error = rolled_back(&gate, &wanted, &ci()).await.unwrap_err();
        assert!(matches!(error, PromoteError::Refused { refusal: engine::Refusal::Denied, .. }), "{error:?}");
        match rolled_back(&gate, &wanted, &on_call).await {
            Ok(back) => assert!(comes && back.basis.as_deref() == Some("overridden"), "{back:?}"),
            Err(error) => assert!(!comes, "{error:?}"),
        }
        assert_eq!(scene.released("back").is_some(), comes);
    }
    let told = entries(&gate, &one).await;
    let granted = told.iter().find(|(kind, _)| kind == "override.granted").unwrap();
    assert_eq!(granted.1["overridden"], json!(["vuln.maxExceeded"]));
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s33_nothing_else_is_overridden() {
    let rules = [
        // Something else denies.
        NOTHING,
        // Something besides vulnerabilities denies.
        "- { id: scan, vulnerabilities: { sources: { accept: [file] }, max: { critical: 0 } } }\n  - { id: none, registries: { deny: [\"**\"] } }",
        // It stands on the policy's own list of what is denied by name.
        "- { id: scan, vulnerabilities: { sources: { accept: [file] }, deny: [CVE-2026-0001] } }",
        // A signature is missing.
        "- { id: user, config: { userIds: [\"1-2\"] } }",
    ];
    let scene = Scene::new();
    let (gate, [one, _]) = two_releases(&scene).await;
    hand_in(&gate, &scene, &one, "report", &trivy(&scene, &one, &critical())).await;
    let on_call = Actor::everywhere("ada@sso", &[Role::BreakGlass, Role::Ci]);
    let wanted = Rollback { tag: Some("back".parse().unwrap()), reason: Some("INC-1".to_owned()), ..scene.rollback() };
    for rules in rules {
        let version = gate.upload(bundle(rules), &named("admin")).await.unwrap();
        gate.activate(&version.digest, None, None, &named("admin")).await.unwrap();
        let error = rolled_back(&gate, &wanted, &on_call).await.unwrap_err();
        assert!(matches!(error, PromoteError::Refused { refusal: engine::Refusal::Denied, .. }), "{rules}: {error:?}");
        assert_eq!(scene.released("back"), None, "{rules}");
    }
    let told = entries(&gate, &one).await;
    assert!(!kinds(&told).contains(&"override.granted"));
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b8_there_is_no_way_back_to_what_never_ran_there() {
    let scene = Scene::new();
    let other = scene.push("3", "1003");
    let gate = scene.gate(NON_ROOT).await;
    scene.push("1", "1000");
    let id = gate.promote(&scene.promotion(":1", "1"), &by(Point::Api), &ci()).unwrap();
    ended(&gate, &id).await.ended.unwrap().unwrap();
    for wanted in [
        scene.rollback(),
        Rollback { to: Some(other.parse().unwrap()), ..scene.rollback() },
        Rollback { environment: Some("staging".to_owned()), ..scene.rollback() },
    ] {
        let error = gate.roll_back_to(&wanted, &by(Point::Api), &ci()).await.unwrap_err();
        assert!(matches!(error, PromoteError::NotFound(_)), "{wanted:?}: {error:?}");
    }
    let stranger = Actor::everywhere("x", &[Role::Developer]);
    let error = gate.roll_back_to(&scene.rollback(), &by(Point::Api), &stranger).await.unwrap_err();
    assert!(matches!(error, PromoteError::Forbidden(_)), "{error:?}");
    let nobody = Actor { identity: "x".into(), person: None, grants: Vec::new() };
    assert!(gate.rollback_candidates(&scene.registry.reference("release/app"), None, 10, &nobody).await.is_err());
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b8_what_is_gone_where_it_came_from_is_judged_where_it_is() {
    let scene = Scene::new();
    let one = scene.push("1", "1000");
    scene.push("2", "1001");
    let gate = scene.gate(NON_ROOT).await;
    for tag in ["1", "2"] {
        let id = gate.promote(&scene.promotion(&format!(":{tag}"), tag), &by(Point::Api), &ci()).unwrap();
        ended(&gate, &id).await.ended.unwrap().unwrap();
    }
    gate.stop().await;
    drop(gate);
    scene.registry.remove_manifest("team/app", &one);
    let gate = scene.gate(NON_ROOT).await;
    let back = rolled_back(&gate, &scene.rollback(), &ci()).await.unwrap();
    assert_eq!((back.digest.as_str(), back.source), (&*one, scene.registry.reference("release/app")));
    gate.stop().await;
}
