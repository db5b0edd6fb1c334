"""Images with real content, made by the standard library alone: layers of tar and gzip, configuration, manifest, index, in an OCI layout.

What is in a layer is what a distribution's own tools would have left there, as far as anything reads it.
"""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import json
import struct
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
CREATED = "2026-01-02T03:04:05Z"
MACHINE = {"amd64": 62, "arm64": 183, "386": 3}


@dataclasses.dataclass(frozen=True)
class Entry:
    """A file of a layer: its content, or where it links to."""

    content: bytes = b""
    mode: int = 0o644
    link: str | None = None


Files = Mapping[str, "str | bytes | Entry"]


def program(architecture: str = "amd64", interpreter: str | None = None) -> Entry:
    """An executable in ELF that is whole as far as a loader reads it; it is never run. With an interpreter it is linked dynamically."""
    path = (interpreter or "").encode() + b"\x00"
    segments = [(1, 5, 0, 4096)] + ([(3, 4, 64 + 2 * 56, len(path))] if interpreter else [])
    header = struct.pack(
        "<16sHHIQQQIHHHHHH",
        b"\x7fELF\x02\x01\x01" + bytes(9), 2, MACHINE[architecture], 1, 0x400000, 64, 0, 0, 64, 56, len(segments), 64, 0, 0,
    )
    table = b"".join(struct.pack("<IIQQQQQQ", kind, flags, at, 0x400000 + at, 0, size, size, 1) for kind, flags, at, size in segments)
    return Entry((header + table + (path if interpreter else b"")).ljust(4096, b"\x00"), 0o755)


def script(text: str) -> Entry:
    return Entry(text.encode(), 0o755)


# --- package databases -----------------------------------------------------------------------------------------------

DEBIAN = {"etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\nID=debian\n'}
ALPINE = {"etc/os-release": 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.20.3\nPRETTY_NAME="Alpine Linux v3.20"\n'}
REDHAT = {"etc/os-release": 'NAME="Red Hat Enterprise Linux"\nVERSION="9.4 (Plow)"\nID="rhel"\nID_LIKE="fedora"\nVERSION_ID="9.4"\n'}


def deb(name: str, version: str, status: str | None = "install ok installed", architecture: str = "amd64") -> str:
    """A paragraph of dpkg's database."""
    state = f"Status: {status}\n" if status else ""
    return (
        f"Package: {name}\n{state}Priority: optional\nSection: libs\nInstalled-Size: 42\nMaintainer: Nobody <nobody@example.org>\n"
        f"Architecture: {architecture}\nVersion: {version}\nDescription: made up\n a package for tests\n"
    )


def dpkg(packages: Mapping[str, str]) -> dict[str, str]:
    """The database of dpkg, and what tells Debian."""
    return {**DEBIAN, "var/lib/dpkg/status": "\n".join(deb(name, version) for name, version in packages.items())}


def apk(packages: Mapping[str, str]) -> dict[str, str]:
    """The database of apk, and what tells Alpine."""
    paragraphs = [
        f"C:Q1{'A' * 27}=\nP:{name}\nV:{version}\nA:x86_64\nS:1234\nI:4096\nT:made up\nU:https://example.org\nL:MIT\no:{name}\nt:1700000000\n"
        for name, version in packages.items()
    ]
    return {**ALPINE, "etc/alpine-release": "3.20.3\n", "lib/apk/db/installed": "\n".join(paragraphs) + "\n"}


def rpm(folder: Path, packages: Mapping[str, str]) -> dict[str, str | bytes]:
    """The database of rpm, written by rpm itself from packages that rpmbuild made (`[epoch:]version-release` each), and what tells Red Hat."""
    root = folder / "root"
    root.mkdir(parents=True)
    database = ["--root", str(root), "--dbpath", "/var/lib/rpm"]
    run = lambda *command: subprocess.run(command, check=True, capture_output=True, cwd=folder, timeout=60)  # noqa: E731
    run("rpm", *database, "--initdb")
    for name, text in packages.items():
        epoch, _, text = text.rpartition(":")
        version, release = text.split("-")
        spec = folder / f"{name}.spec"
        spec.write_text(
            f"Name: {name}\n{f'Epoch: {epoch}' if epoch else ''}\nVersion: {version}\nRelease: {release}\nSummary: made up\nLicense: MIT\n%description\nmade up\n%files\n"
        )
        run("rpmbuild", "-bb", "--quiet", "--target", "x86_64", "--define", f"_topdir {folder}/build", str(spec))
        made = folder / "build/RPMS/x86_64" / f"{name}-{text}.x86_64.rpm"
        run("rpm", *database, "--install", "--justdb", "--nodeps", "--noscripts", "--ignorearch", "--ignoreos", str(made))
    return {**REDHAT, "var/lib/rpm/rpmdb.sqlite": (root / "var/lib/rpm/rpmdb.sqlite").read_bytes()}


# --- images ----------------------------------------------------------------------------------------------------------

RUNNABLE: dict[str, Any] = {"Entrypoint": ["/usr/local/bin/app"], "User": "10001", "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"]}
SERVER = {"usr/local/bin/app": program()}


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def tar(files: Files) -> bytes:
    """A layer, uncompressed."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        folders = sorted({str(parent) for name in files for parent in Path(name).parents} - {"."})
        for name in folders:
            folder = tarfile.TarInfo(name + "/")
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(folder)
        for name, entry in files.items():
            if not isinstance(entry, Entry):
                entry = Entry(entry.encode() if isinstance(entry, str) else entry)
            info = tarfile.TarInfo(name)
            info.mode, info.size = entry.mode, len(entry.content)
            if entry.link is not None:
                info.type, info.linkname, info.size = tarfile.SYMTYPE, entry.link, 0
            archive.addfile(info, io.BytesIO(entry.content))
    return buffer.getvalue()


@dataclasses.dataclass(frozen=True)
class Image:
    """An image in an OCI layout on this machine."""

    folder: Path
    digest: str
    """The digest of its manifest or index."""
    image_id: str
    """The digest of its configuration; empty for an index."""
    tag: str = "1"

    @property
    def oci(self) -> str:
        """As the gate takes it, and skopeo."""
        return f"oci:{self.folder}:{self.tag}"

    def blob(self, digest: str) -> bytes:
        return (self.folder / "blobs/sha256" / digest.removeprefix("sha256:")).read_bytes()

    def manifest(self) -> dict[str, Any]:
        return json.loads(self.blob(self.digest))


class Layout:
    """An OCI layout that is being written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "blobs/sha256").mkdir(parents=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    def put(self, media_type: str, content: bytes) -> dict[str, Any]:
        digest = digest_of(content)
        (self.folder / "blobs/sha256" / digest.removeprefix("sha256:")).write_bytes(content)
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    def image(
        self, layers: list[Files], config: Mapping[str, Any] | None = None, architecture: str = "amd64",
        history: list[str] | None = None, annotations: Mapping[str, str] | None = None, created: str = CREATED,
    ) -> tuple[dict[str, Any], str]:
        """Writes one image; its descriptor and its image id."""
        archives = [tar(layer) for layer in layers]
        configuration = {
            "created": created,
            "architecture": architecture,
            "os": "linux",
            "config": dict(RUNNABLE if config is None else config),
            "rootfs": {"type": "layers", "diff_ids": [digest_of(archive) for archive in archives]},
            "history": [{"created": created, "created_by": step} for step in history or [f"COPY layer{n} /" for n in range(len(layers))]],
        }
        written = self.put(CONFIG, json.dumps(configuration).encode())
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": written,
            "layers": [self.put(LAYER, gzip.compress(archive, mtime=0)) for archive in archives],
            **({"annotations": dict(annotations)} if annotations else {}),
        }
        return self.put(MANIFEST, json.dumps(manifest).encode()), written["digest"]

    def name(self, descriptor: dict[str, Any], tag: str) -> None:
        named = {**descriptor, "annotations": {"org.opencontainers.image.ref.name": tag}}
        (self.folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [named]}))


