"""An incident's two clocks at their thresholds: on the minute it is due it is in time, one second later it is late."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.findings import Severity
from clo_ops.rules.incident_times import by_severity, handled

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
DUE = AT + 15 * MINUTE


@dataclass
class Incident:
    id: int = 1
    title: str = "slow"
    procedure: str = "AL-04"
    severity: Severity = Severity.P1
    opened_at: datetime = AT
    acknowledged_at: datetime | None = None
    response_due_at: datetime | None = DUE
    mitigated_at: datetime | None = None
    closed_at: datetime | None = None
    resolution_due_at: datetime | None = AT + 240 * MINUTE


@pytest.mark.parametrize(("answered", "kept"), [(-SECOND, "in time"), (0 * SECOND, "in time"), (SECOND, "late")])
def test_answered_at_its_time_is_in_time(answered: timedelta, kept: str) -> None:
    one = handled(Incident(acknowledged_at=DUE + answered), AT + 60 * MINUTE)
    assert one.answer.kept == kept
    assert one.answer.took == 15 * MINUTE + answered


@pytest.mark.parametrize(("at", "kept"), [(DUE, "open"), (DUE + SECOND, "late")])
def test_not_answered_is_open_until_its_time_is_over(at: datetime, kept: str) -> None:
    one = handled(Incident(), at)
    assert (one.answer.kept, one.answer.took, one.late) == (kept, None, ["answered"] if kept == "late" else [])


def test_what_came_after_the_period_had_not_come() -> None:
    one = handled(Incident(acknowledged_at=AT + 20 * MINUTE, closed_at=AT + 30 * MINUTE), AT + 10 * MINUTE)
    assert (one.answer.kept, one.resolution.took) == ("open", None)


def test_restored_ends_the_resolution_clock_and_not_the_closing() -> None:
    one = handled(Incident(mitigated_at=AT + 200 * MINUTE, closed_at=AT + 900 * MINUTE), AT + 1000 * MINUTE)
    assert (one.resolution.kept, one.resolution.took) == ("in time", 200 * MINUTE)
    assert one.answer.took == 200 * MINUTE, "who restores it has answered"


def test_without_a_clock_nothing_is_late() -> None:
    assert handled(Incident(response_due_at=None), AT + 600 * MINUTE).answer.kept == "no clock"


def test_medians_are_of_what_is_done() -> None:
    done = [handled(Incident(acknowledged_at=AT + took * MINUTE), AT + 20 * MINUTE) for took in (2, 4, 18)]
    first, *others = by_severity([*done, handled(Incident(), AT + 20 * MINUTE)])
    assert (first.opened, first.still_open, first.answered_late) == (4, 4, 2)
    assert (first.median_answer, first.longest_answer) == (4 * MINUTE, 18 * MINUTE)
    assert (first.median_resolution, first.resolved_late) == (None, 0)
    assert [one.opened for one in others] == [0, 0, 0]
