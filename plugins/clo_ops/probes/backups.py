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
from typing import Any

from clo_ops.findings import Answer, Measurement
from clo_ops.policy.morning import Backups
from clo_ops.probes.backup_entries import SUFFIX, Backup, named_time, read_manifest
from clo_ops.probes.reaching import nobody_answered
from clo_ops.probes.targets import BackupRepository

QUESTION = "backups"
MOST_FILES = 50_000
MANIFEST_LIMIT = 1024 * 1024
LOOK_BACK = 40  # manifests read at most: names sort by time, and a newer backup is no further away than this
EARLIEST = datetime.min.replace(tzinfo=UTC)


class Unlistable(Exception):
    """The repository cannot be listed or read; the text says why and holds no secret."""


def newest(repository: BackupRepository, policy: Backups, *, at: datetime) -> Answer:
    """DM-04, manual L18: the newest backup as it is, failed and half ones included, against the ones before it.

    Labels {repository} and, for one backup, {repository, path}. ``backup.count`` counts what matches the policy's
    pattern. Of the newest: ``backup.succeeded`` (bool; detail: snapshot time, size, SHA-256 or why not),
    ``backup.age`` (s, from snapshot to ``at``; one taken after ``at``, when a run is repeated, is 0 old),
    ``backup.size`` (bytes of the file itself), ``backup.size.matches`` (bool, to its manifest).
    ``backup.size.median`` (bytes) and ``backup.history`` are over the last good ones before it. A good one behind a
    bad newest is ``backup.last_good.age``; a time later than now is ``backup.future``; every other backup with a part
    missing or not as its manifest says is ``backup.incomplete`` (detail says what). One whose manifest names another
    database is no backup of ours: ``backup.database.matches`` is 0 for it and nothing else is said.
    """
    try:
        found = _backups(repository, _files(repository), policy.pattern)
    except Unlistable as error:
        return nobody_answered([QUESTION], repository, "listing and reading manifests", str(error))
    return Answer.of(_measured(found, _View(str(repository), policy, at, datetime.now(UTC))))


def reachable(repository: BackupRepository) -> Answer:
    """DM-01: ``backup.repository.up`` when the repository can be listed; else the question stays open."""
    try:
        count = len(_files(repository))
    except Unlistable as error:
        return nobody_answered(["backup.repository.up"], repository, "listing", str(error))
    up = Measurement("backup.repository.up", 1, "bool", datetime.now(UTC), detail=f"holds {count} files")
    return Answer((up,))


def _filesystem(repository: BackupRepository) -> tuple[Any, str]:
    from fsspec.core import url_to_fs  # type: ignore[import-untyped]

    # Listings are cached per process otherwise, and a long-lived worker would see last night's for ever.
    options = {"use_listings_cache": False, **repository.storage_options}
    file_system, root = url_to_fs(repository.url, **options)
    return file_system, str(root)


def _files(repository: BackupRepository) -> dict[str, int]:
    """Name and size of each file directly in the repository."""
    try:
        file_system, root = _filesystem(repository)
        listed = file_system.ls(root, detail=True)
    except Exception as error:  # noqa: BLE001 - each storage library raises its own; all mean: not listed
        raise Unlistable(_words(repository, error)) from None
    if len(listed) > MOST_FILES:
        raise Unlistable(f"it holds {len(listed)} files, more than the {MOST_FILES} looked at")
    files = (one for one in listed if one["type"] == "file")
    return {one["name"].rstrip("/").rsplit("/", 1)[-1]: int(one["size"] or 0) for one in files}


def _words(repository: BackupRepository, error: Exception) -> str:
    """Storage libraries have no error in common, and some repeat what they were configured with."""
    said = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    for secret in repository.storage_options.values():
        if isinstance(secret, str) and len(secret) >= 6:
            said = said.replace(secret, "***")
    return said


def _backups(repository: BackupRepository, sizes: dict[str, int], pattern: str) -> list[Backup]:
    """Newest first. Only the last ``LOOK_BACK`` by name have their manifests read; the rest is old."""
    names = {name.removesuffix(SUFFIX) for name in sizes}
    wanted = sorted((name for name in names if fnmatch.fnmatchcase(name, pattern)), key=_by_name, reverse=True)
    found = [_backup(repository, sizes, name) for name in wanted[:LOOK_BACK]]
    found += [Backup(name, sizes.get(name), None, "", read=False) for name in wanted[LOOK_BACK:]]
    return sorted(found, key=lambda one: (one.taken or EARLIEST, one.name), reverse=True)


def _by_name(name: str) -> tuple[datetime, str]:
    return named_time(name) or EARLIEST, name


def _backup(repository: BackupRepository, sizes: dict[str, int], name: str) -> Backup:
    size = sizes.get(name)
    if name + SUFFIX not in sizes:
        return Backup(name, size, None, "there is no manifest beside it")
    raw = _head(repository, name + SUFFIX)
    if raw is None:
        return Backup(name, size, None, "its manifest vanished while the repository was read")
    manifest, problem = read_manifest(name, raw)
    if not problem and size is None and manifest and manifest.succeeded:
        problem = "there is a manifest and no archive"
    return Backup(name, size, manifest, problem)


def _head(repository: BackupRepository, name: str) -> bytes | None:
    try:
        file_system, root = _filesystem(repository)
        with file_system.open(f"{root.rstrip('/')}/{name}", "rb") as file:
            return bytes(file.read(MANIFEST_LIMIT))
    except FileNotFoundError:
        return None
    except Exception as error:  # noqa: BLE001 - as above
        raise Unlistable(f"{name}: {_words(repository, error)}") from None


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
