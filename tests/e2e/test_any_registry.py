"""Images in registries that are not ECR, by the real docker-registry of Debian: logins, certificates, mirrors, outages."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import reports
from conftest import digest_of
from images import build_index
from registries import docker_config, free_port, skopeo
from reports import CRITICAL, HIGH, LOW, policy, write
from scans import blocking, codes, dotenv


@pytest.fixture
def image(build_image):
    return build_image()


@pytest.fixture
def report(image, tmp_path: Path) -> Path:
    return write(tmp_path / "trivy.json", reports.trivy(image, LOW))


def test_a16_a_tag_is_resolved_to_the_digest_that_other_clients_see(check, any_registry, repo, image, report, tmp_path):
    reference = any_registry.push(image, f"{repo}:1")
    run = check(reference, "--report", report, *any_registry.flags, "-o", "json", "--dotenv", "scan.env")
    assert run.rc == 0, run.stdout + run.stderr
    assert run.json()["image"]["digest"] == any_registry.digest(reference) == image.digest
    assert dotenv(tmp_path / "scan.env")["ECR_GATE_DIGEST"] == image.digest
    crane = subprocess.run(["crane", "digest", "--insecure", reference], capture_output=True, text=True, timeout=60, check=True)
    assert crane.stdout.strip() == image.digest


def test_b14_an_image_is_judged_by_tag_and_by_digest(check, any_registry, repo, image, tmp_path):
    reference = any_registry.push(image, f"{repo}:1")
    write(tmp_path / "grype.json", reports.grype(image, HIGH, LOW))
    for name in [reference, f"{any_registry.host}/{repo}@{image.digest}", f"{reference}@{image.digest}"]:
        run = check(name, "--report", "grype.json", *any_registry.flags, "-o", "json")
        assert (run.rc, blocking(run.json())) == (1, [HIGH.id]), run.stdout + run.stderr
        assert run.json()["image"]["digest"] == image.digest


def test_a16_a_tag_that_stands_for_another_digest_is_refused(check, registry, repo, build_image, image, tmp_path):
    registry.push(image, f"{repo}:old")
    other = build_image({"other": "content"})
    reference = registry.push(other, f"{repo}:1")
    write(tmp_path / "grype.json", reports.grype(image))
    run = check(f"{reference}@{image.digest}", "--report", "grype.json", *registry.flags, "-o", "json")
    assert run.rc == 3 and "image.tagMoved" in codes(run.json()), run.stdout + run.stderr


def test_a18_an_index_in_a_registry_needs_a_report_for_each_platform(check, registry, repo, tmp_path):
    index, children = build_index(tmp_path / "index", ["amd64", "arm64"])
    reference = registry.push(index, f"{repo}:1")
    write(tmp_path / "amd64.json", reports.trivy(children["amd64"]))
    write(tmp_path / "arm64.json", reports.trivy(children["arm64"]))
    run = check(reference, "--report", "amd64.json", *registry.flags, "-o", "json")
    assert run.rc not in (0, 1) and "linux/arm64" in run.stdout, run.stdout + run.stderr
    run = check(reference, "--report", "amd64.json", "--report", "arm64.json", *registry.flags, "-o", "json")
    assert (run.rc, run.json()["image"]["digest"]) == (0, index.digest), run.stdout + run.stderr
    write(tmp_path / "arm64.json", reports.trivy(children["arm64"], CRITICAL))
    run = check(reference, "--report", "amd64.json", "--report", "arm64.json", *registry.flags)
    assert run.rc == 1 and CRITICAL.id in run.stdout


def test_a18_a_report_that_calls_the_index_a_manifest_speaks_for_no_platform(check, registry, repo, tmp_path):
    index, children = build_index(tmp_path / "index", ["amd64", "arm64"])
    registry.push(index, f"{repo}:1")
    report = reports.grype(children["amd64"])
    report["source"]["target"]["manifestDigest"] = index.digest
    write(tmp_path / "grype.json", report)
    run = check(f"{registry.host}/{repo}@{index.digest}", "--report", "grype.json", *registry.flags, "-o", "json")
    assert run.rc not in (0, 1) and run.json()["verdict"] == "deny", run.stdout + run.stderr


def test_a16_a_tag_that_moved_is_refused_whatever_the_policy_asks(check, registry, repo, build_image, image, tmp_path):
    """A rule about the bill of materials alone, which a file could answer: the tag is looked up all the same."""
    registry.push(image, f"{repo}:old")
    reference = registry.push(build_image({"other": "content"}), f"{repo}:1")
    described = {"type": "container", "name": "app", "version": image.digest}
    write(tmp_path / "sbom.json", {"bomFormat": "CycloneDX", "specVersion": "1.6", "metadata": {"component": described}, "components": []})
    arguments = ["--sbom", "sbom.json", "--policy", policy(tmp_path / "policy.yaml", {"sbom": {"from": ["file"]}}), *registry.flags, "-o", "json"]
    assert check(f"{registry.host}/{repo}:old@{image.digest}", *arguments).rc == 0
    run = check(f"{reference}@{image.digest}", *arguments)
    assert run.rc == 3 and "image.tagMoved" in codes(run.json()), run.stdout + run.stderr


def test_b14_an_image_without_a_report_has_no_scan(check, registry, repo, image):
    reference = registry.push(image, f"{repo}:1")
    run = check(reference, *registry.flags, "-o", "json")
    assert run.rc in (3, 4) and run.json()["verdict"] != "allow", run.stdout + run.stderr


def test_s19_findings_of_inspector_add_to_a_scan_and_are_none(check, registry, repo, image, report, tmp_path):
    reference = registry.push(image, f"{repo}:1")
    findings = write(tmp_path / "inspector.json", reports.inspector(image, LOW, repo=repo))
    run = check(reference, "--report", findings, *registry.flags, "-o", "json")
    assert run.rc in (2, 4) and run.json()["verdict"] == "deny", run.stdout + run.stderr
    assert check(reference, "--report", report, "--report", findings, *registry.flags).rc == 0
    write(findings, reports.inspector(image, HIGH, repo=repo))
    assert check(reference, "--report", report, "--report", findings, *registry.flags).rc == 1
    write(findings, reports.inspector(image, LOW, repo="another/app"))
    run = check(reference, "--report", report, "--report", findings, *registry.flags, "-o", "json")
    assert (run.rc, codes(run.json())) == (2, ["scan.otherImage"]), run.stdout + run.stderr


# --- logins ----------------------------------------------------------------------------------------------------------


def test_a4_the_login_of_docker_is_used(check, registry_auth, repo, image, report, tmp_path):
    reference = registry_auth.push(image, f"{repo}:1")
    config = docker_config(tmp_path / "docker", registry_auth.host)
    run = check(reference, "--report", report, *registry_auth.flags, env={"DOCKER_CONFIG": str(config)})
    assert run.rc == 0, run.stdout + run.stderr
    home = docker_config(tmp_path / "home/.docker", registry_auth.host)
    run = check(reference, "--report", report, *registry_auth.flags, env={"HOME": str(home.parent)})
    assert run.rc == 0, run.stdout + run.stderr


def test_a4_a_login_of_another_registry_is_not_sent(check, registry_auth, repo, image, report, tmp_path):
    reference = registry_auth.push(image, f"{repo}:1")
    config = docker_config(tmp_path / "docker", "127.0.0.1:1")
    run = check(reference, "--report", report, *registry_auth.flags, "-o", "json", env={"DOCKER_CONFIG": str(config)})
    assert (run.rc, codes(run.json())) == (3, ["registry.accessDenied"]), run.stdout + run.stderr


def test_a4_a_wrong_password_is_an_access_error_and_never_told(check, registry_auth, repo, image, report, tmp_path):
    reference = registry_auth.push(image, f"{repo}:1")
    config = docker_config(tmp_path / "docker", registry_auth.host, password="tr0ub4dor&3")
    run = check(reference, "--report", report, *registry_auth.flags, "-o", "json", "-v", env={"DOCKER_CONFIG": str(config)})
    assert (run.rc, codes(run.json())) == (3, ["registry.accessDenied"]), run.stdout + run.stderr
    assert "tr0ub4dor" not in run.stdout + run.stderr


def test_a4_without_a_login_the_answer_is_an_access_error(check, registry_auth, repo, image, report):
    reference = registry_auth.push(image, f"{repo}:1")
    for name in [reference, f"{registry_auth.host}/{repo}@{image.digest}"]:
        run = check(name, "--report", report, *registry_auth.flags, "-o", "json")
        assert (run.rc, codes(run.json())) == (3, ["registry.accessDenied"]), run.stdout + run.stderr
        assert "login" in run.json()["reasons"][0]["remedy"]


# --- certificates ----------------------------------------------------------------------------------------------------


def test_a4_a_registry_with_a_certificate_authority_of_its_own(check, registry_tls, repo, image, report):
    reference = registry_tls.push(image, f"{repo}:1")
    run = check(reference, "--report", report, "--registry-ca", registry_tls.ca, "-o", "json")
    assert (run.rc, run.json()["image"]["digest"]) == (0, image.digest), run.stdout + run.stderr
    run = check(reference, "--report", report, "-o", "json")
    assert (run.rc, run.json()["verdict"]) == (5, "deny") and "certificate" in run.stdout, run.stdout + run.stderr


def test_a4_plain_http_is_spoken_only_where_it_is_allowed(check, registry, registry_tls, repo, image, report):
    plain = registry.push(image, f"{repo}:1")
    before = registry.requests_seen()
    run = check(plain, "--report", report)
    assert run.rc in (3, 5), run.stdout + run.stderr
    assert registry.requests_seen() == before, "not even loopback is asked in plain http"
    secret = registry_tls.push(image, f"{repo}:1")
    run = check(secret, "--report", report, "--insecure-registry", registry_tls.host)
    assert run.rc in (2, 3, 5), run.stdout + run.stderr


def test_a4_a_file_without_certificates_is_refused(check, registry_tls, repo, image, report, tmp_path):
    reference = registry_tls.push(image, f"{repo}:1")
    for text in ["", "not a certificate\n"]:
        (tmp_path / "ca.pem").write_text(text)
        run = check(reference, "--report", report, "--registry-ca", "ca.pem")
        assert run.rc in (3, 5, 64), run.stdout + run.stderr


# --- what is away or is not what it says -----------------------------------------------------------------------------


def test_a4_a_registry_that_is_away_is_unavailable(check, image, report):
    host = f"127.0.0.1:{free_port()}"
    for name in [f"{host}/team/app:1", f"{host}/team/app@{image.digest}"]:
        run = check(name, "--report", report, "--insecure-registry", host, "--timeout", "5s", "-o", "json")
        assert (run.rc, codes(run.json())) == (5, ["registry.unavailable"]), run.stdout + run.stderr


@pytest.mark.parametrize("name", ["nothing:1", "REPO:nothing", "REPO@sha256:" + "0" * 64])
def test_a4_what_is_not_there_is_not_found(check, registry, repo, image, report, name):
    registry.push(image, f"{repo}:1")
    run = check(f"{registry.host}/{name.replace('REPO', repo)}", "--report", report, *registry.flags, "-o", "json")
    assert (run.rc, codes(run.json())) == (3, ["registry.notFound"]), run.stdout + run.stderr


def test_a5_a_manifest_that_was_changed_in_the_registrys_store_is_refused(check, registry, repo, image, report):
    reference = registry.push(image, f"{repo}:1")
    [blob] = (registry.log.parent / "data").rglob(f"blobs/sha256/{image.digest[7:9]}/{image.digest[7:]}/data")
    whole = blob.read_bytes()
    try:
        blob.write_bytes(whole.replace(b'"schemaVersion": 2', b'"schemaVersion":  2'))
        assert digest_of(blob.read_bytes()) != image.digest
        for name in [f"{registry.host}/{repo}@{image.digest}", reference]:
            run = check(name, "--report", report, *registry.flags, "-o", "json")
            assert run.rc in (2, 3, 5) and run.json()["verdict"] == "deny", run.stdout + run.stderr
    finally:
        blob.write_bytes(whole)


def test_b14_a_mirror_is_asked_first(check, registry, repo, image, report):
    registry.push(image, f"{repo}:1")
    mirror = ["--registry-mirror", f"registry.example.invalid={registry.host}", *registry.flags]
    run = check(f"registry.example.invalid/{repo}@{image.digest}", "--report", report, *mirror, "-o", "json")
    assert (run.rc, run.json()["image"]["digest"]) == (0, image.digest), run.stdout + run.stderr
    assert f"registry.example.invalid/{repo}" in json.dumps(run.json()), "the image is still known by its own name"


def test_b14_a_mirror_that_is_away_is_passed_over(check, registry, repo, image, report):
    reference = registry.push(image, f"{repo}:1")
    away = f"127.0.0.1:{free_port()}"
    run = check(reference, "--report", report, *registry.flags, "--registry-mirror", f"{registry.host}={away}", "--insecure-registry", away)
    assert run.rc == 0, run.stdout + run.stderr


def test_s38_proxies_of_the_environment_do_not_get_in_the_way_of_loopback(check, registry, repo, image, report):
    reference = registry.push(image, f"{repo}:1")
    env = {"no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1", "http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    run = check(reference, "--report", report, *registry.flags, env=env)
    assert run.rc == 0, run.stdout + run.stderr


def test_b14_skopeo_and_the_gate_agree_on_an_image_of_dockers_own_format(check, registry, repo, image, tmp_path):
    """Converted to Docker's manifest: another digest, the same image id."""
    reference = f"{registry.host}/{repo}:2"
    skopeo("copy", "--format", "v2s2", *registry.skopeo_flags("dest-"), image.oci, f"docker://{reference}")
    digest = registry.digest(reference)
    assert digest != image.digest
    write(tmp_path / "trivy.json", reports.trivy(image, LOW, repo=""))
    run = check(reference, "--report", "trivy.json", *registry.flags, "-o", "json")
    assert (run.rc, run.json()["image"]["digest"]) == (0, digest), run.stdout + run.stderr


@pytest.mark.parametrize("scanner", [reports.trivy, reports.grype])
def test_a16_a_report_about_what_the_tag_stood_for_yesterday_is_never_green(check, registry, repo, build_image, image, tmp_path, scanner):
    registry.push(image, f"{repo}:1")
    write(tmp_path / "report.json", scanner(image, LOW))
    reference = registry.push(build_image({"other": "content"}), f"{repo}:1")
    run = check(reference, "--report", "report.json", *registry.flags, "-o", "json")
    assert (run.rc, codes(run.json())) == (2, ["scan.otherImage"]), run.stdout + run.stderr
