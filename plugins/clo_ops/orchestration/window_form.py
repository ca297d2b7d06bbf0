"""The form of ``maintenance`` by hand: a window's plan or a change made in one, an emergency, or a review."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clo_ops.orchestration.occasion import APPLY, PLAN, USUAL, WORK

if TYPE_CHECKING:
    from airflow.sdk import Param


def form() -> dict[str, Param]:
    """The fields of a run by hand; a run on schedule takes them as they stand here."""
    from airflow.sdk import Param

    works_as = {USUAL: "Only the plan", APPLY: "Apply it, inside its window", PLAN: "Only the plan, in any case"}
    kinds = {
        "statistics": "Statistics and vacuum",
        "indexes": "Indexes",
        "retention": "Retention",
        "cache": "Cache",
        "logs": "Logs",
        "updates": "Updates of the hosts",
        "deployments": "Releases of the applications",
    }
    return {
        WORK: Param(USUAL, type="string", title="A window by hand", enum=list(works_as), values_display=works_as),
        "reason": _text("Emergency, or a change in a window: why, and why now"),
        "critical": Param(False, type="boolean", title="Emergency: critical, at once; reviewed afterwards"),
        "change": _text("Emergency, or a window with Apply: the change a person makes", format="multiline"),
        "rollback": _text("How that change is taken back", format="multiline"),
        "duties": Param(
            [],
            type="array",
            title="Emergency, or beside a change in a window: duties to carry out",
            examples=list(kinds),
            values_display=kinds,
            items={"enum": list(kinds)},
        ),
        "review": Param(None, type=["null", "integer"], title="Review: number of the change", minimum=1),
        "review_note": _text("Review: what was looked at and found", format="multiline"),
    }


def _text(title: str, **more: Any) -> Param:
    from airflow.sdk import Param

    return Param("", type=["null", "string"], title=title, **more)
