"""docs/procedures/<dag>.md: a DAG's procedures for those who act on them, a section for each.

Made of the DAG (its page, its tasks' docstrings), the catalogue, the policy's figures, and the words of
include/procedures/<dag>.yaml, which say what each status of each procedure means.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel, Field, TypeAdapter

from clo_ops.orchestration.procedure import ProcedureOperator
from clo_ops.policy.base import Cited, Model
from clo_ops.policy.paths import INCLUDE
from clo_ops.policy.show import Row, rows
from clo_ops.reports.templates import render

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from clo_ops.policy import Policy, Procedure

FOLDER = INCLUDE.parent / "docs" / "procedures"


class Words(Model):
    """Whom a procedure asks, what each status of it means, and which parts of the policy it judges by."""

    source: str = Field(alias="from", min_length=10)
    passes: str = Field(alias="pass", min_length=5)
    warns: str = Field(alias="warn", min_length=5)
    fails: str = Field(alias="fail", min_length=5)
    unknown: str = Field(min_length=5)
    figures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """One procedure on the page. ``asks`` is the docstring of the function that carries it."""

    entry: Procedure
    task_id: str
    asks: str
    words: Words | None
    figures: tuple[Row, ...]

    @property
    def anchor(self) -> str:
        kept = (
            letter for letter in f"{self.entry.id} {self.entry.title}".lower() if letter.isalnum() or letter in " -"
        )
        return "".join(kept).replace(" ", "-")


def words_of(dag_id: str) -> dict[str, Words]:
    """By procedure id; none where nobody has written them yet. Raises pydantic's ValidationError for unfit ones."""
    path = INCLUDE / "procedures" / f"{dag_id}.yaml"
    if not path.is_file():
        return {}
    return TypeAdapter(dict[str, Words]).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))


def sections(dag: DAG, policy: Policy) -> Iterator[Section]:
    """In the order of the catalogue. Raises LookupError for a figure the policy does not have."""
    words = words_of(dag.dag_id)
    carried = {one: task for task in dag.tasks if isinstance(task, ProcedureOperator) for one in task.procedure_ids}
    for entry in (entry for entry in policy.procedures.values() if entry.id in carried):
        said, task = words.get(entry.id), carried[entry.id]
        figures = [row for path in (said.figures if said else ()) for row in _figures(policy, path)]
        asks = " ".join((task.function.__doc__ or "").split()).removeprefix(f"{entry.id}: ")
        yield Section(entry, task.task_id, asks[:1].upper() + asks[1:], said, tuple(figures))


def _figures(policy: Policy, path: str) -> Iterator[Row]:
    """What stands below ``path`` (names with dots between), with the source and the unit of what it stands in."""
    part: Any = policy
    source, unit = None, ""
    for name in path.split("."):
        if isinstance(part, Mapping) and name in part:
            part = part[name]
        elif isinstance(part, BaseModel) and hasattr(part, name):
            part = getattr(part, name)
        else:
            raise LookupError(f"the policy has no {path}: nothing is called {name}")
        source, unit = part if isinstance(part, Cited) else source, getattr(part, "unit", None) or unit
    return rows(part, path, source, unit)


def procedure_page(dag: DAG, policy: Policy) -> str:
    """The whole page, as it must stand in docs/procedures."""
    title, _, page = (dag.doc_md or "").strip().partition("\n")
    heading = title.removeprefix("#").partition(":")[0].strip()
    return render(
        "procedures.md", title=heading, dag_id=dag.dag_id, page=page.strip(), procedures=[*sections(dag, policy)]
    )
