//! `--fix`: shown, agreed to, made, told, and looked at again.

use serde_json::{Value, json};
use testkit::Answer;
use testkit::fixtures::{ACCOUNT, REPOSITORY, image};

use super::scene::{Ran, Scene, doctor, frequency, repository};

/// Scan on push is off and tags can be moved, until both were put right.
fn mendable() -> testkit::Script {
    let put = json!({ "registryId": ACCOUNT, "repositoryName": REPOSITORY });
    Scene::poor()
        .says("PutImageScanningConfiguration", Answer::json(put.clone()))
        .says("PutImageTagMutability", Answer::json(put))
        .script()
        .on("DescribeRepositories", repository(true, "IMMUTABLE"))
        .on("BatchGetRepositoryScanningConfiguration", frequency("MANUAL", &[]))
}

fn puts(ran: &Ran) -> Vec<(&str, &Value)> {
    let puts = ran.requests.iter().filter(|request| request.operation.starts_with("Put"));
    puts.map(|request| (request.operation.as_str(), &request.body)).collect()
}

#[test]
fn a9_fix_shows_makes_tells_and_looks_again() {
    let ran = doctor(mendable(), &[&image("v1", ""), "--fix", "--yes"]).exits(0);
    assert_eq!(
        puts(&ran),
        [
            (
                "PutImageScanningConfiguration",
                &json!({
                    "registryId": ACCOUNT,
                    "repositoryName": REPOSITORY,
                    "imageScanningConfiguration": { "scanOnPush": true },
                })
            ),
            (
                "PutImageTagMutability",
                &json!({ "registryId": ACCOUNT, "repositoryName": REPOSITORY, "imageTagMutability": "IMMUTABLE" })
            ),
        ]
    );
    let told: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(
        told,
        [
            "will turn on scan on push for team/app",
            "will make tags immutable for team/app: pushes that reuse a tag will fail from then on",
            "done: scan on push is on for team/app",
            "done: tags are immutable for team/app",
        ]
    );
    assert_eq!(ran.asked("DescribeRepositories").len(), 2);
    assert!(ran.stdout.contains("ok    Tag immutability"), "{}", ran.stdout);

    let ran = doctor(mendable(), &[&image("v1", ""), "--fix", "--yes", "--output", "json", "--quiet"]).exits(0);
    assert!(ran.stderr.starts_with("will turn on"), "a change is shown even to --quiet: {ran:#?}");
    assert_eq!(
        ran.json()["changes"],
        json!([
            { "fix": "scanOnPush", "applied": true, "reason": null },
            { "fix": "immutability", "applied": true, "reason": null },
        ])
    );
}

#[test]
fn a9_fix_without_a_terminal_and_without_yes_changes_nothing() {
    let ran = doctor(mendable(), &[&image("v1", ""), "--fix"]).exits(64).changed_nothing();
    ran.says("will turn on scan on push").says("no terminal").says("hint: add --yes");
    doctor(mendable(), &[&image("v1", ""), "--yes"]).exits(64).changed_nothing();
    doctor(mendable(), &[&image("v1", "")]).exits(1).changed_nothing();
}

#[test]
fn a9_fix_with_nothing_to_do_needs_no_yes() {
    doctor(Scene::good().script(), &[&image("v1", ""), "--fix"])
        .exits(0)
        .changed_nothing()
        .says("nothing that --fix could change");
    // Only what is wrong is changed.
    let tags = Scene::good()
        .says("DescribeRepositories", repository(true, "MUTABLE"))
        .says("PutImageTagMutability", Answer::json(json!({})));
    let ran = doctor(tags.script(), &[&image("v1", ""), "--fix", "--yes"]).exits(0);
    assert_eq!(puts(&ran).iter().map(|(operation, _)| *operation).collect::<Vec<_>>(), ["PutImageTagMutability"]);
}

#[test]
fn a9_a_change_that_is_refused_is_told_and_stops_no_other() {
    for refusal in [Answer::error("AccessDeniedException", "not authorized"), Answer::denied_xml("not authorized")] {
        let script = Scene::poor()
            .says("PutImageScanningConfiguration", refusal)
            .says("PutImageTagMutability", Answer::json(json!({})))
            .script();
        let ran = doctor(script, &[&image("v1", ""), "--fix", "--yes", "--output", "json"]).exits(3);
        let changes = &ran.json()["changes"];
        assert_eq!((&changes[0]["applied"], &changes[1]["applied"]), (&json!(false), &json!(true)), "{changes}");
        assert_eq!(changes[0]["reason"]["code"], "aws.accessDenied");
        ran.says("error: ecr:PutImageScanningConfiguration on arn:").says("hint: Let somebody run this who has");
    }
}
