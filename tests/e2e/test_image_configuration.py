"""Rules about an image's name, age, base, packages and configuration, and about what it would run, on images with real layers, on this machine and in a registry."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from images import RUNNABLE, SERVER, Entry, dpkg, program, script
from registries import skopeo
from reports import policy
from scans import codes

LOADER = "/lib64/ld-linux-x86-64.so.2"
SHELL = {"bin/busybox": program(), "bin/sh": Entry(link="busybox")}


@pytest.fixture
def judge_by(check, tmp_path: Path):
    """Judges an image by one rule."""
    return lambda where, rule, *arguments: check(
        where, "--policy", policy(tmp_path / "policy.yaml", rule), "-o", "json", *arguments
    )


@pytest.fixture
def judge(judge_by):
    """Judges an image by one rule about its configuration."""
    return lambda where, rule, *arguments: judge_by(where, {"config": rule}, *arguments)


def test_b16_an_image_that_runs_what_it_has_is_allowed(judge, build_image, registry, repo):
    image = build_image()
    rule = {"nonRoot": True, "entrypoint": "resolvable", "noSecrets": True, "architectures": ["amd64"], "maxLayers": 2, "maxSize": "1MiB"}
    run = judge(image.oci, rule)
    assert run.rc == 0, run.stdout + run.stderr
    run = judge(registry.push(image, f"{repo}:1"), rule, *registry.flags)
    assert run.rc == 0, run.stdout + run.stderr


def test_b16_an_archive_of_docker_is_read_like_a_layout(judge, build_image, tmp_path):
    good, bad = build_image(), build_image(SERVER, config={**RUNNABLE, "User": "root", "Entrypoint": ["/nothing"]})
    for name, image, rc in [("good", good, 0), ("bad", bad, 1)]:
        skopeo("copy", image.oci, f"docker-archive:{tmp_path}/{name}.tar:app:1")
        run = judge(f"docker-archive:{name}.tar", {"nonRoot": True, "entrypoint": "resolvable"})
        assert run.rc == rc, run.stdout + run.stderr


@pytest.mark.parametrize(
    ("user", "rc"), [("10001", 0), ("10001:0", 0), ("app", 0), ("", 1), ("0", 1), ("root", 1), ("0:1000", 1), ("root:app", 1), ("00", 1)]
)
def test_b16_the_user_must_not_be_root(judge, build_image, user, rc):
    run = judge(build_image(SERVER, config={**RUNNABLE, "User": user}).oci, {"nonRoot": True})
    assert run.rc == rc and (rc == 0 or codes(run.json()) == ["config.broken"]), run.stdout + run.stderr


SECRETS = {
    "by its name": {"Env": ["PATH=/bin", "DB_PASSWORD=hunter2-hunter2"]},
    "by its form": {"Env": ["A=ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"]},
    "in a URL": {"Env": ["UPSTREAM=https://ci:s3cretw0rd@example.org/"]},
    "in a label": {"Labels": {"token": "AKIAQYLPMN5HFIQR7XYA"}},
}


@pytest.mark.parametrize("kind", SECRETS)
def test_b16_a_secret_in_the_configuration_blocks_and_is_never_told(judge, build_image, kind):
    run = judge(build_image(SERVER, config={**RUNNABLE, **SECRETS[kind]}).oci, {"noSecrets": True})
    assert (run.rc, codes(run.json())) == (1, ["config.secret"]), run.stdout + run.stderr
    for value in ["hunter2", "a1B2c3D4", "s3cretw0rd", "QYLPMN5H"]:
        assert value not in run.stdout + run.stderr


def test_b16_a_secret_in_the_history_blocks(judge, build_image):
    history = ["RUN |1 NPM_TOKEN=npm_aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5 /bin/sh -c npm ci"]
    run = judge(build_image(SERVER, history=history).oci, {"noSecrets": True})
    assert (run.rc, codes(run.json())) == (1, ["config.secret"]), run.stdout + run.stderr
    assert "aB3dE5fG7" not in run.stdout + run.stderr


BROKEN = {
    "not there": ({"etc/passwd": ""}, ["/usr/local/bin/app"]),
    "not executable": ({"usr/local/bin/app": Entry(program().content, 0o644)}, ["/usr/local/bin/app"]),
    "of another architecture": ({"usr/local/bin/app": program("arm64")}, ["/usr/local/bin/app"]),
    "its loader is missing": ({"usr/local/bin/app": program(interpreter=LOADER)}, ["/usr/local/bin/app"]),
    "a script without its shell": ({"usr/local/bin/app": script("#!/bin/sh\nexec true\n")}, ["/usr/local/bin/app"]),
    "a script of Windows": ({**SHELL, "usr/local/bin/app": script("#!/bin/sh\r\nexec true\r\n")}, ["/usr/local/bin/app"]),
    "a link to nothing": ({"usr/local/bin/app": Entry(link="/opt/app")}, ["/usr/local/bin/app"]),
    "a folder": ({"usr/local/bin/app/file": ""}, ["/usr/local/bin/app"]),
    "not on the path": ({"opt/bin/app": program()}, ["app"]),
    "nothing to run": (SERVER, None),
}
WHOLE = {
    "a static program": (SERVER, ["/usr/local/bin/app"]),
    "found on the path": (SERVER, ["app", "--serve"]),
    "with its loader": ({"usr/local/bin/app": program(interpreter=LOADER), LOADER.lstrip("/"): program()}, ["/usr/local/bin/app"]),
    "a script and its shell": ({**SHELL, "usr/local/bin/app": script("#!/bin/sh\nexec true\n")}, ["/usr/local/bin/app"]),
    "over links": ({"opt/app-1/run": program(), "opt/app": Entry(link="app-1"), "usr/local/bin/app": Entry(link="../../../opt/app/run")}, ["app"]),
}


@pytest.mark.parametrize("scene", [*BROKEN, *WHOLE])
def test_b16_the_entrypoint_must_be_runnable(judge, build_image, scene):
    files, entrypoint = {**BROKEN, **WHOLE}[scene]
    config = {**RUNNABLE, "Entrypoint": entrypoint}
    run = judge(build_image(files, config=config).oci, {"entrypoint": "resolvable"})
    if scene in WHOLE:
        assert run.rc == 0, run.stdout + run.stderr
    else:
        assert (run.rc, codes(run.json())) == (1, ["config.entrypoint"]), run.stdout + run.stderr


def test_b16_a_later_layer_may_take_the_entrypoint_away(judge, build_image):
    rule = {"entrypoint": "resolvable"}
    assert judge(build_image(SERVER, {"usr/local/bin/.wh.app": ""}).oci, rule).rc == 1
    assert judge(build_image(SERVER, {"usr/local/.wh.bin": ""}).oci, rule).rc == 1
    assert judge(build_image(SERVER, {"usr/local/bin/.wh..wh..opq": ""}).oci, rule).rc == 1
    assert judge(build_image({"usr/local/bin/app": ""}, SERVER).oci, rule).rc == 0


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        ({"userIds": ["1000-65534"]}, {"User": "1000"}, {"User": "app"}),
        ({"ports": {"allow": ["8000-8999/tcp"]}}, {"ExposedPorts": {"8080/tcp": {}}}, {"ExposedPorts": {"22/tcp": {}}}),
        ({"ports": {"deny": ["22"]}}, {"ExposedPorts": {"8080/tcp": {}}}, {"ExposedPorts": {"22/tcp": {}}}),
        ({"labels": {"required": ["org.opencontainers.image.revision"]}}, {"Labels": {"org.opencontainers.image.revision": "abc"}}, {}),
        ({"labels": {"match": {"team": "pay*"}}}, {"Labels": {"team": "payments"}}, {"Labels": {"team": "web"}}),
    ],
)
def test_b16_user_ports_and_labels(judge, build_image, rule, good, bad):
    assert judge(build_image(SERVER, config={**RUNNABLE, **good}).oci, rule).rc == 0
    run = judge(build_image(SERVER, config={**RUNNABLE, **bad}).oci, rule)
    assert (run.rc, codes(run.json())) == (1, ["config.broken"]), run.stdout + run.stderr


def test_b16_architecture_size_and_number_of_layers(judge, build_image):
    image = build_image(SERVER, {"more": "x" * 100})
    for rule, rc in [
        ({"architectures": ["arm64", "arm/v7"]}, 1), ({"architectures": ["amd64"]}, 0),
        ({"maxLayers": 1}, 1), ({"maxLayers": 2}, 0), ({"maxSize": "100B"}, 1),
    ]:  # fmt: skip
        assert judge(image.oci, rule).rc == rc, rule


def test_b16_the_age_of_an_image(judge_by, build_image):
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    for created, rule, expected in [
        (now, {"max": "90d"}, []),
        (now, {"min": "1d"}, ["age.tooYoung"]),
        (now, {"max": "90d", "of": "pushed"}, ["age.notSaid"]),
        ("2020-01-01T00:00:00Z", {"max": "90d"}, ["age.exceeded"]),
        ("1970-01-01T00:00:00Z", {"max": "90d"}, ["age.unproven"]),
    ]:
        run = judge_by(build_image(SERVER, created=created).oci, {"age": rule})
        rc = {"": 0, "age.notSaid": 3}.get("".join(expected), 1)
        assert (run.rc, codes(run.json())) == (rc, expected), run.stdout + run.stderr


def test_b16_the_base_image_must_begin_the_image(judge_by, build_image, registry, repo):
    base = build_image({"etc/base": "1"}, created="2026-01-01T00:00:00Z")
    name = registry.push(base, f"{repo}/base:12")
    ours, other = build_image({"etc/base": "1"}, SERVER), build_image({"etc/base": "2"}, SERVER)
    rule = {"baseImage": {"approved": [name]}}
    for tag, image, rc in [("ours", ours, 0), ("other", other, 1)]:
        run = judge_by(registry.push(image, f"{repo}:{tag}"), rule, *registry.flags)
        assert run.rc == rc and (rc == 0 or codes(run.json()) == ["baseImage.broken"]), run.stdout + run.stderr


def test_b13_packages_are_those_of_the_databases_in_the_layers(judge_by, build_image, registry, repo):
    debian = dpkg({"libc6": "2.36-9", "telnet": "0.17-44"})
    image = build_image(debian, SERVER)
    for rule, rc, expected in [
        ({"deny": ["pkg:deb/netcat"]}, 0, []),
        ({"deny": ["pkg:deb/telnet@0.17-44"]}, 1, ["packages.denied"]),
        ({"allow": ["pkg:deb/libc6"], "max": 1}, 1, ["packages.notAllowed", "packages.tooMany"]),
        ({"required": ["pkg:deb/libc6", "pkg:deb/telnet"]}, 0, []),
        ({"required": ["pkg:apk/musl"]}, 1, ["packages.missing"]),
    ]:
        run = judge_by(image.oci, {"packages": rule})
        assert (run.rc, codes(run.json())) == (rc, expected), run.stdout + run.stderr
    run = judge_by(registry.push(image, f"{repo}:1"), {"packages": {"deny": ["pkg:deb/telnet"]}}, *registry.flags)
    assert (run.rc, codes(run.json())) == (1, ["packages.denied"]), run.stdout + run.stderr
    # A later layer takes the package out of the database.
    run = judge_by(build_image(debian, SERVER, dpkg({"libc6": "2.36-9"})).oci, {"packages": {"deny": ["pkg:deb/telnet"]}})
    assert run.rc == 0, run.stdout + run.stderr


def test_s4_no_package_database_is_no_empty_one(judge_by, build_image):
    rule = {"deny": ["pkg:deb/telnet"]}
    without = {**rule, "withoutDatabase": "pass"}
    stripped = build_image(dpkg({"telnet": "1"}), SERVER, {"var/lib/dpkg/.wh.status": ""})
    for image, keys, rc in [(build_image(SERVER), rule, 2), (build_image(SERVER), without, 0), (stripped, rule, 2), (stripped, without, 2)]:
        run = judge_by(image.oci, {"packages": keys})
        assert (run.rc, codes(run.json())) == (rc, ["packages.noDatabase"] if rc else []), run.stdout + run.stderr


def test_b13_where_an_image_comes_from_and_how_it_is_named(judge_by, build_image, registry, repo):
    image = build_image()
    reference = registry.push(image, f"{repo}:1")
    name = reference.rsplit(":", 1)[0].split("@")[0]
    host = name.split("/")[0]
    pinned = f"{name}@{image.digest}"
    for where, rule, rc, expected in [
        (reference, {"allow": [f"{host}/**"], "tags": {"deny": ["latest"]}}, 0, []),
        (reference, {"allow": ["docker.io/**"]}, 1, ["reference.registry"]),
        (reference, {"deny": [f"{host}/**"]}, 1, ["reference.registry"]),
        (reference, {"tags": {"allow": ["v*"]}}, 1, ["reference.tag"]),
        (reference, {"digestOnly": True}, 1, ["reference.digest"]),
        (pinned, {"digestOnly": True}, 0, []),
        (image.oci, {"allow": ["docker.io/**"]}, 3, ["reference.unknown"]),
    ]:
        flags = registry.flags if where != image.oci else []
        run = judge_by(where, {"registries": rule}, *flags)
        assert (run.rc, codes(run.json())) == (rc, expected), run.stdout + run.stderr


def test_a5_a_layer_that_is_missing_or_cut_off_is_never_green(judge, build_image):
    rule = {"entrypoint": "resolvable"}
    for damage in [lambda blob: blob.unlink(), lambda blob: blob.write_bytes(blob.read_bytes()[:-9]), lambda blob: blob.write_bytes(b"")]:
        image = build_image()
        blob = image.folder / "blobs/sha256" / image.manifest()["layers"][1]["digest"][7:]
        damage(blob)
        run = judge(image.oci, rule)
        assert run.rc in (2, 3) and run.json()["verdict"] == "deny", run.stdout + run.stderr


def test_a5_a_layer_that_a_registry_lost_is_never_green(judge, build_image, registry, repo):
    image = build_image({"only in": "this image", "usr/local/bin/app": program()})
    reference = registry.push(image, f"{repo}:1")
    layer = image.manifest()["layers"][0]["digest"]
    for file in (registry.log.parent / "data").rglob(f"sha256/{layer[7:9]}/{layer[7:]}/data"):
        file.unlink()
    run = judge(reference, {"entrypoint": "resolvable"}, *registry.flags)
    assert run.rc in (2, 3, 5) and run.json()["verdict"] == "deny", run.stdout + run.stderr
