"""Registries on loopback: Debian's docker-registry, which has no referrers API, and one that has it: zot where it is installed, else the testkit's own.
And skopeo, an independent client that pushes to them."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import http.server
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import requests
from images import INDEX, MANIFEST, Image, digest_of

USER, PASSWORD = "ci", "correct horse: battery/staple"
TIMEOUT_S = 60


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def skopeo(*args: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """skopeo, which trusts any signature: signatures are not what is tested with it."""
    command = ["skopeo", "--insecure-policy", *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert not check or done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"
    return done


@dataclasses.dataclass(frozen=True)
class Registry:
    """A registry that runs."""

    host: str
    """`127.0.0.1:PORT`"""
    log: Path
    auth: bool = False
    ca: Path | None = None
    """The certificate authority, if it speaks TLS."""
    lists_referrers: bool = False
    """Whether it has the referrers API."""

    @property
    def flags(self) -> list[str]:
        """What the gate has to be told to speak to it."""
        return ["--registry-ca", str(self.ca)] if self.ca else ["--insecure-registry", self.host]

    def skopeo_flags(self, side: str) -> list[str]:
        tls = [f"--{side}cert-dir={self.ca.parent}"] if self.ca else [f"--{side}tls-verify=false"]
        return tls + ([f"--{side}creds={USER}:{PASSWORD}"] if self.auth else [])

    def push(self, image: Image, name: str) -> str:
        """Pushes the image by skopeo, with every platform, and returns the reference; its digest stays what it is."""
        reference = f"{self.host}/{name}"
        skopeo("copy", "--all", "--preserve-digests", *self.skopeo_flags("dest-"), image.oci, f"docker://{reference}")
        return reference

    def digest(self, reference: str) -> str:
        """The digest behind a reference, as skopeo computes it from the manifest's bytes."""
        return json.loads(skopeo("inspect", *self.skopeo_flags(""), f"docker://{reference}").stdout)["Digest"]

    def attach(self, name: str, subject: Image, artifact_type: str, content: bytes, *, subject_digest: str | None = None) -> str:
        """Attaches a file as a referrer, as oras does: by the referrers API, or where there is none by the fallback tag. Its digest."""
        repository = self.repository(name)
        body = subject.blob(subject.digest)
        about = {"mediaType": json.loads(body)["mediaType"], "digest": subject_digest or subject.digest, "size": len(body)}
        layer = repository.put_blob(content, artifact_type)
        empty = repository.put_blob(b"{}", "application/vnd.oci.empty.v1+json")
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": artifact_type, "config": empty, "layers": [layer], "subject": about}
        return repository.refer(manifest, subject.digest)

    def repository(self, name: str) -> Repository:
        """A repository as whoever writes to it holds it."""
        session = requests.Session()
        session.verify = str(self.ca) if self.ca else True
        session.auth = (USER, PASSWORD) if self.auth else None
        return Repository(f"{'https' if self.ca else 'http'}://{self.host}/v2/{name}", session)

    def fallback(self, name: str, image: Image) -> list[dict[str, Any]]:
        """What the fallback tag of the image lists."""
        tag = image.digest.replace(":", "-")
        found = skopeo("inspect", "--raw", *self.skopeo_flags(""), f"docker://{self.host}/{name}:{tag}", check=False)
        return json.loads(found.stdout)["manifests"] if found.returncode == 0 else []

    def requests_seen(self) -> int:
        """How many requests it has logged."""
        return self.log.read_text(errors="replace").count("HTTP/")


def _answered(response: requests.Response) -> requests.Response:
    response.raise_for_status()
    return response


