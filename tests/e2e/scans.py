"""Scan results in the words of the ECR API, for the suites that seed them into moto, and how those suites read a decision."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

REGISTRY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
# Waiting is bounded: what a test waits for either is there already or never comes. A busy machine needs some of this for the calls themselves.
HASTE = ["--timeout", "4s", "--poll-interval", "200ms"]


def finding(name: str, severity: str, package: str = "openssl", version: str = "3.0.7-1", fixed: str | None = "3.0.8-1") -> dict[str, Any]:
    """One finding of basic scanning."""
    attributes = {"package_name": package, "package_version": version, "CVSS3_SCORE": "7.4"}
    if fixed:
        attributes["fixed_in_version"] = fixed
    return {
        "name": name,
        "severity": severity,
        "uri": f"https://nvd.nist.gov/vuln/detail/{name}",
        "attributes": [{"key": key, "value": value} for key, value in attributes.items()],
    }


def complete(*findings: dict[str, Any]) -> dict[str, Any]:
    """A finished basic scan of now; a severity without findings has no key, as with ECR (A3)."""
    words = [one["severity"] for one in findings]
    return {
        "imageScanStatus": {"status": "COMPLETE", "description": "The scan was completed successfully."},
        "imageScanFindings": {
            "imageScanCompletedAt": time.time(),
            "vulnerabilitySourceUpdatedAt": time.time() - 3600,
            "findingSeverityCounts": {word: words.count(word) for word in sorted(set(words))},
            "findings": list(findings),
        },
    }


def without_result(status: str, description: str = "") -> dict[str, Any]:
    """A scan that has a status and no findings object."""
    return {"imageScanStatus": {"status": status, "description": description}}


LOW = finding("CVE-2022-0563", "LOW", "util-linux", "2.38.1-5", None)
MEDIUM = finding("CVE-2023-45918", "MEDIUM", "ncurses", "6.4-4", None)
HIGH = finding("CVE-2023-0286", "HIGH")
CRITICAL = finding("CVE-2021-44228", "CRITICAL", "log4j-core", "2.14.1", "2.15.0")


def codes(record: dict[str, Any]) -> list[str]:
    """The reason codes of a decision record."""
    return [reason["code"] for reason in record["reasons"]]


def blocking(record: dict[str, Any]) -> list[str]:
    """The ids of the findings that block."""
    return [judged["id"] for judged in record["findings"]["blocking"]]


def dotenv(file: Path) -> dict[str, str]:
    """The variables of a dotenv report, read as strictly as GitLab does: one KEY=VALUE a line, under 5 KB."""
    text = file.read_text()
    assert text.endswith("\n") and len(text.encode()) < 5 * 1024, text
    pairs = [line.split("=", 1) for line in text.splitlines()]
    assert all(len(pair) == 2 and pair[0].isidentifier() for pair in pairs), text
    variables = dict(pairs)
    assert len(variables) == len(pairs), f"a key came twice: {text}"
    return variables
