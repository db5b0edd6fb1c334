"""`ecr-gate serve`, the built binary as a user runs it: asked over HTTP by other people's clients, about images in Debian's docker-registry."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import reports
import requests
from conftest import NOWHERE, _die_with_parent
from images import Image
from registries import Registry, free_port
from reports import CRITICAL, LOW, policy, write

START_S = 30
END_S = 40


@dataclasses.dataclass
class Service:
    """A gate that serves, and its log."""

    process: subprocess.Popen[bytes]
    url: str
    data: Path
    log: Path

    @property
    def token(self) -> str:
        return (self.data / "admin.token").read_text().strip()

    @property
    def admin(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def get(self, path: str, **keywords: Any) -> requests.Response:
        return requests.get(self.url + path, timeout=30, **keywords)

    def post(self, path: str, body: Any = None, **keywords: Any) -> requests.Response:
        return requests.post(self.url + path, json=body, timeout=60, **keywords)

    def decide(self, image: str, headers: dict[str, str] | None = None, **body: Any) -> requests.Response:
        return self.post("/api/v1/decide", {"image": image, **body}, headers=headers)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=END_S)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def line(self, request_id: str) -> dict[str, Any]:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if found := [line for line in self.lines() if line.get("request_id") == request_id]:
                assert len(found) == 1
                return found[0]
            time.sleep(0.05)
        raise AssertionError(f"no line of {request_id}:\n{self.log.read_text()}")


def environment(tmp_path: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": NOWHERE}


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Starts `ecr-gate serve` on a free port, with its data in `tmp_path/data`; what still runs at the end is ended."""
    binary = os.environ["ECR_GATE_BIN"]
    with contextlib.ExitStack() as running:

        def start(*args: str | Path, env: dict[str, str] | None = None, data: str = "data", listen: str | None = "127.0.0.1:0") -> Service:
            ready, log = tmp_path / "ready", tmp_path / f"{data}.log"
            ready.unlink(missing_ok=True)
            listening = ["--listen", listen] if listen else []
            command = [binary, "serve", *listening, "--data-dir", tmp_path / data, "--ready-file", ready, *args]
            with log.open("wb") as stderr:
                process = subprocess.Popen(
                    list(map(str, command)),
                    env={**environment(tmp_path), **(env or {})},
                    cwd=tmp_path,
                    stdin=subprocess.DEVNULL,
                    stderr=stderr,
                    preexec_fn=_die_with_parent,
                )
            running.callback(end, process)
            deadline = time.monotonic() + START_S
            while not ready.exists():
                assert process.poll() is None, f"it ended with {process.returncode}:\n{log.read_text()}"
                assert time.monotonic() < deadline, f"it does not start:\n{log.read_text()}"
                time.sleep(0.02)
            return Service(process, ready.read_text().strip(), tmp_path / data, log)

        yield start


def end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait()


NON_ROOT = {"id": "non-root", "config": {"nonRoot": True}}


@pytest.fixture
def rootless(build_image: Callable[..., Image]) -> Image:
    return build_image(config={"User": "10001"})


@pytest.fixture
def root(build_image: Callable[..., Image]) -> Image:
    return build_image({"other": "content"}, config={"User": "root"})


