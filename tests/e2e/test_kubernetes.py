"""The stage for admission: a real API server, asked by kubectl, and what it sends to webhooks. Admission code and its recorded requests rest on this."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from kubernetes import Cluster, Hook, pod, settle, workload
from services import until

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(300)]
IMAGE = "registry.example/app:1"
SERVICE_ACCOUNTS = ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"]


@pytest.fixture
def team(cluster: Cluster, hook: Hook) -> Iterator[str]:
    """A namespace, with the webhook in force."""
    with cluster.namespace("team-a") as name, cluster.webhooks(hook.url, hook.authority.bundle):
        hook.calls.clear()
        yield name


def test_a_pod_of_a_user_comes_to_both_webhooks(cluster, hook, team):
    cluster.apply(pod("app", team, IMAGE, volumes=[{"name": "model", "image": {"reference": "registry.example/model:1"}}]), user="developer")
    mutated, validated = hook.wait_for("Pod", "/mutate"), hook.wait_for("Pod")
    for call in (mutated, validated):
        assert (call.version, call.query) == ("HTTP/1.1", {"timeout": ["10s"]})
        assert (call.headers["User-Agent"], call.headers["Accept"]) == ("kube-apiserver-admission", "application/json, */*")
        assert (call.headers["Content-Type"], call.headers["Accept-Encoding"]) == ("application/json", "gzip")
        assert sorted(call.review) == ["apiVersion", "kind", "request"]
        assert (call.request["operation"], call.request["name"], call.request["namespace"], call.request["dryRun"]) == ("CREATE", "app", team, False)
        assert (call.request["userInfo"]["username"], call.request["userInfo"]["groups"]) == ("developer", ["developers", "system:authenticated"])
        assert call.request["oldObject"] is None and "subResource" not in call.request
        assert call.request["object"]["spec"]["volumes"][0]["image"]["reference"] == "registry.example/model:1"
    assert mutated.request["uid"] != validated.request["uid"]
    assert "uid" not in mutated.request["object"]["metadata"] and "uid" in validated.request["object"]["metadata"]

    cluster.kubectl("create", "-f", "-", user="on-call", stdin=json.dumps({**pod("", team, IMAGE), "metadata": {"generateName": "app-", "namespace": team}}))
    mutated, validated = hook.of("Pod", "/mutate")[-1], hook.of("Pod")[-1]
    assert "name" not in mutated.request and validated.request["name"].startswith("app-")
    assert validated.request["userInfo"]["groups"] == ["break-glass", "system:authenticated"]

    hook.calls.clear()
    cluster.apply(pod("tried", team, IMAGE), user="developer", flags=("--dry-run=server",))
    assert [call.request["dryRun"] for call in hook.calls] == [True, True]


def test_what_controllers_make_names_its_owner(cluster, hook, team):
    owners = {"Deployment": "replicaset-controller", "StatefulSet": "statefulset-controller", "Job": "job-controller",
              "ReplicationController": "replication-controller"}  # fmt: skip
    for kind, controller in owners.items():
        hook.calls.clear()
        cluster.apply(workload(kind, kind.lower(), team, IMAGE), user="developer")
        assert hook.wait_for(kind).request["userInfo"]["username"] == "developer"
        request = hook.wait_for("Pod").request
        assert (request["userInfo"]["username"], request["userInfo"]["groups"]) == (f"system:serviceaccount:kube-system:{controller}", SERVICE_ACCOUNTS)
        [owner] = request["object"]["metadata"]["ownerReferences"]
        assert owner["controller"] is True
        if kind == "Deployment":
            made = hook.wait_for("ReplicaSet").request
            assert made["userInfo"]["username"] == "system:serviceaccount:kube-system:deployment-controller"
            assert (owner["kind"], owner["uid"]) == ("ReplicaSet", made["object"]["metadata"]["uid"])
            of_set = made["object"]["metadata"]["ownerReferences"][0]
            assert (of_set["kind"], of_set["uid"]) == ("Deployment", hook.wait_for("Deployment").request["object"]["metadata"]["uid"])
        else:
            assert (owner["kind"], owner["uid"]) == (kind, hook.wait_for(kind).request["object"]["metadata"]["uid"])

    cluster.apply(workload("CronJob", "nightly", team, IMAGE), workload("DaemonSet", "agent", team, IMAGE), user="developer")
    assert hook.wait_for("CronJob") and hook.wait_for("DaemonSet")
    cluster.kubectl("create", "job", "--from=cronjob/nightly", "by-hand", "-n", team, user="developer")
    [owner] = hook.wait_for("Job", name="by-hand").request["object"]["metadata"]["ownerReferences"]
    assert owner["controller"] is True, "a user may write what a controller would"


def test_what_changes_and_what_does_not_come(cluster, hook, team):
    cluster.apply(pod("app", team, IMAGE), workload("Deployment", "web", team, IMAGE), user="developer")
    until("the Deployment has its pod", lambda: len(hook.of("Pod")) == 2)
    hook.calls.clear()
    cluster.kubectl("debug", "app", "-n", team, "--image=registry.example/tools:1", "--profile=general", user="developer")
    request = hook.wait_for("Pod", name="app").request
    assert (request["operation"], request["subResource"], request["resource"]["resource"]) == ("UPDATE", "ephemeralcontainers", "pods")
    assert request["object"]["spec"]["ephemeralContainers"][0]["image"] == "registry.example/tools:1"
    assert request["object"]["spec"]["containers"] == request["oldObject"]["spec"]["containers"]

    hook.calls.clear()
    cluster.kubectl("set", "image", "pod/app", "-n", team, "c0=registry.example/app:2", user="developer")
    request = hook.wait_for("Pod", name="app").request
    assert [request[key]["spec"]["containers"][0]["image"] for key in ("oldObject", "object")] == [IMAGE, "registry.example/app:2"]

    hook.calls.clear()
    cluster.kubectl("scale", "deployment/web", "-n", team, "--replicas=2", user="developer")
    request = hook.wait_for("ReplicaSet").request
    assert (request["operation"], request["object"]["spec"]["template"]) == ("UPDATE", request["oldObject"]["spec"]["template"])
    assert not hook.of("Deployment") and not [call for call in hook.calls if call.request.get("subResource")]

    until("both pods are there", lambda: len(cluster.get("pods", "-n", team, "-l", "app=web")["items"]) == 2)
    hook.calls.clear()
    cluster.kubectl("delete", "deployment/web", "pod/app", "-n", team, "--wait=false", user="developer")
    settle()
    assert not hook.calls, "nothing comes of a DELETE"


def test_a_deny_is_read_by_whoever_asked_and_what_was_annotated_is_in_the_audit_log(cluster, hook, team):
    said = "registry.example/app:1 is denied\nfixed in 2"
    status = {"code": 403, "reason": "Forbidden", "message": said, "details": {"causes": [{"reason": "vuln.maxExceeded", "message": "CVE-1", "field": "spec"}]}}
    deny = {"allowed": False, "status": status, "auditAnnotations": {"decision": "d-1"}}
    hook.answer = lambda call: deny if call.path == "/validate" else {"allowed": True, "warnings": ["looked at", "two\nlines"]}
    done = cluster.apply(pod("app", team, IMAGE), user="developer", check=False)
    assert done.returncode == 1 and said in done.stderr and "Warning: looked at" in done.stderr
    assert "lines" not in done.stderr, "a warning is one line"
    [line] = cluster.audit(resource="pods", namespace=team, name="app")[-1:]
    assert (line["responseStatus"]["code"], line["annotations"]["validate.gate.test/decision"]) == (403, "d-1")

    hook.answer = lambda call: deny if call.request["kind"]["kind"] == "Pod" else {"allowed": True}
    cluster.apply(workload("Deployment", "web", team, IMAGE), user="developer")
    events = ("events", "-n", team, "--field-selector=reason=FailedCreate")
    failed = until("the controller says why", lambda: cluster.get(*events)["items"])
    assert said.splitlines()[0] in failed[0]["message"]


@pytest.mark.parametrize(("policy", "code"), [("Fail", 1), ("Ignore", 0)])
def test_a_webhook_that_is_away_is_what_its_failure_policy_says(cluster, hook, policy, code):
    with cluster.namespace("team-b") as team, cluster.webhooks(hook.url, hook.authority.bundle, name="away", failurePolicy=policy):
        hook.end()
        done = cluster.apply(pod("app", team, IMAGE), user="developer", check=False)
        assert done.returncode == code, done.stderr
        assert code == 0 or 'failed calling webhook "mutate.away.test"' in done.stderr
