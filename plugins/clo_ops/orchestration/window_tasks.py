"""The steps of the page ``maintenance`` that are no procedures: what is planned, who approves it, what a person did.

Approval is a Required Action of Airflow: who clicked is who approved. Silence decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import BaseOperator, Param
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowSkipException

from clo_ops.findings import ConfigurationError, CouldNotCheck
from clo_ops.findings.plans import Effect, Outcome, Plan
from clo_ops.ledger import LedgerConflict
from clo_ops.orchestration import notices
from clo_ops.orchestration.authorisation import (
    approval_of,
    ask,
    by_hand,
    changes,
    may_approve,
    works,
)
from clo_ops.orchestration.escalate import run_link
from clo_ops.orchestration.occasion import is_emergency, occasion
from clo_ops.orchestration.procedure import open_run
from clo_ops.orchestration.questions import AnswerRefused, Question
from clo_ops.orchestration.windows import RED
from clo_ops.rules.maintenance import expected_time

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.execution_time.hitl import HITLUser

    from clo_ops.ledger import ApprovalRow
    from clo_ops.orchestration.run import Run
    from clo_ops.rules.windows_planned import Occasion

APPROVE, REFUSE = "Approve", "Refuse"
MADE, BACK, NOT_MADE = "Made", "Rolled back", "Not made"
# The longest an approval or a change by hand is waited for; an emergency's window ends earlier by its own terms.
PATIENCE = timedelta(hours=4)
OF_CHANGE = {MADE: Outcome.APPLIED, BACK: Outcome.FAILED, NOT_MADE: Outcome.SKIPPED}
PLANNED_PAGE = """### What is planned

Makes the plans of an emergency, or of a window on a day that needs an approval, and asks for it; nothing is changed.
A critical change is let through at once and told at once. Red means: the form says too little, or nobody answered."""
APPROVED_PAGE = """### Who approves it?

Somebody of the policy's `approvals` says so in Required Actions, and never the one who asked. The approval holds for
the plans named by their hashes; what is not in them is not done. Nobody answering approves nothing."""
CHANGE_PAGE = """### What became of the change made by hand?

