"""Signatures by notation, JWS and COSE, in a registry without the referrers API and in one with it; notation itself beside the gate where it is built."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from reports import policy
from scans import codes
from signing import FIXTURES, peer, place, refusals

TRUST = FIXTURES / "notation-trust"
ROOT = TRUST / "truststore/x509/ca/acme/root.crt"
REVOKED = TRUST / "revoked"
STRICT = ["--notation-trust-policy", str(TRUST / "trustpolicy.json"), "--notation-trust-store", str(TRUST / "truststore")]
NOTATION = [*STRICT, "--revocation-list", str(REVOKED / "root.crl"), "--revocation-list", str(REVOKED / "none.crl")]
# The trust policy of the fixtures wants OU=Release below the trusted root.
ACCEPTED = {
    "notation": True, "notation-cose": True, "notation-other": False, "notation-stranger": False, "notation-expired": False, "unsigned": False, "cosign3": False,
}  # fmt: skip
CODES = {
    "notation-other": {"signature.missing"}, "notation-stranger": {"signature.untrusted", "signature.unknownKey"}, "notation-expired": {"signature.expired"},
    "unsigned": {"signature.missing"},
}  # fmt: skip


def corp(**settings) -> dict:
    return {"corp": {"x509": {"type": "ca", "certificates": ["root.crt"], "subjects": ["C=DE, ST=Hamburg, O=Acme, OU=Release"], **settings}}}


@pytest.fixture
def judge(check, tmp_path: Path):
    """Judges by signers of `root.crt`, which lies beside the policy."""
    shutil.copy(ROOT, tmp_path)
    shutil.copy(TRUST / "stranger-root.crt", tmp_path)

    def run(placed, signers, *rules):
        file = policy(tmp_path / "policy.yaml", *(rules or [{"signatures": {"of": list(signers)}}]), signers=signers)
        return check(placed.reference, "--policy", file, *placed.registry.flags, "-o", "json")

    return run


@pytest.mark.parametrize("scene", sorted(ACCEPTED))
def test_b15_notations_own_trust_policy(verify, any_registry, repo, scene):
    run = verify(place(any_registry, repo, scene), *NOTATION)
    assert run.rc == (0 if ACCEPTED[scene] else 1), run.stdout + run.stderr
    assert not CODES.get(scene) or refusals(run.json()) & CODES[scene], run.stdout


@pytest.fixture
def revocation_is_logged(tmp_path) -> list[str]:
    """The trust policy with the one change that notation offers where no revocation list is at hand."""
    loose = json.loads((TRUST / "trustpolicy.json").read_text())
    loose["trustPolicies"][0]["signatureVerification"]["override"] = {"revocation": "log"}
    (tmp_path / "logged.json").write_text(json.dumps(loose))
    return ["--notation-trust-policy", str(tmp_path / "logged.json"), *STRICT[2:]]


@pytest.mark.parametrize("scene", sorted(ACCEPTED))
def test_b15_a_trust_policy_that_does_not_ask_for_revocation(verify, registry, repo, revocation_is_logged, scene):
    run = verify(place(registry, repo, scene), *revocation_is_logged)
    assert run.rc == (0 if ACCEPTED[scene] else 1), run.stdout + run.stderr


def test_b15_revocation_lists(verify, any_registry, repo):
    placed = place(any_registry, repo, "notation-cose")
    lists = lambda *names: [word for name in names for word in ("--revocation-list", REVOKED / f"{name}.crl")]  # noqa: E731
    run = verify(placed, *STRICT, *lists("root", "release"))
    assert run.rc == 1 and "signature.revoked" in refusals(run.json()) | {code["code"] for code in run.json()["reasons"]}, run.stdout + run.stderr
    assert verify(placed, *STRICT, *lists("release")).rc == 1
    # As notation has it: a certificate that says nowhere where its revocation is told cannot be revoked.
    assert verify(placed, *STRICT).rc == 0
    run = verify(placed, *STRICT, "--revocation-list", "nowhere.crl")
    assert run.rc == 3, run.stdout + run.stderr


@pytest.mark.parametrize("scene", sorted(ACCEPTED))
def test_b15_the_same_in_a_policy(judge, any_registry, repo, scene):
    run = judge(place(any_registry, repo, scene), corp())
    assert run.rc == (0 if ACCEPTED[scene] else 1), run.stdout + run.stderr


def test_b15_both_envelopes_are_read(verify, any_registry, repo):
    record = verify(place(any_registry, repo, "notation"), *NOTATION).json()
    assert {one["format"] for one in record["found"]} == {"notationJws", "notationCose"}
    assert all(one["verified"] for one in record["found"]), json.dumps(record["found"])
    assert {"OU=Release" in one["signer"]["subject"] for one in record["found"]} == {True, False}


@pytest.mark.parametrize(("subjects", "accepted"), [
    (["C=DE, ST=Hamburg, O=Acme"], True),
    (["O=Acme, ST=Hamburg, C=DE"], True),
    (["C=DE, ST=Hamburg, O=Acme, OU=Release, CN=release"], True),
    (["C=DE, ST=Hamburg, O=Acme, OU=Nightly"], False),
    (["C=DE, ST=Hamburg, O=Acm"], False),
    (["C=DE, ST=Hamburg, O=Acme, OU=Rel"], False),
    (["C=US, ST=Hamburg, O=Acme"], False),
    (["C=US, ST=WA, O=Other", "C=DE, ST=Hamburg, O=Acme, OU=Release"], True),
])  # fmt: skip
def test_b15_subjects_of_a_certificate(judge, any_registry, repo, subjects, accepted):
    run = judge(place(any_registry, repo, "notation-cose"), corp(subjects=subjects))
    assert run.rc == (0 if accepted else 1), run.stdout + run.stderr


def test_b15_two_certificates_of_one_root_are_two_signers(judge, any_registry, repo):
    signers = {
        "release": corp()["corp"],
        "nightly": corp(subjects=["C=DE, ST=Hamburg, O=Acme, OU=Nightly"])["corp"],
    }
    rule = {"signatures": {"of": ["release", "nightly"], "threshold": 2}}
    assert judge(place(any_registry, repo, "notation"), signers, rule).rc == 0
    run = judge(place(any_registry, f"{repo}/one", "notation-cose"), signers, rule)
    assert (run.rc, codes(run.json())[0]) == (1, "signature.threshold") and "nightly" in run.json()["reasons"][0]["message"], run.stdout


def test_b15_a_root_of_the_same_name_is_another_root(judge, any_registry, repo):
    trusting = corp(certificates=["stranger-root.crt"])
    assert judge(place(any_registry, repo, "notation-stranger"), trusting).rc == 0
    assert judge(place(any_registry, f"{repo}/other", "notation-cose"), trusting).rc == 1


def test_b15_a_signer_of_notation_is_revoked_like_any_other(judge, any_registry, repo):
    placed = place(any_registry, repo, "notation-cose")
    signer = corp()["corp"]
    assert judge(placed, {"corp": {**signer, "revoked": True}}).rc == 1
    assert judge(placed, {"corp": {**signer, "notAfter": "2026-01-01"}}).rc == 1
    run = judge(placed, corp(revocation="required"))
    assert run.rc == 3, "no revocation list is named: " + run.stdout + run.stderr


def test_a4_a_trust_store_that_is_missing_is_no_missing_signature(judge, verify, any_registry, repo, tmp_path):
    placed = place(any_registry, repo, "notation-cose")
    run = judge(placed, corp(certificates=["nowhere.crt"]))
    assert run.rc == 3, run.stdout + run.stderr
    run = verify(placed, *STRICT[:2], "--notation-trust-store", tmp_path / "nowhere")
    assert run.rc == 3, run.stdout + run.stderr
    run = verify(placed, "--notation-trust-policy", tmp_path / "nowhere.json", *STRICT[2:])
    assert run.rc == 3, run.stdout + run.stderr
    assert verify(placed, *NOTATION[:2]).rc in (3, 64)


@pytest.mark.parametrize("level", ["permissive", "audit", "skip"])
def test_s22_a_trust_policy_that_looks_away_is_never_green(verify, any_registry, repo, tmp_path, level):
    """notation lets such images pass although something is wrong with the signature; that is no word of a signer."""
    loose = json.loads((TRUST / "trustpolicy.json").read_text())
    loose["trustPolicies"][0]["signatureVerification"]["level"] = level
    if level == "skip":
        loose["trustPolicies"][0].update(trustStores=[], trustedIdentities=[])
    (tmp_path / "loose.json").write_text(json.dumps(loose))
    given = ["--notation-trust-policy", tmp_path / "loose.json", *NOTATION[2:]]
    for scene in ["notation-stranger", "unsigned"]:
        run = verify(place(any_registry, f"{repo}/{scene}", scene), *given)
        assert run.rc not in (0, 5), run.stdout + run.stderr


@pytest.mark.peers("notation")
@pytest.mark.parametrize("scene", sorted(ACCEPTED))
def test_b15_notation_says_the_same(any_registry, repo, tmp_path, scene):
    settings = tmp_path / "config/notation"
    shutil.copytree(TRUST, settings)
    placed = place(any_registry, repo, scene)
    done = peer("notation", "verify", "--insecure-registry", placed.reference, folder=tmp_path)
    assert (done.returncode == 0) == ACCEPTED[scene], done.stderr
