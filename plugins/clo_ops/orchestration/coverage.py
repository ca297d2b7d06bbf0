"""Which procedure of the manual runs where: read from the parsed DAGs, held against the catalogue.

``python -m clo_ops.orchestration.coverage`` prints the table and ends 1 on a gap; ``--write`` renews dags/README.md.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clo_ops.policy import load_policy
from clo_ops.policy.paths import INCLUDE

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from clo_ops.policy import Policy

DAGS = INCLUDE.parent / "dags"


@dataclass(frozen=True, slots=True)
class Row:
    """One procedure and the task that carries it; ``task_id`` is empty where none does."""

    procedure_id: str
    title: str
    dag_id: str
    task_id: str
    built: bool

    @property
    def gap(self) -> str:
        if self.built and not self.task_id:
            return "GAP: built, but no task carries it"
        if self.task_id and not self.built:
            return "GAP: a task carries it, but the catalogue says it is not built"
        return ""

    @property
    def state(self) -> str:
        return self.gap or ("carried" if self.built else "not built yet")


def pages(folder: Path = DAGS) -> Iterator[DAG]:
    """The DAGs of the folder, one file each, as Airflow would parse them. Raises what the file raises."""
    from airflow.sdk import DAG

    for path in sorted(folder.glob("*.py")):
        spec = importlib.util.spec_from_file_location(f"clo_ops_page_{path.stem}", path)
        if spec is None or spec.loader is None:
            raise ImportError(f"{path} cannot be imported")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        yield from (value for value in vars(module).values() if isinstance(value, DAG))


def coverage(policy: Policy, dags: list[DAG]) -> list[Row]:
    """A row for each procedure of the catalogue, and for each task that carries one."""
    from clo_ops.orchestration.procedure import ProcedureOperator

    carried: dict[str, list[tuple[str, str]]] = {}
    for dag in dags:
        for task in dag.tasks:
            if isinstance(task, ProcedureOperator):
                carried.setdefault(task.procedure_id, []).append((dag.dag_id, task.task_id))
    return [
        Row(entry.id, entry.title, dag_id, task_id, entry.built)
        for entry in policy.procedures.values()
        for dag_id, task_id in carried.get(entry.id, [(entry.dag, "")])
    ]


def table(rows: list[Row]) -> str:
    lines = [f"{'id':6} {'DAG':32} {'task':28} state"]
    lines += [f"{row.procedure_id:6} {row.dag_id:32} {row.task_id or '-':28} {row.state}" for row in rows]
    carried = sum(bool(row.task_id) for row in rows)
    return "\n".join([*lines, "", f"{carried} of {len(rows)} carried, {sum(bool(row.gap) for row in rows)} gaps"])


def schedule_page(policy: Policy, dags: list[DAG]) -> str:
    """dags/README.md: what runs when, and by when it must be done."""
    lines = [
        "# What runs when",
        "",
        "Generated from the DAGs and the policy by `python -m clo_ops.orchestration.coverage --write`; do not edit.",
        "",
        "| DAG | Schedule (UTC) | Done within | Procedures |",
        "|---|---|---|---|",
    ]
    rows = coverage(policy, dags)
    for dag in dags:
        cadence = policy.cadences[dag.dag_id]
        ids = ", ".join(row.procedure_id for row in rows if row.dag_id == dag.dag_id and row.task_id)
        cron = " and ".join(f"`{one}`" for one in cadence.cron)
        lines.append(f"| [{dag.dag_id}]({dag.dag_id}.py) | {cron} | {cadence.done_by} | {ids} |")
    return "\n".join([*lines, ""])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make coverage", description=__doc__)
    parser.add_argument("--write", action="store_true", help="renew dags/README.md")
    options = parser.parse_args(arguments)
    policy, dags = load_policy(), list(pages())
    rows = coverage(policy, dags)
    sys.stdout.write(table(rows) + "\n")
    if options.write:
        (DAGS / "README.md").write_text(schedule_page(policy, dags), encoding="utf-8")
    return 1 if any(row.gap for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
