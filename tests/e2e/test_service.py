"""The decision service on its usual way: started with nothing, asked by anybody, with two replicas on one PostgreSQL, and ended."""

from __future__ import annotations

import datetime
import ipaddress
import json
import signal
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from reports import policy
from scans import CRITICAL, LOW, REGISTRY, codes, complete, without_result
from services import TOKENS, between, is_problem, until

NON_ROOT = {"config": {"nonRoot": True}}
NOBODY = {"config": {"userIds": ["1-2"]}}
LEASE_S = 1.0


@pytest.fixture
def allowing(tmp_path: Path) -> Path:
    """A policy that the suite's images pass."""
    return policy(tmp_path / "allowing.yaml", NON_ROOT)


@pytest.fixture
def denying(tmp_path: Path) -> Path:
    """A policy that they do not pass."""
    return policy(tmp_path / "denying.yaml", NOBODY)


def test_s36_without_any_configuration_it_answers_on_this_machine_and_keeps_what_it_said(serve, registry, repo, build_image, gate, tmp_path):
    image = build_image()
    reference = registry.push(image, f"{repo}:1")
    service = serve(tokens=False)
    assert service.url.startswith("http://127.0.0.1:")
    curl = ["curl", "-s", f"{service.url}/api/v1/decide", "--json", json.dumps({"image": reference})]
    answer = json.loads(subprocess.run(curl, capture_output=True, text=True, timeout=60, check=True).stdout)
    # The built-in policy wants a scan, and nobody scanned it.
    assert (answer["verdict"], answer["permit"], answer["decision"]["image"]["digest"]) == ("deny", "denied", image.digest)
    assert answer["decision"]["policies"][0]["name"] == "built-in"

    secrets = [service.data / name for name in ("admin.token", "audit.key", "gate.db")]
    assert [file.stat().st_mode & 0o777 for file in (service.data, *secrets)] == [0o700, 0o600, 0o600, 0o600]
    token = secrets[0].read_text().strip()
    assert token not in service.log
    assert service.get("/api/v1/policies", headers={"Authorization": f"Bearer {token}"}).ok
    assert service.post("/api/v1/policies", {"documents": [], "files": []}).status_code == 401, "no anonymous writes"

    assert service.stop() == 0
    service.start()
    assert service.get(f"/api/v1/decisions/{answer['decision']['id']}").json() == answer["decision"]
    assert secrets[0].read_text().strip() == token


def test_a1_images_of_ecr_are_blocked_and_allowed(serve, moto, push_image, seed_scan, verify_export):
    good, bad = push_image("shop/good", "1"), push_image("shop/bad", "1")
    seed_scan("shop/good", good, complete(LOW))
    seed_scan("shop/bad", bad, complete(LOW, CRITICAL))
    service = serve()
    allowed, denied = (service.decided(f"{REGISTRY}/shop/{name}:1", point="ci", pipeline=f"p-{name}", commit="c0ffee") for name in ("good", "bad"))
    assert (allowed["verdict"], allowed["permit"], allowed["decision"]["image"]["digest"]) == ("allow", "allowed", good)
    assert (denied["verdict"], denied["permit"], codes(denied["decision"])) == ("deny", "denied", ["vuln.maxExceeded"])

    again = service.decided(f"{REGISTRY}/shop/good:1")
    assert again["decision"]["id"] == allowed["decision"]["id"], "the same facts: the same decision"
    assert again["answerId"] != allowed["answerId"]
    found = service.get("/api/v1/decisions", params={"pipeline": "p-bad"}).json()["decisions"]
    assert [row["id"] for row in found] == [denied["decision"]["id"]]
    events = service.get(f"/api/v1/images/{good}/events").json()["events"]
    assert [(event["kind"], event["id"]) for event in events] == [("decision", allowed["decision"]["id"])]
    verify_export(export_with(service, allowed, denied), service.vkey())


