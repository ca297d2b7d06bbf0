"""The demo's nightly job: a connection string and a folder, for the very code that takes backups in production."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from clo_ops.actions.backups.take import take
from clo_ops.actions.backups.writing import BackupFailed
from clo_ops.policy import load_policy
from clo_ops.probes.targets import BackupRepository, PostgresTarget
from demo.backup import manifest

__all__ = ["BackupFailed", "take_backup", "target"]


def take_backup(dsn: str, repository: Path, *, at: datetime | None = None, bin_dir: Path | None = None) -> Path:
    """Returns the archive's path. Raises BackupFailed.

    ``at`` only back-dates a real backup for demonstrations: the manifest then carries the true time as ``taken_at``.
    """
    policy = load_policy(mode="demo").recovery.taking
    facts = take(target(dsn), BackupRepository(repository.absolute().as_uri()), policy, at=at, bin_dir=bin_dir)
    dump: Path = repository / facts["path"]
    if at is not None:
        manifest.age_file(dump, facts)
    return dump


def target(dsn: str) -> PostgresTarget:
    """As libpq reads it: what the string leaves out comes from PGHOST, PGUSER, PGPASSWORD ..."""
    given: dict[str, Any] = conninfo_to_dict(dsn)
    said = {name: given.get(name) or os.environ.get(variable) for name, variable in VARIABLES.items()}
    user = str(said["user"] or "postgres")
    return PostgresTarget(
        host=str(said["host"] or "127.0.0.1"),
        port=int(said["port"] or 5432),
        database=str(said["dbname"] or user),
        user=user,
        password=str(said["password"] or ""),
        sslmode=str(said["sslmode"] or "prefer"),
        client_name="clo-backup",
    )


VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "dbname": "PGDATABASE",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "sslmode": "PGSSLMODE",
}
