"""The stage of `make demo`: a loopback stand-in for Amazon ECR (moto) with four images, one in each situation that a gate must tell apart.

Prints its address once everything is in place, and ends when its standard input does: it cannot outlive who started it.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
import urllib.request
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

REGION = "eu-west-1"
ACCOUNT = "123456789012"


def finding(name: str, severity: str, package: str, version: str, fixed: str | None, score: str) -> dict[str, Any]:
    attributes = {"package_name": package, "package_version": version, "CVSS3_SCORE": score}
    if fixed:
        attributes["fixed_in_version"] = fixed
    return {
        "name": name,
        "severity": severity,
        "uri": f"https://nvd.nist.gov/vuln/detail/{name}",
        "attributes": [{"key": key, "value": value} for key, value in attributes.items()],
    }


HARMLESS = [
    finding("CVE-2023-45918", "MEDIUM", "ncurses", "6.4-4", None, "3.3"),
    finding("CVE-2024-26458", "LOW", "krb5", "1.20.1-2", None, "5.3"),
    finding("CVE-2022-0563", "LOW", "util-linux", "2.38.1-5", None, "5.5"),
]
SERIOUS = [
    finding("CVE-2021-44228", "CRITICAL", "log4j-core", "2.14.1", "2.15.0", "10.0"),
    finding("CVE-2023-0286", "HIGH", "openssl", "3.0.7-1", "3.0.8-1", "7.4"),
    finding("CVE-2024-2961", "HIGH", "glibc", "2.36-9", "2.36-10", "7.3"),
]


def counts(findings: list[dict[str, Any]]) -> dict[str, int]:
    words = [one["severity"] for one in findings]
    return {word: words.count(word) for word in sorted(set(words))}


def scanned(findings: list[dict[str, Any]]) -> dict[str, Any]:
    """A finished basic scan. A severity without findings has no key: that is how ECR counts to zero."""
    now = time.time()
    return {
        "imageScanStatus": {"status": "COMPLETE", "description": "The scan was completed successfully."},
        "imageScanFindings": {
            "imageScanCompletedAt": now,
            "vulnerabilitySourceUpdatedAt": now - 5 * 3600,
            "findingSeverityCounts": counts(findings),
            "findings": findings,
        },
    }


UNSUPPORTED = {
    "imageScanStatus": {
        "status": "UNSUPPORTED_IMAGE",
        "description": "UnsupportedImageError: The operating system 'distroless' is not supported.",
    }
}


class Stage:
    """moto on a free port of 127.0.0.1, in this process."""

    def __init__(self) -> None:
        server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        self.url = f"http://{host}:{port}"
        self.ecr = boto3.client(
            "ecr", endpoint_url=self.url, region_name=REGION, aws_access_key_id="demo", aws_secret_access_key="demo"
        )

    def push(self, repository: str, tag: str) -> str:
        """One image of one layer; its digest. moto would hash the layers, not the manifest, so the real digest is passed."""
        blob = "sha256:" + hashlib.sha256(repository.encode()).hexdigest()
        manifest = json.dumps({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": blob, "size": 1470},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": blob, "size": 31357624}],
        })
        digest = "sha256:" + hashlib.sha256(manifest.encode()).hexdigest()
        self.ecr.create_repository(repositoryName=repository)
        self.ecr.put_image(repositoryName=repository, imageTag=tag, imageManifest=manifest, imageDigest=digest)
        return digest

    def scan(self, repository: str, digest: str, result: dict[str, Any]) -> None:
        """Starts a scan whose result is this. moto gives a result only for a scan that was started."""
        image = {"repositoryName": repository, "imageId": {"imageDigest": digest}}
        self.ecr.start_image_scan(**image)
        body = json.dumps({"results": [{"registryId": ACCOUNT, **image, **result}], "region": REGION}).encode()
        request = urllib.request.Request(
            f"{self.url}/moto-api/static/ecr/scan-finding-results", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            answer.read()


def main() -> None:
    stage = Stage()
    stage.scan("shop/web", stage.push("shop/web", "1.4"), scanned(HARMLESS))
    stage.scan("shop/api", stage.push("shop/api", "2.0"), scanned(HARMLESS + SERIOUS))
    stage.push("shop/jobs", "0.9")
    stage.scan("shop/edge", stage.push("shop/edge", "3.1"), UNSUPPORTED)
    print(stage.url, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
