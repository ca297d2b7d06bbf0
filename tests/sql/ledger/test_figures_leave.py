"""Figures older than measurements are kept go; what is younger, and what speaks of the same series, stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from clo_ops.findings import Measurement
from clo_ops.findings.roll_ups import ForecastDay
from clo_ops.ledger import Ledger, Rolling, roll_ups

CPU = "system.cpu.utilization"
BEFORE = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
TERMS = Rolling(("system.*",), timedelta(minutes=10))


def samples(host: str) -> list[Measurement]:
    """Six days, three on each side."""
    at = [BEFORE - 3 * DAY + timedelta(hours=number) for number in range(6 * 24)]
    return [Measurement(CPU, 40, "percent", one, {"host": host}) for one in at]


def left(ledger: Ledger, table: str) -> int:
    with ledger.transaction() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM clo_ops.{table}")).scalar_one())  # noqa: S608 - names of this file


@pytest.mark.parametrize("at_once", [1, 50])
def test_what_is_older_goes_and_the_rest_stays(ledger: Ledger, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roll_ups, "SERIES_AT_ONCE", at_once)
    for host in ("app1", "app2", "app3"):
        ledger.import_samples(samples(host), TERMS)
    run = ledger.open_run("weekly_wednesday_capacity", "one", BEFORE, "policy")
    days = [
        ForecastDay("WW-01", CPU, {"host": "app1"}, "percent", "mean", target - 7 * DAY, target, "steady", 1, 0, 2, 1)
        for target in (BEFORE.date() - DAY, BEFORE.date())
    ]
    ledger.record_forecasts(run, "WW-01", days)
    assert ledger.figures_before(BEFORE) == 3 * 3 + 1
    assert ledger.forget_figures(BEFORE) == 3 * 3 * 24 + 3 * 3 + 1
    assert (left(ledger, "hourly"), left(ledger, "daily"), left(ledger, "forecasts")) == (3 * 3 * 24, 9, 1)
    assert min(one.starts_at for one in ledger.hours(CPU, BEFORE - 30 * DAY, BEFORE + 30 * DAY)) == BEFORE
    assert (ledger.figures_before(BEFORE), ledger.forget_figures(BEFORE)) == (0, 0)
