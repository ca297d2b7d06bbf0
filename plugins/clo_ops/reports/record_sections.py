"""Sections from the ledger's own record: errors in logs, runs and their verdicts, reviews of the month, its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from clo_ops.findings import Finding, Status
from clo_ops.reports.facts import NO_SOURCE, Facts, table
from clo_ops.reports.sheet import RED, WORDS, Section
from clo_ops.rules.figures import age, figure

if TYPE_CHECKING:
    from clo_ops.findings.roll_ups import RollUp
    from clo_ops.ledger import RunRow
    from clo_ops.ledger.log_days import SignatureDay
    from clo_ops.rules.log_tally import LogDay

MANY = 15
READ = "Read the signatures that are new or grew (LM-03), the most frequent first."
OPEN = "Open the newest Friday's report, the control that failed first."
NOT_DUE = "not due"  # the name of what a task says of a procedure its cadence is not for


def log_errors(facts: Facts, days: Mapping[str, LogDay], met: Sequence[SignatureDay], lines: str) -> Section:
    """Error lines of the day's logs by source, and their most frequent signatures (L420)."""
    case = facts.case("errors in logs", "every log read", READ)
    if not days:
        gap = f"Errors in logs: {NO_SOURCE} on record for this day; LM-03 reads logs at 18:30 UTC."
        return Section("Errors in logs", lines, findings=(case.not_applicable(NO_SOURCE, gap),), gaps=(gap,))
    source = facts.of_ledger(f"clo_ops.log_days, clo_ops.log_signature_days of {facts.period.last_day}")
    errors = {name: _errors(facts, name, day) for name, day in sorted(days.items())}
    rows = [(name, f"{day.lines:,}", f"{errors[name]:,}", *_requests(day)) for name, day in sorted(days.items())]
    tables = [table(("log", "lines", "errors", "requests", "failed (5xx)"), rows, source, (1, 2, 3, 4))]
    bad = [one for one in met if one.level in _bad_levels(facts, one.source)]
    bad.sort(key=lambda one: (-one.count, one.text))
    if bad:
        cells = [(one.source, one.text, f"{one.count:,}", one.first_day) for one in bad[:MANY]]
        tables.append(table(("log", "what it said", "times", "first met"), cells, source, (2,)))
    total = sum(errors.values())
    finding = case.passed(f"{total:,} error lines", f"{total:,} error lines in {len(days)} logs")
    return Section("Errors in logs", lines, (), tuple(tables), (), (finding,))


def _bad_levels(facts: Facts, source: str) -> Sequence[str]:
    """Policy's, by the form of the log (logs.yaml, errors); of a log policy no longer names, none."""
    logs = facts.policy.logs
    return next((logs.errors.get(one.form, ()) for one in logs.files if one.name == source), ())


def _errors(facts: Facts, source: str, day: LogDay) -> int:
    return sum(day.levels[level] for level in _bad_levels(facts, source))


def _requests(day: LogDay) -> tuple[str, str]:
    every = day.requests.values()
    return (
        (f"{sum(one.count for one in every):,}", f"{sum(one.failed for one in every):,}")
        if day.requests
        else ("-", "-")
    )


def runs(facts: Facts, made: Sequence[RunRow], lines: str) -> Section:
    """The runs of the period by page, and how they ended. One that is not over by the time its page has is told."""
    if not made:
        gap = f"Runs of the procedures: none on record for {facts.period}."
        case = facts.case("procedures of the period", "every run ended, none red", "See whether the scheduler lives.")
        nobody = case.warned("none on record", "No procedure was run in this time: nobody looked")
        return Section("Runs of the procedures", lines, findings=(nobody,), gaps=(gap,))
    pages: dict[str, list[RunRow]] = {}
    for one in made:
        pages.setdefault(one.dag_id, []).append(one)
    rows = [(name, *_ended(of)) for name, of in sorted(pages.items())]
    source = facts.of_ledger(f"clo_ops.runs of {facts.period}")
    tables = (table(("page", "runs", "red", "with warnings", "not ended"), rows, source, (1, 2, 3, 4)),) if rows else ()
    case = facts.case("procedures of the period", "every run ended, none red", "Open the red runs, the newest first.")
    red, late = sum(one.status in RED for one in made), sum(_overdue(facts, one) for one in made)
    actual = f"{red} red" + (f", {late} not ended in time" if late else "")
    said = f"{len(made)} runs of {len(pages)} pages, {actual}"
    finding = case.warned(actual, said) if red or late else case.passed(actual, said)
    return Section("Runs of the procedures", lines, (), tables, (), (finding,))


def _overdue(facts: Facts, one: RunRow) -> bool:
    """Not ended though all the time its page may take is over: its summary, or its worker, is dead."""
    longest = max((each.timeout for each in facts.policy.cadences.values() if each.dag == one.dag_id), default=None)
    return one.status is None and longest is not None and facts.read_at - one.opened_at > longest


def _ended(made: Sequence[RunRow]) -> tuple[str, ...]:
    red = sum(one.status in RED for one in made)
    warned = sum(one.status is Status.WARN for one in made)
    return (f"{len(made):,}", str(red), str(warned), str(sum(one.status is None for one in made)))


