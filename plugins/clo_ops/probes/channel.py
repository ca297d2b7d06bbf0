"""One WebSocket, open: handshake, ping, pong. Apart from ``websocket`` because the library takes time to import."""

from __future__ import annotations

import json
import secrets
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from clo_ops.probes.exchange import failure, ssl_context
from clo_ops.probes.reaching import accepts_tcp
from clo_ops.probes.targets import WebTarget

FRAME_LIMIT = 64 * 1024
KEPT = 10


class Channel(Protocol):
    """What the policy says of the WebSocket: ``send`` goes out with a fresh value under the key ``nonce``; the first
    message with all of ``expect`` is its answer, and must carry the same value. A message with all of ``welcome``
    is to come before that."""

    @property
    def path(self) -> str: ...
    @property
    def token_parameter(self) -> str: ...
    @property
    def welcome(self) -> Mapping[str, str]: ...
    @property
    def send(self) -> Mapping[str, str]: ...
    @property
    def expect(self) -> Mapping[str, str]: ...
    @property
    def nonce(self) -> str: ...


class NotOpen(Exception):
    """The channel did not open. ``answered``: somebody was there."""

    def __init__(self, reason: str, answered: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.answered = answered


@dataclass(frozen=True, slots=True)
class Echo:
    """What one ping came to: ``broken`` says why there was no pong; else its value and how long it took.

    ``welcomed``: the channel's own greeting was among the messages up to the pong. ``first`` is the first message's
    type, or how it began.
    """

    handshake_ms: float
    at: datetime
    broken: str = ""
    sent: str = ""
    received: Any = None
    ms: float = 0.0
    welcomed: bool = False
    first: str = ""


def address(target: WebTarget, path: str) -> str:
    """The channel's URL, without a token: this is the one that may be shown."""
    base = target.base_url.rstrip("/")
    return base.replace("http", "ws", 1) + "/" + path.removeprefix("/")


def ping(target: WebTarget, channel: Channel, token: str) -> Echo:
    """Open the channel, send one ping, wait for its pong. Raises NotOpen, with the token nowhere in it."""
    secure = ssl_context(target) if urlsplit(target.base_url).scheme == "https" else None
    started = time.monotonic()
    try:
        with _opened(target, channel, token, secure) as connection:
            return _pinged(connection, channel, _ms(started), target.read_timeout)
    except Exception as error:  # noqa: BLE001 - websockets, ssl and socket share no base class; all mean: not open
        reason, answered = _why_not_open(target, error, time.monotonic() - started)
    raise NotOpen(reason.replace(token, "***"), answered)


def _opened(target: WebTarget, channel: Channel, token: str, secure: ssl.SSLContext | None) -> ClientConnection:
    return connect(
        f"{address(target, channel.path)}?{channel.token_parameter}={quote(token, safe='')}",
        open_timeout=target.connect_timeout + target.read_timeout,
        close_timeout=1,
        ping_interval=None,
        max_size=FRAME_LIMIT,
        compression=None,
        proxy=None,
        user_agent_header=target.client_name,
        ssl=secure,
    )


def _why_not_open(target: WebTarget, error: Exception, seconds: float) -> tuple[str, bool]:
    if isinstance(error, InvalidStatus):
        return f"HTTP {error.response.status_code}", True
    # The client's own deadline does not say how far it got; whether anybody listens there does.
    connected = _listens(target) if isinstance(error, TimeoutError) else not isinstance(error, OSError)
    return failure(error, connected=connected, seconds=seconds)


def _listens(target: WebTarget) -> bool:
    parts = urlsplit(target.base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return accepts_tcp(parts.hostname or "", port, target.connect_timeout)


def _pinged(connection: ClientConnection, channel: Channel, handshake: float, seconds: float) -> Echo:
    nonce, started, now = secrets.token_hex(8), time.monotonic(), datetime.now(UTC)
    try:
        connection.send(json.dumps({**channel.send, channel.nonce: nonce}))
        heard = _up_to_pong(connection, channel.expect, started + seconds)
    except ConnectionClosed as error:
        code = error.rcvd.code if error.rcvd else "none"
        return Echo(handshake, now, broken=f"closed before its pong (code {code})")
    took = _ms(started)
    if not heard:
        return Echo(handshake, now, broken=f"open, but no pong within {seconds:g} s")
    welcomed = any(channel.welcome.items() <= message.items() for message in heard)
    received, first = heard[-1].get(channel.nonce), str(heard[0].get("type", "of no type"))[:32]
    return Echo(handshake, now, sent=nonce, received=received, ms=took, welcomed=welcomed, first=first)


def _up_to_pong(connection: ClientConnection, expected: Mapping[str, str], deadline: float) -> list[dict[str, Any]]:
    """The first messages and the pong; nothing when the time is up however much else arrives."""
    heard: list[dict[str, Any]] = []
    while (left := deadline - time.monotonic()) > 0:
        try:
            message = _message(connection.recv(timeout=left))
        except TimeoutError:
            return []
        if expected.items() <= message.items():
            return [*heard, message]
        heard += [message] if len(heard) < KEPT else []
    return []


def _message(raw: str | bytes) -> dict[str, Any]:
    try:
        message = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


def _ms(started: float) -> float:
    return (time.monotonic() - started) * 1000
