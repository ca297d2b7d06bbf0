"""The archive of audit rows: Parquet files with a manifest beside each, wherever fsspec finds them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import file_digest, sha256
from typing import TYPE_CHECKING, Any

from clo_ops.findings.audit import ArchiveFile, Fault
from clo_ops.probes.audit_rows import canonical, content, schema
from clo_ops.probes.audit_stream import ahead
from clo_ops.probes.audit_walk import Found, Walk
from clo_ops.probes.backup_files import BackupFiles, Unlistable
from clo_ops.probes.targets import BackupRepository

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

MANIFEST = ".manifest.json"
ROWS_AT_ONCE = 8_192


class NotThere(Exception):
    """A file, or its manifest, that is not in the archive; the text names it."""


class Damaged(Exception):
    """A file that is not what its manifest says, or cannot be read; the text says where."""


class AuditArchive:
    """Reads one archive. Raises Unlistable where the store cannot be asked, NotThere and Damaged for one file."""

    def __init__(self, repository: BackupRepository) -> None:
        self.files = BackupFiles(repository)

    def __str__(self) -> str:
        return str(self.files)

    def manifests(self, system: str) -> tuple[list[ArchiveFile], dict[str, str]]:
        """The files of this database in the order of their rows, and what is wrong with manifests nobody can read."""
        found, wrong = [], {}
        with self.files.errors_in_words():
            if self.files.system.isfile(self.files.path()):
                raise Unlistable(f"{self} is a file, not a folder of files")
        try:
            listed = self.files.listing()
        except Unlistable as error:
            if "FileNotFoundError" in str(error) and self._store_is_there():
                return [], {}
            raise
        for name in sorted(listed):
            if "-audit_logs-" in name and name.endswith(MANIFEST):
                try:
                    found.append(self.manifest(name.removesuffix(MANIFEST)))
                except (Damaged, NotThere) as error:
                    wrong[name] = str(error)
        ours = [one for one in found if one.system == system]
        return sorted(ours, key=lambda one: one.stretch.first_id), wrong

    def _store_is_there(self) -> bool:
        """An archive nobody wrote to yet has no folder; a store that was unmounted has not even the one above."""
        above = self.files.path().rstrip("/").rpartition("/")[0]
        with self.files.errors_in_words():
            return bool(above) and bool(self.files.system.exists(above))

    def manifest(self, name: str) -> ArchiveFile:
        """What is said of one file."""
        with self._opened(name + MANIFEST) as file, self.files.errors_in_words(name):
            content = file.read()
        try:
            return ArchiveFile.read(json.loads(content), content)
        except (KeyError, TypeError, ValueError) as error:
            raise Damaged(f"{name}{MANIFEST} is no manifest of audit rows: {type(error).__name__}: {error}") from None

    def check_bytes(self, one: ArchiveFile) -> None:
        """The file has the SHA-256 of its manifest."""
        with self._opened(one.name) as file:
            found = file_digest(file, "sha256").hexdigest()
        if found != one.sha256:
            raise Damaged(f"{one.name} has SHA-256 {found[:12]}…, its manifest says {one.sha256[:12]}…")

    def tables(self, name: str, rows_at_once: int = ROWS_AT_ONCE) -> Iterator[pa.Table]:
        """Its rows, some at a time, in their order."""
        import pyarrow as pa
        from pyarrow import parquet

        with self._opened(name) as file:
            try:
                opened = parquet.ParquetFile(file)
                if not opened.schema_arrow.equals(schema()):
                    raise Damaged(f"{name} has the columns {', '.join(opened.schema_arrow.names)} of other types")
                for batch in opened.iter_batches(rows_at_once, use_threads=False):
                    yield pa.Table.from_batches([batch])
            except (pa.ArrowException, OSError) as error:
                if isinstance(error, OSError) and error.errno:  # the store's own; Arrow's have none
                    raise Unlistable(f"{self}: {name}: {self.files.words(error)}") from None
                raise Damaged(f"{name} cannot be read: {self.files.words(error)}") from None

    @contextmanager
    def _opened(self, name: str) -> Iterator[Any]:
        try:
            with self.files.errors_in_words(name):
                file = self.files.system.open(self.files.path(name), "rb")
        except FileNotFoundError:
            raise NotThere(f"{name} is not in {self}") from None
        with file:
            yield file

    def read_through(self, one: ArchiveFile, name: str = "") -> Iterator[pa.Table | Found]:
        """Every row of a file, each hashed anew: the tables, and each fault; ends whole or raises Damaged.

        ``name``: where it is not yet called as its manifest will say.
        """
        walk = _FileWalk(one.stretch.first_id, one.stretch.prev_hash)
        digest = sha256()
        for table, texts in ahead(lambda: ((read, canonical(read)) for read in self.tables(name or one.name))):
            yield from walk.over(table, texts)
            digest.update(content(table))
            yield table
        if (walk.next_id - 1, walk.hash) != (one.stretch.last_id, one.stretch.last_hash):
            raise Damaged(f"{one.name} ends with row {walk.next_id - 1}, its manifest says {one.stretch.last_id}")
        if walk.rows != one.stretch.rows or digest.hexdigest() != one.content_sha256:
            raise Damaged(f"{one.name} holds {walk.rows} rows that are not those its manifest was written for")


class _FileWalk(Walk):
    def gap(self, first: int, last: int) -> tuple[Found | None, str | None]:
        return Found(Fault.DAMAGED, first, last, f"rows {first} to {last} are not in the file"), None
