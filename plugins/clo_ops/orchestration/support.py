"""SP-01 and SP-02: the support contacts as policy has them and messages carry them, and the vendors' contracts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from clo_ops.findings import Finding
from clo_ops.orchestration.run import Run
from clo_ops.rules import support
from clo_ops.rules.support import Sent

BACK = timedelta(days=1)


def support_contacts(run: Run) -> list[Finding]:
    """SP-01: no contact is a placeholder, and every message of the last day that asks somebody to act has all four."""
    until = min(datetime.now(UTC), run.at + BACK)
    kept = run.ledger.messages_put_in(until - BACK, until)
    return support.judge_contacts([Sent(one.enqueued_at, one.message) for one in kept], run.policy)


def vendors(run: Run) -> list[Finding]:
    """SP-02: whom to call for what, whether they answer in time for a P1, and until when their contracts run."""
    return support.judge_vendors(run.policy, at=run.at)
