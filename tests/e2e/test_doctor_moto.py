"""`ecr-gate doctor` against moto's ECR, IAM and STS: what it finds, what `--fix` changes there, and what it leaves alone."""

from __future__ import annotations

import os
import pty
import subprocess
from typing import Any

import pytest
from conftest import ACCOUNT, GATE_TIMEOUT_S, REGION, TEST_CREDENTIALS, digest_of, image_manifest, index_manifest
from scans import LOW, REGISTRY, complete, without_result

REPOSITORY = "shop/api"
IMAGE = f"{REGISTRY}/{REPOSITORY}:1.0"
ARN = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{REPOSITORY}"
NEEDED = ["ecr:DescribeImages", "ecr:DescribeImageScanFindings", "ecr:BatchGetImage", "ecr:StartImageScan"]
SEEN = ["sts:GetCallerIdentity", "ecr:DescribeRepositories", "ecr:GetRegistryScanningConfiguration", "ecr:BatchGetRepositoryScanningConfiguration"]
CHANGED = ["ecr:PutImageScanningConfiguration", "ecr:PutImageTagMutability"]


@pytest.fixture
def poor(moto, push_image) -> str:
    """The digest of IMAGE in a repository as ECR creates it: nothing is scanned on push, tags can be moved."""
    return push_image(REPOSITORY, "1.0")


@pytest.fixture
def good(moto, push_image) -> str:
    """The same where both are as they should be."""
    moto.ecr.create_repository(repositoryName=REPOSITORY, imageTagMutability="IMMUTABLE", imageScanningConfiguration={"scanOnPush": True})
    return push_image(REPOSITORY, "1.0")


def settings(moto) -> tuple[bool, str]:
    [repository] = moto.ecr.describe_repositories(repositoryNames=[REPOSITORY])["repositories"]
    return repository["imageScanningConfiguration"]["scanOnPush"], repository["imageTagMutability"]


def states(run) -> dict[str, str]:
    return {check["id"].removeprefix("doctor."): check["state"] for check in run.json()["checks"]}


def test_a9_a_repository_as_ecr_creates_it(gate, moto, poor):
    run = gate("doctor", IMAGE, "--output", "json")
    assert run.rc == run.json()["exitCode"] == 1
    assert run.json()["repository"] == ARN and run.json()["schema"] == "ecr-gate.dev/doctor/v1"
    found = states(run)
    assert (found["scanOnPush"], found["registryScanOnPush"], found["tagImmutability"]) == ("problem", "warning", "warning")
    assert (found["imageScan"], found["baseImage"], found["identity"]) == ("warning", "unknown", "ok")
    assert all(state == "ok" for check, state in found.items() if check.startswith("permission."))
    # Looking started no scan and changed no setting.
    assert settings(moto) == (False, "MUTABLE")
    with pytest.raises(moto.ecr.exceptions.ScanNotFoundException):
        moto.ecr.describe_image_scan_findings(repositoryName=REPOSITORY, imageId={"imageDigest": poor})


def test_a9_all_good(gate, good, seed_scan):
    seed_scan(REPOSITORY, good, complete(LOW))
    run = gate("doctor", IMAGE)
    assert (run.rc, run.stderr) == (0, "")
    assert "0 problems, 0 warnings, 0 not known" in run.stdout and "-> " not in run.stdout


def test_a9_fix_mends_what_it_says_and_nothing_else(gate, moto, poor):
    refused = gate("doctor", IMAGE, "--fix")
    assert refused.rc == 64 and "--yes" in refused.stderr and "will turn on scan on push" in refused.stderr
    assert settings(moto) == (False, "MUTABLE")

    run = gate("doctor", IMAGE, "--fix", "--yes", "--output", "json")
    assert run.rc == 0 and settings(moto) == (True, "IMMUTABLE")
    assert [(change["fix"], change["applied"]) for change in run.json()["changes"]] == [("scanOnPush", True), ("immutability", True)]
    assert states(run)["scanOnPush"] == states(run)["tagImmutability"] == "ok"
    again = gate("doctor", IMAGE, "--fix", "--yes", "--output", "json")
    assert again.rc == 0 and again.json()["changes"] == []
    # A tag cannot be moved any more, as was said. (ECR has an error of its own for that, ImageTagAlreadyExistsException.)
    with pytest.raises(moto.ecr.exceptions.ImageAlreadyExistsException):
        manifest = image_manifest("another")
        moto.ecr.put_image(repositoryName=REPOSITORY, imageTag="1.0", imageManifest=manifest, imageDigest=digest_of(manifest))


