"""B11, S29: an exception from the red pipeline to green and red again, by the commands of the guide; and whoever wants one that they should not get."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import subprocess
import time
from pathlib import Path

import pytest
import reports
from reports import policy
from scans import codes
from services import TOKENS

GUIDE = Path(__file__).resolve().parents[2] / "docs/guides/exceptions.md"
RULE = {"vulnerabilities": {"sources": {"accept": ["file"]}, "max": {"critical": 0}}}
PEOPLE = {"dora": "read", "ada": "admin", "pipeline": "write"}
"""Who, and the role of their token."""
PERSONS = ("dora", "ada")
"""Whose token says which person bears it."""
SHORT_S = 25
"""What the guide lets run for two weeks."""


def token(name: str) -> str:
    return f"token-of-{name}-{'x' * 20}"


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(name)}"}


@pytest.fixture
def service(serve, tmp_path, request):
    """A service that these people may ask; on both databases where a test says so."""
    database = request.getfixturevalue("database") if "database" in request.fixturenames else None
    return serve(policy=policy(tmp_path / "house.yaml", RULE), database=database, auth=AUTH)


@pytest.fixture
def blocked(service, registry, repo, build_image):
    """An image by its digest that one finding blocks."""
    image = build_image()
    registry.push(image, f"{repo}:1")
    name = f"{registry.host}/{repo}"
    found = reports.trivy(image, reports.CRITICAL, repo=name)
    handed = service.post("/api/v1/signals", found, headers=bearer("pipeline"), params={"image": f"{name}@{image.digest}", "kind": "report"})
    assert handed.status_code == 201, handed.text
    answer = service.decided(f"{name}@{image.digest}")
    assert (answer["verdict"], codes(answer["decision"])) == ("deny", ["vuln.maxExceeded"]), answer
    return f"{name}@{image.digest}"


AUTH = {
    "tokens": [
        {"name": name, "role": role, "sha256": hashlib.sha256(secret.encode()).hexdigest(), **({"person": f"{name}@example.com"} if name in PERSONS else {})}
        for name, role, secret in [*((name, role, token(name)) for name, role in PEOPLE.items()), *((role, role, secret) for role, secret in TOKENS.items())]
    ],
    "anonymousReads": True,
}


def wanted(image: str, /, **other) -> dict:
    narrow = {"image": image, "cve": reports.CRITICAL.id, "package": "xz-utils", "environment": "production", "reason": "no sshd", "expires": "14d"}
    return {name: value for name, value in {**narrow, **other}.items() if value is not None}


def asked(service, image: str, /, who: str = "dora", **other) -> dict:
    """An exception that was asked for."""
    answer = service.post("/api/v1/exceptions", wanted(image, **other), headers=bearer(who))
    assert answer.status_code == 201, answer.text
    return answer.json()


def settle(service, exception: dict, verb: str, who: str, **body):
    body = {"revision": exception["revision"], "reason": "looked at", **body}
    return service.post(f"/api/v1/exceptions/{exception['id']}/{verb}", body, headers=bearer(who))


def walk() -> list[tuple[str, int, bool, str]]:
    """The guide's commands: who runs them, how they end, whether after the exception's end, and what is run."""
    found = re.findall(r"<!-- walk: (\w+), exits (\d+)(, after the end)? -->\n```sh\n(.*?)```", GUIDE.read_text(), re.S)
    return [(who, int(code), bool(after), script) for who, code, after, script in found]


def entries(export: str) -> list[dict]:
    return [json.loads(line)["entry"] for line in export.splitlines() if '"entry"' in line]


def test_b11_the_guide_leads_from_red_to_green_and_to_red_again(service, blocked, tmp_path, verify_export):
    folder = tmp_path / "walk"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/ecr-gate").symlink_to(os.environ["ECR_GATE_BIN"])
    people = {"developer": "dora", "approver": "ada"}
    ends = 0.0
    steps = walk()
    assert len(steps) == 8, "the guide's steps are found"
    said = []
    for who, code, after, script in steps:
        if after:
            time.sleep(max(0.0, ends - time.time()) + 0.1)
        script = script.replace("14d", f"{SHORT_S}s")
        env = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "HOME": str(folder), "ECR_GATE_SERVER": service.url, "ECR_GATE_TOKEN": token(people[who]), "IMAGE": blocked}
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == code, f"{script}\n{done.stdout}\n{done.stderr}"
        said.append(done.stdout + done.stderr)
        if not ends and (folder / "asked.json").exists():
            (exception,) = json.loads((folder / "asked.json").read_text())["exceptions"]
            assert (exception["state"], exception["wide"], exception["ticket"]) == ("requested", [], "SEC-12")
            assert exception["scope"]["cve"] == reports.CRITICAL.id and exception["scope"]["package"] == "xz-utils"
            shown = service.get(f"/api/v1/exceptions/{exception['id']}").json()
            ends = time.time() + SHORT_S
            assert shown["revision"] == 1 and not shown["inForce"]
    red, _, _, refused, looked, green, again, _ = said
    assert "--cve CVE-2024-3094 --package xz-utils --environment production" in red
    assert "approve" in refused
    assert "1 get another verdict" in looked and "deny" in looked and "allow" in looked
    assert "ALLOW" in green and exception["id"] in green
    assert "DENY" in again

    # The log tells it in this order, and verifies.
    until_expired = time.time() + 30
    while (state := service.get(f"/api/v1/exceptions/{exception['id']}").json())["state"] != "expired":
        assert time.time() < until_expired, state
        time.sleep(0.2)
    assert (state["uses"], state["inForce"]) == (1, False)
    for decision in service.get("/api/v1/decisions").json()["decisions"]:
        assert service.get(f"/api/v1/audit/proof/{decision['id']}").ok
    export = service.export()
    # The state follows the clock; the log is told of it by the service's own round, a little later.
    while "exception.expired" not in [entry["kind"] for entry in entries(export)]:
        assert time.time() < until_expired, "the log is told of the end"
        time.sleep(0.2)
        export = service.export()
    verify_export(export, service.vkey())
    story = []
    for entry in entries(export):
        if entry["kind"] == "decision":
            story.append((entry["body"]["verdict"], entry["body"]["exceptionsUsed"]))
        elif entry["kind"].startswith("exception."):
            assert entry["body"]["exception"] == exception["id"]
            story.append((entry["kind"], entry["body"].get("person")))
    assert story[0] == ("deny", [])
    told = [step for step in story if step[0] not in ("deny", "exception.expired", "exception.expiring")]
    assert told == [("exception.requested", "dora@example.com"), ("exception.approved", "ada@example.com"), ("allow", [exception["id"]])], story
    kinds = [step[0] for step in story]
    allowed = kinds.index("allow")
    assert "deny" in kinds[allowed:] and kinds.index("exception.expired") > allowed and kinds.count("exception.expiring") == 1, story


def test_b11_the_command_of_the_message_asks_for_what_blocks(service, blocked, gate, tmp_path):
    env = {"ECR_GATE_SERVER": service.url, "ECR_GATE_TOKEN": token("dora")}
    red = gate("check", blocked, "--output", "table", env=env)
    assert red.rc == 1, red.stderr
    command = re.search(r"ecr-gate (exception request .*? --expires 14d)", red.stdout.replace("\n", " "))
    assert command, red.stdout
    run = gate(*shlex.split(command[1].replace("…", "no sshd")), "--output", "json", env=env)
    assert run.rc == 0, run.stderr
    (exception,) = run.json()["exceptions"]
    assert exception["scope"]["repository"] + "@" + exception["scope"]["digest"] == blocked
    # The same for a whole decision finds that it is asked for already.
    decision = gate("check", blocked, "--output", "json", env=env).json()["id"]
    twice = gate("exception", "request", "--decision", decision, "--reason", "no sshd", "--output", "json", env=env)
    assert twice.rc == 0 and twice.json()["exceptions"] == [] and exception["id"] in twice.stderr, twice.stderr
    listed = gate("exception", "list", "--image", blocked, "--output", "json", env=env).json()["exceptions"]
    assert [one["id"] for one in listed] == [exception["id"]]
    for wider in (["--every-package"], ["--package", "xz-utils", "--every-environment"]):
        run = gate("exception", "request", blocked, "--cve", "CVE-2024-3094", *wider, "--reason", "x", env=env)
        assert run.rc == 0 and "policy-admin" in run.stdout and "covers nothing" not in run.stderr, run.stderr
    # What is mistyped looks like any other, and is said.
    mistyped = gate("exception", "request", blocked, "--cve", "CVE-2024-3049", "--package", "xz-utils", "--reason", "x", env=env)
    assert mistyped.rc == 0 and "covers nothing" in mistyped.stderr, mistyped.stderr
    without = gate("exception", "request", blocked.split("@")[0], "--cve", "CVE-2024-3094", "--package", "xz-utils", "--reason", "x", env=env)
    assert without.rc == 64 and "--every-image" in without.stderr


def test_s29_nobody_gets_what_is_not_theirs_to_get(database, service, blocked):
    exception = asked(service, blocked)
    own = asked(service, blocked, who="ada")
    for who, one, says in [("dora", exception, "role approver"), ("pipeline", exception, "role approver"), ("ada", own, "you asked for this")]:
        refused = settle(service, one, "approve", who)
        assert refused.status_code == 403 and says in refused.json()["detail"], refused.text
    for anonymous in (service.post("/api/v1/exceptions", wanted(blocked)), service.post(f"/api/v1/exceptions/{exception['id']}/approve", {"revision": 1})):
        assert anonymous.status_code == 401, anonymous.text
    assert settle(service, {"id": "0" * 8, "revision": 1}, "approve", "ada").status_code == 404
    assert service.decided(blocked)["verdict"] == "deny"

    approved = settle(service, exception, "approve", "ada")
    assert approved.status_code == 200 and approved.json()["inForce"], approved.text
    assert service.decided(blocked)["verdict"] == "allow"
    # Replayed, it is about a revision that is none any more.
    assert settle(service, exception, "approve", "ada").status_code == 409
    # An edit voids it, at once.
    body = {"revision": approved.json()["revision"], "exception": wanted(blocked, expires="20d")}
    edited = service.call("PUT", f"/api/v1/exceptions/{exception['id']}", json=body, headers=bearer("dora"))
    assert edited.status_code == 200 and edited.json()["state"] == "requested", edited.text
    assert service.decided(blocked)["verdict"] == "deny"
    assert settle(service, exception, "approve", "ada").status_code == 409
    assert settle(service, approved.json(), "approve", "ada").status_code == 409
    rejected = settle(service, edited.json(), "reject", "ada", reason="there is a fix")
    assert rejected.status_code == 200 and rejected.json()["settled"]["reason"] == "there is a fix"
    assert service.decided(blocked)["verdict"] == "deny"


@pytest.mark.parametrize(
    ("trick", "says"),
    [
        ({"image": "{host}/*@{digest}"}, "holds `*`"),
        ({"image": "{host}/team/*"}, "holds `*`"),
        ({"image": "*/{path}@{digest}"}, "holds `*`"),
        ({"image": "{host}/{upper}@{digest}"}, "no image"),
        ({"image": "{host}/te\u0430m/app@{digest}"}, "no image"),
        ({"image": "{path}@{digest}"}, "no registry"),
        ({"image": "{host}/{path}:1"}, "names a tag"),
        ({"image": None, "repositories": "**"}, "begins with the registry"),
        ({"image": None, "repositories": "*/team/**"}, "written out"),
        ({"image": None, "repositories": "{host}/[t]eam/**"}, "small letters"),
        ({"cve": "CVE-*"}, "patterns are not possible"),
        ({"cve": "CVE\u20102024-3094"}, "no id"),
        ({"package": "xz-*"}, "patterns are not possible"),
        ({"package": "xz\u200b-utils"}, "hides text"),
        ({"cve": None, "package": None, "rule": "p/nothing"}, "never count"),
        ({"expires": "91d"}, "90 days"),
        ({"reason": "a\u202eb"}, "hides text"),
        ({"environment": "prod*"}, "not declared"),
    ],
)
def test_s29_patterns_and_look_alikes_are_refused(service, blocked, trick, says):
    name, digest = blocked.split("@")
    host, path = name.split("/", 1)
    names = {"host": host, "path": path, "upper": path.upper(), "digest": digest}
    fill = {key: value.format(**names) if isinstance(value, str) else value for key, value in trick.items()}
    refused = service.post("/api/v1/exceptions", wanted(blocked, **fill), headers=bearer("dora"))
    assert refused.status_code in (400, 422) and says in refused.json()["detail"], refused.text


def test_s29_an_exception_is_for_its_image_and_registry_alone(database, service, blocked, registry, repo, build_image):
    name, digest = blocked.split("@")
    other = build_image(config={"config": {"User": "7"}})
    registry.push(other, f"{repo}:2")
    registry.push(other, f"{repo}-else:1")
    for image in (f"{name}@{other.digest}", f"{name}-else@{other.digest}"):
        found = reports.trivy(other, reports.CRITICAL, repo=image.split("@")[0])
        assert service.post("/api/v1/signals", found, headers=bearer("pipeline"), params={"image": image, "kind": "report"}).status_code == 201
    # Nobody can read there who wrote it: whoever asks says it.
    elsewhere = asked(service, f"registry.example/{repo}@{digest}", author="dora@example.com")
    assert settle(service, elsewhere, "approve", "ada").ok
    assert service.decided(blocked)["verdict"] == "deny", "another registry's is not ours"
    assert settle(service, asked(service, blocked), "approve", "ada").ok
    assert service.decided(blocked)["verdict"] == "allow"
    for image in (f"{name}@{other.digest}", f"{name}-else@{other.digest}"):
        assert service.decided(image)["verdict"] == "deny", image
    wide = asked(service, blocked, image=None, repositories=f"{name.rsplit('/', 1)[0]}/*")
    assert wide["wide"] == ["several repositories", "every image of the repository"]
    preview = service.get(f"/api/v1/exceptions/{wide['id']}/preview").json()
    assert (preview["flipped"], preview["whole"]) == (2, True), preview
    assert settle(service, wide, "approve", "ada").ok
    for image in (f"{name}@{other.digest}", f"{name}-else@{other.digest}"):
        assert service.decided(image)["verdict"] == "allow", image


def test_s29_what_signs_is_not_waived(serve, gate, registry, repo, build_image, tmp_path):
    assert gate("keys", "generate", "--output-prefix", "ci").rc == 0
    key = tmp_path / "ci.pub"
    signed = {"signatures": {"threshold": 1, "of": ["ci"]}}
    service = serve(policy=policy(tmp_path / "signed.yaml", signed, signers={"ci": {"key": key.name}}), auth=AUTH)
    image = build_image()
    registry.push(image, f"{repo}:1")
    name = f"{registry.host}/{repo}@{image.digest}"
    assert service.decided(name)["verdict"] == "deny"
    for rule in ({"rule": "test/r1"}, {"cve": "CVE-2024-3094", "package": "xz-utils"}):
        wanted = {"image": name, **rule, "environment": "production", "reason": "x", "expires": "1d"}
        refused = service.post("/api/v1/exceptions", wanted, headers=bearer("dora"))
        assert refused.status_code == 422 and "can" in refused.json()["detail"] and "waived" in refused.json()["detail"], refused.text
