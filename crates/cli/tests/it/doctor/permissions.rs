//! Permissions, found by trying: each action refused in both of the ways that refusals come.

use testkit::Answer;
use testkit::fixtures::{digest, image};

use super::scene::{CALLER, NOBODY, Ran, Scene, doctor, frequency, registry, repository};
use crate::gate::each;

/// As ECR refuses, and as endpoints that speak XML do.
fn refusals(action: &str) -> [Answer; 2] {
    let message = format!("User: {CALLER} is not authorized to perform: {action}");
    [Answer::error("AccessDeniedException", &message), Answer::denied_xml(&message)]
}

/// Each refusal of this operation, with an image named.
fn denied(scene: &Scene, operation: &str) -> Vec<Ran> {
    let scenes: Vec<Scene> = refusals(&format!("ecr:{operation}"))
        .into_iter()
        .map(|refusal| {
            let scene = scene.clone().says(operation, refusal.clone());
            // A role that may not ask may not ask about any image.
            let scene = scene.clone().says_of(operation, "v1", refusal.clone());
            scene.says_of(operation, &digest(1), refusal)
        })
        .collect();
    each(&scenes, |_, scene| scene.examined())
}

#[test]
fn a9_a_permission_that_check_needs_is_exit_3() {
    for (operation, id) in [
        ("DescribeImages", "doctor.permission.describeImages"),
        ("DescribeImageScanFindings", "doctor.permission.describeImageScanFindings"),
        ("BatchGetImage", "doctor.permission.batchGetImage"),
    ] {
        for ran in denied(&Scene::good(), operation) {
            let ran =
                ran.exits(3).is(id, "problem").tells(id, "remedy", &format!("Allow ecr:{operation} on arn:aws:ecr:"));
            let ran = ran.tells(id, "remedy", CALLER).tells(id, "remedy", "iam-policy --for check");
            assert_eq!(ran.all(id)[0]["reason"], "aws.accessDenied");
            // The others were looked at nevertheless.
            assert!(ran.json()["summary"]["ok"].as_u64().unwrap() >= 9, "{ran:#?}");
        }
    }
    // 3 outweighs 1: nothing that is mended helps a check that may not ask.
    for ran in denied(&Scene::poor(), "DescribeImages") {
        ran.exits(3).is("doctor.scanOnPush", "problem");
    }
}

#[test]
fn a9_starting_scans_is_needed_where_pushes_are_not_scanned() {
    let id = "doctor.permission.startImageScan";
    for ran in denied(&Scene::good(), "StartImageScan") {
        ran.exits(0).is(id, "warning").tells(id, "remedy", "ecr:StartImageScan");
    }
    let off = Scene::good()
        .says("DescribeRepositories", repository(false, "IMMUTABLE"))
        .says("BatchGetRepositoryScanningConfiguration", frequency("MANUAL", &[]));
    for ran in denied(&off, "StartImageScan") {
        ran.exits(3).is(id, "problem");
    }
    let enhanced = Scene::good()
        .says("GetRegistryScanningConfiguration", registry("ENHANCED", 1))
        .says("BatchGetRepositoryScanningConfiguration", frequency("CONTINUOUS_SCAN", &["*"]));
    for ran in denied(&enhanced, "StartImageScan") {
        ran.exits(0).is(id, "ok");
    }
    let id = "doctor.permission.describeImageScanFindings";
    for ran in denied(&enhanced, "DescribeImageScanFindings") {
        ran.exits(3).tells(id, "remedy", "inspector2:ListFindings");
    }
}

#[test]
fn a9_what_doctor_itself_may_not_see_is_told_and_not_green() {
    for (operation, id) in [
        ("DescribeRepositories", "doctor.repository"),
        ("GetRegistryScanningConfiguration", "doctor.scanType"),
        ("BatchGetRepositoryScanningConfiguration", "doctor.registryScanOnPush"),
    ] {
        for ran in denied(&Scene::good(), operation) {
            ran.exits(3)
                .is(id, "unknown")
                .tells(id, "remedy", "iam-policy --for doctor")
                .is("doctor.permission.describeImages", "ok")
                .is("doctor.imageScan", "ok");
        }
    }
    // STS decides nothing: a private subnet may have no way to it.
    for ran in denied(&Scene::good(), "GetCallerIdentity") {
        ran.exits(0).is("doctor.identity", "warning");
    }
}

#[test]
fn a9_trying_names_a_digest_that_no_image_has() {
    let ran = Scene::good().examined().exits(0);
    for operation in ["DescribeImages", "DescribeImageScanFindings", "BatchGetImage", "StartImageScan"] {
        assert_eq!(ran.asked(operation)[0].digest(), Some(NOBODY), "{operation}");
    }
    // Whatever says "not there" says "permitted".
    for (operation, code) in [
        ("DescribeImageScanFindings", "ScanNotFoundException"),
        ("StartImageScan", "LimitExceededException"),
        ("StartImageScan", "UnsupportedImageTypeException"),
        ("StartImageScan", "ValidationException"),
    ] {
        Scene::good().says(operation, Answer::error(code, "so it is")).examined().exits(0);
    }
    // What says neither is not known.
    let odd = Scene::good().says("BatchGetImage", Answer::error("SurpriseException", "new")).script();
    doctor(odd, &[&image("v1", "")]).exits(5).says("?     Permission ecr:BatchGetImage");
}
