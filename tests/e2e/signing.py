"""Signatures for the end-to-end tests: the scenes that real tools signed (tests/fixtures/signing), signatures made here byte by byte so that they can
be wrong in one place, and the real tools where they are built."""

from __future__ import annotations

import base64
import dataclasses
import functools
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from images import CONFIG, INDEX, MANIFEST, Image, digest_of
from registries import Registry, Repository

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures/signing"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
DSSE = "application/vnd.dsse.envelope.v1+json"
IN_TOTO = "application/vnd.in-toto+json"
Layer = tuple[str, bytes, dict[str, str]]
"""A layer under a tag of cosign: media type, content, annotations."""
EMPTY = "application/vnd.oci.empty.v1+json"
COSIGN_SIGN = "https://sigstore.dev/cosign/sign/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
SLSA_V1 = "https://slsa.dev/provenance/v1"
FALLBACK_TAG = re.compile(r"sha256-[0-9a-f]{64}")
TOOL_TIMEOUT_S = 60


# --- scenes that real tools signed -----------------------------------------------------------------------------------


@functools.cache
def expected() -> dict[str, Any]:
    """What tests/fixtures/signing holds: who signed what, and what cosign said of it."""
    return json.loads((FIXTURES / "expected.json").read_text())


def public_key(name: str) -> Path:
    return FIXTURES / f"keys/{name}.pub"


@dataclasses.dataclass(frozen=True)
class Placed:
    """An image with its signatures in a registry."""

    registry: Registry
    name: str
    digest: str

    @property
    def reference(self) -> str:
        """By digest."""
        return f"{self.registry.host}/{self.name}@{self.digest}"

    @property
    def tagged(self) -> str:
        return f"{self.registry.host}/{self.name}:1"

    @property
    def repository(self) -> Repository:
        return self.registry.repository(self.name)

    def about(self) -> dict[str, Any]:
        """The image's descriptor, as a `subject`."""
        response = self.repository.session.get(f"{self.repository.url}/manifests/{self.digest}", headers={"Accept": f"{INDEX}, {MANIFEST}"}, timeout=60)
        response.raise_for_status()
        return {"mediaType": response.headers["Content-Type"], "digest": self.digest, "size": len(response.content)}


def place(registry: Registry, name: str, scene: str) -> Placed:
    """Puts a scene into a repository as its tool left it: every manifest byte for byte. A registry with the referrers API lists them by itself."""
    folder = FIXTURES / "scenes" / scene
    repository = registry.repository(name)
    blob = lambda digest: (folder / "blobs/sha256" / digest.removeprefix("sha256:")).read_bytes()  # noqa: E731

    def put(described: dict[str, Any], tag: str | None = None) -> None:
        content = blob(described["digest"])
        manifest = json.loads(content)
        for child in manifest.get("manifests", []):
            put(child)
        for part in [*manifest.get("layers", []), *([manifest["config"]] if "config" in manifest else [])]:
            repository.put_blob(blob(part["digest"]))
        if not (registry.lists_referrers and tag and FALLBACK_TAG.fullmatch(tag)):
            repository.put_manifest(content, tag, described["mediaType"])

    for entry in json.loads((folder / "index.json").read_text())["manifests"]:
        put(entry, entry["annotations"]["org.opencontainers.image.ref.name"])
    digest = expected()["scenes"].get(scene, {}).get("digest", "")
    return Placed(registry, name, digest)


def push(registry: Registry, name: str, image: Image) -> Placed:
    """Pushes an image that nobody has signed yet."""
    registry.push(image, f"{name}:1")
    return Placed(registry, name, image.digest)


# --- signatures made here --------------------------------------------------------------------------------------------


