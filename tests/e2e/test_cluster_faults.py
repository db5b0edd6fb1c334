"""The gate in front of a real cluster while something is away: the gate itself, its store, its registry, its certificate. Nothing starts that was not
approved, and everything else goes on by itself."""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from cryptography import x509
from gated import NON_ROOT, Makers, Shelved, caller, document, has_pods, pods, review
from kubernetes import Cluster, pod, workload
from services import between, until

pytestmark = [pytest.mark.kubernetes, pytest.mark.helm, pytest.mark.timeout(300)]
VALIDATE = "/admission/validate/sandbox?timeout=10s"


@pytest.fixture
def sandbox(cluster: Cluster) -> Iterator[str]:
    """A namespace in which an image needs no scan."""
    with cluster.namespace("sandbox", environment="sandbox") as name:
        yield name


def started(cluster: Cluster, namespace: str) -> set[str]:
    """The images of the pods that are there."""
    return {one["spec"]["containers"][0]["image"] for one in cluster.get("pods", "-n", namespace)["items"]}


@contextlib.contextmanager
def system(cluster: Cluster) -> Iterator[Callable[[str], subprocess.CompletedProcess[str]]]:
    """Starts pods in kube-system, and takes them away."""
    numbers = itertools.count(1)
    try:
        yield lambda image: cluster.apply(pod(f"part-{next(numbers)}", "kube-system", image), check=False)
    finally:
        names = [f"part-{number}" for number in range(1, next(numbers))] or ["none"]
        cluster.kubectl("delete", "pod", *names, "-n", "kube-system", "--ignore-not-found", "--wait=false")


def force_delete(cluster: Cluster, namespace: str, *names: str) -> None:
    cluster.kubectl("delete", *names, "-n", namespace, "--force", "--grace-period=0")


def test_f3_a_gate_that_is_killed_under_load_lets_nothing_through_and_what_waits_for_it_starts(cluster, gates, sandbox):
    good, bad = gates.shelf.images(4), gates.shelf.images(2, root=True)
    with gates().start().webhooks() as gate:
        cluster.apply(workload("Deployment", "web", sandbox, good[0].tagged, replicas=3), user="developer")
        first = has_pods(cluster, sandbox, "web", 3)
        asks = itertools.cycle(one.pinned for one in [*good, *bad])
        with Makers(cluster, sandbox, asks) as makers:
            for _ in range(2):
                makers.reaches(20)
                gate.service.kill()
                makers.reaches(20)
                force_delete(cluster, sandbox, "pod", *(one["metadata"]["name"] for one in first))
                assert not pods(cluster, sandbox, "web"), "nobody answers for them"
                gate.service.start()
                makers.reaches(20)
                first = has_pods(cluster, sandbox, "web", 3)
        made = {image for image, status, _ in makers.answers if status == 201}
        assert made == {one.pinned for one in good} and not started(cluster, sandbox) & {one.pinned for one in bad}
        others = {(status, re.sub(r"https?://.*", "", said)[:200]) for _, status, said in makers.answers if status not in (201, 403)}
        assert others and all(status == 500 and "failed calling webhook" in said for status, said in others), others


@pytest.mark.parametrize("policy", ["Fail", "Ignore"])
def test_f3_without_any_gate_the_failure_policy_says_what_starts(cluster, gates, sandbox, policy):
    bad = gates.shelf.image(root=True)
    with gates(admission={"failurePolicy": policy}).start().webhooks() as gate:
        assert cluster.apply(pod("app", sandbox, bad.pinned), check=False).returncode == 1
        gate.service.kill()
        done = cluster.apply(pod("app", sandbox, bad.pinned), check=False)
        if policy == "Fail":
            assert done.returncode == 1 and "failed calling webhook" in done.stderr, done.stderr
        else:
            assert done.returncode == 0, done.stderr
        with system(cluster) as start:
            assert start(bad.pinned).returncode == 0, "it goes on, as installed"


