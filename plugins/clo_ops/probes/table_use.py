"""Ask PostgreSQL how large its tables are and how they are read (WW-03, WW-06)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from clo_ops.findings import Answer, Measurement
from clo_ops.probes.postgres import asked, rows
from clo_ops.probes.targets import PostgresTarget

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import DictRow

COUNTS = ("rows", "scans", "rows_scanned", "index_scans")


def table_use(target: PostgresTarget, largest: int) -> Answer:
    """``postgresql.table.size`` and ``.index_size`` (bytes) by {table} of the ``largest`` tables, and
    ``postgresql.index.size`` (bytes) by {index, table} of as many indexes.

    Of every table ``postgresql.table.rows``, ``.scans``, ``.rows_scanned`` and ``.index_scans`` (count).
    """

    def measure(connection: psycopg.Connection[DictRow]) -> Iterator[Measurement]:
        at = datetime.now(UTC)
        for number, row in enumerate(rows(connection, "capacity/table_use")):
            labels = {"table": row["table"]}
            if number < largest:
                yield Measurement("postgresql.table.size", row["bytes"], "bytes", at, labels)
                yield Measurement("postgresql.table.index_size", row["index_bytes"], "bytes", at, labels)
            for name in COUNTS:
                yield Measurement(f"postgresql.table.{name}", row[name], "count", at, labels)
        for row in rows(connection, "capacity/index_size", {"largest": largest}):
            labels = {"index": row["index"], "table": row["table"]}
            yield Measurement("postgresql.index.size", row["bytes"], "bytes", at, labels)

    return asked("the use of the tables", target, measure)
