"""``make history``: what it plants is found again, once however often it is done, and only in the demo's own ledger."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from clo_ops.findings import Answer, Measurement
from clo_ops.ledger import Ledger
from clo_ops.orchestration import roll_ups
from clo_ops.orchestration.availability import availability_of
from clo_ops.policy import load_policy
from clo_ops.rules import comparison, felt, waits
from clo_ops.rules.availability import budget
from demo import history, plant, service_history
from demo.stack.postgres import Cluster
from demo.stack.state import Service, State

NOW = datetime(2026, 11, 25, 10, tzinfo=UTC)
OCTOBER = comparison.months(NOW).now
POLICY = load_policy(mode="demo")
FEW = {"days": 2, "months": 2}
KEPT = (
    "SELECT md5(string_agg(d::text, ';' ORDER BY series_id, starts_at)) FROM clo_ops.daily AS d",
    "SELECT md5(string_agg(h::text, ';' ORDER BY series_id, starts_at)) FROM clo_ops.hourly AS h",
    "SELECT count(*) FROM clo_ops.incidents",
    "SELECT count(*) FROM clo_ops.incident_events",
    "SELECT count(*) FROM clo_ops.notices",
    "SELECT md5(string_agg(concat(taken_at, stats_reset, rows), ';' ORDER BY taken_at))"
    " FROM clo_ops.statement_snapshots",
)


def kept(ledger: Ledger) -> list[Any]:
    with ledger.transaction() as connection:
        return [connection.execute(text(query)).scalar_one() for query in KEPT]


@pytest.fixture(scope="module")
def known(cluster: Cluster) -> Iterator[tuple[Ledger, str, list[str]]]:
    """A ledger in which it was planted, its address, and what was said."""
    with cluster.connect() as connection:
        connection.execute("CREATE DATABASE ledger_planted TEMPLATE ledger_template OWNER clo_ops")
    url = cluster.url("ledger_planted", "clo_ops")
    with Ledger(url) as ledger:
        yield ledger, url, list(plant.planted(url, NOW, **FEW))


def test_the_month_before_is_there_to_be_reviewed(known: tuple[Ledger, str, list[str]]) -> None:
    ledger, minute = known[0], timedelta(minutes=1)
    found = availability_of(ledger, POLICY, OCTOBER.since, OCTOBER.until)
    assert (found.down, found.down_announced) == (97 * minute, 50 * minute)
    assert found.unexplained == timedelta() and found.not_observed / timedelta(days=1) == pytest.approx(3, abs=0.01)
    assert budget(found, 99.9).left < timedelta() < found.observed
    users = felt.felt(ledger.totals(felt.SUMS, OCTOBER.since, OCTOBER.until))
    assert users is not None and users.requests > 30_000 and 0.85 < users.apdex(*_terms()) <= 1
    looked = ledger.totals([waits.ACTIVE, waits.WAITING], OCTOBER.since, OCTOBER.until)
    assert {one.event for one in waits.waits(looked)} == {"CPU", "Lock: transactionid"}
    assert not ledger.open_incidents(NOW), "nobody is called for what was made up"


def test_it_says_what_a_report_must_find(known: tuple[Ledger, str, list[str]]) -> None:
    said = "\n".join(known[2])
    for part in ("full about 2027-01-01", "80 %, about 2027-01-04", "+60 ms about 2026-10-21", "no answer for 31 min"):
        assert part in said
    assert all(name in said for name in ("weekly_wednesday_capacity", "monthly_week2_performance_review"))


def test_done_again_it_is_the_same_and_an_hour_later_nothing_is_there_twice(
    known: tuple[Ledger, str, list[str]],
) -> None:
    ledger, url, said = known
    first = kept(ledger)
    again = list(plant.planted(url, NOW, **FEW))
    assert kept(ledger) == first
    assert [one for one in again if not one.startswith("in ")] == [one for one in said if not one.startswith("in ")]
    list(plant.planted(url, NOW + timedelta(hours=1), **FEW))
    assert kept(ledger)[2:5] == first[2:5]
    assert len(ledger.statement_snapshots(NOW - timedelta(days=90), NOW + timedelta(days=1))) == plant.SNAPSHOTS + 1


def _terms() -> tuple[timedelta, timedelta]:
    return POLICY.performance.apdex.satisfied, POLICY.performance.apdex.tolerated


def test_what_the_demo_measured_itself_stays(ledger: Ledger) -> None:
    hour = NOW - timedelta(hours=5)
    labels = {"host": "app1"}
    measured = [
        Measurement("system.memory.utilization", 12.0, "percent", hour + timedelta(minutes=5 * number), labels)
        for number in range(12)
    ]
    run = ledger.open_run("business_hours_monitoring", "real", hour, "")
    ledger.record(run, "BH-01", [], Answer(tuple(measured)))
    roll_ups.roll_up(ledger, POLICY, until=NOW)
    history.fill(ledger, NOW, days=1)
    (mine,) = ledger.hours("system.memory.utilization", hour, hour + timedelta(hours=1), labels)
    assert (mine.source, mine.mean) == ("measured", 12.0)
    (beside,) = ledger.hours("system.memory.utilization", hour - timedelta(hours=1), hour, labels)
    assert beside.source == "imported" and beside.mean > 50


@pytest.fixture
def demo(tmp_path: Path) -> State:
    """A demo that was brought up once and does not run."""
    stack = State(tmp_path)
    stack.define(Service("postgres-ops", kind="postgres", directory=str(tmp_path / "postgres-ops")))
    with stack.changing() as state:
        state["connections"]["clo_ledger"] = {"host": "127.0.0.1"}
    return stack


def test_it_refuses_whatever_is_not_a_running_demos_ledger(
    demo: State, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--state", str(demo.directory)]
    for arguments, environment, said in (
        (given, {plant.MEANT: "postgresql://somewhere/else"}, "demo's ledger only"),
        (given, {}, "does not run"),
        (["--state", str(tmp_path / "nothing")], {}, "make demo first"),
    ):
        assert plant.main(arguments, environment) == 2
        assert said in capsys.readouterr().err


def test_outages_are_of_the_month_before_whatever_the_day() -> None:
    for day in range(366):
        now = NOW + timedelta(days=day)
        month = comparison.months(now).now
        earlier, *mine = service_history.outages(now)
        assert all(month.since <= one.at and one.at + one.length <= month.until for one in mine)
        assert earlier.at < month.since
        assert (mine[0].at.weekday(), mine[1].at.weekday()) == (6, 1)
