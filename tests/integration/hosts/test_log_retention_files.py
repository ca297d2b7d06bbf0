"""Rotated log files leave their host: archived and read back first, never the live one, nothing through a link."""

from __future__ import annotations

import gzip
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clo_ops.actions.backups.writing import BackupFailed
from clo_ops.actions.retention import log_files as action
from clo_ops.findings import CloOpsError
from clo_ops.findings.log_retention import DueFile, LoggedFile
from clo_ops.policy import load_policy
from clo_ops.policy.logs import LogFile
from clo_ops.probes import log_files
from clo_ops.probes.targets import BackupRepository, HostTarget
from clo_ops.rules import log_retention as rules

AT = datetime(2026, 11, 23, 18, 30, tzinfo=UTC)
SOURCE = LogFile(
    name="access",
    host="app1",
    path="access.jsonl",
    rotated="access.jsonl.*",
    classes=("access_logs",),
    form="json",
    archive_after=timedelta(days=7),
    manual="L359",
)
CLASSES = ("access_logs",)


def make(folder: Path, name: str, days: float, text: str = "line\n") -> Path:
    path = folder / name
    path.write_text(text)
    age = AT.timestamp() - days * 86400
    os.utime(path, (age, age))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "logs"
    path.mkdir()
    make(path, "access.jsonl", 0)
    return path


@pytest.fixture
def store(tmp_path: Path) -> BackupRepository:
    return BackupRepository(f"file://{tmp_path}/archive/logs")


@pytest.fixture(params=["local", "ssh"])
def host(request: pytest.FixtureRequest, folder: Path) -> HostTarget:
    if request.param == "local":
        return HostTarget("app1", "local", logs=str(folder))
    over_ssh: Callable[..., HostTarget] = request.getfixturevalue("ssh_host")
    return over_ssh(logs=str(folder))


@pytest.fixture
def here(folder: Path) -> HostTarget:
    return HostTarget("app1", "local", logs=str(folder))


def listed(host: HostTarget) -> list[LoggedFile]:
    found, answer = log_files.rotated(host, SOURCE)
    assert not answer.unanswered, answer.unanswered
    return found


def the_one(host: HostTarget) -> DueFile:
    (one,) = listed(host)
    return DueFile(one, "archive", "old enough")


def test_only_the_rotated_files_of_this_log_are_listed(host: HostTarget, folder: Path, tmp_path: Path) -> None:
    make(folder, "access.jsonl.1", 8)
    make(folder, "api.jsonl.1", 8)
    make(folder, "access.jsonl.with\nnewline", 8)
    (folder / "access.jsonl.d").mkdir()
    make(folder / "access.jsonl.d", "access.jsonl.9", 8)
    outside = make(tmp_path, "secret", 8)
    (folder / "access.jsonl.link").symlink_to(outside)
    os.link(folder / "access.jsonl", folder / "access.jsonl.live")
    assert [one.name for one in listed(host)] == ["access.jsonl.1"]


def test_a_folder_that_is_a_link_is_refused(folder: Path, tmp_path: Path) -> None:
    make(folder, "access.jsonl.1", 8)
    (tmp_path / "elsewhere").symlink_to(folder)
    host = HostTarget("app1", "local", logs=str(tmp_path / "elsewhere"))
    found, answer = log_files.rotated(host, SOURCE)
    assert not found
    assert "is a link" in answer.unanswered[0].reason


def test_what_is_due_by_age_class_and_hold(here: HostTarget, folder: Path) -> None:
    for name, days in (("a", 800), ("b", 400), ("c", 300), ("d", 8), ("e", 6)):
        make(folder, f"access.jsonl.{name}", days)
    policy = load_policy()
    due = {one.file.name[-1]: one.what for one in rules.due_files(SOURCE, listed(here), policy, AT)}
    assert due == {"a": "remove", "b": "remove", "c": "archive", "d": "archive"}
    longer = SOURCE.model_copy(update={"classes": ("access_logs", "security_logs")})
    due = {one.file.name[-1]: one.what for one in rules.due_files(longer, listed(here), policy, AT)}
    assert due == {"a": "remove", "b": "archive", "c": "archive", "d": "archive"}, "the longest class wins"
    backups = policy.retention.backups
    hold = {"name": "inquiry", "reason": "a letter", "since": "2025-09-01", "until": "2025-10-01"}
    held = type(backups).model_validate(backups.model_dump() | {"holds": [hold]})
    bound = policy.model_copy(update={"retention": policy.retention.model_copy(update={"backups": held})})
    due = {one.file.name[-1]: one.what for one in rules.due_files(SOURCE, listed(here), bound, AT)}
    assert due == {"a": "remove", "b": "hold", "c": "archive", "d": "archive"}


def test_archived_read_back_and_only_then_removed(host: HostTarget, folder: Path, store: BackupRepository) -> None:
    text = "".join(f"line {number}\n" for number in range(50_000))
    path = make(folder, "access.jsonl.1", 8, text)
    effect = action.archive(host, the_one(host), store, CLASSES)
    assert not path.exists()
    assert (folder / "access.jsonl").exists()
    (kept,) = action.archived(store)
    assert kept.sha256 == hashlib.sha256(text.encode()).hexdigest() == effect.after["sha256"]
    packed = Path(store.url.removeprefix("file://")) / kept.name
    assert gzip.decompress(packed.read_bytes()).decode() == text
    assert packed.stat().st_mode & 0o077 == 0
    assert kept.ends == AT - timedelta(days=8)