def test_s22_a_report_that_is_handed_in_does_not_stand_for_the_scan_of_ecr(serve, moto, push_image, seed_scan):
    digest = push_image("shop/handed", "1")
    seed_scan("shop/handed", digest, complete(LOW, CRITICAL))
    service = serve()
    assert service.decided(f"{REGISTRY}/shop/handed:1", point="ci")["verdict"] == "deny"
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    report = {
        "SchemaVersion": 2, "CreatedAt": now, "ArtifactName": f"{REGISTRY}/shop/handed:1", "ArtifactType": "container_image", "Trivy": {"Version": "0.59.1"},
        "Metadata": {"OS": {"Family": "debian", "Name": "12"}, "RepoDigests": [f"{REGISTRY}/shop/handed@{digest}"]},
        "Results": [{"Target": "app (debian 12)", "Class": "os-pkgs", "Type": "debian", "Vulnerabilities": []}],
    }
    handed = service.post("/api/v1/signals", report, "write", params={"image": f"{REGISTRY}/shop/handed@{digest}", "kind": "report"})
    assert handed.status_code == 201, handed.text
    for name in ("shop/handed:1", f"shop/handed@{digest}"):
        answer = service.decided(f"{REGISTRY}/{name}", point="ci")
        assert (answer["verdict"], codes(answer["decision"])) == ("deny", ["vuln.maxExceeded"]), answer
        assert "submitted by write" in str(answer["decision"]["signals"]), "both were looked at"


def export_with(service, *answers) -> str:
    """An export in which these decisions have their places."""
    for answer in answers:
        assert service.get(f"/api/v1/audit/proof/{answer['decision']['id']}").ok
    return service.export()


def test_two_replicas_give_one_decision_and_one_log(serve, postgres, many_images, allowing, verify_export):
    database = postgres.url(postgres.database())
    one, other = replicas = [serve.new(database=database, policy=allowing) for _ in range(2)]
    for replica in replicas:  # at the same time, on an empty database, without an audit key
        replica.spawn()
    for replica in replicas:
        replica.ready()
    assert one.vkey() == other.vkey()
    first = one.decided(many_images[0], point="ci")
    second = other.decided(many_images[0], point="ci")
    assert first["verdict"] == "allow"
    assert (second["decision"], second["permit"]) == (first["decision"], "allowed"), "the same facts by the same policy: the same decision"
    assert other.get(f"/api/v1/decisions/{first['decision']['id']}").json() == first["decision"]
    answers = [replica.decided(many_images[n], point="ci") for n in range(1, 9) for replica in replicas]
    assert len({answer["decision"]["id"] for answer in answers}) == 8
    exports = {export_with(replica, *answers) for replica in replicas}
    assert len(exports) == 1
    verify_export(exports.pop(), one.vkey())


def test_s42_a_policy_is_in_force_on_every_replica_within_the_lease(serve, postgres, many_images, allowing, denying):
    database = postgres.url(postgres.database())
    one, other = serve(database=database, policy=allowing), serve(database=database, policy=allowing)
    image = many_images[0]
    assert one.decided(image)["verdict"] == other.decided(image)["verdict"] == "allow"
    version = one.uploaded(denying)
    over = threading.Event()
    seen: list[tuple[float, float, str]] = []

    def client(service) -> None:
        session = requests.Session()
        while not over.is_set():
            asked = time.monotonic()
            answer = session.post(f"{service.url}/api/v1/decide", json={"image": image}, timeout=30)
            # Too busy to say what is in force is no answer by the old policy.
            if answer.status_code == 429:
                continue
            assert answer.status_code == 200, answer.text
            seen.append((asked, time.monotonic(), answer.json()["verdict"]))

    with ThreadPoolExecutor(3) as clients:
        asking = [clients.submit(client, service) for service in (one, other, other)]
        time.sleep(0.5)
        assert one.post(f"/api/v1/policies/{version}/activate", {}, "admin").ok
        acknowledged = time.monotonic()
        assert one.decided(image)["verdict"] == "deny", "where it was acknowledged it is in force"
        time.sleep(LEASE_S + 1)
        over.set()
        for one_client in asking:
            one_client.result(30)
    late = [round(answered - acknowledged, 3) for _, answered, verdict in seen if verdict == "allow" and answered > acknowledged + LEASE_S + 0.1]
    assert not late, f"answered by the old policy {late} s after the new one was acknowledged"
    assert sum(verdict == "allow" for *_, verdict in seen) > 5 and sum(verdict == "deny" for *_, verdict in seen) > 5


