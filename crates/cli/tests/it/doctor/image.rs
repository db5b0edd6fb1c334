//! The image: there or not, an index or not, scanned or not, and whether the scanner can read it (A15, A18).

use serde_json::json;
use testkit::Answer;
use testkit::fixtures::{self, OCI_INDEX, Scan, digest, now};

use super::scene::{Ran, Scene, doctor, frequency, registry};

fn scanned(scan: &Scan) -> Scene {
    Scene::good().says_of("DescribeImageScanFindings", &digest(1), Answer::json(scan.value()))
}

#[test]
fn a15_an_unsupported_base_says_what_to_do() {
    let unsupported = Scan::only_status(&digest(1), "UNSUPPORTED_IMAGE").description("UnsupportedImageError: scratch");
    scanned(&unsupported)
        .examined()
        .exits(1)
        .is("doctor.imageScan", "problem")
        .tells("doctor.imageScan", "found", "UNSUPPORTED_IMAGE")
        .tells("doctor.imageScan", "remedy", "distroless and scratch")
        .tells("doctor.imageScan", "remedy", "enhanced scanning")
        .tells("doctor.imageScan", "remedy", "second source");
    scanned(&unsupported)
        .says("GetRegistryScanningConfiguration", registry("ENHANCED", 1))
        .says("BatchGetRepositoryScanningConfiguration", frequency("SCAN_ON_PUSH", &["*"]))
        .examined()
        .exits(1)
        .tells("doctor.imageScan", "remedy", "Inspector does not know this base either");
}

#[test]
fn a9_each_state_of_the_scan_is_told() {
    for (scan, state, code) in [
        (Scan::only_status(&digest(1), "IN_PROGRESS"), "warning", 0),
        (Scan::only_status(&digest(1), "COMPLETE"), "warning", 0),
        (Scan::only_status(&digest(1), "FAILED"), "problem", 1),
        (Scan::only_status(&digest(1), "SCAN_ELIGIBILITY_EXPIRED"), "problem", 1),
        (Scan::only_status(&digest(1), "A_STATUS_OF_TOMORROW"), "problem", 1),
        (Scan::basic(&digest(1), now() - 9000), "warning", 0),
        (Scan::basic(&digest(1), now() - 60).finding("CVE-2024-0001", "CRITICAL"), "ok", 0),
        (Scan::enhanced(&digest(1), now() - 60), "ok", 0),
        (Scan::basic(&digest(2), now() - 60), "unknown", 2),
    ] {
        scanned(&scan).examined().exits(code).is("doctor.imageScan", state);
    }
    let none = Answer::error("ScanNotFoundException", "no scan");
    Scene::good()
        .says_of("DescribeImageScanFindings", &digest(1), none)
        .examined()
        .exits(0)
        .is("doctor.imageScan", "warning");
    let cut = Answer::truncated(Scan::basic(&digest(1), now()).value(), 40);
    Scene::good()
        .says_of("DescribeImageScanFindings", &digest(1), cut)
        .examined()
        .exits(5)
        .is("doctor.imageScan", "unknown");
    let half = Answer::text("{\"imageScanStatus\":");
    Scene::good()
        .says_of("DescribeImageScanFindings", &digest(1), half)
        .examined()
        .exits(2)
        .is("doctor.imageScan", "unknown");
}

/// `v1` is an index of two platforms and an attestation.
fn index(second: &Scan) -> Ran {
    let (manifest, of_index) =
        fixtures::index(&[("linux", "amd64", &digest(11)), ("linux", "arm64/v8", &digest(12))], &[&digest(13)]);
    Scene::good()
        .says_of(
            "DescribeImages",
            "v1",
            Answer::json(fixtures::describe_images_as(&of_index, &["v1"], now() - 60, OCI_INDEX)),
        )
        .says_of("BatchGetImage", &of_index, Answer::json(fixtures::batch_get_image(&of_index, &manifest, OCI_INDEX)))
        .says_of("DescribeImageScanFindings", &digest(11), Answer::json(Scan::basic(&digest(11), now() - 100).value()))
        .says_of("DescribeImageScanFindings", &digest(12), Answer::json(second.value()))
        .examined()
}

#[test]
fn a18_the_platforms_of_an_index_are_looked_at_and_never_the_index() {
    let ran =
        index(&Scan::basic(&digest(12), now() - 100)).exits(0).tells("doctor.image", "found", "never scanned itself");
    let scans = ran.all("doctor.imageScan");
    let subjects: Vec<_> = scans.iter().map(|scan| (scan["subject"].as_str(), scan["state"].as_str())).collect();
    assert_eq!(subjects, [(Some("linux/amd64"), Some("ok")), (Some("linux/arm64/v8"), Some("ok"))]);
    let asked: Vec<_> = ran.asked("DescribeImageScanFindings").iter().skip(1).map(|request| request.digest()).collect();
    assert_eq!(asked, [Some(digest(11).as_str()), Some(digest(12).as_str())]);

    let ran = index(&Scan::only_status(&digest(12), "UNSUPPORTED_IMAGE")).exits(1);
    assert_eq!(ran.all("doctor.imageScan")[1]["reason"], "scan.unsupported");
    assert_eq!(ran.all("doctor.imageScan")[0]["reason"], json!(null));
}

#[test]
fn a1_an_image_that_is_not_there_or_another_one_is_exit_3() {
    let gone = fixtures::image("v2", "");
    let ran = doctor(Scene::good().script(), &[&gone, "--output", "json"]).exits(3).is("doctor.image", "problem");
    assert_eq!(ran.all("doctor.image")[0]["reason"], "aws.imageNotFound");
    let moved = fixtures::image("v1", &digest(9));
    let ran = doctor(Scene::good().script(), &[&moved, "--output", "json"]).exits(3).is("doctor.image", "problem");
    assert_eq!(ran.all("doctor.image")[0]["reason"], "image.tagMoved");
    doctor(Scene::good().script(), &[&fixtures::image("v1", &digest(1)), "--output", "json"]).exits(0);
}

#[test]
fn a9_what_is_no_image_is_told() {
    let mut chart = fixtures::describe_images(&digest(1), &["v1"], now() - 60);
    chart["imageDetails"][0]["artifactMediaType"] = json!("application/vnd.cncf.helm.config.v1+json");
    let ran = Scene::good()
        .says_of("DescribeImages", "v1", Answer::json(chart))
        .examined()
        .exits(1)
        .is("doctor.image", "problem");
    assert_eq!(ran.all("doctor.image")[0]["reason"], "image.notAnImage");
}
