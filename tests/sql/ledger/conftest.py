"""A real PostgreSQL for the whole session, a new database for each test."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest

from clo_ops.ledger import Ledger
from demo.stack.postgres import Cluster

AT = datetime(2026, 7, 6, 8, 0, tzinfo=UTC)
_numbers = count(1)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    directory: Path = tmp_path_factory.mktemp("ledger-postgres")
    with Cluster(directory) as started:
        started.create_user("clo_ops")
        started.create_database("ledger_template", owner="clo_ops")
        with Ledger(started.url("ledger_template", "clo_ops")) as ledger:
            ledger.migrate()
        yield started


@pytest.fixture
def empty_url(cluster: Cluster) -> str:
    """A database of our own without a schema."""
    name = f"ledger_empty_{next(_numbers)}"
    cluster.create_database(name, owner="clo_ops")
    return cluster.url(name, "clo_ops")


@pytest.fixture
def url(cluster: Cluster) -> str:
    """A database of our own, migrated."""
    name = f"ledger_{next(_numbers)}"
    with cluster.connect() as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE ledger_template OWNER clo_ops")
    return cluster.url(name, "clo_ops")


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    with Ledger(url, client_name="clo_ops/test") as opened:
        yield opened


@pytest.fixture
def at() -> datetime:
    return AT


@pytest.fixture
def run(ledger: Ledger) -> int:
    return ledger.open_run("morning_startup", "scheduled__2026-07-06", AT, "policy-1", "scheduled")
