"""`certificates.from: gate`: the gate makes and renews its certificate by itself. Against a real API server, with the rights that the chart gives and no others."""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from cryptography import x509
from kubernetes import Cluster

CHART = Path(__file__).parents[2] / "deploy/helm/ecr-gate"
NAMESPACE = "ecr-gate"
VALUES: dict[str, Any] = {
    "image": {"repository": "registry.example/ecr-gate", "digest": "sha256:" + "4bcf" * 16},
    "database": {"existingSecret": "ecr-gate-database"},
    "registries": {"allowed": ["registry.example"]},
    "admission": {"cluster": "production-eu"},
    "certificates": {"from": "gate", "names": ["gate.example.com"], "gate": {"days": 80, "renewBeforeDays": 20}},
}
HOOKS = ("validatingwebhookconfiguration", "mutatingwebhookconfiguration")

pytestmark = [pytest.mark.helm, pytest.mark.timeout(300)]


@pytest.fixture
def rendered(helm: Callable[..., Any], tmp_path: Path) -> list[dict[str, Any]]:
    (tmp_path / "values.yaml").write_text(json.dumps(VALUES))
    helm("lint", CHART, "--strict", "-n", NAMESPACE, "--kube-version", "1.35", "-f", tmp_path / "values.yaml")
    text = helm("template", NAMESPACE, CHART, "-n", NAMESPACE, "--kube-version", "1.35", "-f", tmp_path / "values.yaml").stdout
    return [made for made in yaml.safe_load_all(text) if made]


