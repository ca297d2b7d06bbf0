"""The steps of incident_response in which people are asked and awaited.

A person may act here (Airflow's Required Actions), on the incident's page or by the link in the mail. Whoever comes
first counts, wherever he is: a question that was settled elsewhere ends by itself. Silence decides nothing.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import BaseOperator, Param
from airflow.sdk.execution_time.hitl import upsert_hitl_detail

from clo_ops.findings import CheckFailed, CouldNotCheck, Severity
from clo_ops.orchestration.incidents import desk
from clo_ops.orchestration.links import AirflowLinks
from clo_ops.orchestration.procedure import BOUNDS, open_run
from clo_ops.orchestration.questions import Question
from clo_ops.orchestration.response import of_run
from clo_ops.orchestration.until import NOBODY, Until, reached

if TYPE_CHECKING:
    from airflow.sdk import Context

    from clo_ops.escalation.desk import Desk
    from clo_ops.ledger import IncidentRow
    from clo_ops.orchestration.run import Run

log = logging.getLogger(__name__)
UNCHANGED = "unchanged"
TAKE = "I take it"
NONE_LEFT = "no incident is left for this run"
RESTORED, RESOLVED, NOTHING = "Service restored", "Resolved", "Not an incident"
# A little less than the run itself may take, so that a question ends by itself and not with the run.
PATIENCE = timedelta(days=13)
# Together within the task's own time limit.
ACT_TRIES, ACT_AGAIN = 8, timedelta(seconds=10)

ASK_PAGES = {
    "taken": """### Who takes it?

A person says so here, on the incident's page, or by the link in the mail; that stops the ladders. It ends by itself
when somebody took it elsewhere or the incident is over. Nobody answering decides nothing: the ladders go on.""",
    "restored": """### Is service restored?

A person says so, with a note: the resolution clock stops. Resolved and Not an incident close it at once.""",
    "over": """### Is it over?

A person closes it, with what was wrong and what was done; everybody who was told hears of it.""",
}
STABLE_PAGE = """### Is it quiet?

Waits, without a worker, until the incident is closed and the policy's time has passed since. Red means: it was still
open when the run could wait no longer."""


# A question is worth more tries than a check: nobody else asks it, and each may be lost to a restart.
PERSISTENT = {**BOUNDS, "retries": 9}


def questions() -> list[PersonOperator]:
    """One is put after the other, whether that one was answered or broke off: the incident's page and the link in the
    mail still work then, and the wait goes on.
    """
    stages = {"who_takes_it": "taken", "service_restored": "restored", "is_it_over": "over"}
    return [PersonOperator(task_id=task_id, stage=stage, **PERSISTENT) for task_id, stage in stages.items()]


class PersonOperator(Question):
    """Asks a person in Required Actions until the run's incident has reached ``stage``.

    The answer of Required Actions resumes the task; so does our trigger, when the same was said elsewhere. Without an
    answer nothing is done. A try that dies takes no answer with it: the next one looks for it before it asks anew.
    Raises LedgerUnavailable, a CouldNotCheck: then it is tried again.
    """

    def __init__(self, *, stage: str, **kwargs: Any) -> None:
        texts = {"subject": "to be rendered when it is asked", "response_timeout": PATIENCE, "fields": _fields(stage)}
        super().__init__(options=_options(stage), doc_md=ASK_PAGES[stage], **{**texts, **kwargs})
        self.stage = stage

    def ask(self, context: Mapping[str, Any]) -> str:
        now = datetime.now(UTC)
        with open_run(context, self.task_id) as run:
            mine = of_run(run)
            if mine is None or reached(self.stage, mine, now):
                return f"{self.stage} already" if mine else NONE_LEFT
            body = _story(desk(run.ledger, run.policy).story(mine), mine, AirflowLinks(run.policy).incident(mine.id))
        upsert_hitl_detail(
            ti_id=context["task_instance"].id,
            options=self.options,
            subject=f"Incident {mine.id}: {mine.severity} {mine.title}"[:250],
            body=body,
            multiple=False,
            params=self.serialized_params,
        )
        until = (now + PATIENCE).isoformat()
        # Deferred, not parked: a task parked for input ends by an answer only, and an incident may end by itself.
        settled = Until(context["dag_run"].run_id, self.stage, until, str(context["task_instance"].id))
        self.defer(trigger=settled, method_name="execute_complete")
        raise AssertionError("a deferred task does not go on")

    def execute_complete(self, context: Mapping[str, Any], event: Mapping[str, Any]) -> str:
        if said := event.get("clo_ops"):
            return str(said)
        answer = super().execute_complete(cast("Context", context), dict(event.get("answer") or event))
        if not _until_done(lambda: self._act(context, answer)):
            return self.ask(context)
        return f"{answer['chosen_options'][0]} ({_who(answer)})"

    def _act(self, context: Mapping[str, Any], answer: Mapping[str, Any]) -> bool:
        with open_run(context, self.task_id) as run:
            return act(run, self.stage, answer)


def _until_done(act: Callable[[], bool], pause: timedelta = ACT_AGAIN) -> bool:
    """What ``act`` says, once the ledger takes it: a person's answer does not wait for the next try of the task.

    Raises CouldNotCheck where the ledger stays away for all tries.
    """
    for left in reversed(range(ACT_TRIES)):
        try:
            return act()
        except CouldNotCheck:
            if not left:
                raise
            log.warning("the answer could not be acted on; again in %s", pause, exc_info=True)
            time.sleep(pause.total_seconds())
    raise AssertionError("the last try returns or raises")


class StableOperator(BaseOperator):
    """Waits until the run's incident is closed and has been quiet. Raises CheckFailed when it never was."""

    ui_color = "#efe3f6"

    def execute(self, context: Mapping[str, Any]) -> str:
        run_id, now = context["dag_run"].run_id, datetime.now(UTC)
        with open_run(context, self.task_id) as run:
            if reached("stable", of_run(run), now):
                return "stable already"
        self.defer(trigger=Until(run_id, "stable", (now + PATIENCE).isoformat()), method_name="execute_complete")
        raise AssertionError("a deferred task does not go on")

    def execute_complete(self, context: Mapping[str, Any], event: Mapping[str, Any]) -> str:
        if event["clo_ops"] == NOBODY:
            raise CheckFailed(f"the incident is open after {PATIENCE.days} days", "closed by a person")
        return str(event["clo_ops"])


