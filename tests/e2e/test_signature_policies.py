"""Signers, attestations and provenance as a policy names them, judged by `ecr-gate check` on images that real tools signed."""

from __future__ import annotations

import json
import shutil
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import reports
import signing
from registries import free_port
from reports import HIGH, LOW, openvex, policy, vulnerabilities
from scans import codes
from signing import SLSA_V1, TEST_RESULT, attach_bundle, attach_signature, expected, place, public_key, push

ALL_KEYS = ["alice", "bob", "mallory"]


def day(offset: float) -> str:
    return (datetime.now(timezone.utc) + timedelta(days=offset)).strftime("%Y-%m-%dT%H:%M:%SZ")


def signers(**settings: dict) -> dict:
    """alice, bob and mallory by key, with further settings of each."""
    return {name: {"key": f"{name}.pub", **settings.get(name, {})} for name in ALL_KEYS}


def signed_by(*names: str, **keys) -> dict:
    return {"signatures": {"of": list(names), **keys}}


@pytest.fixture
def judge(check, tmp_path: Path):
    """Judges what was placed by one rule, with the keys beside the policy."""
    for name in ALL_KEYS:
        shutil.copy(public_key(name), tmp_path)

    def run(placed, *rules, signers=signers(), arguments=(), **spec):  # noqa: B008
        file = policy(tmp_path / "policy.yaml", *rules, signers=signers, **spec)
        return check(placed.reference, "--policy", file, *placed.registry.flags, *arguments, "-o", "json")

    return run


def text(run) -> str:
    return run.stdout + run.stderr


def verdict(run) -> tuple[int, str]:
    """The exit code and the weightiest reason; the others say why each artifact does not count."""
    return run.rc, codes(run.json())[0]


@pytest.fixture
def mine(judge, any_registry, repo, build_image, tmp_path):
    """An image, a key of this test that the policy calls `us`, and a judge who knows it."""
    key, placed = signing.Key(), push(any_registry, repo, build_image())
    key.write(tmp_path, "us")

    def run(*rules, settings=None, arguments=(), **spec):
        return judge(placed, *rules, signers={"us": {"key": "us.pub", **(settings or {})}}, arguments=arguments, **spec)

    return placed, key, run


# --- how many, and who -----------------------------------------------------------------------------------------------


def test_b15_two_signers_are_asked_and_the_one_that_is_missing_is_named(judge, any_registry, repo):
    placed = place(any_registry, repo, "mixed")  # alice signed it; bob only attested
    rule = signed_by("alice", "bob", threshold=2)
    run = judge(placed, rule)
    assert verdict(run) == (1, "signature.threshold"), text(run)
    said = run.json()["reasons"][0]["message"]
    assert "bob" in said and "alice" not in said.split("missing")[-1], said
    attach_both = place(any_registry, f"{repo}/both", "cosign3")
    assert judge(attach_both, rule).rc == 0
    assert judge(attach_both, signed_by("alice", "bob", "mallory", threshold=3)).rc == 1
    assert "mallory" in text(judge(attach_both, signed_by("alice", "bob", "mallory", threshold=3)))


def test_b15_one_of_several_is_enough_where_the_policy_says_no_more(judge, any_registry, repo):
    placed = place(any_registry, repo, "mixed")
    assert judge(placed, signed_by("alice", "bob")).rc == 0
    assert judge(placed, signed_by("alice", "bob", threshold=1)).rc == 0
    run = judge(placed, signed_by("bob", "mallory"))
    assert verdict(run) == (1, "signature.missing"), text(run)


def test_b15_a_required_signer_cannot_be_replaced(judge, any_registry, repo):
    placed = place(any_registry, repo, "cosign3")
    assert judge(placed, signed_by("alice", "bob", "mallory", threshold=2, required=["alice"])).rc == 0
    run = judge(placed, signed_by("alice", "bob", "mallory", threshold=2, required=["mallory"]))
    assert run.rc == 1 and "mallory" in run.json()["reasons"][0]["message"], text(run)


