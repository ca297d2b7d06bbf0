"""Runs that failed or are late become incidents, and the ladders' people are told (IR-02, IR-03; manual L285-L299).

One incident stands for a red page however many of its procedures are red and however often it is run; the next green
run of the page is its all-clear. While the ledger is away a sighting waits in the spool.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from clo_ops.escalation.sighting import Sighting
from clo_ops.escalation.spool import Spool
from clo_ops.findings import CloOpsError, CouldNotCheck, Finding, Severity, Status
from clo_ops.orchestration.connections import Connections
from clo_ops.orchestration.run import client_name
from clo_ops.policy import load_policy
from clo_ops.rules.figures import age, moment
from clo_ops.rules.rota import people
from clo_ops.rules.watching import has_incident

if TYPE_CHECKING:
    from clo_ops.escalation.desk import Desk
    from clo_ops.ledger import Ledger
    from clo_ops.policy import Policy

log = logging.getLogger(__name__)

RED = (Status.FAIL, Status.UNKNOWN)
# The watch opens their incidents itself, one for each alert.
WATCHED = ("AL-", "LM-02")
FIRST_ACTION = "Read the summary mail, or the summary task's log: each red procedure is named there."
NAMED = 12


def run_link(dag_id: str, run_id: str, task_id: str = "") -> str:
    """Where the run, or one of its tasks with its log, is seen in the Airflow UI."""
    from airflow.sdk.configuration import conf

    base = conf.get("api", "base_url", fallback="http://localhost:8080").rstrip("/")
    task = f"/tasks/{quote(task_id, safe='')}" if task_id else ""
    return f"{base}/dags/{quote(dag_id, safe='')}/runs/{quote(run_id, safe='')}{task}"


def spool() -> Spool:
    """CLO_OPS_SPOOL, else a directory in Airflow's home; what lies there is taken in by the watch."""
    home = os.environ.get("AIRFLOW_HOME", os.path.expanduser("~/airflow"))  # noqa: PTH111 - Airflow's own default
    return Spool(Path(os.environ.get("CLO_OPS_SPOOL") or f"{home}/spool"))


def late_cause(dag_id: str, run_id: str) -> str:
    return f"late:{dag_id}:{run_id}"


def failed_cause(dag_id: str) -> str:
    """The same for every run of the page: red again is the same incident."""
    return f"failed:{dag_id}"


def late(dag_run: Mapping[str, Any], deadline: Mapping[str, Any], missing: Iterable[str] = ()) -> Sighting:
    """A run that is still ``queued`` or ``running`` at its deadline; ``missing`` are procedures not on record yet."""
    dag_id, run_id = dag_run["dag_id"], dag_run["dag_run_id"]
    due, now = datetime.fromisoformat(str(deadline["deadline_time"])), datetime.now(UTC)
    open_still = f" Not on record yet: {', '.join(missing)}." if missing else ""
    return Sighting(
        cause=late_cause(dag_id, run_id),
        severity=Severity.P2,
        title=f"{dag_id} is late",
        procedure=_first_procedure(dag_id),
        at=now,
        observed=f"run {run_id} of {dag_id} is {dag_run['state']}, {age(now - due)} after its time.{open_still} "
        f"It stands for: {stands_for(dag_id)}",
        allowed=f"done by {moment(due)}",
        first_action="Open the run: queued points at the scheduler or a paused DAG, running at its slowest task.",
        link=run_link(dag_id, run_id),
    )


def failed(dag_id: str, run_id: str, reason: str, red: Iterable[Finding] = ()) -> Sighting:
    """A run that ended red: all its red findings, the gravest first, as far as they are on record."""
    gravest = sorted(red, key=lambda one: (one.severity or Severity.P4, one.procedure))
    ids = ", ".join(dict.fromkeys(one.procedure for one in gravest))
    told = "".join(f"\n- {one.procedure} {one.message}" for one in gravest[:NAMED])
    more = f"\n- and {len(gravest) - NAMED} more" if len(gravest) > NAMED else ""
    return Sighting(
        cause=failed_cause(dag_id),
        severity=next((one.severity for one in gravest if one.severity), Severity.P2),
        title=f"{dag_id} failed" + (f": {ids}" if ids else ""),
        procedure=gravest[0].procedure if gravest else _first_procedure(dag_id),
        at=datetime.now(UTC),
        observed=f"run {run_id} of {dag_id} failed ({reason}).{told}{more}",
        allowed="; ".join(dict.fromkeys(one.expected for one in gravest[:NAMED])) or "every procedure judged, none red",
        manual=stands_for(dag_id) if not gravest else "",
        first_action=gravest[0].first_action if gravest else FIRST_ACTION,
        link=run_link(dag_id, run_id),
        component=_component(gravest[0]) if gravest else "",
    )


def _component(finding: Finding) -> str:
    """What it is about, where it is about one of the services of policy."""
    services = {one.name: one.component for one in load_policy().services}
    return finding.labels.get("component") or services.get(finding.subject, "")