def _options(stage: str) -> list[str]:
    return {"taken": [TAKE], "restored": [RESTORED, RESOLVED, NOTHING], "over": [RESOLVED, NOTHING]}[stage]


def _fields(stage: str) -> dict[str, Param]:
    levels = [UNCHANGED, *(one.value for one in Severity)]
    severity = Param(UNCHANGED, type="string", title="Severity; a change needs its reason in the note", enum=levels)
    note = Param("", type=["null", "string"], title="Note: what was found, what was done", format="multiline")
    return {"note": note, "severity": severity} if stage != "over" else {"note": note}


def _who(answer: Mapping[str, Any]) -> str:
    user = answer.get("responded_by_user") or {}
    return str(user.get("name") or user.get("id") or "a user of Airflow")


def act(run: Run, stage: str, answer: Mapping[str, Any]) -> bool:
    """Do what the person chose for the run's incident, once; False where this very answer was acted on before.

    An incident that is over, or in the hands of another run, is left as it is.
    """
    at_desk, now, said = desk(run.ledger, run.policy), datetime.now(UTC), answer["params_input"] or {}
    option, by, note = answer["chosen_options"][0], _who(answer), (said.get("note") or "").strip()
    step = f"answer of {by} about {stage} at {answer['responded_at']}"
    with run.ledger.transaction():
        one = of_run(run)
        if one is None:
            return True
        if not run.ledger.mark_step_told(one.id, step, now, f"{by} answered in Required Actions: {option}"):
            return False
        if one.open:
            _severity(at_desk, one, str(said.get("severity") or UNCHANGED), by, note, now)
            _choose(at_desk, one, option, by, note, now)
    return True


def _severity(at_desk: Desk, one: IncidentRow, wanted: str, by: str, note: str, now: datetime) -> None:  # noqa: PLR0917
    if wanted in (UNCHANGED, one.severity.value):
        return
    if not note:
        at_desk.note(one.id, by, f"asked for severity {wanted} without a reason: it stays {one.severity}", now)
        return
    at_desk.change_severity(one.id, Severity(wanted), by, note, now)


def _choose(at_desk: Desk, one: IncidentRow, option: str, by: str, note: str, now: datetime) -> None:  # noqa: PLR0917
    if option == TAKE:
        at_desk.acknowledge(one.id, by, now)
        if note:
            at_desk.note(one.id, by, note, now)
    elif option == RESTORED:
        at_desk.mitigate(one.id, by, note or option, now)
    else:
        at_desk.resolve(one.id, by, f"{option}: {note}" if note else option, now)


def _story(seen: str, incident: IncidentRow, link: str) -> str:
    """The incident as Markdown; what came from outside is shown as it is written."""
    lines = "\n".join(f"- {_plain(line)}" for line in seen.splitlines())
    due = f"{incident.response_due_at:%Y-%m-%d %H:%M} UTC" if incident.response_due_at else "no set time"
    head = f"**{incident.severity} incident {incident.id}: {_plain(incident.title)}**, to be answered by {due}"
    return f"{head}\n\n{lines}\n\n[The incident's page]({link})"


def _plain(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]()#+!|<>~-])", r"\\\1", text)