def test_b15_two_signatures_of_one_signer_are_one(judge, any_registry, repo, build_image, tmp_path):
    placed, key = push(any_registry, repo, build_image()), signing.Key()
    key.write(tmp_path, "mine")
    attach_signature(placed, key)
    attach_bundle(placed, signing.signature_bundle(placed.digest, key))
    named = {"mine": {"key": "mine.pub"}, "bob": {"key": "bob.pub"}}
    assert judge(placed, signed_by("mine", "bob"), signers=named).rc == 0
    assert judge(placed, signed_by("mine", "bob", threshold=2), signers=named).rc == 1


def test_b15_a_key_under_two_names_is_one_signer(judge, any_registry, repo, tmp_path):
    placed = place(any_registry, repo, "mixed")
    both = {"alice": {"key": "alice.pub"}, "alias": {"key": "alice.pub"}}
    run = judge(placed, signed_by("alice", "alias", threshold=2), signers=both)
    assert run.rc in (1, 3) and run.json().get("verdict") != "allow", text(run)


def test_a3_a_warning_warns(judge, any_registry, repo):
    placed = place(any_registry, repo, "unsigned")
    run = judge(placed, {**signed_by("alice"), "action": "warn"})
    assert (run.rc, run.json()["verdict"], codes(run.json())[0]) == (0, "warn", "signature.missing"), text(run)


def test_a5_a_warning_is_not_verified(verify, registry, repo, tmp_path):
    """`check` lets it pass where the policy says so; `verify` says 0 only of what was signed as asked."""
    shutil.copy(public_key("alice"), tmp_path)
    placed = place(registry, repo, "unsigned")
    warn = policy(tmp_path / "warn.yaml", {**signed_by("alice"), "action": "warn"}, signers={"alice": {"key": "alice.pub"}})
    run = verify(placed, "--policy", warn)
    assert (run.rc, run.json()["exitCode"]) == (1, 1), text(run)
    run = verify(place(registry, f"{repo}/signed", "cosign3"), "--policy", warn)
    assert run.rc == 0, text(run)


@pytest.mark.parametrize("broken", [
    signed_by("nobody"),
    signed_by("alice", threshold=2),
    signed_by("alice", threshold=0),
    signed_by("alice", required=["bob"]),
    signed_by(),
    {"signatures": {"of": ["alice"], "on": "everything"}},
])  # fmt: skip
def test_a5_a_rule_that_cannot_mean_anything_is_refused(judge, registry, repo, broken):
    run = judge(place(registry, repo, "cosign3"), broken)
    assert run.rc == 3, text(run)


# --- rotation and revocation -----------------------------------------------------------------------------------------


def test_b15_a_key_counts_only_in_its_time(judge, any_registry, repo):
    """No log and no timestamp proves when these were made, so the present counts."""
    placed = place(any_registry, repo, "cosign3")
    for settings, rc in [
        ({"notBefore": day(-1)}, 0),
        ({"notBefore": day(-1), "notAfter": day(1)}, 0),
        ({"notAfter": day(-1)}, 1),
        ({"notBefore": day(1)}, 1),
        ({"notBefore": "2026-01-01", "notAfter": day(300)}, 0),
    ]:
        run = judge(placed, signed_by("alice"), signers=signers(alice=settings))
        assert run.rc == rc, f"{settings}: {text(run)}"
        assert rc == 0 or "signature.window" in text(run)


def test_b15_keys_are_rotated_without_a_gap(judge, any_registry, repo):
    """The old key's images stay deployable until it ends; the new one's are from the start."""
    placed = place(any_registry, repo, "mixed")
    settings = {"alice": {"notAfter": day(1)}, "bob": {"notBefore": day(-1)}}
    assert judge(placed, signed_by("alice", "bob"), signers=signers(**settings)).rc == 0
    settings["alice"] = {"notAfter": day(-1)}
    run = judge(placed, signed_by("alice", "bob"), signers=signers(**settings))
    assert run.rc == 1, text(run)
    assert judge(place(any_registry, f"{repo}/new", "cosign3"), signed_by("alice", "bob"), signers=signers(**settings)).rc == 0


