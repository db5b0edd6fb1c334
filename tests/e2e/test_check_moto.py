"""`ecr-gate check` against moto's ECR, IAM and STS: every way a pipeline's question can end, by its exit code and by what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ACCOUNT, NOWHERE, REGION, TEST_CREDENTIALS, digest_of, image_manifest, index_manifest
from scans import CRITICAL, HASTE, HIGH, LOW, MEDIUM, REGISTRY, blocking, codes, complete, dotenv, without_result

IMAGE = f"{REGISTRY}/shop/api:1.0"
ARN = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/shop/api"
NO_KEYS = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}


@pytest.fixture
def pushed(push_image) -> str:
    """The digest of IMAGE, pushed and never scanned."""
    return push_image("shop/api", "1.0")


@pytest.fixture
def clean(pushed, seed_scan) -> str:
    """IMAGE, with a finished scan in which nothing blocks."""
    seed_scan("shop/api", pushed, complete(MEDIUM, LOW))
    return pushed


@pytest.fixture
def vulnerable(pushed, seed_scan) -> str:
    """IMAGE, with a finished scan in which something does."""
    seed_scan("shop/api", pushed, complete(LOW, HIGH, CRITICAL, MEDIUM))
    return pushed


# --- the answers -----------------------------------------------------------------------------------------------------


def test_a1_a_clean_image_is_allowed(gate, clean):
    run = gate("check", IMAGE)
    assert (run.rc, run.stderr) == (0, "")
    assert run.stdout.startswith(f"ALLOW  {IMAGE}\n") and clean in run.stdout and "1 MEDIUM, 1 LOW" in run.stdout


def test_a1_a_vulnerable_image_is_blocked_with_finding_and_fix(gate, vulnerable):
    run = gate("check", IMAGE)
    assert run.rc == 1
    assert run.stdout.startswith(f"DENY  {IMAGE}\n") and vulnerable in run.stdout
    for words in ("vuln.maxExceeded", "CVE-2021-44228", "log4j-core", "2.15.0", "CVE-2023-0286", "3.0.8-1"):
        assert words in run.stdout


@pytest.mark.parametrize(
    ("status", "description", "rc", "code"),
    [
        ("UNSUPPORTED_IMAGE", "UnsupportedImageError: The operating system 'distroless' is not supported.", 2, "scan.unsupported"),
        ("FAILED", "The scan failed.", 2, "scan.failed"),
        ("FINDINGS_UNAVAILABLE", "", 2, "scan.findingsUnavailable"),
        ("SCAN_ELIGIBILITY_EXPIRED", "", 2, "scan.eligibilityExpired"),
        ("LIMIT_EXCEEDED", "", 2, "scan.limitExceeded"),
        ("IMAGE_ARCHIVED", "", 2, "scan.imageArchived"),
        ("A_STATUS_OF_TOMORROW", "", 2, "scan.unknownStatus"),
        ("PENDING", "", 4, "scan.pending"),
        ("IN_PROGRESS", "", 4, "scan.pending"),
        ("ACTIVE", "", 4, "scan.noFindingsYet"),
        ("COMPLETE", "", 4, "scan.noFindingsYet"),
    ],
)
def test_a1_a12_a_status_without_findings_is_never_green(gate, pushed, seed_scan, status, description, rc, code):
    seed_scan("shop/api", pushed, without_result(status, description))
    run = gate("check", IMAGE, "-o", "json", "--dotenv", "scan.env", *HASTE)
    assert (run.rc, codes(run.json())) == (rc, [code])
    assert run.json()["reasons"][0]["remedy"]
    assert run.json()["verdict"] == ("pending" if rc == 4 else "deny")


def test_a15_an_unsupported_base_says_what_to_do(gate, pushed, seed_scan):
    seed_scan("shop/api", pushed, without_result("UNSUPPORTED_IMAGE", "no distroless"))
    run = gate("check", IMAGE)
    assert run.rc == 2 and "enhanced scanning" in run.stdout and "second source" in run.stdout


def test_a5_an_empty_findings_object_with_a_finished_basic_scan_is_clean(gate, pushed, seed_scan):
    seed_scan("shop/api", pushed, complete())
    run = gate("check", IMAGE, "-o", "json", "--dotenv", "scan.env")
    assert run.rc == 0 and run.json()["findings"]["blocking"] == []


def test_a6_no_scan_and_none_may_be_started(gate, pushed):
    run = gate("check", IMAGE, "--no-start-scan", *HASTE)
    assert run.rc == 3
    assert "scan.notStartable" in run.stdout and "scan on push" in run.stdout


def test_a6_a_scan_is_started_where_there_is_none(gate, moto, pushed):
    # moto invents one HIGH finding for a scan that was started; it dates by whole seconds.
    run = gate("check", IMAGE, "-o", "json", "--timeout", "10s", "--poll-interval", "300ms")
    assert run.rc == 1
    assert blocking(run.json()) == ["CVE-9999-9999"]
    with pytest.raises(moto.ecr.exceptions.LimitExceededException):
        moto.ecr.start_image_scan(repositoryName="shop/api", imageId={"imageDigest": pushed})


def test_s15_a_dry_run_starts_no_scan_and_has_no_decision_id(gate, moto, pushed):
    run = gate("check", IMAGE, "--dry-run", "-o", "json", *HASTE)
    assert (run.rc, run.json()["id"], run.json()["dryRun"]) == (3, None, True)
    with pytest.raises(moto.ecr.exceptions.ScanNotFoundException):
        moto.ecr.describe_image_scan_findings(repositoryName="shop/api", imageId={"imageDigest": pushed})


@pytest.mark.parametrize(
    ("image", "code", "words"),
    [
        ("shop/nothing:1.0", "aws.repositoryNotFound", f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/shop/nothing"),
        ("shop/api:9.9", "aws.imageNotFound", "9.9"),
        (f"shop/api@sha256:{'0' * 64}", "aws.imageNotFound", "0" * 64),
    ],
)
def test_a1_a4_what_is_not_there_is_named(gate, clean, image, code, words):
    run = gate("check", f"{REGISTRY}/{image}", "-o", "json", "--dotenv", "scan.env", *HASTE)
    assert (run.rc, codes(run.json())) == (3, [code])
    assert words in run.json()["reasons"][0]["message"] and run.json()["reasons"][0]["remedy"]


def test_a1_an_endpoint_that_refuses_connections_is_5(gate):
    run = gate("check", IMAGE, "-o", "json", *HASTE, env={"AWS_ENDPOINT_URL": NOWHERE})
    assert (run.rc, codes(run.json())) == (5, ["aws.unavailable"])


def test_a1_wrong_usage_is_64(gate):
    for wrong in (["check"], ["check", "an image"], ["check", IMAGE, "--timeout", "soon"], ["check", IMAGE, "--no-such-flag"]):
        run = gate(*wrong)
        assert (run.rc, run.stdout) == (64, "") and run.stderr, wrong


# --- digests, tags, platforms ----------------------------------------------------------------------------------------


def test_a16_by_digest_and_by_tag_and_digest(gate, clean):
    for reference in (f"{REGISTRY}/shop/api@{clean}", f"{IMAGE}@{clean}"):
        run = gate("check", reference, "-o", "json")
        assert (run.rc, run.json()["image"]["digest"]) == (0, clean), reference


def test_a16_a_tag_that_stands_for_another_image_than_the_digest(gate, clean, push_image):
    push_image("shop/api", "1.0", image_manifest("a later build"))
    run = gate("check", f"{IMAGE}@{clean}", "-o", "json")
    assert (run.rc, codes(run.json())) == (3, ["image.tagMoved"])


def test_a16_a_tag_that_moves_during_the_wait(moto, pushed, seed_scan, push_image):
    """The scan of the first image comes in clean while the tag already stands for another one."""
    push_image("shop/api", "kept", image_manifest("shop/api:1.0"))  # moto would drop an image that loses its only tag
    command = [os.environ["ECR_GATE_BIN"], "check", IMAGE, "--verbose", "--no-start-scan", "--timeout", "30s", "--poll-interval", "300ms"]
    environment = {"PATH": os.environ["PATH"], "AWS_ENDPOINT_URL": moto.url, **TEST_CREDENTIALS.env()}
    with subprocess.Popen([*command, "-o", "json"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as waiting:
        seen = []
        while not seen or "next look" not in seen[-1]:
            seen.append(waiting.stderr.readline())
            assert seen[-1], f"the gate did not wait: {seen}"
        assert pushed in "".join(seen)
        push_image("shop/api", "1.0", image_manifest("a later build"))
        seed_scan("shop/api", pushed, complete(LOW))
        record = json.loads(waiting.communicate(timeout=60)[0])
    assert (waiting.returncode, codes(record)) == (3, ["image.tagMoved"])


@pytest.fixture
def index(push_image) -> dict[str, str]:
    """IMAGE as an index of two platforms; the digests by platform, and under `index`."""
    manifests = {platform: image_manifest(platform) for platform in ("linux/amd64", "linux/arm64")}
    children = {platform: push_image("shop/api", None, manifest) for platform, manifest in manifests.items()}
    sizes = {platform: (digest, len(manifests[platform])) for platform, digest in children.items()}
    return {**children, "index": push_image("shop/api", "1.0", index_manifest(sizes))}


@pytest.mark.parametrize(
    ("arm64", "rc", "code"),
    [
        (complete(LOW), 0, None),
        (complete(CRITICAL), 1, "vuln.maxExceeded"),
        (without_result("UNSUPPORTED_IMAGE"), 2, "scan.unsupported"),
        (without_result("IN_PROGRESS"), 4, "scan.pending"),
        (None, 3, "scan.notStartable"),
    ],
    ids=["clean", "vulnerable", "unsupported", "pending", "never scanned"],
)
def test_a18_an_index_is_as_good_as_its_worst_platform(gate, index, seed_scan, arm64, rc, code):
    seed_scan("shop/api", index["linux/amd64"], complete(MEDIUM))
    if arm64 is not None:
        if "imageScanFindings" in arm64:
            arm64["imageScanFindings"]["imageScanCompletedAt"] = time.time()  # after the push
        seed_scan("shop/api", index["linux/arm64"], arm64)
    run = gate("check", IMAGE, "--no-start-scan", "-o", "json", *HASTE)
    record = run.json()
    assert (run.rc, record["image"]["digest"]) == (rc, index["index"]), record["reasons"]
    assert [(child["platform"], child["digest"]) for child in record["image"]["platforms"]] == [
        (platform, index[platform]) for platform in ("linux/amd64", "linux/arm64")
    ]
    if code is not None:
        assert codes(record) == [code] and record["reasons"][0]["message"].startswith("linux/arm64: ")


def test_s11_a_platform_that_is_vulnerable_ends_the_wait_for_the_others(gate, index, seed_scan):
    seed_scan("shop/api", index["linux/amd64"], complete(CRITICAL))
    seed_scan("shop/api", index["linux/arm64"], without_result("IN_PROGRESS"))
    started = time.monotonic()
    run = gate("check", IMAGE, "-o", "json", "--timeout", "40s", "--poll-interval", "300ms")
    assert (run.rc, run.json()["verdict"]) == (1, "deny") and time.monotonic() - started < 20
    assert codes(run.json())[0] == "vuln.maxExceeded"


def test_a18_only_the_platforms_that_the_policy_names_are_judged(gate, index, seed_scan, tmp_path):
    seed_scan("shop/api", index["linux/amd64"], complete(MEDIUM))
    seed_scan("shop/api", index["linux/arm64"], complete(CRITICAL))
    policy = policy_file(tmp_path, "{ max: { critical: 0 } }", "match: { platforms: [linux/amd64] }")
    assert gate("check", IMAGE, "--policy", policy).rc == 0
    policy = policy_file(tmp_path, "{ max: { critical: 0 } }", "match: { platforms: [linux/amd64, linux/s390x] }")
    run = gate("check", IMAGE, "--policy", policy, "-o", "json")
    assert (run.rc, codes(run.json())) == (3, ["image.platformMissing"])


# --- permissions and credentials -------------------------------------------------------------------------------------

ALL_ACTIONS = ["ecr:DescribeImages", "ecr:DescribeImageScanFindings", "ecr:StartImageScan", "ecr:BatchGetImage"]


def test_a10_the_four_actions_are_enough_for_an_image_without_a_scan(gate, pushed, enforce_iam):
    keys = enforce_iam(ALL_ACTIONS)
    run = gate("check", IMAGE, "-o", "json", "--timeout", "10s", "--poll-interval", "300ms", env=keys.env())
    assert (run.rc, blocking(run.json())) == (1, ["CVE-9999-9999"])


def test_a10_three_of_them_are_enough_for_an_index_that_is_scanned(gate, index, seed_scan, enforce_iam):
    for platform in ("linux/amd64", "linux/arm64"):
        seed_scan("shop/api", index[platform], complete(LOW))
    keys = enforce_iam([action for action in ALL_ACTIONS if action != "ecr:StartImageScan"])
    assert gate("check", IMAGE, env=keys.env()).rc == 0


@pytest.mark.parametrize("missing", ALL_ACTIONS)
def test_a4_a_missing_permission_names_action_and_repository(gate, index, enforce_iam, missing):
    keys = enforce_iam([action for action in ALL_ACTIONS if action != missing])
    run = gate("check", IMAGE, "-o", "json", *HASTE, env=keys.env())
    assert (run.rc, set(codes(run.json()))) == (3, {"aws.accessDenied"})
    for reason in run.json()["reasons"]:
        assert f"{missing} on {ARN}" in reason["message"] and f"{missing} on {ARN}" in reason["remedy"]


def test_a10_the_printed_policy_is_enough(gate, pushed, enforce_iam):
    if gate("iam-policy", "--help").rc != 0:
        pytest.skip("this ecr-gate has no command iam-policy yet")
    printed = gate("iam-policy", "--for", "check", "--repository", ARN)
    assert printed.rc == 0, printed.stderr
    document = printed.json()
    keys = enforce_iam(document)
    run = gate("check", IMAGE, "-o", "json", "--timeout", "10s", "--poll-interval", "300ms", env=keys.env())
    assert (run.rc, blocking(run.json())) == (1, ["CVE-9999-9999"])
    # moto judges on the resource `*`, so what the document names is looked at here: ECR actions, on this repository alone.
    for statement in document["Statement"]:
        actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        assert statement["Effect"] == "Allow" and not any("*" in action for action in actions), statement
        assert statement["Resource"] in (ARN, [ARN]), statement


def test_a10_the_printed_policy_is_enough_for_an_index(gate, index, seed_scan, enforce_iam):
    if gate("iam-policy", "--help").rc != 0:
        pytest.skip("this ecr-gate has no command iam-policy yet")
    for platform in ("linux/amd64", "linux/arm64"):
        seed_scan("shop/api", index[platform], complete(LOW))
    keys = enforce_iam(gate("iam-policy", "--for", "check", "--repository", ARN).json())
    assert gate("check", IMAGE, env=keys.env()).rc == 0


def test_a4_keys_that_aws_does_not_know(gate, pushed, enforce_iam):
    enforce_iam(ALL_ACTIONS)
    run = gate("check", IMAGE, "-o", "json", *HASTE)
    assert (run.rc, codes(run.json())) == (3, ["aws.credentialsInvalid"])


def test_a4_a_wrong_secret(gate, pushed, enforce_iam):
    keys = enforce_iam(ALL_ACTIONS)
    run = gate("check", IMAGE, "-o", "json", *HASTE, env={**keys.env(), "AWS_SECRET_ACCESS_KEY": "wrong"})
    assert (run.rc, codes(run.json())) == (3, ["aws.credentialsInvalid"])


def test_a4_no_credentials_at_all(gate, clean):
    run = gate("check", IMAGE, "-o", "json", *HASTE, env=NO_KEYS)
    assert (run.rc, codes(run.json())) == (3, ["aws.credentialsMissing"])
    assert "AWS_ROLE_ARN" in run.json()["reasons"][0]["remedy"]


@pytest.fixture
def role(moto):
    """Makes the role `ci` with these actions and switches enforcement on after one more call: the exchange of the token, which moto cannot
    judge because nobody signs it. Everything later has to be signed with the session that came of it. Push before."""

    def make(actions: list[str]) -> str:
        trust = {"Version": "2012-10-17", "Statement": []}
        role = moto.iam.create_role(RoleName="ci", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        moto.iam.put_role_policy(RoleName="ci", PolicyName="gate", PolicyDocument=policy)
        moto.control("reset-auth", data="1", headers={"content-type": "text/plain"})
        return role

    return make


TOKEN = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJwcm9qZWN0X3BhdGg6c2hvcC9hcGkifQ.c2ln"


def test_a14_s44_an_oidc_token_in_a_variable_is_exchanged(gate, clean, role):
    env = {**NO_KEYS, "AWS_ROLE_ARN": role(ALL_ACTIONS), "AWS_OIDC_TOKEN": TOKEN}
    run = gate("check", IMAGE, env=env)
    assert run.rc == 0, run.stdout + run.stderr


def test_a14_s44_the_token_wins_over_static_keys(gate, clean, role):
    env = {**TEST_CREDENTIALS.env(), "AWS_ROLE_ARN": role(ALL_ACTIONS), "AWS_OIDC_TOKEN": TOKEN}
    assert gate("check", IMAGE, env=env).rc == 0


def test_a14_a_role_that_lacks_a_permission_is_named_like_any_other(gate, clean, role):
    env = {**NO_KEYS, "AWS_ROLE_ARN": role(["ecr:DescribeImages"]), "AWS_OIDC_TOKEN": TOKEN}
    run = gate("check", IMAGE, "-o", "json", *HASTE, env=env)
    assert (run.rc, codes(run.json())) == (3, ["aws.accessDenied"])
    assert f"ecr:DescribeImageScanFindings on {ARN}" in run.json()["reasons"][0]["message"]
    assert TOKEN not in run.stdout + run.stderr


def test_a14_s44_a_token_without_a_role_says_so(gate, clean):
    run = gate("check", IMAGE, *HASTE, env={**NO_KEYS, "AWS_OIDC_TOKEN": TOKEN})
    assert run.rc == 3 and "AWS_ROLE_ARN" in run.stdout + run.stderr
    assert TOKEN not in run.stdout + run.stderr


def test_a14_a_web_identity_token_file(gate, clean, role, tmp_path):
    (tmp_path / "token").write_text(TOKEN)
    env = {**NO_KEYS, "AWS_ROLE_ARN": role(ALL_ACTIONS), "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token")}
    run = gate("check", IMAGE, env=env)
    assert run.rc == 0, run.stdout + run.stderr


def test_a14_a_profile(gate, clean, enforce_iam, tmp_path):
    keys = enforce_iam(ALL_ACTIONS)
    lines = [f"{name.lower()} = {value}" for name, value in keys.env().items()]
    (tmp_path / "credentials").write_text("\n".join(["[ci]", *lines, ""]))
    env = {**NO_KEYS, "AWS_PROFILE": "ci", "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials")}
    assert gate("check", IMAGE, env=env).rc == 0


# --- what a pipeline sets --------------------------------------------------------------------------------------------


def test_the_variables_of_a_pipeline_name_the_image(gate, clean):
    for env in (
        {"ECR_REGISTRY": REGISTRY, "ECR_REPO": "shop/api", "IMAGE_TAG": "1.0"},
        {"ECR_REGISTRY": REGISTRY, "ECR_REPO": "shop/api", "IMAGE_DIGEST": clean},
        {"ECR_REPO": f"{REGISTRY}/shop/api", "IMAGE_TAG": "1.0", "IMAGE_DIGEST": clean},
        {"ECR_REPO": "shop/api", "IMAGE_TAG": "1.0", "AWS_ACCOUNT_ID": ACCOUNT},
        {"ECR_REPO": "shop/api", "IMAGE_TAG": "1.0", "AWS_ACCOUNT_ID": ACCOUNT, "AWS_REGION": None, "AWS_DEFAULT_REGION": REGION},
    ):
        run = gate("check", "-o", "json", env=env)
        assert run.rc == 0, (env, run.stderr)
        assert (run.json()["image"]["digest"], run.json()["image"]["name"]) == (clean, f"{REGISTRY}/shop/api"), env


def test_a2_the_bounds_may_be_variables(gate, pushed, seed_scan):
    seed_scan("shop/api", pushed, without_result("PENDING"))
    started = time.monotonic()
    run = gate("check", IMAGE, env={"ECR_GATE_TIMEOUT": "1s", "ECR_GATE_POLL_INTERVAL": "200ms"})
    assert run.rc == 4 and time.monotonic() - started < 10
    assert gate("check", IMAGE, *HASTE, env={"ECR_GATE_TIMEOUT": "never"}).rc == 4, "the flag wins over the variable"


@pytest.mark.parametrize(
    ("arguments", "variable", "rc"),
    [
        ([], None, 0),
        (["--fail-on", "MEDIUM"], None, 1),
        ([], "CRITICAL HIGH MEDIUM", 1),
        (["--fail-on", "CRITICAL,HIGH"], "MEDIUM", 0),
        (["--fail-on", "LOW"], "CRITICAL", 1),
        (["--fail-on", "MEDIOCRE"], None, 64),
        ([], "MEDIOCRE", 64),
    ],
)
def test_a8_s12_which_severities_block(gate, clean, arguments, variable, rc):
    run = gate("check", IMAGE, *arguments, env={"FAIL_ON_SEVERITY": variable})
    assert run.rc == rc, run.stdout + run.stderr


def policy_file(folder: Path, rule: str, *spec: str, name: str = "gate.yaml") -> Path:
    lines = [f"  {line}" for line in spec]
    file = folder / name
    head = ["apiVersion: ecr-gate.dev/v1", "kind: GatePolicy", f"metadata: {{ name: {file.stem}, version: v7 }}", "spec:"]
    file.write_text("\n".join([*head, *lines, "  rules:", "    - id: limits", f"      vulnerabilities: {rule}", ""]))
    return file


def test_a8_a_policy_file_decides(gate, vulnerable, tmp_path):
    strict = policy_file(tmp_path, "{ max: { critical: 0, high: 0, medium: 0 } }", name="strict.yaml")
    lax = policy_file(tmp_path, "{ max: { critical: 1, high: 1 } }", name="lax.yaml")
    allowed = gate("check", IMAGE, "--policy", lax, "-o", "json")
    assert (allowed.rc, allowed.json()["policies"][0]["name"], allowed.json()["policies"][0]["version"]) == (0, "lax", "v7")
    denied = gate("check", IMAGE, "-o", "json", env={"ECR_GATE_POLICY": str(strict)})
    assert denied.rc == 1 and blocking(denied.json())[0] == "CVE-2021-44228" and len(blocking(denied.json())) == 3
    assert gate("check", IMAGE, "--policy", lax, "--policy", strict).rc == 1, "the heaviest verdict of several policies holds"


def test_s12_with_a_policy_file_fail_on_may_only_tighten(gate, vulnerable, tmp_path):
    policy = policy_file(tmp_path, "{ max: { critical: 1, high: 1 } }")
    assert gate("check", IMAGE, "--policy", policy, "--fail-on", "CRITICAL,HIGH").rc == 1
    loosened = gate("check", IMAGE, "--policy", policy_file(tmp_path, "{ max: { critical: 0, high: 0 } }"), "--fail-on", "CRITICAL")
    assert loosened.rc == 3 and "hint:" in loosened.stderr


def test_a1_a_bad_policy_file_is_a_configuration_error(gate, clean, tmp_path):
    policy = policy_file(tmp_path, "{ max: { crtical: 0 } }")
    run = gate("check", IMAGE, "--policy", policy)
    assert run.rc == 3 and "did you mean `critical`?" in run.stderr and run.stdout == ""
    assert gate("check", IMAGE, "--policy", tmp_path / "nothing.yaml").rc == 3


def test_a1_a_soft_fail_exits_zero_and_says_so(gate, vulnerable, tmp_path):
    policy = policy_file(tmp_path, "{ max: { critical: 0 } }", "action: warn")
    run = gate("check", IMAGE, "--policy", policy)
    assert run.rc == 0 and run.stdout.startswith("WARN") and "soft-fail" in run.stderr
    assert gate("check", IMAGE, "--policy", policy, "--warn-exit-code", "78").rc == 78


def test_s29_an_exception_in_a_listed_file_lifts_its_finding(gate, vulnerable, tmp_path):
    policy = policy_file(tmp_path, "{ max: { critical: 0 } }", "exceptions: [exceptions.yaml]")
    (tmp_path / "exceptions.yaml").write_text(
        "apiVersion: ecr-gate.dev/v1\nkind: GateExceptions\nexceptions:\n"
        f"  - {{ id: log4j, cve: CVE-2021-44228, repository: shop/api, expires: {time.strftime('%Y-%m-%d', time.gmtime(time.time() + 864000))},"
        " owner: ann, reason: not reachable }\n"
    )
    run = gate("check", IMAGE, "--policy", policy, "-o", "json")
    assert run.rc == 0, run.stdout + run.stderr
    assert [(used["id"], used["owner"], used["findings"]) for used in run.json()["exceptions"]] == [("log4j", "ann", 1)]


# --- what it leaves --------------------------------------------------------------------------------------------------


def test_a7_the_dotenv_report_of_an_allowed_image(gate, clean, tmp_path):
    assert gate("check", IMAGE, "--dotenv", tmp_path / "scan.env").rc == 0
    variables = dotenv(tmp_path / "scan.env")
    assert variables.pop("ECR_GATE_DECISION_ID")
    assert variables == {
        "ECR_GATE_VERDICT": "allow",
        "ECR_GATE_REASON": "-",
        "ECR_GATE_DIGEST": clean,
        "ECR_GATE_IMAGE": f"{REGISTRY}/shop/api@{clean}",
        "VULN_CRITICAL": "0",
        "VULN_HIGH": "0",
        "VULN_MEDIUM": "1",
        "VULN_LOW": "1",
        "VULN_TOTAL": "0",
    }


def test_a7_the_dotenv_report_is_written_also_when_blocked(gate, vulnerable, tmp_path):
    assert gate("check", IMAGE, "--dotenv", tmp_path / "scan.env").rc == 1
    variables = dotenv(tmp_path / "scan.env")
    assert (variables["ECR_GATE_VERDICT"], variables["ECR_GATE_REASON"]) == ("deny", "vuln.maxExceeded")
    assert [variables[f"VULN_{word}"] for word in ("CRITICAL", "HIGH", "MEDIUM", "LOW", "TOTAL")] == ["1", "1", "1", "1", "2"]


@pytest.mark.parametrize("status", ["UNSUPPORTED_IMAGE", "IN_PROGRESS"])
def test_s14_without_a_result_the_dotenv_report_has_no_counts(gate, pushed, seed_scan, tmp_path, status):
    seed_scan("shop/api", pushed, without_result(status))
    gate("check", IMAGE, "--dotenv", tmp_path / "scan.env", *HASTE)
    variables = dotenv(tmp_path / "scan.env")
    assert not [name for name in variables if name.startswith("VULN_")]
    assert variables["ECR_GATE_DIGEST"] == pushed and variables["ECR_GATE_VERDICT"] in ("deny", "pending")


def test_b3_the_record_says_who_asked_and_from_what(gate, vulnerable):
    env = {"CI_PIPELINE_ID": "4711", "CI_COMMIT_SHA": "c0ffee", "GITLAB_USER_LOGIN": "ann"}
    record = gate("check", IMAGE, "-o", "json", env=env).json()
    assert (record["schema"], record["verdict"], record["exitCode"]) == ("ecr-gate.dev/decision/v1", "deny", 1)
    assert (record["image"]["digest"], record["image"]["tag"]) == (vulnerable, "1.0")
    assert record["findings"]["counts"] == {"CRITICAL": 1, "HIGH": 1, "MEDIUM": 1, "LOW": 1}
    assert record["findings"]["blockingTotal"] == 2 and sorted(blocking(record)) == ["CVE-2021-44228", "CVE-2023-0286"]
    answer = record["answer"]
    assert (answer["pipeline"], answer["commit"], answer["askedBy"], answer["advisory"]) == ("4711", "c0ffee", "ann", True)
    assert record["signals"][0]["evidence"].startswith("sha256:") and record["id"] and record["validUntil"]


# --- saved reports ---------------------------------------------------------------------------------------------------


def aws(url: str, *arguments: str) -> str:
    """The AWS CLI of the suite's own venv."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / "aws"), *arguments],
        env={"PATH": os.environ["PATH"], "AWS_ENDPOINT_URL": url, "AWS_DEFAULT_REGION": REGION, **TEST_CREDENTIALS.env()},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("result", "rc"),
    [
        (complete(LOW, MEDIUM), 0),
        (complete(CRITICAL, LOW), 1),
        (without_result("UNSUPPORTED_IMAGE", "no distroless"), 2),
        (without_result("IN_PROGRESS"), 4),
    ],
    ids=["clean", "vulnerable", "unsupported", "in progress"],
)
def test_a_report_saved_by_the_aws_cli_is_judged_alike(gate, moto, pushed, seed_scan, tmp_path, result, rc):
    if "imageScanFindings" in result:
        result["imageScanFindings"]["imageScanCompletedAt"] = time.time()  # after the push
    seed_scan("shop/api", pushed, result)
    live = gate("check", IMAGE, "-o", "json", *HASTE)
    saved = tmp_path / "findings.json"
    saved.write_text(
        aws(moto.url, "ecr", "describe-image-scan-findings", "--repository-name", "shop/api", "--image-id", f"imageDigest={pushed}")
    )
    offline = {"AWS_ENDPOINT_URL": NOWHERE, **NO_KEYS}
    report = gate("check", "--report", f"ecr={saved}", f"{REGISTRY}/shop/api@{pushed}", "-o", "json", env=offline)
    assert (live.rc, report.rc) == (rc, rc)
    for part in ("verdict", "findings"):
        assert report.json()[part] == live.json()[part]
    assert codes(report.json()) == codes(live.json())
    assert gate("check", "--report", f"ecr={saved}", f"{REGISTRY}/shop/api@sha256:{'0' * 64}", env=offline).rc == 2, "of another image"


