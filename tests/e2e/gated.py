"""A cluster behind the gate: `ecr-gate serve` as the chart configures it, asked by a real API server through the webhooks that the chart makes. Only the
addresses are others: a URL on loopback where the chart has a Service, and files of the test where it has volumes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import itertools
import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import images
import reports
import requests
import yaml
from kubernetes import Authority, Cluster, pod
from registries import Registry, free_port
from services import TOKENS, Service, Services, until



def person_token(name: str) -> str:
    return f"token-of-{name}-{'x' * 20}"


CHART = Path(__file__).parents[2] / "deploy/helm/ecr-gate"
NAMESPACE = "ecr-gate"
OWN = "sha256:" + "4bcf" * 16
VALUES: dict[str, Any] = {
    "image": {"repository": "registry.example/ecr-gate", "digest": OWN},
    "database": {"existingSecret": "ecr-gate-database"},
    "registries": {"allowed": ["registry.example"]},
    "admission": {
        "cluster": "test",
        "environments": [{"name": name, "label": {"key": "environment", "operator": "In", "values": [name]}} for name in ("staging", "sandbox")],
    },
}
SCANNED = {"vulnerabilities": {"sources": {"accept": ["file"]}, "max": {"critical": 0}}}
NON_ROOT = {"config": {"nonRoot": True}}
PEOPLE = {"dora": "read", "ada": "admin"}
"""Persons, and the role of their token, which is `token-of-NAME`."""
BEARERS = [
    {"name": name, "role": role, "sha256": hashlib.sha256(token.encode()).hexdigest(), **({"person": f"{name}@example.com"} if name in PEOPLE else {})}
    for name, role, token in [*((name, role, person_token(name)) for name, role in PEOPLE.items()), *((role, role, token) for role, token in TOKENS.items())]
]
CLASSES = {"production": {"class": "production"}, "staging": {"class": "non-production"}, "sandbox": {"class": "non-production"}}


def document(name: str, environment: str, *rules: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A policy for one environment."""
    numbered = [{"id": f"r{number}", **rule} for number, rule in enumerate(rules, 1)]
    spec = {"environments": CLASSES, "match": {"environments": [environment]}, "rules": numbered, **spec}
    return {"apiVersion": "ecr-gate.dev/v1", "kind": "GatePolicy", "metadata": {"name": name}, "spec": spec}


def usual() -> list[dict[str, Any]]:
    """In production and staging an image needs a scan without a critical finding; in the sandbox it is enough that it does not run as root."""
    return [
        document("production", "production", SCANNED),
        document("staging", "staging", SCANNED, grandfathering="10s"),
        document("sandbox", "sandbox", NON_ROOT),
    ]


@dataclasses.dataclass(frozen=True)
class Shelved:
    """An image in the registry."""

    image: images.Image
    tagged: str
    """`host/repository:tag`"""

    @property
    def digest(self) -> str:
        return self.image.digest

    @property
    def pinned(self) -> str:
        """By its digest alone."""
        return f"{self.tagged.rsplit(':', 1)[0]}@{self.digest}"

    @property
    def both(self) -> str:
        """As a pod gets it."""
        return f"{self.tagged}@{self.digest}"


class Shelf:
    """Images of a registry, as many as are wanted: alike but for an annotation."""

    def __init__(self, registry: Registry, folder: Path, name: str) -> None:
        self.host, self.name, self.numbers = registry.host, name, itertools.count(1)
        self.base = images.build(folder / "layout")
        self.rooted = images.build(folder / "rooted", config={**images.RUNNABLE, "User": "root"})
        for number, base in enumerate((self.base, self.rooted)):
            registry.push(base, f"{name}:{number}")
        self.repository = registry.repository(name)

    def image(self, tag: str | None = None, *, root: bool = False) -> Shelved:
        """A new one. What runs as root is denied in the sandbox."""
        number, base = next(self.numbers), self.rooted if root else self.base
        tag = tag or f"t{number}"
        made, _ = self.repository.put_manifest({**base.manifest(), "annotations": {"number": str(number)}}, tag)
        return Shelved(dataclasses.replace(base, digest=made["digest"]), f"{self.host}/{self.name}:{tag}")

    def images(self, count: int, *, root: bool = False) -> list[Shelved]:
        return [self.image(root=root) for _ in range(count)]


