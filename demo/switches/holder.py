"""``python -m demo.switches.holder FAULT``: the process that holds the connections of a fault until it is ended.

Its connections are named ``clo-app/<fault>``. It ends by itself after four hours; the server notices within a second
when it is gone, so that even a killed one leaves nothing behind.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import psycopg

LEAKED = 19  # of the application's pool of 20: above the critical 18
LIFE = 4 * 3600.0  # seconds
SLOW = 1.2  # seconds per slow statement
# A lock on a row nothing else changes, in the mode that does not hinder foreign keys.
_LOCK = b"SELECT role_id FROM app_roles WHERE role_name = 'viewer' FOR NO KEY UPDATE"
_OPTIONS = "-c client_connection_check_interval=1000 -c statement_timeout=0 -c lock_timeout=0"


def connect(fault: str) -> psycopg.Connection[Any]:
    return psycopg.connect(
        os.environ["CLO_DATABASE_URL"],
        application_name=f"clo-app/{fault}",
        options=f"{_OPTIONS} -c idle_in_transaction_session_timeout=0",
        connect_timeout=5,
    )


def leak(held: ExitStack, fault: str) -> None:
    for _ in range(LEAKED):
        connection = held.enter_context(connect(fault))
        # Sent and not waited for: one process keeps nineteen statements running.
        connection.pgconn.send_query(f"SELECT pg_sleep({LIFE})".encode())


def idle(held: ExitStack, fault: str) -> None:
    held.enter_context(connect(fault)).execute("SELECT role_name FROM app_roles")


def block(held: ExitStack, fault: str) -> None:
    held.enter_context(connect(fault)).execute(_LOCK)
    blocked = held.enter_context(connect(fault))
    blocked.execute("SELECT 1")
    blocked.pgconn.send_query(_LOCK)


def slow(held: ExitStack, fault: str) -> None:
    connection = held.enter_context(connect(fault))
    connection.autocommit = True
    ready, until = False, time.monotonic() + LIFE
    while time.monotonic() < until:
        connection.execute("SELECT count(*), pg_sleep(%s) FROM clo_deals", (SLOW,))
        if not ready:
            ready = _say_ready()
        time.sleep(0.2)


KINDS: dict[str, Callable[[ExitStack, str], None]] = {
    "connection-leak": leak,
    "idle-in-transaction": idle,
    "blocked-session": block,
    "slow-queries": slow,
}


def _say_ready() -> bool:
    print("ready", flush=True)
    return True


def main(fault: str) -> None:
    with ExitStack() as held:
        KINDS[fault](held, fault)
        _say_ready()
        time.sleep(LIFE)


if __name__ == "__main__":
    main(sys.argv[1])
