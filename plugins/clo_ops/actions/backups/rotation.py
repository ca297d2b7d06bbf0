"""ED-06: remove the backups a plan says are due (manual L81; D59). A plan is made by rules.rotation, never here.

A backup goes in an order that can break off anywhere: its manifest takes a hidden name, which is the note that it is
being removed; then the archive goes; then whoever asked records it; then the note. Run again, what is still whole is
taken back first (``take_back``) and planned anew; the other notes are finished.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from clo_ops.actions.backups.names import MANIFEST
from clo_ops.actions.backups.writing import BackupWriter
from clo_ops.probes.backup_files import BackupFiles, Unlistable
from clo_ops.probes.targets import BackupRepository

NOTE = ".removing"
LONGEST_NOTE = 16 * 1024 * 1024  # bytes: as long as a manifest may be


@dataclass(frozen=True, slots=True)
class Removed:
    """What became of one backup; ``failure`` is why it is still there."""

    path: str
    failure: str = ""


def take_back(repository: BackupRepository) -> list[str]:
    """Undo what a killed run began and has not removed yet: today's plan decides, a legal hold may have come since.

    Those whose manifest has its own name again. Raises Unlistable, or what the storage raises.
    """
    writer, back = BackupWriter(BackupFiles(repository)), []
    there = writer.files.listing()
    for path in _begun(writer):
        if path in there and there[path].size == _size_noted(writer.files, path):
            writer.name_it(_note(path), path + MANIFEST)
            back.append(path)
    return back


def _begun(writer: BackupWriter) -> list[str]:
    return [name.removeprefix(".").removesuffix(NOTE) for name in writer.files.hidden() if name.endswith(NOTE)]


def _size_noted(files: BackupFiles, path: str) -> int | None:
    """Bytes of the archive by its manifest, which is the note; None where it never had one."""
    try:
        noted = json.loads(files.head(_note(path), LONGEST_NOTE) or b"{}").get("size_bytes")
    except ValueError:
        return None
    return noted if isinstance(noted, int) else None


def remove(
    repository: BackupRepository, due: Iterable[str], gone: Callable[[str], None] = lambda path: None
) -> Iterator[Removed]:
    """Remove each backup of ``due``, and finish what a killed run began; ``gone`` is called once its archive is gone.

    Yields as it goes along. Never raises for one backup: the others go on. Raises Unlistable where the repository
    cannot be listed.
    """
    writer = BackupWriter(BackupFiles(repository))
    for path in dict.fromkeys([*_begun(writer), *due]):
        try:
            _remove(writer, path)
            gone(path)
            writer.discard(_note(path))
        except (Unlistable, OSError) as error:
            yield Removed(path, writer.files.words(error))
        else:
            yield Removed(path)


def _remove(writer: BackupWriter, path: str) -> None:
    system = writer.files.system
    if system.exists(writer.files.path(path + MANIFEST)):
        writer.name_it(path + MANIFEST, _note(path))
    elif not system.exists(writer.files.path(_note(path))):
        writer.put(_note(path), b"{}\n")  # one that never had a manifest still needs its note
    writer.discard(path)


def _note(path: str) -> str:
    return f".{path}{NOTE}"
