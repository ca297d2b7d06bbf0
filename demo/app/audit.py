"""The hash-chained audit trail: every row carries the hash of the row before it.

``row_hash`` is also what the generator and the integrity checks use, so there is one rule for the chain.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from psycopg import AsyncConnection, Connection

GENESIS = "0" * 64
# Appending is serial: two writers reading the same last row would fork the chain.
_LOCK = 4201
_LAST = "SELECT row_hash FROM audit_logs ORDER BY id DESC LIMIT 1"
_INSERT = """INSERT INTO audit_logs (created_at, actor, action, object_type, object_id, detail, prev_hash, row_hash)
VALUES (%(created_at)s, %(actor)s, %(action)s, %(object_type)s, %(object_id)s, %(detail)s,
        %(prev_hash)s, %(row_hash)s)"""


def row_hash(  # noqa: PLR0917 - the columns of the row, in their order
    prev_hash: str,
    created_at: datetime,
    actor: str,
    action: str,
    object_type: str | None,
    object_id: str | None,
    detail: Mapping[str, Any],
) -> str:
    """SHA-256 (hex) over the canonical JSON of the row's content and its predecessor's hash."""
    at = created_at.astimezone(UTC).isoformat(timespec="microseconds")
    parts = [prev_hash, at, actor, action, object_type or "", object_id or "", detail]
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _row(previous: str, actor: str, action: str, what: tuple[str, str], detail: Mapping[str, Any]) -> dict[str, Any]:
    at = datetime.now(UTC)
    return {
        "created_at": at,
        "actor": actor,
        "action": action,
        "object_type": what[0],
        "object_id": what[1],
        "detail": json.dumps(detail),
        "prev_hash": previous,
        "row_hash": row_hash(previous, at, actor, action, what[0], what[1], detail),
    }


async def append(
    connection: AsyncConnection[dict[str, Any]], actor: str, action: str, what: tuple[str, str], **detail: Any
) -> None:
    """Add one row inside the caller's transaction; call it last, the chain is locked until the commit."""
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    last = await (await connection.execute(_LAST)).fetchone()
    await connection.execute(_INSERT, _row(last["row_hash"] if last else GENESIS, actor, action, what, detail))


def append_now(
    connection: Connection[dict[str, Any]], actor: str, action: str, what: tuple[str, str], **detail: Any
) -> None:
    """The same from code that is not asynchronous (the worker)."""
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    last = connection.execute(_LAST).fetchone()
    connection.execute(_INSERT, _row(last["row_hash"] if last else GENESIS, actor, action, what, detail))
