"""Bills of materials by the real syft, from images whose package databases the tests (and rpm itself) wrote: do they match what is in the layers?"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import images
import pytest
from images import DEBIAN, SERVER, Entry, Image, deb
from registries import skopeo
from reports import policy, write
from scans import codes

DPKG = {"libc6": "2.36-9+deb12u8", "openssl": "3.0.14-1~deb12u2", "libssl3": "1:3.0.14-1~deb12u2"}
APK = {"musl": "1.2.5-r0", "busybox": "1.36.1-r29", "libcrypto3": "3.3.2-r1"}
RPM = {"glibc": "2.34-100.el9", "openssl": "3.0.7-28.el9", "bash": "2:5.1.8-9.el9"}
FORMATS = ["cyclonedx-json", "spdx-json"]
RULE = {"sbom": {"from": ["file"], "mustMatch": "osPackages"}}


@pytest.fixture
def syft(tmp_path: Path) -> Callable[..., Path]:
    """syft's bill of materials of an image as a file."""

    def run(image: Image, form: str = "cyclonedx-json", name: str = "sbom.json") -> Path:
        env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "SYFT_CHECK_FOR_APP_UPDATE": "false"}
        done = subprocess.run(["syft", "scan", "-q", f"oci-dir:{image.folder}", "-o", form], capture_output=True, text=True, env=env, timeout=120, check=True)
        (tmp_path / name).write_text(done.stdout)
        return tmp_path / name

    return run


@pytest.fixture
def systems(build_image, tmp_path: Path) -> Callable[[str, dict[str, str]], Image]:
    """An image of a system with these packages."""

    def build(system: str, packages: dict[str, str]) -> Image:
        if system == "rpm":
            if not shutil.which("rpmbuild"):
                pytest.fail("rpmbuild is not on PATH; `tools/setup test` installs it", pytrace=False)
            return build_image(images.rpm(tmp_path / f"rpm{len(list(tmp_path.iterdir()))}", packages), SERVER)
        return build_image({"dpkg": images.dpkg, "apk": images.apk}[system](packages), SERVER)

    return build


@pytest.fixture
def judge(check, tmp_path: Path):
    """Judges an image by the bill of materials alone."""

    def run(image: Image, *files: Path, rule=None):
        given = [argument for file in files for argument in ("--sbom", file)]
        return check(image.oci, *given, "--policy", policy(tmp_path / "policy.yaml", rule or RULE), "-o", "json")

    return run


SYSTEMS = {"dpkg": DPKG, "apk": APK, "rpm": RPM}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_b15_syfts_bill_of_materials_matches_the_image_it_was_made_of(judge, systems, syft, system, form):
    image = systems(system, SYSTEMS[system])
    file = syft(image, form)
    assert all(name in file.read_text() for name in SYSTEMS[system]), "syft sees what the database holds"
    run = judge(image, file)
    assert run.rc == 0, run.stdout + run.stderr


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_b15_a_package_too_many_or_too_few_is_named(judge, systems, syft, tmp_path, system, form):
    packages = SYSTEMS[system]
    *kept, last = packages
    image = systems(system, packages)
    # The same bill, with one package fewer or more than the image has; its digests stay those of the image.
    document = json.loads(syft(image, form).read_text())
    key = "components" if form == "cyclonedx-json" else "packages"
    one = next(entry for entry in document[key] if entry["name"] == last)
    fewer = {**document, key: [entry for entry in document[key] if entry["name"] != last]}
    if key == "packages":
        fewer["relationships"] = [
            edge for edge in document["relationships"] if one["SPDXID"] not in (edge["spdxElementId"], edge["relatedSpdxElement"])
        ]
    run = judge(image, write(tmp_path / "fewer.json", fewer))
    assert (run.rc, codes(run.json())) == (1, ["sbom.mismatch"]) and last in run.stdout, run.stdout + run.stderr
    more = json.loads(json.dumps(one).replace(last, "left-behind"))
    more.update({"bom-ref": "another"} if key == "components" else {"SPDXID": "SPDXRef-another"})
    run = judge(image, write(tmp_path / "more.json", {**document, key: [*document[key], more]}))
    assert (run.rc, codes(run.json())) == (1, ["sbom.mismatch"]) and "left-behind" in run.stdout, run.stdout + run.stderr
    older = json.loads(json.dumps(document).replace(packages[last].rsplit(":")[-1], "0.0.1-r0"))
    run = judge(image, write(tmp_path / "older.json", older))
    assert (run.rc, codes(run.json())) == (1, ["sbom.mismatch"]) and last in run.stdout, run.stdout + run.stderr


