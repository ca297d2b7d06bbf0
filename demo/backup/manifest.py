"""The names of the demo's backups and of the manifests beside them. Times are UTC."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

from clo_ops.actions.backups.names import MANIFEST as SUFFIX
from clo_ops.actions.backups.names import backup_name as file_name
from clo_ops.actions.backups.writing import sync_directory
from clo_ops.probes.backup_entries import named_time

__all__ = ["SUFFIX", "age_file", "dumps", "file_name", "manifest_path", "sha256", "time_of", "write_whole"]


def time_of(name: str) -> datetime | None:
    """When the backup of this file name was started; None when it is not a backup's name."""
    return named_time(name) if name.endswith(".dump") else None


def dumps(repository: Path) -> list[Path]:
    """The archives, oldest first."""
    found = [path for path in repository.glob("*.dump") if time_of(path.name) and not path.name.startswith(".")]
    return sorted(found, key=lambda path: (time_of(path.name), path.name))


def manifest_path(dump: Path) -> Path:
    return dump.with_name(dump.name + SUFFIX)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def age_file(dump: Path, facts: dict[str, Any]) -> None:
    """The file's own time as its manifest has it."""
    ended = datetime.fromisoformat(facts["ended_at"]).timestamp()
    os.utime(dump, (ended, ended))


def write_whole(path: Path, content: dict[str, Any]) -> None:
    """A reader sees the old file or the new one, and the new one is on disk before it has its name."""
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=2, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_directory(path.parent)
