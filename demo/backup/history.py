"""Older backups for a demo that has none yet: links to a real archive, and manifests that say what they are."""

from __future__ import annotations

import json
import os
import shutil
from datetime import datetime, timedelta
from pathlib import Path

from demo.backup import manifest

ORIGIN = "demo-history"


class NothingToLink(RuntimeError):
    """The repository holds no successful backup to make a history of."""


def seed_history(repository: Path, days: int) -> list[Path]:
    """One backup for each of the ``days`` days before the newest one. Existing ones stay. Raises NothingToLink.

    The archives are the newest one's bytes; every manifest made here carries ``"origin": "demo-history"``.
    """
    newest = newest_success(repository)
    made = [link_back(newest, timedelta(days=day)) for day in range(days, 0, -1)]
    return [path for path in made if path is not None]


def newest_success(repository: Path) -> Path:
    for dump in reversed(manifest.dumps(repository)):
        beside = manifest.manifest_path(dump)
        if beside.exists() and json.loads(beside.read_text("utf-8")).get("status") == "success":
            return dump
    raise NothingToLink(f"{repository} holds no successful backup")


def link_back(dump: Path, by: timedelta) -> Path | None:
    """The same archive under an earlier name; None when that name is taken."""
    at = manifest.time_of(dump.name)
    facts = json.loads(manifest.manifest_path(dump).read_text("utf-8"))
    if at is None:
        return None
    earlier = dump.with_name(manifest.file_name(facts["database"], at - by))
    if earlier.exists():
        return None
    _link(dump, earlier)
    for name in ("started_at", "ended_at", "snapshot_at"):
        facts[name] = (datetime.fromisoformat(facts[name]) - by).isoformat()
    manifest.write_whole(manifest.manifest_path(earlier), facts | {"path": earlier.name, "origin": ORIGIN})
    return earlier


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
