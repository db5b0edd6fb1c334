"""The measurements of signatures, beside cosign 3 with the same files and the same registry: (g) an image that is signed by key, (h) one that is signed
keyless: certificate, its proof of publication, the log's entry. Images and signatures are made by the helpers of tests/e2e."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

E2E = Path(__file__).resolve().parent.parent / "tests/e2e"
sys.path.insert(0, str(E2E))

import registries  # noqa: E402
import signing  # noqa: E402
from evidence import die_with_parent  # noqa: E402


def run(command: list[str], environment: dict[str, str]) -> str:
    """What it prints; what cosign tells people beside it is left out."""
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False, text=True).stdout


def beside_cosign(ours: list[str], theirs: list[str], base: dict[str, str], bench: Any, floor: float) -> None:
    """Both have to find the same: exactly one signature that counts, about this digest."""
    record = json.loads(run([*ours, "-o", "json"], base))
    digest = record["image"]["digest"]
    if [one["critical"]["image"]["docker-manifest-digest"] for one in json.loads(run(theirs, base) or "[]")] != [digest]:
        sys.exit("bench: cosign does not verify the image")
    took = bench.in_turns({"ecr-gate verify": (ours, 0), "cosign verify": (theirs, 0)}, base)
    gate, cosign = took.values()
    bench.table(took, floor)
    bench.goal("wall time: cosign / gate", cosign.wall / gate.wall, "×", 10, at_least=True)
    bench.goal("CPU time: cosign / gate", cosign.cpu / gate.cpu, "×", 10, at_least=True)


def signed_by_key(gate: str, registry: registries.Registry, _folder: Path, base: dict[str, str], bench: Any, floor: float) -> None:
    placed = signing.place(registry, "shop/key", "index")
    print("\n(g) Verifying an image that cosign 3 signed by key, in a registry on loopback without the referrers API, beside cosign 3")
    key = ["--key", str(signing.public_key("alice"))]
    ours = [gate, "verify", placed.reference, *key, "--insecure-registry", registry.host]
    theirs = [os.environ["ECR_GATE_COSIGN3"], "verify", *key, "--insecure-ignore-tlog", "--allow-http-registry", placed.reference]
    beside_cosign(ours, theirs, base, bench, floor)


def signed_keyless(gate: str, registry: registries.Registry, folder: Path, base: dict[str, str], bench: Any, floor: float) -> None:
    placed = signing.place(registry, "shop/keyless", "unsigned")
    minted = signing.mint(folder / "minted", placed.digest)
    signing.attach_bundle(placed, minted.bundle)
    print("\n(h) Verifying an image that is signed keyless, with the trusted root in a file, beside cosign 3")
    signer = ["--certificate-identity", signing.IDENTITY, "--certificate-oidc-issuer", signing.ISSUER, "--trusted-root", str(minted.root)]
    ours = [gate, "verify", placed.reference, *signer, "--insecure-registry", registry.host]
    theirs = [os.environ["ECR_GATE_COSIGN3"], "verify", *signer, "--allow-http-registry", placed.reference]
    beside_cosign(ours, theirs, base, bench, floor)


MEASUREMENTS: dict[str, Callable[..., None]] = {"g": signed_by_key, "h": signed_keyless}


def main(gate: str, folder: Path, base: dict[str, str], bench: Any, floor: float) -> None:
    measures = [measure for letter, measure in MEASUREMENTS.items() if bench.wanted(letter)]
    if not measures:
        return
    os.environ["ECR_GATE_BIN"] = gate  # the test authority is beside it
    environment = {**base, "DOCKER_CONFIG": str(folder), "NO_PROXY": "*"}
    (folder / "signed").mkdir()
    with registries.docker_registry(folder / "signed", die_with_parent) as registry:
        for measure in measures:
            measure(gate, registry, folder / "signed", environment, bench, floor)


if __name__ == "__main__":
    sys.exit(f"run {os.path.dirname(__file__)}/run")
