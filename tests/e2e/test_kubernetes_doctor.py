"""`ecr-gate kubernetes doctor` against a real API server with the chart installed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import Cluster
from services import until

CHART = Path(__file__).parents[2] / "deploy/helm/ecr-gate"
NAMESPACE = "ecr-gate"
VALUES: dict[str, Any] = {
    "image": {"repository": "registry.example/ecr-gate", "digest": "sha256:" + "4bcf" * 16},
    "database": {"existingSecret": "ecr-gate-database"},
    "registries": {"allowed": ["registry.example"]},
    "admission": {"cluster": "production-eu", "namespaces": [{"names": ["sandbox-*"], "environment": "staging"}]},
}
HOOKS = "validatingwebhookconfiguration,mutatingwebhookconfiguration"

pytestmark = [pytest.mark.helm, pytest.mark.kubernetes, pytest.mark.timeout(300)]


@pytest.fixture
def installed(cluster: Cluster, helm: Callable[..., Any], tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """The chart, installed; and again with other values."""
    flags = ["-n", NAMESPACE, "--kubeconfig", cluster.kubeconfig()]

    def run(verb: str, **values: Any) -> Any:
        (tmp_path / "values.yaml").write_text(json.dumps({**VALUES, **values}))
        return helm(verb, NAMESPACE, CHART, *flags, "-f", tmp_path / "values.yaml")

    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    try:
        run("install")
        until("the controllers make its pods", lambda: len(cluster.get("pods", "-n", NAMESPACE)["items"]) == 2)
        yield run
    finally:
        helm("uninstall", NAMESPACE, *flags, "--ignore-not-found")
        cluster.kubectl("delete", "all,secret,configmap,pvc,networkpolicy,pdb,endpointslice", "--all", "-n", NAMESPACE)
        cluster.kubectl("delete", HOOKS, NAMESPACE, "--ignore-not-found")


@pytest.fixture
def doctor(gate: Callable[..., Any], cluster: Cluster) -> Callable[..., tuple[int, dict[str, Any]]]:
    def run(*flags: Any, user: str = "admin") -> tuple[int, dict[str, Any]]:
        done = gate("kubernetes", "doctor", "--kubeconfig", cluster.kubeconfig(user), "-n", NAMESPACE, "--output", "json", *flags)
        assert done.stdout, done.stderr
        report = json.loads(done.stdout)
        assert report["exitCode"] == done.rc and report["schema"] == "ecr-gate.dev/kubernetes-doctor/v1"
        return done.rc, report

    return run


def found(report: dict[str, Any], *states: str) -> dict[str, list[str]]:
    """What was found, by check."""
    by_check: dict[str, list[str]] = {}
    for check in report["checks"]:
        if check["state"] in states:
            assert check["state"] == "ok" or (check["why"] and check["remedy"]), check
            by_check.setdefault(check["id"], []).append(check["found"])
    return by_check


def serving(cluster: Cluster) -> None:
    """What a kubelet would say of the gate's pods: there is none here."""
    for number, one in enumerate(cluster.get("pods", "-n", NAMESPACE)["items"]):
        status = {"phase": "Running", "podIP": f"10.1.0.{number + 1}", "podIPs": [{"ip": f"10.1.0.{number + 1}"}],
                  "conditions": [{"type": "Ready", "status": "True"}, {"type": "ContainersReady", "status": "True"}]}  # fmt: skip
        cluster.kubectl("patch", "pod", one["metadata"]["name"], "-n", NAMESPACE, "--subresource=status", "-p", json.dumps({"status": status}))

    # Addresses of pods without a node are no endpoints for the controller.
    endpoints = [{"addresses": [f"10.1.0.{number}"], "conditions": {"ready": True}} for number in (1, 2)]
    metadata = {"name": "made", "namespace": NAMESPACE, "labels": {"kubernetes.io/service-name": NAMESPACE}}
    ports = [{"name": "admission", "port": 9443, "protocol": "TCP"}]
    cluster.apply({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata, "addressType": "IPv4", "endpoints": endpoints, "ports": ports})
    until("the Deployment has replicas", lambda: cluster.get("deployment", NAMESPACE, "-n", NAMESPACE)["status"].get("availableReplicas") == 2)


