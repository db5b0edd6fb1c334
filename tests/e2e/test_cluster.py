"""The gate in front of a real cluster, from `kubectl apply` to the event of a controller: what starts, what does not, and what is said about it."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import time
from collections.abc import Iterator

import pytest
import reports
from gated import OWN, Gate, Gates, Shelved, events, has_pods, image_of, person_token, pods, review
from kubernetes import Cluster, pod, pod_spec, settle, workload
from services import until

pytestmark = [pytest.mark.kubernetes, pytest.mark.helm, pytest.mark.timeout(300)]
KINDS = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicationController")
GRACE_S = 10
"""`grandfathering` in staging, as `gated.usual` says it."""
ON_CALL = {"breakGlass": {"groups": ["break-glass"], "longest": "4h"}}


@pytest.fixture(scope="module")
def gated(gates: Gates) -> Iterator[Gate]:
    """The gate of most tests, asked by the API server."""
    with gates(admission=ON_CALL).start().webhooks() as gate:
        yield gate


@pytest.fixture
def team(cluster: Cluster, gated: Gate) -> Iterator[str]:
    """A namespace in production."""
    with cluster.namespace("team") as name:
        yield name


@pytest.fixture
def good(gates: Gates, gated: Gate) -> Shelved:
    return gated.scanned(gates.shelf.image())


@pytest.fixture
def bad(gates: Gates, gated: Gate) -> Shelved:
    return gated.scanned(gates.shelf.image(), reports.CRITICAL)


def annotated(cluster: Cluster, key: str, **said: str) -> str:
    """What the API server's own audit log says about the last write of an object."""
    line = until("the API server's audit log has it", lambda: [one for one in cluster.audit(**said) if one["verb"] in ("create", "patch", "update")])[-1]
    return line["annotations"].get(f"other.validate.ecr-gate.dev/{key}", "")


def test_d1_an_image_with_a_critical_finding_that_is_deployed_at_once_is_denied_and_starts_by_an_exception(
    cluster, gated, bad, team, gate, verify_export
):
    deployment = workload("Deployment", "web", team, bad.tagged)
    denied = cluster.apply(deployment, pod("web", team, bad.tagged), user="developer", check=False)
    assert denied.returncode == 1
    of_deployment, of_pod = denied.stderr.split("Error from server (Forbidden): ")[1:]
    for said, image in ((of_deployment, bad.tagged), (of_pod, bad.both)):
        for words in ('webhook "other.validate.ecr-gate.dev" denied the request: ecr-gate: policy', f"c0: {image} in production",
                      "vuln.maxExceeded: 1 CRITICAL finding; the policy allows 0 (production/r1)",
                      "CVE-2024-3094 in xz-utils 5.6.0-0.2: CRITICAL, CVSS 10.0, fixed in 5.6.1+really5.4.5-1", "ecr-gate exception request "):  # fmt: skip
            assert words in said, said
    decision = re.search(r"decision (\S+)", of_pod)[1]
    entries = until("the audit log shows it", lambda: [one for one in gated.exported() if one["id"] == decision])
    assert bad.digest in json.dumps(entries) and "vuln.maxExceeded" in json.dumps(entries)
    assert annotated(cluster, "decisions", resource="pods", namespace=team, name="web") == decision
    record = gated.service.get(f"/api/v1/decisions/{decision}").json()
    assert (record["verdict"], record["answer"]["askedBy"]) == ("deny", "kubernetes:developer")

    # What the denial says is typed as it stands; somebody else approves.
    command = shlex.split(re.search(r"ecr-gate (exception request .*)", of_pod)[1].replace("…", "no sshd in it"))
    env = {"ECR_GATE_SERVER": gated.service.url, "ECR_GATE_TOKEN": person_token("dora")}
    asked = gate(*command, env=env)
    assert asked.rc == 0, asked.stdout + asked.stderr
    assert cluster.apply(deployment, user="developer", check=False).returncode == 1, "it was asked for, and no more"
    [exception] = gated.service.get("/api/v1/exceptions").json()["exceptions"]
    approved = gate("exception", "approve", exception["id"], "--revision", str(exception["revision"]), "--reason", "looked at", env={**env, "ECR_GATE_TOKEN": person_token("ada")})
    assert approved.rc == 0, approved.stdout + approved.stderr
    cluster.apply(deployment, user="developer")
    [made] = has_pods(cluster, team, "web")
    assert image_of(made) == bad.both
    verify_export(gated.service.export(), gated.service.vkey())


