"""Sections of business: calculations and reports, why some failed, and what was done with portfolios (L72-L74)."""

from __future__ import annotations

from collections.abc import Sequence

from clo_ops.findings import Finding
from clo_ops.findings.performed import Row
from clo_ops.reports.facts import Facts, count, no_answer, table
from clo_ops.reports.sheet import Section, Table
from clo_ops.rules.figures import duration

JOBS, FAILED = "source/jobs_by_kind", "source/failed_jobs"
OPERATIONS, PORTFOLIOS = "source/portfolio_operations", "source/portfolios_worked_on"
NO_ERROR = "(no error on record)"  # as source/failed_jobs.sql says it
KPIS = {"calculation": "calculation_time", "report": "report_time"}
HEADING = ("kind", "completed", "failed", "running", "mean", "p95", "longest", "over its time")


def most_seconds(facts: Facts, what: str) -> float:
    """The manual's time for a calculation or a report (L443, L444)."""
    return float(facts.policy.kpis[KPIS[what]].target or 0)


def jobs(facts: Facts, what: str, lines: str) -> Section:
    """Calculations by kind, or reports by format: completed, failed, and how long against the manual's time."""
    case = facts.case(f"{what}s", f"below {duration(most_seconds(facts, what))} on average")
    every = facts.rows(JOBS)
    heading = "Calculation jobs" if what == "calculation" else "Report generation"
    if every is None:
        silent = facts.silent(JOBS)
        return Section(heading, lines, findings=(no_answer(case, silent),), gaps=tuple(silent))
    mine = [row for row in every if row["what"] == what]
    shown = table(HEADING, [_job(row) for row in mine], facts.source(JOBS), range(1, len(HEADING)))
    return Section(heading, lines, (), (shown,) if mine else (), (), (_judged(facts, what, mine),))


def _job(row: Row) -> tuple[str, ...]:
    counts = [count(row[name]) for name in ("completed", "failed", "running")]
    times = [duration(row[name]) if row[name] is not None else "none" for name in ("mean_s", "p95_s", "max_s")]
    return (str(row["kind"]), *counts, *times, count(row["over"]))


def mean_seconds(rows: Sequence[Row]) -> float | None:
    """Of all kinds together, each weighted by what it completed."""
    done = [row for row in rows if row["completed"]]
    total = sum(int(row["completed"]) for row in done)
    return sum(float(row["mean_s"]) * int(row["completed"]) for row in done) / total if total else None


def counted(rows: Sequence[Row]) -> tuple[int, int]:
    """Completed and failed."""
    return sum(int(row["completed"]) for row in rows), sum(int(row["failed"]) for row in rows)


def _judged(facts: Facts, what: str, rows: Sequence[Row]) -> Finding:
    case = facts.case(f"{what}s", f"below {duration(most_seconds(facts, what))} on average")
    (done, failed), mean = counted(rows), mean_seconds(rows)
    if mean is None:
        said = f"No {what} was completed, {failed} failed"
        return case.warned(f"{failed} failed", said) if failed else case.not_applicable("none", said)
    actual = f"{duration(mean)}, {failed} failed"
    said = f"{done:,} {what}s were completed in {duration(mean)} on average, {failed} failed"
    return case.warned(actual, said) if mean >= most_seconds(facts, what) else case.passed(actual, said)


def failures(facts: Facts, lines: str) -> Section:
    """Why calculations and reports failed."""
    case = facts.case("failed jobs", "every failed job has its error on record")
    rows = facts.rows(FAILED)
    if rows is None:
        silent = facts.silent(FAILED)
        return Section("Failed jobs", lines, findings=(no_answer(case, silent),), gaps=tuple(silent))
    total = sum(int(row["times"]) for row in rows)
    unsaid = sum(int(row["times"]) for row in rows if row["error"] == NO_ERROR)
    said = f"{total} jobs failed, for {len(rows)} reasons" if rows else "No job failed"
    finding = case.passed(f"{total} failed", said)
    if unsaid:
        finding = case.warned(f"{unsaid} of {total} without", f"{said}; {unsaid} of them without an error on record")
    return Section("Failed jobs", lines, (), (_reasons(facts, rows),) if rows else (), (), (finding,))


def _reasons(facts: Facts, rows: Sequence[Row]) -> Table:
    cells = [
        (
            row["what"],
            row["error"],
            count(row["times"]),
            count(row["deals"]),
            str(row["last_at"])[:16].replace("T", " "),
        )
        for row in rows
    ]
    return table(("job", "error", "times", "portfolios", "last (UTC)"), cells, facts.source(FAILED), (2, 3))


def operations(facts: Facts, lines: str) -> Section:
    """What was done with portfolios, and which were worked on most (L72)."""
    case = facts.case("portfolio operations", "operations on portfolios counted")
    silent = facts.silent(OPERATIONS, PORTFOLIOS)
    done, busiest = facts.rows(OPERATIONS), facts.rows(PORTFOLIOS)
    tables = []
    if done is not None:
        cells = [(row["operation"], count(row["times"]), count(row["touched"])) for row in done]
        shown = cells or [("nothing", "0", "0")]
        tables.append(table(("operation", "times", "portfolios or rows"), shown, facts.source(OPERATIONS), (1, 2)))
    if busiest:
        tables.append(_busiest(facts, busiest))
    times = sum(int(row["times"]) for row in done or ())
    finding = no_answer(case, silent) if silent else case.passed(f"{times:,}", f"{times:,} operations on portfolios")
    return Section("Portfolio operations", lines, (), tuple(tables), (), (finding,), tuple(silent))


def _busiest(facts: Facts, rows: Sequence[Row]) -> Table:
    names = ("calculations", "reports", "failed", "users")
    cells = [(row["portfolio"], *(count(row[name]) for name in names)) for row in rows]
    return table(("most worked on", *names), cells, facts.source(PORTFOLIOS), (1, 2, 3, 4))
