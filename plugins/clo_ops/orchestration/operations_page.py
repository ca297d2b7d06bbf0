"""RP-05: the operations page can be put together from what is on record, and the API server serves it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from clo_ops.findings import Finding
from clo_ops.orchestration.links import PAGES
from clo_ops.rules import operations_page as rules

if TYPE_CHECKING:
    from clo_ops.orchestration.run import Run

PATH = f"{PAGES}/operations"


def operations_page(run: Run) -> list[Finding]:
    """The page inside Airflow: each part has figures on record, and it is served to nobody without a login."""
    from clo_ops.reports.operations_page import LOOK_BACK, assemble
    from clo_ops.reports.templates import render

    page = assemble(run.ledger, run.policy, datetime.now(UTC))
    shown = render("operations.html", title="Operations", page=page, user="the record", root=PAGES)
    run.attach("operations-page.html", shown.encode(), "text/html")
    return [*rules.judge(page.parts, run.policy, looked_back=LOOK_BACK), *_served(run)]


def _served(run: Run) -> list[Finding]:
    from clo_ops.orchestration.run import client_name
    from clo_ops.probes.targets import WebTarget
    from clo_ops.probes.web_door import door

    target = WebTarget(api_server(), client_name(run.dag_id, run.task_id))
    return rules.judge_door(run.ask(door, target, PATH), run.policy)


def api_server() -> str:
    """Where this worker reaches the API server: people's address may be another one, behind a proxy."""
    from airflow.sdk.configuration import conf

    from clo_ops.orchestration.links import base_url

    given = str(conf.get("core", "execution_api_server_url", fallback="") or "")
    return given.rstrip("/").removesuffix("/execution") or base_url()
