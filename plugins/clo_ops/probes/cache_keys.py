"""Ask Redis which keys it holds (WM-04; D11, D12): how many, how large, by namespace and by the patterns that may go.

SCAN in batches; memory and time to live of every n-th key, so that about as many are measured as policy says, in one
round trip a batch. The look ends at its bound of keys or of time; what was not seen is then said.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from clo_ops.findings import Answer, Measurement
from clo_ops.policy.cache import Cache, prefix_of
from clo_ops.probes.cache_session import CacheRedis, reading_cache
from clo_ops.probes.reaching import Unreachable, nobody_answered
from clo_ops.probes.session_store import digest
from clo_ops.probes.targets import RedisTarget

ENDLESS = -1  # what PTTL says of a key without an expiry
QUESTION = "keys by pattern, their memory and their times to live"
NAMED_AT_MOST = 10
MOST_NAMESPACES = 50
OTHER = "(others)"
SHOWN = 80  # characters of a key's name


@dataclass
class Tally:
    """What was seen so far; memory and times to live of the measured keys only, one of ``stride`` each."""

    cache: Cache
    sessions: str
    stride: int
    seen: int = 0
    measured: int = 0
    weighed: int = 0
    keys: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    endless_by: Counter[str] = field(default_factory=Counter)
    due: Counter[str] = field(default_factory=Counter)
    due_bytes: Counter[str] = field(default_factory=Counter)
    large: list[tuple[int, str]] = field(default_factory=list)
    larger: int = 0

    def add(self, key: str) -> None:
        self.seen += 1
        self.keys[self._namespace(key)] += 1
        if pattern := self._pattern(key):
            self.due[pattern] += 1

    def measure(self, key: str, left: object, size: object) -> None:
        """``left`` and ``size`` are what PTTL and MEMORY USAGE said; a key that has gone meanwhile has no size."""
        self.measured += 1
        space = self._namespace(key)
        if left == ENDLESS and not any(key.startswith(prefix_of(one)) for one in self.cache.endless_allowed):
            self.endless_by[space] += 1
        if isinstance(size, int):
            self._weigh(key, space, self._pattern(key), size)

    def _pattern(self, key: str) -> str:
        return next((one.pattern for one in self.cache.remove if key.startswith(prefix_of(one.pattern))), "")

    def _weigh(self, key: str, space: str, pattern: str, size: int) -> None:
        self.weighed += 1
        self.bytes[space] += size
        if pattern:
            self.due_bytes[pattern] += size
        if size >= self.cache.large_key:
            self.larger += 1
            self.large = sorted([*self.large, (size, self._shown(key))], reverse=True)[:NAMED_AT_MOST]

    def _namespace(self, key: str) -> str:
        """What stands before the first colon; a key without one could be anything and is not shown."""
        space, colon, _ = key.partition(":")
        space = f"{space[:SHOWN]}:" if colon else OTHER
        return space if space in self.keys or len(self.keys) < MOST_NAMESPACES else OTHER

    def _shown(self, key: str) -> str:
        """A session's key opens a session to whoever can read it."""
        return f"session {digest(key)}" if key.startswith(prefix_of(self.sessions)) else key[:SHOWN]


def keys(target: RedisTarget, cache: Cache, sessions: str) -> Answer:
    """``redis.key.count`` and ``redis.key.bytes`` {namespace}; ``cache.due.count`` and ``.bytes`` {pattern}; others.

    ``redis.key.endless`` {namespace}: keys without a time to live that policy does not allow one; ``redis.key.large``
    (bytes) {key} the largest; ``redis.key.large.count``; ``redis.key.seen`` with how many were measured as its
    detail; ``cache.look.seconds``. Where the look ended at its bound the rest is unanswered. ``sessions`` is the
    pattern of the session store's keys, of which no name is shown.
    """
    begun = time.monotonic()
    try:
        with reading_cache(target) as client:
            there = int(client.dbsize())
            tally = Tally(cache, sessions, stride=max(1, -(-there // cache.measured)))
            whole = _look(client, tally, begun)
    except Unreachable as error:
        return error.unanswered(QUESTION, target, f"SCAN in batches of {cache.batch}")
    answer = Answer.of(_measured(tally, time.monotonic() - begun))
    return answer if whole else answer + _rest(target, tally, there)


def _look(client: CacheRedis, tally: Tally, begun: float) -> bool:
    """Whether the cursor came round before either bound."""
    cursor, first, cache = 0, True, tally.cache
    while first or cursor:
        first = False
        cursor, names = client.scan(cursor, count=cache.batch)
        for part in _parts([str(name) for name in names], cache.batch):
            _ask(client, part, tally)
        over = tally.seen >= cache.look_at or time.monotonic() - begun > cache.look_for.total_seconds()
        if cursor and over:
            return False
    return True


def _parts(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """SCAN's COUNT is a hint: one call may bring more."""
    for first in range(0, len(names), size):
        yield names[first : first + size]


def _ask(client: CacheRedis, names: Sequence[str], tally: Tally) -> None:
    chosen = [name for number, name in enumerate(names, start=tally.seen) if number % tally.stride == 0]
    for name in names:
        tally.add(name)
    left = client.answers([("PTTL", name) for name in chosen])
    sizes = client.answers([("MEMORY USAGE", name) for name in chosen])
    for name, ttl, size in zip(chosen, left, sizes, strict=True):
        tally.measure(name, ttl, size)


def _measured(tally: Tally, seconds: float) -> Iterator[Measurement]:
    at = datetime.now(UTC)
    every = "each" if tally.stride == 1 else f"every {tally.stride}th"
    yield Measurement("redis.key.seen", tally.seen, "count", at, detail=f"{tally.measured} of them measured ({every})")
    yield Measurement("cache.look.seconds", seconds, "s", at)
    for space, count in tally.keys.most_common():
        yield Measurement("redis.key.count", count, "count", at, {"namespace": space})
        if tally.weighed:
            yield Measurement(
                "redis.key.bytes", tally.bytes[space] * tally.stride, "bytes", at, {"namespace": space}, every
            )
    for space, count in tally.endless_by.most_common():
        yield Measurement("redis.key.endless", count * tally.stride, "count", at, {"namespace": space}, every)
    for one in tally.cache.remove:
        labels = {"pattern": one.pattern}
        yield Measurement("cache.due.count", tally.due[one.pattern], "count", at, labels)
        yield Measurement("cache.due.bytes", tally.due_bytes[one.pattern] * tally.stride, "bytes", at, labels, every)
    if tally.weighed or not tally.seen:
        yield Measurement("redis.key.large.count", tally.larger, "count", at, detail=every)
    for size, name in tally.large:
        yield Measurement("redis.key.large", size, "bytes", at, {"key": name})


def _rest(target: RedisTarget, tally: Tally, there: int) -> Answer:
    looked = f"the look ended after {tally.seen} of about {there} keys"
    bounds = f"{tally.cache.look_at} keys or {tally.cache.look_for.total_seconds():g} s"
    return nobody_answered([QUESTION], target, f"SCAN in batches of {tally.cache.batch}", f"{looked} (bound: {bounds})")