class Key:
    """A P-256 key of one test."""

    def __init__(self) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())

    @property
    def public(self) -> bytes:
        return self.private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    @property
    def digest(self) -> str:
        """SHA-256 of the SubjectPublicKeyInfo."""
        return digest_of(self.private.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))

    def sign(self, content: bytes) -> bytes:
        return self.private.sign(content, ec.ECDSA(hashes.SHA256()))

    def write(self, folder: Path, name: str) -> Path:
        """Writes `NAME.pub` and `NAME.key` (PKCS#8); the public one."""
        folder.mkdir(parents=True, exist_ok=True)
        pkcs8 = self.private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (folder / f"{name}.key").write_bytes(pkcs8)
        file = folder / f"{name}.pub"
        file.write_bytes(self.public)
        return file


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def statement(digest: str, predicate_type: str, predicate: Any, version: str = "v1") -> bytes:
    """An in-toto statement about one digest."""
    subject = [{"name": "app", "digest": {"sha256": digest.removeprefix("sha256:")}}]
    return json.dumps({"_type": f"https://in-toto.io/Statement/{version}", "subject": subject, "predicateType": predicate_type, "predicate": predicate}).encode()


def envelope(payload: bytes, key: Key, payload_type: str = IN_TOTO) -> dict[str, Any]:
    """A DSSE envelope with one signature."""
    signed = b"DSSEv1 %d %s %d %s" % (len(payload_type), payload_type.encode(), len(payload), payload)
    return {"payload": encoded(payload), "payloadType": payload_type, "signatures": [{"sig": encoded(key.sign(signed))}]}


def bundle(payload: bytes, key: Key) -> dict[str, Any]:
    """A Sigstore bundle v0.3 by a key, without a log entry, as cosign 3 makes one."""
    material = {"publicKey": {"hint": encoded(bytes.fromhex(key.digest.removeprefix("sha256:")))}}
    return {"mediaType": BUNDLE, "verificationMaterial": material, "dsseEnvelope": envelope(payload, key)}


def signature_bundle(digest: str, key: Key) -> dict[str, Any]:
    """What `cosign sign` of cosign 3 makes."""
    return bundle(statement(digest, COSIGN_SIGN, {}), key)


def simple_signing(digest: str, reference: str = "registry.example/app", annotations: dict[str, str] | None = None) -> bytes:
    """What cosign 2 signs."""
    critical = {"identity": {"docker-reference": reference}, "image": {"docker-manifest-digest": digest}, "type": "cosign container image signature"}
    return json.dumps({"critical": critical, "optional": annotations}).encode()


def attach_bundle(placed: Placed, content: dict[str, Any] | bytes, *, subject: str | None = None, predicate_type: str = COSIGN_SIGN) -> str:
    """Attaches a bundle as cosign 3 does; its manifest's digest. With another `subject` the manifest says that it belongs to that digest."""
    content = content if isinstance(content, bytes) else json.dumps(content).encode()
    repository = placed.repository
    layer = repository.put_blob(content, BUNDLE)
    config = {**repository.put_blob(b"{}", EMPTY), "artifactType": BUNDLE}
    annotations = {"dev.sigstore.bundle.content": "dsse-envelope", "dev.sigstore.bundle.predicateType": predicate_type}
    about = placed.about() if subject is None else {**placed.about(), "digest": subject}
    manifest = {
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": BUNDLE, "config": config, "layers": [layer], "annotations": annotations, "subject": about,
    }  # fmt: skip
    return repository.refer(manifest, placed.digest)


def attach_tagged(placed: Placed, suffix: str, layers: Iterable[Layer], *, digest: str | None = None) -> str:
    """Puts layers (media type, content, annotations) under cosign's tag `sha256-….SUFFIX`; the manifest's digest."""
    repository = placed.repository
    described = [{**repository.put_blob(content, kind), "annotations": annotations} for kind, content, annotations in layers]
    configuration = {
        "architecture": "", "created": "0001-01-01T00:00:00Z", "os": "", "config": {}, "history": [],
        "rootfs": {"type": "layers", "diff_ids": [one["digest"] for one in described]},
    }  # fmt: skip
    config = repository.put_blob(json.dumps(configuration).encode(), CONFIG)
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": described}
    tag = (digest or placed.digest).replace(":", "-") + suffix
    return repository.put_manifest(manifest, tag)[0]["digest"]


def signature_layer(payload: bytes, signature: bytes, **annotations: str) -> Layer:
    """A layer of `.sig`: a payload and its signature."""
    return SIMPLE_SIGNING, payload, {"dev.cosignproject.cosign/signature": encoded(signature), **annotations}


