"""The pages of operations and incidents: seen with Airflow's right to read, acted on with its right to act; one link
without a login.

Module-level imports on purpose: FastAPI reads the annotations of the endpoints when they are declared.
"""

import logging
from datetime import UTC, datetime
from typing import Annotated

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import Depends, FastAPI, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from clo_ops.escalation.desk import Desk
from clo_ops.findings import CloOpsError, Severity
from clo_ops.ledger.errors import LedgerConflict
from clo_ops.orchestration.links import PAGES, LinkRefused, Taking, secret, verify
from clo_ops.policy import load_policy
from clo_ops.web import actions, alertmanager, pages
from clo_ops.web.access import acts, at_desk, may_act, may_read, prefix, same_origin

log = logging.getLogger(__name__)
app = FastAPI(title="CLO Ops", docs_url=None, redoc_url=None, openapi_url=None)
READS = [Depends(may_read)]
ACTS = [Depends(may_act), Depends(same_origin)]
Text = Annotated[str, Form(max_length=pages.LONGEST)]
app.include_router(alertmanager.router(at_desk))
app.include_router(actions.routes)


@app.exception_handler(CloOpsError)
def refused(request: Request, error: CloOpsError) -> HTMLResponse:
    """Our own errors as a sentence; they carry no secrets."""
    log.warning("%s %s: %s", request.method, request.url.path.split("/take/")[0], error)
    code = 404 if isinstance(error, LedgerConflict) else 410 if isinstance(error, LinkRefused) else 503
    return pages.said("This did not work", str(error), link="incidents", status_code=code)


@app.get("/", dependencies=READS)
@app.get("/operations", dependencies=READS)
def operations(user: GetUserDep) -> HTMLResponse:
    with at_desk() as desk:
        return pages.operations(desk, user.get_name())


@app.get("/incidents", dependencies=READS)
def incidents(user: GetUserDep) -> HTMLResponse:
    with at_desk() as desk:
        return pages.incidents(desk, user.get_name())


@app.get("/incidents/{number}", dependencies=READS)
def incident(number: int, request: Request, user: GetUserDep) -> HTMLResponse:
    with at_desk() as desk:
        return pages.incident(desk, number, user.get_name(), acts=acts(request, user))


@app.post("/incidents/{number}/take", dependencies=ACTS)
def take(number: int, user: GetUserDep) -> RedirectResponse:
    with at_desk() as desk:
        desk.acknowledge(number, user.get_name(), datetime.now(UTC))
    return _back(number)


@app.post("/incidents/{number}/update", dependencies=ACTS)
def update(number: int, text: Text, user: GetUserDep) -> RedirectResponse:
    with at_desk() as desk:
        desk.update(number, user.get_name(), _something(text), datetime.now(UTC))
    return _back(number)


@app.post("/incidents/{number}/note", dependencies=ACTS)
def note(number: int, text: Text, user: GetUserDep) -> RedirectResponse:
    with at_desk() as desk:
        desk.note(desk.ledger.incident(number).id, user.get_name(), _something(text), datetime.now(UTC))
    return _back(number)


@app.post("/incidents/{number}/severity", dependencies=ACTS)
def severity(number: int, severity: Annotated[Severity, Form()], text: Text, user: GetUserDep) -> RedirectResponse:
    with at_desk() as desk:
        desk.change_severity(number, severity, user.get_name(), _something(text), datetime.now(UTC))
    return _back(number)


@app.post("/incidents/{number}/restored", dependencies=ACTS)
def restored(number: int, text: Text, user: GetUserDep) -> RedirectResponse:
    with at_desk() as desk:
        desk.mitigate(number, user.get_name(), _something(text), datetime.now(UTC))
    return _back(number)


@app.post("/incidents/{number}/resolve", dependencies=ACTS)
def resolve(number: int, text: Text, user: GetUserDep) -> RedirectResponse:
    with at_desk() as desk:
        desk.resolve(number, user.get_name(), _something(text), datetime.now(UTC))
    return _back(number)


@app.get("/take/{token}")
def link_opened(token: str) -> HTMLResponse:
    """Changes nothing: scanners of mail open every link."""
    taking = verify(token, secret(), datetime.now(UTC))
    with at_desk() as desk:
        row = desk.ledger.incident(taking.incident)
        if taking.step in desk.ledger.steps_told(row.id):
            raise _used(taking)
        return pages.take(taking, {name: _known_as(name) for name in taking.people}, row, token)


@app.post("/take/{token}")
def link_used(token: str, person: Annotated[str, Form()] = "") -> HTMLResponse:
    """Takes the incident for one of those the message went to, once. No login: who has the mail has the link."""
    now = datetime.now(UTC)
    taking = verify(token, secret(), now)
    with at_desk() as desk:
        taken_by = _take_once(desk, taking, _one_of(taking, person), now)
    text = f"Incident {taking.incident} is taken by {taken_by}. The next status update is asked for in good time."
    return pages.said("Taken", text, link=f"incidents/{taking.incident}")


def _take_once(desk: Desk, taking: Taking, name: str, now: datetime) -> str:
    """The use of the link and the taking are kept together. Raises LinkRefused for a second use."""
    person = _known_as(name)
    with desk.ledger.transaction():
        if not desk.ledger.mark_step_told(taking.incident, taking.step, now, f"{person} used the link in the mail"):
            raise _used(taking)
        return desk.acknowledge(taking.incident, person, now).acknowledged_by or person


def _used(taking: Taking) -> LinkRefused:
    return LinkRefused(f"this link for incident {taking.incident} was used", next_step="open the incident in Airflow")


def _one_of(taking: Taking, person: str) -> str:
    """Who presses the button; only somebody the message went to. Who was its only reader need not say."""
    if not person and len(taking.people) == 1:
        return taking.people[0]
    if person not in taking.people:
        raise HTTPException(422, "Say who you are, of those the message went to: open the link and press your button.")
    return person


def _known_as(name: str) -> str:
    known = load_policy().contacts.people.get(name)
    return known.name if known else name


def _something(text: str) -> str:
    if not text.strip():
        raise HTTPException(422, "Say why: everybody reads it, and the timeline keeps it.")
    return text.strip()


def _back(number: int) -> RedirectResponse:
    return RedirectResponse(f"{prefix()}{PAGES}/incidents/{number}", status_code=303)