def test_b15_a_bill_of_materials_of_another_image_is_refused(judge, systems, syft):
    image, other = systems("apk", APK), systems("apk", {**APK, "curl": "8.9.1-r2"})
    for must in ["digest", "osPackages"]:
        run = judge(image, syft(other), rule={"sbom": {"from": ["file"], "mustMatch": must}})
        assert (run.rc, codes(run.json())) == (1, ["sbom.mismatch"]), run.stdout + run.stderr
        assert judge(image, syft(image), rule={"sbom": {"from": ["file"], "mustMatch": must}}).rc == 0


def test_b15_a_package_deleted_by_a_later_layer_is_gone(judge, build_image, syft):
    image = build_image(images.dpkg(DPKG), SERVER, images.dpkg({name: DPKG[name] for name in ["libc6", "libssl3"]}))
    file = syft(image)
    assert '"name":"openssl"' not in file.read_text().replace(" ", "")
    assert judge(image, file).rc == 0
    whole = build_image(images.dpkg(DPKG), SERVER)
    assert judge(whole, file).rc == 1


def _moved(files: dict, old: str, new: str) -> dict:
    return {name.replace(old, new): content for name, content in files.items()}


PLACES = {
    "distroless": lambda _: {**DEBIAN, "var/lib/dpkg/status.d/libc6": deb("libc6", "2.36-9", None), "var/lib/dpkg/status.d/libc6.md5sums": "0  usr/lib/x\n"},
    "two architectures": lambda _: {**DEBIAN, "var/lib/dpkg/status": deb("libc6", "2.36") + "\n" + deb("libc6", "2.36", architecture="i386")},
    "half configured": lambda _: {**DEBIAN, "var/lib/dpkg/status": deb("libc6", "2.36") + "\n" + deb("half", "1", "install ok half-configured")},
    "apk under usr": lambda _: _moved(images.apk(APK), "lib/apk", "usr/lib/apk"),
    "apk over a link": lambda _: {**_moved(images.apk(APK), "lib/apk", "usr/lib/apk"), "lib": Entry(link="usr/lib")},
    "rpm of Fedora": lambda folder: _moved(images.rpm(folder, RPM), "var/lib/rpm", "usr/lib/sysimage/rpm"),
    "no packages": lambda _: {"etc/hostname": "scratch\n"},
}


@pytest.mark.parametrize("place", PLACES)
def test_b15_package_databases_are_found_where_distributions_put_them(judge, build_image, syft, tmp_path, place):
    image = build_image(PLACES[place](tmp_path / "rpm"), SERVER)
    run = judge(image, syft(image))
    assert run.rc == 0, run.stdout + run.stderr


@pytest.mark.parametrize("place", [place for place in PLACES if place != "no packages"])
def test_b15_packages_that_nobody_lists_are_found_there_too(judge, build_image, syft, tmp_path, place):
    image = build_image(PLACES[place](tmp_path / "rpm"), SERVER)
    document = json.loads(syft(image).read_text())
    document["components"] = [entry for entry in document["components"] if entry["type"] != "library"]
    run = judge(image, write(tmp_path / "empty.json", document))
    assert (run.rc, codes(run.json())) == (1, ["sbom.mismatch"]), run.stdout + run.stderr


def test_b15_a_removed_package_whose_configuration_stays_is_no_mismatch(judge, build_image, syft):
    """`apt-get remove` without `--purge`: dpkg's database keeps the package, and syft lists it."""
    image = build_image({**DEBIAN, "var/lib/dpkg/status": deb("libc6", "2.36") + "\n" + deb("gone", "1.0", "deinstall ok config-files")}, SERVER)
    run = judge(image, syft(image))
    assert run.rc == 0, run.stdout + run.stderr


