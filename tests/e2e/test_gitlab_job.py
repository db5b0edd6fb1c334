"""The pipeline that `ecr-gate init gitlab` prints, run as a GitLab runner would run it: the push job hands on the digest, the gate job asks
about it with nothing but its OIDC token and the role whose policy `ecr-gate iam-policy` prints, and the deploy job follows only a green gate.

A runner is needed for images, services and artifacts; here its part is played by hand: job variables, dotenv reports handed on by `needs`,
script lines under bash that stops at the first failure, and artifacts looked for afterwards. Docker is a stub that names the digest.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ACCOUNT, NOWHERE, REGION
from scans import CRITICAL, LOW, MEDIUM, REGISTRY, complete, dotenv, finding, without_result

ARN = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/shop/api"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ci-scan-gate"
GATE_IMAGE = f"registry.example.com/ecr-gate@sha256:{'ab' * 32}"
TOKEN = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJwcm9qZWN0X3BhdGg6c2hvcC9hcGk6cmVmX3R5cGU6YnJhbmNoOnJlZjptYWluIn0.c2ln"
COMMIT = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00"


@pytest.fixture
def pipeline(gate) -> dict[str, Any]:
    """What `init gitlab` prints, as GitLab reads it."""
    emitted = gate(
        "init", "gitlab", "--registry", REGISTRY, "--repository", "shop/api", "--role-arn", ROLE, "--gate-image", GATE_IMAGE, "--timeout", "1m"
    )
    assert emitted.rc == 0, emitted.stderr
    return yaml.safe_load(emitted.stdout)


@dataclasses.dataclass(frozen=True)
class Job:
    """A job that ran: its exit code, what it printed, and the folder that it worked in."""

    rc: int
    log: str
    folder: Path

    def artifact(self, name: str) -> Path:
        file = self.folder / name
        assert file.is_file(), f"the artifact {name} is missing; the job said:\n{self.log}"
        return file


class Runner:
    """A GitLab runner's part, played by hand."""

    def __init__(self, pipeline: dict[str, Any], folder: Path, endpoint: str) -> None:
        self.pipeline = pipeline
        self.folder = folder
        self.endpoint = endpoint
        tools = folder / "tools"
        tools.mkdir()
        (tools / "ecr-gate").symlink_to(os.environ["ECR_GATE_BIN"])
        self.path = f"{tools}:{os.environ['PATH']}"

    def tool(self, name: str, script: str) -> None:
        """A command that jobs find on PATH."""
        file = self.folder / "tools" / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)

    def run(self, name: str, handed_on: dict[str, str] | None = None, strict: bool = True, quicken: bool = False) -> Job:
        """Runs the script of a job. GitLab's own shell stops at a failing line and in a pipe; `strict` stops at an unset variable too."""
        job = self.pipeline[name]
        folder = self.folder / f"{name}-{len(list(self.folder.glob(f'{name}-*')))}"
        folder.mkdir()
        variables = {
            **self.pipeline["variables"],
            **job.get("variables", {}),
            **(handed_on or {}),
            "CI": "true",
            "GITLAB_CI": "true",
            "CI_PROJECT_DIR": str(folder),
            "CI_COMMIT_SHA": COMMIT,
            "CI_PIPELINE_ID": "4711",
            "CI_COMMIT_BRANCH": "main",
            "CI_DEFAULT_BRANCH": "main",
            "GITLAB_USER_LOGIN": "ann",
            "AWS_OIDC_TOKEN": TOKEN,
            # What is not GitLab's: where AWS is, and how patient a test is.
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
            "ECR_GATE_POLL_INTERVAL": "300ms",
            "PATH": self.path,
            "HOME": str(folder),
        }
        lines = [line.replace("--timeout 1m", "--timeout 4s") if quicken else line for line in job["script"]]
        script = "\n".join(f"echo '$ step {number}'\n{line}" for number, line in enumerate(lines, 1))
        done = subprocess.run(
            ["bash", "-euo" if strict else "-eo", "pipefail", "-c", script],
            cwd=folder,
            env={name: str(value) for name, value in variables.items()},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Job(done.returncode, done.stdout + done.stderr, folder)


@pytest.fixture
def runner(pipeline, tmp_path, moto) -> Runner:
    return Runner(pipeline, tmp_path, moto.url)


@pytest.fixture
def allow_role(moto, gate):
    """The gate's role with the policy that `iam-policy` prints, or with these actions; from then on moto refuses what it does not permit. The
    one call that is let through is the exchange of the token, which nobody signs. Push and seed before."""

    def allow(actions: list[str] | None = None) -> None:
        document = gate("iam-policy", "--for", "check", "--repository", ARN).json()
        if actions is not None:
            document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": ARN}]}
        for statement in document["Statement"]:
            statement["Resource"] = "*"  # moto judges every ECR call as one on `*`
        moto.iam.create_role(RoleName="ci-scan-gate", AssumeRolePolicyDocument='{"Version": "2012-10-17", "Statement": []}')
        moto.iam.put_role_policy(RoleName="ci-scan-gate", PolicyName="gate", PolicyDocument=json.dumps(document))
        moto.control("reset-auth", data="1", headers={"content-type": "text/plain"})

    return allow


@pytest.fixture
def pushed(push_image) -> str:
    return push_image("shop/api", COMMIT)


def check_artifacts(pipeline: dict[str, Any], job: Job, digest: str) -> dict[str, str]:
    """Everything that the gate job declares is there, whatever its answer; returns the dotenv report."""
    artifacts = pipeline["scan-gate"]["artifacts"]
    assert artifacts["when"] == "always"
    for name in {*artifacts["paths"], *artifacts["reports"].values()}:
        assert job.artifact(name).stat().st_size > 0
    json.loads(job.artifact(artifacts["reports"]["container_scanning"]).read_text())
    variables = dotenv(job.artifact(artifacts["reports"]["dotenv"]))
    assert variables["ECR_GATE_DIGEST"] == digest and TOKEN not in job.log
    return variables


# --- how the jobs hang together --------------------------------------------------------------------------------------


def test_a11_the_gate_stands_between_push_and_every_deploy(pipeline):
    jobs = {name: job for name, job in pipeline.items() if isinstance(job, dict) and "script" in job}
    gate_job = jobs.pop("scan-gate")
    pushes = {name for name, job in jobs.items() if "docker" in " ".join(job["script"])}
    deploys = {name for name in jobs if name not in pushes}
    assert pushes and deploys
    assert {need["job"] for need in gate_job["needs"]} == pushes
    for name in deploys:
        assert "scan-gate" in {need["job"] for need in jobs[name]["needs"]}, name
    for name in ("scan-gate", *deploys):
        job = pipeline[name]
        assert job["allow_failure"] is False, name
        assert not any("when" in rule or "allow_failure" in rule for rule in job["rules"]), name
    assert gate_job["image"]["name"] == GATE_IMAGE
    assert gate_job["timeout"] == "4 minutes", "S14: the gate's own timeout and three minutes"
    token = {**pipeline.get(gate_job.get("extends"), {}), **gate_job}["id_tokens"]
    assert set(token) == {"AWS_OIDC_TOKEN"} and token["AWS_OIDC_TOKEN"]["aud"]
    text = json.dumps(pipeline)
    assert "AWS_ACCESS_KEY_ID" not in text and "AWS_SECRET_ACCESS_KEY" not in text and ":latest" not in text


def test_a11_our_own_lint_and_the_published_schema_accept_it(gate, pipeline, tmp_path):
    file = tmp_path / ".gitlab-ci.yml"
    file.write_text(yaml.safe_dump(pipeline))
    checked = subprocess.run(
        ["check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", str(file)], capture_output=True, text=True, timeout=60, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    lint = gate("lint", file)
    assert lint.rc == 0, lint.stdout + lint.stderr


def test_a11_the_push_job_hands_on_the_digest_that_was_pushed(runner, pushed):
    runner.tool("docker", f"""printf '%s\\n' "$*" >docker.log; printf '{{"containerimage.digest": "{pushed}"}}' >build.json""")
    job = runner.run("push-image")
    assert job.rc == 0, job.log
    report = runner.pipeline["push-image"]["artifacts"]["reports"]["dotenv"]
    assert dotenv(job.artifact(report)) == {"IMAGE_DIGEST": pushed}
    assert f"{REGISTRY}/shop/api:{COMMIT}" in job.artifact("docker.log").read_text()


@pytest.mark.parametrize("metadata", ["{}", '{"containerimage.digest": null}'], ids=["no digest", "null"])
def test_a11_a_push_without_a_digest_is_a_failed_push(runner, metadata):
    runner.tool("docker", f"printf '%s' '{metadata}' >build.json")
    job = runner.run("push-image")
    assert job.rc != 0, job.log


# --- the gate job's answers ------------------------------------------------------------------------------------------


def test_a11_green_and_the_deploy_job_deploys_exactly_that_digest(runner, pushed, seed_scan, allow_role):
    seed_scan("shop/api", pushed, complete(LOW, MEDIUM))
    allow_role()
    job = runner.run("scan-gate", {"IMAGE_DIGEST": pushed})
    assert job.rc == 0, job.log
    report = check_artifacts(runner.pipeline, job, pushed)
    assert (report["ECR_GATE_VERDICT"], report["VULN_TOTAL"], report["VULN_MEDIUM"]) == ("allow", "0", "1")
    [line] = runner.pipeline["deploy"]["script"]
    runner.tool("deployed", 'printf "%s\\n" "$@" >deployed.log')
    runner.pipeline["deploy"]["script"] = [line.replace("./deploy.sh", "deployed")]
    deploy = runner.run("deploy", {"IMAGE_DIGEST": pushed, **report})
    assert deploy.rc == 0, deploy.log
    assert deploy.artifact("deployed.log").read_text() == f"{REGISTRY}/shop/api@{pushed}\n"


def test_a11_red_with_findings(runner, pushed, seed_scan, allow_role):
    seed_scan("shop/api", pushed, complete(CRITICAL, LOW, *(finding(f"CVE-2026-{n}", "HIGH", f"lib{n}") for n in range(1000, 1200))))
    allow_role()
    job = runner.run("scan-gate", {"IMAGE_DIGEST": pushed})
    assert job.rc == 1, job.log
    assert "DENY" in job.log and "CVE-2021-44228" in job.log and "2.15.0" in job.log
    report = check_artifacts(runner.pipeline, job, pushed)
    assert (report["ECR_GATE_VERDICT"], report["VULN_CRITICAL"], report["VULN_HIGH"], report["VULN_TOTAL"]) == ("deny", "1", "200", "201")


def test_a11_red_for_a_scan_that_the_gate_started_itself(runner, pushed, allow_role):
    allow_role()
    job = runner.run("scan-gate", {"IMAGE_DIGEST": pushed})
    assert job.rc == 1, job.log
    assert check_artifacts(runner.pipeline, job, pushed)["VULN_HIGH"] == "1" and "CVE-9999-9999" in job.log


def test_a11_a_scanner_without_a_result_is_2(runner, pushed, seed_scan, allow_role):
    seed_scan("shop/api", pushed, without_result("UNSUPPORTED_IMAGE", "The operating system 'distroless' is not supported."))
    allow_role()
    job = runner.run("scan-gate", {"IMAGE_DIGEST": pushed})
    assert job.rc == 2, job.log
    report = check_artifacts(runner.pipeline, job, pushed)
    assert report["ECR_GATE_REASON"] == "scan.unsupported" and not [name for name in report if name.startswith("VULN_")]


def test_a11_a_role_without_the_permission_is_3_and_named(runner, pushed, seed_scan, allow_role):
    seed_scan("shop/api", pushed, complete(LOW))
    allow_role(["ecr:DescribeImages"])
    job = runner.run("scan-gate", {"IMAGE_DIGEST": pushed})
    assert job.rc == 3, job.log
    assert f"ecr:DescribeImageScanFindings on {ARN}" in job.log
    report = check_artifacts(runner.pipeline, job, pushed)
    assert report["ECR_GATE_REASON"] == "aws.accessDenied" and not [name for name in report if name.startswith("VULN_")]


def test_a11_a_digest_that_was_never_pushed_is_3(runner, pushed, allow_role):
    allow_role()
    absent = f"sha256:{'0' * 64}"
    job = runner.run("scan-gate", {"IMAGE_DIGEST": absent})
    assert job.rc == 3, job.log
    assert check_artifacts(runner.pipeline, job, absent)["ECR_GATE_REASON"] == "aws.imageNotFound"


def test_a11_a_scan_that_does_not_end_is_4(runner, pushed, seed_scan, allow_role):
    seed_scan("shop/api", pushed, without_result("IN_PROGRESS"))
    allow_role()
    started = time.monotonic()
    job = runner.run("scan-gate", {"IMAGE_DIGEST": pushed}, quicken=True)
    assert job.rc == 4 and time.monotonic() - started < 30, job.log
    report = check_artifacts(runner.pipeline, job, pushed)
    assert (report["ECR_GATE_VERDICT"], report["ECR_GATE_REASON"]) == ("pending", "scan.pending")


def test_a11_aws_out_of_reach_is_never_green(runner, pushed):
    runner.endpoint = NOWHERE
    job = runner.run("scan-gate", {"IMAGE_DIGEST": pushed}, quicken=True)
    assert job.rc == 5, job.log
    assert check_artifacts(runner.pipeline, job, pushed)["ECR_GATE_VERDICT"] in ("deny", "pending")


@pytest.mark.parametrize("strict", [True, False], ids=["with set -u", "without set -u"])
@pytest.mark.parametrize("handed_on", [{}, {"IMAGE_DIGEST": ""}, {"IMAGE_DIGEST": "null"}], ids=["absent", "empty", "null"])
def test_a11_without_the_digest_of_the_push_nothing_is_green(runner, pushed, seed_scan, allow_role, handed_on, strict):
    seed_scan("shop/api", pushed, complete(LOW))
    allow_role()
    job = runner.run("scan-gate", handed_on, strict=strict)
    assert job.rc not in (0, 2, 4), job.log
    assert "ALLOW" not in job.log
    if handed_on or not strict:
        assert job.rc == 64, job.log