def test_b15_a_revoked_key_never_counts(judge, any_registry, repo):
    placed = place(any_registry, repo, "cosign3")
    for revoked in [True, {"at": day(-1)}, {"at": day(1)}]:
        run = judge(placed, signed_by("alice"), signers=signers(alice={"revoked": revoked}))
        # Without a proven time nobody can say that it was made before.
        assert run.rc == 1 and "signature.revoked" in text(run), f"{revoked}: {text(run)}"
    run = judge(placed, signed_by("alice", "bob"), signers=signers(alice={"revoked": True}))
    assert run.rc == 0, text(run)
    run = judge(placed, signed_by("alice", "bob", threshold=2), signers=signers(alice={"revoked": True}))
    assert run.rc == 1, text(run)


def test_b15_what_a_revoked_signer_attested_does_not_count_either(judge, any_registry, repo):
    placed = place(any_registry, repo, "cosign3")
    rule = {"attestations": {"type": TEST_RESULT, "signers": ["alice"]}}
    assert judge(placed, rule).rc == 0
    assert judge(placed, rule, signers=signers(alice={"revoked": True})).rc == 1
    assert judge(placed, rule, signers=signers(alice={"notAfter": day(-1)})).rc == 1


def test_s8_a_verdict_ends_with_the_key(mine):
    placed, key, judge = mine
    attach_signature(placed, key)
    end = day(2)
    record = judge(signed_by("us"), settings={"notAfter": end}).json()
    assert record["validUntil"] <= end, record


def test_b15_a_log_that_the_policy_asks_for(judge, any_registry, repo):
    placed = place(any_registry, repo, "cosign3")
    run = judge(placed, signed_by("alice"), signers=signers(alice={"transparencyLog": "required"}))
    assert run.rc == 1 and "signature.logMissing" in text(run), text(run)


# --- trust material --------------------------------------------------------------------------------------------------


def test_a4_trust_material_that_is_missing_is_no_missing_signature(judge, any_registry, repo, tmp_path):
    placed = place(any_registry, repo, "cosign3")
    run = judge(placed, signed_by("alice"), signers={"alice": {"key": "nowhere.pub"}})
    assert run.rc == 3 and "nowhere.pub" in text(run), text(run)
    run = judge(placed, signed_by("alice", "bob"), signers={**signers(), "bob": {"key": "nowhere.pub"}})
    assert run.rc in (0, 3), "alice alone is enough; what is not at hand may still be said"
    run = judge(placed, signed_by("alice", "bob", threshold=2), signers={**signers(), "bob": {"key": "nowhere.pub"}})
    assert run.rc == 3, text(run)
    keyless = {"ci": {"keyless": {"issuer": "https://issuer.example", "identity": "https://ci.example/**"}}}
    run = judge(placed, signed_by("ci"), signers=keyless, trust={"roots": ["nowhere.json"]})
    assert run.rc == 3 and "nowhere.json" in text(run), text(run)
    (tmp_path / "broken.json").write_text("{}")
    run = judge(placed, signed_by("ci"), signers=keyless, trust={"roots": ["broken.json"]})
    assert run.rc == 3, text(run)


def test_b15_a_key_needs_no_root_and_no_network(judge, any_registry, repo):
    """Air gap: nothing outside is asked although the policy leaves the roots at their default."""
    run = judge(place(any_registry, repo, "cosign3"), signed_by("alice"), arguments=["--timeout", "10s"])
    assert run.rc == 0, text(run)


def test_a4_a_registry_that_is_away_is_no_missing_signature(judge, registry):
    host = f"127.0.0.1:{free_port()}"
    away = signing.Placed(type(registry)(host, registry.log), "team/app", f"sha256:{'0' * 64}")
    run = judge(away, signed_by("alice"), arguments=["--timeout", "10s"])
    assert run.rc == 5, text(run)


