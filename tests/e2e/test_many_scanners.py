"""Several reports on one image, and VEX beside them: who must have answered, how many must agree, whose word counts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import reports
from reports import CRITICAL, HIGH, LOW, openvex, policy, vulnerabilities, write
from scans import blocking, codes

AUTHOR = "Security Team <security@example.org>"


@pytest.fixture
def image(build_image):
    return build_image()


@pytest.fixture
def judge(check, image, tmp_path: Path):
    """Judges the image by one rule and these reports, each a scanner's function and what it found."""

    def run(rule, *given, vex=None, **spec):
        files = [write(tmp_path / f"report{n}.json", scanner(image, *found)) for n, (scanner, *found) in enumerate(given)]
        arguments = [argument for file in files for argument in ("--report", file)]
        if vex is not None:
            arguments += ["--vex", write(tmp_path / "vex.json", vex)]
        done = check(image.oci, *arguments, "--policy", policy(tmp_path / "policy.yaml", rule, **spec), "-o", "json")
        assert done.rc in (0, 1, 2, 4), done.stderr
        return done

    return run


def test_s19_every_required_scanner_must_have_answered(judge):
    rule = vulnerabilities(sources={"required": ["trivy", "grype"]})
    assert judge(rule, [reports.trivy], [reports.grype]).rc == 0
    run = judge(rule, [reports.trivy])
    assert (run.rc, codes(run.json())) == (4, ["scan.requiredMissing"]) and "grype" in run.stdout, run.stdout
    run = judge(rule, [reports.trivy], [reports.trivy])
    assert run.rc == 4 and "scan.requiredMissing" in codes(run.json()), "one scanner twice is not two"
    run = judge(rule, [reports.trivy], [reports.grype, HIGH])
    assert (run.rc, blocking(run.json())) == (1, [HIGH.id])


def test_s19_a_required_scanner_whose_report_proves_nothing_has_not_answered(judge):
    rule = vulnerabilities(sources={"required": ["trivy", "sarif"]})
    run = judge(rule, [reports.trivy], [reports.sarif, LOW])
    assert run.rc in (2, 4) and run.json()["verdict"] == "deny", run.stdout
    proven = lambda image, *found: reports.sarif(image, *found, successful=True)  # noqa: E731
    assert judge(rule, [reports.trivy], [proven, LOW]).rc == 0


@pytest.mark.parametrize(
    ("when", "reporting", "rc"),
    [("any", 1, 1), ("any", 0, 0), ("majority", 1, 0), ("majority", 2, 1), ("all", 2, 0), ("all", 3, 1)],
)
def test_s19_as_many_scanners_must_agree_as_the_policy_says(judge, when, reporting, rc):
    scanners = [reports.trivy, reports.grype, reports.harbor]
    given = [[scanner, LOW, *([HIGH] if number < reporting else [])] for number, scanner in enumerate(scanners)]
    run = judge(vulnerabilities(sources={"blockWhen": when}), *given)
    assert run.rc == rc, run.stdout
    if reporting:
        assert HIGH.id in run.stdout, "a disagreement is visible"


def test_b14_the_same_finding_by_two_scanners_is_one(judge):
    run = judge(vulnerabilities(), [reports.trivy, HIGH, LOW], [reports.grype, HIGH, LOW])
    assert (run.rc, blocking(run.json())) == (1, [HIGH.id]), run.stdout
    assert run.json()["findings"]["blockingTotal"] == 1


def test_b14_scanners_that_rate_differently_count_as_the_more_serious(judge):
    milder = dataclasses.replace(HIGH, severity="MEDIUM")
    for given in [[[reports.trivy, HIGH], [reports.grype, milder]], [[reports.trivy, milder], [reports.grype, HIGH]]]:
        run = judge(vulnerabilities(), *given)
        assert (run.rc, blocking(run.json())) == (1, [HIGH.id]), run.stdout


