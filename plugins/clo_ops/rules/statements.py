"""DM-06: where the database spent its time since the last report.

Manual: Morning Startup Procedures, Database Validation (L20). pg_stat_statements only counts up, since its last
reset; what happened since yesterday's report is the difference of two snapshots, and after a reset it is what the
counters say since that reset, and the report says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from clo_ops.findings import Answer, Finding, Severity, Status, unanswered_findings
from clo_ops.rules.figures import figure, moment

if TYPE_CHECKING:
    from clo_ops.findings.statements import StatementRow, StatementSnapshot
    from clo_ops.policy.morning import Statements

PROCEDURE = "DM-06"
# A slow statement is a degradation (manual L47-L50, P3 by D35); a database that does not answer is DM-05's to raise.
SEVERITY = Severity.P3
# Database performance is one of the manual's medium-priority alerts (L52-L55), P2 by D35.
CRITICAL = Severity.P2
EXPLAIN = "Run EXPLAIN (ANALYZE, BUFFERS) on it in a read-only session; look for a missing index or stale statistics."
ASK_AGAIN = "Check that the database is up and that the probe's role may log in; then clear this task."
HEAD = 80
AVAILABLE = "postgresql.statements.available"

Key = tuple[int, str, str, bool]


@dataclass(frozen=True, slots=True)
class StatementDelta:
    """What one statement did in the period: calls, milliseconds, rows, and its share of all time in percent."""

    queryid: int
    user: str
    database: str
    toplevel: bool
    calls: int
    total_ms: float
    rows: int
    share: float
    text: str

    @property
    def mean_ms(self) -> float:
        return self.total_ms / self.calls if self.calls else 0.0

    @property
    def head(self) -> str:
        """The statement's beginning on one line."""
        line = " ".join(self.text.split())
        return line if len(line) <= HEAD else line[: HEAD - 1] + "…"


@dataclass(frozen=True, slots=True)
class StatementReport:
    """The period's statements, all of them by total time, and why the period begins where it does."""

    since: datetime | None
    until: datetime
    basis: str
    deltas: tuple[StatementDelta, ...]

    @property
    def total_ms(self) -> float:
        return sum(one.total_ms for one in self.deltas)

    def by_total(self, top: int) -> tuple[StatementDelta, ...]:
        return self.deltas[:top]

    def by_mean(self, top: int) -> tuple[StatementDelta, ...]:
        return tuple(sorted(self.deltas, key=lambda one: (-one.mean_ms, one.queryid))[:top])


def key(row: StatementRow) -> Key:
    """What makes two rows the same statement; one queryid is counted apart for each user, database and level."""
    return row.queryid, row.user, row.database, row.toplevel


def report(current: StatementSnapshot, previous: StatementSnapshot | None, policy: Statements) -> StatementReport:
    """What ran between two snapshots, by total time, without the policy's excluded users.

    After a reset, or for the first report ever, it is what ran since the reset.
    """
    since, basis, before = _begin(current, previous)
    deltas = [
        _delta(row, before.get(key(row)))
        for row in current.rows
        if row.user not in policy.exclude_users and _ran(row, before.get(key(row)))
    ]
    whole = sum(one.total_ms for one in deltas)
    shared = (replace(one, share=100 * one.total_ms / whole if whole else 0.0) for one in deltas)
    ordered = sorted(shared, key=lambda one: (-one.total_ms, one.queryid))
    return StatementReport(since, current.taken_at, basis, tuple(ordered))


def _begin(
    current: StatementSnapshot, previous: StatementSnapshot | None
) -> tuple[datetime | None, str, dict[Key, StatementRow]]:
    """Since when, why since then, and the counters to subtract."""
    reset = "an unknown time (this extension does not tell its last reset)"
    if current.stats_reset is not None:
        reset = moment(current.stats_reset)
    if previous is None:
        return current.stats_reset, f"first report: figures since the last reset, {reset}", {}
    before = {key(row): row for row in previous.rows}
    if _was_reset(current, previous, before):
        told = f"the statistics were reset since the last report: figures since {reset}"
        return current.stats_reset, told, {}
    return previous.taken_at, f"since the last report, {moment(previous.taken_at)}{_anew(current, before)}", before


