"""What reviews decided: seen by all who see incidents, added and ticked off by who may act.

Module-level imports on purpose: FastAPI reads the annotations of the endpoints when they are declared.
"""

from datetime import UTC, date, datetime, time
from typing import Annotated

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from clo_ops.escalation import overdue_actions
from clo_ops.orchestration.links import PAGES
from clo_ops.web import pages
from clo_ops.web.access import acts, at_desk, may_act, may_read, prefix, same_origin

routes = APIRouter()
ACTS = [Depends(may_act), Depends(same_origin)]
Words = Annotated[str, Form(max_length=200)]


@routes.get("/actions", dependencies=[Depends(may_read)])
def actions(request: Request, user: GetUserDep) -> HTMLResponse:
    with at_desk() as desk:
        return pages.actions(desk, user.get_name(), acts=acts(request, user))


@routes.post("/actions/{action}/done", dependencies=ACTS)
def done(action: int, user: GetUserDep) -> RedirectResponse:
    with at_desk() as desk:
        finished = overdue_actions.finish(desk, action, user.get_name(), datetime.now(UTC))
    return _back(finished.incident_id)


@routes.post("/incidents/{number}/actions", dependencies=ACTS)
def promise(
    number: int, title: Words, owner: Words, due: Annotated[date, Form()], user: GetUserDep
) -> RedirectResponse:
    """A new one; the same words again give it another owner and date."""
    now = datetime.now(UTC)
    until = datetime.combine(due, time.max, tzinfo=UTC).replace(microsecond=0)
    if not title.strip() or not owner.strip() or until < now:
        raise HTTPException(422, "An action says what is to be done, who does it, and by which day from today on.")
    with at_desk() as desk:
        overdue_actions.promise(desk, number, title.strip(), owner.strip(), until, by=user.get_name(), now=now)
    return _back(number)


def _back(incident: int) -> RedirectResponse:
    return RedirectResponse(f"{prefix()}{PAGES}/incidents/{incident}#actions", status_code=303)
