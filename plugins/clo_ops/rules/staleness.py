"""WM-01 (manual L90-L91): which tables' statistics are stale, and which tables have rows to clear away, and why (D09).

The manual analyses everything, whoever owns it and however fresh it is. Here each table is chosen by what was changed
since it was last looked at, and what cannot be done is said instead of being skipped by PostgreSQL in a warning.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from clo_ops.findings import Finding, Severity
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
    """``vacuum`` implies ``analyze``; ``foreign`` are due and not ours to touch, ``later`` more than one run takes."""

    analyze: tuple[Due, ...]
    vacuum: tuple[Due, ...]
    foreign: tuple[Due, ...]
    later: tuple[Due, ...] = ()


def work(snapshot: TableSnapshot, terms: Statistics, *, at: datetime, everything: bool = False) -> Work:
    """What is due at ``at``; ``everything`` (a run by hand asked for it) makes each table due.

    A leaf that is due makes its partitioned table due by its own figures only: it is analysed as a whole more rarely.
    """
    vacuum = [due for table in snapshot.tables if (due := _dead(table, terms))]
    cleared = {due.table.full_name for due in vacuum if due.table.may}
    stale = [due for table in snapshot.tables if (due := _stale(table, terms, at, everything))]
    stale = [due for due in stale if due.table.full_name not in cleared]
    foreign = {due.table.full_name: due for due in [*vacuum, *stale] if not due.table.may}
    ours = [_ordered(one for one in dues if one.table.may) for dues in (stale, vacuum)]
    analyze, cleared_now = ours[0][: terms.at_most], ours[1][: terms.at_most]
    later = [*ours[0][terms.at_most :], *ours[1][terms.at_most :]]
    return Work(tuple(analyze), tuple(cleared_now), tuple(foreign.values()), tuple(later))


def _ordered(dues: Iterator[Due]) -> list[Due]:
    return sorted(dues, key=lambda due: (-due.pressing, due.table.full_name))


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
    due = len(work.analyze) + len(work.vacuum) + len(work.later)
    if not due and not work.foreign:
        said = f"None of {len(snapshot.tables)} tables has changed enough to be analysed or cleared"
        findings.append(_case("statistics due").passed("none", said))
    return findings


def _case(name: str, subject: str = "") -> Case:
    return Case(PROCEDURE, name, "every table that is due looked after", Severity.P3, GRANT, MANUAL, subject)


def _foreign_case(subject: str) -> Case:
    return _case("tables not ours", subject)


def _foreign(due: Due) -> Finding:
    said = f"{due.table.full_name} is due ({due.why}) and belongs to {due.table.owner}; PostgreSQL would skip it"
    return _foreign_case(due.table.full_name).warned(f"owner {due.table.owner}", said)
