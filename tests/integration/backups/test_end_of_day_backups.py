"""The end of day's own tasks over a real repository and a real ledger: ED-03, ED-04, ED-06, and MW-04's backup."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import fsspec
import pytest

from clo_ops.findings import Severity, Status
from clo_ops.ledger import BackupRow
from clo_ops.orchestration import backups
from clo_ops.orchestration.connections import Connections
from clo_ops.orchestration.run import Run
from clo_ops.policy import load_policy
from clo_ops.policy.retention import LegalHold
from clo_ops.probes.backup_reading import BackupReader
from clo_ops.probes.targets import BackupRepository
from demo.mornings import Plain

ROOT = Path(__file__).resolve().parents[3]
POLICY = load_policy(mode="demo")
# The demo's business tables are not in this small database.
WITHOUT_BUSINESS = POLICY.model_copy(
    update={
        "recovery": POLICY.recovery.model_copy(
            update={"proof": POLICY.recovery.proof.model_copy(update={"newest": ()})}
        )
    }
)
_numbers = count(1)


@pytest.fixture
def day(ledger, repository, cluster):
    """Runs a procedure as the DAG would; returns its findings. Each call is a run of its own."""
    dag = f"daily_end_of_day_{next(_numbers)}"

    def run(procedure, *, at=None, rotation=None, url=None, record=None, business=False):
        policy = POLICY if business else WITHOUT_BUSINESS
        if rotation is not None:
            terms = policy.retention.backups.model_copy(update=rotation)
            policy = policy.model_copy(update={"retention": policy.retention.model_copy(update={"backups": terms})})
        moment = at or datetime.now(UTC)
        key = ledger.open_run(dag, f"test__{next(_numbers)}", moment, "")
        known = {
            "clo_backups": {"conn_type": "generic", "extra": json.dumps({"url": url or repository.url})},
            "clo_backup_source": {
                "conn_type": "postgres", "host": "127.0.0.1", "port": cluster.port, "schema": "clo",
                "login": "clo_backup", "password": cluster.password("clo_backup"),
                "extra": json.dumps({"sslmode": "disable"}),
            },
        }  # fmt: skip
        connections = Connections("clo_ops/test", lambda conn_id: Plain(conn_id, **known[conn_id]))
        this = Run(dag, "test", "test", moment, policy, connections, ledger, key)
        findings = procedure(this)
        if record:
            ledger.record(key, record, findings, this.answer, [], 1)
        return findings

    return run


def named(findings, status=None):
    return {(one.name, one.subject): one for one in findings if status is None or one.status is status}


# ---------------------------------------------------------------- ED-03


def test_a_week_with_every_day_is_green_and_days_nobody_looked_at_are_found(day, put, night):
    at = night + timedelta(hours=16)
    for days in range(6):
        put(night - timedelta(days=days), status="success")
    assert {one.status for one in day(backups.daily_backup, at=at - timedelta(days=4), record="ED-03")} == {Status.PASS}
    hole = night - timedelta(days=2)
    for path in (folder_of(put(hole))).glob(f"clo-{hole:%Y%m%d}*"):
        path.unlink()
    failed = named(day(backups.daily_backup, at=at, record="ED-03"), Status.FAIL)
    assert list(failed) == [("daily backup", f"{hole:%Y-%m-%d}")]
    assert failed["daily backup", f"{hole:%Y-%m-%d}"].severity is Severity.P2
    later = named(day(backups.daily_backup, at=at + timedelta(minutes=1)), Status.FAIL)
    assert later == {}, "told once: the next end of day looks from there on"


def folder_of(path):
    return path.parent


def test_todays_backup_missing_is_p1_as_the_newest_too_old(day, put, night):
    put(night - timedelta(days=1))
    failed = named(day(backups.daily_backup, at=night + timedelta(hours=16)), Status.FAIL)
    assert {name for name, _ in failed} == {"backup age", "daily backup"}
    assert {one.severity for one in failed.values()} == {Severity.P1}


def test_failed_attempt_is_no_backup_of_the_day(day, put, night, folder):
    put(night - timedelta(days=1))
    put(night, status="failed", sha256=None, size_bytes=0).unlink()
    failed = named(day(backups.daily_backup, at=night + timedelta(hours=16)), Status.FAIL)
    assert ("daily backup", f"{night:%Y-%m-%d}") in failed


# ---------------------------------------------------------------- ED-04


def test_proofs_are_on_record_and_nothing_is_read_twice(day, put, night, ledger, repository, monkeypatch):  # noqa: PLR0917
    path = put(night)
    assert {one.status for one in day(backups.backup_integrity)} == {Status.PASS}
    row = ledger.known_backups(str(repository))[path.name]
    assert (row.level, row.size_bytes, bool(row.read_at)) == ("L2", path.stat().st_size, True)
    monkeypatch.setattr(BackupReader, "read", lambda *_: pytest.fail("read again"))
    assert {one.status for one in day(backups.backup_integrity)} == {Status.PASS}
    assert ledger.known_backups(str(repository))[path.name].read_at == row.read_at


def test_a_file_that_changed_after_it_was_proven_is_read_again_and_loses_its_proofs(
    day, put, night, ledger, repository
):
    path = put(night)
    day(backups.backup_integrity)
    ledger.record_backup(replace(ledger.known_backups(str(repository))[path.name], proven={"L4": night}))
    content = bytearray(path.read_bytes())
    content[content.index(b"1000777")] = ord("9")
    path.write_bytes(content)
    failed = named(day(backups.backup_integrity), Status.FAIL)
    assert list(failed) == [("backup's bytes changed", path.name)]
    row = ledger.known_backups(str(repository))[path.name]
    assert row.level is None
    assert row.failure.startswith("hash: ")


def test_depth_proven_by_a_drill_is_told_with_its_date(day, put, night, ledger, repository):
    path = put(night)
    day(backups.backup_integrity)
    known = ledger.known_backups(str(repository))[path.name]
    ledger.record_backup(replace(known, proven={**known.proven, "L4": night}))
    newest = named(day(backups.backup_integrity))["newest backup decoded", path.name]
    assert f"L4 since {night:%Y-%m-%d %H:%M} UTC" in newest.actual


def test_backup_that_vanished_without_rotation_is_named_once(day, put, night, ledger, repository):
    put(night)
    gone = put(night - timedelta(days=1))
    day(backups.backup_integrity)
    gone.unlink()
    Path(f"{gone}.manifest.json").unlink()
    failed = named(day(backups.backup_integrity), Status.FAIL)
    assert list(failed) == [("backup vanished", gone.name)]
    assert named(day(backups.backup_integrity), Status.FAIL) == {}
    assert gone.name not in ledger.known_backups(str(repository))


def test_repository_that_cannot_be_listed_is_unknown_and_nothing_is_said_to_have_vanished(  # noqa: PLR0917
    day, put, night, folder, ledger, repository
):
    put(night)
    day(backups.backup_integrity)
    folder.rename(folder.with_name("away"))
    assert {one.status for one in day(backups.backup_integrity)} == {Status.UNKNOWN}
    assert len(ledger.known_backups(str(repository))) == 1


# ---------------------------------------------------------------- ED-06

FEW = {"daily": 2, "weekly": 1, "monthly": 1, "yearly": 1, "minimum_proven": 2}


def prove(ledger, repository, *paths):
    for path in paths:
        ledger.record_backup(BackupRow(str(repository), path.name, proven={"L3": datetime.now(UTC)}))


@pytest.fixture
def week(put, night, ledger, repository):
    """Seven nights, newest first; the second and third are proven restorable."""
    paths = [put(night - timedelta(days=days)) for days in range(7)]
    prove(ledger, repository, paths[1], paths[2])
    return paths


def left(folder):
    return sorted((path.name for path in folder.glob("*.dump")), reverse=True)


def test_dry_run_is_the_default_and_names_what_would_go(day, week, folder):
    found = named(day(backups.backup_rotation, rotation=FEW))
    dry = found["due backups removed", ""]
    assert dry.status is Status.NOT_APPLICABLE
    assert week[-1].name in dry.message
    assert len(left(folder)) == 7


def test_applied_it_removes_what_is_due_and_nothing_else_and_it_is_on_record(day, week, folder, ledger, repository):
    found = named(day(backups.backup_rotation, rotation=FEW | {"apply": True}))
    assert found["due backups removed", ""].status is Status.PASS
    assert week[0].name in left(folder)
    assert {week[1].name, week[2].name} <= set(left(folder))
    gone = {path.name for path in week} - set(left(folder))
    assert gone
    rows = {row.path: row for row in ledger.recent_backups(str(repository), 50)}
    assert {path for path, row in rows.items() if not row.present} == gone
    assert sorted(name for name in os.listdir(folder) if not name.endswith((".dump", ".json"))) == []  # noqa: PTH208
    again = named(day(backups.backup_rotation, rotation=FEW | {"apply": True}))
    assert ("due backups removed", "") not in again


def test_too_few_proven_ones_and_nothing_goes(day, put, night, ledger, repository, folder):  # noqa: PLR0917
    paths = [put(night - timedelta(days=days)) for days in range(7)]
    prove(ledger, repository, paths[1])
    found = named(day(backups.backup_rotation, rotation=FEW | {"apply": True}))
    assert found["enough proven backups", ""].status is Status.WARN
    assert len(left(folder)) == 7


def test_legal_hold_keeps_what_is_due(day, week, folder, night):
    held = LegalHold(name="inquiry", reason="letter", since=(night - timedelta(days=6)).date(), until=night.date())
    day(backups.backup_rotation, rotation=FEW | {"apply": True, "holds": (held,)})
    assert len(left(folder)) == 7


def test_what_is_no_sound_backup_of_ours_is_left_alone(day, week, folder, night):
    foreign = folder / "other-20200101T020000Z.dump"
    foreign.write_bytes(week[0].read_bytes())
    half = folder / "clo-20200101T020000Z.dump"
    half.write_bytes(week[0].read_bytes()[:100])
    day(backups.backup_rotation, rotation=FEW | {"apply": True})
    assert foreign.exists()
    assert half.exists()


def test_on_an_object_store_too(day, week, folder, ledger):
    store = fsspec.filesystem("memory")
    store.put(f"{folder}/", "/rotating/", recursive=True)
    remote = BackupRepository("memory://rotating")
    prove(ledger, remote, week[1], week[2])
    found = named(day(backups.backup_rotation, rotation=FEW | {"apply": True}, url=remote.url))
    assert found["due backups removed", ""].status is Status.PASS
    there = [path.rsplit("/", 1)[-1] for path in store.ls("/rotating", detail=False)]
    assert f"{week[1].name}.manifest.json" in there
    assert week[-2].name not in there
    assert f"{week[-2].name}.manifest.json" not in there


ROTATE = """
import os, sys, time
from clo_ops.actions.backups import rotation
from clo_ops.actions.backups.writing import BackupWriter
from clo_ops.probes.targets import BackupRepository

