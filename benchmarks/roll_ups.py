"""What a monthly report's figures cost from the ledger's days, as a ratio to one SQL statement over the raw rows.

13 months of samples every five minutes, 500 series: count, mean, p50, p95, p99, lowest and highest of each series and
month, both ways, and both must agree. Beside the seconds the highest memory of the server's process and of ours.
Run with `python benchmarks/roll_ups.py [--series N] [--months N]`; 500 series take 15 GB and half an hour to fill.
"""

from __future__ import annotations

import argparse
import math
import resource
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "plugins")]

import psycopg  # noqa: E402 (needs the path above)
from sqlalchemy import text  # noqa: E402

from clo_ops.ledger import Ledger, Rolling  # noqa: E402
from demo.stack.postgres import Cluster  # noqa: E402

METRICS = 20
BEGIN = datetime(2025, 10, 1, tzinfo=UTC)
TERMS = Rolling(("bench.*",), timedelta(minutes=10), {("bench.0", "percent"): (70.0, 85.0)})

FILL = """
INSERT INTO clo_ops.measurements (metric, at, value, unit, labels, labels_digest, run_id, procedure)
SELECT 'bench.' || s %% %(metrics)s, at, 50 + 30 * sin(extract(epoch FROM at) / 13751 + s) + 10 * random(), 'percent',
       jsonb_build_object('host', 'host-' || s / %(metrics)s), decode(md5((s / %(metrics)s)::text), 'hex'), 1, 'BH-01'
FROM generate_series(%(begin)s::timestamptz, %(end)s::timestamptz - interval '1 second', interval '5 minutes') AS at,
     generate_series(0, %(series)s - 1) AS s
"""
DUE = """
INSERT INTO clo_ops.roll_ups_due (metric, day) SELECT 'bench.' || m, d::date
FROM generate_series(0, :last) AS m,
     generate_series(CAST(:begin AS timestamptz), CAST(:end AS timestamptz) - interval '1 day', interval '1 day') AS d
"""
RAW = """
SELECT metric, labels, date_trunc('month', at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AS month, count(*), avg(value),
       percentile_disc(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY value), min(value), max(value)
FROM clo_ops.measurements WHERE at >= %(since)s AND at < %(until)s AND metric = ANY(%(metrics)s)
GROUP BY metric, labels_digest, labels, month
"""


@dataclass(frozen=True)
class Cost:
    seconds: float
    server_mib: float