def test_a5_a_saved_report_that_is_cut_off_is_never_green(gate, moto, clean, tmp_path):
    whole = json.dumps(moto.raw("DescribeImageScanFindings", {"repositoryName": "shop/api", "imageId": {"imageDigest": clean}}))
    for length in (0, 1, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.json").write_text(whole[:length])
        run = gate("check", "--report", "ecr=cut.json", f"{REGISTRY}/shop/api@{clean}", "-o", "json")
        assert (run.rc, run.json()["verdict"]) == (2, "deny"), whole[:length]


def test_a17_a_large_saved_report_is_judged_whole_and_named_by_its_digest(gate, tmp_path):
    """Large enough to be read and digested side by side."""
    report = tmp_path / "big.json"
    benches = Path(__file__).resolve().parents[2] / "benches"
    made = subprocess.run([sys.executable, "-B", benches / "make_report.py", "3000", report], stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    found = json.loads(report.read_text())["imageScanFindings"]
    assert report.stat().st_size > 2 << 20
    run = gate("check", "--report", f"ecr={report}", f"{REGISTRY}/shop/api@{made.stdout.strip()}", "-o", "json")
    record = run.json()
    serious = {one["name"] for one in found["findings"] if one["severity"] in ("CRITICAL", "HIGH")}
    assert run.rc == 1 and set(blocking(record)) == serious and record["findings"]["blockingTotal"] == len(serious)
    assert record["findings"]["counts"] == found["findingSeverityCounts"]
    assert [signal["evidence"] for signal in record["signals"]] == [digest_of(report.read_bytes())]


@pytest.mark.parametrize("situation", ["never scanned", "access denied", "in progress"])
def test_where_the_usual_script_is_silently_green_the_gate_is_not(gate, moto, pushed, seed_scan, enforce_iam, situation):
    """What benches/usual-script.sh and the README say about the script that everybody pastes."""
    keys = TEST_CREDENTIALS
    if situation == "in progress":
        seed_scan("shop/api", pushed, without_result("IN_PROGRESS"))
    if situation == "access denied":
        keys = enforce_iam(["ecr:DescribeImages"])
    script = Path(__file__).resolve().parents[2] / "benches" / "usual-script.sh"
    venv = Path(sys.executable).parent
    usual = subprocess.run(
        [str(script)],
        env={
            "PATH": f"{venv}:{os.environ['PATH']}",
            "AWS_ENDPOINT_URL": moto.url,
            "AWS_DEFAULT_REGION": REGION,
            "ECR_REPO": "shop/api",
            "IMAGE_DIGEST": pushed,
            **keys.env(),
        },
        capture_output=True,
        timeout=60,
        check=False,
    )
    run = gate("check", f"{REGISTRY}/shop/api@{pushed}", "--no-start-scan", *HASTE, env=keys.env())
    assert (usual.returncode, run.rc) == (0, 4 if situation == "in progress" else 3)