def test_b15_layers_in_zstd_are_read(judge, build_image, syft, tmp_path):
    image = build_image()
    skopeo("copy", image.oci, f"docker-archive:{tmp_path}/app.tar:app:1")  # unpacked, so that skopeo packs anew
    skopeo("copy", "--dest-compress", "--dest-compress-format", "zstd", f"docker-archive:{tmp_path}/app.tar", f"oci:{tmp_path}/zstd:1")
    [listed] = json.loads((tmp_path / "zstd/index.json").read_text())["manifests"]
    packed = Image(tmp_path / "zstd", listed["digest"], image.image_id)
    assert all(layer["mediaType"].endswith("+zstd") for layer in packed.manifest()["layers"])
    run = judge(packed, syft(packed))
    assert run.rc == 0, run.stdout + run.stderr


def test_b15_no_bill_of_materials_is_a_broken_rule(judge, systems):
    image = systems("dpkg", DPKG)
    run = judge(image)
    assert (run.rc, codes(run.json())) == (1, ["sbom.missing"]), run.stdout + run.stderr


def test_s22_a_bill_of_materials_from_where_the_policy_does_not_look_is_none(judge, systems, syft):
    image = systems("dpkg", DPKG)
    for rule in [{"sbom": {"from": ["registry"]}}, {"sbom": {"mustMatch": "digest"}}]:
        run = judge(image, syft(image), rule=rule)
        assert (run.rc, codes(run.json())) == (1, ["sbom.missing"]), run.stdout + run.stderr


def test_b19_a_denied_package_or_licence_blocks(judge, systems, syft):
    image = systems("apk", APK)
    file = syft(image)
    for deny, rc in [("pkg:apk/alpine/busybox", 1), ("pkg:apk/alpine/busybox@1.36.1-r29", 1), ("pkg:apk/alpine/busybox@1.36.1-r30", 0)]:
        run = judge(image, file, rule={"sbom": {"from": ["file"], "denyPackages": [deny]}})
        assert run.rc == rc and (rc == 0 or codes(run.json()) == ["sbom.deniedPackage"]), run.stdout + run.stderr
    for licence, rc in [("MIT", 1), ("AGPL-3.0-only", 0)]:
        run = judge(image, file, rule={"sbom": {"from": ["file"], "denyLicenses": [licence]}})
        assert run.rc == rc and (rc == 0 or codes(run.json()) == ["sbom.deniedLicense"]), run.stdout + run.stderr


@pytest.mark.parametrize("form", FORMATS)
def test_b19_only_the_formats_of_the_policy_count(judge, systems, syft, form):
    image = systems("apk", APK)
    file = syft(image, form)
    ours = form.removesuffix("-json")
    other = "spdx" if ours == "cyclonedx" else "cyclonedx"
    assert judge(image, file, rule={"sbom": {"from": ["file"], "formats": [ours]}}).rc == 0
    run = judge(image, file, rule={"sbom": {"from": ["file"], "formats": [other]}})
    assert (run.rc, codes(run.json())) == (1, ["sbom.missing"]), run.stdout + run.stderr


@pytest.mark.parametrize("form", FORMATS)
def test_a5_a_bill_of_materials_that_was_cut_off_is_never_green(judge, systems, syft, form):
    image = systems("dpkg", DPKG)
    file = syft(image, form)
    text = file.read_text()
    for end in [0, 1, len(text) // 2, len(text.rstrip()) - 1]:
        file.write_text(text[:end])
        run = judge(image, file)
        assert (run.rc, run.json()["verdict"]) == (2, "deny"), run.stdout + run.stderr


def test_b15_an_old_package_database_of_rpm_is_not_taken_for_an_empty_one(judge, build_image, syft):
    berkeley = b"\x00" * 12 + b"\x61\x15\x06\x00" + b"\x00" * 4080
    image = build_image({**images.REDHAT, "var/lib/rpm/Packages": berkeley}, SERVER)
    run = judge(image, syft(image))
    assert run.rc == 2 and "image.contentUnsupported" in codes(run.json()), run.stdout + run.stderr
