//! Scan on push at both levels, the scan type, tags, and the forms of the answer.

use serde_json::json;
use testkit::Answer;
use testkit::fixtures::{REPOSITORY, image};

use super::scene::{CALLER, Scene, arn, doctor, doctor_with, frequency, registry, repository};

#[test]
fn a9_all_good_is_green_and_changes_nothing() {
    let ran = Scene::good().examined().exits(0).changed_nothing();
    let report = ran.json();
    assert_eq!(report["schema"], "ecr-gate.dev/doctor/v1");
    assert_eq!(report["repository"], arn());
    assert_eq!(report["image"], image("v1", ""));
    assert_eq!(report["identity"], CALLER);
    assert_eq!(report["changes"], json!([]));
    let checks = report["checks"].as_array().unwrap();
    assert_eq!(report["summary"], json!({ "ok": checks.len(), "warning": 0, "problem": 0, "unknown": 0 }), "{ran:#?}");
    let ids: Vec<&str> = checks.iter().map(|check| check["id"].as_str().unwrap()).collect();
    assert_eq!(
        ids,
        [
            "doctor.identity",
            "doctor.repository",
            "doctor.scanType",
            "doctor.scanOnPush",
            "doctor.registryScanOnPush",
            "doctor.tagImmutability",
            "doctor.permission.describeImages",
            "doctor.permission.describeImageScanFindings",
            "doctor.permission.batchGetImage",
            "doctor.permission.startImageScan",
            "doctor.image",
            "doctor.baseImage",
            "doctor.imageScan",
        ]
    );
    for check in checks {
        let fields: Vec<&String> = check.as_object().unwrap().keys().collect();
        assert_eq!(
            fields,
            ["fixable", "found", "id", "reason", "remedy", "state", "subject", "title", "why"],
            "{check}"
        );
        assert!(["title", "found", "why"].iter().all(|field| !check[field].as_str().unwrap().is_empty()), "{check}");
    }
}

#[test]
fn a9_text_says_the_state_in_words_why_and_what_to_do() {
    let ran = doctor(Scene::poor().script(), &[&image("v1", "")]).exits(1);
    for line in [
        "ok    Identity: arn:aws:sts",
        "FAIL  Scan on push, repository: off",
        "      why: An image that is not scanned",
        "      -> `ecr-gate doctor --fix` turns on",
        "warn  Tag immutability: tags can be overwritten",
        "1 problem, 2 warnings, 0 not known,",
    ] {
        assert!(ran.stdout.contains(line), "{line}: {}", ran.stdout);
    }
    let green = doctor(Scene::good().script(), &[&image("v1", "")]).exits(0);
    assert!(!green.stdout.contains("-> ") && green.stdout.contains("0 problems, 0 warnings"), "{}", green.stdout);
}

#[test]
fn a9_a_repository_alone_is_looked_at_too() {
    let parts = ["--account", "123456789012", "--region", "eu-west-1", "--repository", REPOSITORY];
    let run = |scene: Scene| doctor(scene.script(), &[&parts[..], &["--output", "json"]].concat());
    let ran =
        run(Scene::good()).exits(0).is("doctor.baseImage", "unknown").tells("doctor.baseImage", "found", "distroless");
    assert_eq!(ran.json()["image"], json!(null));
    assert!(!ran.stdout.contains("doctor.imageScan"));
    run(Scene::good().says("GetRegistryScanningConfiguration", registry("ENHANCED", 1)))
        .exits(0)
        .is("doctor.baseImage", "ok");

    let variables = [("ECR_REGISTRY", "123456789012.dkr.ecr.eu-west-1.amazonaws.com"), ("ECR_REPO", REPOSITORY)];
    doctor_with(Scene::good().script(), &["--output", "json"], &variables).exits(0).is("doctor.repository", "ok");
    let tagged = [&variables[..], &[("IMAGE_TAG", "v1")]].concat();
    doctor_with(Scene::good().script(), &["--output", "json"], &tagged).exits(0).is("doctor.imageScan", "ok");
    doctor(Scene::good().script(), &[]).exits(64);
}

