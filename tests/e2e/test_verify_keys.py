"""`ecr-gate verify` by key, on images that the real cosign 2 and 3 signed, in a registry without the referrers API and in one with it."""

from __future__ import annotations

import json

import pytest
import signing
from registries import faulty, free_port, skopeo
from signing import attach_bundle, attach_signature, attach_tagged, expected, place, public_key, push, refusals, signature_layer

SCENES = sorted(expected()["scenes"])
COSIGN_SCENES = [scene for scene in SCENES if not scene.startswith("notation")]
# Both sign with these, and we verify neither (S28): unsupported, never absent, never valid.
UNSUPPORTED_KEYS = {"p521"}


def keys(*names: str) -> list[str]:
    return [argument for name in names for argument in ("--key", str(public_key(name)))]


def signers(scene: str) -> set[str]:
    """Who signed the image of this scene, so that a signature alone says so."""
    told = expected()["scenes"][scene]
    return {one["signer"] for one in told["signatures"] if one["digest"] == told["digest"]} - UNSUPPORTED_KEYS if scene in COSIGN_SCENES else set()


# --- what real tools signed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scene", SCENES)
def test_b15_whoever_signed_is_believed_and_nobody_else(verify, any_registry, repo, scene):
    """Every scene with every key: a signature in another repository counts only where that is named, an attestation is no signature."""
    placed = place(any_registry, repo, scene)
    at_home = set() if scene == "elsewhere" else signers(scene)
    for name in ["alice", "bob", "mallory"]:
        run = verify(placed, *keys(name))
        assert run.rc == (0 if name in at_home else 1), f"{name}: {run.stdout}{run.stderr}"
        assert run.json()["image"]["digest"] == placed.digest
        assert run.json()["exitCode"] == run.rc


@pytest.mark.parametrize("scene", ["keys-cosign2", "keys-cosign3"])
@pytest.mark.parametrize("name", ["p384", "p521", "rsa2048", "rsa4096"])
def test_s28_keys_of_every_kind_that_cosign_signs_with(verify, any_registry, repo, scene, name):
    placed = place(any_registry, repo, scene)
    run = verify(placed, *keys(name))
    if name in UNSUPPORTED_KEYS:
        assert run.rc not in (0, 5), run.stdout + run.stderr
        assert "unsupported" in (run.stdout + run.stderr).lower() or "P-521" in run.stdout + run.stderr
    else:
        assert run.rc == 0, run.stdout + run.stderr


def test_b15_what_is_found_is_told_apart(verify, any_registry, repo):
    for scene, formats in {"cosign2": {"cosignSignature", "dsseEnvelope"}, "cosign3": {"bundle"}}.items():
        placed = place(any_registry, f"{repo}/{scene}", scene)
        record = verify(placed, *keys("alice"), *keys("bob")).json()
        told = expected()["scenes"][scene]
        assert {one["format"] for one in record["found"]} == formats
        assert all(one["verified"] for one in record["found"]), json.dumps(record["found"], indent=1)
        kinds = [one["content"]["kind"] for one in record["found"]]
        assert (kinds.count("signature"), kinds.count("statement")) == (len(told["signatures"]), len(told["statements"]))
        types = {one["content"].get("predicateType") for one in record["found"] if one["content"]["kind"] == "statement"}
        assert types == {one["type"] for one in told["statements"]}
        keys_found = {one["signer"]["key"] for one in record["found"]}
        assert keys_found == {expected()["keys"][name] for name in ["alice", "bob"]}


@pytest.mark.parametrize("scene", ["attested", "mixed"])
def test_s27_an_attestation_is_no_signature(verify, any_registry, repo, scene):
    """cosign 3 takes the attestation for a signature, and in the image with both it does not see the signature of cosign 2 (mixed, alice)."""
    placed = place(any_registry, repo, scene)
    attesting = {one["signer"] for one in expected()["scenes"][scene]["statements"]} - signers(scene)
    for name in attesting:
        run = verify(placed, *keys(name))
        assert run.rc == 1 and "signature.missing" in refusals(run.json()), run.stdout + run.stderr
        assert any(one["verified"] and one["content"]["kind"] == "statement" for one in run.json()["found"])


@pytest.mark.parametrize("said", [said for said in expected()["cosign"] if said["command"] == "verify"], ids=lambda said: "-".join(
    [said["tool"], said["scene"], said["key"], *(["elsewhere"] if "repository" in said else [])]))  # fmt: skip
