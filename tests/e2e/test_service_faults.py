"""What breaks around the decision service, and what it keeps all the same: nothing acknowledged is lost or changed, and nothing is allowed that is not on
record."""

from __future__ import annotations

import itertools
import json
import random
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import services
from reports import policy, vulnerabilities
from scans import LOW, REGISTRY, codes, complete
from services import Load, is_problem, nothing_is_missing, until

ENVIRONMENTS = [f"e{number}" for number in range(20)]
LEASE_S = 1.0


@pytest.fixture
def allowing(tmp_path: Path) -> Path:
    """A policy that the suite's images pass, in many environments: each is another decision."""
    classes = {name: {"class": "production"} for name in ["production", *ENVIRONMENTS]}
    return policy(tmp_path / "allowing.yaml", {"config": {"nonRoot": True}}, environments=classes)


@pytest.fixture
def denying(tmp_path: Path) -> Path:
    """A policy that they do not pass."""
    classes = {name: {"class": "production"} for name in ["production", *ENVIRONMENTS]}
    return policy(tmp_path / "denying.yaml", {"config": {"userIds": ["1-2"]}}, environments=classes)


@pytest.fixture
def asks(many_images):
    """Images and environments, none twice."""
    return ((image, environment) for environment in ENVIRONMENTS for image in many_images)


def only_problems(load: Load, *codes: str) -> None:
    """Whoever was not answered was told why."""
    for other in load.others:
        assert is_problem(other) and other.status_code in (429, 503), f"{other.status_code} {other.text}"
        assert other.json()["code"] in codes, other.text


# --- kill -9 ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("replicas", [pytest.param(1, id="sqlite"), pytest.param(2, id="postgres")])
def test_f6_kill_9_under_load_loses_nothing_that_was_acknowledged(request, serve, replicas, allowing, asks, verify_export):
    database = None
    if replicas > 1:
        server = request.getfixturevalue("postgres")
        database = server.url(server.database())
    gates = [serve(database=database, policy=allowing) for _ in range(replicas)]
    chance = random.Random(6)
    acknowledged = []
    for round_ in range(4):
        with Load(gates, asks) as load:
            load.reaches(5)
            time.sleep(chance.uniform(0, 0.6))
            for gate in gates:  # at once, and one alone
                if round_ % 2 == 0 or gate is gates[-1]:
                    gate.kill()
            time.sleep(0.1)
        only_problems(load)
        acknowledged += load.acknowledged
        for gate in gates:
            if gate.process.poll() is not None:
                gate.start()
    assert len(acknowledged) > 20
    for gate in gates:
        nothing_is_missing(gate, acknowledged, verify_export)


# --- no room ---------------------------------------------------------------------------------------------------------

NO_ROOM = ("store.unavailable", "limit.overloaded")


def needs_a_small_disk() -> None:
    if not services.may_mount():
        pytest.skip("no tmpfs can be mounted here")


def full_and_free_again(gate, asks, verify_export, fill, free) -> None:
    """Asks while there is room, while there is none, and when there is again."""
    with Load([gate], asks) as load:
        load.reaches(20)
        fill()
        until("the gate says that it cannot record", lambda: len(load.others) >= 10)
        began = time.monotonic()
        full = len(load.acknowledged)
        time.sleep(0.5)
        free()
        until("it records again", lambda: len(load.acknowledged) > full + 20)
    only_problems(load, *NO_ROOM)
    assert any(one.answered > began for one in load.acknowledged)
    nothing_is_missing(gate, load.acknowledged, verify_export)
    assert gate.get("/readyz").status_code == 200
    gate.kill()
    nothing_is_missing(gate.start(), load.acknowledged, verify_export)


def test_f6_a_full_disk_allows_nothing_unrecorded(serve, allowing, asks, verify_export, tmp_path):
    needs_a_small_disk()
    with services.small_disk(tmp_path / "disk", "8m") as disk:
        (disk / "data").mkdir(mode=0o700)
        gate = serve(policy=allowing, data=disk / "data")
        ballast = disk / "ballast"
        full_and_free_again(gate, asks, verify_export, lambda: services.fill(ballast), ballast.unlink)
        gate.kill()


def test_f6_a_file_that_may_not_grow_allows_nothing_unrecorded(serve, allowing, asks, verify_export):
    gate = serve.new(policy=allowing)
    gate.preexec.append(services.no_signal_for_large_files)
    gate.start()
    limit = lambda size: services.largest_file(gate.process.pid, size)  # noqa: E731

    def fill() -> None:
        limit(max(file.stat().st_size for file in gate.data.glob("gate.db*")))

    full_and_free_again(gate, asks, verify_export, fill, lambda: limit(services.resource.RLIM_INFINITY))


