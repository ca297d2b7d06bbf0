"""The procedures of incident_response: what is judged of the incidents a run works on (IR-01 to IR-10, L233-L306).

A run works on the incidents the ledger names it for: several alerts at once are one run. What concerns an incident's
whole life (who was told, the updates, the messages) is judged once it is over.
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


def of_run(run: Run) -> list[IncidentRow]:
    """The incidents this run works on; none where another run has taken them over."""
    return run.ledger.incidents_of_run(run.run_id)


def without_a_run(ledger: Ledger, now: datetime) -> list[IncidentRow]:
    """The open incidents no run works on yet.

    Not those of this very DAG: people are told of its red run, but a run for it would judge the run before, and so on.
    """
    waiting = [one for one in ledger.open_incidents(now) if not one.dag_run]
    return [one for one in waiting if not OURS.match(one.cause)]


def severity_and_clocks(run: Run) -> list[Finding]:
    """Each incident has the clocks of its severity, from detection or since its severity was changed."""
    judged = [rules.judge_clocks(one, clock_began(run, one), run.policy) for one in of_run(run)]
    return judged or [none_left("IR-01")]


def notified(run: Run) -> list[Finding]:
    """Every group the severity names was told in time, while the incident was open."""
    findings: list[Finding] = []
    for one in of_run(run):
        told, began = run.ledger.steps_told(one.id), clock_began(run, one)
        steps = [
            rules.Step(f"notice {notice.group}", notice.at, told.get(f"notice {notice.group}"))
            for notice in notices(one.severity, began, run.policy)
        ]
        findings += rules.judge_notices(one, steps, run.policy, until=_until(one), grace=_grace(run))
    return findings or [none_left("IR-02")]


def escalated(run: Run) -> list[Finding]:
    """Each rung of both ladders was told once, in order and in its time, until somebody took the incident."""
    findings: list[Finding] = []
    for one in of_run(run):
        steps, events = list(_rungs(run, one)), run.ledger.timeline(one.id)
        findings += rules.judge_ladder(one, steps, events, run.policy, until=_until(one), grace=_grace(run))
    return findings or [none_left("IR-03")]


def kept_up_to_date(run: Run) -> list[Finding]:
    """Updates came at the severity's cadence; each overdue one is counted."""
    judged = [
        rules.judge_updates(one, run.ledger.timeline(one.id), run.policy, until=datetime.now(UTC), grace=_grace(run))
        for one in of_run(run)
    ]
    return judged or [none_left("IR-04")]


def acted_at_once(run: Run) -> list[Finding]:
    """Team called, scope noted and start time on record within the manual's quarter of an hour."""
    findings: list[Finding] = []
    for one in of_run(run):
        findings += rules.judge_immediate(one, run.ledger.timeline(one.id), run.policy, at=datetime.now(UTC))
    return findings or [none_left("IR-05")]


def on_call_now(run: Run) -> list[Finding]:
    """Who is primary, secondary and on each rung at this moment, and when the next hand-over is."""
    return rules.judge_on_call(run.policy, at=datetime.now(UTC))


def nothing_lost(run: Run) -> list[Finding]:
    """Every message of these incidents reached everybody; what still waits is sent first."""
    from clo_ops.escalation.outbox import deliver

    deliver(run.ledger, run.connections.smtp, datetime.now(UTC))
    findings: list[Finding] = []
    for one in of_run(run):
        findings += rules.judge_messages(one, run.ledger.incident_messages(one.id), run.policy)
    return findings or [none_left("IR-10")]


def clock_began(run: Run, incident: IncidentRow) -> datetime:
    """Detection, or the last time its severity was changed (as the incident desk counts)."""
    changed = [one.at for one in run.ledger.timeline(incident.id) if one.kind.startswith("severity_")]
    return changed[-1] if changed else incident.opened_at


def none_left(procedure: str) -> Finding:
    """A later run, started by hand for the same incidents, has taken them all over."""
    return Finding(
        procedure=procedure,
        name="incidents of this run",
        status=Status.NOT_APPLICABLE,
        expected="an incident of this run",
        actual="none",
        message=f"{procedure}: a later run has taken over the incidents of this one; see there.",
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
