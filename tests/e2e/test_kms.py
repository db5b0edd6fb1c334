"""Keys in AWS KMS: `awskms://` names in `attest`, `verify`, `keys show` and in policies, against moto's KMS and a real registry."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest
from conftest import ACCOUNT, REGION

TYPE = "https://in-toto.io/attestation/test-result/v0.1"
SIGN = "https://sigstore.dev/cosign/sign/v1"


@pytest.fixture
def make_key(moto):
    """Makes a key in KMS, with an alias; returns its ARN."""
    kms = moto.client("kms")

    def make(alias: str = "release", spec: str = "ECC_NIST_P256", usage: str = "SIGN_VERIFY") -> str:
        metadata = kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]
        kms.create_alias(AliasName=f"alias/{alias}", TargetKeyId=metadata["KeyId"])
        return metadata["Arn"]

    return make


@pytest.fixture
def image(registry, build_image, repo) -> str:
    return registry.push(build_image(), f"{repo}:1")


@pytest.fixture
def sign(gate, registry, image, tmp_path: Path):
    """`ecr-gate attest` of a small predicate, or of a cosign signature."""

    def run(key: str, kind: str = SIGN, predicate: object = None, env=None):
        file = tmp_path / "predicate.json"
        file.write_text(json.dumps({} if predicate is None else predicate))
        return gate("attest", image, "--predicate", file, "--type", kind, "--key", key, *registry.flags, "-o", "json", env=env)

    return run


@pytest.fixture
def verify(gate, registry, image):
    def run(*arguments: str | Path, env=None):
        return gate("verify", image, *arguments, *registry.flags, "--output", "json", env=env)

    return run


def der(moto, key: str) -> bytes:
    return moto.client("kms").get_public_key(KeyId=key)["PublicKey"]


@pytest.mark.parametrize("spec", ["ECC_NIST_P256", "ECC_NIST_P384", "RSA_2048", "RSA_3072"])
def test_s27_a_key_in_kms_signs_and_verifies(moto, make_key, sign, verify, spec):
    arn = make_key(spec=spec)
    signed = sign("awskms:///alias/release")
    assert signed.rc == 0, signed.stdout + signed.stderr
    assert signed.json()["keyId"] == "sha256:" + hashlib.sha256(der(moto, arn)).hexdigest()
    for name in ["awskms:///alias/release", f"awskms:///{arn}", f"awskms:///{arn.rpartition('/')[2]}"]:
        run = verify("--key", name)
        assert run.rc == 0, run.stdout + run.stderr
        assert [one["verified"] for one in run.json()["found"]] == [True]
    # Another key is another signer.
    make_key("other", spec)
    run = verify("--key", "awskms:///alias/other")
    assert run.rc == 1, run.stdout + run.stderr


def test_s27_a_policy_names_a_key_in_kms(moto, make_key, sign, gate, registry, image, tmp_path):
    make_key()
    assert sign("awskms:///alias/release", TYPE, {"result": "PASSED"}).rc == 0
    policy = tmp_path / "policy.yaml"
    policy.write_text(json.dumps({
        "apiVersion": "ecr-gate.dev/v1",
        "kind": "GatePolicy",
        "metadata": {"name": "tested"},
        "spec": {
            "signers": {"ci": {"key": "awskms:///alias/release"}},
            "rules": [{"id": "tested", "attestations": {"type": TYPE, "signers": ["ci"], "conditions": [{"path": "/result", "equals": "PASSED"}]}}],
        },
    }))
    run = gate("check", image, "--policy", policy, *registry.flags, "-o", "json")
    assert run.rc == 0, run.stdout + run.stderr
    # Without the key nothing is known: neither signed nor unsigned.
    moto.client("kms").delete_alias(AliasName="alias/release")
    run = gate("check", image, "--policy", policy, *registry.flags, "-o", "json")
    assert run.rc == 3, run.stdout + run.stderr
    [rule] = run.json()["rules"]
    assert rule["outcome"] == "unknown"
    assert "trust.keyDenied" in {reason["code"] for reason in rule["reasons"]}


def test_s27_the_public_key_in_kms_can_be_shown(moto, make_key, gate):
    arn = make_key()
    run = gate("keys", "show", "awskms:///alias/release", "-o", "json")
    assert run.rc == 0, run.stderr
    assert run.json()["keyId"] == "sha256:" + hashlib.sha256(der(moto, arn)).hexdigest()
    assert run.json()["algorithm"] == "ecdsa-p256"


def test_a4_permission_key_and_network_are_told_apart(moto, make_key, enforce_iam, gate, sign):
    make_key()
    make_key("cipher", "RSA_2048", "ENCRYPT_DECRYPT")
    gone = gate("keys", "show", "awskms:///alias/gone")
    assert gone.rc == 3 and "there is no such key" in gone.stderr, gone.stderr
    cipher = sign("awskms:///alias/cipher")
    assert cipher.rc == 5 and "not for signing" in cipher.stderr, cipher.stderr
    away = gate("keys", "show", "awskms:///alias/release", env={"AWS_ENDPOINT_URL_KMS": "http://127.0.0.1:9"})
    assert away.rc == 5 and "cannot be reached" in away.stderr, away.stderr
    wrong = gate("keys", "show", "awskms://alias/release")
    assert wrong.rc == 64 and "three slashes" in wrong.stderr, wrong.stderr
    reader = enforce_iam(["kms:GetPublicKey"]).env()
    refused = sign("awskms:///alias/release", env=reader)
    assert refused.rc == 3 and "kms:Sign was refused" in refused.stderr and "Allow kms:Sign" in refused.stderr, refused.stderr
    assert gate("keys", "show", "awskms:///alias/release", env=reader).rc == 0


def test_s27_without_a_region_the_arn_says_it(make_key, gate):
    arn = make_key()
    nowhere = {"AWS_REGION": None, "AWS_DEFAULT_REGION": None}
    assert REGION in arn and ACCOUNT in arn
    run = gate("keys", "show", f"awskms:///{arn}", env=nowhere)
    assert run.rc == 0, run.stderr
    run = gate("keys", "show", "awskms:///alias/release", env=nowhere)
    assert run.rc == 5 and "no region is set" in run.stderr, run.stderr


@pytest.mark.peers("cosign3")
def test_b4_cosign_verifies_what_a_key_in_kms_signed(moto, make_key, sign, image, tmp_path):
    make_key()
    assert sign("awskms:///alias/release").rc == 0
    assert sign("awskms:///alias/release", TYPE, {"result": "PASSED"}).rc == 0
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL": moto.url,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    for command in [["verify"], ["verify-attestation", "--type", TYPE]]:
        arguments = ["--key", "awskms:///alias/release", "--insecure-ignore-tlog", "--allow-http-registry", image]
        done = subprocess.run(
            [os.environ["ECR_GATE_COSIGN3"], *command, *arguments], env=env, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
