"""Promotion and rollback through the front door: `ecr-gate promote` and `rollback` ask the service, which copies from one real registry to another.
crane and skopeo say whether the copies are what they were, and cosign whether what is signed still is."""

from __future__ import annotations

import json
import subprocess
import threading

import images
import pytest
import registries
import signing
from reports import policy
from scans import REGISTRY, complete
from services import TOKENS, until

NON_ROOT = {"config": {"nonRoot": True}}
NOBODY = {"config": {"userIds": ["1-2"]}}
SPDX = "application/spdx+json"


@pytest.fixture
def allowing(tmp_path):
    return policy(tmp_path / "allowing.yaml", NON_ROOT)


@pytest.fixture
def denying(tmp_path):
    return policy(tmp_path / "denying.yaml", NOBODY)


@pytest.fixture(scope="session")
def release(tmp_path_factory):
    """A second registry."""
    with registries.docker_registry(tmp_path_factory.mktemp("release"), die_with_parent) as running:
        yield running


def die_with_parent() -> None:
    import ctypes
    import signal

    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def insecure(*hosts) -> dict[str, str]:
    """Spoken to in plain http."""
    return {"ECR_GATE_INSECURE_REGISTRIES": ",".join(one.host for one in hosts)}


@pytest.fixture
def service(serve, registry, release, referrers_registry, allowing):
    return serve(policy=allowing, env=insecure(registry, release, referrers_registry))


@pytest.fixture
def promote(gate, service):
    """`ecr-gate promote`, or with `command` another one, as somebody with this role."""

    def run(*args, role="write", command="promote", output="json"):
        given = ["--output", output] if output else []
        return gate(command, *args, "--server", service.url, *given, env={"ECR_GATE_TOKEN": TOKENS[role], "CI_PIPELINE_ID": "4711", "CI_COMMIT_SHA": "c0ffee"})

    return run


