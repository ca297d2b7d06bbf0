"""The archive itself: dumped, hashed and stored in one pass, under a hidden name until all of the backup is whole."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from clo_ops.actions.backups.dump import BLOCK, Dump, hashed_directory
from clo_ops.actions.backups.names import part_name
from clo_ops.actions.backups.writing import BackupWriter, sync_directory
from clo_ops.probes.backup_entries import digest_of_files


def write_archive(dump: Dump, writer: BackupWriter, name: str) -> dict[str, Any]:
    """Its ``size_bytes``, ``sha256`` and, of a directory, ``files``. Raises DumpFailed, or what the storage raises."""
    if dump.policy.format == "directory":
        return _directory(dump, writer, name)
    with writer.part(name) as file:
        dump.into(file)
    return {"size_bytes": file.size, "sha256": file.sha256}


def _directory(dump: Dump, writer: BackupWriter, name: str) -> dict[str, Any]:
    hidden = part_name(name)
    here = writer.files.local(hidden)
    try:
        if here is not None:
            facts = _dumped(dump, here)
        else:
            with tempfile.TemporaryDirectory(prefix="clo-ops-dump-") as scratch:
                facts = _dumped(dump, Path(scratch) / "archive")
                _sent(Path(scratch) / "archive", writer, hidden)
    except BaseException:
        writer.discard(hidden)
        raise
    return facts


def _dumped(dump: Dump, folder: Path) -> dict[str, Any]:
    dump.into_directory(folder)
    sync_directory(folder)
    files = hashed_directory(folder)
    sizes = sum(int(one["size_bytes"]) for one in files.values())
    digest = digest_of_files({file: str(one["sha256"]) for file, one in files.items()})
    return {"files": files, "size_bytes": sizes, "sha256": digest}


def _sent(folder: Path, writer: BackupWriter, hidden: str) -> None:
    system = writer.files.system
    system.makedirs(writer.files.path(hidden), exist_ok=True)
    for path in sorted(folder.iterdir()):
        with path.open("rb") as source, system.open(writer.files.path(f"{hidden}/{path.name}"), "wb") as target:
            while block := source.read(BLOCK):
                target.write(block)
