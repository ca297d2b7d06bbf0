"""The application's own schema on a real PostgreSQL, with a day of business that can be counted by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from clo_ops.ledger import Ledger
from clo_ops.probes.targets import PostgresTarget
from demo.stack.postgres import Cluster

SQL = Path(__file__).resolve().parents[3] / "demo" / "sql"


@pytest.fixture(scope="session")
def clo_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("business")) as cluster:
        for role, options in (
            ("clo_app", ""),
            ("clo_ops_reader", "in role pg_monitor"),
            ("clo_backup", ""),
            ("clo_ops_retention", ""),
            ("clo_ops_accounts", ""),
        ):
            cluster.create_user(role, options=options)
        cluster.create_user("clo_ops")
        cluster.create_database("clo", owner="clo_app")
        cluster.create_database("clo_ops", owner="clo_ops")
        with cluster.connect("clo", "clo_app") as connection:
            for name in ("schema", "audit", "grants"):
                connection.execute((SQL / f"{name}.sql").read_bytes())
            connection.execute("insert into clo_deals (deal_id, deal_name, deal_status) values ('D1', 'One', 'active')")
        yield cluster


@pytest.fixture
def app(clo_cluster: Cluster) -> Iterator[psycopg.Connection[Any]]:
    """The application's session; what it wrote is gone after the test."""
    with clo_cluster.connect("clo", "clo_app") as connection:
        yield connection
        connection.execute("truncate calculation_jobs, report_jobs, login_attempts, app_sessions, app_users cascade")


@pytest.fixture
def target(clo_cluster: Cluster) -> PostgresTarget:
    return PostgresTarget(
        host="127.0.0.1",
        port=clo_cluster.port,
        database="clo",
        user="clo_ops_reader",
        password=clo_cluster.password("clo_ops_reader"),
        client_name="clo_ops/test/business",
        connect_timeout=2.0,
    )


@pytest.fixture
def nobody(target: PostgresTarget) -> PostgresTarget:
    return replace(target, port=1)


@pytest.fixture
def ledger(clo_cluster: Cluster) -> Iterator[Ledger]:
    with Ledger(clo_cluster.url("clo_ops", "clo_ops")) as made:
        made.migrate()
        yield made
        made.downgrade("base")