def test_f3_without_its_store_the_gate_denies_and_says_so_except_where_policy_lets_the_last_decision_stand_in(cluster, gates, postgres, sandbox):
    stands_in = document("staging", "staging", NON_ROOT, onUnknown={"storeUnavailable": {"lastKnownGood": "1h"}})
    policies = [document(name, name, NON_ROOT) for name in ("production", "sandbox")] + [stands_in]
    known, other, bad = gates.shelf.image(), gates.shelf.image(), gates.shelf.image(root=True)
    database = postgres.url(postgres.database())
    with cluster.namespace("staging", environment="staging") as staging, gates(policies=policies, database=database).start().webhooks():
        for namespace in (sandbox, staging):
            cluster.apply(pod("before", namespace, known.pinned))
            assert cluster.apply(pod("bad", namespace, bad.pinned), check=False).returncode == 1
        with system(cluster) as start:
            assert start(bad.pinned).returncode == 1
        postgres.stop()
        try:
            time.sleep(1.5)  # longer than the lease
            asked = [(sandbox, known), (sandbox, other), (sandbox, bad), (staging, other), (staging, bad), (staging, known)]
            with system(cluster) as start, ThreadPoolExecutor(len(asked) + 2) as pool:
                tried = [pool.submit(cluster.apply, pod(f"after-{at}", place, image.pinned), check=False) for at, (place, image) in enumerate(asked)]
                # The cluster's own parts start as if the gate were away, but for what it knows to be bad.
                tried += [pool.submit(start, image) for image in (other.tagged, bad.pinned)]
                *refused, goes_on, part, bad_part = (one.result() for one in tried)
            assert part.returncode == 0, part.stderr
            assert bad_part.returncode == 1 and "ecr-gate: store" in bad_part.stderr, bad_part.stderr
            for denied in refused:
                assert denied.returncode == 1 and "ecr-gate: store" in denied.stderr and "store.unavailable" in denied.stderr, denied.stderr
            assert goes_on.returncode == 0 and "(failOpen)" in goes_on.stderr, goes_on.stderr
            cluster.kubectl("label", "pod", "before", "-n", sandbox, "a=b")
        finally:
            postgres.start()
        until("it answers again", lambda: cluster.apply(pod("again", sandbox, other.pinned), check=False).returncode == 0)
        assert cluster.apply(pod("bad", sandbox, bad.pinned), check=False).returncode == 1


def proxied(image: Shelved, host: str) -> Shelved:
    return Shelved(image.image, f"{host}/{image.tagged.split('/', 1)[1]}")


def test_f9_a_slow_registry_is_answered_in_time_and_one_that_throttles_denies_nothing(cluster, gates, registry, sandbox):
    with between(registry.host) as proxy:
        plain = f"{registry.host},{proxy.host}"
        policies = [document(name, name, NON_ROOT) for name in ("production", "sandbox")]
        gate = gates(policies=policies, admission={"timeoutSeconds": 3}, env={"ECR_GATE_INSECURE_REGISTRIES": plain})
        bad = proxied(gates.shelf.image(root=True), proxy.host)
        slow, unseen, *many = (proxied(image, proxy.host) for image in gates.shelf.images(62))
        with gate.start().webhooks():
            with system(cluster) as start:
                assert start(bad.pinned).returncode == 1
            # A stand-in: every tenth answer of the registry is 429.
            proxy.throttled_every = 10
            with Makers(cluster, sandbox, [image.pinned for image in many], clients=8) as makers:
                makers.finish()
            assert len(makers.answers) == 60 and {status for _, status, _ in makers.answers} == {201}, [one for one in makers.answers if one[1] != 201]

            proxy.throttled_every, proxy.delay_s = 0, 6.0
            with system(cluster) as start, ThreadPoolExecutor(4) as pool:
                denied = pool.submit(cluster.apply, pod("slow", sandbox, slow.pinned), check=False)
                # A part of the cluster itself is not stopped by that, although nobody looked at its image before; but if it was denied.
                parts = [pool.submit(start, image) for image in (unseen.pinned, unseen.tagged, bad.pinned)]
                assert [part.result().returncode for part in parts] == [0, 0, 1], [part.result().stderr for part in parts]
            # By the gate in time, and not by the API server that waited in vain.
            assert denied.result().returncode == 1 and "ecr-gate: deadline" in denied.result().stderr, denied.result().stderr
            proxy.recovers()
            until("it was looked for meanwhile", lambda: cluster.apply(pod("slow", sandbox, slow.pinned), check=False).returncode == 0)


def test_d1_a_certificate_is_rotated_under_load_without_one_request_that_fails(cluster, gates, sandbox):
    good, bad = gates.shelf.image(), gates.shelf.image(root=True)
    with gates().start().webhooks() as gate:
        over, failed, answered = threading.Event(), [], []

        def serial() -> int:
            with caller(gate).get(f"{gate.url}/healthz", stream=True, timeout=10) as answer:
                return x509.load_der_x509_certificate(answer.raw.connection.sock.getpeercert(binary_form=True)).serial_number

        def client(keeps: bool) -> None:
            session = caller(gate)
            for image in itertools.cycle((good, bad)):
                if over.is_set():
                    return
                session = session if keeps else caller(gate)
                try:
                    answer = session.post(gate.url + VALIDATE, json=review(sandbox, image.pinned), timeout=10)
                    answered.append((answer.json()["response"]["allowed"], image is good))
                except (requests.RequestException, ValueError, KeyError) as error:
                    failed.append(error)

        threads = [threading.Thread(target=client, args=(keeps,), daemon=True) for keeps in (True, True, False, False)]
        for thread in threads:
            thread.start()
        with Makers(cluster, sandbox, itertools.cycle((good.pinned, bad.pinned)), clients=2) as makers:
            for _ in range(2):
                before, count = serial(), len(answered)
                gate.authority.issue("gate", hosts=["127.0.0.1"])
                until("the new one is shown", lambda before=before: serial() != before)
                until("the load goes on", lambda count=count: len(answered) > count + 50)
        over.set()
        for thread in threads:
            thread.join(30)
        assert not failed, failed[:3]
        assert all(allowed is is_good for allowed, is_good in answered)
        assert {(image == good.pinned, status) for image, status, _ in makers.answers} == {(True, 201), (False, 403)}


