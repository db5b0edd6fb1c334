//! Every spelling of an image, and what of the pipeline ends up in the record.

use testkit::fixtures::{ACCOUNT, REPOSITORY, digest, registry};

use crate::gate::{Check, Gate, basic, scan};

fn clean() -> Gate {
    Gate::new(scan(&basic()))
}

/// Green, and asked about the fixture's repository in this region.
#[track_caller]
fn is_the_image(gate: &Gate, check: Check<'_>, region: &str) {
    gate.ecr.set(scan(&basic()));
    let ran = check.run().exits(0);
    for request in gate.ecr.requests() {
        assert_eq!(
            (&request.body["registryId"], &request.body["repositoryName"]),
            (&ACCOUNT.into(), &REPOSITORY.into())
        );
        let signed = request.authorization.unwrap();
        assert!(signed.contains(&format!("/{region}/ecr/aws4_request")), "{region}: {signed}");
    }
    assert_eq!(ran.record()["image"]["digest"], digest(1));
}

#[test]
fn a1_references_in_every_spelling() {
    let gate = clean();
    let hash = digest(1);
    for (reference, region) in [
        (format!("{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/{REPOSITORY}:v1"), "eu-west-1"),
        (format!("{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/{REPOSITORY}@{hash}"), "eu-west-1"),
        (format!("{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/{REPOSITORY}:v1@{hash}"), "eu-west-1"),
        (format!("{ACCOUNT}.dkr.ecr.cn-north-1.amazonaws.com.cn/{REPOSITORY}:v1"), "cn-north-1"),
        (format!("{ACCOUNT}.dkr.ecr.us-gov-west-1.amazonaws.com/{REPOSITORY}:v1"), "us-gov-west-1"),
        (format!("{ACCOUNT}.dkr-ecr.eu-central-1.on.aws/{REPOSITORY}:v1"), "eu-central-1"),
        (format!("{ACCOUNT}.dkr.ecr-fips.us-east-1.amazonaws.com/{REPOSITORY}:v1"), "us-east-1"),
        (format!("{ACCOUNT}.dkr-ecr-fips.us-west-2.on.aws/{REPOSITORY}:v1"), "us-west-2"),
    ] {
        is_the_image(&gate, gate.check().image(&reference), region);
    }
}

#[test]
fn a1_parts_by_flags() {
    let gate = clean();
    let parts = ["--account", ACCOUNT, "--region", "eu-north-1", "--repository", REPOSITORY];
    is_the_image(&gate, gate.check().without_image().args(&parts).args(&["--tag", "v1"]), "eu-north-1");
    is_the_image(&gate, gate.check().without_image().args(&parts).args(&["--digest", &digest(1)]), "eu-north-1");
    gate.check().without_image().args(&parts).run().exits(64).says("neither tag nor digest");
    gate.check().without_image().args(&parts).args(&["--tag", "not a tag"]).run().exits(64).says("tag");
    gate.check().without_image().args(&parts).args(&["--digest", "sha256:12"]).run().exits(64).says("digest");
    gate.check()
        .without_image()
        .args(&["--repository", REPOSITORY, "--account", "12", "--tag", "v1"])
        .run()
        .exits(64)
        .says("12 digits");
}