def test_d1_a_gate_that_does_not_answer_is_told_and_what_is_right_is_not_complained_about(installed, doctor, cluster, gate):
    rc, report = doctor()
    assert rc == 1
    problems = found(report, "problem")
    assert set(problems) == {"kubernetes.service", "kubernetes.trial"}, problems
    assert "is ready" in problems["kubernetes.service"][0] or "nothing is behind it" in problems["kubernetes.service"][0]
    assert "failed calling webhook" in problems["kubernetes.trial"][0]
    right = found(report, "ok")
    assert {"kubernetes.webhooks", "kubernetes.failurePolicy", "kubernetes.rules", "kubernetes.matchConditions", "kubernetes.namespaces",
            "kubernetes.certificate", "kubernetes.caBundle", "kubernetes.versions"} <= set(right), report  # fmt: skip
    assert right["kubernetes.certificate"][0].startswith("for ecr-gate.ecr-gate.svc, until ")
    assert not found(report, "unknown"), "the namespaces of the configuration are read too"

    serving(cluster)
    rc, report = doctor("--no-trial")
    assert (rc, found(report, "problem", "warning", "unknown")) == (0, {})
    # Its own namespace, mistyped; and the certificate, gone.
    done = gate("kubernetes", "doctor", "--kubeconfig", cluster.kubeconfig(), "-n", "nope", "--output", "json")
    [check] = json.loads(done.stdout)["checks"]
    assert done.rc == 1 and check["found"] == "there is no gate in the namespace nope; the webhooks ask one in ecr-gate" and "--namespace ecr-gate" in check["remedy"]
    cluster.kubectl("delete", "secret", "ecr-gate-tls", "-n", NAMESPACE)
    rc, report = doctor("--no-trial")
    assert (rc, found(report, "problem")) == (1, {"kubernetes.certificate": ["there is no Secret ecr-gate-tls in ecr-gate"]})
    installed("upgrade")
    assert doctor("--no-trial")[0] == 0, "as the remedy says"
    text = gate("kubernetes", "doctor", "--kubeconfig", cluster.kubeconfig(), "--context", "tests", "-n", NAMESPACE)
    assert text.rc == 1 and "FAIL  Trial: " in text.stdout and "      -> " in text.stdout and "2 of 2 ready" in text.stdout


def test_d1_mistakes_in_a_cluster_are_found(installed, doctor, cluster):
    serving(cluster)
    with cluster.namespace("sandbox", environment="production") as sandbox:
        _, report = doctor("--no-trial")
        assert [f"{sandbox} is staging, and its label environment says production"] == found(report, "warning")["kubernetes.environments"]

    def patch(*steps: dict[str, Any]) -> None:
        cluster.kubectl("patch", "validatingwebhookconfiguration", NAMESPACE, "--type=json", "-p", json.dumps(steps))

    with cluster.namespace("forgotten") as bare:
        values = "/webhooks/1/namespaceSelector/matchExpressions/0/values/-"
        patch({"op": "add", "path": values, "value": bare}, {"op": "replace", "path": "/webhooks/1/failurePolicy", "value": "Ignore"})
        rc, report = doctor("--no-trial")
        problems = found(report, "problem")
        assert rc == 1 and set(problems) == {"kubernetes.namespaces", "kubernetes.failurePolicy"}, problems
        assert problems["kubernetes.namespaces"] == [f"nobody asks about what starts in {bare}"]
        # With Ignore a gate that cannot be reached lets everything start: the trial shows it. Mutation is asked first.
        cluster.kubectl("delete", "mutatingwebhookconfiguration", NAMESPACE)
        problems = found(doctor()[1], "problem")
        assert "would start in default" in problems["kubernetes.trial"][0] and "tags stay tags" in problems["kubernetes.webhooks"][0]

    # Another certificate than the one that the webhooks name the authority of.
    installed("upgrade")
    with cluster.namespace("other") as other:
        cluster.kubectl("create", "secret", "tls", "made", "-n", other, "--cert", cluster.folder / "kube-apiserver.crt", "--key", cluster.folder / "kube-apiserver.key")
        data = cluster.get("secret", "made", "-n", other)["data"]
        cluster.kubectl("patch", "secret", "ecr-gate-tls", "-n", NAMESPACE, "-p", json.dumps({"data": data}))
        assert "none of the authorities signed it" in found(doctor("--no-trial")[1], "problem")["kubernetes.certificate"][0]

    cluster.kubectl("delete", HOOKS, NAMESPACE)
    problems = found(doctor()[1], "problem")
    assert any("everything starts" in said for said in problems["kubernetes.webhooks"]), problems


def test_d2_what_validation_judges_and_mutation_does_not_see_is_told(installed, doctor, cluster):
    serving(cluster)

    def patch(*steps: dict[str, Any], kind: str = "mutatingwebhookconfiguration") -> None:
        cluster.kubectl("patch", kind, NAMESPACE, "--type=json", "-p", json.dumps(steps))

    assert found(doctor("--no-trial")[1], "ok")["kubernetes.mutation"] == ["it sees what validation judges"]
    with cluster.namespace("untouched") as bare:
        patch({"op": "add", "path": "/webhooks/1/namespaceSelector/matchExpressions/0/values/-", "value": bare})
        rc, report = doctor("--no-trial")
        assert (rc, found(report, "problem")) == (0, {})
        assert found(report, "warning")["kubernetes.mutation"] == [f"validation judges what mutation does not see: pods, pods/ephemeralcontainers in {bare}"]

    # With `all` workloads get digests too, where the webhook is asked about them.
    installed("upgrade", admission={**VALUES["admission"], "tags": "all"})
    assert "kubernetes.mutation" not in found(doctor("--no-trial")[1], "warning", "unknown")
    patch({"op": "remove", "path": "/webhooks/1/rules/2"})
    [said] = found(doctor("--no-trial")[1], "warning")["kubernetes.mutation"]
    assert "see: jobs, cronjobs in default" in said

    # Who wants no digests misses nothing but annotations.
    cluster.kubectl("delete", "mutatingwebhookconfiguration", NAMESPACE)
    assert "tags stay tags" in found(doctor("--no-trial")[1], "problem")["kubernetes.webhooks"][0]
    installed("upgrade", admission={**VALUES["admission"], "tags": "off"})
    cluster.kubectl("delete", "mutatingwebhookconfiguration", NAMESPACE)
    rc, report = doctor("--no-trial")
    assert rc == 0 and "pods are not annotated" in found(report, "warning")["kubernetes.webhooks"][0]


