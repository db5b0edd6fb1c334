"""Keyless signatures by the test authority, a Sigstore of our own: who is believed, when a signature was made, and what each fault is called."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import signing
from reports import policy
from scans import codes
from signing import IDENTITY, ISSUER, TEST_RESULT, Minted, Placed, attach_bundle, attach_tagged, place, refusals

SIGNER = ["--certificate-identity", IDENTITY, "--certificate-oidc-issuer", ISSUER]
# The test authority's clock: what it signs was signed then, and its logs and certificates say so.
SIGNED, BEFORE, AFTER = "2025-06-01T12:00:00Z", "2025-05-31T00:00:00Z", "2025-06-02T00:00:00Z"
FORMATS = ["bundle", "layer"]
BUNDLE_ONLY = {  # Faults that the annotations of cosign 2 have no place for: what is left is whole.
    "version", "entry-kind", "inclusion-proof", "no-inclusion-proof", "checkpoint", "checkpoint-of-other-tree", "unknown-key",
    "entry-of-other-kind",
}  # fmt: skip


def text(run) -> str:
    return run.stdout + run.stderr


@pytest.fixture
def signed(any_registry, repo, tmp_path):
    """`signed("bundle", *arguments of the authority)`: an image that it signed, and what it is verified with."""
    numbers = iter(range(1000))

    def run(form: str, *arguments) -> tuple[Placed, Minted]:
        number = next(numbers)
        placed = place(any_registry, f"{repo}/{number}", "unsigned")
        minted = signing.mint(tmp_path / f"minted{number}", placed.digest, *arguments)
        if form == "bundle":
            attach_bundle(placed, minted.bundle)
        else:
            attach_tagged(placed, ".sig", [minted.layer])
        return placed, minted

    return run


# --- who -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
def test_b15_the_identity_and_the_issuer_have_to_match_as_a_whole(verify, signed, form):
    placed, minted = signed(form)
    root = ["--trusted-root", minted.root]
    run = verify(placed, *SIGNER, *root)
    assert run.rc == 0, text(run)
    [found] = run.json()["found"]
    assert found["verified"] and found["signer"]["kind"] == "keyless" and found["signer"]["issuer"] == ISSUER
    assert [proven["at"] for proven in found["proven"]] and found["log"]["index"] >= 0
    for identity in [IDENTITY + "x", IDENTITY[:-1], IDENTITY.replace("main", "mai*"), IDENTITY.upper(), "x" + IDENTITY]:
        run = verify(placed, "--certificate-identity", identity, "--certificate-oidc-issuer", ISSUER, *root)
        assert run.rc == 1, f"{identity}: {text(run)}"
    assert verify(placed, "--certificate-identity", "", "--certificate-oidc-issuer", ISSUER, *root).rc == 64
    for issuer in [ISSUER + "/", ISSUER[:-1], ISSUER.replace("https", "http")]:
        run = verify(placed, "--certificate-identity", IDENTITY, "--certificate-oidc-issuer", issuer, *root)
        assert run.rc == 1, f"{issuer}: {text(run)}"


def test_b15_regular_expressions_match_from_end_to_end(verify, signed):
    placed, minted = signed("bundle")
    root = ["--trusted-root", minted.root]
    for pattern, rc in [
        (r"https://gitlab\.example\.com/acme/[a-z]+//\.gitlab-ci\.yml@refs/heads/main", 0),
        (r".*", 0),
        (r"acme/app", 1),
        (r"https://gitlab\.example\.com/acme/app", 1),
        (r"main", 1),
    ]:
        run = verify(placed, "--certificate-identity-regexp", pattern, "--certificate-oidc-issuer", ISSUER, *root)
        assert run.rc == rc, f"{pattern}: {text(run)}"
        run = verify(placed, "--certificate-identity", IDENTITY, "--certificate-oidc-issuer-regexp", pattern, *root)
        assert run.rc == (0 if pattern == ".*" else 1), f"{pattern}: {text(run)}"
    run = verify(placed, "--certificate-identity-regexp", "(", "--certificate-oidc-issuer", ISSUER, *root)
    assert run.rc in (3, 64), text(run)


def test_b15_an_identity_without_an_issuer_is_half_a_question(verify, signed):
    placed, minted = signed("bundle")
    for half in [SIGNER[:2], SIGNER[2:]]:
        assert verify(placed, *half, "--trusted-root", minted.root).rc == 64


@pytest.mark.parametrize("form", FORMATS)
def test_b15_an_email_address_is_no_uri(verify, signed, form):
    placed, minted = signed(form, "--identity", "dev@example.com")
    run = verify(placed, "--certificate-identity", "dev@example.com", "--certificate-oidc-issuer", ISSUER, "--trusted-root", minted.root)
    assert run.rc == 0, text(run)
    assert run.json()["found"][0]["signer"]["identity"] == {"kind": "email", "value": "dev@example.com"}


# --- roots -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
def test_a4_a_root_that_is_not_at_hand_is_no_missing_signature(verify, signed, tmp_path, form):
    placed, minted = signed(form)
    (tmp_path / "broken.json").write_text("{}")
    for root in ["nowhere.json", "broken.json"]:
        run = verify(placed, *SIGNER, "--trusted-root", root)
        assert run.rc == 3 and root in text(run), text(run)
    other = signing.mint(tmp_path / "other", placed.digest, "--seed", "another authority")
    run = verify(placed, *SIGNER, "--trusted-root", other.root)
    assert run.rc == 1, text(run)
    assert verify(placed, *SIGNER).rc == 1, "the root of Sigstore's public instance does not name the test authority"
    assert verify(placed, *SIGNER, "--trusted-root", other.root, "--trusted-root", minted.root).rc == 0


# --- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("part", range(4))
def test_b15_every_fault_is_refused_by_its_name(verify, signed, form, part):
    wrong = []
    for fault, code in list(signing.faults().items())[part::4]:
        if form == "layer" and fault in BUNDLE_ONLY or fault == "unknown-key":
            continue
        placed, minted = signed(form, "--fault", fault, *(["--timestamp"] if code == "signature.timestamp" else []))
        run = verify(placed, *SIGNER, "--trusted-root", minted.root)
        if form == "layer" and run.rc == 1:
            continue  # the code may differ where the form says less
        if run.rc != 1 or code not in refusals(run.json()):
            wrong.append(f"{fault}: {run.rc} {sorted(refusals(run.json()))}, not {code}")
    assert not wrong, "\n".join(wrong)


# --- when ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def judge(check, tmp_path: Path):
    """Judges by one signer, `ci`, which is keyless unless a key is given, and the authority's root beside the policy."""

    def run(placed, minted, *rules, settings=None, key=False, keyless=None, **spec):
        shutil.copy(minted.root, tmp_path / "root.json")
        shutil.copy(minted.key, tmp_path / "signer.pub")
        signer = {"key": "signer.pub"} if key else {"keyless": keyless or {"issuer": ISSUER, "identity": {"exact": IDENTITY}}}
        file = policy(
            tmp_path / "policy.yaml", *(rules or [{"signatures": {"of": ["ci"]}}]), signers={"ci": {**signer, **(settings or {})}},
            **{"trust": {"roots": ["root.json"]}, **spec},
        )  # fmt: skip
        return check(placed.reference, "--policy", file, *placed.registry.flags, "-o", "json")

    return run


