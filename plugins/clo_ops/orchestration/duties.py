"""What is done on Mondays and in the windows, in its order (D04): one routine, each caller with its own limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from clo_ops.orchestration import audit_retention, cache, log_retention, rollout, upkeep

if TYPE_CHECKING:
    from clo_ops.findings import Finding
    from clo_ops.orchestration.run import Run
    from clo_ops.policy.maintenance import Kind

Work = Callable[["Run"], "list[Finding]"]

# Vacuum is part of the statistics' way; what a window does not allow is left out by the gate.
DUTIES: dict[Kind, tuple[Work, ...]] = {
    "retention": (audit_retention.audit_clean_up,),
    "statistics": (upkeep.statistics,),
    "indexes": (upkeep.indexes,),
    "cache": (cache.expired_entries, cache.cache_memory),
    "logs": (log_retention.retention,),
    "updates": (rollout.hosts,),
    "deployments": (rollout.applications,),
}


def duties_of(run: Run, window: str) -> dict[Kind, tuple[Work, ...]]:
    """The duties of a planned window, by policy; in an emergency, and beside a change by hand, the form's."""
    by_policy = {kind for kind, duty in run.policy.maintenance.duties.items() if window in duty.windows}
    chosen = window == "emergency" or (run.by_hand and str(run.params.get("change") or "").strip())
    wanted = set(run.params.get("duties") or []) if chosen else by_policy
    return {kind: work for kind, work in DUTIES.items() if kind in wanted}
