"""The audit trail. The chain (hash of the row before, gapless id) is made by the database: demo/sql/audit.sql."""

from __future__ import annotations

import json
from typing import Any

from psycopg import AsyncConnection, Connection

_WRITE = "SELECT audit_write(%s, %s, %s, %s, %s)"


async def append(
    connection: AsyncConnection[dict[str, Any]], actor: str, action: str, what: tuple[str, str], **detail: Any
) -> None:
    """Add one row inside the caller's transaction; call it last, the chain is locked until the commit."""
    await connection.execute(_WRITE, (actor, action, *what, json.dumps(detail)))


def append_now(
    connection: Connection[dict[str, Any]], actor: str, action: str, what: tuple[str, str], **detail: Any
) -> None:
    """The same from code that is not asynchronous (the worker)."""
    connection.execute(_WRITE, (actor, action, *what, json.dumps(detail)))
