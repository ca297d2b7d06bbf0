"""One line of access log and one observation per request, as ASGI middleware."""

from __future__ import annotations

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo.app.logs import say
from demo.app.runtime import Runtime


class Observation:
    def __init__(self, app: ASGIApp, runtime: Runtime) -> None:
        self.app = app
        self.runtime = runtime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            self._record(scope, status, time.perf_counter() - started)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        # The route's template, never the path: a path per deal or job would be a series per deal or job.
        route = scope.get("route")
        endpoint = getattr(route, "path", "unknown")
        self.runtime.metrics.observe(scope["method"], endpoint, status, seconds)
        client = scope["client"][0] if scope.get("client") else None
        say(
            self.runtime.access_log, "request", method=scope["method"], path=scope["path"], endpoint=endpoint,
            status=status, ms=round(seconds * 1000, 2), client=client,
        )  # fmt: skip
