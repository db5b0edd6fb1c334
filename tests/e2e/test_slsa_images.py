"""Two real images with genuine keyless provenance, judged by the policies a user would write. They lie in OCI layouts as `cosign save` leaves them, and
are outside test data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from reports import policy
from scans import codes

IMAGES = Path(os.environ.get("ECR_GATE_TESTDATA") or "/nowhere") / "slsa-images"
BUILDER = "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml@refs/tags/{version}"
ISSUER = "https://token.actions.githubusercontent.com"
SOURCE = "github.com/slsa-framework/example-package"
REF = {"v1.10.0": "refs/tags/v13.0.30", "v2.1.0": "refs/heads/main"}
COMMIT = {"v1.10.0": "d37a7f740ee7404914456f24dcd90e865a0509e8", "v2.1.0": "4d329c75e7ec1725f7c9ce917a8799d408d06be3"}
WORKFLOW = ".github/workflows/verifier-e2e.all.workflow_dispatch.main.all.slsa3.yml"

pytestmark = pytest.mark.skipif(not IMAGES.is_dir(), reason="outside test data is not there (ECR_GATE_TESTDATA): real images with SLSA provenance")


@pytest.fixture(params=["v1.10.0", "v2.1.0"])
def version(request) -> str:
    return request.param


@pytest.fixture
def judge(check, tmp_path, version):
    """Judges one of them by a provenance rule; the signer is whoever holds the builder's certificate."""
    folder = IMAGES / version / "container_workflow_dispatch"

    def run(rule, identity=None, issuer=ISSUER, claims=None, **spec):
        keyless = {"issuer": issuer, "identity": {"exact": identity or BUILDER.format(version=version)}, **({"claims": claims} if claims else {})}
        signers = {"builder": {"keyless": keyless}}
        file = policy(tmp_path / "policy.yaml", rule, signers=signers, **spec)
        return check(f"oci:{folder}", "--policy", file, "-o", "json")

    return run


def built(version: str, **keys) -> dict:
    return {"provenance": {"signers": ["builder"], "builders": [BUILDER.format(version=version)], "sources": [SOURCE], **keys}}


def test_b15_the_right_builder_and_source(judge, version):
    run = judge(built(version))
    assert run.rc == 0, run.stdout + run.stderr
    assert run.json()["image"]["digest"] == (IMAGES / version / "container_workflow_dispatch.digest").read_text().strip()


@pytest.mark.parametrize("source", [SOURCE + "-x", SOURCE[:-1], "github.com/slsa-framework/example", "github.com/slsa-framework/*-package-x", "gitlab.com/slsa-framework/example-package",
                                    "github.com/slsa-framework-x/example-package", "example-package"])  # fmt: skip
def test_b15_near_misses_of_the_source(judge, version, source):
    run = judge(built(version, sources=[source]))
    assert (run.rc, codes(run.json())[0]) == (1, "provenance.source"), run.stdout + run.stderr


def test_b15_near_misses_of_the_builder(judge, version):
    real = BUILDER.format(version=version)
    for miss in [real + "x", real[:-1], real.replace("refs/tags", "refs/heads"), real.replace("generator_container", "generator_generic"),
                 BUILDER.format(version="v9.9.9"), real.split("@")[0]]:  # fmt: skip
        run = judge(built(version, builders=[miss]))
        assert (run.rc, codes(run.json())[0]) == (1, "provenance.builder"), f"{miss}: {run.stdout}{run.stderr}"


def test_b15_near_misses_of_the_identity_and_the_issuer(judge, version):
    real = BUILDER.format(version=version)
    for miss in [real + "x", real[:-1], BUILDER.format(version="v9.9.9"), real.replace("https://", "http://")]:
        run = judge(built(version), identity=miss)
        assert (run.rc, codes(run.json())[0]) == (1, "provenance.missing"), f"{miss}: {run.stdout}{run.stderr}"
    for miss in [ISSUER + "x", ISSUER + "/", "https://token.actions.githubusercontent.co"]:
        run = judge(built(version), issuer=miss)
        assert (run.rc, codes(run.json())[0]) == (1, "provenance.missing"), f"{miss}: {run.stdout}{run.stderr}"


