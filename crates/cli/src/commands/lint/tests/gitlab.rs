//! GitLab: one thing changed at a time, and the ways GitLab files build on templates.

use super::{changed, examine, found};

pub(super) const SOUND: &str = r#"
stages: [build, gate, deploy]
variables:
  IMAGE: 123456789012.dkr.ecr.eu-central-1.amazonaws.com/app
push:
  stage: build
  image: docker:28-cli
  script:
    - docker build -t "$IMAGE:$CI_COMMIT_SHA" .
    - docker push "$IMAGE:$CI_COMMIT_SHA"
scan-gate:
  stage: gate
  image:
    name: registry.example.com/ecr-gate@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
    entrypoint: [""]
  needs: [push]
  allow_failure: false
  timeout: 13 minutes
  script:
    - ecr-gate check "$IMAGE@$IMAGE_DIGEST" --dotenv scan.env
deploy:
  stage: deploy
  needs: [push, scan-gate]
  rules:
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH
  script:
    - kubectl set image deployment/app app="$IMAGE@$IMAGE_DIGEST"
"#;

const GATE: &str = "    - ecr-gate check \"$IMAGE@$IMAGE_DIGEST\" --dotenv scan.env\n";
const NEEDS: &str = "  needs: [push, scan-gate]\n";

#[track_caller]
fn gitlab(from: &str, to: &str, expected: &[&str]) {
    changed(".gitlab-ci.yml", SOUND, from, to, expected);
}

/// Replaces the gate's command.
#[track_caller]
fn gate(script: &str, expected: &[&str]) {
    gitlab(GATE, &format!("    - {script}\n"), expected);
}

#[test]
fn a_sound_pipeline_has_no_findings() {
    assert_eq!(found(".gitlab-ci.yml", SOUND), []);
}

#[test]
fn the_gate_may_not_fail() {
    gitlab("allow_failure: false", "allow_failure: true", &["allowFailure!"]);
    gitlab("allow_failure: false", "allow_failure:\n    exit_codes: [1]", &["allowFailure!"]);
    gitlab("allow_failure: false", "allow_failure:\n    exit_codes: [7, 2]", &["allowFailure!"]);
    gitlab("allow_failure: false", "allow_failure:\n    exit_codes: 7", &[]); // what --warn-exit-code was given
    gitlab("  allow_failure: false\n", "  rules:\n    - if: $X\n      allow_failure: true\n", &["allowFailure!"]);
    gitlab("  allow_failure: false\n", "  when: manual\n", &["manualGate!"]);
    gitlab("  allow_failure: false\n", "  rules:\n    - when: manual\n", &["manualGate!"]);
    // Elsewhere it is nobody's business.
    gitlab("  image: docker:28-cli\n", "  image: docker:28-cli\n  allow_failure: true\n", &[]);
}

#[test]
fn every_deploy_waits_for_the_gate() {
    gitlab(NEEDS, "  needs: [push]\n", &["missingNeeds!"]);
    gitlab(NEEDS, "  needs: []\n", &["missingNeeds!"]);
    gitlab(NEEDS, "", &["missingNeeds"]);
    gitlab("  stage: deploy\n  needs: [push, scan-gate]\n", "  stage: gate\n", &["missingNeeds!"]);
    gitlab(NEEDS, "  needs: [push, {job: scan-gate, optional: true}]\n", &["optionalNeeds!"]);
    gitlab(NEEDS, "  needs: [push]\n  when: manual\n", &["manualDeploy!"]);
    gitlab(NEEDS, "  needs: [push, scan-gate]\n  when: manual\n", &[]);
    gitlab(NEEDS, "  needs: [push, scan-gate]\n  when: always\n", &["whenAlways!"]);
    gitlab("    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH\n", "    - when: always\n", &["whenAlways!"]);
    gitlab("    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH\n", "    - when: on_failure\n", &["whenAlways!"]);
    // By a job in between is fine; by a job that does not wait is not.
    let more = "\nstaging:\n  stage: deploy\n  needs: [scan-gate]\n  script: [\"helm upgrade a b\"]\n";
    let chained = SOUND.replace(NEEDS, "  needs: [staging]\n") + more;
    assert_eq!(found(".gitlab-ci.yml", &chained), []);
    let loose = chained.replace("needs: [scan-gate]", "needs: []");
    assert_eq!(found(".gitlab-ci.yml", &loose).len(), 2);
}