def run_failed(context: Mapping[str, Any]) -> None:
    """DAG failure callback: a red run is an incident, however it came to be red."""
    dag_run = context["dag_run"]
    reason = str(context.get("reason") or "a task is red")
    try:
        with _desk(dag_run.dag_id) as desk:
            _tell_failed(desk, dag_run.dag_id, dag_run.run_id, reason)
            # One that ran out of time was late as well, and its summary, which would say that it ended, never came.
            desk.clear(
                late_cause(dag_run.dag_id, dag_run.run_id), datetime.now(UTC), "it has failed and is told as that"
            )
    except CouldNotCheck as away:
        _keep(failed(dag_run.dag_id, dag_run.run_id, reason), away)


def _tell_failed(desk: Desk, dag_id: str, run_id: str, reason: str) -> None:
    red = red_findings(desk.ledger, dag_id, run_id)
    if red and all(one.procedure.startswith(WATCHED) and has_incident(one, desk.policy) for one in red):
        log.info("every red finding is an alert's, which has its incident already")
        return
    _tell(desk, failed(dag_id, run_id, reason, red))


def tell_late(dag_run: Mapping[str, Any], deadline: Mapping[str, Any]) -> None:
    """A run that is late is told with what is missing of it, where the ledger can say so."""
    dag_id = dag_run["dag_id"]
    tell(late(dag_run, deadline, _missing(dag_id, dag_run["dag_run_id"])), dag_id)


def _missing(dag_id: str, run_id: str) -> list[str]:
    """The procedures of a run without a finding of their own."""
    from clo_ops.ledger.attendance import NOT_FINISHED

    try:
        with _desk(dag_id) as desk:
            number = next((one.id for one in desk.ledger.recent_runs(dag_id) if one.run_id == run_id), None)
            known = desk.ledger.findings(number) if number is not None else []
            ended = {one.procedure for one in known if one.name != NOT_FINISHED}
            built = (one for one in desk.policy.procedures.values() if one.dag == dag_id and one.built)
            return [one.id for one in built if one.id not in ended]
    except CloOpsError as error:
        log.warning("what is missing of %s cannot be said: %s", run_id, error)
        return []


def tell(seen: Sighting, dag_id: str) -> None:
    """Open or find the incident and deliver its messages; a sighting no ledger takes waits in the spool."""
    try:
        with _desk(dag_id) as desk:
            _tell(desk, seen)
    except CouldNotCheck as away:
        _keep(seen, away)


def run_ended(desk: Desk, dag_id: str, run_id: str, *, red: bool) -> None:
    """A run that ended is late no longer; a green one is the all-clear of its page."""
    now = datetime.now(UTC)
    desk.clear(late_cause(dag_id, run_id), now, f"run {run_id} has come to its end")
    if not red:
        desk.clear(failed_cause(dag_id), now, f"run {run_id} is not red")


def red_findings(ledger: Ledger, dag_id: str, run_id: str) -> list[Finding]:
    """What the ledger holds against a run; nothing where the run never got so far."""
    number = next((one.id for one in ledger.recent_runs(dag_id) if one.run_id == run_id), None)
    return [] if number is None else [one for one in ledger.findings(number) if one.status in RED]


def stands_for(dag_id: str) -> str:
    """The procedures of a DAG, by id and title."""
    entries = (one for one in load_policy().procedures.values() if one.dag == dag_id and one.built)
    return ", ".join(f"{one.id} {one.title}" for one in entries) or "no procedure of the catalogue"


def mailboxes(policy: Policy, group: str, at: datetime | None = None) -> list[str]:
    """The mail addresses of a group of contacts.yaml, at ``at`` (now, where nothing is said)."""
    names = people(policy.contacts.groups[group], at or datetime.now(UTC), policy)
    found = [policy.contacts.people[name] for name in names]
    return [person.email for person in found if person.email]


def _first_procedure(dag_id: str) -> str:
    entries = (one.id for one in load_policy().procedures.values() if one.dag == dag_id)
    return next(entries, "IR-10")


def _desk(dag_id: str) -> Any:
    from clo_ops.orchestration.incidents import open_desk

    return open_desk(Connections(client_name(dag_id, "escalation")))


def _tell(desk: Desk, seen: Sighting) -> None:
    """The incident is on record before anything is mailed; what cannot go out now goes with the next delivery."""
    from clo_ops.escalation.outbox import deliver

    incident = desk.detect(seen)
    connections = Connections("clo_ops/escalation")
    report = deliver(desk.ledger, connections.smtp, datetime.now(UTC))
    log.info("incident %s for %s: %s", incident.id, seen.cause, report)


def _keep(seen: Sighting, away: CouldNotCheck) -> None:
    path = spool().keep(seen)
    log.error("the ledger is away (%s); %s waits in %s", away, seen.cause, path)
