"""Real registries on loopback: Debian's docker-registry, and zot where it is installed; and skopeo, an independent client that pushes to them."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import os
import shutil
import socket
import ssl
import subprocess
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
        repository = f"{'https' if self.ca else 'http'}://{self.host}/v2/{name}"
        session = requests.Session()
        session.verify = str(self.ca) if self.ca else True
        session.auth = (USER, PASSWORD) if self.auth else None

        def answered(response: requests.Response) -> requests.Response:
            response.raise_for_status()
            return response

        for blob in [content, b"{}"]:
            upload = answered(session.post(f"{repository}/blobs/uploads/", timeout=TIMEOUT_S)).headers["Location"]
            place = urllib.parse.urljoin(repository, upload)
            place += ("&" if "?" in place else "?") + urllib.parse.urlencode({"digest": digest_of(blob)})
            answered(session.put(place, data=blob, headers={"Content-Type": "application/octet-stream"}, timeout=TIMEOUT_S))

        def put(manifest: dict[str, Any], reference: str | None = None) -> tuple[dict[str, Any], requests.Response]:
            body = json.dumps(manifest).encode()
            described = {"mediaType": manifest["mediaType"], "digest": digest_of(body), "size": len(body)}
            headers = {"Content-Type": manifest["mediaType"]}
            place = f"{repository}/manifests/{reference or described['digest']}"
            return described, answered(session.put(place, data=body, headers=headers, timeout=TIMEOUT_S))

        empty = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest_of(b"{}"), "size": 2}
        body = subject.blob(subject.digest)
        about = {"mediaType": json.loads(body)["mediaType"], "digest": subject_digest or subject.digest, "size": len(body)}
        layers = [{"mediaType": artifact_type, "digest": digest_of(content), "size": len(content)}]
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": artifact_type, "config": empty, "layers": layers, "subject": about}
        described, response = put(manifest)
        if "OCI-Subject" not in response.headers:
            tag = subject.digest.replace(":", "-")
            found = session.get(f"{repository}/manifests/{tag}", headers={"Accept": INDEX}, timeout=TIMEOUT_S)
            listed = found.json()["manifests"] if found.ok else []
            listed.append({**described, "artifactType": artifact_type})
            put({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}, tag)
        return described["digest"]

    def fallback(self, name: str, image: Image) -> list[dict[str, Any]]:
        """What the fallback tag of the image lists."""
        tag = image.digest.replace(":", "-")
        found = skopeo("inspect", "--raw", *self.skopeo_flags(""), f"docker://{self.host}/{name}:{tag}", check=False)
        return json.loads(found.stdout)["manifests"] if found.returncode == 0 else []

    def requests_seen(self) -> int:
        """How many requests it has logged."""
        return self.log.read_text(errors="replace").count("HTTP/")


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

    return _running(command, folder / "log", die_with_parent)


def zot_binary() -> str:
    """Where zot is; empty if it is not installed."""
    return os.environ.get("ECR_GATE_ZOT") or shutil.which("zot") or ""


@contextlib.contextmanager
def _running(
    command: Callable[[int], list[str]], log: Path, die_with_parent: Callable[[], None], *, auth: bool = False, ca: Path | None = None
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
        yield Registry(f"127.0.0.1:{port}", log, auth, ca)
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
