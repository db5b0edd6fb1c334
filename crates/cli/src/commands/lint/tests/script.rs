//! Shell scripts: one thing changed at a time.

use super::{changed, found};

const SOUND: &str = r#"#!/usr/bin/env bash
set -euo pipefail
image=123456789012.dkr.ecr.eu-central-1.amazonaws.com/app
docker buildx build --push --tag "$image:$(git rev-parse HEAD)" .
ecr-gate check "$image@$digest"
kubectl set image deployment/app app="$image@$digest"
"#;

const CHECK: &str = "ecr-gate check \"$image@$digest\"\n";

#[track_caller]
fn script(from: &str, to: &str, expected: &[&str]) {
    changed("ci.sh", SOUND, from, to, expected);
}

#[test]
fn a_sound_script_has_no_findings() {
    assert_eq!(found("ci.sh", SOUND), []);
    assert_eq!(found("x", "#!/bin/sh -e\necho\nls\n"), []);
    assert_eq!(found("x", "#!/bin/sh\nset -o errexit\nls\n"), []);
    assert_eq!(found("x", "#!/bin/sh\nls\n"), []);
}

#[test]
fn the_script_stops_at_a_failure() {
    script("set -euo pipefail\n", "", &["noErrexit!"]);
    script("set -euo pipefail\n", "set -u -o pipefail\n", &["noErrexit!"]);
    script("image=", "set +e\nimage=", &["setPlusE!"]);
    script("set -euo pipefail\n", "set -eu\n", &[]);
    let piped = SOUND.replace("set -euo pipefail", "set -eu");
    changed("ci.sh", &piped, CHECK, "ecr-gate check \"$image@$digest\" | tee log\n", &["pipedGate!"]);
    script(CHECK, "ecr-gate check \"$image@$digest\" | tee log\n", &[]);
}

#[test]
fn order_and_presence_of_the_gate() {
    script(CHECK, "", &["noGate!"]);
    let deploy = "kubectl set image deployment/app app=\"$image@$digest\"\n";
    script(&format!("{CHECK}{deploy}"), &format!("{deploy}{CHECK}"), &["deployBeforeGate!"]);
    let push = "docker buildx build --push --tag \"$image:$(git rev-parse HEAD)\" .\n";
    script(&format!("{push}{CHECK}"), &format!("{CHECK}{push}"), &["gateBeforePush!"]);
}

#[test]
fn the_classic_hand_written_gate() {
    let text = r#"#!/bin/bash
aws ecr wait image-scan-complete --repository-name app --image-id imageTag=latest
CRITICAL=$(aws ecr describe-image-scan-findings \
  --repository-name app \
  --query 'imageScanFindings.findingSeverityCounts.CRITICAL' \
  --output text 2>/dev/null || echo 0)
if [ "$CRITICAL" != "None" ] && [ "$CRITICAL" -gt 0 ]; then exit 1; fi
HIGH=$(aws ecr describe-image-scan-findings --repository-name app | jq '.findingSeverityCounts.HIGH // empty')
if grep -q ScanNotFoundException err.txt; then
  echo "no scan, fine"
  exit 0
fi
export AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE
kubectl set image deployment/app app=123456789012.dkr.ecr.eu-central-1.amazonaws.com/app:latest
"#;
    assert_eq!(
        found("old.sh", text),
        [
            ("lint.noErrexit", 2),
            ("lint.scanWaiter", 2),
            ("lint.query", 5),
            ("lint.swallowedError", 6),
            ("lint.swallowedError", 6),
            ("lint.emptyDefault", 8),
            ("lint.scanNotFound", 9),
            ("lint.staticKeys", 13),
            ("lint.staticKeys", 13),
            ("lint.latestTag", 14),
        ]
    );
}

#[test]
fn one_change_each() {
    script(CHECK, "ecr-gate check x@y || true\n", &["swallowedError!"]);
    script(CHECK, "if ! ecr-gate check x@y; then\n  echo blocked\n  exit 1\nfi\n", &[]);
    script(CHECK, "ecr-gate check x@y || :\n", &["swallowedError!"]);
    script("app=\"$image@$digest\"", "app=\"$image:$tag\"", &["deployByTag!"]);
    script(CHECK, "docker run --rm x/ecr-gate:1 check x@y\n", &["unpinnedGateImage!"]);
    script("image=", "export AWS_SECRET_ACCESS_KEY=\"$STORED\"\nimage=", &["staticKeys!"]);
    script(
        "image=",
        "key=$(aws sts get-session-token)\nexport AWS_SECRET_ACCESS_KEY=$(echo \"$key\" | jq -r .S)\nimage=",
        &[],
    );
    script("image=", "# aws ecr wait image-scan-complete || true\nimage=", &[]);
    script(CHECK, "ecr-gate check x@y --reason \"a // 0\"\n", &[]);
}
