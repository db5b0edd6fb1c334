//! A18: ECR does not scan an index; the gate judges its platforms.

use std::time::Duration;

use testkit::fixtures::{self, DOCKER_LIST, OCI_INDEX, OCI_MANIFEST, Scan, digest, now};
use testkit::{Answer, Script};

use crate::gate::{Gate, SHORT, no_scan, policy, pushed};

const PLATFORMS: &[(&str, &str, u64)] = &[("linux", "amd64", 11), ("linux", "arm64/v8", 12)];

/// An index of two platforms and an attestation for each, by its digest; `scans` are of the platforms.
fn index(scans: &[Answer; 2]) -> (Script, String) {
    index_as(OCI_INDEX, scans)
}

fn index_as(media_type: &str, scans: &[Answer; 2]) -> (Script, String) {
    let children: Vec<_> = PLATFORMS.iter().map(|(os, arch, n)| (*os, *arch, digest(*n))).collect();
    let children: Vec<_> = children.iter().map(|(os, arch, digest)| (*os, *arch, digest.as_str())).collect();
    let attestations = [digest(21), digest(22)];
    let (text, of_index) = fixtures::index(&children, &[&attestations[0], &attestations[1]]);
    let describe = |digest: &str, media_type: &str| {
        Answer::json(fixtures::describe_images_as(digest, &["v1"], pushed(), media_type))
    };
    let mut script = Script::new()
        .on("DescribeImages", describe(&of_index, media_type))
        .on("BatchGetImage", Answer::json(fixtures::batch_get_image(&of_index, &text, media_type)));
    for ((_, _, n), scan) in PLATFORMS.iter().zip(scans) {
        let child = digest(*n);
        script = script.on_image("DescribeImages", &child, describe(&child, OCI_MANIFEST)).on_image(
            "DescribeImageScanFindings",
            &child,
            scan.clone(),
        );
    }
    (script, of_index)
}

fn clean(n: u64) -> Answer {
    Answer::json(Scan::basic(&digest(n), now() - 60).value())
}

fn bad(n: u64) -> Answer {
    Answer::json(Scan::basic(&digest(n), now() - 60).finding("CVE-2024-0001", "CRITICAL").value())
}

fn pending(n: u64) -> Answer {
    Answer::json(Scan::only_status(&digest(n), "PENDING").value())
}

#[test]
fn a18_every_platform_is_judged_and_attestations_are_none() {
    for media_type in [OCI_INDEX, DOCKER_LIST] {
        let (script, of_index) = index_as(media_type, &[clean(11), clean(12)]);
        let gate = Gate::new(script);
        let ran = gate.check().run().exits(0).says("linux/amd64").says("linux/arm64/v8");
        let record = ran.record();
        assert_eq!(record["image"]["digest"], of_index);
        assert_eq!(record["image"]["platforms"].as_array().unwrap().len(), 2);
        assert_eq!(record["signals"].as_array().unwrap().len(), 2, "evidence for each");
        let looked_at: Vec<_> = gate
            .ecr
            .requests()
            .iter()
            .filter(|request| request.operation == "DescribeImageScanFindings")
            .map(|request| request.digest().unwrap().to_owned())
            .collect();
        assert_eq!(looked_at, [digest(11), digest(12)], "neither the index nor its attestations");
    }
}

#[test]
fn a18_one_bad_platform_blocks() {
    for scans in [[clean(11), bad(12)], [bad(11), clean(12)]] {
        let gate = Gate::new(index(&scans).0);
        gate.check().run().exits(1).says("CVE-2024-0001");
    }
}

#[test]
fn s11_a_deny_ends_any_waiting_at_once() {
    for scans in [[bad(11), pending(12)], [pending(11), bad(12)]] {
        let gate = Gate::new(index(&scans).0);
        gate.check().timeout("40s").run().exits(1).says("CVE-2024-0001").within(Duration::from_secs(10));
    }
}

#[test]
fn a18_one_platform_without_a_scan_is_not_green() {
    for (scans, code) in [
        ([clean(11), pending(12)], 4),
        ([pending(11), clean(12)], 4),
        ([clean(11), Answer::json(Scan::only_status(&digest(12), "FAILED").value())], 2),
        ([clean(11), Answer::error("AccessDeniedException", "no")], 3),
        ([clean(11), clean(11)], 2),
    ] {
        let ran = Gate::new(index(&scans).0).check().timeout(SHORT).run().exits(code);
        assert_eq!(ran.variable("VULN_TOTAL"), None, "not every platform was counted");
    }
    let gate = Gate::new(index(&[clean(11), no_scan()]).0);
    gate.check().args(&["--no-start-scan"]).run().exits(3).because("scan.notStartable").says("linux/arm64");
}

