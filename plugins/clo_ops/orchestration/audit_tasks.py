"""The form and the steps of the security audit that are no procedures: the list for disabling and its approval, and the
questions of an access review."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import BaseOperator, Param
from airflow.sdk.exceptions import AirflowSkipException

from clo_ops.findings import CheckFailed, ConfigurationError
from clo_ops.findings.audit_items import ACTIONS
from clo_ops.orchestration import access_review
from clo_ops.orchestration.inactive_accounts import FIELD, ask_approval
from clo_ops.orchestration.procedure import BOUNDS, open_run
from clo_ops.orchestration.questions import Question
from clo_ops.orchestration.window_tasks import ApprovalOperator, assigned, code, user_of, who
from clo_ops.policy import policy_at_parse

if TYPE_CHECKING:
    from airflow.sdk import Context

    from clo_ops.findings.audit_items import Item
    from clo_ops.orchestration.run import Run

__all__ = ["LIST_PAGE", "ApprovalOperator", "ListOperator", "ReviewOperator", "form", "reviews"]

LIST_PAGE = """### Which accounts are to be disabled?

Puts the inactive accounts on record as a list and asks for its approval; skipped where nobody wants them disabled.
Red means: the list is longer than policy allows, nobody asked could answer, or the connection that disables is
missing. Nothing is changed here."""

REVIEW_PAGE = """### Does everybody on the list keep their access?

Puts the list of M1-01 before this reviewer in Required Actions and waits without a worker. The answer bears the list's
SHA-256; who is on the list does not answer for it. Skipped where nothing is open. Red means: nobody answered by the
date; that is on record as late, and nobody's access was changed."""
# Lines of a list that are shown with the question; all of them are in the evidence.
SHOWN = 150
A_LITTLE = timedelta(minutes=2)


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


# ---------------------------------------------------------------- access reviews


def reviews() -> list[ReviewOperator]:
    """One question for each reviewer of the policy. Each answer is a try: somebody who may not may click again."""
    terms = policy_at_parse().audit.review
    asking = {**BOUNDS, "retries": 10, "doc_md": REVIEW_PAGE, "response_timeout": terms.answer_within}
    return [
        ReviewOperator(task_id=f"review_by_{one.lower().replace(' ', '_')}", reviewer=one, **asking)
        for one in terms.reviewers
    ]


class ReviewOperator(Question):
    """Asks those who may answer for ``reviewer``; skipped where no review of theirs is open.

    Raises AnswerRefused, so that it is asked again, for an answer that cannot stand; ConfigurationError where everybody
    who might answer is on the list; CheckFailed where nobody answered by the date.
    """

    def __init__(self, *, reviewer: str, **kwargs: Any) -> None:
        fields = {
            "list": Param("", type="string", title="The list this answer is about (SHA-256); leave as it is"),
            "revoke": _text(
                "Whose access is to be revoked: names of the list, separated by commas", format="multiline"
            ),
            "note": _text("Note", format="multiline"),
        }
        options = [access_review.KEEP, access_review.REVOKE]
        super().__init__(subject="to be rendered when it is asked", options=options, fields=fields, **kwargs)
        self.reviewer = reviewer

    def ask(self, context: Mapping[str, Any]) -> str | None:
        with open_run(context, self.task_id) as run:
            item = access_review.open_items(run).get(self.reviewer) if access_review.is_review(run) else None
            if item is None:
                raise AirflowSkipException(f"no review of {self.reviewer} is open in this run")
            self._put(run, item)
        self.wait(context)
        return None

    def _put(self, run: Run, item: Item) -> None:
        rows = access_review.rows_of(run, item)
        users = access_review.may_answer(run, item, rows)
        if not users:
            raise ConfigurationError(
                f"everybody who may answer for {self.reviewer} is on the list itself",
                allowed="a user of Airflow in audit.yaml, review.reviewers, whose own access is not asked about",
                next_step="add one and clear this task; until then the review is open, and late after its date",
            )
        self.subject, self.body = f"{item.title}: do they keep it? By {item.due_at:%Y-%m-%d}"[:250], story(item, rows)
        self.params["list"] = item.detail
        self.assigned_users = assigned(users)
        now, terms = datetime.now(UTC), run.policy.audit.review
        # A late review waits its whole time again: it stays late meanwhile.
        self.response_timeout = item.due_at - now + A_LITTLE if item.due_at > now else terms.answer_within

    def execute_complete(self, context: Mapping[str, Any], event: Mapping[str, Any]) -> str:
        if "error" in event:
            raise CheckFailed(
                f"nobody answered for {self.reviewer}",
                allowed="every list answered by its date",
                next_step="start the page by hand with the cadence Access review; it asks again",
            )
        said = super().execute_complete(cast("Context", context), dict(event))
        with open_run(context, self.task_id) as run:
            option, fields = said["chosen_options"][0], said["params_input"] or {}
            return access_review.answer(run, self.reviewer, option, who(said), fields, known_as=user_of(said))


def story(item: Item, rows: Sequence[Mapping[str, str]]) -> str:
    """The list as Markdown; what came from outside is shown as it is written."""
    lines = [", ".join(f"{name} {code(value)}" for name, value in row.items() if value) for row in rows[:SHOWN]]
    more = [f"- and {len(rows) - SHOWN} more lines, in the evidence"] if len(rows) > SHOWN else []
    shown = "\n".join([*(f"- {one}" for one in lines), *more])
    asked = f"**{code(item.title)}.** Keep all, or name those whose access is to be revoked; nothing is changed by it."
    return f"{asked}\n\n{shown}\n\nList, SHA-256 `{item.detail}`; evidence of M1-01"