def of(objects: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {made["metadata"]["name"]: made for made in objects if made["kind"] == kind}


def test_the_chart_gives_the_rights_to_two_secrets_and_its_webhooks_and_no_others(rendered):
    for made in rendered:
        kubernetes_validate.validate(made, "1.35", strict=True)
    [role], [cluster_role] = of(rendered, "Role").values(), of(rendered, "ClusterRole").values()
    assert role["rules"] == [{"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["ecr-gate-authorities", "ecr-gate-certificate"], "verbs": ["get", "update"]}]
    assert cluster_role["rules"][0]["resourceNames"] == ["ecr-gate"] and cluster_role["rules"][0]["verbs"] == ["get", "update"] and len(cluster_role["rules"]) == 1
    assert all(set(hook["clientConfig"]) == {"service"} for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration") for hook in of(rendered, kind)["ecr-gate"]["webhooks"])
    assert all("data" not in of(rendered, "Secret")[name] for name in ("ecr-gate-authorities", "ecr-gate-certificate"))

    deployment = of(rendered, "Deployment")["ecr-gate"]["spec"]["template"]["spec"]
    mounted = [source["secret"]["name"] for volume in deployment["volumes"] for source in volume.get("projected", {}).get("sources", []) if "secret" in source]
    assert "ecr-gate-certificate" in mounted and "ecr-gate-authorities" not in mounted, "its key is for nobody who answers"
    assert deployment["automountServiceAccountToken"] is False

    job, cron = of(rendered, "Job")["ecr-gate-certificates-1"]["spec"], of(rendered, "CronJob")["ecr-gate-certificates"]["spec"]
    assert cron["jobTemplate"]["spec"] == job and cron["concurrencyPolicy"] == "Forbid"
    spec = job["template"]["spec"]
    selector = of(rendered, "Service")["ecr-gate"]["spec"]["selector"]
    assert not selector.items() <= job["template"]["metadata"]["labels"].items(), "it is no gate to be asked"
    assert (spec["serviceAccountName"], spec["automountServiceAccountToken"], spec["restartPolicy"]) == ("ecr-gate-certificates", True, "OnFailure")
    assert spec["securityContext"]["runAsNonRoot"] and spec["containers"][0]["securityContext"]["readOnlyRootFilesystem"]


# --- in a cluster ----------------------------------------------------------------------------------------------------


class Installed:
    """The chart in a cluster, and what its Job would run, as its service account."""

    def __init__(self, cluster: Cluster, gate: Callable[..., Any], command: list[str]) -> None:
        self.cluster, self.gate, self.command = cluster, gate, command
        token = cluster.kubectl("create", "token", "ecr-gate-certificates", "-n", NAMESPACE).stdout.strip()
        config = json.loads(cluster.kubeconfig().read_text())
        config["users"][0]["user"] = {"token": token}
        self.kubeconfig = cluster.folder / "certificates.kubeconfig"
        self.kubeconfig.write_text(json.dumps(config))

    def run(self, *flags: str) -> Any:
        return self.gate(*self.command, "--kubeconfig", self.kubeconfig, "--output", "json", *flags)

    def keep(self, *flags: str) -> dict[str, Any]:
        done = self.run(*flags)
        assert done.rc == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def secret(self, name: str) -> dict[str, str]:
        data = self.cluster.get("secret", f"ecr-gate-{name}", "-n", NAMESPACE).get("data") or {}
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def certificate(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.secret("certificate")["tls.crt"].encode())

    def believed(self) -> list[x509.Certificate]:
        """The authorities of the webhooks: the same in all."""
        [bundle] = {hook["clientConfig"]["caBundle"] for kind in HOOKS for hook in self.cluster.get(kind, NAMESPACE)["webhooks"]}
        return x509.load_pem_x509_certificates(base64.b64decode(bundle))

    def is_sound(self) -> bool:
        """Whether the API server believes what the gate shows."""
        for authority in self.believed():
            try:
                self.certificate().verify_directly_issued_by(authority)
                return True
            except Exception:  # noqa: BLE001
                continue
        return False


@pytest.fixture
def installed(cluster: Cluster, helm: Callable[..., Any], gate: Callable[..., Any], rendered: list[dict[str, Any]], tmp_path: Path) -> Iterator[Installed]:
    flags = ["-n", NAMESPACE, "--kubeconfig", cluster.kubeconfig()]
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}})
    try:
        helm("install", NAMESPACE, CHART, *flags, "-f", tmp_path / "values.yaml")
        [container] = of(rendered, "Job")["ecr-gate-certificates-1"]["spec"]["template"]["spec"]["containers"]
        made = Installed(cluster, gate, container["command"][1:])
        made.upgrade = lambda: helm("upgrade", NAMESPACE, CHART, *flags, "-f", tmp_path / "values.yaml")  # type: ignore[attr-defined]
        yield made
    finally:
        helm("uninstall", NAMESPACE, *flags, "--ignore-not-found")
        cluster.kubectl("delete", "all,secret,configmap,pvc,networkpolicy,pdb", "--all", "-n", NAMESPACE)
        cluster.kubectl("delete", ",".join(HOOKS), NAMESPACE, "--ignore-not-found")


@pytest.mark.kubernetes
def test_d1_the_gate_makes_its_certificate_and_everybody_believes_it(installed, cluster, gate):
    planned = installed.keep("--dry-run")
    assert planned["steps"] == ["makeAuthority", "makeCertificate"] and not installed.secret("certificate"), "nothing is done"
    done = installed.keep()
    assert done["steps"] == ["makeAuthority", "makeCertificate"] and len(done["changed"]) == 2 and not done["missing"]
    assert installed.is_sound() and len(installed.believed()) == 1
    certificate = installed.certificate()
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    assert {"ecr-gate.ecr-gate.svc", "gate.example.com"} <= set(names)
    left = certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(days=79) < left <= datetime.timedelta(days=80)
    before = installed.secret("certificate"), installed.secret("authorities")

    # Again, and by an upgrade: nothing changes.
    again = installed.keep()
    assert again["steps"] == again["changed"] == []
    installed.upgrade()
    assert (installed.secret("certificate"), installed.secret("authorities")) == before and installed.is_sound()
    assert cluster.get("job", "ecr-gate-certificates-2", "-n", NAMESPACE)["spec"]["template"]["spec"]["containers"]
    looked = gate("kubernetes", "doctor", "--kubeconfig", cluster.kubeconfig(), "-n", NAMESPACE, "--no-trial", "--output", "json")
    states = {check["id"]: check["state"] for check in json.loads(looked.stdout)["checks"]}
    assert (states["kubernetes.certificate"], states["kubernetes.caBundle"]) == ("ok", "ok"), looked.stdout

    # Webhooks that were taken away come back without it, and are told.
    cluster.kubectl("delete", ",".join(HOOKS), NAMESPACE)
    gone = installed.run()
    assert gone.rc == 5 and len(json.loads(gone.stdout)["missing"]) == 2, "it is tried again until they are there"
    installed.upgrade()
    assert installed.keep()["changed"] and installed.is_sound()

    # What somebody broke is mended: another certificate, no key, no authority.
    secret = ("patch", "secret", "-n", NAMESPACE, "--type=merge")
    cluster.kubectl(*secret, "ecr-gate-certificate", "-p", json.dumps({"data": {"tls.key": base64.b64encode(b"none").decode()}}))
    assert installed.keep()["steps"] == ["makeCertificate"] and installed.is_sound()
    cluster.kubectl(*secret, "ecr-gate-authorities", "-p", json.dumps({"data": {"ca.crt": None}}))
    assert installed.keep()["steps"] == ["makeAuthority", "makeCertificate"] and installed.is_sound()


@pytest.mark.kubernetes
def test_d1_an_authority_is_renewed_with_overlap_and_at_no_moment_is_the_gate_not_believed(installed):
    installed.keep("--authority-lifetime", "400d", "--authority-renew-before", "300d")
    [first] = installed.believed()
    shown = installed.certificate()
    # Its end is near: the next one is announced, and signs nothing.
    near = ("--authority-renew-before", "500d", "--overlap", "3s")
    done = installed.keep(*near)
    assert done["steps"] == ["makeNext"] and installed.certificate() == shown
    assert installed.believed()[0] == first and len(installed.believed()) == 2
    assert installed.keep(*near)["steps"] in ([], ["changeOver", "makeCertificate"]), "not before it was announced for long enough"
    _until(lambda: installed.keep("--overlap", "3s")["steps"], installed, shown)
    second = installed.certificate()
    assert second != shown and first in installed.believed() and len(installed.believed()) == 2
    # Replicas that still show the one before are believed.
    shown.verify_directly_issued_by(first)
    _until(lambda: installed.keep("--overlap", "3s")["steps"] == ["dropPrevious"], installed, None)
    assert first not in installed.believed() and len(installed.believed()) == 1 and installed.is_sound()
    assert "previous.crt" not in installed.secret("authorities") and installed.certificate() == second


def _until(ready: Callable[[], Any], installed: Installed, shown: x509.Certificate | None) -> None:
    """Runs it until it did something; before and after everybody is believed who shows a certificate."""
    deadline = datetime.datetime.now() + datetime.timedelta(seconds=40)
    while shown is None or installed.certificate() == shown:
        did = ready()
        assert installed.is_sound()
        if did and shown is None:
            return
        assert datetime.datetime.now() < deadline


@pytest.mark.kubernetes
def test_d1_several_at_once_do_no_harm(installed):
    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda _: installed.run(), range(6)))
    assert [one.rc for one in done] == [0] * 6, "".join(one.stderr for one in done)
    steps = [step for one in done for step in json.loads(one.stdout)["steps"]]
    assert steps.count("makeAuthority") == 1, "one made it, the others found it"
    assert installed.is_sound() and len(installed.believed()) == 1
    assert installed.keep()["steps"] == []


