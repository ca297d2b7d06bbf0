"""One PostgreSQL cluster with a small finished world in it, for all the tests of the world."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from demo.stack.postgres import Cluster
from demo.world import Built, build, prepare

AT = datetime(2026, 11, 23, 7, tzinfo=UTC)
ROLES = ("clo_app", "clo_ops_reader", "clo_backup", "clo_ops_maintainer", "clo_ops_retention", "clo_ops_accounts")


@dataclass(frozen=True)
class World:
    cluster: Cluster
    database: str
    built: Built | None = None

    def dsn(self, user: str = "clo_app") -> str:
        return self.cluster.url(self.database, user)

    def connect(self, user: str = "clo_app") -> psycopg.Connection[Any]:
        return psycopg.connect(self.dsn(user))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(Path(tmp_path_factory.mktemp("world-cluster"))) as running:
        for role in ROLES:
            running.create_user(role, secrets.token_urlsafe(12))
        yield running


@pytest.fixture(scope="session")
def empty(cluster: Cluster) -> Any:
    """Makes an empty database with its roles, once per name."""

    def make(name: str) -> World:
        cluster.create_database(name, owner="clo_app")
        prepare(cluster.url(name), {role: cluster.password(role) for role in ROLES})
        return World(cluster, name)

    return make


@pytest.fixture(scope="session")
def world(empty: Any) -> World:
    """A world of scale 0.2 that ends at AT; tests leave it as it is (they roll back)."""
    made = empty("clo")
    return World(made.cluster, made.database, build(made.dsn(), scale=0.2, as_of=AT))


@pytest.fixture
def superuser(world: World) -> Iterator[psycopg.Connection[Any]]:
    """Past foreign keys, triggers and revoked rights, as somebody who tampers would be; all of it is rolled back."""
    with world.connect("postgres") as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        yield connection
        connection.rollback()


@pytest.fixture(scope="session")
def moment() -> datetime:
    return AT