def _was_reset(current: StatementSnapshot, previous: StatementSnapshot, before: dict[Key, StatementRow]) -> bool:
    if current.stats_reset is not None and previous.stats_reset is not None:
        return current.stats_reset != previous.stats_reset
    return any(_fell(row, before.get(key(row))) for row in current.rows)


def _fell(row: StatementRow, before: StatementRow | None) -> bool:
    return before is not None and (row.calls < before.calls or row.total_ms < before.total_ms)


def _anew(current: StatementSnapshot, before: dict[Key, StatementRow]) -> str:
    """Single statements that were reset, or evicted and counted again, while the rest went on counting."""
    fallen = sum(_fell(row, before.get(key(row))) for row in current.rows)
    return f" ({fallen} statements were counted anew in between and count from then)" if fallen else ""


def _ran(row: StatementRow, before: StatementRow | None) -> bool:
    return before is None or _fell(row, before) or row.calls > before.calls


def _delta(row: StatementRow, before: StatementRow | None) -> StatementDelta:
    old = None if _fell(row, before) else before
    return StatementDelta(
        queryid=row.queryid,
        user=row.user,
        database=row.database,
        toplevel=row.toplevel,
        calls=row.calls - (old.calls if old else 0),
        total_ms=row.total_ms - (old.total_ms if old else 0.0),
        rows=row.rows - (old.rows if old else 0),
        share=0.0,
        text=row.text,
    )


def judge(
    current: StatementSnapshot | None,
    previous: StatementSnapshot | None,
    policy: Statements,
    *,
    at: datetime,
    answer: Answer = Answer(),  # noqa: B008 - frozen and empty
) -> list[Finding]:
    """The period's top statements, and each whose mean is strictly above the policy's: warned about, or failed.

    Without a snapshot: a missing or unloaded extension or privilege (``answer`` says which) is not_applicable with
    that reason, and silence is unknown.
    """
    findings = unanswered_findings(PROCEDURE, answer, SEVERITY, ASK_AGAIN)
    findings += [_not_available(one.detail) for one in answer.select(AVAILABLE) if not one.value and current is None]
    if current is None:
        return findings or [_nothing_counted("no snapshot was taken", at)]
    if not current.rows:
        return [*findings, _nothing_counted("pg_stat_statements holds no statement", current.taken_at)]
    found = report(current, previous, policy)
    slow = [one for one in found.by_mean(len(found.deltas)) if _slow(one, policy)]
    return [
        *findings,
        _where_time_went(found, policy),
        *(_slow_findings(slow, found, policy) or [_none_slow(found, policy)]),
    ]


def _slow(one: StatementDelta, policy: Statements) -> bool:
    enough = one.share >= policy.minimum_share and one.calls >= policy.minimum_calls
    return enough and one.mean_ms > _milliseconds(policy.slow_mean.warning)


def _critical(one: StatementDelta, policy: Statements) -> bool:
    return one.mean_ms > _milliseconds(policy.slow_mean.critical)


def _milliseconds(length: timedelta) -> float:
    return length / timedelta(milliseconds=1)


def _allowed(policy: Statements) -> str:
    return figure(_milliseconds(policy.slow_mean.warning), "ms")


def _line(one: StatementDelta) -> str:
    return (
        f"{figure(one.share, 'percent')} {one.head} ({one.calls} calls, {figure(one.total_ms, 'ms')} in all, "
        f"{figure(one.mean_ms, 'ms')} mean, {one.rows} rows, {one.user}@{one.database})"
    )