#[test]
fn the_gate_waits_for_the_push_and_there_is_one() {
    gitlab("  needs: [push]\n", "  needs: []\n", &["gateBeforePush!"]);
    gitlab("  needs: [push]\n", "", &[]);
    let gate = &SOUND[SOUND.find("scan-gate:").unwrap()..SOUND.find("deploy:\n").unwrap()];
    let without = SOUND.replace(gate, "");
    changed(".gitlab-ci.yml", &without, NEEDS, "  needs: [push]\n", &["noGate!"]);
    let included = format!("include: [local: x.yml]\n{without}");
    changed(".gitlab-ci.yml", &included, NEEDS, "  needs: [push]\n", &["noGate"]);
}

#[test]
fn the_gate_image_is_pinned() {
    let pinned =
        "registry.example.com/ecr-gate@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    gitlab(pinned, "registry.example.com/ecr-gate:1.2", &["unpinnedGateImage!"]);
    gitlab(pinned, "amazon/aws-cli", &["unpinnedGateImage!"]);
    gitlab(pinned, "registry.example.com/ecr-gate:latest", &["latestTag!"]);
    gitlab(pinned, "$GATE_IMAGE", &["unpinnedGateImage"]);
    let variable = SOUND.replace("variables:\n", &format!("variables:\n  GATE_IMAGE: {pinned}\n"));
    changed(".gitlab-ci.yml", &variable, &format!("name: {pinned}"), "name: ${GATE_IMAGE}", &[]);
    let latest = variable.replacen(pinned, "x/y:latest", 1);
    changed(".gitlab-ci.yml", &latest, &format!("name: {pinned}"), "name: $GATE_IMAGE", &["latestTag!"]);
    gitlab("image: docker:28-cli", "image: docker:latest", &["latestTag"]);
}

#[test]
fn time_limits() {
    gitlab("  timeout: 13 minutes\n", "", &["missingTimeout"]);
    gitlab("timeout: 13 minutes", "timeout: 10 minutes", &["timeoutTooShort"]);
    gate("ecr-gate check x@y --timeout 20m", &["timeoutTooShort"]);
    gitlab("stages:", "default: {timeout: 13m}\nstages:", &[]);
}

#[test]
fn hand_written_checks() {
    gate(
        "aws ecr describe-image-scan-findings --query 'imageScanFindings.findingSeverityCounts.CRITICAL'",
        &["query!"],
    );
    gate("aws ecr describe-image-scan-findings --query imageScanStatus.status", &["query"]);
    gate("aws ecr describe-image-scan-findings --output json | jq '.x.CRITICAL // 0'", &["emptyDefault!"]);
    gate("aws ecr describe-image-scan-findings > f; jq -r '.x.CRITICAL // empty' f", &["emptyDefault!"]);
    gate("aws ecr wait image-scan-complete --repository-name x", &["scanWaiter!"]);
    gate("aws ecr describe-image-scan-findings || true", &["swallowedError!"]);
    gate("aws ecr describe-image-scan-findings || echo none", &["swallowedError!"]);
    gate("aws ecr describe-image-scan-findings 2>/dev/null", &["swallowedError!"]);
    gate("ecr-gate check x@y || exit 0", &["swallowedError!"]);
    gate("ecr-gate check x@y ; true", &["swallowedError!"]);
    gate("ecr-gate check x@y || { echo blocked; exit 1; }", &[]);
    gate("ecr-gate check x@y || exit 1", &[]);
    gate("ecr-gate check x@y | tee out", &["pipedGate"]);
    gate("aws ecr describe-image-scan-findings 2>err || grep ScanNotFoundException err && exit 0", &["scanNotFound!"]);
    gate("aws ecr describe-image-scan-findings 2>err || { grep -q ScanNotFoundException err; exit 1; }", &[]);
    gate("set +e; ecr-gate check x@y", &["setPlusE!"]);
    gate("ecr-gate check x@y\n    - rm -f scan.tmp || true", &["swallowedError"]);
    gitlab("docker build -t", "docker rm old || true; docker build -t", &[]);
    gitlab("    - docker push", "    - set +e\n    - docker push", &["setPlusE"]);
}

#[test]
fn deploys_by_digest() {
    gitlab("app=\"$IMAGE@$IMAGE_DIGEST\"\n", "app=\"$IMAGE:$CI_COMMIT_SHA\"\n", &["deployByTag!"]);
    gitlab("app=\"$IMAGE@$IMAGE_DIGEST\"\n", "app=$IMAGE:latest\n", &["latestTag!"]);
    let deploy = "kubectl set image deployment/app app=\"$IMAGE@$IMAGE_DIGEST\"";
    gitlab(deploy, "helm upgrade app chart --set image.tag=$CI_COMMIT_SHA", &["deployByTag!"]);
    gitlab(deploy, "aws ecs update-service --service x --force-new-deployment", &["deployByTag"]);
    gitlab(deploy, "aws ecs update-service --service x --task-definition y --force-new-deployment", &[]);
    gitlab(deploy, "kubectl rollout restart deployment/app", &["deployByTag"]);
    gitlab(deploy, "helm upgrade app chart --set image.digest=$IMAGE_DIGEST", &[]);
    gitlab("docker push \"$IMAGE:$CI_COMMIT_SHA\"", "docker push $IMAGE:latest", &["latestTag"]);
}

