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
from clo_ops.probes.backup_entries import Backup
from clo_ops.probes.backup_files import BackupFiles, StoredFile, Unlistable
from clo_ops.probes.backup_reading import BackupReader
from clo_ops.probes.backup_streams import Stalled
from clo_ops.probes.backups import listed
from clo_ops.probes.reaching import nobody_answered
from clo_ops.probes.targets import BackupRepository

STALLED = 300.0  # seconds without a byte


@dataclass(frozen=True, slots=True)
class Choice:
    """What is restored, when its data were current, and when those of the newest good backup were (for the RPO)."""

    backup: ChosenBackup
    taken: datetime | None
    newest_good: datetime | None
    sha256: str


def choose(repository: BackupRepository, policy: Backups, how: str, *, at: datetime, lot: str = "") -> Choice:
    """``how`` is "newest", "random" (one older than the newest; the same for the same ``lot``) or a file's name.

    Raises CheckFailed where there is no such backup, CouldNotCheck where the repository cannot be listed.
    """
    files = BackupFiles(repository)
    try:
        stored = files.listing()
        found = [one for one in listed(files, policy.pattern) if _ours(one, policy.database, at)]
        one = _picked(found, how, lot, stored)
        return Choice(
            _chosen(files, one, stored[one.name], policy),
            one.taken,
            max((good.taken for good in found if good.sound and good.taken), default=None),
            one.manifest.sha256 if one.manifest else "",
        )
    except Unlistable as error:
        raise CouldNotCheck(
            f"the backups of {repository} cannot be read: {error}",
            allowed="a repository that can be listed and read",
            next_step="check that the worker reaches it (connection clo_backups)",
        ) from error


def _ours(one: Backup, database: str, at: datetime) -> bool:
    return not one.foreign(database) and not one.is_after(max(at, datetime.now(UTC)))


def _picked(found: Sequence[Backup], how: str, lot: str, stored: Mapping[str, StoredFile]) -> Backup:
    claimed = [one for one in found if one.manifest and one.manifest.succeeded and one.size is not None]
    if how == "newest" and claimed:
        return claimed[0]
    if how == "random" and len(claimed) > 1:
        drawn = int.from_bytes(hashlib.sha256(lot.encode()).digest()[:8], "big")
        return claimed[1 + drawn % (len(claimed) - 1)]
    named = {one.name: one for one in found}
    if how in stored and how not in ("newest", "random"):
        return named.get(how) or Backup(how, stored[how].size, None, "there is no manifest beside it")
    there = ", ".join(one.name for one in claimed[:5]) or "none"
    wanted = {"newest": "a backup that ended successfully", "random": "a backup older than the newest"}
    raise CheckFailed(
        f"the repository holds no {wanted.get(how, f'file {how}')}; the newest ones there: {there}",
        allowed='"newest", "random" where there are two or more, or the name of a file of the repository',
        next_step="take a backup now, or name one that is there",
    )


def _chosen(files: BackupFiles, one: Backup, stored: StoredFile, policy: Backups) -> ChosenBackup:
    """What it is, by its content and not by its name; what its manifest says beside that."""
    facts: Mapping[str, Any] = one.manifest.facts if one.manifest else {}
    seen = BackupReader(files, STALLED).format_of(stored)
    known = seen.head.server_major if seen.head else None
    return ChosenBackup(
        repository=files.repository,
        name=one.name,
        database=str(facts.get("database") or policy.database),
        major=int(facts.get("server_major") or known or _major(facts) or 0),
        format=seen.kind if seen.restorable else str(facts.get("format") or "custom"),
        size_bytes=stored.size,
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
