"""What proving a restored copy costs, as ratios. Aims: Great Expectations 1.5 or less; fingerprints are told.

1. The suites of include/checks by Great Expectations, Data Docs written, to the same checks by hand: one statement
   each over psycopg. The library's import is told apart: it is paid once per task.
2. Row counts and fingerprints of all tables to ``SELECT count(*)`` of the same tables.

Both sides take turns on one database: that of ``--dsn`` (at least 1 GB), else the data set of
benchmarks/large_world.py. One session each: what a drill gains by asking over several is not counted. Run with
`python benchmarks/proof.py [--dsn URL]`.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "plugins"), str(ROOT / "benchmarks")]

from large_world import world  # noqa: E402 (needs the path above)

from clo_ops.probes import contents, expectations, integrity  # noqa: E402 (needs the path above)
from clo_ops.probes.targets import PostgresTarget  # noqa: E402

AT = datetime(2026, 11, 23, 7, tzinfo=UTC)
AIM = "1.5 or less"


@contextmanager
def database(dsn: str | None, scratch: Path) -> Iterator[str]:
    if dsn:
        yield dsn
        return
    cluster = world(scratch)
    try:
        with cluster.connect("clo") as connection:
            connection.execute("ANALYZE")
        yield cluster.url("clo")
    finally:
        cluster.stop()


def target(dsn: str) -> PostgresTarget:
    given = conninfo_to_dict(dsn)
    return PostgresTarget(
        str(given["host"]), int(given.get("port") or 5432), str(given["dbname"]), str(given["user"]),
        str(given.get("password") or ""), statement_timeout=1800,
    )  # fmt: skip


def counted(connection: psycopg.Connection[Any], tables: list[str]) -> int:
    total = 0
    for table in tables:
        query = sql.SQL("SELECT count(*) AS n FROM {}").format(contents.identifier(table))
        total += connection.execute(query).fetchone()["n"]  # type: ignore[index]
    return total


def seconds(do: Callable[[], object]) -> float:
    start = perf_counter()
    do()
    return perf_counter() - start


def turns(rounds: int, name: str, baseline: Callable[[], object], subject: Callable[[], object], aim: str = "") -> None:
    pairs = []
    for number in range(rounds):
        pairs.append((seconds(baseline), seconds(subject)))
        print(f"{name}, round {number + 1}/{rounds}: baseline {pairs[-1][0]:.2f} s, {pairs[-1][1]:.2f} s", flush=True)
    print(f"{name}: median {median(b for b, _ in pairs):.2f} s and {median(s for _, s in pairs):.2f} s, "
          f"ratio {median(s / b for b, s in pairs):.2f}"
          + (f" (aim: {aim})" if aim else ""), flush=True)  # fmt: skip


def measure(dsn: str, rounds: int) -> None:
    asked = target(dsn)
    with (
        psycopg.connect(dsn, row_factory=dict_row, autocommit=True) as connection,
        tempfile.TemporaryDirectory() as docs,
    ):
        size = connection.execute("SELECT pg_database_size(current_database()) AS n").fetchone()["n"]  # type: ignore[index]
        tables = list(contents.describe(connection).tables)
        print(f"database of {size / 1e9:.2f} GB, {len(tables)} tables; import {seconds(expectations.library):.1f} s")
        turns(rounds, "fingerprints", lambda: counted(connection, tables), lambda: contents.describe(connection))
        turns(
            rounds,
            "Great Expectations",
            lambda: integrity.verdicts(connection, AT),
            lambda: integrity.ask(asked, at=AT, evidence=Path(docs)),
            AIM,
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"load average {os.getloadavg()[0]:.1f}; peak memory of this process {peak:.0f} MB")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dsn", help="postgresql://user:password@host:port/database of a CLO database")
    default = os.environ.get("CLO_OPS_BENCH", "/var/tmp/clo-ops-bench")  # noqa: S108 - made private by the cluster
    parser.add_argument("--scratch", type=Path, default=Path(default), help=f"where the data set is ({default})")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with database(given.dsn, given.scratch) as dsn:
        measure(dsn, given.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
