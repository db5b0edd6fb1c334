"""The Helm chart and the manifests made from it: what is rendered, what is refused, and what a real API server makes of it."""

from __future__ import annotations

import base64
import itertools
import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from cryptography import x509
from kubernetes import Cluster, Hook, pod, settle, workload
from services import until

TOP = Path(__file__).parents[2]
CHART = TOP / "deploy/helm/ecr-gate"
PLAIN = TOP / "deploy/kubernetes"
DIGEST = "sha256:" + "4bcf" * 16
NAMESPACE = "ecr-gate"
NAME_OF = "kubernetes.io/metadata.name"
BASE: dict[str, Any] = {
    "image": {"repository": "registry.example/ecr-gate", "digest": DIGEST},
    "database": {"existingSecret": "ecr-gate-database"},
    "registries": {"allowed": ["registry.example", "*.amazonaws.com"]},
    "admission": {"cluster": "production-eu"},
}
ENVIRONMENTS = [
    {"name": "staging", "label": {"key": "environment", "operator": "In", "values": ["staging", "test"]}},
    {"name": "sandbox", "label": {"key": "sandbox", "operator": "Exists"}},
]
ROLLOUT = {"group": "argoproj.io", "resource": "rollouts", "kind": "Rollout", "podSpec": "/spec/template/spec"}


