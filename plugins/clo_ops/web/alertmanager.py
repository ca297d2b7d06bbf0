"""Where Alertmanager posts to: ``POST /clo-ops/alertmanager``, for who knows the shared secret.

Module-level imports on purpose: FastAPI reads the annotations of the endpoints when they are declared.
"""

import hmac
import logging
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime

from fastapi import APIRouter, HTTPException, Request
from fastapi.concurrency import run_in_threadpool

from clo_ops.escalation.alertmanager import NotUnderstood, receive, translate, understood
from clo_ops.escalation.desk import Desk
from clo_ops.findings import CloOpsError, ConfigurationError

log = logging.getLogger(__name__)
TOKEN = "CLO_OPS_ALERTMANAGER_TOKEN"  # noqa: S105 - the name of the variable
CONNECTION = "clo_alertmanager"
LARGEST_BYTES = 2 * 1024 * 1024
OpenDesk = Callable[[], AbstractContextManager[Desk]]


def token() -> str:
    """CLO_OPS_ALERTMANAGER_TOKEN, else the password of the Airflow connection clo_alertmanager; empty: neither."""
    from clo_ops.web.access import connection_of

    if given := os.environ.get(TOKEN):
        return given
    try:
        return connection_of(CONNECTION).password or ""
    except ConfigurationError:
        return ""


def router(open_desk: OpenDesk, secret: Callable[[], str] = token) -> APIRouter:
    """The route, for whoever mounts it. Nobody gets in where no secret is set."""
    routes = APIRouter()

    @routes.post("/alertmanager")
    async def alertmanager(request: Request) -> dict[str, int]:
        await run_in_threadpool(_let_in, request.headers.get("authorization", ""), secret)
        body = await _body(request)
        return await run_in_threadpool(_received, body, open_desk)

    return routes


def _let_in(authorization: str, secret: Callable[[], str]) -> None:
    wanted = secret()
    if not wanted:
        raise HTTPException(503, f"No secret is set: {TOKEN} or the connection {CONNECTION}.")
    scheme, _, given = authorization.partition(" ")
    right = hmac.compare_digest(given.strip().encode(), wanted.encode())
    if scheme.lower() != "bearer" or not right:
        raise HTTPException(401, "This needs the bearer token of CLO Ops.", headers={"WWW-Authenticate": "Bearer"})


async def _body(request: Request) -> bytes:
    """What was posted. A flood is refused before it is in memory."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_BYTES:
            raise HTTPException(413, f"At most {LARGEST_BYTES} bytes: group the alerts, or set max_alerts.")
    return bytes(body)


def _received(body: bytes, open_desk: OpenDesk) -> dict[str, int]:
    """Alertmanager tries again after a 5xx and never after a 4xx; both are chosen for that."""
    now = datetime.now(UTC)
    try:
        notification = understood(body)
        with open_desk() as desk:
            return receive(desk, translate(notification, desk.policy, now), now)
    except NotUnderstood as error:
        raise HTTPException(422, str(error)) from error
    except CloOpsError as error:
        log.warning("a notification of Alertmanager could not be taken: %s", error)
        raise HTTPException(503, str(error)) from error