#[test]
fn a9_scan_on_push_off_is_a_problem_that_can_be_mended() {
    let ran = Scene::poor().examined().exits(1).changed_nothing().is("doctor.scanOnPush", "problem");
    assert_eq!(ran.all("doctor.scanOnPush")[0]["fixable"], "scanOnPush");
    let ran = ran.is("doctor.registryScanOnPush", "warning");
    assert_eq!(ran.all("doctor.registryScanOnPush")[0]["fixable"], json!(null));
    ran.tells("doctor.registryScanOnPush", "remedy", "put-registry-scanning-configuration");

    // A rule of the registry does the same for every repository that it matches.
    Scene::good()
        .says("DescribeRepositories", repository(false, "IMMUTABLE"))
        .says("GetRegistryScanningConfiguration", registry("BASIC", 1))
        .says("BatchGetRepositoryScanningConfiguration", frequency("SCAN_ON_PUSH", &["team/*"]))
        .examined()
        .exits(0)
        .tells("doctor.scanOnPush", "found", "on by a rule of the registry")
        .tells("doctor.registryScanOnPush", "found", "team/*");
    // ECR counts the repository's own setting for nothing where rules match other repositories only.
    Scene::good()
        .says("GetRegistryScanningConfiguration", registry("BASIC", 1))
        .says("BatchGetRepositoryScanningConfiguration", frequency("MANUAL", &[]))
        .examined()
        .exits(0)
        .is("doctor.scanOnPush", "warning");
}

#[test]
fn a9_tags_that_can_be_moved_are_a_warning() {
    let scene = |answer| Scene::good().says("DescribeRepositories", answer).examined().exits(0);
    let mutable = scene(repository(true, "MUTABLE")).is("doctor.tagImmutability", "warning");
    assert_eq!(mutable.all("doctor.tagImmutability")[0]["fixable"], "immutability");
    for setting in ["IMMUTABLE_WITH_EXCLUSION", "MUTABLE_WITH_EXCLUSION"] {
        let answer = Answer::json(json!({ "repositories": [{
            "repositoryName": REPOSITORY,
            "imageTagMutability": setting,
            "imageTagMutabilityExclusionFilters": [{ "filterType": "WILDCARD", "filter": "latest*" }],
            "imageScanningConfiguration": { "scanOnPush": true },
        }] }));
        let ran =
            scene(answer).is("doctor.tagImmutability", "warning").tells("doctor.tagImmutability", "found", "latest*");
        assert_eq!(ran.all("doctor.tagImmutability")[0]["fixable"], json!(null), "exceptions are somebody's choice");
    }
    scene(repository(true, "SOMETIMES")).is("doctor.tagImmutability", "unknown");
}

#[test]
fn a12_with_enhanced_scanning_only_the_registry_decides() {
    let scene = |own: bool, word: &str, filters: &[&str]| {
        Scene::good()
            .says("DescribeRepositories", repository(own, "IMMUTABLE"))
            .says("GetRegistryScanningConfiguration", registry("ENHANCED", 1))
            .says("BatchGetRepositoryScanningConfiguration", frequency(word, filters))
            .says("StartImageScan", Answer::error("ValidationException", "This feature is disabled: enhanced scanning"))
            .examined()
    };
    for word in ["SCAN_ON_PUSH", "CONTINUOUS_SCAN"] {
        let ran = scene(false, word, &["team/*"]).exits(0).is("doctor.scanOnPush", "ok");
        assert_eq!(ran.all("doctor.scanOnPush")[0]["fixable"], json!(null));
        ran.tells("doctor.scanOnPush", "found", "ignored").tells("doctor.registryScanOnPush", "found", word).tells(
            "doctor.permission.startImageScan",
            "found",
            "not used",
        );
    }
    scene(true, "MANUAL", &[])
        .exits(1)
        .is("doctor.scanOnPush", "ok")
        .is("doctor.registryScanOnPush", "problem")
        .tells("doctor.registryScanOnPush", "found", "never scanned")
        .tells("doctor.registryScanOnPush", "remedy", "--scan-type ENHANCED");
}

#[test]
fn a9_another_account_s_registry_is_not_mistaken_for_ours() {
    let other = "arn:aws:sts::210987654321:assumed-role/ci/job";
    let caller = Answer::xml(testkit::fixtures::get_caller_identity(other));
    let ran = Scene::good().says("GetCallerIdentity", caller).examined().exits(0);
    assert!(
        ran.asked("GetRegistryScanningConfiguration").is_empty(),
        "it would describe the caller's registry: {ran:#?}"
    );
    ran.is("doctor.scanType", "unknown").is("doctor.registryScanOnPush", "unknown").is("doctor.scanOnPush", "ok");
}

#[test]
fn a9_without_an_account_it_is_the_caller_s_registry() {
    let refused = Scene::good().says("DescribeRepositories", Answer::error("AccessDeniedException", "no"));
    let parts = ["--region", "eu-west-1", "--repository", REPOSITORY, "--output", "json"];
    let ran = doctor(refused.script(), &parts).exits(3).tells("doctor.repository", "remedy", &arn());
    assert_eq!(ran.json()["repository"], arn());
    assert!(!ran.stdout.contains(":*:"), "{ran:#?}");
    assert!(ran.asked("DescribeRepositories")[0].body.get("registryId").is_none(), "{ran:#?}");
}
