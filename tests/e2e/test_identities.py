"""Who may what, with tokens that another program signs: an identity provider on loopback whose keys and tokens joserfc makes."""

from __future__ import annotations

import base64
import hmac
import http.server
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

GATE = "https://gate.example"


class Provider:
    """Publishes its configuration and its keys."""

    def __init__(self) -> None:
        self.keys = {
            "RS256": RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"}),
            "ES384": ECKey.generate_key("P-384", {"kid": "p384", "use": "sig"}),
            "Ed25519": OKPKey.generate_key("Ed25519", {"kid": "ed", "use": "sig"}),
        }
        self.paths: list[str] = []
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # noqa: N802
                provider.paths.append(self.path)
                body = {"issuer": provider.url, "jwks_uri": f"{provider.url}/oauth/discovery/keys"}
                if self.path == "/oauth/discovery/keys":
                    body = KeySet(list(provider.keys.values())).as_dict(private=False)
                said = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def end(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def gitlab(self, **over: Any) -> dict[str, Any]:
        """What GitLab documents of an ID token, of a job on the protected branch main of project 42."""
        now = int(time.time())
        return {
            "iss": self.url, "sub": "project_path:team-a/app:ref_type:branch:ref:main", "aud": GATE, "iat": now, "nbf": now - 5, "exp": now + 3600,
            "jti": "235b3a54-b797-45c7-ae9a-f72d7bc6ef5b", "namespace_id": "7", "namespace_path": "team-a", "project_id": "42",
            "project_path": "team-a/app", "user_id": "1", "user_login": "ada", "user_email": "ada@example.com", "user_access_level": "developer",
            "pipeline_id": "1212", "pipeline_source": "push", "job_id": "1212", "ref": "main", "ref_type": "branch", "ref_path": "refs/heads/main",
            "ref_protected": "true", "runner_environment": "self-hosted", "sha": "714a629c0b401fdce83e847fc9589983fc6f46bc", **over,
        }  # fmt: skip

    def signed(self, claims: dict[str, Any], algorithm: str = "RS256") -> str:
        key = self.keys[algorithm]
        return jwt.encode({"alg": algorithm, "kid": key.kid}, claims, key, algorithms=[algorithm])


@pytest.fixture
def provider() -> Iterator[Provider]:
    provider = Provider()
    yield provider
    provider.end()


def grants(role: str, *environments: str, repositories: str = "**") -> list[dict[str, Any]]:
    return [{"role": role, "repositories": [repositories], "environments": list(environments or ("*",))}]


def gitlab(provider: Provider, *rules: tuple[dict[str, str], list[dict[str, Any]]]) -> dict[str, Any]:
    entry = {"name": "gitlab", "kind": "gitlab", "issuer": provider.url, "audience": GATE, "rules": [{"when": when, "grants": given} for when, given in rules]}
    return {"issuers": [entry]}


def who(service: Any, token: str) -> requests.Response:
    answer = service.get("/api/v1/whoami", headers={"Authorization": f"Bearer {token}"})
    assert token not in answer.text
    return answer


def test_o2_a_pipeline_is_known_by_the_token_of_its_platform(serve: Any, provider: Provider) -> None:
    service = serve(identities=gitlab(provider, ({"project_id": "42", "ref_protected": "true"}, grants("ci", "production", repositories="r.example/team-a/**"))))
    for algorithm in provider.keys:
        answer = who(service, provider.signed(provider.gitlab(), algorithm))
        assert answer.status_code == 200, f"{algorithm} {answer.text}"
        assert answer.json()["identity"] == f"oidc:{provider.url}#project:42"
        assert answer.json()["person"] == "ada@example.com"
    assert provider.paths == ["/.well-known/openid-configuration", "/oauth/discovery/keys"], "once each"
    token = provider.signed(provider.gitlab())
    run = subprocess.run(
        [service.command()[0], "whoami", "--server", service.url], env={**service.env, "ECR_GATE_TOKEN": token}, capture_output=True, text=True, check=True
    )
    assert "ci on r.example/team-a/** in production" in run.stdout
    refused = who(service, provider.signed(provider.gitlab(ref_protected="false", ref="x")))
    assert refused.status_code == 403 and 'ref_protected: ["false"]' in refused.json()["detail"]
    assert token not in service.log and token.rsplit(".", 1)[1] not in service.log


def test_o2_what_nobody_signed_is_nobodys(serve: Any, provider: Provider) -> None:
    service = serve(identities=gitlab(provider, ({"project_id": "42"}, grants("ci"))))
    claims, now = provider.gitlab(), int(time.time())
    public = provider.keys["RS256"].as_pem(private=False)
    payload = json.dumps(claims).encode()
    def forged(header: dict[str, str], secret: bytes) -> str:
        signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in (json.dumps(header).encode(), payload))
        signature = hmac.digest(secret, signed, "sha256") if secret else b""
        return (signed + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()

    listed = json.dumps(provider.keys["RS256"].as_dict(private=False)).encode()
    confused = [forged({"alg": alg, "kid": "rsa"}, secret) for alg in ("HS256", "RS256") for secret in (public, public.strip(), listed)]
    none = forged({"alg": "none"}, b"")
    stranger = RSAKey.generate_key(2048, {"kid": "rsa"})
    foreign = jwt.encode({"alg": "RS256", "kid": "rsa"}, claims, stranger)
    embedded = jwt.encode({"alg": "RS256", "jwk": stranger.as_dict(private=False), "jku": "http://127.0.0.1:1/"}, claims, stranger)
    wrong = [provider.signed({**claims, **over}) for over in [
        {"aud": "https://other.example"}, {"aud": [GATE + "/"]}, {"iss": provider.url + "/"}, {"exp": now - 60}, {"nbf": now + 90}, {"iat": now + 90},
        {"exp": now + 90_000},
    ]]  # fmt: skip
    for token in [*confused, none, foreign, embedded, *wrong, provider.signed(claims)[:-4]]:
        assert who(service, token).status_code == 401, token
    assert who(service, provider.signed(claims)).status_code == 200


def test_s34_one_person_is_not_two_by_having_two_identities(serve: Any, provider: Provider) -> None:
    sso = Provider()
    identities = gitlab(provider, ({"project_id": "1", "ref_protected": "true"}, grants("policy-admin")))
    identities["issuers"].append({
        "name": "sso", "issuer": sso.url, "audience": "ecr-gate", "person": {"claim": "email", "requires": "email_verified"},
        "rules": [{"when": {"groups": "security"}, "grants": grants("policy-admin")}],
    })  # fmt: skip
    service = serve(identities=identities)

    def person(email: str, **over: Any) -> dict[str, str]:
        now = int(time.time())
        claims = {"iss": sso.url, "aud": "ecr-gate", "sub": "u1", "iat": now, "exp": now + 600, "email": email, "email_verified": True, "groups": ["dev", "security"]}
        return {"Authorization": f"Bearer {sso.signed({**claims, **over})}"}

    pipeline = {"Authorization": f"Bearer {provider.signed(provider.gitlab(project_id='1'))}"}
    text = """apiVersion: ecr-gate.dev/v1
kind: GatePolicy
metadata: { name: house }
spec:
  environments: { production: { class: production } }
  rules: [{ id: r, registries: { deny: ["evil.example/**"] } }]
"""
    digest = service.post("/api/v1/policies", {"documents": [["house", text]], "files": [{}]}, headers=pipeline).json()["digest"]
    assert service.post(f"/api/v1/policies/{digest}/activate", {}, headers=pipeline).status_code == 202
    confirm = f"/api/v1/policies/{digest}/confirm"
    for same in [pipeline, person("ADA@example.com"), person("bob@example.com", email_verified=False), person("bob@example.com", email_verified="no")]:
        assert service.post(confirm, {}, headers=same).status_code == 403
    confirmed = service.post(confirm, {}, headers=person("bob@example.com"))
    assert confirmed.status_code == 200 and confirmed.json()["inForce"], confirmed.text
    sso.end()


def test_s35_a_configuration_that_would_let_anybody_in_does_not_start(serve: Any, provider: Provider) -> None:
    for when, role, why in [
        ({"project_path": "team-a/app"}, "ci", "project_id"),
        ({"project_id": "42"}, "approver", "ref_protected"),
        ({"project_id": "*"}, "ci", "project_id"),
    ]:
        code, said = serve.new(identities=gitlab(provider, (when, grants(role)))).fails()
        assert code == 3 and why in said, said
