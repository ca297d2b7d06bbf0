"""The audit chain and the rights around it: nobody forks it, and what was changed afterwards is found."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from demo.world.database import run_file


@pytest.fixture(scope="module")
def trail(empty: Any) -> Any:
    """A database with the schema alone, to which rows may be added for good."""
    made = empty("trail")
    with made.connect() as connection:
        for name in ("schema", "audit", "grants"):
            run_file(connection, name)
    return made


def broken(connection: psycopg.Connection[Any]) -> list[tuple[int, str]]:
    return connection.execute("SELECT id, reason FROM audit_verify()").fetchall()


def write(world: Any, writer: int, count: int) -> None:
    for number in range(count):
        with world.connect() as connection:
            connection.execute("SELECT audit_write(%s, 'probe', 'row', %s, '{}')", [f"w{writer}", str(number)])
            if number % 5 == 4:
                connection.rollback()


def test_concurrent_writers_do_not_fork_it_and_rollbacks_leave_no_gap(trail: Any) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda writer: write(trail, writer, 20), range(4)))
    with trail.connect("clo_ops_reader") as connection:
        row = connection.execute("SELECT count(*), max(id), count(DISTINCT prev_hash) FROM audit_logs").fetchone()
        assert row == (64, 64, 64)
        assert broken(connection) == []


def test_hashes_and_ids_passed_in_are_not_believed(trail: Any) -> None:
    with trail.connect() as connection:
        connection.execute(
            "INSERT INTO audit_logs (id, actor, action, prev_hash, row_hash) VALUES (7777, 'a', 'b', '', '')"
        )
        assert broken(connection) == []
        connection.rollback()


def test_the_built_chain_holds_and_its_days_are_anchored(world: Any) -> None:
    with world.connect("clo_ops_reader") as connection:
        assert broken(connection) == []
        days = "SELECT count(DISTINCT (created_at AT TIME ZONE 'UTC')::date) FROM audit_logs WHERE created_at < %s"
        wanted = connection.execute(days, [world.built.plan.today]).fetchone()
        assert connection.execute("SELECT count(*) FROM audit_anchor").fetchone() == wanted


@pytest.mark.parametrize(
    ("tampering", "named"),
    [
        ("UPDATE audit_logs SET detail = '{\"forged\": true}' WHERE id = 40", {40}),
        ("UPDATE audit_logs SET created_at = created_at + interval '1 microsecond' WHERE id = 1", {1}),
        ("DELETE FROM audit_logs WHERE id BETWEEN 40 AND 42", {43}),
        ("DELETE FROM audit_logs WHERE id = 1", {2}),
        (
            "INSERT INTO audit_logs SELECT 40, created_at, 'mallory', action, object_type, object_id, detail,"
            " prev_hash, row_hash FROM (DELETE_40) AS d",
            {40},
        ),
        (
            "INSERT INTO audit_logs SELECT max(id) + 1, now(), 'mallory', 'x', null, null, '{}', max(prev_hash),"
            " max(row_hash) FROM audit_logs",
            {-1},
        ),
        (
            # The forger recomputes the hash of the row itself; the next one still remembers the old one.
            "UPDATE audit_logs SET actor = 'mallory', row_hash = audit_row_hash(id, created_at, 'mallory', action,"
            " object_type, object_id, detail, prev_hash) WHERE id = 40",
            {41},
        ),
    ],
)
def test_tampering_is_found_where_it_was_done(superuser: Any, tampering: str, named: set[int]) -> None:
    if "DELETE_40" in tampering:
        superuser.execute("CREATE TEMP TABLE kept AS SELECT * FROM audit_logs WHERE id = 40")
        superuser.execute("DELETE FROM audit_logs WHERE id = 40")
        tampering = tampering.replace("(DELETE_40)", "kept")
    superuser.execute(tampering)
    last = superuser.execute("SELECT max(id) FROM audit_logs").fetchone()[0]
    named = {last if number == -1 else number for number in named}  # -1: the row put at the end
    assert {row[0] for row in broken(superuser)} == named


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_logs SET actor = 'x'",
        "DELETE FROM audit_logs",
        "TRUNCATE audit_logs",
        "UPDATE audit_anchor SET row_count = 0",
        "DELETE FROM audit_anchor",
    ],
)
def test_the_application_may_not_change_what_was_written(world: Any, statement: str) -> None:
    with world.connect() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


def test_the_reader_reads_all_but_the_secrets_and_writes_nothing(world: Any) -> None:
    with world.connect("clo_ops_reader") as connection:
        assert connection.execute("SELECT count(*) FROM app_users").fetchone() != (0,)
        assert connection.execute("SELECT pg_has_role('pg_monitor', 'member')").fetchone() == (True,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT password_hash FROM app_users")
        connection.rollback()
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("INSERT INTO feedback (username, rating, category) VALUES ('a', 1, 'b')")


def test_the_backup_role_reads_everything_and_plants_its_canary(trail: Any) -> None:
    with trail.connect("clo_backup") as connection:
        connection.execute("SELECT * FROM app_users")
        connection.execute("INSERT INTO backup_canary (nonce) VALUES ('n1')")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM backup_canary")
