"""How the error bursts in the logs stand, by the watch's own record (LM-02)."""

from __future__ import annotations

from datetime import UTC, datetime

from clo_ops.findings import Finding
from clo_ops.orchestration.run import Run
from clo_ops.orchestration.watch import HEARTBEAT
from clo_ops.rules import bursts


def error_bursts(run: Run) -> list[Finding]:
    """Error lines of each log within a minute, against its levels, as the watch last judged them."""
    beat = run.ledger.heartbeats().get(HEARTBEAT)
    return bursts.judge(run.ledger.alerts(), beat.at if beat else None, run.policy, at=datetime.now(UTC))