def test_b15_patterns_that_name_a_family_of_builders(judge, version):
    family = BUILDER.format(version="*")
    assert judge(built(version, builders=[family])).rc == 0
    assert judge(built(version, builders=[BUILDER.format(version="v*.*.*")])).rc == 0
    assert judge(built(version, builders=["https://github.com/slsa-framework/**"])).rc == 0
    run = judge(built(version, builders=["https://github.com/slsa-framework/*"]))
    assert (run.rc, codes(run.json())[0]) == (1, "provenance.builder"), run.stdout + run.stderr


def test_b15_ref_commit_and_workflow(judge, version):
    right = {"refs": REF[version], "commits": COMMIT[version], "workflows": WORKFLOW}
    run = judge(built(version, **{field: [value] for field, value in right.items()}))
    assert run.rc == 0, run.stdout + run.stderr
    wrong = {"refs": REF[{"v1.10.0": "v2.1.0", "v2.1.0": "v1.10.0"}[version]], "commits": COMMIT[version][:-1] + "0", "workflows": WORKFLOW[1:]}
    for field, code in {"refs": "provenance.ref", "commits": "provenance.commit", "workflows": "provenance.workflow"}.items():
        run = judge(built(version, **{name: [value] for name, value in right.items()} | {field: [wrong[field]]}))
        assert (run.rc, codes(run.json())[0]) == (1, code), f"{field}: {run.stdout}{run.stderr}"


def test_b15_what_the_certificate_claims(judge, version):
    assert judge(built(version), claims={"sourceRepositoryRef": REF[version]}).rc == 0
    for claims in [{"sourceRepositoryRef": "refs/heads/other"}, {"noSuchClaim": "**"}]:
        run = judge(built(version), claims=claims)
        assert run.rc in (1, 3), run.stdout + run.stderr


def test_s27_provenance_is_no_signature(judge):
    run = judge({"signatures": {"of": ["builder"]}})
    assert (run.rc, codes(run.json())[0]) == (1, "signature.missing"), run.stdout + run.stderr


def test_a4_without_its_root_nothing_is_decided(judge, version, tmp_path):
    run = judge(built(version), trust={"roots": ["nowhere.json"]})
    assert run.rc == 3, run.stdout + run.stderr


def test_b2_verify_shows_who_built_it(gate, version):
    folder = IMAGES / version / "container_workflow_dispatch"
    run = gate("verify", f"oci:{folder}", "--certificate-identity", BUILDER.format(version=version), "--certificate-oidc-issuer", ISSUER, "-o", "json")
    assert run.rc == 1, "provenance is no signature on the image: " + run.stdout + run.stderr
    [found] = run.json()["found"]
    assert found["verified"] and found["signer"]["kind"] == "keyless" and found["signer"]["issuer"] == ISSUER
    assert found["proven"] and found["log"]["index"] > 0


def test_b15_verify_asks_for_provenance(gate, version):
    """The same without a policy file."""
    folder = IMAGES / version / "container_workflow_dispatch"
    signer = ["--certificate-identity", BUILDER.format(version=version), "--certificate-oidc-issuer", ISSUER]
    right = {"--builder": BUILDER.format(version="*"), "--source": SOURCE, "--source-ref": REF[version]}
    ask = lambda **changed: gate(  # noqa: E731
        "verify", f"oci:{folder}", *signer, *[word for flag, value in {**right, **changed}.items() for word in (flag, value)], "-o", "json"
    )
    run = ask()
    assert run.rc == 0, run.stdout + run.stderr
    for flag, miss, code in [
        ("--source", SOURCE + "-x", "provenance.source"),
        ("--builder", BUILDER.format(version="v9"), "provenance.builder"),
        ("--source-ref", REF[version] + "x", "provenance.ref"),
    ]:
        run = ask(**{flag: miss})
        assert (run.rc, run.json()["reasons"][0]["code"]) == (1, code), f"{flag}: {run.stdout}{run.stderr}"
    wrong = ["--certificate-identity", BUILDER.format(version="v9"), "--certificate-oidc-issuer", ISSUER]
    run = gate("verify", f"oci:{folder}", *wrong, "--source", SOURCE, "-o", "json")
    assert run.rc == 1, run.stdout + run.stderr
    run = gate("verify", f"oci:{folder}", *signer, "--type", "slsaprovenance", "-o", "json")
    assert run.rc == 0, run.stdout + run.stderr
    run = gate("verify", f"oci:{folder}", *signer, "--type", "cyclonedx", "-o", "json")
    assert run.rc == 1, run.stdout + run.stderr
