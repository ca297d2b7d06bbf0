"""Runs of the page in pages/, on a new Airflow database, as the scheduler would make them: a JSON list in, a
JSON list out. A process of its own, for Airflow reads its settings when it is imported."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any
from unittest.mock import patch

from airflow.models.deadline import Deadline
from airflow.models.taskinstance import TaskInstance
from airflow.sdk import DAG
from airflow.serialization.definitions.dag import SerializedDAG
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from airflow.utils.types import DagRunType
from sqlalchemy import select

from clo_ops.orchestration.connections import Connections
from clo_ops.orchestration.coverage import pages

CREATE = SerializedDAG.create_dagrun


def run(dag: DAG, case: dict[str, Any]) -> dict[str, Any]:
    at, kind = datetime.fromisoformat(case["at"]), DagRunType(case["type"])

    @wraps(CREATE)
    def of_this_kind(self: SerializedDAG, **named: Any) -> Any:
        made = CREATE(self, **{**named, "run_type": kind, "run_id": f"{kind.value}__{case['name']}"})
        named["session"].flush()
        times = select(Deadline.deadline_time).where(Deadline.dagrun_id == made.id)
        deadlines.extend(time.isoformat() for time in named["session"].scalars(times))
        self.deadline = None  # dag.test of 3.3 falls over when it takes a met deadline away (it holds no ids)
        return made

    deadlines: list[str] = []
    with patch.object(SerializedDAG, "create_dagrun", of_this_kind):
        done = dag.test(logical_date=at, run_after=at, run_conf=case.get("conf"))
    with create_session() as session:
        states = session.execute(
            select(TaskInstance.task_id, TaskInstance.state).where(TaskInstance.run_id == done.run_id)
        )
        return {
            "state": done.state,
            "deadlines": deadlines,
            "tasks": {task_id: str(state) for task_id, state in states},
            **recorded(done.dag_id, done.run_id),
        }


def recorded(dag_id: str, run_id: str) -> dict[str, Any]:
    with Connections("clo_ops/test").ledger() as ledger:
        (row,) = [row for row in ledger.recent_runs(dag_id) if row.run_id == run_id]
        findings = ledger.findings(row.id)
        return {"status": row.status, "findings": {one.procedure: [one.status, one.message] for one in findings}}


if __name__ == "__main__":
    initdb()
    (page,) = (dag for dag in pages(Path(__file__).parent / "pages") if dag.dag_id == "maintenance")
    results = [run(page, case) for case in json.load(sys.stdin)]
    Path(sys.argv[1]).write_text(json.dumps(results), encoding="utf-8")
