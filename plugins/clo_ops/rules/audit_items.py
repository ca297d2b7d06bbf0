"""What is open from audits: by when it was to be closed, how old it is, and how grave that makes it (L171-L178)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from clo_ops.findings import Finding, Severity
from clo_ops.findings.audit_items import ACTIONS, GAP, PENETRATION_TEST, Found, Item
from clo_ops.policy.audit import Audit, Duty
from clo_ops.rules.verdicts import Case

NAMED = 20
HEADING = (
    "number",
    "kind",
    "title",
    "rating",
    "where",
    "owner",
    "opened",
    "due",
    "days old",
    "state",
    "closed by",
    "reason",
)


def case(procedure: str, item: Item, entry_action: str, manual: str) -> Case:
    expected = f"closed by {item.due_at:%Y-%m-%d}"
    return Case(procedure, item.kind, expected, Severity.P3, entry_action, manual, f"item {item.id}")


def told(item: Item, at: datetime) -> str:
    """One thing in words: number, title, rating, owner, age, date."""
    rating = f"{item.rating}, " if item.rating else ""
    where = f" at {item.detail}" if item.detail and item.kind == PENETRATION_TEST else ""
    state = "overdue since" if item.overdue(at) else "due"
    days = f"{item.age_days(at)} days old, {state} {item.due_at:%Y-%m-%d}"
    return f"item {item.id}, {item.title}{where} ({rating}{item.owner}, {days})"


def judge(
    procedure: str, items: Sequence[Item], terms: Audit, action: str, manual: str, *, at: datetime
) -> list[Finding]:
    """A finding for each one overdue, or critical and open; the others together: open in time is no failure."""
    grave = [one for one in items if one.overdue(at) or (one.rating == "critical" and one.closed_at is None)]
    others = [one for one in items if one.closed_at is None and one not in grave]
    findings = [_grave(case(procedure, one, action, manual), one, terms, at) for one in grave]
    name = "open in time" if procedure == "M1-09" else "open findings"
    whole = Case(procedure, name, "each closed by its date", Severity.P3, action, manual)
    if not others:
        return [*findings, whole.passed("0 open", f"{'Nothing else' if grave else 'Nothing'} is open")]
    named = "; ".join(told(one, at) for one in others[:NAMED])
    more = f"; and {len(others) - NAMED} more" if len(others) > NAMED else ""
    tell = whole.passed if procedure == "M1-09" else whole.warned
    return [*findings, tell(f"{len(others)} open", f"Open and not due yet: {named}{more}")]


def _grave(of: Case, item: Item, terms: Audit, at: datetime) -> Finding:
    late = at - item.due_at
    severity = Severity.P2 if late > terms.programme.grave_after or item.rating == "critical" else Severity.P3
    actual = f"open, {late.days} days late" if item.overdue(at) else "open, critical"
    return of.failed(actual, f"Open: {told(item, at)}", severity)


def table(items: Iterable[Item], at: datetime) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (
            str(one.id),
            one.kind,
            one.title,
            one.rating,
            one.detail,
            one.owner,
            f"{one.opened_at:%Y-%m-%d}",
            f"{one.due_at:%Y-%m-%d}",
            str(one.age_days(at)),
            "closed" if one.closed_at else "overdue" if one.overdue(at) else "open",
            one.closed_by,
            one.close_reason,
        )
        for one in items
    )


def due_of(found: Found, terms: Audit, at: datetime) -> datetime:
    """By when it is to be closed: a test's finding by its rating, a gap by the policy's time."""
    if found.kind == GAP:
        return at + terms.gaps.close_within
    ratings = terms.penetration_tests.due
    return at + next((span for rating, span in ratings.items() if rating == found.rating), timedelta(days=30))


def duties_due(duties: Iterable[Duty], items: Sequence[Item], at: datetime) -> list[tuple[Duty, Found]]:
    """Standing duties that have no open action, and whose last one was opened at least their period ago."""
    wanted = []
    for duty in duties:
        mine = [one for one in items if one.kind == duty.kind and one.key == duty.title]
        newest = max((one.opened_at for one in mine), default=None)
        if any(one.closed_at is None for one in mine):
            continue
        if newest is None or newest <= duty.every.before(at):
            wanted.append((duty, Found(duty.kind, duty.title, duty.title, owner=duty.owner)))
    return wanted


__all__ = ["ACTIONS", "HEADING", "due_of", "duties_due", "judge", "table", "told"]
