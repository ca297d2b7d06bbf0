"""The morning's own tasks against the running demo CLO system: each of the fifteen seen good, bad and unknown.

SEEN is the table: which state each procedure was seen in, and what was broken for it. Every row is run, and after
each break the mended system is seen good again. DM-10 to DM-15 have more cases of their own in tests/integration/web.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest

from clo_ops.findings import CouldNotCheck, Finding, Severity, Status, worst
from demo.switches import switch_off, switch_on

PASS, WARN, FAIL, UNKNOWN = Status.PASS, Status.WARN, Status.FAIL, Status.UNKNOWN
PROCEDURES = [f"DM-{number:02d}" for number in range(1, 16)]
# Whose rule has no `fail`, what its bad state is instead, and why. Everybody else has been seen failing.
NEVER_FAILS = {
    "DM-06": (WARN, "a slow statement is a degradation (P3); that the database is down is DM-05's and DM-01's to say"),
    "DM-07": (UNKNOWN, "it records and holds nothing against a limit: a figure is on record, or nobody got it"),
    "DM-08": (WARN, "a trend says where it will be, nothing is broken yet (P3)"),
    "DM-09": (WARN, "out of the ordinary is a degradation, not an outage (P3)"),
}
Break = Callable[["Scene"], AbstractContextManager[None]]  # noqa: F821 (the scene is conftest's)


@contextmanager
def nothing(_) -> Iterator[None]:
    yield


def switched(*names: str) -> Break:
    @contextmanager
    def broken(scene) -> Iterator[None]:
        for name in names:
            switch_on(scene.system.state, name)
        try:
            yield
        finally:
            for name in names:
                switch_off(scene.system.state, name)

    broken.__name__ = "+".join(names)
    return broken


def unresolved(conn_id: str) -> Break:
    """The name of the other side leads nowhere: where a stopped one is an answer, only this is none."""

    @contextmanager
    def broken(scene) -> Iterator[None]:
        scene.elsewhere[conn_id] = {"conn_type": "http", "host": "http://nobody.invalid"}
        yield
        del scene.elsewhere[conn_id]

    broken.__name__ = f"{conn_id}-unresolved"
    return broken


@contextmanager
def repository_unmounted(scene) -> Iterator[None]:
    folder = scene.system.state / "backups"
    gone = folder.rename(folder.with_name("backups-unmounted"))
    try:
        yield
    finally:
        gone.rename(folder)


@contextmanager
def ledger_stopped(scene) -> Iterator[None]:
    scene.cluster.stop()
    try:
        yield
    finally:
        scene.cluster.start()


def incident(minutes_ago: int) -> Break:
    """An incident of fifteen minutes' response time, opened so long ago and taken by nobody."""

    @contextmanager
    def opened(scene) -> Iterator[None]:
        at = scene.at - timedelta(minutes=minutes_ago)
        with scene.ledger() as ledger:
            ledger.open_incident("api-down", Severity.P1, "API is down", "DM-13", at, None, timedelta(minutes=15))
        yield

    opened.__name__ = f"unacknowledged-for-{minutes_ago}-min"
    return opened


@contextmanager
def night_with_incidents_taken(scene) -> Iterator[None]:
    at = scene.at - timedelta(minutes=50)
    with scene.ledger() as ledger:
        one = ledger.open_incident("api-down", Severity.P1, "API is down", "DM-13", at, None, timedelta(minutes=15))
        ledger.acknowledge_incident(one.id, "ana", at + timedelta(minutes=5))
        ledger.close_incident(one.id, "ana", at + timedelta(minutes=40), "restarted")
    yield


@contextmanager
def slow_statement(scene) -> Iterator[None]:
    """Until it has run often enough to count; then the counters are reset, or it would be slow since then for ever."""
    with switched("slow-queries")(scene):
        wanted = (
            "SELECT coalesce(sum(calls), 0) >= 6 FROM pg_stat_statements WHERE query LIKE '%%pg_sleep%%clo_deals%%'"
        )
        with scene.system.cluster.connect("clo") as connection:
            until = time.monotonic() + 60
            while not connection.execute(wanted).fetchone()[0] and time.monotonic() < until:
                time.sleep(0.2)
        yield
    with scene.system.cluster.connect("clo") as connection:
        connection.execute("SELECT pg_stat_statements_reset()")


GROWN = """UPDATE baselines SET value = 18 - (%s::date - day) / 2.0
WHERE metric = 'postgresql.connection.count' AND labels ->> 'state' = 'active'"""


@contextmanager
def leak_that_has_grown_for_weeks(scene) -> Iterator[None]:
    """One more connection every other day on the record, and 19 of the pool's 20 taken now."""
    with scene.cluster.connect(scene.database, "clo_ops") as connection:
        connection.execute(GROWN, (scene.at.date(),))
    with switched("connection-leak")(scene):
        yield