def test_b15_signatures_in_another_repository_that_the_policy_names(judge, any_registry, repo):
    placed = place(any_registry, repo, "elsewhere")
    place(any_registry, f"{repo}/signatures", "elsewhere-signatures")
    trust = {"repositories": [f"{any_registry.host}/{repo}/signatures"]}
    assert judge(placed, signed_by("alice", "bob", threshold=2), trust=trust).rc == 0
    run = judge(placed, signed_by("alice", "bob", threshold=2))
    assert run.rc == 1, text(run)


def test_s22_a_key_inside_the_policy(judge, registry, repo):
    run = judge(place(registry, repo, "cosign3"), signed_by("alice"), signers={"alice": {"key": public_key("alice").read_text()}})
    assert run.rc == 0, text(run)


# --- an index --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scene", "on", "rc"), [
    ("index", "index", 0), ("index", None, 0), ("index", "platforms", 1), ("index", "all", 1),
    ("index-recursive", "index", 0), ("index-recursive", "platforms", 0), ("index-recursive", "all", 0), ("index-cosign2", "all", 0),
])  # fmt: skip
def test_b15_the_index_or_every_platform(judge, any_registry, repo, scene, on, rc):
    placed = place(any_registry, repo, scene)
    run = judge(placed, signed_by("alice", **({"on": on} if on else {})))
    assert run.rc == rc, text(run)
    if rc:
        assert "linux/arm64" in text(run)


def test_b15_a_platform_is_not_signed_because_its_index_is(judge, any_registry, repo):
    placed = place(any_registry, repo, "index")
    for child in expected()["scenes"]["index"]["platforms"].values():
        run = judge(signing.Placed(any_registry, repo, child), signed_by("alice"))
        assert run.rc == 1, text(run)


# --- attestations ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scene", ["cosign2", "cosign3"])
def test_b15_every_attestation_that_cosign_makes_is_found_by_its_type(judge, any_registry, repo, scene):
    placed = place(any_registry, repo, scene)
    for kind in [one["type"] for one in expected()["scenes"][scene]["statements"]]:
        run = judge(placed, {"attestations": {"type": kind, "signers": ["alice"]}})
        assert run.rc == 0, f"{kind}: {text(run)}"
        run = judge(placed, {"attestations": {"type": kind, "signers": ["bob"]}})
        assert verdict(run) == (1, "attestation.missing"), f"{kind}: {text(run)}"
    run = judge(placed, {"attestations": {"type": "https://example.org/nothing/v1", "signers": ["alice"]}})
    assert verdict(run) == (1, "attestation.missing"), text(run)


def test_s27_a_signature_is_no_attestation(judge, any_registry, repo):
    placed = place(any_registry, repo, "cosign3")
    run = judge(placed, {"attestations": {"type": signing.COSIGN_SIGN, "signers": ["bob"]}})
    assert run.rc in (1, 3), text(run)


PREDICATE = {"result": "PASSED", "count": 3, "score": 0.5, "nested": {"list": ["a", "b"]}, "finished": None, "branch": "release/1.2"}


