"""The worker's own health endpoint, served from a thread of its own."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LONGEST_JOB = 90.0  # seconds without a turn of the loop after which the worker counts as stuck


class Beat:
    """When the work loop last turned, and what it lacks."""

    def __init__(self) -> None:
        self._at = time.monotonic()
        self._trouble: str | None = "starting"

    def now(self) -> None:
        self._at, self._trouble = time.monotonic(), None

    def lost(self, reason: str) -> None:
        self._trouble = reason

    def state(self) -> tuple[bool, dict[str, object]]:
        age = time.monotonic() - self._at
        trouble = self._trouble or ("stuck" if age > LONGEST_JOB else None)
        body: dict[str, object] = {"status": "down" if trouble else "healthy", "last_turn_seconds_ago": round(age, 1)}
        return trouble is None, body | ({"reason": trouble} if trouble else {})


@contextmanager
def serve_health(host: str, port: int, beat: Beat) -> Iterator[int]:
    """Serve GET /health while the block runs; gives the port."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 5

        def do_GET(self) -> None:
            well, body = beat.state() if self.path == "/health" else (True, {"detail": "Not Found"})
            content = json.dumps(body).encode()
            self.send_response(404 if self.path != "/health" else 200 if well else 503)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer((host, port), Handler)
    thread = threading.Thread(target=server.serve_forever, name="health", daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
