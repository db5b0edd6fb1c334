"""A stand-in for ECR with one image whose scan is finished. Prints its address and the image's digest; ends when its standard input does."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path

import make_report

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
from demo_seed import Stage  # noqa: E402  (the demo's stage, which is not a package)


def main() -> None:
    stage = Stage()
    digest = stage.push(make_report.REPOSITORY, "1.0")
    stage.scan(make_report.REPOSITORY, digest, make_report.scan(int(sys.argv[1]), datetime.datetime.now(datetime.UTC)))
    print(stage.url, digest, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
