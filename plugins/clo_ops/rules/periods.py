"""What a report looks back on: the day that ended last (D30), the week of whole days, the calendar month. UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """since <= at < until, both aware and UTC."""

    since: datetime
    until: datetime

    @property
    def length(self) -> timedelta:
        return self.until - self.since

    @property
    def last_day(self) -> date:
        """The day the period is named after: the last one it has any time of."""
        return (self.until - timedelta(microseconds=1)).date()

    def before(self, many: int = 1) -> Period:
        """As many periods of the same length before this one, as one."""
        return Period(self.since - many * self.length, self.since)

    def __str__(self) -> str:
        return f"{self.since:%Y-%m-%d %H:%M} to {self.until:%Y-%m-%d %H:%M} UTC"


def day_before(at: datetime, ends: time) -> Period:
    """The last 24 hours that ended at ``ends`` (UTC) by ``at`` (aware): a run at 18:00 gets those that end then."""
    now = at.astimezone(UTC)
    until = datetime.combine(now.date(), ends.replace(tzinfo=None), UTC)
    until -= DAY if until > now else timedelta()
    return Period(until - DAY, until)


def week_before(at: datetime) -> Period:
    """The seven whole days before the day of ``at``."""
    until = _midnight(at.astimezone(UTC).date())
    return Period(until - 7 * DAY, until)


def month_before(at: datetime) -> Period:
    """The calendar month before that of ``at``."""
    until = _midnight(at.astimezone(UTC).date().replace(day=1))
    return Period(_midnight((until - DAY).date().replace(day=1)), until)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
