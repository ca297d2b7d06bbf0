"""The performance review (M2-01 to M2-08), Friday's availability and performance (WF-09, WF-10), the scorecard (RP-04).

A month is the calendar month before the run's, a week the seven whole days before its day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from clo_ops.findings import Finding, Severity, Status
from clo_ops.findings.performed import Performed, Row
from clo_ops.orchestration import kpis, review_plots
from clo_ops.orchestration.escalate import run_link
from clo_ops.orchestration.report_keeping import kept
from clo_ops.orchestration.run import Run
from clo_ops.reports import performance as report
from clo_ops.reports.sheet import Sheet, Table
from clo_ops.rules import availability_told, bottlenecks, comparison, experience, headroom, waits, work_done
from clo_ops.rules import kpis as rules
from clo_ops.rules.bottlenecks import Bottleneck
from clo_ops.rules.kpi_figures import COUNTERS, LOOKS, source_of
from clo_ops.rules.verdicts import Case

if TYPE_CHECKING:
    from clo_ops.orchestration.kpis import Figures
    from clo_ops.rules.periods import Period

CAPACITY = ("WW-01", "WW-02", "WW-03", "WW-04")
LEDGER = "ledger: {what}, {period}"


def user_experience(run: Run) -> list[Finding]:
    """M2-03: p50, p95, Apdex and errors of all requests users made, what they say of it, and each endpoint."""
    known = _asked(run, "M2-03", kpis.FEEDBACK)
    now = known.compared.now
    endpoints = run.ledger.totals([bottlenecks.ENDPOINT], now.since, now.until)
    felt, probed = _felt_table(run, known), _table(run, experience.ENDPOINTS, experience.endpoint_rows(endpoints))
    _tables(run, "M2-03", felt, probed)
    review_plots.experience(run, now)
    return [*_kpis(run, known, "M2-03"), *experience.judge(known.felt(now), run.policy)]


def _felt_table(run: Run, known: Figures) -> Table:
    names = ("this month", "month before", "three months")
    cells = zip(names, known.compared.periods, strict=True)
    rows = [(name, *experience.figures(known.felt(period), run.policy)) for name, period in cells]
    return Table(("period", *experience.NAMES), tuple(rows), COUNTERS, frozenset(range(1, 8)))


def _table(run: Run, heading: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Table:
    source = f"ledger: daily figures of {bottlenecks.ENDPOINT}, our own probes"
    return Table(heading, tuple(rows), source, frozenset(range(1, len(heading))))


def ranking(run: Run) -> list[Finding]:
    """M2-02: statements, endpoints, resources and wait events by the share of the time they held the system up."""
    month, terms = comparison.months(run.at).now, run.policy.performance.bottlenecks
    candidates, silent = list[Bottleneck](), dict[str, str]()
    for kinds, found, why in _candidates(run, month):
        candidates += found
        silent |= {} if found else dict.fromkeys(kinds, why)
    best = bottlenecks.ranked(candidates, terms)
    source = LEDGER.format(what="daily figures, snapshots of pg_stat_statements", period=month)
    _tables(run, "M2-02", Table(bottlenecks.HEADING, tuple(bottlenecks.rows(best)), source, bottlenecks.NUMERIC))
    return bottlenecks.judge(best, silent, terms, run.policy.procedures["M2-02"].first_action)


def _candidates(run: Run, month: Period) -> Iterable[tuple[tuple[str, ...], list[Bottleneck], str]]:
    """Of each kind all there are, and what to say where there is none at all."""
    metrics = sorted({one.metric for one in run.policy.capacity.resources} - {bottlenecks.ENDPOINT})
    ledger, no = run.ledger, "no {what} in the ledger"
    resources = ledger.totals(metrics, month.since, month.until)
    endpoints = ledger.totals([bottlenecks.ENDPOINT], month.since, month.until)
    sampled = ledger.totals([waits.ACTIVE, waits.WAITING], month.since, month.until)
    yield ("resource",), list(bottlenecks.levels(resources)), no.format(what="figures of any resource")
    yield ("endpoint",), list(bottlenecks.levels(endpoints)), no.format(what="figures of any endpoint")
    # Looks in which nobody waited are looks all the same.
    events = list(bottlenecks.events(waits.waits(sampled))) or [NOBODY] * bool(sampled)
    yield ("wait event",), events, no.format(what="looks at what sessions wait for")
    yield ("statement",), _statements(run, month), no.format(what="two snapshots of pg_stat_statements")


NOBODY = Bottleneck("wait event", "none", 0.0, "nobody waited", "")


def _statements(run: Run, month: Period) -> list[Bottleneck]:
    from clo_ops.rules.statement_weeks import of_week

    snapshots = run.ledger.statement_snapshots(month.since, month.until)
    if len(snapshots) < 2:
        return []
    between = snapshots[-1].taken_at - snapshots[0].taken_at
    ran = of_week(snapshots, run.policy.statements).values()
    return list(bottlenecks.statements(ran, between, len(snapshots)))


def room_left(run: Run) -> list[Finding]:
    """M2-04: what is left of each resource in the worst hour of its usual week, by the outlooks of WW-01 to WW-04."""
    from clo_ops.orchestration.capacity import hosts_wanted, outlooks

    policy, findings, rooms = run.policy, list[Finding](), list[headroom.Headroom]()
    little, entry = policy.performance.headroom.little, policy.procedures["M2-04"]
    for resource in (one for procedure in CAPACITY for one in policy.capacity.of(procedure)):
        found = outlooks(run, resource)
        rooms += [room for one in found if (room := headroom.headroom(one)) is not None]
        terms = policy.capacity.forecasts
        wanted = hosts_wanted(run, resource)
        findings += headroom.judge(resource, found, terms, little, entry.first_action, at=run.at, wanted=wanted)
    source = "ledger: hourly figures, forecast as in WW-01 to WW-04"
    _tables(run, "M2-04", Table(headroom.HEADING, tuple(headroom.rows(rooms)), source, frozenset({1, 2, 3, 4})))
    known = _asked(run, "M2-04")
    review_plots.headroom(run, known.compared.now, rooms)
    return [*_kpis(run, known, "M2-04"), *findings]


def calculations(run: Run) -> list[Finding]:
    """M2-05: calculations of the month against the manual's time, by size of portfolio, and those that failed."""
    sizes = run.policy.performance.portfolios.sizes
    return _jobs(run, "M2-05", kpis.CALCULATIONS, lambda row: work_done.size_name(row["size"], sizes), "calculations")


