"""Write audit rows into the archive so that they are proven before anybody may delete one (WM-03, D05).

A file gets its name when its rows were read back and hashed anew, and counts once its manifest is beside it: a process
killed at any instant leaves a hidden file, or a file without a manifest, and the next one writes it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from clo_ops.actions.backups.names import part_name
from clo_ops.actions.backups.writing import BackupWriter, HashedFile
from clo_ops.findings import CheckFailed, CloOpsError
from clo_ops.findings.audit import ArchiveFile, Moment, Stretch
from clo_ops.probes.audit_archive import AuditArchive, Damaged, NotThere
from clo_ops.probes.audit_rows import FEW_VALUES, TYPES, NotARow, content, schema
from clo_ops.probes.audit_stream import Ends, ahead, live
from clo_ops.probes.audit_walk import Found
from clo_ops.probes.postgres import rows

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa  # type: ignore[import-untyped]
    from psycopg.rows import DictRow

    from clo_ops.actions.retention.pacing import Pace

    Connection = psycopg.Connection[DictRow]

FORMAT_VERSION = 1
ROWS_PER_GROUP = 20_000  # at least, but for the last
NEXT_STEP = "nothing was deleted; verify the audit trail: python -m clo_ops.archive verify"
HOW_HASHED = (
    "row_hash = SHA-256 of prev_hash and jsonb_build_array(id, created_at as YYYY-MM-DDTHH24:MI:SS.USZ, actor, action,"
    " object_type, object_id, detail)::text; content_sha256 = SHA-256 of all row_hash in the order of id"
)


class RetentionFailed(CloOpsError):
    """Retention stopped; what it had not proven is still in the live table."""


@dataclass(frozen=True, slots=True)
class Due:
    """Rows that go into one file: its name, the period it stands for, the ids of its first and last row."""

    name: str
    period: str
    first_id: int
    last_id: int

    @property
    def rows(self) -> int:
        return self.last_id - self.first_id + 1


def file_name(database: str, first_id: int, last_id: int) -> str:
    """``clo-audit_logs-000000000001-000000250000.parquet``: in the order of their rows when sorted."""
    from clo_ops.actions.backups.names import backup_name

    stem = backup_name(database, datetime.now(UTC)).rsplit("-", 1)[0]
    return f"{stem}-audit_logs-{first_id:012d}-{last_id:012d}.parquet"


@dataclass(slots=True)
class _Written:
    """What went by while the live rows were written."""

    digest: Any
    first_at: datetime | None = None
    last_at: datetime | None = None
    prev_hash: str = ""
    last_hash: str = ""
    next_id: int = 0

    def saw(self, table: pa.Table) -> None:
        import numpy as np
        import pyarrow.compute as pc  # type: ignore[import-untyped]

        numbers = table["id"].to_numpy()
        if int(numbers[0]) != self.next_id or not bool(np.all(np.diff(numbers) == 1)):
            raise CheckFailed(f"behind row {self.next_id - 1} rows are missing", next_step=NEXT_STEP)
        self.prev_hash = self.prev_hash or str(table["prev_hash"][0].as_py())
        self.last_hash, self.next_id = str(table["row_hash"][-1].as_py()), int(numbers[-1]) + 1
        self.digest.update(content(table))
        times = pc.min_max(table["created_at"]).as_py()
        self.first_at = min(times["min"], self.first_at or times["min"])
        self.last_at = max(times["max"], self.last_at or times["max"])


def archive(
    connection: Connection,
    store: AuditArchive,
    due: Due,
    ends: Ends,
    pace: Pace,
    *,
    before: datetime,
    taken_by: str,
) -> ArchiveFile:
    """One file with its manifest, read back whole. Raises RetentionFailed or CheckFailed; the live rows are only read.

    Each row read back is hashed anew; its hash is the one the live row has, and each stands on the one before it, from
    the hash the first live row stands on to the hash of the last.
    """
    writer = BackupWriter(store.files)
    try:
        writer.prepare()
        writer.discard_hidden(lambda name: name.startswith(f".{due.name}"))
        as_of = moment(connection)
        written, facts = _write(connection, writer, due, pace)
        one = replace(_provisional(due, written, facts, ends), as_of=as_of)
        if one.last_at >= before:
            raise CheckFailed(f"a row of {one.last_at} would leave", f"rows older than {before}", NEXT_STEP)
        _read_back(store, writer, one)
        writer.name_it(part_name(due.name), due.name)
        writer.manifest(due.name, _manifest(one, ends, taken_by))
        return store.manifest(due.name)
    except CloOpsError:
        writer.discard(part_name(due.name))
        raise
    except Exception as error:
        raise _stopped(f"{due.name} could not be archived", error, store) from error


def _stopped(what: str, error: Exception, store: AuditArchive) -> RetentionFailed:
    said = str(error) if isinstance(error, Damaged | NotARow) else store.files.words(error)
    return RetentionFailed(f"{what}: {said}", allowed="every row written, read back and proven", next_step=NEXT_STEP)


def known(store: AuditArchive, name: str, system: str) -> ArchiveFile | None:
    """The file of this name, None where there is none that counts. Raises RetentionFailed for another database's."""
    try:
        one = store.manifest(name)
    except NotThere:
        return None
    if one.system != system:
        raise RetentionFailed(
            f"{name} in {store} is of another database ({one.system})",
            allowed=f"a folder of its own for {system}",
            next_step="give each CLO database its own url in the connection clo_archive",
        )
    return one


