"""The reports of the day that ended (ED-01, ED-02, ED-07): assembled from facts, judged, kept and mailed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clo_ops.orchestration.availability import availability_of
from clo_ops.orchestration.report_facts import facts
from clo_ops.orchestration.report_keeping import kept
from clo_ops.reports import availability_section, daily
from clo_ops.rules.periods import Period, day_before

if TYPE_CHECKING:
    from clo_ops.findings import Finding
    from clo_ops.orchestration.run import Run
    from clo_ops.policy.reports import Audience
    from clo_ops.reports.facts import Facts
    from clo_ops.reports.sheet import Sheet


def day_of(run: Run) -> Period:
    """The day the run reports on: the last that ended when the end of day begins (D30)."""
    return day_before(run.at, run.policy.night.starts)


def system_status(run: Run) -> list[Finding]:
    """ED-01: the day's performance, user activity, security events and resource trends, as a report."""
    return told(run, daily.status_report(_facts(run, "ED-01")), "system-status", "status")


def business_activity(run: Run) -> list[Finding]:
    """ED-02: portfolio operations, calculations, reports and who used the system, as a report."""
    return told(run, daily.business_report(_facts(run, "ED-02")), "business-activity", "business")


def operations(run: Run) -> list[Finding]:
    """ED-07: availability, performance, user activity, errors and incidents of the day, as a report."""
    found = _facts(run, "ED-07", incidents=True)
    seen = availability_of(run.ledger, run.policy, found.period.since, found.period.until)
    available = availability_section.availability(found, seen, "ED-07, L417")
    sheet = daily.operational_report(found, available, availability_section.card(seen))
    return told(run, sheet, "daily-operations", "daily")


def _facts(run: Run, procedure: str, *, incidents: bool = False) -> Facts:
    questions, metrics = daily.ASKED[procedure], daily.SERIES[procedure]
    return facts(run, procedure, day_of(run), questions=questions, metrics=metrics, incidents=incidents)


def told(run: Run, sheet: Sheet, name: str, audience: Audience) -> list[Finding]:
    """The report's own findings, and a warning where it could not be made as PDF."""
    return [*sheet.findings, *kept(run, sheet, name, run.policy.reports.to.of(audience))]