class Gate:
    """The gate of a cluster. It answers from `start` on, and is asked between `webhooks` and its end."""

    def __init__(self, cluster: Cluster, folder: Path, made: list[dict[str, Any]]) -> None:
        """`made` is what the chart makes."""
        self.cluster, self.folder, self.made = cluster, folder, made
        self.authority = Authority(folder, "authority of the gate")
        self.port = free_port()
        self.certificate, self.key = self.authority.issue("gate", hosts=["127.0.0.1"])
        self.service: Service

    def admission(self) -> dict[str, Any]:
        """The chart's configuration of admission, with the places of this gate."""
        [data] = [one["data"] for one in self.made if one["kind"] == "ConfigMap" and "serve.yaml" in one["data"]]
        (self.folder / "api-server.pem").write_text(data["api-server.pem"])
        tls = {"certificate": str(self.certificate), "key": str(self.key)}
        ours = {"listen": f"127.0.0.1:{self.port}", "tls": tls, "clientCa": [str(self.folder / "api-server.pem")]}
        return {**yaml.safe_load(data["serve.yaml"])["admission"], **ours}

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def start(self) -> Gate:
        self.service.start()
        return self

    def configurations(self) -> list[dict[str, Any]]:
        """The chart's webhooks, with the address of this gate."""
        ours = [one for one in json.loads(json.dumps(self.made)) if one["kind"].endswith("WebhookConfiguration")]
        for hook in itertools.chain.from_iterable(one["webhooks"] for one in ours):
            hook["clientConfig"] = {"url": self.url + hook["clientConfig"]["service"]["path"], "caBundle": self.authority.bundle}
        return ours

    @contextlib.contextmanager
    def webhooks(self) -> Iterator[Gate]:
        """The API server asks this gate; afterwards whoever was asked before."""
        kinds = "validatingwebhookconfiguration,mutatingwebhookconfiguration"
        before = json.loads(self.cluster.kubectl("get", kinds, NAMESPACE, "--ignore-not-found", "-o", "json").stdout or '{"items": []}')["items"]
        self.cluster.apply(*self.configurations())
        try:
            self.is_asked()
            yield self
        finally:
            if before:
                for one in before:
                    one["metadata"] = {key: one["metadata"][key] for key in ("name", "labels")}
                self.cluster.apply(*before)
            else:
                self.cluster.kubectl("delete", kinds, NAMESPACE)

    def is_asked(self) -> None:
        """Waits until a pod that is only tried gets to the gate, as its log of requests says."""
        path = "/admission/validate"

        def asked() -> bool:
            seen = self.requests(path)
            self.cluster.apply(pod("tried", "default", "tried:1"), flags=("--dry-run=server",), check=False)
            return self.requests(path) > seen

        until("the webhooks are in force", asked)

    def requests(self, path: str) -> int:
        """How many reviews it has answered, as it counts them itself."""
        text = self.service.get("/metrics", "read").text
        counts = re.findall(r"^ecr_gate_http_requests_total\{([^}]*)\} (\S+)", text, re.M)
        return int(sum(float(count) for labels, count in counts if f'"{path}"' in labels))

    # --- what is known about images

    def scanned(self, image: Shelved, *found: reports.Vulnerability, ago_s: float = 60) -> Shelved:
        """Hands in a scan with these findings."""
        report = reports.trivy(image.image, *found, repo=image.pinned.split("@")[0], ago_s=ago_s)
        handed = self.service.post("/api/v1/signals", report, "write", params={"image": image.pinned, "kind": "report"})
        assert handed.status_code == 201, handed.text
        return image

    def deny(self, image: Shelved) -> None:
        """By name, everywhere."""
        made = self.service.post("/api/v1/denials", {"kind": "digest", "what": image.digest, "reason": "stolen"}, "admin")
        assert made.ok, made.text

    def exported(self) -> list[dict[str, Any]]:
        """The entries of the audit log."""
        return [json.loads(line)["entry"] for line in self.service.export().splitlines() if '"entry"' in line]


class Gates:
    """Makes gates of one cluster, and ends them."""

    def __init__(self, cluster: Cluster, registry: Registry, helm: Callable[..., str], folder: Path, env: dict[str, str]) -> None:
        self.cluster, self.helm, self.folder = cluster, helm, folder
        self.services = Services(folder, {**env, "ECR_GATE_INSECURE_REGISTRIES": registry.host})
        self.shelf = Shelf(registry, folder, f"cluster/{folder.name}")

    def __call__(
        self, *, policies: list[dict[str, Any]] | None = None, values: dict[str, Any] | None = None, admission: dict[str, Any] | None = None, **keywords: Any
    ) -> Gate:
        """One that was not started yet; `admission` is over `values.admission` of the chart."""
        folder = self.folder / f"gate{len(self.services.started)}"
        folder.mkdir()
        clients = {"clientCa": self.cluster.clients.file.read_text()}
        chart = {**VALUES, **(values or {}), "admission": {**VALUES["admission"], **clients, **(admission or {})}}
        (folder / "values.yaml").write_text(json.dumps(chart))
        text = self.helm("template", NAMESPACE, CHART, "-n", NAMESPACE, "--kube-version", "1.35", "-f", folder / "values.yaml")
        gate = Gate(self.cluster, folder, [one for one in yaml.safe_load_all(text) if one])
        files = []
        for one in usual() if policies is None else policies:
            files.append(folder / f"{one['metadata']['name']}.yaml")
            files[-1].write_text(json.dumps(one))
        gate.service = self.services.new(policy=files, admission=gate.admission(), auth={"tokens": BEARERS, "anonymousReads": True}, **keywords)
        return gate

    def end(self) -> None:
        for service in self.services.started:
            service.end()


