"""Two at once, and one killed in between: the ledger holds one whole result."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from clo_ops.findings import Answer, Finding, Measurement, Status
from clo_ops.ledger import Ledger, LedgerConflict, LedgerUnavailable
from clo_ops.ledger.partitions import partitions
from clo_ops.ledger.schema import measurements

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"

# Records as a task would, and stops for ever once everything is written and nothing is committed.
HALFWAY = """
import sys, time
from datetime import datetime
from clo_ops.findings import Answer, Measurement
from clo_ops.ledger import Ledger, runs
url, run, at = sys.argv[1], int(sys.argv[2]), datetime.fromisoformat(sys.argv[3])
class Stops:
    values = staticmethod(lambda *a, **k: (print("written", flush=True), time.sleep(60)))
runs.upsert = lambda table: Stops
Ledger(url).record(run, "DM-04", [], Answer.of(Measurement("killed", 1, "count", at) for _ in range(500)))
"""


def result(value: str, at: datetime, rows: int = 200) -> tuple[list[Finding], Answer]:
    one = Finding("DM-04", "CPU", Status.PASS, "< 70 %", value, "fine")
    return [one], Answer.of(Measurement("m", float(value), "count", at) for _ in range(rows))


def measured(ledger: Ledger) -> list[tuple[str, float, int]]:
    query = select(measurements.c.metric, measurements.c.value, func.count()).group_by(
        *measurements.c["metric", "value"]
    )
    with ledger.transaction() as connection:
        return [(row[0], row[1], row[2]) for row in connection.execute(query)]


def test_a_task_killed_while_it_writes_leaves_nothing(ledger: Ledger, url: str, run: int, at: datetime) -> None:
    ledger.record(run, "DM-04", *result("1", at))
    command = [sys.executable, "-c", HALFWAY, url, str(run), at.isoformat()]
    environment = {**os.environ, "PYTHONPATH": str(PLUGINS)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as task:
        assert task.stdout is not None
        assert task.stdout.readline() == b"written\n"
        assert measured(ledger) == [("m", 1.0, 200)]
        task.send_signal(signal.SIGKILL)
    ledger.record(run, "DM-04", *result("2", at), try_number=2)
    assert measured(ledger) == [("m", 2.0, 200)]
    assert [one.actual for one in ledger.findings(run)] == ["2"]


def test_two_writers_of_one_procedure_leave_one_result(ledger: Ledger, run: int, at: datetime) -> None:
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(ledger.record, run, "DM-04", *result(str(number), at)) for number in range(8)]
        assert all(call.result() for call in calls)
    ((name, value, count),) = measured(ledger)
    assert (name, count) == ("m", 200)
    assert [float(one.actual) for one in ledger.findings(run)] == [value]


def test_writers_of_different_procedures_do_not_wait_for_each_other(
    ledger: Ledger, url: str, run: int, at: datetime
) -> None:
    ledger.make_partitions([at])
    with Ledger(url) as other, other.transaction() as connection:
        connection.execute(text("SELECT 1 FROM clo_ops.runs FOR KEY SHARE"))
        connection.execute(measurements.insert(), [row("DM-05", run, at)])
        ledger.record(run, "DM-04", *result("1", at))
    assert len(measured(ledger)) == 2


def row(procedure: str, run: int, at: datetime) -> dict[str, object]:
    same = {"metric": "other", "value": 1.0, "unit": "count", "at": at, "labels": {}, "labels_digest": b"0" * 16}
    return {**same, "procedure": procedure, "run_id": run}


def test_a_lock_held_too_long_is_an_error_worth_a_retry(ledger: Ledger, url: str, run: int, at: datetime) -> None:
    with Ledger(url) as other, other.transaction() as connection:
        connection.execute(text("SELECT 1 FROM clo_ops.runs FOR UPDATE"))
        started = time.monotonic()
        with pytest.raises(LedgerUnavailable, match="lock timeout"):
            ledger.record(run, "DM-04", *result("1", at))
    assert 4 < time.monotonic() - started < 15
    assert ledger.record(run, "DM-04", *result("1", at))


def test_one_run_opened_by_many_has_one_number(ledger: Ledger, at: datetime) -> None:
    with ThreadPoolExecutor(4) as pool:
        numbers = list(pool.map(lambda _: ledger.open_run("d", "r", at, "p"), range(20)))
    assert len(set(numbers)) == 1


def test_a_month_needed_by_many_at_once_gets_one_partition(ledger: Ledger, url: str, at: datetime) -> None:
    months = [at + timedelta(days=31 * number) for number in range(6)]
    with Ledger(url) as other, ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda number: (ledger, other)[number % 2].make_partitions(months), range(16)))
    assert sum(len(names) for names in made) == 6
    with ledger.transaction() as connection:
        names = partitions(connection)
    assert names == [f"measurements_2026_{month:02}" for month in range(7, 13)]


def test_a_new_month_waits_for_no_reader_and_stops_none(ledger: Ledger, url: str, run: int, at: datetime) -> None:
    ledger.record(run, "DM-04", *result("1", at, rows=3000))
    with Ledger(url) as reader:
        rows = reader.measurements("m", at, at + timedelta(days=1))
        next(rows)
        ledger.record(run, "DM-05", [], Answer((Measurement("m", 1, "count", at + timedelta(days=40)),)))
        assert sum(1 for _ in rows) == 2999


def test_a_broken_clock_makes_no_partition(ledger: Ledger, run: int, at: datetime) -> None:
    with pytest.raises(ValueError, match="outside the years 2000 to 2099"):
        ledger.record(run, "DM-04", [], Answer((Measurement("m", 1, "count", at.replace(year=1970)),)))


def test_a_partition_dropped_by_retention_is_made_again(ledger: Ledger, run: int, at: datetime) -> None:
    ledger.record(run, "DM-04", *result("1", at))
    with ledger.transaction() as connection:
        connection.execute(text("DROP TABLE clo_ops.measurements_2026_07"))
    ledger.record(run, "DM-04", *result("2", at))
    assert measured(ledger) == [("m", 2.0, 200)]


def test_an_unreachable_ledger_is_said_without_its_password(at: datetime) -> None:
    with Ledger("postgres://clo_ops:topsecret@127.0.0.1:1/clo_ops") as ledger:
        with pytest.raises(LedgerUnavailable, match=r"127\.0\.0\.1") as caught:
            ledger.open_run("d", "r", at, "p")
        assert "topsecret" not in str(caught.value)


def test_many_incidents_of_one_cause_are_one(ledger: Ledger, at: datetime) -> None:
    from clo_ops.findings import Severity

    def see(number: int) -> int:
        seen = ledger.open_incident("disk", Severity.P2, "Disk full", "BH-01", at + timedelta(minutes=number))
        return seen.id

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(see, range(12)))) == 1
    (incident,) = ledger.open_incidents(at + timedelta(days=1))
    assert incident.seen_count == 12


def test_an_incident_that_is_not_there_is_said(ledger: Ledger, at: datetime) -> None:
    with pytest.raises(LedgerConflict, match="no incident 7"):
        ledger.acknowledge_incident(7, "somebody", at)
