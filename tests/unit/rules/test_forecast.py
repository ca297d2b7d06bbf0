"""Forecasts on series whose course is known: what is found, with which dates, and what is not found in noise."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from clo_ops.policy import load_policy
from clo_ops.rules.forecast import Comes, Forecast, Verdict, forecast
from clo_ops.rules.weekly import weekly

TERMS = load_policy(mode="demo").capacity.forecasts
NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)
TODAY = NOW.date()
GAP = (-20, -17)
Course = Callable[[float, datetime], float]


def series(course: Course, noise: float = 1.0, days: int = 91, gap: tuple[int, int] | None = None, every: int = 1):
    """Hours up to now; the course is given the days from now (negative) and the time."""
    random = np.random.default_rng(5)
    found = []
    for hour in range(days * 24 - 1, -1, -every):
        at = NOW - timedelta(hours=hour)
        ago = -hour / 24
        if gap is None or not gap[0] <= ago < gap[1]:
            found.append((at, course(ago, at) + float(random.normal(0, noise))))
    return found


def made(course: Course, noise: float = 1.0, **more) -> Forecast:
    found = forecast(series(course, noise, **more), TERMS)
    assert found is not None
    return found


def within(found: date | None, days: float, give_or_take: int) -> bool:
    return found is not None and abs((found - TODAY).days - days) <= give_or_take


@pytest.mark.parametrize("gap", [None, GAP])
def test_a_slow_leak_is_found_with_its_date(gap):
    found = made(lambda ago, _: 55 + 0.3 * ago, noise=2, gap=gap)
    assert found.verdict is Verdict.RISING
    assert found.slope == pytest.approx(0.3, rel=0.05)
    crossing = found.crossing(80, TERMS.horizon)
    assert crossing.comes is Comes.EXPECTED
    assert within(crossing.day, 25 / 0.3, 3)
    assert crossing.earliest is not None
    assert crossing.earliest <= crossing.day <= (crossing.latest or date.max)
    assert found.crossing(95, TERMS.horizon).comes is Comes.NOT_WITHIN


@pytest.mark.parametrize("gap", [None, GAP])
def test_a_disk_that_fills_in_37_days(gap):
    """90 % today in 13 days, full in 37."""
    found = made(lambda ago, _: 85 + 15 / 37 * ago, noise=0.4, gap=gap)
    assert within(found.crossing(100, TERMS.horizon).day, 37, 1)
    assert within(found.crossing(90, TERMS.horizon).day, 12.3, 1)
    assert found.crossing(80, TERMS.horizon).comes is Comes.ALREADY


@pytest.mark.parametrize("gap", [None, GAP])
def test_the_weeks_own_rhythm_is_no_trend_and_its_busiest_hour_counts(gap):
    found = made(lambda _, at: 40 + (20 if 8 <= at.hour < 18 and at.weekday() < 5 else 0), noise=3, gap=gap)
    assert found.verdict is Verdict.STEADY
    assert found.peak() == pytest.approx(60, abs=4)
    assert found.crossing(80, TERMS.horizon).comes is Comes.NO_TREND
    assert found.crossing(55, TERMS.horizon).comes is Comes.ALREADY


def test_a_saw_tooth_of_weekly_maintenance_is_no_trend():
    def saw(_: float, at: datetime) -> float:
        return 60 + 18 * ((at.weekday() + 1) % 7 * 24 + at.hour) / 168

    found = made(saw)
    assert found.verdict is Verdict.STEADY
    assert found.crossing(80, TERMS.horizon).comes is Comes.NO_TREND
    growing = made(lambda ago, at: saw(ago, at) + 0.5 * ago / 7, noise=0.5)
    assert growing.slope * 7 == pytest.approx(0.5, rel=0.1)
    assert within(growing.crossing(80, TERMS.horizon).day, 28, 4), "the teeth get there, not the line"


@pytest.mark.parametrize("ago", [60, 30, 10])
@pytest.mark.parametrize("gap", [None, GAP])
def test_a_step_after_a_release_is_a_step_and_no_trend(ago, gap):
    found = made(lambda day, _: 40 + (15 if day >= -ago else 0), noise=2, gap=gap)
    assert found.verdict is Verdict.STEADY
    ((day, height),) = found.steps
    assert abs((TODAY - day).days - ago) <= 1
    assert height == pytest.approx(15, abs=1)
    assert found.level == pytest.approx(55, abs=1)
    assert found.crossing(80, TERMS.horizon).comes is Comes.NO_TREND


def test_a_step_of_the_last_days_is_over_the_level_whatever_the_line_says():
    found = made(lambda day, _: 40 + (50 if day >= -3 else 0), noise=2)
    assert found.crossing(80, TERMS.horizon).comes is Comes.ALREADY


@pytest.mark.parametrize("ago", [40, 20])
def test_growth_that_began_lately_is_taken_by_the_days_since(ago):
    found = made(lambda day, _: 50 + 0.6 * max(0.0, day + ago), noise=2)
    assert found.slope == pytest.approx(0.6, rel=0.15)
    assert found.bend is not None
    assert abs((TODAY - found.bend).days - ago) <= 4
    assert within(found.crossing(80, TERMS.horizon).day, 30 / 0.6 - ago, 3)


def test_growth_that_ended_is_not_carried_on():
    found = made(lambda day, _: 50 + 0.4 * min(61.0, day + 91), noise=2)
    assert found.verdict is Verdict.STEADY
    assert found.crossing(80, TERMS.horizon).comes is Comes.NO_TREND


def test_a_memory_freed_by_restarts_now_and_then_is_no_trend():
    assert made(lambda day, _: 50 + 25 * ((day + 200) % 17) / 17).verdict is Verdict.STEADY


def test_a_rate_that_falls_is_looked_at_from_above():
    found = made(lambda ago, _: 97 - 0.1 * ago - 9, noise=0.5)
    assert found.verdict is Verdict.FALLING
    assert within(found.crossing(80, TERMS.horizon, "lower").day, 80, 5)
    assert found.crossing(95, TERMS.horizon, "lower").comes is Comes.ALREADY
    assert found.crossing(95, TERMS.horizon).comes is Comes.NO_TREND, "upwards it is not going"


@pytest.mark.parametrize(("days", "verdict"), [(27, Verdict.TOO_SHORT), (28, Verdict.RISING)])
def test_a_history_too_short_says_nothing(days, verdict):
    found = made(lambda ago, _: 50 + ago, days=days)
    assert found.verdict is verdict
    if verdict is Verdict.TOO_SHORT:
        assert found.crossing(80, TERMS.horizon).comes is Comes.UNKNOWN
        with pytest.raises(ValueError, match="tell nothing"):
            found.expected(TODAY)


def test_no_history_at_all_is_no_forecast():
    assert forecast([], TERMS) is None


def test_one_figure_a_day_will_do():
    """The morning's baseline alone: one hour of 24."""
    found = forecast([one for one in series(lambda ago, _: 60 + 0.2 * ago) if one[0].hour == 8], TERMS)
    assert found is not None
    assert found.slope == pytest.approx(0.2, rel=0.1)