def test_s11_a_pending_scan_is_an_answer_and_becomes_final(serve, moto, push_image, ecr_between):
    digest = push_image("shop/late", "1")
    scan = {"registryId": "123456789012", "repositoryName": "shop/late", "imageId": {"imageDigest": digest}}
    ecr_between.say("DescribeImageScanFindings", {**scan, **without_result("IN_PROGRESS")})
    service = serve(env={"AWS_ENDPOINT_URL": ecr_between.url}, scans={"pollInterval": "300ms"})
    answer = service.ask(f"{REGISTRY}/shop/late:1", waitSeconds=0)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["verdict"], answer.json()["permit"]) == ("pending", "pending")
    assert int(answer.headers["retry-after"]) >= 1 and answer.json()["retryAfterSeconds"] >= 1
    ecr_between.say("DescribeImageScanFindings", {**scan, **complete(LOW)})
    final = until("the scan is seen", lambda: settled(service.decided(f"{REGISTRY}/shop/late:1", waitSeconds=5)))
    assert final["verdict"] == "allow" and final["decision"]["id"] != answer.json()["decision"]["id"]
    # F5: a decision is there although nobody asked again.
    waiting = push_image("shop/unattended", "1")
    scan = {**scan, "repositoryName": "shop/unattended", "imageId": {"imageDigest": waiting}}
    ecr_between.say("DescribeImageScanFindings", {**scan, **without_result("IN_PROGRESS")})
    assert service.decided(f"{REGISTRY}/shop/unattended:1", waitSeconds=0)["verdict"] == "pending"
    ecr_between.say("DescribeImageScanFindings", {**scan, **complete(LOW)})
    decided = lambda: service.get("/api/v1/decisions", params={"digest": waiting, "verdict": "allow"}).json()["decisions"]  # noqa: E731
    until("the gate looks again by itself", decided)


def settled(answer):
    return answer if answer["verdict"] != "pending" else None


def test_an_idempotency_key_gives_the_same_answer_again(serve, database, many_images, allowing):
    service = serve(database=database, policy=allowing)
    key = {"Idempotency-Key": "a retry"}
    first, again = (service.ask(many_images[0], point="ci", headers=key) for _ in range(2))
    assert first.status_code == 200 and again.content == first.content
    other = service.ask(many_images[1], point="ci", headers=key)
    assert other.status_code == 422 and is_problem(other) and other.json()["code"] == "idempotency.keyReused"
    service.kill()
    service.start()
    after = service.ask(many_images[0], point="ci", headers=key)
    assert after.json()["decision"] == first.json()["decision"]
    assert after.json()["answerId"] == first.json()["answerId"], "what was acknowledged before the end is answered again"


def test_no_change_without_a_token_that_allows_it(serve, allowing, many_images):
    service = serve(policy=allowing)
    image = many_images[0]
    writes = [
        ("/api/v1/policies", {"json": {"documents": [["p", allowing.read_text()]], "files": [{}]}}, "admin"),
        (f"/api/v1/policies/sha256:{'0' * 64}/activate", {"json": {}}, "admin"),
        ("/api/v1/policies/rollback", {"json": {}}, "admin"),
        ("/api/v1/signals", {"params": {"image": image, "kind": "report"}, "data": b"{}", "headers": {"Content-Type": "application/json"}}, "write"),
    ]
    before = service.get("/api/v1/policies").json()
    for path, keywords, needed in writes:
        anonymous = service.call("POST", path, **dict(keywords))
        assert anonymous.status_code == 401 and is_problem(anonymous) and "Bearer" in anonymous.headers["www-authenticate"], path
        unknown = service.call("POST", path, **{**keywords, "headers": {**keywords.get("headers", {}), "Authorization": "Bearer guess"}})
        assert unknown.status_code == 401 and is_problem(unknown), path
        for role in ["read", "write"][: 1 if needed == "write" else 2]:
            refused = service.call("POST", path, role, **dict(keywords))
            assert refused.status_code == 403 and is_problem(refused), (path, role, refused.text)
    assert service.get("/api/v1/policies").json() == before
    assert not any(token in service.log for token in TOKENS.values())