def test_b15_never_green_where_cosign_refused(verify, registry, repo, said):
    """What cosign said when the scenes were made. Where it decided nothing there is nothing to compare."""
    placed = place(registry, repo, said["scene"])
    elsewhere = []
    if "repository" in said:
        place(registry, f"{repo}/elsewhere", said["repository"])
        elsewhere = ["--signature-repository", f"{registry.host}/{repo}/elsewhere"]
    run = verify(placed, *keys(said["key"]), *elsewhere)
    assert run.rc in (0, 1) or said["key"] in UNSUPPORTED_KEYS, run.stdout + run.stderr
    # One tool looks at one format; what it does not see there the other may have verified.
    others = [one for one in expected()["cosign"] if all(one.get(key) == said.get(key) for key in ("scene", "key", "command", "repository"))]
    hidden = said["scene"] == "mixed" and said["key"] == "alice"  # by an attestation of cosign 3
    if run.rc == 0 and not hidden:
        assert any(one.get("accepts") for one in others), run.stdout
    taken_for_a_signature = said["scene"] in ("attested", "mixed")
    if said.get("accepts") and not taken_for_a_signature and said["key"] not in UNSUPPORTED_KEYS:
        assert run.rc == 0, run.stdout + run.stderr


# --- who has to have signed ------------------------------------------------------------------------------------------


def test_b15_every_key_has_to_have_signed_unless_any_will_do(verify, any_registry, repo):
    placed = place(any_registry, repo, "cosign3")
    assert verify(placed, *keys("alice", "bob")).rc == 0
    run = verify(placed, *keys("alice", "mallory"))
    assert run.rc == 1, run.stdout + run.stderr
    assert verify(placed, *keys("alice", "mallory"), "--any-signer").rc == 0
    assert verify(placed, *keys("mallory"), "--any-signer").rc == 1


def test_b15_a_tag_is_verified_by_what_it_stands_for(gate, any_registry, repo):
    placed = place(any_registry, repo, "cosign3")
    other = place(any_registry, repo, "unsigned")  # takes the tag over
    run = gate("verify", placed.tagged, *keys("alice"), *any_registry.flags, "-o", "json")
    assert (run.rc, run.json()["image"]["digest"]) == (1, other.digest), run.stdout + run.stderr
    run = gate("verify", placed.reference, *keys("alice"), *any_registry.flags, "-o", "json")
    assert run.rc == 0, run.stdout + run.stderr


def test_b15_nobody_to_believe_is_a_usage_error(verify, registry, repo):
    placed = place(registry, repo, "cosign3")
    run = verify(placed, output="")
    assert run.rc in (3, 64), run.stdout + run.stderr
    assert "--key" in run.stderr


