"""WW-03 and WW-06: which tables grew, and which are read from end to end (manual L121, L126)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from clo_ops.findings import Answer, Finding, Measurement, Severity, unanswered_findings
from clo_ops.policy.capacity import Tables
from clo_ops.rules.figures import figure
from clo_ops.rules.verdicts import Case

ASK_AGAIN = "Check that the database is up and that the probe's role may log in; then clear this task."
INDEX = "Find the statement that scans it (pg_stat_statements), and whether an index would serve it."
COUNTERS = tuple(f"postgresql.table.{name}" for name in ("scans", "index_scans", "rows_scanned"))
SIZE, INDEX_SIZE = "postgresql.table.size", "postgresql.index.size"
WEEK = timedelta(days=7)


def judge_growth(answer: Answer, earlier: Sequence[Measurement]) -> list[Finding]:
    """One finding for the largest tables and one for the largest indexes, each with what it grew since its size was
    last taken (``earlier``)."""
    silent = unanswered_findings("WW-03", answer, Severity.P3, ASK_AGAIN)
    if silent and not list(answer.select(SIZE)):
        return silent
    return [*silent, _tables(answer, earlier), _largest(answer, earlier, INDEX_SIZE, "index")]


def _tables(answer: Answer, earlier: Sequence[Measurement]) -> Finding:
    indexes = sum(one.value for one in answer.select("postgresql.table.index_size"))
    return _largest(answer, earlier, SIZE, "table", f", of them indexes {figure(indexes, 'bytes')}")


def _largest(answer: Answer, earlier: Sequence[Measurement], metric: str, what: str, more: str = "") -> Finding:
    plural = {"table": "tables", "index": "indexes"}[what]
    case = Case("WW-03", f"largest {plural}", "named, with their growth", Severity.P3, ASK_AGAIN, "L121")
    sizes = sorted(answer.select(metric), key=lambda one: -one.value)
    if not sizes:
        return case.not_applicable(f"no {plural}", f"There is no {what} in the database")
    before = {one.labels[what]: one for one in sorted(earlier, key=lambda one: one.at) if one.name == metric}
    told = "; ".join(_grown(one.labels[what], one, before.get(one.labels[what])) for one in sizes)
    actual = f"{len(sizes)} {plural}, {figure(sum(one.value for one in sizes), 'bytes')}{more}"
    beside = " with their indexes" if what == "table" else ""
    return case.passed(actual, f"Largest {plural}{beside}: {told}")


def _grown(name: str, now: Measurement, before: Measurement | None) -> str:
    size = f"{name} {figure(now.value, 'bytes')}"
    if before is None or before.at >= now.at:
        return f"{size} (no earlier size)"
    weeks = (now.at - before.at) / WEEK
    grown = (now.value - before.value) / weeks if weeks else 0.0
    sign = "+" if grown >= 0 else "-"
    return f"{size} ({sign}{figure(abs(grown), 'bytes')} a week since {before.at:%Y-%m-%d})"


def judge_scans(answer: Answer, terms: Tables, earlier: Sequence[Measurement] = ()) -> list[Finding]:
    """A warning for each table that is large and mostly read from end to end: since the review before (``earlier``), or
    since the statistics began where they were reset in between."""
    silent = unanswered_findings("WW-06", answer, Severity.P3, ASK_AGAIN)
    found = list(_scanned(answer, terms, earlier))
    looked = sum(1 for _ in answer.select("postgresql.table.rows"))
    if found or silent:
        return [*silent, *found]
    return [
        _case(terms).passed(f"{looked} tables", f"None of {looked} tables is large and mostly read from end to end")
    ]


def _case(terms: Tables, subject: str = "") -> Case:
    expected = (
        f"tables from {terms.scanned_from_rows:,} rows read by an index in more than "
        f"{100 - terms.scanned_share:g} % of look-ups"
    )
    return Case("WW-06", "sequential scans", expected, Severity.P3, INDEX, "L126", subject)


def _scanned(answer: Answer, terms: Tables, earlier: Sequence[Measurement]) -> Iterator[Finding]:
    before = {(one.name, one.labels["table"]): one for one in sorted(earlier, key=lambda one: one.at)}
    for one in answer.select("postgresql.table.rows"):
        table = one.labels["table"]
        now = [answer.first(name, table=table) for name in COUNTERS]
        since, (scans, by_index, read) = _counted(now, [before.get((name, table)) for name in COUNTERS])
        share = 100 * scans / (scans + by_index) if scans else 0.0
        often = scans >= terms.scanned_times and share > terms.scanned_share
        if one.value >= terms.scanned_from_rows and often:
            said = (
                f"{table} ({one.value:,.0f} rows) was read from end to end {scans:,.0f} times, {share:.0f} % of all "
                f"look-ups, {read:,.0f} rows since {since}"
            )
            yield _case(terms, table).warned(f"{share:.0f} % of {scans + by_index:,.0f} look-ups", said)


def _counted(now: Sequence[Measurement | None], then: Sequence[Measurement | None]) -> tuple[str, list[float]]:
    """Since when, and how many of each counter since then; a counter that fell was reset, and all of them with it."""
    values = [one.value if one else 0.0 for one in now]
    old = [one for one in then if one is not None]
    if len(old) < len(values) or any(value < was.value for value, was in zip(values, old, strict=True)):
        return "the statistics' last reset", values
    return f"{old[0].at:%Y-%m-%d}", [value - was.value for value, was in zip(values, old, strict=True)]