def test_f6_a_full_disk_of_postgresql_allows_nothing_unrecorded(serve, postgres, allowing, asks, verify_export):
    needs_a_small_disk()
    with services.small_disk(postgres.folder / "disk", "16m") as disk:
        postgres.adopt(disk / "tablespace")
        postgres.sql(f"CREATE TABLESPACE small LOCATION '{disk}/tablespace'")
        database = postgres.database(tablespace="small")
        try:
            gate = serve(database=postgres.url(database), policy=allowing)
            ballast = disk / "ballast"
            full_and_free_again(gate, asks, verify_export, lambda: services.fill(ballast), ballast.unlink)
            gate.kill()
        finally:
            postgres.sql(f"DROP DATABASE {database} WITH (FORCE)")
            postgres.sql("DROP TABLESPACE small")


# --- the database goes away ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["restarted", "paused", "cut off", "held up"])
def test_f6_a_database_that_goes_away_allows_nothing_unrecorded(serve, postgres, allowing, asks, verify_export, fault):
    name = postgres.database()
    with services.line(postgres.port) as line:
        gates = [serve(database=postgres.url(name, line.port), policy=allowing) for _ in range(2)]
        with Load(gates, asks) as load:
            load.reaches(20)
            gone = time.monotonic()
            if fault == "restarted":
                postgres.stop()
            elif fault == "paused":
                everyone = postgres.pause()
            elif fault == "cut off":
                line.cut()
            else:
                line.open.clear()
            time.sleep(2.5)
            back = time.monotonic()
            if fault == "restarted":
                postgres.start()
            elif fault == "paused":
                postgres.resume(everyone)
            elif fault == "cut off":
                line.join()
            else:
                line.open.set()
            until("it recovers by itself", lambda: sum(one.asked > back for one in load.acknowledged) > 20)
        only_problems(load, *NO_ROOM)
        silent = [one for one in load.acknowledged if gone + 0.3 < one.answered < back]
        assert not silent, f"{len(silent)} answers were given while no record could be made"
        for gate in gates:
            until("it is ready", lambda gate=gate: gate.get("/readyz").status_code == 200)
            nothing_is_missing(gate, load.acknowledged, verify_export)


def test_s42_a_replica_that_is_cut_off_does_not_go_on_by_the_old_policy(serve, postgres, many_images, allowing, denying):
    """Neither while it is cut off nor with an answer that waited for the database all that time."""
    name = postgres.database()
    image = many_images[0]
    with services.line(postgres.port) as line:
        near, far = serve(database=postgres.url(name), policy=allowing), serve(database=postgres.url(name, line.port), policy=allowing)
        version = near.uploaded(denying)
        assert far.decided(image, point="ci")["verdict"] == far.decided(image)["verdict"] == "allow"
        answers, over = [], threading.Event()

        def client(point: str) -> None:
            while not over.is_set():
                answer = far.ask(image, point=point, waitSeconds=0)
                answers.append((time.monotonic(), answer))

        with ThreadPoolExecutor(6) as clients:
            asking = [clients.submit(client, point) for point in ("ci", "api") * 3]
            time.sleep(0.3)
            line.open.clear()
            assert near.post(f"/api/v1/policies/{version}/activate", {}, "admin").ok
            acknowledged = time.monotonic()
            time.sleep(2 * LEASE_S + 0.5)
            line.open.set()
            until("it is back", lambda: any(answer.status_code == 200 and answer.json()["verdict"] == "deny" for _, answer in answers))
            over.set()
            for one in asking:
                one.result(services.PATIENCE_S)
    verdicts = [(at - acknowledged, answer.json()["verdict"]) for at, answer in answers if answer.status_code == 200]
    late = [round(after, 2) for after, verdict in verdicts if verdict == "allow" and after > LEASE_S + 0.1]
    assert not late, f"answered by the old policy {late} s after the new one was acknowledged"
    assert all(is_problem(answer) for _, answer in answers if answer.status_code != 200)


