"""The container image that `tools/image` makes without Docker: a registry takes it and gives it back, and the gate runs in it as the chart runs it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from registries import TIMEOUT_S, skopeo

TOP = Path(__file__).parents[2]
USER = "65532:65532"
CHART = (TOP / "deploy/helm/ecr-gate/templates/deployment.yaml").read_text()


def make(folder: Path, binary: Path) -> str:
    """The image of a binary; its digest."""
    command = [TOP / "tools/image", folder, binary]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env={**os.environ, "SOURCE_DATE_EPOCH": "1767323045"})
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def blob(layout: Path, digest: str) -> bytes:
    return (layout / "blobs/sha256" / digest.removeprefix("sha256:")).read_bytes()


def config(layout: Path, digest: str) -> dict[str, Any]:
    return json.loads(blob(layout, json.loads(blob(layout, digest))["config"]["digest"]))


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The binary that is tested without its symbols, as a release is: a third of the bytes."""
    stripped = tmp_path_factory.mktemp("binary") / "ecr-gate"
    subprocess.run(["strip", "-o", stripped, os.environ["ECR_GATE_BIN"]], check=True, timeout=TIMEOUT_S)
    return stripped


@pytest.fixture(scope="module")
def image(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("container-image") / "image"
    return folder, make(folder, binary)


@pytest.fixture(scope="module")
def root(image: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its root filesystem, with owners and modes."""
    if os.geteuid() != 0:
        pytest.skip("files of other users are unpacked by root alone")
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("nothing may be mounted here")
    folder = tmp_path_factory.mktemp("root")
    folder.chmod(0o755)
    layout, digest = image
    for layer in json.loads(blob(layout, digest))["layers"]:
        with tarfile.open(layout / "blobs/sha256" / layer["digest"].removeprefix("sha256:")) as tar:
            tar.extractall(folder, filter="fully_trusted")
    return folder


def inside(root: Path, script: str, *arguments: str) -> list[str | Path]:
    """Runs what `script` says with a root that is read-only; `$@` are the arguments."""
    mounts = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && mount -t tmpfs -o mode=1777 tmp "$0/tmp"'
    mounts += f' && mount -t tmpfs -o uid={USER.split(":")[0]},mode=0700 data "$0/var/lib/ecr-gate"'
    return ["unshare", "--mount", "sh", "-c", f"{mounts} && {{ {script}; }}", root, *arguments]


def environment(layout: Path, digest: str) -> dict[str, str]:
    return dict(one.split("=", 1) for one in config(layout, digest)["config"]["Env"])


def run(image: tuple[Path, str], root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """As a container of the image runs it: its user, its variables, a read-only root."""
    whole = inside(root, f'exec chroot --userspec={USER} "$0" "$@"', *command)
    return subprocess.run(whole, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env=environment(*image))


def test_the_same_binary_gives_the_same_bytes(image, binary, tmp_path):
    assert make(tmp_path / "again", binary) == image[1]
    assert {path.name for path in (tmp_path / "again/blobs/sha256").iterdir()} == {path.name for path in (image[0] / "blobs/sha256").iterdir()}


def test_a_folder_that_is_no_image_is_not_replaced(tmp_path):
    (tmp_path / "mine").write_text("precious")
    done = subprocess.run([TOP / "tools/image", tmp_path, os.environ["ECR_GATE_BIN"]], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "is no image" in done.stderr
    assert (tmp_path / "mine").read_text() == "precious"


def test_a_registry_takes_it_by_either_client_and_gives_it_back(image, registry, tmp_path):
    layout, digest = image
    for client in ("crane", "skopeo"):
        name = f"{registry.host}/image-{client}:1"
        if client == "crane":
            subprocess.run(["crane", "push", "--insecure", layout, name], check=True, capture_output=True, timeout=TIMEOUT_S)
        else:
            skopeo("copy", "--preserve-digests", "--dest-tls-verify=false", f"oci:{layout}", f"docker://{name}")
        assert registry.digest(name) == digest
        subprocess.run(["crane", "validate", "--insecure", "--remote", name], check=True, capture_output=True, timeout=TIMEOUT_S)
    skopeo("copy", "--preserve-digests", "--src-tls-verify=false", f"docker://{registry.host}/image-crane@{digest}", f"oci:{tmp_path / 'back'}")
    assert blob(tmp_path / "back", digest) == blob(layout, digest)


def test_the_gate_itself_reads_it_as_an_image_that_is_not_roots(image, registry, gate, tmp_path):
    layout, digest = image
    name = f"{registry.host}/image-judged:1"
    skopeo("copy", "--preserve-digests", "--dest-tls-verify=false", f"oci:{layout}", f"docker://{name}")
    rules = {"rules": [{"id": "how-it-runs", "config": {"nonRoot": True, "entrypoint": "resolvable"}}]}
    (tmp_path / "policy.yaml").write_text(json.dumps({"apiVersion": "ecr-gate.dev/v1", "kind": "GatePolicy", "metadata": {"name": "image"}, "spec": rules}))
    checked = gate("check", name, "--policy", tmp_path / "policy.yaml", "--insecure-registry", registry.host, "-o", "json")
    assert checked.rc == 0, checked.stdout + checked.stderr
    assert checked.json()["image"]["digest"] == digest


def test_it_is_as_the_chart_and_the_dockerfile_have_it(image):
    settings = config(*image)["config"]
    assert settings["User"] == USER
    assert f"runAsUser: {USER.split(':')[0]}" in CHART and f"fsGroup: {USER.split(':')[1]}" in CHART
    dockerfile = (TOP / "Dockerfile").read_text()
    said = lambda word: re.findall(rf"^{word} (.*)$", dockerfile, re.MULTILINE)[-1]  # noqa: E731
    assert (said("USER"), json.loads(said("ENTRYPOINT")), json.loads(said("CMD"))) == (USER, settings["Entrypoint"], settings["Cmd"])
    # What `cargo build --locked` needs is there for it.
    ignored = (TOP / ".dockerignore").read_text().splitlines()
    assert {"!Cargo.toml", "!Cargo.lock", "!crates"} <= set(ignored)
    wanted = re.search(r'^rust-version = "(.*)"', (TOP / "Cargo.toml").read_text(), re.MULTILINE)[1]
    assert f"FROM rust:{wanted}-" in dockerfile


def test_nothing_in_it_can_be_changed_by_its_user_but_its_own_folders(root):
    # A tmpfs or a volume is over each of these.
    own = {root / "tmp", root / "var/lib/ecr-gate"}
    for path in root.rglob("*"):
        status = path.lstat()
        if path not in own:
            assert (status.st_uid, status.st_mode & 0o022, status.st_mode & 0o6000) == (0, 0, 0), path
    assert not (root / "bin/sh").exists() and not (root / "usr/bin").exists()


def test_the_program_runs_by_its_name_as_nobody_special(image, root):
    version = run(image, root, "ecr-gate", "--version")
    assert version.returncode == 0 and version.stdout.startswith("ecr-gate "), version.stderr
    assert "--config" in run(image, root, "ecr-gate", "serve", "--help").stdout
    settings = config(*image)["config"]
    assert "Usage" in run(image, root, *settings["Entrypoint"], *settings["Cmd"]).stdout


def test_the_service_starts_in_it_with_the_charts_command(image, root):
    [command] = re.findall(r"^ +command: \[(.*)\]$", CHART, re.MULTILINE)
    program, serve, *_ = [part.strip() for part in command.split(",")]
    served = {"listen": "127.0.0.1:0", "dataDir": "/var/lib/ecr-gate/data", "registries": {"allowed": ["registry.example"]}}
    served["auth"] = {"tokens": [{"name": "admin", "role": "admin", "sha256": "0" * 64}]}
    (root / "etc/serve.yaml").write_text(yaml.safe_dump(served))
    ready = "/tmp/ready"
    script = f'( for n in $(seq 300); do [ -s "$0{ready}" ] && cat "$0{ready}" && break; sleep 0.1; done ) & exec chroot --userspec={USER} "$0" "$@"'
    whole = inside(root, script, program, serve, "--config", "/etc/serve.yaml", "--ready-file", ready)
    with subprocess.Popen(whole, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(*image)) as process:
        try:
            url = process.stdout.readline().strip()
            assert url.startswith("http://127.0.0.1:"), process.stderr.read() if process.poll() is not None else url
            # Read-only is what the chart makes of the root; in its own folders it writes.
            assert subprocess.run(["nsenter", f"--mount=/proc/{process.pid}/ns/mnt", "touch", root / "etc/x"], capture_output=True, check=False).returncode != 0
            status = Path(f"/proc/{process.pid}/status").read_text()
            assert re.search(r"^Uid:\s+65532\s+65532", status, re.MULTILINE), status
            assert subprocess.run(["curl", "--silent", "--fail", "--noproxy", "*", f"{url}/readyz"], check=False, timeout=TIMEOUT_S).returncode == 0
        finally:
            process.terminate()
            process.wait(timeout=TIMEOUT_S)
