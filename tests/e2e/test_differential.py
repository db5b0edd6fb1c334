"""Every mutant of a signature is asked of the real cosign and of `ecr-gate verify`: never may ours accept what cosign refuses.

`make test` asks a few of them (at most 60 runs of either), `make e2e` (ECR_GATE_EVERY_MUTANT) all. Without cosign ours is asked alone: what cannot be
valid is refused.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Iterator

import mutants
import pytest
import signing
from mutants import Mutant, Scene
from signing import IDENTITY, ISSUER, Placed, attach_bundle, attach_tagged, cosign, expected, peer, place

SHARDS = 4  # a test has a time limit, and tests are what runs side by side
SAMPLE = 9  # of each family, where not every mutant is asked
EVERY = bool(os.environ.get("ECR_GATE_EVERY_MUTANT"))
COSIGN = all(os.access(os.environ.get(f"ECR_GATE_COSIGN{version}", ""), os.X_OK) for version in (2, 3))
# Signatures that are whole, in a form or place that cosign does not look at.
WIDER = {
    "bundle: media type version=0.1": "cosign 3 looks for bundles of v0.3 alone",
    "bundle: media type version=0.2": "cosign 3 looks for bundles of v0.3 alone",
    "tag: a bundle": "cosign 2 looks for its own payload alone under its tag",
}


@pytest.fixture
def scene() -> Scene:
    digests = expected()["scenes"]
    return Scene(signing.Key(), signing.Key(), digests["unsigned"]["digest"], digests["attached"]["digest"])


def put(registry, name: str, mutant: Mutant) -> Placed:
    """An image of its own, with what the mutant is."""
    placed = place(registry, name, "unsigned")
    for content in mutant.bundles:
        attach_bundle(placed, content, subject=mutant.subject, predicate_type=mutant.annotation)
    if mutant.layers or not mutant.bundles:
        attach_tagged(placed, ".sig", mutant.layers)
    return placed


def sample(every: list, shard: int) -> list:
    """What this shard asks."""
    chosen = every if EVERY else every[:: max(1, len(every) // SAMPLE)]
    return chosen[shard::SHARDS]


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("family", [mutants.bundles_by_key, mutants.signatures_by_key], ids=lambda family: family.__name__)
def test_s27_no_mutant_of_a_signature_by_key_is_green(verify, referrers_registry, repo, scene, tmp_path, family, shard):
    public = scene.key.write(tmp_path, "key")
    version = 3 if family is mutants.bundles_by_key else 2

    def asked() -> Iterator[tuple[Mutant, Placed, int, int | None]]:
        for number, mutant in enumerate(sample(list(family(scene)), shard)):
            placed = put(referrers_registry, f"{repo}/{number}", mutant)
            ours = verify(placed, "--key", public)
            theirs = cosign(version, "verify", "--key", public, placed.reference, folder=tmp_path).returncode if COSIGN else None
            yield mutant, placed, ours.rc, theirs

    compare(asked())


@pytest.fixture(scope="session")
def mint(tmp_path_factory):
    """Signs with the test authority; the same question is answered once."""
    folder, numbers = tmp_path_factory.mktemp("minted"), itertools.count()
    return functools.cache(lambda *arguments: signing.mint(folder / str(next(numbers)), expected()["scenes"]["unsigned"]["digest"], *arguments))


@pytest.mark.parametrize("shard", range(SHARDS))
def test_s27_no_mutant_of_a_keyless_signature_is_green(verify, referrers_registry, repo, mint, tmp_path, shard):
    signer = ["--certificate-identity", IDENTITY, "--certificate-oidc-issuer", ISSUER]

    def asked() -> Iterator[tuple[Mutant, Placed, int, int | None]]:
        for number, (mutant, minted) in enumerate(sample(list(mutants.keyless(mint)), shard)):
            placed = put(referrers_registry, f"{repo}/{number}", mutant)
            root = ["--trusted-root", minted.root]
            ours = verify(placed, *signer, *root)
            theirs = peer("cosign3", "verify", *signer, *root, "--allow-http-registry", placed.reference, folder=tmp_path).returncode if COSIGN else None
            yield mutant, placed, ours.rc, theirs

    compare(asked())


def compare(asked: Iterator[tuple[Mutant, Placed, int, int | None]]) -> None:
    wrong, stricter, number = [], [], 0
    for mutant, placed, ours, theirs in asked:
        number += 1
        told = f"{mutant.name}: the gate {ours}, cosign {theirs} ({placed.reference})"
        if theirs not in (None, 0) and ours == 0 and mutant.name not in WIDER:
            wrong.append(f"green where cosign refuses: {told}")
        elif ours not in ((0, 1) if mutant.valid is None else (0,) if mutant.valid else (1,)):
            wrong.append(f"not as it should be: {told}")
        elif theirs == 0 and ours != 0:
            stricter.append(mutant.name)
    print(f"{number} mutants asked; the gate is stricter than cosign about {len(stricter)}: {'; '.join(stricter)}")
    assert not wrong, "\n".join(wrong)
    if not COSIGN:
        pytest.skip("cosign2 and cosign3 are not built (`tools/setup peers`): mutants were asked of the gate alone, and are refused")
