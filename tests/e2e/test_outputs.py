"""B2: what other programs read of a decision: JUnit by a real XML parser, SARIF and GitLab's report as JSON, the dotenv report by a shell."""

from __future__ import annotations

import json
import subprocess
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from conftest import ACCOUNT, digest_of
from scans import CRITICAL, HIGH, LOW, REGISTRY, complete, finding, without_result

DIGEST = digest_of("image")
# What no parser may take for its own syntax. JSON carries all of it; the report is read before it is judged.
HOSTILE = finding("CVE-1 ]]><x y='\"&\n\x1b[2J\x00\x0b\ufffe##[add-mask]z", "CRITICAL", "$(id) `id` %0A::error::|\u2028", "1;2", "3\r\n")

SCENES = {
    "clean": (complete(), 0),
    "blocked": (complete(CRITICAL, HIGH, LOW), 1),
    "hostile": (complete(HOSTILE, LOW), 1),
    "pending": (without_result("IN_PROGRESS"), 4),
    "failed": (without_result("FAILED", "]]> & <b>"), 2),
}


@pytest.fixture(params=SCENES)
def answered(request, gate, tmp_path: Path):
    """One scene in every form, with its exit code and record."""
    body, rc = SCENES[request.param]
    report = {"registryId": ACCOUNT, "repositoryName": "team/app", "imageId": {"imageDigest": DIGEST}, **body}
    (tmp_path / "report.json").write_text(json.dumps(report))
    forms = [f"--output={form}={form}" for form in ["sarif", "junit", "gitlab", "markdown"]]
    run = gate("check", "--report", "ecr=report.json", f"{REGISTRY}/team/app@{DIGEST}", "--output", "json", *forms, "--dotenv", "scan.env")
    assert run.rc == rc, run.stderr
    return tmp_path, run.json(), rc


def test_b2_junit_is_xml_with_right_counts_and_never_empty(answered):
    folder, record, rc = answered
    root = ElementTree.parse(folder / "junit").getroot()
    [suite] = root.findall("testsuite")
    cases = suite.findall("testcase")
    assert int(root.get("tests")) == int(suite.get("tests")) == len(cases) >= 1
    failed = [case for case in cases if case.find("failure") is not None]
    errors = [case for case in cases if case.find("error") is not None]
    assert (int(suite.get("failures")), int(suite.get("errors"))) == (len(failed), len(errors))
    assert bool(failed or errors) == (rc != 0)
    assert bool(errors) == (record["findings"]["counts"] is None)
    names = [case.get("name") for case in cases]
    assert sum(name.startswith("finding ") for name in names) == len(record["findings"]["blocking"])
    assert len(set(names)) == len(names)


def test_b2_sarif_says_whether_the_scan_was_complete(answered):
    folder, record, rc = answered
    [run] = json.loads((folder / "sarif").read_text())["runs"]
    [invocation] = run["invocations"]
    complete_scan = record["findings"]["counts"] is not None
    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (complete_scan, rc)
    assert bool(invocation["toolExecutionNotifications"]) == (not complete_scan)
    assert [result["level"] for result in run["results"]].count("error") == (len(record["findings"]["blocking"]) if complete_scan else 1)
    assert all(run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] for result in run["results"])


def test_b2_gitlab_takes_a_scan_without_a_result_for_failed(answered):
    folder, record, _ = answered
    report = json.loads((folder / "gitlab").read_text())
    complete_scan = record["findings"]["counts"] is not None
    assert report["scan"]["status"] == ("success" if complete_scan else "failure")
    assert (report["scan"]["scanner"]["id"] == "ecr-gate") == (not complete_scan)
    for moment in ["start_time", "end_time"]:
        assert abs(time.mktime(time.strptime(report["scan"][moment] + " UTC", "%Y-%m-%dT%H:%M:%S %Z")) - time.timezone - time.time()) < 120
    assert "\x00" not in json.dumps(report, ensure_ascii=False), "PostgreSQL takes no NUL"


def test_a7_a_shell_that_sources_the_dotenv_report_gets_the_values_and_runs_nothing(answered):
    folder, record, _ = answered
    script = "set -eu; . ./scan.env; printf '%s\\n' \"$ECR_GATE_VERDICT\" \"$ECR_GATE_DIGEST\" \"${VULN_TOTAL-none}\""
    done = subprocess.run(["sh", "-c", script], cwd=folder, capture_output=True, text=True, check=True)
    total = "none" if record["findings"]["counts"] is None else str(record["findings"]["blockingTotal"])
    assert (done.stdout.split("\n")[:3], done.stderr) == ([record["verdict"], DIGEST, total], "")
