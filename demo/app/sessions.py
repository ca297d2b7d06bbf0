"""Sessions: a token for the client, its hash as a key in Redis with a time to live, and a row for the record."""

from __future__ import annotations

import hashlib
import json
import secrets
import uuid
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import AsyncConnection
from redis.asyncio import Redis

# What "never" means when the expiry is switched off by a fault.
NEVER = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class Session:
    session_id: str
    username: str
    role: str
    created_at: str
    expires_at: str

    def expired(self, now: datetime) -> bool:
        return datetime.fromisoformat(self.expires_at) <= now


def key_of(token: str) -> str:
    """The Redis key; the token itself is stored nowhere."""
    return f"session:{hashlib.sha256(token.encode()).hexdigest()}"


def new_session(username: str, role: str, length: timedelta) -> tuple[str, Session]:
    now = datetime.now(UTC)
    session = Session(str(uuid.uuid4()), username, role, now.isoformat(), (now + length).isoformat())
    return secrets.token_urlsafe(32), session


async def remember(redis: Redis, token: str, session: Session, length: timedelta | None) -> None:
    """Store the session; ``length`` None stores it without an expiry (a fault)."""
    await redis.set(key_of(token), json.dumps(asdict(session)), px=length)


async def look_up(redis: Redis, token: str, *, ignore_expiry: bool = False) -> Session | None:
    text = await redis.get(key_of(token)) if token else None
    if text is None:
        return None
    session = Session(**json.loads(text))
    # The record's own expiry is looked at too: a key that lost its TTL must not live for ever.
    return None if session.expired(datetime.now(UTC)) and not ignore_expiry else session


async def record(connection: AsyncConnection[dict[str, Any]], session: Session, user_id: int, source_ip: str) -> None:
    await connection.execute(
        "INSERT INTO app_sessions (session_id, user_id, created_at, last_seen_at, expires_at, source_ip)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        (session.session_id, user_id, session.created_at, session.created_at, session.expires_at, source_ip),
    )


async def seen(connection: AsyncConnection[dict[str, Any]], session_id: str) -> None:
    await connection.execute(
        "UPDATE app_sessions SET last_seen_at = now()"
        " WHERE session_id = %s AND last_seen_at < now() - interval '15 seconds'",
        (session_id,),
    )


async def end(connection: AsyncConnection[dict[str, Any]], session_id: str, reason: str) -> bool:
    """Close the row; False when it was not open."""
    done = await connection.execute(
        "UPDATE app_sessions SET ended_at = now(), end_reason = %s WHERE session_id = %s AND ended_at IS NULL",
        (reason, session_id),
    )
    return done.rowcount == 1


async def end_expired(connection: AsyncConnection[dict[str, Any]]) -> int:
    """Close the rows whose time is over; the keys in Redis go by themselves."""
    done = await connection.execute(
        "UPDATE app_sessions SET ended_at = expires_at, end_reason = 'expired'"
        " WHERE ended_at IS NULL AND expires_at < now()"
    )
    return done.rowcount


async def end_lost(connection: AsyncConnection[dict[str, Any]], redis: Redis) -> int:
    """Close the open rows whose key is gone, as after a Redis that was emptied. Done once, when the API starts.

    Not later: a row without its key is then a fault that operations are to find.
    """
    before = datetime.now(UTC)
    known = [json.loads(text)["session_id"] async for text in _stored(redis)]
    done = await connection.execute(
        "UPDATE app_sessions SET ended_at = now(), end_reason = 'revoked'"
        " WHERE ended_at IS NULL AND created_at < %s AND session_id <> ALL(%s)",
        (before, known),
    )
    return done.rowcount


async def _stored(redis: Redis) -> AsyncIterator[str]:
    async for key in redis.scan_iter("session:*", count=500):
        text = await redis.get(key)
        if text is not None:
            yield str(text)
