"""WM-01 (manual L90-L91): which tables' statistics are stale, and which tables have rows to clear away, and why (D09).

The manual analyses everything, whoever owns it and however fresh it is. Here each table is chosen by what was changed
since it was last looked at, and what cannot be done is said instead of being skipped by PostgreSQL in a warning.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from clo_ops.findings import Finding, Severity
from clo_ops.findings.plans import Effect, Outcome, Step
from clo_ops.findings.upkeep import TableSnapshot, TableState
from clo_ops.policy.upkeep import Statistics
from clo_ops.rules.figures import age, number
from clo_ops.rules.verdicts import Case

PROCEDURE = "WM-01"
MANUAL = "L90-L91"
GRANT = "Make the role of clo_postgres_maintenance a member of the owner's role, or analyse the table as its owner."
NAMED = 10


@dataclass(frozen=True, slots=True)
class Due:
    """A table to be looked after, why, and how pressing it is: the share of its rows that says so."""

    table: TableState
    why: str
    pressing: float


@dataclass(frozen=True, slots=True)
class Work:
    """A table may be in both; ``foreign`` are due and not ours to touch, ``later`` more than one run takes."""

    analyze: tuple[Due, ...]
    vacuum: tuple[Due, ...]
    foreign: tuple[Due, ...]
    later: tuple[Due, ...] = ()


def work(
    snapshot: TableSnapshot,
    terms: Statistics,
    *,
    at: datetime,
    everything: bool = False,
    left_over: Collection[str] = (),
) -> Work:
    """What is due at ``at``; ``everything`` (a run by hand asked for it) makes each table due. The tables that the last
    run left over come before all others, and so are among the ``at_most`` of this one.

    A leaf that is due makes its partitioned table due by its own figures only: it is analysed as a whole more rarely.
    """
    vacuum = [due for table in snapshot.tables if (due := _dead(table, terms))]
    stale = [due for table in snapshot.tables if (due := _stale(table, terms, at, everything))]
    foreign = {due.table.full_name: due for due in [*vacuum, *stale] if not due.table.may}
    ours = [_ordered((one for one in dues if one.table.may), left_over) for dues in (stale, vacuum)]
    now, later = ([dues[: terms.at_most] for dues in ours], [dues[terms.at_most :] for dues in ours])
    return Work(tuple(now[0]), tuple(now[1]), tuple(foreign.values()), (*later[0], *later[1]))


def _ordered(dues: Iterator[Due], first: Collection[str]) -> list[Due]:
    return sorted(dues, key=lambda due: (due.table.full_name not in first, -due.pressing, due.table.full_name))


def _stale(table: TableState, terms: Statistics, at: datetime, everything: bool) -> Due | None:
    why = _why_stale(table, terms, at)
    if not why and everything:
        why = "asked for by hand"
    return Due(table, why, _share(table.changed, table)) if why else None


def _why_stale(table: TableState, terms: Statistics, at: datetime) -> str:
    bound = terms.analyze.rows + max(table.rows, 0) * terms.analyze.share / 100
    changed = f"{table.changed:,} rows changed"
    if table.analyzed_at is None and (table.changed or table.rows > 0 or (table.rows < 0 and not table.parent)):
        return f"never analysed since its counters began ({changed})"
    if table.changed > bound:
        return f"{changed} of {max(table.rows, 0):,.0f} since it was analysed, over {number(bound)}"
    if table.analyzed_at is None:
        return ""
    if table.parent and table.leaf_analyzed_at and table.leaf_analyzed_at - table.analyzed_at > terms.analyze.at_latest:
        return f"its partitions were analysed {age(table.leaf_analyzed_at - table.analyzed_at)} after it was as a whole"
    if table.changed and at - table.analyzed_at > terms.analyze.at_latest:
        return f"{changed}, and it was last analysed {age(at - table.analyzed_at)} ago"
    return ""


def _dead(table: TableState, terms: Statistics) -> Due | None:
    bound = terms.vacuum.rows + max(table.rows, 0) * terms.vacuum.share / 100
    if table.parent or table.dead <= bound:
        return None
    why = f"{table.dead:,} dead rows beside {max(table.rows, 0):,.0f} live ones, over {number(bound)}"
    return Due(table, why, _share(table.dead, table))


def _share(rows: int, table: TableState) -> float:
    return rows / max(table.rows, 1.0)


def judge(work: Work, snapshot: TableSnapshot, terms: Statistics) -> list[Finding]:
    """``tables not ours``: due and not to be touched by our role; ``statistics`` where nothing was due, or too much."""
    findings = [_foreign(due) for due in work.foreign[:NAMED]]
    if len(work.foreign) > NAMED:
        rest = len(work.foreign) - NAMED
        findings.append(
            _foreign_case("further tables").warned(f"{rest} more", f"{rest} more tables are due and not ours")
        )
    if work.later:
        named = ", ".join(due.table.full_name for due in work.later[:NAMED])
        said = f"{len(work.later)} tables are due beyond the {terms.at_most} of one run: {named}"
        findings.append(_case("statistics due").warned(f"{len(work.later)} left", said))
    if not (work.analyze or work.vacuum or work.later) and not work.foreign:
        said = f"None of {len(snapshot.tables)} tables has changed enough to be analysed or cleared"
        findings.append(_case("statistics due").passed("none", said))
    return findings


def not_here(snapshot: TableSnapshot) -> Finding:
    """A standby counts no changes: what is stale is only known where it was written."""
    said = f"Database {snapshot.server.database} is on a standby, which counts no changes to tables"
    return _case("statistics due").not_applicable("a standby", said)


def vacuum_elsewhere(work: Work, why: str) -> list[Finding]:
    """Tables with rows to clear away in a run that does not vacuum; ``why`` says which runs do."""
    if not work.vacuum:
        return []
    named = ", ".join(f"{due.table.full_name} ({due.why})" for due in work.vacuum[:NAMED])
    said = f"{len(work.vacuum)} tables have rows to clear away, and {why}: {named}"
    return [_case("vacuum due").not_applicable(f"{len(work.vacuum)} tables", said)]


def judge_effect(done: Sequence[tuple[Step, Effect]]) -> list[Finding]:
    """What it did: rows the planner did not know of before, dead rows before and after."""
    applied = [(step, effect) for step, effect in done if effect.outcome is Outcome.APPLIED]
    if not applied:
        return []
    changed = sum(int(step.before["changed"]) for step, _ in applied)
    dead = sum(int(step.before["dead"]) for step, _ in applied)
    after = sum(int(effect.after["dead"]) for _, effect in applied)
    said = (
        f"{len(applied)} tables were analysed, {changed:,} rows changed in them were not in the statistics;"
        f" dead rows {dead:,} before, {after:,} after"
    )
    return [_case("effect on statistics").passed(f"{len(applied)} tables", said)]


def _case(name: str, subject: str = "") -> Case:
    return Case(PROCEDURE, name, "every table that is due looked after", Severity.P3, GRANT, MANUAL, subject)


def _foreign_case(subject: str) -> Case:
    return _case("tables not ours", subject)


def _foreign(due: Due) -> Finding:
    said = f"{due.table.full_name} is due ({due.why}) and belongs to {due.table.owner}; PostgreSQL would skip it"
    return _foreign_case(due.table.full_name).warned(f"owner {due.table.owner}", said)