@pytest.mark.parametrize("content", ["", "no key", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_a4_a_key_that_cannot_be_read_is_an_error_and_no_refusal(verify, registry, repo, tmp_path, content):
    placed = place(registry, repo, "cosign3")
    (tmp_path / "key.pub").write_text(content)
    run = verify(placed, "--key", "key.pub")
    assert run.rc == 3, run.stdout + run.stderr
    run = verify(placed, "--key", "nowhere.pub")
    assert run.rc == 3 and "nowhere.pub" in run.stdout + run.stderr, run.stdout + run.stderr
    # One that signed does not make up for one that is not at hand.
    run = verify(placed, *keys("alice"), "--key", "nowhere.pub")
    assert run.rc == 3, run.stdout + run.stderr


def test_b15_a_log_that_is_asked_for_is_missed(verify, any_registry, repo):
    placed = place(any_registry, repo, "cosign3")
    run = verify(placed, *keys("alice"), "--transparency-log")
    assert run.rc == 1 and "signature.logMissing" in refusals(run.json()), run.stdout + run.stderr


# --- other repositories ----------------------------------------------------------------------------------------------


def test_b15_signatures_in_another_repository(verify, any_registry, repo):
    """As COSIGN_REPOSITORY puts them; kept in the other repository alone."""
    placed = place(any_registry, repo, "elsewhere")
    place(any_registry, f"{repo}/signatures", "elsewhere-signatures")
    elsewhere = ["--signature-repository", f"{any_registry.host}/{repo}/signatures"]
    for name, rc in {"alice": 0, "bob": 0, "mallory": 1}.items():
        run = verify(placed, *keys(name), *elsewhere)
        assert run.rc == rc, f"{name}: {run.stdout}{run.stderr}"
        run = verify(placed, *keys(name))
        assert run.rc == 1, f"{name}: {run.stdout}{run.stderr}"
    found = verify(placed, *keys("alice"), *elsewhere).json()["found"]
    assert all(f"{repo}/signatures" in one["place"] for one in found), found


def test_b15_another_repository_that_is_not_there_hides_nothing(verify, any_registry, repo):
    placed = place(any_registry, repo, "cosign3")
    away = ["--signature-repository", f"{any_registry.host}/{repo}/nowhere"]
    assert verify(placed, *keys("alice"), *away).rc == 0, "a repository without anything has no signatures; those at home count"
    run = verify(placed, *keys("mallory"), *away)
    assert run.rc == 1, run.stdout + run.stderr


# --- signatures in the wrong place -----------------------------------------------------------------------------------


@pytest.fixture
def pair(any_registry, repo, build_image):
    """An image that somebody signed, and another one beside it; the key and the two."""
    key = signing.Key()
    return key, push(any_registry, repo, build_image()), push(any_registry, repo, build_image({"other": "content"}))


def test_b15_a_signature_tag_that_is_moved_to_another_image(verify, pair, tmp_path):
    key, signed, other = pair
    public = key.write(tmp_path, "key")
    attach_signature(signed, key)
    assert verify(signed, "--key", public).rc == 0
    attach_signature(other, key, signing.simple_signing(signed.digest))
    run = verify(other, "--key", public)
    assert run.rc == 1 and "signature.otherImage" in refusals(run.json()), run.stdout + run.stderr


@pytest.mark.parametrize("listed", ["as its own", "with the other subject"])
def test_b15_a_bundle_that_is_moved_to_another_image(verify, pair, tmp_path, listed):
    key, signed, other = pair
    public = key.write(tmp_path, "key")
    bundle = signing.signature_bundle(signed.digest, key)
    attach_bundle(signed, bundle)
    assert verify(signed, "--key", public).rc == 0
    attach_bundle(other, bundle, subject=None if listed == "as its own" else signed.digest)
    run = verify(other, "--key", public)
    assert run.rc not in (0, 5), run.stdout + run.stderr
    if listed == "as its own":
        assert run.rc == 1 and "signature.otherImage" in refusals(run.json()), run.stdout + run.stderr


def test_b15_a_missing_signature_says_so(verify, any_registry, repo):
    run = verify(place(any_registry, repo, "unsigned"), *keys("alice"))
    record = run.json()
    assert run.rc == 1 and record["found"] == [] and record["verdict"] == "deny", run.stdout + run.stderr
    assert refusals(record) == {"signature.missing"}


def test_s27_garbage_beside_a_signature_takes_nothing_away(verify, pair, tmp_path):
    """Whoever can push could otherwise deny everything; but it is shown."""
    key, signed, _ = pair
    public = key.write(tmp_path, "key")
    attach_bundle(signed, b"{")
    attach_bundle(signed, {"mediaType": signing.BUNDLE})
    attach_bundle(signed, signing.signature_bundle(signed.digest, signing.Key()))
    run = verify(signed, "--key", public)
    assert run.rc == 1 and {"signature.malformed", "signature.missing"} <= refusals(run.json()), run.stdout + run.stderr
    attach_bundle(signed, signing.signature_bundle(signed.digest, key))
    run = verify(signed, "--key", public)
    assert run.rc == 0, run.stdout + run.stderr
    assert [one["verified"] for one in run.json()["found"]].count(True) == 1 and len(run.json()["found"]) == 4


def test_b15_one_good_layer_among_bad_ones_counts(verify, pair, tmp_path):
    key, signed, _ = pair
    public = key.write(tmp_path, "key")
    payload = signing.simple_signing(signed.digest)
    bad = [signature_layer(payload, b"no signature"), signature_layer(b"{}", key.sign(b"{}")), signature_layer(payload, signing.Key().sign(payload))]
    attach_tagged(signed, ".sig", bad)
    run = verify(signed, "--key", public)
    assert run.rc == 1, run.stdout + run.stderr
    attach_tagged(signed, ".sig", [*bad, signature_layer(payload, key.sign(payload))])
    assert verify(signed, "--key", public).rc == 0


def test_s28_a_format_that_nobody_knows_is_unsupported_and_not_absent(verify, pair, tmp_path):
    key, signed, _ = pair
    public = key.write(tmp_path, "key")
    attach_bundle(signed, {**signing.signature_bundle(signed.digest, key), "mediaType": "application/vnd.dev.sigstore.bundle.v9+json"})
    run = verify(signed, "--key", public)
    assert run.rc == 1 and "signature.unsupported" in refusals(run.json()), run.stdout + run.stderr
    [found] = run.json()["found"]
    assert found["verified"] is False


# --- statements ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [said for said in expected()["cosign"] if said["command"] == "verify-attestation"], ids=lambda said: "-".join(
    [said["tool"], said["key"], said["type"].rsplit("/", 2)[-2]]))  # fmt: skip
