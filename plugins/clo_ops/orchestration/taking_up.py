"""The first step of incident_response: which incident the run works on, by its event or by its form.

One run, one incident. An event of the watch may name several: the run takes up the most severe, then the oldest, and
starts a run for each of the others. Each is taken up in one step of the ledger, so that no two runs have the same;
what a run did not come to start, or never took up, the watch announces again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import BaseOperator, Param
from airflow.sdk.exceptions import DownstreamTasksSkipped

from clo_ops.escalation.sighting import Sighting
from clo_ops.findings import Answer, ConfigurationError, CouldNotCheck, Severity
from clo_ops.orchestration.incidents import desk
from clo_ops.orchestration.procedure import ProcedureOperator, open_run
from clo_ops.orchestration.response import none_left, without_a_run

if TYPE_CHECKING:
    from clo_ops.escalation.desk import Desk
    from clo_ops.ledger import IncidentRow
    from clo_ops.orchestration.run import Run

# Airflow's run types: by an event of the watch; by the first run of an event that named several incidents.
BY_EVENT, BY_A_RUN = "asset_triggered", "operator_triggered"
TAKE_UP_PAGE = """### The incident is taken up

Puts on record that this run works on it; one described in the form is opened. Whoever is due is told at once. Of
several incidents the run takes up the most severe and starts a run for each of the others (`incident-17-...`). Where
none is left, the rest is skipped. Red means: the form names no incident, or the ledger did not answer."""
ENDING = ("mail_operations_centre", "summary")


def form() -> dict[str, Param]:
    """A run by hand: the number of an incident there is, or a new one."""
    severities = [one.value for one in Severity]
    return {
        "incident": Param(None, type=["null", "integer"], title="Number of an open incident", minimum=1),
        "title": Param("", type=["null", "string"], title="Or a new one: in one line, what is wrong", maxLength=150),
        "severity": Param("P2", type="string", title="Severity of the new one", enum=severities),
        "seen": Param("", type=["null", "string"], title="What was seen, where and since when", format="multiline"),
    }


class TakeUpOperator(BaseOperator):
    """One incident is this run's from now on: its number. Where none is left every later step but the end is skipped.

    Raises ConfigurationError where the form names none, LedgerConflict for a number the ledger does not know.
    """

    ui_color = "#f7efd6"

    def execute(self, context: Mapping[str, Any]) -> int:
        now, told_of = datetime.now(UTC), _of_events(context)
        with open_run(context, self.task_id) as run:
            at_desk = desk(run.ledger, run.policy)
            taken = take_up(run, at_desk, told_of, now)
            if taken is None:
                self._nothing_to_do(run, context["task"].dag.tasks)
            for one in run.ledger.incidents_without_a_run(told_of):
                self._start_a_run_for(run.dag_id, one)
            self._tell(run, at_desk, now)
        return taken

    def _tell(self, run: Run, at_desk: Desk, now: datetime) -> None:
        """Whoever is due, of every open incident. One that is held by somebody must not hold up the others' runs: the
        watch tells as well.
        """
        from clo_ops.escalation.outbox import deliver

        try:
            at_desk.cycle(now)
            self.log.info("%s", deliver(run.ledger, run.connections.smtp, now))
        except CouldNotCheck:
            self.log.warning("nobody could be told from here; the watch goes on", exc_info=True)

    def _nothing_to_do(self, run: Run, tasks: Sequence[Any]) -> NoReturn:
        """On record for each procedure before its task is skipped: an empty record would mean that nobody looked."""
        procedures = [one for task in tasks if isinstance(task, ProcedureOperator) for one in task.procedure_ids]
        for one in procedures:
            run.ledger.record(run.ledger_run, one, [none_left(one)], Answer(), [], run.try_number)
        self.log.info("no incident is left for this run; another one works on it")
        rest = [task.task_id for task in tasks if task.task_id not in (self.task_id, *ENDING)]
        raise DownstreamTasksSkipped(tasks=rest)  # type: ignore[no-untyped-call] # Airflow's own

    def _start_a_run_for(self, dag_id: str, one: IncidentRow) -> None:
        """What cannot be started now the watch announces again; the run's own incident does not wait for that."""
        try:
            new = start_run(dag_id, run_id_of(one), {"incident": one.id})
            self.log.info("incident %s: run %s %s", one.id, run_id_of(one), "started" if new else "is there already")
        except Exception:
            self.log.exception("no run could be started for incident %s; it will be announced again", one.id)


def take_up(run: Run, at_desk: Desk, told_of: Collection[int], now: datetime) -> int | None:
    """The incident the run works on from now on, None where none is left. Tried again it is the same one."""
    if run.trigger == BY_EVENT:
        return _first_free(run, told_of, now)
    number = _of_form(run, at_desk, now)
    if run.trigger == BY_A_RUN:
        return number if run.ledger.take_up_incident(number, run.run_id) else None
    return run.ledger.set_incident_run(number, run.run_id).id


def _first_free(run: Run, told_of: Collection[int], now: datetime) -> int | None:
    """Of the event, for it may come twice; then of all that is open, for an event may be lost."""
    mine = run.ledger.incident_of_run(run.run_id)
    waiting = [] if mine else [*run.ledger.incidents_without_a_run(told_of), *without_a_run(run.ledger, now)]
    taken = (run.ledger.take_up_incident(one.id, run.run_id) for one in waiting)
    mine = mine or next((one for one in taken if one), None)
    return mine.id if mine else None


def run_id_of(incident: IncidentRow) -> str:
    """The same whoever starts it, so that an incident's run is started once; its time, for a ledger made anew."""
    return f"incident-{incident.id}-{incident.opened_at:%Y%m%dT%H%M%SZ}"


def start_run(dag_id: str, run_id: str, conf: Mapping[str, Any]) -> bool:
    """False where there is such a run. Raises AirflowRuntimeError where Airflow's API server does not start it.

    What Airflow's TriggerDagRunOperator comes down to; that one ends its task with the first run it starts.
    """
    from airflow.sdk.execution_time.comms import ErrorResponse, TriggerDagRun
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

    said = SUPERVISOR_COMMS.send(TriggerDagRun(dag_id=dag_id, run_id=run_id, conf=dict(conf)))
    return not isinstance(said, ErrorResponse)


def _of_events(context: Mapping[str, Any]) -> list[int]:
    """What the events that started the run name; several events may have become one run."""
    events = context.get("triggering_asset_events") or {}
    payloads = [event.extra.get("payload", {}) for one in events.values() for event in one]
    return list(dict.fromkeys(int(number) for one in payloads for number in one.get("incidents", ())))


def _of_form(run: Run, at_desk: Desk, now: datetime) -> int:
    given, title = run.params.get("incident"), (run.params.get("title") or "").strip()
    if given:
        return run.ledger.incident(int(given)).id
    if not title:
        raise ConfigurationError(
            "the form names no incident and describes none",
            allowed="the number of an open incident, or a title for a new one",
            next_step="start the run again with one of the two",
        )
    seen = Sighting(
        cause=f"by hand:{run.run_id}",
        severity=Severity(run.params.get("severity") or "P2"),
        title=title,
        procedure="IR-05",
        at=now,
        observed=(run.params.get("seen") or "").strip() or title,
        allowed="",
        first_action=run.policy.procedures["IR-05"].first_action,
    )
    return at_desk.detect(seen).id