KEY = ["--by-key"]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("key", [False, True], ids=["keyless", "key"])
def test_b15_the_proven_time_is_what_counts(judge, signed, form, key):
    """The log saw it on 1 June 2025: what the policy says about that day holds today."""
    placed, minted = signed(form, *(KEY if key else []))
    for settings, rc in [
        ({}, 0),
        ({"notBefore": BEFORE, "notAfter": AFTER}, 0),
        ({"notAfter": BEFORE}, 1),
        ({"notBefore": AFTER}, 1),
        ({"revoked": {"at": AFTER}}, 0),
        ({"revoked": {"at": BEFORE}}, 1),
        ({"revoked": {"at": SIGNED}}, 1),
        ({"revoked": True}, 1),
    ]:
        run = judge(placed, minted, settings=settings, key=key)
        assert run.rc == rc, f"{settings}: {text(run)}"
        if rc:
            assert codes(run.json()) and text(run).count("signature.revoked" if "revoked" in settings else "signature.window"), text(run)


@pytest.mark.parametrize("form", FORMATS)
def test_b15_a_key_signature_in_a_log(judge, signed, form):
    placed, minted = signed(form, *KEY)
    assert judge(placed, minted, key=True, settings={"transparencyLog": "required"}).rc == 0
    unlogged, same = signed(form, *KEY, "--entry", "none")
    assert judge(unlogged, same, key=True).rc == 0, "a key needs no log unless the policy says so"
    run = judge(unlogged, same, key=True, settings={"transparencyLog": "required"})
    assert run.rc == 1 and "signature.logMissing" in text(run), text(run)
    # Its log is known and what it says is wrong: refused, although the key alone would do.
    for fault in ["entry-timestamp", "other-entry"]:
        placed, minted = signed(form, *KEY, "--fault", fault)
        run = judge(placed, minted, key=True)
        assert run.rc == 1 and "signature.logInvalid" in text(run), f"{fault}: {text(run)}"
    # Its log is known to nobody: the key alone, and no time is proven by it.
    placed, minted = signed(form, *KEY, "--fault", "unknown-log")
    assert judge(placed, minted, key=True).rc == 0
    assert judge(placed, minted, key=True, settings={"revoked": {"at": AFTER}}).rc == 1