def test_s37_a_configured_service_asks_listed_registries_at_listed_addresses(serve, registry, many_images, allowing):
    nowhere = serve.new(policy=allowing, registries={})
    code, said = nowhere.fails()
    assert code == 3 and "`registries.allowed` does not say which registries are asked" in said and "allowed: [ghcr.io" in said, said

    image = many_images[0]
    name, port = socket.gethostname(), registry.host.rpartition(":")[2]
    address = ipaddress.ip_address(socket.gethostbyname(name))
    assert not address.is_global, "this machine's own name stands for an address of its own"
    named = f"{name}:{port}"
    by_name = image.replace(registry.host, named)
    plain = {"env": {"ECR_GATE_INSECURE_REGISTRIES": f"{registry.host},{named}"}}

    service = serve(policy=allowing, registries={"allowed": [registry.host]}, **plain)
    assert service.decided(image)["verdict"] == "allow", "an address that is listed is asked"
    for other in [by_name, "ghcr.io/team/app:1", "169.254.169.254/team/app:1", "2852039166:80/team/app:1", f"127.0.0.1:{service.url.rpartition(':')[2]}/team/app:1"]:
        answer = service.ask(other)
        said = "not set up for the registry" in answer.text or "address of the link" in answer.text
        assert answer.status_code in (400, 422) and said, f"{other}: {answer.text}"

    service = serve(policy=allowing, registries={"allowed": [named]}, **plain)
    answer = service.ask(by_name)
    assert answer.json()["verdict"] == "deny" and "in no network that is listed" in answer.text, answer.text
    assert "registries.networks" in answer.text, "and what to do"

    service = serve(policy=allowing, registries={"allowed": [named], "networks": [f"{address}/32"]}, **plain)
    assert "in no network that is listed" not in service.ask(by_name).text
    if address.is_loopback:  # where the registry listens
        assert service.decided(by_name)["verdict"] == "allow"


def test_sigterm_finishes_asks_that_were_accepted_with_202(serve, registry, many_images, allowing):
    with between(registry.host) as behind:
        behind.delay_s = 0.7
        service = serve(policy=allowing, env={"ECR_GATE_INSECURE_REGISTRIES": behind.host})
        image = many_images[0].replace(registry.host, behind.host)
        accepted = service.ask(image, headers={"Prefer": "respond-async"})
        assert accepted.status_code == 202, accepted.text
        assert service.get(accepted.headers["Location"]).status_code == 202, "it is being looked for"
        assert service.stop() == 0
        asked = len(service.start().get("/api/v1/decisions").json()["decisions"])
        assert asked == 1, "its decision is on record"
        assert service.get(accepted.headers["Location"]).status_code == 404, "whoever wants it asks again"
        behind.status = 503
        [found] = service.get("/api/v1/decisions").json()["decisions"]
        assert found["verdict"] == "allow" and found["digest"] in image


def test_sigterm_finishes_what_was_accepted(serve, registry, many_images, allowing, verify_export):
    with between(registry.host) as behind:
        behind.delay_s = 0.7
        service = serve(policy=allowing, env={"ECR_GATE_INSECURE_REGISTRIES": behind.host})
        image = many_images[0].replace(registry.host, behind.host)
        with ThreadPoolExecutor(1) as client:
            asked = client.submit(service.ask, image, point="ci")
            until("the registry is asked", behind.asked.is_set)
            service.process.send_signal(signal.SIGTERM)
            answer = asked.result(30)
        assert answer.status_code == 200 and answer.json()["verdict"] == "allow", answer.text
        assert service.process.wait(30) == 0
    with pytest.raises(requests.ConnectionError):
        service.get("/healthz")
    service.start()
    given = answer.json()["decision"]
    assert service.get(f"/api/v1/decisions/{given['id']}").json() == given
    verify_export(export_with(service, answer.json()), service.vkey())
