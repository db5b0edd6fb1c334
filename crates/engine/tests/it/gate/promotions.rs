//! Promotions: what the gate gives leave for is copied, by the digest it was given for, and nothing else is.

use std::time::{Duration, Instant};

use engine::{
    Actor, Gate, Grant, Point, PromoteError, Promoted, Promotion, PromotionPhase, PromotionStatus, Repositories, Role,
};
use serde_json::Value;
use testkit::oci::{Fault, Referrer};

use super::scene::{NON_ROOT, NOTHING, Scene, anybody, bundle, by, image, named};

pub(super) const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// A pipeline that may promote everywhere.
pub(super) fn ci() -> Actor {
    Actor::everywhere("ci", &[Role::Ci])
}

impl Scene {
    /// From `team/app` and what follows to `release/app:TAG`.
    pub(super) fn promotion(&self, from: &str, tag: &str) -> Promotion {
        Promotion {
            source: self.named(from),
            destination: self.registry.reference(&format!("release/app:{tag}")),
            environment: None,
            wait: Duration::from_secs(5),
            allow_mutable: false,
        }
    }

    pub(super) fn released(&self, tag: &str) -> Option<String> {
        let (_, bytes) = self.registry.manifest("release/app", tag)?;
        Some(testkit::oci::digest_of(&bytes))
    }
}

