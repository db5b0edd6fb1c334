"""Reports as scanners write them, made up from one list of vulnerabilities, so that a test can hand the same over in any format.

Each has what its scanner always writes and what proves a scan where the format can; nothing else.
"""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

from images import Image


@dataclasses.dataclass(frozen=True)
class Vulnerability:
    id: str
    severity: str
    """In capitals."""
    package: str = "openssl"
    version: str = "3.0.14-1"
    fixed: str | None = "3.0.15-1"
    score: float = 7.5
    layer: str | None = None
    """The `diff_id` of the layer that its package is in."""

    @property
    def purl(self) -> str:
        return f"pkg:deb/debian/{self.package}@{self.version}"


LOW = Vulnerability("CVE-2022-0563", "LOW", "util-linux", "2.38.1-5", None, 3.3)
MEDIUM = Vulnerability("CVE-2023-45918", "MEDIUM", "ncurses", "6.4-4", None, 5.0)
HIGH = Vulnerability("CVE-2024-5535", "HIGH")
CRITICAL = Vulnerability("CVE-2024-3094", "CRITICAL", "xz-utils", "5.6.0-0.2", "5.6.1+really5.4.5-1", 10.0)


def stamp(ago_s: float = 60) -> str:
    """A time of the past, as scanners write it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - ago_s))


def trivy(image: Image, *found: Vulnerability, name: str = "app:1", repo: str = "registry.example/app", ago_s: float = 60) -> dict[str, Any]:
    """`trivy image --format json`. A local archive has an image id and no digest."""
    result: dict[str, Any] = {"Target": f"{name} (debian 12.8)", "Class": "os-pkgs", "Type": "debian"}
    if found:
        result["Vulnerabilities"] = [
            {
                "VulnerabilityID": one.id,
                "PkgID": f"{one.package}@{one.version}",
                "PkgName": one.package,
                "PkgIdentifier": {"PURL": f"{one.purl}?arch=amd64&distro=debian-12.8"},
                "InstalledVersion": one.version,
                **({"FixedVersion": one.fixed, "Status": "fixed"} if one.fixed else {"Status": "affected"}),
                **({"Layer": {"DiffID": one.layer}} if one.layer else {}),
                "SeveritySource": "nvd",
                "Severity": one.severity,
                "CVSS": {"nvd": {"V3Vector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", "V3Score": one.score}},
                "PrimaryURL": f"https://avd.aquasec.com/nvd/{one.id.lower()}",
            }
            for one in found
        ]
    return {
        "SchemaVersion": 2,
        "Trivy": {"Version": "0.67.2"},
        "CreatedAt": stamp(ago_s),
        "ArtifactName": name,
        "ArtifactType": "container_image",
        "Metadata": {
            "OS": {"Family": "debian", "Name": "12.8"},
            "ImageID": image.image_id,
            **({"RepoTags": [f"{repo}:1"], "RepoDigests": [f"{repo}@{image.digest}"]} if repo else {}),
            "ImageConfig": {"architecture": "amd64", "os": "linux"},
        },
        "Results": [result],
    }


def grype(image: Image, *found: Vulnerability, name: str = "app:1", ago_s: float = 60) -> dict[str, Any]:
    """`grype IMAGE -o json`."""
    return {
        "matches": [
            {
                "vulnerability": {
                    "id": one.id,
                    "dataSource": f"https://security-tracker.debian.org/tracker/{one.id}",
                    "namespace": "debian:distro:debian:12",
                    "severity": one.severity.capitalize(),
                    "cvss": [{"type": "Primary", "version": "3.1", "vector": "", "metrics": {"baseScore": one.score}}],
                    "fix": {"versions": [one.fixed] if one.fixed else [], "state": "fixed" if one.fixed else "not-fixed"},
                    "advisories": [],
                },
                "relatedVulnerabilities": [],
                "matchDetails": [{"type": "exact-direct-match", "matcher": "dpkg-matcher", "searchedBy": {}, "found": {}}],
                "artifact": {"id": f"{one.package}-1", "name": one.package, "version": one.version, "type": "deb", "purl": one.purl},
            }
            for one in found
        ],
        "source": {
            "type": "image",
            "target": {
                "userInput": name,
                "imageID": image.image_id,
                "manifestDigest": image.digest,
                "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
                "tags": [],
                "repoDigests": [],
                "architecture": "amd64",
                "os": "linux",
            },
        },
        "distro": {"name": "debian", "version": "12", "idLike": []},
        "descriptor": {
            "name": "grype",
            "version": "0.104.0",
            "configuration": {"output": ["json"], "only-fixed": False, "only-notfixed": False, "ignore-states": "", "exclude": []},
            "db": {"status": {"schemaVersion": "v6.1.1", "built": stamp(ago_s + 3600), "valid": True}},
            "timestamp": stamp(ago_s),
        },
    }


def harbor(image: Image, *found: Vulnerability, ago_s: float = 60) -> dict[str, Any]:
    """What a scanner hands to Harbor."""
    order = ["CRITICAL", "HIGH", "MEDIUM", "LOW"]
    worst = min(found, key=lambda one: order.index(one.severity)).severity.capitalize() if found else "None"
    return {
        "generated_at": stamp(ago_s),
        "artifact": {"repository": "library/app", "digest": image.digest, "mime_type": "application/vnd.oci.image.manifest.v1+json"},
        "scanner": {"name": "Clair", "vendor": "CoreOS", "version": "4.8"},
        "severity": worst,
        "vulnerabilities": [
            {
                "id": one.id,
                "package": one.package,
                "version": one.version,
                "fix_version": one.fixed or "",
                "severity": one.severity.capitalize(),
                "description": "",
                "links": [f"https://example.org/{one.id}"],
            }
            for one in found
        ],
    }


def snyk(_image: Image, *found: Vulnerability) -> dict[str, Any]:
    """`snyk container test --json`."""
    return {
        "vulnerabilities": [
            {
                "id": f"SNYK-DEBIAN12-{one.package.upper()}-1",
                "title": "made up",
                "severity": one.severity.lower(),
                "identifiers": {"CVE": [one.id], "CWE": []},
                "cvssScore": one.score,
                "packageName": one.package,
                "name": one.package,
                "version": one.version,
                **({"nearestFixedInVersion": one.fixed} if one.fixed else {}),
                "from": ["docker-image|app@1", f"{one.package}@{one.version}"],
            }
            for one in found
        ],
        "ok": not found,
        "dependencyCount": 2,
        "packageManager": "deb",
        "projectName": "docker-image|app",
        "path": "app:1",
    }


def sarif(image: Image, *found: Vulnerability, successful: bool | None = None) -> dict[str, Any]:
    """SARIF as Trivy writes it; its own has no `invocations`, which alone could prove that the scan went to its end."""
    invocations = [] if successful is None else [{"executionSuccessful": successful, "endTimeUtc": stamp()}]
    return {
        "version": "2.1.0",
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "Trivy",
                        "version": "0.67.2",
                        "rules": [
                            {
                                "id": one.id,
                                "name": "OsPackageVulnerability",
                                "defaultConfiguration": {"level": "error"},
                                "properties": {"security-severity": str(one.score), "tags": ["vulnerability", "security", one.severity]},
                            }
                            for one in found
                        ],
                    }
                },
                **({"invocations": invocations} if invocations else {}),
                "results": [
                    {
                        "ruleId": one.id,
                        "ruleIndex": number,
                        "level": "error",
                        "message": {
                            "text": f"Package: {one.package}\nInstalled Version: {one.version}\nVulnerability {one.id}\n"
                            f"Severity: {one.severity}\nFixed Version: {one.fixed or ''}"
                        },
                    }
                    for number, one in enumerate(found)
                ],
                "properties": {"imageName": "app:1", "imageID": image.image_id, "repoDigests": [f"registry.example/app@{image.digest}"]},
            }
        ],
    }


def cyclonedx(image: Image, *found: Vulnerability) -> dict[str, Any]:
    """`trivy image --format cyclonedx --scanners vuln`."""
    properties = [
        {"name": "aquasecurity:trivy:ImageID", "value": image.image_id},
        {"name": "aquasecurity:trivy:RepoDigest", "value": f"registry.example/app@{image.digest}"},
    ]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": stamp(),
            "tools": {"components": [{"type": "application", "name": "trivy", "version": "0.67.2"}]},
            "component": {"bom-ref": "root", "type": "container", "name": "app:1", "properties": properties},
        },
        "components": [
            {"bom-ref": one.purl, "type": "library", "name": one.package, "version": one.version, "purl": one.purl} for one in found
        ],
        "vulnerabilities": [
            {
                "id": one.id,
                "ratings": [{"source": {"name": "nvd"}, "score": one.score, "severity": one.severity.lower(), "method": "CVSSv31"}],
                "affects": [{"ref": one.purl}],
            }
            for one in found
        ],
    }


def osv(_image: Image, *found: Vulnerability) -> dict[str, Any]:
    """`osv-scanner scan image --format json`."""
    return {
        "results": [
            {
                "source": {"path": "app:1", "type": "docker"},
                "packages": [
                    {
                        "package": {"name": one.package, "version": one.version, "ecosystem": "Debian:12"},
                        "vulnerabilities": [
                            {
                                "id": f"DEBIAN-{one.id}",
                                "modified": stamp(),
                                "upstream": [one.id],
                                "affected": [{"package": {"name": one.package, "ecosystem": "Debian:12"}}],
                            }
                        ],
                        "groups": [{"ids": [f"DEBIAN-{one.id}"], "aliases": [f"DEBIAN-{one.id}", one.id], "max_severity": str(one.score)}],
                    }
                    for one in found
                ],
            }
        ]
    }


def inspector(image: Image, *found: Vulnerability, repo: str = "team/app") -> dict[str, Any]:
    """`aws inspector2 list-findings`."""
    resource = {
        "type": "AWS_ECR_CONTAINER_IMAGE",
        "id": f"arn:aws:ecr:eu-west-1:123456789012:repository/{repo}/{image.digest}",
        "details": {
            "awsEcrContainerImage": {"repositoryName": repo, "registry": "123456789012", "imageHash": image.digest, "architecture": "amd64", "imageTags": ["1"]}
        },
    }
    return {
        "findings": [
            {
                "findingArn": f"arn:aws:inspector2:eu-west-1:123456789012:finding/{one.id}",
                "awsAccountId": "123456789012",
                "type": "PACKAGE_VULNERABILITY",
                "severity": one.severity,
                "status": "ACTIVE",
                "title": f"{one.id} - {one.package}",
                "fixAvailable": "YES" if one.fixed else "NO",
                "packageVulnerabilityDetails": {
                    "vulnerabilityId": one.id,
                    "vulnerablePackages": [{"name": one.package, "version": one.version, **({"fixedInVersion": one.fixed} if one.fixed else {})}],
                },
                "resources": [resource],
            }
            for one in found
        ]
    }


def openvex(author: str, vulnerability: str, product: str, status: str = "not_affected", **rest: str) -> dict[str, Any]:
    """A VEX document with one statement."""
    justification = {"justification": "vulnerable_code_not_in_execute_path"} if status == "not_affected" else {}
    return {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": "https://example.org/vex/1",
        "author": author,
        "timestamp": stamp(),
        "version": 1,
        "statements": [
            {"vulnerability": {"name": vulnerability}, "products": [{"@id": product}], "status": status, **justification, **rest}
        ],
    }


def write(file: Path, document: Any) -> Path:
    """The document as a file."""
    file.write_text(json.dumps(document))
    return file


def policy(file: Path, *rules: dict[str, Any], **spec: Any) -> Path:
    """A policy of these rules; their ids are their numbers."""
    numbered = [{"id": f"r{number}", **rule} for number, rule in enumerate(rules, 1)]
    return write(file, {"apiVersion": "ecr-gate.dev/v1", "kind": "GatePolicy", "metadata": {"name": "test"}, "spec": {"rules": numbered, **spec}})


def vulnerabilities(accept: list[str] | None = None, *, sources: dict[str, Any] | None = None, **keys: Any) -> dict[str, Any]:
    """A rule that allows neither CRITICAL nor HIGH."""
    rule = {"sources": {"accept": accept or ["file"], **(sources or {})}, "max": {"critical": 0, "high": 0}, **keys}
    return {"vulnerabilities": rule}
