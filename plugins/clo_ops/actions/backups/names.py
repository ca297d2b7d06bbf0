"""The names of a backup and of what lies beside it. Times in names are UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime

MANIFEST = ".manifest.json"
PART = ".part"
NAME = re.compile(r"^(?P<database>.+)-(?P<at>\d{8}T\d{6}Z)\.dump$")


def backup_name(database: str, at: datetime) -> str:
    """``clo-20261123T020000Z.dump``."""
    return f"{_stem(database)}-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}.dump"


def _stem(database: str) -> str:
    """A slash in a database's name would lead into another folder, a dot at its head would hide the file."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", database).lstrip(".") or "database"


def part_name(name: str) -> str:
    """What a file is called until it is whole."""
    return f".{name}{PART}"


def is_part_of(hidden: str, database: str) -> bool:
    """Whether a hidden name is an unfinished backup, or manifest, of this very database."""
    return (
        re.fullmatch(
            rf"\.{re.escape(_stem(database))}-\d{{8}}T\d{{6}}Z\.dump({re.escape(MANIFEST)})?{re.escape(PART)}", hidden
        )
        is not None
    )