@contextmanager
def baseline_not_taken(scene) -> Iterator[None]:
    """As after a baseline task whose worker was killed: nothing of this morning is on record."""
    scene.without_baseline = True
    yield
    scene.without_baseline = False


@dataclass(frozen=True)
class Seen:
    """A state a procedure was seen in, and what had been broken. ``said`` stands in a finding of that state."""

    procedure: str
    state: Status
    broken: Break
    said: str = ""


SEEN = [
    *(Seen(procedure, PASS, nothing) for procedure in PROCEDURES),
    Seen("DM-01", FAIL, switched("stopped-frontend"), "frontend is down"),
    Seen("DM-01", UNKNOWN, repository_unmounted, "backups is unreachable"),
    Seen("DM-01", UNKNOWN, unresolved("clo_frontend"), "nobody.invalid"),
    Seen("DM-02", PASS, night_with_incidents_taken, "API is down (opened, acknowledged, closed)"),
    Seen("DM-02", WARN, incident(minutes_ago=5), "still in time"),
    Seen("DM-02", FAIL, incident(minutes_ago=20), "overdue by 5 min"),
    Seen("DM-02", UNKNOWN, ledger_stopped),
    Seen("DM-03", FAIL, switched("stopped-service"), "worker is stopped"),
    Seen("DM-03", UNKNOWN, unresolved("clo_worker"), "nobody.invalid"),
    Seen("DM-04", FAIL, switched("stale-backup")),
    Seen("DM-04", FAIL, switched("missing-backup")),
    Seen("DM-04", UNKNOWN, repository_unmounted),
    Seen("DM-05", FAIL, switched("connection-leak"), "19"),
    Seen("DM-05", UNKNOWN, switched("stopped-postgres")),
    Seen("DM-06", WARN, slow_statement, "pg_sleep"),
    Seen("DM-06", UNKNOWN, switched("stopped-postgres")),
    Seen("DM-07", UNKNOWN, switched("stopped-redis"), "redis.memory.used is missing"),
    Seen("DM-08", WARN, leak_that_has_grown_for_weeks, "postgresql.connection.count"),
    Seen("DM-08", UNKNOWN, switched("stopped-postgres"), "postgresql.database.size was not measured"),
    Seen("DM-09", WARN, switched("failing-calculations"), "clo.calculation.failed"),
    Seen("DM-09", UNKNOWN, baseline_not_taken, "Nothing was measured this morning"),
    Seen("DM-09", UNKNOWN, ledger_stopped),
    Seen("DM-10", FAIL, switched("wrong-password-accepted")),
    Seen("DM-10", UNKNOWN, switched("stopped-api")),
    Seen("DM-11", FAIL, switched("login-without-mfa")),
    Seen("DM-11", UNKNOWN, switched("stopped-api")),
    Seen("DM-12", FAIL, switched("session-outlives-logout")),
    Seen("DM-12", UNKNOWN, switched("stopped-redis")),
    Seen("DM-13", FAIL, switched("slow-endpoint"), "portfolios"),
    Seen("DM-13", UNKNOWN, switched("login-broken")),
    Seen("DM-14", FAIL, switched("missing-asset"), "/assets/app.js"),
    Seen("DM-14", UNKNOWN, unresolved("clo_frontend"), "nobody.invalid"),
    Seen("DM-15", FAIL, switched("websocket-wrong-echo"), "instead of the nonce sent"),
    Seen("DM-15", UNKNOWN, switched("login-broken")),
]


def looked(scene, procedure: str) -> tuple[Status, list[Finding]]:
    """The task's state. Without a ledger there is no record either: the task asks again and is then red."""
    try:
        found = scene.judged(procedure)
    except CouldNotCheck:
        return UNKNOWN, []
    return worst(found), found


@pytest.mark.parametrize("row", SEEN, ids=lambda row: f"{row.procedure}-{row.state}-{row.broken.__name__}")
def test_each_procedure_says_how_it_is(new_scene, row):
    scene = new_scene()
    with row.broken(scene):
        state, found = looked(scene, row.procedure)
    told = [one.message for one in found if one.status is state]
    assert state is row.state, [one.message for one in found if one.status is not PASS]
    assert not row.said or any(row.said in message for message in told), told
    if row.state is not PASS:
        assert looked(new_scene(), row.procedure)[0] is PASS, "mended, it is good again"


@pytest.mark.parametrize("procedure", PROCEDURES)
def test_the_table_has_good_bad_and_unknown_of_all_fifteen(procedure):
    states = {row.state for row in SEEN if row.procedure == procedure}
    bad, _ = NEVER_FAILS.get(procedure, (FAIL, ""))
    assert {PASS, bad, UNKNOWN} <= states
    assert (FAIL in states) == (procedure not in NEVER_FAILS)
