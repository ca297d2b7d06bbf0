"""LM-02: how the error bursts of each log stand, from what the watch last put on record (manual L365)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from clo_ops.findings import Finding, Severity, Status
from clo_ops.rules import watching
from clo_ops.rules.watching import Alert

if TYPE_CHECKING:
    from clo_ops.policy import Policy

PROCEDURE, RULE = "LM-02", "log_errors"


def judge(alerts: Sequence[Alert], looked_at: datetime | None, policy: Policy, *, at: datetime) -> list[Finding]:
    """One finding for each log of alerting.yaml. One of which the watch has no word is unknown, never quiet."""
    sources = [one.name for one in policy.alerting.error_logs]
    if not sources:
        return [_none_named()]
    mine = [one for one in alerts if one.rule == RULE and one.labels.get("source") in sources]
    known = {one.labels["source"] for one in mine}
    found = watching.judge(PROCEDURE, mine, looked_at, policy, at=at)
    if not mine or any(one.name == "the watch looks" for one in found):
        return found
    return found + [_no_word(name, policy) for name in sources if name not in known]


def _no_word(source: str, policy: Policy) -> Finding:
    (finding,) = watching.judge_rule(PROCEDURE, RULE, [], policy)
    return replace(finding, subject=source, message=f"{finding.message} Log: {source}.")


def _none_named() -> Finding:
    return Finding(
        procedure=PROCEDURE,
        name="logs to look at",
        status=Status.NOT_APPLICABLE,
        severity=Severity.P4,
        expected="logs named in alerting.yaml",
        actual="none",
        message="alerting.yaml names no log (error_logs), so there is none to look at.",
    )
