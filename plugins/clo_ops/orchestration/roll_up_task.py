"""The step before any review of months, as Airflow's task: every series' figures are brought up to date."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk import BaseOperator

from clo_ops.orchestration import capacity
from clo_ops.orchestration.procedure import open_run

PAGE = """### Figures up to date

What was measured since the last time becomes hourly and daily figures, late samples and re-runs included; then the
forecasts of earlier weeks are held against what came. Red means: the ledger did not take it in time; clear this task,
what is done stays done."""


class RollUpOperator(BaseOperator):
    """Raises LedgerUnavailable, a CouldNotCheck, which is tried again. Returns how many days and hours were made."""

    ui_color = "#e8f0e4"

    def execute(self, context: Mapping[str, Any]) -> dict[str, int]:
        with open_run(context, self.task_id) as run:
            return capacity.figures_up_to_date(run)