@pytest.mark.parametrize(("condition", "rc"), [
    ({"path": "/result", "equals": "PASSED"}, 0),
    ({"path": "/result", "equals": "FAILED"}, 1),
    ({"path": "/result", "in": ["WARNED", "PASSED"]}, 0),
    ({"path": "/result", "in": ["WARNED"]}, 1),
    ({"path": "/branch", "matches": "release/*"}, 0),
    ({"path": "/branch", "matches": "main"}, 1),
    ({"path": "/nested/list/1", "equals": "b"}, 0),
    ({"path": "/nested/list/2", "exists": True}, 1),
    ({"path": "/nowhere", "equals": "PASSED"}, 1),
    ({"path": "/nowhere", "exists": True}, 1),
    ({"path": "/nested", "exists": True}, 0),
    ({"path": "/count", "atMost": 3}, 0),
    ({"path": "/count", "atMost": 2}, 1),
    ({"path": "/count", "atLeast": 3}, 0),
    ({"path": "/count", "atLeast": 4}, 1),
    ({"path": "/score", "atMost": 0.5}, 0),
    ({"path": "/result", "atMost": 10}, 1),
    ({"path": "/when", "notOlderThan": "7d"}, 0),
    ({"path": "/when", "notOlderThan": "1h"}, 1),
    ({"path": "/ahead", "notOlderThan": "7d"}, 1),
])  # fmt: skip
def test_b15_conditions_on_a_signed_predicate(mine, condition, rc):
    placed, key, judge = mine
    signing.attest(placed, key, TEST_RESULT, {**PREDICATE, "when": day(-2), "ahead": day(2)})
    run = judge({"attestations": {"type": TEST_RESULT, "signers": ["us"], "conditions": [condition]}})
    assert run.rc == rc, text(run)
    if rc:
        assert verdict(run) == (1, "attestation.condition") and condition["path"] in text(run)


def test_b15_conditions_hold_in_one_attestation_together(mine):
    """Half of one and half of another is nothing; a later one that holds is enough."""
    placed, key, judge = mine
    rule = {"attestations": {"type": TEST_RESULT, "signers": ["us"], "conditions": [{"path": "/a", "equals": "1"}, {"path": "/b", "equals": "1"}]}}
    signing.attest(placed, key, TEST_RESULT, {"a": "1", "b": "2"})
    signing.attest(placed, key, TEST_RESULT, {"a": "2", "b": "1"})
    assert judge(rule).rc == 1
    signing.attest(placed, key, TEST_RESULT, {"a": "1", "b": "1"})
    run = judge(rule)
    assert run.rc == 0, text(run)


def test_b15_a_statement_by_a_stranger_or_about_another_image_is_nothing(mine, build_image, any_registry, repo):
    placed, key, judge = mine
    rule = {"attestations": {"type": TEST_RESULT, "signers": ["us"], "conditions": [{"path": "/result", "equals": "PASSED"}]}}
    signing.attest(placed, signing.Key(), TEST_RESULT, PREDICATE)
    attach_bundle(placed, signing.bundle(signing.statement(f"sha256:{'1' * 64}", TEST_RESULT, PREDICATE), key), predicate_type=TEST_RESULT)
    run = judge(rule)
    assert verdict(run) == (1, "attestation.missing"), text(run)


def test_b15_the_annotation_of_the_type_proves_nothing(mine):
    """What the manifest says is the pusher's word; the statement says what it is."""
    placed, key, judge = mine
    attach_bundle(placed, signing.bundle(signing.statement(placed.digest, "https://example.org/other/v1", PREDICATE), key), predicate_type=TEST_RESULT)
    run = judge({"attestations": {"type": TEST_RESULT, "signers": ["us"]}})
    assert verdict(run) == (1, "attestation.missing"), text(run)
    attach_bundle(placed, signing.bundle(signing.statement(placed.digest, TEST_RESULT, PREDICATE), key), predicate_type="https://example.org/other/v1")
    assert judge({"attestations": {"type": TEST_RESULT, "signers": ["us"]}}).rc == 0
    attach_bundle(placed, signing.bundle(signing.statement(placed.digest, TEST_RESULT, {"key": 1}), key), predicate_type=signing.COSIGN_SIGN)
    assert judge(signed_by("us")).rc == 1, "an annotation makes no signature of it"


# --- provenance ------------------------------------------------------------------------------------------------------


