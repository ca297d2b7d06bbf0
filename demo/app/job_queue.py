"""The two job tables as one queue: take the oldest, compute it, write down how it ended."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection

from demo.app import audit, calculations, report_files

_TABLES = {"calculation": "calculation_jobs", "report": "report_jobs"}
# SKIP LOCKED: two workers never take the same job, and neither waits for the other.
_WANTED = {"calculation": "NULL", "report": "report_format"}
_CLAIM = """UPDATE {table} SET status = 'running', started_at = clock_timestamp() WHERE job_id = (
    SELECT job_id FROM {table} WHERE status = 'queued' ORDER BY queued_at, job_id FOR UPDATE SKIP LOCKED LIMIT 1
) RETURNING job_id::text AS job_id, deal_id, requested_by, {wanted} AS form, '{kind}' AS kind"""
_FINISH = """UPDATE {table} SET status = %(status)s, finished_at = clock_timestamp(), error = %(error)s,
result = coalesce(%(result)s::jsonb, result) WHERE job_id = %(job_id)s AND status = 'running'"""

_FILE = """UPDATE report_jobs SET file_path = result ->> 'path', file_sha256 = result ->> 'sha256',
size_bytes = (result ->> 'size_bytes')::bigint, result = result - '{path,sha256,size_bytes}'::text[]
WHERE job_id = %s AND status = 'completed'"""


class JobFailed(RuntimeError):
    """The job cannot be done; the sentence is what its requester reads."""


def claim(connection: Connection[dict[str, Any]]) -> dict[str, Any] | None:
    """The oldest queued job, now running; calculations first. None when nothing waits."""
    for kind, table in _TABLES.items():
        row = connection.execute(_CLAIM.format(table=table, kind=kind, wanted=_WANTED[kind]).encode()).fetchone()
        if row is not None:
            return row
    return None


def run(connection: Connection[dict[str, Any]], job: dict[str, Any], reports: Path, at: datetime) -> dict[str, Any]:
    """Compute the job. Raises JobFailed; a lost database connection is psycopg's own error."""
    try:
        if job["kind"] == "calculation":
            return calculations.calculate(connection, job["deal_id"], at.date())
        return report_files.write(connection, reports, job, at)
    except calculations.NothingToCalculate as nothing:
        raise JobFailed(str(nothing)) from nothing
    except OSError as error:
        raise JobFailed(f"the report could not be written: {error.strerror}") from error
    except psycopg.OperationalError:
        raise
    except (psycopg.Error, ArithmeticError, ValueError) as error:
        raise JobFailed(f"the job failed with {type(error).__name__}") from error


def finish(
    connection: Connection[dict[str, Any]], job: dict[str, Any], result: dict[str, Any] | None, error: str | None
) -> None:
    status = "failed" if error else "completed"
    facts = {
        "status": status,
        "error": error,
        "job_id": job["job_id"],
        "result": json.dumps(result) if result else None,
    }
    with connection.transaction():
        connection.execute(_FINISH.format(table=_TABLES[job["kind"]]).encode(), facts)
        if job["kind"] == "report":
            connection.execute(_FILE, (job["job_id"],))
        what = (job["kind"], str(job["job_id"]))
        audit.append_now(connection, "worker", f"{job['kind']}_{status}", what, deal_id=job["deal_id"])
