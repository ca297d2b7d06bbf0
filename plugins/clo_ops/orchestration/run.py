"""What a procedure is handed: the run it belongs to, the policy, and whom it may ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from clo_ops.findings import Answer

if TYPE_CHECKING:
    from clo_ops.ledger import Evidence, Ledger
    from clo_ops.orchestration.connections import Connections
    from clo_ops.policy import Policy
    from clo_ops.policy.firing import Firing

# Airflow's run types whose time says what they are for; the others are asked for by somebody or something.
ON_SCHEDULE = ("scheduled", "backfill")


@dataclass
class Run:
    """One procedure in one run of a DAG.

    ``at`` is the run's own time (UTC): a re-run next morning judges the same business day. ``ledger_run`` is the
    ledger's key of the run. ``answer`` gathers what was asked, for the record. ``firing`` is None outside Airflow.
    ``params`` are what the form of a run by hand says; ``evidence`` are files kept beside what was asked.
    ``trigger`` is Airflow's run type ("scheduled", "manual" ...), ``asked_by`` the user of Airflow who started it.
    ``state_of`` a DAG and a run of it is what Airflow says of that run, empty where it knows none. ``last_try`` is
    False where Airflow tries the task again by itself if nobody answers.
    """

    dag_id: str
    run_id: str
    task_id: str
    at: datetime
    policy: Policy
    connections: Connections
    ledger: Ledger
    ledger_run: int
    try_number: int = 1
    last_try: bool = True
    answer: Answer = field(default_factory=Answer)
    firing: Firing | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    trigger: str = ""
    asked_by: str = ""
    state_of: Callable[[str, str], str] = lambda dag_id, run_id: ""
    evidence: list[Evidence] = field(default_factory=list)

    @property
    def day(self) -> date:
        """The business day the run belongs to, in UTC."""
        return self.at.date()

    @property
    def by_hand(self) -> bool:
        """Whether somebody started it, rather than the clock or an event."""
        return self.trigger == "manual"

    @property
    def cadences(self) -> tuple[str, ...]:
        """The names of the policy's cadences this run stands for."""
        return self.firing.fired if self.firing else ()

    def why_not_due(self, procedure_id: str) -> str:
        """Why the procedure is not asked in this run; empty where it is."""
        return self.firing.why_not_due(procedure_id) if self.firing else ""

    def ask(self, probe: Callable[..., Answer], *whom_and_what: Any, **named: Any) -> Answer:
        """Put a probe's question and keep what came back for the ledger and the evidence."""
        return self.keep(probe(*whom_and_what, **named))

    def keep(self, answer: Answer) -> Answer:
        """Add an answer to what is recorded."""
        self.answer += answer
        return answer

    def attach(self, name: str, data: bytes, media_type: str) -> Evidence:
        """Keep a file as evidence of this procedure, in place of one of that name. Raises CouldNotCheck."""
        kept = self.connections.evidence().put(self.dag_id, self.day, self.run_id, name, data, media_type)
        self.evidence = [*(one for one in self.evidence if one.name != name), kept]
        return kept


def run_time(context: Mapping[str, Any]) -> datetime:
    """The run's own time: its logical date, or for a run without one the time it was due."""
    dag_run = context["dag_run"]
    at: datetime = dag_run.logical_date or dag_run.run_after
    return datetime.fromtimestamp(at.timestamp(), tz=UTC)


def run_states(context: Mapping[str, Any]) -> Callable[[str, str], str]:
    """Asks Airflow for the state of a DAG's run, by the task's own line to it."""

    def ask(dag_id: str, run_id: str) -> str:
        from airflow.sdk.exceptions import AirflowRuntimeError

        try:
            state = context["ti"].get_dagrun_state(dag_id=dag_id, run_id=run_id)
        except AirflowRuntimeError:  # it has no such run, or does not say
            return ""
        return str(getattr(state, "value", state))

    return ask


def run_firing(policy: Policy, dag_run: Any, at: datetime) -> Firing:
    """The cadences a run stands for: by its time where it runs on schedule, else by its ``cadence`` parameter."""
    from clo_ops.policy.firing import by_hand, on_schedule

    if str(getattr(dag_run.run_type, "value", dag_run.run_type)) in ON_SCHEDULE:
        return on_schedule(policy, dag_run.dag_id, at)
    return by_hand(policy, dag_run.dag_id, (dag_run.conf or {}).get("cadence"))


def client_name(dag_id: str, task_id: str) -> str:
    """What the other side sees of us: ``clo_ops/<dag>/<task>``; PostgreSQL keeps the first 63 bytes."""
    return f"clo_ops/{dag_id}/{task_id}"