@pytest.mark.kubernetes
def test_d1_its_rights_are_for_these_names_alone(installed, cluster):
    may = {
        "get": [("secrets/ecr-gate-certificate", True), ("secrets/ecr-gate-authorities", True), ("secrets/ecr-gate-keys", False)],
        "update": [("validatingwebhookconfigurations/ecr-gate", True), ("validatingwebhookconfigurations/other", False)],
        "create": [("secrets", False), ("pods", False)],
        "list": [("secrets", False)],
    }
    for verb, asked in may.items():
        for what, allowed in asked:
            done = cluster.kubectl("auth", "can-i", verb, what, "-n", NAMESPACE, f"--as=system:serviceaccount:{NAMESPACE}:ecr-gate-certificates", check=False)
            assert (done.returncode == 0) == allowed, (verb, what, done.stdout)
    other = installed.gate("kubernetes", "certificates", "--kubeconfig", installed.kubeconfig, "-n", NAMESPACE, "--name", "other")
    assert other.rc == 3 and "forbidden" in other.stderr and "ecr-gate-certificates" in other.stderr, other.stderr
    assert "the Secrets other-authorities and other-certificate in ecr-gate" in other.stderr, "what it may read and change is said"
    for flags in (("--lifetime", "20d", "--renew-before", "30d"), ("--overlap", "0s"), ("--name", "../x"), ("--authority-renew-before", "9999d")):
        assert installed.run(*flags).rc == 64, flags


@pytest.mark.kubernetes
def test_d1_where_somebody_else_makes_the_certificate_nothing_is_changed(installed, cluster, gate, helm, tmp_path):
    installed.keep()
    (tmp_path / "chart.yaml").write_text(json.dumps({**VALUES, "certificates": {"from": "chart"}}))
    helm("upgrade", NAMESPACE, CHART, "-n", NAMESPACE, "--kubeconfig", cluster.kubeconfig(), "-f", tmp_path / "chart.yaml")

    def state() -> list[Any]:
        hooks = [hook["clientConfig"] for kind in HOOKS for hook in cluster.get(kind, NAMESPACE)["webhooks"]]
        return [hooks, sorted(one["metadata"]["name"] for one in cluster.get("secrets", "-n", NAMESPACE)["items"])]

    before = state()
    assert "ecr-gate-tls" in before[1] and "ecr-gate-certificate" not in before[1]
    command = ("kubernetes", "certificates", "--kubeconfig", cluster.kubeconfig(), "-n", NAMESPACE)
    for flags in ((), ("--dry-run",)):
        done = gate(*command, *flags)
        assert done.rc == 3 and not done.stdout and "helm upgrade --set certificates.from=gate" in done.stderr, done.stderr
        assert "there is no Secret ecr-gate-certificate" in done.stderr
    assert state() == before, "whoever may write everything breaks nothing either"
    assert gate(*command[:-1], "nowhere").rc == 3
    # Secrets that somebody else made under these names are not those that the gate shows; one of the two alone is not enough.
    for name in ("ecr-gate-certificate", "ecr-gate-authorities"):
        cluster.kubectl("create", "secret", "generic", name, "-n", NAMESPACE)
    done = gate(*command)
    assert done.rc == 3 and "there is no Secret ecr-gate-certificate" in done.stderr and state()[0] == before[0], done.stderr
    cluster.kubectl("label", "secret", "ecr-gate-certificate", "-n", NAMESPACE, "app.kubernetes.io/name=ecr-gate")
    done = gate(*command)
    assert done.rc == 3 and "there is no Secret ecr-gate-authorities" in done.stderr and state()[0] == before[0], done.stderr