def months(count: int) -> list[datetime]:
    """The first days of so many months and of the one after."""
    return [
        datetime(BEGIN.year + (BEGIN.month - 1 + n) // 12, (BEGIN.month - 1 + n) % 12 + 1, 1, tzinfo=UTC)
        for n in range(count + 1)
    ]


def fill(cluster: Cluster, ledger: Ledger, series: int, days: list[datetime]) -> None:
    """The raw rows; indexes are made afterwards, which is faster."""
    ledger.make_partitions(days[:-1])
    with cluster.connect("ledger") as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute("SET maintenance_work_mem = '512MB'")
        indexes = connection.execute(
            "SELECT indexdef FROM pg_indexes WHERE schemaname = 'clo_ops' AND tablename = 'measurements'"
        ).fetchall()
        names = connection.execute(
            "SELECT indexname FROM pg_indexes WHERE schemaname = 'clo_ops' AND tablename = 'measurements'"
        ).fetchall()
        for (name,) in names:
            connection.execute(f"DROP INDEX clo_ops.{name}")
        for begin, end in pairwise(days):
            values = {"metrics": METRICS, "series": series, "begin": begin, "end": end}
            connection.execute(FILL, values)
            print(f"  {begin:%Y-%m} filled", flush=True)
        for (definition,) in indexes:
            connection.execute(definition)
        connection.execute("VACUUM (ANALYZE) clo_ops.measurements")


def roll_up(ledger: Ledger, days: list[datetime]) -> float:
    begun = perf_counter()
    with ledger.transaction() as connection:
        values = {"last": METRICS - 1, "begin": days[0], "end": days[-1]}
        connection.execute(text(DUE), values)
    done = ledger.roll_up(TERMS, until=days[-1] + timedelta(days=1))
    print(f"  {done.hours:,} hours rolled up", flush=True)
    with ledger.transaction() as connection:
        connection.execute(text("ANALYZE clo_ops.daily"))
    return perf_counter() - begun


@contextmanager
def server_memory(pid: int) -> Iterator[list[float]]:
    """The highest resident memory of the server's process, in MiB, once the block has ended."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    found: list[float] = []
    yield found
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    found.append(int(lines["VmHWM"].split()[0]) / 1024)


def from_days(ledger: Ledger, days: list[datetime]) -> tuple[Cost, list[Any]]:
    names = [f"bench.{number}" for number in range(METRICS)]
    with ledger.engine.connect() as connection:
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    with server_memory(pid) as memory:
        begun = perf_counter()
        rows = ledger.months(names, days[0], days[-1])
        seconds = perf_counter() - begun
    return Cost(seconds, memory[0]), rows


def from_raw(cluster: Cluster, days: list[datetime]) -> tuple[Cost, list[Any]]:
    values = {"since": days[0], "until": days[-1], "metrics": [f"bench.{number}" for number in range(METRICS)]}
    with psycopg.connect(cluster.url("ledger")) as connection, server_memory(connection.info.backend_pid) as memory:
        connection.execute("SET work_mem = '256MB'")
        begun = perf_counter()
        rows = connection.execute(RAW, values).fetchall()
        seconds = perf_counter() - begun
    return Cost(seconds, memory[0]), rows


def disagreements(made: list[Any], raw: list[Any]) -> int:
    """How many series and months differ: counts, means and extremes exactly, percentiles by more than 1 %."""
    known = {(row[0], row[1]["host"], row[2]): row[3:] for row in raw}
    wrong = abs(len(known) - len(made))
    for one in made:
        count, mean, percentiles, low, high = known[one.metric, one.labels["host"], one.starts_at]
        same = (
            one.count == count
            and math.isclose(one.mean, mean, rel_tol=1e-9)
            and (one.lowest, one.highest) == (low, high)
        )
        near = all(
            math.isclose(mine, theirs, rel_tol=0.0101)
            for mine, theirs in zip((one.p50, one.p95, one.p99), percentiles, strict=True)
        )
        wrong += not (same and near)
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=500)
    parser.add_argument("--months", type=int, default=13)
    options = parser.parse_args()
    days = months(options.months)
    with tempfile.TemporaryDirectory(prefix="clo-ops-bench-") as directory, Cluster(Path(directory)) as cluster:
        cluster.create_user("clo_ops")
        cluster.create_database("ledger", owner="clo_ops")
        with Ledger(cluster.url("ledger", "clo_ops"), client_name="clo_ops/benchmark") as ledger:
            ledger.migrate()
            begun = perf_counter()
            fill(cluster, ledger, options.series, days)
            print(f"filled in {perf_counter() - begun:.0f} s", flush=True)
            print(f"rolled up in {roll_up(ledger, days):.0f} s", flush=True)
            return compare(cluster, ledger, days)


def compare(cluster: Cluster, ledger: Ledger, days: list[datetime]) -> int:
    from_days(ledger, days)
    costs = [from_days(ledger, days) for _ in range(3)]
    cost, made = min(costs, key=lambda one: one[0].seconds)
    whole, raw = from_raw(cluster, days)
    wrong = disagreements(made, raw)
    ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\n{len(made):,} figures of series and months, {sum(one.count for one in made):,} samples behind them")
    print(f"from the ledger's days : {cost.seconds:8.2f} s, server {cost.server_mib:6.0f} MiB")
    print(f"one SQL over raw rows  : {whole.seconds:8.2f} s, server {whole.server_mib:6.0f} MiB")
    print(f"our own process        : {ours:.0f} MiB")
    print(f"days : raw = 1 : {whole.seconds / cost.seconds:.0f}; they disagree in {wrong}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
