"""What sessions wait for, on a real PostgreSQL: a lock that is held, nobody waiting, a server that is not there."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from clo_ops.probes.waits import wait_events
from clo_ops.rules.waits import ACTIVE, WAITING


@pytest.fixture
def blocked(cluster):
    """One session that waits for another's lock, for as long as the test lasts."""
    with cluster.connect() as holder:
        holder.execute("select pg_advisory_lock(4711)")

        def wait() -> None:
            with cluster.connect() as waiter:
                waiter.execute("select pg_advisory_lock(4711)")

        thread = threading.Thread(target=wait)
        thread.start()
        deadline = time.monotonic() + 20
        with cluster.connect() as looker:
            query = "select count(*) from pg_stat_activity where wait_event = 'advisory'"
            while not looker.execute(query).fetchone()[0] and time.monotonic() < deadline:
                time.sleep(0.02)
        yield
        holder.execute("select pg_advisory_unlock(4711)")
        thread.join()


def test_a_session_that_waits_for_a_lock_is_counted_by_its_event(blocked, cluster, target):
    answer = wait_events(target(cluster))
    events = {one.labels["event"]: one.value for one in answer.select(WAITING)}
    assert events["Lock: advisory"] == 1
    assert answer.value(ACTIVE) == sum(events.values())


def test_nobody_waiting_is_a_look_all_the_same(cluster, target):
    answer = wait_events(target(cluster))
    assert answer.value(ACTIVE) == sum(one.value for one in answer.select(WAITING))
    assert not answer.unanswered


def test_a_server_that_does_not_answer_leaves_the_question_open(cluster, target):
    answer = wait_events(replace(target(cluster), port=1))
    assert [one.question for one in answer.unanswered] == ["what sessions wait for"]
    assert not answer.measurements
