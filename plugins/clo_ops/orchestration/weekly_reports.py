"""The reports of the week that ended (WF-11, WF-12): assembled from facts, judged, kept and mailed."""

from __future__ import annotations

from clo_ops.findings import Finding
from clo_ops.orchestration.daily_reports import told
from clo_ops.orchestration.report_facts import facts
from clo_ops.orchestration.run import Run
from clo_ops.reports import weekly
from clo_ops.rules.periods import week_before


def security_incidents(run: Run) -> list[Finding]:
    """WF-11: incidents of the week by severity, and how soon they were answered and resolved against target."""
    found = facts(run, "WF-11", week_before(run.at), questions=weekly.ASKED["WF-11"], incidents=True)
    return told(run, weekly.security_report(found), "security-incidents", "security")


def user_activity(run: Run) -> list[Finding]:
    """WF-12: users, sessions and features of the week, per role."""
    found = facts(run, "WF-12", week_before(run.at), questions=weekly.ASKED["WF-12"])
    return told(run, weekly.users_report(found), "user-activity", "users")
