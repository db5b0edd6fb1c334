//! Documents that somebody hands in: what they count for, and how they stop counting.

use engine::{Actor, Asker, Gate, GateError, Grant, Point, Promotion, Repositories, Role, Submission};
use model::{Digest, Verdict};
use serde_json::{Value, json};
use testkit::oci::{Image, ImageBuilder, IndexBuilder, Referrer};

use super::promotions::{ci, ended, entries};
use super::scene::{Scene, anybody, ask, by, image, now, verdict};

pub(super) const SCAN: &str = "- { id: scan, vulnerabilities: { sources: { accept: [file] }, max: { critical: 0 } } }";

/// Two platforms, and the digest of the index of both.
fn two(scene: &Scene) -> (Image, Image, String) {
    let (one, other) = (image("1000"), ImageBuilder::new().platform("linux/arm64").user("1001").build());
    let index = IndexBuilder::new().image(&one).image(&other).build();
    let digest = scene.registry.push("team/app", Some("1"), &index);
    (one, other, digest)
}

pub(super) async fn hand_in(gate: &Gate, scene: &Scene, digest: &str, kind: &str, document: &Value) -> String {
    let image = scene.named(&format!("@{digest}"));
    let document = document.to_string().into();
    gate.submit(Submission { image, kind: kind.to_owned(), document }, &by(Point::Ci), &anybody()).await.unwrap().id
}

/// A report of Trivy about this digest, with these findings.
pub(super) fn trivy(scene: &Scene, digest: &str, findings: &Value) -> Value {
    json!({
        "SchemaVersion": 2, "CreatedAt": now(), "ArtifactName": scene.named(&format!("@{digest}")),
        "ArtifactType": "container_image", "Trivy": { "Version": "0.59.1" },
        "Metadata": { "OS": { "Family": "debian", "Name": "12" }, "RepoDigests": [scene.named(&format!("@{digest}"))] },
        "Results": [{ "Target": "app (debian 12)", "Class": "os-pkgs", "Type": "debian", "Vulnerabilities": findings }],
    })
}

pub(super) fn critical() -> Value {
    json!([{ "VulnerabilityID": "CVE-2026-0001", "PkgName": "openssl", "InstalledVersion": "3.0.8-1", "FixedVersion": "3.0.9",
        "Severity": "CRITICAL", "PkgIdentifier": { "PURL": "pkg:deb/debian/openssl@3.0.8-1" } }])
}

fn sbom(describes: Option<&str>) -> Value {
    let mut component = json!({ "type": "container", "name": "app" });
    if let Some(digest) = describes {
        component["version"] = digest.into();
    }
    json!({ "bomFormat": "CycloneDX", "specVersion": "1.6", "components": [], "metadata": { "component": component } })
}

