"""Measurements by metric and time: through the index, streamed; and what one morning leaves for the next."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from clo_ops.findings import Answer, Measurement
from clo_ops.ledger import BaselineResult, Ledger, StatementRow, StatementSnapshot
from demo.stack.postgres import Cluster

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"
METRICS, MONTHS, ROWS = 50, 6, 300_000
FIRST = datetime.fromisoformat("2026-01-01T00:00:00+00:00")

FILL = """
INSERT INTO clo_ops.measurements (metric, at, value, unit, labels, labels_digest, run_id, procedure)
SELECT 'metric.' || n % :metrics, timestamptz '2026-01-01 00:00:00+00' + n * interval '180 days' / :rows, n, 'count',
       jsonb_build_object('host', 'app-' || n % 3), '\\x00000000000000000000000000000000', 1, 'DM-04'
FROM generate_series(0, :rows - 1) AS n
"""


@pytest.fixture(scope="module")
def much(cluster: Cluster) -> Iterator[Ledger]:
    """300,000 measurements of 50 metrics over six months."""
    with cluster.connect() as connection:
        connection.execute("CREATE DATABASE ledger_much TEMPLATE ledger_template OWNER clo_ops")
    with Ledger(cluster.url("ledger_much", "clo_ops")) as ledger:
        ledger.make_partitions([FIRST + timedelta(days=32 * month) for month in range(MONTHS)])
        with ledger.transaction() as connection:
            connection.execute(text(FILL), {"metrics": METRICS, "rows": ROWS})
            connection.execute(text("ANALYZE clo_ops.measurements"))
        yield ledger


def plan(ledger: Ledger, metric: str, since: datetime, until: datetime) -> str:
    query = "SELECT * FROM clo_ops.measurements WHERE metric = :metric AND at >= :since AND at < :until ORDER BY at"
    with ledger.transaction() as connection:
        lines = connection.execute(text("EXPLAIN " + query), {"metric": metric, "since": since, "until": until})
        return "\n".join(row[0] for row in lines)


def test_metric_and_time_go_through_the_index_of_the_months_asked_for(much: Ledger) -> None:
    found = plan(much, "metric.7", FIRST + timedelta(days=40), FIRST + timedelta(days=41))
    assert "Index" in found
    assert "metric_at" in found
    assert "Seq Scan" not in found
    assert "measurements_2026_02" in found
    assert "measurements_2026_01" not in found


def test_since_is_in_and_until_is_out(much: Ledger) -> None:
    step = timedelta(days=180) / ROWS * METRICS
    taken = list(much.measurements("metric.0", FIRST, FIRST + 10 * step))
    assert [one.value for one in taken] == [float(number * METRICS) for number in range(10)]
    assert taken[0].at == FIRST


def test_labels_choose_the_series(much: Ledger) -> None:
    until = FIRST + timedelta(days=200)
    of_one = list(much.measurements("metric.3", FIRST, until, {"host": "app-1"}))
    assert len(of_one) == ROWS // METRICS // 3
    assert {one.labels["host"] for one in of_one} == {"app-1"}


# A process of its own: what libpq holds is memory Python's own tools do not see. VmHWM and not ru_maxrss, which a
# process inherits from the one that started it.
READS = """
import sys
from datetime import datetime, timedelta
from clo_ops.ledger import Ledger
first = datetime.fromisoformat(sys.argv[2])
with Ledger(sys.argv[1]) as ledger:
    for days in (12, 180):
        rows = sum(1 for _ in ledger.measurements("crowded", first, first + timedelta(days=days)))
        peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
        print(rows, int(peak.split()[1]) // 1024)
"""


def test_memory_does_not_grow_with_the_answer(much: Ledger) -> None:
    """60,000 rows of 30 MB in all take no more than 4,000 rows of 2 MB."""
    crowded = FILL.replace("'metric.' || n % :metrics", "'crowded'").replace("procedure)", "procedure, detail)")
    with much.transaction() as connection:
        wide = crowded.replace("'DM-04'", "'DM-04', repeat('x', 500)")
        connection.execute(text(wide), {"rows": 60_000})
    url = much.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", READS, url, FIRST.isoformat()]
    environment = {**os.environ, "PYTHONPATH": str(PLUGINS)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120)
    (few, small), (many, large) = [map(int, line.split()) for line in done.stdout.splitlines()]
    assert (few, many) == (4_000, 60_000)
    assert large - small < 10, f"{small} MiB after {few} rows, {large} MiB after {many}"


def test_a_reader_that_stops_early_gives_its_connection_back(much: Ledger) -> None:
    for _ in range(10):
        rows = much.measurements("metric.1", FIRST, FIRST + timedelta(days=100))
        next(rows)
        rows.close()  # type: ignore[attr-defined]
    assert much.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def cpu(at: datetime, value: float, host: str = "a") -> Measurement:
    return Measurement("system.cpu.utilization", value, "percent", at, {"host": host}, "top")


def test_the_first_baseline_of_a_day_stays(ledger: Ledger, run: int, at: datetime) -> None:
    other = ledger.open_run("morning_startup", "manual__1", at + timedelta(hours=2), "p")
    assert ledger.record_baseline(at.date(), [cpu(at, 10)], run) == BaselineResult(1, 0)
    later = [cpu(at + timedelta(hours=2), 99), cpu(at + timedelta(hours=2), 20, "b")]
    assert ledger.record_baseline(at.date(), later, other) == BaselineResult(1, 1)
    assert ledger.record_baseline(at.date(), later, other) == BaselineResult(0, 2)
    kept = [(day, one.labels["host"], one.value) for day, one in ledger.baselines(at.date(), date(2030, 1, 1))]
    assert sorted(kept) == [(at.date(), "a", 10.0), (at.date(), "b", 20.0)]


def test_of_two_values_for_one_series_the_earlier_counts(ledger: Ledger, run: int, at: datetime) -> None:
    twice = [cpu(at + timedelta(minutes=1), 2), cpu(at, 1)]
    assert ledger.record_baseline(at.date(), twice, run) == BaselineResult(1, 1)
    assert [one for _, one in ledger.baselines(at.date(), date(2030, 1, 1))] == [cpu(at, 1)]
    assert ledger.record_baseline(at.date(), [], run) == BaselineResult(0, 0)


def test_baselines_by_day_and_metric(ledger: Ledger, run: int, at: datetime) -> None:
    for number in range(5):
        day = at.date() + timedelta(days=number)
        ledger.record_baseline(day, [cpu(at, number), Measurement("redis.memory.used", 1, "bytes", at)], run)
    since, before = at.date() + timedelta(days=1), at.date() + timedelta(days=3)
    chosen = list(ledger.baselines(since, before, "system.cpu.utilization"))
    assert [(day - at.date(), one.value) for day, one in chosen] == [(timedelta(1), 1.0), (timedelta(2), 2.0)]
    assert len(list(ledger.baselines(since, before))) == 4


def snapshot(at: datetime, calls: int) -> StatementSnapshot:
    row = StatementRow(-7_000_000_000_000_000_001, "clo_app", "clo", True, calls, 12.5, 3, "SELECT \x00$1")
    return StatementSnapshot(at, at - timedelta(days=9), (row,))


def test_the_newest_snapshot_of_another_run_comes_back(ledger: Ledger, run: int, at: datetime) -> None:
    assert ledger.previous_statements(at, run) is None
    ledger.record_statements(run, snapshot(at, 1))
    ledger.record_statements(run, snapshot(at, 2))
    following = ledger.open_run("morning_startup", "next", at + timedelta(days=1), "p")
    ledger.record_statements(following, snapshot(at + timedelta(days=1), 9))
    found = ledger.previous_statements(at + timedelta(days=1), following)
    assert found is not None
    assert (found.taken_at, found.stats_reset) == (at, at - timedelta(days=9))
    (row,) = found.rows
    assert (row.queryid, row.calls, row.text) == (-7_000_000_000_000_000_001, 2, "SELECT \ufffd$1")
    assert ledger.previous_statements(at + timedelta(days=9), run) is not None
    assert ledger.previous_statements(at, following) is None


def test_measuring_in_another_zone_is_the_same_instant(ledger: Ledger, run: int, at: datetime) -> None:
    new_york = datetime.fromisoformat("2026-07-31T23:30:00-04:00")
    ledger.record(run, "DM-04", [], Answer((cpu(new_york, 5),)))
    (one,) = ledger.measurements("system.cpu.utilization", new_york, new_york + timedelta(seconds=1))
    assert one.at.isoformat() == "2026-08-01T03:30:00+00:00"