def attach_signature(placed: Placed, key: Key, payload: bytes | None = None) -> str:
    """Signs as cosign 2 does."""
    payload = payload or simple_signing(placed.digest)
    return attach_tagged(placed, ".sig", [signature_layer(payload, key.sign(payload))])


def attest(placed: Placed, key: Key, predicate_type: str, predicate: Any) -> str:
    """Attaches a signed statement as cosign 3 does."""
    return attach_bundle(placed, bundle(statement(placed.digest, predicate_type, predicate), key), predicate_type=predicate_type)


# --- a Sigstore of our own -------------------------------------------------------------------------------------------

IDENTITY = "https://gitlab.example.com/acme/app//.gitlab-ci.yml@refs/heads/main"
ISSUER = "https://gitlab.example.com"


@dataclasses.dataclass(frozen=True)
class Minted:
    """What the test authority signed, and what it is verified with."""

    root: Path
    """The trusted root."""
    key: Path
    """The public key of its signer by key."""
    bundle: bytes
    layer: Layer | None
    """As cosign 2 keeps it; nothing where its format cannot say it."""


def _authority(*arguments: str | Path) -> str:
    binary = Path(os.environ["ECR_GATE_BIN"]).parent / "test-authority"
    assert binary.exists(), f"{binary} is not there; `make e2e` builds it beside the gate"
    done = subprocess.run([binary, *map(str, arguments)], capture_output=True, text=True, timeout=TOOL_TIMEOUT_S, check=False)
    assert done.returncode == 0, f"test-authority {' '.join(map(str, arguments))}\n{done.stderr}"
    return done.stdout


def mint(folder: Path, subject: str, *arguments: str | Path) -> Minted:
    """Signs with a certificate for IDENTITY by ISSUER, or as the arguments of `test-authority` say otherwise, into `folder`."""
    _authority("--out", folder, "--subject", subject, *arguments)
    described = json.loads((folder / "layer.json").read_text()) if (folder / "layer.json").exists() else None
    layer = (described["mediaType"], (folder / "layer").read_bytes(), described["annotations"]) if described else None
    return Minted(folder / "trusted_root.json", folder / "signer.pub", (folder / "bundle.json").read_bytes(), layer)


@functools.cache
def faults() -> dict[str, str]:
    """Every way in which the test authority can sign wrongly, and the code that it is refused with."""
    return dict(line.split() for line in _authority("--faults").splitlines())


# --- the real tools --------------------------------------------------------------------------------------------------


def peer(name: str, *arguments: str | Path, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs cosign2, cosign3, notation or oras; a test that does has the mark `peers`. It reaches loopback alone."""
    command = [os.environ[f"ECR_GATE_{name.upper()}"], *map(str, arguments)]
    clean = {"PATH": os.environ["PATH"], "HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config"), "HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}
    return subprocess.run(
        command, env={**clean, **environment}, cwd=folder, capture_output=True, text=True, timeout=TOOL_TIMEOUT_S, check=False, stdin=subprocess.DEVNULL
    )


def cosign(version: int, command: str, *arguments: str | Path, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """cosign on loopback without a transparency log. cosign 2 is asked for its own formats, cosign 3 for bundles."""
    if command.startswith("verify"):
        given = ["--insecure-ignore-tlog", *(["--new-bundle-format=false"] if version == 2 else [])]
    else:
        given = ["--tlog-upload=false", "--yes", *(["--use-signing-config=false"] if version == 3 else [])]
    return peer(f"cosign{version}", command, *given, "--allow-http-registry", *arguments, folder=folder, **environment)


# --- what the gate says ----------------------------------------------------------------------------------------------


def refusals(record: dict[str, Any]) -> set[str]:
    """The codes of every reason in what `verify` prints: of what was found, and of the rules."""
    found = {reason["code"] for one in record["found"] for reason in one["reasons"]}
    return found | {reason["code"] for rule in record["rules"] for reason in rule.get("reasons", [])}


Verify = Callable[..., Any]
