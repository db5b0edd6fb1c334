"""`ecr-gate kubernetes simulate`: what admission would say of a manifest, without a cluster, in the words of the webhook."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
import yaml
from kubernetes import pod, workload
from registries import free_port
from scans import CRITICAL, LOW, REGISTRY, complete

NOT_ASKED = [
    {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"image": "a"}},
    {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}},
]
ROLLOUT = {"apiVersion": "argoproj.io/v1", "kind": "Rollout", "metadata": {"name": "canary"}}


@pytest.fixture
def images(moto, push_image, seed_scan) -> dict[str, str]:
    found = {}
    for name, findings in (("good", [LOW]), ("bad", [LOW, CRITICAL])):
        digest = push_image(f"shop/{name}", "1")
        seed_scan(f"shop/{name}", digest, complete(*findings))
        found[name] = f"{REGISTRY}/shop/{name}@{digest}"
    return found


@pytest.fixture
def simulate(gate, tmp_path):
    """Runs it over objects: the answer, and each object's by its name."""

    def run(*objects: dict[str, Any] | str, flags: tuple[Any, ...] = ()) -> tuple[int, dict[str, dict[str, Any]]]:
        text = objects[0] if isinstance(objects[0], str) else yaml.safe_dump_all(objects)
        done = gate("kubernetes", "simulate", "-f", "-", "--output", "json", *flags, stdin=text)
        assert done.stdout, done.stderr
        answer = json.loads(done.stdout)
        assert answer["exitCode"] == done.rc and answer["schema"] == "ecr-gate.dev/simulation/v1"
        return done.rc, {entry["object"]: entry for entry in answer["objects"]}

    return run


