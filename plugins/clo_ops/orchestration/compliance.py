"""Friday's compliance (manual L138-L149): the controls of controls.yaml, by the procedure that asks them."""

from __future__ import annotations

from clo_ops.findings import Finding
from clo_ops.orchestration.controls import assess
from clo_ops.orchestration.run import Run


def sox(run: Run) -> list[Finding]:
    """WF-01: segregation of duties in the transactions, approvals, conflicting roles, reviews made."""
    return assess(run, "WF-01")


def sec(run: Run) -> list[Finding]:
    """WF-02: records of the week complete, anchored and closed to changes."""
    return assess(run, "WF-02")


def gdpr(run: Run) -> list[Finding]:
    """WF-03: storage limitation, requests of persons, reads of personal data (D57)."""
    return assess(run, "WF-03")


def industry_standards(run: Run) -> list[Finding]:
    """WF-04: the PostgreSQL benchmark as far as SQL sees it (docs/cis.md)."""
    return assess(run, "WF-04")


def audit_trail(run: Run) -> list[Finding]:
    """WF-05: the chain, its completeness, its silence, its actors."""
    return assess(run, "WF-05")


def configuration_changes(run: Run) -> list[Finding]:
    """WF-06: configuration against its trail, both ways."""
    return assess(run, "WF-06")


def data_access(run: Run) -> list[Finding]:
    """WF-07: reads and exports against each user's own habit."""
    return assess(run, "WF-07")


def security_events(run: Run) -> list[Finding]:
    """WF-08: events with owner, class and outcome."""
    return assess(run, "WF-08")