# --- two at once -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(
    ("says", "stands_in"),
    [({"lastKnownGood": "1h"}, True), ("warn", True), ({"lastKnownGood": "1s"}, False), ("deny", False), ("pending", False), (None, False)],
    ids=["an hour", "warn", "a second", "deny", "pending", "nothing"],
)
def test_s42_without_a_store_the_last_decision_stands_in_where_the_policy_says_so(serve, postgres, many_images, tmp_path, says, stands_in):
    spec = {"onUnknown": {"storeUnavailable": says}} if says else {}
    name = postgres.database()
    gate = serve(database=postgres.url(name), policy=policy(tmp_path / "p.yaml", {"config": {"nonRoot": True}}, **spec))
    known, unknown = many_images[0], many_images[1]
    before = gate.decided(known)
    postgres.stop()
    try:
        time.sleep(max(LEASE_S, 1.0) + 0.5)
        answer = gate.ask(known)
        if stands_in:
            answer = answer.json()
            assert (answer["permit"], answer["decision"]["id"]) == ("failOpen", before["decision"]["id"]), answer
        else:
            assert (answer.status_code, answer.json()["code"]) == (503, "store.unavailable"), answer.text
        # What has to be on record, and what nobody decided yet, waits for the store whatever the policy says.
        for refused in (gate.ask(known, point="ci"), gate.ask(known, point="promotion"), gate.ask(unknown)):
            assert (refused.status_code, refused.json()["code"]) == (503, "store.unavailable"), refused.text
    finally:
        postgres.start()
    until("it decides again", lambda: gate.ask(unknown).status_code == 200)
    assert gate.decided(known)["permit"] == "allowed"
    if stands_in:
        until("what was answered meanwhile is on record", lambda: postgres.sql("SELECT 1 FROM answers WHERE basis = 'failOpen'", name).strip() == "1")



def test_two_sequencers_write_one_log(serve, postgres, allowing, asks, verify_export):
    name = postgres.database()
    gates = [serve(database=postgres.url(name), policy=allowing) for _ in range(2)]
    with Load(gates, asks, clients=8) as load:
        load.reaches(60)
    exports = [nothing_is_missing(gate, load.acknowledged, verify_export) for gate in gates]
    assert exports[0] == exports[1]
    assert len(load.acknowledged) == len({one.decision for one in load.acknowledged})
    for gate in gates:
        assert '"level":"ERROR"' not in gate.log, gate.log


def test_a_second_process_on_one_sqlite_file_is_refused(serve, allowing, many_images):
    first = serve(policy=allowing)
    second = serve.new(policy=allowing, database=f"sqlite:{first.data}/gate.db")
    code, said = second.fails()
    assert code == 3 and "in use by another process" in said and str(first.process.pid) in said and "--database-url" in said, said
    assert first.decided(many_images[0], point="ci")["verdict"] == "allow"
    first.kill()
    assert second.start().decided(many_images[0], point="ci")["verdict"] == "allow", "the lock ends with its process"


# --- what is asked goes away -----------------------------------------------------------------------------------------


CODE = {"down": "registry.unavailable", "slow": "deadline", "throttling": "registry.throttled"}


@pytest.mark.parametrize("fault", CODE)
def test_s2_what_the_registry_does_not_say_is_never_an_allow(serve, registry, many_images, allowing, fault):
    with services.between(registry.host) as behind:
        # Nothing is taken for fresh, so that every ask asks the registry.
        gate = serve(policy=allowing, env={"ECR_GATE_INSECURE_REGISTRIES": behind.host}, scans={"fresh": "0s"})
        images = [image.replace(registry.host, behind.host) for image in many_images]
        assert gate.decided(images[0], point="ci")["verdict"] == "allow"
        if fault == "down":
            behind.end()
        elif fault == "slow":
            behind.delay_s = 10
        else:
            behind.status = 429
        with ThreadPoolExecutor(4) as clients:
            answers = list(clients.map(lambda image: gate.ask(image, point="ci", waitSeconds=1), [images[0], *images[:3]]))
        classes = {"down": {"registryUnavailable"}, "slow": {"deadline"}, "throttling": {"throttled", "registryUnavailable"}}[fault]
        for answer in answers:
            said = answer.json()
            if answer.status_code == 200:  # the digest is known, and nothing else
                assert (said["verdict"], said["permit"]) == ("deny", "denied"), answer.text
                assert codes(said["decision"]) == [CODE[fault]], answer.text
            else:
                assert answer.status_code == 503 and is_problem(answer) and said["class"] in classes, answer.text
        assert gate.get("/readyz").status_code == 200, "one registry is not the gate"
        if fault != "down":
            behind.recovers()
            until("it recovers", lambda: gate.ask(images[9], point="ci", waitSeconds=0).text.startswith('{"verdict":"allow"'))


