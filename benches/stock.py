"""Images, and what is attached to them, put straight into the storage of a docker-registry: thousands in seconds, where pushing them would take minutes.
And a proxy in front of one, which says 429 now and then."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import http.server
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import evidence  # noqa: F401  makes the helpers of tests/e2e known
from images import CONFIG, INDEX, LAYER, MANIFEST, digest_of
from registries import Registry
from signing import BUNDLE, COSIGN_SIGN, EMPTY, SLSA_V1, TEST_RESULT, Key, bundle, signature_bundle, statement

CYCLONEDX = "application/vnd.cyclonedx+json"
EVERY = 10  # requests of which one is answered with 429

Described = dict[str, Any]


class Stock:
    """A repository in the storage of a registry: the folders that `registries.docker_registry` keeps its content in."""

    def __init__(self, folder: Path, name: str) -> None:
        root = folder / "data/docker/registry/v2"
        self.blobs, self.repository = root / "blobs/sha256", root / "repositories" / name
        self.layer = self.blob(b"a layer that nobody reads", LAYER)

    def _link(self, place: str, digest: str) -> None:
        folder = self.repository / place
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "link").write_text(digest)

    def _write(self, content: bytes) -> str:
        digest = digest_of(content)
        number = digest.removeprefix("sha256:")
        folder = self.blobs / number[:2] / number
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "data").write_bytes(content)
        return digest

    def blob(self, content: bytes, media_type: str) -> Described:
        digest = self._write(content)
        self._link(f"_layers/sha256/{digest.removeprefix('sha256:')}", digest)
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    def manifest(self, manifest: dict[str, Any], tag: str | None = None) -> Described:
        content = json.dumps(manifest).encode()
        digest = self._write(content)
        number = digest.removeprefix("sha256:")
        self._link(f"_manifests/revisions/sha256/{number}", digest)
        if tag:
            self._link(f"_manifests/tags/{tag}/current", digest)
            self._link(f"_manifests/tags/{tag}/index/sha256/{number}", digest)
        return {"mediaType": manifest["mediaType"], "digest": digest, "size": len(content)}

    def image(self, number: int, user: str = "1000") -> Described:
        """An image of its own for each number."""
        config = {"architecture": "amd64", "os": "linux", "created": "2026-01-02T03:04:05Z", "rootfs": {"type": "layers", "diff_ids": [self.layer["digest"]]}}
        config["config"] = {"User": user, "Entrypoint": ["/app"], "Env": ["PATH=/usr/bin:/bin"], "Labels": {"number": str(number)}}
        described = self.blob(json.dumps(config).encode(), CONFIG)
        return self.manifest({"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": [self.layer]})

    def refer(self, image: Described, key: Key, stranger: Key) -> None:
        """Five referrers, listed under the fallback tag: signatures by the key and by somebody else, two signed statements, a bill of materials."""
        digest = image["digest"]
        bom = json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": []}).encode()
        signed = [
            (BUNDLE, COSIGN_SIGN, signature_bundle(digest, key)),
            (BUNDLE, COSIGN_SIGN, signature_bundle(digest, stranger)),
            (BUNDLE, TEST_RESULT, bundle(statement(digest, TEST_RESULT, {"result": "PASSED"}), key)),
            (BUNDLE, SLSA_V1, bundle(statement(digest, SLSA_V1, {"buildDefinition": {}, "runDetails": {}}), key)),
        ]
        parts = [(kind, predicate, json.dumps(content).encode()) for kind, predicate, content in signed] + [(CYCLONEDX, "", bom)]
        listed = []
        for kind, predicate, content in parts:
            layer = self.blob(content, kind)
            config = {**self.blob(b"{}", EMPTY), "artifactType": kind}
            manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": kind, "config": config, "layers": [layer], "subject": image}
            if predicate:
                manifest["annotations"] = {"dev.sigstore.bundle.content": "dsse-envelope", "dev.sigstore.bundle.predicateType": predicate}
            listed.append({**self.manifest(manifest), "artifactType": kind})
        self.manifest({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}, digest.replace(":", "-"))


class Throttling(http.server.ThreadingHTTPServer):
    """Answers one request in ten with 429, and hands on the rest."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, host: str) -> None:
        super().__init__(("127.0.0.1", 0), _Throttled)
        self.upstream, self.counted, self.refused, self.lock = host, 0, 0, threading.Lock()

    def refuses(self) -> bool:
        with self.lock:
            self.counted += 1
            refused = self.counted % EVERY == 0
            self.refused += refused
            return refused

    def handle_error(self, *_: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # whoever asks may hang up
            super().handle_error(*_)


class _Throttled(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Throttling
    connection_up: http.client.HTTPConnection | None = None

    def do_GET(self) -> None:  # noqa: N802
        if self.server.refuses():
            self._answer(429, {"Content-Type": "application/json"}, b'{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}')
            return
        if self.connection_up is None:
            self.connection_up = http.client.HTTPConnection(self.server.upstream, timeout=60)
        self.connection_up.request(self.command, self.path, headers={"Accept": self.headers.get("Accept", "*/*")})
        answer = self.connection_up.getresponse()
        body = answer.read()
        kept = {name: answer.headers[name] for name in ["Content-Type", "Docker-Content-Digest", "Link"] if name in answer.headers}
        if self.command == "HEAD":
            kept["Content-Length"] = answer.headers.get("Content-Length", "0")
        self._answer(answer.status, kept, body)

    do_HEAD = do_GET

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def throttling(registry: Registry) -> Iterator[tuple[Registry, Throttling]]:
    """The registry behind the proxy."""
    with Throttling(registry.host) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield dataclasses.replace(registry, host=f"127.0.0.1:{server.server_address[1]}"), server
        finally:
            server.shutdown()
