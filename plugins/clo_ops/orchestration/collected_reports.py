"""The daily, weekly and monthly reports (RP-01 to RP-03): put together from what the pages of their time left."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from clo_ops.findings import Finding
from clo_ops.orchestration.report_facts import SVG, facts
from clo_ops.orchestration.report_keeping import kept
from clo_ops.orchestration.run import Run
from clo_ops.policy.reports import Audience
from clo_ops.reports import collected, record_sections
from clo_ops.reports.collected import Part, between, until
from clo_ops.reports.facts import Facts
from clo_ops.reports.incident_sections import incidents
from clo_ops.reports.series_sections import CACHES, PERFORMANCE, RESOURCES, TITLES
from clo_ops.reports.sheet import Section, Sheet
from clo_ops.rules.periods import Period, day_before, month_before, week_before

if TYPE_CHECKING:
    from clo_ops.ledger import RunRow

FRIDAY, AUDIT = "weekly_friday_compliance", "monthly_week1_security_audit"
DRILL, SUPPORT = "monthly_week3_dr_test", "reports_and_support"
COMPLIANCE = ("WF-01", "WF-02", "WF-03", "WF-04", "WF-05", "WF-06", "WF-07", "WF-08")
HEALTH = ("M2-01", "M2-08", "M2-03", "M2-02")
BUSINESS = ("M2-05", "M2-06", "M2-07")
RESOURCE_TRENDS = ("WW-01", "WW-02", "WW-03", "WW-04")
WEEK = timedelta(days=7)
DAILY_CARDS = ("Availability", "Incidents", "Slowest endpoint", "People at work", "Calculations", "Fullest resource")
WEEKLY_CARDS = ("First level to be crossed", "Security incidents", "Late", "People at work", "Recommendations")


def daily(run: Run) -> list[Finding]:
    """RP-01: availability, performance, user activity, errors and incidents of the day, from the day's reports."""
    found = _facts(run, "RP-01", day_before(run.at, run.policy.night.starts))
    of_day = until(found.period.until)
    parts = (
        Part("daily-operations", of_day),
        Part("system-status", of_day, headings=("Security events", "Resource trends")),
        Part("business-activity", of_day, headings=("Portfolio operations", "Calculation jobs", "Report generation")),
    )
    sections = [*_taken(run, found, parts), _log_errors(run, found), _runs(run, found)]
    title = f"Daily report of {found.period.last_day}"
    return _told(run, found, title, sections, DAILY_CARDS, "daily-report", "daily")


def weekly(run: Run) -> list[Finding]:
    """RP-02: resource trends, performance, security events and capacity planning of the week, from its reports."""
    found = _facts(run, "RP-02", week_before(run.at))
    of_week, lately = until(found.period.until), between(found.period.since, run.at)
    parts = (
        Part("capacity-report", lately, procedures=(*RESOURCE_TRENDS, "WW-09")),
        Part("availability-report", of_week),
        Part("performance-report", of_week),
        Part("security-incidents", of_week),
        Part("user-activity", of_week, headings=("User activity", "Activity by role")),
    )
    sections = _taken(run, found, parts)
    title = f"Weekly report, {found.period.since:%Y-%m-%d} to {found.period.last_day}"
    return _told(run, found, title, sections, WEEKLY_CARDS, "weekly-report", "weekly")


def monthly(run: Run) -> list[Finding]:
    """RP-03: system health, business metrics, compliance status and infrastructure planning of the month."""
    found = _facts(run, "RP-03", month_before(run.at), with_incidents=True)
    of_month, lately = until(found.period.until), between(run.at - 2 * WEEK, run.at)
    sections = [
        *_taken(run, found, (Part("performance-review", of_month, procedures=HEALTH),)),
        _months(run, found),
        incidents(found, "RP-03, L429", heading="Incidents of the month"),
        record_sections.told_before(
            found, "Last recovery drill", _reviewed(run, found, DRILL), ("M3-07",), "RP-03, L429"
        ),
        *_taken(run, found, (Part("kpi-scorecard", of_month),)),
        *_taken(run, found, (Part("performance-review", of_month, procedures=BUSINESS),))[1:],
        record_sections.compliance(found, _reviewed(run, found, FRIDAY), COMPLIANCE, "RP-03, L431"),
        *_taken(run, found, (Part("capacity-report", lately, procedures=("WW-09",)),)),
        record_sections.told_before(found, "Vendors", _reviewed(run, found, SUPPORT), ("SP-02",), "RP-03, L432, D50"),
    ]
    title = f"Monthly report of {found.period.since:%B %Y}"
    return _told(run, found, title, sections, ("Recommendations",), "monthly-report", "monthly")


def _facts(run: Run, procedure: str, period: Period, *, with_incidents: bool = False) -> Facts:
    return facts(run, procedure, period, incidents=with_incidents)


def _taken(run: Run, found: Facts, parts: Sequence[Part]) -> list[Section]:
    read = run.connections.evidence().read
    return [one for part in parts for one in collected.taken(run.ledger, found, part, read)]


def _log_errors(run: Run, found: Facts) -> Section:
    day = found.period.last_day
    following = day + timedelta(days=1)
    days = {name: by_day[day] for name, by_day in run.ledger.log_days(day, following).items()}
    met = list(run.ledger.log_signature_days(day, following))
    return record_sections.log_errors(found, days, met, "RP-01, L420")


def _runs(run: Run, found: Facts) -> Section:
    made = run.ledger.runs_between(found.period.since, found.period.until)
    return record_sections.runs(found, made, "RP-01, L420")


def _months(run: Run, found: Facts) -> Section:
    metrics = (*PERFORMANCE, *CACHES, *RESOURCES)
    period, before = found.period, month_before(found.period.since)
    now, earlier = (run.ledger.months(metrics, one.since, one.until) for one in (period, before))
    return record_sections.months(found, now, earlier, TITLES, "RP-03, L429")


def _reviewed(run: Run, found: Facts, dag_id: str) -> list[tuple[RunRow, list[Finding]]]:
    made = run.ledger.runs_between(found.period.since, found.period.until, dag_id)
    return [(one, run.ledger.findings(one.id)) for one in made]


def _told(  # noqa: PLR0917 - what a report is made of
    run: Run, found: Facts, title: str, sections: list[Section], cards: Sequence[str], name: str, audience: Audience
) -> list[Finding]:
    """Kept and mailed; the task's own findings are those of the report, not those of the reports in it."""
    kept_plots = (plot for section in sections for plot in section.plots)
    for number, plot in enumerate(kept_plots, 1):
        # The curve is kept with this run, too: a report is made again from the evidence of its own run.
        run.attach(f"{found.procedure}-{number}.svg", plot.svg.encode(), SVG)
    sheet: Sheet = collected.together(title, found, sections, collected.cards_of(sections, cards))
    own = [one for one in sheet.findings if one.procedure == found.procedure]
    return [*own, *kept(run, sheet, name, run.policy.reports.to.of(audience), found.procedure)]
