"""/health, /api/v1/monitoring/health and /metrics: every component is asked, none is assumed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
from fastapi import APIRouter
from fastapi.responses import HTMLResponse, JSONResponse, Response
from psycopg_pool import PoolClosed, PoolTimeout

from demo.app.access import Here, Supervisor
from demo.app.runtime import Runtime

router = APIRouter()
_PATIENCE = 2.0  # seconds one component may take
_OPEN_SESSIONS = "SELECT count(*) AS sessions FROM app_sessions WHERE ended_at IS NULL AND expires_at > now()"
_JOBS = """SELECT 'calculation' AS kind, status, count(*) AS jobs FROM calculation_jobs
WHERE queued_at > now() - interval '24 hours' GROUP BY status
UNION ALL SELECT 'report', status, count(*) FROM report_jobs
WHERE queued_at > now() - interval '24 hours' GROUP BY status"""
_AUDIT = """SELECT id, created_at, actor, action, object_type, object_id, detail FROM audit_logs
ORDER BY id DESC LIMIT 100"""


@router.get("/health")
async def health() -> dict[str, str]:
    """This process answers; nothing else is meant."""
    return {"status": "healthy"}


@router.get("/api/v1/monitoring/health")
async def monitoring_health(runtime: Here) -> Response:
    if runtime.faults.on("endpoint-wrong-body"):
        return HTMLResponse("<html><title>It works!</title></html>")
    components = await ask_components(runtime)
    well = all(component["status"] == "healthy" for component in components.values())
    return JSONResponse({"status": "healthy" if well else "degraded", "components": components})


async def ask_components(runtime: Runtime) -> dict[str, dict[str, Any]]:
    questions = {"database": _ask_database, "redis": _ask_redis, "worker": _ask_worker}
    answers = await asyncio.gather(*(_ask(question, runtime) for question in questions.values()))
    components = dict(zip(questions, answers, strict=True))
    for name, answer in components.items():
        runtime.metrics.up.labels(name).set(answer["status"] == "healthy")
    return components


async def _ask(question: Callable[[Runtime], Awaitable[None]], runtime: Runtime) -> dict[str, Any]:
    started = time.perf_counter()
    try:
        await asyncio.wait_for(question(runtime), _PATIENCE)
    except Exception as error:  # noqa: BLE001 - whatever goes wrong, the component is down and the answer must come
        return {"status": "down", "reason": type(error).__name__}
    return {"status": "healthy", "latency_ms": round((time.perf_counter() - started) * 1000, 2)}


async def _ask_database(runtime: Runtime) -> None:
    async with runtime.pool.connection(timeout=_PATIENCE) as connection:
        await connection.execute("SELECT 1 FROM clo_deals LIMIT 1")


async def _ask_redis(runtime: Runtime) -> None:
    await runtime.redis.ping()


async def _ask_worker(runtime: Runtime) -> None:
    (await runtime.web.get(f"{runtime.settings.worker_url}/health")).raise_for_status()


@router.get("/metrics")
async def metrics(runtime: Here) -> Response:
    await ask_components(runtime)
    runtime.metrics.set_pool(runtime.pool.get_stats())
    runtime.metrics.websockets.set(runtime.hub.open)
    try:
        async with runtime.pool.connection(timeout=_PATIENCE) as connection:
            sessions = await (await connection.execute(_OPEN_SESSIONS)).fetchone()
            jobs = await (await connection.execute(_JOBS)).fetchall()
        runtime.metrics.set_counts(sessions["sessions"], jobs)
    except (psycopg.Error, PoolTimeout, PoolClosed):
        # Old counts would look like fresh ones; clo_component_up says why they are gone.
        runtime.metrics.set_counts(0, [])
    return Response(runtime.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/api/v1/audit")
async def recent_audit(runtime: Here, _: Supervisor) -> dict[str, Any]:
    async with runtime.pool.connection() as connection:
        rows = await (await connection.execute(_AUDIT)).fetchall()
    return {"items": rows, "total": len(rows)}
