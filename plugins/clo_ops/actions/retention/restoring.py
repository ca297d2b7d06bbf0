"""Bring archived audit rows back into a table, for whoever has to look at them: read through and proven on the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clo_ops.actions.retention.archiving import RetentionFailed
from clo_ops.findings import CheckFailed
from clo_ops.findings.audit import ArchiveFile
from clo_ops.probes.audit_archive import AuditArchive, Damaged, NotThere
from clo_ops.probes.audit_rows import copy_text
from clo_ops.probes.audit_stream import trail
from clo_ops.probes.audit_walk import Found
from clo_ops.probes.backup_files import Unlistable
from clo_ops.probes.contents import identifier
from clo_ops.probes.statements import statement
from clo_ops.probes.targets import PostgresTarget


def restore(store: AuditArchive, files: Sequence[ArchiveFile], target: PostgresTarget, into: str) -> int:
    """The rows of these files in a new table ``into`` ("schema.table"); returns how many. LM-01; docs/retention.md.

    All or nothing: the table is there when every row was hashed anew and stood on the one before it. Raises
    RetentionFailed where the archive cannot be read or the table is there already, CheckFailed where a row is not
    what was archived.
    """
    if not files:
        raise RetentionFailed("no file of the archive holds that period", next_step="python -m clo_ops.archive status")
    try:
        with trail(target, writing=True) as connection, connection.transaction():
            _make(connection, into)
            return sum(_copied(connection, store, one, into) for one in files)
    except (Unlistable, NotThere, Damaged) as error:
        raise RetentionFailed(
            f"nothing was restored: {error}", next_step="bring the file back from the archive's own copy"
        ) from None


def _make(connection: Any, into: str) -> None:
    from psycopg import sql
    from psycopg.errors import DuplicateTable

    try:
        connection.execute(sql.SQL(statement("retention/restored_table").text).format(table=identifier(into)))
    except DuplicateTable as error:
        raise RetentionFailed(
            f"there is a table {into} already", allowed="a new table", next_step="choose another name, or drop it"
        ) from error


def _copied(connection: Any, store: AuditArchive, one: ArchiveFile, into: str) -> int:
    from psycopg import sql

    store.check_bytes(one)
    query = sql.SQL(statement("retention/restored_rows").text).format(table=identifier(into))
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        for got in store.read_through(one):
            if isinstance(got, Found):
                raise CheckFailed(f"nothing was restored: {one.name}: {got.said}", "rows as they were archived")
            copy.write(copy_text(got))
    return one.stretch.rows
