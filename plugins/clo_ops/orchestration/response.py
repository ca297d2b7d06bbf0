"""The procedures of incident_response: what is judged of the incident a run works on (IR-01 to IR-10, L233-L306).

A run works on the incident the ledger names it for. What concerns an incident's whole life (who was told, the updates,
the messages) is judged once it is over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from clo_ops.findings import Finding, Status
from clo_ops.orchestration.run import Run
from clo_ops.rules import response as rules
from clo_ops.rules.ladders import notices, rungs

if TYPE_CHECKING:
    from clo_ops.ledger import IncidentRow, Ledger

# The causes of incidents about incident_response itself (orchestration.escalate).
OURS = re.compile(r"(failed|late):incident_response(:|$)")


def of_run(run: Run) -> IncidentRow | None:
    """The incident this run works on; None where there was none left for it, or another run has taken it over."""
    return run.ledger.incident_of_run(run.run_id)


def without_a_run(ledger: Ledger, now: datetime) -> list[IncidentRow]:
    """The open incidents no run works on yet.

    Not those of this very DAG: people are told of its red run, but a run for it would judge the run before, and so on.
    """
    waiting = [one for one in ledger.open_incidents(now) if not one.dag_run]
    return [one for one in waiting if not OURS.match(one.cause)]


def severity_and_clocks(run: Run) -> list[Finding]:
    """The incident has the clocks of its severity, from detection or since its severity was changed."""
    one = of_run(run)
    return [rules.judge_clocks(one, clock_began(run, one), run.policy)] if one else [none_left("IR-01")]


def notified(run: Run) -> list[Finding]:
    """Every group the severity names was told in time, while the incident was open."""
    one = of_run(run)
    if one is None:
        return [none_left("IR-02")]
    told, began = run.ledger.steps_told(one.id), clock_began(run, one)
    steps = [
        rules.Step(f"notice {notice.group}", notice.at, told.get(f"notice {notice.group}"))
        for notice in notices(one.severity, began, run.policy)
    ]
    return [*rules.judge_notices(one, steps, run.policy, until=_until(one), grace=_grace(run))]


def escalated(run: Run) -> list[Finding]:
    """Each rung of both ladders was told once, in order and in its time, until somebody took the incident."""
    one = of_run(run)
    if one is None:
        return [none_left("IR-03")]
    steps, events = list(_rungs(run, one)), run.ledger.timeline(one.id)
    return [*rules.judge_ladder(one, steps, events, run.policy, until=_until(one), grace=_grace(run))]


def kept_up_to_date(run: Run) -> list[Finding]:
    """Updates came at the severity's cadence; each overdue one is counted."""
    one, now = of_run(run), datetime.now(UTC)
    if one is None:
        return [none_left("IR-04")]
    return [rules.judge_updates(one, run.ledger.timeline(one.id), run.policy, until=now, grace=_grace(run))]


def acted_at_once(run: Run) -> list[Finding]:
    """Team called, scope noted and start time on record within the manual's quarter of an hour."""
    one, now = of_run(run), datetime.now(UTC)
    if one is None:
        return [none_left("IR-05")]
    return [*rules.judge_immediate(one, run.ledger.timeline(one.id), run.policy, at=now)]


def on_call_now(run: Run) -> list[Finding]:
    """Who is primary, secondary and on each rung at this moment, and when the next hand-over is."""
    return rules.judge_on_call(run.policy, at=datetime.now(UTC))


def nothing_lost(run: Run) -> list[Finding]:
    """Every message of the incident reached everybody; what still waits is sent first."""
    from clo_ops.escalation.outbox import deliver

    deliver(run.ledger, run.connections.smtp, datetime.now(UTC))
    one = of_run(run)
    if one is None:
        return [none_left("IR-10")]
    return [*rules.judge_messages(one, run.ledger.incident_messages(one.id), run.policy)]


def clock_began(run: Run, incident: IncidentRow) -> datetime:
    """Detection, or the last time its severity was changed (as the incident desk counts)."""
    changed = [one.at for one in run.ledger.timeline(incident.id) if one.kind.startswith("severity_")]
    return changed[-1] if changed else incident.opened_at


def none_left(procedure: str) -> Finding:
    """Another run has the incident: it was quicker, or was started by hand to take it over."""
    return Finding(
        procedure=procedure,
        name="incident of this run",
        status=Status.NOT_APPLICABLE,
        expected="an incident of this run",
        actual="none",
        message=f"{procedure}: no incident is left for this run; another one works on it, see there.",
    )


def _rungs(run: Run, incident: IncidentRow) -> Iterator[rules.Step]:
    told = run.ledger.steps_told(incident.id)
    for one in rungs(incident.severity, clock_began(run, incident), run.policy):
        name = f"{one.ladder} {one.level} {one.role}"
        yield rules.Step(name, one.at, told.get(name), one.ladder, one.level)


def _until(incident: IncidentRow) -> datetime:
    return incident.closed_at or datetime.now(UTC)


def _grace(run: Run) -> timedelta:
    return run.policy.alerting.watch.silent_for