def events(cluster: Cluster, namespace: str) -> list[str]:
    """What controllers say that they could not do, waited for."""
    wanted = ("events", "-n", namespace, "--field-selector=type=Warning")
    return [one["message"] for one in until("a controller says why", lambda: cluster.get(*wanted)["items"])]


def pods(cluster: Cluster, namespace: str, app: str) -> list[dict[str, Any]]:
    """The pods of a workload that are not on their way out."""
    found = cluster.get("pods", "-n", namespace, "-l", f"app={app}")["items"]
    return [one for one in found if "deletionTimestamp" not in one["metadata"]]


def has_pods(cluster: Cluster, namespace: str, app: str, count: int = 1) -> list[dict[str, Any]]:
    """As many, waited for."""
    return until(f"{count} pods of {app}", lambda: (found := pods(cluster, namespace, app)) and len(found) == count and found)


def image_of(one: dict[str, Any]) -> str:
    return one["spec"]["containers"][0]["image"]


# --- load ------------------------------------------------------------------------------------------------------------


class Makers:
    """Clients of the API server that make pods as `developer`, one image each, and keep account of what they were answered."""

    def __init__(self, cluster: Cluster, namespace: str, asks: Iterable[str], clients: int = 4) -> None:
        self.cluster, self.namespace = cluster, namespace
        self.asks, self.lock, self.over, self.number = iter(asks), threading.Lock(), threading.Event(), itertools.count(1)
        self.answers: list[tuple[str, int, str]] = []
        """The image, the status, and what was said."""
        self.threads = [threading.Thread(target=self._client, daemon=True) for _ in range(clients)]

    def _client(self) -> None:
        session = client(self.cluster.authority, self.cluster.folder, "developer")
        url = f"{self.cluster.url}/api/v1/namespaces/{self.namespace}/pods"
        while not self.over.is_set():
            with self.lock:
                image, number = next(self.asks, None), next(self.number)
            if image is None:
                return
            answer = session.post(url, json=pod(f"made-{number}", self.namespace, image), timeout=30)
            self.answers.append((image, answer.status_code, answer.text))

    def __enter__(self) -> Makers:
        for thread in self.threads:
            thread.start()
        return self

    def finish(self) -> None:
        """Until everything is asked."""
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive(), "a client hangs"

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.finish()

    def reaches(self, more: int) -> None:
        """Waits for so many answers more."""
        count = len(self.answers) + more
        until(f"{count} answers", lambda: len(self.answers) >= count or not any(thread.is_alive() for thread in self.threads))


def review(namespace: str, *asked: str, uid: str = "u-1", **request: Any) -> dict[str, Any]:
    """An AdmissionReview about a new pod, as far as it is read."""
    containers = [{"name": f"c{number}", "image": image} for number, image in enumerate(asked)]
    made = {"metadata": {"name": "direct", "namespace": namespace}, "spec": {"containers": containers}}
    said = {"uid": uid, "kind": {"group": "", "version": "v1", "kind": "Pod"}, "namespace": namespace, "operation": "CREATE", "object": made,
            "userInfo": {"username": "ada"}, "dryRun": False}  # fmt: skip
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {**said, **request}}


def client(authority: Authority, folder: Path, name: str) -> requests.Session:
    """Believes this authority alone, and shows a certificate of the folder."""
    session = requests.Session()
    session.trust_env = False  # or a variable of the environment would name another authority
    session.verify, session.cert = str(authority.file), (str(folder / f"{name}.crt"), str(folder / f"{name}.key"))
    session.headers["Content-Type"] = "application/json"
    return session


def caller(gate: Gate) -> requests.Session:
    """Calls the gate as the API server does, by HTTP/1.1."""
    return client(gate.authority, gate.cluster.clients.folder, "kube-apiserver")
