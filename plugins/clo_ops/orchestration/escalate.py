"""Failed and late runs are told to management by mail, through the outbox (procedure IR-02; manual L285-L299)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from clo_ops.findings import Severity
from clo_ops.orchestration.connections import Connections
from clo_ops.orchestration.run import client_name
from clo_ops.policy import load_policy
from clo_ops.rules.rota import people

if TYPE_CHECKING:
    from clo_ops.policy import Policy

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Escalation:
    """One thing management is told: what happened to which run, and what to do first."""

    dedup_key: str
    dag_id: str
    run_id: str
    happened: str
    first_action: str


def run_link(dag_id: str, run_id: str, task_id: str = "") -> str:
    """Where the run, or one of its tasks with its log, is seen in the Airflow UI."""
    from airflow.sdk.configuration import conf

    base = conf.get("api", "base_url", fallback="http://localhost:8080").rstrip("/")
    task = f"/tasks/{quote(task_id, safe='')}" if task_id else ""
    return f"{base}/dags/{quote(dag_id, safe='')}/runs/{quote(run_id, safe='')}{task}"


def late(dag_run: Mapping[str, Any], deadline: Mapping[str, Any]) -> Escalation:
    """A run that is still ``queued`` or ``running`` at its deadline."""
    dag_id, run_id = dag_run["dag_id"], dag_run["dag_run_id"]
    return Escalation(
        dedup_key=f"late:{dag_id}:{run_id}:{deadline['id']}",
        dag_id=dag_id,
        run_id=run_id,
        happened=f"is late: it should have been done by {deadline['deadline_time']} and is {dag_run['state']}",
        first_action="Open the run: queued points at the scheduler or a paused DAG, running at its slowest task.",
    )


def run_failed(context: Mapping[str, Any]) -> None:
    """DAG failure callback: management hears of a red run once, however it came to be red."""
    dag_run = context["dag_run"]
    tell_management(
        Escalation(
            dedup_key=f"failed:{dag_run.dag_id}:{dag_run.run_id}",
            dag_id=dag_run.dag_id,
            run_id=dag_run.run_id,
            happened=f"failed ({context.get('reason') or 'a task is red'})",
            first_action="Read the summary mail, or the summary task's log: each red procedure is named there.",
        )
    )


def tell_management(escalation: Escalation) -> None:
    """Put the message into the outbox, then try to deliver; what cannot go out now goes with the next delivery."""
    from clo_ops.escalation.outbox import deliver

    policy = load_policy()
    connections = Connections(client_name(escalation.dag_id, "escalation"))
    with connections.ledger() as ledger:
        ledger.enqueue(_message(escalation, policy))
        report = deliver(ledger, connections.smtp, datetime.now(UTC))
        log.info("escalation %s: %s", escalation.dedup_key, report)


def mailboxes(policy: Policy, group: str, at: datetime | None = None) -> list[str]:
    """The mail addresses of a group of contacts.yaml, at ``at`` (now, where nothing is said)."""
    names = people(policy.contacts.groups[group], at or datetime.now(UTC), policy)
    found = [policy.contacts.people[name] for name in names]
    return [person.email for person in found if person.email]


def _message(escalation: Escalation, policy: Policy) -> Any:
    from clo_ops.ledger import Message

    support = policy.contacts.support
    titles = ", ".join(
        f"{p.id} {p.title}" for p in policy.procedures.values() if p.dag == escalation.dag_id and p.built
    )
    lines = [
        f"{escalation.dag_id}, run {escalation.run_id}, {escalation.happened}.",
        "",
        f"It stands for: {titles or 'no procedure of the catalogue'}.",
        f"First thing to do: {escalation.first_action}",
        f"Where to look: {run_link(escalation.dag_id, escalation.run_id)}",
        "",
        f"Operations centre: {support.operations_centre} - emergency hotline: {support.emergency_hotline}",
    ]
    return Message(
        dedup_key=escalation.dedup_key,
        recipients=mailboxes(policy, "it_management"),
        subject=f"[CLO Ops] {escalation.dag_id} {escalation.happened.split(':')[0].split(' (')[0]}",
        text="\n".join(lines),
        html="",
        severity=Severity.P2,
    )