def crane(*args) -> str:
    done = subprocess.run(["crane", *map(str, args)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def raw(registry, reference: str) -> bytes:
    command = ["skopeo", "inspect", "--raw", *registry.skopeo_flags(""), f"docker://{reference}"]
    return subprocess.run(command, capture_output=True, timeout=60, check=True).stdout


def tags(registry, name: str) -> list[str]:
    found = registry.repository(name)
    answer = found.session.get(f"{found.url}/tags/list", timeout=30)
    return (answer.json()["tags"] or []) if answer.ok else []


@pytest.mark.parametrize("kind", ["another registry", "the same registry", "one that lists referrers"])
def test_b7_an_index_is_promoted_with_every_platform_and_all_that_is_attached(promote, service, registry, release, referrers_registry, repo, tmp_path, kind):
    index, children = images.build_index(tmp_path / "index", ["amd64", "arm64"], attestation=True)
    source = registry.push(index, f"{repo}:1")
    key = signing.Key()
    placed = signing.Placed(registry, repo, index.digest)
    signing.attach_signature(placed, key)
    bundle = signing.attach_bundle(placed, signing.signature_bundle(index.digest, key))
    child = next(iter(children.values()))
    bill = registry.attach(repo, child, SPDX, b'{"spdxVersion":"SPDX-2.3"}')
    signing.attach_signature(signing.Placed(registry, repo, bill), key)  # a signature of the bill of materials

    target, name = {"another registry": (release, f"release/{repo}"), "the same registry": (registry, f"release/{repo}")}.get(kind, (referrers_registry, f"release/{repo}"))
    destination = f"{target.host}/{name}:1.0"
    run = promote(source, destination)
    assert run.rc == 0, run.stdout + run.stderr + service.log[-2000:]
    told = run.json()
    assert (told["state"], told["digest"], told["outcome"]["basis"], told["outcome"]["attached"]) == ("promoted", index.digest, "allowed", 4), told
    assert crane("digest", "--insecure", destination).strip() == index.digest
    assert raw(target, destination) == raw(registry, source)
    for digest in [image.digest for image in children.values()] + [bundle, bill]:
        assert raw(target, f"{target.host}/{name}@{digest}") == raw(registry, f"{registry.host}/{repo}@{digest}")
    for image in children.values():  # every layer is there and is what its digest says
        crane("validate", "--insecure", "--remote", f"{target.host}/{name}@{image.digest}")
    for subject in (index.digest, bill):
        tag = f"{subject.replace(':', '-')}.sig"
        assert raw(target, f"{target.host}/{name}:{tag}") == raw(registry, f"{registry.host}/{repo}:{tag}")
    listed = placed.repository.session
    if target.lists_referrers:
        found = listed.get(f"http://{target.host}/v2/{name}/referrers/{index.digest}", timeout=30).json()["manifests"]
    else:
        found = target.fallback(name, index)
    assert [one["digest"] for one in found] == [bundle]

    again = promote(source, destination)
    assert again.rc == 0 and again.json()["outcome"]["wasThere"], again.stdout + again.stderr
    [row] = [one for one in service.get("/api/v1/promotions").json()["promotions"] if one["destination"] == destination]
    assert (row["digest"], row["source"], row["by"]) == (index.digest, f"{registry.host}/{repo}", "write")
    events = service.get(f"/api/v1/images/{index.digest}/events", params={"image": f"{target.host}/{name}"}).json()["events"]
    assert [event["kind"] for event in events] == ["promotion.begun", "image.promoted"]
    body = events[1]["entry"]["body"]
    assert (body["pipeline"], body["commit"], body["decision"]) == ("4711", "c0ffee", row["decision"])


def test_b7_a_tag_is_never_moved_and_a_refusal_leaves_nothing(promote, service, registry, release, repo, build_image, denying):
    one, two = build_image(), build_image({"other": "content"})
    first, second = registry.push(one, f"{repo}:1"), registry.push(two, f"{repo}:2")
    assert promote(first, f"{release.host}/{repo}:1.0").rc == 0
    run = promote(second, f"{release.host}/{repo}:1.0")
    assert run.rc == 3 and one.digest in run.stderr and "never moves a tag" in run.stderr, run.stderr
    assert run.json()["problem"]["code"] == "promotion.destination"
    assert release.digest(f"{release.host}/{repo}:1.0") == one.digest
    service.activate(denying)
    run = promote(second, f"{release.host}/{repo}:2.0", output="text")
    assert run.rc == 1 and "config.broken" in run.stderr and not run.stdout, run.stdout + run.stderr
    assert tags(release, repo) == ["1.0"]
    assert len(service.get("/api/v1/promotions").json()["promotions"]) == 1


def test_b7_a_tag_that_moves_meanwhile_moves_nothing_here(promote, service, registry, release, repo, build_image):
    good, evil = build_image(), build_image({"evil": "x" * 10})
    source = registry.push(good, f"{repo}:1")
    promoted = {}
    thread = threading.Thread(target=lambda: promoted.update(run=promote(source, f"{release.host}/{repo}:1.0")))
    thread.start()
    until("it is decided", lambda: service.get("/api/v1/decisions", params={"digest": good.digest}).json()["decisions"])
    registry.push(evil, f"{repo}:1")
    thread.join()
    assert promoted["run"].rc == 0, promoted["run"].stderr
    assert release.digest(f"{release.host}/{repo}:1.0") == good.digest


@pytest.mark.parametrize(("method", "part"), [("POST", "/blobs/uploads/"), ("PUT", "/blobs/uploads/"), ("PUT", "/manifests/sha256:"), ("PUT", "/manifests/1.0")])
def test_b7_a_registry_that_fails_half_way_is_left_without_the_tag(serve, gate, registry, release, repo, build_image, allowing, tmp_path, method, part):
    image = build_image()
    source = registry.push(image, f"{repo}:1")
    with breaking(release, method, part) as broken:
        service = serve(policy=allowing, env=insecure(registry, release, broken))
        run = gate("promote", source, f"{broken.host}/{repo}:1.0", "--server", service.url, env={"ECR_GATE_TOKEN": TOKENS["write"]})
        assert run.rc in (3, 5) and not run.stdout, run.stdout + run.stderr
        assert "1.0" not in tags(release, repo)
        assert service.get("/api/v1/promotions").json()["promotions"] == []


def breaking(registry, method: str, part: str):
    """The registry behind a proxy that refuses such requests."""
    import contextlib
    import http.server

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            import requests

            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            if self.command == method and part in self.path:
                self.answer(403, {}, b'{"errors":[{"code":"DENIED","message":"not today"}]}')
                return
            headers = {name: value for name, value in self.headers.items() if name.lower() not in ("connection", "accept-encoding", "content-length")}
            answer = requests.request(self.command, f"http://{registry.host}{self.path}", data=body, headers=headers, timeout=30, allow_redirects=False)
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in ("connection", "transfer-encoding", "content-encoding", "date")}
            self.answer(answer.status_code, kept, answer.content)

        def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() != "content-length" or self.command == "HEAD":
                    self.send_header(name, value)
            if self.command != "HEAD":
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = pass_on

        def log_message(self, *_) -> None:
            """Tests tell what matters."""

    @contextlib.contextmanager
    def running():
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            yield registries.Registry(f"127.0.0.1:{server.server_port}", registry.log)
            server.shutdown()

    return running()


def test_o2_reading_is_not_promoting_and_without_a_service_there_is_no_promotion(promote, gate, service, registry, release, repo, build_image):
    source = registry.push(build_image(), f"{repo}:1")
    run = promote(source, f"{release.host}/{repo}:1.0", role="read")
    assert run.rc == 3 and not run.stdout, run.stderr
    assert service.post("/api/v1/promotions", {"source": source, "destination": f"{release.host}/{repo}:1.0"}).status_code == 401
    run = gate("promote", source, f"{release.host}/{repo}:1.0")
    assert run.rc == 64 and "has to be decided and put on record" in run.stderr, run.stderr
    for wrong in [(source, source), (source, f"{release.host}/{repo}"), (f"{release.host}/{repo}", f"{release.host}/{repo}:1"), (source, "app:1")]:
        assert promote(*wrong).rc == 64, wrong
    assert tags(release, repo) == []


def test_b7_tags_of_ecr_that_can_be_moved_are_no_destination(serve, gate, moto, push_image, seed_scan, registry):
    digest = push_image("shop/app", "1")
    seed_scan("shop/app", digest, complete())
    moto.ecr.create_repository(repositoryName="release/app", imageTagMutability="MUTABLE")
    service = serve()

    def promote(*args):
        env = {"ECR_GATE_TOKEN": TOKENS["write"]}
        return gate("promote", f"{REGISTRY}/shop/app@{digest}", f"{REGISTRY}/release/app:1.0", *args, "--server", service.url, env=env)

    run = promote()
    assert run.rc == 3 and "can be moved" in run.stderr and "put-image-tag-mutability" in run.stderr, run.stderr
    run = promote("--allow-mutable-destination")
    assert run.rc == 64 and "class production" in run.stderr, run.stderr
    assert service.get("/api/v1/promotions").json()["promotions"] == []


def test_b8_what_was_promoted_before_is_listed_and_brought_back(promote, service, registry, release, repo, build_image, denying):
    place = f"{release.host}/{repo}"
    one, two = build_image(), build_image({"other": "content"})
    for image, tag in ((one, "1"), (two, "2")):
        assert promote(registry.push(image, f"{repo}:{tag}"), f"{place}:{tag}.0").rc == 0
    listed = promote(place, command="rollback").json()["candidates"]
    assert [(row["digest"], row["current"], row["verdict"]) for row in listed] == [(two.digest, True, "allow"), (one.digest, False, "allow")]
    table = promote(place, command="rollback", output="text").stdout
    assert one.digest[:19] in table and "now" in table.splitlines()[1], table

    run = promote(place, "--previous", "--tag", "2.0-back", "--reason", "INC-1", command="rollback")
    assert run.rc == 0 and run.json()["rollback"] and run.json()["promotion"]["digest"] == one.digest, run.stdout + run.stderr
    assert release.digest(f"{place}:2.0-back") == one.digest
    assert release.digest(f"{place}:2.0") == two.digest, "no tag was moved"
    assert [row["digest"] for row in promote(place, command="rollback").json()["candidates"]] == [one.digest, two.digest]
    assert promote(place, "--to", two.digest, "--tag", "1.0", command="rollback").rc == 3, "the tag is taken"

    service.activate(denying)
    run = promote(place, "--previous", "--tag", "again", "--reason", "INC-2", command="rollback", role="admin")
    assert run.rc == 1 and "more than vulnerabilities" in run.stderr, run.stderr
    assert "again" not in tags(release, repo)
    assert promote(place, "--to", f"sha256:{'0' * 64}", command="rollback").rc == 3, "it never ran there"
    assert promote(place, "--tag", "x", command="rollback").rc == 64


def test_the_service_ends_and_the_same_command_finds_what_it_did(promote, service, registry, release, repo, build_image):
    source, destination = registry.push(build_image(), f"{repo}:1"), f"{release.host}/{repo}:1.0"
    done = promote(source, destination).json()["promotion"]
    assert service.stop() == 0
    service.start()
    answer = service.get(f"/api/v1/promotions/{done['id']}", "read")
    assert answer.ok and answer.json()["state"] == "promoted" and answer.json()["promotion"] == done, answer.text
    again = promote(source, destination).json()
    assert again["outcome"]["wasThere"] and again["promotion"]["id"] == done["id"]


@pytest.mark.peers("cosign2", "cosign3")
@pytest.mark.parametrize("version", [2, 3])
def test_b7_cosign_verifies_the_copies(promote, registry, release, repo, build_image, tmp_path, version):
    image = build_image()
    source = registry.push(image, f"{repo}:1")
    environment = {"COSIGN_PASSWORD": "correct horse"}
    assert signing.peer(f"cosign{version}", "generate-key-pair", "--output-key-prefix", "theirs", folder=tmp_path, **environment).returncode == 0
    pinned = f"{registry.host}/{repo}@{image.digest}"
    done = signing.cosign(version, "sign", "--key", "theirs.key", pinned, folder=tmp_path, **environment)
    assert done.returncode == 0, done.stderr
    predicate = tmp_path / "predicate.json"
    predicate.write_text(json.dumps({"passed": True}))
    done = signing.cosign(version, "attest", "--key", "theirs.key", "--type", "custom", "--predicate", predicate, pinned, folder=tmp_path, **environment)
    assert done.returncode == 0, done.stderr
    run = promote(source, f"{release.host}/release/{repo}:1.0")
    assert run.rc == 0, run.stderr
    released = f"{release.host}/release/{repo}@{image.digest}"
    done = signing.cosign(version, "verify", "--key", "theirs.pub", released, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    done = signing.cosign(version, "verify-attestation", "--type", "custom", "--key", "theirs.pub", released, folder=tmp_path)
    assert done.returncode == 0, done.stderr
