"""What ``pgbackrest info --output=json`` says of its backups, from a file of the repository that holds its output."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

PREFIX = "pgbackrest:"  # of the path a backup in pgBackRest's own repository goes by


@dataclass(frozen=True, slots=True)
class PgBackRestBackup:
    """One backup of a stanza. ``error``: pages failed their checksum, None where it does not say (before 2.36).
    ``wal`` are the first and the last segment it needs, empty where it needs none."""

    stanza: str
    label: str
    kind: str
    started: datetime
    ended: datetime
    size: int
    error: bool | None
    wal: tuple[str, str] = ("", "")

    @property
    def path(self) -> str:
        return f"{PREFIX}{self.stanza}/{self.label}"


def read_info(raw: bytes) -> tuple[list[PgBackRestBackup], list[str]]:
    """Its backups, oldest first, and what is wrong with whole stanzas. Raises ValueError for what is no such report."""
    try:
        stanzas = json.loads(raw)
        found = [_backup(one, backup) for one in stanzas for backup in one.get("backup", [])]
        wrong = [
            f"stanza {one['name']}: {one['status'].get('message', 'no message')}"
            for one in stanzas
            if one.get("status", {}).get("code", 0)
        ]
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"not what pgbackrest info --output=json writes: {error!r}") from None
    return sorted(found, key=lambda one: one.ended), wrong


def _backup(stanza: dict[str, Any], backup: dict[str, Any]) -> PgBackRestBackup:
    moments, archive = backup["timestamp"], backup.get("archive") or {}
    return PgBackRestBackup(
        stanza=str(stanza["name"]),
        label=str(backup["label"]),
        kind=str(backup["type"]),
        started=datetime.fromtimestamp(moments["start"], UTC),
        ended=datetime.fromtimestamp(moments["stop"], UTC),
        size=int(backup["info"]["size"]),
        error=backup.get("error"),
        wal=(str(archive.get("start") or ""), str(archive.get("stop") or "")),
    )
