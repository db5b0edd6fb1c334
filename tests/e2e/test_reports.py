"""O4, O5, O7: what happened in a time, what changed in an incident, and who is told of it. By the command line, on the real service."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from reports import policy
from services import TOKENS, clock, until

NON_ROOT = {"config": {"nonRoot": True}}
NOBODY = {"config": {"userIds": ["1-2"]}}
SECRET = "a-secret-that-nobody-else-knows"


@pytest.fixture
def by(gate):
    """Runs a command against a service as somebody; what it wrote."""

    def run(service, role: str, *words: str, code: int = 0) -> str:
        done = gate(*words, "--server", service.url, env={"ECR_GATE_TOKEN": TOKENS[role]})
        assert done.rc == code, f"{done.rc}\n{done.stdout}\n{done.stderr}"
        return done.stdout if code == 0 else done.stderr

    return run


@pytest.fixture
def policies(tmp_path: Path) -> tuple[Path, Path]:
    declared = {"production": {"class": "production"}, "staging": {"class": "non-production"}}
    allowing = policy(tmp_path / "allowing.yaml", NON_ROOT, environments=declared)
    return allowing, policy(tmp_path / "denying.yaml", NOBODY, environments=declared)


def test_o4_an_incident_says_what_changed_from_where_decided_how_and_what_to_go_back_to(serve, many_images, policies, by, registry, repo):
    allowing, _ = policies
    service = serve(policy=allowing)
    before, after = many_images[0], many_images[1]
    place = f"{registry.host}/{repo}/release"
    by(service, "write", "promote", before, f"{place}:1.0", "--environment", "production")
    time.sleep(1.1)
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    time.sleep(1.1)
    assert service.decided(after, point="ci", pipeline="4711", commit="c0ffee")["permit"] == "allowed"
    by(service, "write", "promote", after, f"{place}:1.1", "--environment", "production")
    by(service, "admin", "deny", "add", "--package", "pkg:npm/event-stream", "--reason", "backdoor")
    by(service, "admin", "override", "grant", many_images[2], "--environment", "staging", "--lasts", "10m", "--reason", "elsewhere")

    found = json.loads(by(service, "read", "report", "incident", "--since", since, "--environment", "production", "--output", "json"))
    promoted = found["promotions"]
    assert [(one["destination"], one["digest"]) for one in promoted] == [(f"{place}:1.1", after.rpartition("@")[2])], "the one before is not of this time"
    assert (promoted[0]["by"], promoted[0]["verdict"], promoted[0]["basis"]) == ("write", "allow", "allowed")
    decided = [one for one in found["decisions"] if one["digest"] == after.rpartition("@")[2]]
    assert (decided[0]["verdict"], decided[0]["pipeline"], decided[0]["commit"], decided[0]["point"]) == ("allow", "4711", "c0ffee", "ci")
    assert [one["kind"] for one in found["events"]] == ["denial.added"], "what is about another environment is left out"
    assert (found["events"][0]["by"], found["events"][0]["reason"]) == ("admin", "backdoor")
    back = {one["repository"]: one for one in found["rollback"]}[place]
    assert (back["digest"], back["promoted"]) == (before.rpartition("@")[2], True)
    assert found["covered"]["missing"] == []

    text = by(service, "read", "report", "incident", "--since", since, "--repository", place)
    assert back["command"] in text and "4711" not in text, "the decision is about the repository it came from"
    # The command of the report brings it back.
    words = back["command"].split()[1:]
    by(service, "write", *words, "--tag", "1.0-again")
    again = json.loads(by(service, "read", "report", "incident", "--since", since, "--repository", place, "--output", "json"))
    assert [one["rollback"] for one in again["promotions"]] == [False, True]
    assert "31 days" in by(service, "read", "report", "incident", "--since", "2020-01-01T00:00:00Z", code=64)
    nowhere = by(service, "read", "report", "incident", "--environment", "prodution", code=64)
    assert "not declared; declared: " in nowhere, nowhere


def test_o7_a_report_counts_blocks_labels_overrides_and_time_to_allow(serve, many_images, policies, by, gate):
    allowing, denying = policies
    service = serve(policy=denying)
    blocked = [service.decided(image, point="ci", pipeline="4711", commit="c0ffee")["decision"]["id"] for image in many_images[:4]]
    for decision, label in zip(blocked, ("false-block", "accepted-risk", "true"), strict=False):
        by(service, "admin", "label", decision, "--as", label, "--reason", "looked at")
    by(service, "admin", "override", "grant", many_images[0], "--lasts", "10m", "--reason", "outage")
    assert service.decided(many_images[0], point="ci")["permit"] == "overridden"
    until("its use is counted", lambda: json.loads(by(service, "read", "report", "weekly", "--output", "json"))["overrides"]["used"])
    still = json.loads(by(service, "read", "report", "weekly", "--output", "json"))
    assert (still["remediation"]["fixed"], still["remediation"]["stillBlocked"]) == (0, 1)
    service.activate(allowing)
    assert service.decided(many_images[1])["permit"] == "allowed"

    found = json.loads(by(service, "read", "report", "weekly", "--output", "json"))
    counts = {one["environment"]: one for one in found["decisions"]}["production"]
    assert (counts["deny"], counts["class"]) == (4, "production") and counts["allow"] >= 1
    labels = found["falseBlocks"]
    assert (labels["blocks"], labels["falseBlocks"], labels["acceptedRisks"], labels["trueBlocks"], labels["unlabelled"]) == (4, 1, 1, 1, 1)
    assert labels["rate"] == 0.25
    repository = many_images[0].split("@")[0]
    assert (found["blocked"][0]["repository"], found["blocked"][0]["blocks"]) == (repository, 4)
    assert (found["remediation"]["fixed"], found["remediation"]["stillBlocked"]) == (1, 0)
    assert 0 <= found["remediation"]["medianSeconds"] < 120
    assert (found["overrides"]["granted"], found["overrides"]["used"], found["overrides"]["by"]) == (1, 1, [{"name": "admin", "count": 1}])
    changed = [one["kind"] for one in found["changes"]]
    assert "policy.activated" in changed and "override.granted" in changed
    assert (found["fullMetadata"]["complete"], found["fullMetadata"]["unknown"]) == (0, 0)

    text = by(service, "read", "report", "monthly")
    for words in ("# Monthly report", "False-block rate: 25.0 % (1 of 4 blocks)", f"| 4 | {repository} | production |", "| admin | 1 |", "Fixed: 1"):
        assert words in text, f"{words}\n{text}"
    # A week that ended long ago is empty, and says so.
    # What judged at the end of it, as the policies say it.
    in_force = found["inForce"]
    assert [one["action"] for one in in_force["rules"]] and in_force["version"] in json.dumps(found["changes"]), in_force
    assert all(isinstance(one["says"], dict) and one["says"] for one in in_force["rules"]), in_force
    assert "## In force at the end" in text and in_force["rules"][0]["rule"] in text.partition("## In force")[2], text
    old = by(service, "read", "report", "quarterly", "--ending", "2020-03-31")
    assert "No policies." in old, "nothing was in force then"
    assert "Nothing was decided." in old and "no rate" in old
    assert "neither a day nor a time" in by(service, "read", "report", "weekly", "--ending", "soon", code=64)


def test_s35_a_report_is_of_what_its_reader_sees(serve, many_images, policies, gate):
    _, denying = policies
    mine = "token-of-team-a-xxxxxxxxxxxxxxxxxxxx"
    host = many_images[0].split("/")[0]
    grants = [{"role": "viewer", "repositories": [f"{host}/team-a/**"]}]
    tokens = [{"name": role, "role": role, "sha256": hashlib.sha256(token.encode()).hexdigest()} for role, token in TOKENS.items()]
    tokens.append({"name": "team-a", "grants": grants, "sha256": hashlib.sha256(mine.encode()).hexdigest()})
    service = serve(policy=denying, auth={"tokens": tokens})
    asked = service.ask(many_images[0], point="ci", headers={"Authorization": f"Bearer {TOKENS['write']}"})
    assert asked.json()["permit"] == "denied"
    for words in (("report", "weekly"), ("report", "incident", "--repository", many_images[0].split("@")[0])):
        seen = json.loads(gate(*words, "--output", "json", "--server", service.url, env={"ECR_GATE_TOKEN": mine}).stdout)
        assert not seen["decisions"] and not seen.get("rollback") and not seen.get("changes") and not seen.get("events"), seen
        assert any("do not see" in one for one in seen["covered"]["missing"])
        assert seen["covered"]["entries"] == 0


def test_s35_a_team_is_a_filter_a_count_and_a_route(serve, many_images, policies, by, receivers, tmp_path):
    _, denying = policies
    receivers[0].refused.append(None)  # it takes everything
    (tmp_path / "secret").write_text(SECRET + "\n")
    repository = many_images[0].split("@")[0]
    teams = [{"name": "payments", "repositories": [repository]}, {"name": "rest", "repositories": ["**"]}]
    told = [
        {"name": f"of-{team}", "url": receiver.url, "kind": "webhook", "events": ["block"], "teams": [team], "secretFile": str(tmp_path / "secret")}
        for team, receiver in zip(("payments", "rest"), receivers, strict=True)
    ]
    service = serve(policy=denying, teams=teams, notifications=told)
    assert service.decided(many_images[0], point="ci")["permit"] == "denied"
    by(service, "admin", "override", "grant", many_images[0], "--lasts", "10m", "--reason", "outage")
    for team, count in (("payments", 1), ("rest", 0)):
        for words, key in ((("decisions",), "decisions"), (("override", "list"), "overrides")):
            listed = json.loads(by(service, "read", *words, "--team", team, "--output", "json"))[key]
            assert [one["repository"] for one in listed] == [repository] * count, (team, words)
        report = json.loads(by(service, "read", "report", "weekly", "--team", team, "--output", "json"))
        assert report["overrides"]["granted"] == count
        assert report["blockedByTeam"] == [{"name": "payments", "count": 1}][:count]
        assert json.loads(by(service, "read", "exception", "list", "--team", team, "--output", "json"))["exceptions"] == []
    assert "no team" in by(service, "read", "decisions", "--team", "nobody", code=3)
    assert "| payments | 1 |" in by(service, "read", "report", "weekly")
    until("the team is told", lambda: receivers[0].taken)
    assert [(one["team"], one["event"]) for one in receivers[0].bodies()] == [("payments", "block")]
    assert not receivers[1].taken, "and nobody else"
    for wrong, why in (
        ([{"name": "Team", "repositories": ["**"]}], "no name of a team"),
        ([{"name": "a", "repositories": ["**"]}, {"name": "a", "repositories": ["x/**"]}], "twice"),
        ([{"name": "none", "repositories": ["**"]}], "of no team"),
    ):
        code, said = serve.new(policy=denying, teams=wrong).fails()
        assert code == 3 and why in said, said


# --- who is told -----------------------------------------------------------------------------------------------------


class Receiver:
    """Takes webhooks on loopback; refuses as many as it is told to."""

    def __init__(self, refuse: int = 0) -> None:
        self.refused, self.taken = [], []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                fails = len(receiver.refused) < refuse
                (receiver.refused if fails else receiver.taken).append((self.headers, body))
                self.send_response(503 if fails else 204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/a-path-that-is-a-secret"

    def bodies(self) -> list[dict]:
        return [json.loads(body) for _, body in self.taken]


@pytest.fixture
def receivers() -> Iterator[list[Receiver]]:
    made = [Receiver(refuse=1), Receiver()]
    yield made
    for one in made:
        one.server.shutdown()
        one.server.server_close()


def test_o5_a_webhook_that_fails_first_is_told_once_and_signed(serve, many_images, policies, by, receivers, tmp_path):
    _, denying = policies
    webhook, slack = receivers
    (tmp_path / "secret").write_text(SECRET + "\n")
    events = ["block", "override.granted", "denial.added"]
    service = serve(
        policy=denying,
        notifications=[
            {"name": "team", "url": webhook.url, "kind": "webhook", "events": events, "secretFile": str(tmp_path / "secret")},
            {"name": "chat", "url": slack.url, "kind": "slack", "events": ["block"], "repositories": ["**"], "environments": ["production"]},
            {"name": "others", "url": slack.url, "kind": "slack", "events": ["block"], "repositories": ["elsewhere.example/**"]},
        ],
    )
    image = many_images[0]
    decision = service.decided(image, point="ci", pipeline="4711", commit="c0ffee")["decision"]["id"]
    until("the webhook takes it", lambda: webhook.taken, 60)
    until("so does the chat", lambda: slack.taken)
    assert len(webhook.refused) == 1
    (headers, body), (refused, again) = webhook.taken[0], webhook.refused[0]
    assert body == again and headers["X-Ecr-Gate-Event"] == refused["X-Ecr-Gate-Event"] == decision, "the same event, by its id"
    at = headers["X-Ecr-Gate-Timestamp"]
    assert abs(time.time() - int(at)) < 60
    signed = hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    assert headers["X-Ecr-Gate-Signature"] == f"v1={signed}"
    said = json.loads(body)
    assert (said["event"], said["id"], said["pipeline"], said["commit"]) == ("block", decision, "4711", "c0ffee")
    assert said["subject"] == {"repository": image.split("@")[0], "digest": image.rpartition("@")[2], "environment": "production"}
    assert said["reasons"] and service.get(said["links"]["decision"], "read").ok
    message = json.loads(slack.taken[0][1])
    assert image in message["text"] and message["blocks"][0]["type"] == "section"

    # The same pipeline and image once more, for another environment, is no second message; another pipeline's image is.
    service.decided(image, point="ci", pipeline="4711", environment="staging")
    service.decided(many_images[1], point="ci", pipeline="4712")
    by(service, "admin", "deny", "add", "--digest", image.rpartition("@")[2], "--reason", "leaks credentials")
    until("the rest is told", lambda: len(webhook.taken) >= 3, 60)
    time.sleep(2)
    assert sorted(one["event"] for one in webhook.bodies()) == ["block", "block", "denial.added"]
    assert len(slack.taken) == 2, "the third target is told of nothing"
    assert SECRET not in service.log and "a-path-that-is-a-secret" not in service.log

    # Nothing is told twice by a service that starts again.
    service.stop()
    service.start()
    service.decided(many_images[2], point="ci", pipeline="4713")
    until("it goes on", lambda: len(webhook.taken) >= 4, 60)
    time.sleep(2)
    ids = [one["id"] for one in webhook.bodies()]
    assert len(ids) == len(set(ids)) == 4


def test_o5_of_several_replicas_one_tells(serve, postgres, many_images, policies, receivers, tmp_path):
    (tmp_path / "secret").write_text(SECRET)
    webhook = receivers[1]
    told = [{"name": "team", "url": webhook.url, "kind": "webhook", "events": ["block"], "secretFile": str(tmp_path / "secret")}]
    database = postgres.url(postgres.database())
    near, far = (serve(database=database, policy=policies[1], notifications=told) for _ in range(2))
    for number, image in enumerate(many_images[:10]):
        (near, far)[number % 2].decided(image, point="ci", pipeline=str(number))
    until("all of it is told", lambda: len(webhook.taken) >= 10, 60)
    time.sleep(2)
    assert len(webhook.taken) == len({one["id"] for one in webhook.bodies()}) == 10


def test_o5_what_cannot_be_told_soundly_does_not_start(serve, policies, tmp_path):
    (tmp_path / "short").write_text("short")
    usual = {"name": "team", "url": "https://hooks.example/hidden", "kind": "slack", "events": ["block"]}
    for wrong, why in [
        ({"url": "http://hooks.example/hidden"}, "without TLS"),
        ({"kind": "webhook"}, "needs a secret"),
        ({"kind": "webhook", "secretFile": str(tmp_path / "short")}, "shorter than 16"),
        ({"events": []}, "no events"),
        ({"events": ["everything"]}, "everything"),
    ]:
        code, said = serve.new(policy=policies[0], notifications=[{**usual, **wrong}]).fails()
        assert code != 0 and why in said and "hidden" not in said, said


def test_o7_the_clock_moves_the_week(serve, many_images, policies, by):
    service = serve(policy=policies[1])
    service.decided(many_images[0], point="ci")
    assert json.loads(by(service, "read", "report", "weekly", "--output", "json"))["falseBlocks"]["blocks"] == 1
    service.stop()
    service.env.update(clock("+8d"))
    service.start()
    assert json.loads(by(service, "read", "report", "weekly", "--output", "json"))["falseBlocks"]["blocks"] == 0
    assert json.loads(by(service, "read", "report", "monthly", "--output", "json"))["falseBlocks"]["blocks"] == 1