def test_a_thousand_pods_of_fifty_images_at_once_each_get_the_right_answer(cluster, gates, sandbox):
    good, bad = gates.shelf.images(40), gates.shelf.images(10, root=True)
    wrong, chance = {one.pinned for one in bad}, random.Random(7)
    everything = [one.pinned for one in [*good, *bad]]
    with gates().start().webhooks() as gate:
        asked = [chance.sample(everything, chance.randint(1, 4)) for _ in range(1000)]
        local = threading.local()

        def ask(number: int) -> bool:
            local.session = getattr(local, "session", None) or caller(gate)
            answer = local.session.post(gate.url + VALIDATE, json=review(sandbox, *asked[number], uid=f"u-{number}"), timeout=30)
            said = answer.json()["response"]
            assert said["uid"] == f"u-{number}"
            if not said["allowed"]:
                fields = {cause["field"] for cause in said["status"]["details"]["causes"]}
                assert said["status"]["code"] == 403, said
                assert fields == {f"spec.containers[{at}].image" for at, image in enumerate(asked[number]) if image in wrong}, said
            return said["allowed"]

        with ThreadPoolExecutor(32) as pool:
            answers = list(pool.map(ask, range(len(asked))))
        assert answers == [not wrong & set(names) for names in asked]
        # And as the API server asks.
        some = chance.sample(everything, 50) * 2
        with Makers(cluster, sandbox, some, clients=16) as makers:
            makers.finish()
        assert len(makers.answers) == 100 and all(status == (403 if image in wrong else 201) for image, status, _ in makers.answers)


def test_what_is_no_review_is_never_a_leave_and_a_large_one_is_read(cluster, gates, sandbox):
    good = gates.shelf.image()
    with gates().start().webhooks() as gate:
        session = caller(gate)

        def answer(body: bytes) -> requests.Response:
            return session.post(gate.url + VALIDATE, data=body, timeout=30)

        sound = review(sandbox, good.pinned, uid="u-7")
        assert answer(json.dumps(sound).encode()).json()["response"] | {"auditAnnotations": {}} == {"uid": "u-7", "allowed": True, "auditAnnotations": {}}
        # The uid is that of the request, whatever else has one.
        other = json.loads(json.dumps(sound))
        other["request"]["object"]["metadata"]["uid"] = "u-8"
        assert answer(json.dumps({**other, "response": {"uid": "u-9", "allowed": True}}).encode()).json()["response"]["uid"] == "u-7"
        text = json.dumps(sound)
        for broken in ("", "{", text[:-4], text.replace('"uid": "u-7"', '"uid": "u-7", "uid": "u-8"'), text.replace('"uid": "u-7"', '"uid": ""'), "[" * 50_000):
            said = answer(broken.encode())
            assert said.status_code == 400 and "allowed" not in said.text, (broken[:60], said.text)
        for key, value in (("apiVersion", "admission.k8s.io/v1beta1"), ("kind", "Review")):
            said = answer(json.dumps({**sound, key: value}).encode()).json()["response"]
            assert (said["uid"], said["allowed"], said["status"]["code"]) == ("u-7", False, 400)
        # What is too large is not read to its end: the connection may break before the answer is there.
        with contextlib.suppress(requests.ConnectionError):
            assert answer(b" " * (8 << 20) + text.encode()).status_code == 413

        # As large as etcd takes it, it comes through the API server.
        large = pod("large", sandbox, good.pinned)
        large["spec"]["containers"][0]["env"] = [{"name": f"N{number}", "value": "x" * 100_000} for number in range(10)]
        cluster.kubectl("create", "-f", "-", user="developer", stdin=json.dumps(large))
        bad = gates.shelf.image(root=True)
        large["metadata"]["name"], large["spec"]["containers"][0]["image"] = "bad", bad.pinned
        assert cluster.kubectl("create", "-f", "-", user="developer", stdin=json.dumps(large), check=False).returncode == 1
