"""Old audit rows leave for the archive: what goes, what stays, and what is on record of it (WM-03, D05-D08)."""
# ruff: noqa: S608 - ids the test itself found

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from clo_ops.actions.maintenance.plan import Outcome
from clo_ops.actions.retention import archiving, deleting
from clo_ops.actions.retention.archiving import RetentionFailed
from clo_ops.actions.retention.audit import ARCHIVE, DELETE, TooMuch
from clo_ops.actions.retention.deleting import Deletion
from clo_ops.findings import CheckFailed, ConfigurationError
from clo_ops.ledger import Ledger, LedgerUnavailable
from clo_ops.policy.archive import AuditHold
from clo_ops.probes.audit_archive import AuditArchive
from clo_ops.probes.audit_stream import live, trail


def live_table(system: Any) -> pa.Table:
    with trail(system.target()) as connection:
        return pa.concat_tables(live(connection)).combine_chunks()


def archived_table(system: Any) -> pa.Table:
    archive = AuditArchive(system.repository)
    files, wrong = archive.manifests(system.identity)
    assert wrong == {}
    return pa.concat_tables([table for one in files for table in archive.tables(one.name)]).combine_chunks()


def ids(table: pa.Table) -> set[int]:
    return set(table["id"].to_pylist())


def test_rows_of_periods_that_are_over_and_old_leave_and_nothing_is_lost(system):
    original = live_table(system)
    effects = system.clean_up()
    assert {one.outcome for one in effects} == {Outcome.APPLIED}
    there, here = archived_table(system), live_table(system)
    both = pa.concat_tables([there, here]).combine_chunks()
    assert both.slice(0, original.num_rows).equals(original), "column for column, each row once, in order"
    oldest = min(here["created_at"].to_pylist())
    limit = system.at - timedelta(days=90)
    assert limit - timedelta(days=7) <= oldest <= limit, "what is younger than 90 days stays, weeks leave whole"
    assert max(there["created_at"].to_pylist()) < limit


