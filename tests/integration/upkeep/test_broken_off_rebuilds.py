# ruff: noqa: S608 - statements are put together from names of this file
"""WM-02: a rebuild killed, cancelled, timed out or cut off at any point leaves nothing that the next run does not know.

T4 and T5 for real: an open transaction holds the rebuild up, and what breaks it off leaves a half-built index.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from clo_ops.actions.maintenance.applying import apply
from clo_ops.actions.maintenance.plan import Outcome
from clo_ops.findings import Status
from clo_ops.probes import upkeep_indexes
from clo_ops.rules import half_built, rebuilds
from tests.integration.upkeep.conftest import SYSTEM, filled, until

WORKER = Path(__file__).with_name("rebuild_worker.py")
# See test_stale_tables.py.
GIVEN_WAY_MS = 2000
REBUILDING = "select pid from pg_stat_activity where query like 'reindex index concurrently%' and state = 'active'"
_numbers = count(1)


@pytest.fixture
def look(reader, index_terms):
    def asked(terms=index_terms):
        snapshot, _ = upkeep_indexes.indexes(reader, terms.bloat, maintainer="clo_ops_maintainer")
        return snapshot, rebuilds.choose(snapshot, terms, rebuilds.Known(datetime.now(UTC), {}))

    return asked


@pytest.fixture
def go(look, care, index_terms, ledger):
    """Plans what is due for an index (or all there is to remove) and applies it on record, as a run of its own."""

    def run(name="", terms=index_terms):
        snapshot, choice = look(terms)
        wanted = tuple(one for one in choice.rebuild if one.index.name == name)
        ours = care(terms)
        plan = ours.plan(snapshot, rebuilds.Choice(wanted, ()))
        number = ledger.open_run("weekly_monday_maintenance", f"test__{next(_numbers)}", datetime.now(UTC), "")
        ends = datetime.now(UTC) + timedelta(hours=2)
        return apply(plan, ours.act, ledger=ledger, run=number, ends=ends)

    return run


@pytest.fixture
def worker(ledger, cluster, reader, maintainer, index_terms):
    started = []

    def start(index):
        given = {
            "terms": index_terms.model_dump(mode="json") | {"bloat": _with_units(index_terms)},
            "reader": asdict(reader), "maintainer": asdict(maintainer), "system": SYSTEM, "index": index,
            "ledger": cluster.url("ledger", "clo_ops"), "run": f"worker__{next(_numbers)}",
        }  # fmt: skip
        given["terms"]["manners"]["memory"] = "64 MiB"
        given["terms"]["unused"]["minimum_size"] = "10 MB"
        given["terms"]["large"]["over"] = "256 MiB"
        environment = {**os.environ, "REBUILD": json.dumps(given)}
        started.append(subprocess.Popen([sys.executable, WORKER], env=environment, stderr=subprocess.PIPE))
        return started[-1]

    yield start
    for one in started:
        one.kill()
        one.communicate()


def _with_units(terms):
    bloat = terms.bloat.model_dump(mode="json")
    percents = {name: f"{bloat[name]:g} %" for name in ("share", "worth")}
    sizes = {name: f"{bloat[name]} B" for name in ("minimum_size", "read_up_to", "read_at_most")}
    return {**bloat, **percents, **sizes}


def alive(process):
    """Fails the test with what it said where the worker ended by itself."""
    if process.poll() is not None:
        raise AssertionError(process.stderr.read().decode()[-2000:])
    return True


def invalid(sql, table):
    query = "select c.relname from pg_index i join pg_class c on c.oid = i.indexrelid where not i.indisvalid"
    return sorted(row[0] for row in sql(f"{query} and i.indrelid = '{table}'::regclass"))


def ours(look, ledger):
    since = datetime.now(UTC) - timedelta(hours=1)
    return half_built.sort(look()[0], ledger.rebuilds(SYSTEM, since))


def foreign_leftover(app, admin, table, index):
    """Somebody else's rebuild of the same index, broken off: its leftover looks exactly like one of ours."""
    holder = app(name="holder", autocommit=False)
    holder.execute(f"insert into {table} (note) values ('open')")
    process = app(name="somebody else")
    process.execute("set lock_timeout = '300ms'")
    with pytest.raises(Exception, match="lock timeout"):
        process.execute(f"reindex index concurrently {index}")
    holder.rollback()


