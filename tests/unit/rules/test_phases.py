"""The phases of an incident: each of their times at its edge, just below and just above."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clo_ops.findings import Severity, Status
from clo_ops.policy import load_policy
from clo_ops.rules import phases

POLICY = load_policy()
AT = datetime(2026, 7, 6, 8, 0, tzinfo=UTC)
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
RESPONSE = POLICY.alerting.response
EDGE = [(-SECOND, Status.PASS), (0 * SECOND, Status.PASS), (SECOND, Status.FAIL)]


@dataclass(frozen=True)
class Incident:
    id: int = 7
    severity: Severity = Severity.P1
    opened_at: datetime = AT
    resolution_due_at: datetime | None = AT + 4 * HOUR
    mitigated_at: datetime | None = None
    closed_at: datetime | None = None


@dataclass(frozen=True)
class Event:
    kind: str
    at: datetime
    detail: str = ""


def test_the_minutes_are_the_manual_s() -> None:
    """0 to 15, 15 to 60 minutes, 1 to 4 hours (a P1's resolution clock), then the review's draft within the day."""
    assert RESPONSE.immediate_within == HOUR / 4
    assert RESPONSE.investigated_within == HOUR
    assert POLICY.severities[Severity.P1].resolution_target.elapsed == 4 * HOUR
    assert RESPONSE.draft_within == 24 * HOUR


@pytest.mark.parametrize(("off", "status"), EDGE)
def test_gathered_in_time_counted_from_the_first_gathering(off: timedelta, status: Status) -> None:
    first = AT + RESPONSE.investigated_within + off
    story = Event("diagnosed", AT, "Observed: 99 %")
    events: Any = [story, *(Event("diagnosed", at, "Diagnostics gathered: redis.") for at in (first, first + HOUR))]
    one: Any = Incident()
    assert phases.judge_investigated(one, events, POLICY, at=first + HOUR).status is status
    assert phases.judge_investigated(one, [story], POLICY, at=first).status is status, "not at all so far"  # type: ignore[list-item]


@pytest.mark.parametrize(("off", "status"), EDGE)
def test_restored_by_the_resolution_clock(off: timedelta, status: Status) -> None:
    due = AT + 4 * HOUR
    mitigated: Any = Incident(mitigated_at=due + off, closed_at=due + HOUR)
    closed: Any = Incident(closed_at=due + off)
    assert phases.judge_restored(mitigated, POLICY).status is status, "the clock stops at service restored"
    assert phases.judge_restored(closed, POLICY).status is status


def test_without_a_clock_nothing_is_late() -> None:
    one: Any = Incident(resolution_due_at=None, closed_at=AT)
    assert phases.judge_restored(one, POLICY).status is Status.NOT_APPLICABLE


@pytest.mark.parametrize(("off", "status"), EDGE)
def test_the_record_is_kept_within_the_day_after_the_end(off: timedelta, status: Status) -> None:
    one: Any = Incident(closed_at=AT)
    assert phases.judge_drafted(one, POLICY, at=AT + RESPONSE.draft_within + off).status is status
