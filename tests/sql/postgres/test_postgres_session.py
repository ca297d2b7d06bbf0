"""``connect``: named, read-only, bounded; every way of not getting an answer told apart, the password never shown."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable

import psycopg
import pytest

from clo_ops.probes import postgres
from clo_ops.probes.reaching import Reach, Unreachable
from clo_ops.probes.targets import PostgresTarget
from demo.stack.postgres import Cluster

Target = Callable[..., PostgresTarget]


def how_it_ends(target: PostgresTarget) -> Unreachable:
    with pytest.raises(Unreachable) as caught, postgres.connect(target):
        pass
    return caught.value


def test_a_session_is_named_and_bounded_and_closed(cluster: Cluster, target: Target) -> None:
    with postgres.connect(target(cluster, lock_timeout=1.5, statement_timeout=7.0)) as connection:
        shown = {
            name: connection.execute(f"show {name}").fetchone()[name]
            for name in ("application_name", "default_transaction_read_only", "lock_timeout", "statement_timeout")
        }
    assert shown == {
        "application_name": "clo_ops/test/postgres",
        "default_transaction_read_only": "on",
        "lock_timeout": "1500ms",
        "statement_timeout": "7s",
    }
    assert connection.closed


def test_a_write_is_refused_even_for_the_owner(cluster: Cluster, target: Target) -> None:
    with (
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
        postgres.connect(target(cluster, "clo_app")) as connection,
    ):
        connection.execute("insert into deals values (3, 'three')")
    with cluster.connect("clo") as connection:
        assert connection.execute("select count(*) from deals").fetchone() == (2,)


def test_a_wrong_password_is_told_and_not_shown(cluster: Cluster, target: Target) -> None:
    error = how_it_ends(target(cluster, password="not-the-secret"))
    assert error.reach is Reach.AUTHENTICATION
    assert not error.answered
    assert "not-the-secret" not in str(error) + repr(target(cluster, password="not-the-secret"))


def test_an_unknown_role_looks_like_a_wrong_password(cluster: Cluster, target: Target) -> None:
    assert how_it_ends(target(cluster, user="clo_app", password="x")).reach is Reach.AUTHENTICATION


def test_a_missing_database_is_an_answer(cluster: Cluster, target: Target) -> None:
    error = how_it_ends(target(cluster, database="clo_gone"))
    assert error.reach is Reach.NOT_SERVING
    assert "clo_gone" in str(error)


def test_a_name_that_does_not_resolve(cluster: Cluster, target: Target) -> None:
    error = how_it_ends(target(cluster, host="no-such-host.invalid"))
    assert error.reach is Reach.NAME
    assert not error.answered


def test_a_stopped_server_refuses(breakable: Cluster, target: Target) -> None:
    wanted = target(breakable)
    breakable.stop()
    error = how_it_ends(wanted)
    assert error.reach is Reach.REFUSED
    assert error.answered


def test_a_frozen_server_is_silent_within_the_timeout(breakable: Cluster, target: Target) -> None:
    assert breakable.process
    os.kill(breakable.process.pid, signal.SIGSTOP)
    started = time.monotonic()
    try:
        error = how_it_ends(target(breakable))
    finally:
        os.kill(breakable.process.pid, signal.SIGCONT)
    assert error.reach is Reach.SILENT
    assert error.answered
    assert time.monotonic() - started < 5


def test_a_host_that_takes_no_connection_is_not_an_answer(cluster: Cluster, target: Target) -> None:
    """A listener whose queue is full drops what else comes, as a firewall does."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = []
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
            waiting.append(one)
        try:
            error = how_it_ends(target(cluster, port=port, connect_timeout=2.0))
        finally:
            for one in waiting:
                one.close()
    assert error.reach is Reach.TIMEOUT
    assert not error.answered


def test_a_statement_that_takes_too_long_is_stopped_by_the_server(cluster: Cluster, target: Target) -> None:
    started = time.monotonic()
    with (
        pytest.raises(Unreachable, match=r"no result within 0\.2 s"),
        postgres.connect(target(cluster, statement_timeout=0.2)) as connection,
    ):
        connection.execute("select pg_sleep(10)")
    assert time.monotonic() - started < 3


def test_a_backend_that_freezes_in_the_middle_is_given_up(cluster: Cluster, target: Target) -> None:
    pid = 0
    started = time.monotonic()
    try:
        with (
            pytest.raises(Unreachable, match="the session broke"),
            postgres.connect(target(cluster, statement_timeout=0.5, lock_timeout=0.5)) as connection,
        ):
            pid = connection.info.backend_pid
            os.kill(pid, signal.SIGSTOP)
            connection.execute("select 1")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert time.monotonic() - started < 5


def test_a_session_the_server_ends_is_a_broken_one(cluster: Cluster, target: Target) -> None:
    with pytest.raises(Unreachable) as caught, postgres.connect(target(cluster)) as connection:
        with cluster.connect() as admin:
            admin.execute("select pg_terminate_backend(%s)", [connection.info.backend_pid])
        connection.execute("select 1")
    assert caught.value.reach is Reach.SILENT


def test_up_says_version_and_role(cluster: Cluster, target: Target) -> None:
    answer = postgres.up(target(cluster))
    up = answer.first("postgresql.up")
    assert up is not None
    assert up.value == 1
    assert "primary" in up.detail
    assert answer.value("postgresql.connect.duration")
    assert answer.unanswered == ()


def test_up_measures_a_stopped_server_as_down(breakable: Cluster, target: Target) -> None:
    wanted = target(breakable)
    breakable.stop()
    answer = postgres.up(wanted)
    assert answer.value("postgresql.up") == 0
    assert answer.unanswered == ()


def test_up_leaves_the_question_open_when_nobody_let_us_ask(cluster: Cluster, target: Target) -> None:
    answer = postgres.up(target(cluster, password="wrong"))
    assert answer.measurements == ()
    (open_question,) = answer.unanswered
    assert open_question.question == "postgresql.up"
    assert str(cluster.port) in open_question.target
    assert "wrong" not in open_question.reason
