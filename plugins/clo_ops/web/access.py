"""Who may see and who may act: Airflow's own rights on the DAG incident_response; and no form of another site."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import requires_access_dag
from fastapi import HTTPException, Request, status

from clo_ops.orchestration.connections import Connections
from clo_ops.orchestration.incidents import desk
from clo_ops.orchestration.links import base_url
from clo_ops.policy import load_policy

if TYPE_CHECKING:
    from clo_ops.escalation.desk import Desk

DAG = "incident_response"
CLIENT = "clo_ops/web"
# Who may see the DAG's runs sees its incidents; who may answer its Required Actions may act on them here.
may_read = requires_access_dag("GET", DagAccessEntity.RUN, DAG)
may_act = requires_access_dag("PUT", DagAccessEntity.HITL_DETAIL, DAG)


def acts(request: Request, user: Any) -> bool:
    """Whether this user may act: the buttons are shown, and what they send is taken."""
    with suppress(HTTPException):
        may_act(request, user)
        return True
    return False


@contextmanager
def at_desk() -> Iterator[Desk]:
    """The incident desk for one request. Raises LedgerUnavailable, ConfigurationError."""
    policy = load_policy()
    with Connections(CLIENT, connection_of).ledger() as ledger:
        yield desk(ledger, policy)


def connection_of(conn_id: str) -> Any:
    """As the API server finds one: environment, secrets backends, Airflow's database. Raises ConfigurationError."""
    from airflow.models.connection import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException

    from clo_ops.findings import ConfigurationError

    try:
        return Connection.get_connection_from_secrets(conn_id)
    except AirflowNotFoundException as error:
        raise ConfigurationError(
            f"there is no Airflow connection {conn_id!r}",
            allowed="one that the API server can find",
            next_step=f"set AIRFLOW_CONN_{conn_id.upper()} or use 'airflow connections add' (docs/connect.md)",
        ) from error


def same_origin(request: Request) -> None:
    """A browser's form of another site is refused (403): the login's cookie alone would let it act.

    Browsers say where a form came from in Origin; who sends a token of the API in a header is no form.
    """
    if request.headers.get("authorization", "").lower().startswith("bearer "):
        return
    came_from = request.headers.get("origin") or request.headers.get("referer") or ""
    ours = {request.headers.get("host", ""), urlsplit(base_url()).netloc}
    if not came_from or urlsplit(came_from).netloc not in ours - {""}:
        raise HTTPException(status.HTTP_403_FORBIDDEN, "This form did not come from a page of this Airflow.")


def headers() -> dict[str, str]:
    """Nothing is loaded from elsewhere, nothing is kept, and no other site may show the page in a frame."""
    return {
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
        "frame-ancestors 'self'; base-uri 'none'",
        "Cache-Control": "no-store",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex",
    }


def prefix() -> str:
    """The path under which Airflow is served, where it is not the root."""
    return urlsplit(base_url()).path.rstrip("/")
