"""Kubernetes admission as an API server asks for it: over the port of the built binary, with real registries behind."""

from __future__ import annotations

import base64
import gzip
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from registries import free_port
from reports import policy
from scans import CRITICAL, LOW, REGISTRY, complete
from services import until

NON_ROOT = {"config": {"nonRoot": True}}
NOBODY = {"config": {"userIds": ["1-2"]}}


class Cluster:
    """What an API server would send to a service, and what it makes of the answers."""

    def __init__(self, service, port: int) -> None:
        self.service, self.url = service, f"http://127.0.0.1:{port}"

    def post(self, path: str, body: bytes, timeout_s: int = 10, **headers: str) -> requests.Response:
        headers = {"Content-Type": "application/json", "Accept": "application/json, */*", "User-Agent": "kube-apiserver-admission", **headers}
        return requests.post(f"{self.url}{path}?timeout={timeout_s}s", data=body, headers=headers, timeout=timeout_s)

    def review(self, path: str, review: dict[str, Any], **keywords: Any) -> dict[str, Any]:
        answer = self.post(path, json.dumps(review).encode(), **keywords)
        assert answer.status_code == 200, f"{answer.status_code} {answer.text}\n{self.service.log[-1000:]}"
        said = answer.json()
        assert (said["apiVersion"], said["kind"], said["response"]["uid"]) == ("admission.k8s.io/v1", "AdmissionReview", review["request"]["uid"])
        return said["response"]

    def validated(self, review: dict[str, Any], **keywords: Any) -> dict[str, Any]:
        return self.review("/admission/validate", review, **keywords)

    def mutated(self, review: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The response, and the review with the changed object."""
        said = self.review("/admission/mutate", review)
        assert said["allowed"]
        changed = json.loads(json.dumps(review))
        for step in json.loads(base64.b64decode(said.get("patch", base64.b64encode(b"[]")))):
            *parents, key = [part.replace("~1", "/").replace("~0", "~") for part in step["path"].split("/")[1:]]
            place: Any = changed["request"]["object"]
            for part in parents:
                place = place[int(part)] if isinstance(place, list) else place[part]
            assert step["op"] in ("add", "replace"), step
            place[key] = step["value"]
        return said, changed


@pytest.fixture
def cluster(serve):
    """Starts a service with the port of admission."""

    def start(*flags: Any, tags: str = "pods", **config: Any) -> Cluster:
        port = free_port()
        admission = {"listen": f"127.0.0.1:{port}", "cluster": "test", "tags": tags, "namespaces": [{"names": ["dev-*"], "environment": "staging"}]}
        return Cluster(serve(*flags, admission=admission, **config), port)

    return start


def pod(*images: str, namespace: str = "shop", **request: Any) -> dict[str, Any]:
    containers = [{"name": f"c{number}", "image": image, "imagePullPolicy": "IfNotPresent"} for number, image in enumerate(images)]
    metadata = {"name": "web", "namespace": namespace, "labels": {"app": "web"}, "managedFields": [{"manager": "kubectl"}]}
    return {
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": str(uuid.uuid4()),
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "requestKind": {"group": "", "version": "v1", "kind": "Pod"},
            "requestResource": {"group": "", "version": "v1", "resource": "pods"},
            "name": "web",
            "namespace": namespace,
            "operation": "CREATE",
            "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller", "uid": "u", "groups": ["system:authenticated"]},
            "object": {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": {"containers": containers, "restartPolicy": "Always"}},
            "oldObject": None,
            "dryRun": False,
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
            **request,
        },
    }


def test_d1_an_image_with_a_critical_finding_that_is_deployed_at_once_is_denied_and_the_audit_log_shows_it(
    cluster, moto, push_image, seed_scan, verify_export
):
    good, bad = push_image("shop/good", "1"), push_image("shop/bad", "1")
    seed_scan("shop/good", good, complete(LOW))
    seed_scan("shop/bad", bad, complete(LOW, CRITICAL))
    cluster = cluster()
    said, review = cluster.mutated(pod(f"{REGISTRY}/shop/bad:1"))
    image = review["request"]["object"]["spec"]["containers"][0]["image"]
    assert image == f"{REGISTRY}/shop/bad:1@{bad}", said
    denied = cluster.validated(review)
    assert not denied["allowed"]
    assert (denied["status"]["code"], denied["status"]["reason"]) == (403, "Forbidden")
    message = denied["status"]["message"]
    for words in ("ecr-gate: policy", image, "in production", "vuln.maxExceeded: 1 CRITICAL finding", "CVE-2021-44228 in log4j-core 2.14.1: CRITICAL",
                  "fixed in 2.15.0", "ecr-gate exception request "):
        assert words in message, message
    assert [cause["reason"] for cause in denied["status"]["details"]["causes"]] == ["vuln.maxExceeded"]
    assert cluster.validated(pod(f"{REGISTRY}/shop/good@{good}"))["allowed"]

    decision = denied["auditAnnotations"]["decisions"]
    entries = until("the log has it", lambda: [line for line in cluster.service.export().splitlines() if decision in line])
    assert any(bad in line and "vuln.maxExceeded" in line for line in entries), entries
    record = cluster.service.get(f"/api/v1/decisions/{decision}").json()
    assert (record["verdict"], record["answer"]["point"]) == ("deny", "admission")
    assert record["answer"]["askedBy"] == "kubernetes:system:serviceaccount:kube-system:replicaset-controller"
    verify_export(cluster.service.export(), cluster.service.vkey())


def test_d2_a_tag_becomes_a_digest_once_and_pods_are_annotated(cluster, registry, repo, build_image, tmp_path):
    image = build_image()
    tagged = registry.push(image, f"{repo}:1").split("@")[0]
    cluster = cluster(policy=policy(tmp_path / "p.yaml", NON_ROOT))
    denied = cluster.validated(pod(tagged))
    assert [cause["reason"] for cause in denied["status"]["details"]["causes"]] == ["reference.digest"]
    _, review = cluster.mutated(pod(tagged))
    made = review["request"]["object"]
    assert made["spec"]["containers"][0]["image"] == f"{tagged}@{image.digest}"
    assert made["metadata"]["annotations"]["ecr-gate.dev/digest"] == image.digest
    again, _ = cluster.mutated(review)
    assert "patch" not in again, again
    allowed = cluster.validated(review)
    assert allowed["allowed"] and allowed["auditAnnotations"]["basis"] == "c0=allowed", allowed
    # Unchanged, deleted, scaled: nobody is asked.
    request = review["request"]
    for other in ({"operation": "UPDATE", "oldObject": request["object"]}, {"operation": "DELETE", "object": None, "oldObject": request["object"]}):
        said = cluster.validated({**review, "request": {**request, **other}})
        assert said["allowed"] and "why" in said["auditAnnotations"], said


def test_d1_reviews_are_taken_compressed_and_refused_where_they_are_none(cluster, many_images, tmp_path):
    cluster = cluster(policy=policy(tmp_path / "p.yaml", NON_ROOT))
    review = pod(many_images[0])
    text = json.dumps(review).encode()
    answer = cluster.post("/admission/validate", gzip.compress(text), **{"Content-Encoding": "gzip"})
    assert answer.json()["response"]["allowed"], answer.text
    for body in (b"", b"{", b"{}", text[:-3], b"[" * 100_000, text.replace(b'"uid"', b'"id"', 1)):
        answer = cluster.post("/admission/validate", body)
        assert answer.status_code == 400 and "allowed" not in answer.text, answer.text
    old = cluster.validated({**review, "apiVersion": "admission.k8s.io/v1beta1"})
    assert (old["allowed"], old["status"]["code"]) == (False, 400)
    assert cluster.post("/admission/validate", b" " * (9 << 20)).status_code == 413


def test_s30_millions_of_containers_are_refused_before_they_take_memory(cluster, many_images, tmp_path):
    cluster = cluster(policy=policy(tmp_path / "p.yaml", NON_ROOT))
    assert cluster.validated(pod(many_images[0]))["allowed"]
    empty = b"[" + b",".join([b"{}"] * 2_000_000) + b"]"

    def memory_mib(line: str) -> float:
        status = Path(f"/proc/{cluster.service.process.pid}/status").read_text()
        [value] = [text.split()[1] for text in status.splitlines() if text.startswith(f"{line}:")]
        return int(value) / 1024

    def sent(review: dict[str, Any], text: str) -> dict[str, Any]:
        body = json.dumps(review).encode()
        assert body.count(text.encode()) == 1
        packed = gzip.compress(body.replace(text.encode(), empty), compresslevel=1)
        answer = cluster.post("/admission/validate", packed, timeout_s=30, **{"Content-Encoding": "gzip"})
        assert answer.status_code == 200, answer.text
        return answer.json()["response"]

    before = memory_mib("VmRSS")
    for list_ in ("containers", "initContainers", "ephemeralContainers", "volumes"):
        review = pod(many_images[0])
        review["request"]["object"]["spec"][list_] = "HERE"
        denied = sent(review, '"HERE"')
        assert (denied["allowed"], denied["status"]["code"]) == (False, 400), denied
        assert "a list has more than 1000 entries" in denied["status"]["message"], denied
    for place in ("ownerReferences", "annotations"):
        review = pod(many_images[0])
        review["request"]["object"]["metadata"][place] = "HERE"
        assert not sent(review, '"HERE"')["allowed"], place
    grown = memory_mib("VmHWM") - before
    assert grown < 40, f"{grown:.0f} MiB"
    assert cluster.validated(pod(many_images[0]))["allowed"]


def test_f9_a_silent_registry_is_a_deadline_and_not_policy(cluster, serve, many_images, tmp_path):
    cluster = cluster(policy=policy(tmp_path / "p.yaml", NON_ROOT), registries={"allowed": ["127.0.0.1:9", many_images[0].split("/")[0]]})
    gone = f"127.0.0.1:9/team/app@sha256:{'1' * 64}"
    denied = cluster.validated(pod(many_images[0], gone), timeout_s=2)
    assert not denied["allowed"] and denied["status"]["code"] in (503, 504), denied
    assert all(cause["reason"] in ("deadline", "registry.unavailable") for cause in denied["status"]["details"]["causes"]), denied


def test_b9_an_environment_is_of_the_namespace_and_denials_are_of_policy(cluster, many_images, tmp_path):
    environments = {"production": {"class": "production"}, "staging": {"class": "non-production"}}
    strict = policy(tmp_path / "p.yaml", NOBODY, environments=environments, match={"environments": ["production"]})
    lax = policy(tmp_path / "q.yaml", NON_ROOT, environments=environments, match={"environments": ["staging"]})
    lax.write_text(lax.read_text().replace('"name": "test"', '"name": "lax"').replace("name: test", "name: lax"))
    cluster = cluster(policy=[strict, lax])
    assert not cluster.validated(pod(many_images[0]))["allowed"]
    assert cluster.validated(pod(many_images[0], namespace="dev-ada"))["allowed"]
    assert cluster.review("/admission/validate/staging", pod(many_images[0]))["allowed"]
    nowhere = cluster.review("/admission/validate/nowhere", pod(many_images[0]))
    assert (nowhere["allowed"], nowhere["status"]["code"]) == (False, 400)


def test_many_pods_at_once_each_get_their_own_answer(cluster, many_images, tmp_path):
    cluster = cluster(policy=policy(tmp_path / "p.yaml", NON_ROOT))
    reviews = [pod(*many_images[:8]) for _ in range(200)]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(cluster.validated, reviews))
    assert all(answer["allowed"] for answer in answers)
    assert cluster.service.stop() == 0, "both ports end"
