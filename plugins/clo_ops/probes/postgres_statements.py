"""Take a snapshot of pg_stat_statements, or say in one sentence why there is none and what to do about it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.errors import InsufficientPrivilege, ObjectNotInPrerequisiteState
from psycopg.rows import DictRow

from clo_ops.findings import Answer, Measurement
from clo_ops.findings.statements import StatementRow, StatementSnapshot
from clo_ops.probes.postgres import rows

AVAILABLE = "postgresql.statements.available"
TOPLEVEL_SINCE = (1, 9)
MOST = 10_000  # twice the extension's default capacity


def take(connection: psycopg.Connection[DictRow]) -> tuple[StatementSnapshot | None, Answer]:
    """The snapshot and what it stands on; ``postgresql.statements.available`` 0 with the reason where there is none."""
    (extension,) = rows(connection, "statements_extension")
    missing = _missing(extension)
    if missing:
        return None, _unavailable(missing)
    rows(connection, "statements_schema", {"schema": extension["schema"]})
    try:
        return _snapshot(connection, extension)
    except ObjectNotInPrerequisiteState:
        return None, _unavailable(
            "extension pg_stat_statements is created but not loaded: "
            "add it to shared_preload_libraries and restart the server"
        )
    except InsufficientPrivilege as error:
        said = " ".join(str(error).split())
        return None, _unavailable(f"no privilege on pg_stat_statements ({said}): grant the probe's role pg_monitor")


def _missing(extension: dict[str, Any]) -> str:
    if not extension["shipped"]:
        return "this server comes without pg_stat_statements: install PostgreSQL's contrib package"
    if extension["version"] is None:
        return "extension pg_stat_statements is not created in this database: CREATE EXTENSION pg_stat_statements"
    if not extension["sees_all_statements"]:
        return "no privilege to see other roles' statements: grant the probe's role pg_monitor"
    return ""


def _unavailable(reason: str) -> Answer:
    return Answer((Measurement(AVAILABLE, 0, "bool", datetime.now(UTC), detail=reason),))


def _version(extension: dict[str, Any]) -> tuple[int, ...]:
    return tuple(int(part) for part in str(extension["version"]).split("."))


def _snapshot(
    connection: psycopg.Connection[DictRow], extension: dict[str, Any]
) -> tuple[StatementSnapshot | None, Answer]:
    current = _version(extension) >= TOPLEVEL_SINCE
    info: dict[str, Any] = rows(connection, "statements_info")[0] if current else {"stats_reset": None, "dealloc": 0}
    at = datetime.now(UTC)
    counted = rows(connection, "statements" if current else "statements_before_1_9", {"most": MOST})
    snapshot = StatementSnapshot(at, _utc(info["stats_reset"]), tuple(StatementRow(**row) for row in counted))
    detail = f"pg_stat_statements {extension['version']}, counting since {snapshot.stats_reset or 'an unknown time'}"
    return snapshot, Answer.of(
        [
            Measurement(AVAILABLE, 1, "bool", at, detail=detail),
            Measurement("postgresql.statements.tracked", len(counted), "count", at),
            Measurement("postgresql.statements.evictions", info["dealloc"], "count", at),
        ]
    )


def _utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.astimezone(UTC)