V02 = {
    "builders": "https://builder.example/release@v1", "buildTypes": "https://builder.example/container/v1", "sources": "git.example/shop/api",
    "refs": "refs/heads/main", "workflows": ".ci/release.yml",
}  # fmt: skip
V1 = {
    "builders": "https://github.com/acme/builder/.github/workflows/build.yml@refs/tags/v1",
    "buildTypes": "https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1",
    "sources": "github.com/acme/app",
    "refs": "refs/heads/main",
    "commits": "8d5957b1e6ae0d2c6a5e0b4d4c83c6e5b1f0a7d3",
    "workflows": ".github/workflows/release.yml",
}
CODES = {
    "builders": "provenance.builder", "buildTypes": "provenance.buildType", "sources": "provenance.source", "refs": "provenance.ref",
    "commits": "provenance.commit", "workflows": "provenance.workflow",
}  # fmt: skip


def test_b15_provenance_says_where_the_image_came_from(judge, any_registry, repo):
    """This image has two, of SLSA v0.2 and v1, that say different things: one of them has to hold as a whole."""
    placed = place(any_registry, repo, "cosign3")
    whole = {field: [value] for field, value in V1.items()}
    assert judge(placed, {"provenance": {"signers": ["alice"], **whole}}).rc == 0
    assert judge(placed, {"provenance": {"signers": ["alice"], **{field: [value] for field, value in V02.items()}}}).rc == 0
    run = judge(placed, {"provenance": {"signers": ["bob"], **whole}})
    assert verdict(run) == (1, "provenance.missing"), text(run)
    run = judge(placed, {"provenance": {**whole}})
    assert run.rc == 0, "without signers: any that the policy defines"
    run = judge(placed, {"provenance": {"signers": ["alice"], "builders": [V1["builders"]], "sources": [V02["sources"]]}})
    assert run.rc == 1, "the builder of one and the source of the other is neither"


@pytest.mark.parametrize("field", sorted(V1))
def test_b15_near_misses_of_provenance(judge, any_registry, repo, field):
    placed = place(any_registry, repo, "attested")
    whole = {name: [value] for name, value in V1.items()}
    assert judge(placed, {"provenance": {"signers": ["alice"], **whole}}).rc == 0
    for miss in [V1[field] + "x", V1[field][:-1], "x" + V1[field], V1[field].upper()]:
        run = judge(placed, {"provenance": {"signers": ["alice"], **whole, field: [miss]}})
        assert verdict(run) == (1, CODES[field]), f"{miss}: {text(run)}"


@pytest.mark.parametrize(("builder", "rc"), [
    ("https://github.com/acme/builder/**", 0),
    ("https://github.com/acme/*", 1),
    ("https://github.com/acme/builder/.github/workflows/*@refs/tags/v1", 0),
    ("https://github.com/acme/builder/.github/workflows/*@refs/tags/v2", 1),
    ("github.com/acme/builder/.github/workflows/build.yml@refs/tags/v1", 1),
    ("https://github.com/acm?/builder/**", 1),
])  # fmt: skip
def test_b15_patterns_of_a_builder(judge, any_registry, repo, builder, rc):
    run = judge(place(any_registry, repo, "attested"), {"provenance": {"signers": ["alice"], "builders": [builder]}})
    assert run.rc == rc, text(run)


def test_b15_parameters_of_the_build(judge, any_registry, repo):
    placed = place(any_registry, repo, "attested")
    assert judge(placed, {"provenance": {"signers": ["alice"], "parameters": {"inputs/version": "1.2.*"}}}).rc == 0
    run = judge(placed, {"provenance": {"signers": ["alice"], "parameters": {"inputs/version": "2.*"}}})
    assert verdict(run) == (1, "provenance.parameters"), text(run)
    run = judge(placed, {"provenance": {"signers": ["alice"], "parameters": {"inputs/nothing": "*"}}})
    assert verdict(run) == (1, "provenance.parameters"), text(run)


