"""Calculations, reports and the work of each role over a period, from the application's own tables (M2-05 to M2-07)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from clo_ops.findings import Finding, Severity, Status
from clo_ops.findings.performed import Performed, Row
from clo_ops.rules.figures import duration, number
from clo_ops.rules.kpi_figures import per_user, source_of
from clo_ops.rules.verdicts import Case

JOBS = ("", "completed", "failed", "mean", "median", "p95", "longest", "over the time", "waited before")
JOB_NUMBERS = frozenset(range(1, 9))
ROLES = ("role", "active users", "calculations", "reports", "exports", "per active user", "period before")


def size_name(size: int | None, sizes: Sequence[int]) -> str:
    """``100 to 199 positions``; of the first and the last size one end is open."""
    if size is None:
        return "all portfolios"
    if size == 0:
        return f"below {sizes[0]} positions" if sizes else "any size"
    if size == len(sizes):
        return f"{sizes[-1]} positions and more"
    return f"{sizes[size - 1]} to {sizes[size] - 1} positions"


def report_name(row: Row) -> str:
    return "all reports" if row["type"] is None else f"{row['type']} as {row['format']}"


def job_row(name: str, row: Row) -> tuple[str, ...]:
    """A line of the table of ``JOBS``."""
    times = (duration(row[f"{statistic}_s"]) for statistic in ("mean", "p50", "p95", "max"))
    counts = (f"{row['completed']:,}", f"{row['failed']:,}")
    return (name, *counts, *times, f"{row['late']:,}", duration(row["waited_s"]))


def failures(case: Case, row: Row, warning: float) -> Finding:
    """Strictly more than ``warning`` percent of the jobs that ended failed: a warning."""
    ended = row["completed"] + row["failed"]
    if not ended:
        return case.not_applicable("none ended", f"No {case.subject} ended in this month")
    share = 100 * row["failed"] / ended
    actual = f"{number(share)} % ({row['failed']:,} of {ended:,})"
    said = f"{actual} of the {case.subject} failed"
    return case.warned(actual, said) if share > warning else case.passed(actual, said)


def slow_ones(procedure: str, names: Sequence[tuple[str, Row]], most_s: float, first_action: str) -> Iterator[Finding]:
    """Each size or type by itself against the target of all: a mean that is not below it is a warning, so that a few
    large ones do not hide behind many small ones."""
    for name, row in names:
        if not row["completed"]:
            continue
        case = Case(procedure, "mean time", f"below {duration(most_s)}", Severity.P3, first_action, "L189-L191", name)
        actual = duration(row["mean_s"])
        late = f"{row['late']:,} of {row['completed']:,} took longer than {duration(most_s)}"
        said = f"{name}: {actual} on average, 95 % within {duration(row['p95_s'])}, longest {duration(row['max_s'])}"
        told = f"{said}; {late}"
        yield case.warned(actual, told) if row["mean_s"] >= most_s else case.passed(actual, told)


def unanswered(procedure: str, name: str, reason: str) -> Finding:
    return Finding(
        procedure=procedure,
        name=f"could not ask: {name}",
        status=Status.UNKNOWN,
        severity=Severity.P2,
        expected="an answer",
        actual=reason,
        message=f"The application's tables did not answer {name}: {reason}.",
        first_action="Look at the database named (DM-01), and at what the role may read; then clear this task.",
    )


def roles(case: Case, now: Performed, before: Performed | str) -> Iterator[Finding]:
    """One finding for each role: what its active holders completed, and the period before beside it."""
    earlier = {} if isinstance(before, str) else {row["role"]: row for row in before.rows}
    for row in now.rows:
        mine = replace(case, subject=row["role"])
        value = per_user(row)
        if value is None:
            yield mine.not_applicable("no active user", f"No holder of the role {row['role']} was active in this month")
            continue
        was = _shown(per_user(earlier[row["role"]]) if row["role"] in earlier else None)
        said = f"{row['role']}: {number(value)} calculations and reports per active user ({row['users']:,} users)"
        yield mine.passed(number(value), f"{said}; {was} in the month before; {source_of(now)}")


def role_rows(now: Performed, before: Performed | str) -> list[tuple[str, ...]]:
    """Lines of the table of ``ROLES``."""
    earlier = {} if isinstance(before, str) else {row["role"]: row for row in before.rows}
    return [_role_row(row, earlier.get(row["role"])) for row in now.rows]


def _role_row(row: Row, before: Any) -> tuple[str, ...]:
    counts = (f"{row[name]:,}" for name in ("users", "calculations", "reports", "exports"))
    return (str(row["role"]), *counts, _shown(per_user(row)), _shown(None if before is None else per_user(before)))


def _shown(value: float | None) -> str:
    return "no active user" if value is None else number(value)
