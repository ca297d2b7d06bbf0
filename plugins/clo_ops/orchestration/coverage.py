"""Which procedure of the manual runs where: read from the parsed DAGs, held against the catalogue.

``make coverage`` prints the table, renews dags/README.md and docs/procedures, and ends 1 on a gap; with ``--print`` it
only prints.
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
from clo_ops.policy.firing import cadences_of
from clo_ops.policy.paths import INCLUDE

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from clo_ops.policy import Cadence, Policy

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


def pages(folder: Path = DAGS, *, only: str = "*") -> Iterator[DAG]:
    """The DAGs of the folder, one file each, as Airflow would parse them; ``only`` is the name of one file.

    Raises what the file raises.
    """
    from airflow.sdk import DAG

    for path in sorted(folder.glob(f"{only}.py")):
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
                for one in task.procedure_ids:
                    carried.setdefault(one, []).append((dag.dag_id, task.task_id))
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
        "Generated from the DAGs and the policy by `make coverage`; do not edit.",
        "",
        "| DAG | Cadence | Schedule (UTC) | Done within | Procedures |",
        "|---|---|---|---|---|",
    ]
    rows = coverage(policy, dags)
    for dag in dags:
        carried = [row.procedure_id for row in rows if row.dag_id == dag.dag_id and row.task_id]
        lines += [_cadence_row(dag.dag_id, one, carried) for one in cadences_of(policy, dag.dag_id).values()]
    return "\n".join([*lines, ""])


def _cadence_row(dag_id: str, cadence: Cadence, carried: list[str]) -> str:
    cron = " and ".join(f"`{one}`" for one in cadence.cron) or "by events or by hand"
    days = f", {cadence.only_on} only" if cadence.only_on != "every day" else ""
    ids = ", ".join(one for one in carried if not cadence.procedures or one in cadence.procedures)
    return f"| [{dag_id}]({dag_id}.py) | {cadence.title} | {cron}{days} | {cadence.done_by} | {ids} |"


def generated(policy: Policy, dags: list[DAG]) -> dict[Path, str]:
    """Every page made from the DAGs, by where it stands."""
    from clo_ops.orchestration.procedure_page import FOLDER, procedure_page

    of_dag = {FOLDER / f"{dag.dag_id}.md": procedure_page(dag, policy) for dag in dags}
    return {DAGS / "README.md": schedule_page(policy, dags), **of_dag}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make coverage", description=__doc__)
    parser.add_argument("--print", action="store_true", help="renew nothing")
    options = parser.parse_args(arguments)
    policy, dags = load_policy(), list(pages())
    rows = coverage(policy, dags)
    sys.stdout.write(table(rows) + "\n")
    if not options.print:
        for path, text in generated(policy, dags).items():
            path.write_text(text, encoding="utf-8")
    return 1 if any(row.gap for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
