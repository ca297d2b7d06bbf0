"""Which backup a drill restores: read off the repository, the same for every task of a run, never silently another."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clo_ops.actions.drill.choosing import Choice, choose, read_whole
from clo_ops.findings import CheckFailed, CouldNotCheck
from clo_ops.policy import load_policy
from clo_ops.probes.backup_reading import BackupReader
from clo_ops.probes.targets import BackupRepository

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
BACKUPS = load_policy(mode="demo").backups
SQL = (
    b"--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 15.8\n\nselect 1;\n\n"
    b"--\n-- PostgreSQL database dump complete\n--\n"
)


def name_of(at: datetime) -> str:
    return f"{BACKUPS.database}-{at:%Y%m%dT%H%M%SZ}.dump"


def put(folder: Path, days_ago: float, data: bytes = SQL, **facts: Any) -> str:
    """A backup of so many days ago with its manifest; ``facts`` over those of a good one."""
    at = AT - timedelta(days=days_ago)
    name = name_of(at)
    (folder / name).write_bytes(data)
    said = {
        "format_version": 2, "database": BACKUPS.database, "path": name, "format": "plain", "status": "success",
        "started_at": at.isoformat(), "ended_at": at.isoformat(), "snapshot_at": at.isoformat(), "server_major": 15,
        "size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "server_version": "15.8", "tables": {},
    } | facts  # fmt: skip
    (folder / f"{name}.manifest.json").write_text(json.dumps(said))
    return name


def chosen(folder: Path, how: str, lot: str = "run 1") -> Choice:
    return choose(BackupRepository(folder.as_uri()), BACKUPS, how, at=AT, lot=lot)


def test_the_newest_is_the_newest_that_claims_to_have_succeeded_whole_or_not(tmp_path):
    put(tmp_path, 2)
    newest = put(tmp_path, 1, size_bytes=10**6)
    put(tmp_path, 0.1, status="failed", sha256=None)
    choice = chosen(tmp_path, "newest")
    assert choice.backup.name == newest
    # What would be lost counts from the newest that is good, which the one cut short is not.
    assert choice.newest_good == AT - timedelta(days=2)


def test_a_random_one_is_older_than_the_newest_and_the_same_for_the_same_run(tmp_path):
    newest, *_ = [put(tmp_path, days) for days in range(1, 12)]
    drawn = {chosen(tmp_path, "random", f"run {number}").backup.name for number in range(30)}
    assert newest not in drawn
    assert len(drawn) > 3
    assert chosen(tmp_path, "random", "run 7") == chosen(tmp_path, "random", "run 7")


def test_a_named_one_is_that_one_by_its_content(tmp_path):
    put(tmp_path, 1)
    old = put(tmp_path, 9, format="custom")
    backup = chosen(tmp_path, old).backup
    assert (backup.name, backup.format, backup.major) == (old, "plain", 15)


def test_one_without_a_manifest_can_be_named_and_says_that_nothing_was_recorded(tmp_path):
    put(tmp_path, 1)
    (tmp_path / "theirs.sql").write_bytes(SQL)
    choice = chosen(tmp_path, "theirs.sql")
    assert (choice.backup.format, choice.sha256, choice.taken) == ("plain", "", None)
    assert dict(choice.backup.manifest) == {}
    assert choice.backup.major == 15


def test_its_manifest_is_read_whatever_it_is_called_and_however_old_it_is(tmp_path):
    for days in range(60):
        put(tmp_path, days)
    old = name_of(AT - timedelta(days=59))
    assert chosen(tmp_path, old).sha256 == hashlib.sha256(SQL).hexdigest()
    drawn = {chosen(tmp_path, "random", f"run {number}").backup.name for number in range(100)}
    assert min(drawn) < name_of(AT - timedelta(days=45))
    (tmp_path / old).rename(tmp_path / "nightly.sql")
    facts = json.loads((tmp_path / f"{old}.manifest.json").read_text()) | {"path": "nightly.sql"}
    (tmp_path / "nightly.sql.manifest.json").write_text(json.dumps(facts))
    assert chosen(tmp_path, "nightly.sql").taken == AT - timedelta(days=59)


def test_where_nobody_writes_manifests_the_newest_is_known_by_its_content(tmp_path):
    for days, name in ((3, "monday.sql"), (2, "tuesday"), (1, "notes.txt")):
        (tmp_path / name).write_bytes(gzip.compress(SQL) if name == "tuesday" else SQL if days == 3 else b"all is well")
        os.utime(tmp_path / name, ((AT - timedelta(days=days)).timestamp(),) * 2)
    choice = chosen(tmp_path, "newest")
    assert (choice.backup.name, choice.backup.wrapped, choice.backup.major) == ("tuesday", "gzip", 15)
    assert (choice.newest_good, choice.sha256) == (AT - timedelta(days=2), "")
    assert chosen(tmp_path, "random").backup.name == "monday.sql"


@pytest.mark.parametrize(
    ("facts", "days", "said"),
    [({"database": "somebody_elses"}, 2, "is a backup of somebody_elses"), ({}, -3650, "was taken later than now")],
    ids=["of another database", "from the future"],
)
def test_a_named_one_that_is_not_ours_is_refused_and_not_taken_for_one_without_a_manifest(tmp_path, facts, days, said):
    put(tmp_path, 1)
    with pytest.raises(CheckFailed, match=said):
        chosen(tmp_path, put(tmp_path, days, **facts))


def test_one_that_does_not_say_of_which_postgresql_it_is_is_refused(tmp_path):
    (tmp_path / "theirs.sql").write_bytes(SQL.replace(b"-- Dumped from database version 15.8\n", b""))
    with pytest.raises(CheckFailed, match="does not say of which PostgreSQL it is"):
        chosen(tmp_path, "theirs.sql")


@pytest.mark.parametrize("how", ["newest", "random", "clo-19990101T000000Z.dump"])
def test_what_is_not_there_is_named_with_what_is(tmp_path, how):
    if how != "newest":
        there = put(tmp_path, 1)
    with pytest.raises(CheckFailed) as told:
        chosen(tmp_path, how)
    assert how == "newest" or there in str(told.value)


def test_backups_of_another_database_and_from_the_future_are_not_ours(tmp_path):
    ours = put(tmp_path, 3)
    put(tmp_path, 2, database="somebody_elses")
    put(tmp_path, -3650)
    assert chosen(tmp_path, "newest").backup.name == ours


def test_a_repository_nobody_can_list_is_not_an_empty_one(tmp_path):
    with pytest.raises(CouldNotCheck):
        chosen(tmp_path / "nowhere", "newest")


@pytest.mark.parametrize(
    ("data", "levels"),
    [(SQL, {"L1": 1, "L2": 1}), (SQL.replace(b"1;", b"2;"), {"L1": 0, "L2": 1}), (SQL[:-30], {"L1": 0, "L2": 0})],
    ids=["whole", "a digit", "cut short"],
)
def test_read_whole_says_of_each_level_whether_it_holds(tmp_path, data, levels):
    name = put(tmp_path, 1)
    (tmp_path / name).write_bytes(data)
    answer = read_whole(chosen(tmp_path, name))
    assert {one.labels["level"]: one.value for one in answer.select("backup.verified")} == levels


def test_bytes_that_were_decoded_before_are_hashed_only(tmp_path, monkeypatch):
    name = put(tmp_path, 1)
    monkeypatch.setattr(BackupReader, "read", lambda *_: pytest.fail("it is decoded again"))
    answer = read_whole(chosen(tmp_path, name), datetime(2026, 11, 22, 3, tzinfo=UTC))
    assert {one.labels["level"]: one.value for one in answer.select("backup.verified")} == {"L1": 1, "L2": 1}
    assert answer.first("backup.verified", level="L2").detail == "the same bytes were decoded on 2026-11-22 03:00 UTC"


def test_what_is_remembered_of_other_bytes_proves_nothing(tmp_path):
    name = put(tmp_path, 1)
    (tmp_path / name).write_bytes(SQL[:-30])
    answer = read_whole(chosen(tmp_path, name), datetime(2026, 11, 22, 3, tzinfo=UTC))
    assert {one.labels["level"]: one.value for one in answer.select("backup.verified")} == {"L1": 0, "L2": 0}
