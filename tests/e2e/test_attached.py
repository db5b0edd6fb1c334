"""What is attached to an image in its registry: measurements by the gate itself, and what others attach; read back by the policy.

docker-registry has no referrers API, so the fallback tag is written and read there; the other registry has it.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import images
import pytest
import reports
from reports import HIGH, LOW, openvex, policy, vulnerabilities, write
from scans import codes

TRIVY = "application/vnd.aquasec.trivy.report+json"
CYCLONEDX = "application/vnd.cyclonedx+json"
OPENVEX = "application/openvex+json"
MEASUREMENT = "application/vnd.ecr-gate.measurement.v1+json"
MEMORY = {"measurements": {"from": ["registry"], "metric": "memory_peak_bytes", "max": "256MiB"}}


@pytest.fixture
def image(build_image):
    return build_image()


@pytest.fixture
def judge(check, tmp_path: Path):
    """Judges a reference by one rule."""
    return lambda reference, rule, *arguments: check(
        reference, "--policy", policy(tmp_path / "policy.yaml", rule), "-o", "json", *arguments
    )


@pytest.fixture
def record(gate):
    """`ecr-gate measure record` of the peak memory."""

    def run(reference, *samples, arguments=(), metric="memory_peak_bytes"):
        given = [argument for sample in samples for argument in ("--sample", sample)]
        return gate("measure", "record", reference, "--metric", metric, "--unit", "MiB", "--tool", "cgroup", *given, "-o", "json", *arguments)

    return run


# --- measurements ----------------------------------------------------------------------------------------------------


def test_b17_a_measurement_is_attached_and_compared(judge, record, any_registry, repo, image):
    reference = any_registry.push(image, f"{repo}:1")
    run = judge(reference, MEMORY, *any_registry.flags)
    assert (run.rc, codes(run.json())) == (1, ["measurement.missing"]), run.stdout + run.stderr
    done = record(reference, "180", "182.5", arguments=any_registry.flags)
    assert done.rc == 0 and done.json()["subject"] == image.digest, done.stdout + done.stderr
    run = judge(reference, MEMORY, *any_registry.flags)
    assert run.rc == 0, run.stdout + run.stderr
    run = judge(reference, {"measurements": {**MEMORY["measurements"], "max": "181MiB"}}, *any_registry.flags)
    assert (run.rc, codes(run.json())) == (1, ["measurement.exceeded"]) and "182.5" in run.stdout, run.stdout + run.stderr
    run = judge(reference, {"measurements": {**MEMORY["measurements"], "max": "181MiB", "bestOf": 2}}, *any_registry.flags)
    assert run.rc == 0, run.stdout + run.stderr
    assert any_registry.digest(reference) == image.digest, "the image itself is as it was"


def test_b4_the_fallback_tag_lists_what_was_attached(record, registry, repo, image):
    reference = registry.push(image, f"{repo}:1")
    first = record(reference, "180", arguments=registry.flags).json()["referrer"]
    second = record(reference, "12", arguments=registry.flags, metric="start_memory").json()["referrer"]
    other = registry.attach(repo, image, CYCLONEDX, b"{}")
    third = record(reference, "13", arguments=registry.flags, metric="third").json()["referrer"]
    listed = registry.fallback(repo, image)
    assert [one["digest"] for one in listed] == [first, second, other, third], "what others listed stays"
    assert {one["artifactType"] for one in listed} == {MEASUREMENT, CYCLONEDX}


def test_s22_a_measurement_counts_only_from_where_the_policy_says(judge, record, registry, repo, image):
    reference = registry.push(image, f"{repo}:1")
    assert record(reference, "180", arguments=[*registry.flags, "--file", "measured.json"]).rc == 0
    from_file = {"measurements": {**MEMORY["measurements"], "from": ["file"]}}
    assert judge(reference, from_file, *registry.flags, "--measurement", "measured.json").rc == 0
    run = judge(reference, MEMORY, *registry.flags, "--measurement", "measured.json")
    assert (run.rc, codes(run.json())) == (1, ["measurement.missing"]), run.stdout + run.stderr
    assert record(reference, "180", arguments=registry.flags).rc == 0
    assert judge(reference, MEMORY, *registry.flags).rc == 0
    run = judge(reference, from_file, *registry.flags)
    assert (run.rc, codes(run.json())) == (1, ["measurement.missing"]), run.stdout + run.stderr


def test_s1_a_measurement_of_another_image_is_none(judge, record, registry, repo, image, build_image):
    reference = registry.push(image, f"{repo}:1")
    other = registry.push(build_image({"other": "content"}), f"{repo}:2")
    assert record(other, "10", arguments=[*registry.flags, "--file", "measured.json"]).rc == 0
    from_file = {"measurements": {**MEMORY["measurements"], "from": ["file"]}}
    run = judge(reference, from_file, *registry.flags, "--measurement", "measured.json")
    assert run.rc in (1, 2) and run.json()["verdict"] == "deny", run.stdout + run.stderr
    assert judge(other, from_file, *registry.flags, "--measurement", "measured.json").rc == 0


def test_b17_a_release_is_compared_with_the_one_before(judge, record, registry, repo, image, build_image):
    before = registry.push(image, f"{repo}:1")
    after = registry.push(build_image({"other": "content"}), f"{repo}:2")
    assert record(before, "100", arguments=registry.flags).rc == 0
    assert record(after, "130", arguments=registry.flags).rc == 0
    for increase, rc in [("20%", 1), ("40%", 0)]:
        compared = {"measurements": {**MEMORY["measurements"], "baseline": {"digest": image.digest}, "maxIncrease": increase}}
        run = judge(after, compared, *registry.flags)
        assert run.rc == rc, run.stdout + run.stderr


def test_a4_a_measurement_that_cannot_be_attached_is_an_error(record, registry, registry_auth, repo, image):
    registry.push(image, f"{repo}:1")
    assert record(f"{registry.host}/{repo}:9", "1", arguments=registry.flags).rc == 3
    closed = registry_auth.push(image, f"{repo}:1")
    assert record(closed, "1", arguments=registry_auth.flags).rc == 3
    assert registry_auth.fallback(repo, image) == []


# --- what others attach ----------------------------------------------------------------------------------------------


def test_s22_an_attached_report_counts_only_where_the_registry_is_believed(judge, check, any_registry, repo, image):
    reference = any_registry.push(image, f"{repo}:1")
    any_registry.attach(repo, image, TRIVY, json.dumps(reports.trivy(image, LOW)).encode())
    run = judge(reference, vulnerabilities(["registry"]), *any_registry.flags)
    assert run.rc == 0, run.stdout + run.stderr
    run = check(reference, *any_registry.flags, "-o", "json")
    assert run.rc in (2, 3, 4) and run.json()["verdict"] == "deny", run.stdout + run.stderr
    run = judge(reference, vulnerabilities(["registry", "grype"]), *any_registry.flags)
    assert run.rc in (2, 3, 4) and run.json()["verdict"] == "deny", run.stdout + run.stderr


def test_s22_an_attached_report_with_findings_blocks(judge, any_registry, repo, image):
    reference = any_registry.push(image, f"{repo}:1")
    any_registry.attach(repo, image, TRIVY, json.dumps(reports.trivy(image, HIGH)).encode())
    assert judge(reference, vulnerabilities(["registry"]), *any_registry.flags).rc == 1


def test_s1_an_attached_report_about_another_image_is_never_green(judge, registry, repo, image, build_image):
    reference = registry.push(image, f"{repo}:1")
    other = build_image({"other": "content"})
    registry.attach(repo, image, TRIVY, json.dumps(reports.trivy(other)).encode())
    run = judge(reference, vulnerabilities(["registry"]), *registry.flags)
    assert run.rc in (2, 4) and run.json()["verdict"] == "deny", run.stdout + run.stderr


def test_s25_a_fallback_tag_that_lists_what_is_attached_elsewhere_is_not_believed(judge, registry, repo, image, build_image):
    """Its `subject` names another image, although the tag of this one lists it."""
    reference = registry.push(image, f"{repo}:1")
    other = build_image({"other": "content"})
    registry.push(other, f"{repo}:2")
    registry.attach(repo, image, TRIVY, json.dumps(reports.trivy(image)).encode(), subject_digest=other.digest)
    run = judge(reference, vulnerabilities(["registry"]), *registry.flags)
    assert run.rc not in (0, 1) and run.json()["verdict"] == "deny", run.stdout + run.stderr


def test_s25_an_attached_thing_that_the_registry_lost_is_never_green(judge, registry, repo, image):
    reference = registry.push(image, f"{repo}:1")
    report = json.dumps(reports.trivy(image, LOW)).encode()
    referrer = registry.attach(repo, image, TRIVY, report)
    for digest in [images.digest_of(report), referrer]:
        for file in (registry.log.parent / "data").rglob(f"sha256/{digest[7:9]}/{digest[7:]}/data"):
            file.unlink()
        run = judge(reference, vulnerabilities(["registry"]), *registry.flags)
        assert run.rc not in (0, 1) and run.json()["verdict"] == "deny", run.stdout + run.stderr


def broken(document: dict) -> bytes:
    """Cut off, as an upload that did not end leaves it."""
    return json.dumps(document).encode()[:-3]


def test_s25_an_attached_report_that_cannot_be_read_leaves_no_green_beside_a_clean_one(judge, registry, repo, image, tmp_path):
    reference = registry.push(image, f"{repo}:1")
    clean = ["--report", write(tmp_path / "grype.json", reports.grype(image))]
    believed = vulnerabilities(["file", "registry"])
    assert judge(reference, believed, *clean, *registry.flags).rc == 0
    registry.attach(repo, image, TRIVY, broken(reports.trivy(image, HIGH)))
    for arguments in (clean, []):
        run = judge(reference, believed, *arguments, *registry.flags)
        assert run.rc == 2 and "scan.malformed" in codes(run.json()), run.stdout + run.stderr
    # Where the registry is not believed, it says nothing that matters.
    assert judge(reference, vulnerabilities(["file"]), *clean, *registry.flags).rc == 0


def test_s25_a_list_of_referrers_that_cannot_be_had_leaves_no_green(judge, registry, repo, image, build_image, tmp_path):
    """Under the fallback tag stands an image: whatever was listed there is not known."""
    reference = registry.push(image, f"{repo}:1")
    clean = ["--report", write(tmp_path / "grype.json", reports.grype(image))]
    registry.push(build_image({"other": "content"}), f"{repo}:{image.digest.replace(':', '-')}")
    run = judge(reference, vulnerabilities(["file", "registry"]), *clean, *registry.flags)
    assert run.rc not in (0, 1) and run.json()["verdict"] == "deny", run.stdout + run.stderr
    # A statement that says "affected after all" would have been in that list.
    vex = ["--vex", write(tmp_path / "vex.json", openvex("Us", HIGH.id, HIGH.purl))]
    found = ["--report", write(tmp_path / "found.json", reports.grype(image, HIGH))]
    softened = vulnerabilities(["file"], vex={"from": ["file", "registry"], "authors": ["Us"]})
    run = judge(reference, softened, *found, *vex, *registry.flags)
    assert run.rc != 0 and run.json()["verdict"] == "deny", run.stdout + run.stderr


def test_s25_an_attached_vex_document_that_cannot_be_read_leaves_no_green(judge, registry, repo, image, tmp_path):
    reference = registry.push(image, f"{repo}:1")
    report = ["--report", write(tmp_path / "trivy.json", reports.trivy(image, HIGH)), *registry.flags]
    softened = vulnerabilities(vex={"from": ["registry"], "authors": ["Us"]})
    registry.attach(repo, image, OPENVEX, json.dumps(openvex("Us", HIGH.id, HIGH.purl)).encode())
    assert judge(reference, softened, *report).rc == 0
    registry.attach(repo, image, OPENVEX, broken(openvex("Us", HIGH.id, HIGH.purl, "affected")))
    run = judge(reference, softened, *report)
    assert run.rc != 0 and "vex.invalid" in codes(run.json()), run.stdout + run.stderr


def test_s1_an_attached_report_is_bound_by_the_image_id(judge, registry, repo, image, build_image):
    """It names the digest of this image and the configuration of another one: what was scanned is the other one."""
    reference = registry.push(image, f"{repo}:1")
    other = build_image({"other": "content"})
    report = reports.trivy(other, repo="")
    report["Metadata"]["RepoDigests"] = [f"registry.example/app@{image.digest}"]
    registry.attach(repo, image, TRIVY, json.dumps(report).encode())
    run = judge(reference, vulnerabilities(["registry"]), *registry.flags)
    assert run.rc not in (0, 1) and run.json()["verdict"] == "deny", run.stdout + run.stderr


def test_b15_an_attached_bill_of_materials_is_matched(judge, any_registry, repo, image, tmp_path):
    reference = any_registry.push(image, f"{repo}:1")
    rule = {"sbom": {"from": ["registry"], "mustMatch": "osPackages"}}
    run = judge(reference, rule, *any_registry.flags)
    assert (run.rc, codes(run.json())) == (1, ["sbom.missing"]), run.stdout + run.stderr
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "SYFT_CHECK_FOR_APP_UPDATE": "false"}
    command = ["syft", "scan", "-q", f"oci-dir:{image.folder}", "-o", "cyclonedx-json"]
    made = subprocess.run(command, capture_output=True, env=env, timeout=120, check=True).stdout
    any_registry.attach(repo, image, CYCLONEDX, made)
    run = judge(reference, rule, *any_registry.flags)
    assert run.rc == 0, run.stdout + run.stderr


def test_s24_an_attached_vex_document_needs_a_trusted_way_and_author(judge, any_registry, repo, image, tmp_path):
    reference = any_registry.push(image, f"{repo}:1")
    report = ["--report", write(tmp_path / "trivy.json", reports.trivy(image, HIGH)), *any_registry.flags]
    any_registry.attach(repo, image, OPENVEX, json.dumps(openvex("Us", HIGH.id, HIGH.purl)).encode())
    for vex, rc in [
        ({"from": ["registry"], "authors": ["Us"]}, 0),
        ({"from": ["registry"], "authors": ["Them"]}, 1),
        ({"from": ["file"], "authors": ["Us"]}, 1),
    ]:
        run = judge(reference, vulnerabilities(vex=vex), *report)
        assert run.rc == rc, run.stdout + run.stderr


def test_b2_inspect_shows_what_is_attached_and_judges_nothing(gate, record, any_registry, repo, image):
    reference = any_registry.push(image, f"{repo}:1")
    assert record(reference, "180", arguments=any_registry.flags).rc == 0
    any_registry.attach(repo, image, TRIVY, json.dumps(reports.trivy(image, HIGH)).encode())
    any_registry.attach(repo, image, "application/vnd.example", b"something")
    run = gate("inspect", reference, *any_registry.flags, "-o", "json")
    assert run.rc == 0, run.stdout + run.stderr
    facts = json.loads(run.stdout)
    assert facts["schema"] == "ecr-gate.dev/facts/v1" and facts["image"]["digest"] == image.digest
    manifest = facts["manifests"][0]
    assert HIGH.severity in json.dumps(manifest["reports"]) and len(manifest["measurements"]["present"]["value"]) == 1
    assert "verdict" not in run.stdout
    people = gate("inspect", reference, *any_registry.flags, "--layers")
    assert people.rc == 0 and "packages" in people.stdout, people.stdout + people.stderr
    for word in [image.digest, MEASUREMENT, TRIVY, "application/vnd.example"]:
        assert word in people.stdout, word
