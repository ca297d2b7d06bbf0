"""Deadlines: a run that is not done by its time is an incident, told once, and not lost when mail or ledger are down.

Airflow fires a deadline also for runs that failed or were marked successful before it (platform behaviour of 3.3),
so the callback looks at the run's state first: only a run still going, or never started, is late.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from airflow.sdk.definitions.deadline import BaseDeadlineReference

from clo_ops.orchestration.run import run_firing, run_time
from clo_ops.policy import load_policy

log = logging.getLogger(__name__)

OVER = ("success", "failed")


class RunAfterDeadline(BaseDeadlineReference):
    """Counts from the time the run was due, for scheduled runs and for runs by hand alike."""

    required_kwargs = frozenset({"dag_id", "run_id"})

    def _evaluate_with(self, *, session: Any, dag_id: str, run_id: str, **_: Any) -> Any:
        from airflow.models import DagRun
        from sqlalchemy import select

        return session.scalar(select(DagRun.run_after).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))


@dataclass(eq=False)
class DoneByOfTheCadence(BaseDeadlineReference):
    """The moment by which a run must be done, for a DAG whose cadences have different ones; its interval is nothing.

    The longest ``done_by`` of the cadences the run stands for, worked out when the run is made. ``otherwise`` (seconds)
    stands where the policy cannot be read at that moment: a run is never lost for want of its deadline.
    """

    otherwise: float = 0.0
    required_kwargs = frozenset({"dag_id", "run_id"})

    def _evaluate_with(self, *, session: Any, dag_id: str, run_id: str, **_: Any) -> Any:
        from airflow.models import DagRun
        from sqlalchemy import select

        made = select(DagRun.logical_date, DagRun.run_after, DagRun.run_type, DagRun.conf, DagRun.dag_id)
        run = session.execute(made.where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)).one_or_none()
        return None if run is None else run.run_after + self._done_by(run)

    def _done_by(self, run: Any) -> timedelta:
        try:
            return run_firing(load_policy(), run, run_time({"dag_run": run})).done_by
        except Exception:
            log.exception("no done_by for a run of %s: taking %s s", run.dag_id, self.otherwise)
            return timedelta(seconds=self.otherwise)

    def serialize_reference(self) -> dict[str, Any]:
        return {**super().serialize_reference(), "otherwise": self.otherwise}

    @classmethod
    def deserialize_reference(cls, reference_data: dict[str, Any]) -> DoneByOfTheCadence:
        return cls(otherwise=reference_data["otherwise"])


async def deadline_missed(context: dict[str, Any], **_: Any) -> None:
    """A run that is late is an incident. Runs in the triggerer, at least once; one run is late once.

    Airflow calls no second time: while the ledger is away the sighting waits in the spool.
    """
    dag_run, deadline = context["dag_run"], context["deadline"]
    if dag_run["state"] in OVER:
        return
    from clo_ops.orchestration.escalate import tell_late

    await asyncio.to_thread(tell_late, dag_run, deadline)
