//! What changes while an image is looked at, and after it was.

use std::time::Duration;

use engine::{Basis, Point, Submission};
use model::{Digest, Verdict};
use testkit::oci::{Fault, ImageBuilder, IndexBuilder};

use super::scene::{NON_ROOT, Scene, anybody, ask, bundle, by, image, named, now, verdict};

const NOTHING_CRITICAL: &str = "- { id: scan, vulnerabilities: { sources: { accept: [file] }, max: { critical: 0 } } }";

/// A report of Trivy about this image, with a critical finding or without.
fn report(pinned: &str, is_critical: bool) -> Submission {
    let finding = serde_json::json!({ "VulnerabilityID": "CVE-2026-1111", "PkgName": "openssl", "InstalledVersion": "3.0.8-1",
        "Severity": "CRITICAL", "Status": "affected", "PkgIdentifier": { "PURL": "pkg:deb/debian/openssl@3.0.8-1" } });
    let found = if is_critical { vec![finding] } else { Vec::new() };
    let document = serde_json::json!({
        "SchemaVersion": 2, "CreatedAt": now(), "ArtifactName": pinned, "ArtifactType": "container_image",
        "Trivy": { "Version": "0.59.1" },
        "Metadata": { "OS": { "Family": "debian", "Name": "12" }, "RepoDigests": [pinned] },
        "Results": [{ "Target": "app (debian 12)", "Class": "os-pkgs", "Type": "debian", "Vulnerabilities": found }],
    });
    Submission { image: pinned.to_owned(), kind: "report".to_owned(), document: document.to_string().into() }
}

#[tokio::test(flavor = "multi_thread")]
async fn s42_a_document_that_is_handed_in_while_the_image_is_looked_at_is_in_the_answer() {
    let scene = Scene::new();
    let digest = scene.push("1", "1000");
    let pinned = scene.named(&format!("@{digest}"));
    let gate = scene.gate(NOTHING_CRITICAL).await;
    gate.submit(report(&pinned, false), &by(Point::Ci), &anybody()).await.unwrap();
    for name in [pinned.clone(), scene.named(":1")] {
        scene.registry.clear_log();
        scene.registry.clear_faults();
        scene.registry.fault(Fault::on("GET", "/manifests/").delay(Duration::from_millis(500)));
        let asking = tokio::spawn({
            let gate = gate.clone();
            async move { ask(&gate, &name).await.unwrap() }
        });
        while scene.registry.requests().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // What was handed in so far has been read; the image has not.
        gate.submit(report(&pinned, true), &by(Point::Ci), &anybody()).await.unwrap();
        assert!(!asking.is_finished(), "it is handed in meanwhile");
        let answered = asking.await.unwrap();
        assert_eq!(answered.decision.verdict, Verdict::Deny, "{}", String::from_utf8_lossy(&answered.decision.record));
        assert!(String::from_utf8_lossy(&answered.decision.record).contains("CVE-2026-1111"));
        assert!(scene.registry.requests().len() > 1, "it was looked at again: {:?}", scene.registry.lines());
    }
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s1_an_answer_about_an_index_covers_what_the_policy_of_now_judges() {
    let scene = Scene::new();
    let (one, two) = (image("1000"), ImageBuilder::new().platform("linux/s390x").user("1001").build());
    let index = IndexBuilder::new().image(&one).image(&two).build();
    let digest = scene.registry.push("team/app", Some("1"), &index);
    let (parent, child) = (scene.named(&format!("@{digest}")), scene.named(&format!("@{}", two.digest())));
    let narrow = format!("{NON_ROOT}\n  match: {{ platforms: [linux/amd64] }}");
    let gate = scene.gate(NON_ROOT).await;
    let wide = gate.versions(1, &anybody()).await.unwrap().remove(0).digest;
    let narrow = gate.upload(bundle(&narrow), &named("ada")).await.unwrap().digest;
    let covered = async || -> Vec<String> {
        let answered = ask(&gate, &parent).await.unwrap();
        let row = gate.decision(&answered.decision.id, &anybody()).await.unwrap();
        let children: Vec<String> = answered.permit.unwrap().children().iter().map(Digest::to_string).collect();
        assert_eq!(row.children.iter().map(Digest::to_string).collect::<Vec<_>>(), children, "on record as answered");
        children
    };
    let is_inherited = async || {
        let permit = ask(&gate, &child).await.unwrap().permit;
        permit.is_ok_and(|permit| matches!(permit.basis(), Basis::Inherited(_)))
    };
    let both = [one.digest(), two.digest()];
    assert_eq!(covered().await, both);
    assert!(is_inherited().await);
    gate.activate(&narrow, None, None, &named("ada")).await.unwrap();
    assert!(!is_inherited().await, "before anybody asks about the index again");
    assert_eq!(covered().await, both[..1]);
    assert!(!is_inherited().await, "nobody judged it");
    gate.activate(&wide, None, None, &named("ada")).await.unwrap();
    assert_eq!(covered().await, both);
    assert!(is_inherited().await);
    assert_eq!(verdict(&gate, &parent).await, Verdict::Allow);
    gate.stop().await;
}
