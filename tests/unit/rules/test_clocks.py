"""IR-01 and IR-04: the manual's clocks, over week-ends, holidays and both changes of the clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.findings import Severity
from clo_ops.policy import load_policy
from clo_ops.rules.clocks import clocks, update_due

POLICY = load_policy()
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("severity", "response", "resolution"),
    [(Severity.P1, 15 * MINUTE, 4 * HOUR), (Severity.P2, 30 * MINUTE, 8 * HOUR), (Severity.P3, 2 * HOUR, 24 * HOUR)],
)
@pytest.mark.parametrize("detected", ["2026-11-23T08:00", "2026-11-28T23:59", "2027-03-14T06:30", "2026-11-01T05:30"])
def test_elapsed_clocks_run_round_the_clock(severity, response, resolution, detected):
    clock = clocks(severity, at(detected), POLICY)
    assert clock.response_due - clock.detected_at == response
    assert clock.resolution_due - clock.detected_at == resolution


@pytest.mark.parametrize(
    ("detected", "response", "resolution"),
    [
        # A Monday, Thanksgiving on the Thursday: closing is 18:00 in New York, 23:00 UTC in winter.
        ("2026-11-23T15:00", "2026-11-24T23:00", "2026-12-01T23:00"),
        # A Friday: the next business day is Monday.
        ("2026-11-13T15:00", "2026-11-16T23:00", "2026-11-20T23:00"),
        # Over the change to summer time on 14 March: closing moves to 22:00 UTC.
        ("2027-03-12T15:00", "2027-03-15T22:00", "2027-03-19T22:00"),
        # Over the change back on 1 November.
        ("2026-10-30T15:00", "2026-11-02T23:00", "2026-11-06T23:00"),
    ],
)
def test_business_days_end_at_the_desks_closing(detected, response, resolution):
    clock = clocks(Severity.P4, at(detected), POLICY)
    assert (clock.response_due, clock.resolution_due) == (at(response), at(resolution))


@pytest.mark.parametrize(
    ("severity", "cadence"),
    [(Severity.P1, 30 * MINUTE), (Severity.P2, 2 * HOUR), (Severity.P3, DAY), (Severity.P4, 7 * DAY)],
)
def test_updates_come_at_the_manuals_cadence_while_there_is_time(severity, cadence):
    told = at("2026-11-23T08:00")
    assert update_due(severity, told, told + 2 * cadence, POLICY) == told + cadence
    assert update_due(severity, told, told + 2 * cadence - MINUTE, POLICY) == told + cadence - MINUTE / 2
    assert update_due(severity, told, told + cadence / 100, POLICY) == told + cadence / 4
    assert update_due(severity, told, told, POLICY) == told + cadence
    assert update_due(severity, told, told - DAY, POLICY) == told + cadence