def test_d1_the_event_of_the_controller_says_why_there_is_no_pod(cluster, gated, good, team):
    cluster.apply(workload("Deployment", "web", team, good.tagged, replicas=0), user="developer")
    gated.deny(good)
    cluster.kubectl("scale", "deployment/web", "-n", team, "--replicas=1", user="developer")
    [said, *_] = events(cluster, team)
    assert 'denied the request: ecr-gate: policy' in said and f"c0: {good.both} in production" in said and "deny.listed" in said, said


def test_b9_every_kind_and_every_place_of_an_image_is_judged(cluster, gated, good, bad, team):
    denied = cluster.apply(*(workload(kind, f"bad-{kind.lower()}", team, bad.tagged) for kind in KINDS), user="developer", check=False)
    assert denied.stderr.count("denied the request: ecr-gate: policy") == len(KINDS), denied.stderr
    cluster.apply(*(workload(kind, kind.lower(), team, good.tagged) for kind in KINDS), user="developer")
    cluster.kubectl("create", "job", "--from=cronjob/cronjob", "by-hand", "-n", team, user="developer")
    # A DaemonSet has no node here to run on.
    for app in ("deployment", "replicaset", "statefulset", "job", "replicationcontroller"):
        assert [image_of(one) for one in has_pods(cluster, team, app)] == [good.both], app
    until("the pod of a CronJob's Job", lambda: cluster.get("pods", "-n", team, "-l", "job-name=by-hand")["items"])

    volume = {"name": "model", "image": {"reference": bad.tagged}}
    more = {"init": {"initContainers": [{"name": "first", "image": bad.pinned}]}, "volume": {"volumes": [volume]}}
    for name, spec in more.items():
        denied = cluster.apply(pod(name, team, good.tagged, **spec), user="developer", check=False)
        assert denied.returncode == 1 and "1 of 2 images may not run" in denied.stderr and bad.digest in denied.stderr, denied.stderr
    cluster.apply(pod("app", team, good.tagged, initContainers=[{"name": "first", "image": good.pinned}]), user="developer")
    debug = ("debug", "app", "-n", team, "--profile=general")
    denied = cluster.kubectl(*debug, f"--image={bad.tagged}", user="developer", check=False)
    assert denied.returncode == 1 and "vuln.maxExceeded" in denied.stderr, denied.stderr
    cluster.kubectl(*debug, f"--image={good.tagged}", user="developer")
    assert [one["image"] for one in cluster.get("pod", "app", "-n", team)["spec"]["ephemeralContainers"]] == [good.both]


def test_d2_what_runs_can_be_labelled_scaled_and_deleted_and_gets_no_other_image(cluster, gated, good, bad, team):
    objects = [workload(kind, kind.lower(), team, good.tagged) for kind in ("Deployment", "StatefulSet")] + [pod("app", team, good.tagged)]
    cluster.apply(*objects, user="developer")
    for app in ("deployment", "statefulset"):
        has_pods(cluster, team, app)
    gated.deny(good)
    names = ("deployment/deployment", "statefulset/statefulset", "pod/app")
    cluster.kubectl("label", *names, "-n", team, "team=a", user="developer")
    cluster.kubectl("annotate", *names, "-n", team, "note=b", user="developer")
    cluster.kubectl("scale", *names[:2], "-n", team, "--replicas=2", user="developer")
    assert "deny.listed" in events(cluster, team)[0]
    cluster.kubectl("rollout", "restart", names[0], "-n", team, user="developer")
    for name in names:
        denied = cluster.kubectl("set", "image", name, "-n", team, f"c0={bad.pinned}", user="developer", check=False)
        assert denied.returncode == 1 and "vuln.maxExceeded" in denied.stderr, (name, denied.stderr)
    assert cluster.apply(*objects, user="developer").returncode == 0, "nothing is new in it"
    cluster.kubectl("scale", *names[:2], "-n", team, "--replicas=0", user="developer")
    until("it is scaled down", lambda: not pods(cluster, team, "deployment") and not pods(cluster, team, "statefulset"))
    cluster.kubectl("delete", *names, "-n", team, "--wait=false", user="developer")


