"""/api/v1/calculations and /api/v1/reports: queue a job, ask for its state, fetch the report."""

from __future__ import annotations

import pathlib
import uuid
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from demo.app import audit
from demo.app.access import Author, Here, SignedIn
from demo.app.runtime import Runtime
from demo.app.sessions import Session

router = APIRouter(prefix="/api/v1")
_SEES_ALL = {"admin", "manager"}
_DEAL_EXISTS = "SELECT 1 FROM clo_deals WHERE deal_id = %s"
_CALCULATE = """INSERT INTO calculation_jobs (deal_id, requested_by, status, queued_at)
VALUES (%s, %s, 'queued', now()) RETURNING job_id::text AS job_id"""
_REPORT = """INSERT INTO report_jobs (deal_id, report_type, requested_by, report_format, status, queued_at)
VALUES (%s, 'portfolio', %s, %s, 'queued', now()) RETURNING job_id::text AS job_id"""
_CALCULATION = """SELECT job_id::text AS job_id, deal_id, requested_by, status, queued_at, started_at, finished_at,
       error, result FROM calculation_jobs WHERE job_id = %s"""
_CALCULATIONS = """SELECT job_id::text AS job_id, deal_id, requested_by, status, queued_at, started_at, finished_at,
       error FROM calculation_jobs WHERE %(all)s OR requested_by = %(username)s ORDER BY queued_at DESC LIMIT 100"""
_REPORT_STATE = """SELECT job_id::text AS job_id, deal_id, report_type, report_format, requested_by, status, queued_at,
       started_at, finished_at, error, file_path, file_sha256, size_bytes, result
FROM report_jobs WHERE job_id = %s"""


class CalculationRequest(BaseModel):
    deal_id: Annotated[str, Field(min_length=1, max_length=100)]


class ReportRequest(BaseModel):
    deal_id: Annotated[str | None, Field(max_length=100)] = None
    format: Literal["html", "csv"] = "html"


async def _queue(
    runtime: Runtime, session: Session, kind: str, deal_id: str | None, statement: str, *values: Any
) -> dict[str, Any]:
    async with runtime.pool.connection() as connection:
        if deal_id and await (await connection.execute(_DEAL_EXISTS, (deal_id,))).fetchone() is None:
            raise HTTPException(404, "no such deal")
        job_id = (await (await connection.execute(statement, values)).fetchone())["job_id"]
        await audit.append(connection, session.username, f"{kind}_requested", (kind, str(job_id)), deal_id=deal_id)
    return {"job_id": job_id, "status": "queued"}


async def _find(runtime: Runtime, statement: str, job_id: uuid.UUID, session: Session) -> dict[str, Any]:
    async with runtime.pool.connection() as connection:
        row: dict[str, Any] | None = await (await connection.execute(statement, (job_id,))).fetchone()
    # Somebody else's job is not there, rather than forbidden: job ids are not to be tried out.
    if row is None or (session.role not in _SEES_ALL and row["requested_by"] != session.username):
        raise HTTPException(404, "no such job")
    return row


@router.post("/calculations", status_code=202)
async def calculate(request: CalculationRequest, runtime: Here, session: Author) -> dict[str, Any]:
    deal = request.deal_id
    return await _queue(runtime, session, "calculation", deal, _CALCULATE, deal, session.username)


@router.get("/calculations")
async def calculations(runtime: Here, session: SignedIn) -> dict[str, Any]:
    whose = {"all": session.role in _SEES_ALL, "username": session.username}
    async with runtime.pool.connection() as connection:
        rows = await (await connection.execute(_CALCULATIONS, whose)).fetchall()
    return {"items": rows, "total": len(rows)}


@router.get("/calculations/{job_id}")
async def calculation(job_id: uuid.UUID, runtime: Here, session: SignedIn) -> dict[str, Any]:
    return await _find(runtime, _CALCULATION, job_id, session)


@router.post("/reports", status_code=202)
async def order_report(request: ReportRequest, runtime: Here, session: Author) -> dict[str, Any]:
    deal = request.deal_id
    return await _queue(runtime, session, "report", deal, _REPORT, deal, session.username, request.format)


@router.get("/reports/{job_id}")
async def report(job_id: uuid.UUID, runtime: Here, session: SignedIn) -> dict[str, Any]:
    row = await _find(runtime, _REPORT_STATE, job_id, session)
    path = row.pop("file_path")
    return {**row, "file": f"/api/v1/reports/{job_id}/file" if path else None}


@router.get("/reports/{job_id}/file")
async def report_file(job_id: uuid.UUID, runtime: Here, session: SignedIn) -> FileResponse:
    row = await _find(runtime, _REPORT_STATE, job_id, session)
    path = pathlib.Path(row["file_path"] or "")
    if not path.is_file():
        raise HTTPException(404, "the report is not written yet")
    kind = "text/csv" if path.suffix == ".csv" else "text/html"
    return FileResponse(path, media_type=kind, filename=path.name)
