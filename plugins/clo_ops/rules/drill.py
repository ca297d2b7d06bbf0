"""M3-07 (manual L214): how long recovery took and how much would be lost, against the targets (D64).

The times come from the phases' own measurements, each taken at its end: nothing here has a clock.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from clo_ops.findings import Answer, Finding, Measurement, Severity
from clo_ops.rules.verdicts import Case

PROCEDURE = "M3-07"
MANUAL = "L214"
TIME, POINT = "recovery time", "recovery point"
# Until the database is judged good nobody may use it; what comes after (failover, clean-up) is not recovery.
TO_A_GOOD_DATABASE = ("environment", "roles", "restore", "analyze", "contents", "integrity")
SLOW = "Look at the longest phase of the report; more restore jobs, faster disks or a smaller database shorten it."
SELDOM = "Take backups more often, or archive the WAL: what was written since the newest backup would be lost."
PHASE, RTO, RPO = "drill.phase.duration", "drill.rto", "drill.rpo"


def recovery_time(answer: Answer) -> float | None:
    """Seconds from the start of the environment to a database judged good, and the application's phase on top.

    None where the database was never judged: a restore that nobody looked at has recovered nothing.
    """
    phases = {one.labels.get("phase", ""): one for one in answer.select(PHASE)}
    needed = [phases.get(name) for name in ("environment", "restore", "contents")]
    if any(one is None for one in needed):
        return None
    ends = [one for name in TO_A_GOOD_DATABASE if (one := phases.get(name)) is not None]
    begin = phases["environment"].at - timedelta(seconds=phases["environment"].value)
    wall = (max(one.at for one in ends) - begin).total_seconds()
    application = phases.get("application")
    return wall + (application.value if application else 0.0)


def recovery_point(newest_snapshot: datetime, at: datetime) -> float:
    """Seconds of work that would be lost if production were gone at ``at``."""
    return (at - newest_snapshot).total_seconds()


def judge(answer: Answer, *, rto: timedelta, rpo: timedelta, procedure: str = PROCEDURE) -> list[Finding]:
    """``recovery time`` and ``recovery point``: over the target (strictly) fails, not measured is unknown."""
    return [
        _judged(_case(procedure, TIME, rto, SLOW), answer.first(RTO), rto, "Recovery took"),
        _judged(_case(procedure, POINT, rpo, SELDOM), answer.first(RPO), rpo, "The newest good backup is old:"),
    ]


def _case(procedure: str, name: str, target: timedelta, action: str) -> Case:
    return Case(procedure, name, f"at most {exactly(target)}", Severity.P2, action, MANUAL)


def _judged(case: Case, taken: Measurement | None, target: timedelta, words: str) -> Finding:
    if taken is None:
        return case.not_measured()
    length = timedelta(seconds=taken.value)
    said = f"{words} {exactly(length)}"
    if length > target:
        return case.failed(exactly(length), f"{said}, over the target {exactly(target)}")
    return case.passed(exactly(length), f"{said}, within the target {exactly(target)}")


def exactly(length: timedelta) -> str:
    """To the tenth of a second: one tenth over the target must not read like the target."""
    seconds = length.total_seconds()
    whole = int(seconds)
    if seconds < 60:
        return f"{seconds:.1f} s"
    parts = [f"{whole // 3600} h" if whole >= 3600 else "", f"{whole % 3600 // 60} min", f"{seconds % 60:.1f} s"]
    return " ".join(part for part in parts if part)
