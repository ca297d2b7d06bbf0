"""The gate on a real system: each thing that must keep it shut, made real, and the same system open without it."""

from __future__ import annotations

import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.actions.backups.take import take
from clo_ops.findings import Status
from clo_ops.findings.plans import Effect, Outcome, Plan, Step
from clo_ops.orchestration.maintenance import gated
from clo_ops.rules.gate import ALL, Need
from demo.stack.postgres import Cluster

KEY = 726210110


def ask(world, needs=ALL, **params):
    return gated(world.approved(**params), "WM-02", "indexes", needs=needs)


def the(need, gate):
    return next(one for one in gate.findings if one.subject == need.value)


@pytest.fixture(autouse=True)
def fresh(world):
    world.proven()


def test_a_sound_system_is_let_through_with_every_need_on_record(world):
    gate = ask(world)
    assert gate.open, gate.reasons
    assert [one.subject for one in gate.findings] == [need.value for need in Need]
    assert "public.loans_pkey" in the(Need.ROOM, gate).message or "is" in the(Need.ROOM, gate).message


def test_what_was_asked_is_kept_with_the_procedure(world):
    run = world.approved()
    gated(run, "WM-02", "indexes")
    names = {one.name for one in run.answer.measurements}
    assert {"gate.primary", "gate.transaction.age", "gate.room.free", "gate.backup.age", "gate.window.left"} <= names


def test_a_standby_is_no_place_for_a_change(world, tmp_path_factory):
    """A server that was shut down cleanly and started as a standby replays and takes no writes."""
    with Cluster(tmp_path_factory.mktemp("standby")) as standby:
        standby.create_user(
            "clo_ops_maintainer", world.cluster.password("clo_ops_maintainer"), options="in role pg_monitor"
        )
        standby.create_database("clo")
        standby.stop()
        (standby.data / "standby.signal").touch()
        standby.start()
        world.port = standby.port
        gate = ask(world)
    assert gate.closed_by == {Need.PRIMARY}
    assert the(Need.PRIMARY, gate).status is Status.FAIL


def test_a_long_transaction_is_given_way_to_and_named(world):
    world.with_terms(gate__long_transaction=timedelta(milliseconds=300))
    with world.session() as other:
        other.execute("SELECT count(*) FROM loans")
        time.sleep(0.4)
        gate = ask(world)
    assert gate.closed_by == {Need.NO_LONG_TRANSACTION}
    found = the(Need.NO_LONG_TRANSACTION, gate)
    assert found.status is Status.WARN
    assert "somebody else (clo_app" in found.message
    assert "waited for" in found.message
    assert ask(world).open


def test_a_second_maintainer_keeps_the_first_ones_lock(world):
    with world.session("clo_ops_maintainer") as other:
        other.execute("SELECT pg_advisory_lock(%s)", [KEY])
        gate = ask(world)
        assert gate.closed_by == {Need.ALONE}
        assert "somebody else" in the(Need.ALONE, gate).message
    assert ask(world).open


def test_a_person_at_work_on_an_approved_change_is_a_maintainer_too(world):
    other = world.approved()
    plan = Plan("by hand", "clo", (Step("by hand x", "by hand", "clo", "disk", "move it"),))
    number = world.ledger.keep_plan(other.ledger_run, plan)
    world.ledger.step_started(number, "by hand x", datetime.now(UTC))
    gate = ask(world)
    assert gate.closed_by == {Need.ALONE}
    assert "by hand x" in the(Need.ALONE, gate).message
    assert gated(other, "MW-05", "indexes").open, "its own run goes on"
    world.ledger.step_ended(number, "by hand x", Effect(Outcome.APPLIED, "Made"), datetime.now(UTC))
    assert ask(world).open


def test_another_lock_of_the_application_is_not_ours(world):
    with world.session() as other:
        other.execute("SELECT pg_advisory_lock(1), pg_advisory_lock(%s, %s), pg_advisory_lock(%s)", [0, KEY, KEY << 20])
        assert ask(world).open


def test_a_running_pg_dump_is_given_way_to(world):
    """Held in the middle by a lock on one table, as by a large one in life."""
    command = [str(world.cluster.bin / "pg_dump"), *world.cluster.client("clo", "clo_backup"), "-f", "/dev/null"]
    with world.session() as other:
        other.execute("LOCK TABLE loans IN ACCESS EXCLUSIVE MODE")
        dump = subprocess.Popen(command, env=world.cluster.environment("clo_backup"))
        try:
            _wait_for(
                world, "select 1 from pg_stat_activity where application_name = 'pg_dump' and wait_event_type = 'Lock'"
            )
            gate = ask(world)
        finally:
            dump.kill()
            dump.wait()
    assert gate.closed_by == {Need.NO_BACKUP_RUNNING}
    assert "pg_dump since" in the(Need.NO_BACKUP_RUNNING, gate).message


