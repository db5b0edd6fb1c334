"""The measurements of Kubernetes admission, over TLS as an API server speaks it: (t) a verdict that is known beside a bare handler of the same stack and
OPA's server, (u) pods of ten images with five referrers each, seen for the first time and again, and behind a registry that says 429, (v) memory with
ten thousand known images."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import ssl
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import service
from evidence import die_with_parent, registries
from policies import Opa
from service import CONNECTIONS, SECONDS, Service
from signing import Key
from stock import EVERY, Described, Stock, throttling

RATIFY_PODS = int(os.environ.get("BENCH_PODS", "40"))
IMAGES_OF_A_POD, REFERRERS = 10, 5
WARM_ROUNDS = 5
KNOWN = int(os.environ.get("BENCH_KNOWN_IMAGES", "10000"))
VALIDATE = "/admission/validate?timeout=10s"
HEADERS = {"Content-Type": "application/json", "Accept": "application/json, */*", "User-Agent": "kube-apiserver-admission"}
SIGNED = """apiVersion: ecr-gate.dev/v1
kind: GatePolicy
metadata: { name: bench }
spec:
  signers: { release: { key: release.pub } }
  rules: [{ id: signed, signatures: { of: [release] } }]
"""
REGO = Path(__file__).resolve().parent / "admission.rego"


# --- reviews -----------------------------------------------------------------------------------------------------------


def containers(images: list[str]) -> list[dict[str, Any]]:
    """As an API server sends them: with all that it fills in."""
    probe = {"httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"}, "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
    return [
        {
            "name": f"c{number}", "image": image, "ports": [{"containerPort": 8080, "protocol": "TCP"}], "imagePullPolicy": "IfNotPresent",
            "env": [{"name": "LEVEL", "value": "info"}, {"name": "POD", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}}],
            "resources": {"limits": {"memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}}, "livenessProbe": probe, "readinessProbe": probe,
            "volumeMounts": [{"name": "kube-api-access-x7k2p", "readOnly": True, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}],
            "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
            "securityContext": {"capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True, "allowPrivilegeEscalation": False},
        }
        for number, image in enumerate(images)
    ]  # fmt: skip


def review(kind: str, images: list[str]) -> dict[str, Any]:
    group = {"Pod": "", "Job": "batch"}.get(kind, "apps")
    sources = [{"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}, {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}}]
    spec: dict[str, Any] = {
        "volumes": [{"name": "kube-api-access-x7k2p", "projected": {"sources": sources, "defaultMode": 420}}], "containers": containers(images),
        "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst", "serviceAccountName": "default", "securityContext": {},
        "tolerations": [{"key": f"node.kubernetes.io/{what}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300} for what in ["not-ready", "unreachable"]],
        "enableServiceLinks": True, "preemptionPolicy": "PreemptLowerPriority", "priority": 0, "schedulerName": "default-scheduler",
    }  # fmt: skip
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d4f", "uid": str(uuid.uuid4()), "controller": True, "blockOwnerDeletion": True}
    metadata: dict[str, Any] = {"name": "web", "namespace": "shop", "uid": str(uuid.uuid4()), "creationTimestamp": None, "labels": {"app": "web", "pod-template-hash": "5d4f"}}
    fields = {f"f:{field}": {".": {}, "f:name": {}} for field in ["containers", "volumes", "tolerations", "securityContext", "restartPolicy"]}
    metadata["managedFields"] = [{"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": fields}}]
    if kind == "Pod":
        metadata["ownerReferences"] = [owner]
    else:
        spec = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}}, "spec": spec}}
    named = {"group": group, "version": "v1", "kind": kind}
    resource = {"group": group, "version": "v1", "resource": f"{kind.lower()}s"}
    request = {
        "uid": str(uuid.uuid4()), "kind": named, "resource": resource, "requestKind": named, "requestResource": resource, "name": "web", "namespace": "shop",
        "operation": "CREATE", "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller", "uid": "u", "groups": ["system:serviceaccounts", "system:authenticated"]},
        "object": {"kind": kind, "apiVersion": f"{group}/v1".lstrip("/"), "metadata": metadata, "spec": spec, "status": {}},
        "oldObject": None, "dryRun": False, "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
    }  # fmt: skip
    return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}


def encoded(review: dict[str, Any]) -> bytes:
    return json.dumps(review, separators=(",", ":")).encode()


# --- both sides --------------------------------------------------------------------------------------------------------


class Webhook:
    """A service with the port of admission, and one connection to it that is kept."""

    def __init__(self, service: Service, port: int, tls: tuple[Path, Path, Path]) -> None:
        self.service, self.url = service, f"https://127.0.0.1:{port}"
        self.connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=60, context=ssl.create_default_context(cafile=str(tls[0])))

    def ask(self, body: bytes, path: str = VALIDATE) -> dict[str, Any]:
        return json.loads(self.bytes_of(body, path))["response"]

    def bytes_of(self, body: bytes, path: str = VALIDATE) -> bytes:
        self.connection.request("POST", path, body, HEADERS)
        answer = self.connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            sys.exit(f"bench: {answer.status} {content[:500]!r}")
        return content

    def took(self, body: bytes) -> tuple[float, dict[str, Any]]:
        started = time.perf_counter()
        said = self.ask(body)
        return time.perf_counter() - started, said


@contextlib.contextmanager
def webhook(gate: str, folder: Path, registry: Any, base: dict[str, str], tls: tuple[Path, Path, Path], policy: str = service.POLICY) -> Iterator[Webhook]:
    folder.mkdir(parents=True, exist_ok=True)
    port, config = registries.free_port(), folder / "serve.json"
    _, certificate, key = tls
    admission = {"listen": f"127.0.0.1:{port}", "cluster": "bench", "tls": {"certificate": str(certificate), "key": str(key)}}
    config.write_text(json.dumps({"admission": admission}))  # JSON is YAML
    with service.serving(gate, folder, registry, base, "--config", str(config), policy=policy) as running:
        yield Webhook(running, port, tls)


# --- (t) ---------------------------------------------------------------------------------------------------------------


def known(gate: str, folder: Path, base: dict[str, str], bench: Any) -> None:
    """(t)"""
    turns = max(3, bench.TURNS // 3)
    tls = registries.certificates(folder / "tls")
    with registries.docker_registry(folder, die_with_parent) as registry:
        stock = Stock(folder, "shop/app")
        good, root = [stock.image(number) for number in range(12)], stock.image(12, user="root")
        name = lambda image: f"{registry.host}/shop/app:1.2@{image['digest']}"  # noqa: E731
        kinds = ["Pod"] * 5 + ["Deployment"] * 2 + ["StatefulSet", "Job"]
        reviews = [review(kind, [name(good[number]), name(good[number + 3])]) for number, kind in enumerate(kinds)]
        reviews.append(review("Pod", [name(good[0]), name(root)]))
        bodies = [encoded(one) for one in reviews]
        data = folder / "images.json"
        data.write_text(json.dumps({"images": {one["digest"]: {"config": {"user": user}} for one, user in [*((one, "1000") for one in good), (root, "root")]}}))
        size = statistics.mean(map(len, bodies)) / 1024
        print(f"\n(t) A verdict that is known: {len(bodies)} reviews of {size:.1f} KiB with two images each, one of them denied, over TLS on kept connections;\n    {CONNECTIONS} connections of wrk, {turns} turns of {SECONDS} s")
        with webhook(gate, folder / "service", registry, base, tls) as hook, Opa(REGO, data, tls=tls[1:]) as opa:
            for one, body in zip(reviews, bodies, strict=True):
                ours, opas = hook.ask(body), opa.ask(body, path="/v0/data/admission/answer")["response"]
                same = [(said["uid"], said["allowed"]) for said in (ours, opas)]
                blamed = [name(root) in said.get("status", {}).get("message", "") for said in (ours, opas)]
                if same != [(one["request"]["uid"], one is not reviews[-1])] * 2 or blamed != [one is reviews[-1]] * 2:
                    sys.exit(f"bench: not the same answers: {ours} {opas}")
            with service.bare(hook.bytes_of(bodies[0]), folder, *map(str, tls[1:])) as bare_url:
                sides = {
                    "ecr-gate": hook.url + VALIDATE,
                    "a bare handler": bare_url + VALIDATE,
                    "OPA's server": f"https://127.0.0.1:{opa.port}/v0/data/admission/answer",
                }
                rates: dict[str, list[float]] = {side: [] for side in sides}
                for turn in range(turns + 1):
                    for side, url in sides.items():
                        rate, _ = service.wrk(url, bodies, folder)
                        if turn > 0:
                            rates[side].append(rate)
            medians = {side: statistics.median(rate) for side, rate in rates.items()}
            for side, rate in medians.items():
                print(f"  {side:34} {rate:9.0f} requests/s")
            middle, late = service.hey(sides["ecr-gate"], bodies[0], folder, medians["ecr-gate"] / 2)
        ours, handler, opas = medians.values()
        bench.goal("requests/s: gate / OPA", ours / opas, "×", 5, at_least=True)
        bench.goal("requests/s: gate / bare handler", 100 * ours / handler, " %", 70, at_least=True)
        print(f"  {'at half of that, p50':34} {bench.ms(middle)}   expected: below 1 ms\n  {'at half of that, p99':34} {bench.ms(late)}   expected: below 5 ms")


# --- (u) ---------------------------------------------------------------------------------------------------------------


def p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


def ratify(gate: str, folder: Path, base: dict[str, str], bench: Any) -> None:
    """(u)"""
    tls = registries.certificates(folder / "tls")
    release, stranger = Key(), Key()
    with registries.docker_registry(folder, die_with_parent) as registry:
        stock = Stock(folder, "shop/app")
        made: list[Described] = []
        for number in range(RATIFY_PODS * IMAGES_OF_A_POD):
            made.append(stock.image(number))
            stock.refer(made[-1], release, stranger)
        unsigned = stock.image(-1)

        def pods(host: str) -> list[bytes]:
            names = [f"{host}/shop/app@{image['digest']}" for image in made]
            return [encoded(review("Pod", names[first : first + IMAGES_OF_A_POD])) for first in range(0, len(names), IMAGES_OF_A_POD)]

        def asked(hook: Webhook, bodies: list[bytes]) -> tuple[list[float], list[str]]:
            answers = [hook.took(body) for body in bodies]
            return [took for took, _ in answers], [said["status"]["message"] for _, said in answers if not said["allowed"]]

        def starting(place: str, registry: registries.Registry) -> contextlib.AbstractContextManager[Webhook]:
            (folder / place).mkdir()
            release.write(folder / place, "release")
            return webhook(gate, folder / place, registry, base, tls, policy=SIGNED)

        print(f"\n(u) {RATIFY_PODS} pods of {IMAGES_OF_A_POD} images with {REFERRERS} referrers each, signed by key, in a registry on loopback without the referrers API")
        with starting("direct", registry) as hook:
            before = registry.requests_seen()
            cold, denied = asked(hook, pods(registry.host))
            took = (registry.requests_seen() - before) / len(made)
            warm, denied_again = asked(hook, pods(registry.host) * WARM_ROUNDS)
            if hook.ask(encoded(review("Pod", [f"{registry.host}/shop/app@{unsigned['digest']}"])))["allowed"]:
                sys.exit("bench: an image without a signature was allowed")
        if denied or denied_again:
            sys.exit(f"bench: a signed image was denied: {(denied + denied_again)[0]}")
        print(f"  {'seen for the first time':34} {bench.ms(statistics.median(cold))} median, {bench.ms(p95(cold)).strip()} P95; {took:.1f} requests to the registry an image")
        print(f"  {'seen again':34} {bench.ms(statistics.median(warm))} median, {bench.ms(p95(warm)).strip()} P95")
        with throttling(registry) as (slow, proxy), starting("throttled", slow) as hook:
            times, denied = asked(hook, pods(slow.host))
            print(f"  {'429 to one request in ' + str(EVERY):34} {bench.ms(statistics.median(times))} median, {bench.ms(p95(times)).strip()} P95; {proxy.refused} of {proxy.counted} requests (a proxy in Python stands between)")
        for message in denied[:3]:
            print("    " + message.replace("\n", "\n    "))
        bench.goal("pods denied for that", len(denied), "", 0, at_least=False)


# --- (v) ---------------------------------------------------------------------------------------------------------------


def remembered(gate: str, folder: Path, base: dict[str, str], bench: Any) -> None:
    """(v)"""
    tls = registries.certificates(folder / "tls")
    each = 50
    with registries.docker_registry(folder, die_with_parent) as registry:
        stock = Stock(folder, "shop/app")
        names = [f"{registry.host}/shop/app@{stock.image(number)['digest']}" for number in range(KNOWN)]
        bodies = [encoded(review("Pod", names[first : first + each])) for first in range(0, KNOWN, each)]
        with webhook(gate, folder / "service", registry, base, tls) as hook:
            time.sleep(2)
            rest = hook.service.memory_mib()
            patient = VALIDATE.replace("10s", "30s")
            denied = [said for body in bodies if not (said := hook.ask(body, patient))["allowed"]]
            full = hook.service.memory_mib()
            if denied:
                sys.exit(f"bench: {denied[0]['status']['message']}")
            denied = [said for body in bodies if not (said := hook.ask(body, patient))["allowed"]]
            late = hook.service.memory_mib()
        if denied:
            sys.exit(f"bench: {denied[0]['status']['message']}")
        print(f"\n(v) Memory of the service with {KNOWN:,} known images, asked for in pods of {each}")
        print(f"  {'at rest, with all, and once more':34} {rest:.1f} MiB, then {full:.1f} MiB, then {late:.1f} MiB")
        bench.goal("with all of them, asked for twice", max(full, late), " MiB", 100, at_least=False)


MEASUREMENTS: dict[str, Callable[..., None]] = {"t": known, "u": ratify, "v": remembered}


def main(gate: str, folder: Path, base: dict[str, str], bench: Any) -> None:
    environment = {**base, "DOCKER_CONFIG": str(folder), "NO_PROXY": "*"}
    for measure in (measure for letter, measure in MEASUREMENTS.items() if bench.wanted(letter)):
        place = folder / measure.__name__
        place.mkdir()
        measure(gate, place, environment, bench)


if __name__ == "__main__":
    sys.exit(f"run {os.path.dirname(__file__)}/run")
