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
def counted_anew(scene) -> Iterator[None]:
    """What was slow before is forgotten, and so is what the case made slow, or it would be slow since then for ever."""
    with scene.system.cluster.connect("clo") as connection:
        connection.execute("SELECT pg_stat_statements_reset()")
        yield
        connection.execute("SELECT pg_stat_statements_reset()")


@contextmanager
def slow_statement(scene) -> Iterator[None]:
    """Six tenths of a second, often enough to count."""
    with counted_anew(scene), scene.system.cluster.connect("clo", "clo_app") as connection:
        for _ in range(6):
            connection.execute("SELECT count(*), pg_sleep(0.6) FROM clo_tranches")
        yield


@contextmanager
def very_slow_statement(scene) -> Iterator[None]:
    """More than a second, until it has run often enough to count."""
    with counted_anew(scene), switched("slow-queries")(scene):
        wanted = (
            "SELECT coalesce(sum(calls), 0) >= 6 FROM pg_stat_statements WHERE query LIKE '%%pg_sleep%%clo_deals%%'"
        )
        with scene.system.cluster.connect("clo") as connection:
            until = time.monotonic() + 60
            while not connection.execute(wanted).fetchone()[0] and time.monotonic() < until:
                time.sleep(0.2)
        yield


@contextmanager
def ledger_that_loses_a_write(scene) -> Iterator[None]:
    """The server says the row was taken and keeps nothing: a trigger somebody left behind does as much."""
    with scene.cluster.connect(scene.database, "clo_ops") as connection:
        connection.execute(SWALLOW)
    yield


SWALLOW = """CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER swallow BEFORE INSERT ON baselines FOR EACH ROW WHEN (NEW.metric = 'redis.memory.used')
EXECUTE FUNCTION swallow()"""
GROWN = """UPDATE baselines SET value = %s - (%s::date - day) / %s
WHERE metric = 'postgresql.connection.count' AND labels ->> 'state' = 'active'"""


def leak_that_has_grown(to: float, days_for_one: float) -> Break:
    """So many connections by now on the record, one more every so many days; and the pool nearly taken now."""

    @contextmanager
    def grown(scene) -> Iterator[None]:
        with scene.cluster.connect(scene.database, "clo_ops") as connection:
            connection.execute(GROWN, (to, scene.at.date(), days_for_one))
        with switched("connection-leak")(scene):
            yield

    grown.__name__ = f"leak-grown-to-{to:g}"
    return grown


@contextmanager
def calculations_failing_since_yesterday(scene) -> Iterator[None]:
    """Two dozen of them: of a day that has none, far more than a bad hour makes."""
    with switched("failing-calculations")(scene), scene.system.cluster.connect("clo", "clo_app") as connection:
        made = connection.execute(TWO_MORE_OF_EACH).fetchall()
        try:
            yield
        finally:
            connection.execute("DELETE FROM calculation_jobs WHERE job_id = ANY(%s)", ([job for (job,) in made],))


TWO_MORE_OF_EACH = """INSERT INTO calculation_jobs
    (deal_id, requested_by, status, queued_at, started_at, finished_at, error)
SELECT deal_id, requested_by, status, queued_at, started_at, finished_at, error
FROM calculation_jobs, generate_series(1, 2) WHERE error = 'the calculation engine is broken' RETURNING job_id"""


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
    Seen("DM-06", WARN, slow_statement, "clo_tranches"),
    Seen("DM-06", FAIL, very_slow_statement, "pg_sleep"),
    Seen("DM-06", UNKNOWN, switched("stopped-postgres")),
    Seen("DM-07", FAIL, ledger_that_loses_a_write, "was measured and the ledger did not keep it"),
    Seen("DM-07", UNKNOWN, switched("stopped-redis"), "redis.memory.used is missing"),
    Seen("DM-08", WARN, leak_that_has_grown(14, days_for_one=5), "postgresql.connection.count"),
    Seen("DM-08", FAIL, leak_that_has_grown(18, days_for_one=2), "at most 18 in 7 days"),
    Seen("DM-08", UNKNOWN, switched("stopped-postgres"), "postgresql.database.size was not measured"),
    Seen("DM-09", WARN, switched("failing-calculations"), "clo.calculation.failed"),
    Seen("DM-09", FAIL, calculations_failing_since_yesterday, "far above its band"),
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
def test_the_table_has_pass_fail_and_unknown_of_all_fifteen(procedure):
    states = {row.state for row in SEEN if row.procedure == procedure}
    assert {PASS, FAIL, UNKNOWN} <= states
