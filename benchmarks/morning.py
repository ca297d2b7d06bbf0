"""What a whole morning costs in Airflow, as a ratio to the same fifteen procedures called one after another here.

Both ask the same running demo system and the same ledger, in turns. Uses the demo of `make demo` where one is running,
and otherwise starts one of its own for the time being. Run with `make bench` or `python benchmarks/morning.py
[--rounds N]`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "plugins")]
os.environ.setdefault("CLO_OPS_MODE", "demo")

from clo_ops.ledger import Ledger  # noqa: E402 (needs the path above)
from clo_ops.orchestration.coverage import pages  # noqa: E402
from clo_ops.orchestration.procedure import ProcedureOperator  # noqa: E402
from clo_ops.orchestration.run import Run  # noqa: E402
from clo_ops.policy import load_policy  # noqa: E402
from demo.mornings import connected  # noqa: E402
from demo.stack import airflow, control  # noqa: E402
from demo.stack.airflow_api import AirflowApi  # noqa: E402
from demo.stack.launch import Launch  # noqa: E402
from demo.stack.system import SMALL  # noqa: E402

DAG = "daily_morning_startup"
DEMO = ROOT / ".clo-ops"
LONGEST = 600.0  # seconds
# Those that log in: each waits for a code of the second factor that nobody has used yet.
CHAIN = ("login_works", "second_factor_enforced", "session_management", "api_endpoints", "websocket_connects")


@dataclass(frozen=True)
class Took:
    """Seconds of one morning: by the clock, by the processor where it is known, and of each task."""

    wall: float
    tasks: dict[str, float]
    cpu: float = 0.0


@contextmanager
def stack() -> Iterator[tuple[Launch, AirflowApi]]:
    if (DEMO / "stack.json").exists() and control.status(DEMO).get("airflow-scheduler"):
        launch = Launch(DEMO, print)
        facts = launch.stack.read()
        port = facts["services"]["airflow-api-server"]["definition"]["port"]
        yield launch, AirflowApi(airflow.url(port), airflow.ADMIN, facts["secrets"]["airflow"]["password"])
        return
    with tempfile.TemporaryDirectory(prefix="clo-ops-bench-") as directory:
        launch = Launch(Path(directory) / "state", print, world=SMALL, ports={})
        try:
            yield launch, launch.up(DAG)
        finally:
            control.clean(launch.stack)


def procedures() -> list[ProcedureOperator]:
    """In the DAG's own order: the baseline before whoever looks back on it."""
    (dag,) = (one for one in pages() if one.dag_id == DAG)
    return [task for task in dag.topological_sort() if isinstance(task, ProcedureOperator)]


def plain_loop(launch: Launch, tasks: list[ProcedureOperator]) -> Took:
    """Probes and rules only, one after another in this process; nothing of them is recorded as a run."""
    given, at = launch.stack.read()["connections"], datetime.now(UTC)
    started, worked, took = perf_counter(), process_time(), {}
    with Ledger(launch.ledger_url, client_name="clo_ops/benchmark") as ledger:
        key = ledger.open_run(DAG, f"benchmark__{at.isoformat()}", at, "")
        for task in tasks:
            began = perf_counter()
            connections = connected(given, "clo_ops/benchmark")
            task.function(Run(DAG, "benchmark", task.task_id, at, load_policy(), connections, ledger, key))
            took[task.task_id] = perf_counter() - began
    return Took(perf_counter() - started, took, process_time() - worked)


def in_airflow(api: AirflowApi) -> Took:
    """From the trigger to the end of the run: fifteen tasks, the mail and the summary."""
    started = perf_counter()
    run_id = api.trigger(DAG)
    for _ in api.follow(DAG, run_id, seconds=LONGEST):
        pass
    return Took(perf_counter() - started, api.seconds(DAG, run_id))


def report(loops: list[Took], mornings: list[Took]) -> None:
    def middle(of: list[Took], task: str) -> float:
        return median(one.tasks.get(task, 0.0) for one in of)

    print(f"\n{'task':28} {'loop':>8} {'Airflow':>8}   (median seconds)")
    for task in mornings[0].tasks:
        print(f"{task:28} {middle(loops, task):8.2f} {middle(mornings, task):8.2f}")
    loop, whole = median(one.wall for one in loops), median(one.wall for one in mornings)
    print(f"\nloop: {loop:.1f} s, of them {median(one.cpu for one in loops):.1f} s of processor time")
    here, there = sum(middle(loops, task) for task in CHAIN), sum(middle(mornings, task) for task in CHAIN)
    print(f"the {len(CHAIN)} that log in, one after another: loop {here:.1f} s, Airflow {there:.1f} s")
    inside = sum(middle(mornings, task) for task in mornings[0].tasks)
    print(f"Airflow: {whole:.1f} s, in which its tasks together ran {inside:.1f} s")
    print(f"a morning in Airflow : the same procedures in a plain loop = {whole / loop:.2f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="rounds after the warm-up (default 3)")
    rounds = parser.parse_args().rounds
    tasks = procedures()
    with stack() as (launch, api):
        plain_loop(launch, tasks), in_airflow(api)  # the first of each imports and builds what is kept
        loops, mornings = [], []
        for number in range(rounds):
            loops.append(plain_loop(launch, tasks))
            mornings.append(in_airflow(api))
            print(
                f"round {number + 1}/{rounds}: loop {loops[-1].wall:.1f} s, Airflow {mornings[-1].wall:.1f} s",
                flush=True,
            )
    report(loops, mornings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
