"""Faults of the backup repository. Files taken away are kept beside the switch board and put back as they were."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from demo.backup import manifest
from demo.backup.history import link_back
from demo.switches.actions import Memory
from demo.switches.places import Places

STALE = timedelta(days=3)
SMALL = 0.1  # of the original's bytes


class NoBackup(RuntimeError):
    """The fault changes a backup, and the repository has none."""


def _pair(dump: Path) -> list[str]:
    return [path.name for path in (dump, manifest.manifest_path(dump)) if path.exists()]


def _newest(repository: Path) -> Path:
    found = manifest.dumps(repository)
    if not found:
        raise NoBackup(f"{repository} holds no backup; take one first")
    return found[-1]


def _facts(dump: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(manifest.manifest_path(dump).read_text("utf-8"))
    return found


class BackupFault:
    """Moves files aside, then lets the fault put others in their place. ``memory`` names both."""

    name = ""

    def plan(self, places: Places) -> Memory:
        repository = places.backups
        newest = _newest(repository)
        return {"repository": str(repository), **self.names(repository, newest)}

    def names(self, repository: Path, newest: Path) -> Memory:
        return {"moved": _pair(newest), "made": []}

    def do(self, places: Places, memory: Memory) -> None:
        _move(memory["moved"], Path(memory["repository"]), places.aside(self.name))
        self.put_in_place(Path(memory["repository"]), places.aside(self.name), memory)

    def put_in_place(self, repository: Path, aside: Path, memory: Memory) -> None:
        return

    def undo(self, places: Places, memory: Memory) -> None:
        repository, aside = Path(memory["repository"]), places.aside(self.name)
        for name in memory["made"]:
            # A name both moved and made is ours to remove only once its original is safely aside.
            if name not in memory["moved"] or (aside / name).exists():
                (repository / name).unlink(missing_ok=True)
        _move([name for name in memory["moved"] if (aside / name).exists()], aside, repository)
        shutil.rmtree(aside, ignore_errors=True)


def _move(names: Iterable[str], source: Path, target: Path) -> None:
    """At every instant each file is whole in one of the two places, or in both."""
    target.mkdir(parents=True, exist_ok=True)
    for name in names:
        try:
            (source / name).replace(target / name)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            part = target / f".{name}.moving"
            shutil.copy2(source / name, part)
            part.replace(target / name)
            (source / name).unlink()


class MissingBackup(BackupFault):
    name = "missing-backup"

    def names(self, repository: Path, newest: Path) -> Memory:
        every = [name for dump in manifest.dumps(repository) for name in _pair(dump)]
        alone = [path.name for path in repository.glob(f"*{manifest.SUFFIX}") if path.name not in every]
        return {"moved": every + alone, "made": []}


class StaleBackup(BackupFault):
    """The newest backup left is three days old or older."""

    name = "stale-backup"

    def names(self, repository: Path, newest: Path) -> Memory:
        limit = datetime.now(UTC) - STALE
        young = [dump for dump in manifest.dumps(repository) if (manifest.time_of(dump.name) or limit) > limit]
        moved = [name for dump in young for name in _pair(dump)]
        if len(young) < len(manifest.dumps(repository)):
            return {"moved": moved, "made": []}
        at = manifest.time_of(newest.name) or limit
        old = newest.with_name(manifest.file_name(_facts(newest)["database"], at - STALE))
        return {"moved": moved, "made": [old.name, manifest.manifest_path(old).name], "of": newest.name}

    def put_in_place(self, repository: Path, aside: Path, memory: Memory) -> None:
        if memory["made"]:
            link_back(aside / memory["of"], STALE)
            _move(memory["made"], aside, repository)


class FailedBackup(BackupFault):
    """The newest run failed: its manifest says so, and there is no archive."""

    name = "failed-backup"

    def names(self, repository: Path, newest: Path) -> Memory:
        return {"moved": _pair(newest), "made": [manifest.manifest_path(newest).name], "of": newest.name}

    def put_in_place(self, repository: Path, aside: Path, memory: Memory) -> None:
        facts = _facts(aside / memory["of"])
        failed = {"status": "failed", "size_bytes": 0, "sha256": None, "tables": {}, "canary": None}
        error = "pg_dump: error: could not write to output file: No space left on device"
        manifest.write_whole(manifest.manifest_path(repository / memory["of"]), facts | failed | {"error": error})


class SmallBackup(BackupFault):
    """A tenth of the archive with a manifest that agrees with it: only its size gives it away."""

    name = "small-backup"

    def names(self, repository: Path, newest: Path) -> Memory:
        made = [newest.name, manifest.manifest_path(newest).name]
        return {"moved": _pair(newest), "made": made, "of": newest.name}

    def put_in_place(self, repository: Path, aside: Path, memory: Memory) -> None:
        original, small = aside / memory["of"], repository / memory["of"]
        length = max(1, int(original.stat().st_size * SMALL))
        with original.open("rb") as source, small.open("wb") as target:
            content = source.read(length)
            target.write(content)
        changed = {"size_bytes": length, "sha256": hashlib.sha256(content).hexdigest()}
        manifest.write_whole(manifest.manifest_path(small), _facts(original) | changed)
