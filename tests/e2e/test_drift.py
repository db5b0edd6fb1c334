"""`ecr-gate drift`: what runs in a real cluster, judged by a real service. There is no kubelet: what one would say of pods is written into their status."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kubernetes import Cluster, pod
from scans import CRITICAL, LOW, REGISTRY, complete
from services import TOKENS

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(300)]


@pytest.fixture
def started(cluster: Cluster) -> Callable[..., None]:
    """A pod that a node runs."""

    def run(namespace: str, name: str, image: str, digest: str | None, policy: str = "Always", **spec: Any) -> None:
        made = pod(name, namespace, image, **spec)
        made["spec"]["containers"][0]["imagePullPolicy"] = policy
        cluster.apply(made)
        status = {"name": "c0", "image": image, "imageID": f"{image.split('@')[0].rsplit(':', 1)[0]}@{digest}" if digest else "sha256:" + "1" * 64, "ready": True,
                  "restartCount": 0, "state": {"running": {}}}  # fmt: skip
        body = {"status": {"phase": "Running", "containerStatuses": [status]}}
        cluster.kubectl("patch", "pod", name, "-n", namespace, "--subresource=status", "-p", json.dumps(body))

    return run


@pytest.fixture
def drift(gate: Callable[..., Any], cluster: Cluster) -> Callable[..., tuple[int, dict[str, Any], set[tuple[str, ...]]]]:
    """Runs it: the exit code, the answer, and of each finding its kind and workload."""

    def run(service: Any, *flags: Any, kubeconfig: Path | None = None) -> tuple[int, dict[str, Any], set[tuple[str, ...]]]:
        done = gate("drift", "--server", service.url, "--kubeconfig", kubeconfig or cluster.kubeconfig(), "--output", "json", *flags)
        assert done.stdout, done.stderr
        answer = json.loads(done.stdout)
        assert answer["exitCode"] == done.rc and answer["schema"] == "ecr-gate.dev/drift/v1"
        return done.rc, answer, {(one["kind"], one["workload"] or one["namespace"]) for one in answer["findings"]}

    return run


def test_d7_what_runs_and_should_not_is_listed(serve, moto, push_image, seed_scan, cluster, started, drift, gate, tmp_path):
    digests = {}
    for name, findings in (("good", [LOW]), ("bad", [LOW, CRITICAL]), ("new", [LOW])):
        digests[name] = push_image(f"shop/{name}", "1")
        seed_scan(f"shop/{name}", digests[name], complete(*findings))
    service = serve()
    for name in ("good", "bad"):
        service.decided(f"{REGISTRY}/shop/{name}@{digests[name]}", point="ci")
    before = len(service.get("/api/v1/decisions").json()["decisions"])
    with cluster.namespace("shop") as shop:
        flags = ("--namespace", shop)
        started(shop, "good", f"{REGISTRY}/shop/good@{digests['good']}", digests["good"])
        rc, answer, found = drift(service, *flags)
        assert (rc, found, answer["drift"], answer["complete"], answer["containers"]) == (0, set(), False, True, 1), answer

        started(shop, "bad", f"{REGISTRY}/shop/bad@{digests['bad']}", digests["bad"])
        started(shop, "new", f"{REGISTRY}/shop/new@{digests['new']}", digests["new"])
        started(shop, "cached", f"{REGISTRY}/shop/good:1", digests["good"], "IfNotPresent")
        started(shop, "moved", f"{REGISTRY}/shop/bad:1", digests["good"])
        rc, answer, found = drift(service, *flags)
        expected = {("denied", "Pod/bad"), ("undecided", "Pod/new"), ("pullPolicy", "Pod/cached"), ("tagMoved", "Pod/moved")}
        assert rc == 1 and expected <= found and not {one for one in found if one[1] in ("Pod/good",)}, answer["findings"]
        assert {kind for kind, name in found if name == "Pod/cached"} == {"pullPolicy"}, "its tag stands for what runs"
        says = {(one["kind"], one["workload"]): one["what"] for one in answer["findings"]}
        assert "vuln.maxExceeded" in says["denied", "Pod/bad"] and "would be allowed now" in says["undecided", "Pod/new"]
        assert digests["bad"] in says["tagMoved", "Pod/moved"] and all(one["environment"] in (None, "production") for one in answer["findings"])
        assert len(service.get("/api/v1/decisions").json()["decisions"]) == before, "looking records nothing"

        config = {"registries": {"allowed": ["ghcr.io"]}, "admission": {"listen": "127.0.0.1:9443", "cluster": "c"}}
        (tmp_path / "serve.yaml").write_text(json.dumps(config))
        assert ("registryNotAllowed", "Pod/good") in drift(service, *flags, "--config", tmp_path / "serve.yaml")[2]

        # What is in the gate's own namespace is not judged, and that is said.
        own = drift(service, *flags, "--gate-namespace", shop)
        assert own[0] == 0 and any("not judged" in note and "shop/bad@" in note for note in own[1]["notes"]), own
        assert any(f"no webhook asks about what starts in {shop}" in note for note in answer["notes"]), answer["notes"]

        table = gate("drift", "--server", service.url, "--kubeconfig", cluster.kubeconfig(), *flags)
        assert table.rc == 1 and "denied" in table.stdout and "not decided" in table.stdout and "tag moved" in table.stdout
        assert "5 containers looked at" in table.stdout and "0 not started yet" in table.stdout
        next_steps = [line for line in table.stdout.splitlines() if line.startswith("-> ")]
        assert [line.split(":")[0] for line in next_steps] == ["-> denied", "-> not decided", "-> tag moved", "-> pull policy"], table.stdout

        # Somebody lets it through for a while: it is denied all the same, and that it starts is said.
        reference = f"{REGISTRY}/shop/bad@{digests['bad']}"
        granted = gate("override", "grant", reference, "--lasts", "10m", "--reason", "a fix is on its way", "--server", service.url, env={"ECR_GATE_TOKEN": TOKENS["admin"]})
        assert granted.rc == 0, granted.stderr
        rc, answer, found = drift(service, *flags)
        [what] = [one["what"] for one in answer["findings"] if one["kind"] == "denied" and one["workload"] == "Pod/bad"]
        assert rc == 1 and what.startswith("denied, and an override lets it start for now: vuln.maxExceeded"), what

        # What was allowed and came onto the deny list since is drift, although nobody asked again.
        denied = gate("deny", "add", "--digest", digests["good"], "--reason", "stolen", "--server", service.url, env={"ECR_GATE_TOKEN": TOKENS["admin"]})
        assert denied.rc == 0, denied.stderr
        rc, answer, found = drift(service, *flags)
        assert rc == 1 and ("denied", "Pod/good") in found, answer["findings"]


def test_d7_what_is_not_known_is_never_no_drift(serve, moto, push_image, seed_scan, cluster, started, drift, gate):
    digest = push_image("shop/good", "1")
    seed_scan("shop/good", digest, complete(LOW))
    service = serve()
    service.decided(f"{REGISTRY}/shop/good@{digest}", point="ci")
    image = f"{REGISTRY}/shop/good@{digest}"
    with cluster.namespace("open") as ours, cluster.namespace("closed") as closed:
        started(ours, "good", image, digest)
        assert drift(service, "--namespace", ours)[0] == 0
        # Loaded onto the node: nobody knows which manifest that was.
        started(ours, "loaded", image, None)
        rc, answer, found = drift(service, "--namespace", ours)
        assert (rc, found, answer["drift"], answer["complete"]) == (4, {("unknown", "Pod/loaded")}, False, False)
        cluster.kubectl("delete", "pod", "loaded", "-n", ours, "--grace-period=0", "--force")

        # Somebody who may look into one namespace alone, and at the names of all.
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "reader"}
        rbac = {"apiVersion": "rbac.authorization.k8s.io/v1"}
        rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
        names = [{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list"]}]
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}
        cluster.apply(
            {**rbac, "kind": "Role", "metadata": {"name": "reader", "namespace": ours}, "rules": rules},
            {**rbac, "kind": "RoleBinding", "metadata": {"name": "reader", "namespace": ours}, "roleRef": role, "subjects": [subject]},
            {**rbac, "kind": "ClusterRole", "metadata": {"name": "drift-reader"}, "rules": names},
            {**rbac, "kind": "ClusterRoleBinding", "metadata": {"name": "drift-reader"}, "roleRef": {**role, "kind": "ClusterRole", "name": "drift-reader"}, "subjects": [subject]},
        )
        config = json.loads(cluster.kubeconfig().read_text())
        config["users"][0]["user"]["as"] = "reader"
        file = cluster.folder / "reader.kubeconfig"
        file.write_text(json.dumps(config))
        rc, answer, found = drift(service, kubeconfig=file)
        assert rc == 4 and {("unknown", closed), ("unknown", ours)} <= found, answer
        says = {one["namespace"]: one["what"] for one in answer["findings"]}
        assert says[ours].startswith("which environment it is cannot be read, and it is judged as production; `--environment` says it: ")
        assert "which environment" not in says[closed], "its pods cannot be listed"
        found = drift(service, "--environment", "production", kubeconfig=file)[2]
        assert ("unknown", closed) in found and ("unknown", ours) not in found
        # Nor can the names of namespaces be listed: who says one is judged by the configuration, and told so.
        cluster.kubectl("delete", "clusterrolebinding", "drift-reader")
        assert drift(service, "--namespace", ours, "--environment", "production", kubeconfig=file)[0] == 0
        rc, answer, found = drift(service, "--namespace", ours, kubeconfig=file)
        assert (rc, found, answer["drift"]) == (4, {("unknown", ours)}, False), answer

        # What never started runs nothing; anything less is not known.
        cluster.kubectl("delete", "pod", "good", "-n", ours, "--grace-period=0", "--force")
        waits = pod("waits", ours, f"{REGISTRY}/shop/good:mistyped")
        waits["spec"]["containers"][0]["imagePullPolicy"] = "Always"
        cluster.apply(waits)
        rc, answer, found = drift(service, "--namespace", ours)
        assert (rc, found, answer["notStarted"]) == (4, {("unknown", "Pod/waits")}, 0), "no node says anything of it"
        status = {"name": "c0", "image": image, "imageID": "", "ready": False, "restartCount": 0, "state": {"waiting": {"reason": "ErrImagePull"}}}
        cluster.kubectl("patch", "pod", "waits", "-n", ours, "--subresource=status", "-p", json.dumps({"status": {"phase": "Pending", "containerStatuses": [status]}}))
        rc, answer, found = drift(service, "--namespace", ours)
        assert (rc, found, answer["notStarted"], answer["containers"], answer["images"]) == (0, set(), 1, 1, 0), answer

        # Nothing is to be asked about: a service that is away, or does not know us, is found out all the same.
        gone = gate("drift", "--server", "http://127.0.0.1:1", "--kubeconfig", cluster.kubeconfig(), "--namespace", ours, "--timeout", "3s")
        assert gone.rc == 5 and "cannot be reached" in gone.stderr and not gone.stdout, gone.stderr
        stranger = gate("drift", "--server", service.url, "--kubeconfig", cluster.kubeconfig(), "--namespace", ours, env={"ECR_GATE_TOKEN": "nobody"})
        assert stranger.rc == 3 and not stranger.stdout, stranger.stderr

        missing = gate("drift", "--server", service.url, "--kubeconfig", cluster.kubeconfig(), "--namespace", "nowhere")
        assert missing.rc == 3 and not missing.stdout
        service.stop()
        away = gate("drift", "--server", service.url, "--kubeconfig", cluster.kubeconfig(), "--namespace", ours, "--timeout", "3s")
        assert away.rc in (4, 5) and not away.stdout, away.stderr
    assert gate("drift", "--kubeconfig", cluster.kubeconfig()).rc == 64


def test_d7_volumes_that_are_images_are_looked_at(serve, moto, push_image, seed_scan, cluster, started, drift, gate):
    digests, named = {}, {}
    for name, findings in (("good", [LOW]), ("bad", [LOW, CRITICAL])):
        digests[name] = push_image(f"shop/{name}", "1")
        seed_scan(f"shop/{name}", digests[name], complete(*findings))
        named[name] = f"{REGISTRY}/shop/{name}@{digests[name]}"
    service = serve()
    for image in named.values():
        service.decided(image, point="ci")

    def mounts(namespace: str, name: str, reference: str, policy: str = "Always") -> None:
        volumes = [{"name": "model", "image": {"reference": reference, "pullPolicy": policy}}]
        started(namespace, name, named["good"], digests["good"], volumes=volumes)

    with cluster.namespace("models") as models:
        flags = ("--namespace", models)
        mounts(models, "good", named["good"])
        rc, answer, found = drift(service, *flags)
        assert (rc, found, answer["containers"], answer["imageVolumes"], answer["images"]) == (0, set(), 1, 1, 1), answer

        # By a tag nobody knows what is in it, whatever the tag stands for now.
        mounts(models, "tagged", f"{REGISTRY}/shop/good:1", "IfNotPresent")
        rc, answer, found = drift(service, *flags)
        assert (rc, found) == (1, {("unknown", "Pod/tagged"), ("pullPolicy", "Pod/tagged")}), answer
        [unknown] = [one for one in answer["findings"] if one["kind"] == "unknown"]
        assert unknown["what"] == f"no node says which digest a volume has; its tag stands for {digests['good']} now"
        assert (unknown["volume"], unknown["container"], unknown["digest"], unknown["environment"]) == ("model", None, None, "production")
        cluster.kubectl("delete", "pod", "tagged", "-n", models, "--grace-period=0", "--force")
        mounts(models, "always", f"{REGISTRY}/shop/good:1")
        assert (rc := drift(service, *flags))[0] == 4 and rc[2] == {("unknown", "Pod/always")}, rc

        mounts(models, "bad", named["bad"])
        mounts(models, "worse", f"{REGISTRY}/shop/bad:1")
        mounts(models, "gone", f"{REGISTRY}/shop/none:1")
        rc, answer, found = drift(service, *flags)
        says = {(one["kind"], one["workload"]): one["what"] for one in answer["findings"]}
        assert rc == 1 and "vuln.maxExceeded" in says["denied", "Pod/bad"], answer
        assert says["denied", "Pod/worse"].startswith("what its tag stands for now: vuln.maxExceeded") and digests["bad"] in says["unknown", "Pod/worse"]
        assert "what its tag stands for now: " in says["unknown", "Pod/gone"] and ("unknown", "Pod/bad") not in says
        table = gate("drift", "--server", service.url, "--kubeconfig", cluster.kubeconfig(), *flags)
        assert "volume model" in table.stdout and "5 containers and 5 image volumes looked at" in table.stdout, table.stdout


def test_d7_a_webhook_at_an_address_that_nobody_named_says_no_environment(serve, moto, push_image, seed_scan, cluster, started, drift):
    digest = push_image("shop/good", "1")
    seed_scan("shop/good", digest, complete(LOW))
    service, image = serve(), f"{REGISTRY}/shop/good@{digest}"
    service.decided(image, point="ci")
    with cluster.namespace("outside") as outside:
        started(outside, "good", image, digest)
        hook = {
            "name": "validate.gate.test", "clientConfig": {"url": "https://127.0.0.1:1/admission/validate"}, "failurePolicy": "Ignore",
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}], "sideEffects": "None",
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": outside}}, "admissionReviewVersions": ["v1"],
        }  # fmt: skip
        cluster.apply({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": "outside"}, "webhooks": [hook]})
        try:
            rc, answer, found = drift(service, "--namespace", outside)
            assert (rc, found) == (4, {("unknown", outside)}) and "`--gate-url https://127.0.0.1:1`" in answer["findings"][0]["what"], answer
            rc, answer, _ = drift(service, "--namespace", outside, "--gate-url", "https://127.0.0.1:1/")
            assert rc == 0 and not answer["notes"], answer
            assert drift(service, "--namespace", outside, "--gate-url", "https://127.0.0.1:2")[0] == 4
        finally:
            cluster.kubectl("delete", "validatingwebhookconfiguration", "outside")


def test_d7_each_image_is_asked_about_once_and_a_terminal_shows_how_far_it_is(serve, moto, push_image, seed_scan, cluster, started):
    digest = push_image("shop/good", "1")
    seed_scan("shop/good", digest, complete(LOW))
    service = serve()
    service.decided(f"{REGISTRY}/shop/good@{digest}", point="ci")
    with cluster.namespace("often") as often:
        for number in range(3):
            started(often, f"good-{number}", f"{REGISTRY}/shop/good@{digest}", digest)
        started(often, "tagged", f"{REGISTRY}/shop/good:1", digest)
        ours, theirs = os.openpty()
        command = [os.environ["ECR_GATE_BIN"], "drift", "--server", service.url, "--kubeconfig", str(cluster.kubeconfig()), "--namespace", often, "--output", "json"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, env={"PATH": os.environ["PATH"], "HOME": str(cluster.folder)}, timeout=60, check=False)
        os.close(theirs)
        shown = os.read(ours, 65536).decode()
        os.close(ours)
        assert done.returncode == 0, (done.stdout, shown)
        # Under a name of its own it is a question of its own: rules look at names.
        assert json.loads(done.stdout)["images"] == 2 and shown.count("2 of 2 images asked about") == 1 and "1 of 1 tags asked about" in shown, shown
        assert shown.endswith("\r\x1b[K"), "the line is gone at the end"