#[tokio::test(flavor = "multi_thread")]
async fn s1_a_document_about_a_platform_counts_for_it_when_its_index_is_judged() {
    let scene = Scene::new();
    let (one, other, index) = two(&scene);
    let gate = scene.gate(SCAN).await;
    let pinned = scene.named(&format!("@{index}"));
    assert_eq!(verdict(&gate, &pinned).await, Verdict::Deny, "no scan is not a clean scan");
    hand_in(&gate, &scene, one.digest(), "report", &trivy(&scene, one.digest(), &json!([]))).await;
    assert_eq!(verdict(&gate, &pinned).await, Verdict::Deny, "the other platform has none");
    hand_in(&gate, &scene, other.digest(), "report", &trivy(&scene, other.digest(), &json!([]))).await;
    let whole = ask(&gate, &pinned).await.unwrap();
    let record = String::from_utf8_lossy(&whole.decision.record).into_owned();
    assert_eq!(whole.decision.verdict, Verdict::Allow, "{record}");
    // By its tag too, of which nobody knows beforehand what it stands for.
    assert_eq!(verdict(&gate, &scene.named(":1")).await, Verdict::Allow);
    // And what is bad news about one platform is bad news about the index.
    hand_in(&gate, &scene, other.digest(), "report", &trivy(&scene, other.digest(), &critical())).await;
    assert_eq!(verdict(&gate, &pinned).await, Verdict::Deny);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s22_a_document_about_one_platform_stands_for_no_other() {
    let scene = Scene::new();
    let (one, other, index) = two(&scene);
    let gate = scene.gate("- { id: sbom, sbom: { formats: [cyclonedx], from: [file] } }").await;
    let pinned = scene.named(&format!("@{index}"));
    // It says itself that it is about the other one; it was handed in about this one.
    hand_in(&gate, &scene, one.digest(), "sbom", &sbom(Some(other.digest()))).await;
    assert_eq!(verdict(&gate, &pinned).await, Verdict::Deny);
    // About the index, it is for the platforms that it names.
    hand_in(&gate, &scene, &index, "sbom", &sbom(None)).await;
    hand_in(&gate, &scene, &index, "sbom", &sbom(Some(&index))).await;
    hand_in(&gate, &scene, &index, "sbom", &sbom(Some(Digest::of(b"another").as_str()))).await;
    assert_eq!(verdict(&gate, &pinned).await, Verdict::Deny);
    hand_in(&gate, &scene, &index, "sbom", &sbom(Some(other.digest()))).await;
    let whole = ask(&gate, &pinned).await.unwrap();
    let record = String::from_utf8_lossy(&whole.decision.record).into_owned();
    assert_eq!(whole.decision.verdict, Verdict::Allow, "{record}");
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s22_a_report_handed_in_about_one_platform_that_is_about_another_is_refused_there_alone() {
    let scene = Scene::new();
    let (one, other, index) = two(&scene);
    let gate = scene.gate(SCAN).await;
    for of in [one.digest(), other.digest()] {
        hand_in(&gate, &scene, of, "report", &trivy(&scene, of, &json!([]))).await;
    }
    let pinned = scene.named(&format!("@{index}"));
    assert_eq!(verdict(&gate, &pinned).await, Verdict::Allow);
    hand_in(&gate, &scene, one.digest(), "report", &trivy(&scene, other.digest(), &critical())).await;
    let refused = ask(&gate, &pinned).await.unwrap();
    let record: Value = serde_json::from_slice(&refused.decision.record).unwrap();
    assert_eq!(refused.decision.verdict, Verdict::Deny);
    let reasons = record["reasons"].to_string();
    assert!(reasons.contains("scan.otherImage") && !reasons.contains("CVE-2026-0001"), "{reasons}");
    let alone = |digest: &str| scene.named(&format!("@{digest}"));
    assert_eq!(verdict(&gate, &alone(other.digest())).await, Verdict::Allow);
    assert_eq!(verdict(&gate, &alone(one.digest())).await, Verdict::Deny);
    gate.stop().await;
}

/// What is not affected here may be affected there.
#[tokio::test(flavor = "multi_thread")]
async fn s24_a_statement_about_one_platform_softens_nothing_on_another() {
    let rules = "- { id: scan, vulnerabilities: { sources: { accept: [file] }, max: { critical: 0 }, vex: { from: [file], authors: [acme] } } }";
    let scene = Scene::new();
    let (one, other, index) = two(&scene);
    let gate = scene.gate(rules).await;
    for of in [one.digest(), other.digest()] {
        hand_in(&gate, &scene, of, "report", &trivy(&scene, of, &critical())).await;
    }
    let pinned = scene.named(&format!("@{index}"));
    let vex = |product: &str| {
        json!({ "@context": "https://openvex.dev/ns/v0.2.0", "@id": format!("https://acme.example/{product}"), "author": "acme",
            "timestamp": "2026-01-01T00:00:00Z", "version": 1, "statements": [{ "vulnerability": { "name": "CVE-2026-0001" },
            "products": [{ "@id": product }], "status": "not_affected", "justification": "component_not_present" }] })
    };
    let package = "pkg:deb/debian/openssl@3.0.8-1";
    for product in [package, &format!("pkg:oci/app@{index}"), &format!("pkg:oci/app@{}", other.digest())] {
        hand_in(&gate, &scene, one.digest(), "vex", &vex(product)).await;
        assert_eq!(verdict(&gate, &pinned).await, Verdict::Deny, "{product}");
    }
    assert_eq!(verdict(&gate, &scene.named(&format!("@{}", one.digest()))).await, Verdict::Allow);
    hand_in(&gate, &scene, other.digest(), "vex", &vex(package)).await;
    let both = ask(&gate, &pinned).await.unwrap();
    let record = String::from_utf8_lossy(&both.decision.record).into_owned();
    assert_eq!(both.decision.verdict, Verdict::Allow, "{record}");
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s25_what_was_handed_in_is_taken_back_by_name_and_reason_and_the_next_judgement_is_without_it() {
    let scene = Scene::new();
    let (one, other, index) = two(&scene);
    let gate = scene.gate(SCAN).await;
    let mut ids = Vec::new();
    for of in [one.digest(), other.digest()] {
        ids.push(hand_in(&gate, &scene, of, "report", &trivy(&scene, of, &json!([]))).await);
    }
    let pinned = scene.named(&format!("@{index}"));
    let allowed = ask(&gate, &pinned).await.unwrap();
    assert_eq!(allowed.decision.verdict, Verdict::Allow);
    let image = scene.named(&format!("@{}", other.digest()));
    let listed: Vec<String> = gate.handed_in(&image, &anybody()).await.unwrap().into_iter().map(|row| row.id).collect();
    assert_eq!(listed, [ids[1].clone()]);
    // Nobody takes back what another one handed in, unless they are in charge.
    let stranger = engine::Asker { identity: Some("eve".to_owned()), ..by(Point::Api) };
    let nobody = engine::Asker { identity: None, ..by(Point::Api) };
    for asker in [&stranger, &nobody] {
        let refused = gate
            .withdraw(&ids[1], "it is in the way", asker, &Actor::everywhere("other", &[Role::Ci]))
            .await
            .unwrap_err();
        assert!(matches!(refused, engine::GateError::Forbidden { .. }), "{refused:?}");
    }
    assert_eq!(verdict(&gate, &pinned).await, Verdict::Allow);
    let row = gate.withdraw(&ids[1], "scanned with an old database", &stranger, &anybody()).await.unwrap();
    assert_eq!((row.digest.as_str(), row.submitted_by.as_str()), (other.digest(), "ci"));
    let after = ask(&gate, &pinned).await.unwrap();
    assert_eq!(after.decision.verdict, Verdict::Deny, "{}", String::from_utf8_lossy(&after.decision.record));
    assert_eq!(gate.handed_in(&image, &anybody()).await.unwrap(), []);
    let gone = gate.withdraw(&ids[1], "again", &stranger, &anybody()).await.unwrap_err();
    assert!(matches!(gone, engine::GateError::NotFound { .. }), "{gone:?}");
    // What was decided with it is on record, and so is who took it back.
    assert_eq!(gate.decision(&allowed.decision.id, &anybody()).await.unwrap().verdict, Verdict::Allow);
    let life = gate.history(&other.digest().parse::<Digest>().unwrap(), None, None, 10, &anybody()).await.unwrap();
    let kinds: Vec<&str> = life.iter().map(|entry| entry.kind.as_str()).collect();
    assert_eq!(kinds, ["signal", "signal.withdrawn"]);
    let entry: Value = serde_json::from_str(life[1].entry.as_deref().unwrap()).unwrap();
    assert_eq!(
        (&entry["body"]["by"], &entry["body"]["reason"]),
        (&"eve".into(), &"scanned with an old database".into())
    );
    // It may be handed in again, and is another one then.
    let again = hand_in(&gate, &scene, other.digest(), "report", &trivy(&scene, other.digest(), &json!([]))).await;
    assert_ne!(again, ids[1]);
    assert_eq!(verdict(&gate, &pinned).await, Verdict::Allow);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b3_the_bytes_behind_a_decision_are_kept_with_it() {
    let scene = Scene::new();
    let app = image("1000");
    let digest = scene.registry.push("team/app", Some("1"), &app);
    let document = sbom(Some(&digest)).to_string();
    let attached = Referrer::new(&app, "application/vnd.cyclonedx+json")
        .layer("application/vnd.cyclonedx+json", document.clone())
        .build();
    scene.registry.push("team/app", None, &attached);
    let gate = scene.gate("- { id: sbom, sbom: { formats: [cyclonedx], from: [registry, file] } }").await;
    hand_in(&gate, &scene, &digest, "sbom", &sbom(None)).await;
    let decided = ask(&gate, &scene.named(":1")).await.unwrap().decision.id.clone();
    let pieces = gate.pieces(&decided, &anybody()).await.unwrap();
    let (fetched, handed) = (Digest::of(document.as_bytes()), Digest::of(sbom(None).to_string().as_bytes()));
    assert!(pieces[0].is_facts && pieces.iter().all(|piece| piece.kept), "{pieces:?}");
    for expected in [&fetched, &handed] {
        assert!(pieces.iter().any(|piece| piece.digest == *expected), "{pieces:?}");
    }
    assert_eq!(gate.evidence(&fetched, &anybody()).await.unwrap().bytes, document.as_bytes());
    // What is not kept is said not to be.
    assert!(matches!(gate.evidence(&Digest::of(b"never"), &anybody()).await, Err(engine::GateError::NotFound { .. })));
    assert!(matches!(gate.pieces("never", &anybody()).await, Err(engine::GateError::NotFound { .. })));
    gate.stop().await;
}

/// The jobs of one project are one identity, whatever their branch; what they may differs.
fn job(environments: &[&str]) -> Actor {
    let repositories = vec![Repositories::parse("**").unwrap()];
    let environments = environments.iter().map(|&name| name.to_owned()).collect();
    Actor {
        identity: "oidc:ci#42".into(),
        person: None,
        grants: vec![Grant { role: Role::Ci, repositories, environments }],
    }
}

async fn hand_in_as(gate: &Gate, scene: &Scene, digest: &str, kind: &str, document: &Value, actor: &Actor) -> String {
    let image = scene.named(&format!("@{digest}"));
    let submission = Submission { image, kind: kind.to_owned(), document: document.to_string().into() };
    gate.submit(submission, &job_asks(), actor).await.unwrap().id
}

fn job_asks() -> Asker {
    Asker { identity: Some("oidc:ci#42".to_owned()), ..by(Point::Ci) }
}

async fn verdict_in(gate: &Gate, image: &str, environment: &str) -> (Verdict, Value) {
    let asked = engine::Asked { environment: Some(environment.to_owned()), ..super::scene::asked(image) };
    let decision = gate.ask(asked, &by(Point::Ci), &anybody()).await.unwrap().decision;
    (decision.verdict, serde_json::from_slice(&decision.record).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn s22_who_may_hand_in_for_staging_satisfies_and_replaces_nothing_in_production() {
    let scene = Scene::new();
    let digest = scene.push("1", "1000");
    let gate = scene.gate(SCAN).await;
    let (protected, branch) = (job(&["production", "staging"]), job(&["staging"]));
    let image = scene.named(&format!("@{digest}"));
    let clean = |scene: &Scene| trivy(scene, &digest, &json!([]));
    // Alone it is no scan for production, and it is said why.
    hand_in_as(&gate, &scene, &digest, "report", &clean(&scene), &branch).await;
    assert_eq!(verdict_in(&gate, &image, "staging").await.0, Verdict::Allow);
    let (verdict, record) = verdict_in(&gate, &image, "production").await;
    assert_eq!(verdict, Verdict::Deny, "{record}");
    let reasons = record["reasons"].to_string();
    assert!(
        reasons.contains("scan.notAccepted") && reasons.contains("may do so for staging, not for production"),
        "{reasons}"
    );
    // What the protected branch found stays found, whatever is handed in later.
    let bad = hand_in_as(&gate, &scene, &digest, "report", &trivy(&scene, &digest, &critical()), &protected).await;
    assert_eq!(verdict_in(&gate, &image, "production").await.0, Verdict::Deny);
    hand_in_as(&gate, &scene, &digest, "report", &clean(&scene), &branch).await;
    let (verdict, record) = verdict_in(&gate, &image, "production").await;
    assert!(verdict == Verdict::Deny && record["reasons"].to_string().contains("vuln.maxExceeded"), "{record}");
    // Nor is it taken back by a job that may not hand in for production, although it is the same identity.
    let refused = gate.withdraw(&bad, "it is in the way", &job_asks(), &branch).await;
    assert!(
        matches!(&refused, Err(GateError::Forbidden { what }) if what.contains("production, staging")),
        "{refused:?}"
    );
    assert_eq!(verdict_in(&gate, &image, "production").await.0, Verdict::Deny);
    gate.withdraw(&bad, "an old database", &job_asks(), &protected).await.unwrap();
    // The same bytes, handed in by one whose word counts, count.
    let twice = clean(&scene);
    let first = hand_in_as(&gate, &scene, &digest, "report", &twice, &branch).await;
    assert_eq!(verdict_in(&gate, &image, "production").await.0, Verdict::Deny);
    assert_ne!(hand_in_as(&gate, &scene, &digest, "report", &twice, &protected).await, first);
    let (verdict, record) = verdict_in(&gate, &image, "production").await;
    assert_eq!(verdict, Verdict::Allow, "{record}");
    assert_eq!(hand_in_as(&gate, &scene, &digest, "report", &twice, &branch).await, first, "it is known already");
    // Bad news is news from anybody.
    hand_in_as(&gate, &scene, &digest, "report", &trivy(&scene, &digest, &critical()), &branch).await;
    let (verdict, record) = verdict_in(&gate, &image, "production").await;
    assert!(verdict == Verdict::Deny && record["reasons"].to_string().contains("vuln.maxExceeded"), "{record}");
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s22_bills_of_materials_and_vex_handed_in_for_staging_are_not_there_in_production() {
    let rules = "- { id: sbom, sbom: { formats: [cyclonedx], from: [file] } }\n  \
        - { id: scan, vulnerabilities: { sources: { accept: [file] }, max: { critical: 0 }, vex: { from: [file], authors: [acme] } } }";
    let scene = Scene::new();
    let digest = scene.push("1", "1000");
    let gate = scene.gate(rules).await;
    let (protected, branch) = (job(&["*"]), job(&["staging"]));
    let image = scene.named(&format!("@{digest}"));
    let vex = json!({ "@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://acme.example/1", "author": "acme",
        "timestamp": "2026-01-01T00:00:00Z", "version": 1, "statements": [{ "vulnerability": { "name": "CVE-2026-0001" },
        "products": [{ "@id": "pkg:deb/debian/openssl@3.0.8-1" }], "status": "not_affected",
        "justification": "component_not_present" }] });
    hand_in_as(&gate, &scene, &digest, "report", &trivy(&scene, &digest, &critical()), &protected).await;
    for (kind, document) in [("sbom", sbom(None)), ("vex", vex.clone())] {
        hand_in_as(&gate, &scene, &digest, kind, &document, &branch).await;
    }
    let (verdict, record) = verdict_in(&gate, &image, "staging").await;
    assert_eq!(verdict, Verdict::Allow, "{record}");
    let (verdict, record) = verdict_in(&gate, &image, "production").await;
    assert_eq!(verdict, Verdict::Deny, "{record}");
    let reasons = record["reasons"].to_string();
    assert!(reasons.contains("vuln.maxExceeded") && reasons.contains("sbom"), "{reasons}");
    // A report of another image, handed in where it does not count, takes nothing away.
    for (kind, document) in [("sbom", sbom(None)), ("vex", vex)] {
        hand_in_as(&gate, &scene, &digest, kind, &document, &protected).await;
    }
    let other = Digest::of(b"another");
    hand_in_as(&gate, &scene, &digest, "report", &trivy(&scene, other.as_str(), &critical()), &branch).await;
    assert_eq!(verdict_in(&gate, &image, "production").await.0, Verdict::Allow);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s22_what_was_handed_in_goes_with_the_image_that_is_promoted_and_counts_there() {
    let scene = Scene::new();
    let (one, other, index) = two(&scene);
    let gate = scene.gate(SCAN).await;
    let mut ids = Vec::new();
    for platform in [&one, &other] {
        let report = trivy(&scene, platform.digest(), &json!([]));
        ids.push(hand_in(&gate, &scene, platform.digest(), "report", &report).await);
    }
    let bill = hand_in(&gate, &scene, one.digest(), "sbom", &sbom(Some(one.digest()))).await;
    gate.withdraw(&bill, "of another build", &by(Point::Ci), &anybody()).await.unwrap();
    let released = scene.registry.reference(&format!("release/app@{index}"));
    let promote = || {
        let (gate, wanted) = (&gate, scene.promotion(":1", "1.0"));
        async move {
            let id = gate.promote(&wanted, &by(Point::Api), &ci()).unwrap();
            let status = ended(gate, &id).await;
            (status.ended.unwrap().unwrap(), status.warnings.join("\n"))
        }
    };
    let (done, warnings) = promote().await;
    assert!(!warnings.contains("do not count"), "{warnings}");
    assert_eq!(verdict(&gate, &released).await, Verdict::Allow, "where it is checked before it is deployed");

    let there = |digest: &str| {
        let image = scene.registry.reference(&format!("release/app@{digest}"));
        let gate = &gate;
        async move { gate.handed_in(&image, &anybody()).await.unwrap() }
    };
    let rows = there(one.digest()).await;
    let [row] = rows.as_slice() else { panic!("what was taken back stays behind: {rows:?}") };
    assert_eq!((row.kind.as_str(), row.submitted_by.as_str()), ("report", "ci"), "whose word it is");
    let told = entries(&gate, one.digest()).await;
    let (_, body) = told.iter().rfind(|(kind, body)| kind == "signal" && body.get("handedOn").is_some()).unwrap();
    let on = &body["handedOn"];
    assert_eq!((&on["from"], &on["signal"]), (&scene.named("").into(), &ids[0].as_str().into()));
    assert_eq!(
        (&on["promotion"], &on["by"], &body["format"]),
        (&done.id.as_str().into(), &"ci".into(), &"trivy".into())
    );

    // The same again brings what was handed in since, once.
    hand_in(&gate, &scene, other.digest(), "sbom", &sbom(Some(other.digest()))).await;
    for _ in 0..2 {
        let (again, _) = promote().await;
        assert!(again.was_there && again.id == done.id);
        assert_eq!(there(other.digest()).await.len(), 2);
    }
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s22_what_goes_along_counts_where_both_who_handed_it_in_and_who_promotes_may() {
    let scene = Scene::new();
    let digest = scene.push("1", "1000");
    let gate = scene.gate(SCAN).await;
    let (protected, branch) = (job(&["production", "staging"]), job(&["staging"]));
    let clean = trivy(&scene, &digest, &json!([]));
    hand_in_as(&gate, &scene, &digest, "report", &clean, &branch).await;
    hand_in_as(&gate, &scene, &digest, "report", &clean, &protected).await;
    let promoted = |tag: &'static str, actor: Actor| {
        let (gate, wanted) =
            (&gate, Promotion { environment: Some("staging".to_owned()), ..scene.promotion(":1", tag) });
        async move {
            let status = ended(gate, &gate.promote(&wanted, &job_asks(), &actor).unwrap()).await;
            status.ended.unwrap().unwrap();
            status.warnings.join("\n")
        }
    };
    let released = scene.registry.reference(&format!("release/app@{digest}"));
    // Brought by a branch, it counts for staging, and for production not, although it does where it comes from.
    assert!(!promoted("1.0", branch.clone()).await.contains("do not count"));
    assert_eq!(verdict_in(&gate, &released, "staging").await.0, Verdict::Allow);
    let (verdict, record) = verdict_in(&gate, &released, "production").await;
    assert_eq!(verdict, Verdict::Deny, "{record}");
    assert!(record["reasons"].to_string().contains("scan.notAccepted"), "{record}");
    // Brought once more by one whose word counts for both, it counts for both.
    assert!(!promoted("1.1", protected.clone()).await.contains("do not count"));
    assert_eq!(verdict_in(&gate, &released, "production").await.0, Verdict::Allow);
    // What counts nowhere there goes along all the same: its findings do.
    let other = scene.push("2", "1001");
    let image = scene.registry.reference(&format!("release/app@{other}"));
    let low = json!([{ "VulnerabilityID": "CVE-2026-0002", "PkgName": "zlib", "InstalledVersion": "1.2", "Severity": "LOW" }]);
    hand_in_as(&gate, &scene, &other, "report", &trivy(&scene, &other, &json!([])), &protected).await;
    hand_in_as(&gate, &scene, &other, "report", &trivy(&scene, &other, &low), &branch).await;
    let wanted = Promotion { environment: Some("production".to_owned()), ..scene.promotion(":2", "2.0") };
    let status = ended(&gate, &gate.promote(&wanted, &job_asks(), &job(&["production"])).unwrap()).await;
    assert!(status.warnings.join("\n").contains("do not count"), "{:?}", status.warnings);
    status.ended.unwrap().unwrap();
    assert_eq!(gate.handed_in(&image, &anybody()).await.unwrap().len(), 2);
    let (verdict, record) = verdict_in(&gate, &image, "production").await;
    assert!(verdict == Verdict::Allow && record["findings"]["counts"]["LOW"] == 1, "{record}");
    assert_eq!(verdict_in(&gate, &image, "staging").await.0, Verdict::Deny);
    gate.stop().await;
}
