"""Scan results of basic scanning as `aws ecr describe-image-scan-findings` saves them, of any size, the same ones every time but for their dates.

    python make_report.py FINDINGS FILE [DIGEST]
"""

from __future__ import annotations

import datetime
import hashlib
import json
import random
import sys
from pathlib import Path
from typing import Any

ACCOUNT = "123456789012"
REPOSITORY = "shop/api"

# Per thousand, as in an image of a distribution that was not updated for a year.
SEVERITIES = {"CRITICAL": 12, "HIGH": 118, "MEDIUM": 340, "LOW": 290, "INFORMATIONAL": 160, "UNDEFINED": 80}
PACKAGES = """
    openssl glibc curl zlib krb5 systemd util-linux ncurses perl python3.11 libxml2 expat tar gnutls28 sqlite3 pam shadow coreutils
    libgcrypt20 nghttp2 openldap tiff libwebp imagemagick ghostscript linux git openssh gcc-12 binutils busybox nginx postgresql-15
""".split()
WORDS = """
    a remote attacker could send crafted input that triggers an out-of-bounds read in the parser of this package which leads to denial of
    service or disclosure of memory when processing untrusted certificates the flaw lies in how lengths are checked before data is copied
    into a buffer of fixed size affected versions handle recursion without a limit so that deeply nested documents exhaust the stack
""".split()


def finding(number: int, rng: random.Random) -> dict[str, Any]:
    [severity] = rng.choices(list(SEVERITIES), weights=list(SEVERITIES.values()))
    year = rng.randint(2015, 2026)
    name = f"CVE-{year}-{10000 + number}"
    description = " ".join(rng.choices(WORDS, k=rng.randint(10, 40))).capitalize() + "."
    if rng.random() < 0.2:
        description += f' NOTE: the "{rng.choice(PACKAGES)}" team\'s advisory is at https://lists.example.org/{number}\nand disputes it.'
    attributes = {
        "package_version": f"{rng.randint(0, 9)}.{rng.randint(0, 40)}.{rng.randint(0, 20)}-{rng.randint(1, 9)}+deb12u{rng.randint(1, 9)}",
        "package_name": rng.choice(PACKAGES),
    }
    if rng.random() < 0.4:  # many findings of basic scanning come without a score
        attributes["CVSS3_SCORE"] = f"{rng.randint(1, 100) / 10}"
        attributes["CVSS3_VECTOR"] = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
    return {
        "name": name,
        "description": description,
        "uri": f"https://security-tracker.debian.org/tracker/{name}",
        "severity": severity,
        "attributes": [{"key": key, "value": value} for key, value in attributes.items()],
    }


def scan(findings: int, completed_at: datetime.datetime) -> dict[str, Any]:
    """Status and findings of a finished scan."""
    rng = random.Random(findings)
    listed = [finding(number, rng) for number in range(findings)]
    words = [one["severity"] for one in listed]
    return {
        "imageScanFindings": {
            "findings": listed,
            "imageScanCompletedAt": completed_at.isoformat(timespec="seconds"),
            "vulnerabilitySourceUpdatedAt": (completed_at - datetime.timedelta(hours=7)).isoformat(timespec="seconds"),
            "findingSeverityCounts": {word: words.count(word) for word in SEVERITIES if word in words},
        },
        "registryId": ACCOUNT,
        "repositoryName": REPOSITORY,
        "imageScanStatus": {"status": "COMPLETE", "description": "The scan was completed successfully."},
    }


def main() -> None:
    findings, file = int(sys.argv[1]), Path(sys.argv[2])
    digest = sys.argv[3] if len(sys.argv) > 3 else "sha256:" + hashlib.sha256(str(findings).encode()).hexdigest()
    report = {**scan(findings, datetime.datetime.now(datetime.UTC)), "imageId": {"imageDigest": digest}}
    file.write_text(json.dumps(report, indent=4) + "\n")  # as the AWS CLI prints it
    print(digest)


if __name__ == "__main__":
    main()
