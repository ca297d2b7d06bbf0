"""Hold the session store (Redis) against the session table (DM-12, manual L31): counted, in batches, in little memory.

A session lives in two places: a key with an expiry, which is what the application honours, and a row, which is the
record. A key without an open row is honoured by nobody's leave; an open row without a key is a session nobody can use.
Session ids are shown as short digests only.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Protocol

import psycopg
from psycopg.rows import DictRow
from redis.exceptions import ResponseError

from clo_ops.findings import Answer, Measurement
from clo_ops.probes.postgres import connect, rows
from clo_ops.probes.reaching import Reach, Unreachable, nobody_answered
from clo_ops.probes.redis import connect as reading
from clo_ops.probes.redis_session import ReadingRedis
from clo_ops.probes.targets import PostgresTarget, RedisTarget

BATCH = 500
# 8 bytes of each session's digest are remembered to find rows without a key; beyond this many that is not answered.
MOST_REMEMBERED = 200_000
LONGEST_SCAN = 60.0  # seconds
NAMED_AT_MOST = 8
ENDLESS, GONE = -1, -2  # what PTTL says of a key without an expiry, and of one that is not there
STORE = ("sessions in the store", "age of the oldest session")
TABLE = ("sessions in the table", "orphaned sessions")
SETTLE = 0.2  # seconds; a login or logout half done is done by then


class StoreFigures(Protocol):
    """``clock_tolerance``: how far two machines' clocks, or two writes of one login, may lie apart."""

    @property
    def session_key_pattern(self) -> str: ...
    @property
    def clock_tolerance(self) -> timedelta: ...


@dataclass(frozen=True, slots=True)
class Stored:
    """One session in the store. ``endless``: its key has no expiry."""

    key: str = field(repr=False)
    session_id: str = field(repr=False)
    created_at: datetime
    expires_at: datetime
    endless: bool


def digest(session_id: str) -> str:
    """What stands for a session where people read: enough to compare with, too little to use."""
    return hashlib.sha256(session_id.encode()).hexdigest()[:8]


def _remembered(session_id: str) -> int:
    return int.from_bytes(hashlib.sha256(session_id.encode()).digest()[:8])


def _moment(given: Any) -> datetime:
    at = datetime.fromisoformat(given)
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    return at.astimezone(UTC)


def parsed(key: str, text: str, ttl: int) -> Stored | None:
    """A key's session, or None where its value is not one."""
    try:
        value = json.loads(text)
        made, ends = _moment(value["created_at"]), _moment(value["expires_at"])
        return Stored(key, str(value["session_id"]), made, ends, endless=ttl == ENDLESS)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


@dataclass
class Named:
    """A count that can name the first few of what it counted."""

    count: int = 0
    names: list[str] = field(default_factory=list)

    def add(self, session_id: str, why: str = "") -> None:
        self.count += 1
        if len(self.names) < NAMED_AT_MOST:
            self.names.append(f"{digest(session_id)} ({why})" if why else digest(session_id))

    def measured(self, name: str, at: datetime, **labels: str) -> Measurement:
        more = f" and {self.count - len(self.names)} more" if self.count > len(self.names) else ""
        return Measurement(name, self.count, "count", at, labels, ", ".join(self.names) + more)


@dataclass
class Tally:
    """What went by during the scan. ``oldest`` and ``longest`` are seconds with the digest they belong to."""

    at: datetime
    tolerance: timedelta
    open: int = 0
    unreadable: int = 0
    expired: Named = field(default_factory=Named)
    endless: Named = field(default_factory=Named)
    orphaned: Named = field(default_factory=Named)
    oldest: tuple[float, str] = (-math.inf, "")
    longest: tuple[float, str] = (-math.inf, "")
    seen: set[int] = field(default_factory=set)

    @property
    def overflowed(self) -> bool:
        return len(self.seen) >= MOST_REMEMBERED

    def is_new(self, session_id: str) -> bool:
        """SCAN may bring a key twice."""
        mark = _remembered(session_id)
        if mark in self.seen:
            return False
        if not self.overflowed:
            self.seen.add(mark)
        return True

    def add(self, one: Stored) -> None:
        late = (self.at - one.expires_at).total_seconds()
        if late > self.tolerance.total_seconds():
            self.expired.add(one.session_id, f"{late:.0f} s past its expiry")
        else:
            self.open += 1
        if one.endless:
            self.endless.add(one.session_id)
        name = digest(one.session_id)
        self.oldest = max(self.oldest, ((self.at - one.created_at).total_seconds(), name))
        self.longest = max(self.longest, ((one.expires_at - one.created_at).total_seconds(), name))

    def measured(self) -> list[Measurement]:
        """What the store alone tells."""
        at, where = self.at, {"where": "store"}
        return [
            Measurement("session.open", self.open, "count", at, where),
            self.expired.measured("session.expired", at, **where),
            self.endless.measured("session.without_expiry", at, **where),
            Measurement("session.unreadable", self.unreadable, "count", at, where),
            *self._lengths(),
        ]

    def _lengths(self) -> Iterator[Measurement]:
        """An empty store has no oldest session: nothing is measured rather than 0 made up."""
        if self.open + self.expired.count:
            yield Measurement("session.age.max", self.oldest[0], "s", self.at, detail=self.oldest[1])
            yield Measurement("session.lifetime.max", self.longest[0], "s", self.at, detail=self.longest[1])


Connection = psycopg.Connection[DictRow]