#[test]
fn a18_a_missing_scan_of_a_platform_is_started() {
    let (script, _) = index(&[clean(11), no_scan()]);
    let script = script
        .on("StartImageScan", Answer::json(fixtures::start_image_scan(&digest(12), "IN_PROGRESS")))
        .on_image("DescribeImageScanFindings", &digest(12), clean(12));
    let gate = Gate::new(script);
    gate.check().run().exits(0);
    let started: Vec<_> =
        gate.ecr.requests().into_iter().filter(|request| request.operation == "StartImageScan").collect();
    assert_eq!(started.len(), 1);
    assert_eq!(started[0].digest(), Some(digest(12).as_str()));
}

#[test]
fn a18_the_policy_names_the_platforms() {
    let gate = Gate::new(index(&[clean(11), bad(12)]).0);
    let rules = "rules:\n- id: r\n  vulnerabilities: { max: { critical: 0 } }";
    let only = |platforms: &str| {
        let text = policy(&format!("match: {{ platforms: {platforms} }}\n{rules}"));
        gate.write("gate.yaml", text)
    };
    let amd64 = only("[linux/amd64]");
    gate.check().args(&["--policy", &amd64]).run().exits(0);
    let asked = gate.ecr.requests();
    assert!(asked.iter().all(|request| request.digest() != Some(digest(12).as_str())), "the other is not asked about");
    gate.ecr.set(index(&[clean(11), bad(12)]).0);
    let both = only("[linux/amd64, linux/arm64]");
    gate.check().args(&["--policy", &both]).run().exits(1);
    let all = only("all");
    gate.check().args(&["--policy", &all]).run().exits(1);
    let missing = only("[linux/amd64, linux/s390x]");
    gate.check().args(&["--policy", &missing]).run().exits(3).because("image.platformMissing").says("linux/s390x");
}

#[test]
fn a18_an_index_that_cannot_be_read_is_not_green() {
    let scans = || [clean(11), clean(12)];
    let nested = format!(
        "{{\"mediaType\":\"{OCI_INDEX}\",\"manifests\":[{{\"mediaType\":\"{OCI_INDEX}\",\"digest\":\"{}\"}}]}}",
        digest(11)
    );
    let only_attestations = fixtures::index(&[], &[&digest(21)]).0;
    for text in ["", "{}", "[]", "null", "{\"manifests\":[]}", "{\"manifests\":[{}]}", &nested, &only_attestations] {
        let (_, of_index) = index(&scans());
        let describe = fixtures::describe_images_as(&of_index, &["v1"], pushed(), OCI_INDEX);
        let script = Script::new()
            .on("DescribeImages", Answer::json(describe))
            .on("BatchGetImage", Answer::json(fixtures::batch_get_image(&of_index, text, OCI_INDEX)))
            .always("DescribeImageScanFindings", |_| clean(11));
        let gate = Gate::new(script);
        gate.check().run().exits(2);
        assert_eq!(gate.ecr.count("DescribeImageScanFindings"), 0, "{text}");
    }
}

/// The media type is missing: the manifest itself says that it is an index.
#[test]
fn a18_an_index_that_ecr_does_not_call_one() {
    let (script, of_index) = index(&[clean(11), bad(12)]);
    let mut describe = fixtures::describe_images_as(&of_index, &["v1"], pushed(), OCI_INDEX);
    describe["imageDetails"][0].as_object_mut().unwrap().remove("imageManifestMediaType");
    let script = script.on_image("DescribeImages", "v1", Answer::json(describe));
    Gate::new(script).check().run().exits(1).says("CVE-2024-0001");
}

/// The scan of the index itself, which ECR never makes, would prove nothing about its platforms.
#[test]
fn a18_platforms_that_ecr_does_not_know_are_not_found() {
    let (script, _) = index(&[clean(11), clean(12)]);
    let gone = Answer::error("ImageNotFoundException", "the image is not there");
    let script = script.always_image("DescribeImages", &digest(12), move |_| gone.clone());
    Gate::new(script).check().run().exits(3).because("aws.imageNotFound").says("linux/arm64");
}
