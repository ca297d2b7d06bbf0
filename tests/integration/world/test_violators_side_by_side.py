"""Invariants asked over several sessions: the same answers as one after the other, and each has one, come what may."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import pytest

from clo_ops.probes import integrity, violators
from clo_ops.probes.checks import checks
from clo_ops.probes.postgres import connect
from clo_ops.probes.targets import PostgresTarget
from clo_ops.probes.violators import Said, Violators

QUERIES = [one.sql for one in checks()]
FIRST, SECOND, THIRD = QUERIES[:3]
ENDS_ITSELF = "SELECT pg_terminate_backend(pg_backend_pid())::int AS violations, '{}'::text[] AS keys"
SLEEPS = "SELECT 0 AS violations, ARRAY[pg_sleep(120)::text] AS keys"


@pytest.fixture
def target(world: Any) -> PostgresTarget:
    cluster = world.cluster
    return PostgresTarget(
        "127.0.0.1", cluster.port, world.database, "postgres", cluster.password(), client_name="clo_ops/violators"
    )


@pytest.fixture
def instead(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Statements to be asked in place of an invariant's."""
    said: dict[str, str] = {}
    usual = violators.wrapped
    monkeypatch.setattr(violators, "wrapped", lambda query: said.get(query) or usual(query))
    return said


@pytest.mark.parametrize("workers", [1, 3])
def test_many_sessions_say_what_one_says(target: PostgresTarget, moment: datetime, workers: int) -> None:
    with Violators(target, QUERIES, moment.isoformat(), workers) as asked:
        found = {one.invariant: asked.answer(one.sql).violations for one in checks()}
    with connect(target) as connection:
        assert found == integrity.verdicts(connection, moment)


def test_a_session_that_broke_costs_one_answer(target: PostgresTarget, moment: datetime, instead: Any) -> None:
    instead[SECOND] = ENDS_ITSELF
    with Violators(target, QUERIES[:3], moment.isoformat()) as asked:
        first, second, third = (asked.answer(query) for query in QUERIES[:3])
    assert (first, third) == (Said(0), Said(0))
    assert second.violations is None
    assert "terminating connection" in second.reason
    assert target.password not in second.reason


def test_a_refused_statement_leaves_its_session_whole(target: PostgresTarget, moment: datetime, instead: Any) -> None:
    instead[FIRST] = "SELECT 1 FROM no_such_table"
    with Violators(target, QUERIES[:2], moment.isoformat()) as asked:
        refused, other = asked.answer(FIRST), asked.answer(SECOND)
    assert (refused.violations, refused.reason) == (None, 'relation "no_such_table" does not exist')
    assert other == Said(0)


def test_nobody_waits_for_an_answer_that_a_mistake_swallowed(
    target: PostgresTarget, moment: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = violators.wrapped
    monkeypatch.setattr(violators, "wrapped", lambda query: {}["mistake"] if query == FIRST else usual(query))
    with Violators(target, QUERIES[:2], moment.isoformat()) as asked:
        with pytest.raises(KeyError, match="mistake"):
            asked.answer(FIRST)
        assert asked.answer(SECOND) == Said(0)


def test_who_leaves_by_an_error_does_not_wait_for_the_server(
    target: PostgresTarget, moment: datetime, instead: Any
) -> None:
    instead[FIRST] = SLEEPS
    with pytest.raises(ZeroDivisionError), Violators(target, QUERIES[:3], moment.isoformat()) as asked:
        _until_asked(target)
        raise ZeroDivisionError
    assert asked.answer(FIRST).reason == "canceling statement due to user request"


def _until_asked(target: PostgresTarget) -> None:
    query = "SELECT count(*) AS n FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    with connect(target) as connection:
        while not connection.execute(query).fetchone()["n"]:  # type: ignore[index]
            time.sleep(0.02)
