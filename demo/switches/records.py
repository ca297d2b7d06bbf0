"""Faults made of rows and keys: orphaned sessions, a session that never expires, calculations that failed."""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import redis

from demo.app.sessions import NEVER, key_of
from demo.switches.actions import Memory
from demo.switches.places import Places

ORPHANS = 5
FAILED_JOBS = 12  # above the critical 10 within an hour
_A_USER = "SELECT user_id, username FROM app_users WHERE NOT is_service AND NOT disabled ORDER BY user_id LIMIT 1"
_ROW = """INSERT INTO app_sessions (session_id, user_id, created_at, last_seen_at, expires_at, source_ip)
VALUES (%s, %s, %s, %s, %s, '127.0.0.1') ON CONFLICT DO NOTHING"""
_FORGET = "DELETE FROM app_sessions WHERE session_id = ANY(%s)"
_ENDLESS = "DELETE FROM app_sessions WHERE expires_at > now() + interval '1 year' RETURNING session_id"
_FAIL = """INSERT INTO calculation_jobs
    (job_id, deal_id, requested_by, status, queued_at, started_at, finished_at, error)
SELECT id, (SELECT min(deal_id) FROM clo_deals), %(by)s, 'failed', at, at, at + interval '1 second',
       'the calculation engine is broken'
FROM unnest(%(ids)s::uuid[]) WITH ORDINALITY AS job(id, n), LATERAL (SELECT now() - n * interval '2 minutes' AS at) AS t
ON CONFLICT DO NOTHING"""
_UNFAIL = "DELETE FROM calculation_jobs WHERE job_id = ANY(%s::uuid[])"


@contextmanager
def _both(places: Places) -> Iterator[tuple[psycopg.Connection[dict[str, Any]], redis.Redis]]:
    with places.database() as connection, closing(places.redis()) as client:
        yield connection, client


def _session(session_id: str, username: str, created: datetime, expires: datetime) -> str:
    content = {"session_id": session_id, "username": username, "role": "viewer"}
    return json.dumps(content | {"created_at": created.isoformat(), "expires_at": expires.isoformat()})


def _user(connection: psycopg.Connection[dict[str, Any]]) -> dict[str, Any]:
    row = connection.execute(_A_USER).fetchone()
    if row is None:
        raise LookupError("the demo world has no user")
    return row


class OrphanedSessions:
    """Rows whose key is gone, and keys no row knows."""

    def plan(self, places: Places) -> Memory:
        keys = {key_of(secrets.token_urlsafe(32)): str(uuid.uuid4()) for _ in range(ORPHANS)}
        return {"rows": [str(uuid.uuid4()) for _ in range(ORPHANS)], "keys": keys}

    def do(self, places: Places, memory: Memory) -> None:
        created, expires = datetime.now(UTC) - timedelta(hours=2), datetime.now(UTC) + timedelta(hours=6)
        with _both(places) as (connection, client):
            user = _user(connection)
            for session_id in memory["rows"]:
                connection.execute(_ROW, (session_id, user["user_id"], created, created, expires))
            for key, session_id in memory["keys"].items():
                client.set(key, _session(session_id, user["username"], created, expires), ex=timedelta(hours=6))

    def undo(self, places: Places, memory: Memory) -> None:
        with _both(places) as (connection, client):
            connection.execute(_FORGET, (memory["rows"],))
            client.delete(*memory["keys"])


class EndlessSession:
    """A session three days old that is still honoured; with the flag set, every new one is like it."""

    def plan(self, places: Places) -> Memory:
        token = secrets.token_urlsafe(32)
        return {"session_id": str(uuid.uuid4()), "key": key_of(token)}

    def do(self, places: Places, memory: Memory) -> None:
        created = datetime.now(UTC) - timedelta(days=3)
        expires = datetime.now(UTC) + NEVER
        with _both(places) as (connection, client):
            user = _user(connection)
            connection.execute(_ROW, (memory["session_id"], user["user_id"], created, datetime.now(UTC), expires))
            client.set(memory["key"], _session(memory["session_id"], user["username"], created, expires))

    def undo(self, places: Places, memory: Memory) -> None:
        """Sessions begun meanwhile have no end either, so they go with it."""
        with _both(places) as (connection, client):
            endless = {row["session_id"] for row in connection.execute(_ENDLESS).fetchall()}
            client.delete(memory["key"])
            for key in client.scan_iter("session:*", count=500):
                text = client.get(key)
                if client.ttl(key) == -1 and text and json.loads(text)["session_id"] in endless:
                    client.delete(key)


class FailedCalculations:
    """A dozen failures of the last half hour; with the flag set, the worker fails every further one."""

    def plan(self, places: Places) -> Memory:
        return {"jobs": [str(uuid.uuid4()) for _ in range(FAILED_JOBS)]}

    def do(self, places: Places, memory: Memory) -> None:
        with places.database() as connection:
            connection.execute(_FAIL, {"ids": memory["jobs"], "by": _user(connection)["username"]})

    def undo(self, places: Places, memory: Memory) -> None:
        with places.database() as connection:
            connection.execute(_UNFAIL, (memory["jobs"],))