def test_s5_the_last_known_good_scan_stands_in_as_the_policy_says(serve, moto, push_image, ecr_between, tmp_path):
    digest = push_image("shop/app", "1")
    scan = {"registryId": "123456789012", "repositoryName": "shop/app", "imageId": {"imageDigest": digest}}
    ecr_between.say("DescribeImageScanFindings", {**scan, **complete(LOW)})
    image = f"{REGISTRY}/shop/app@{digest}"
    stand_in = dict.fromkeys(["throttled", "registryUnavailable", "deadline"], {"lastKnownGood": "1h"}) | {"default": "deny"}
    classes = {"production": {"class": "production"}, "strict": {"class": "production"}}
    lenient = policy(tmp_path / "lenient.yaml", vulnerabilities(["ecr"]), environments=classes, onUnknown=stand_in, match={"environments": ["production"]})
    strict = policy(tmp_path / "strict.yaml", vulnerabilities(["ecr"]), environments=classes, match={"environments": ["strict"]})
    strict.write_text(strict.read_text().replace('"name": "test"', '"name": "strict"'))
    gate = serve(policy=[lenient, strict], env={"AWS_ENDPOINT_URL": ecr_between.url}, scans={"fresh": "0s", "pollInterval": "200ms", "callTimeout": "2s"})
    ask = lambda environment="production": gate.ask(image, environment=environment, point="ci", waitSeconds=3)  # noqa: E731
    first = ask().json()
    assert first["verdict"] == ask("strict").json()["verdict"] == "allow"
    ecr_between.say("DescribeImageScanFindings", {"__type": "ServerException", "message": "broken"}, 500)
    answer = until("it is answered from the earlier scan", lambda: stood_in(ask()), 40)
    assert "ast known good" in json.dumps(answer["decision"]), answer
    closed = ask("strict")
    assert closed.status_code in (200, 503) and closed.json()["verdict"] != "allow", closed.text
    # The denylist wins over anything remembered.
    gate.activate(policy(tmp_path / "denylist.yaml", vulnerabilities(["ecr"], deny=[LOW["name"]]), environments=classes, onUnknown=stand_in))
    after = ask()
    assert after.status_code in (200, 503) and after.json()["verdict"] != "allow", after.text


def stood_in(answer):
    """The answer, if it is an allow while the scan cannot be had."""
    assert answer.status_code in (200, 503), answer.text
    return answer.json() if answer.json()["verdict"] == "allow" else None


# --- the clock -------------------------------------------------------------------------------------------------------


def test_s9_a_clock_behind_the_log_refuses_to_decide(serve, many_images, allowing):
    gate = serve(policy=allowing)
    answer = gate.decided(many_images[0], point="ci")
    assert gate.get(f"/api/v1/audit/proof/{answer['decision']['id']}").ok
    gate.stop()
    config = {"policy": allowing, "data": gate.data}
    behind = serve(env=services.clock("-10m"), **config)
    refused = behind.ask(many_images[0], point="ci")
    assert refused.status_code == 503 and is_problem(refused) and refused.json()["class"] == "storeUnavailable", refused.text
    ready = behind.get("/readyz")
    assert ready.status_code == 503 and "clock" in ready.json()["reasons"][0]
    assert behind.get(f"/api/v1/decisions/{answer['decision']['id']}").json() == answer["decision"], "what is on record can be read"
    behind.kill()
    little = serve(env=services.clock("-20s"), **config)
    assert little.decided(many_images[0], point="ci")["verdict"] == "allow", "a little is no more than clocks differ"


# --- policies --------------------------------------------------------------------------------------------------------

UNUSABLE = {
    "no YAML": "rules: [",
    "no policy": "kind: GateExceptions",
    "an unknown key": json.dumps({"apiVersion": "ecr-gate.dev/v1", "kind": "GatePolicy", "metadata": {"name": "x"}, "spec": {"rulez": []}}),
    "a rule that allows nothing": json.dumps(
        {"apiVersion": "ecr-gate.dev/v1", "kind": "GatePolicy", "metadata": {"name": "x"}, "spec": {"rules": [{"id": "r", "config": {"maxLayers": 0}}]}}
    ),
}


