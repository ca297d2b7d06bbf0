"""The only plugin entry point: what CLO Ops adds to Airflow itself."""

import sys
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from clo_ops.orchestration.deadlines import DoneByOfTheCadence, RunAfterDeadline


def _pages() -> list[dict[str, Any]]:
    """The pages, in the API server only: every other component loads this file too and serves nothing."""
    command = " ".join(sys.argv)
    if "api-server" not in command and "api_server" not in command and "airflow.api_fastapi" not in command:
        return []
    from clo_ops.web.app import app

    return [{"name": "clo_ops", "url_prefix": "/clo-ops", "app": app}]


PAGES = _pages()
OPERATIONS = {
    "name": "Operations",
    "href": "/clo-ops/operations",
    "destination": "nav",
    "url_route": "clo_ops_operations",
    "nav_top_level": True,
}
INCIDENTS = {
    "name": "Incidents",
    "href": "/clo-ops/incidents",
    "destination": "nav",
    "url_route": "clo_ops_incidents",
    "nav_top_level": True,
}


class CloOpsPlugin(AirflowPlugin):
    """Registers the deadline references the DAGs use, and the pages of operations and incidents in the navigation."""

    name = "clo_ops"
    deadline_references = [RunAfterDeadline, DoneByOfTheCadence]  # noqa: RUF012 - Airflow's own way of declaring them
    fastapi_apps = PAGES
    external_views = [OPERATIONS, INCIDENTS] if PAGES else []
