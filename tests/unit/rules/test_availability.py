"""Up, down and not observed: three things, with announced windows in and out, and the budget left (D45)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.rules.availability import HOUR, Availability, Look, Outage, availability, budget

MONTH = datetime(2026, 6, 1, tzinfo=UTC)
NEXT = datetime(2026, 7, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def looks(since: datetime = MONTH, until: datetime = NEXT, *, up: float = 1.0) -> list[Look]:
    return [Look(since + HOUR * number, HOUR, up) for number in range((until - since) // HOUR)]


def outage(minutes: float, at: datetime = MONTH + DAY, number: int = 1) -> Outage:
    return Outage(at, at + MINUTE * minutes, "it does not answer", "alert:response_time:endpoint=health", number)


def of(looked: list[Look], outages: list[Outage] | None = None, windows: list[tuple[datetime, datetime]] | None = None):
    return availability(looked, outages or [], windows or [], MONTH, NEXT)


def test_a_month_seen_whole_is_up_but_for_its_outages():
    found = of(looks(), [outage(43.2)])
    assert (found.observed, found.not_observed, found.down) == (30 * DAY, timedelta(), 43.2 * MINUTE)
    assert found.whole == found.unannounced == pytest.approx(99.9)
    left = budget(found, 99.9)
    assert left.allowed == 43.2 * MINUTE and abs(left.left) < timedelta(milliseconds=1)


def test_a_gap_of_three_days_is_not_observed_and_never_up():
    seen = looks(MONTH, MONTH + 10 * DAY) + looks(MONTH + 13 * DAY, NEXT)
    found = of(seen, [outage(60)])
    assert found.not_observed == 3 * DAY
    assert found.whole == pytest.approx(100 * (1 - 1 / (27 * 24)))
    assert found.at_worst == pytest.approx(100 * (27 * 24 - 1) / (30 * 24))


def test_nobody_looked_is_no_percentage():
    found = of([])
    assert (found.whole, found.unannounced, found.observed) == (None, None, timedelta())
    assert found.at_worst == 0


def test_an_outage_is_observed_even_in_hours_nobody_looked_at():
    found = of([], [outage(90)])
    assert (found.observed, found.down, found.whole) == (90 * MINUTE, 90 * MINUTE, 0.0)


def test_announced_windows_are_left_out_of_one_figure_and_kept_in_the_other():
    window = (MONTH + DAY, MONTH + DAY + 2 * HOUR)
    found = of(looks(), [outage(150)], [window])
    assert found.down == 150 * MINUTE and found.down_announced == 120 * MINUTE
    assert found.observed_announced == 2 * HOUR
    assert found.whole == pytest.approx(100 * (1 - 150 / (30 * 24 * 60)))
    assert found.unannounced == pytest.approx(100 * (1 - 30 / (30 * 24 * 60 - 120)))
    left = budget(found, 99.9)
    assert left.left == left.allowed - 30 * MINUTE
    assert left.left_whole == left.allowed - 150 * MINUTE


def test_two_incidents_at_once_are_one_time_down():
    again = outage(30, MONTH + DAY + 15 * MINUTE, 2)
    assert of(looks(), [outage(30), again]).down == 45 * MINUTE


def test_what_only_the_looks_saw_down_is_down_and_has_no_incident():
    seen = [*looks(MONTH, MONTH + 5 * DAY), Look(MONTH + 5 * DAY, HOUR, 0.5), *looks(MONTH + 5 * DAY + HOUR, NEXT)]
    found = of(seen)
    assert found.down == found.unexplained == 30 * MINUTE
    both = of(seen, [outage(20, MONTH + 5 * DAY + 10 * MINUTE)])
    assert both.down == 30 * MINUTE and both.unexplained == 10 * MINUTE


@pytest.mark.parametrize(("minutes", "unexplained"), [(20, 0), (19, 11), (21, 0)])
def test_looks_beside_a_known_outage_see_it_less_exactly(minutes, unexplained):
    """Down for half an hour by the looks, each of which speaks for ten minutes."""
    seen = [*looks(MONTH, MONTH + 5 * DAY), Look(MONTH + 5 * DAY, HOUR, 0.5), *looks(MONTH + 5 * DAY + HOUR, NEXT)]
    known = [outage(minutes, MONTH + 5 * DAY)]
    found = availability(seen, known, [], MONTH, NEXT, grain=10 * MINUTE)
    assert found.unexplained == unexplained * MINUTE
    assert found.down == (minutes + unexplained) * MINUTE


def test_an_outage_that_goes_on_is_cut_to_the_time_asked_for():
    endless = Outage(NEXT - HOUR, None, "it does not answer")
    assert of(looks(), [endless]).down == HOUR
    before = Outage(MONTH - DAY, MONTH + HOUR, "it did not answer")
    found = of(looks(), [before])
    assert found.down == HOUR and found.outages == (before,)
    assert of(looks(), [Outage(NEXT, None, "later")]).outages == ()


def test_an_hour_looked_at_for_ten_minutes_speaks_for_ten_minutes():
    found: Availability = availability([Look(MONTH, 10 * MINUTE, 1.0)], [], [], MONTH, MONTH + HOUR)
    assert (found.observed, found.not_observed) == (10 * MINUTE, 50 * MINUTE)
    part = availability(looks(), [], [], MONTH + 30 * MINUTE, MONTH + HOUR)
    assert part.observed == 30 * MINUTE


def test_all_of_a_months_sums_stay_within_it():
    windows = [(MONTH + DAY - HOUR, MONTH + DAY + HOUR), (MONTH + DAY, MONTH + DAY + 2 * HOUR)]
    found = of(looks(up=0.9), [outage(600)], windows)
    assert found.down <= found.observed <= found.asked
    assert found.down_announced <= found.down and found.down_announced <= found.observed_announced <= 3 * HOUR
