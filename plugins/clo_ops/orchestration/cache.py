"""The cache's part of Monday and the windows (WM-04, WM-05): looked at on the primary, planned, then applied."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from clo_ops.actions.maintenance import cache as action
from clo_ops.findings import Answer, Finding, Measurement
from clo_ops.orchestration.maintenance import maintained
from clo_ops.probes import cache_keys as keys_probe
from clo_ops.probes import cache_memory as memory_probe
from clo_ops.rules import cache as rules
from clo_ops.rules.gate import OUTSIDE_THE_DATABASE

if TYPE_CHECKING:
    from clo_ops.actions.maintenance.applying import Act
    from clo_ops.actions.maintenance.plan import Effect, Plan, Step
    from clo_ops.orchestration.run import Run

# The last look on record is that of the week before, or of the one before it.
LOOK_BACK = timedelta(days=35)


def expired_entries(run: Run) -> list[Finding]:
    """WM-04: keys by pattern, without a time to live, and large ones; those that may go are removed, in batches."""
    policy, sessions = run.policy.maintenance.cache, run.policy.access.session_key_pattern
    target = run.connections.redis_maintenance
    state = run.ask(memory_probe.state, target)
    if refusal := rules.wrong_server(rules.KEYS, state):
        return refusal
    looked = run.ask(keys_probe.keys, target, policy, sessions)
    findings = rules.judge_keys(looked + Answer((), state.unanswered), policy)
    plan = action.planned_removal(looked, policy, str(target))
    if not plan.steps:
        return findings
    removals = {f"unlink {one.pattern}": one for one in policy.remove}

    def act(step: Step) -> Effect:
        return action.unlink(target, removals[step.key], policy, sessions)

    return [*findings, *_maintained(run, rules.KEYS, plan, act)]


def cache_memory(run: Run) -> list[Finding]:
    """WM-05: used, peak, resident, fragmented, evicted, hit; memory given back where fragmentation calls for it."""
    policy, target = run.policy.maintenance.cache, run.connections.redis_maintenance
    earlier = _last_counters(run)
    state = run.ask(memory_probe.state, target)
    if refusal := rules.wrong_server(rules.MEMORY, state):
        return refusal
    plan = action.planned_purge(state, policy, str(target))
    why_not = "" if plan.steps else action.why_no_purge(state, policy)
    findings = rules.judge_memory(state, earlier, policy, why_not)
    if not plan.steps:
        return findings
    return [*findings, *_maintained(run, rules.MEMORY, plan, lambda _: action.purge(target))]


def _maintained(run: Run, procedure: str, plan: Plan, act: Act) -> list[Finding]:
    return maintained(run, procedure, "cache", lambda: plan, act, needs=OUTSIDE_THE_DATABASE)


def _last_counters(run: Run) -> list[Measurement]:
    """The counters of the newest look before this run."""
    found = [one for name in rules.COUNTERS for one in run.ledger.measurements(name, run.at - LOOK_BACK, run.at)]
    newest = max((one.at for one in found), default=None)
    return [one for one in found if one.at == newest]
