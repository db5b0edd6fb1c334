//! Where a promotion goes: what comes along, what is said of it there, and who else writes there.

use std::time::Duration;

use engine::{Actor, Gate, Point, PromoteError, PromotionPhase, Role};
use testkit::oci::{Fault, ImageBuilder, Layer, Referrer, Stored};

use super::promotions::{BUNDLE, ci, ended, entries, promoted};
use super::scene::{NON_ROOT, Scene, anybody, bundle, by, image, named};

#[tokio::test(flavor = "multi_thread")]
async fn s39_an_image_that_is_attached_stays_where_it_is_and_what_comes_along_is_on_record() {
    let scene = Scene::new();
    let good = image("1000");
    let digest = scene.registry.push("team/app", Some("1"), &good);
    let evil = ImageBuilder::new()
        .layer(Layer::new().file("evil", "6"))
        .user("root")
        .manifest("subject", good.root().descriptor())
        .manifest("artifactType", "application/spdx+json".into())
        .build();
    let smuggled = scene.registry.push("team/app", None, &evil);
    scene.registry.list_in_fallback_tag("team/app", &digest, evil.root());
    let signature = Referrer::new(&good, BUNDLE).layer(BUNDLE, "{}").build();
    scene.registry.push("team/app", None, &signature);
    let gate = scene.gate(NON_ROOT).await;
    gate.deny(denial("digest", &smuggled), &anybody()).await.unwrap();
    let id = gate.promote(&scene.promotion(":1", "1.0"), &by(Point::Api), &ci()).unwrap();
    let status = ended(&gate, &id).await;
    assert_eq!(status.ended.unwrap().unwrap().attached, 1);
    assert!(status.warnings.iter().any(|warning| warning.contains(&smuggled)), "{:?}", status.warnings);
    assert_eq!(scene.registry.manifest("release/app", &smuggled), None);
    assert!(scene.registry.manifest("release/app", signature.digest()).is_some());
    let told = entries(&gate, &digest).await;
    assert_eq!(told.last().unwrap().1["attachedDigests"], serde_json::json!([signature.digest()]));
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s30_nothing_is_promoted_with_what_is_denied_by_its_digest() {
    let scene = Scene::new();
    let image = image("1000");
    scene.registry.push("team/app", Some("1"), &image);
    let signature = Referrer::new(&image, BUNDLE).layer(BUNDLE, "{}").build();
    scene.registry.push("team/app", None, &signature);
    let gate = scene.gate(NON_ROOT).await;
    let slow = Fault::on("POST", "/v2/release/app/blobs/uploads/").delay(Duration::from_millis(500)).times(1);
    scene.registry.fault(slow);
    let id = gate.promote(&scene.promotion(":1", "1.0"), &by(Point::Api), &ci()).unwrap();
    while gate.promotion(&id, &ci()).await.unwrap().copy.manifests == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let entry = gate.deny(denial("digest", signature.digest()), &anybody()).await.unwrap();
    let error = ended(&gate, &id).await.ended.unwrap().unwrap_err();
    assert!(error.to_string().contains(&entry.id) && error.to_string().contains("INC-9"), "while it copied: {error}");
    let before = scene.registry.count("PUT", "/v2/release/app/");
    let error = promoted(&gate, &scene.promotion(":1", "1.0")).await.unwrap_err();
    assert!(matches!(error, PromoteError::Refused { refusal: engine::Refusal::Denied, .. }), "{error:?}");
    assert_eq!(scene.registry.count("PUT", "/v2/release/app/"), before, "known before: nothing is sent");
    assert_eq!(scene.released("1.0"), None);
    gate.lift(&entry.id, "over", &anybody()).await.unwrap();
    promoted(&gate, &scene.promotion(":1", "1.0")).await.unwrap();
    gate.stop().await;
}

fn denial(kind: &str, what: &str) -> engine::NewDenial {
    engine::NewDenial {
        kind: kind.to_owned(),
        what: what.to_owned(),
        quarantine: true,
        reason: "malware, INC-9".to_owned(),
    }
}

impl Scene {
    /// A policy for what is built, and another one for what is released.
    pub(super) fn two_policies(&self, built: &str, released: &str) -> engine::Bundle {
        let at = |folder: &str| format!("match: {{ images: [\"{}\"] }}", self.registry.reference(folder));
        let mut both = bundle(&format!("{built}\n  {}", at("team/**")));
        let text = format!(
            "apiVersion: ecr-gate.dev/v1\nkind: GatePolicy\nmetadata: {{ name: release }}\nspec:\n  {}\n  rules:\n  {released}\n",
            at("release/**")
        );
        both.documents.push(("release.yaml".to_owned(), text));
        both.files.push(std::collections::BTreeMap::new());
        both
    }
}

/// Needs nothing but the name.
const ANYTHING: &str = "- { id: any, registries: { deny: [\"evil.example/**\"] } }";

#[tokio::test(flavor = "multi_thread")]
async fn s3_the_policies_of_the_destination_are_asked_too_by_what_is_known_at_the_source() {
    let scene = Scene::new();
    scene.push("1", "root");
    let good = scene.push("2", "1000");
    let settings =
        engine::GateSettings { policy: Some(scene.two_policies(ANYTHING, NON_ROOT)), ..scene.settings(NON_ROOT) };
    let gate = Gate::start(settings, scene.store().await).await.unwrap();
    let error = promoted(&gate, &scene.promotion(":1", "1.0")).await.unwrap_err();
    let PromoteError::Refused { refusal: engine::Refusal::Denied, decision, what, .. } = &error else {
        panic!("{error:?}")
    };
    assert!(what.contains("policy release, rule user") && what.contains("release/app"), "{what}");
    assert_eq!(decision.verdict, model::Verdict::Allow, "the decision on record is that of the source");
    assert_eq!(scene.registry.count("*", "/v2/release/app/"), 0, "the destination is not even asked");
    // What only they ask for is looked up where the image is.
    let done = promoted(&gate, &scene.promotion(":2", "2.0")).await.unwrap();
    assert_eq!((done.digest.as_str(), done.basis.as_deref()), (&*good, Some("allowed")));
    // And nothing of it counts for an ask at the destination.
    let there = super::scene::ask(&gate, &scene.registry.reference(&format!("release/app@{good}"))).await.unwrap();
    assert_eq!(there.via, engine::Via::Collected);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_rules_on_names_see_the_tag_that_a_promotion_gives() {
    let scene = Scene::new();
    scene.push("1", "1000");
    let versions = "- { id: versions, registries: { tags: { allow: [\"v*\"] } } }";
    let settings =
        engine::GateSettings { policy: Some(scene.two_policies(ANYTHING, versions)), ..scene.settings(NON_ROOT) };
    let gate = Gate::start(settings, scene.store().await).await.unwrap();
    let error = promoted(&gate, &scene.promotion(":1", "latest")).await.unwrap_err();
    assert!(error.to_string().contains("policy release, rule versions"), "{error}");
    assert_eq!(scene.released("latest"), None);
    promoted(&gate, &scene.promotion(":1", "v1")).await.unwrap();
    assert!(scene.released("v1").is_some());
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_a_policy_of_the_destination_that_comes_while_it_is_copied_counts() {
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
    let stricter = scene.two_policies(NON_ROOT, "- { id: strict, config: { userIds: [\"1-2\"] } }");
    let version = gate.upload(stricter, &named("admin")).await.unwrap();
    gate.activate(&version.digest, None, None, &named("admin")).await.unwrap();
    let error = ended(&gate, &id).await.ended.unwrap().unwrap_err();
    assert!(error.to_string().contains("policy release, rule strict"), "{error}");
    assert_eq!(scene.released("1.0"), None);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s30_nothing_goes_to_a_repository_that_is_denied_by_its_name() {
    let scene = Scene::new();
    scene.push("1", "1000");
    let gate = scene.gate(NON_ROOT).await;
    let entry = gate.deny(denial("repository", &scene.registry.reference("release/*")), &anybody()).await.unwrap();
    let error = promoted(&gate, &scene.promotion(":1", "1.0")).await.unwrap_err();
    assert!(matches!(error, PromoteError::Refused { refusal: engine::Refusal::Denied, .. }), "{error:?}");
    assert!(error.to_string().contains(&entry.id) && error.to_string().contains("INC-9"), "{error}");
    assert_eq!(scene.registry.count("*", "/v2/release/app/"), 0);
    gate.lift(&entry.id, "over", &anybody()).await.unwrap();
    promoted(&gate, &scene.promotion(":1", "1.0")).await.unwrap();
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b7_of_two_processes_on_one_store_one_writes_the_tag() {
    let scene = Scene::new();
    scene.push("1", "1000");
    scene.push("2", "1001");
    let store = scene.store().await;
    let start = || Gate::start(scene.settings(NON_ROOT), store.clone());
    let (one, other) = (start().await.unwrap(), start().await.unwrap());
    // Both have seen that it is not there before either writes it.
    scene.registry.fault(Fault::on("GET", "/v2/release/app/manifests/1.0").delay(Duration::from_millis(400)));
    let (first, second) = (scene.promotion(":1", "1.0"), scene.promotion(":2", "1.0"));
    let (first, second) = tokio::join!(promoted(&one, &first), promoted(&other, &second));
    assert_eq!(scene.registry.count("PUT", "/v2/release/app/manifests/1.0"), 1, "{first:?} {second:?}");
    let (done, refused) = match (first, second) {
        (Ok(done), Err(refused)) | (Err(refused), Ok(done)) => (done, refused),
        both => panic!("{both:?}"),
    };
    assert!(matches!(refused, PromoteError::Destination { .. }), "{refused:?}");
    assert_eq!(scene.released("1.0").as_deref(), Some(done.digest.as_str()));
    assert_eq!(one.promotions(None, None, None, 10, &anybody()).await.unwrap().len(), 1);
    one.stop().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s30_promotions_that_wait_stand_in_nobodys_way() {
    let scene = Scene::new();
    scene.push("1", "1000");
    let gate = scene.gate(NON_ROOT).await;
    scene.registry.fault(Fault::on("GET", "/v2/team/app/").delay(Duration::from_millis(300)));
    let begin = |who: &str, tag: &str| {
        gate.promote(&scene.promotion(":1", tag), &by(Point::Api), &Actor::everywhere(who, &[Role::Ci]))
    };
    let many: Vec<String> = (0..100).map(|number| begin("many", &format!("m{number}")).unwrap()).collect();
    let refused = begin("many", "m100").unwrap_err();
    assert!(matches!(refused, PromoteError::Ask(engine::AskError::Overloaded(_))), "{refused:?}");
    let id = begin("another", "1.0").unwrap();
    assert!(ended(&gate, &id).await.ended.unwrap().is_ok());
    scene.registry.clear_faults();
    for id in many {
        assert!(ended(&gate, &id).await.ended.unwrap().is_ok());
    }
    gate.stop().await;
}
