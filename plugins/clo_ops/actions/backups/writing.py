"""Writing into a repository so that nobody ever sees half a file: a hidden name first, its own name when it is whole.

On this machine's disks every file and every name is on disk (fsync) before the next step; elsewhere the storage's own
promise holds.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from clo_ops.actions.backups.names import MANIFEST, part_name
from clo_ops.findings import CloOpsError
from clo_ops.probes.backup_files import BackupFiles

BLOCK = 1024 * 1024


class BackupFailed(CloOpsError):
    """No backup came about; where the repository could be written to, a manifest there says so."""


class HashedFile:
    """A file being written, its SHA-256 and size as of what was written so far."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = sha256()
        self.size = 0

    def write(self, block: bytes | memoryview) -> None:
        self._digest.update(block)
        self._file.write(block)
        self.size += len(block)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


class BackupWriter:
    """Writes one repository. Raises what the storage raises; BackupFailed where what arrived is not what was sent."""

    def __init__(self, files: BackupFiles) -> None:
        self.files = files

    def prepare(self) -> None:
        """A folder made here is its owner's; one that is there keeps the rights somebody gave it."""
        here = self.files.local("")
        if here is not None:
            here.parent.mkdir(parents=True, exist_ok=True)
            here.mkdir(mode=0o700, exist_ok=True)
        else:
            self.files.system.makedirs(self.files.path(), exist_ok=True)

    @contextmanager
    def part(self, name: str) -> Iterator[HashedFile]:
        """The archive under its hidden name. Left only whole: an exception removes what is there."""
        try:
            with self._opened(part_name(name)) as file:
                hashed = HashedFile(file)
                yield hashed
                file.flush()
                _sync(file)
            self._arrived(part_name(name), hashed.size)
        except BaseException:
            self.discard(part_name(name))
            raise

    def _opened(self, name: str) -> Any:
        """For its owner only, whatever the umask allows: a backup holds everything the database does."""
        here = self.files.local(name)
        return (
            self.files.system.open(self.files.path(name), "wb") if here is None else open(here, "wb", opener=_private)
        )

    def _arrived(self, name: str, size: int) -> None:
        self.files.system.invalidate_cache()
        found = int(self.files.system.size(self.files.path(name)) or 0)
        if found != size:
            raise BackupFailed(
                f"{size} bytes were sent to {self.files}, {found} arrived",
                allowed="every byte",
                next_step="look at the storage's own log and at the room left there",
            )

    def name_it(self, hidden: str, name: str) -> None:
        """The hidden file, or directory, gets its own name."""
        here, there = self.files.local(hidden), self.files.local(name)
        if here is not None and there is not None:
            here.replace(there)
            sync_directory(there.parent)
        else:
            self.files.system.mv(self.files.path(hidden), self.files.path(name), recursive=True)

    def put(self, name: str, content: bytes) -> None:
        with self.part(name) as file:
            file.write(content)
        self.name_it(part_name(name), name)

    def manifest(self, backup: str, facts: Mapping[str, Any]) -> None:
        """Beside the backup, and always after it: a backup is whole once its manifest is there."""
        text = json.dumps(plain(facts), indent=2, sort_keys=True, ensure_ascii=False)
        self.put(backup + MANIFEST, text.encode() + b"\n")

    def discard(self, *names: str) -> None:
        """Remove what may or may not be there."""
        for name in names:
            with suppress(FileNotFoundError):
                self.files.system.rm(self.files.path(name), recursive=True)

    def discard_hidden(self, which: Callable[[str], bool]) -> list[str]:
        found = [name for name in self.files.hidden() if which(name)]
        self.discard(*found)
        return found


def _private(path: str, flags: int) -> int:
    descriptor = os.open(path, flags, 0o600)
    os.fchmod(descriptor, 0o600)  # one that was there
    return descriptor


def _sync(file: Any) -> None:
    try:
        number = file.fileno()
    except (AttributeError, OSError):
        return  # not a local file
    os.fsync(number)


def sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def plain(value: Any) -> Any:
    """As JSON: aware times as ISO 8601 in UTC."""
    if isinstance(value, Mapping):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
