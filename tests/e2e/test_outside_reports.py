"""Reports that real scanners wrote, which are no part of the project: what the gate counts against a counter of our own.

Without ECR_GATE_TESTDATA there is nothing to read, and the summary says so.
"""

from __future__ import annotations

import collections
import json
import os
from pathlib import Path
from typing import Any

import pytest
import reports

DATA = Path(os.environ.get("ECR_GATE_TESTDATA") or "/nonexistent") / "scanners"
FILES = sorted(str(file.relative_to(DATA)) for file in DATA.rglob("*") if file.is_file())
SKIP = pytest.mark.skip(reason="outside reports of scanners: ECR_GATE_TESTDATA is not set or has no folder `scanners`")
NOWHERE = "sha256:" + "0" * 64


def trivy_counts(report: dict[str, Any]) -> dict[str, int]:
    words = [found["Severity"] for result in report["Results"] for found in result.get("Vulnerabilities") or []]
    return dict(collections.Counter("UNDEFINED" if word == "UNKNOWN" else word for word in words))


def grype_counts(report: dict[str, Any]) -> dict[str, int]:
    words = [match["vulnerability"]["severity"].upper() for match in report["matches"]]
    known = {"NEGLIGIBLE": "INFORMATIONAL", "UNKNOWN": "UNDEFINED"}
    return dict(collections.Counter(known.get(word, word) for word in words))


@pytest.mark.parametrize("name", FILES or [pytest.param("none", marks=SKIP)])
def test_b14_a_report_of_a_real_scanner_is_counted_right_or_proves_nothing(check, tmp_path, name):
    text = (DATA / name).read_text()
    policy = reports.policy(tmp_path / "policy.yaml", reports.vulnerabilities(maxScanAge="36500d", max={}))
    report = json.loads(text)
    if "SchemaVersion" in report:
        image, counts = report["Metadata"]["ImageID"], trivy_counts(report)
    elif "matches" in report and report["descriptor"]["timestamp"]:  # without a time it proves nothing
        image, counts = report["source"]["target"]["imageID"], grype_counts(report)
    else:
        image, counts = NOWHERE, None
    where = f"app@{NOWHERE}" if counts is None else "app"  # a name without a registry: the report alone says which image
    run = check(where, "--report", DATA / name, "--policy", policy, "-o", "json", "--timeout", "5s")
    if counts is None:
        assert run.rc not in (0, 1), run.stdout + run.stderr
        return
    assert run.rc == 0, run.stdout + run.stderr
    assert (run.json()["image"]["imageId"], run.json()["findings"]["counts"]) == (image, counts)
    serious = reports.policy(tmp_path / "policy.yaml", reports.vulnerabilities(maxScanAge="36500d", max={word: 0 for word in ["critical", "high", "medium", "low"]}))
    run = check(where, "--report", DATA / name, "--policy", serious, "-o", "json", "--timeout", "5s")
    expected = sum(counts.get(word, 0) for word in ["CRITICAL", "HIGH", "MEDIUM", "LOW"])
    assert (run.rc, run.json()["findings"]["blockingTotal"]) == (1 if expected else 0, expected), run.stdout + run.stderr


@pytest.mark.parametrize("name", FILES or [pytest.param("none", marks=SKIP)])
def test_a5_a_report_of_a_real_scanner_about_another_image_is_never_green(check, build_image, tmp_path, name):
    policy = reports.policy(tmp_path / "policy.yaml", reports.vulnerabilities(maxScanAge="36500d", max={}))
    run = check(build_image().oci, "--report", DATA / name, "--policy", policy, "-o", "json")
    assert run.rc not in (0, 1) and run.json()["verdict"] == "deny", run.stdout + run.stderr
