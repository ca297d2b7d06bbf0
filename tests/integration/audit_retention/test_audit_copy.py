"""COPY read by the block: the same bytes, the database's errors, and a session that is usable when one stops early."""

from __future__ import annotations

import psycopg
import pytest

from clo_ops.probes import audit_copy
from clo_ops.probes.audit_copy import blocks
from clo_ops.probes.audit_rows import copy_text, parsed
from clo_ops.probes.audit_stream import ahead, live, trail
from clo_ops.probes.reaching import Unreachable

EVERY = b"COPY (SELECT * FROM audit_logs ORDER BY id) TO STDOUT"


def test_every_byte_comes_in_whole_lines(again, monkeypatch):
    monkeypatch.setattr(audit_copy, "BLOCK", 1000)
    with trail(again.target()) as connection:
        found = [bytes(block) for block in blocks(connection, EVERY)]
        with connection.cursor() as cursor, cursor.copy(EVERY) as copy:
            assert b"".join(found) == b"".join(bytes(one) for one in copy)
    assert len(found) > 100 and all(one.endswith(b"\n") for one in found)


def test_left_early_the_session_is_usable(again, monkeypatch):
    monkeypatch.setattr(audit_copy, "BLOCK", 100)
    with trail(again.target()) as connection:
        for _ in ahead(lambda: blocks(connection, b"COPY (SELECT generate_series(1, 5000000)) TO STDOUT")):
            break
        assert connection.execute("SELECT 1 AS one").fetchone() == {"one": 1}


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        (b"COPY (SELECT nonsense) TO STDOUT", psycopg.errors.UndefinedColumn),
        (b"COPY (SELECT 1 / (n - 900) FROM generate_series(1, 1000) AS n) TO STDOUT", psycopg.errors.DivisionByZero),
        (b"SELECT 1", psycopg.Error),
    ],
)
def test_what_the_database_refuses_is_raised_and_the_session_goes_on(again, statement, error):
    with trail(again.target()) as connection:
        with pytest.raises(error):
            list(blocks(connection, statement))
        assert connection.execute("SELECT 1 AS one").fetchone() == {"one": 1}


def test_a_server_that_takes_too_long_is_given_up(again):
    target = again.target()
    object.__setattr__(target, "statement_timeout", 0.5)
    with pytest.raises(Unreachable), trail(target) as connection:
        list(blocks(connection, b"COPY (SELECT pg_sleep(30)) TO STDOUT"))


def test_rows_survive_the_way_there_and_back(again):
    with trail(again.target()) as connection:
        for table in live(connection, last=500):
            assert parsed(copy_text(table)).equals(table)
