"""The form of Monday's maintenance by hand: only the plan, or applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clo_ops.orchestration.occasion import APPLY, PLAN, USUAL, WORK
from clo_ops.orchestration.upkeep import EVERYTHING

if TYPE_CHECKING:
    from airflow.sdk import Param


def form() -> dict[str, Param]:
    """The fields of a run by hand; a run on schedule takes them as they stand here."""
    from airflow.sdk import Param

    choices = {USUAL: "Only the plan", APPLY: "Apply it, inside its window", PLAN: "Only the plan, in any case"}
    return {
        WORK: Param(
            USUAL,
            type="string",
            title="What a run by hand does",
            description="A run on schedule applies what maintenance.yaml lets it.",
            enum=list(choices),
            values_display=choices,
        ),
        EVERYTHING: Param(False, type="boolean", title="Statistics of every table, however fresh"),
    }
