"""The form and the steps of the security audit that are no procedures: the list for disabling, and its approval."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, Param
from airflow.sdk.exceptions import AirflowSkipException

from clo_ops.findings.audit_items import ACTIONS
from clo_ops.orchestration.inactive_accounts import FIELD, ask_approval
from clo_ops.orchestration.procedure import open_run
from clo_ops.orchestration.window_tasks import ApprovalOperator

if TYPE_CHECKING:
    from clo_ops.orchestration.run import Run

__all__ = ["LIST_PAGE", "ApprovalOperator", "ListOperator", "form"]

LIST_PAGE = """### Which accounts are to be disabled?

Puts the inactive accounts on record as a list and asks for its approval; skipped where nobody wants them disabled.
Red means: the list is longer than policy allows, nobody asked could answer, or the connection that disables is
missing. Nothing is changed here."""


def form() -> dict[str, Param]:
    """The fields of a run by hand; a run on schedule takes them as they stand here."""
    kinds, day = [None, *ACTIONS], {"format": "date"}
    return {
        FIELD: Param(False, type="boolean", title="Ask for the approval to disable the accounts nobody uses"),
        "item": Param(None, type=["null", "integer"], title="Register: number of an open item", minimum=1),
        "item_note": _text("Register: what was done, and where the evidence is; closes the item", format="multiline"),
        "item_owner": _text("Register: another owner of the item"),
        "item_due": _text("Register: another date of the item, instead of closing it", **day),
        "action_title": _text("New action: what is to be done"),
        "action_kind": Param(None, type=["null", "string"], title="New action: its kind", enum=kinds),
        "action_owner": _text("New action: who"),
        "action_due": _text("New action: by which day", **day),
    }


def _text(title: str, **more: Any) -> Param:
    return Param(None, type=["null", "string"], title=title, **more)


class ListOperator(BaseOperator):
    """Asks for the approval of the list. See ``inactive_accounts.ask_approval`` for what it raises."""

    ui_color = "#f7efd6"

    def execute(self, context: Mapping[str, Any]) -> str:
        with open_run(context, self.task_id) as run:
            return listed(run)


def listed(run: Run) -> str:
    """What was asked. Raises AirflowSkipException where there is nothing to ask."""
    asked = ask_approval(run, datetime.now(UTC))
    if asked is None:
        raise AirflowSkipException("nobody is asked to approve anything")
    return f"change {asked.id}: {asked.authority}, list {asked.plans[0][:12]}"
