"""Monday's security review (manual L109-L113): logins, refused logins, permissions, and the security configuration."""

from __future__ import annotations

from clo_ops.findings import Finding
from clo_ops.orchestration.controls import assess
from clo_ops.orchestration.run import Run
from clo_ops.rules.controls import signed_off


def user_access(run: Run) -> list[Finding]:
    """WM-06: logins from new sources, out of hours, and of accounts that had been asleep."""
    return assess(run, "WM-06")


def failed_logins(run: Run) -> list[Finding]:
    """WM-07: brute force, spraying and stuffing among the refused logins."""
    return assess(run, "WM-07")


def permission_changes(run: Run) -> list[Finding]:
    """WM-08: what changed in the application's roles, and in PostgreSQL since the last look; who approved it."""
    return assess(run, "WM-08")


def security_configuration(run: Run) -> list[Finding]:
    """WM-09: the baseline as it was signed off, what the system is against it, and what drifted since the last look."""
    return [signed_off(run.policy.controls, "WM-09"), *assess(run, "WM-09")]
