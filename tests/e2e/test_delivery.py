"""Where an answer goes: nothing is written over what is read, and no file says "allow" but by this run (A5, A7, S14)."""

import json
from datetime import datetime, timezone

import pytest

DIGEST = "sha256:" + "1" * 64
IMAGE = f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app@{DIGEST}"
STALE = "ECR_GATE_VERDICT=allow\n"
POLICY = """\
apiVersion: ecr-gate.dev/v1
kind: GatePolicy
metadata: { name: p }
spec:
  exceptions: [exceptions.yaml]
  rules: [{ id: r, vulnerabilities: { sources: { accept: [file] }, max: { critical: 0 } }, action: ACTION }]
"""
EXCEPTIONS = "apiVersion: ecr-gate.dev/v1\nkind: GateExceptions\nexceptions: []\n"


@pytest.fixture
def report(tmp_path):
    """Writes a finished scan with findings of these severities, a policy and its exceptions; gives the arguments."""

    def write(*severities, action="deny"):
        now = datetime.now(timezone.utc).isoformat()
        findings = [{"name": f"CVE-2024-{n}", "severity": severity} for n, severity in enumerate(severities)]
        counts = {severity: severities.count(severity) for severity in severities}
        scan = {"imageScanCompletedAt": now, "findings": findings, "findingSeverityCounts": counts}
        body = {"imageId": {"imageDigest": DIGEST}, "imageScanStatus": {"status": "COMPLETE"}, "imageScanFindings": scan}
        (tmp_path / "in.json").write_text(json.dumps(body))
        (tmp_path / "gate.yaml").write_text(POLICY.replace("ACTION", action))
        (tmp_path / "exceptions.yaml").write_text(EXCEPTIONS)
        return ["check", IMAGE, "--report", "ecr=in.json"]

    return write


@pytest.mark.parametrize("option", ["--dotenv={}", "--output=json={}"])
@pytest.mark.parametrize("name", ["in.json", "gate.yaml", "exceptions.yaml", "./gate.yaml"])
@pytest.mark.parametrize("by", ["flag", "variable"])
def test_s14_no_input_is_written_over(gate, report, tmp_path, option, name, by):
    arguments = report()
    before = (tmp_path / name).read_text()
    policy, env = (["--policy", "gate.yaml"], {}) if by == "flag" else ([], {"ECR_GATE_POLICY": "gate.yaml"})
    run = gate(*arguments, *policy, option.format(name), env=env, cwd=tmp_path)
    assert run.rc == 64 and "is read and would be written over" in run.stderr
    assert (tmp_path / name).read_text() == before


def test_one_file_for_two_outputs_is_refused(gate, report, tmp_path):
    run = gate(*report(), "--dotenv", "x", "--output", "json=./x", cwd=tmp_path)
    assert run.rc == 64 and "two outputs" in run.stderr


@pytest.mark.parametrize("arguments", [["--bogus"], ["--timeout", "never"], ["--policy", "missing.yaml"]])
def test_s14_no_earlier_allow_outlives_a_refused_run(gate, report, tmp_path, arguments):
    (tmp_path / "scan.env").write_text(STALE)
    (tmp_path / "old.json").write_text('{"verdict":"allow"}')
    run = gate(*report(), "--dotenv", "scan.env", "--output", "json=old.json", *arguments, cwd=tmp_path)
    assert run.rc in (3, 64)
    assert "ECR_GATE_VERDICT=deny" in (tmp_path / "scan.env").read_text()
    assert not (tmp_path / "old.json").exists()


@pytest.mark.parametrize("severities, action, soft", [([], "deny", []), (["CRITICAL"], "warn", []), (["CRITICAL"], "warn", ["--warn-exit-code", "7"])])
def test_a5_an_answer_that_lets_pass_and_is_not_delivered_is_taken_back(gate, report, tmp_path, severities, action, soft):
    arguments = [*report(*severities, action=action), "--policy", "gate.yaml", "--dotenv", "scan.env", *soft]
    assert gate(*arguments, cwd=tmp_path).rc == (7 if soft else 0)
    run = gate(*arguments, "--output", "json=a.json", "--output", "sarif=/dev/full", cwd=tmp_path)
    assert run.rc == 5
    assert (tmp_path / "scan.env").read_text() == "ECR_GATE_VERDICT=deny\nECR_GATE_REASON=internal\n"
    assert not (tmp_path / "a.json").exists()


def test_a1_a_refusal_that_is_not_delivered_stays_a_refusal(gate, report, tmp_path):
    run = gate(*report("CRITICAL"), "--policy", "gate.yaml", "--dotenv", "scan.env", "--output", "sarif=/dev/full", cwd=tmp_path)
    assert run.rc == 1
    assert "ECR_GATE_VERDICT=deny" in (tmp_path / "scan.env").read_text()