def test_s38_pods_get_the_digest_that_was_judged_and_what_is_known_about_it(cluster, gates, gated, team):
    image = gated.scanned(gates.shelf.image("release"))
    gated.service.decided(image.pinned, commit="c0ffee", pipeline="4711", point="ci")
    deployment = workload("Deployment", "web", team, image.tagged)
    cluster.apply(deployment, user="developer")
    [made] = has_pods(cluster, team, "web")
    assert image_of(made) == image.both
    kept = cluster.get("deployment", "web", "-n", team)
    assert kept["spec"]["template"]["spec"]["containers"][0]["image"] == image.tagged, "as it is in Git"
    said = made["metadata"]["annotations"]
    assert (said["ecr-gate.dev/digest"], said["ecr-gate.dev/commit"], said["ecr-gate.dev/pipeline"]) == (image.digest, "c0ffee", "4711")
    record = gated.service.get(f"/api/v1/decisions/{said['ecr-gate.dev/decision']}").json()
    assert record["verdict"] == "allow" and image.digest in json.dumps(record)
    cluster.apply(deployment, user="developer")
    assert cluster.get("deployment", "web", "-n", team)["metadata"]["generation"] == kept["metadata"]["generation"]

    # F7: the tag is another image meanwhile.
    moved = gated.scanned(gates.shelf.image("release"), reports.CRITICAL)
    cluster.kubectl("delete", "pod", made["metadata"]["name"], "-n", team, "--force", "--grace-period=0", user="developer")
    settle()
    assert all(image_of(one) == image.both for one in pods(cluster, team, "web"))
    denied = cluster.apply(pod("moved", team, moved.both), user="developer", check=False)
    assert denied.returncode == 1 and "vuln.maxExceeded" in denied.stderr


