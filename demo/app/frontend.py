"""The frontend: ``uvicorn demo.app.frontend:app``. One page, its assets, and where the API is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response

from demo.app.faults import Faults
from demo.app.settings import required

STATIC = Path(__file__).parent / "static"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_ASSETS = {path.name: path for path in (STATIC / "assets").iterdir() if path.suffix in _TYPES}
_OTHER_PAGE = "<!doctype html><html><head><title>Welcome!</title></head><body><h1>It works!</h1></body></html>"


def create_app(api_url: str, state_dir: Path) -> FastAPI:
    faults = Faults(state_dir)
    websocket_url = api_url.replace("http", "ws", 1)
    own = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'"
    headers = {
        "Content-Security-Policy": f"{own}; frame-ancestors 'none'; connect-src 'self' {api_url} {websocket_url}",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }
    app = FastAPI(title="CLO Management System frontend", openapi_url=None)

    @app.get("/")
    async def page() -> Response:
        if faults.on("frontend-wrong-page"):
            return HTMLResponse(_OTHER_PAGE, headers=headers)
        return FileResponse(STATIC / "index.html", headers=headers)

    @app.get("/config.json")
    async def config() -> Response:
        return JSONResponse({"api_base_url": api_url, "websocket_url": f"{websocket_url}/api/v1/ws"}, headers=headers)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "healthy"}

    @app.get("/assets/{name}")
    async def asset(name: str) -> Response:
        path = _ASSETS.get(name)
        if path is None or (faults.on("missing-asset") and name == "app.js"):
            return JSONResponse({"detail": "Not Found"}, 404)
        return FileResponse(path, media_type=_TYPES[path.suffix], headers=headers)

    return app


def from_environment(env: Mapping[str, str]) -> FastAPI:
    return create_app(required(env, "CLO_API_URL").rstrip("/"), Path(required(env, "CLO_STATE_DIR")))


def __getattr__(name: str) -> FastAPI:
    """Importing this module needs no settings; serving it does."""
    if name == "app":
        return from_environment(os.environ)
    raise AttributeError(name)