@dataclasses.dataclass(frozen=True)
class Repository:
    """What is put into a repository byte by byte, and read back."""

    url: str
    session: requests.Session

    def put_blob(self, content: bytes, media_type: str = "application/octet-stream") -> dict[str, Any]:
        """Uploads a blob: its descriptor."""
        upload = _answered(self.session.post(f"{self.url}/blobs/uploads/", timeout=TIMEOUT_S)).headers["Location"]
        place = urllib.parse.urljoin(self.url, upload)
        place += ("&" if "?" in place else "?") + urllib.parse.urlencode({"digest": digest_of(content)})
        _answered(self.session.put(place, data=content, headers={"Content-Type": "application/octet-stream"}, timeout=TIMEOUT_S))
        return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}

    def put_manifest(self, manifest: dict[str, Any] | bytes, reference: str | None = None, media_type: str = MANIFEST) -> tuple[dict[str, Any], requests.Response]:
        """Uploads a manifest or index, by a tag or by its digest: its descriptor, and what was answered."""
        if isinstance(manifest, dict):
            media_type, manifest = manifest.get("mediaType", media_type), json.dumps(manifest).encode()
        described = {"mediaType": media_type, "digest": digest_of(manifest), "size": len(manifest)}
        place = f"{self.url}/manifests/{reference or described['digest']}"
        return described, _answered(self.session.put(place, data=manifest, headers={"Content-Type": media_type}, timeout=TIMEOUT_S))

    def refer(self, manifest: dict[str, Any], listed_for: str) -> str:
        """Uploads a manifest that has a subject; a registry without the referrers API lists it under the fallback tag of `listed_for`. Its digest."""
        described, response = self.put_manifest(manifest)
        if "OCI-Subject" not in response.headers:
            tag = listed_for.replace(":", "-")
            found = self.session.get(f"{self.url}/manifests/{tag}", headers={"Accept": INDEX}, timeout=TIMEOUT_S)
            listed = found.json()["manifests"] if found.ok else []
            listed.append({**described, "artifactType": manifest["artifactType"]})
            self.put_manifest({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}, tag)
        return described["digest"]

    def manifest(self, reference: str) -> dict[str, Any]:
        accept = {"Accept": f"{INDEX}, {MANIFEST}"}
        return _answered(self.session.get(f"{self.url}/manifests/{reference}", headers=accept, timeout=TIMEOUT_S)).json()

    def blob(self, digest: str) -> bytes:
        return _answered(self.session.get(f"{self.url}/blobs/{digest}", timeout=TIMEOUT_S)).content

    def delete(self, digest: str) -> None:
        """Deletes a manifest."""
        _answered(self.session.delete(f"{self.url}/manifests/{digest}", timeout=TIMEOUT_S))


@contextlib.contextmanager
def faulty(registry: Registry, part: str, status: int = 503) -> Iterator[Registry]:
    """The registry behind a proxy that answers whatever has `part` in its path with an error, and passes on the rest."""

    class Proxy(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802
            if part in self.path:
                self.send_error(status)
                return
            kept = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            answer = requests.request(self.command, f"http://{registry.host}{self.path}", headers=kept, timeout=TIMEOUT_S)
            self.send_response(answer.status_code)
            for name in ["Content-Type", "Docker-Content-Digest", "Link"]:
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            self.send_header("Content-Length", answer.headers.get("Content-Length", str(len(answer.content))))
            self.end_headers()
            self.wfile.write(answer.content)

        do_HEAD = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield dataclasses.replace(registry, host=f"127.0.0.1:{server.server_address[1]}")
        finally:
            server.shutdown()


def docker_config(folder: Path, host: str, user: str = USER, password: str = PASSWORD) -> Path:
    """A folder for DOCKER_CONFIG with a login, as `docker login` leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))
    return folder


def certificates(folder: Path) -> tuple[Path, Path, Path]:
    """A certificate authority of our own and a certificate of it for 127.0.0.1: the authority's folder is for skopeo's eyes too."""
    folder.mkdir(parents=True)
    (folder / "ca").mkdir()
    ca, ca_key, certificate, key = folder / "ca/ca.crt", folder / "ca.key", folder / "server.crt", folder / "server.key"
    request, extensions = folder / "server.csr", folder / "extensions"
    extensions.write_text("subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n")
    elliptic = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    constraints = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"]
    for command in [
        ["req", "-x509", *elliptic, "-days", "2", "-subj", "/CN=test authority", "-keyout", ca_key, "-out", ca, *constraints],
        ["req", *elliptic, "-subj", "/CN=registry", "-keyout", key, "-out", request],
        ["x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", certificate],
    ]:
        subprocess.run(["openssl", *map(str, command)], check=True, capture_output=True, timeout=TIMEOUT_S)
    return ca, certificate, key


def docker_registry(folder: Path, die_with_parent: Callable[[], None], *, auth: bool = False, tls: bool = False) -> contextlib.AbstractContextManager[Registry]:
    """Debian's docker-registry, with nothing in it."""
    binary = shutil.which("docker-registry")
    assert binary, "docker-registry is not on PATH; `tools/setup test` installs it"
    http: dict[str, Any] = {"secret": "of one run"}
    settings: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": False}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
        "http": http,
    }
    ca = None
    if tls:
        ca, certificate, key = certificates(folder / "tls")
        http["tls"] = {"certificate": str(certificate), "key": str(key)}
    if auth:
        line = subprocess.run(["htpasswd", "-nbB", USER, PASSWORD], check=True, capture_output=True, text=True, timeout=TIMEOUT_S).stdout
        (folder / "htpasswd").write_text(line)
        settings["auth"] = {"htpasswd": {"realm": "a registry of the tests", "path": str(folder / "htpasswd")}}

    def command(port: int) -> list[str]:
        http["addr"] = f"127.0.0.1:{port}"
        (folder / "config.yml").write_text(json.dumps(settings))  # JSON is YAML
        return [binary, "serve", str(folder / "config.yml")]

    return _running(command, folder / "log", die_with_parent, auth=auth, ca=ca)


