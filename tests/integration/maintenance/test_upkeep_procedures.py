"""WM-01 and WM-02 whole: asked, planned, approved, applied, looked at again, on record; and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.findings import Answer, Status
from clo_ops.findings.plans import Outcome
from clo_ops.orchestration import upkeep
from clo_ops.orchestration.maintenance import system_of

SQL = (
    "DROP TABLE IF EXISTS notes, fresh",
    "CREATE TABLE notes (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text) WITH (autovacuum_enabled=off)",
    "INSERT INTO notes (note) SELECT md5(n::text) FROM generate_series(1, 60000) AS n",
    "CREATE INDEX notes_note ON notes (note)",
    "ANALYZE notes",
    "DELETE FROM notes WHERE id % 5 <> 0",
    "CREATE TABLE fresh (id integer PRIMARY KEY) WITH (autovacuum_enabled=off)",
    "INSERT INTO fresh SELECT generate_series(1, 3000)",
    "GRANT SELECT ON ALL TABLES IN SCHEMA public TO clo_ops_reader",
    "GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO clo_ops_reader",
)


@pytest.fixture
def system(world):
    with world.session() as session:
        session.autocommit = True
        for statement in SQL:
            session.execute(statement)
        session.execute("SELECT pg_stat_force_next_flush()")
        session.execute("SELECT 1")
    world.proven()
    return world.with_terms(indexes__bloat__minimum_size=500_000)


def shown(world, duty, function):
    """The plan of an emergency, as its approver sees it."""
    run = world.run(reason="it is slow", duties=[duty], work="plan")
    findings = function(run)
    return run, findings


def approved(world, run):
    """The same run once somebody else has approved what it showed."""
    hashes = [row.hash for row in world.ledger.plans_of(run.ledger_run)]
    asked = world.ledger.ask_approval(
        run.ledger_run, "0" * 64, hashes, kind="prior", authority="manager", requester="ann", reason="it is slow",
        at=datetime.now(UTC),
    )  # fmt: skip
    world.ledger.decide(asked.id, "approved", "manager", datetime.now(UTC))
    return replace(run, params={**run.params, "work": "apply"}, answer=Answer())


def by_name(findings):
    return {(one.name, one.subject): one for one in findings}


def steps(world, run):
    return {
        one.step.key: one.effect.outcome
        for row in world.ledger.plans_of(run.ledger_run)
        for one in row.steps
        if one.effect is not None
    }


def analysed(world):
    with world.session() as session:
        found = session.execute(
            "SELECT relname, last_analyze IS NOT NULL, n_dead_tup FROM pg_stat_user_tables"
            " WHERE relname IN ('notes', 'fresh')"
        ).fetchall()
    return {name: (done, dead) for name, done, dead in found}


def test_statistics_are_shown_approved_and_renewed(system):
    before = analysed(system)
    run, findings = shown(system, "statistics", upkeep.statistics)
    told = by_name(findings)
    assert told["maintenance", "vacuum"].status is Status.NOT_APPLICABLE
    assert "analyze public." in told["maintenance", "statistics"].message
    assert analysed(system) == before, "only shown"
    assert {("transaction age", ""), ("sequences", "")} <= set(told)
    now = approved(system, run)
    told = by_name(upkeep.statistics(now))
    assert {one.status for one in told.values()} == {Status.PASS}, told
    assert told["effect on statistics", ""].message.count("dead rows 48,000 before, 0 after")
    assert analysed(system) == {"notes": (True, 0), "fresh": (True, 0)}
    made = steps(system, run)
    assert made["vacuum public.notes"] is made["analyze public.fresh"] is Outcome.APPLIED
    assert "analyze public.notes" not in made, "VACUUM (ANALYZE) had settled it"


def test_indexes_are_shown_approved_and_rebuilt_with_what_it_won(system):
    with system.session() as session:
        session.autocommit = True
        session.execute("VACUUM ANALYZE notes")
    run, findings = shown(system, "indexes", upkeep.indexes)
    told = by_name(findings)
    assert "reindex index concurrently public.notes_note" in told["maintenance", "indexes"].message
    bloated = [one for one in run.answer.select("postgresql.index.bloat") if one.value > 40]
    assert {one.labels["index"] for one in bloated} == {"public.notes_note", "public.notes_pkey"}
    now = approved(system, run)
    told = by_name(upkeep.indexes(now))
    assert told["bytes won", ""].status is Status.PASS
    assert told["invalid indexes", ""].status is Status.PASS
    assert set(steps(system, run).values()) == {Outcome.APPLIED}
    attempts = system.ledger.rebuilds(system_of(run), datetime(2026, 1, 1, tzinfo=UTC))
    assert {one.index for one in attempts} == {"public.notes_note", "public.notes_pkey"}
    assert all(one.applied and one.after < one.before / 2 and one.xid_after > one.xid for one in attempts)
    again, findings = shown(system, "indexes", upkeep.indexes)
    assert [one for one in again.answer.select("postgresql.index.bloat") if one.value > 40] == []


SUNDAY = datetime(2026, 11, 15, 2, 10, tzinfo=UTC)  # a weekly window's, not the month's first


@pytest.mark.parametrize(("at", "planned"), [(SUNDAY + timedelta(days=1), False), (SUNDAY, True)])
def test_a_large_index_is_planned_in_a_window_and_only_named_on_another_day(system, at, planned):
    system.with_terms(indexes__large__over=500_000)
    with system.session() as session:
        session.autocommit = True
        session.execute("VACUUM ANALYZE notes")
    run = system.run("maintenance_weekly", at=at, work="plan")
    told = by_name(upkeep.indexes(run))
    targets = {step.step.target for row in system.ledger.plans_of(run.ledger_run) for step in row.steps}
    named = {subject for name, subject in told if name == "index bloat"}
    both = {"public.notes_note", "public.notes_pkey"}
    assert (targets, named & both) == ((both, set()) if planned else (set(), both))


def test_own_best_on_record_tells_where_nothing_else_does(system):
    """A GIN index has no estimate; what it was at its best is remembered."""
    run = system.run(duties=["indexes"], work="plan")
    with system.session() as session:
        session.autocommit = True
        session.execute("CREATE TABLE IF NOT EXISTS tagged (tags text[]) WITH (autovacuum_enabled=off)")
        session.execute("TRUNCATE tagged")
        session.execute("CREATE INDEX IF NOT EXISTS tagged_tags ON tagged USING gin (tags)")
        session.execute("INSERT INTO tagged SELECT ARRAY[md5(n::text)] FROM generate_series(1, 30000) AS n")
        session.execute("REINDEX INDEX tagged_tags")
        session.execute("ANALYZE tagged")
    first = by_name(upkeep.indexes(run))
    assert first["index bloat", "public.tagged_tags"].status is Status.NOT_APPLICABLE
    system.ledger.record(run.ledger_run, "WM-02", [], run.answer, [], 1)
    with system.session() as session:
        session.autocommit = True
        session.execute("DELETE FROM tagged WHERE tags[1] > '3'")
        session.execute("VACUUM ANALYZE tagged")
    later = system.run(duties=["indexes"], work="plan")
    upkeep.indexes(later)
    (found,) = later.answer.select("postgresql.index.bloat", index="public.tagged_tags")
    assert found.labels["how"] == "own best"
    assert found.value > 60


def test_without_a_verified_backup_nothing_is_touched(system):
    run, _ = shown(system, "statistics", upkeep.statistics)
    now = approved(system, run)
    old = system.policy.windows.model_copy(update={"backup_not_older_than": datetime.now(UTC) - datetime.now(UTC)})
    now = replace(now, policy=now.policy.model_copy(update={"windows": old}))
    before = analysed(system)
    told = by_name(upkeep.statistics(now))
    assert told["gate", "backup"].status is Status.FAIL
    assert analysed(system) == before


def test_database_that_does_not_answer_is_unknown(system):
    run = system.run(duties=["statistics"], work="plan")
    run.connections.__dict__["postgres"] = replace(run.connections.postgres, port=1, connect_timeout=1.0)
    assert {one.status for one in upkeep.statistics(run)} == {Status.UNKNOWN}
    assert {one.status for one in upkeep.indexes(run)} == {Status.UNKNOWN}