/// Waits for its end.
pub(super) async fn ended(gate: &Gate, id: &str) -> PromotionStatus {
    let begun = Instant::now();
    loop {
        let status = gate.promotion(id, &ci()).await.unwrap();
        if status.phase == PromotionPhase::Ended {
            return status;
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "{status:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(super) async fn promoted(gate: &Gate, promotion: &Promotion) -> Result<Promoted, PromoteError> {
    let id = gate.promote(promotion, &by(Point::Api), &ci())?;
    ended(gate, &id).await.ended.unwrap()
}

/// The entries of the audit log about an image: their kinds, and the last of each.
pub(super) async fn entries(gate: &Gate, digest: &str) -> Vec<(String, Value)> {
    let entries = gate.history(&digest.parse().unwrap(), None, None, 100, &anybody()).await.unwrap();
    let body = |text: &str| serde_json::from_str::<Value>(text).unwrap()["body"].clone();
    entries.into_iter().map(|entry| (entry.kind, body(&entry.entry.unwrap()))).collect()
}

pub(super) fn kinds(entries: &[(String, Value)]) -> Vec<&str> {
    entries.iter().map(|(kind, _)| kind.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn b7_an_allowed_image_is_copied_with_what_is_attached_and_put_on_record() {
    let scene = Scene::new();
    let image = image("1000");
    let digest = scene.registry.push("team/app", Some("1"), &image);
    let signature = Referrer::new(&image, BUNDLE).layer(BUNDLE, "{}").build();
    scene.registry.push("team/app", None, &signature);
    let gate = scene.gate(NON_ROOT).await;
    let wanted = scene.promotion(":1", "1.0");
    let done = promoted(&gate, &wanted).await.unwrap();
    assert_eq!((done.digest.as_str(), done.basis.as_deref(), done.attached), (&*digest, Some("allowed"), 1));
    assert_eq!(scene.released("1.0"), Some(digest.clone()));
    assert!(scene.registry.manifest("release/app", signature.digest()).is_some());

    let rows = gate.promotions(Some("production"), None, None, 10, &anybody()).await.unwrap();
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((&row.id, &row.decision, &row.digest), (&done.id, &done.decision, &done.digest));
    assert_eq!((&*row.source, &*row.destination, &*row.by), (&*scene.named(""), &*wanted.destination, "ci"));
    let told = entries(&gate, &digest).await;
    assert_eq!(kinds(&told), ["decision", "promotion.begun", "image.promoted"]);
    let body = &told[2].1;
    assert_eq!(
        (&body["decision"], &body["pipeline"], &body["commit"]),
        (&done.decision.as_str().into(), &"4711".into(), &"c0ffee".into())
    );
    assert_eq!((&body["rollback"], &body["attached"]), (&false.into(), &1.into()));

    let again = promoted(&gate, &wanted).await.unwrap();
    assert!(again.was_there && again.id == done.id, "{again:?}");
    assert_eq!(gate.promotions(None, None, None, 10, &anybody()).await.unwrap().len(), 1, "nothing is recorded twice");
    let recorded = gate.promotion(&done.id, &ci()).await.unwrap();
    assert_eq!((recorded.phase, recorded.is_rollback), (PromotionPhase::Ended, false));
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b7_what_is_denied_is_not_copied() {
    let scene = Scene::new();
    scene.push("1", "root");
    let gate = scene.gate(NON_ROOT).await;
    let error = promoted(&gate, &scene.promotion(":1", "1.0")).await.unwrap_err();
    assert!(matches!(error, PromoteError::Refused { refusal: engine::Refusal::Denied, .. }), "{error:?}");
    assert_eq!(scene.registry.count("*", "/v2/release/app/"), 0, "the destination is not even asked");
    assert!(gate.promotions(None, None, None, 10, &anybody()).await.unwrap().is_empty());
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s30_nothing_is_promoted_to_a_repository_that_is_denied() {
    let scene = Scene::new();
    scene.push("1", "1000");
    let gate = scene.gate(NON_ROOT).await;
    let what = scene.registry.reference("release/**");
    let new = |quarantine| engine::NewDenial {
        kind: "repository".to_owned(),
        what: what.clone(),
        quarantine,
        reason: "INC-42".to_owned(),
    };
    for quarantine in [false, true] {
        let entry = gate.deny(new(quarantine), &anybody()).await.unwrap();
        let error = promoted(&gate, &scene.promotion(":1", "1.0")).await.unwrap_err();
        assert!(matches!(error, PromoteError::Refused { refusal: engine::Refusal::Denied, .. }), "{error:?}");
        assert!(error.to_string().contains(&entry.id) && error.to_string().contains("INC-42"), "{error}");
        assert_eq!(scene.released("1.0"), None);
        gate.lift(&entry.id, "over", &anybody()).await.unwrap();
    }
    // What is denied while it is copied gets no tag either.
    scene
        .registry
        .fault(Fault::on("POST", "/v2/release/app/blobs/uploads/").delay(Duration::from_millis(500)).times(1));
    let id = gate.promote(&scene.promotion(":1", "1.0"), &by(Point::Api), &ci()).unwrap();
    while gate.promotion(&id, &ci()).await.unwrap().phase == PromotionPhase::Deciding {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let entry = gate.deny(new(false), &anybody()).await.unwrap();
    let error = ended(&gate, &id).await.ended.unwrap().unwrap_err();
    assert!(matches!(error, PromoteError::Refused { .. }), "{error:?}");
    assert_eq!(scene.released("1.0"), None);
    gate.lift(&entry.id, "over", &anybody()).await.unwrap();
    assert!(promoted(&gate, &scene.promotion(":1", "1.0")).await.is_ok());
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b7_a_tag_is_never_moved() {
    let scene = Scene::new();
    let first = scene.push("1", "1000");
    scene.push("2", "1001");
    let gate = scene.gate(NON_ROOT).await;
    promoted(&gate, &scene.promotion(":1", "1.0")).await.unwrap();
    let error = promoted(&gate, &scene.promotion(":2", "1.0")).await.unwrap_err();
    assert!(matches!(error, PromoteError::Destination { .. }) && error.to_string().contains(&first), "{error}");
    assert_eq!(scene.released("1.0"), Some(first));
    assert_eq!(gate.promotions(None, None, None, 10, &anybody()).await.unwrap().len(), 1);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b7_the_digest_that_was_decided_about_is_copied_wherever_the_tag_goes_meanwhile() {
    let scene = Scene::new();
    let good = scene.push("1", "1000");
    let gate = scene.gate(NON_ROOT).await;
    scene.registry.fault(Fault::on("POST", "/v2/release/app/blobs/uploads/").delay(Duration::from_millis(400)));
    let id = gate.promote(&scene.promotion(":1", "1.0"), &by(Point::Api), &ci()).unwrap();
    while gate.promotion(&id, &ci()).await.unwrap().phase == PromotionPhase::Deciding {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let evil = scene.push("1", "root");
    let done = ended(&gate, &id).await.ended.unwrap().unwrap();
    assert_eq!((done.digest.as_str(), scene.released("1.0")), (&*good, Some(good.clone())));
    assert_eq!(scene.released(&evil), None);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b2_what_is_denied_while_it_is_copied_gets_no_tag() {
    let scene = Scene::new();
    scene.push("1", "1000");
    let gate = scene.gate(NON_ROOT).await;
    scene
        .registry
        .fault(Fault::on("POST", "/v2/release/app/blobs/uploads/").delay(Duration::from_millis(500)).times(1));
    let id = gate.promote(&scene.promotion(":1", "1.0"), &by(Point::Api), &ci()).unwrap();
    while gate.promotion(&id, &ci()).await.unwrap().phase == PromotionPhase::Deciding {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let version = gate.upload(bundle(NOTHING), &named("admin")).await.unwrap();
    gate.activate(&version.digest, None, None, &named("admin")).await.unwrap();
    let error = ended(&gate, &id).await.ended.unwrap().unwrap_err();
    assert!(matches!(error, PromoteError::Refused { .. }), "{error:?}");
    assert_eq!(scene.released("1.0"), None);
    assert!(gate.promotions(None, None, None, 10, &anybody()).await.unwrap().is_empty());
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b7_a_registry_that_fails_half_way_is_left_without_the_tag() {
    let scene = Scene::new();
    let digest = scene.push("1", "1000");
    let gate = scene.gate(NON_ROOT).await;
    for fault in [
        Fault::on("POST", "/v2/release/app/blobs/uploads/").status(403),
        Fault::on("PUT", &format!("/v2/release/app/manifests/{digest}")).status(403),
        Fault::on("PUT", "/v2/release/app/manifests/1.0").status(403),
    ] {
        scene.registry.fault(fault.clone());
        let error = promoted(&gate, &scene.promotion(":1", "1.0")).await.unwrap_err();
        assert!(matches!(error, PromoteError::Registry(_)), "{fault:?}: {error:?}");
        assert_eq!(scene.released("1.0"), None, "{fault:?}");
        assert!(gate.promotions(None, None, None, 10, &anybody()).await.unwrap().is_empty());
        scene.registry.clear_faults();
    }
    // What was sent before is there: the next time goes on from it.
    promoted(&gate, &scene.promotion(":1", "1.0")).await.unwrap();
    assert_eq!(scene.released("1.0"), Some(digest));
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn o2_a_promotion_takes_the_right_at_both_ends_and_in_the_environment() {
    let scene = Scene::new();
    scene.push("1", "1000");
    let gate = scene.gate(NON_ROOT).await;
    let grant = |role, repositories: &[&str], environments: &[&str]| Grant {
        role,
        repositories: repositories
            .iter()
            .map(|name| Repositories::parse(&scene.registry.reference(name)).unwrap())
            .collect(),
        environments: environments.iter().map(|&name| name.to_owned()).collect(),
    };
    let wanted = scene.promotion(":1", "1.0");
    for grants in [
        vec![],
        vec![Grant::everywhere(Role::Developer), Grant::everywhere(Role::Approver), Grant::everywhere(Role::Admin)],
        vec![grant(Role::Ci, &["team/**"], &["production"])],
        vec![grant(Role::Ci, &["release/**"], &["production"])],
        vec![grant(Role::Ci, &["team/**", "release/**"], &["staging"])],
    ] {
        let actor = Actor { identity: "somebody".into(), person: None, grants };
        let error = gate.promote(&wanted, &by(Point::Api), &actor).unwrap_err();
        assert!(matches!(error, PromoteError::Forbidden(_)), "{actor:?}: {error:?}");
    }
    assert!(scene.registry.requests().is_empty(), "nobody was asked anything");
    let grants = vec![grant(Role::Ci, &["team/**", "release/**"], &["production"])];
    let actor = Actor { identity: "team".into(), person: None, grants };
    let id = gate.promote(&wanted, &by(Point::Api), &actor).unwrap();
    let stranger =
        Actor { identity: "stranger".into(), person: None, grants: vec![grant(Role::Ci, &["other/**"], &["*"])] };
    assert!(gate.promotion(&id, &stranger).await.is_err(), "whose promotion it is sees it");
    assert!(ended(&gate, &id).await.ended.unwrap().is_ok());
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b7_what_cannot_be_meant_is_refused_before_anything_is_asked() {
    let scene = Scene::new();
    scene.push("1", "1000");
    let gate = scene.gate(NON_ROOT).await;
    let wanted = scene.promotion(":1", "1.0");
    for wrong in [
        Promotion { destination: wanted.source.clone(), ..wanted.clone() },
        Promotion { destination: scene.registry.reference("release/app"), ..wanted.clone() },
        Promotion { destination: format!("{}@sha256:{}", wanted.destination, "0".repeat(64)), ..wanted.clone() },
        Promotion { source: scene.named(""), ..wanted.clone() },
        Promotion { environment: Some("nowhere".to_owned()), ..wanted.clone() },
        Promotion { allow_mutable: true, ..wanted.clone() },
        Promotion { destination: "release/app:1".to_owned(), ..wanted.clone() },
    ] {
        let error = gate.promote(&wrong, &by(Point::Api), &ci()).unwrap_err();
        assert!(matches!(error, PromoteError::Ask(engine::AskError::Usage { .. })), "{wrong:?}: {error:?}");
    }
    assert!(scene.registry.requests().is_empty());
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b7_of_two_promotions_to_one_place_there_is_one_at_a_time() {
    let scene = Scene::new();
    scene.push("1", "1000");
    scene.push("2", "1001");
    let gate = scene.gate(NON_ROOT).await;
    scene.registry.fault(Fault::on("POST", "/v2/release/app/blobs/uploads/").delay(Duration::from_millis(300)));
    let id = gate.promote(&scene.promotion(":1", "1.0"), &by(Point::Api), &ci()).unwrap();
    assert_eq!(
        gate.promote(&scene.promotion(":1", "1.0"), &by(Point::Api), &ci()).unwrap(),
        id,
        "the same is the same"
    );
    let other = gate.promote(&scene.promotion(":2", "1.0"), &by(Point::Api), &ci()).unwrap_err();
    assert!(matches!(other, PromoteError::Ask(engine::AskError::Overloaded(_))), "{other:?}");
    let elsewhere = gate.promote(&scene.promotion(":2", "2.0"), &by(Point::Api), &ci()).unwrap();
    assert!(ended(&gate, &id).await.ended.unwrap().is_ok() && ended(&gate, &elsewhere).await.ended.unwrap().is_ok());
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s31_an_override_is_no_allow_that_is_promoted() {
    let scene = Scene::new();
    let digest = scene.push("1", "root");
    let gate = scene.gate(NON_ROOT).await;
    let image = format!("{}@{digest}", scene.registry.reference("team/app"));
    let new = engine::NewOverride {
        owner: None,
        image: image.clone(),
        environment: "production".to_owned(),
        reason: "outage".to_owned(),
        ticket: None,
        lasts: model::SignedDuration::from_mins(10),
    };
    gate.grant_override(new, &anybody()).await.unwrap();
    let answered = super::scene::ask(&gate, &image).await.unwrap();
    assert!(matches!(answered.permit.unwrap().basis(), engine::Basis::Overridden(_)), "it runs where it is");
    let id = gate.promote(&scene.promotion(":1", "1"), &by(Point::Api), &ci()).unwrap();
    let refused = ended(&gate, &id).await.ended.unwrap().unwrap_err();
    assert!(matches!(refused, engine::PromoteError::Refused { .. }), "{refused:?}");
    assert_eq!(scene.released("1"), None);
    gate.stop().await;
}
