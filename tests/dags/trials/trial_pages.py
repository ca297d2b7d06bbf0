"""Pages of the tests only, for a real Airflow: one task that waits, so that a test can let its run be
late, or kill whom it runs in.

They are made of the same parts as the manual's pages; their entries in the policy are made by tests/dags/conftest.py.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from clo_ops.findings import Finding, Status
from clo_ops.orchestration.blueprint import manual_page
from clo_ops.orchestration.procedure import procedure
from clo_ops.orchestration.run import Run

LONGEST_WAIT = 120.0


def waits(procedure_id: str) -> Callable[[Run], list[Finding]]:
    def waits_for_leave(run: Run) -> list[Finding]:
        """Writes down the process it runs in and that one's parent, and waits until the test lets it go."""
        mine = Path(os.environ["CLO_OPS_TRIALS"]) / run.dag_id
        partial = mine.with_suffix(".part")
        partial.write_text(f"{os.getpid()} {os.getppid()}")
        partial.rename(mine.with_suffix(f".try-{run.try_number}"))
        until = time.monotonic() + LONGEST_WAIT
        while not mine.with_suffix(".leave").exists() and time.monotonic() < until:
            time.sleep(0.05)
        return [Finding(procedure_id, "left", Status.PASS, expected="leave", actual="leave", message="Left.")]

    return waits_for_leave


@manual_page
def trial_in_time() -> None:
    procedure("TR-01")(waits("TR-01"))


@manual_page
def trial_late() -> None:
    procedure("TR-02")(waits("TR-02"))


@manual_page
def trial_late_without_triggerer() -> None:
    procedure("TR-03")(waits("TR-03"))


@manual_page
def trial_task_killed() -> None:
    procedure("TR-04", retries=0)(waits("TR-04"))


@manual_page
def trial_worker_killed() -> None:
    procedure("TR-05", retries=0)(waits("TR-05"))


@manual_page
def trial_killed_and_tried_again() -> None:
    procedure("TR-06", retries=1, retry_delay=timedelta(seconds=1))(waits("TR-06"))


@manual_page
def trial_late_without_ledger() -> None:
    procedure("TR-07")(waits("TR-07"))
