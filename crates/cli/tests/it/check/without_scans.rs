//! Rules that need no scan: when the image was pushed, and how it is named. None is started for them, and none is read.

use testkit::fixtures::{self, ACCOUNT, REPOSITORY, digest, now, registry};
use testkit::{Answer, Script};

use crate::gate::{Gate, Ran, policy};

const DAY: i64 = 24 * 60 * 60;

fn pushed_ago(seconds: i64) -> Gate {
    let described = Answer::json(fixtures::describe_images(&digest(1), &["v1"], now() - seconds));
    Gate::new(Script::new().on("DescribeImages", described))
}

#[track_caller]
fn judged(gate: &Gate, rule: &str, image: &str) -> Ran {
    let file = gate.write("gate.yaml", policy(&format!("rules: [{{ id: r, {rule} }}]")));
    let ran = gate.check().image(image).args(&["--policy", &file]).run();
    for operation in ["StartImageScan", "DescribeImageScanFindings"] {
        assert_eq!(gate.ecr.count(operation), 0, "{operation}");
    }
    ran
}

#[test]
fn b16_the_push_is_dated_by_ecr() {
    let rule = "age: { min: 1d, max: 90d, of: pushed }";
    let image = fixtures::image("v1", "");
    judged(&pushed_ago(2 * DAY), rule, &image).exits(0);
    judged(&pushed_ago(90 * DAY), rule, &image).exits(1).because("age.exceeded");
    judged(&pushed_ago(DAY / 2), rule, &image).exits(1).because("age.tooYoung");
    let denied = Answer::error("AccessDeniedException", "not authorized to perform ecr:DescribeImages");
    let gate = Gate::new(Script::new().on("DescribeImages", denied));
    judged(&gate, rule, &fixtures::image("", &digest(1))).exits(3).because("aws.accessDenied");
}

#[test]
fn b13_the_reference_is_judged_as_it_was_written() {
    let ours = format!("registries: {{ allow: ['{}/team/**'], tags: {{ deny: [latest] }} }}", registry());
    let theirs = "registries: { allow: ['ghcr.io/**'] }";
    let image = fixtures::image("v1", "");
    judged(&pushed_ago(DAY), &ours, &image).exits(0);
    judged(&pushed_ago(DAY), theirs, &image).exits(1).because("reference.registry");
    let dual_stack = format!("{ACCOUNT}.dkr-ecr.eu-west-1.on.aws/{REPOSITORY}:v1");
    judged(&pushed_ago(DAY), &ours, &dual_stack).exits(0);
    let digest_only = "registries: { digestOnly: true }";
    judged(&pushed_ago(DAY), digest_only, &image).exits(1).because("reference.digest");
    judged(&pushed_ago(DAY), digest_only, &fixtures::image("", &digest(1))).exits(0);
}