def test_a_policy_that_cannot_be_used_changes_nothing(serve, database, allowing, denying, many_images, verify_export):
    gate = serve(database=database, policy=allowing)
    first = gate.decided(many_images[0], point="ci")
    proven = gate.get(f"/api/v1/audit/proof/{first['decision']['id']}")
    assert proven.ok
    versions, export = gate.get("/api/v1/policies").json(), gate.export()
    for what, text in UNUSABLE.items():
        refused = gate.upload(text)
        assert refused.status_code == 422 and is_problem(refused) and refused.json()["code"] == "document.invalid", f"{what}: {refused.text}"
    for body in [{"documents": [], "files": []}, {"documents": [["p", allowing.read_text()]] * 2, "files": []}]:
        assert gate.post("/api/v1/policies", body, "admin").status_code == 422
    missing = gate.post(f"/api/v1/policies/sha256:{'0' * 64}/activate", {}, "admin")
    assert missing.status_code == 404 and is_problem(missing)
    version = gate.uploaded(denying)
    stale = gate.post(f"/api/v1/policies/{version}/activate", {"believed": version}, "admin")
    assert stale.status_code == 409 and is_problem(stale), stale.text
    now = gate.get("/api/v1/policies").json()["versions"]
    assert [row for row in now if row["digest"] != version] == versions["versions"]
    again = gate.decided(many_images[0], point="ci")
    assert (again["verdict"], again["decision"]["id"]) == ("allow", first["decision"]["id"])
    until("the upload has its place", lambda: gate.export().count("\n") > export.count("\n"))
    kinds = re.findall(r'"kind":"([a-z.]+)"', gate.export()[len(export) - len(export.splitlines(keepends=True)[-1]) :])
    assert kinds == ["policy.uploaded"], "the one upload that was taken, and nothing of the others"


# --- the log ---------------------------------------------------------------------------------------------------------


def test_o3_a_changed_byte_anywhere_in_an_export_is_found(serve, allowing, asks, verify_export, gate, tmp_path):
    service = serve(policy=allowing)
    with Load([service], asks) as load:
        load.reaches(12)
    export, key = nothing_is_missing(service, load.acknowledged, verify_export), service.vkey()
    raw = export.encode()
    lines = export.splitlines(keepends=True)
    chance = random.Random(3)
    starts = list(itertools.accumulate(map(len, (line.encode() for line in lines)), initial=0))
    positions = {0, len(raw) - 1, *starts[1:3], *(start - 1 for start in starts[1:3]), *(chance.randrange(len(raw)) for _ in range(30))}
    broken = {f"byte {at}": raw[:at] + bytes([raw[at] ^ (1 << chance.randrange(7))]) + raw[at + 1 :] for at in positions}
    broken |= {
        "a line less": "".join(lines[:3] + lines[4:]).encode(),
        "the last entry less": "".join(lines[:-2] + lines[-1:]).encode(),
        "no checkpoint": "".join(lines[:-1]).encode(),
        "two lines swapped": "".join([*lines[:2], lines[3], lines[2], *lines[4:]]).encode(),
        "a line twice": "".join([*lines[:3], *lines[2:]]).encode(),
        "a byte more": raw + b" ",
        "a byte less": raw[:-1],
        "dropped": re.sub(rb'(\{"entry":).*(,"hash":"[0-9a-f]{64}","index":2\})', rb"\1nul\2", raw),
        "empty": b"",
    }

    def found(case: tuple[str, bytes]) -> tuple[str, int]:
        file = tmp_path / f"broken-{case[0].replace(' ', '-')}.jsonl"
        file.write_bytes(case[1])
        return case[0], gate("audit", "verify", file, "--key", key).rc

    with ThreadPoolExecutor(2) as workers:
        missed = [name for name, rc in workers.map(found, broken.items()) if rc != 1]
    assert not missed


def test_o3_a_log_that_was_rewritten_is_caught_by_a_checkpoint_that_was_kept(serve, allowing, many_images, verify_export, gate, tmp_path):
    service = serve(policy=allowing)

    def decide(count: int):
        for image in many_images[:count]:
            answer = service.decided(image, point="ci")
        assert service.get(f"/api/v1/audit/proof/{answer['decision']['id']}").ok
        return service.export()

    verify_export(decide(3), service.vkey(), "--save-checkpoint", tmp_path / "kept.txt")
    assert (tmp_path / "kept.txt").read_text() in service.get("/api/v1/audit/checkpoint").text
    verify_export(decide(5), service.vkey(), "--known-checkpoint", tmp_path / "kept.txt")
    # Whoever has the key and the database starts the log anew, and signs it.
    service.stop()
    for file in service.data.glob("gate.db*"):
        file.unlink()
    service.start()
    rewritten = decide(8)
    verify_export(rewritten, service.vkey())
    run = verify_export(rewritten, service.vkey(), "--known-checkpoint", tmp_path / "kept.txt", rc=1)
    assert "NOT VERIFIED" in run.stdout
