"""Which backup a drill restores: the newest, a named one, or a random older one (M3-01, ED-05; manual L204, L80).

The choice is read off the repository, never off what a drill would like to see: the newest is the newest that claims
to have succeeded, whole or not, for that is what would be reached for in an emergency.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from clo_ops.actions.drill.place import ChosenBackup
from clo_ops.findings import Answer, CheckFailed, CouldNotCheck, Measurement
from clo_ops.policy.morning import Backups
from clo_ops.probes.backup_catalogue import ALONE, Entry, entries
from clo_ops.probes.backup_entries import Backup
from clo_ops.probes.backup_files import BackupFiles, Unlistable
from clo_ops.probes.backup_reading import BackupReader
from clo_ops.probes.backup_streams import Stalled
from clo_ops.probes.reaching import nobody_answered
from clo_ops.probes.targets import BackupRepository

STALLED = 300.0  # seconds without a byte
DRAWN = {"newest": "backup that ended successfully", "random": "backup older than the newest"}


@dataclass(frozen=True, slots=True)
class Choice:
    """What is restored, when its data were current, and when those of the newest good backup were (for the RPO)."""

    backup: ChosenBackup
    taken: datetime | None
    newest_good: datetime | None
    sha256: str


def choose(repository: BackupRepository, policy: Backups, how: str, *, at: datetime, lot: str = "") -> Choice:
    """``how`` is "newest", "random" (one older than the newest; the same for the same ``lot``) or a file's name.

    Every backup of the repository is known by its manifest; where not one has any, by content (made by others).
    Raises CheckFailed where there is no such backup, CouldNotCheck where the repository cannot be listed.
    """
    files = BackupFiles(repository)
    try:
        found = _found(files, policy, how)
        candidates = _candidates(found, policy.database, at)
        one = _named(found, how, policy.database, at) or _picked(candidates, how, lot)
        return Choice(
            _chosen(files, one, policy),
            one.backup.taken,
            max((good.taken for good in candidates if good.taken and _whole(good)), default=None),
            one.backup.manifest.sha256 if one.backup.manifest else "",
        )
    except Unlistable as error:
        raise CouldNotCheck(
            f"the backups of {repository} cannot be read: {error}",
            allowed="a repository that can be listed and read",
            next_step="check that the worker reaches it (connection clo_backups)",
        ) from error


def _found(files: BackupFiles, policy: Backups, how: str) -> list[Entry]:
    """All backups, newest first, and the file that is named, whatever it is: reading it will tell."""
    reader = BackupReader(files, STALLED)
    found = [one for one in entries(files, reader, policy) if one.stored is not None and not one.report]
    if how in DRAWN or how in {one.path for one in found}:
        return found
    named = files.listing().get(how)
    return found + ([Entry(Backup(how, named.size, None, ALONE), named, reader.format_of(named))] if named else [])


def _candidates(found: Sequence[Entry], database: str, at: datetime) -> list[Entry]:
    """Ours that claim to have succeeded; where nobody writes manifests, what can be restored by its content."""
    ours = [one for one in found if not _why_not(one, database, at)]
    claimed = [one for one in ours if one.backup.manifest and one.backup.manifest.succeeded]
    return claimed or [one for one in ours if one.alone and one.format and one.format.restorable]


def _why_not(one: Entry, database: str, at: datetime) -> str:
    """Why it is no backup of ours; empty where it is one."""
    if one.backup.manifest and one.backup.foreign(database):
        return f"is a backup of {one.backup.manifest.database}"
    return "was taken later than now" if one.backup.is_after(max(at, datetime.now(UTC))) else ""


def _whole(one: Entry) -> bool:
    return one.backup.sound or (one.alone and bool(one.backup.size))


def _named(found: Sequence[Entry], how: str, database: str, at: datetime) -> Entry | None:
    """None where it is not there, or none is named. Raises CheckFailed for what its manifest says is not ours."""
    one = next((one for one in found if one.path == how), None) if how not in DRAWN else None
    if one is not None and (why := _why_not(one, database, at)):
        raise CheckFailed(
            f"{how} {why}",
            allowed=f"a backup of {database}, taken before now",
            next_step="name another one; where its manifest is wrong, find out who wrote it",
        )
    return one


def _picked(candidates: Sequence[Entry], how: str, lot: str) -> Entry:
    if how == "newest" and candidates:
        return candidates[0]
    if how == "random" and len(candidates) > 1:
        drawn = int.from_bytes(hashlib.sha256(lot.encode()).digest()[:8], "big")
        return candidates[1 + drawn % (len(candidates) - 1)]
    there = ", ".join(one.path for one in candidates[:5]) or "none"
    raise CheckFailed(
        f"the repository holds no {DRAWN.get(how, f'file {how}')}; the newest ones there: {there}",
        allowed='"newest", "random" where there are two or more, or the name of a file of the repository',
        next_step="take a backup now, or name one that is there",
    )


def _chosen(files: BackupFiles, one: Entry, policy: Backups) -> ChosenBackup:
    """What it is, by its content and not by its name; what its manifest says beside that."""
    assert one.stored is not None  # noqa: S101 - only what is there is found
    facts: Mapping[str, Any] = one.backup.manifest.facts if one.backup.manifest else {}
    seen = one.format or BackupReader(files, STALLED).format_of(one.stored)
    major = int(facts.get("server_major") or seen.server_major or _major(facts) or 0)
    if seen.restorable and not major:
        raise CheckFailed(
            f"{one.path} does not say of which PostgreSQL it is",
            allowed="the version in its head, or server_major in a manifest beside it",
            next_step="write a manifest for it (docs/backups.md), or name another backup",
        )
    return ChosenBackup(
        repository=files.repository,
        name=one.path,
        database=str(facts.get("database") or policy.database),
        major=major,
        format=seen.kind if seen.restorable else str(facts.get("format") or "custom"),
        size_bytes=one.stored.size,
        database_bytes=int(facts.get("database_bytes") or 0),
        wrapped=seen.wrapper,
        manifest=facts,
    )


def read_whole(choice: Choice, decoded: datetime | None = None) -> Answer:
    """The backup read from its first byte to its last, hashed and decoded: ``backup.verified`` (bool {path, level}).

    L1: its bytes are those of the manifest. L2: every byte decodes. What cannot be decided here is unanswered. Bytes
    with the manifest's SHA-256 that were ``decoded`` before, as the ledger has it, are hashed only: they are the same.
    """
    files = BackupFiles(choice.backup.repository)
    name, tried = choice.backup.name, "reading it whole"
    try:
        reader, stored = BackupReader(files, STALLED), files.listing()[name]
        if decoded is not None and choice.sha256 and reader.hashed(stored) == choice.sha256:
            return _same_as_before(name, decoded)
        reading = reader.read(stored)
    except (Unlistable, Stalled, FileNotFoundError, KeyError) as error:
        return nobody_answered(["the bytes of the backup"], name, tried, f"{type(error).__name__}: {error}")
    same, at = reading.sha256 == choice.sha256, datetime.now(UTC)
    said = "" if same else f"SHA-256 is {reading.sha256}, the manifest says {choice.sha256 or 'none'}"
    answer = Answer((Measurement("backup.verified", same, "bool", at, {"path": name, "level": "L1"}, said),))
    if reading.could_not:
        return answer + nobody_answered(["the backup's contents"], name, tried, reading.could_not)
    level = {"path": name, "level": "L2"}
    return answer + Answer((Measurement("backup.verified", reading.decoded, "bool", at, level, reading.problem),))


def _same_as_before(name: str, decoded: datetime) -> Answer:
    at, said = datetime.now(UTC), f"the same bytes were decoded on {decoded:%Y-%m-%d %H:%M} UTC"
    levels = (("L1", ""), ("L2", said))
    return Answer.of(
        [Measurement("backup.verified", 1, "bool", at, {"path": name, "level": level}, why) for level, why in levels]
    )


def _major(facts: Mapping[str, Any]) -> int | None:
    """Manifests of the first format have the version as text."""
    first = str(facts.get("server_version") or "").partition(".")[0].partition(" ")[0]
    return int(first) if first.isdigit() else None