def slowly(*_):
    print("now", flush=True)
    time.sleep(60)

if sys.argv[2] == "before the archive goes":
    BackupWriter.discard = slowly
gone = slowly if sys.argv[2] == "before it is on record" else lambda path: None
list(rotation.remove(BackupRepository(sys.argv[1]), sys.argv[3:], gone))
"""


def killed(repository, instant, path):
    command = [sys.executable, "-c", ROTATE, repository.url, instant, path.name]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "plugins")}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as rotating:
        assert rotating.stdout.readline()
        time.sleep(0.1)
        rotating.send_signal(signal.SIGKILL)


def test_killed_before_the_archive_went_a_hold_that_came_since_keeps_it(day, week, folder, night, repository):
    killed(repository, "before the archive goes", week[-1])
    held = LegalHold(name="inquiry", reason="letter", since=(night - timedelta(days=6)).date(), until=night.date())
    day(backups.backup_rotation, rotation=FEW | {"apply": True, "holds": (held,)})
    assert len(left(folder)) == 7
    assert (folder / f"{week[-1].name}.manifest.json").exists()
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize("instant", ["before the archive goes", "before it is on record"])
def test_killed_in_the_middle_the_next_run_finishes_it(day, week, folder, ledger, repository, instant):  # noqa: PLR0917
    killed(repository, instant, week[-1])
    assert (folder / f".{week[-1].name}.removing").exists()
    assert not (folder / f"{week[-1].name}.manifest.json").exists()
    assert len(left(folder)) == (7 if instant == "before the archive goes" else 6)
    day(backups.backup_rotation, rotation=FEW | {"apply": True})
    assert week[-1].name not in left(folder)
    assert not list(folder.glob(".*"))
    rows = {row.path: row for row in ledger.recent_backups(str(repository), 50)}
    assert not rows[week[-1].name].present


# ---------------------------------------------------------------- MW-04


def test_backup_before_a_change_is_taken_read_back_and_on_record(day, folder, ledger, repository):
    findings = day(backups.backup_before_change, record="MW-04")
    assert {one.status for one in findings} == {Status.PASS}
    assert {one.procedure for one in findings} == {"MW-04"}
    (name,) = left(folder)
    assert ledger.known_backups(str(repository))[name].level == "L2"


def test_table_the_policy_names_and_nobody_has_warns_and_costs_nothing_else(day, folder):
    warned = named(day(backups.backup_before_change, business=True), Status.WARN)
    (name,) = left(folder)
    assert "no such table: public.asset_pricing, public.audit_logs" in warned["backup described", name].message
    assert json.loads((folder / f"{name}.manifest.json").read_text())["tables"]["public.loans"]["fingerprint"]


def test_no_backup_no_change(day, cluster, folder):
    with cluster.connect() as connection:
        connection.execute("ALTER ROLE clo_backup NOLOGIN")
    try:
        failed = named(day(backups.backup_before_change), Status.FAIL)
    finally:
        with cluster.connect() as connection:
            connection.execute("ALTER ROLE clo_backup LOGIN")
    finding = failed["backup before the change", "clo"]
    assert finding.severity is Severity.P1
    assert "not permitted to log in" in finding.message
    assert finding.first_action.startswith("Do not start")
    assert left(folder) == []
