"""The office of October with its review, once for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clo_ops.findings import Finding
from clo_ops.ledger import Ledger
from clo_ops.orchestration import capacity
from clo_ops.orchestration.coverage import pages
from clo_ops.orchestration.procedure import ProcedureOperator
from demo.stack.postgres import Cluster
from tests.integration.performance.october import AT, DAGS, DAY, FRIDAY, HOUR, Office, application, incidents, measured


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    directory: Path = tmp_path_factory.mktemp("performance")
    patch = pytest.MonkeyPatch()
    patch.setenv("CLO_OPS_EVIDENCE", str(directory / "evidence"))
    tasks = {
        task.procedure_id: task.function
        for name in DAGS
        for page in pages(only=name)
        for task in page.tasks
        if isinstance(task, ProcedureOperator)
    }
    with Cluster(directory / "postgres") as cluster:
        target = application(cluster)
        cluster.create_user("clo_ops")
        cluster.create_database("ledger", owner="clo_ops")
        with Ledger(cluster.url("ledger", "clo_ops")) as ledger:
            ledger.migrate()
            made = Office(cluster, ledger, tasks, postgres=target)
            measured(made)
            incidents(made)
            capacity.figures_up_to_date(made.run("figures"))
            yield made
    patch.undo()


@pytest.fixture(scope="session")
def review(office: Office) -> dict[str, list[Finding]]:
    """The review of October, in the DAG's order."""
    order = ("M2-02", "M2-03", "M2-04", "M2-05", "M2-06", "M2-07", "M2-08", "M2-01")
    return office.judged("october", *order)


@pytest.fixture(scope="session")
def week(office: Office, review: dict[str, list[Finding]]) -> dict[str, list[Finding]]:
    """Friday the 23rd's reports of availability and performance."""
    return office.judged("friday", "WF-09", "WF-10", at=FRIDAY, dag="weekly_friday_compliance")


@pytest.fixture(scope="session")
def card(office: Office, review: dict[str, list[Finding]]) -> list[Finding]:
    """The scorecard of October."""
    return office.judged("monthly", "RP-04", at=AT + 6 * HOUR, dag="reports_and_support")["RP-04"]


@pytest.fixture(scope="session")
def capacity_reports(office: Office) -> list[dict[str, list[Finding]]]:
    """Those of the Wednesdays before that Friday and before the review."""
    wednesdays = {"wednesday-21": FRIDAY - 2 * DAY, "wednesday-4": AT - 5 * DAY}
    return [
        office.judged(name, "WW-01", "WW-09", at=at, dag="weekly_wednesday_capacity") for name, at in wednesdays.items()
    ]
