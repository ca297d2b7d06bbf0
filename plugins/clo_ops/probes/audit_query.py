"""Ask archive and live table together, in SQL: DuckDB over the Parquet files and a copy of the live rows.

The views: ``archive`` (rows of the files), ``live`` (rows of the live table, as of now) and ``audit`` (both, each row
once, the live one where a row is in both). Nothing is written to the CLO system.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clo_ops.findings.audit import ArchiveFile
from clo_ops.probes.audit_archive import AuditArchive
from clo_ops.probes.audit_rows import schema
from clo_ops.probes.audit_stream import live, trail
from clo_ops.probes.targets import PostgresTarget


@contextmanager
def together(store: AuditArchive, files: Sequence[ArchiveFile], target: PostgresTarget | None) -> Iterator[Any]:
    """A DuckDB connection with the three views; ``target`` None: the archive alone."""
    import duckdb
    from pyarrow import parquet  # type: ignore[import-untyped]

    with tempfile.TemporaryDirectory(prefix="clo-ops-audit-") as folder, duckdb.connect() as connection:
        here = Path(folder) / "live.parquet"
        with parquet.ParquetWriter(here, schema(), compression="zstd") as writer:
            if target is not None:
                with trail(target) as session:
                    for table in live(session):
                        writer.write_table(table)
        connection.register_filesystem(store.files.system)
        connection.execute("SET TimeZone = 'UTC'")
        connection.read_parquet(str(here)).create_view("live")
        names = [_path(store, one.name) for one in files]
        if names:
            connection.read_parquet(names).create_view("archive")
        else:
            connection.sql("FROM live LIMIT 0").create_view("archive")
        connection.sql("FROM live UNION ALL FROM archive ANTI JOIN live USING (id)").create_view("audit")
        yield connection


def _path(store: AuditArchive, name: str) -> str:
    here = store.files.local(name)
    if here is not None:
        return str(here)
    protocol = store.files.system.protocol
    return f"{protocol if isinstance(protocol, str) else protocol[0]}://{store.files.path(name)}"
