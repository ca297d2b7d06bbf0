"""One backup: plant a canary, export a snapshot, dump and count inside it, name the archive last, then the manifest.

The row counts are of the very snapshot the archive holds, so a restored copy can be compared with them exactly.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection, sql
from psycopg.rows import dict_row

from demo.backup import manifest, pg_dump

FORMAT_VERSION = 1
_PLANT = "INSERT INTO backup_canary (nonce) VALUES (%s) RETURNING canary_id, nonce, planted_at"
_SNAPSHOT = """SELECT pg_export_snapshot() AS snapshot, clock_timestamp() AS at,
current_setting('server_version_num')::int / 10000 AS major, current_setting('server_version') AS version"""
_TABLES = """SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY c.relname"""


class BackupFailed(RuntimeError):
    """No archive came about; the manifest that says so is in the repository."""


def take_backup(dsn: str, repository: Path, *, at: datetime | None = None, bin_dir: Path | None = None) -> Path:
    """Returns the archive's path. Raises BackupFailed.

    ``at`` only back-dates a real backup for demonstrations: the manifest then carries the true time as ``taken_at``.
    """
    repository.mkdir(parents=True, exist_ok=True)
    started = datetime.now(UTC)
    with _alone(repository):
        return _take(dsn, repository, started, at, bin_dir)


def _take(dsn: str, repository: Path, started: datetime, at: datetime | None, bin_dir: Path | None) -> Path:
    database = psycopg.conninfo.conninfo_to_dict(dsn).get("dbname") or os.environ.get("PGDATABASE", "postgres")
    dump = repository / manifest.file_name(str(database), at or started)
    facts: dict[str, Any] = {"format_version": FORMAT_VERSION, "database": database, "path": dump.name}
    facts |= {"format": "custom", "started_at": started}
    part = repository / f".{dump.name}.part"
    try:
        facts |= _dump(dsn, part, bin_dir)
        facts |= {"status": "success", "size_bytes": part.stat().st_size, "sha256": manifest.sha256(part)}
        part.replace(dump)
        manifest.sync_directory(repository)
    except (psycopg.Error, pg_dump.NoDumpProgram, BackupFailed, OSError) as error:
        part.unlink(missing_ok=True)
        _write(dump, facts | {"status": "failed", "size_bytes": 0, "sha256": None, "error": str(error)[:500]}, at)
        raise BackupFailed(f"the backup of {database} failed: {error}") from error
    _write(dump, facts, at)
    return dump


def _dump(dsn: str, part: Path, bin_dir: Path | None) -> dict[str, Any]:
    canary = _plant(dsn)
    with _connect(dsn) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        moment = _one(connection, _SNAPSHOT)
        program, major, tool = pg_dump.find(moment["major"], bin_dir)
        compression = _archive(program, major, moment["snapshot"], dsn, part)
        tables = _count(connection)
    return {
        "snapshot_at": moment["at"],
        "server_version": moment["version"],
        "tool": tool,
        "compression": compression,
        "tables": tables,
        "canary": canary,
    }


def _archive(program: Path, major: int, snapshot: str, dsn: str, part: Path) -> str:
    """Raises BackupFailed with the program's own words; returns the compression that worked."""
    said: str | None = None
    for compression, option in pg_dump.compressions(major):
        said = pg_dump.run(program, [f"--snapshot={snapshot}", f"--file={part}", option], dsn)
        if said is None:
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            return compression
        if "compress" not in said:
            break
    raise BackupFailed(f"pg_dump: {said}")


def _plant(dsn: str) -> dict[str, Any]:
    """A row nobody could guess: a restored copy that has it was restored from this backup."""
    with _connect(dsn) as connection:
        row = connection.execute(_PLANT, (secrets.token_hex(16),)).fetchone()
    if row is None:
        raise BackupFailed("the canary row could not be planted")
    return {"table": "backup_canary", **row}


def _count(connection: Connection[dict[str, Any]]) -> dict[str, dict[str, int]]:
    names = [row["name"] for row in connection.execute(_TABLES).fetchall()]
    count = sql.SQL("SELECT count(*) AS rows FROM {}")
    return {
        name: {"rows": int(_one(connection, count.format(sql.Identifier("public", name)))["rows"])} for name in names
    }


def _one(connection: Connection[dict[str, Any]], statement: str | sql.Composed) -> dict[str, Any]:
    query = statement.encode() if isinstance(statement, str) else statement
    row = connection.execute(query).fetchone()
    if row is None:
        raise BackupFailed("the server answered a question about itself with nothing")
    return row


def _connect(dsn: str) -> Connection[dict[str, Any]]:
    return psycopg.connect(dsn, row_factory=dict_row, application_name="clo-backup", connect_timeout=10)


def _write(dump: Path, facts: dict[str, Any], at: datetime | None) -> None:
    facts = facts | {"ended_at": datetime.now(UTC)}
    if at is not None:
        facts = _back_dated(facts, at - facts["started_at"])
    manifest.write_whole(manifest.manifest_path(dump), _plain(facts))
    if at is not None and dump.exists():
        os.utime(dump, (facts["ended_at"].timestamp(),) * 2)


def _back_dated(facts: dict[str, Any], shift: timedelta) -> dict[str, Any]:
    moved = {name: facts[name] + shift for name in ("started_at", "ended_at", "snapshot_at") if name in facts}
    return facts | moved | {"origin": "demo-backdated", "taken_at": facts["started_at"]}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


@contextmanager
def _alone(repository: Path) -> Iterator[None]:
    """One backup at a time in a repository; what a killed one left half-written goes."""
    with (repository / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as busy:
            raise BackupFailed(f"another backup is writing to {repository}") from busy
        for part in repository.glob(".*.part"):
            part.unlink()
        yield
