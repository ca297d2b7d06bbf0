"""A repository pgBackRest made: verified by its own program, each fault found and named, nothing read twice."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clo_ops.findings import Status
from clo_ops.policy import load_policy
from clo_ops.probes.backup_verification import verify
from clo_ops.probes.pgbackrest import PgBackRestBackup
from clo_ops.probes.pgbackrest_verification import needed
from clo_ops.probes.targets import BackupRepository
from clo_ops.rules import verification
from clo_ops.rules.rereading import Remembered
from demo.stack.postgres import Cluster

POLICY = load_policy(mode="demo")


class Made:
    """A stanza with a full and an incremental backup, and the folder its report is in."""

    def __init__(self, place):
        self.place, self.configuration = place, place / "pgbackrest.conf"
        self.repo, self.folder = place / "repo", place / "reports"
        self.folder.mkdir()

    def run(self, *arguments, **more):
        line = ["pgbackrest", f"--config={self.configuration}", "--stanza=main", *arguments]
        return subprocess.run(line, capture_output=True, text=True, check=True, **more).stdout

    def take(self, cluster):
        """As the server's own account: it writes the WAL into what is made here."""
        whose = {"user": cluster.account.name, "group": cluster.account.gid} if cluster.account else {}
        whose["env"] = os.environ | {"PGHOST": "127.0.0.1", "PGPASSWORD": cluster.password("postgres")}
        self.run("stanza-create", **whose)
        self.run("--type=full", "backup", **whose)
        cluster.psql("-c", "create table later as select 1 as n", database="postgres")
        self.run("--type=incr", "backup", **whose)
        (self.folder / "info.json").write_text(self.run("info", "--output=json"))

    def verify(self, known=None, at=None, **terms):
        own = POLICY.recovery.verification.pgbackrest.model_copy(
            update={"options": (f"--config={self.configuration}",), **terms}
        )
        used = POLICY.recovery.verification.model_copy(update={"pgbackrest": own})
        moment = at or datetime.now(UTC)
        found = verify(BackupRepository(self.folder.as_uri()), used, POLICY.backups, known or {}, at=moment)
        return found, verification.judge(found.answer, used, at=moment)


@pytest.fixture(scope="module")
def original():
    """Where the server's own account may write its WAL."""
    if shutil.which("pgbackrest") is None:
        reason = "there is no pgbackrest (Debian: apt-get install pgbackrest)"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    place = Path(tempfile.mkdtemp(prefix="clo-ops-pgbackrest-", dir="/var/tmp"))
    place.chmod(0o755)
    made = Made(place)
    push = f"pgbackrest --config={made.configuration} --stanza=main archive-push %p"
    settings = {"archive_mode": "on", "wal_level": "replica", "archive_command": push, "max_wal_senders": "2"}
    with Cluster(place / "source", settings=settings) as cluster:
        lines = [
            "[global]", f"repo1-path={made.repo}", f"log-path={place}/log", f"lock-path={place}/lock",
            "log-level-file=off", "compress-type=gz", "compress-level=1", "start-fast=y", "archive-timeout=30",
            "[main]", f"pg1-path={cluster.data}", f"pg1-port={cluster.port}", "pg1-user=postgres", "",
        ]  # fmt: skip
        made.configuration.write_text("\n".join(lines))
        for path in (made.repo, place / "log", place / "lock"):
            path.mkdir()
            path.chmod(0o777)
        made.take(cluster)
    yield made
    shutil.rmtree(place)


@pytest.fixture
def made(original, tmp_path):
    """A copy to be broken."""
    copy = Made(tmp_path)
    shutil.copytree(original.repo, copy.repo)
    shutil.copytree(original.folder, copy.folder, dirs_exist_ok=True)
    copy.configuration.write_text(original.configuration.read_text().replace(str(original.place), str(tmp_path)))
    return copy


def depths(found):
    return [one.value for one in found.answer.select("backup.depth")]


