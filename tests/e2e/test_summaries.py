"""S26: decisions that the service attaches to images by itself, read back by cosign and by a policy that asks for them."""

from __future__ import annotations

import base64
import json

import pytest
import signing
from reports import policy
from services import until

NON_ROOT = {"config": {"nonRoot": True}}
NOBODY = {"config": {"userIds": ["1-2"]}}
VERIFIER = "https://gate.example.com"


@pytest.fixture
def service(serve, tmp_path):
    """A service that signs its decisions, with a key of its own."""
    signing.Key().write(tmp_path, "service")
    return serve(policy=policy(tmp_path / "allowing.yaml", NON_ROOT), attach={"key": str(tmp_path / "service.key"), "verifierId": VERIFIER})


def results(registry, repo, image) -> list[str]:
    """What the attached summaries say, the oldest first."""
    found, repository = [], registry.repository(repo)
    for one in registry.fallback(repo, image):
        bundle = json.loads(repository.blob(repository.manifest(one["digest"])["layers"][0]["digest"]))
        statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
        assert statement["predicateType"] == "https://slsa.dev/verification_summary/v1"
        found.append((statement["predicate"]["timeVerified"], statement["predicate"]["verificationResult"]))
    return [result for _, result in sorted(found)]


def test_s26_the_service_attaches_on_change_and_two_are_kept(service, registry, repo, build_image, tmp_path):
    image = build_image()
    reference = registry.push(image, f"{repo}:1")
    assert service.decided(reference)["verdict"] == "allow"
    until("it is attached", lambda: results(registry, repo, image) == ["PASSED"])
    service.activate(policy(tmp_path / "denying.yaml", NOBODY))
    assert service.decided(reference)["verdict"] == "deny"
    until("the flip is attached", lambda: results(registry, repo, image) == ["PASSED", "FAILED"])
    service.activate(tmp_path / "allowing.yaml")
    service.decided(reference)
    until("there are two", lambda: len(results(registry, repo, image)) == 2 and results(registry, repo, image)[0] == "FAILED")


def test_s26_what_is_attached_counts_for_whoever_asks_for_it(service, check, registry, repo, build_image, tmp_path):
    image = build_image()
    reference = registry.push(image, f"{repo}:1")
    assert service.decided(reference)["verdict"] == "allow"
    until("it is attached", lambda: results(registry, repo, image) == ["PASSED"])
    spec = {"signers": {"gate": {"key": "service.pub"}}, "rules": [{"id": "gate", "vsa": {"verifiers": [VERIFIER], "signers": ["gate"]}}]}
    document = {"apiVersion": "ecr-gate.dev/v1", "kind": "GatePolicy", "metadata": {"name": "vsa"}, "spec": spec}
    (tmp_path / "vsa.yaml").write_text(json.dumps(document))
    run = check(f"{registry.host}/{repo}@{image.digest}", "--policy", tmp_path / "vsa.yaml", *registry.flags)
    assert run.rc == 0, run.stdout + run.stderr


@pytest.mark.peers("cosign3")
def test_s26_cosign_verifies_what_the_service_attaches(service, registry, repo, build_image, tmp_path):
    image = build_image()
    registry.push(image, f"{repo}:1")
    assert service.decided(f"{registry.host}/{repo}:1")["verdict"] == "allow"
    until("it is attached", lambda: results(registry, repo, image) == ["PASSED"])
    pinned, kind = f"{registry.host}/{repo}@{image.digest}", "https://slsa.dev/verification_summary/v1"
    done = signing.cosign(3, "verify-attestation", "--type", kind, "--key", "service.pub", pinned, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    payload = json.loads(base64.b64decode(json.loads(done.stdout.splitlines()[0])["payload"]))
    assert payload["predicate"]["verifier"]["id"] == VERIFIER
