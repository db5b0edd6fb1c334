"""The API against its own description: schemathesis makes requests of every kind that `/api/v1/openapi.json` allows and forbids, and looks whether
each answer is one that stands there. What an image, a policy or a log entry has to be says no schema, so 400 and 422 are no failures of sound requests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import requests
from test_serve import serve  # noqa: F401 (a fixture)

CONFIG = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", 400, 401, 403, 404, 409, 422, 429, "5xx"]
"""
SECONDS = 40


def test_every_answer_is_one_that_the_description_names(serve, tmp_path):  # noqa: F811
    service = serve()
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    command = [Path(sys.executable).parent / "st", "--config-file", "schemathesis.toml", "run", f"{service.url}/api/v1/openapi.json"]
    options = ["--phases", "examples,coverage,fuzzing", "--max-examples", 15, "--max-time", SECONDS, "--request-timeout", 30]
    quiet = ["--generation-database", "none", "--no-color", "--no-shrink", "--continue-on-failure"]
    token = ["--header", f"Authorization: Bearer {service.token}"]
    ran = subprocess.run(
        list(map(str, [*command, *options, *quiet, *token])), cwd=tmp_path, capture_output=True, text=True, timeout=150, check=False
    )
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr
    # The description itself is what the tool begins with, and no operation that it tries.
    paths = requests.get(f"{service.url}/api/v1/openapi.json", timeout=10).json()["paths"]
    described = sum(len(methods) for path, methods in paths.items() if not path.endswith("/openapi.json"))
    assert f"{described} selected / {described} total" in ran.stdout, ran.stdout
    assert service.get("/readyz").ok, "and it still answers"
    assert not [line for line in service.lines() if line.get("status") == 500]
