"""What proving a restored copy costs, as ratios. Aims: Great Expectations 1.5 or less; fingerprints are told.

1. The suites of include/checks by Great Expectations, Data Docs written, to the same checks by hand: one statement
   each over psycopg. The library's import is told apart: it is paid once per task.
2. Row counts and fingerprints of all tables to ``SELECT count(*)`` of the same tables.

Both sides take turns on one database: that of ``--dsn`` (at least 1 GB), else a demo world of ``--scale`` made for the
time being (40 is 1 GB and takes some minutes). Run with `python benchmarks/proof.py [--dsn URL]`.
"""

from __future__ import annotations

import argparse
import resource
import secrets
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
sys.path[:0] = [str(ROOT), str(ROOT / "plugins")]

from clo_ops.probes import contents, expectations, integrity  # noqa: E402 (needs the path above)
from clo_ops.probes.targets import PostgresTarget  # noqa: E402
from demo.stack.postgres import Cluster  # noqa: E402
from demo.world import build, prepare  # noqa: E402

AT = datetime(2026, 11, 23, 7, tzinfo=UTC)
ROLES = ("clo_app", "clo_ops_reader", "clo_backup")


@contextmanager
def database(dsn: str | None, scale: float) -> Iterator[str]:
    if dsn:
        yield dsn
        return
    with tempfile.TemporaryDirectory() as directory, Cluster(Path(directory) / "cluster") as cluster:
        for role in ROLES:
            cluster.create_user(role, secrets.token_urlsafe(12))
        cluster.create_database("clo", owner="clo_app")
        prepare(cluster.url("clo"), {role: cluster.password(role) for role in ROLES})
        print(f"building a demo world of scale {scale:g}", flush=True)
        build(cluster.url("clo", "clo_app"), scale=scale, as_of=AT)
        with cluster.connect("clo") as connection:
            connection.execute("VACUUM ANALYZE")
        yield cluster.url("clo")


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


def turns(rounds: int, name: str, baseline: Callable[[], object], subject: Callable[[], object]) -> None:
    pairs = []
    for number in range(rounds):
        pairs.append((seconds(baseline), seconds(subject)))
        print(f"{name}, round {number + 1}/{rounds}: baseline {pairs[-1][0]:.2f} s, {pairs[-1][1]:.2f} s", flush=True)
    print(f"{name}: median {median(b for b, _ in pairs):.2f} s and {median(s for _, s in pairs):.2f} s, "
          f"ratio {median(s / b for b, s in pairs):.2f}", flush=True)  # fmt: skip


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
        )
    print(f"peak memory of this process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dsn", help="postgresql://user:password@host:port/database of a CLO database")
    parser.add_argument("--scale", type=float, default=40, help="scale of the demo world made without --dsn")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with database(given.dsn, given.scale) as dsn:
        measure(dsn, given.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
