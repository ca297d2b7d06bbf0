"""Which audit rows are due to leave, in which files, and which of them are held: judged from dates alone (D05, D07)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from clo_ops.findings.audit import ArchiveFile
from clo_ops.policy.archive import AuditHold, PeriodUnit
from clo_ops.policy.period import Period


@dataclass(frozen=True, slots=True)
class Span:
    """A period of the archive: ``start`` (in it) to ``end`` (not in it), midnights in UTC."""

    label: str
    start: datetime
    end: datetime


def span(at: datetime, unit: PeriodUnit) -> Span:
    """The day ("2026-08-17"), ISO week ("2026-W34") or month ("2026-08") that ``at`` falls into."""
    day = at.astimezone(UTC).date()
    if unit == "day":
        return Span(day.isoformat(), _midnight(day), _midnight(day + timedelta(days=1)))
    if unit == "week":
        monday = day - timedelta(days=day.weekday())
        year, week, _ = day.isocalendar()
        return Span(f"{year}-W{week:02d}", _midnight(monday), _midnight(monday + timedelta(days=7)))
    first = day.replace(day=1)
    return Span(f"{first:%Y-%m}", _midnight(first), _midnight((first + timedelta(days=32)).replace(day=1)))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def may_leave_before(at: datetime, database_clock: datetime, hot_for: Period) -> datetime:
    """Rows older than this may leave. A clock that runs ahead must not make rows older than the database thinks."""
    return hot_for.before(min(at, database_clock).astimezone(UTC))


def too_much(leaving: int, there: int, stop_above: float) -> bool:
    """Whether a run would take more of the table than looks right (percent, strictly)."""
    return there > 0 and leaving / there * 100 > stop_above


def held_in(holds: Iterable[AuditHold], first: datetime, last: datetime) -> list[AuditHold]:
    """The holds that may cover rows of this time."""
    days = first.astimezone(UTC).date(), last.astimezone(UTC).date()
    return [hold for hold in holds if hold.may_cover(*days)]


def may_expire(
    files: Sequence[ArchiveFile], keep: Period, holds: Sequence[AuditHold], at: datetime
) -> tuple[list[ArchiveFile], str]:
    """The oldest files whose every row is older than ``keep``, and why it ends there.

    Files leave from the front without a gap: one that a hold may cover keeps all behind it, because what is left must
    still be provable as one chain. A hold with conditions keeps the whole file.
    """
    limit, due = keep.before(at), list[ArchiveFile]()
    for one in sorted(files, key=lambda one: one.stretch.first_id):
        if one.last_at >= limit:
            return due, f"{one.name} has rows of {one.last_at:%Y-%m-%d}, kept for {keep}"
        if holding := held_in(holds, one.first_at, one.last_at):
            return due, f"{one.name} is under legal hold: {', '.join(hold.name for hold in holding)}"
        due.append(one)
    return due, "no other file is there"