@pytest.mark.parametrize("tags", ["all", "off"])
def test_s38_tags_in_workloads_become_digests_or_are_denied(cluster, gates, gated, team, tags):
    with gates(admission={"tags": tags}).start().webhooks() as gate:
        image = gate.scanned(gates.shelf.image())
        objects = [workload(kind, kind.lower(), team, image.tagged) for kind in ("Deployment", "CronJob")]
        if tags == "off":
            denied = cluster.apply(*objects, pod("app", team, image.tagged), user="developer", check=False)
            assert denied.stderr.count("reference.digest") == 3, denied.stderr
            cluster.apply(workload("Deployment", "pinned", team, image.pinned), user="developer")
            assert [image_of(one) for one in has_pods(cluster, team, "pinned")] == [image.pinned]
            return
        cluster.apply(*objects, user="developer")
        has_pods(cluster, team, "deployment")
        before = cluster.get("deployment", "deployment", "-n", team)
        assert before["spec"]["template"]["spec"]["containers"][0]["image"] == image.both
        cluster.apply(*objects, user="developer")
        after = cluster.get("deployment", "deployment", "-n", team)
        assert after["metadata"]["generation"] == before["metadata"]["generation"] and len(cluster.get("rs", "-n", team)["items"]) == 1
        job = cluster.get("cronjob", "cronjob", "-n", team)["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        assert job["containers"][0]["image"] == image.both


ROLLOUTS = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "rollouts.argoproj.io"},
    "spec": {
        "group": "argoproj.io", "scope": "Namespaced", "names": {"plural": "rollouts", "singular": "rollout", "kind": "Rollout"},
        "versions": [{"name": "v1alpha1", "served": True, "storage": True,
                      "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}],
    },
}  # fmt: skip


@pytest.mark.parametrize("optional", [False, True])
def test_a5_a_rollout_without_pods_of_its_own_is_let_in_only_where_its_kind_may_hold_no_images(cluster, gates, gated, team, optional):
    kind = {"group": "argoproj.io", "versions": ["*"], "resource": "rollouts", "kind": "Rollout", "podSpec": "/spec/template/spec", "optional": optional}

    def made(name: str, **spec: object) -> subprocess.CompletedProcess[str]:
        rollout = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": name, "namespace": team}, "spec": spec}
        return cluster.apply(rollout, check=False)

    cluster.apply(ROLLOUTS)
    cluster.kubectl("wait", "--for=condition=established", "crd/rollouts.argoproj.io")
    try:
        with gates(admission={"kinds": [kind]}).start().webhooks() as gate:
            bad = gate.scanned(gates.shelf.image(), reports.CRITICAL)
            by_reference = made("by-reference", workloadRef={"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"})
            assert (by_reference.returncode == 0) == optional, by_reference.stderr
            assert optional or "/spec/template/spec is missing" in by_reference.stderr and "`optional: true`" in by_reference.stderr
            assert "vuln.maxExceeded" in made("own", template={"spec": pod_spec(bad.tagged)}).stderr
            assert "/spec/template is no object" in made("unread", template="web").stderr
            if optional:
                # Images that come later are new ones.
                denied = made("by-reference", template={"spec": pod_spec(bad.tagged)})
                assert denied.returncode == 1 and "vuln.maxExceeded" in denied.stderr, denied.stderr
    finally:
        cluster.kubectl("delete", "crd", "rollouts.argoproj.io")


BREAK_GLASS = "ecr-gate.dev/break-glass"


def test_s31_who_is_on_call_breaks_the_glass_for_one_workload_and_nobody_else_does(cluster, gated, good, bad, team, gate):
    lasts = 8
    said = {BREAK_GLASS: "INC-7: outage", f"{BREAK_GLASS}-for": f"{lasts}s"}
    deployment = workload("Deployment", "web", team, bad.tagged, annotations=said)
    refused = cluster.apply(deployment, user="developer", check=False)
    assert refused.returncode == 1 and f"{BREAK_GLASS} is without effect: developer may not ask for it" in refused.stderr, refused.stderr
    tried = cluster.apply(deployment, user="on-call", flags=("--dry-run=server",), check=False)
    assert tried.returncode == 1 and not gated.service.get("/api/v1/overrides").json()["overrides"], "a dry run breaks nothing"
    written = cluster.apply(deployment, user="on-call")
    ends = time.monotonic() + lasts
    assert "is not allowed and runs all the same (overridden)" in written.stderr
    [made] = has_pods(cluster, team, "web")
    assert annotated(cluster, "basis", resource="pods", namespace=team) == "c0=overridden"
    [first] = [one for one in gated.service.get("/api/v1/overrides").json()["overrides"] if one["by"] == "kubernetes:on-call"]
    assert (first["digest"], first["reason"]) == (bad.digest, "INC-7: outage")
    owner = cluster.get("deployment", "web", "-n", team)["metadata"]["uid"]
    assert first["owner"] == {"cluster": "test", "namespace": team, "workload": "Deployment/web", "uid": owner}
    listed = gate("override", "list", env={"ECR_GATE_SERVER": gated.service.url, "ECR_GATE_TOKEN": person_token("dora")})
    assert f"of Deployment/web in test/{team}" in listed.stdout, listed.stdout + listed.stderr
    record = gated.service.get(f"/api/v1/decisions/{made['metadata']['annotations']['ecr-gate.dev/decision']}").json()
    assert record["verdict"] == "deny", "an override is no allow"
    logged = until("the audit log has it", lambda: [one for one in gated.exported() if one["kind"] == "override.granted" and first["id"] in json.dumps(one)])
    assert "Deployment/web" in json.dumps(logged), logged

    # For this object alone: neither by another Deployment, nor by a pod that says so.
    other = {key: value for key, value in said.items() if not key.endswith("-for")}
    for one in (workload("Deployment", "other", team, bad.tagged), pod("other", team, bad.tagged, annotations=other)):
        assert cluster.apply(one, user="developer", check=False).returncode == 1
    gated.deny(good)
    denied = cluster.apply(workload("Deployment", "listed", team, good.tagged, annotations=said), user="on-call", check=False)
    assert denied.returncode == 1 and "deny.listed" in denied.stderr, denied.stderr
    longer = workload("Deployment", "longer", team, bad.tagged, annotations={**said, f"{BREAK_GLASS}-for": "5h"})
    denied = cluster.apply(longer, user="on-call", check=False)
    assert denied.returncode == 1 and "up to 240 minutes" in denied.stderr, denied.stderr

    # Its pods are replaced as long as it lasts, and no longer.
    name = made["metadata"]["name"]
    cluster.kubectl("delete", "pod", name, "-n", team, "--force", "--grace-period=0", user="developer")
    [again] = until("another pod", lambda: [one for one in pods(cluster, team, "web") if one["metadata"]["name"] != name])
    time.sleep(max(0.0, ends - time.monotonic()))
    cluster.kubectl("delete", "pod", again["metadata"]["name"], "-n", team, "--force", "--grace-period=0", user="developer")
    assert "vuln.maxExceeded" in events(cluster, team)[0]
    assert not pods(cluster, team, "web")


def test_s31_the_guides_commands_bring_back_what_was_running(cluster, gated, good, team):
    cluster.apply(workload("Deployment", "app", team, good.tagged), user="developer")
    [made] = has_pods(cluster, team, "app")
    gated.scanned(good, reports.CRITICAL, ago_s=0)
    cluster.kubectl("delete", "pod", made["metadata"]["name"], "-n", team, "--force", "--grace-period=0", user="developer")
    assert "vuln.maxExceeded" in events(cluster, team)[0], "in production nothing is grandfathered here"
    cluster.kubectl("annotate", "deployment", "app", "-n", team, f"{BREAK_GLASS}=INC-7: outage", f"{BREAK_GLASS}-for=2h", user="on-call")
    has_pods(cluster, team, "app")
    cluster.kubectl("rollout", "restart", "deployment", "app", "-n", team, user="on-call")
    # The pod of before is not kept until the new one is ready, which none gets here: there is one of each.
    assert {image_of(one) for one in has_pods(cluster, team, "app", 2)} == {good.both}


def test_s32_what_runs_starts_again_for_a_while_after_its_verdict_turned(cluster, gates, gated):
    image, listed = (gated.scanned(gates.shelf.image()) for _ in range(2))
    with cluster.namespace("staging", environment="staging") as staging:
        cluster.apply(*(workload("Deployment", name, staging, one.tagged) for name, one in (("web", image), ("listed", listed))), user="developer")
        cluster.apply(workload("StatefulSet", "db", staging, image.tagged), user="developer")
        for app in ("web", "db", "listed"):
            has_pods(cluster, staging, app)
        gated.scanned(image, reports.CRITICAL, ago_s=0)
        turned = time.monotonic()
        gated.deny(listed)
        before = {one["metadata"]["name"] for app in ("web", "db") for one in pods(cluster, staging, app)}
        cluster.kubectl("rollout", "restart", "deployment/web", "-n", staging, user="developer")
        cluster.kubectl("delete", "pod", "db-0", "-n", staging, "--force", "--grace-period=0", user="developer")
        until("it has started anew", lambda: [one for one in pods(cluster, staging, "web") if one["metadata"]["name"] not in before])
        until("its pod is back", lambda: pods(cluster, staging, "db"))
        tried = until("it is in the API server's audit log", lambda: cluster.audit(resource="pods", namespace=staging, name="db-0"))
        assert [one for one in tried if "grandfathered" in one["annotations"].get("env-staging.validate.ecr-gate.dev/basis", "")]
        # What is new is denied, and so is what is denied by name, whatever ran.
        for one in (workload("Deployment", "new", staging, image.tagged), pod("new", staging, image.tagged)):
            denied = cluster.apply(one, user="developer", check=False)
            assert denied.returncode == 1 and "vuln.maxExceeded" in denied.stderr, denied.stderr
        cluster.kubectl("rollout", "restart", "deployment/listed", "-n", staging, user="developer")
        until("and that is said", lambda: any("deny.listed" in said for said in events(cluster, staging)))
        # The time is counted from when the verdict turned, however often it was asked.
        time.sleep(max(0.0, turned + GRACE_S + 1 - time.monotonic()))
        cluster.kubectl("delete", "pod", "db-0", "-n", staging, "--force", "--grace-period=0", user="developer")
        until("no pod comes any more", lambda: any("db-0" in said and "vuln.maxExceeded" in said for said in events(cluster, staging)))
        assert not pods(cluster, staging, "db")


def test_s40_kube_system_goes_on_where_something_is_not_known_and_the_gate_starts_without_itself(cluster, gates, gated, bad):
    unknown, system = gates.shelf.image(), "kube-system"
    with cluster.namespace("team") as team:
        denied = cluster.apply(pod("unknown", team, unknown.tagged), user="developer", check=False)
        assert denied.returncode == 1 and "scan.missing" in denied.stderr, denied.stderr
    try:
        started = cluster.apply(pod("unknown", system, unknown.tagged))
        assert "is not allowed and runs all the same (failOpen)" in started.stderr
        denied = cluster.apply(pod("bad", system, bad.tagged), check=False)
        assert denied.returncode == 1 and "vuln.maxExceeded" in denied.stderr, denied.stderr
    finally:
        cluster.kubectl("delete", "pod", "unknown", "bad", "-n", system, "--ignore-not-found", "--wait=false")
    # Nobody is asked about the gate's own namespace; and whoever asks all the same learns that it may start.
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ecr-gate"}})
    cluster.wait_for_account("ecr-gate")
    seen = gated.requests("/admission/validate")
    try:
        cluster.apply(pod("gate", "ecr-gate", f"registry.example/ecr-gate@{OWN}"), pod("other", "ecr-gate", bad.pinned))
        assert gated.requests("/admission/validate") == seen
    finally:
        cluster.kubectl("delete", "pod", "gate", "other", "-n", "ecr-gate", "--ignore-not-found", "--wait=false")


def test_s15_a_dry_run_is_answered_and_leaves_nothing_behind(cluster, gates, gated, team):
    good, bad = gated.scanned(gates.shelf.image()), gated.scanned(gates.shelf.image(), reports.CRITICAL)
    settle()
    before = [one["id"] for one in gated.exported()]
    dry = ("--dry-run=server",)
    said = {BREAK_GLASS: "trying"}
    cluster.apply(pod("good", team, good.tagged), workload("Deployment", "good", team, good.tagged), user="developer", flags=dry)
    denied = cluster.apply(pod("bad", team, bad.tagged), workload("Deployment", "bad", team, bad.tagged, annotations=said), user="on-call", flags=dry, check=False)
    assert denied.stderr.count("vuln.maxExceeded") == 2, denied.stderr
    settle(1)
    assert [one["id"] for one in gated.exported()] == before
    for image in (good, bad):
        assert not gated.service.get("/api/v1/decisions", params={"digest": image.digest}).json()["decisions"]


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_both_versions_of_http_are_spoken_and_only_with_an_api_server(cluster, gates, gated, bad, good, tmp_path, version):
    """To a Service, API servers speak HTTP/1.1; to a URL on loopback HTTP/2."""
    curl = ["curl", "-sS", f"--http{version}", "--cacert", gated.authority.file, "-w", "\n%{http_version} %{http_code}", "-H", "Content-Type: application/json"]
    shown = ["--cert", cluster.clients.folder / "kube-apiserver.crt", "--key", cluster.clients.folder / "kube-apiserver.key"]

    def asked(image: str, namespace: str, *flags) -> tuple[str, str]:
        (tmp_path / "review").write_text(json.dumps(review(namespace, image)))
        url = f"{gated.url}/admission/validate?timeout=5s"
        done = subprocess.run([*curl, *flags, "--data-binary", f"@{tmp_path / 'review'}", url], capture_output=True, text=True, timeout=30, check=False)
        body, _, ended = done.stdout.rpartition("\n")
        return ended, body

    for image, namespace, allowed in ((good.pinned, "team", True), (bad.pinned, "team", False), (good.tagged, "team", False),
                                      (f"registry.example/ecr-gate@{OWN}", "ecr-gate", True), (f"registry.example/ecr-gate@{OWN}", "team", False)):  # fmt: skip
        ended, body = asked(image, namespace, *shown)
        assert ended == f"{version} 200", (ended, body)
        assert json.loads(body)["response"]["allowed"] is allowed, (image, body)
    ended, body = asked(good.pinned, "team")
    assert ended.endswith("401") and "allowed" not in body, (ended, body)
    developer = ["--cert", cluster.folder / "developer.crt", "--key", cluster.folder / "developer.key"]
    ended, body = asked(good.pinned, "team", *developer)
    assert ended.endswith("000") and not body, "a certificate of another authority"
