"""A year of history with stories in it: which are found from the ledger's figures, with which dates, and the score."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.findings.roll_ups import ForecastDay
from clo_ops.ledger import Ledger
from clo_ops.policy import load_policy
from clo_ops.rules.forecast import Comes, Forecast, Verdict, forecast
from clo_ops.rules.scorecard import scores, told
from demo import history
from demo.stack.postgres import Cluster

NOW = datetime(2026, 11, 25, 10, tzinfo=UTC)
TERMS = load_policy(mode="demo").capacity.forecasts
# Every half hour is dense enough for hourly figures.
STEP = timedelta(minutes=30)


@pytest.fixture(scope="module")
def year(cluster: Cluster) -> Iterator[Ledger]:
    with cluster.connect() as connection:
        connection.execute("CREATE DATABASE ledger_year TEMPLATE ledger_template OWNER clo_ops")
    with Ledger(cluster.url("ledger_year", "clo_ops")) as ledger:
        history.fill(ledger, NOW, step=STEP)
        yield ledger


def made(ledger: Ledger, metric: str, at: datetime = NOW, **labels: str) -> Forecast:
    hours = ledger.hours(metric, at - timedelta(days=TERMS.windows[0]), at, labels)
    found = forecast([(one.starts_at, one.mean) for one in hours], TERMS)
    assert found is not None
    return found


def days(found: Forecast, level: float) -> int:
    crossing = found.crossing(level, TERMS.horizon)
    assert crossing.comes is Comes.EXPECTED, crossing
    assert crossing.day is not None
    return (crossing.day - NOW.date()).days


def test_a_whole_year_is_on_the_record_but_for_the_gap(year: Ledger) -> None:
    kept = list(year.days("system.cpu.utilization", NOW - timedelta(days=400), NOW))
    assert len({one.starts_at for one in kept}) in (363, 364)
    gap = [one for one in kept if -49 <= (one.starts_at - NOW) / timedelta(days=1) < -48]
    assert gap == []


def test_the_slow_leak(year: Ledger) -> None:
    found = made(year, "system.memory.utilization")
    assert found.slope == pytest.approx(0.25, rel=0.06)
    assert days(found, 80) == pytest.approx(40, abs=3)
    assert found.crossing(95, TERMS.horizon).comes is Comes.NOT_WITHIN


def test_the_disk_that_fills_in_37_days(year: Ledger) -> None:
    found = made(year, "system.filesystem.utilization", mount="/data")
    assert days(found, 100) == pytest.approx(37, abs=2)
    assert days(found, 90) == pytest.approx(37 - 10 / 22 * 37, abs=2)


def test_the_seasonal_load_is_no_trend(year: Ledger) -> None:
    for metric in ("system.cpu.utilization", "clo.user.active"):
        found = made(year, metric)
        assert found.verdict is Verdict.STEADY
        busiest = found.week.busiest()
        assert busiest is not None
        assert busiest // 24 < 5
        assert 11 <= busiest % 24 <= 14


def test_the_step_after_the_release(year: Ledger) -> None:
    found = made(year, "http.client.request.duration", endpoint="deals")
    assert found.verdict is Verdict.STEADY
    ((day, height),) = found.steps
    assert abs((NOW.date() - day).days - 35) <= 1
    assert height == pytest.approx(60, rel=0.08)
    assert found.crossing(500, TERMS.horizon).comes is Comes.NO_TREND


@pytest.mark.parametrize(
    ("metric", "labels"),
    [("system.filesystem.utilization", {"mount": "/"}), ("http.client.request.duration", {"endpoint": "health"})],
)
def test_pure_noise_is_nothing(year: Ledger, metric: str, labels: dict[str, str]) -> None:
    found = made(year, metric, **labels)
    assert (found.verdict, found.steps, found.bend) == (Verdict.STEADY, (), None)


def test_forecasts_are_scored_against_what_came_and_the_score_is_printed(year: Ledger) -> None:
    """Made every week for half a year, as if on that day, and scored a week after."""
    series = [("system.memory.utilization", {"host": "app1"}), ("system.cpu.utilization", {"host": "app1"})]
    for week in range(26, -1, -1):
        at = NOW - timedelta(weeks=week)
        kept = [day for one in series for day in _forecast_days(made(year, one[0], at), *one)]
        run = year.open_run("weekly_wednesday_capacity", f"week {week}", at, "policy")
        year.record_forecasts(run, "WW-01", kept)
        year.record_forecasts(run, "WW-01", kept)  # a second try: the same, not twice
        year.score_forecasts(at.date())
    assert year.score_forecasts(NOW.date()) == 0, "each is scored once"
    scored = year.scored_forecasts(NOW - timedelta(days=365), NOW)
    assert 85 <= len(scored) == len({(one.metric, one.target, one.made_for) for one in scored})
    near, far = scores(scored)
    assert (near.ahead, far.ahead) == (7, 28)
    assert near.share >= 80
    assert far.share >= 75
    assert far.error is not None
    assert far.naive_error is not None
    assert far.error < far.naive_error, "better than to say that nothing changes"
    assert "inside the interval" in told(far, TERMS.confidence)
    day = scored[0]
    hours = year.hours(day.metric, *_day(day.target), dict(day.labels))
    values = [one.mean for one in hours]
    assert day.came == pytest.approx(sum(values) / len(values))


def _day(day: object) -> tuple[datetime, datetime]:
    begin = datetime.combine(day, datetime.min.time(), UTC)  # type: ignore[arg-type]
    return begin, begin + timedelta(days=1)


def _forecast_days(found: Forecast, metric: str, labels: dict[str, str]) -> Iterator[ForecastDay]:
    for ahead in TERMS.targets:
        target = found.of + timedelta(days=ahead)
        expected = found.expected(target)
        yield ForecastDay(
            "WW-01",
            metric,
            labels,
            "percent",
            "mean",
            found.of,
            target,
            found.verdict,
            expected.value,
            expected.low,
            expected.high,
            found.lately,
        )