def report_generation(run: Run) -> list[Finding]:
    """M2-06: reports of the month against the manual's time, by type and format, and those that failed."""
    return _jobs(run, "M2-06", kpis.REPORTS, work_done.report_name, "reports")


def _jobs(run: Run, procedure: str, question: str, name: Callable[[Row], str], what: str) -> list[Finding]:
    known = _asked(run, procedure, question)
    findings, answer = _kpis(run, known, procedure), known.answer(question, known.compared.now)
    if isinstance(answer, str):
        return [*findings, work_done.unanswered(procedure, what, answer)]
    rows = [(name(row), row) for row in answer.rows]
    lines = tuple(work_done.job_row(*one) for one in rows)
    _tables(run, procedure, Table((what, *work_done.JOBS[1:]), lines, source_of(answer), work_done.JOB_NUMBERS))
    before = known.answer(question, known.compared.before)
    review_plots.jobs(run, procedure, answer.rows, () if isinstance(before, str) else before.rows, name)
    entry, most = run.policy.procedures[procedure], float(answer.parameters["most_s"])
    worst = run.policy.performance.failures.warning
    case = Case(procedure, "failed", f"at most {worst:g} %", Severity.P3, entry.first_action, entry.lines, what)
    parts = [one for one in rows if one[0] != name(answer.rows[0])]
    return [
        *findings,
        work_done.failures(case, answer.rows[0], worst),
        *work_done.slow_ones(procedure, parts, most, entry.first_action),
    ]


def productivity(run: Run) -> list[Finding]:
    """M2-07: what the holders of each role completed in the month, and in the one before."""
    known = _asked(run, "M2-07", kpis.WORK)
    now, before = (known.answer(kpis.WORK, one) for one in (known.compared.now, known.compared.before))
    findings = _kpis(run, known, "M2-07")
    if not isinstance(now, Performed):
        return [*findings, work_done.unanswered("M2-07", "what each role did", now)]
    rows = tuple(work_done.role_rows(now, before))
    _tables(run, "M2-07", Table(work_done.ROLES, rows, source_of(now), frozenset(range(1, 7))))
    entry = run.policy.procedures["M2-07"]
    case = Case("M2-07", "work done", "told for each role", Severity.P3, entry.first_action, entry.lines)
    return [*findings, *work_done.roles(case, now, before)]


def month_available(run: Run) -> list[Finding]:
    """M2-08: the month's availability with and without announced windows, its outages, and the error budget left."""
    known = _asked(run, "M2-08")
    findings, tables = _available(run, known, "M2-08", Status.FAIL)
    _tables(run, "M2-08", *tables)
    review_plots.availability(run, known.compared.now)
    return findings


def _available(run: Run, known: Figures, procedure: str, missed: Status) -> tuple[list[Finding], list[Table]]:
    period, entry = known.compared.now, run.policy.procedures[procedure]
    found = known.availability(period)
    target = next((one.target for one in run.policy.kpis.values() if procedure in one.procedures), None)
    findings = _kpis(run, known, procedure, missed)
    if target is not None:
        findings.append(availability_told.budget_finding(procedure, found, target, entry.first_action, entry.lines))
    findings.append(availability_told.unexplained(procedure, found, entry.first_action, entry.lines))
    rows = tuple(availability_told.figure_rows(found, target))
    figures = Table(availability_told.FIGURES, rows, LOOKS, frozenset({1}))
    outages = Table(availability_told.OUTAGES, tuple(availability_told.outage_rows(found)), LOOKS)
    return findings, [figures, outages] if found.outages else [figures]


