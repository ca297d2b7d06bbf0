"""A backup repository as it is found in the morning: read through fsspec, from disk and from memory."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fsspec
import pytest

from clo_ops.findings import Answer
from clo_ops.policy import load_policy
from clo_ops.probes import backup_files, backups
from clo_ops.probes.backup_catalogue import entries
from clo_ops.probes.backup_files import BackupFiles
from clo_ops.probes.backup_reading import BackupReader
from clo_ops.probes.targets import BackupRepository

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
NIGHT = AT - timedelta(hours=6)
POLICY = load_policy(mode="demo").backups


def name_of(taken: datetime, database: str = "clo") -> str:
    return f"{database}-{taken:%Y%m%dT%H%M%SZ}.dump"


class Repository:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.target = BackupRepository(folder.as_uri())

    def put(
        self, taken: datetime, size: int = 1000, *, archive: bool = True, manifest: bool = True, **facts: Any
    ) -> str:
        name = name_of(taken)
        if archive:
            (self.folder / name).write_bytes(b"x" * size)
        if manifest:
            said = {
                "format_version": 1,
                "database": "clo",
                "path": name,
                "status": "success",
                "size_bytes": size,
                "sha256": "0" * 64,
                "started_at": taken.isoformat(),
                "snapshot_at": taken.isoformat(),
            } | facts
            (self.folder / f"{name}.manifest.json").write_text(json.dumps(said))
        return name

    def ask(self, at: datetime = AT) -> Answer:
        return backups.newest(self.target, POLICY, at=at)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_the_newest_and_what_it_is_compared_with(repository: Repository) -> None:
    for days, size in enumerate([1000, 900, 1100, 1300, 700], start=1):
        repository.put(NIGHT - timedelta(days=days), size)
    name = repository.put(NIGHT, 1050)
    answer = repository.ask()
    assert answer.unanswered == ()
    assert answer.value("backup.count") == 6
    newest = answer.first("backup.succeeded", path=name)
    assert newest is not None
    assert newest.value == 1
    assert f"SHA-256 {'0' * 64}" in newest.detail
    assert newest.labels["repository"] == str(repository.target)
    assert answer.value("backup.age", path=name) == 6 * 3600
    assert answer.value("backup.size", path=name) == 1050
    assert answer.value("backup.size.matches", path=name) == 1
    assert answer.value("backup.history") == 5
    assert answer.value("backup.size.median") == 1000
    assert answer.first("backup.incomplete") is None


def test_only_the_last_ones_make_the_median(repository: Repository) -> None:
    for days in range(1, 12):
        repository.put(NIGHT - timedelta(days=days), 1000 if days <= 7 else 9000)
    repository.put(NIGHT, 1000)
    answer = repository.ask()
    assert (answer.value("backup.history"), answer.value("backup.size.median")) == (7, 1000)


def test_newest_is_by_the_manifest_and_not_by_file_time(repository: Repository) -> None:
    old = repository.put(NIGHT - timedelta(days=1))
    name = repository.put(NIGHT)
    os.utime(repository.folder / name, (1, 1))
    os.utime(repository.folder / old)
    assert repository.ask().first("backup.succeeded", path=name)


def test_a_manifest_that_tells_another_time_than_the_name_is_believed(repository: Repository) -> None:
    inside = (NIGHT - timedelta(days=5)).isoformat()
    repository.put(NIGHT, snapshot_at=inside, started_at=inside)
    assert repository.ask().value("backup.age") == (5 * 24 + 6) * 3600


def test_an_empty_repository_has_no_newest(repository: Repository) -> None:
    answer = repository.ask()
    assert answer.value("backup.count") == 0
    assert answer.first("backup.succeeded") is None
    assert answer.unanswered == ()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"archive": False}, "a manifest and no archive"),
        ({"manifest": False}, "no manifest beside it"),
        ({"size": 0}, "the archive is empty"),
        ({"status": "failed", "size_bytes": 0, "sha256": None, "error": "disk full"}, "says failed: disk full"),
        ({"status": "failed", "archive": False, "sha256": None}, "says failed: no reason given"),
        ({"status": "running"}, "status is 'running'"),
        ({"format_version": 3}, "not of format 1 or 2"),
        ({"path": "clo-other.dump"}, "of another file: clo-other.dump"),
        ({"sha256": "abc"}, "sha256 is not one"),
        ({"size_bytes": "1000"}, "size_bytes is '1000'"),
        ({"snapshot_at": "2026-11-23T02:00:00"}, "has no time zone"),
        ({"snapshot_at": "yesterday"}, "yesterday"),
    ],
)
def test_a_bad_newest_is_told_and_the_good_one_behind_it(given: Any, said: str, repository: Repository) -> None:
    good = repository.put(NIGHT - timedelta(days=1))
    name = repository.put(NIGHT, **given)
    answer = repository.ask()
    newest = answer.first("backup.succeeded", path=name)
    assert newest is not None
    assert (newest.value, said in newest.detail) == (0, True), newest.detail
    assert answer.value("backup.last_good.age", path=good) == 30 * 3600


def test_a_manifest_that_is_no_json(repository: Repository) -> None:
    name = repository.put(NIGHT)
    (repository.folder / f"{name}.manifest.json").write_text("{")
    newest = repository.ask().first("backup.succeeded")
    assert newest is not None
    assert (newest.value, newest.detail) == (0, "its manifest is no JSON")


@pytest.mark.parametrize(
    "garbled",
    [
        {"tables": [1]}, {"tables": {"public.a": 3}}, {"files": "clo.dump"}, {"lacks": ["canary"]}, {"roles": {}},
        {"canary": "nonce"}, {"invariants": ["I01"]}, {"server_major": "fifteen"}, {"database_bytes": -1},
        {"ended_at": "yesterday"}, {"ended_at": "2026-11-23T02:00:00"}, {"snapshot_at": "0001-01-01T00:00:00+23:59"},
        {"started_at": 5, "snapshot_at": None}, {"status": {}}, {"sha256": 7}, {"size_bytes": 1.5},
    ],
    ids=str,
)  # fmt: skip
def test_one_garbled_manifest_is_told_and_hides_no_other_backup(
    garbled: dict[str, Any], repository: Repository
) -> None:
    good, bad = repository.put(NIGHT), repository.put(NIGHT - timedelta(days=1), **garbled)
    answer = repository.ask()
    assert answer.value("backup.succeeded", path=good) == 1
    incomplete = answer.first("backup.incomplete", path=bad)
    assert incomplete is not None
    assert incomplete.detail.startswith("its manifest lacks or garbles a value")
    files = BackupFiles(repository.target)
    listed = {one.path: one.backup.problem for one in entries(files, BackupReader(files, 60), POLICY)}
    assert listed == {good: "", bad: incomplete.detail}


def test_links_are_what_they_lead_to_and_a_pipe_is_not_read_for_ever(repository: Repository) -> None:
    name = repository.put(NIGHT)
    (repository.folder / "latest").symlink_to(name)
    (repository.folder / "here").symlink_to(repository.folder)
    (repository.folder / "gone").symlink_to("nowhere")
    os.mkfifo(repository.folder / name_of(NIGHT + timedelta(hours=1)))
    listed = BackupFiles(repository.target).listing()
    assert set(listed) == {name, f"{name}.manifest.json", "latest", "gone"}
    assert listed["latest"].size == listed[name].size == 1000


def test_a_file_that_is_not_the_size_of_its_manifest(repository: Repository) -> None:
    repository.put(NIGHT, 1000, size_bytes=1001)
    matches = repository.ask().first("backup.size.matches")
    assert matches is not None
    assert (matches.value, matches.detail) == (0, "manifest 1001 bytes, file 1000 bytes")


def test_bad_ones_behind_a_good_newest_are_named_and_not_compared_with(repository: Repository) -> None:
    repository.put(NIGHT)
    alone = repository.put(NIGHT - timedelta(days=1), manifest=False)
    short = repository.put(NIGHT - timedelta(days=2), 10, size_bytes=1000)
    answer = repository.ask()
    assert {one.labels["path"] for one in answer.select("backup.incomplete")} == {alone, short}
    assert answer.value("backup.history") == 0
    assert answer.first("backup.size.median") is None


def test_a_time_later_than_now_is_left_out_and_named(repository: Repository) -> None:
    good = repository.put(NIGHT)
    wrong = repository.put(max(AT, datetime.now(UTC)) + timedelta(days=1))
    answer = repository.ask()
    assert answer.first("backup.future", path=wrong)
    assert answer.first("backup.succeeded", path=good)


def test_a_repeated_run_takes_a_backup_made_after_its_own_time(repository: Repository) -> None:
    """The operator took a backup because the morning was red, and repeats the morning's check."""
    now = datetime.now(UTC)
    repository.put(now - timedelta(days=3))
    name = repository.put(now.replace(microsecond=0))
    answer = repository.ask(at=now - timedelta(hours=2))
    assert answer.value("backup.age", path=name) == 0
    assert answer.first("backup.future") is None