#[test]
fn a1_parts_by_variables() {
    let gate = clean();
    let check = || gate.check().without_image();
    let tag = || check().env("IMAGE_TAG", "v1");
    is_the_image(&gate, tag().env("ECR_REGISTRY", &registry()).env("ECR_REPO", REPOSITORY), "eu-west-1");
    is_the_image(
        &gate,
        tag().env("ECR_REGISTRY", &format!("{}/", registry())).env("ECR_REPO", REPOSITORY),
        "eu-west-1",
    );
    is_the_image(&gate, tag().env("ECR_REPO", &format!("{}/{REPOSITORY}", registry())), "eu-west-1");
    let whole = format!("{}/{REPOSITORY}", registry());
    is_the_image(&gate, tag().env("ECR_REGISTRY", &registry()).env("ECR_REPO", &whole), "eu-west-1");
    is_the_image(&gate, tag().env("ECR_REPO", REPOSITORY).env("AWS_ACCOUNT_ID", ACCOUNT), "eu-west-1");
    is_the_image(
        &gate,
        tag().env("ECR_REPO", REPOSITORY).env("AWS_ACCOUNT_ID", ACCOUNT).env("AWS_REGION", "eu-west-3"),
        "eu-west-3",
    );
    let by_digest =
        check().env("ECR_REGISTRY", &registry()).env("ECR_REPO", REPOSITORY).env("IMAGE_DIGEST", &digest(1));
    is_the_image(&gate, by_digest, "eu-west-1");
    // Tag and digest: the tag has to stand for the digest.
    let other = check().env("ECR_REGISTRY", &registry()).env("ECR_REPO", REPOSITORY).env("IMAGE_TAG", "v1");
    other.env("IMAGE_DIGEST", &digest(2)).run().exits(3).because("image.tagMoved");
    // A reference on the command line is alone.
    is_the_image(&gate, gate.check().env("ECR_REPO", "other/app").env("IMAGE_TAG", "v9"), "eu-west-1");
    tag().run().exits(64).says("ECR_REPO");
    tag().env("ECR_REPO", REPOSITORY).without(&["AWS_REGION", "AWS_DEFAULT_REGION"]).run().exits(64).says("region");
}

/// The account is the caller's own: ECR says which one it is.
#[test]
fn a1_without_an_account_the_caller_s_own_is_asked() {
    let gate = clean();
    let check = gate.check().without_image().env("ECR_REPO", REPOSITORY).env("IMAGE_TAG", "v1");
    check.run().exits(0);
    assert!(gate.ecr.requests().iter().all(|request| request.body["registryId"].is_null()));
}

#[test]
fn a1_what_is_no_image_of_ecr_is_never_asked_of_ecr() {
    let gate = clean();
    // Other registries are asked themselves; nothing listens here.
    let nobody = "127.0.0.1:1";
    let ran = gate.check().image(format!("{nobody}/acme/app:1")).args(&["--insecure-registry", nobody]).run();
    ran.exits(5).because("registry.unavailable").says(nobody);
    for (reference, says) in [
        ("12345.dkr.ecr.eu-west-1.amazonaws.com/app:1", "12 digits"),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com/app:1", "partition"),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/App:1", "not an image reference"),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/app", "neither tag nor digest"),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/app@sha256:abc", "not an image reference"),
        ("https://123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1", "not an image reference"),
        ("", "not an image reference"),
    ] {
        gate.check().image(reference).run().exits(64).says(says);
    }
    assert_eq!(gate.ecr.requests().len(), 0, "nothing is asked");
}

#[test]
fn b3_the_pipeline_is_in_the_record() {
    let gate = clean();
    let answer = |check: Check<'_>| check.run().exits(0).record()["answer"].clone();
    let gitlab =
        gate.check().env("CI_PIPELINE_ID", "4711").env("CI_COMMIT_SHA", "c0ffee").env("GITLAB_USER_LOGIN", "ada");
    let said = answer(gitlab.env("TRACEPARENT", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
    assert_eq!(
        (&said["pipeline"], &said["commit"], &said["askedBy"]),
        (&"4711".into(), &"c0ffee".into(), &"ada".into())
    );
    assert_eq!(said["traceId"], "4bf92f3577b34da6a3ce929d0e0e4736");
    let github = gate.check().env("GITHUB_RUN_ID", "42").env("GITHUB_SHA", "decade").env("GITHUB_ACTOR", "grace");
    let said = answer(github.env("TRACEPARENT", "nonsense"));
    assert_eq!(
        (&said["pipeline"], &said["commit"], &said["askedBy"]),
        (&"42".into(), &"decade".into(), &"grace".into())
    );
    assert!(said["traceId"].is_null());
    assert_eq!((&said["point"], &said["advisory"]), (&"cli".into(), &true.into()), "S13");
    assert!(answer(gate.check())["pipeline"].is_null());
}