def test_killed_worker_leaves_one_that_is_known_and_removed_and_others_are_not_touched(  # noqa: PLR0917
    sql, app, admin, table, look, ledger, worker, go
):
    filled(sql, table, 60_000, keep=4)
    name = f"{table}_note"
    foreign_leftover(app, admin, table, name)
    assert invalid(sql, table) == [f"{name}_ccnew"]
    holder = app(name="holder", autocommit=False)
    holder.execute(f"insert into {table} (note) values ('open')")
    process = worker(name)
    until(lambda: alive(process) and len(invalid(sql, table)) == 2, 30)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    until(lambda: not admin(REBUILDING))  # the server noticed that nobody waits for it
    assert invalid(sql, table) == [f"{name}_ccnew", f"{name}_ccnew1"]
    found = ours(look, ledger)
    assert [one.name for one in found.ours] == [f"{name}_ccnew1"]
    assert [one.name for one in found.foreign] == [f"{name}_ccnew"]
    holder.rollback()
    done = go()
    assert [(step.target, effect.outcome) for step, effect in done] == [(f"public.{name}_ccnew1", Outcome.APPLIED)]
    assert invalid(sql, table) == [f"{name}_ccnew"], "somebody else's stays"
    (finding,) = half_built.judge(ours(look, ledger))
    assert (finding.status, finding.subject) == (Status.WARN, f"public.{name}_ccnew")


@pytest.mark.parametrize("after", [0.0, 0.1])
def test_worker_killed_in_the_middle(sql, table, look, ledger, worker, go, admin, after):  # noqa: PLR0917
    """Whatever is left is known as ours, and the next run ends with a sound index and nothing half-built."""
    filled(sql, table, 150_000, keep=3)
    process = worker(f"{table}_note")
    until(lambda: process.poll() is not None or admin(REBUILDING), 60)
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    until(lambda: not admin(REBUILDING))
    assert ours(look, ledger).foreign == ()
    go(f"{table}_note")
    assert invalid(sql, table) == []
    assert f"{table}_note" not in {one.index.name for one in look()[1].rebuild}


def test_session_cut_off_at_any_instant(sql, table, look, ledger, go, admin, in_a_thread, index_terms):  # noqa: PLR0917
    """Round after round, at random instants: nothing that is half-built is ever anybody else's, and all of it goes."""
    filled(sql, table, 80_000)
    always = index_terms.bloat.model_copy(update={"share": -1.0})
    terms = index_terms.model_copy(update={"bloat": always})
    cut = 0
    for _ in range(10):
        with in_a_thread(lambda: go(f"{table}_note", terms)) as said:
            until(lambda: said or admin(REBUILDING))
            time.sleep(random.uniform(0, 0.15))  # noqa: S311 - an instant, not a secret
            cut += len(admin(f"select pg_terminate_backend(pid) from ({REBUILDING}) x"))
        found = ours(look, ledger)
        assert found.foreign == ()
        assert {one.name for one in found.ours} == set(invalid(sql, table))
    go()
    assert invalid(sql, table) == []
    assert sql(f"select count(*) from {table} where note = md5('5')") == [(1,)]
    assert cut, "no rebuild was ever caught"


def test_killed_after_the_swap_the_old_index_is_known_by_its_number(  # noqa: PLR0917
    sql, app, table, look, ledger, worker, go, admin
):
    """A reader that keeps its transaction open holds up the last step: the new index is in use, the old one invalid."""
    filled(sql, table, 60_000, keep=4)
    reading = app(name="reader", autocommit=False)
    reading.execute(f"select 1 from {table} limit 1")
    process = worker(f"{table}_note")
    until(lambda: alive(process) and invalid(sql, table) == [f"{table}_note_ccold"], 30)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    until(lambda: not admin(REBUILDING))
    assert [one.name for one in ours(look, ledger).ours] == [f"{table}_note_ccold"]
    reading.rollback()
    assert [effect.outcome for _, effect in go()] == [Outcome.APPLIED]
    assert invalid(sql, table) == []


def test_long_transaction_is_seen_beforehand_and_nothing_is_begun(sql, app, table, go, index_terms):
    filled(sql, table, 60_000, keep=4)
    holder = app(name="month end", autocommit=False)
    holder.execute(f"insert into {table} (note) values ('open')")
    time.sleep(0.3)
    short = index_terms.model_copy(update={"long_transaction": timedelta(seconds=0.2)})
    ((_, effect),) = go(f"{table}_note", short)
    assert effect.outcome is Outcome.LEFT_OVER
    assert "month end" in effect.reason
    assert invalid(sql, table) == []
    holder.rollback()


