"""DM-05 against a real server in each state it can be in."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from clo_ops.findings import Answer
from clo_ops.probes import postgres
from clo_ops.probes.targets import PostgresTarget
from demo.stack.postgres import Cluster

Target = Callable[..., PostgresTarget]
Client = Callable[..., psycopg.Connection[Any]]


def seen(target: PostgresTarget, name: str, seconds: float = 5.0) -> Answer:
    """The first answer with a measurement of this name; other sessions need a moment to get into their state."""
    deadline = time.monotonic() + seconds
    while True:
        answer = postgres.connections(target)
        if answer.first(name) or time.monotonic() > deadline:
            return answer
        time.sleep(0.05)


@contextmanager
def blocked_by(holder: psycopg.Connection[Any], waiter: psycopg.Connection[Any]) -> Iterator[None]:
    holder.execute("lock table deals in access exclusive mode")
    thread = threading.Thread(target=lambda: waiter.execute("select count(*) from deals /* waits */"))
    thread.start()
    try:
        yield
    finally:
        holder.rollback()
        thread.join()
        waiter.rollback()


def test_states_are_counted_for_all_and_by_client(cluster: Cluster, target: Target, client: Client) -> None:
    client(cluster, autocommit=True)
    client(cluster, autocommit=True)
    client(cluster, name="clo-worker").execute("select 1")
    answer = postgres.connections(target(cluster))
    assert answer.unanswered == ()
    assert answer.value("postgresql.connection.count", state="idle") == 2
    assert answer.value("postgresql.connection.count", state="active") == 0
    assert answer.value("postgresql.connection.count", state="idle in transaction") == 1
    by_client = answer.value("postgresql.connection.by_client", state="idle", application="clo-api", user="clo_app")
    assert by_client == 2


def test_our_own_session_and_the_servers_processes_are_left_out(cluster: Cluster, target: Target) -> None:
    answer = postgres.connections(target(cluster))
    assert sum(one.value for one in answer.select("postgresql.connection.count")) == 0


def test_the_limit_is_without_the_reserved_slots(cluster: Cluster, target: Target) -> None:
    limit = postgres.connections(target(cluster)).first("postgresql.connection.max")
    assert limit is not None
    assert limit.value == 97
    assert "max_connections 100, of which 3 reserved" in limit.detail


def test_an_idle_transaction_is_named_with_its_age(cluster: Cluster, target: Target, client: Client) -> None:
    leaked = client(cluster)
    leaked.execute("select count(*) from deals")
    time.sleep(1.1)
    found = seen(target(cluster), "postgresql.session.idle_in_transaction").first(
        "postgresql.session.idle_in_transaction", pid=str(leaked.info.backend_pid)
    )
    assert found is not None
    assert found.labels["user"] == "clo_app"
    assert found.labels["application"] == "clo-api"
    assert 1.0 < found.value < 10
    assert "select count(*) from deals" in found.detail


def test_a_blocked_session_is_named_with_whom_it_waits_for(cluster: Cluster, target: Target, client: Client) -> None:
    holder, waiter = client(cluster, name="clo-batch"), client(cluster)
    with blocked_by(holder, waiter):
        seen(target(cluster), "postgresql.session.blocked")
        time.sleep(1.1)
        found = postgres.connections(target(cluster)).first("postgresql.session.blocked")
        pids = holder.info.backend_pid, waiter.info.backend_pid
    assert found is not None
    assert (found.labels["blocked_by"], found.labels["pid"]) == (str(pids[0]), str(pids[1]))
    assert 1.0 < found.value < 10
    assert "waits" in found.detail


def test_a_server_without_a_free_slot_is_measured(breakable: Cluster, target: Target, client: Client) -> None:
    for _ in range(5):
        client(breakable)
    answer = postgres.connections(target(breakable))
    assert answer.value("postgresql.connection.slot_free") == 0
    assert answer.unanswered == ()
    assert answer.first("postgresql.connection.count") is None


def test_a_role_that_sees_only_itself_cannot_answer(cluster: Cluster, target: Target) -> None:
    answer = postgres.connections(target(cluster, "nobody_special"))
    assert answer.measurements == ()
    assert "GRANT pg_monitor TO nobody_special" in answer.unanswered[0].reason


@pytest.mark.parametrize("probe", [postgres.connections, postgres.sizes, postgres.cache_hit_ratio])
def test_a_stopped_server_is_unanswered(
    probe: Callable[[PostgresTarget], Answer], breakable: Cluster, target: Target
) -> None:
    wanted = target(breakable)
    breakable.stop()
    answer = probe(wanted)
    assert answer.measurements == ()
    assert "refused" in answer.unanswered[0].reason


def test_sizes_of_the_databases(cluster: Cluster, target: Target) -> None:
    answer = postgres.sizes(target(cluster))
    assert (answer.value("postgresql.database.size", database="clo") or 0) > 1_000_000


def test_sizes_leave_out_what_the_role_may_not_open(cluster: Cluster, target: Target) -> None:
    with cluster.connect() as connection:
        connection.execute("create database closed")
        connection.execute("revoke connect on database closed from public")
    assert postgres.sizes(target(cluster)).first("postgresql.database.size", database="closed")
    limited = postgres.sizes(target(cluster, "nobody_special"))
    assert limited.unanswered == ()
    assert not limited.first("postgresql.database.size", database="closed")


def test_cache_hit_ratio_is_a_percentage(cluster: Cluster, target: Target) -> None:
    seen_ratio = postgres.cache_hit_ratio(target(cluster)).value("postgresql.cache.hit_ratio", database="clo")
    assert seen_ratio is not None
    assert 0 < seen_ratio <= 100
