//! From an ask to an answer, and what is remembered between asks.

use std::time::{Duration, Instant};

use engine::{AskError, Asked, Basis, DecisionQuery, Point, Refusal, Submission, Via};
use model::{Digest, Verdict};
use testkit::oci::{Fault, ImageBuilder, IndexBuilder};

use super::scene::{NON_ROOT, NOTHING, Scene, anybody, ask, asked, bundle, by, image, named, now, verdict};

#[tokio::test(flavor = "multi_thread")]
async fn b3_what_is_decided_is_recorded_once_and_answered_again() {
    let scene = Scene::new();
    let digest = scene.push("1", "1000");
    let gate = scene.gate(NON_ROOT).await;
    let pinned = scene.named(&format!("@{digest}"));
    let first = ask(&gate, &pinned).await.unwrap();
    assert_eq!((first.decision.verdict, first.via), (Verdict::Allow, Via::Collected));
    let permit = first.permit.unwrap();
    assert_eq!(
        (permit.subject().as_str(), permit.environment(), permit.basis()),
        (&*digest, "production", &Basis::Allowed)
    );
    assert!(permit.holds(Instant::now()));
    let requests = scene.registry.requests().len();
    let again = ask(&gate, &pinned).await.unwrap();
    assert_eq!((again.via, &again.decision.id), (Via::Recorded, &first.decision.id));
    assert_ne!(again.id, first.id, "each answer is one of its own");
    assert_eq!(scene.registry.requests().len(), requests, "nobody was asked again");
    let row = gate.decision(&first.decision.id, &anybody()).await.unwrap();
    let record: serde_json::Value = serde_json::from_slice(&row.record).unwrap();
    assert_eq!((record["verdict"].as_str(), record["id"].as_str()), (Some("allow"), Some(first.decision.id.as_str())));
    assert_eq!(record["answer"]["pipeline"], "4711");
    assert_eq!(gate.answers(&first.decision.id, 10, &anybody()).await.unwrap().len(), 2);
    gate.stop().await;
    drop(gate);
    // A restart loses nothing, and what says the same is the same decision.
    let gate = scene.gate(NON_ROOT).await;
    let later = ask(&gate, &pinned).await.unwrap();
    assert_eq!((&later.decision.id, later.via), (&first.decision.id, Via::Collected));
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_a_denial_is_an_answer_and_no_permit() {
    let scene = Scene::new();
    scene.push("1", "root");
    let gate = scene.gate(NON_ROOT).await;
    let answered = ask(&gate, &scene.named(":1")).await.unwrap();
    assert_eq!(answered.permit.unwrap_err(), Refusal::Denied);
    assert_eq!(answered.decision.verdict, Verdict::Deny);
    assert!(String::from_utf8_lossy(&answered.decision.record).contains("config.broken"), "the reasons are in it");
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a16_a_tag_that_moved_is_another_image() {
    let scene = Scene::new();
    scene.push("1", "1000");
    let gate = scene.gate(NON_ROOT).await;
    let name = scene.named(":1");
    let first = ask(&gate, &name).await.unwrap();
    assert_eq!(first.decision.verdict, Verdict::Allow);
    let moved = scene.push("1", "root");
    // The digest is what was allowed; the tag with it says something else.
    let both = format!("{name}@{moved}");
    assert_eq!(verdict(&gate, &both).await, Verdict::Deny);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_ask_for_one_image_are_one_collection() {
    let scene = Scene::new();
    let digest = scene.push("1", "1000");
    scene.registry.fault(Fault::on("GET", "/manifests/").delay(Duration::from_millis(200)));
    let gate = scene.gate(NON_ROOT).await;
    let pinned = scene.named(&format!("@{digest}"));
    let asks = (0..50).map(|_| {
        let (gate, pinned) = (gate.clone(), pinned.clone());
        tokio::spawn(async move { ask(&gate, &pinned).await.unwrap().decision.id.clone() })
    });
    let ids: Vec<String> = futures_util::future::join_all(asks).await.into_iter().map(Result::unwrap).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "one decision: {ids:?}");
    assert_eq!(scene.registry.count("GET", "/manifests/"), 1, "{:?}", scene.registry.lines());
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s1_a_child_is_allowed_by_its_index_in_this_repository_and_environment() {
    let scene = Scene::new();
    let child = image("1000");
    let index = IndexBuilder::new().image(&child).build();
    let digest = scene.registry.push("team/app", Some("1"), &index);
    let gate = scene.gate(NON_ROOT).await;
    let parent = ask(&gate, &scene.named(&format!("@{digest}"))).await.unwrap();
    assert_eq!(parent.decision.verdict, Verdict::Allow);
    let inherited = ask(&gate, &scene.named(&format!("@{}", child.digest()))).await.unwrap();
    let permit = inherited.permit.unwrap();
    assert_eq!(*permit.basis(), Basis::Inherited(parent.decision.id.clone()));
    assert_eq!(permit.subject().as_str(), child.digest());
    // In another environment nobody recorded the index: the child is judged by itself.
    let elsewhere =
        Asked { environment: Some("staging".to_owned()), ..asked(&scene.named(&format!("@{}", child.digest()))) };
    let judged = gate.ask(elsewhere, &by(Point::Ci), &anybody()).await.unwrap();
    assert_eq!(*judged.permit.unwrap().basis(), Basis::Allowed);
    assert_ne!(judged.decision.id, parent.decision.id);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s15_a_dry_run_records_nothing() {
    let scene = Scene::new();
    scene.push("1", "1000");
    let gate = scene.gate(NON_ROOT).await;
    let dry = Asked { dry_run: true, ..asked(&scene.named(":1")) };
    let answered = gate.ask(dry, &by(Point::Ci), &anybody()).await.unwrap();
    assert_eq!(answered.decision.verdict, Verdict::Allow);
    let record: serde_json::Value = serde_json::from_slice(&answered.decision.record).unwrap();
    assert_eq!((record["id"].as_str(), record["dryRun"].as_bool()), (None, Some(true)));
    let (rows, _) =
        gate.decisions(&DecisionQuery { limit: 10, ..DecisionQuery::default() }, None, &anybody()).await.unwrap();
    assert_eq!(rows, []);
    // And what is asked afterwards in earnest is recorded.
    assert_eq!(ask(&gate, &scene.named(":1")).await.unwrap().via, Via::Collected);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s7_what_is_asked_wrongly_is_said_and_not_decided() {
    let scene = Scene::new();
    scene.push("1", "1000");
    let gate = scene.gate(NON_ROOT).await;
    for image in ["app:1", "Not An Image", "169.254.169.254/latest/meta-data:1", &scene.named("")] {
        let error = ask(&gate, image).await.unwrap_err();
        assert!(matches!(error, AskError::Usage { .. }), "{image}: {error:?}");
    }
    let unknown = Asked { environment: Some("prod".to_owned()), ..asked(&scene.named(":1")) };
    let error = gate.ask(unknown, &by(Point::Ci), &anybody()).await.unwrap_err();
    assert!(error.to_string().contains("\"prod\" is not declared"), "{error}");
    let missing = ask(&gate, &scene.named(":2")).await.unwrap_err();
    assert!(matches!(missing, AskError::Refused(_)), "{missing:?}");
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s37_only_registries_that_are_listed_are_dialled() {
    let scene = Scene::new();
    scene.push("1", "1000");
    let listed = engine::Reach::listed(&["*.dkr.ecr.eu-west-1.amazonaws.com".to_owned()], &[]).unwrap();
    let settings = engine::GateSettings { reach: listed, ..scene.settings(NON_ROOT) };
    let gate = engine::Gate::start(settings, scene.store().await).await.unwrap();
    let error = ask(&gate, &scene.named(":1")).await.unwrap_err();
    assert!(error.to_string().contains("not set up for the registry"), "{error}");
    assert_eq!(scene.registry.requests().len(), 0);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s37_a_base_image_in_a_registry_that_is_not_listed_is_not_looked_up() {
    let (scene, other) = (Scene::new(), testkit::oci::Registry::start());
    let base = other.push("base", Some("1"), &image("1000"));
    let digest = scene.push("1", "1000");
    let rules = format!("- {{ id: base, baseImage: {{ approved: [\"{}:1\"] }} }}", other.reference("base"));
    let mut settings = scene.settings(&rules);
    settings.registries.insecure.push(other.host());
    settings.reach = engine::Reach::listed(&[scene.registry.host()], &[]).unwrap();
    let gate = engine::Gate::start(settings.clone(), scene.store().await).await.unwrap();
    let name = scene.named(&format!("@{digest}"));
    let answered = ask(&gate, &name).await.unwrap();
    assert_eq!(answered.decision.verdict, Verdict::Deny, "who cannot look does not know");
    assert!(String::from_utf8_lossy(&answered.decision.record).contains("none of the registries that are listed"));
    assert_eq!(other.requests().len(), 0, "{base}");
    gate.stop().await;
    drop(gate);
    settings.reach = engine::Reach::listed(&[scene.registry.host(), other.host()], &[]).unwrap();
    let gate = engine::Gate::start(settings, scene.store().await).await.unwrap();
    assert_eq!(verdict(&gate, &name).await, Verdict::Allow);
    assert!(!other.requests().is_empty());
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b5_a_submitted_report_counts_with_the_next_ask() {
    let scene = Scene::new();
    let digest = scene.push("1", "1000");
    let rules = "- { id: scan, vulnerabilities: { sources: { accept: [file] }, max: { critical: 0 } } }";
    let gate = scene.gate(rules).await;
    let pinned = scene.named(&format!("@{digest}"));
    let before = ask(&gate, &pinned).await.unwrap();
    assert_eq!(before.decision.verdict, Verdict::Deny, "no scan is not a clean scan");
    let report = trivy(&pinned, &digest);
    let submission = Submission { image: pinned.clone(), kind: "report".to_owned(), document: report.into() };
    let submitted = gate.submit(submission.clone(), &by(Point::Ci), &anybody()).await.unwrap();
    assert_eq!(submitted.format, "trivy");
    let after = ask(&gate, &pinned).await.unwrap();
    assert_ne!(after.decision.id, before.decision.id);
    assert!(
        String::from_utf8_lossy(&after.decision.record).contains("submitted by ci"),
        "{}",
        String::from_utf8_lossy(&after.decision.record)
    );
    // The same again is the same, and what cannot be read is refused.
    assert_eq!(gate.submit(submission.clone(), &by(Point::Ci), &anybody()).await.unwrap().id, submitted.id);
    let broken = Submission { document: "{\"SchemaVersion\": 2".into(), ..submission };
    assert!(gate.submit(broken, &by(Point::Ci), &anybody()).await.unwrap_err().to_string().contains("is no report"));
    let life = gate.history(&digest.parse::<Digest>().unwrap(), None, None, 10, &anybody()).await.unwrap();
    let kinds: Vec<&str> = life.iter().map(|entry| entry.kind.as_str()).collect();
    assert_eq!(kinds, ["decision", "signal", "decision"]);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s42_without_the_store_nothing_is_permitted() {
    let scene = Scene::new();
    let digest = scene.push("1", "1000");
    let store = scene.store().await;
    let gate = engine::Gate::start(scene.settings(NON_ROOT), store.clone()).await.unwrap();
    let pinned = scene.named(&format!("@{digest}"));
    assert_eq!(verdict(&gate, &pinned).await, Verdict::Allow);
    store.close().await;
    tokio::time::sleep(Duration::from_millis(1200)).await;
    for point in [Point::Ci, Point::Admission] {
        let error = gate.ask(asked(&pinned), &by(point), &anybody()).await.unwrap_err();
        assert!(matches!(error, AskError::StoreUnavailable(_)), "{error:?}");
    }
    assert_ne!(gate.unready().await, Vec::<String>::new());
    gate.stop().await;
}

/// The clock of one test, in seconds before the real one.
static BEHIND: std::sync::atomic::AtomicI64 = std::sync::atomic::AtomicI64::new(0);

fn behind() -> model::Timestamp {
    let behind = BEHIND.load(std::sync::atomic::Ordering::Relaxed);
    now().checked_sub(model::SignedDuration::from_secs(behind)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn s9_a_clock_that_went_back_decides_nothing() {
    let scene = Scene::new();
    scene.push("1", "1000");
    let settings = engine::GateSettings { now: behind, ..scene.settings(NON_ROOT) };
    let gate = engine::Gate::start(settings, scene.store().await).await.unwrap();
    assert_eq!(verdict(&gate, &scene.named(":1")).await, Verdict::Allow);
    while gate.checkpoint().await.unwrap().is_none() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    BEHIND.store(50, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(verdict(&gate, &scene.named(":1")).await, Verdict::Allow, "clocks differ by a little");
    BEHIND.store(120, std::sync::atomic::Ordering::Relaxed);
    let error = ask(&gate, &scene.named(":1")).await.unwrap_err();
    assert!(matches!(&error, AskError::StoreUnavailable(why) if why.contains("clock")), "{error:?}");
    assert!(gate.unready().await.iter().any(|why| why.contains("clock")));
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a16_whoever_pushes_and_then_asks_means_what_was_pushed() {
    let scene = Scene::new();
    scene.push("1", "1000");
    let gate = scene.gate(NON_ROOT).await;
    assert_eq!(verdict(&gate, &scene.named(":1")).await, Verdict::Allow);
    scene.push("1", "root");
    assert_eq!(verdict(&gate, &scene.named(":1")).await, Verdict::Deny);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn o4_a_package_finds_its_images() {
    let scene = Scene::new();
    let status = "Package: openssl\nStatus: install ok installed\nVersion: 3.0.8-1\nArchitecture: amd64\n\n";
    let layer = testkit::oci::Layer::new()
        .file("etc/os-release", "ID=debian\nVERSION_ID=12\n")
        .file("var/lib/dpkg/status", status);
    let image = ImageBuilder::new().layer(layer).user("1000").build();
    let digest = scene.registry.push("team/app", Some("1"), &image);
    let gate = scene.gate("- { id: none, packages: { deny: [\"pkg:deb/telnet\"] } }").await;
    assert_eq!(verdict(&gate, &scene.named(":1")).await, Verdict::Allow);
    let found = gate.images_with("pkg:deb/debian/openssl", None, 10, &anybody()).await.unwrap().0;
    let named =
        found.iter().map(|(repository, digest, version)| (repository.as_str(), digest.as_str(), version.as_str()));
    let expected = [(scene.registry.reference("team/app"), digest, "3.0.8-1".to_owned())];
    let expected =
        expected.iter().map(|(repository, digest, version)| (repository.as_str(), digest.as_str(), version.as_str()));
    assert_eq!(named.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    let version = |version: &str| format!("pkg:deb/debian/openssl@{version}");
    assert_eq!(gate.images_with(&version("3.0.8-1"), None, 10, &anybody()).await.unwrap().0.len(), 1);
    assert_eq!(gate.images_with(&version("3.0.9-1"), None, 10, &anybody()).await.unwrap().0, []);
    assert!(gate.images_with("openssl", None, 10, &anybody()).await.is_err());
    gate.stop().await;
}

/// A report of Trivy that lists nothing.
fn trivy(pinned: &str, digest: &str) -> String {
    let (repository, _) = pinned.split_once('@').unwrap();
    let report = serde_json::json!({
        "SchemaVersion": 2, "CreatedAt": now(), "ArtifactName": pinned, "ArtifactType": "container_image",
        "Trivy": { "Version": "0.59.1" },
        "Metadata": { "OS": { "Family": "debian", "Name": "12" }, "RepoDigests": [format!("{repository}@{digest}")] },
        "Results": [{ "Target": "app (debian 12)", "Class": "os-pkgs", "Type": "debian", "Vulnerabilities": [] }],
    });
    report.to_string()
}

/// Time goes by, and nothing else: the decision is the one that is on record.
#[tokio::test(flavor = "multi_thread")]
async fn b3_what_is_found_again_as_it_was_is_no_new_decision() {
    let scene = Scene::new();
    let digest = scene.push("1", "1000");
    let rules = "- { id: scan, vulnerabilities: { sources: { accept: [file] }, max: { critical: 0 } } }\n  - { id: user, config: { nonRoot: true } }";
    let settings = engine::GateSettings { fresh: Duration::ZERO, ..scene.settings(rules) };
    let gate = engine::Gate::start(settings, scene.store().await).await.unwrap();
    let pinned = scene.named(&format!("@{digest}"));
    let submission =
        Submission { image: pinned.clone(), kind: "report".to_owned(), document: trivy(&pinned, &digest).into() };
    gate.submit(submission, &by(Point::Ci), &anybody()).await.unwrap();
    let first = ask(&gate, &pinned).await.unwrap();
    assert_eq!(first.decision.verdict, Verdict::Allow, "{}", String::from_utf8_lossy(&first.decision.record));
    tokio::time::sleep(Duration::from_millis(1100)).await;
    for name in [&pinned, &scene.named(":1"), &pinned] {
        let again = ask(&gate, name).await.unwrap();
        assert_eq!((again.via, &again.decision.id), (Via::Collected, &first.decision.id), "{name}");
    }
    gate.stop().await;
}

/// Who attaches what was missing and asks again is not told no from what was seen before.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_in_a_pipeline_rests_on_what_was_just_looked_at() {
    let scene = Scene::new();
    let app = image("1000");
    let digest = scene.registry.push("team/app", Some("1"), &app);
    let gate = scene.gate("- { id: sbom, sbom: { formats: [cyclonedx], from: [registry] } }").await;
    let pinned = scene.named(&format!("@{digest}"));
    assert_eq!(verdict(&gate, &pinned).await, Verdict::Deny);
    let sbom = serde_json::json!({ "bomFormat": "CycloneDX", "specVersion": "1.6", "components": [],
        "metadata": { "component": { "type": "container", "name": "app", "version": digest } } });
    let attached = testkit::oci::Referrer::new(&app, "application/vnd.cyclonedx+json")
        .layer("application/vnd.cyclonedx+json", sbom.to_string())
        .build();
    scene.registry.push("team/app", None, &attached);
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let again = ask(&gate, &pinned).await.unwrap();
    assert_eq!(again.via, Via::Collected);
    assert_eq!(again.decision.verdict, Verdict::Allow, "{}", String::from_utf8_lossy(&again.decision.record));
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn layers_and_configuration_are_read_once_and_the_manifest_is_asked_for_each_time() {
    let scene = Scene::new();
    let digest = scene.push("1", "1000");
    let settings = engine::GateSettings {
        fresh: Duration::ZERO,
        ..scene.settings("- { id: shell, config: { nonRoot: true, noSecrets: true } }")
    };
    let gate = engine::Gate::start(settings, scene.store().await).await.unwrap();
    let pinned = scene.named(&format!("@{digest}"));
    let first = ask(&gate, &pinned).await.unwrap().decision.id.clone();
    let (blobs, manifests) = (scene.registry.count("GET", "/blobs/"), scene.registry.count("GET", "/manifests/"));
    assert!(blobs >= 1 && manifests >= 1, "{:?}", scene.registry.lines());
    assert_eq!(ask(&gate, &pinned).await.unwrap().decision.id, first);
    assert_eq!(scene.registry.count("GET", "/blobs/"), blobs);
    assert!(scene.registry.count("GET", "/manifests/") > manifests);
    // What is gone is not there, whatever was read before.
    scene.registry.remove_manifest("team/app", &digest);
    let gone = ask(&gate, &pinned).await;
    assert!(gone.as_ref().map_or(true, |answered| answered.permit.is_err()), "{gone:?}");
    gate.stop().await;
}

/// A platform that no policy looks at may be anything that lies in the repository.
#[tokio::test(flavor = "multi_thread")]
async fn s1_an_index_speaks_for_no_platform_that_was_not_judged() {
    let scene = Scene::new();
    let (good, foreign) = (image("1000"), ImageBuilder::new().platform("linux/s390x").user("root").build());
    let index = IndexBuilder::new().image(&good).image(&foreign).build();
    let digest = scene.registry.push("team/app", Some("1"), &index);
    let gate = scene.gate(&format!("{NON_ROOT}\n  match: {{ platforms: [linux/amd64] }}")).await;
    let parent = ask(&gate, &scene.named(&format!("@{digest}"))).await.unwrap();
    assert_eq!(parent.decision.verdict, Verdict::Allow);
    let children: Vec<String> = parent.permit.unwrap().children().iter().map(ToString::to_string).collect();
    assert_eq!(children, [good.digest()]);
    let alone = ask(&gate, &scene.named(&format!("@{}", foreign.digest()))).await.unwrap();
    assert_eq!(alone.permit.unwrap_err(), Refusal::Denied);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s42_an_answer_that_is_fetched_later_is_the_one_of_then() {
    let scene = Scene::new();
    let digest = scene.push("1", "1000");
    let gate = scene.gate(NON_ROOT).await;
    let id = gate.ask_later(asked(&scene.named(&format!("@{digest}"))), &by(Point::Api), &anybody()).unwrap();
    let mut first = None;
    while first.is_none() {
        tokio::time::sleep(Duration::from_millis(20)).await;
        first = gate.later(&id, &anybody()).await.unwrap().unwrap();
    }
    assert!(first.unwrap().permit.is_ok());
    let strict = gate.upload(bundle(NOTHING), &named("ada")).await.unwrap().digest;
    gate.activate(&strict, None, None, &named("ada")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let then = gate.later(&id, &anybody()).await.unwrap().unwrap().unwrap();
    assert_eq!(then.decision.verdict, Verdict::Deny);
    assert!(gate.later("0193a3f0-0000-7000-8000-000000000000", &anybody()).await.is_none());
    gate.stop().await;
}

/// Whoever hands a document in and whoever asks may write the registry in different ways.
#[tokio::test(flavor = "multi_thread")]
async fn s22_a_document_is_about_the_image_however_its_registry_is_written() {
    let scene = Scene::new();
    let gate = scene.gate(NON_ROOT).await;
    let digest = Digest::of(b"image");
    for name in ["ghcr.io/team/app", "GHCR.io/team/app", "ghcr.io:443/team/app"] {
        let document = trivy(&format!("{name}@{digest}"), digest.as_str()).into();
        let submission = Submission { image: format!("{name}@{digest}"), kind: "report".to_owned(), document };
        gate.submit(submission, &by(Point::Ci), &anybody()).await.unwrap();
    }
    let life = gate.history(&digest, Some("ghcr.io/team/app"), None, 10, &anybody()).await.unwrap();
    assert_eq!(life.len(), 3, "{life:?}");
    gate.stop().await;
}

/// The clock of one test, in seconds after the real one.
static AHEAD: std::sync::atomic::AtomicI64 = std::sync::atomic::AtomicI64::new(0);

fn ahead() -> model::Timestamp {
    let ahead = AHEAD.load(std::sync::atomic::Ordering::Relaxed);
    now().checked_add(model::SignedDuration::from_secs(ahead)).unwrap()
}

/// What may stand in one day is of when it was last seen: an outage after a week without a change finds facts of today.
#[tokio::test(flavor = "multi_thread")]
async fn s5_facts_that_may_stand_in_are_recorded_again_while_they_stay_the_same() {
    let scene = Scene::new();
    let digest = scene.push("1", "1000");
    let rules = format!("{NON_ROOT}\n  onUnknown: {{ registryUnavailable: {{ lastKnownGood: 24h }} }}");
    let settings = engine::GateSettings { fresh: Duration::ZERO, now: ahead, ..scene.settings(&rules) };
    let gate = engine::Gate::start(settings, scene.store().await).await.unwrap();
    let pinned = scene.named(&format!("@{digest}"));
    let mut ids = Vec::new();
    for minutes in [0, 10, 40, 50] {
        AHEAD.store(minutes * 60, std::sync::atomic::Ordering::Relaxed);
        ids.push(ask(&gate, &pinned).await.unwrap().decision.id.clone());
    }
    assert_eq!((ids[0] == ids[1], ids[1] == ids[2], ids[2] == ids[3]), (true, false, true), "{ids:?}");
    gate.stop().await;
}
