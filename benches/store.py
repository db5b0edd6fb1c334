"""The measurements of the store, on SQLite and on a PostgreSQL of our own: (p) recording beside bare inserts, (q) a query by digest among ever more
decisions, (r) which images hold a package among ever more images. What is measured runs in one process, `crates/store/examples/measure`."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import evidence  # noqa: F401  makes the helpers of tests/e2e known
from services import Postgres

SECONDS = int(os.environ.get("BENCH_STORE_SECONDS", "3"))  # of each turn of recording
LARGEST = int(os.environ.get("BENCH_LARGEST", "1000000"))  # decisions
IMAGES = int(os.environ.get("BENCH_IMAGES", "100000"))
# As they come with PostgreSQL 15; a tenth of that is what the tests make do with.
SETTINGS = {"shared_buffers": "128MB", "max_wal_size": "1GB", "synchronous_commit": "on"}


@contextlib.contextmanager
def places(folder: Path) -> Iterator[dict[str, str]]:
    """Where each database is."""
    files = folder / "sqlite"
    files.mkdir(parents=True)
    postgres = Postgres()
    try:
        postgres.start(**SETTINGS)
        yield {"SQLite": f"sqlite:{files}", f"PostgreSQL {postgres.programs.parent.name}": f"postgres://gate@127.0.0.1:{postgres.port}"}
    finally:
        postgres.end()


def measured(what: str, place: str, size: int) -> dict[str, Any]:
    done = subprocess.run([os.environ["BENCH_STORE"], what, place, str(size)], stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout)


def recording(database: str, place: str, bench: Any) -> None:
    """(p)"""
    turns = measured("recording", place, SECONDS)["turns"]
    ours, bare, group = (statistics.median(turn[key] for turn in turns) for key in ("storePerSecond", "barePerSecond", "averageGroup"))
    print(f"  {database + ', the store':34} {ours:9.0f} decisions/s, {group:.0f} in a transaction")
    print(f"  {database + ', bare inserts':34} {bare:9.0f} decisions/s")
    bench.goal(f"{database}: store / bare inserts", 100 * ours / bare, " %", 70, at_least=True)


def queries(database: str, place: str, bench: Any) -> None:
    """(q)"""
    said = measured("queries", place, LARGEST)
    for size in said["sizes"]:
        print(f"  {database + ', ' + format(size['decisions'], ',') + ' decisions':34} {size['medianMicros']:9} µs, p99 {size['p99Micros']} µs")
    medians = [size["medianMicros"] for size in said["sizes"]]
    bench.goal(f"{database}: largest / smallest", medians[-1] / medians[0], "×", 2, at_least=False)


def packages(database: str, place: str, bench: Any) -> None:
    """(r)"""
    took = {}
    for asked in measured("packages", place, IMAGES)["asked"]:
        images, affected, rows = asked["images"], asked["affected"], asked["rowsRead"]
        took[images, affected] = asked["medianMicros"]
        name = f"{database}, {affected:,} of {images:,} images"
        print(f"  {name:46} {took[images, affected]:9} µs" + (f", {rows} rows read" if rows is not None else ""))
    fewer, most = min(took)[0], max(took)[0]
    some = min(100, fewer)
    bench.goal(f"{database}: {some} in {most:,} / in {fewer:,}", took[most, some] / took[fewer, some], "×", 2, at_least=False)


TITLES = {
    "p": (recording, f"Recording by 64 writers, each decision durable with its evidence, answer and log entry, beside bare inserts; turns of {SECONDS} s"),
    "q": (queries, "A query by digest among ever more decisions"),
    "r": (packages, "Which images hold a package: all of them, in pages of 200"),
}  # fmt: skip


def main(folder: Path, bench: Any) -> None:
    asked: list[tuple[str, Callable[..., None], str]] = [(letter, *what) for letter, what in TITLES.items() if bench.wanted(letter)]
    for letter, measure, title in asked:
        print(f"\n({letter}) {title}")
        with places(folder / measure.__name__) as where:
            for database, place in where.items():
                measure(database, place, bench)