def test_b14_a_finding_of_one_package_does_not_hide_that_of_another(judge):
    other = dataclasses.replace(HIGH, package="libssl3", fixed=None)
    run = judge(vulnerabilities(ignoreUnfixed=True), [reports.trivy, dataclasses.replace(HIGH, fixed=None)], [reports.grype, other, HIGH])
    assert run.rc == 1, run.stdout


def test_s19_a_finding_that_grype_was_told_to_ignore_is_honoured_or_counted(judge):
    def told(image, *found):
        report = reports.grype(image, *found)
        report["ignoredMatches"] = [{**match, "appliedIgnoreRules": [{"vulnerability": HIGH.id, "reason": "accepted"}]} for match in report["matches"]]
        return {**report, "matches": []}

    assert judge(vulnerabilities(), [told, HIGH]).rc == 0
    assert judge(vulnerabilities(sources={"suppressed": "honour"}), [told, HIGH]).rc == 0
    run = judge(vulnerabilities(sources={"suppressed": "count"}), [told, HIGH])
    assert (run.rc, blocking(run.json())) == (1, [HIGH.id])
    assert judge(vulnerabilities(), [told, HIGH], [reports.trivy, HIGH]).rc == 1, "another source reports it plainly"


@pytest.mark.parametrize(("key", "value"), [("ignoreUnfixed", True), ("allow", [HIGH.id])])
def test_b9_what_softens_a_rule_softens_it_for_every_scanner(judge, key, value):
    unfixed = dataclasses.replace(HIGH, fixed=None)
    for scanner in [reports.trivy, reports.grype]:
        assert judge(vulnerabilities(), [scanner, unfixed]).rc == 1
        assert judge(vulnerabilities(**{key: value}), [scanner, unfixed]).rc == 0
    assert judge(vulnerabilities(ignoreUnfixed=True), [reports.trivy, HIGH]).rc == 1, "a fix is known"


# --- VEX -------------------------------------------------------------------------------------------------------------

BELIEVED = {"from": ["file"], "authors": [AUTHOR]}


def test_s24_a_statement_of_a_trusted_author_about_this_package_is_applied(judge):
    statement = openvex(AUTHOR, HIGH.id, HIGH.purl)
    assert judge(vulnerabilities(), [reports.trivy, HIGH]).rc == 1
    run = judge(vulnerabilities(vex=BELIEVED), [reports.trivy, HIGH], vex=statement)
    assert run.rc == 0 and HIGH.id in run.stdout, "applied, and still told"


def test_s24_a_statement_about_this_image_is_applied(judge, image):
    for product in [f"pkg:oci/app@{image.digest}", f"pkg:oci/app@{image.digest.replace(':', '%3A')}"]:
        statement = openvex(AUTHOR, HIGH.id, product)
        assert judge(vulnerabilities(vex=BELIEVED), [reports.trivy, HIGH], vex=statement).rc == 0, product
        other = openvex(AUTHOR, HIGH.id, product.replace(image.digest[-64:], "0" * 64))
        assert judge(vulnerabilities(vex=BELIEVED), [reports.trivy, HIGH], vex=other).rc == 1, "about another image"