def test_a_file_written_to_since_it_was_listed_stays(host: HostTarget, folder: Path, store: BackupRepository) -> None:
    path = make(folder, "access.jsonl.1", 8)
    due = the_one(host)
    path.write_text("line\nanother\n")
    with pytest.raises(CloOpsError, match="changed since"):
        action.archive(host, due, store, CLASSES)
    assert path.exists()
    with pytest.raises(CloOpsError, match="changed since"):
        action.remove(host, due.file)
    assert path.exists()


def test_a_file_that_became_a_link_stays(here: HostTarget, folder: Path, tmp_path: Path) -> None:
    path = make(folder, "access.jsonl.1", 8)
    due = the_one(here)
    path.rename(tmp_path / "moved")
    path.symlink_to(tmp_path / "moved")
    with pytest.raises(CloOpsError, match="plain file"):
        action.remove(here, due.file)
    assert (tmp_path / "moved").exists()


@pytest.mark.parametrize("name", ["../secret", "..", "a/b", ""])
def test_a_name_that_leads_elsewhere_is_refused(here: HostTarget, folder: Path, tmp_path: Path, name: str) -> None:
    secret = make(tmp_path, "secret", 8)
    made = make(folder, "access.jsonl.1", 8)
    seen = secret.stat()
    stranger = LoggedFile("access", str(folder), name, str(seen.st_ino), seen.st_size, AT, int(seen.st_mtime))
    with pytest.raises(CloOpsError, match="no name of a file"):
        action.remove(here, stranger)
    assert secret.exists()
    assert made.exists()


def test_a_file_that_is_not_what_the_archive_holds_stays(here: HostTarget, folder: Path) -> None:
    path = make(folder, "access.jsonl.1", 8)
    with pytest.raises(CloOpsError, match="SHA-256"):
        action.remove(here, the_one(here).file, "0" * 64)
    assert path.exists()


def test_an_archive_that_cannot_be_written_removes_nothing(here: HostTarget, folder: Path, tmp_path: Path) -> None:
    path = make(folder, "access.jsonl.1", 8)
    (tmp_path / "full").write_text("a file where the folder should be")
    with pytest.raises(BackupFailed):
        action.archive(here, the_one(here), BackupRepository(f"file://{tmp_path}/full/logs"), CLASSES)
    assert path.exists()


def test_damaged_in_the_archive_it_is_written_again(here: HostTarget, folder: Path, store: BackupRepository) -> None:
    path = make(folder, "access.jsonl.1", 8, "line\n" * 1000)
    due = the_one(here)
    action.archive(here, due, store, CLASSES)
    (kept,) = action.archived(store)
    packed = Path(store.url.removeprefix("file://")) / kept.name
    packed.write_bytes(packed.read_bytes()[:-9])
    path.write_text("line\n" * 1000)
    os.utime(path, (due.file.seconds, due.file.seconds))
    (again,) = listed(here)
    if again.inode == due.file.inode:
        action.archive(here, the_one(here), store, CLASSES)
        assert gzip.decompress(packed.read_bytes()) == b"line\n" * 1000
    assert len(action.archived(store)) == 1


KILLED = """
import os, sys
from datetime import UTC, datetime
from clo_ops.actions.retention import log_files as action
from clo_ops.findings.log_retention import DueFile
from clo_ops.policy.logs import LogFile
from clo_ops.probes import log_files
from clo_ops.probes.targets import BackupRepository, HostTarget
host = HostTarget("app1", "local", logs=sys.argv[1])
source = LogFile(name="access", host="app1", path="access.jsonl", rotated="access.jsonl.*", classes=("access_logs",),
                 form="json", manual="L359")
(one,), _ = log_files.rotated(host, source)
what = sys.argv[3]
def die(*_, **__): os.kill(os.getpid(), 9)
if what == "before the name": action.BackupWriter.name_it = die
if what == "before the manifest": action.BackupWriter.manifest = die
if what == "before the removal": action.remove = die
action.archive(host, DueFile(one, "archive", "x"), BackupRepository(sys.argv[2]), ("access_logs",))
"""


@pytest.mark.parametrize("when", ["before the name", "before the manifest", "before the removal"])
def test_killed_at_any_step_the_next_run_ends_it(
    here: HostTarget, folder: Path, store: BackupRepository, when: str
) -> None:
    path = make(folder, "access.jsonl.1", 8, "line\n" * 1000)
    command = [sys.executable, "-c", KILLED, str(folder), store.url, when]
    done = subprocess.run(command, cwd=Path(__file__).resolve().parents[3] / "plugins", check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.exists()
    action.archive(here, the_one(here), store, CLASSES)
    assert not path.exists()
    (kept,) = action.archived(store)
    assert kept.size == 5000


def test_what_is_older_than_its_class_leaves_the_archive(
    here: HostTarget, folder: Path, store: BackupRepository
) -> None:
    for name, days in (("1", 400), ("2", 300)):
        make(folder, f"access.jsonl.{name}", days)
    for one in listed(here):
        action.archive(here, DueFile(one, "archive", "x"), store, CLASSES)
    Path(store.url.removeprefix("file://"), "somebody-elses.manifest.json").write_text('{"kind": "other"}')
    go, held = rules.due_archived(SOURCE, action.archived(store), load_policy(), AT)
    assert [one.path[-1] for one in go] == ["1"]
    assert not held
    action.forget(store, go[0])
    assert [one.path[-1] for one in action.archived(store)] == ["2"]
    action.forget(store, go[0])
