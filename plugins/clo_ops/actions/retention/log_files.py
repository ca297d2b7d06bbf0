"""Rotated log files: compressed into the archive, read back and only then removed from their host (LM-01).

The live file is never touched. Each file is looked at again on its host in the moment it is read and in the moment it
is removed: its inode, size, time, and that it has no second name; before it is removed, that it has the SHA-256 of what
was read back from the archive. Killed at any instant, the next run goes on: what is in the archive whole is not
written again, what is not is written anew.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from clo_ops.actions.backups.names import MANIFEST, part_name
from clo_ops.actions.backups.writing import BackupFailed, BackupWriter, HashedFile
from clo_ops.actions.maintenance.plan import Effect, Outcome
from clo_ops.findings import CheckFailed
from clo_ops.findings.log_retention import ArchivedLog, DueFile, LoggedFile
from clo_ops.findings.plans import Figure
from clo_ops.policy.paths import INCLUDE
from clo_ops.probes.backup_files import BackupFiles, Unlistable
from clo_ops.probes.reaching import Reach, Unreachable
from clo_ops.probes.shell_stream import Stream, streamed
from clo_ops.probes.targets import BackupRepository, HostTarget

SCRIPT = "log_file.sh"
FORMAT = 1
BLOCK = 1 << 20
SLOWEST = 1_000_000  # bytes a second a file may take at the slowest; a minute in any case
NOT_TOLD = "-"


def archive(host: HostTarget, due: DueFile, store: BackupRepository, classes: tuple[str, ...]) -> Effect:
    """The file into the archive, read back, then off its host. Raises CloOpsError; nothing is removed then."""
    begun, one = time.monotonic(), due.file
    try:
        kept = _kept(host, due, store, classes)
    except (Unlistable, OSError) as error:
        raise BackupFailed(f"{one.path} is not in the archive {store}: {error}") from None
    gone = remove(host, one, kept.sha256)
    figures: dict[str, Figure] = {
        "bytes": one.size,
        "archived": kept.packed_size,
        "sha256": kept.sha256,
        "name": kept.name,
    }
    reason = f"{one.path} is in the archive as {kept.name} ({gone})"
    return Effect(Outcome.APPLIED, reason, time.monotonic() - begun, figures)


def remove(host: HostTarget, one: LoggedFile, sha256: str = NOT_TOLD) -> str:
    """Off its host. Raises CheckFailed where it is not the file that was listed, or not what the archive holds."""
    with _said(host, "remove", one, sha256) as stream:
        said = stream.line()
    if said not in ("gone", "gone_before"):
        raise CheckFailed(f"{one.path} was not removed: {said.removeprefix('not_it ') or 'the host said nothing'}")
    return "removed" if said == "gone" else "it had gone before"


def expire(host: HostTarget, due: DueFile) -> Effect:
    begun = time.monotonic()
    gone = remove(host, due.file)
    return Effect(Outcome.APPLIED, f"{due.file.path}: {gone}", time.monotonic() - begun, {"bytes": due.file.size})


@contextmanager
def _said(host: HostTarget, what: str, one: LoggedFile, sha256: str = NOT_TOLD) -> Iterator[Stream]:
    arguments = [what, one.folder, one.name, one.inode, str(one.size), str(one.seconds), sha256]
    script = (INCLUDE / "sh" / SCRIPT).read_text(encoding="utf-8")
    with streamed(host, script, arguments, 60 + one.size / SLOWEST) as stream:
        yield stream


def name_of(one: LoggedFile) -> str:
    """The same file has the same name in the archive, however often it is tried; another one never has it."""
    mark = hashlib.sha256(f"{one.path}:{one.inode}:{one.size}:{one.seconds}".encode()).hexdigest()[:12]
    source = "".join(letter if letter.isalnum() else "-" for letter in one.source)
    return f"{source}-{one.changed:%Y%m%dT%H%M%SZ}-{mark}.gz"


def _kept(host: HostTarget, due: DueFile, store: BackupRepository, classes: tuple[str, ...]) -> ArchivedLog:
    files, name = BackupFiles(store), name_of(due.file)
    writer = BackupWriter(files)
    writer.prepare()
    known = next((one for one in archived(store) if one.name == name), None)
    if known is not None and _holds(files, known):
        return known
    return _written(host, due, writer, classes)


def _written(host: HostTarget, due: DueFile, writer: BackupWriter, classes: tuple[str, ...]) -> ArchivedLog:
    one, name = due.file, name_of(due.file)
    plain = hashlib.sha256()
    with writer.part(name) as packed:
        _pack(host, one, packed, plain)
    kept = ArchivedLog(
        name, one.source, one.path, due.begins, one.changed, one.size, plain.hexdigest(), packed.sha256, packed.size
    )
    if not _holds(writer.files, kept, hidden=True):
        writer.discard(part_name(name))
        raise BackupFailed(f"{name} is not what was written when it is read back from {writer.files}")
    writer.name_it(part_name(name), name)
    writer.manifest(name, _manifest(kept, host, classes))
    return kept


def _pack(host: HostTarget, one: LoggedFile, packed: HashedFile, plain: Any) -> None:
    with _said(host, "read", one) as stream:
        said = stream.line()
        if said != f"file {one.size}":
            raise CheckFailed(f"{one.path} was not read: {said.removeprefix('not_it ') or 'the host said nothing'}")
        # Without a name and a time in it the same bytes give the same file.
        with gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as squeezed:  # type: ignore[call-overload]
            for piece in stream.part(one.size):
                plain.update(piece)
                squeezed.write(piece)


def _holds(files: BackupFiles, one: ArchivedLog, *, hidden: bool = False) -> bool:
    """Whether what lies in the archive, read back and unpacked, is what was on the host."""
    digest, size = hashlib.sha256(), 0
    path = files.path(part_name(one.name) if hidden else one.name)
    try:
        with files.system.open(path, "rb") as raw, gzip.GzipFile(fileobj=raw) as plain:
            while block := plain.read(BLOCK):
                digest.update(block)
                size += len(block)
    except (OSError, EOFError, gzip.BadGzipFile):
        return False
    return (digest.hexdigest(), size) == (one.sha256, one.size)


def _manifest(one: ArchivedLog, host: HostTarget, classes: tuple[str, ...]) -> dict[str, Any]:
    return {
        "format_version": FORMAT,
        "kind": "log",
        "name": one.name,
        "source": one.source,
        "host": host.name,
        "path": one.path,
        "classes": list(classes),
        "begins": None if one.begins is None else one.begins.isoformat(),
        "ends": one.ends.isoformat(),
        "size_bytes": one.size,
        "sha256": one.sha256,
        "packed_sha256": one.packed,
        "packed_size_bytes": one.packed_size,
        "archived_at": datetime.now(UTC).isoformat(),
    }


def archived(store: BackupRepository) -> list[ArchivedLog]:
    """The log files of the archive, by their manifests. Raises Unlistable."""
    files = BackupFiles(store)
    found = []
    for name in sorted(files.listing()):
        if name.endswith(MANIFEST):
            with files.errors_in_words(name), files.system.open(files.path(name), "rb") as file:
                content = file.read()
            if (one := _read(content)) is not None:
                found.append(one)
    return found


def _read(content: bytes) -> ArchivedLog | None:
    """None for what is no manifest of a log: it is not ours to remove."""
    try:
        facts = json.loads(content)
        if facts["kind"] != "log":
            return None
        begins = facts["begins"]
        return ArchivedLog(
            facts["name"],
            facts["source"],
            facts["path"],
            None if begins is None else datetime.fromisoformat(begins),
            datetime.fromisoformat(facts["ends"]),
            int(facts["size_bytes"]),
            facts["sha256"],
            facts["packed_sha256"],
            int(facts["packed_size_bytes"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


def forget(store: BackupRepository, one: ArchivedLog) -> Effect:
    """Out of the archive: the manifest last, so that what is half removed is seen again. Raises CloOpsError."""
    begun, files = time.monotonic(), BackupFiles(store)
    if "/" in one.name or one.name.startswith("."):
        raise CheckFailed(f"{one.name!r} is no name of a file of the archive")
    try:
        with files.errors_in_words(one.name):
            for name in (one.name, one.name + MANIFEST):
                if files.system.exists(files.path(name)):
                    files.system.rm_file(files.path(name))
    except Unlistable as error:
        raise Unreachable(Reach.OTHER, str(error)) from None
    return Effect(Outcome.APPLIED, f"{one.name} left the archive", time.monotonic() - begun, {"bytes": one.packed_size})