def _where_time_went(found: StatementReport, policy: Statements) -> Finding:
    top = found.by_total(policy.top)
    told = "; ".join(_line(one) for one in top) or "nothing ran"
    total = f"{len(found.deltas)} statements, {figure(found.total_ms, 'ms')} in all"
    return Finding(
        procedure=PROCEDURE,
        name="where the time went",
        status=Status.PASS,
        expected=f"the {policy.top} statements with the most time, named",
        actual=total,
        message=f"{found.basis[0].upper()}{found.basis[1:]}: {total}. Most time: {told}.",
        labels={"until": found.until.isoformat()} | ({"since": found.since.isoformat()} if found.since else {}),
    )


def _slow_findings(slow: Sequence[StatementDelta], found: StatementReport, policy: Statements) -> list[Finding]:
    return [_slow_finding(one, found, policy) for one in slow[: policy.top]] + (
        [_more_slow(slow[policy.top :], policy)] if len(slow) > policy.top else []
    )


def _slow_finding(one: StatementDelta, found: StatementReport, policy: Statements) -> Finding:
    critical = _critical(one, policy)
    mean, allowed = figure(one.mean_ms, "ms"), _allowed(policy)
    nested = "" if one.toplevel else ", nested"
    far = f", critical is {figure(_milliseconds(policy.slow_mean.critical), 'ms')}" if critical else ""
    return Finding(
        procedure=PROCEDURE,
        name="slow statement",
        subject=f"{one.queryid} {one.user}@{one.database}{nested}",
        status=Status.FAIL if critical else Status.WARN,
        severity=CRITICAL if critical else SEVERITY,
        expected=f"at most {allowed} on average",
        actual=f"{mean} on average over {one.calls} calls",
        message=f"{one.head} takes {mean} on average, allowed is {allowed}{far}: {_line(one)}; {found.basis}.",
        first_action=EXPLAIN,
        labels={"queryid": str(one.queryid), "user": one.user, "database": one.database},
    )


def _more_slow(rest: Sequence[StatementDelta], policy: Statements) -> Finding:
    critical = any(_critical(one, policy) for one in rest)
    return Finding(
        procedure=PROCEDURE,
        name="more slow statements",
        status=Status.FAIL if critical else Status.WARN,
        severity=CRITICAL if critical else SEVERITY,
        expected=f"at most {_allowed(policy)} on average",
        actual=f"{len(rest)} more above that",
        message=f"{len(rest)} more statements are slower than {_allowed(policy)} on average.",
        first_action=EXPLAIN,
    )


def _none_slow(found: StatementReport, policy: Statements) -> Finding:
    slowest = found.by_mean(1)
    seen = f"slowest mean {figure(slowest[0].mean_ms, 'ms')} ({slowest[0].head})" if slowest else "nothing ran"
    share = figure(policy.minimum_share, "percent")
    return Finding(
        procedure=PROCEDURE,
        name="slow statements",
        status=Status.PASS,
        expected=(
            f"no mean above {_allowed(policy)} in a statement with {policy.minimum_calls} calls and {share} of the "
            "time or more"
        ),
        actual=seen,
        message=f"No statement is slow on average: {seen}; {found.basis}.",
    )


def _not_available(reason: str) -> Finding:
    return Finding(
        procedure=PROCEDURE,
        name="slow statements",
        status=Status.NOT_APPLICABLE,
        expected="pg_stat_statements installed, loaded and readable",
        actual=reason,
        message=f"Slow statements cannot be told: {reason}.",
    )


def _nothing_counted(seen: str, at: datetime) -> Finding:
    return Finding(
        procedure=PROCEDURE,
        name="slow statements",
        status=Status.UNKNOWN,
        severity=SEVERITY,
        expected="the statements the server counted",
        actual=seen,
        message=f"At {moment(at)} {seen}, so nobody knows which statements are slow.",
        first_action="Check pg_stat_statements.track (not 'none') and the task's log; then clear this task.",
    )