def month_over_month(run: Run) -> list[Finding]:
    """M2-01: each KPI this month, the month before and three months, its change and target; then the whole report."""
    known = _asked(run, "M2-01", kpis.CALCULATIONS, kpis.REPORTS, kpis.FEEDBACK, kpis.WORK)
    findings, tables = _scorecard(run, known, "M2-01", Status.WARN)
    sheet = report.assemble(
        run.ledger,
        run.ledger_run,
        run.policy,
        known.compared.now,
        run.connections.evidence().read,
        run_link(run.dag_id, run.run_id),
        report.section(run.policy, "M2-01", findings, tables),
    )
    return [*findings, *kept(run, sheet, "performance-review", run.policy.performance.report.to)]


def scorecard(run: Run) -> list[Finding]:
    """RP-04: every KPI of the policy with target, trend, owner and source; what has no source is said to have none."""
    kpis.up_to_date(run)
    known = _asked(run, "RP-04", kpis.CALCULATIONS, kpis.REPORTS, kpis.FEEDBACK, kpis.WORK)
    findings, tables = _scorecard(run, known, "RP-04", Status.WARN)
    title = f"KPI scorecard of {known.compared.now.since:%B %Y}"
    return [*findings, *_sent(run, known, "RP-04", title, "kpi-scorecard", findings, tables)]


def week_available(run: Run) -> list[Finding]:
    """WF-09: the week's availability, outages with cause and length, and what is left of the week's error budget."""
    kpis.up_to_date(run)
    known = kpis.figures_of(run, comparison.weeks(run.at), "WF-09", ())
    findings, tables = _available(run, known, "WF-09", Status.WARN)
    title = f"Availability of the week to {known.compared.now.last_day}"
    return [*findings, *_sent(run, known, "WF-09", title, "availability-report", findings, tables)]


def week_performed(run: Run) -> list[Finding]:
    """WF-10: response times, errors, calculations and reports of the week against the targets of a month."""
    kpis.up_to_date(run)
    known = kpis.figures_of(run, comparison.weeks(run.at), "WF-10", (kpis.CALCULATIONS, kpis.REPORTS))
    findings, tables = _scorecard(run, known, "WF-10", Status.WARN, "WF-10")
    title = f"Performance of the week to {known.compared.now.last_day}"
    return [*findings, *_sent(run, known, "WF-10", title, "performance-report", findings, tables)]


def _asked(run: Run, procedure: str, *questions: str) -> Figures:
    return kpis.figures_of(run, comparison.months(run.at), procedure, questions)


def _kpis(run: Run, known: Figures, procedure: str, missed: Status = Status.FAIL) -> list[Finding]:
    """The KPIs the procedure is about, judged."""
    steady, action = run.policy.performance.trend.steady, run.policy.procedures[procedure].first_action
    return rules.judge(kpis.readings(known, procedure), procedure, steady, action, missed=missed)


def _scorecard(
    run: Run, known: Figures, procedure: str, missed: Status, *about: str
) -> tuple[list[Finding], list[Table]]:
    """The KPIs judged; a table of their figures, and one of who owns them and where they come from."""
    steady, action = run.policy.performance.trend.steady, run.policy.procedures[procedure].first_action
    found = kpis.readings(known, *about)
    findings = rules.judge(found, procedure, steady, action, missed=missed)
    rows = tuple(rules.row(one, steady) for one in found)
    figures = Table(rules.HEADING, rows, f"{known.compared.now}, and the periods before", frozenset({2, 3, 4}))
    return findings, [figures, Table(rules.SOURCES, tuple(rules.source_row(one) for one in found))]


def _sent(  # noqa: PLR0917 - what a report is made of
    run: Run, known: Figures, procedure: str, title: str, name: str, findings: list[Finding], tables: list[Table]
) -> list[Finding]:
    """A report of one section: kept, and put into the outbox."""
    period, row = known.compared.now, run.ledger.run(run.ledger_run)
    sheet = Sheet(
        title=title,
        since=period.since,
        until=period.until,
        verdict=report.verdict(findings),
        sections=(report.section(run.policy, procedure, findings, tables),),
        cards=tuple(report.cards(findings)),
        about={"Run": f"{row.dag_id} {row.run_id}", "Policy": row.policy_digest[:12] or "not recorded"},
        link=run_link(run.dag_id, run.run_id),
    )
    return kept(run, sheet, name, run.policy.performance.report.to)


def _tables(run: Run, procedure: str, *tables: Table) -> None:
    """Kept as evidence: the report is put together from it, now or when it is made again."""
    name = report.TABLES.format(procedure=procedure)
    run.attach(name, report.as_evidence([one for one in tables if one.rows]), report.JSON)