def failures(findings):
    return [one for one in findings if one.status is Status.FAIL]


def last_wal(made):
    """The last segment the newest backup needs; newer ones may be there."""
    (stanza,) = json.loads((made.folder / "info.json").read_text())
    (path,) = made.repo.glob(f"archive/main/*/*/{stanza['backup'][-1]['archive']['stop']}-*.gz")
    return path


def fullest_wal(made):
    """Where a bit says something: in the zeros a segment is filled up with, deflate has bits that change nothing."""
    return max(made.repo.glob("archive/main/*/*/*.gz"), key=lambda one: one.stat().st_size)


def largest(made):
    return max((made.repo / "backup/main").glob("*F/pg_data/base/*/*.gz"), key=lambda one: one.stat().st_size)


def test_both_backups_are_proven_to_l2_by_its_own_verify(made):
    found, findings = made.verify()
    assert depths(found) == [2, 2]
    assert {one.status for one in findings} <= {Status.PASS, Status.NOT_APPLICABLE}, findings
    detail = found.answer.first("backup.verified").detail
    assert "pgbackrest verify decoded every file" in detail and "its WAL is there" in detail
    assert [proof.levels for proof in found.proofs] == [(0, 1, 2)] * 2


def test_what_was_verified_is_not_read_again_before_its_time(made):
    found, _ = made.verify()
    now = datetime.now(UTC)
    known = {one.entry.path: Remembered(None, None, "", one.read_at, level=2, since=now) for one in found.proofs}
    again, findings = made.verify(known, program="must-not-be-run")
    assert (depths(again), again.proofs, failures(findings)) == ([2, 2], [], [])
    due, _ = made.verify(known, at=now + timedelta(days=7))
    assert [one.levels for one in due.proofs] == [(0, 1, 2)] * 2


@pytest.mark.parametrize(
    ("fault", "name", "said"),
    [
        (lambda made: flip(largest(made)), "backup's bytes changed", "1 checksum invalid"),
        (lambda made: os.truncate(largest(made), 100), "backup's bytes changed", "1 checksum invalid"),
        (lambda made: largest(made).unlink(), "backup incomplete", "1 missing"),
        (lambda made: last_wal(made).unlink(), "backup incomplete", "the WAL it needs is not in the archive"),
        (lambda made: flip(fullest_wal(made)), "backup's bytes changed", "WAL archive"),
    ],
)
def test_each_fault_is_found_and_named(made, fault, name, said):
    fault(made)
    found, findings = made.verify()
    told = failures(findings)
    assert {one.name for one in told} == {name}
    assert said in told[0].message
    assert told[0].first_action
    assert all(proof.failure and not proof.levels for proof in found.proofs if said in proof.failure)


def test_a_repository_that_cannot_be_read_is_unknown_and_never_green(made):
    shutil.rmtree(made.repo)
    found, findings = made.verify()
    assert depths(found) == [0, 0]
    assert Status.UNKNOWN in {one.status for one in findings}


def test_a_worker_without_the_program_says_how_deep_it_goes(made):
    found, findings = made.verify(program="no-such-pgbackrest")
    assert depths(found) == [0, 0]
    (newest,) = [one for one in findings if one.name == "newest backup decoded"]
    assert newest.status is Status.WARN
    assert "no deeper" in newest.message


def test_the_wal_a_backup_needs_is_every_segment_between_its_first_and_its_last():
    def backup(first, last):
        return PgBackRestBackup("main", "x", "full", datetime.now(UTC), datetime.now(UTC), 1, None, (first, last))

    log = "00000001" + "0000000A"
    assert needed(backup(f"{log}000000FE", f"{log}000000FF")) == [f"{log}000000FE", f"{log}000000FF"]
    assert needed(backup(f"{log}000000FE", f"{log[:-1]}B00000001")) == [f"{log}000000FE", f"{log[:-1]}B00000001"]
    assert needed(backup("", "")) == []


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)
