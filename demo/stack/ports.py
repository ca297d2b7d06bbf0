"""Free TCP ports on the loopback: the one asked for, or the next that nobody has."""

from __future__ import annotations

import socket
from collections.abc import Collection

LOOPBACK = "127.0.0.1"


class NoFreePort(RuntimeError):
    """Every port tried was taken."""


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do themselves: a port whose last connections are only fading away counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port(preferred: int | None = None, *, tries: int = 200, taken: Collection[int] = ()) -> int:
    """``preferred`` when it is free, else the next free one above it; without a preference any free one.

    ``taken`` are ports already given away to services that have not started yet.

    Raises NoFreePort when ``tries`` ports in a row are taken.
    """
    if preferred is None:
        return _any()
    for port in range(preferred, min(preferred + tries, 65536)):
        if port not in taken and is_free(port):
            return port
    raise NoFreePort(f"no free port on {LOOPBACK} between {preferred} and {preferred + tries - 1}")


def _any() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