def test_the_same_again_and_again_is_steady_and_certain():
    found = made(lambda *_: 50, noise=0)
    assert (found.verdict, found.level, found.below, found.above) == (Verdict.STEADY, 50, 0, 0)
    assert found.crossing(50, TERMS.horizon).comes is Comes.NO_TREND, "at the level is not over it"
    assert found.crossing(49.9, TERMS.horizon).comes is Comes.ALREADY


def test_a_days_mean_is_expected_with_its_weekday():
    found = made(lambda ago, at: 40 + 0.1 * ago + (12 if at.weekday() < 5 else 0), noise=1)
    monday, sunday = found.expected(date(2026, 12, 21)), found.expected(date(2026, 12, 20))
    assert monday.value - sunday.value == pytest.approx(12, abs=1)
    assert monday.value == pytest.approx(52 + 2.6, abs=0.7)
    assert monday.low < monday.value < monday.high


def test_a_job_of_two_hours_a_night_is_a_pattern_and_the_same_again_is_none():
    nightly = weekly(series(lambda _, at: 10 + (60 if at.hour in (2, 3) else 0)))
    assert nightly.highest == pytest.approx(55, abs=4)
    assert nightly.busiest() is not None
    assert nightly.busiest() % 24 in (2, 3)
    assert not weekly(series(lambda *_: 50.0, noise=0)).offsets


def test_too_few_weeks_have_no_pattern_and_noise_has_none():
    rhythm = [(at, value) for at, value in series(lambda _, at: 40.0 + at.hour) if (NOW - at).days < 20]
    assert not weekly(rhythm).offsets
    assert not weekly(series(lambda *_: 40.0)).offsets
    assert len(weekly(series(lambda _, at: 40.0 + at.hour)).offsets) == 168


def noisy(number: int, days: int = 91, every: int = 3):
    """Flat, with noise of every kind: white and more and more like the hour before, with wild values, with a rhythm."""
    random = np.random.default_rng(number)
    count = days * 24 // every
    alike = (0.0, 0.5, 0.9, 0.97, 0.99)[number % 5] ** every
    new = random.normal(size=count) if number % 10 < 5 else random.standard_t(3, size=count)
    value, noise = 0.0, np.empty(count)
    for place in range(count):
        value = alike * value + new[place]
        noise[place] = value
    noise *= random.uniform(1, 8) / noise.std()
    times = [NOW - timedelta(hours=every * (count - 1 - place)) for place in range(count)]
    rhythm = [8.0 if number % 3 == 0 and 8 <= at.hour < 18 and at.weekday() < 5 else 0.0 for at in times]
    level = random.uniform(20, 78)
    return [(at, level + more + float(wild)) for at, more, wild in zip(times, rhythm, noise, strict=True)]


def test_a_thousand_flat_noisy_series_raise_no_alarm():
    """Levels from 20 to 78 %: not one is said to cross 80 % within 30 days, and hardly one to have a trend."""
    found = [forecast(noisy(number), TERMS) for number in range(1000)]
    crossings = [one.crossing(80, timedelta(days=30)) for one in found if one is not None]
    assert len(crossings) == 1000
    assert [one for one in crossings if one.comes is Comes.EXPECTED] == []
    assert sum(one is not None and one.going for one in found) <= 5


def test_the_interval_holds_what_came():
    """Nine of ten: the mean of the 28th day after, in a hundred noisy series."""
    held = 0
    for number in range(100):
        points = noisy(number, days=91 + 28)
        found = forecast([one for one in points if one[0] <= NOW - timedelta(days=28)], TERMS)
        assert found is not None
        expected = found.expected(TODAY - timedelta(days=1))
        came = np.mean([value for at, value in points if at.date() == TODAY - timedelta(days=1)])
        held += expected.low <= came <= expected.high
    assert 80 <= held <= 97
