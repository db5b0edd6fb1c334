"""What people rule beside the policy: the deny list, overrides, and what a block was. By the command line, on the real service."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from reports import policy
from services import TOKENS, clock, until

NON_ROOT = {"config": {"nonRoot": True}}
NOBODY = {"config": {"userIds": ["1-2"]}}
# S30: everywhere within 5 s.
EVERYWHERE_S = 5.0


@pytest.fixture
def allowing(tmp_path: Path) -> Path:
    return policy(tmp_path / "allowing.yaml", NON_ROOT)


@pytest.fixture
def denying(tmp_path: Path) -> Path:
    return policy(tmp_path / "denying.yaml", NOBODY)


@pytest.fixture
def by(gate) -> Callable:
    """Runs a command against a service as somebody: `by(service, "admin", "deny", "list")`; what it answers as JSON, which it has to."""

    def run(service, role: str, *words: str, code: int = 0):
        done = gate(*words, "--server", service.url, "--output", "json", env={"ECR_GATE_TOKEN": TOKENS[role]})
        assert done.rc == code, f"{done.rc}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout) if code == 0 else done.stderr

    return run


def reasons(answer) -> list[str]:
    return [reason["code"] for reason in answer["decision"]["reasons"]]


def logged(service, *nouns: str) -> list[str]:
    """The kinds of entries of the audit log about these, in order."""
    entries = [line["entry"]["kind"] for line in map(json.loads, service.export().splitlines()) if line.get("entry")]
    return [kind for kind in entries if kind.split(".")[0] in nouns]


def test_s30_what_is_denied_is_denied_on_every_replica_and_lifted_again(serve, postgres, many_images, allowing, by):
    database = postgres.url(postgres.database())
    near, far = serve(database=database, policy=allowing), serve(database=database, policy=allowing)
    image, other = many_images[0], many_images[1]
    digest = image.rpartition("@")[2]
    assert {service.decided(one)["permit"] for service in (near, far) for one in (image, other)} == {"allowed"}

    began = time.monotonic()
    entry = by(near, "admin", "deny", "add", "--digest", digest, "--reason", "leaks credentials, INC-42")
    assert (entry["state"], entry["by"], entry["kind"]) == ("active", "admin", "digest")
    answer = until("the other replica denies it", lambda: (one := far.decided(image))["permit"] == "denied" and one)
    assert time.monotonic() - began < EVERYWHERE_S
    assert reasons(answer) == ["deny.listed"]
    assert "leaks credentials, INC-42" in answer["decision"]["reasons"][0]["message"]
    assert far.decided(other)["permit"] == "allowed"

    # No override goes past the deny list (S6).
    refused = by(near, "admin", "override", "grant", image, "--lasts", "10m", "--reason", "we need it", code=64)
    assert "no override goes past the deny list" in refused and entry["id"] in refused, refused
    # Once more is as once; another reason is told of the entry that there is.
    assert by(near, "admin", "deny", "add", "--digest", digest, "--reason", "leaks credentials, INC-42")["id"] == entry["id"]
    assert entry["id"] in by(near, "admin", "deny", "add", "--digest", digest, "--reason", "another one", code=64)
    assert near.decided(image, point="ci")["permit"] == "denied"

    by(near, "admin", "deny", "lift", entry["id"], "--reason", "rotated")
    until("it may run again", lambda: far.decided(image)["permit"] == "allowed")
    listed = by(near, "read", "deny", "list", "--lifted")["denials"]
    assert [(one["id"], one["lifted"]["reason"]) for one in listed] == [(entry["id"], "rotated")]
    until("the log has it", lambda: logged(near, "denial", "override") == ["denial.added", "denial.lifted"])


def test_s30_a_repository_is_denied_by_a_pattern_and_quarantine_says_so(serve, many_images, allowing, by):
    service = serve(policy=allowing)
    host, repository = many_images[0].split("@")[0].split("/", 1)
    assert service.decided(many_images[0])["permit"] == "allowed"
    by(service, "admin", "deny", "add", "--repository", f"{host}/{repository.split('/')[0]}/**", "--quarantine", "--reason", "under investigation")
    answer = service.decided(many_images[0])
    assert (answer["permit"], reasons(answer)) == ("denied", ["deny.quarantined"])


def test_s30_who_may_not_deny_changes_nothing(serve, many_images, allowing, by):
    service = serve(policy=allowing)
    digest = many_images[0].rpartition("@")[2]
    for role in ("read", "write"):
        told = by(service, role, "deny", "add", "--digest", digest, "--reason", "because", code=3)
        assert "policy-admin" in told or "roles" in told, told
    assert service.post("/api/v1/denials", {"kind": "digest", "what": digest, "reason": "because"}).status_code == 401, "no anonymous writes"
    assert "is no digest" in by(service, "admin", "deny", "add", "--digest", "sha256:00", "--reason", "because", code=64)
    assert "a reason is needed" in by(service, "admin", "deny", "add", "--digest", digest, "--reason", " ", code=64)
    assert "no registry's host" in by(service, "admin", "deny", "add", "--repository", "team/**", "--reason", "because", code=64)
    assert by(service, "read", "deny", "list")["denials"] == []
    assert service.decided(many_images[0])["permit"] == "allowed"


def test_s31_an_override_lets_one_image_through_for_a_while_and_is_no_allow(serve, many_images, denying, by, verify_export):
    service = serve(policy=denying)
    image, other = many_images[0], many_images[1]
    blocked = service.decided(image, point="ci", pipeline="4711")
    assert blocked["permit"] == "denied"
    granted = by(service, "admin", "override", "grant", image, "--lasts", "1m", "--ticket", "INC-7", "--reason", "outage, the old image is broken")
    assert (granted["state"], granted["uses"], granted.get("warnings")) == ("active", 0, None)
    unseen = by(service, "admin", "override", "grant", f"{image[:-4]}0000", "--lasts", "1m", "--reason", "outage")
    assert "nobody asked about" in unseen["warnings"][0], unseen
    by(service, "admin", "override", "revoke", unseen["id"], "--reason", "a mistake")

    answer = service.decided(image, point="ci", pipeline="4712")
    assert (answer["permit"], answer["verdict"]) == ("overridden", "deny"), answer
    assert service.decided(image)["permit"] == "overridden", "at every point"
    assert service.decided(other)["permit"] == "denied", "one image, no other"
    used = until("its use is counted", lambda: (one := by(service, "read", "override", "list")["overrides"][1])["uses"] and one)
    assert (used["uses"], used["by"], used["ticket"]) == (1, "admin", "INC-7")

    by(service, "admin", "override", "revoke", granted["id"], "--reason", "the new image is out")
    assert service.decided(image, point="ci")["permit"] == "denied"
    until("the log has it", lambda: logged(service, "override") == ["override.granted", "override.granted", "override.revoked", "override.revoked"])
    verify_export(service.export(), service.vkey())


def test_s31_an_override_ends_with_its_time_box_and_is_for_whoever_may(serve, many_images, denying, by, tmp_path):
    service = serve(policy=denying)
    image = many_images[0]
    for role in ("read", "write"):
        assert "break-glass" in by(service, role, "override", "grant", image, "--lasts", "1m", "--reason", "please", code=3)
    assert "72 hours" in by(service, "admin", "override", "grant", image, "--lasts", "100h", "--reason", "please", code=64)
    nowhere = by(service, "admin", "override", "grant", image, "--environment", "nope", "--reason", "please", code=64)
    assert "not declared; declared: " in nowhere, nowhere
    by(service, "admin", "override", "grant", image, "--environment", "production", "--lasts", "1m", "--reason", "outage")
    assert service.decided(image)["permit"] == "overridden"
    # Nobody has to do anything for it to end.
    service.stop()
    service.env.update(clock("+3m"))
    service.start()
    # While its end is put on record something changes, and whoever asks then asks again.
    answer = until("it is answered", lambda: (one := service.ask(image, point="ci")).ok and one.json())
    assert answer["permit"] == "denied"
    until("its end is on record", lambda: by(service, "read", "override", "list")["overrides"][0]["state"] == "ended")


def test_s43_a_block_is_labelled_by_who_may_and_an_allow_is_none(serve, many_images, allowing, denying, by):
    service = serve(policy=denying)
    blocked = service.decided(many_images[0], point="ci")["decision"]["id"]
    assert service.get(f"/api/v1/decisions/{blocked}/label").json()["label"] is None
    assert "approver" in by(service, "write", "label", blocked, "--as", "false-block", "--reason", "wrong package", code=3)
    by(service, "admin", "label", blocked, "--as", "false-block", "--reason", "wrong package")
    by(service, "admin", "label", blocked, "--as", "true", "--reason", "it was right after all")
    said = service.get(f"/api/v1/decisions/{blocked}/label").json()
    assert (said["label"], said["by"], said["reason"]) == ("true", "admin", "it was right after all")
    service.activate(allowing)
    allowed = service.decided(many_images[0], point="ci")["decision"]["id"]
    assert "blocked nothing" in by(service, "admin", "label", allowed, "--as", "false-block", "--reason", "why not", code=3)
    assert "there is no decision" in by(service, "admin", "label", "unheard-of", "--as", "true", "--reason", "why not", code=3)
