"""The measurements that need images, scanners' reports and a registry: (d) a large Trivy report beside jq, (e) reading the layers of a large image
beside `crane export`, (f) the round trips of `inspect`. Images, reports and registries are made by the helpers of tests/e2e."""

from __future__ import annotations

import ctypes
import json
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

E2E = Path(__file__).resolve().parent.parent / "tests/e2e"
sys.path.insert(0, str(E2E))

import images  # noqa: E402
import registries  # noqa: E402
import reports  # noqa: E402

TRIVY_BYTES = 50 << 20
IMAGE_BYTES = 500 << 20
REFERRERS = 20


def die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def run(command: list[str], environment: dict[str, str]) -> str:
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=False, text=True).stdout


def a_large_trivy_report(gate: str, folder: Path, base: dict[str, str], bench: Any, floor: float) -> None:
    image = images.build(folder / "small", images.dpkg({"openssl": "3.0.8"}))
    report = reports.trivy(image)
    words = random.Random(7)
    text = " ".join(words.choice(["flaw", "in", "the", "parser", "of", "allows", "a", "remote", "attacker", "to", "read", "memory"]) for _ in range(250))
    report["Results"][0]["Vulnerabilities"] = [
        {
            "VulnerabilityID": f"CVE-2025-{number:05}",
            "PkgName": f"package-{number % 900}",
            "PkgIdentifier": {"PURL": f"pkg:deb/debian/package-{number % 900}@1.{number % 7}?arch=amd64"},
            "InstalledVersion": f"1.{number % 7}",
            "FixedVersion": f"1.{number % 7}.1",
            "Status": "fixed",
            "Severity": ["CRITICAL", "HIGH", "MEDIUM", "LOW"][number % 4],
            "Title": f"package-{number % 900}: {text[:80]}",
            "Description": text,
            "References": [f"https://example.org/{number}/{place}" for place in range(12)],
            "CVSS": {"nvd": {"V3Vector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", "V3Score": 7.5}},
        }
        for number in range(TRIVY_BYTES // 2_560)
    ]
    file = folder / "trivy.json"
    file.write_text(json.dumps(report, indent=2))
    size = file.stat().st_size
    print(f"\n(d) Judging a Trivy report of {len(report['Results'][0]['Vulnerabilities'])} findings ({size / 2**20:.1f} MiB), beside jq merely counting its severities")
    check = [gate, "check", image.oci, "--report", str(file)]
    count = ["jq", "[.Results[].Vulnerabilities[].Severity] | group_by(.) | map({(.[0]): length}) | add", str(file)]
    record, counted = json.loads(run([*check, "-o", "json"], base)), json.loads(run(count, base))
    if record["findings"]["counts"] != counted:
        sys.exit(f"bench: the gate counts {record['findings']['counts']}, jq counts {counted}")
    took = bench.in_turns({"ecr-gate check --report": (check, 1), "jq counting severities": (count, 0)}, base)
    ours, jq = took.values()
    bench.table(took, floor)
    bench.goal("wall time: jq / gate", jq.wall / ours.wall, "×", 5, at_least=True)
    bench.goal("peak memory / file", ours.rss_kib * 1024 / size, "×", 3, at_least=False)


def the_layers_of_a_large_image(gate: str, folder: Path, base: dict[str, str], bench: Any, floor: float) -> None:
    words = random.Random(11)
    # Half of it compresses, half does not, as in real images.
    block = words.randbytes(1 << 20) + bytes(words.choices(b"abcdefgh \n", k=1 << 20))
    part = IMAGE_BYTES // 5
    layers: list[dict[str, Any]] = [images.dpkg({f"package-{number}": "1.0" for number in range(400)})]
    layers += [{f"usr/share/data/{layer}-{piece}": bytes([layer]) + block for piece in range(part // len(block))} for layer in range(5)]
    image = images.build(folder / "large", *layers)
    layers.clear()
    policy = folder / "contents.yaml"
    policy.write_text(
        "apiVersion: ecr-gate.dev/v1\nkind: GatePolicy\nmetadata: { name: contents }\n"
        "spec: { rules: [{ id: runs, config: { entrypoint: resolvable }, action: audit }] }\n"
    )
    (folder / "registry").mkdir()
    with registries.docker_registry(folder / "registry", die_with_parent) as registry:
        reference = registry.push(image, "shop/large:1")
        print(f"\n(e) Reading the layers of an image of {IMAGE_BYTES >> 20} MiB in a registry on loopback, beside `crane export`")
        check = [gate, "check", reference, "--insecure-registry", registry.host, "--policy", str(policy)]
        export = ["crane", "export", "--insecure", reference, "/dev/null"]
        took = bench.in_turns({"ecr-gate check (every layer)": (check, 0), "crane export": (export, 0)}, base)
    ours, crane = took.values()
    bench.table(took, floor)
    bench.goal("wall time: gate / crane", ours.wall / crane.wall, "×", 1.2, at_least=False)
    bench.goal("peak memory of the gate", ours.rss_kib / 1024, " MiB", 64, at_least=False)


def round_trips(gate: str, folder: Path, base: dict[str, str], bench: Any, _floor: float) -> None:
    image = images.build(folder / "referred", images.dpkg({"openssl": "3.0.8"}))
    sbom = {"bomFormat": "CycloneDX", "specVersion": "1.6", "metadata": {"component": {"type": "container", "name": "app"}}, "components": []}
    (folder / "registry").mkdir()
    with registries.docker_registry(folder / "registry", die_with_parent) as registry:
        reference = registry.push(image, "shop/referred:1")
        for number in range(REFERRERS):
            document = json.dumps({**sbom, "version": number + 1}).encode()
            registry.attach("shop/referred", image, "application/vnd.cyclonedx+json", document)
        print(f"\n(f) inspect of an image with {REFERRERS} referrers, in a registry that keeps them under the fallback tag")
        inspect = [gate, "inspect", reference, "--insecure-registry", registry.host]
        page = run(inspect, base)
        took = bench.in_turns({"ecr-gate inspect": (inspect, 0)}, base)
    attached = re.findall(r"^    [0-9a-f]{12}  application/vnd.cyclonedx\+json(.*)$", page, re.MULTILINE)
    if len(attached) != REFERRERS or any(attached):
        sys.exit(f"bench: {len(attached)} attached artifacts were read, not {REFERRERS}")
    requests = int(re.search(r"^(\d+) requests to the registry", page, re.MULTILINE)[1])
    bench.table(took, 0)
    # Manifest, configuration, the referrers API that is not there, the fallback tag, two for each referrer, the tag again.
    bench.goal("round trips", requests, "", 5 + 2 * REFERRERS, at_least=False)


MEASUREMENTS: dict[str, Callable[..., None]] = {"d": a_large_trivy_report, "e": the_layers_of_a_large_image, "f": round_trips}


def main(gate: str, folder: Path, base: dict[str, str], bench: Any, floor: float) -> None:
    environment = {**base, "DOCKER_CONFIG": str(folder), "NO_PROXY": "*"}
    for measure in (measure for letter, measure in MEASUREMENTS.items() if bench.wanted(letter)):
        place = folder / measure.__name__
        place.mkdir()
        measure(gate, place, environment, bench, floor)


if __name__ == "__main__":
    sys.exit(f"run {os.path.dirname(__file__)}/run")
