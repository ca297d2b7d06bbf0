"""WW-06: statements that became slower, this week against the week before (manual L126).

A week is the sum of what ran between its snapshots of pg_stat_statements, so that a reset in between takes nothing but
its own minutes. After an upgrade a statement has another queryid: it is then known by its text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from clo_ops.findings import Finding, Severity
from clo_ops.rules.figures import figure
from clo_ops.rules.statements import StatementDelta, report
from clo_ops.rules.verdicts import Case

if TYPE_CHECKING:
    from clo_ops.findings.statements import StatementSnapshot
    from clo_ops.policy.capacity import StatementTrend
    from clo_ops.policy.morning import Statements

PROCEDURE = "WW-06"
WEEK = timedelta(days=7)
EXPLAIN = "Compare its plan with the week before: EXPLAIN (ANALYZE, BUFFERS); look for a new release or old statistics."
Key = tuple[int | str, str, str, bool]


@dataclass(frozen=True, slots=True)
class Ran:
    """What a statement did in a week: calls, and milliseconds in all."""

    queryid: int
    user: str
    database: str
    toplevel: bool
    text: str
    calls: int
    total_ms: float

    @property
    def mean(self) -> float:
        return self.total_ms / self.calls if self.calls else 0.0

    @property
    def key(self) -> Key:
        return (self.queryid, *self.place)

    @property
    def by_text(self) -> Key:
        return (" ".join(self.text.split()), *self.place)

    @property
    def place(self) -> tuple[str, str, bool]:
        return (self.user, self.database, self.toplevel)


@dataclass(frozen=True, slots=True)
class Regressed:
    """``share`` is of all time spent in the later week, in percent."""

    now: Ran
    before: Ran
    share: float


def of_week(snapshots: Sequence[StatementSnapshot], policy: Statements) -> dict[Key, Ran]:
    """What ran between the first and the last of these snapshots, oldest first."""
    ran: dict[Key, Ran] = {}
    for earlier, later in pairwise(snapshots):
        for delta in report(later, earlier, policy).deltas:
            one = _ran(delta)
            old = ran.get(one.key)
            calls, total = (old.calls, old.total_ms) if old else (0, 0.0)
            ran[one.key] = Ran(one.queryid, *one.place, one.text, one.calls + calls, one.total_ms + total)
    return ran


def _ran(delta: StatementDelta) -> Ran:
    place = (delta.user, delta.database, delta.toplevel)
    return Ran(delta.queryid, *place, delta.text, delta.calls, delta.total_ms)


def regressed(now: dict[Key, Ran], before: dict[Key, Ran], terms: StatementTrend) -> list[Regressed]:
    """Those that became slower, worst first: by the time the slower mean cost in the later week."""
    whole = sum(one.total_ms for one in now.values())
    texts = {one.by_text: one for one in before.values()}
    found = []
    for one in now.values():
        old = before.get(one.key) or texts.get(one.by_text)
        share = 100 * one.total_ms / whole if whole else 0.0
        if old is not None and share >= terms.minimum_share and _slower(one, old, terms):
            found.append(Regressed(one, old, share))
    return sorted(found, key=lambda one: -(one.now.mean - one.before.mean) * one.now.calls)


def _slower(now: Ran, before: Ran, terms: StatementTrend) -> bool:
    often = min(now.calls, before.calls) >= terms.minimum_calls
    by = now.mean - before.mean
    return often and by > terms.by / timedelta(milliseconds=1) and now.mean > before.mean * (1 + terms.grew / 100)


def judge(
    snapshots: Sequence[StatementSnapshot], policy: Statements, terms: StatementTrend, *, at: datetime
) -> list[Finding]:
    """``snapshots`` of two weeks and more, oldest first."""
    weeks = [
        [one for one in snapshots if at - (back + 1) * WEEK <= one.taken_at <= at - back * WEEK] for back in (0, 1)
    ]
    case = _case(terms)
    if min(map(len, weeks)) < 2:
        seen = f"{len(weeks[1])} and {len(weeks[0])} snapshots in the two weeks"
        return [
            case.not_applicable(seen, f"Weeks of statements cannot be compared: {seen}, it takes 2 in each (DM-06)")
        ]
    now, before = (of_week(one, policy) for one in weeks)
    found = regressed(now, before, terms)
    if found:
        return list(_worse(found, terms))
    seen = f"{len(now)} statements, none slower"
    return [
        case.passed(seen, f"Of {len(now)} statements of this week and {len(before)} of the last none became slower")
    ]


def _case(terms: StatementTrend, subject: str = "") -> Case:
    by = figure(terms.by / timedelta(milliseconds=1), "ms")
    expected = f"no mean more than {terms.grew:g} % and {by} above the week before"
    return Case(PROCEDURE, "slower statements", expected, Severity.P3, EXPLAIN, "L126", subject)


def _worse(found: Sequence[Regressed], terms: StatementTrend) -> Iterator[Finding]:
    for one in found[: terms.top]:
        head = " ".join(one.now.text.split())[:80]
        actual = f"{figure(one.before.mean, 'ms')} to {figure(one.now.mean, 'ms')}"
        moved = "" if one.now.queryid == one.before.queryid else f", queryid was {one.before.queryid}"
        said = (
            f"{head} takes {figure(one.now.mean, 'ms')} on average after {figure(one.before.mean, 'ms')} the week "
            f"before ({one.now.calls} and {one.before.calls} calls, {one.share:.1f} % of all time{moved})"
        )
        subject = f"{one.now.queryid} {one.now.user}@{one.now.database}" + ("" if one.now.toplevel else ", nested")
        yield _case(terms, subject).warned(actual, said)
    if len(found) > terms.top:
        rest = f"{len(found) - terms.top} more"
        yield _case(terms, "further").warned(rest, f"{rest} statements became slower")