Reviewed = Sequence[tuple["RunRow", Sequence[Finding]]]


def compliance(facts: Facts, reviewed: Reviewed, procedures: Sequence[str], lines: str) -> Section:
    """What each of these procedures found in each of its runs of the month, oldest first (L431). Evidence for controls,
    never a statement that a law is met."""
    case = facts.case("compliance status", "reviewed every week, no control broken", OPEN)
    if not reviewed:
        gap = f"Compliance: {NO_SOURCE} on record for {facts.period}; no review ended in it."
        return Section("Compliance status", lines, findings=(case.warned(NO_SOURCE, gap.rstrip(".")),), gaps=(gap,))
    heading = ("control group", *(f"{run.at:%d %b}" for run, _ in reviewed))
    rows = [_group(facts, one, reviewed) for one in procedures]
    source = facts.of_ledger(f"clo_ops.findings of {', '.join(dict.fromkeys(run.dag_id for run, _ in reviewed))}")
    broken = [one for one in reviewed[-1][1] if one.procedure in procedures and one.status in RED]
    said = f"{len(reviewed)} reviews in the month; in the newest {len(broken)} controls broken or not known"
    finding = case.warned(f"{len(broken)} in the newest", said) if broken else case.passed("none in the newest", said)
    return Section("Compliance status", lines, (), (table(heading, rows, source),), (), (finding,))


def _group(facts: Facts, procedure: str, reviewed: Reviewed) -> tuple[str, ...]:
    cells = (_counted([one for one in found if one.procedure == procedure]) for _, found in reviewed)
    return (f"{procedure} {facts.policy.procedures[procedure].title}", *cells)


def _counted(findings: Sequence[Finding]) -> str:
    counts = ((status, sum(one.status is status for one in findings)) for status in Status)
    return ", ".join(f"{count} {WORDS[status]}" for status, count in counts if count) or "nobody looked"


def told_before(facts: Facts, heading: str, reviewed: Reviewed, procedures: Sequence[str], lines: str) -> Section:
    """What these procedures found when they were last due: vendors at risk (D50), the last drill. Whatever is red or
    warns there is a warning here, and so is a month in which nobody looked."""
    case = facts.case(heading.lower(), "looked at in the month, nothing red", "Follow what the first of them says.")
    run, mine = _last(reviewed, procedures)
    if run is None:
        gap = f"{heading}: {NO_SOURCE} on record for {facts.period}."
        return Section(heading, lines, findings=(case.warned(NO_SOURCE, gap.rstrip(".")),), gaps=(gap,))
    rows = [(one.procedure, one.subject or one.name, WORDS[one.status], one.message) for one in mine]
    source = facts.of_ledger(f"clo_ops.findings of {run.dag_id} {run.run_id}")
    worth = sum(one.status in (*RED, Status.WARN) for one in mine)
    actual, said = f"{worth} to know of", f"{worth} of {len(mine)} findings are to be known of"
    finding = case.warned(actual, said) if worth else case.passed(actual, said)
    shown = table(("procedure", "what", "status", "found"), rows, source)
    return Section(heading, lines, (), (shown,), (), (finding,))


def _last(reviewed: Reviewed, procedures: Sequence[str]) -> tuple[RunRow | None, list[Finding]]:
    """The newest run in which these procedures were due: a page has runs of other cadences as well."""
    for run, found in reversed(reviewed):
        mine = [one for one in found if one.procedure in procedures]
        if any(one.name != NOT_DUE for one in mine):
            return run, mine
    return None, []


def months(
    facts: Facts, now: Sequence[RollUp], before: Sequence[RollUp], titles: Mapping[str, str], lines: str
) -> Section:
    """Each series over the month, against the month before; percentiles are within 1 % (L429, D32)."""
    earlier = {_key(one): one for one in before}
    case = facts.case("system health", "figures of the month on record")
    if not now:
        gap = f"Figures of the month: {NO_SOURCE} on record for {facts.period}."
        return Section("System health", lines, findings=(case.warned(NO_SOURCE, gap.rstrip(".")),), gaps=(gap,))
    rows = [_month(facts, one, earlier.get(_key(one)), titles) for one in now]
    heading = ("figure", "mean", "month before", "p95", "highest", "over critical", "measured")
    source = facts.of_ledger(f"clo_ops.daily of {facts.period} and of the month before")
    shown = table(heading, rows, source, range(1, 7))
    return Section("System health", lines, (), (shown,), (), (case.passed(f"{len(now)} series", f"{len(now)} series"),))


def _key(one: RollUp) -> tuple[str, tuple[tuple[str, str], ...]]:
    return one.metric, tuple(sorted(one.labels.items()))


def _month(facts: Facts, one: RollUp, before: RollUp | None, titles: Mapping[str, str]) -> tuple[str, ...]:
    over = "no level" if one.above_critical is None else age(one.above_critical) if one.above_critical else "never"
    return (
        " ".join([titles.get(one.metric, one.metric), *one.labels.values()]),
        figure(one.mean, one.unit),
        figure(before.mean, before.unit) if before else "not measured",
        figure(one.p95, one.unit),
        figure(one.highest, one.unit),
        over,
        f"{min(100.0, 100 * (one.covered / facts.period.length)):.0f} %",
    )