def _wait_for(world, query):
    with world.cluster.connect("clo") as connection:
        end = time.monotonic() + 20
        while not connection.execute(query).fetchone():
            assert time.monotonic() < end, query
            time.sleep(0.02)


def test_a_disk_without_room_for_a_second_copy(world):
    gate = ask(world.with_terms(gate__room_beside=2**60))
    assert gate.closed_by == {Need.ROOM}
    assert the(Need.ROOM, gate).status is Status.FAIL


def test_a_disk_nobody_can_look_at_keeps_it_shut(world):
    gate = ask(world.with_terms(gate__data_on__mount="/no/such/place"))
    assert gate.closed_by == {Need.ROOM}
    assert the(Need.ROOM, gate).status is Status.UNKNOWN


def test_a_database_that_does_not_answer_opens_nothing(world):
    world.port = 1
    gate = ask(world)
    assert not gate.open
    assert {Need.PRIMARY, Need.NO_BACKUP_RUNNING, Need.NO_LONG_TRANSACTION, Need.ALONE} <= gate.closed_by
    assert not [one for one in gate.findings if one.subject == Need.PRIMARY.value and one.status is not Status.UNKNOWN]


@pytest.mark.parametrize(
    ("backups", "opens"),
    [
        ([], False),
        ([{"level": "L1"}], False),
        ([{"age": timedelta(hours=27)}], False),
        ([{"failed": True}], False),
        ([{"failed": True}, {"age": timedelta(hours=25)}], True),
        ([{"level": "L4"}], True),
    ],
)
def test_only_a_backup_that_is_proven_whole_and_fresh_counts(world, tmp_path, backups, opens):
    world.repository = tmp_path / "another"
    for one in backups:
        world.proven(**one)
    gate = ask(world)
    assert gate.open is opens
    assert the(Need.BACKUP, gate).status is (Status.PASS if opens else Status.FAIL)


def test_last_nights_backup_that_nobody_has_read_yet_is_read_now(world, tmp_path):
    """On a Monday at 05:00 the last one that an end of day has read is Sunday's, and too old."""
    world.repository = tmp_path / "another"
    world.repository.mkdir()
    run = world.approved()
    take(run.connections.backup_source, run.connections.backups, world.policy.recovery.taking)
    assert world.ledger.known_backups(world.repository.as_uri()) == {}
    assert gated(run, "WM-02", "indexes").open
    (row,) = world.ledger.known_backups(world.repository.as_uri()).values()
    assert row.level == "L2"


def test_last_nights_backup_that_is_damaged_keeps_it_shut(world, tmp_path):
    world.repository = tmp_path / "another"
    world.repository.mkdir()
    run = world.approved()
    path = take(run.connections.backup_source, run.connections.backups, world.policy.recovery.taking)["path"]
    dump = world.repository / path
    dump.write_bytes(dump.read_bytes()[:-100] + bytes(100))
    gate = gated(run, "WM-02", "indexes")
    assert gate.closed_by == {Need.BACKUP}
    assert the(Need.BACKUP, gate).status is Status.FAIL


def test_a_drill_under_way_is_given_way_to_until_it_has_ended(world):
    now = datetime.now(UTC)
    drill = world.ledger.open_run("monthly_week3_dr_test", f"manual__{now.timestamp()}", now, "")
    gate = ask(world)
    assert gate.closed_by == {Need.NO_DRILL_RUNNING}
    world.ledger.close_run(drill, Status.PASS, {})
    assert ask(world).open


def test_what_ends_by_itself_is_waited_for(world):
    world.with_terms(gate__wait_at_most=timedelta(seconds=30))
    with world.session("clo_ops_maintainer") as other:
        other.execute("SELECT pg_advisory_lock(%s)", [KEY])
        threading.Timer(1.0, lambda: other.cancel_safe() or other.close()).start()
        assert ask(world).open


def test_what_does_not_end_by_itself_is_not_waited_for(world):
    world.with_terms(gate__wait_at_most=timedelta(minutes=10), gate__room_beside=2**60)
    assert not ask(world).open


def test_an_emergency_nobody_approved_has_no_time(world):
    run = world.run(reason="disk is filling", duties=["indexes"])
    gate = gated(run, "MW-05", "indexes")
    assert gate.closed_by == {Need.WINDOW}
    assert "nobody approved it" in the(Need.WINDOW, gate).message


def test_a_run_that_only_plans_is_told_what_would_keep_it_and_goes_on(world):
    run = world.run("maintenance_weekly", at=datetime(2026, 11, 24, 3, tzinfo=UTC))
    gate = gated(run, "WM-02", "indexes")
    assert gate.open
    found = the(Need.WINDOW, gate)
    assert found.status is Status.NOT_APPLICABLE
    assert "would not start now" in found.message
