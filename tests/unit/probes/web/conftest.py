"""Small real servers: a scripted HTTP server, and one that misbehaves byte by byte."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from clo_ops.probes.targets import WebTarget


@dataclass
class Page:
    status: int = 200
    body: bytes = b"{}"
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


Routes = dict[str, Any]  # path -> Page, or a function of the request handler that gives one


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    routes: Routes
    seen: list[dict[str, Any]]

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.seen.append({"method": self.command, "path": self.path, "headers": dict(self.headers), "body": body})
        page = self.routes.get(self.path.partition("?")[0], Page(404, b"no", "text/plain"))
        page = page(self) if callable(page) else page
        self.send_response(page.status)
        headers = {"Content-Type": page.content_type, "Content-Length": str(len(page.body)), **page.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(page.body)

    def log_message(self, *_: object) -> None: ...


class Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that hangs up early is what some tests are about."""


@dataclass
class Site:
    url: str
    seen: list[dict[str, Any]]

    def target(self, **changes: Any) -> WebTarget:
        return WebTarget(self.url, **{"connect_timeout": 1.0, "read_timeout": 1.0, **changes})


@pytest.fixture
def serve() -> Iterator[Callable[[Routes], Site]]:
    """``serve({"/x": Page(...)})`` gives a running site."""
    with ExitStack() as leaving:

        def start(routes: Routes) -> Site:
            seen: list[dict[str, Any]] = []
            server = Quiet(("127.0.0.1", 0), type("Scripted", (Handler,), {"routes": routes, "seen": seen}))
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
            thread.start()
            leaving.callback(thread.join)
            leaving.callback(server.server_close)
            leaving.callback(server.shutdown)
            return Site(f"http://127.0.0.1:{server.server_port}", seen)

        yield start


@contextmanager
def _raw(talk: Callable[[socket.socket], None]) -> Iterator[Site]:
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)

        def run() -> None:
            while not stop.is_set():
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.settimeout(5)
                    try:
                        talk(connection)
                    except OSError:
                        continue

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield Site(f"http://127.0.0.1:{listener.getsockname()[1]}", [])
        finally:
            stop.set()
            thread.join()


@pytest.fixture
def raw() -> Iterator[Callable[[Callable[[socket.socket], None]], Site]]:
    """``raw(talk)`` gives a site whose every connection is ``talk``'s to use, one at a time."""
    with ExitStack() as leaving:
        yield lambda talk: leaving.enter_context(_raw(talk))


@pytest.fixture
def closed_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