Make it now, then say here whether it was made, rolled back, or not made, with a note. Skipped where there is none."""


class PlanOperator(BaseOperator):
    """Plans what needs an approval and asks for it. Raises ConfigurationError where the form says too little."""

    ui_color = "#f7efd6"

    def execute(self, context: Mapping[str, Any]) -> str:
        with open_run(context, self.task_id) as run:
            if not works(run):
                raise AirflowSkipException("this run is of reviews and notices")
            asked = ask(run, datetime.now(UTC))
        if asked is None:
            return "nobody needs to approve it"
        self.log.info("change %s, %s: %s", asked.id, asked.kind, asked.hash)
        return f"change {asked.id}: {asked.kind}, {asked.authority}, work {asked.hash}"


class ApprovalOperator(Question):
    """Asks those who may approve; skipped where nobody has to.

    Raises CouldNotCheck, so that it is asked again, where the one who clicked may not approve it.
    """

    def __init__(self, **kwargs: Any) -> None:
        note = Param("", type=["null", "string"], title="Note", format="multiline")
        texts = {"subject": "to be rendered when it is asked", "response_timeout": PATIENCE, "fields": {"note": note}}
        super().__init__(options=[APPROVE, REFUSE], doc_md=APPROVED_PAGE, **{**texts, **kwargs})

    def ask(self, context: Mapping[str, Any]) -> str | None:
        with open_run(context, self.task_id) as run:
            approval = approval_of(run)
            if approval is None or (approval.decision and approval.kind != "prior"):
                raise AirflowSkipException("nobody needs to approve it")
            if approval.decision:  # the try that was answered is lost to Airflow, the answer is not
                return f"{approval.decision} by {approval.decided_by}"
            self.subject = f"Change {approval.id}: {approval.authority} approves? {approval.reason}"[:250]
            self.body = story(run, approval)
            self.assigned_users = assigned(may_approve(run, approval))
            if not is_emergency(run) and (mine := occasion(run)):
                self.response_timeout = max(mine.ends - datetime.now(UTC), timedelta(minutes=1))
        self.wait(context)
        return None

    def execute_complete(self, context: Mapping[str, Any], event: Mapping[str, Any]) -> str:
        if "error" in event:
            return "nobody answered"
        answer = super().execute_complete(cast("Context", context), dict(event))
        with open_run(context, self.task_id) as run:
            _of_this_question(run, event)
            note = str((answer["params_input"] or {}).get("note") or "")
            return decide(run, answer["chosen_options"][0], who(answer), note, known_as=user_of(answer))


def _of_this_question(run: Run, event: Mapping[str, Any]) -> None:
    """Raises AnswerRefused for a click from before it was asked: it was for an approval that has run out since."""
    approval, clicked = approval_of(run), event.get("responded_at")
    clicked = datetime.fromisoformat(clicked) if isinstance(clicked, str) else clicked
    if approval and clicked and not approval.decision and clicked < approval.asked_at:
        raise AnswerRefused(
            f"the answer of {clicked:%Y-%m-%d %H:%M} UTC was for an earlier question",
            allowed=f"an answer to change {approval.id}, asked at {approval.asked_at:%Y-%m-%d %H:%M} UTC",
            next_step="it is asked again",
        )


def assigned(users: list[str]) -> list[HITLUser] | None:
    """Whom Airflow itself lets answer. It goes by ids, and only its simple auth manager's are the users' names.

    Elsewhere everybody with the right may click, and the task refuses who may not decide. Raises ConfigurationError
    where nobody is left to ask.
    """
    if not users:
        raise ConfigurationError(
            "nobody may approve this change but the one who asks for it",
            allowed="another user of Airflow in maintenance.yaml, approvals",
            next_step="add one, or have somebody else ask for it; nothing was started",
        )
    simple = conf.get("core", "auth_manager").endswith(".SimpleAuthManager")
    return [{"id": user, "name": user} for user in users] if simple else None


def user_of(answer: Mapping[str, Any]) -> tuple[str, ...]:
    """The user of Airflow who clicked, by name and by id; Airflow itself says so, the form cannot."""
    user = answer.get("responded_by_user") or {}
    return tuple(str(user[one]) for one in ("name", "id") if user.get(one))


def who(answer: Mapping[str, Any]) -> str:
    """The one word by which the user who clicked is on record."""
    return next(iter(user_of(answer)), "")


def decide(run: Run, option: str, by: str, note: str, *, known_as: Sequence[str] = ()) -> str:
    """Puts the decision on record. Raises CouldNotCheck, so that it is asked again, where ``by`` may not decide it.

    ``known_as`` are all words for the same user: none of them may be who asked, one of them has to be allowed. On
    record is the one the policy has.
    """
    approval = approval_of(run)
    if approval is None:
        raise AnswerRefused("there is nothing to approve on record")
    names = dict.fromkeys([by, *known_as])
    entitled = [one for one in names if one in may_approve(run, approval)]
    if approval.requester in names or not entitled:
        raise AnswerRefused(
            f"{by or 'nobody known'} answered, and may not decide what {approval.requester} asked for",
            allowed=f"one of {', '.join(may_approve(run, approval)) or 'nobody'} (maintenance.yaml, approvals)",
            next_step="it is asked again; somebody else answers",
        )
    if approval.decision:
        return f"{approval.decision} by {approval.decided_by} already"
    decision = "approved" if option == APPROVE else "refused"
    try:
        row = run.ledger.decide(approval.id, decision, entitled[0], datetime.now(UTC), note)
    except LedgerConflict as error:
        raise CouldNotCheck(str(error)) from error
    return f"{row.decision} by {row.decided_by}"


def story(run: Run, approval: ApprovalRow) -> str:
    """What would be done, as Markdown; what came from outside is shown as it is written."""
    from clo_ops.ledger.records import work_of

    lines = [f"**{code(approval.requester)} asks:** {code(approval.reason)}", ""]
    for plan in work_of(run.ledger.plans_of(run.ledger_run)):
        steps = [one.step for one in plan.steps]
        if steps:
            lines += [f"**{plan.kind}**, {expected_time(steps)}, plan `{plan.hash[:12]}`", ""]
            lines += [f"- {code(step.statement)}: {code(step.why)}" for step in steps] + [""]
    back = str(run.params.get("rollback") or "").strip()
    lines += [f"**Taken back by:** {code(back)}", ""] if back else []
    return "\n".join([*lines, f"Work `{approval.hash}`. [The run]({run_link(run.dag_id, run.run_id)})"])


def code(text: str) -> str:
    return f"`{' '.join(text.split()).replace('`', chr(39))}`" if text.strip() else "(nothing)"


def _already_said(run: Run, change: Plan) -> str:
    """What a person said of the change in a try that is lost to Airflow; empty while nobody did."""
    key = change.steps[0].key
    steps = [one for row in run.ledger.plans_of(run.ledger_run) for one in row.steps if one.step.key == key]
    return next((one.effect.reason for one in steps if one.effect), "")


def _in_order(run: Run) -> None:
    """Raises AirflowSkipException while MW-04 is red, or nobody looked."""
    ready = [one for one in run.ledger.findings(run.ledger_run) if one.procedure == "MW-04"]
    if not ready or any(one.status in RED for one in ready):
        raise AirflowSkipException("what stands before a change is not in order: it is not to be made")


def _in_time(run: Run) -> Occasion:
    """The stretch of time the change may be made in. Raises AirflowSkipException where it is over: a backup before it
    may have taken as long as the approval held."""
    mine = occasion(run)
    if mine is None or not mine.covers(datetime.now(UTC)):
        raise AirflowSkipException(f"the time for it is over ({mine or 'no window'}): it is not to be made")
    return mine


class ChangeOperator(Question):
    """Waits for the person who makes the change by hand to say what became of it; skipped where there is none."""

    def __init__(self, **kwargs: Any) -> None:
        note = Param("", type=["null", "string"], title="Note: what was done and seen", format="multiline")
        texts = {"subject": "to be rendered when it is asked", "response_timeout": PATIENCE, "fields": {"note": note}}
        super().__init__(options=[MADE, BACK, NOT_MADE], doc_md=CHANGE_PAGE, **{**texts, **kwargs})

    def ask(self, context: Mapping[str, Any]) -> str | None:
        with open_run(context, self.task_id) as run:
            change = by_hand(run)
            if change is None or not changes(run):
                raise AirflowSkipException("there is no change to be made by hand")
            _in_order(run)
            if said := _already_said(run, change):
                return said
            mine = _in_time(run)
            run.ledger.step_started(
                run.ledger.keep_plan(run.ledger_run, change), change.steps[0].key, datetime.now(UTC)
            )
            notices.tell(run, mine, "start")
            self.subject = f"Make the change now: {change.steps[0].statement}"[:250]
            self.body = f"{code(change.steps[0].statement)}\n\nTaken back by: {code(str(run.params.get('rollback')))}"
            self.response_timeout = max(mine.ends - datetime.now(UTC), timedelta(minutes=1))
        self.wait(context)
        return None

    def execute_complete(self, context: Mapping[str, Any], event: Mapping[str, Any]) -> str:
        if "error" in event:
            return "nobody said what became of it"
        answer = super().execute_complete(cast("Context", context), dict(event))
        option, note = str(answer["chosen_options"][0]), (answer["params_input"] or {}).get("note") or ""
        with open_run(context, self.task_id) as run:
            change, now = by_hand(run), datetime.now(UTC)
            if change is None:
                return option
            number, key = run.ledger.keep_plan(run.ledger_run, change), change.steps[0].key
            begun = next(
                one.started_at
                for row in run.ledger.plans_of(run.ledger_run)
                for one in row.steps
                if one.step.key == key
            )
            seconds = (now - begun).total_seconds() if begun else 0.0
            said = f"{option} by {who(answer)}" + (f": {note}" if note else "")
            if key not in run.ledger.applied_steps(number):
                run.ledger.step_ended(number, key, Effect(OF_CHANGE[option], said, seconds), now)
                run.ledger.plan_ended(number, "ended", now)
        return said
