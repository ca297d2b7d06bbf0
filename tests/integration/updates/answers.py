"""A small HTTP server whose answers each test chooses; it stands for a feed, an index, an application, OSV."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from clo_ops.probes.targets import WebTarget


@dataclass
class Feed:
    """``answers`` by path: JSON, or bytes as they are, or a file read when asked, or a number: that status."""

    port: int = 0
    answers: dict[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def target(self) -> WebTarget:
        return WebTarget(self.url, connect_timeout=2.0, read_timeout=2.0)


@contextmanager
def answering() -> Iterator[Feed]:
    feed = Feed()

    class Answers(BaseHTTPRequestHandler):
        def _reply(self) -> None:
            if length := int(self.headers.get("Content-Length") or 0):
                self.rfile.read(length)
            known = feed.answers.get(self.path, 404)
            status = known if isinstance(known, int) else 200
            body = b"" if isinstance(known, int) else known.read_bytes() if isinstance(known, Path) else known
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = _reply  # noqa: N815 - the server's own names

        def log_message(self, *words: object) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    feed.port = running.server_port
    yield feed
    running.shutdown()
    running.server_close()
    thread.join()
