"""Ask a backup repository for its newest backup, whatever became of it, and for the ones before it. Any fsspec URL.

A backup is two files: the archive, and ``<archive>.manifest.json`` written after it. What a backup is and when it was
taken stands in the manifest; file times change whenever somebody copies a file.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median

from clo_ops.findings import Answer, Measurement
from clo_ops.policy.morning import Backups
from clo_ops.probes.backup_entries import SUFFIX, Backup, named_time, read_manifest
from clo_ops.probes.backup_files import BackupFiles, Unlistable
from clo_ops.probes.reaching import nobody_answered
from clo_ops.probes.targets import BackupRepository

QUESTION = "backups"
MANIFEST_LIMIT = 16 * 1024 * 1024  # bytes: definitions of thousands of tables fit
LOOK_BACK = 40  # manifests read at most: names sort by time, and a newer backup is no further away than this
EARLIEST = datetime.min.replace(tzinfo=UTC)


def newest(repository: BackupRepository, policy: Backups, *, at: datetime) -> Answer:
    """DM-04, manual L18: the newest backup as it is, failed and half ones included, against the ones before it.

    Labels {repository} and, for one backup, {repository, path}. ``backup.count`` counts what matches the policy's
    pattern. Of the newest: ``backup.succeeded`` (bool; detail: snapshot time, size, SHA-256 or why not),
    ``backup.age`` (s, from snapshot to ``at``; one taken after ``at``, when a run is repeated, is 0 old),
    ``backup.size`` (bytes of the file itself), ``backup.size.matches`` (bool, to its manifest).
    ``backup.size.median`` (bytes) and ``backup.history`` are over the last good ones before it. A good one behind a
    bad newest is ``backup.last_good.age``; each sound one is ``backup.taken`` (s from its snapshot to ``at``); a time
    later than now is ``backup.future``; every other backup with a part missing or not as its manifest says is
    ``backup.incomplete`` (detail says what). One whose manifest names another database is no backup of ours:
    ``backup.database.matches`` is 0 for it and nothing else is said.
    """
    try:
        files = BackupFiles(repository)
        found = _backups(files, _files(files), policy.pattern)
    except Unlistable as error:
        return nobody_answered([QUESTION], repository, "listing and reading manifests", str(error))
    return Answer.of(_measured(found, _View(str(repository), policy, at, datetime.now(UTC))))


def reachable(repository: BackupRepository) -> Answer:
    """DM-01: ``backup.repository.up`` when the repository can be listed; else the question stays open."""
    try:
        count = len(_files(BackupFiles(repository)))
    except Unlistable as error:
        return nobody_answered(["backup.repository.up"], repository, "listing", str(error))
    up = Measurement("backup.repository.up", 1, "bool", datetime.now(UTC), detail=f"holds {count} files")
    return Answer((up,))


def _files(files: BackupFiles) -> dict[str, int]:
    """Name and size of each file and each directory of files in the repository."""
    return {name: one.size for name, one in files.listing().items()}


def _backups(files: BackupFiles, sizes: dict[str, int], pattern: str) -> list[Backup]:
    """Newest first. Only the last ``LOOK_BACK`` by name have their manifests read; the rest is old."""
    names = {name.removesuffix(SUFFIX) for name in sizes}
    wanted = sorted((name for name in names if fnmatch.fnmatchcase(name, pattern)), key=_by_name, reverse=True)
    found = [_backup(files, sizes, name) for name in wanted[:LOOK_BACK]]
    found += [Backup(name, sizes.get(name), None, "", read=False) for name in wanted[LOOK_BACK:]]
    return sorted(found, key=lambda one: (one.taken or EARLIEST, one.name), reverse=True)


def _by_name(name: str) -> tuple[datetime, str]:
    return named_time(name) or EARLIEST, name


def _backup(files: BackupFiles, sizes: dict[str, int], name: str) -> Backup:
    size = sizes.get(name)
    if name + SUFFIX not in sizes:
        return Backup(name, size, None, "there is no manifest beside it")
    raw = files.head(name + SUFFIX, MANIFEST_LIMIT)
    if raw is None:
        return Backup(name, size, None, "its manifest vanished while the repository was read")
    manifest, problem = read_manifest(name, raw)
    if not problem and size is None and manifest and manifest.succeeded:
        problem = "there is a manifest and no archive"
    return Backup(name, size, manifest, problem)


@dataclass(frozen=True, slots=True)
class _View:
    """Of what repository, for what policy and moment, the measurements are."""

    repository: str
    policy: Backups
    at: datetime
    now: datetime

    def measured(self, name: str, value: float, unit: str, one: Backup | None = None, detail: str = "") -> Measurement:
        labels = {"repository": self.repository} | ({} if one is None else {"path": one.name})
        return Measurement(name, value, unit, self.now, labels, detail)


def _measured(found: Sequence[Backup], view: _View) -> Iterator[Measurement]:
    yield view.measured("backup.count", len(found), "count")
    # Judged by our own clock: a repeated run may well find backups that are younger than its ``at``.
    limit = max(view.now, view.at)
    foreign = [one for one in found if one.foreign(view.policy.database)]
    future = [one for one in found if one.is_after(limit) and one not in foreign]
    yield from (view.measured("backup.database.matches", 0, "bool", one, _database(one)) for one in foreign)
    yield from (view.measured("backup.future", 1, "bool", one, f"taken at {one.taken}") for one in future)
    ours = [one for one in found if one not in foreign and one not in future]
    sound = [one for one in ours if one.sound and one.taken is not None]
    yield from (view.measured("backup.taken", one.age(view.at), "s", one, _taken(one)) for one in sound)
    if ours:
        yield from _of_newest(ours[0], view)
        yield from _of_earlier(ours[0], [one for one in ours[1:] if one.read], view)


def _database(one: Backup) -> str:
    return one.manifest.database if one.manifest else ""


def _taken(one: Backup) -> str:
    return f"snapshot of {one.taken:%Y-%m-%d %H:%M:%S} UTC"


def _of_newest(one: Backup, view: _View) -> Iterator[Measurement]:
    yield view.measured("backup.succeeded", one.good, "bool", one, one.story())
    if one.taken is not None:
        yield view.measured("backup.age", one.age(view.at), "s", one, _taken(one))
    if one.size is not None:
        yield view.measured("backup.size", one.size, "bytes", one, one.sha256)
    if one.good and one.manifest is not None:
        said = f"manifest {one.manifest.size_bytes} bytes, file {one.size} bytes"
        yield view.measured("backup.size.matches", one.sound, "bool", one, said)
        yield view.measured("backup.database.matches", 1, "bool", one, one.manifest.database)


def _of_earlier(last: Backup, earlier: Sequence[Backup], view: _View) -> Iterator[Measurement]:
    good = [one for one in earlier if one.sound]
    before = [float(one.size or 0) for one in good[: view.policy.size_band.of_last]]
    yield view.measured("backup.history", len(before), "count")
    if before:
        yield view.measured("backup.size.median", median(before), "bytes")
    if good and not last.sound:
        yield view.measured("backup.last_good.age", good[0].age(view.at), "s", good[0], _taken(good[0]))
    for one in earlier:
        wrong = one.problem or one.mismatch()
        if wrong:
            yield view.measured("backup.incomplete", 1, "bool", one, wrong)
