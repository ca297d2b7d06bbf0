"""Open a WebSocket without a login and close it: how long the handshake takes, and whether anybody speaks WebSocket."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from clo_ops.probes.channel import address
from clo_ops.probes.exchange import failure, ssl_context
from clo_ops.probes.reaching import accepts_tcp
from clo_ops.probes.targets import WebTarget

# What a server that wants a login answers to a handshake without one.
WANTS_LOGIN = (401, 403)
GRACE = 0.25  # seconds a server may take to say what it thinks of us after opening


class Refused(Exception):
    """No WebSocket came about. ``answered``: somebody was there."""

    def __init__(self, reason: str, answered: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.answered = answered


def handshake(target: WebTarget, path: str) -> tuple[float, str]:
    """Milliseconds the handshake took, and what the server said. Raises Refused."""
    secure = ssl_context(target) if urlsplit(target.base_url).scheme == "https" else None
    started = time.monotonic()
    try:
        with connect(
            address(target, path),
            open_timeout=target.connect_timeout + target.read_timeout,
            close_timeout=1,
            ping_interval=None,
            max_size=64 * 1024,
            compression=None,
            proxy=None,
            user_agent_header=target.client_name,
            ssl=secure,
        ) as connection:
            taken = _ms(started)
            return taken, _said(connection.recv, GRACE)
    except InvalidStatus as error:
        if error.response.status_code in WANTS_LOGIN:
            return _ms(started), f"asks for a login (HTTP {error.response.status_code})"
        raise Refused(f"HTTP {error.response.status_code}", answered=True) from None
    except Exception as error:  # noqa: BLE001 - websockets, ssl and socket share no base class; all mean: not open
        connected = (
            accepts_tcp(*_listener(target)) if isinstance(error, TimeoutError) else not isinstance(error, OSError)
        )
        raise Refused(*failure(error, connected=connected, seconds=time.monotonic() - started)) from None


def _ms(started: float) -> float:
    return (time.monotonic() - started) * 1000


def _said(receive: object, seconds: float) -> str:
    try:
        receive(timeout=seconds)  # type: ignore[operator]
    except ConnectionClosed as error:
        return f"opens, and asks for a login (code {error.rcvd.code if error.rcvd else 'none'})"
    except TimeoutError:
        pass
    return "opens"


def _listener(target: WebTarget) -> tuple[str, int, float]:
    parts = urlsplit(target.base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return parts.hostname or "", port, target.connect_timeout
