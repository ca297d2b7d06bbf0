"""The manifest beside a backup, and the names of both. Times are UTC, sizes bytes."""

from __future__ import annotations

import hashlib
import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SUFFIX = ".manifest.json"
_NAME = re.compile(r"^(?P<database>.+)-(?P<at>\d{8}T\d{6}Z)\.dump$")
_BLOCK = 1024 * 1024


def file_name(database: str, at: datetime) -> str:
    return f"{database}-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}.dump"


def time_of(name: str) -> datetime | None:
    """When the backup of this file name was started; None when it is not a backup's name."""
    found = _NAME.match(name)
    return datetime.strptime(found["at"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) if found else None


def dumps(repository: Path) -> list[Path]:
    """The archives, oldest first."""
    found = [path for path in repository.glob("*.dump") if time_of(path.name)]
    return sorted(found, key=lambda path: (time_of(path.name), path.name))


def manifest_path(dump: Path) -> Path:
    return dump.with_name(dump.name + SUFFIX)


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def write_whole(path: Path, content: dict[str, Any]) -> None:
    """A reader sees the old file or the new one, and the new one is on disk before it has its name."""
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=2, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
