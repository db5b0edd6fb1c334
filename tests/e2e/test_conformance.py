"""The sigstore-conformance cases that are handed out, through `ecr-gate sigstore-conformance verify-bundle`: each by path and by digest."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from images import digest_of

DATA = os.environ.get("ECR_GATE_TESTDATA")
CASES = Path(DATA or "/nowhere") / "sigstore/bundle-verify"
IDENTITY = (
    "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main"
)
ISSUER = "https://token.actions.githubusercontent.com"

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="outside test data is not there (ECR_GATE_TESTDATA): sigstore conformance")


def cases() -> list[str]:
    return sorted(case.name for case in CASES.iterdir() if (case / "bundle.sigstore.json").exists()) if CASES.is_dir() else ["none"]


def word(file: Path, otherwise: str) -> str:
    return file.read_text().strip() if file.exists() else otherwise


def question(case: Path) -> list[str]:
    """The arguments in the order in which the suite gives them, without the artifact."""
    signer = ["--key", str(case / "key.pub")]
    if not (case / "key.pub").exists():
        signer = ["--certificate-identity", word(case / "identity", IDENTITY), "--certificate-oidc-issuer", word(case / "issuer", ISSUER)]
    root = ["--trusted-root", str(case / "trusted_root.json")] if (case / "trusted_root.json").exists() else []
    return ["--bundle", str(case / "bundle.sigstore.json"), *signer, *root]


def artifact(case: Path) -> Path:
    own = case / "artifact"
    return own if own.exists() else CASES / "a.txt"


@pytest.fixture
def conform(gate):
    return lambda *arguments: gate("sigstore-conformance", "verify-bundle", *arguments)


@pytest.mark.parametrize("given", ["path", "digest"])
@pytest.mark.parametrize("case", cases())
def test_s27_a_conformance_case(conform, case, given):
    file = artifact(CASES / case)
    run = conform(*question(CASES / case), str(file) if given == "path" else digest_of(file.read_bytes()))
    assert run.rc == (1 if case.endswith("_fail") else 0), run.stdout + run.stderr


@pytest.mark.parametrize("case", [case for case in cases() if not case.endswith("_fail")])
def test_s27_a_good_case_with_one_thing_wrong(conform, case, tmp_path):
    """Another artifact, another identity, another issuer, a signature of something else: each is refused, none is undecided."""
    asked, file = question(CASES / case), artifact(CASES / case)
    assert conform(*asked, f"sha256:{'0' * 64}").rc == 1
    (tmp_path / "other").write_text("something else")
    assert conform(*asked, str(tmp_path / "other")).rc == 1
    for flag in ["--certificate-identity", "--certificate-oidc-issuer"]:
        if flag in asked:
            place = asked.index(flag) + 1
            for miss in [asked[place] + "x", asked[place][:-1], asked[place].upper()]:
                run = conform(*asked[:place], miss, *asked[place + 1 :], str(file))
                assert run.rc == 1, run.stdout + run.stderr
    bundle = json.loads((CASES / case / "bundle.sigstore.json").read_text())
    signature = bundle["messageSignature"] if "messageSignature" in bundle else bundle["dsseEnvelope"]["signatures"][0]
    name = "signature" if "signature" in signature else "sig"
    signature[name] = signature[name][:20] + ("A" if signature[name][20] != "A" else "B") + signature[name][21:]
    (tmp_path / "bundle.json").write_text(json.dumps(bundle))
    run = conform("--bundle", str(tmp_path / "bundle.json"), *asked[2:], str(file))
    assert run.rc == 1, run.stdout + run.stderr


def test_a4_what_cannot_be_decided_is_no_refusal(conform, tmp_path):
    case = CASES / "happy-path-v0.3"
    asked = question(case)
    (tmp_path / "root.json").write_text("{}")
    for root in [tmp_path / "root.json", tmp_path / "nowhere.json"]:
        run = conform(*asked, "--trusted-root", str(root), str(artifact(case)))
        assert run.rc == 3, run.stdout + run.stderr
    assert conform(*asked, str(tmp_path / "nowhere")).rc == 3
    assert conform("--bundle", str(tmp_path / "nowhere"), *asked[2:], str(artifact(case))).rc == 3
    assert conform("--bundle", asked[1], str(artifact(case))).rc == 64