@pytest.mark.parametrize(
    ("believed", "statement"),
    [
        pytest.param(None, openvex(AUTHOR, HIGH.id, HIGH.purl), id="nobody is trusted"),
        pytest.param({"from": ["file"], "authors": ["Vendor"]}, openvex(AUTHOR, HIGH.id, HIGH.purl), id="another author"),
        pytest.param({"from": ["registry"], "authors": [AUTHOR]}, openvex(AUTHOR, HIGH.id, HIGH.purl), id="another way"),
        pytest.param(BELIEVED, openvex(AUTHOR.lower(), HIGH.id, HIGH.purl), id="another spelling"),
        pytest.param(BELIEVED, openvex(AUTHOR, CRITICAL.id, HIGH.purl), id="another vulnerability"),
        pytest.param(BELIEVED, openvex(AUTHOR, HIGH.id, "pkg:deb/debian/openssl@3.0.13-1"), id="another version"),
        pytest.param(BELIEVED, openvex(AUTHOR, HIGH.id, "pkg:deb/debian/openssl"), id="no version"),
        pytest.param(BELIEVED, openvex(AUTHOR, HIGH.id, "openssl"), id="a name"),
        pytest.param(BELIEVED, openvex(AUTHOR, HIGH.id, HIGH.purl, "under_investigation"), id="not yet known"),
        pytest.param(BELIEVED, openvex(AUTHOR, HIGH.id, HIGH.purl, "affected", action_statement="upgrade"), id="affected"),
        pytest.param(BELIEVED, openvex(AUTHOR, HIGH.id, HIGH.purl, justification=""), id="no justification"),
    ],
)
def test_s24_a_statement_that_is_not_exact_or_not_believed_changes_nothing(judge, believed, statement):
    keys = {} if believed is None else {"vex": believed}
    run = judge(vulnerabilities(**keys), [reports.trivy, HIGH], vex=statement)
    assert run.rc in (1, 2) and run.json()["verdict"] == "deny", run.stdout


def test_s24_a_statement_of_tomorrow_softens_nothing_today(judge):
    rule = vulnerabilities(vex={"from": ["file"], "authors": [AUTHOR]})
    statement = openvex(AUTHOR, HIGH.id, HIGH.purl)
    assert judge(rule, [reports.trivy, HIGH], vex=statement).rc == 0
    tomorrow = {**statement, "timestamp": reports.stamp(-86_400)}
    assert judge(rule, [reports.trivy, HIGH], vex=tomorrow).rc == 1


def test_s24_a_statement_about_one_package_softens_no_other_of_that_name(judge):
    """Two scanners find the same vulnerability in two versions; the statement is about one of them."""
    rule = vulnerabilities(vex={"from": ["file"], "authors": [AUTHOR]})
    older = dataclasses.replace(HIGH, version="1.1.1n-0")
    for given in ([[reports.trivy, HIGH], [reports.grype, older]], [[reports.grype, older], [reports.trivy, HIGH]]):
        run = judge(rule, *given, vex=openvex(AUTHOR, HIGH.id, HIGH.purl))
        assert run.rc == 1, run.stdout


def test_b2_what_no_rule_looks_at_is_said(check, image, tmp_path):
    sbom = write(tmp_path / "sbom.json", {"bomFormat": "CycloneDX", "specVersion": "1.6", "metadata": {"component": {"type": "container", "name": "app"}}, "components": []})
    report = write(tmp_path / "trivy.json", reports.trivy(image))
    run = check(image.oci, "--report", report, "--sbom", sbom)
    assert run.rc == 0 and "no rule looks at it" in run.stdout, run.stdout + run.stderr
    assert check(image.oci, "--report", report, "--sbom", report).rc == 2, "what is no bill of materials is refused"


def test_s6_a_deny_list_outweighs_vex(judge):
    rule = vulnerabilities(vex=BELIEVED, deny=[HIGH.id])
    run = judge(rule, [reports.trivy, HIGH], vex=openvex(AUTHOR, HIGH.id, HIGH.purl))
    assert run.rc == 1 and "vuln.denied" in codes(run.json()), run.stdout


@pytest.mark.parametrize("text", ["", "{}", "[]", "{", '{"@context":"https://openvex.dev/ns/v0.2.0"}'])
def test_a5_a_vex_document_that_cannot_be_read_is_an_error(check, image, tmp_path, text):
    write(tmp_path / "trivy.json", reports.trivy(image))
    (tmp_path / "vex.json").write_text(text)
    run = check(image.oci, "--report", "trivy.json", "--vex", "vex.json", "-o", "json")
    assert (run.rc, codes(run.json())) == (2, ["vex.invalid"]), run.stdout + run.stderr
