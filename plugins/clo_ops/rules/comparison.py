"""The period a review is of, the one before it, and three of them together (M2-01, WF-10, RP-04; manual L184)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from clo_ops.rules.periods import Period, month_before, week_before


@dataclass(frozen=True, slots=True)
class Compared:
    """``three`` ends with ``now`` and begins two periods before it."""

    now: Period
    before: Period
    three: Period

    @property
    def periods(self) -> tuple[Period, Period, Period]:
        return self.now, self.before, self.three


def months(at: datetime) -> Compared:
    """The calendar month before that of ``at``, the one before, and the three that end with it."""
    now = month_before(at)
    before = month_before(now.since)
    return Compared(now, before, Period(month_before(before.since).since, now.until))


def weeks(at: datetime) -> Compared:
    """The seven whole days before the day of ``at``, the seven before, and three weeks."""
    now = week_before(at)
    return Compared(now, now.before(), Period(now.before(2).since, now.until))
