"""Every error leaves as JSON, one sentence, and carries nothing the client sent or the server knows."""

from __future__ import annotations

import logging

import psycopg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from psycopg_pool import PoolTimeout
from redis.exceptions import RedisError

from demo.app.logs import say
from demo.app.runtime import Runtime


async def _no_database(request: Request, error: Exception) -> JSONResponse:
    _note(request, error, "database not available")
    return JSONResponse({"detail": "database not available"}, 503)


async def _no_redis(request: Request, error: Exception) -> JSONResponse:
    _note(request, error, "session store not available")
    return JSONResponse({"detail": "session store not available"}, 503)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    _note(request, error, "internal error")
    return JSONResponse({"detail": "internal error"}, 500)


async def _malformed(request: Request, error: Exception) -> JSONResponse:
    """FastAPI's own answer repeats the input, which may be a password."""
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    where = [{"field": ".".join(str(part) for part in p["loc"]), "problem": p["msg"]} for p in problems]
    return JSONResponse({"detail": "the request is not valid", "problems": where}, 422)


def _note(request: Request, error: Exception, event: str) -> None:
    runtime: Runtime = request.app.state.runtime
    say(runtime.log, event, logging.ERROR, path=request.url.path, error=type(error).__name__, message=str(error)[:500])


def add_handlers(app: FastAPI) -> None:
    for kind in (psycopg.OperationalError, psycopg.errors.LockNotAvailable, PoolTimeout):
        app.add_exception_handler(kind, _no_database)
    app.add_exception_handler(RedisError, _no_redis)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(Exception, _unexpected)