def test_b15_a_statement_is_verified_where_cosign_verified_it(verify, registry, repo, said):
    run = verify(place(registry, repo, said["scene"]), *keys(said["key"]), "--type", said["type"])
    assert run.rc == (0 if said["accepts"] else 1), run.stdout + run.stderr


# --- what cannot be had ----------------------------------------------------------------------------------------------


def test_a4_a_registry_that_is_away_is_neither_yes_nor_no(gate):
    host = f"127.0.0.1:{free_port()}"
    run = gate("verify", f"{host}/team/app@sha256:{'0' * 64}", *keys("alice"), "--insecure-registry", host, "-o", "json")
    assert run.rc == 5, run.stdout + run.stderr


def test_a4_an_image_that_is_not_there_is_an_error(gate, registry, repo):
    for reference in [f"{registry.host}/{repo}:1", f"{registry.host}/{repo}@sha256:{'0' * 64}"]:
        run = gate("verify", reference, *keys("alice"), *registry.flags, "-o", "json")
        assert run.rc == 3, run.stdout + run.stderr


def test_a4_a_registry_that_wants_a_login_is_an_error(gate, registry_auth, repo, build_image):
    reference = registry_auth.push(build_image(), f"{repo}:1")
    run = gate("verify", reference, *keys("alice"), *registry_auth.flags, "-o", "json")
    assert run.rc == 3, run.stdout + run.stderr


@pytest.mark.parametrize(("scene", "what"), [("cosign2", "blobs"), ("cosign3", "manifests"), ("cosign3", "blobs")])
def test_s25_a_signature_that_the_registry_lost_is_told(verify, registry, repo, scene, what):
    """It is listed, and not there: never a pass, and people are told what was lost."""
    placed = place(registry, repo, scene)
    tag = placed.digest.replace(":", "-")
    listed = placed.repository.manifest(f"{tag}.sig") if scene == "cosign2" else placed.repository.manifest(tag)
    digests = [one["digest"] for one in (listed["layers"] if scene == "cosign2" else listed["manifests"])]
    if scene == "cosign3" and what == "blobs":
        digests = [layer["digest"] for digest in digests for layer in placed.repository.manifest(digest)["layers"]]
    files = [file for digest in digests for file in (registry.log.parent / "data").rglob(f"sha256/{digest[7:9]}/{digest[7:]}/data")]
    assert len(files) == len(set(digests))
    for file in files:
        file.unlink()
    try:
        run = verify(placed, *keys("alice"))
        told = {reason["code"] for reason in run.json()["reasons"]} | {one["code"] for one in run.json()["unavailable"]}
        assert run.json()["verdict"] == "deny" and "registry.notFound" in told, run.stdout + run.stderr
        assert run.rc not in ((0, 1) if what == "manifests" else (0,)), run.stdout + run.stderr
    finally:
        place(registry, repo, scene)


@pytest.mark.parametrize(("scene", "part", "status"), [
    ("cosign2", "/blobs/", 503), ("cosign2", ".sig", 503), ("cosign3", "/blobs/", 503), ("cosign3", "/manifests/sha256-", 503),
    ("unsigned", ".sig", 503), ("unsigned", "/referrers/", 503), ("cosign3", "/blobs/", 500), ("cosign3", "/blobs/", 429),
])  # fmt: skip
def test_s25_a_registry_that_fails_half_way_is_neither_yes_nor_no(verify, registry, repo, scene, part, status):
    """Whatever it would have said is not known: 4 or 5, and never that a signature is missing."""
    placed = place(registry, repo, scene)
    with faulty(registry, part, status) as broken:
        run = verify(signing.Placed(broken, repo, placed.digest), *keys("alice"), "--timeout", "8s")
        assert run.rc in (4, 5), run.stdout + run.stderr