def test_another_databases_backup_is_none_of_ours(repository: Repository) -> None:
    good = repository.put(NIGHT - timedelta(days=1))
    foreign = repository.put(NIGHT, database="clo_test")
    answer = repository.ask()
    assert answer.value("backup.database.matches", path=foreign) == 0
    assert answer.first("backup.succeeded", path=good)
    assert answer.first("backup.succeeded", path=foreign) is None


def test_other_files_are_no_backups(repository: Repository) -> None:
    (repository.folder / "README").write_text("hello")
    (repository.folder / ".clo-20261123T020000Z.dump.part").write_text("x")
    (repository.folder / "clo-folder.dump").mkdir()
    assert repository.ask().value("backup.count") == 0


def test_years_of_backups_are_not_all_read(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    for days in range(60):
        repository.put(NIGHT - timedelta(days=days), 10)
    read: list[str] = []
    head = BackupFiles.head
    monkeypatch.setattr(BackupFiles, "head", lambda files, name, most: read.append(name) or head(files, name, most))
    assert repository.ask().value("backup.count") == 60
    assert len(read) == backups.LOOK_BACK


def test_too_many_files_are_not_listed_by_half(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup_files, "MOST_FILES", 1)
    repository.put(NIGHT)
    assert "more than the 1 looked at" in repository.ask().unanswered[0].reason


@pytest.mark.parametrize(
    ("url", "options", "said"),
    [
        ("file:///no/such/repository", {}, "FileNotFoundError"),
        ("nosuchprotocol://bucket", {"key": "sesame-open"}, "nosuchprotocol"),
        ("file:///dev/null/backups", {}, "NotADirectoryError"),
    ],
)
def test_a_repository_nobody_can_list_is_unanswered(url: str, options: dict[str, str], said: str) -> None:
    for answer in (
        backups.newest(BackupRepository(url, options), POLICY, at=AT),
        backups.reachable(BackupRepository(url)),
    ):
        assert answer.measurements == ()
        (question,) = answer.unanswered
        assert (question.target, said in question.reason) == (url, True), question.reason
        assert "sesame-open" not in str(answer)


def test_any_fsspec_url_will_do(repository: Repository) -> None:
    name = repository.put(NIGHT)
    memory = fsspec.filesystem("memory")
    try:
        for file in repository.folder.iterdir():
            memory.pipe(f"/clo-backups/{file.name}", file.read_bytes())
        answer = backups.newest(BackupRepository("memory://clo-backups"), POLICY, at=AT)
        assert answer.value("backup.succeeded", path=name) == 1
        assert backups.reachable(BackupRepository("memory://clo-backups")).value("backup.repository.up") == 1
    finally:
        memory.rm("/clo-backups", recursive=True)


def test_a_new_backup_is_seen_by_a_process_that_has_looked_before(repository: Repository) -> None:
    repository.put(NIGHT - timedelta(days=1))
    repository.ask()
    name = repository.put(NIGHT)
    assert repository.ask().first("backup.succeeded", path=name)