def test_b15_a_timestamp_proves_the_time_where_the_log_does_not(judge, signed):
    placed, minted = signed("bundle", "--entry", "tiles", "--timestamp")
    assert judge(placed, minted, settings={"notBefore": BEFORE, "notAfter": AFTER}).rc == 0
    placed, minted = signed("bundle", "--entry", "tiles")
    run = judge(placed, minted)
    assert run.rc == 1 and "signature.timeUnproven" in text(run), text(run)


# --- as a policy names them ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("keyless", "rc"), [
    ({"issuer": ISSUER, "identity": "https://gitlab.example.com/acme/*//.gitlab-ci.yml@refs/heads/main"}, 0),
    ({"issuer": ISSUER, "identity": "https://gitlab.example.com/*//.gitlab-ci.yml@refs/heads/main"}, 1),
    ({"issuer": ISSUER, "identity": "https://gitlab.example.com/**"}, 0),
    ({"issuer": ISSUER, "identity": {"glob": "https://gitlab.example.com/acme/**@refs/heads/main"}}, 0),
    ({"issuer": ISSUER, "identity": {"regex": "https://gitlab[.]example[.]com/acme/.*@refs/heads/main"}}, 0),
    ({"issuer": ISSUER, "identity": {"regex": "https://gitlab[.]example[.]com/acme/.*@refs/heads"}}, 1),
    ({"issuer": ISSUER, "identity": {"exact": "https://gitlab.example.com/acme/*//.gitlab-ci.yml@refs/heads/main"}}, 1),
    ({"issuer": "https://gitlab.*", "identity": {"exact": IDENTITY}}, 0),
    ({"issuer": "https://gitlab.com", "identity": {"exact": IDENTITY}}, 1),
    ({"issuer": ISSUER, "identity": {"exact": IDENTITY}, "claims": {"sourceRepositoryRef": "refs/heads/main"}}, 0),
    ({"issuer": ISSUER, "identity": {"exact": IDENTITY}, "claims": {"sourceRepositoryRef": "refs/heads/mai"}}, 1),
    ({"issuer": ISSUER, "identity": {"exact": IDENTITY}, "claims": {"runInvocationUri": "**"}}, 1),
])  # fmt: skip
def test_b15_patterns_of_keyless_signers(judge, signed, keyless, rc):
    placed, minted = signed("bundle", "--claim", "14=refs/heads/main")
    run = judge(placed, minted, keyless=keyless)
    assert run.rc == rc, text(run)


def test_b15_a_signer_by_key_and_one_without_together(check, any_registry, repo, tmp_path):
    """One image, signed by key by cosign and keyless by a pipeline: both, as a policy asks for."""
    placed = place(any_registry, repo, "cosign3")
    minted = signing.mint(tmp_path / "minted", placed.digest)
    shutil.copy(minted.root, tmp_path / "root.json")
    shutil.copy(signing.public_key("alice"), tmp_path)
    both = {"alice": {"key": "alice.pub"}, "ci": {"keyless": {"issuer": ISSUER, "identity": {"exact": IDENTITY}}}}
    file = policy(
        tmp_path / "policy.yaml", {"signatures": {"of": ["alice", "ci"], "threshold": 2, "required": ["ci"]}}, signers=both, trust={"roots": ["root.json"]}
    )
    run = check(placed.reference, "--policy", file, *placed.registry.flags, "-o", "json")
    assert (run.rc, codes(run.json())[0]) == (1, "signature.threshold") and "ci" in run.json()["reasons"][0]["message"], text(run)
    attach_bundle(placed, minted.bundle)
    assert check(placed.reference, "--policy", file, *placed.registry.flags, "-o", "json").rc == 0


@pytest.mark.parametrize("form", FORMATS)
def test_b15_keyless_attestations(judge, any_registry, repo, tmp_path, form):
    placed = place(any_registry, repo, "unsigned")
    (tmp_path / "predicate.json").write_text('{"result": "PASSED"}')
    said = ["--type", TEST_RESULT, "--predicate", tmp_path / "predicate.json"]
    minted = signing.mint(tmp_path / "minted", placed.digest, *said)
    if form == "bundle":
        attach_bundle(placed, minted.bundle, predicate_type=TEST_RESULT)
    else:
        attach_tagged(placed, ".att", [minted.layer])
    passed = {"attestations": {"type": TEST_RESULT, "signers": ["ci"], "conditions": [{"path": "/result", "equals": "PASSED"}]}}
    run = judge(placed, minted, passed)
    assert run.rc == 0, text(run)
    assert judge(placed, minted, {"signatures": {"of": ["ci"]}}).rc == 1, "an attestation is no signature"
    other = place(any_registry, f"{repo}/other", "attached")
    attach_bundle(other, minted.bundle, predicate_type=TEST_RESULT)
    assert judge(other, minted, passed).rc == 1