def compared(store: RedisTarget, table: PostgresTarget, policy: StoreFigures) -> Answer:
    """Count what is open, expired and orphaned, and find the oldest. Either side is asked though the other is silent.

    Emits session.open, session.expired and session.orphaned {where: store | table}, session.without_expiry and
    session.unreadable {where: store} (count; detail names the first few by digest), session.age.max and
    session.lifetime.max (s).
    """
    try:
        with connect(table) as connection:
            return _both(store, connection, policy)
    except (Unreachable, psycopg.Error) as error:
        reason = error.reason if isinstance(error, Unreachable) else " ".join(str(error).split())
        return _scanned(store, None, policy)[0] + nobody_answered(TABLE, table, "session table, read-only", reason)


def _both(store: RedisTarget, connection: Connection, policy: StoreFigures) -> Answer:
    answer, tally = _scanned(store, connection, policy)
    return answer + _table(connection, policy, tally, str(store))


def _scanned(store: RedisTarget, connection: Connection | None, policy: StoreFigures) -> tuple[Answer, Tally | None]:
    """The store's own figures, with its orphans where there is a table to tell them; None where it was not read."""
    tally = Tally(datetime.now(UTC), policy.clock_tolerance)
    tried = f"SCAN {policy.session_key_pattern} in batches of {BATCH}"
    try:
        with reading(store) as client:
            _count(client, connection, policy.session_key_pattern, tally)
    except Unreachable as error:
        return nobody_answered(STORE, store, tried, error.reason), None
    found = tally.measured()
    if connection is not None:
        found.append(tally.orphaned.measured("session.orphaned", tally.at, where="store"))
    return Answer(tuple(found)), tally


def _batches(client: ReadingRedis, pattern: str) -> Iterator[list[str]]:
    """The keys that match, a batch at a time. Raises Unreachable where they do not come to an end in time."""
    deadline, keys = time.monotonic() + LONGEST_SCAN, client.scan_iter(match=pattern, count=BATCH)
    while batch := list(islice(keys, BATCH)):
        if time.monotonic() > deadline:
            raise Unreachable(Reach.OTHER, f"not all keys were seen within {LONGEST_SCAN:g} s")
        yield batch


def _count(client: ReadingRedis, connection: Connection | None, pattern: str, tally: Tally) -> None:
    for keys in _batches(client, pattern):
        stored, unreadable = _fetched(client, keys)
        tally.unreadable += unreadable
        fresh = [one for one in stored if tally.is_new(one.session_id)]
        for one in fresh:
            tally.add(one)
        if connection is not None:
            _add_orphans(client, connection, fresh, tally)


def _fetched(client: ReadingRedis, keys: Sequence[str]) -> tuple[list[Stored], int]:
    """The sessions under the keys that are still there, and how many keys hold something else."""
    there = [(key, *_text(client, key)) for key in keys]
    left = [each for each in there if each[2] != GONE]
    found = [one for one in (parsed(*each) for each in left) if one is not None]
    return found, len(left) - len(found)


def _text(client: ReadingRedis, key: str) -> tuple[str, int]:
    """A key's text and the milliseconds it has left; a key of another kind has no text."""
    left = int(client.pttl(key))
    try:
        return str(client.get(key) or ""), left
    except ResponseError:
        return "", left


def _add_orphans(client: ReadingRedis, connection: Connection, stored: Sequence[Stored], tally: Tally) -> None:
    """Looked at twice: a login or logout that is half done in one place is no orphan."""
    begun = tally.at - tally.tolerance
    suspects = {one.key: one for one, _ in _without_row(connection, stored) if one.created_at < begun}
    if not suspects:
        return
    time.sleep(SETTLE)
    still, _ = _fetched(client, list(suspects))
    for one, why in _without_row(connection, still):
        tally.orphaned.add(one.session_id, why)


def _without_row(connection: Connection, stored: Sequence[Stored]) -> list[tuple[Stored, str]]:
    """Those whose row is missing or closed, and which of the two."""
    ids = [one.session_id for one in stored]
    found = {row["session_id"]: row for row in rows(connection, "source/session_rows", {"ids": ids})}
    return [
        (one, "no row" if one.session_id not in found else "its row is closed")
        for one in stored
        if one.session_id not in found or found[one.session_id]["ended_at"] is not None
    ]


def _table(connection: Connection, policy: StoreFigures, tally: Tally | None, store: str) -> Answer:
    """The table's own figures; the rows without a key only where all keys were seen and remembered."""
    at = datetime.now(UTC) if tally is None else tally.at
    ended = rows(connection, "source/expired_sessions", {"at": at - policy.clock_tolerance})[0]["sessions"]
    count, missing = 0, Named()
    for row in _open_rows(connection, at, policy.clock_tolerance):
        count += 1
        if tally is not None and _remembered(row["session_id"]) not in tally.seen:
            missing.add(row["session_id"], "no key")
    answer = Answer(
        (
            Measurement("session.open", count, "count", at, {"where": "table"}),
            Measurement("session.expired", ended, "count", at, {"where": "table"}),
        )
    )
    return answer + _missing(missing, tally, store, at)


def _missing(missing: Named, tally: Tally | None, store: str, at: datetime) -> Answer:
    if tally is not None and not tally.overflowed:
        return Answer((missing.measured("session.orphaned", at, where="table"),))
    reason = "the store was not read" if tally is None else f"more than {MOST_REMEMBERED} sessions"
    return nobody_answered(["orphaned sessions"], store, "every key against every row", reason)


def _open_rows(connection: Connection, at: datetime, tolerance: timedelta) -> Iterator[Mapping[str, Any]]:
    """Page by page. What began or ends about now may be in one place and not yet, or no more, in the other."""
    values = {"good_beyond": at + tolerance, "begun_before": at - tolerance, "page": BATCH, "after": ""}
    while page := rows(connection, "source/open_sessions", values):
        yield from page
        values["after"] = page[-1]["session_id"]
