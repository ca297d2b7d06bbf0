"""The API: ``uvicorn demo.app.api:app``. Settings come from the environment when the server asks for ``app``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from demo.app import routes_auth, routes_deals, routes_jobs, routes_monitoring, websocket
from demo.app.errors import add_handlers
from demo.app.observation import Observation
from demo.app.runtime import build, running
from demo.app.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    runtime = build(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with running(runtime):
            yield

    app = FastAPI(title="CLO Management System", version="1.0", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.runtime = runtime
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(settings.frontend_origins),
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["Authorization", "Content-Type"],
    )
    app.add_middleware(Observation, runtime=runtime)
    add_handlers(app)
    for module in (routes_auth, routes_deals, routes_jobs, routes_monitoring, websocket):
        app.include_router(module.router)
    return app


def __getattr__(name: str) -> FastAPI:
    """Importing this module needs no settings; serving it does."""
    if name == "app":
        return create_app(Settings.from_environment())
    raise AttributeError(name)
