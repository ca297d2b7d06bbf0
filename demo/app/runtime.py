"""What one API process holds while it runs: pool, Redis, faults, metrics, logs and the open WebSockets."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisError

from demo.app import sessions
from demo.app.faults import Faults
from demo.app.logs import hide_tokens, open_log, say
from demo.app.metrics import Metrics
from demo.app.notifications import Hub
from demo.app.settings import Settings

_SWEEP_EVERY = 5.0  # seconds between two looks for expired sessions


@dataclass(slots=True)
class Runtime:
    settings: Settings
    pool: Any
    redis: Redis
    faults: Faults
    metrics: Metrics
    log: logging.Logger
    access_log: logging.Logger
    hub: Hub
    # Made once: a client reads its certificates when made, tens of milliseconds of a blocked event loop.
    web: httpx.AsyncClient


def open_pool(settings: Settings) -> Any:
    """Twenty connections at most; each is tried before it is handed out, so a restarted server is no error."""
    return AsyncConnectionPool(
        settings.database_url,
        min_size=2,
        max_size=settings.pool_size,
        timeout=3.0,
        open=False,
        check=AsyncConnectionPool.check_connection,
        reconnect_timeout=5.0,
        kwargs={
            "row_factory": dict_row,
            "application_name": "clo-app/api",
            "connect_timeout": 3,
            "options": "-c statement_timeout=15000 -c lock_timeout=5000",
        },
    )


def build(settings: Settings) -> Runtime:
    # A connection left over from before a restart of Redis is noticed when used; the second try opens a new one.
    redis = Redis.from_url(
        settings.redis_url,
        decode_responses=True,
        socket_timeout=3,
        socket_connect_timeout=2,
        client_name="clo-app",
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.02), 2),
    )
    hide_tokens()
    log = open_log(settings.state_dir, "api")
    access = open_log(settings.state_dir, "access")
    faults = Faults(settings.state_dir)
    web = httpx.AsyncClient(timeout=2.0, trust_env=False)
    return Runtime(settings, open_pool(settings), redis, faults, Metrics(), log, access, Hub(redis, log), web)


@contextlib.asynccontextmanager
async def running(runtime: Runtime) -> AsyncIterator[None]:
    """Start without waiting for the database: a sick system must be able to say that it is sick."""
    await runtime.pool.open(wait=False)
    tasks = [asyncio.create_task(_sweep(runtime)), asyncio.create_task(runtime.hub.listen())]
    say(runtime.log, "api started")
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await runtime.pool.close()
        await runtime.redis.aclose()
        await runtime.web.aclose()
        say(runtime.log, "api stopped")


async def _sweep(runtime: Runtime) -> None:
    """Every few seconds, for as long as the API runs: close the rows of sessions that are over."""
    lost_ones_ended = False
    while True:
        try:
            async with runtime.pool.connection() as connection:
                if not lost_ones_ended:
                    await sessions.end_lost(connection, runtime.redis)
                if not runtime.faults.on("session-never-expires"):
                    await sessions.end_expired(connection)
            lost_ones_ended = True
        except (psycopg.Error, RedisError) as error:
            say(runtime.log, "ended sessions not closed", logging.WARNING, reason=type(error).__name__)
        await asyncio.sleep(_SWEEP_EVERY)
