"""Deadlines: a run that is not done by its time is told to management, once, and not lost when mail is down.

Airflow fires a deadline also for runs that failed or were marked successful before it (platform behaviour of 3.3),
so the callback looks at the run's state first: only a run still going, or never started, is late.
"""

from __future__ import annotations

import asyncio
from typing import Any

from airflow.sdk.definitions.deadline import BaseDeadlineReference

OVER = ("success", "failed")


class RunAfterDeadline(BaseDeadlineReference):
    """Counts from the time the run was due, for scheduled runs and for runs by hand alike."""

    required_kwargs = frozenset({"dag_id", "run_id"})

    def _evaluate_with(self, *, session: Any, dag_id: str, run_id: str, **_: Any) -> Any:
        from airflow.models import DagRun
        from sqlalchemy import select

        return session.scalar(select(DagRun.run_after).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))


async def deadline_missed(context: dict[str, Any], **_: Any) -> None:
    """Tell management that a run is late. Runs in the triggerer, at least once; the outbox keeps it to one message."""
    dag_run, deadline = context["dag_run"], context["deadline"]
    if dag_run["state"] in OVER:
        return
    from clo_ops.orchestration.escalate import late, tell_management

    await asyncio.to_thread(tell_management, late(dag_run, deadline))