def test_d1_each_object_of_a_manifest_is_judged_as_check_would(simulate, images, gate, tmp_path):
    rollout = {**ROLLOUT, "spec": {"template": {"spec": {"containers": [{"name": "c", "image": images["bad"]}]}}}}
    objects = [workload("Deployment", "web", "shop", images["good"], images["bad"]), workload("CronJob", "nightly", "shop", images["good"]), *NOT_ASKED, rollout]
    rc, found = simulate(*objects)
    assert rc == 1
    assert {name: entry["answer"] for name, entry in found.items()} == {
        "Deployment/web": "denied", "CronJob/nightly": "allowed", "ConfigMap/settings": "notAsked", "Service/web": "notAsked", "Rollout/canary": "notAsked",
    }  # fmt: skip
    denied = found["Deployment/web"]
    assert (denied["namespace"], denied["environment"], denied["exitCode"]) == ("shop", "production", 1)
    assert (denied["status"]["code"], denied["status"]["reason"]) == (403, "Forbidden")
    for words in ("1 of 2 images may not run", f"[policy] c1: {images['bad']} in production", "CVE-2021-44228 in log4j-core 2.14.1: CRITICAL", "fixed in 2.15.0"):
        assert words in denied["status"]["message"]
    assert denied["status"]["details"]["causes"][0]["field"] == "spec.template.spec.containers[1].image"
    assert "asked about when they start" in found["Rollout/canary"]["why"]

    (tmp_path / "good.yaml").write_text(yaml.safe_dump(objects[1]))
    (tmp_path / "list.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects[:2]}))
    allowed = gate("kubernetes", "simulate", "-f", tmp_path / "good.yaml")
    assert allowed.rc == 0 and "0 denied, 1 allowed" in allowed.stdout, allowed.stderr
    both = gate("kubernetes", "simulate", "-f", tmp_path / "good.yaml", "-f", tmp_path / "list.json")
    assert both.rc == 1 and "1 denied, 2 allowed" in both.stdout and "CVE-2021-44228" in both.stdout and "list.json, item 1" in both.stdout


def test_s38_a_tag_is_what_the_webhooks_make_of_it(simulate, images, tmp_path):
    by_tag = f"{REGISTRY}/shop/good:1"
    objects = [pod("app", "shop", by_tag), workload("Deployment", "web", "shop", by_tag)]
    assert {entry["answer"] for entry in simulate(*objects)[1].values()} == {"allowed"}, "the pods of both get digests"
    config = {"registries": {"allowed": ["*.amazonaws.com"]}, "admission": {"listen": "127.0.0.1:9443", "cluster": "test", "tags": "off"}}
    (tmp_path / "serve.yaml").write_text(json.dumps(config))
    rc, found = simulate(*objects, flags=("--config", tmp_path / "serve.yaml"))
    assert rc == 1 and {entry["answer"] for entry in found.values()} == {"denied"}
    assert found["Pod/app"]["status"]["details"]["causes"][0]["reason"] == "reference.digest"
    bad = simulate(pod("app", "shop", f"{REGISTRY}/shop/bad:1"))[1]["Pod/app"]
    assert bad["answer"] == "denied" and "CVE-2021-44228" in bad["status"]["message"]


NAMES = """apiVersion: ecr-gate.dev/v1
kind: GatePolicy
metadata: { name: names }
spec:
  environments: { production: { class: production } }
  rules: [{ id: names, registries: { digestOnly: true, tags: { deny: [latest] } } }]
"""


@pytest.mark.parametrize("by", ["itself", "service"])
def test_s38_rules_on_names_see_what_mutation_leaves(simulate, images, serve, tmp_path, by):
    (tmp_path / "names.yaml").write_text(NAMES)
    flags = ("--policy", tmp_path / "names.yaml") if by == "itself" else ("--server", serve(policy=tmp_path / "names.yaml").url)
    name, digest = images["good"].split("@")
    written = {"tag": f"{name}:1", "both": f"{name}:1@{digest}", "never-pushed": f"{name}:9@{digest}", "latest": f"{name}:latest@{digest}", "digest": f"{name}@{digest}"}
    _, found = simulate(*(pod(key, "shop", image) for key, image in written.items()), workload("Deployment", "web", "shop", written["tag"]), flags=flags)
    denied = {key: entry["status"]["details"]["causes"] for key, entry in found.items() if entry["answer"] == "denied"}
    assert set(denied) == {"Pod/latest", "Deployment/web"}, "mutation gives pods their digests, and nobody asks what the tag beside one stands for"
    assert denied["Pod/latest"][0]["reason"] == "reference.tag" and denied["Deployment/web"][0]["reason"] == "reference.digest"


def test_d1_the_configuration_says_environments_kinds_and_registries(simulate, images, tmp_path):
    admission = {
        "listen": "127.0.0.1:9443", "cluster": "test", "namespaces": [{"names": ["dev-*"], "environment": "staging"}],
        "kinds": [{"group": "argoproj.io", "kind": "Rollout", "podSpec": "/spec/template/spec"}], "self": {"namespace": "ecr-gate", "images": []},
    }  # fmt: skip
    config = {"registries": {"allowed": ["*.amazonaws.com"]}, "admission": admission}
    (tmp_path / "serve.yaml").write_text(json.dumps(config))
    rollout = {**ROLLOUT, "spec": {"template": {"spec": {"containers": [{"name": "c", "image": images["bad"]}]}}}}
    objects = [pod("one", "dev-a", images["good"]), pod("two", "shop", "ghcr.io/team/app@sha256:" + "0" * 64), rollout, pod("gate", "ecr-gate", images["bad"])]
    _, found = simulate(*objects, flags=("--config", tmp_path / "serve.yaml", "-n", "shop"))
    assert found["Pod/one"]["environment"] == "staging" and found["Pod/two"]["environment"] == found["Rollout/canary"]["environment"] == "production"
    assert found["Rollout/canary"]["answer"] == "denied" and found["Rollout/canary"]["namespace"] == "shop"
    assert found["Pod/gate"]["answer"] == "notAsked"
    assert "registries.allowed" in found["Pod/two"]["status"]["message"] and found["Pod/two"]["exitCode"] == 3
    # A kind that may hold no images says so; what is there is judged all the same.
    by_reference = {**ROLLOUT, "spec": {"workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}}
    rc, found = simulate(by_reference, flags=("--config", tmp_path / "serve.yaml"))
    assert rc == 1 and found["Rollout/canary"]["answer"] == "denied" and "`optional: true`" in found["Rollout/canary"]["status"]["message"]
    admission["kinds"][0]["optional"] = True
    (tmp_path / "serve.yaml").write_text(json.dumps(config))
    rc, found = simulate(by_reference, flags=("--config", tmp_path / "serve.yaml"))
    assert (rc, found["Rollout/canary"]["answer"]) == (0, "notAsked"), found
    rc, found = simulate({**ROLLOUT, "metadata": {"name": "empty"}, "spec": {"template": {"spec": {}}}}, rollout, flags=("--config", tmp_path / "serve.yaml"))
    assert rc == 1 and {entry["answer"] for entry in found.values()} == {"denied"}, found
    everywhere = simulate(objects[0], flags=("--environment", "sandbox"))[1]["Pod/one"]
    assert everywhere["environment"] == "sandbox"


NOT_UNDERSTOOD = {
    "no containers": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {}},
    "no image": pod("a", "shop", ""),
    "an image that is no text": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [{"name": "c", "image": 1.5}]}},
    "no kind": {"apiVersion": "v1", "metadata": {"name": "a"}},
    "a namespace that is no text": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": []}, "spec": {"containers": []}},
    "text": "hello\n",
    "broken": "kind: [\n",
    "a key twice": "apiVersion: v1\nkind: ConfigMap\nkind: Pod\n",
    "a list without items": "apiVersion: v1\nkind: List\n",
}


