"""Real PostgreSQL for the probes: one cluster for everybody, one that may be broken, roles that see more and less."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest

from clo_ops.probes.targets import PostgresTarget
from demo.stack.postgres import Cluster


def _prepare(cluster: Cluster) -> None:
    cluster.create_user("clo_app")
    cluster.create_database("clo", owner="clo_app")
    cluster.create_user("clo_ops_reader", options="in role pg_monitor")
    cluster.create_user("nobody_special")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("clo")) as made:
        _prepare(made)
        with made.connect("clo", "clo_app") as connection:
            connection.execute("create table deals (id integer primary key, name text)")
            connection.execute("insert into deals values (1, 'one'), (2, 'two')")
            connection.execute("grant select on deals to clo_ops_reader")
        yield made


@pytest.fixture(scope="session")
def breakable_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Small enough to be filled, and without the preloaded library; whoever breaks it mends it."""
    with Cluster(tmp_path_factory.mktemp("breakable"), settings={"max_connections": "8"}) as made:
        _prepare(made)
        made.stop()
        with (made.data / "postgresql.conf").open("a") as conf:
            conf.write("shared_preload_libraries = ''\n")
        yield made


@pytest.fixture
def breakable(breakable_cluster: Cluster) -> Cluster:
    return breakable_cluster.start()


@pytest.fixture
def target() -> Callable[..., PostgresTarget]:
    """A target for a role of a cluster, impatient enough for a test."""

    def make(cluster: Cluster, user: str = "clo_ops_reader", **changes: Any) -> PostgresTarget:
        given: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": cluster.port,
            "database": "clo",
            "user": user,
            "password": cluster.password(user),
            "client_name": "clo_ops/test/postgres",
            "connect_timeout": 2.0,
        }
        return PostgresTarget(**given | changes)

    return make


@pytest.fixture
def client() -> Iterator[Callable[..., psycopg.Connection[Any]]]:
    """Opens sessions of the application's, closed after the test."""
    with ExitStack() as stack:

        def make(
            cluster: Cluster, user: str = "clo_app", name: str = "clo-api", **more: Any
        ) -> psycopg.Connection[Any]:
            connection = psycopg.connect(cluster.url("clo", user), application_name=name, **more)
            stack.callback(connection.close)
            return connection

        yield make