def build(folder: Path, *layers: Files, **keywords: Any) -> Image:
    """One image with these layers; without any, a program and Debian's packages."""
    layout = Layout(folder)
    descriptor, image_id = layout.image(list(layers) or [dpkg({"libc6": "2.36-9+deb12u8", "openssl": "3.0.14-1"}), SERVER], **keywords)
    layout.name(descriptor, "1")
    return Image(folder, descriptor["digest"], image_id)


def _attestation(layout: Layout, subject: str) -> dict[str, Any]:
    statement = {"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://slsa.dev/provenance/v0.2", "predicate": {},
                 "subject": [{"name": "app", "digest": {"sha256": subject.removeprefix("sha256:")}}]}  # fmt: skip
    layer = layout.put("application/vnd.in-toto+json", json.dumps(statement).encode())
    unknown = {"architecture": "unknown", "os": "unknown", "config": {}, "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}
    config = layout.put(CONFIG, json.dumps(unknown).encode())
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
    described = layout.put(MANIFEST, json.dumps(manifest).encode())
    about = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": subject}
    return {**described, "platform": {"architecture": "unknown", "os": "unknown"}, "annotations": about}


def build_index(folder: Path, architectures: list[str], *, attestation: bool = False) -> tuple[Image, dict[str, Image]]:
    """An index with an image for each architecture; the index and its children. With an attestation as BuildKit adds one to each."""
    layout = Layout(folder)
    children, listed = {}, []
    for architecture in architectures:
        files = {"usr/local/bin/app": program(architecture)}
        descriptor, image_id = layout.image([dpkg({"libc6": "2.36-9"}), files], architecture=architecture)
        listed.append({**descriptor, "platform": {"os": "linux", "architecture": architecture}})
        children[architecture] = Image(folder, descriptor["digest"], image_id)
        if attestation:
            listed.append(_attestation(layout, descriptor["digest"]))
    descriptor = layout.put(INDEX, json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}).encode())
    layout.name(descriptor, "1")
    return Image(folder, descriptor["digest"], ""), children
