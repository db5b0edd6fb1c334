//! When ECR cannot be asked, or not everything: an error with its exit code, or a check that says why.

use std::time::{Duration, Instant};

use testkit::fixtures::{digest, image};
use testkit::{Answer, Script};

use super::scene::{Scene, doctor, doctor_with};

#[test]
fn a4_without_credentials_or_repository_there_is_nothing_to_ask() {
    let v1 = image("v1", "");
    let none = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")];
    let ran = doctor_with(Scene::good().script(), &[&v1], &none).exits(3).says("hint: Give the job a role");
    assert!(ran.stdout.is_empty() && ran.requests.is_empty(), "{ran:#?}");

    let expired = Answer::error_xml(403, "ExpiredToken", "The security token included in the request is expired");
    doctor(Scene::good().says("GetCallerIdentity", expired).script(), &[&v1]).exits(3).says("expired");
    let expired = Answer::error("ExpiredTokenException", "The security token included in the request is expired");
    doctor(Scene::good().says("StartImageScan", expired).script(), &[&v1]).exits(3).says("expired");

    let gone = Answer::error("RepositoryNotFoundException", "The repository with name 'team/app' does not exist");
    doctor(Scene::good().says("DescribeRepositories", gone.clone()).script(), &[&v1])
        .exits(3)
        .says("repository/team/app is not there");
    let hidden = Scene::good().says("DescribeRepositories", Answer::error("AccessDeniedException", "no"));
    doctor(hidden.says("DescribeImages", gone).script(), &[&v1]).exits(3).says("is not there");
}

#[test]
fn a4_an_ecr_that_cannot_be_reached_is_exit_5() {
    let nowhere = [("AWS_ENDPOINT_URL", "http://127.0.0.1:9")];
    let ran = doctor_with(Script::new(), &[&image("v1", "")], &nowhere).exits(5).says("hint: Check the network");
    assert!(ran.stdout.is_empty(), "{ran:#?}");
}

#[test]
fn a4_one_call_that_fails_is_one_check_that_says_why() {
    let id = "doctor.permission.batchGetImage";
    for (code, exit) in [("ThrottlingException", 4), ("ServerException", 5)] {
        let ran = Scene::good().says("BatchGetImage", Answer::error(code, "later")).examined().exits(exit);
        assert_eq!(ran.asked("BatchGetImage").len(), 2, "once more and no more: {ran:#?}");
        ran.is(id, "unknown").tells(id, "found", code).is("doctor.imageScan", "ok");
    }
    // What fails once only is not told at all.
    let once = Scene::good().says("BatchGetImage", Answer::cut()).script();
    let once = once.on("BatchGetImage", Answer::error("ImageNotFoundException", "not there"));
    doctor(once, &[&image("v1", "")]).exits(0);
    Scene::good()
        .says("GetRegistryScanningConfiguration", Answer::json(serde_json::json!({})))
        .examined()
        .exits(2)
        .is("doctor.scanType", "unknown");
}

#[test]
fn a9_a_call_that_hangs_has_an_end() {
    let started = Instant::now();
    let hung = Scene::good().says("StartImageScan", Answer::hang(Duration::from_mins(1)));
    hung.examined().exits(5).tells("doctor.permission.startImageScan", "found", "no answer within 10 seconds");
    assert!(started.elapsed() < Duration::from_secs(40), "{:?}", started.elapsed());
}

#[test]
fn a5_foreign_words_steer_neither_a_terminal_nor_a_log() {
    let words = "\u{1b}[2J\u{202e}\n::error::x ##[add-mask]y";
    let script = Scene::good()
        .says_of("DescribeImageScanFindings", &digest(1), Answer::error("SurpriseException", words))
        .script();
    for form in ["text", "json"] {
        let ran = doctor(script.clone(), &[&image("v1", ""), "--output", form]).exits(5);
        let lines = ran.stdout.lines().chain(ran.stderr.lines());
        for line in lines {
            assert!(!line.trim_start().starts_with("::") && !line.contains("##["), "{line}");
        }
    }
}