def test_b20_one_call_answers_may_this_image_run_there(serve, registry: Registry, repo, rootless, root, tmp_path):
    service = serve("--policy", policy(tmp_path / "gate.yaml", NON_ROOT), *registry.flags)
    good, bad = registry.push(rootless, f"{repo}:good"), registry.push(root, f"{repo}:bad")
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    answer = service.decide(good, headers, point="ci", pipeline="4711", commit="abc123")
    assert (answer.status_code, answer.json()["permit"], answer.json()["verdict"]) == (200, "allowed", "allow"), answer.text
    decision = answer.json()["decision"]
    assert decision["schema"] == "ecr-gate.dev/decision/v1" and decision["image"]["digest"] == rootless.digest
    refused = service.decide(bad)
    assert (refused.status_code, refused.json()["permit"]) == (200, "denied"), refused.text

    by_digest = f"{registry.host}/{repo}@{rootless.digest}"
    known, again = service.decide(by_digest), service.decide(by_digest)
    assert known.json()["decision"]["id"] == again.json()["decision"]["id"] == decision["id"] and again.json()["via"] == "recorded", again.text
    assert again.json()["answerId"] != answer.json()["answerId"]

    line = service.line(answer.headers["x-request-id"])
    expected = {
        "method": "POST", "route": "/api/v1/decide", "status": 200, "digest": rootless.digest, "environment": "production",
        "verdict": "allow", "decision": decision["id"], "pipeline": "4711", "commit": "abc123", "trace_id": trace, "level": "INFO",
    }
    assert {key: line.get(key) for key in expected} == expected
    assert service.token not in service.log.read_text()

    listed = service.get("/api/v1/decisions", params={"image": f"{registry.host}/{repo}"}).json()
    assert [(one["digest"], one["verdict"]) for one in listed["decisions"]] == [(root.digest, "deny"), (rootless.digest, "allow")]
    by_commit = service.get("/api/v1/decisions", params={"commit": "abc123", "pipeline": "4711"}).json()["decisions"]
    assert [one["id"] for one in by_commit] == [decision["id"]]
    first = service.get("/api/v1/decisions", params={"limit": 1}).json()
    second = service.get("/api/v1/decisions", params={"limit": 1, "cursor": first["next"]}).json()
    assert [first["decisions"][0]["id"], second["decisions"][0]["id"]] == [one["id"] for one in listed["decisions"]]

    events = service.get(f"/api/v1/images/{rootless.digest}/events").json()["events"]
    assert "decision" in [event["kind"] for event in events] and all(event["digest"] == rootless.digest for event in events)
    metrics = service.get("/metrics").text
    assert 'ecr_gate_decisions_total{verdict="allow"' in metrics and rootless.digest not in metrics and repo not in metrics


def test_b3_a_decision_never_changes_and_says_so(serve, registry: Registry, repo, rootless, tmp_path):
    service = serve("--policy", policy(tmp_path / "gate.yaml", NON_ROOT), *registry.flags)
    answer = service.decide(registry.push(rootless, f"{repo}:1")).json()
    place = f"/api/v1/decisions/{answer['decision']['id']}"
    found = service.get(place)
    assert found.json() == answer["decision"] and "immutable" in found.headers["cache-control"]
    assert found.headers["etag"] == f'"sha256:{hashlib.sha256(found.content).hexdigest()}"'
    known = service.get(place, headers={"If-None-Match": found.headers["etag"]})
    assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", found.headers["etag"])
    assert service.stop() == 0
    service = serve(*registry.flags)
    assert service.get(place).content == found.content, "after a restart too"


def test_b5_what_is_submitted_changes_the_answer(serve, registry: Registry, repo, rootless, tmp_path):
    rule = {"id": "no-critical", "vulnerabilities": {"sources": {"accept": ["trivy", "file"], "required": ["trivy"]}, "max": {"critical": 0}}}
    service = serve("--policy", policy(tmp_path / "gate.yaml", rule), *registry.flags)
    reference = registry.push(rootless, f"{repo}:1")
    name = f"{registry.host}/{repo}@{rootless.digest}"
    assert service.decide(reference, waitSeconds=0).json()["permit"] in ("denied", "pending")

    def submit(*found: reports.Vulnerability, headers: dict[str, str]) -> requests.Response:
        report = json.dumps(reports.trivy(rootless, *found))
        place = f"{service.url}/api/v1/signals"
        types = {"Content-Type": "application/octet-stream", **headers}
        return requests.post(place, params={"image": name, "kind": "report"}, data=report, headers=types, timeout=30)

    assert submit(LOW, headers={}).status_code == 401, "no anonymous writes"
    clean = submit(LOW, headers=service.admin)
    assert clean.status_code == 201 and "trivy" in clean.json()["format"], clean.text
    assert service.decide(reference).json()["permit"] == "allowed"
    assert submit(LOW, CRITICAL, headers=service.admin).status_code == 201
    assert service.decide(reference).json()["permit"] == "denied"
    kinds = [event["kind"] for event in service.get(f"/api/v1/images/{rootless.digest}/events").json()["events"]]
    assert kinds.count("decision") >= 2 and any("signal" in kind for kind in kinds), kinds