def test_b15_provenance_that_says_nothing_satisfies_nothing(mine):
    placed, key, judge = mine
    rule = {"provenance": {"signers": ["us"], "sources": ["github.com/acme/app"]}}
    run = judge(rule)
    assert verdict(run) == (1, "provenance.missing"), text(run)
    signing.attest(placed, key, SLSA_V1, {})
    run = judge(rule)
    assert run.rc in (1, 2), text(run)
    build = {"buildDefinition": {"buildType": "https://example.org/unheard-of/v1", "externalParameters": {"source": "github.com/acme/app"}, "resolvedDependencies": []},
             "runDetails": {"builder": {"id": "https://builder.example"}}}  # fmt: skip
    signing.attest(placed, key, SLSA_V1, build)
    run = judge(rule)
    assert run.rc in (1, 2), "a source in a form that nobody knows is no source"


# --- evidence by signers ---------------------------------------------------------------------------------------------


VULN = "https://cosign.sigstore.dev/attestation/vuln/v1"


def scanned(report: dict) -> dict:
    """A report as cosign's vulnerability predicate carries it."""
    return {
        "invocation": {"parameters": None, "uri": "", "event_id": "", "builder.id": ""},
        "scanner": {"uri": "pkg:github/aquasecurity/trivy@0.67.2", "version": "0.67.2", "db": {"uri": "", "version": ""}, "result": report},
        "metadata": {"scanStartedOn": reports.stamp(120), "scanFinishedOn": reports.stamp(60)},
    }


def test_s22_a_scan_counts_by_whoever_signed_it(mine, build_image):
    placed, key, judge = mine
    image = build_image()
    assert image.digest == placed.digest
    rule = vulnerabilities(["us"])
    run = judge(rule)
    assert run.rc in (3, 4) and run.json()["verdict"] != "allow", text(run)
    signing.attest(placed, signing.Key(), VULN, scanned(reports.trivy(image, LOW)))
    run = judge(rule)
    assert run.rc in (3, 4) and run.json()["verdict"] != "allow", text(run)
    signing.attest(placed, key, VULN, scanned(reports.trivy(image, LOW)))
    run = judge(rule)
    assert run.rc == 0, text(run)
    signing.attest(placed, key, VULN, scanned(reports.trivy(image, HIGH)))
    run = judge(rule)
    assert run.rc == 1, text(run)


def test_s24_a_signed_vex_document_is_applied_and_an_unsigned_one_is_not(mine, build_image, tmp_path):
    placed, key, judge = mine
    image = build_image()
    report = ["--report", reports.write(tmp_path / "trivy.json", reports.trivy(image, HIGH))]
    rule = vulnerabilities(vex={"from": ["us"], "authors": ["Us"]})
    document = openvex("Us", HIGH.id, HIGH.purl)
    assert judge(rule, arguments=report).rc == 1
    placed.registry.attach(placed.name, image, "application/openvex+json", json.dumps(document).encode())
    signing.attest(placed, signing.Key(), "https://openvex.dev/ns", document)
    run = judge(rule, arguments=report)
    assert run.rc == 1, text(run)
    signing.attest(placed, key, "https://openvex.dev/ns", document)
    run = judge(rule, arguments=report)
    assert run.rc == 0, text(run)
    run = judge(rule, arguments=report, settings={"revoked": True})
    assert run.rc == 1, text(run)


@pytest.mark.parametrize("scene", ["cosign2", "cosign3"])
def test_s22_a_bill_of_materials_counts_by_whoever_signed_it(judge, any_registry, repo, scene):
    placed = place(any_registry, repo, scene)
    for name, rc in [("alice", 0), ("bob", 1)]:
        run = judge(placed, {"sbom": {"from": [name], "mustMatch": "osPackages"}})
        assert run.rc == rc, text(run)
    run = judge(placed, {"sbom": {"from": ["alice"]}}, signers=signers(alice={"revoked": True}))
    assert run.rc == 1, text(run)


def test_s22_a_source_that_is_no_signer_is_refused(judge, registry, repo):
    run = judge(place(registry, repo, "cosign3"), {"sbom": {"from": ["nobody"]}})
    assert run.rc == 3, text(run)