@pytest.mark.parametrize("status", [401, 403])
def test_s25_signatures_that_nobody_may_read_are_not_absent(verify, registry, repo, status):
    placed = place(registry, repo, "cosign3")
    for part in ["/manifests/sha256-", "/blobs/"]:
        with faulty(registry, part, status) as closed:
            run = verify(signing.Placed(closed, repo, placed.digest), *keys("alice"))
            assert run.rc == 3, f"{part}: {run.stdout}{run.stderr}"


def test_s25_a_list_of_referrers_that_is_no_list_is_not_absent(verify, registry, repo, build_image):
    """Under the fallback tag stands an image: whatever was listed there is not known."""
    placed = place(registry, repo, "unsigned")
    registry.push(build_image({"other": "content"}), f"{repo}:{placed.digest.replace(':', '-')}")
    run = verify(placed, *keys("alice"))
    assert run.rc not in (0, 1), run.stdout + run.stderr


# --- an index --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scene", ["index", "index-recursive", "index-cosign2"])
def test_b15_the_digest_that_is_asked_is_the_one_that_has_to_be_signed(gate, any_registry, repo, scene):
    placed = place(any_registry, repo, scene)
    for digest, signed in [(placed.digest, True), *((child, scene != "index") for child in expected()["scenes"][scene]["platforms"].values())]:
        run = gate("verify", f"{any_registry.host}/{repo}@{digest}", *keys("alice"), *any_registry.flags, "-o", "json")
        assert run.rc == (0 if signed else 1), run.stdout + run.stderr


def test_b15_an_image_of_dockers_format_is_signed_like_any_other(verify, any_registry, repo, build_image, tmp_path):
    image = build_image()
    skopeo("copy", "--format", "v2s2", *any_registry.skopeo_flags("dest-"), image.oci, f"docker://{any_registry.host}/{repo}:1")
    placed = signing.Placed(any_registry, repo, any_registry.digest(f"{any_registry.host}/{repo}:1"))
    assert placed.digest != image.digest
    key = signing.Key()
    attach_signature(placed, key)
    run = verify(placed, "--key", key.write(tmp_path, "key"))
    assert run.rc == 0, run.stdout + run.stderr


# --- words -----------------------------------------------------------------------------------------------------------


def test_b2_the_record_has_one_shape(verify, any_registry, repo):
    record = verify(place(any_registry, repo, "cosign3"), *keys("alice")).json()
    assert record["schema"] == "ecr-gate.dev/verify/v1"
    assert {"image", "verdict", "exitCode", "found", "rules"} <= record.keys()
    assert (record["verdict"], record["exitCode"]) == ("allow", 0)
    assert {"reference", "digest"} <= record["image"].keys()
    for one in record["found"]:
        assert {"subject", "format", "manifest", "envelope", "place", "verified", "content", "provenance", "reasons"} <= one.keys(), one
        assert all(one[digest].startswith("sha256:") for digest in ("subject", "manifest", "envelope"))
        proof = {"signer", "proven", "log", "window", "claimed", "expires", "notes"}
        assert proof <= one.keys() if one["verified"] else one["reasons"], one
    refused = verify(place(any_registry, repo, "cosign3"), *keys("mallory")).json()
    assert refused["verdict"] == "deny"
    for reasons in [rule["reasons"] for rule in refused["rules"]]:
        assert all({"code", "message", "remedy"} <= reason.keys() for reason in reasons)


def test_b2_people_are_told_who_signed(verify, registry, repo):
    placed = place(registry, repo, "cosign3")
    for env in [{}, {"NO_COLOR": "1"}]:
        run = verify(placed, *keys("alice"), output="table", env=env)
        assert run.rc == 0 and placed.digest in run.stdout, run.stdout + run.stderr
        assert "\x1b" not in run.stdout + run.stderr, "no terminal, no colour"
    run = verify(placed, *keys("mallory"), output="")
    assert run.rc == 1 and "signature.missing" in run.stdout + run.stderr, run.stdout + run.stderr


def test_b2_the_help_names_every_way_to_say_who(gate):
    run = gate("verify", "--help")
    assert run.rc == 0 and run.stderr == ""
    for flag in ["--key", "--certificate-identity", "--certificate-oidc-issuer", "--trusted-root", "--notation-trust-policy", "--signature-repository", "--policy"]:
        assert flag in run.stdout, flag
    assert gate("verify").rc == 64
    assert gate("verify", "registry.example/app:1", "--no-such-flag").rc == 64