def test_f6_another_policy_holds_at_once_and_the_one_before_comes_back(serve, registry: Registry, repo, root, tmp_path):
    service = serve("--policy", policy(tmp_path / "gate.yaml", {"id": "config", "config": {"entrypoint": "resolvable"}}), *registry.flags)
    strict = policy(tmp_path / "strict.yaml", NON_ROOT).read_text()
    reference = registry.push(root, f"{repo}:1")
    before = service.decide(reference).json()
    bundle = {"documents": [["strict.yaml", strict]], "files": [{}]}
    assert service.post("/api/v1/policies", bundle).status_code == 401
    version = service.post("/api/v1/policies", bundle, headers=service.admin)
    assert version.status_code == 200 and not version.json()["inForce"], version.text
    assert service.decide(reference).json()["decision"]["id"] == before["decision"]["id"], "uploaded is not in force"
    place = f"/api/v1/policies/{version.json()['digest']}"
    flips = service.post(f"{place}/replay").json()
    assert flips["judged"] + flips["notJudged"] == 1
    assert service.post(f"{place}/activate", {"reason": "root"}, headers=service.admin).status_code == 200
    assert service.decide(reference).json()["permit"] == "denied"
    assert service.post("/api/v1/policies/rollback", headers=service.admin).status_code == 200
    assert service.decide(reference).json()["permit"] == before["permit"]


def test_s42_a_retry_gets_its_answer_again_but_no_leave_that_was_taken_back(serve, registry: Registry, repo, root, tmp_path):
    lax = policy(tmp_path / "lax.yaml", {**NON_ROOT, "action": "warn"})
    service = serve("--policy", lax, *registry.flags)
    reference = registry.push(root, f"{repo}:1")
    key = {"Idempotency-Key": "build-1"}
    first = service.decide(reference, key)
    assert first.json()["permit"] == "warned", first.text
    assert service.decide(reference, key).content == first.content
    reused = service.decide(reference, key, pipeline="another")
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency.keyReused")
    bundle = {"documents": [["strict.yaml", policy(tmp_path / "strict.yaml", NON_ROOT).read_text()]], "files": [{}]}
    version = service.post("/api/v1/policies", bundle, headers=service.admin).json()["digest"]
    assert service.post(f"/api/v1/policies/{version}/activate", {}, headers=service.admin).status_code == 200
    assert service.decide(reference, key).json()["permit"] == "denied"


def test_s36_what_would_be_open_to_strangers_does_not_start(gate, tmp_path):
    for extra in [[], ["--tls-certificate", "a.crt", "--tls-key", "a.key"]]:
        run = gate("serve", "--listen", "0.0.0.0:0", "--data-dir", tmp_path / "data", *extra)
        assert run.rc == 3 and "can be reached by others" in run.stderr and "hint:" in run.stderr, run.stderr
    assert not (tmp_path / "data").exists()


def test_s36_no_configuration_is_loopback_with_a_token_for_its_owner(serve, tmp_path):
    service = serve(listen=None, env={"ECR_GATE_LISTEN": f"127.0.0.1:{free_port()}"})
    mode = stat.S_IMODE((service.data / "admin.token").stat().st_mode)
    assert (mode, stat.S_IMODE(service.data.stat().st_mode)) == (0o600, 0o700)
    assert service.get("/readyz").json() == {"ready": True, "reasons": []}
    started = next(line for line in service.lines() if line.get("message") == "listening")
    assert started["url"] == service.url and started["admin_token_file"] == str(service.data / "admin.token")
    assert started["policy"].startswith("built-in")


def test_o1_a_second_process_on_the_same_file_is_refused(serve, gate, tmp_path):
    service = serve()
    run = gate("serve", "--listen", "127.0.0.1:0", "--data-dir", service.data)
    assert run.rc == 3 and "in use" in run.stderr, run.stderr
    assert service.get("/readyz").ok