def everything(terminal: int) -> str:
    """What was written to the terminal; its other side is closed, which Linux tells by EIO."""
    read = bytearray()
    try:
        while chunk := os.read(terminal, 65536):
            read += chunk
    except OSError:
        pass
    return read.decode()


@pytest.mark.parametrize(("answer", "changed"), [("y", True), ("yes", True), ("n", False), ("", False), ("perhaps", False)])
def test_a9_fix_asks_on_a_terminal(moto, poor, tmp_path, answer: str, changed: bool):
    ours, theirs = pty.openpty()
    environment = {"HOME": str(tmp_path), "AWS_REGION": REGION, "AWS_ENDPOINT_URL": moto.url, "AWS_EC2_METADATA_DISABLED": "true", "NO_COLOR": "1"}
    command = [os.environ["ECR_GATE_BIN"], "doctor", IMAGE, "--fix"]
    process = subprocess.Popen(
        command, env={**environment, **TEST_CREDENTIALS.env()}, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, text=True
    )
    os.close(theirs)
    try:
        os.write(ours, f"{answer}\n".encode())
        stdout, _ = process.communicate(timeout=GATE_TIMEOUT_S)
        said = everything(ours)
    finally:
        process.kill()
        os.close(ours)
    assert "will make tags immutable" in said and "Make these changes? [y/N]" in said
    assert ("nothing was changed" in said) is not changed
    assert process.returncode == (0 if changed else 1)
    assert settings(moto) == ((True, "IMMUTABLE") if changed else (False, "MUTABLE"))
    assert ("FAIL  Scan on push" in stdout) is not changed


@pytest.mark.parametrize("missing", NEEDED[:3])
def test_a9_a_permission_that_check_needs(gate, good, enforce_iam, missing: str):
    keys = enforce_iam([action for action in NEEDED + SEEN if action != missing])
    run = gate("doctor", IMAGE, "--output", "json", env=keys.env())
    assert run.rc == 3
    [check] = [check for check in run.json()["checks"] if check["title"] == f"Permission {missing}"]
    assert check["state"] == "problem" and f"Allow {missing} on {ARN} for arn:aws:iam::{ACCOUNT}:user/gate" in check["remedy"]
    others = [check["state"] for check in run.json()["checks"] if check["title"].startswith("Permission ") and check["title"] != f"Permission {missing}"]
    assert others == ["ok"] * 3


def test_a9_a_fix_that_is_refused(gate, poor, enforce_iam):
    keys = enforce_iam(NEEDED + SEEN + CHANGED[1:])
    run = gate("doctor", IMAGE, "--fix", "--yes", "--output", "json", env=keys.env())
    assert run.rc == 3 and "ecr:PutImageScanningConfiguration" in run.stderr
    assert [change["applied"] for change in run.json()["changes"]] == [False, True]
    assert (states(run)["scanOnPush"], states(run)["tagImmutability"]) == ("problem", "ok")


def policy(gate, *more: str) -> dict[str, Any]:
    run = gate("iam-policy", "--repository", ARN, "--for", "doctor", *more)
    assert run.rc == 0, run.stderr
    return run.json()


def test_a10_the_policy_that_iam_policy_prints_is_enough(gate, moto, poor, enforce_iam):
    keys = enforce_iam(policy(gate))
    run = gate("doctor", IMAGE, "--output", "json", env=keys.env())
    assert run.rc == 1, run.stderr
    assert not [check for check in run.json()["checks"] if check["reason"] == "aws.accessDenied"]
    assert gate("doctor", IMAGE, "--fix", "--yes", env=keys.env()).rc == 3


