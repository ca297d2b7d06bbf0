"""One HTTP exchange, bounded in time and size: a reply, or the reason there was none.

Every web probe goes through ``Browser``: named by its User-Agent, no proxies or netrc from the environment, redirects
followed only within the same origin and only where asked for, bodies capped, one deadline over the whole exchange
(httpx bounds each read, so a server dripping bytes would keep it for ever).
"""

from __future__ import annotations

import asyncio
import errno
import json
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from clo_ops.probes.targets import WebTarget

KIB = 1024
BODY_LIMIT = 1024 * KIB
# Compressed bodies could unpack to any size; asking for plain ones keeps the limit a limit.
ACCEPT = {"Accept-Encoding": "identity"}
# Shorter than servers keep an idle connection (uvicorn: 5 s): using one just as it is closed would look like a fault.
KEEP = httpx.Limits(max_connections=10, keepalive_expiry=2.0)
# httpcore tells when TCP stands; from there on, silence is the server's and not the network's.
CONNECTED = "connection.connect_tcp.complete"

Trace = Callable[[str, Mapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. ``ms`` runs from the request to the last byte read; ``body`` holds at most the limit."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    ms: float
    url: str
    truncated: bool = False

    def text(self) -> str:
        return self.body.decode("utf-8", errors="replace")

    def json(self) -> Any:
        """The body as JSON, or None where it is something else."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def content_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    url: str
    token: str = field(repr=False, default="")
    body: Mapping[str, Any] | None = field(repr=False, default=None)

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


@dataclass(frozen=True, slots=True)
class NoReply:
    """No usable reply. ``answered``: somebody was there (refused, hung, broke off), so it is down, not unreachable."""

    reason: str
    answered: bool
    ms: float = 0.0


def origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def ssl_context(target: WebTarget) -> ssl.SSLContext:
    """Trust what the target says: the system's authorities, a CA file, or (``verify=False``) anybody."""
    cafile = target.verify if isinstance(target.verify, str) else None
    context = ssl.create_default_context(cafile=cafile)
    if target.verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and everything below it: causes, contexts and the members of groups."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions


# Errors that mean a host's own kernel answered; everything else before TCP stands means we never got there.
ANSWERING = (errno.ECONNREFUSED, errno.ECONNRESET)


def failure(error: BaseException, *, connected: bool, seconds: float) -> tuple[str, bool]:
    """Why there is no reply, in words for an operator, and whether the host answered at all."""
    found = list(causes(error))
    for one in found:
        if isinstance(one, ssl.SSLCertVerificationError):
            return f"TLS certificate not trusted: {one.verify_message}", True
    for one in found:
        if isinstance(one, socket.gaierror):
            return f"name does not resolve: {one.strerror}", False
        if isinstance(one, ConnectionRefusedError):
            return "connection refused", True
    if any(isinstance(one, TimeoutError | httpx.TimeoutException) for one in found):
        return _timed_out(connected, seconds)
    system = next((one for one in found if isinstance(one, OSError) and one.errno), None)
    reason = (system.strerror if system else "") or str(error) or type(error).__name__
    return reason, connected or (system is not None and system.errno in ANSWERING)


def _timed_out(connected: bool, seconds: float) -> tuple[str, bool]:
    if connected:
        return f"connected, but no complete reply within {seconds:.1f} s", True
    return f"no connection within {seconds:.1f} s", False


class Browser:
    """A client for one target, used as a context manager. Synchronous outside, one deadline per exchange inside.

    Raises nothing for an unreachable system. Not for use where an event loop already runs.
    """

    def __init__(self, target: WebTarget, *, body_limit: int = BODY_LIMIT) -> None:
        self.target = target
        self.body_limit = body_limit
        self.deadline = target.connect_timeout + target.read_timeout
        self._runner = asyncio.Runner()
        self._client = httpx.AsyncClient(
            headers={"User-Agent": target.client_name, **ACCEPT},
            timeout=httpx.Timeout(target.read_timeout, connect=target.connect_timeout),
            limits=KEEP,
            verify=ssl_context(target),
            follow_redirects=False,
            trust_env=False,
        )

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *exc: object) -> None:
        self._runner.run(self._client.aclose())
        self._runner.close()

    def url(self, path: str) -> str:
        return urljoin(self.target.base_url.rstrip("/") + "/", path.removeprefix("/"))

    def ask(
        self,
        method: str,
        path: str,
        *,
        token: str = "",
        body: Mapping[str, Any] | None = None,
        redirects: int = 0,
    ) -> Reply | NoReply:
        """One exchange with ``path`` below the base URL (or an absolute URL of the same origin)."""
        request = Request(method, self.url(path), token, body)
        return self._runner.run(self._follow(request, redirects))

    def ask_all(self, urls: Iterable[str], *, at_once: int = 6) -> list[Reply | NoReply]:
        """GET each, at most ``at_once`` at a time (a browser's habit), same-origin redirects followed."""
        return self._runner.run(self._gather(list(urls), at_once))

    async def _gather(self, urls: list[str], at_once: int) -> list[Reply | NoReply]:
        gate = asyncio.Semaphore(at_once)

        async def one(url: str) -> Reply | NoReply:
            async with gate:
                return await self._follow(Request("GET", self.url(url)), redirects=3)

        return list(await asyncio.gather(*(one(url) for url in urls)))

    async def _follow(self, request: Request, redirects: int) -> Reply | NoReply:
        started = time.monotonic()
        for _ in range(redirects + 1):
            reply = await self._bounded(request)
            where = reply.headers.get("location", "") if isinstance(reply, Reply) and 300 <= reply.status < 400 else ""
            if not redirects or not where:
                return reply
            request = replace(request, url=urljoin(request.url, where))
            if origin(request.url) != origin(self.target.base_url):
                return NoReply(f"redirects to another origin ({urlsplit(request.url).hostname}), not followed", True)
        return NoReply(f"more than {redirects} redirects", True, _ms(started))

    async def _bounded(self, request: Request) -> Reply | NoReply:
        started = time.monotonic()
        events: list[str] = []

        async def trace(name: str, _info: Mapping[str, Any]) -> None:
            events.append(name)

        try:
            async with asyncio.timeout(self.deadline):
                return await self._exchange(request, trace, started)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
            reason, answered = failure(error, connected=_reached(events), seconds=time.monotonic() - started)
            return NoReply(reason, answered, _ms(started))

    async def _exchange(self, request: Request, trace: Trace, started: float) -> Reply:
        url = request.url
        async with self._client.stream(
            request.method, url, json=request.body, headers=request.headers(), extensions={"trace": trace}
        ) as response:
            kept = bytearray()
            async for chunk in response.aiter_raw(64 * KIB):
                kept += chunk
                if len(kept) > self.body_limit:
                    break
            return Reply(
                status=response.status_code,
                headers={key.lower(): value for key, value in response.headers.items()},
                body=bytes(kept[: self.body_limit]),
                ms=_ms(started),
                url=url,
                truncated=len(kept) > self.body_limit,
            )


def _reached(events: list[str]) -> bool:
    """TCP stands: it was built for this request, or the request went out on a connection that was kept."""
    built = any(name.startswith("connection.connect_tcp") for name in events)
    return CONNECTED in events or (bool(events) and not built)


def _ms(started: float) -> float:
    return (time.monotonic() - started) * 1000