def test_each_file_has_a_manifest_that_somebody_else_can_check(moved_once):
    for path in moved_once.files():
        facts = json.loads((moved_once.archive / f"{path.name}.manifest.json").read_text())
        assert facts["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert (facts["rows"], facts["last_id"] - facts["first_id"] + 1) == (facts["rows"],) * 2
        assert facts["source"]["system"] == moved_once.identity
        assert {one["name"]: one["type"] for one in facts["columns"]}["created_at"] == "timestamp with time zone"
        hashes = AuditArchive(moved_once.repository).tables(path.name)
        every = "".join(value for table in hashes for value in table["row_hash"].to_pylist())
        assert facts["content_sha256"] == hashlib.sha256(every.encode()).hexdigest()
        assert path.stat().st_mode & 0o777 == 0o600


def test_run_again_there_is_nothing_to_do(moved_once):
    files = [(one.name, one.stat().st_mtime_ns) for one in moved_once.files()]
    assert moved_once.retention().plan().steps == ()
    assert [(one.name, one.stat().st_mtime_ns) for one in moved_once.files()] == files


def test_receipts_stand_in_the_trail_and_in_the_ledger_each_on_the_one_before(moved_once):
    events = [
        row[0] for row in moved_once.rows("SELECT detail FROM audit_logs WHERE action = 'audit.rows_moved' ORDER BY id")
    ]
    kept = moved_once.ledger.remembered(moved_once.identity).receipts
    assert [one["receipt_hash"] for one in events] == [kept[number].hash for number in sorted(kept)]
    assert [one["previous"] for one in events] == ["0" * 64, *[one["receipt_hash"] for one in events[:-1]]]
    states = {row.state for row in moved_once.ledger.archive_rows(moved_once.identity)}
    assert states == {"done"}
    assert sum(row.deleted for row in moved_once.ledger.archive_rows(moved_once.identity)) == events[-1]["last_id"]


def test_the_systems_own_check_and_i60_do_not_take_retention_for_tampering(moved):
    from clo_ops.probes.statements import statement

    assert moved.rows("SELECT * FROM audit_verify()") == []
    moved.rows("SELECT audit_anchor_days(current_date)")
    with moved.connect() as connection:
        text = statement("invariants/I60").text.encode()
        assert connection.execute(text, {"limit": 10}).fetchall() == []
        first = connection.execute("SELECT min(id) FROM audit_logs").fetchone()[0]
        connection.execute("SET session_replication_role = replica")
        connection.execute("DELETE FROM audit_logs WHERE id = %s", [first])
        assert connection.execute(text, {"limit": 10}).fetchall() != []
    assert [row[0] for row in moved.rows("SELECT id FROM audit_verify()")] == [first + 1]


# --- who may


@pytest.mark.parametrize(
    ("user", "statement"),
    [
        ("clo_app", "DELETE FROM audit_logs"),
        ("clo_app", "SELECT audit_receipt(1, 10, 10, repeat('0', 64), repeat('1', 64), 'x', repeat('2', 64))"),
        ("clo_ops_retention", "UPDATE audit_logs SET actor = 'x'"),
        ("clo_ops_retention", "INSERT INTO audit_logs (actor, action) VALUES ('a', 'b')"),
        ("clo_ops_retention", "DELETE FROM audit_anchor"),
        ("clo_ops_retention", "DELETE FROM app_users"),
        ("clo_ops_retention", "SELECT * FROM app_users"),
        ("clo_ops_reader", "DELETE FROM audit_logs"),
    ],
)
def test_nobody_may_do_more_than_its_part(moved_once, user, statement):
    wanted = psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction
    with moved_once.connect(user) as connection, pytest.raises(wanted):
        connection.execute(statement)


def test_the_database_lets_nothing_go_that_is_young_or_has_no_receipt(system):
    with system.connect("clo_ops_retention") as connection:
        with pytest.raises(psycopg.errors.RaiseException, match="a receipt speaks for"):
            connection.execute("DELETE FROM audit_logs WHERE id = 1")
        with pytest.raises(psycopg.errors.RaiseException, match="must begin with 1"):
            connection.execute("SELECT audit_receipt(2, 10, 9, repeat('0', 64), repeat('1', 64), 'x', repeat('2', 64))")
        with pytest.raises(psycopg.errors.RaiseException, match="not those of the chain"):
            connection.execute(
                "SELECT audit_receipt(1, 10, 10, repeat('0', 64), repeat('1', 64), 'x', repeat('2', 64))"
            )
        ends = "SELECT prev_hash FROM audit_logs WHERE id = 1", "SELECT row_hash FROM audit_logs WHERE id = 3000"
        first, last = (connection.execute(one).fetchone()[0] for one in ends)
        connection.execute("SELECT audit_receipt(1, 3000, 3000, %s, %s, 'x', repeat('2', 64))", [first, last])
        with pytest.raises(psycopg.errors.RaiseException, match="after 90 days"):
            connection.execute("DELETE FROM audit_logs WHERE id = 3000")


# --- legal holds


def hold(**what: Any) -> tuple[AuditHold, ...]:
    return (AuditHold(name="SEC inquiry 17", reason="letter of 2026-03-02", **what),)


def test_rows_under_hold_stay_their_neighbours_leave_and_the_chain_holds(system):
    effects = system.clean_up(holds=hold(actors=["ann"]))
    assert {one.outcome for one in effects} == {Outcome.APPLIED}
    moved_to = system.ledger.remembered(system.identity).receipts[len(system.files())].stretch.last_id
    old = system.rows("SELECT DISTINCT actor FROM audit_logs WHERE id <= %s", moved_to)
    assert old == [("ann",)]
    assert system.verified().faults == []
    assert sum(row.held for row in system.ledger.archive_rows(system.identity)) > 0
    assert system.retention(holds=hold(actors=["ann"])).plan().steps == (), "what is held is not planned again"
    system.clean_up()
    assert system.rows("SELECT count(*) FROM audit_logs WHERE id <= %s", moved_to) == [(0,)], "the hold has ended"
    assert system.verified().faults == []


def test_a_hold_on_an_object_or_a_period_covers_just_that(system):
    day = (system.at - timedelta(days=125)).date()
    holds = (*hold(objects=["loan/16"]), AuditHold(name="b", reason="r", since=day, until=day))
    system.clean_up(holds=holds)
    old = system.rows("SELECT id FROM audit_logs WHERE created_at < now() - interval '105 days' ORDER BY id")
    wanted = {17, *ids_of_day(system, day)}
    assert {row[0] for row in old} == wanted
    assert system.verified().faults == []


def ids_of_day(system, day) -> set[int]:
    table = archived_table(system)
    pairs = zip(table["id"].to_pylist(), table["created_at"].to_pylist(), strict=True)
    return {number for number, at in pairs if at.astimezone(UTC).date() == day}


# --- what stops it


def test_too_much_at_once_stops_it_before_anything_is_planned(system):
    with pytest.raises(TooMuch, match=r"of 3,120 audit rows would leave .*at most 5 %"):
        system.retention(stop_above=5.0).plan()
    assert system.files() == []


def test_a_column_that_would_be_lost_stops_it(altered):
    altered.tamper("ALTER TABLE audit_logs ADD COLUMN source_ip inet")
    with pytest.raises(ConfigurationError, match="source_ip is inet"):
        altered.retention().plan()


def test_a_row_changed_after_it_was_archived_is_not_deleted(system):
    retention = system.retention()
    steps = retention.plan().steps
    retention.act(steps[0])
    system.tamper("UPDATE audit_logs SET actor = 'mallory' WHERE id = 1")
    before = system.rows("SELECT count(*) FROM audit_logs")[0][0]
    with pytest.raises(CheckFailed, match="are not those of"):
        retention.act(steps[1])
    assert system.rows("SELECT count(*) FROM audit_logs WHERE action <> 'audit.rows_moved'")[0][0] == before
    assert {one.kind.value for one in system.verified().faults} == {"edited row"}


def test_what_is_still_the_version_that_was_archived_goes_without_being_sent_again(system, monkeypatch):
    retention = system.retention()
    first, its_rows = retention.plan().steps[:2]
    retention.act(first)
    system.tamper("VACUUM FREEZE audit_logs")
    monkeypatch.setattr(Deletion, "_compared", never)
    assert retention.act(its_rows).outcome is Outcome.APPLIED
    monkeypatch.undo()
    assert system.rows("SELECT min(id) FROM audit_logs") == [(int(first.before["last_id"]) + 1,)]
    assert system.verified().faults == []


def never(*_: Any) -> None:
    raise AssertionError("this was not to be called")


@pytest.mark.parametrize("how", ["changed to the same", "moment unknown", "another timeline", "too long ago"])
def test_where_versions_say_nothing_every_column_is_compared(system, monkeypatch, how):
    retention, now = system.retention(), deleting.moment
    *before, file, its_rows = retention.plan().steps[:4]
    if how == "moment unknown":
        monkeypatch.setattr(archiving, "moment", lambda connection: None)
    for step in (*before, file):
        retention.act(step)
    inside = int(file.before["first_id"]) + 50
    if how == "changed to the same":
        system.tamper(f"UPDATE audit_logs SET actor = actor WHERE id = {inside}")
    if how == "another timeline":
        monkeypatch.setattr(deleting, "moment", lambda one: replace(now(one), timeline="000000FF"))
    if how == "too long ago":
        monkeypatch.setattr(deleting, "moment", lambda one: replace(now(one), next=2**40))
    compared = []
    columns = Deletion._columns
    monkeypatch.setattr(Deletion, "_columns", lambda self, *given: (compared.append(1), columns(self, *given)))
    assert retention.act(its_rows).outcome is Outcome.APPLIED
    assert compared
    assert system.rows("SELECT min(id) FROM audit_logs") == [(int(file.before["last_id"]) + 1,)]
    assert system.verified().faults == []


def test_a_row_that_went_before_a_receipt_spoke_for_it_lets_no_other_go(system):
    retention = system.retention()
    file, its_rows = retention.plan().steps[:2]
    retention.act(file)
    system.tamper("DELETE FROM audit_logs WHERE id = 2")
    with pytest.raises(CheckFailed, match="stand in the live table"):
        retention.act(its_rows)
    assert system.rows("SELECT count(*) FROM audit_logs") == [(3119,)], "and no receipt was written"
    assert {one.kind.value for one in system.verified().faults} == {"deleted middle"}


def test_a_file_of_another_database_under_the_same_name_lets_nothing_go(system):
    retention = system.retention()
    file, its_rows = retention.plan().steps[:2]
    retention.act(file)
    manifest = system.archive / f"{file.target}.manifest.json"
    facts = json.loads(manifest.read_text())
    facts["source"]["system"] = "1234/clo"
    manifest.write_text(json.dumps(facts))
    for step in (file, its_rows):
        with pytest.raises(RetentionFailed, match="another database"):
            retention.act(step)
    assert system.rows("SELECT min(id) FROM audit_logs") == [(1,)]


def test_a_trail_that_does_not_hold_is_not_archived(system):
    system.tamper("UPDATE audit_logs SET actor = 'mallory' WHERE id = 1")
    retention = system.retention()
    with pytest.raises(CheckFailed, match="row 1 has hash"):
        retention.act(retention.plan().steps[0])
    assert list(system.archive.iterdir()) == [], "not even its hidden file stays"
    (row,) = [one for one in system.ledger.archive_rows(system.identity) if one.failure]
    assert row.state == "planned" and "row 1" in row.failure


def test_a_file_damaged_after_it_was_written_lets_nothing_go(system):
    retention = system.retention()
    steps = retention.plan().steps
    retention.act(steps[0])
    path = system.files()[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(RetentionFailed, match="SHA-256"):
        retention.act(steps[1])
    assert system.rows("SELECT min(id) FROM audit_logs") == [(1,)]


def test_rows_somebody_holds_a_lock_on_are_waited_for_and_left(system):
    retention = system.retention()
    first_file, its_rows, second_file, steps = (retention.plan().steps)[0:4]
    for step in (first_file, its_rows, second_file):
        retention.act(step)
    first = system.rows("SELECT min(id) FROM audit_logs")[0][0]
    with psycopg.connect(system.cluster.url(system.database, "postgres")) as other:
        other.execute("SELECT * FROM audit_logs WHERE id = %s FOR UPDATE", [first + 160])
        with pytest.raises(RetentionFailed, match="locked by somebody"):
            retention.act(steps)
        reached = system.rows("SELECT min(id) FROM audit_logs")
        assert reached == [(first + 150,)], "the batch before is gone, this one whole"
        assert system.verified().faults == [], "broken off is no fault"
    assert retention.act(steps).outcome is Outcome.APPLIED
    assert system.verified().faults == []


def test_a_database_without_the_receipts_function_lets_nothing_go_and_says_so(altered):
    altered.tamper("DROP FUNCTION audit_receipt")
    retention = altered.retention()
    steps = retention.plan().steps
    retention.act(steps[0])
    with pytest.raises(RetentionFailed, match="audit_receipt"):
        retention.act(steps[1])
    assert altered.rows("SELECT min(id) FROM audit_logs") == [(1,)]


def test_two_at_once_the_second_waits_for_another_day(system):
    retention = system.retention()
    steps = retention.plan().steps
    with system.connect() as other:
        other.execute("SELECT pg_advisory_lock(hashtext('clo_ops.retention'), hashtext(current_database()))")
        with pytest.raises(RetentionFailed, match="another retention"):
            retention.act(steps[0])


def test_one_that_is_on_its_way_out_is_given_a_moment(system):
    """A session that has been closed keeps its lock until the server has noticed."""
    retention = system.retention()
    steps = retention.plan().steps
    with system.connect() as other:
        other.execute("SELECT pg_advisory_lock(hashtext('clo_ops.retention'), hashtext(current_database()))")
        leaving = threading.Timer(0.5, other.execute, ["SELECT pg_advisory_unlock_all()"])
        leaving.start()
        assert retention.act(steps[0]).outcome is Outcome.APPLIED
        leaving.join()


def test_an_archive_that_is_gone_stops_it_and_what_left_is_still_accounted_for(moved):
    away = moved.archive.rename(moved.archive.with_name("unmounted"))
    with pytest.raises(CheckFailed, match="receipts speak for rows up to"):
        moved.retention().plan()
    assert {one.kind.value for one in moved.verified().faults} == {"archive file missing"}
    moved.archive.write_text("not a folder")
    with pytest.raises(RetentionFailed, match="cannot be used"):
        moved.retention().plan()
    found = moved.verified()
    assert not found.whole and found.answer.unanswered, "could not look is not: looked and found bad"
    moved.archive.unlink()
    away.rename(moved.archive)
    assert moved.verified().whole


def test_without_its_ledger_nothing_leaves(system):
    away = Ledger("postgresql://nobody:x@127.0.0.1:9/none")
    retention = system.retention()
    steps = retention.plan().steps
    retention.act(steps[0])
    retention.record = away
    with pytest.raises(LedgerUnavailable):
        retention.act(steps[1])
    assert system.rows("SELECT min(id) FROM audit_logs") == [(1,)]
    away.close()


# --- what is odd, and right


def test_a_row_whose_time_is_older_than_its_place_waits_for_its_neighbours(altered):
    altered.tamper("DROP TRIGGER audit_logs_leave ON audit_logs")
    with altered.connect("clo_app") as connection:
        connection.execute(
            "INSERT INTO audit_logs (created_at, actor, action) VALUES (now() - interval '120 days', 'late', 'x')"
        )
    altered.clean_up()
    assert altered.rows("SELECT count(*) FROM audit_logs WHERE actor = 'late'") == [(1,)]
    assert altered.verified().faults == []


def test_a_file_holds_no_more_rows_than_it_may_and_days_are_files_of_their_own(system):
    retention = system.retention(rows_per_file=10, period="day")
    for step in retention.plan().steps[:8]:
        retention.act(step)
    sizes = [int(path.stem[-12:]) - int(path.stem[-25:-13]) + 1 for path in system.files()]
    assert max(sizes) == 10
    assert system.verified().faults == []


def test_the_plan_says_what_would_happen_and_what_it_costs(system):
    plan = system.retention().plan()
    assert [one.action for one in plan.steps[:4]] == [ARCHIVE, DELETE, ARCHIVE, DELETE]
    assert plan.hash == system.retention().plan().hash, "the same work is the same plan"
    assert all(one.seconds and one.wal_bytes is not None and one.why for one in plan.steps)


def test_a_clock_that_runs_ahead_moves_nothing_early(system):
    system.at = datetime.now(UTC) + timedelta(days=3650)
    system.clean_up()
    young = "SELECT count(*) FROM audit_logs WHERE created_at > now() - interval '90 days' AND actor <> 'x'"
    assert system.rows(young)[0][0] >= 90 * 24