def test_prepared_transaction_nobody_remembers_is_seen_too(sql, app, table, go, index_terms):
    filled(sql, table, 60_000, keep=4)
    holder = app(name="two phases")
    holder.execute("begin")
    holder.execute(f"insert into {table} (note) values ('open')")
    holder.execute("prepare transaction 'forgotten'")
    try:
        time.sleep(0.3)
        short = index_terms.model_copy(update={"long_transaction": timedelta(seconds=0.2)})
        ((_, effect),) = go(f"{table}_note", short)
        assert effect.outcome is Outcome.LEFT_OVER
        assert "forgotten" in effect.reason
    finally:
        sql("rollback prepared 'forgotten'")


def test_time_out_waiting_for_a_transaction_is_left_over_and_removed_next_time(  # noqa: PLR0917
    sql, app, table, look, ledger, go, index_terms
):
    filled(sql, table, 60_000, keep=4)
    holder = app(name="holder", autocommit=False)
    holder.execute(f"insert into {table} (note) values ('open')")
    manners = index_terms.manners.model_copy(update={"lock_timeout": timedelta(seconds=0.5)})
    hasty = index_terms.model_copy(update={"manners": manners})
    ((_, effect),) = go(f"{table}_note", hasty)
    assert effect.outcome is Outcome.LEFT_OVER
    assert f"it left public.{table}_note_ccnew, removed by the next run" in effect.reason
    assert [one.name for one in ours(look, ledger).ours] == [f"{table}_note_ccnew"]
    holder.rollback()
    done = go(f"{table}_note")
    assert [(step.action, effect.outcome) for step, effect in done] == [
        ("remove leftover", Outcome.APPLIED),
        ("reindex", Outcome.APPLIED),
    ]
    assert invalid(sql, table) == []


def test_cut_off_session_fails_its_step_and_what_it_left_is_ours(sql, app, admin, table, look, ledger, go, in_a_thread):  # noqa: PLR0917
    filled(sql, table, 60_000, keep=4)
    holder = app(name="holder", autocommit=False)
    holder.execute(f"insert into {table} (note) values ('open')")
    with in_a_thread(lambda: go(f"{table}_note")) as said:
        until(lambda: invalid(sql, table))
        admin(f"select pg_terminate_backend(pid) from ({REBUILDING}) x")
    ((_, effect),) = said[0]
    assert effect.outcome is Outcome.FAILED
    holder.rollback()
    assert [one.name for one in ours(look, ledger).ours] == [f"{table}_note_ccnew"]
    assert [effect.outcome for _, effect in go()] == [Outcome.APPLIED]


def test_schema_change_goes_first_and_writers_behind_it_do_not_wait(  # noqa: PLR0917
    sql, app, table, go, eye, writers, in_a_thread
):
    filled(sql, table, 60_000, keep=4)
    holder = app(name="holder", autocommit=False)
    holder.execute("select 1 from pg_class limit 1")  # holds nobody up who writes
    with writers(table), eye() as seen, in_a_thread(lambda: go(f"{table}_pkey")) as said:
        until(lambda: said or sql("select 1 from pg_stat_progress_create_index"))
        changer = app(name="schema change")
        changer.execute("set lock_timeout = '10s'")
        changer.execute(f"alter table {table} add column extra text")
        holder.rollback()
    ((_, effect),) = said[0]
    assert effect.outcome in (Outcome.LEFT_OVER, Outcome.APPLIED), effect.reason
    assert effect.outcome is Outcome.APPLIED or "gave way to" in effect.reason
    assert seen.longest < GIVEN_WAY_MS
    go()
    assert invalid(sql, table) == []


def test_index_dropped_or_rebuilt_meanwhile_is_skipped(sql, table, look, care, index_terms):
    filled(sql, table, 60_000, keep=4)
    snapshot, choice = look()
    ours_now = care(index_terms)
    plan = ours_now.plan(snapshot, choice)
    step = next(one for one in plan.steps if one.target == f"public.{table}_note")
    sql(f"reindex index {table}_note")
    effect = ours_now.act(step)
    assert effect.outcome is Outcome.SKIPPED
    assert "within 40 %" in effect.reason
    sql(f"drop index {table}_note")
    assert ours_now.act(step).outcome is Outcome.SKIPPED


def test_nothing_of_ours_is_ever_a_valid_index(sql, table, look, ledger, go, app, admin):  # noqa: PLR0917
    """Between plan and act somebody made the leftover valid under its own name: it is not dropped."""
    filled(sql, table, 60_000, keep=4)
    snapshot, _ = look()
    leftover = replace(
        next(one for one in snapshot.indexes if one.name == f"{table}_note"), name=f"{table}_note_ccnew", valid=True
    )
    assert (
        half_built.sort(
            replace(snapshot, indexes=(leftover,)), ledger.rebuilds(SYSTEM, datetime(2026, 1, 1, tzinfo=UTC))
        ).ours
        == ()
    )
