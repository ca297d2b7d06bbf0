"""What we know of each backup, and how deep it has been proven since when."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from clo_ops.ledger import schema
from clo_ops.ledger.columns import aware
from clo_ops.ledger.records import BackupRow
from clo_ops.ledger.store import Store, lock

TABLE = schema.backups
PLAIN = (
    "repository",
    "path",
    "status",
    "database",
    "snapshot_at",
    "ended_at",
    "size_bytes",
    "sha256",
    "failed_at",
    "failure",
    "present",
    "modified_at",
    "read_at",
)


def _backup(row: RowMapping) -> BackupRow:
    proven = {level: datetime.fromisoformat(since) for level, since in row["proven"].items()}
    return BackupRow(**{name: row[name] for name in PLAIN}, proven=proven)


def _merged(known: BackupRow, seen: BackupRow) -> BackupRow:
    """What is newly known over what was. Proofs belong to bytes: other bytes under the same name start again."""
    replaced = bool(known.sha256 and seen.sha256 and known.sha256 != seen.sha256)
    if replaced:
        return seen
    proven = dict(known.proven)
    for level, since in seen.proven.items():
        proven[level] = min(since, proven.get(level, since))
    failed = seen if seen.failed_at is not None else known
    if seen.read_at is not None and failed.failed_at is not None and seen.read_at > failed.failed_at:
        failed = replace(failed, failed_at=None, failure="")  # read whole since: what went wrong then is mended
    return replace(
        seen,
        proven=proven,
        failed_at=failed.failed_at,
        failure=failed.failure,
        database=seen.database or known.database,
        sha256=seen.sha256 or known.sha256,
        snapshot_at=seen.snapshot_at or known.snapshot_at,
        ended_at=seen.ended_at or known.ended_at,
        size_bytes=known.size_bytes if seen.size_bytes is None else seen.size_bytes,
        modified_at=seen.modified_at or known.modified_at,
        read_at=seen.read_at or known.read_at,
    )


def _row(backup: BackupRow) -> dict[str, Any]:
    level = backup.level
    return {
        **{name: getattr(backup, name) for name in PLAIN},
        "proven": {one: aware(since).isoformat() for one, since in backup.proven.items()},
        "level": level,
        "level_since": None if level is None else backup.proven[level],
        "recorded_at": func.now(),
    }


class Backups(Store):
    def record_backup(self, backup: BackupRow) -> BackupRow:
        """Put down what is known of a backup; returns all that is now known of it.

        Each level keeps the earliest time it was proven. Where the SHA-256 differs from the recorded one, the file
        was replaced and nothing proven of the old bytes is kept.
        """
        this = (TABLE.c.repository == backup.repository, TABLE.c.path == backup.path)
        with self.transaction() as connection:
            lock(connection, f"backup:{backup.repository}:{backup.path}")
            known = connection.execute(select(TABLE).where(*this)).mappings().one_or_none()
            merged = backup if known is None else _merged(_backup(known), backup)
            row = _row(merged)
            statement = upsert(TABLE).values(row).on_conflict_do_update(index_elements=["repository", "path"], set_=row)
            connection.execute(statement)
        return merged

    def known_backups(self, repository: str) -> dict[str, BackupRow]:
        """Every backup that is, or should be, in the repository, by its path."""
        query = select(TABLE).where(TABLE.c.repository == repository, TABLE.c.present).order_by(TABLE.c.path)
        with self.transaction() as connection:
            return {row["path"]: _backup(row) for row in connection.execute(query).mappings()}

    def recent_backups(self, repository: str, limit: int = 30) -> list[BackupRow]:
        """The repository's newest backups by the time of their snapshot, newest first."""
        newest = func.coalesce(TABLE.c.snapshot_at, TABLE.c.ended_at, TABLE.c.recorded_at).desc()
        query = select(TABLE).where(TABLE.c.repository == repository).order_by(newest, TABLE.c.path).limit(limit)
        with self.transaction() as connection:
            return [_backup(row) for row in connection.execute(query).mappings()]

    def last_restored(self) -> BackupRow | None:
        """The backup that was restored for real (L3 or L4) last, of any repository, still there or not."""
        query = select(TABLE).where(TABLE.c.level.in_(("L3", "L4"))).order_by(TABLE.c.level_since.desc()).limit(1)
        with self.transaction() as connection:
            row = connection.execute(query).mappings().one_or_none()
            return None if row is None else _backup(row)