def test_o1_a_configuration_file_with_tokens_and_tls(serve, tmp_path):
    """The certificate is one that `openssl` makes, the client is `requests` with that certificate alone."""
    certificate = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "tls.key", "-out", "tls.crt"]
    subprocess.run([*certificate, *subject], cwd=tmp_path, capture_output=True, timeout=60, check=True)
    token = "a-token-that-only-the-auditors-know"
    sha256 = hashlib.sha256(token.encode()).hexdigest()
    write(tmp_path / "serve.yaml", {
        "tls": {"certificate": "tls.crt", "key": "tls.key"},
        "auth": {"tokens": [{"name": "auditors", "role": "read", "sha256": sha256}]},
        "audit": {"origin": "gate.example/log"},
        "registries": {"allowed": ["ghcr.io"]},
    })
    service = serve("--config", tmp_path / "serve.yaml")
    assert service.url.startswith("https://") and not (service.data / "admin.token").exists()
    trust = {"verify": str(tmp_path / "tls.crt")}
    assert service.get("/api/v1/audit/key", **trust).status_code == 401
    key = service.get("/api/v1/audit/key", headers={"Authorization": f"Bearer {token}"}, **trust)
    assert key.ok and key.text.startswith("gate.example/log+")
    rollback = service.post("/api/v1/policies/rollback", headers={"Authorization": f"Bearer {token}"}, **trust)
    assert (rollback.status_code, rollback.json()["code"]) == (403, "auth.forbidden")
    assert token not in service.log.read_text() and sha256 not in service.log.read_text()
    assert service.line(rollback.headers["x-request-id"])["caller"] == "auditors"
    assert service.stop() == 0


def test_a_mistake_in_the_configuration_is_told_with_its_place(gate, tmp_path):
    (tmp_path / "serve.yaml").write_text("listen: 127.0.0.1:0\nlimits:\n  concurency: 5\n")
    run = gate("serve", "--config", "serve.yaml")
    assert run.rc == 3 and "serve.yaml:3:3: unknown key `concurency`" in run.stderr and "did you mean `concurrency`?" in run.stderr
    run = gate("serve", env={"ECR_GATE_LEASE": "soon"})
    assert run.rc == 64 and "ECR_GATE_LEASE" in run.stderr, run.stderr


def test_the_schema_of_the_configuration_takes_the_example_of_the_documentation(gate, tmp_path):
    (tmp_path / "schema.json").write_text(gate("serve", "--print-config-schema").stdout)
    page = (Path(__file__).parents[2] / "docs/reference/serve.md").read_text()
    (tmp_path / "example.yaml").write_text(page.split("```yaml\n")[1].split("```")[0])
    command = [Path(sys.executable).parent / "check-jsonschema", "--schemafile", "schema.json"]
    checked = subprocess.run([*command, "example.yaml"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    (tmp_path / "wrong.yaml").write_text("limits: { concurency: 5 }\n")
    checked = subprocess.run([*command, "wrong.yaml"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert checked.returncode == 1, checked.stdout + checked.stderr


def test_o1_a_signal_ends_it_and_what_was_acknowledged_is_there(serve, registry: Registry, repo, rootless, tmp_path):
    service = serve("--policy", policy(tmp_path / "gate.yaml", NON_ROOT), *registry.flags)
    answer = service.decide(registry.push(rootless, f"{repo}:1"), point="ci").json()
    assert service.stop() == 0
    service = serve(*registry.flags)
    assert service.get(f"/api/v1/decisions/{answer['decision']['id']}").json() == answer["decision"]


def test_o1_an_ask_holds_the_end_up_and_a_second_signal_does_not_wait_for_it(serve):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and never answers
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        service = serve("--insecure-registry", host)
        asking = threading.Thread(target=ask_in_vain, args=(service, f"{host}/team/app:1"))
        asking.start()
        time.sleep(1)
        service.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert service.process.poll() is None, "it is still looked into"
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(timeout=10) == 130
        asking.join()


def ask_in_vain(service: Service, image: str) -> None:
    with contextlib.suppress(requests.RequestException):
        service.decide(image, waitSeconds=30)