def test_a10_with_fix_it_is_enough_to_mend(gate, poor, enforce_iam):
    keys = enforce_iam(policy(gate, "--fix"))
    assert gate("doctor", IMAGE, "--fix", "--yes", env=keys.env()).rc == 0


def test_a12_enhanced_scanning_goes_by_the_rules_of_the_registry(gate, moto, poor):
    rule: dict[str, Any] = {"scanFrequency": "CONTINUOUS_SCAN", "repositoryFilters": [{"filter": "other/*", "filterType": "WILDCARD"}]}
    moto.ecr.put_registry_scanning_configuration(scanType="ENHANCED", rules=[rule])
    run = gate("doctor", IMAGE, "--output", "json")
    assert run.rc == 1 and states(run)["registryScanOnPush"] == "problem" and states(run)["scanOnPush"] == "ok"
    assert [check["fixable"] for check in run.json()["checks"] if check["fixable"]] == ["immutability"]

    rule["repositoryFilters"][0]["filter"] = "shop/*"
    moto.ecr.put_registry_scanning_configuration(scanType="ENHANCED", rules=[rule])
    run = gate("doctor", IMAGE, "--output", "json")
    assert run.rc == 0 and states(run)["registryScanOnPush"] == "ok"
    assert "CONTINUOUS_SCAN (filter shop/*)" in run.stdout


def test_a9_a_rule_of_the_registry_scans_pushes_too(gate, moto, poor):
    rule = {"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": [{"filter": "*", "filterType": "WILDCARD"}]}
    moto.ecr.put_registry_scanning_configuration(scanType="BASIC", rules=[rule])
    run = gate("doctor", IMAGE, "--output", "json")
    assert run.rc == 0 and states(run)["scanOnPush"] == states(run)["registryScanOnPush"] == "ok"


def test_a15_an_unsupported_base(gate, good, seed_scan):
    seed_scan(REPOSITORY, good, without_result("UNSUPPORTED_IMAGE"))
    run = gate("doctor", IMAGE)
    assert run.rc == 1 and "FAIL  Scan of the image" in run.stdout
    assert "distroless and scratch" in run.stdout and "enhanced scanning" in run.stdout and "second source" in run.stdout


def test_a18_the_platforms_of_an_index(gate, moto, good, push_image, seed_scan):
    children = {platform: image_manifest(platform) for platform in ["linux/amd64", "linux/arm64"]}
    digests = {platform: push_image(REPOSITORY, None, manifest) for platform, manifest in children.items()}
    push_image(REPOSITORY, "multi", index_manifest({platform: (digests[platform], len(children[platform])) for platform in children}))
    seed_scan(REPOSITORY, digests["linux/amd64"], complete())
    run = gate("doctor", f"{REGISTRY}/{REPOSITORY}:multi", "--output", "json")
    scans = {check["subject"]: check["state"] for check in run.json()["checks"] if check["id"] == "doctor.imageScan"}
    assert run.rc == 0 and scans == {"linux/amd64": "ok", "linux/arm64": "warning"}


def test_a4_what_cannot_be_asked(gate, moto, good):
    gone = gate("doctor", f"{REGISTRY}/shop/none:1.0")
    assert (gone.rc, gone.stdout) == (3, "") and "repository/shop/none is not there" in gone.stderr and "hint: " in gone.stderr
    untold = gate("doctor", IMAGE, env={"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None})
    assert (untold.rc, untold.stdout) == (3, "") and "hint: " in untold.stderr
    missing = gate("doctor", f"{REGISTRY}/{REPOSITORY}:2.0", "--output", "json")
    assert missing.rc == 3 and states(missing)["image"] == "problem"


def test_a4_an_ecr_that_cannot_be_reached(gate):
    run = gate("doctor", IMAGE)
    assert (run.rc, run.stdout) == (5, "") and "hint: " in run.stderr
