"""Counts and fingerprints of every table against SELECT count(*) of the same tables, one session each, one run.

What it costs to know that a restored copy is equal, and not only as long. Each round takes both in turn. Data set:
benchmarks/large_world.py. `python benchmarks/fingerprints.py [--rounds N]`.
"""

from __future__ import annotations

import resource
import sys
from statistics import median
from time import perf_counter

from large_world import arguments, target, world
from psycopg import Connection, sql
from psycopg.rows import DictRow

from clo_ops.findings.contents import Contents
from clo_ops.probes.contents import describe
from clo_ops.probes.postgres import connect


def counted(connection: Connection[DictRow], tables: list[str]) -> tuple[float, int]:
    start, total = perf_counter(), 0
    for name in tables:
        query = sql.SQL("SELECT count(*) AS rows FROM {}").format(sql.Identifier(*name.split(".")))
        row = connection.execute(query).fetchone()
        total += row["rows"] if row else 0
    return perf_counter() - start, total


def described(connection: Connection[DictRow]) -> tuple[float, Contents]:
    start = perf_counter()
    found = describe(connection)
    return perf_counter() - start, found


def main() -> int:
    given = arguments(__doc__ or "")
    cluster = world(given.scratch)
    try:
        with connect(target(cluster)) as connection:
            # One process for each: a parallel scan would show how many cores are idle, not what the work costs.
            connection.execute("SET max_parallel_workers_per_gather = 0")
            tables = list(described(connection)[1].tables)
            taken = []
            for _ in range(given.rounds):
                bare, total = counted(connection, tables)
                full, found = described(connection)
                if sum(one.rows for one in found.tables.values()) != total:
                    raise SystemExit("the two counts differ")
                taken.append((bare, full))
    finally:
        cluster.stop()
    ratio = median(full / bare for bare, full in taken)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{total:,} rows in {len(tables)} tables: count(*) {median(one[0] for one in taken):.2f} s, "
        f"counts and fingerprints {median(one[1] for one in taken):.2f} s = {ratio:.1f} x; peak memory {peak:.0f} MiB"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
