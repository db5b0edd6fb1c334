"""Facts as `ecr-gate check --output facts=FILE` records them, of any size, the same ones every time.

    python make_facts.py DOCUMENTS FILE.jsonl     small ones, a few KB each, each with the verdict that was recorded
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
from pathlib import Path
from typing import Any

NOW = "2026-06-01T12:00:00Z"
HOUR_AGO = "2026-06-01T11:00:00Z"
BUILT = "2026-05-20T08:00:00Z"
LONG_AGO = "2025-11-20T08:00:00Z"
# As in make_report.py, per thousand.
SEVERITIES = {"CRITICAL": 12, "HIGH": 118, "MEDIUM": 340, "LOW": 290, "INFORMATIONAL": 160, "UNDEFINED": 80}
LICENSES = ["MIT", "Apache-2.0", "BSD-3-Clause", "ISC", "GPL-2.0-or-later", "LGPL-2.1-only OR MIT", "MPL-2.0"]
SIGNERS = ["release", "security", "ci"]


def digest(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def observed(value: Any, origin: dict[str, str] | None = None) -> dict[str, Any]:
    return {"value": value, "origin": origin or {"kind": "file", "name": "given.json"}, "at": NOW, "evidence": digest("evidence")}


def present(value: Any) -> dict[str, Any]:
    return {"present": observed(value)}


def finding(number: int, severity: str, rng: random.Random) -> dict[str, Any]:
    package = f"lib{number % 180}"
    version = f"{rng.randint(0, 9)}.{rng.randint(0, 40)}.{rng.randint(0, 20)}-{rng.randint(1, 9)}"
    identifier = f"CVE-{rng.randint(2015, 2026)}-{10_000 + number}"
    return {
        "id": identifier,
        "aliases": [],
        "severity": severity,
        "packages": [{"name": package, "version": version, "fix": {"in": version + "+deb12u1"} if number % 3 else "notSaid"}],
        "cvssTenths": rng.randint(10, 97) if number % 2 else None,
        "epssMillionths": rng.randint(1, 500_000),
        "exploitAvailable": False,
        "url": f"https://security-tracker.debian.org/tracker/{identifier}",
        "saidBy": [],
    }


def proof(key: str) -> dict[str, Any]:
    empty: dict[str, Any] = {"window": None, "proven": [], "log": None, "roots": [], "refused": [], "claimed": None, "expires": None, "notes": []}
    return {"signer": {"kind": "key", "key": digest(key), "algorithm": "ECDSA P-256"}, **empty}


def signed(key: str, content: dict[str, Any]) -> dict[str, Any]:
    place = digest(key + json.dumps(content))
    verified = {"ok": {"content": content, "proof": proof(key)}}
    return {"format": "bundle", "manifest": place, "envelope": digest(place), "place": "referrer", "verified": verified, "provenance": None}


def component(number: int, rng: random.Random) -> dict[str, Any]:
    kind, name = ("npm", "%40scope/") if number % 4 == 0 else ("npm", "") if number % 2 else ("deb", "debian/")
    version = f"{rng.randint(0, 12)}.{rng.randint(0, 30)}.{rng.randint(0, 9)}"
    return {
        "purl": f"pkg:{kind}/{name}part-{number}@{version}",
        "name": f"part-{number}",
        "version": version,
        "licenses": [rng.choice(LICENSES)],
        "hashes": [],
    }


def document(number: int, findings: int, components: int, packages: int, wrong: bool) -> dict[str, Any]:
    """Facts about an image. With `wrong` it breaks every rule of ten-rules, in as many ways as it can."""
    rng = random.Random(number)
    image = digest(f"image {number}")
    scale = findings / 1000
    # Of a good image nothing serious is known.
    weights = SEVERITIES if wrong else {"MEDIUM": 300, "LOW": 540, "INFORMATIONAL": 160}
    words = [word for word, share in weights.items() for _ in range(round(share * scale))]
    words += ["LOW"] * (findings - len(words))
    rng.shuffle(words)
    listed = [finding(place, word, rng) for place, word in enumerate(words[:findings])]
    parts = [component(place, rng) for place in range(components)]
    if wrong and findings and components:
        listed[0]["id"] = "CVE-2024-3094"
        for place in (findings // 3, findings // 2):
            listed[place]["exploitAvailable"] = True
        listed[findings // 4]["cvssTenths"] = 99
        listed[findings // 5]["epssMillionths"] = 900_000
        parts[components // 3] |= {"purl": "pkg:npm/event-stream@3.3.6", "name": "event-stream", "version": "3.3.6"}
        parts[components // 2] |= {"purl": "pkg:npm/flatmap-stream@0.1.1", "name": "flatmap-stream", "version": "0.1.1"}
        parts[components // 4] |= {"licenses": ["AGPL-3.0-only"]}
    scan = {
        "findings": listed,
        "summary": {word: words[:findings].count(word) for word in SEVERITIES if word in words[:findings]},
        "proof": {"kind": "ecrBasic", "pages": 1 + findings // 100, "completedAt": HOUR_AGO, "pushedAt": BUILT},
        "databaseAt": HOUR_AGO,
    }
    layers = [{"digest": digest(f"{image} {layer}"), "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "sizeBytes": 9_000_000 + layer} for layer in range(8)]
    labels = {"org.opencontainers.image.source": "https://gitlab.com/acme/app", "org.opencontainers.image.revision": digest(image)[7:47]}
    config = {
        "id": digest(f"config {number}"),
        "platform": "linux/amd64",
        "created": LONG_AGO if wrong else BUILT,
        "user": "root" if wrong else "10001",
        "entrypoint": ["/usr/local/bin/app"],
        "command": [],
        "workingDir": "/",
        "path": ["/usr/local/bin", "/usr/bin", "/bin"],
        "variables": ["PATH", "LANG"],
        "ports": ["8080/tcp"],
        "labels": labels,
        "annotations": {},
        "layers": layers,
        "diffIds": [digest(layer["digest"]) for layer in layers],
        "secrets": [],
        "base": None,
    }
    names = [f"os-{place}" for place in range(packages)] + (["telnet"] if wrong else ["ca-certificates"])
    contents = {
        "os": {"id": "debian", "version": "12"},
        "databases": ["var/lib/dpkg/status"],
        "packages": [{"kind": "deb", "name": name, "version": f"1.{place}-1", "architecture": "amd64"} for place, name in enumerate(names)],
        "removed": [],
        "unreadable": [],
        "entrypoint": {"is": "resolved", "detail": "/usr/local/bin/app"},
    }
    sbom = {"format": "cyclonedx", "version": "1.6", "created": BUILT, "tools": ["syft 1.20"], "describes": [image], "name": "app", "components": parts}
    peak = 700 if wrong else 400
    run = {"subject": image, "metric": "memory_peak_bytes", "samples": [f"{peak + sample}MiB" for sample in range(3)], "tool": "ecr-gate", "stage": "smoke", "at": HOUR_AGO}
    content = {"image": {"digest": image, "reference": None, "annotations": {}}}
    keys = ["release", "stranger", "nobody"] if wrong else ["release", "security", "stranger"]
    tests = {"result": "FAILED" if wrong else "PASSED", "coverage": 84, "suite": [{"name": f"case {case}", "ok": True} for case in range(5)]}
    statement = {"predicateType": "https://in-toto.io/attestation/test-result/v0.1", "subjects": [image], "predicate": tests}
    host, repository, tag = "docker.io" if wrong else "123456789012.dkr.ecr.eu-west-1.amazonaws.com", "shop/api", "latest" if wrong else "1.4.2"
    manifest = {
        "platform": None,
        "digest": image,
        "pushedAt": BUILT,
        "reports": [{"scanner": "ecr", "tool": None, "origin": {"kind": "ecr", "name": "eu-west-1"}, "scan": {"present": observed(scan, {"kind": "ecr", "name": "eu-west-1"})}, "unproven": []}],
        "config": present(config),
        "contents": present(contents),
        "sboms": present([observed(sbom)]),
        "measurements": present([observed(run)]),
        "signed": present([signed(key, content) for key in keys] + [signed("ci", {"statement": statement})]),
        "unreadable": [],
    }
    return {
        "schema": "ecr-gate.dev/facts/v1",
        "at": NOW,
        "image": {"reference": f"{host}/{repository}:{tag}", "name": f"{host}/{repository}", "host": host, "repository": repository, "tag": tag, "pinned": False, "digest": image},
        "environment": {"name": "production", "class": "production"},
        "parameters": {},
        "index": None,
        "manifests": [manifest],
        "firstSeen": [],
        "vex": [],
        "bases": [],
        "trust": {"digest": digest("material"), "keys": {f"ten-rules/{name}": {"ok": digest(name)} for name in SIGNERS}, "roots": {"ten-rules": {"ok": []}}},
        "decision": None,
    }


def small(number: int) -> dict[str, Any]:
    """Of a small image, as a log of decisions holds many; every tenth was allowed and would not be."""
    facts = document(number, findings=4, components=4, packages=4, wrong=number % 10 == 0)
    decision = {"verdict": "allow", "policies": [{"name": "ten-rules", "version": None, "digest": digest("policy"), "failOn": None}]}
    return {**facts, "decision": decision}


def write_many(documents: int, file: Path) -> None:
    """Of a hundred kinds, each about an image of its own."""
    kinds = [(json.dumps(small(number), separators=(",", ":")), digest(f"image {number}")) for number in range(100)]
    with file.open("w") as out:
        for number in range(documents):
            line, image = kinds[number % len(kinds)]
            out.write(line.replace(image, digest(f"image {number}")) + "\n")


if __name__ == "__main__":
    write_many(int(sys.argv[1]), Path(sys.argv[2]))