def over(base: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Values over values, as helm lays them."""
    merged = dict(base)
    for key, value in more.items():
        merged[key] = over(merged[key], value) if isinstance(value, dict) and isinstance(merged.get(key), dict) else value
    return merged


SETS: dict[str, dict[str, Any]] = {
    "postgresql": BASE,
    "sqlite": over(BASE, {"replicas": 1, "database": {"kind": "sqlite", "storageClass": "gp3"}}),
    "cert-manager": over(BASE, {"certificates": {"from": "certManager"}}),
    "issuer": over(BASE, {"certificates": {"from": "certManager", "certManager": {"issuerRef": {"name": "house", "kind": "ClusterIssuer", "group": "cert-manager.io"}}}}),
    "own-certificate": over(BASE, {"certificates": {"from": "secret", "secret": {"name": "mine", "authority": "-----BEGIN CERTIFICATE-----\n"}}}),
    "everything": over(
        BASE,
        {
            "replicas": 3,
            "imagePullSecrets": [{"name": "pull"}],
            "policies": {"production.yaml": "apiVersion: ecr-gate.dev/v1\nkind: GatePolicy\n", "staging.yaml": "kind: GatePolicy\n"},
            "config": {"limits": {"requestTimeout": "20s"}, "audit": {"origin": "gate.example"}, "log": {"level": "warn"}},
            "admission": {
                "tags": "all",
                "timeoutSeconds": 15,
                "environments": ENVIRONMENTS,
                "namespaces": [{"names": ["team-a-*"], "environment": "staging"}],
                "kinds": [ROLLOUT, {"group": "serving.example", "versions": ["v1"], "resource": "models", "kind": "Model", "images": ["/spec/image"], "optional": True}],
                "breakGlass": {"groups": ["break-glass"], "longest": "4h"},
                "controllers": ["system:serviceaccount:kube-system:*"],
                "concurrency": 256,
                "clientCa": "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n",
            },
            "networkPolicy": {"apiServers": ["10.0.0.0/28"], "apiFrom": [{"namespaceSelector": {"matchLabels": {"ci": "true"}}}],
                              "extraEgress": [{"to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}]}]},
            "aws": {"region": "eu-west-1"},
            "serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/gate"}},
            "env": [{"name": "ECR_GATE_LOG", "value": "debug"}],
            "envFrom": [{"secretRef": {"name": "more"}}],
            "podAnnotations": {"a": "b"},
            "podLabels": {"c": "d"},
            "nodeSelector": {"pool": "system"},
            "tolerations": [{"operator": "Exists"}],
            "affinity": {"nodeAffinity": {}},
            "priorityClassName": "system-cluster-critical",
        },
    ),
}  # fmt: skip
KINDS_OF_PODS = {
    ("", "pods"), ("", "pods/ephemeralcontainers"), ("", "replicationcontrollers"), ("apps", "deployments"), ("apps", "replicasets"),
    ("apps", "statefulsets"), ("apps", "daemonsets"), ("batch", "jobs"), ("batch", "cronjobs"),
}  # fmt: skip


class Rendered:
    """What the chart makes of values."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.objects = [made for made in yaml.safe_load_all(text) if made]

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [made for made in self.objects if made["kind"] == kind]

    def one(self, kind: str) -> dict[str, Any]:
        [only] = self.all(kind)
        return only

    @property
    def container(self) -> dict[str, Any]:
        [only] = self.one("Deployment")["spec"]["template"]["spec"]["containers"]
        return only

    @property
    def configuration(self) -> dict[str, Any]:
        return yaml.safe_load(self.all("ConfigMap")[0]["data"]["serve.yaml"])

    def webhooks(self, path: str) -> dict[str, dict[str, Any]]:
        """By the first part of their names."""
        kind = {"validate": "ValidatingWebhookConfiguration", "mutate": "MutatingWebhookConfiguration"}[path]
        return {hook["name"].split(".")[0]: hook for hook in self.one(kind)["webhooks"]}


@pytest.fixture
def render(helm: Callable[..., Any], tmp_path: Path) -> Callable[..., Rendered]:
    def run(values: dict[str, Any], namespace: str = NAMESPACE) -> Rendered:
        (tmp_path / "values.yaml").write_text(json.dumps(values))
        return Rendered(helm("template", NAMESPACE, CHART, "-n", namespace, "--kube-version", "1.35", "-f", tmp_path / "values.yaml").stdout)

    return run


@pytest.fixture
def refused(helm: Callable[..., Any], tmp_path: Path) -> Callable[..., str]:
    """What is said where it refuses."""

    def run(values: dict[str, Any], namespace: str = NAMESPACE) -> str:
        (tmp_path / "values.yaml").write_text(json.dumps(values))
        done = helm("template", NAMESPACE, CHART, "-n", namespace, "--kube-version", "1.35", "-f", tmp_path / "values.yaml", check=False)
        assert done.returncode != 0, "it is rendered"
        return done.stderr

    return run


def chosen(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Whether a namespace with these labels is chosen, by the rules of Kubernetes: NotIn chooses what has no such label."""

    def fits(one: dict[str, Any]) -> bool:
        there, value = one["key"] in labels, labels.get(one["key"])
        return {"In": there and value in one.get("values", []), "NotIn": not there or value not in one.get("values", []),
                "Exists": there, "DoesNotExist": not there}[one["operator"]]  # fmt: skip

    return all(map(fits, selector.get("matchExpressions", []))) and all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


# --- what is rendered ------------------------------------------------------------------------------------------------


@pytest.mark.helm
@pytest.mark.parametrize("name", SETS)
def test_every_manifest_is_one_that_kubernetes_knows(helm, render, tmp_path, name):
    (tmp_path / "values.yaml").write_text(json.dumps(SETS[name]))
    helm("lint", CHART, "--strict", "-n", NAMESPACE, "--kube-version", "1.35", "-f", tmp_path / "values.yaml")
    rendered = render(SETS[name])
    assert len(rendered.objects) >= 9
    for made in rendered.objects:
        if not made["apiVersion"].startswith("cert-manager.io"):
            kubernetes_validate.validate(made, "1.35", strict=True)
        if not made["kind"].endswith("WebhookConfiguration"):
            assert made["metadata"]["namespace"] == NAMESPACE
    names = [(made["kind"], made["metadata"]["name"]) for made in rendered.objects]
    assert len(set(names)) == len(names)


@pytest.mark.helm
@pytest.mark.parametrize("name", SETS)
def test_the_pod_may_do_nothing_that_it_need_not(render, name):
    rendered = render(SETS[name])
    spec, container = rendered.one("Deployment")["spec"]["template"]["spec"], rendered.container
    assert spec["automountServiceAccountToken"] is False and rendered.one("ServiceAccount")["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] and spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    security = container["securityContext"]
    assert security["readOnlyRootFilesystem"] and security["runAsNonRoot"] and not security["allowPrivilegeEscalation"]
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert container["resources"]["requests"] and container["resources"]["limits"]["memory"]
    assert (container["readinessProbe"]["httpGet"]["path"], container["livenessProbe"]["httpGet"]["path"]) == ("/readyz", "/healthz")
    assert {made["kind"] for made in rendered.objects}.isdisjoint({"ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding"})
    policy = rendered.one("NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"] and [rule["ports"][0]["port"] for rule in policy["ingress"]] == [9443, 8443]
    assert ({"port": 5432, "protocol": "TCP"} in policy["egress"][1]["ports"]) == (name != "sqlite")
    grace = rendered.configuration["shutdown"]
    assert spec["terminationGracePeriodSeconds"] > sum(int(grace[key].rstrip("s")) for key in ("delay", "finishWithin"))


@pytest.mark.helm
def test_one_replica_has_a_file_and_several_a_database(render):
    several, one = render(SETS["postgresql"]), render(SETS["sqlite"])
    assert several.one("Deployment")["spec"]["replicas"] == 2 and several.one("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert several.one("Deployment")["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    url = next(variable for variable in several.container["env"] if variable["name"] == "ECR_GATE_DATABASE_URL")
    assert url["valueFrom"] == {"secretKeyRef": {"name": "ecr-gate-database", "key": "url"}}
    pod_spec = several.one("Deployment")["spec"]["template"]["spec"]
    assert pod_spec["affinity"]["podAntiAffinity"] and pod_spec["topologySpreadConstraints"]
    assert not several.all("PersistentVolumeClaim")

    assert one.one("Deployment")["spec"]["strategy"] == {"type": "Recreate"}
    assert one.one("PersistentVolumeClaim")["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert not one.all("PodDisruptionBudget"), "its node could never be drained"
    assert "ECR_GATE_DATABASE_URL" not in [variable["name"] for variable in one.container["env"]]


@pytest.mark.helm
def test_s40_the_configuration_says_who_the_gate_is(render, gate, tmp_path):
    configuration = render(SETS["everything"]).configuration
    admission = configuration["admission"]
    assert admission["self"] == {"namespace": NAMESPACE, "images": [f"registry.example/ecr-gate@{DIGEST}"]}
    assert (admission["cluster"], admission["tags"], admission["clientCa"]) == ("production-eu", "all", ["/etc/ecr-gate/api-server.pem"])
    assert admission["kinds"][0] == {key: ROLLOUT[key] for key in ("group", "kind", "podSpec")}
    assert admission["kinds"][1] == {"group": "serving.example", "kind": "Model", "images": ["/spec/image"], "optional": True}
    assert configuration["audit"] == {"key": "/etc/ecr-gate/keys/audit.key", "origin": "gate.example"}
    assert configuration["policy"] == [f"/etc/ecr-gate/policies/{name}.yaml" for name in ("production", "staging")]
    # And all of it is what `serve` takes.
    (tmp_path / "schema.json").write_text(gate("serve", "--print-config-schema").stdout)
    (tmp_path / "serve.yaml").write_text(json.dumps(configuration))
    done = subprocess.run(["check-jsonschema", "--schemafile", tmp_path / "schema.json", tmp_path / "serve.yaml"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.helm
def test_s38_off_is_a_word_however_yaml_reads_it(render):
    for written in ("off", False):
        rendered = render(over(BASE, {"admission": {"tags": written}}))
        assert rendered.configuration["admission"]["tags"] == "off"
        assert {resource for hook in rendered.webhooks("mutate").values() for rule in hook["rules"] for resource in rule["resources"]} == {
            "pods", "pods/ephemeralcontainers"}  # fmt: skip


@pytest.mark.helm
def test_its_keys_are_those_that_the_service_takes(render, serve, gate, tmp_path):
    """The service runs with what the chart made, all but the places of files."""
    rendered = render(over(SETS["sqlite"], {"certificates": {"names": ["localhost"]}}))
    for secret in rendered.all("Secret"):
        for name, value in secret["data"].items():
            (tmp_path / f"{secret['metadata']['name']}-{name}").write_bytes(base64.b64decode(value))
    made = {name: tmp_path / f"ecr-gate-{name}" for name in ("tls-tls.crt", "tls-tls.key", "keys-audit.key", "keys-tokens", "keys-admin.token", "authority-tls.crt")}
    configuration = {key: value for key, value in rendered.configuration.items() if key not in ("admission", "listen", "dataDir", "audit", "tls")}
    tls = {"certificate": str(made["tls-tls.crt"]), "key": str(made["tls-tls.key"])}
    audit = {"key": str(made["keys-audit.key"]), "origin": rendered.configuration["audit"]["origin"]}
    service = serve(tokens=False, env={"ECR_GATE_TOKENS": made["keys-tokens"].read_text()}, tls=tls, audit=audit, **configuration)
    subject = x509.load_pem_x509_certificate(made["tls-tls.crt"].read_bytes())
    names = subject.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    assert f"ecr-gate.{NAMESPACE}.svc" in names
    # As the API server calls it: by that name, believing that authority alone.
    address = service.url.removeprefix("https://")
    port = address.rsplit(":", 1)[1]
    token = made["keys-admin.token"].read_text()
    curl = ["curl", "-sS", "--fail", "--cacert", made["authority-tls.crt"], "--resolve", f"ecr-gate.{NAMESPACE}.svc:{port}:127.0.0.1"]
    asked = [*curl, "-H", f"Authorization: Bearer {token}", f"https://ecr-gate.{NAMESPACE}.svc:{port}/api/v1/whoami"]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert "admin" in [grant["role"] for grant in json.loads(done.stdout)["grants"]]
    # As somebody at a workstation calls it, through a forwarded port: by what the webhooks believe.
    (tmp_path / "ca.pem").write_bytes(base64.b64decode(rendered.webhooks("validate")["other"]["clientConfig"]["caBundle"]))
    flags = ("--server", f"https://localhost:{port}", "--server-ca", tmp_path / "ca.pem", "--token-file", made["keys-admin.token"])
    for words in (("whoami",), ("token", "create", "ada", "--role", "approver", "--person", "ada@example.com", "--expires", "90d")):
        assert gate(*words, *flags).rc == 0
    granted = gate("override", "grant", f"ghcr.io/you/app@{DIGEST}", "--lasts", "2h", "--ticket", "INC-7", "--reason", "outage", *flags)
    assert granted.rc == 0, granted.stderr


# --- webhooks --------------------------------------------------------------------------------------------------------


@pytest.mark.helm
@pytest.mark.parametrize("name", SETS)
def test_s40_every_webhook_asks_about_every_kind_and_fails_closed(render, name):
    rendered = render(SETS[name])
    kinds = {(kind["group"], kind["resource"]) for kind in SETS[name]["admission"].get("kinds", [])}
    for path in ("validate", "mutate"):
        wanted = KINDS_OF_PODS | kinds if path == "validate" or name == "everything" else {("", "pods"), ("", "pods/ephemeralcontainers")}
        for short, hook in rendered.webhooks(path).items():
            covered = {(group, resource) for rule in hook["rules"] for group in rule["apiGroups"] for resource in rule["resources"]}
            assert covered == wanted
            assert all(rule["operations"] == ["CREATE", "UPDATE"] for rule in hook["rules"])
            assert (hook["matchPolicy"], hook["sideEffects"], hook["admissionReviewVersions"]) == ("Equivalent", "NoneOnDryRun", ["v1"])
            assert hook["failurePolicy"] == ("Ignore" if short == "kube-system" else "Fail")
            assert hook["timeoutSeconds"] == (15 if name == "everything" else 10)
            assert hook.get("reinvocationPolicy") == ("IfNeeded" if path == "mutate" else None)
            environment = short.removeprefix("env-") if short.startswith("env-") else None
            assert hook["clientConfig"]["service"] == {"name": "ecr-gate", "namespace": NAMESPACE, "port": 443,
                                                       "path": f"/admission/{path}" + (f"/{environment}" if environment else "")}  # fmt: skip
            assert ("caBundle" in hook["clientConfig"]) == ("certManager" not in json.dumps(SETS[name]))
            assert "objectSelector" not in hook, "a label of its own would let an object past"
    if "certManager" in json.dumps(SETS[name]):
        assert [made["metadata"]["annotations"] for made in rendered.objects if made["kind"].endswith("WebhookConfiguration")] == [
            {"cert-manager.io/inject-ca-from": f"{NAMESPACE}/ecr-gate"}
        ] * 2


@pytest.mark.helm
@pytest.mark.parametrize("operator", ["In", "NotIn", "Exists", "DoesNotExist"])
def test_s7_no_namespace_falls_between_the_webhooks(render, operator):
    values = {"values": ["staging", "test"]} if operator in ("In", "NotIn") else {}
    environments = [{"name": "staging", "label": {"key": "environment", "operator": operator, **values}}, ENVIRONMENTS[1]]
    rendered = render(over(BASE, {"admission": {"environments": environments}}))
    for path in ("validate", "mutate"):
        hooks = rendered.webhooks(path)
        assert set(hooks) == {"kube-system", "env-staging", "env-sandbox", "other"}
        for name, environment, sandbox in itertools.product(
            ("team-a", "default", "kube-public", "kube-system", NAMESPACE, f"{NAMESPACE}-2"), (None, "staging", "test", "production", ""), (None, "", "true")
        ):
            labels = {NAME_OF: name} | ({} if environment is None else {"environment": environment}) | ({} if sandbox is None else {"sandbox": sandbox})
            asked = {short for short, hook in hooks.items() if chosen(hook["namespaceSelector"], labels)}
            if name == NAMESPACE:
                assert asked == set(), "the gate's own namespace, and no other"
            elif name == "kube-system":
                assert asked == {"kube-system"}
            else:
                first = {"In": environment in ("staging", "test"), "NotIn": environment not in ("staging", "test"),
                         "Exists": environment is not None, "DoesNotExist": environment is None}[operator]  # fmt: skip
                wanted = ({"env-staging"} if first else set()) | ({"env-sandbox"} if sandbox is not None else set())
                assert asked == (wanted or {"other"})


# --- what is refused -------------------------------------------------------------------------------------------------

REFUSED = {
    "two replicas on a file": ({"database": {"kind": "sqlite"}}, "a SQLite file belongs to one process"),
    "no database": ({"database": {"existingSecret": ""}}, "database.existingSecret is empty"),
    "no image": ({"image": {"repository": ""}}, "image.repository is empty"),
    "a tag in the repository": ({"image": {"repository": "registry.example/ecr-gate:1"}}, "repository"),
    "no cluster": ({"admission": {"cluster": ""}}, "admission.cluster is empty"),
    "no registry": ({"registries": {"allowed": []}}, "registries.allowed is empty"),
    "a registry with a scheme": ({"registries": {"allowed": ["https://ghcr.io"]}}, "is no registry's host"),
    "a registry with a repository": ({"registries": {"allowed": ["ghcr.io", "ghcr.io/you"]}}, "is no registry's host"),
    "a registry without a name": ({"registries": {"allowed": [""]}}, "is no registry's host"),
    "a star inside a registry": ({"registries": {"allowed": ["a.*.example"]}}, "is no registry's host"),
    "every registry": ({"registries": {"allowed": ["*"]}}, "is no registry's host"),
    "a network that is a name": ({"registries": {"networks": ["corp.example"]}}, "is no network"),
    "a word that is none": ({"admission": {"failurePolicy": "fail"}}, "failurePolicy"),
    "a key that is none": ({"admission": {"failPolicy": "Fail"}}, "failPolicy"),
    "a selector of two labels": ({"admission": {"environments": [{"name": "a", "namespaceSelector": {}}]}}, "namespaceSelector"),
    "an environment twice": ({"admission": {"environments": [ENVIRONMENTS[1], ENVIRONMENTS[1]]}}, "sandbox twice"),
    "an operator without values": ({"admission": {"environments": [{"name": "a", "label": {"key": "k", "operator": "In"}}]}}, "needs values"),
    "an operator with values": ({"admission": {"environments": [{"name": "a", "label": {"key": "k", "operator": "Exists", "values": ["x"]}}]}}, "has no values"),
    "the name as a label": ({"admission": {"environments": [{"name": "a", "label": {"key": NAME_OF, "operator": "In", "values": ["x"]}}]}}, "admission.namespaces"),
    "break-glass by anybody": ({"admission": {"breakGlass": {"groups": ["on-call"], "longest": "4h"}}}, "needs admission.clientCa"),
    "break-glass without an end": ({"admission": {"breakGlass": {"groups": ["on-call"]}}}, "breakGlass.longest is empty"),
    "a kind without images": ({"admission": {"kinds": [{"group": "g", "resource": "r", "kind": "K"}]}}, "where are its images"),
    "the chart's own keys": ({"config": {"listen": "0.0.0.0:1"}}, "config.listen is for the chart to set"),
    "nobody": ({"adminToken": {"create": False}}, "nobody could use the API"),
    "tokens twice": ({"config": {"auth": {"tokens": [{"name": "a"}]}}}, "would be passed over"),
    "a certificate without its authority": ({"certificates": {"from": "secret", "secret": {"name": "mine"}}}, "certificates.secret.authority"),
}  # fmt: skip


@pytest.mark.helm
@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_go_together_is_refused_with_words(refused, name):
    values, said = REFUSED[name]
    assert said in refused(over(BASE, values))


@pytest.mark.helm
def test_s37_every_registry_that_the_service_takes_is_taken(render, serve):
    allowed = ["ghcr.io", "GHCR.io", "*.dkr.ecr.eu-west-1.amazonaws.com", "10.0.0.5:5000", "*.zone.example:5000", "[::1]:5000", "localhost", "my_host:5000"]
    values = {"allowed": allowed, "networks": ["10.0.0.0/16", "192.168.1.7", "fd12:3456::/32"]}
    registries = render(over(BASE, {"registries": values})).configuration["registries"]
    assert registries == values
    serve(registries=registries)


@pytest.mark.helm
@pytest.mark.parametrize("namespace", ["default", "kube-system"])
def test_s40_it_has_a_namespace_of_its_own(refused, namespace):
    assert "needs a namespace of its own" in refused(BASE, namespace)


# --- the plain manifests ---------------------------------------------------------------------------------------------


@pytest.mark.helm
def test_the_plain_manifests_are_those_of_the_chart(tmp_path):
    subprocess.run([TOP / "tools/manifests", tmp_path], check=True, timeout=60)
    made = sorted(file.name for file in tmp_path.iterdir())
    assert made == sorted(file.name for file in PLAIN.glob("ecr-gate-*.yaml")) and len(made) == 2
    for name in made:
        assert (tmp_path / name).read_text() == (PLAIN / name).read_text(), f"{name} is not up to date: run tools/manifests"


@pytest.mark.parametrize("file", sorted(PLAIN.glob("ecr-gate-*.yaml")), ids=lambda file: file.name)
def test_the_plain_manifests_are_valid_and_hold_no_secret(file):
    manifests = Rendered(file.read_text())
    assert manifests.objects[0]["kind"] == "Namespace" and not manifests.all("Secret")
    for made in manifests.objects:
        if not made["apiVersion"].startswith("cert-manager.io"):
            kubernetes_validate.validate(made, "1.35", strict=True)
    assert "Helm" not in manifests.text and "caBundle" not in manifests.text


# --- the guide -------------------------------------------------------------------------------------------------------


@pytest.mark.helm
def test_what_the_guide_says_is_taken(render, gate, tmp_path):
    blocks = [yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```", (TOP / "docs/guides/kubernetes.md").read_text(), re.S | re.M)]
    policies = [block for block in blocks if block.get("kind") == "GatePolicy"]
    whole = [block for block in blocks if "image" in block]
    assert (len(whole), len(policies)) == (2, 1) and len(blocks) >= 7
    (tmp_path / "policy.yaml").write_text(json.dumps(policies[0]))
    assert gate("policy", "check", tmp_path / "policy.yaml").rc == 0
    declared = set(policies[0]["spec"]["environments"])
    for values in whole:
        assert render(over(values, {"policies": {"production.yaml": json.dumps(policies[0])}})).one("Deployment")
        assert values["certificates"]["names"] == ["localhost"]
    for block in blocks:
        if "image" not in block and block not in policies:
            render(over(BASE, block))
        admission = block.get("admission", {})
        named = [entry["environment"] for entry in admission.get("namespaces", [])] + [entry["name"] for entry in admission.get("environments", [])]
        assert declared.issuperset(named), "the policy of the guide declares the environments of the guide"


# --- in a cluster ----------------------------------------------------------------------------------------------------


@pytest.fixture
def in_cluster(cluster: Cluster, helm: Callable[..., Any], tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """helm in the cluster: `in_cluster("install", values)`. What it installed goes, with what it would keep."""
    flags = ["-n", NAMESPACE, "--kubeconfig", cluster.kubeconfig()]

    def run(verb: str, values: dict[str, Any]) -> Any:
        (tmp_path / "values.yaml").write_text(json.dumps(values))
        return helm(verb, NAMESPACE, CHART, *flags, "-f", tmp_path / "values.yaml")

    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}})
    try:
        yield run
    finally:
        helm("uninstall", NAMESPACE, *flags, "--ignore-not-found")
        cluster.kubectl("delete", "all,secret,configmap,pvc,networkpolicy,pdb", "--all", "-n", NAMESPACE)
        cluster.kubectl("delete", "validatingwebhookconfiguration,mutatingwebhookconfiguration", NAMESPACE, "--ignore-not-found")


@pytest.mark.helm
@pytest.mark.kubernetes
@pytest.mark.timeout(300)
def test_it_is_installed_and_upgraded_and_keeps_its_keys(cluster, in_cluster):
    notes = in_cluster("install", SETS["everything"]).stdout
    assert "rollout status deployment/ecr-gate" in notes and "admin\\.token" in notes and "delete validatingwebhookconfiguration" in notes
    assert "WARNING" not in notes, "the API server alone reaches the admission port"
    until("the controllers make its pods", lambda: len(cluster.get("pods", "-n", NAMESPACE)["items"]) == 3)

    def secret(name: str) -> dict[str, Any]:
        return cluster.get("secret", name, "-n", NAMESPACE)

    def bundles() -> set[str]:
        found = [cluster.get(kind, NAMESPACE) for kind in ("validatingwebhookconfiguration", "mutatingwebhookconfiguration")]
        return {hook["clientConfig"]["caBundle"] for one in found for hook in one["webhooks"]}

    keys, tls, authority = secret("ecr-gate-keys")["data"], secret("ecr-gate-tls"), secret("ecr-gate-authority")["data"]
    assert bundles() == {authority["tls.crt"]}

    reached = over(SETS["everything"], {"replicas": 2, "networkPolicy": {"apiServers": []}, "admission": {"clientCa": ""}})
    reached["admission"].pop("breakGlass")
    assert "WARNING: everybody in the cluster reaches the admission port" in in_cluster("upgrade", reached).stdout
    assert (secret("ecr-gate-keys")["data"], secret("ecr-gate-tls")["data"], secret("ecr-gate-authority")["data"]) == (keys, tls["data"], authority)

    # Another name: another certificate of the same authority, so that nobody has to believe anything new.
    in_cluster("upgrade", over(SETS["everything"], {"certificates": {"names": ["gate.example"]}}))
    renamed = secret("ecr-gate-tls")
    assert renamed["data"]["tls.crt"] != tls["data"]["tls.crt"] and secret("ecr-gate-authority")["data"] == authority and bundles() == {authority["tls.crt"]}
    certificate, signer = (x509.load_pem_x509_certificate(base64.b64decode(data["tls.crt"])) for data in (renamed["data"], authority))
    certificate.verify_directly_issued_by(signer)

    # An old one is made anew.
    old = str(int(time.time()) - 91 * 86400)
    cluster.kubectl("annotate", "secret", "ecr-gate-tls", "-n", NAMESPACE, "--overwrite", f"ecr-gate.dev/issued={old}")
    in_cluster("upgrade", over(SETS["everything"], {"certificates": {"names": ["gate.example"]}}))
    assert secret("ecr-gate-tls")["data"]["tls.crt"] != renamed["data"]["tls.crt"]
    assert secret("ecr-gate-keys")["data"] == keys


@pytest.mark.helm
@pytest.mark.kubernetes
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["sqlite", "own-certificate", "plain"])
def test_the_api_server_takes_every_object(cluster, in_cluster, render, name):
    made = Rendered((PLAIN / "ecr-gate-postgresql.yaml").read_text()) if name == "plain" else render(SETS[name])
    ours = [one for one in made.objects if not one["apiVersion"].startswith("cert-manager.io")]
    done = cluster.apply(*ours, flags=("--dry-run=server", "--validate=strict"))
    assert "Warning" not in done.stderr, done.stderr


@pytest.mark.helm
@pytest.mark.kubernetes
@pytest.mark.timeout(300)
def test_the_plain_manifests_are_taken_away_without_what_is_kept(cluster, in_cluster):
    """As their README says it, all but the kinds of cert-manager, which this cluster does not know."""
    section = (PLAIN / "README.md").read_text().split("## Uninstall")[1]
    webhooks, rest = re.search(r"```sh\n(.*?)```", section, re.S)[1].replace("\\\n", " ").splitlines()
    ours = [one for one in Rendered((PLAIN / "ecr-gate-sqlite.yaml").read_text()).objects if not one["apiVersion"].startswith("cert-manager.io")]
    keys = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "ecr-gate-keys", "namespace": NAMESPACE}, "stringData": {"tokens": "t"}}
    cluster.apply(keys, *ours)
    for line in (webhooks, re.sub(r",[a-z]+\.cert-manager\.io", "", rest)):
        program, *words = line.split()
        assert program == "kubectl"
        cluster.kubectl(*words)

    def there(one: dict[str, Any]) -> bool:
        where = ("-n", NAMESPACE) if "namespace" in one["metadata"] else ()
        return cluster.kubectl("get", one["kind"], one["metadata"]["name"], *where, check=False).returncode == 0

    assert {one["kind"] for one in [keys, *ours] if there(one)} == {"Namespace", "Secret", "PersistentVolumeClaim"}


@pytest.mark.helm
@pytest.mark.kubernetes
@pytest.mark.timeout(300)
def test_what_the_guide_lists_is_every_registry(cluster):
    """The line that finds out what runs before anything is switched on."""
    [line] = re.findall(r"^kubectl get pods -A .*?uniq -c$", (TOP / "docs/guides/kubernetes.md").read_text(), re.S | re.M)
    with cluster.namespace("mixed") as namespace:
        one = pod("mixed", namespace, "nginx:1.27", "bitnami/redis@" + DIGEST, "ghcr.io/you/app:1")
        one["spec"]["initContainers"] = [{"name": "first", "image": "localhost:5000/first:1"}]
        cluster.apply(one)
        asked = line.replace("kubectl get pods -A", f"kubectl --kubeconfig {cluster.kubeconfig()} get pods -n {namespace}")
        done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, timeout=60, check=True)
    assert sorted(found.split()[1] for found in done.stdout.splitlines()) == ["docker.io", "ghcr.io", "localhost:5000"], done.stdout
    assert ["2", "docker.io"] in [found.split() for found in done.stdout.splitlines()]


@pytest.mark.helm
@pytest.mark.kubernetes
@pytest.mark.timeout(300)
def test_b9_the_api_server_asks_about_what_changes_images_and_nothing_else(cluster, hook, render):
    """The chart's webhooks, with the address of ours: what the rules, selectors and conditions let through to it."""
    rendered = render(over(BASE, {"admission": {"environments": ENVIRONMENTS, "tags": "all"}}))
    ours = [made for made in rendered.objects if made["kind"].endswith("WebhookConfiguration")]
    for made in ours:
        for one in made["webhooks"]:
            one["clientConfig"] = {"url": hook.url + one["clientConfig"]["service"]["path"], "caBundle": hook.authority.bundle}
    image, validate = "registry.example/app:1", "/admission/validate"
    with cluster.namespace("team-a") as team, cluster.namespace("team-b", environment="staging") as staging, cluster.namespace("both", environment="test", sandbox="") as both:
        try:
            cluster.apply(*ours)

            def tried() -> set[str]:
                cluster.apply(*(pod("tried", name, image) for name in (team, staging, both)), flags=("--dry-run=server",))
                return {call.path for call in hook.calls} >= {validate, f"{validate}/staging", f"{validate}/sandbox", "/admission/mutate"}

            until("the webhooks are in force", tried)
            for namespace, paths in ((team, [""]), (staging, ["/staging"]), (both, ["/sandbox", "/staging"]), ("kube-system", [""])):
                hook.calls.clear()
                cluster.apply(pod("app", namespace, image))
                assert sorted(call.path for call in hook.calls if call.path.startswith(validate)) == [validate + path for path in paths]

            hook.calls.clear()
            cluster.apply(workload("Deployment", "web", team, image), workload("CronJob", "nightly", team, image))
            until("the Deployment has its pod", lambda: hook.of("Pod", validate))
            assert hook.of("Deployment", validate) and hook.of("ReplicaSet", validate) and hook.of("CronJob", validate)
            web = until("the pod is there", lambda: cluster.get("pods", "-n", team, "-l", "app=web")["items"])[0]["metadata"]["name"]
            settle()

            # What leaves images alone is not asked about, whoever does it.
            hook.calls.clear()
            cluster.kubectl("label", "pod/app", "deployment/web", "cronjob/nightly", "-n", team, "a=b", user="developer")
            cluster.kubectl("annotate", "deployment/web", "-n", team, "a=b", user="developer")
            cluster.kubectl("patch", "cronjob/nightly", "-n", team, "-p", '{"spec":{"suspend":true}}', user="developer")
            cluster.kubectl("patch", "deployment/web", "-n", team, "-p", '{"spec":{"minReadySeconds":1}}', user="developer")
            settle(1)
            assert [call.request["kind"]["kind"] for call in hook.calls] == []
            cluster.kubectl("scale", "deployment/web", "-n", team, "--replicas=2", user="developer")
            until("it has another pod", lambda: hook.of("Pod", validate))
            assert {call.request["kind"]["kind"] for call in hook.calls} == {"Pod"}, "not about the ReplicaSet"

            # An annotation of the gate's is, and so is every other image.
            hook.calls.clear()
            cluster.kubectl("annotate", "deployment/web", "-n", team, "ecr-gate.dev/anything=1", user="on-call")
            assert hook.wait_for("Deployment", validate).request["userInfo"]["username"] == "on-call"
            for changed in ("pod/app", f"pod/{web}", "deployment/web", "cronjob/nightly"):
                hook.calls.clear()
                cluster.kubectl("set", "image", changed, "-n", team, "c0=registry.example/app:2", user="developer")
                assert hook.calls, changed
            hook.calls.clear()
            cluster.kubectl("debug", "app", "-n", team, "--image=registry.example/tools:1", "--profile=general", user="developer")
            assert hook.wait_for("Pod", validate, name="app").request["subResource"] == "ephemeralcontainers"

            # The gate is down: nothing new, but what is there can change, be scaled to nothing and go. kube-system goes on.
            hook.end()
            refused = cluster.apply(pod("late", team, image), check=False)
            assert refused.returncode == 1 and "failed calling webhook" in refused.stderr
            cluster.apply(pod("late", "kube-system", image))
            cluster.kubectl("label", "pod/app", "deployment/web", "-n", team, "c=d")
            cluster.kubectl("scale", "deployment/web", "-n", team, "--replicas=0")
            until("its pods are gone", lambda: not cluster.get("pods", "-n", team, "-l", "app=web")["items"])
            cluster.kubectl("delete", "deployment/web", "-n", team, "--cascade=foreground", "--timeout=30s")
        finally:
            cluster.kubectl("delete", "validatingwebhookconfiguration,mutatingwebhookconfiguration", NAMESPACE, "--ignore-not-found")
            cluster.kubectl("delete", "pod/app", "pod/late", "-n", "kube-system", "--ignore-not-found")