def test_a5_what_conditions_leave_out_that_are_not_the_charts_is_not_known(installed, doctor, cluster):
    serving(cluster)
    assert set(found(doctor("--no-trial")[1], "ok")["kubernetes.matchConditions"]) == {"that of the chart"}

    def condition(expression: str, op: str = "replace") -> None:
        steps = [{"op": op, "path": "/webhooks/1/matchConditions/1", "value": {"name": "more", "expression": expression}}]
        cluster.kubectl("patch", "validatingwebhookconfiguration", NAMESPACE, "--type=json", "-p", json.dumps(steps))

    user = "request.userInfo.username != 'ada'"
    condition(user, "add")
    rc, report = doctor("--no-trial")
    assert rc == 3 and f"nobody is asked about what makes this false: more: `{user}`" in found(report, "warning")["kubernetes.matchConditions"][0]
    assert "is said by conditions of other.validate.ecr-gate.dev" in found(report, "unknown")["kubernetes.namespaces"][0], "it may leave out everybody"
    condition("request.namespace != 'default'")
    rc, report = doctor("--no-trial")
    assert rc == 1 and "more: `request.namespace != 'default'`" in found(report, "problem")["kubernetes.matchConditions"][0]
    assert "is said by conditions of other.validate.ecr-gate.dev" in found(report, "unknown")["kubernetes.namespaces"][0]


def test_d1_the_answer_of_the_gate_is_the_proof(installed, doctor, cluster, hook, gate):
    """With the address of a webhook that answers: the gate's own, as far as the API server can tell."""
    for kind in HOOKS.split(","):
        made = cluster.get(kind, NAMESPACE)
        for one in made["webhooks"]:
            one["clientConfig"] = {"url": hook.url + one["clientConfig"]["service"]["path"], "caBundle": hook.authority.bundle}
        cluster.kubectl("replace", "-f", "-", stdin=json.dumps(made))
    denial = {"allowed": False, "status": {"code": 403, "message": "ecr-gate: registry\n[registry] trial"}}
    hook.answer = lambda call: denial if call.path.startswith("/admission/validate") else {"allowed": True}
    # Anybody may answer at the gate's paths: without a word of whoever looks nobody counts as the gate.
    rc, report = doctor()
    assert rc == 1 and any("everything starts" in said for said in found(report, "problem")["kubernetes.webhooks"])
    assert found(report, "warning")["kubernetes.webhooks"][0].startswith(f"it asks {hook.url} at a path of the gate")
    assert any(f"`--gate-url {hook.url}`" in check["remedy"] for check in report["checks"] if check["state"] == "warning")
    named = ("--gate-url", hook.url)
    until("the webhooks are in force", lambda: found(doctor(*named)[1], "ok").get("kubernetes.trial"))
    assert not found(doctor(*named)[1], "warning").get("kubernetes.webhooks")
    call = hook.of("Pod", "/admission/validate")[-1].request
    assert call["dryRun"] and "doctor.ecr-gate.invalid" in json.dumps(call["object"])
    hook.answer = lambda _: {"allowed": True}
    assert "would start" in found(doctor(*named)[1], "problem")["kubernetes.trial"][0]
    hook.end()
    assert "failed calling webhook" in found(doctor(*named)[1], "problem")["kubernetes.trial"][0]
    assert gate("kubernetes", "doctor", "--kubeconfig", cluster.kubeconfig(), "--gate-url", "http://gate").rc == 64


def test_d1_who_may_not_look_is_told_so_and_nothing_is_called_right(installed, doctor, cluster, gate):
    rc, report = doctor(user="developer")
    assert rc in (1, 3) and "forbidden" in json.dumps(found(report, "unknown")["kubernetes.webhooks"]).lower()
    assert not found(report, "problem"), "what is not known is no mistake"
    assert gate("kubernetes", "doctor", "--kubeconfig", cluster.kubeconfig(), "--context", "nowhere").rc == 3
    away = gate("kubernetes", "doctor", "--kubeconfig", _elsewhere(cluster))
    assert away.rc == 5 and "cannot be reached" in away.stderr, away.stderr


def _elsewhere(cluster: Cluster) -> Path:
    config = json.loads(cluster.kubeconfig().read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    file = cluster.folder / "elsewhere.kubeconfig"
    file.write_text(json.dumps(config))
    return file