class _Sink:
    """What Arrow writes to: it asks for more of a file than HashedFile has."""

    closed = False

    def __init__(self, file: HashedFile) -> None:
        self.file = file

    def write(self, data: Any) -> int:
        block = memoryview(data)
        self.file.write(block)
        return block.nbytes

    def tell(self) -> int:
        return self.file.size

    def flush(self) -> None: ...

    def close(self) -> None: ...


def _write(connection: Connection, writer: BackupWriter, due: Due, pace: Pace) -> tuple[_Written, HashedFile]:
    import pyarrow as pa
    from pyarrow import parquet

    written = _Written(sha256(), next_id=due.first_id)
    with writer.part(due.name) as file:
        options = {
            "compression": "zstd",
            "compression_level": pace.policy.zstd_level,
            "use_dictionary": list(FEW_VALUES),
            "write_statistics": ["id", "created_at"],
            "store_schema": True,
        }
        with parquet.ParquetWriter(pa.PythonFile(cast(BinaryIO, _Sink(file)), mode="w"), schema(), **options) as target:
            found = ahead(lambda: live(connection, after=due.first_id - 1, last=due.last_id, pace=pace))
            for table in _gathered(found):
                written.saw(table)
                target.write_table(table)
    if written.next_id != due.last_id + 1:
        raise CheckFailed(f"rows end with {written.next_id - 1}, not {due.last_id}", next_step=NEXT_STEP)
    return written, file


def _gathered(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Each becomes a row group of the file: of few rows it would be neither small nor quick to read."""
    import pyarrow as pa

    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(one.num_rows for one in waiting) >= ROWS_PER_GROUP:
            yield pa.concat_tables(waiting).combine_chunks()
            waiting.clear()
    if waiting:
        yield pa.concat_tables(waiting).combine_chunks()


def _provisional(due: Due, written: _Written, file: HashedFile, ends: Ends) -> ArchiveFile:
    assert written.first_at is not None  # noqa: S101 - at least one row was written
    assert written.last_at is not None  # noqa: S101
    return ArchiveFile(
        name=due.name,
        period=due.period,
        stretch=Stretch(due.first_id, due.last_id, written.prev_hash, written.last_hash),
        first_at=written.first_at.astimezone(UTC),
        last_at=written.last_at.astimezone(UTC),
        size_bytes=file.size,
        sha256=file.sha256,
        content_sha256=written.digest.hexdigest(),
        system=ends.system,
        manifest_sha256="",
        written_at=datetime.now(UTC),
    )


def _read_back(store: AuditArchive, writer: BackupWriter, one: ArchiveFile) -> None:
    """From the storage, under the hidden name: whatever is not as it was sent, or was no chain, ends here."""
    hidden = part_name(one.name)
    try:
        for got in store.read_through(one, hidden):
            if isinstance(got, Found):
                raise CheckFailed(
                    f"the audit trail does not hold: {got.said}", allowed="a chain without a fault", next_step=NEXT_STEP
                )
    except BaseException:
        writer.discard(hidden)
        raise


def _manifest(one: ArchiveFile, ends: Ends, taken_by: str) -> dict[str, Any]:
    from importlib.metadata import version

    return {
        "format_version": FORMAT_VERSION,
        "kind": "audit rows",
        "file": one.name,
        "period": one.period,
        "rows": one.stretch.rows,
        "first_id": one.stretch.first_id,
        "last_id": one.stretch.last_id,
        "first_at": one.first_at,
        "last_at": one.last_at,
        "prev_hash": one.stretch.prev_hash,
        "last_hash": one.stretch.last_hash,
        "content_sha256": one.content_sha256,
        "hashing": HOW_HASHED,
        "size_bytes": one.size_bytes,
        "sha256": one.sha256,
        "columns": [{"name": name, "type": kind} for name, kind in TYPES.items()],
        "as_of": asdict(one.as_of) if one.as_of else None,
        "source": {"system": ends.system, "table": "audit_logs", "server_version": ends.server_version},
        "taken_by": taken_by,
        "tool": f"pyarrow {version('pyarrow')}, zstd",
        "written_at": one.written_at,
    }


def moment(connection: Connection) -> Moment | None:
    """Now, by the database's own count of transactions; None where it has none to tell."""
    from psycopg.errors import FeatureNotSupported, InsufficientPrivilege, ObjectNotInPrerequisiteState

    try:
        (row,) = rows(connection, "retention/moment")
    except (FeatureNotSupported, InsufficientPrivilege, ObjectNotInPrerequisiteState):
        return None
    return Moment(int(row["oldest"]), int(row["next"]), row["timeline"])


def row_ends(connection: Connection, number: int) -> DictRow | None:
    """The row's time and hashes, None where it is not in the live table."""
    found = rows(connection, "source/audit_row", {"id": number})
    return found[0] if found else None