#[test]
fn stored_keys_are_found_and_never_shown() {
    gitlab("variables:\n", "variables:\n  AWS_ACCESS_KEY_ID: $KEY\n", &["staticKeys!"]);
    gitlab("variables:\n", "variables:\n  AWS_SECRET_ACCESS_KEY: {value: abc, description: x}\n", &["staticKeys!"]);
    gitlab("variables:\n", "# AKIAIOSFODNN7EXAMPLE\nvariables:\n", &["staticKeys!"]);
    gate("export AWS_SECRET_ACCESS_KEY=$STORED\n    - ecr-gate check x@y", &["staticKeys!"]);
    let session = "export AWS_ACCESS_KEY_ID=$A AWS_SECRET_ACCESS_KEY=$B AWS_SESSION_TOKEN=$C";
    gate(&format!("{session}\n    - ecr-gate check x@y"), &[]);
    gate(
        "export $(printf 'AWS_ACCESS_KEY_ID=%s' $(aws sts assume-role-with-web-identity))\n    - ecr-gate check x@y",
        &[],
    );
    let secret = "wJalrXUtnFEMIxK7MDENGxbPxRfiCYEXAMPLEKEY";
    let text = SOUND.replace(
        "variables:\n",
        &format!("variables:\n  AWS_ACCESS_KEY_ID: AKIAIOSFODNN7EXAMPLE\n  AWS_SECRET_ACCESS_KEY: \"{secret}\"\n"),
    );
    let report = examine(".gitlab-ci.yml", &text, None).unwrap();
    assert_eq!(report.findings.iter().filter(|finding| finding.rule == "lint.staticKeys").count(), 3);
    let all = format!("{}{}", super::render(&report), serde_json::to_string(&report).unwrap());
    assert!(!all.contains(secret) && !all.contains("AKIAIOSFODNN7EXAMPLE") && all.contains("[redacted]"), "{all}");
}

#[test]
fn templates_are_followed() {
    // allow_failure from a template, the script by reference, the image from default, needs from an anchor.
    let text = r#"
include:
  - local: other.yml
default:
  image: registry.example.com/ecr-gate:1
.gate: &gate
  allow_failure: true
  timeout: 13m
.scripts:
  check:
    - ecr-gate check "$IMAGE@$IMAGE_DIGEST"
.wait: &wait
  needs: [push, the-check]
push:
  image: docker:28-cli
  script: [docker push x/y:1]
the-check:
  extends: [.gate]
  needs: [push]
  script:
    - echo start
    - !reference [.scripts, check]
release:
  <<: *wait
  script:
    - |
      # a comment || true
      kubectl set image deployment/app \
        app="$IMAGE:$CI_COMMIT_SHA"
unknown:
  extends: .from-another-file
  script: !reference [.elsewhere, script]
"#;
    let report = examine(".gitlab-ci.yml", text, None).unwrap();
    let found: Vec<_> = report.findings.iter().map(|finding| (finding.rule, finding.line, finding.column)).collect();
    assert_eq!(found, [("lint.unpinnedGateImage", 5, 10), ("lint.allowFailure", 7, 3), ("lint.deployByTag", 29, 14)]);
    assert_eq!(report.notes.len(), 1);
    assert!(report.notes[0].message.contains("not followed"));
}

#[test]
fn names_tell_when_commands_do_not() {
    let text = SOUND.replace(GATE, "    - ./scan.sh\n").replace("allow_failure: false", "allow_failure: true");
    assert_eq!(found(".gitlab-ci.yml", &text).len(), 1);
    let trigger = "deploy:\n  needs: [push]\n  trigger: group/deployments\n";
    let text = SOUND[..SOUND.find("deploy:\n").unwrap()].to_owned() + trigger;
    assert_eq!(found(".gitlab-ci.yml", &text).iter().map(|(rule, _)| *rule).collect::<Vec<_>>(), ["lint.missingNeeds"]);
    let stop = "stop:\n  needs: []\n  environment: {name: x, action: stop}\n  script: [./stop]\n";
    assert_eq!(found(".gitlab-ci.yml", &(SOUND.to_owned() + stop)), []);
}