@pytest.mark.parametrize("name", NOT_UNDERSTOOD)
def test_d1_what_cannot_be_understood_is_denied_and_never_passed_over(simulate, name):
    rc, found = simulate(NOT_UNDERSTOOD[name])
    [entry] = found.values()
    assert (rc, entry["answer"], entry["status"]["details"]["causes"][0]["reason"]) == (1, "denied", "request.invalid"), entry


def test_nothing_at_all_is_no_admission(gate, tmp_path):
    done = gate("kubernetes", "simulate", "-f", "-", stdin="# nothing\n---\n")
    assert done.rc == 3 and "holds no object" in done.stderr
    assert gate("kubernetes", "simulate", "-f", tmp_path / "missing.yaml").rc == 3
    folder = gate("kubernetes", "simulate", "-f", tmp_path)
    assert folder.rc == 3 and "is a folder" in folder.stderr and "give each file of it" in folder.stderr


def test_d1_the_service_is_asked_without_a_record_and_the_words_are_those_of_its_webhook(serve, simulate, images, gate):
    port = free_port()
    service = serve(admission={"listen": f"127.0.0.1:{port}", "cluster": "test"})
    web, objects = pod("web", "shop", images["good"], images["bad"]), [*NOT_ASKED, pod("fine", "shop", images["good"])]
    flags = ("--server", service.url)
    rc, found = simulate(web, *objects, flags=flags)
    assert rc == 1 and found["Pod/web"]["answer"] == "denied" and found["Pod/fine"]["answer"] == "allowed"
    assert service.get("/api/v1/decisions").json()["decisions"] == [], "nothing is recorded"

    request = {
        "uid": "u", "kind": {"group": "", "version": "v1", "kind": "Pod"}, "namespace": "shop", "operation": "CREATE", "dryRun": True, "object": web,
        "userInfo": {"username": "developer"},
    }  # fmt: skip
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    said = requests.post(f"http://127.0.0.1:{port}/admission/validate?timeout=10s", json=review, timeout=20).json()["response"]
    assert found["Pod/web"]["status"] == said["status"]

    missing = simulate(pod("none", "shop", f"{REGISTRY}/shop/none@sha256:{'0' * 64}"), flags=flags)[1]["Pod/none"]
    assert missing["answer"] == "denied" and missing["exitCode"] == 3, missing
    service.stop()
    away = gate("kubernetes", "simulate", "-f", "-", "--timeout", "2s", *flags, stdin=yaml.safe_dump(web))
    assert away.rc in (4, 5) and not away.stdout, "no answer is no admission"