def zot(folder: Path, die_with_parent: Callable[[], None]) -> contextlib.AbstractContextManager[Registry]:
    """zot, which answers the referrers API, with nothing in it."""

    def command(port: int) -> list[str]:
        settings = {
            "distSpecVersion": "1.1.0",
            "storage": {"rootDirectory": str(folder / "data"), "gc": False},
            "http": {"address": "127.0.0.1", "port": str(port)},
            "log": {"level": "info"},
        }
        (folder / "config.json").write_text(json.dumps(settings))
        return [zot_binary(), "serve", str(folder / "config.json")]

    return _running(command, folder / "log", die_with_parent, lists_referrers=True)


def zot_binary() -> str:
    """Where zot is; empty if it is not installed."""
    return os.environ.get("ECR_GATE_ZOT") or shutil.which("zot") or ""


@contextlib.contextmanager
def testkit(folder: Path) -> Iterator[Registry]:
    """The testkit's registry, which answers the referrers API, with nothing in it. It ends with its standard input, and writes no log."""
    binary = Path(os.environ["ECR_GATE_BIN"]).parent / "test-registry"
    assert binary.exists(), f"{binary} is not there; `make e2e` builds it beside the gate"
    with subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        host = process.stdout.readline().strip()
        assert host, "the testkit's registry does not start"
        yield Registry(host, folder / "log", lists_referrers=True)


@contextlib.contextmanager
def _running(
    command: Callable[[int], list[str]], log: Path, die_with_parent: Callable[[], None], *, auth: bool = False, ca: Path | None = None,
    lists_referrers: bool = False,
) -> Iterator[Registry]:
    """Runs a registry on a free port until the end, and ends it by its own process id."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(log.parent), "OTEL_TRACES_EXPORTER": "none"}
    for _ in range(3):  # somebody else may take the port
        port = free_port()
        with log.open("wb") as output:
            process = subprocess.Popen(
                command(port), stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, preexec_fn=die_with_parent
            )
        if _answers(process, f"{'https' if ca else 'http'}://127.0.0.1:{port}/v2/", ca):
            break
        _stop(process)
    else:
        raise AssertionError(f"the registry does not start:\n{log.read_text()[-2000:]}")
    try:
        yield Registry(f"127.0.0.1:{port}", log, auth, ca, lists_referrers)
    finally:
        _stop(process)


def _answers(process: subprocess.Popen[bytes], url: str, ca: Path | None) -> bool:
    context = ssl.create_default_context(cafile=str(ca)) if ca else None
    deadline = time.monotonic() + TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=5, context=context).close()
        except urllib.error.HTTPError as refused:  # an answer too: it wants a login
            refused.close()
        except OSError:
            time.sleep(0.05)
            continue
        return process.poll() is None
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
