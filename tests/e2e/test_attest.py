"""`ecr-gate keys`, `attest` and `check --attach`: what they make is read back by the gate, and by the real cosign where it is built."""

from __future__ import annotations

import base64
import importlib.util
import json
import stat
from pathlib import Path

import pytest
import reports
import signing
from conftest import Moto
from cryptography.hazmat.primitives import serialization
from registries import free_port
from reports import HIGH, LOW, policy, vulnerabilities, write
from scans import codes
from signing import FIXTURES, TEST_RESULT, Placed, cosign, expected, peer, push

RESULT = {"result": "PASSED", "passedTests": ["unit"]}


def _predicates() -> dict[str, dict]:
    """Documents of every type that cosign has a word for, as the fixtures were made with."""
    spec = importlib.util.spec_from_file_location("signing_fixtures", FIXTURES / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.PREDICATES


PREDICATES = _predicates()
VSA = "https://slsa.dev/verification_summary/v1"
PASSWORD = {"ECR_GATE_KEY_PASSWORD": "correct horse"}


@pytest.fixture
def placed(any_registry, repo, build_image) -> Placed:
    return push(any_registry, repo, build_image())


@pytest.fixture
def generate(gate):
    """`ecr-gate keys generate` in the test's folder: `ecr-gate.key` and `ecr-gate.pub`."""

    def run(*arguments, env=None):
        done = gate("keys", "generate", *arguments, "--output", "json", env=env)
        assert done.rc == 0, done.stdout + done.stderr
        return done.json()

    return run


@pytest.fixture
def attest(gate, tmp_path: Path):
    """`ecr-gate attest` of a predicate."""

    def run(placed, predicate=RESULT, kind=TEST_RESULT, key="ecr-gate.key", env=None, arguments=()):
        file = write(tmp_path / "predicate.json", predicate)
        return gate("attest", placed.reference, "--predicate", file, "--type", kind, "--key", key, *placed.registry.flags, "-o", "json", *arguments, env=env)

    return run


def ours(type_: str = TEST_RESULT, **keys) -> dict:
    return {"attestations": {"type": type_, "signers": ["us"], **keys}}


@pytest.fixture
def judge(check, tmp_path: Path):
    """Judges by one rule and the key in `ecr-gate.pub`, which the policy calls `us`."""

    def run(placed, *rules, key="ecr-gate.pub", arguments=(), **spec):
        file = policy(tmp_path / "policy.yaml", *rules, signers={"us": {"key": key}}, **spec)
        return check(placed.reference, "--policy", file, *placed.registry.flags, *arguments, "-o", "json")

    return run


# --- keys ------------------------------------------------------------------------------------------------------------


def test_b15_keys_are_made_for_their_owner_alone(generate, gate, tmp_path):
    made = generate()
    private, public = tmp_path / "ecr-gate.key", tmp_path / "ecr-gate.pub"
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert public.read_text().startswith("-----BEGIN PUBLIC KEY-----")
    key = serialization.load_pem_private_key(private.read_bytes(), None)
    same = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert same.strip() == public.read_bytes().strip()
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert made["keyId"] == signing.digest_of(der)
    # A key is never written over.
    before = private.read_bytes()
    run = gate("keys", "generate")
    assert run.rc == 3 and "ecr-gate.key" in run.stderr, run.stdout + run.stderr
    assert private.read_bytes() == before
    assert b"PRIVATE" not in (gate("keys", "show", "ecr-gate.key").stdout.encode())


def test_b15_a_password_encrypts_the_key(generate, gate, tmp_path):
    for name in ["ECR_GATE_KEY_PASSWORD", "COSIGN_PASSWORD"]:
        generate("--output-prefix", name, env={name: "correct horse"})
        assert (tmp_path / f"{name}.key").read_text().startswith("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----")
    run = gate("keys", "generate", "--output-prefix", "nowhere/key")
    assert run.rc == 3, run.stdout + run.stderr


def test_b15_a_key_that_cosign_encrypted_signs(attest, judge, placed):
    key = FIXTURES / "keys/encrypted.key"
    for env in [{"ECR_GATE_KEY_PASSWORD": expected()["password"]}, {"COSIGN_PASSWORD": expected()["password"]}]:
        run = attest(placed, key=key, env=env)
        assert run.rc == 0, run.stdout + run.stderr
        assert run.json()["keyId"] == expected()["keys"]["mallory"]
    assert judge(placed, ours(), key=str(signing.public_key("mallory"))).rc == 0
    for env in [{"ECR_GATE_KEY_PASSWORD": "another"}, {}]:
        run = attest(placed, key=key, env=env)
        assert run.rc == 3 and expected()["password"] not in run.stdout + run.stderr, run.stdout + run.stderr


# --- attest ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("env", [{}, PASSWORD], ids=["plain", "encrypted"])
def test_b15_what_we_attest_we_believe(generate, attest, judge, placed, env):
    generate(env=env)
    rule = ours(conditions=[{"path": "/result", "equals": "PASSED"}])
    assert codes(judge(placed, rule).json())[0] == "attestation.missing"
    run = attest(placed, env=env)
    assert run.rc == 0, run.stdout + run.stderr
    said = run.json()
    assert (said["subject"], said["predicateType"]) == (placed.digest, TEST_RESULT)
    assert placed.repository.manifest(said["referrer"])["subject"]["digest"] == placed.digest
    run = judge(placed, rule)
    assert run.rc == 0, run.stdout + run.stderr
    assert judge(placed, ours(conditions=[{"path": "/result", "equals": "FAILED"}])).rc == 1


def test_s27_what_we_attest_is_no_signature(generate, attest, verify, placed):
    generate()
    assert attest(placed).rc == 0
    run = verify(placed, "--key", "ecr-gate.pub")
    assert run.rc == 1 and "signature.missing" in signing.refusals(run.json()), run.stdout + run.stderr


def test_b4_what_others_attached_stays(generate, attest, registry, repo, build_image):
    generate()
    placed = signing.place(registry, repo, "cosign3")
    tag = placed.digest.replace(":", "-")
    before = [one["digest"] for one in placed.repository.manifest(tag)["manifests"]]
    referrer = attest(placed).json()["referrer"]
    assert [one["digest"] for one in placed.repository.manifest(tag)["manifests"]] == [*before, referrer]


@pytest.mark.parametrize(("word", "uri"), [
    ("slsaprovenance", "https://slsa.dev/provenance/v0.2"),
    ("slsaprovenance1", "https://slsa.dev/provenance/v1"),
    ("spdxjson", "https://spdx.dev/Document"),
    ("cyclonedx", "https://cyclonedx.org/bom"),
    ("vuln", "https://cosign.sigstore.dev/attestation/vuln/v1"),
    ("openvex", "https://openvex.dev/ns"),
])  # fmt: skip
def test_b15_the_words_of_cosign_are_ours(generate, attest, placed, word, uri):
    generate()
    run = attest(placed, PREDICATES[word], word)
    assert (run.rc, run.json()["predicateType"]) == (0, uri), run.stdout + run.stderr
    assert uri in {told["type"] for told in expected()["scenes"]["cosign3"]["statements"]}, "cosign calls it so"


def test_a4_what_cannot_be_attested_is_an_error(generate, attest, gate, tmp_path, placed, registry_auth, repo, build_image):
    generate()
    assert attest(placed, kind="no type").rc == 64
    assert attest(placed, key="nowhere.key").rc == 3
    assert attest(placed, key="ecr-gate.pub").rc == 3
    (tmp_path / "broken.json").write_text('{"a": 1, "a": 2}')
    unreadable = attest(placed, {"a": 1}, "cyclonedx")
    assert unreadable.rc == 3 and "https://cyclonedx.org/bom" in unreadable.stderr, "what is attached stays attached"
    for predicate in ["broken.json", "nowhere.json"]:
        arguments = ["--predicate", predicate, "--type", TEST_RESULT, "--key", "ecr-gate.key", *placed.registry.flags]
        run = gate("attest", placed.reference, *arguments)
        assert run.rc == 3 and predicate in run.stderr, run.stdout + run.stderr
    assert attest(Placed(placed.registry, placed.name, f"sha256:{'0' * 64}")).rc == 3
    closed = push(registry_auth, repo, build_image())
    assert attest(closed).rc == 3
    away = Placed(type(placed.registry)(f"127.0.0.1:{free_port()}", tmp_path), "team/app", placed.digest)
    assert attest(away).rc == 5


def test_b2_attest_and_keys_have_help(gate):
    for command in [["attest"], ["keys"], ["keys", "generate"]]:
        run = gate(*command, "--help")
        assert run.rc == 0 and run.stdout and not run.stderr
    assert gate("attest", "registry.example/app:1").rc == 64


# --- cosign reads and writes the same --------------------------------------------------------------------------------


@pytest.mark.peers("cosign3")
@pytest.mark.parametrize("env", [{}, PASSWORD], ids=["plain", "encrypted"])
def test_b15_cosign_verifies_what_we_attest(generate, attest, placed, tmp_path, env):
    generate(env=env)
    for kind in [TEST_RESULT, "cyclonedx", "slsaprovenance1"]:
        predicate = PREDICATES.get(kind, RESULT)
        assert attest(placed, predicate, kind=kind, env=env).rc == 0
        done = cosign(3, "verify-attestation", "--type", kind, "--key", "ecr-gate.pub", placed.reference, folder=tmp_path)
        assert done.returncode == 0, done.stderr
        payload = json.loads(base64.b64decode(json.loads(done.stdout.splitlines()[0])["payload"]))
        assert payload["predicate"] == predicate
        assert payload["subject"][0]["digest"]["sha256"] == placed.digest.removeprefix("sha256:")
    wrong = cosign(3, "verify-attestation", "--type", TEST_RESULT, "--key", signing.public_key("alice"), placed.reference, folder=tmp_path)
    assert wrong.returncode != 0


@pytest.mark.peers("cosign2", "cosign3")
@pytest.mark.parametrize("version", [2, 3])
def test_b15_cosign_signs_with_our_key_and_we_with_its(generate, attest, judge, verify, placed, tmp_path, version):
    environment = {"COSIGN_PASSWORD": "correct horse"}
    generate(env=PASSWORD)
    done = cosign(version, "sign", "--key", "ecr-gate.key", placed.reference, folder=tmp_path, **environment)
    assert done.returncode == 0, done.stderr
    run = verify(placed, "--key", "ecr-gate.pub")
    assert run.rc == 0, run.stdout + run.stderr
    done = peer(f"cosign{version}", "generate-key-pair", "--output-key-prefix", "theirs", folder=tmp_path, **environment)
    assert done.returncode == 0, done.stderr
    assert verify(placed, "--key", "theirs.pub").rc == 1
    assert attest(placed, key="theirs.key", env=environment).rc == 0
    assert judge(placed, ours(), key="theirs.pub").rc == 0


@pytest.mark.peers("cosign2")
def test_b15_cosign_reads_our_public_key(generate, tmp_path, gate):
    generate(env=PASSWORD)
    done = peer("cosign2", "public-key", "--key", "ecr-gate.key", folder=tmp_path, COSIGN_PASSWORD="correct horse")
    assert done.returncode == 0 and done.stdout.strip() == (tmp_path / "ecr-gate.pub").read_text().strip(), done.stderr


# --- the gate's own verdict, signed ----------------------------------------------------------------------------------


@pytest.fixture
def decide(check, tmp_path):
    """`check --attach` of a report; every report of a test is of the same moment, as one that is handed over again is."""
    scanned = reports.stamp()

    def run(placed, image, *found, arguments=(), env=None, rules=(vulnerabilities(),)):
        report = write(tmp_path / "trivy.json", {**reports.trivy(image, *found), "CreatedAt": scanned})
        file = policy(tmp_path / "decide.yaml", *rules)
        return check(
            placed.reference, "--report", report, "--policy", file, "--attach", "--attest-key", "ecr-gate.key", *placed.registry.flags, "-o", "json", *arguments, env=env
        )

    return run


def summaries(placed: Placed) -> list[dict]:
    """The verification summaries that are attached, unverified, oldest first."""
    found = []
    if placed.registry.lists_referrers:
        listed = placed.repository.session.get(f"{placed.repository.url}/referrers/{placed.digest}", timeout=30).json()["manifests"]
    else:
        listed = placed.repository.manifest(placed.digest.replace(":", "-"))["manifests"]
    for one in listed:
        manifest = placed.repository.manifest(one["digest"])
        bundle = json.loads(placed.repository.blob(manifest["layers"][0]["digest"]))
        statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
        found += [statement["predicate"]] if statement["predicateType"] == VSA else []
    return sorted(found, key=lambda summary: summary["timeVerified"])


def test_s26_a_verdict_is_attached_as_a_verification_summary(generate, decide, placed, build_image):
    generate()
    image = build_image()
    run = decide(placed, image, LOW)
    assert run.rc == 0, run.stdout + run.stderr
    [summary] = summaries(placed)
    assert summary["verificationResult"] == "PASSED"
    assert {"verifier", "timeVerified", "resourceUri", "policy"} <= summary.keys(), summary
    assert summary["verifier"]["id"] and summary["policy"].get("digest")
    run = decide(placed, image, HIGH)
    assert run.rc == 1, run.stdout + run.stderr
    assert [one["verificationResult"] for one in summaries(placed)][-1] == "FAILED", "a flip attaches a FAILED one"


def test_s26_no_verdict_no_summary(generate, decide, placed, build_image):
    generate()
    other = build_image({"other": "content"})
    run = decide(placed, other, LOW)  # the report is about another image
    assert run.rc not in (0, 1), run.stdout + run.stderr
    listed = placed.repository.session.get(f"{placed.repository.url}/manifests/{placed.digest.replace(':', '-')}", timeout=30)
    assert all(one["verificationResult"] != "PASSED" for one in (summaries(placed) if listed.ok or placed.registry.lists_referrers else []))


def test_s26_the_summary_counts_for_a_vsa_rule_and_for_nothing_else(generate, decide, judge, verify, placed, build_image):
    generate()
    assert decide(placed, build_image(), LOW, arguments=["--verifier-id", "https://gate.example/ci"]).rc == 0
    rule = {"vsa": {"verifiers": ["https://gate.example/*"], "signers": ["us"]}}
    run = judge(placed, rule)
    assert run.rc == 0, run.stdout + run.stderr
    assert judge(placed, {"vsa": {"verifiers": ["https://other.example/*"], "signers": ["us"]}}).rc == 1
    assert judge(placed, {"signatures": {"of": ["us"]}}).rc == 1
    assert judge(placed, ours(VSA)).rc != 0
    assert judge(placed, vulnerabilities(["us"])).rc != 0
    assert verify(placed, "--key", "ecr-gate.pub").rc == 1
    assert judge(placed, rule, key=str(signing.public_key("alice"))).rc == 1


def test_s26_a_failed_summary_is_no_pass(generate, decide, judge, placed, build_image):
    generate()
    image = build_image()
    identity = ["--verifier-id", "https://gate.example/ci"]
    rule = {"vsa": {"verifiers": ["https://gate.example/ci"], "signers": ["us"]}}
    assert decide(placed, image, HIGH, arguments=identity).rc == 1
    assert judge(placed, rule).rc == 1
    assert decide(placed, image, LOW, arguments=identity).rc == 0
    assert judge(placed, rule).rc == 0
    assert decide(placed, image, HIGH, arguments=identity).rc == 1
    run = judge(placed, rule)
    assert run.rc == 1, "the latest one counts: " + run.stdout + run.stderr


def test_s26_a_summary_is_not_attached_again_and_again(generate, decide, placed, build_image):
    generate()
    image = build_image()
    for _ in range(4):
        assert decide(placed, image, LOW).rc == 0
    assert len(summaries(placed)) <= 2


def test_s26_an_annotation_hides_no_newer_summary(generate, decide, registry, repo, build_image):
    """Whoever may push writes the list's annotations; the FAILED one below still makes the next PASSED a new one."""
    generate()
    placed, image = push(registry, repo, build_image()), build_image()
    assert (decide(placed, image, LOW).rc, decide(placed, image, HIGH).rc) == (0, 1)
    tag = placed.digest.replace(":", "-")
    index = placed.repository.manifest(tag)
    for one in index["manifests"]:
        one["annotations"] = {**one.get("annotations", {}), "dev.sigstore.bundle.predicateType": "https://example.com/other"}
    index["manifests"][0]["annotations"]["dev.sigstore.bundle.predicateType"] = VSA
    headers = {"Content-Type": index["mediaType"]}
    assert placed.repository.session.put(f"{placed.repository.url}/manifests/{tag}", data=json.dumps(index), headers=headers, timeout=30).ok
    assert decide(placed, image, LOW).rc == 0
    assert [one["verificationResult"] for one in summaries(placed)] == ["PASSED", "FAILED", "PASSED"]


def test_a4_a_summary_that_cannot_be_attached_is_said(generate, decide, registry, repo, build_image):
    placed, image = push(registry, repo, build_image()), build_image()
    run = decide(placed, image, LOW)  # there is no key
    assert run.rc == 3 and "ecr-gate.key" in run.stdout + run.stderr, run.stdout + run.stderr


@pytest.mark.peers("cosign3")
def test_s26_cosign_verifies_the_summary(generate, decide, placed, build_image, tmp_path):
    generate()
    assert decide(placed, build_image(), LOW).rc == 0
    done = cosign(3, "verify-attestation", "--type", VSA, "--key", "ecr-gate.pub", placed.reference, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    payload = json.loads(base64.b64decode(json.loads(done.stdout.splitlines()[0])["payload"]))
    assert payload["predicate"]["verificationResult"] == "PASSED"


# --- a key in AWS KMS ------------------------------------------------------------------------------------------------


@pytest.fixture
def managed(moto: Moto) -> str:
    """A key in moto's KMS, under an alias."""
    kms = moto.client("kms")
    key = kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256")["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/release", TargetKeyId=key)
    return "awskms:///alias/release"


def test_b15_a_key_in_kms_signs_and_verifies(managed, gate, placed, tmp_path):
    write(tmp_path / "predicate.json", RESULT)
    attested = ["--predicate", "predicate.json", "--type", TEST_RESULT, "--key", managed, *placed.registry.flags]
    run = gate("attest", placed.reference, *attested)
    assert run.rc == 0, run.stdout + run.stderr
    rules = policy(tmp_path / "policy.yaml", ours(), signers={"us": {"key": managed}})
    run = gate("check", placed.reference, "--policy", rules, *placed.registry.flags, "-o", "json")
    assert run.rc == 0, run.stdout + run.stderr
    run = gate("verify", placed.reference, "--key", managed, *placed.registry.flags, "-o", "json")
    assert run.rc == 1, run.stdout + run.stderr


def test_a4_a_key_in_kms_that_cannot_be_had_is_no_missing_signature(moto, gate, placed, tmp_path):
    rules = policy(tmp_path / "policy.yaml", {"signatures": {"of": ["us"]}}, signers={"us": {"key": "awskms:///alias/nowhere"}})
    signing.attach_signature(placed, signing.Key())  # without any, no key could count
    run = gate("check", placed.reference, "--policy", rules, *placed.registry.flags, "-o", "json")
    assert run.rc == 3 and codes(run.json())[0].startswith("trust.key"), run.stdout + run.stderr
    away = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    run = gate("verify", placed.reference, "--key", "awskms:///alias/nowhere", *placed.registry.flags, "-o", "json", env=away)
    assert run.rc in (3, 5), run.stdout + run.stderr
