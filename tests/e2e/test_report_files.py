"""Reports of any scanner about an image on this machine: how somebody begins who has an archive, a scanner, and no cloud."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import reports
from conftest import digest_of
from images import build_index
from registries import skopeo
from reports import CRITICAL, HIGH, LOW, MEDIUM, write
from scans import blocking, codes, dotenv


@pytest.fixture
def image(build_image):
    return build_image()


@pytest.fixture
def archive(image, tmp_path: Path) -> str:
    """The image as `docker save` would have written it."""
    skopeo("copy", image.oci, f"docker-archive:{tmp_path}/app.tar:app:1")
    return "docker-archive:app.tar"


# --- the first five minutes ------------------------------------------------------------------------------------------


def test_b14_an_archive_with_a_trivy_report_is_judged_without_any_cloud(check, image, archive, tmp_path):
    write(tmp_path / "trivy.json", reports.trivy(image, LOW, MEDIUM, repo=""))
    run = check(archive, "--report", "trivy.json")
    assert run.rc == 0, run.stdout + run.stderr
    assert run.stdout.startswith("ALLOW") and "1 MEDIUM, 1 LOW" in run.stdout
    write(tmp_path / "trivy.json", reports.trivy(image, LOW, HIGH, CRITICAL, repo=""))
    run = check(archive, "--report", "trivy.json", "-o", "json")
    assert (run.rc, set(codes(run.json()))) == (1, {"vuln.maxExceeded"}), run.stdout + run.stderr
    assert sorted(blocking(run.json())) == [CRITICAL.id, HIGH.id]


def test_b14_an_archive_without_a_report_has_no_scan(check, archive):
    run = check(archive, "-o", "json")
    assert run.rc in (3, 4) and run.json()["verdict"] != "allow", run.stdout + run.stderr
    assert codes(run.json()) == ["scan.missing"], run.stdout


def test_s1_an_archive_of_docker_save_has_no_digest_and_says_so(check, image, archive, tmp_path):
    write(tmp_path / "trivy.json", reports.trivy(image, LOW, repo=""))
    run = check(archive, "--report", "trivy.json", "-o", "json", "--dotenv", "scan.env")
    assert run.rc == 0, run.stdout + run.stderr
    record = run.json()
    assert record["image"]["digest"] is None and record["image"]["imageId"] == image.image_id, record["image"]
    assert image.digest not in run.stdout
    assert not dotenv(tmp_path / "scan.env").get("ECR_GATE_DIGEST")


@pytest.mark.parametrize("kind", ["oci", "oci-archive", "docker-archive"])
def test_b14_every_kind_of_local_image_is_known_by_its_own_digest(check, image, tmp_path, kind):
    where = f"{kind}:{image.folder}:1" if kind == "oci" else f"{kind}:{tmp_path}/app.tar" + (":app:1" if kind == "docker-archive" else "")
    if kind != "oci":
        skopeo("copy", image.oci, where)
    write(tmp_path / "grype.json", reports.grype(image, LOW))
    run = check(where, "--report", "grype.json", "-o", "json")
    assert run.rc == 0, run.stdout + run.stderr
    write(tmp_path / "grype.json", reports.grype(image, HIGH))
    assert check(where, "--report", "grype.json").rc == 1


# --- which image a report is about -----------------------------------------------------------------------------------


@pytest.mark.parametrize("scanner", [reports.trivy, reports.grype, reports.harbor])
def test_s1_a_report_about_another_image_is_never_green(check, build_image, tmp_path, scanner):
    ours, other = build_image(), build_image({"etc/os-release": "ID=debian\n", "other": "file"})
    write(tmp_path / "report.json", scanner(other))
    run = check(ours.oci, "--report", "report.json", "-o", "json")
    assert (run.rc, codes(run.json())) == (2, ["scan.otherImage"]), run.stdout + run.stderr
    write(tmp_path / "report.json", scanner(ours))
    assert check(ours.oci, "--report", "report.json").rc == 0, "the same report about this image is"


@pytest.mark.parametrize("scanner", [reports.trivy, reports.grype, reports.harbor])
def test_s1_a_report_that_names_no_digest_satisfies_nothing_and_its_findings_block(check, image, tmp_path, scanner):
    def anonymous(*found):
        text = json.dumps(scanner(image, *found))
        document = json.loads(text)
        for key in ["Metadata"]:
            for name in ["ImageID", "RepoDigests"]:
                document.get(key, {}).pop(name, None)
        for name in ["imageID", "manifestDigest"]:
            document.get("source", {}).get("target", {}).pop(name, None)
        document.get("artifact", {}).pop("digest", None)
        assert image.digest not in json.dumps(document) and image.image_id not in json.dumps(document)
        return document

    write(tmp_path / "report.json", anonymous())
    run = check(image.oci, "--report", "report.json", "-o", "json")
    assert run.rc in (2, 4) and run.json()["verdict"] == "deny", run.stdout + run.stderr
    write(tmp_path / "report.json", anonymous(HIGH))
    assert check(image.oci, "--report", "report.json").rc == 1


def test_a18_an_index_needs_a_report_for_each_platform(check, tmp_path):
    index, children = build_index(tmp_path / "index", ["amd64", "arm64"])
    first = write(tmp_path / "amd64.json", reports.grype(children["amd64"]))
    second = write(tmp_path / "arm64.json", reports.grype(children["arm64"]))
    run = check(index.oci, "--report", first, "-o", "json")
    assert run.rc not in (0, 1) and "linux/arm64" in run.stdout, run.stdout + run.stderr
    assert check(index.oci, "--report", first, "--report", second).rc == 0
    write(second, reports.grype(children["arm64"], CRITICAL))
    run = check(index.oci, "--report", first, "--report", second, "-o", "json")
    assert (run.rc, run.json()["image"]["digest"]) == (1, index.digest)
    assert blocking(run.json()) == [CRITICAL.id]


def test_s1_attestations_of_buildkit_are_no_platform(check, tmp_path):
    index, children = build_index(tmp_path / "index", ["amd64", "arm64"], attestation=True)
    files = [write(tmp_path / f"{name}.json", reports.grype(child, LOW)) for name, child in children.items()]
    run = check(index.oci, "--report", files[0], "--report", files[1], "-o", "json")
    assert run.rc == 0 and "unknown/unknown" not in run.stdout, run.stdout + run.stderr
    assert check(index.oci, "--report", files[1]).rc not in (0, 1)


def test_a18_reports_of_trivy_may_name_the_index_that_was_pulled(check, tmp_path):
    """`trivy image --platform …` names the digest of the index, and the image id of the platform."""
    index, children = build_index(tmp_path / "index", ["amd64", "arm64"])
    given = []
    for name, child in children.items():
        report = reports.trivy(child, LOW)
        report["Metadata"]["RepoDigests"] = [f"registry.example/app@{index.digest}"]
        given += ["--report", write(tmp_path / f"{name}.json", report)]
    assert check(index.oci, *given).rc == 0
    run = check(index.oci, *given[:2])
    assert run.rc not in (0, 1) and "linux/arm64" in run.stdout, run.stdout + run.stderr


def test_a18_a_report_about_the_index_alone_says_nothing_about_its_platforms(check, tmp_path):
    index, _ = build_index(tmp_path / "index", ["amd64", "arm64"])
    write(tmp_path / "harbor.json", reports.harbor(index))
    run = check(index.oci, "--report", "harbor.json", "-o", "json")
    assert run.rc == 2 and run.json()["verdict"] == "deny", run.stdout + run.stderr
    for reason in run.json()["reasons"]:
        assert reason["message"].count(index.digest) < 2, "not: about X, not X"


def test_s18_a_newer_report_of_a_scanner_replaces_its_older_one_in_any_order(check, image, tmp_path):
    clean_then_found = [reports.trivy(image, ago_s=7200), reports.trivy(image, HIGH)]
    found_then_clean = [reports.trivy(image, HIGH, ago_s=7200), reports.trivy(image)]
    for pair, rc in [(clean_then_found, 1), (found_then_clean, 0)]:
        files = [write(tmp_path / f"{number}.json", report) for number, report in enumerate(pair)]
        for first, second in [files, files[::-1]]:
            assert check(image.oci, "--report", first, "--report", second).rc == rc


def test_s1_a_policy_may_name_the_platform_that_is_deployed(check, tmp_path):
    index, children = build_index(tmp_path / "index", ["amd64", "arm64"])
    write(tmp_path / "amd64.json", reports.grype(children["amd64"]))
    policy = reports.policy(tmp_path / "policy.yaml", reports.vulnerabilities(), match={"platforms": ["linux/amd64"]})
    assert check(index.oci, "--report", "amd64.json", "--policy", policy).rc == 0
    policy = reports.policy(tmp_path / "policy.yaml", reports.vulnerabilities(), match={"platforms": ["linux/s390x"]})
    run = check(index.oci, "--report", "amd64.json", "--policy", policy)
    assert run.rc not in (0, 1), run.stdout + run.stderr


@pytest.mark.parametrize("scanner", [reports.trivy, reports.grype, reports.harbor])
def test_s17_a_report_without_counts_of_its_own_contradicts_nothing(check, image, tmp_path, scanner):
    write(tmp_path / "report.json", scanner(image, HIGH, LOW))
    rule = reports.vulnerabilities(max={"critical": 0, "high": 5, "low": 5})
    run = check(image.oci, "--report", "report.json", "--policy", reports.policy(tmp_path / "policy.yaml", rule), "-o", "json")
    assert run.rc == 0, run.stdout + run.stderr
    assert "counts 0" not in run.stdout, "nobody counted"


# --- what cannot be read or believed ---------------------------------------------------------------------------------

FORMATS = {
    "trivy": reports.trivy,
    "grype": reports.grype,
    "harbor": reports.harbor,
    "snyk": reports.snyk,
    "sarif": reports.sarif,
    "cyclonedx": reports.cyclonedx,
    "osv": reports.osv,
}
PROOFLESS = ["snyk", "sarif", "cyclonedx", "osv"]


@pytest.mark.parametrize("name", FORMATS)
def test_a5_a_report_that_was_cut_off_is_never_green(check, image, tmp_path, name):
    text = json.dumps(FORMATS[name](image, LOW))
    (tmp_path / "report.json").write_text(text[: len(text) * 2 // 3])
    run = check(image.oci, "--report", "report.json", "-o", "json")
    assert (run.rc, run.json()["verdict"]) == (2, "deny"), run.stdout + run.stderr


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"ok":true}', "<xml/>", "\x7fELF", '{"matches":[]}', '{"Results":[]}'])
def test_a5_a_file_in_no_known_format_is_never_green(check, image, tmp_path, text):
    (tmp_path / "report.json").write_text(text)
    run = check(image.oci, "--report", "report.json", "-o", "json")
    assert run.rc in (2, 3, 4) and run.json()["verdict"] == "deny", run.stdout + run.stderr


def test_a5_a_report_of_another_format_than_was_said_is_refused(check, image, tmp_path):
    write(tmp_path / "grype.json", reports.grype(image))
    assert check(image.oci, "--report", "grype=grype.json").rc == 0
    run = check(image.oci, "--report", "trivy=grype.json", "-o", "json")
    assert (run.rc, codes(run.json())) == (2, ["report.unknownFormat"]), run.stdout + run.stderr


def test_a5_texts_that_others_read_differently_are_refused(check, image, tmp_path):
    found, clean = json.dumps(reports.trivy(image, HIGH)), json.dumps(reports.trivy(image))
    for content, rc in [
        ((found[:-1] + ',"Results":[]}').encode(), 2),
        ((found[:-1] + ',"results":[]}').encode(), 2),
        ((clean + found).encode(), 2),
        (clean.encode("utf-16"), 2),
        (b"\xef\xbb\xbf" + clean.encode(), 0),
    ]:
        (tmp_path / "trivy.json").write_bytes(content)
        run = check(image.oci, "--report", "trivy.json", "-o", "json")
        assert run.rc == rc, run.stdout + run.stderr


def test_a5_a_report_file_that_is_not_there_is_an_error(check, image):
    run = check(image.oci, "--report", "nothing.json")
    assert run.rc in (3, 64) and "nothing.json" in run.stderr


@pytest.mark.parametrize("name", PROOFLESS)
def test_s19_a_format_without_proof_adds_findings_and_never_satisfies(check, image, tmp_path, name):
    proofless = write(tmp_path / "proofless.json", FORMATS[name](image, LOW))
    run = check(image.oci, "--report", proofless, "-o", "json")
    assert run.rc in (2, 4) and run.json()["verdict"] == "deny", run.stdout + run.stderr
    write(proofless, FORMATS[name](image, HIGH))
    assert check(image.oci, "--report", proofless).rc == 1, "its findings count"
    complete = write(tmp_path / "trivy.json", reports.trivy(image, LOW))
    run = check(image.oci, "--report", complete, "--report", proofless, "-o", "json")
    assert (run.rc, codes(run.json())) == (1, ["vuln.maxExceeded"]), "beside a complete scan, too"
    write(proofless, FORMATS[name](image, LOW))
    assert check(image.oci, "--report", complete, "--report", proofless).rc == 0, "and a complete scan satisfies"


def test_s19_sarif_is_a_scan_only_if_it_says_that_it_ended_well(check, image, tmp_path):
    for successful, rc in [(True, 0), (False, 4), (None, 4)]:
        write(tmp_path / "log.sarif", reports.sarif(image, LOW, successful=successful))
        run = check(image.oci, "--report", "log.sarif")
        assert run.rc == rc, run.stdout + run.stderr


@pytest.mark.parametrize("scanner", [reports.trivy, reports.grype, reports.harbor])
def test_s18_an_old_report_is_stale(check, image, tmp_path, scanner):
    write(tmp_path / "report.json", scanner(image, ago_s=9 * 86400))
    run = check(image.oci, "--report", "report.json", "-o", "json")
    assert (run.rc, codes(run.json())) == (4, ["scan.stale"]), run.stdout + run.stderr
    policy = reports.policy(tmp_path / "policy.yaml", reports.vulnerabilities(maxScanAge="30d"))
    assert check(image.oci, "--report", "report.json", "--policy", policy).rc == 0


def test_s9_a_report_from_the_future_is_never_green(check, image, tmp_path):
    write(tmp_path / "report.json", reports.trivy(image, ago_s=-86400))
    run = check(image.oci, "--report", "report.json")
    assert run.rc == 2, run.stdout + run.stderr


def test_s22_a_policy_that_does_not_list_files_believes_none(check, image, tmp_path):
    write(tmp_path / "trivy.json", reports.trivy(image))
    policy = reports.policy(tmp_path / "policy.yaml", reports.vulnerabilities(["registry"]))
    run = check(image.oci, "--report", "trivy.json", "--policy", policy, "-o", "json")
    assert run.rc in (2, 3, 4) and "scan.notAccepted" in codes(run.json()), run.stdout + run.stderr
    policy = reports.policy(tmp_path / "policy.yaml", reports.vulnerabilities(["file", "grype"]))
    run = check(image.oci, "--report", "trivy.json", "--policy", policy, "-o", "json")
    assert run.rc in (2, 3, 4) and "scan.notAccepted" in codes(run.json()), run.stdout + run.stderr


def test_a5_two_reports_of_which_one_is_broken_are_not_green(check, image, tmp_path):
    good = write(tmp_path / "trivy.json", reports.trivy(image))
    (tmp_path / "broken.json").write_text("{")
    run = check(image.oci, "--report", good, "--report", "broken.json", "-o", "json")
    assert (run.rc, run.json()["verdict"]) == (2, "deny"), run.stdout + run.stderr


@pytest.mark.parametrize("where", ["oci:nowhere", "oci-archive:nowhere.tar", "docker-archive:nowhere.tar"])
def test_a5_a_local_image_that_is_not_there_is_never_green(check, image, tmp_path, where):
    write(tmp_path / "trivy.json", reports.trivy(image))
    run = check(where, "--report", "trivy.json", "-o", "json")
    assert run.rc in (2, 3) and run.json()["verdict"] == "deny", run.stdout + run.stderr
    assert "nowhere" in run.stdout and run.json()["reasons"][0]["remedy"]


def test_a5_a_layout_whose_bytes_were_changed_is_refused(check, image, tmp_path):
    write(tmp_path / "trivy.json", reports.trivy(image))
    manifest = image.folder / "blobs/sha256" / image.digest.removeprefix("sha256:")
    manifest.write_bytes(manifest.read_bytes().replace(b'"size": ', b'"size":  '))
    assert digest_of(manifest.read_bytes()) != image.digest
    run = check(image.oci, "--report", "trivy.json")
    assert run.rc == 2, run.stdout + run.stderr
