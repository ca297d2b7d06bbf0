"""The backup job against the real server: the archive, its manifest, what a failure leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from demo.backup import BackupFailed, manifest, seed_history, take_backup
from demo.backup.history import NothingToLink

ROOT = Path(__file__).resolve().parents[3]


def facts_of(dump):
    return json.loads(manifest.manifest_path(dump).read_text())


@pytest.fixture
def dsn(system):
    system.rows("INSERT INTO login_attempts (username, success) VALUES ('ann', false) RETURNING 1")
    system.rows("SELECT audit_write('ann', 'login_refused', 'user', 'ann')")
    return system.cluster.url("clo", "clo_backup")


def test_the_archive_is_what_the_manifest_says(system, dsn, tmp_path):
    before = datetime.now(UTC)
    dump = take_backup(dsn, tmp_path)
    facts = facts_of(dump)
    assert (facts["status"], facts["format"], facts["path"], facts["database"]) == (
        "success",
        "custom",
        dump.name,
        "clo",
    )
    assert (facts["size_bytes"], facts["sha256"]) == (dump.stat().st_size, manifest.sha256(dump))
    started, taken, ended = (datetime.fromisoformat(facts[name]) for name in ("started_at", "snapshot_at", "ended_at"))
    assert before <= started <= taken <= ended
    listing = subprocess.run(
        [system.cluster.bin / "pg_restore", "--list", dump], capture_output=True, text=True, check=True
    ).stdout
    assert "TABLE DATA public audit_logs" in listing
    assert facts["tables"]["public.deal_assets"]["rows"] == 60
    assert facts["tables"]["public.deal_assets"]["fingerprint"]
    assert facts["invariants"]
    assert not list(tmp_path.glob("*.part"))


def test_counts_and_canary_are_those_inside_the_archive(system, dsn, tmp_path):
    dump = take_backup(dsn, tmp_path)
    facts = facts_of(dump)
    for table in ("audit_logs", "login_attempts", "backup_canary"):
        text = subprocess.run(
            [system.cluster.bin / "pg_restore", "--data-only", f"--table={table}", "--file=-", dump],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        copied = text.partition("FROM stdin;\n")[2].partition("\\.\n")[0]
        assert len(copied.splitlines()) == facts["tables"][f"public.{table}"]["rows"]
    assert facts["canary"]["nonce"] in text


def test_a_failure_leaves_a_manifest_and_no_archive(dsn, tmp_path):
    empty = tmp_path / "bin"
    empty.mkdir()
    with pytest.raises(BackupFailed, match="found of pg_dump"):
        take_backup(dsn, tmp_path / "repository", bin_dir=empty)
    left = sorted(path.name for path in (tmp_path / "repository").iterdir())
    assert [Path(name).suffixes[-2:] for name in left] == [[".manifest", ".json"]]
    facts = json.loads((tmp_path / "repository" / left[0]).read_text())
    assert (facts["status"], facts["size_bytes"], facts["sha256"]) == ("failed", 0, None)


def test_a_pg_dump_that_breaks_off_is_a_failure_with_its_words(system, dsn, tmp_path):
    broken = tmp_path / "pg_dump"
    broken.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo "pg_dump (PostgreSQL) 99.1" && exit\necho "disk full" >&2; exit 1\n'
    )
    broken.chmod(0o755)
    with pytest.raises(BackupFailed, match="disk full"):
        take_backup(dsn, tmp_path / "repository", bin_dir=tmp_path)
    assert not list((tmp_path / "repository").glob("*.dump"))


def test_a_server_that_is_not_there_is_a_failed_backup(tmp_path):
    with pytest.raises(BackupFailed):
        take_backup("postgresql://clo_backup@127.0.0.1:1/clo", tmp_path)
    assert len(list(tmp_path.glob("*.manifest.json"))) == 1


def test_a_back_dated_backup_says_so(dsn, tmp_path):
    at = datetime(2026, 3, 29, 2, 0, tzinfo=UTC)
    dump = take_backup(dsn, tmp_path, at=at)
    facts = facts_of(dump)
    assert dump.name == "clo-20260329T020000Z.dump"
    assert facts["started_at"] == at.isoformat()
    assert facts["origin"] == "demo-backdated"
    assert datetime.now(UTC) - datetime.fromisoformat(facts["taken_at"]) < timedelta(minutes=1)


def test_history_is_made_of_the_real_archive_and_marked(dsn, tmp_path):
    with pytest.raises(NothingToLink):
        seed_history(tmp_path, 3)
    newest = take_backup(dsn, tmp_path, at=datetime(2026, 3, 10, 2, 0, tzinfo=UTC))
    made = seed_history(tmp_path, 3)
    assert [path.name for path in made] == [f"clo-2026030{day}T020000Z.dump" for day in (7, 8, 9)]
    for path in made:
        facts = facts_of(path)
        assert (facts["origin"], facts["path"], facts["sha256"]) == ("demo-history", path.name, manifest.sha256(newest))
    assert seed_history(tmp_path, 3) == []


def test_the_command_takes_no_password_on_its_line(system, dsn, tmp_path):
    command = [sys.executable, "-m", "demo.backup", "--repository", str(tmp_path), "--history", "2", "--dsn"]
    environment = {**os.environ, "PGPASSWORD": system.cluster.password("clo_backup")}
    refused = subprocess.run([*command, dsn], cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "PGPASSWORD" in refused.stderr
    bare = dsn.replace(f":{dsn.split(':')[2].split('@')[0]}@", "@")
    done = subprocess.run([*command, bare], cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert len(manifest.dumps(tmp_path)) == 3
