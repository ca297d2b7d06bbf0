"""Every backup of a repository, by its content and its manifest, whoever made it."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from clo_ops.policy.morning import Backups
from clo_ops.probes.backup_entries import SUFFIX, Backup, read_manifest
from clo_ops.probes.backup_files import BackupFiles, StoredFile
from clo_ops.probes.backup_formats import Format
from clo_ops.probes.backup_reading import BackupReader

MANIFEST_LIMIT = 16 * 1024 * 1024
ALONE = "there is no manifest beside it"
EARLIEST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Entry:
    """One backup as it lies there. ``format`` is known of those without a manifest: their first bytes were read."""

    backup: Backup
    stored: StoredFile | None
    format: Format | None = None

    @property
    def path(self) -> str:
        return self.backup.name

    @property
    def alone(self) -> bool:
        """Made by others: no manifest says what it should be."""
        return self.backup.problem == ALONE

    @property
    def taken(self) -> datetime | None:
        """Of its snapshot, else by its name, else when its file was written."""
        written = self.stored.modified if self.stored else None
        return self.backup.taken or (written if self.alone else None)

    @property
    def failed(self) -> bool:
        """The job said itself that it failed."""
        return self.backup.manifest is not None and not self.backup.manifest.succeeded

    @property
    def report(self) -> bool:
        """pgBackRest's report of its own repository, and no backup itself."""
        return self.format is not None and self.format.kind == "pgbackrest"


def entries(files: BackupFiles, reader: BackupReader, policy: Backups) -> list[Entry]:
    """Newest first; what is no backup by manifest, name or content is left out. Raises Unlistable."""
    listed = files.listing()
    names = sorted({name.removesuffix(SUFFIX) for name in listed})
    found = [_entry(files, reader, listed, name) for name in names]
    known = [one for one in found if _is_backup(one, policy)]
    return sorted(known, key=lambda one: (one.taken or EARLIEST, one.path), reverse=True)


def _entry(files: BackupFiles, reader: BackupReader, listed: Mapping[str, StoredFile], name: str) -> Entry:
    stored = listed.get(name)
    size = stored.size if stored else None
    if name + SUFFIX not in listed:
        return Entry(Backup(name, size, None, ALONE), stored, reader.format_of(stored) if stored else None)
    raw = files.head(name + SUFFIX, MANIFEST_LIMIT)
    manifest, problem = read_manifest(name, raw) if raw is not None else (None, "its manifest vanished meanwhile")
    if not problem and stored is None and manifest and manifest.succeeded:
        problem = "there is a manifest and no archive"
    return Entry(Backup(name, size, manifest, problem), stored)


def _is_backup(one: Entry, policy: Backups) -> bool:
    if not one.alone or fnmatch.fnmatchcase(one.path, policy.pattern):
        return True
    # Compressed files of all sorts lie about; only what is a dump inside is meant.
    return one.format is not None and (one.format.restorable or one.report)
