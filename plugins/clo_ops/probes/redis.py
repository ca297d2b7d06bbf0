"""Ask Redis: is it up and a primary, what memory it uses, how well it caches, and (bounded) which keys it holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING, Any

from clo_ops.findings import Answer, Measurement
from clo_ops.probes.reaching import Reach, Unreachable
from clo_ops.probes.targets import RedisTarget

if TYPE_CHECKING:
    from clo_ops.probes.redis_session import ReadingRedis

TRIED = "AUTH, SELECT and one read"
SCAN_BATCH = 500
MOST_KEYS = 1_000_000


@contextmanager
def connect(target: RedisTarget) -> Iterator[ReadingRedis]:
    """A named client (CLIENT SETNAME) that refuses to write; closed on the way out.

    Connecting and each reply are bounded by the target's ``timeout``; nothing is tried twice. Raises Unreachable (a
    CouldNotAsk), the password never in its text.
    """
    from clo_ops.probes.redis_session import session

    with session(target) as client:
        yield client


def up(target: RedisTarget) -> Answer:
    """DM-01: ``redis.up``, ``redis.ping.duration`` (ms) and ``redis.primary`` (a replica serves old sessions, D14).

    Refused, silent and loading are measured as 0; a refused password leaves the question open.
    """
    try:
        with connect(target) as client:
            started = perf_counter()
            client.ping()
            taken, replication = (perf_counter() - started) * 1000, client.info("replication")
    except Unreachable as error:
        return error.liveness("redis.up", target, TRIED)
    at, role = datetime.now(UTC), str(replication["role"])
    return Answer.of(
        [
            Measurement("redis.up", 1, "bool", at),
            Measurement("redis.ping.duration", taken, "ms", at),
            Measurement("redis.primary", role == "master", "bool", at, detail=f"its role is {role}"),
        ]
    )


def usage(target: RedisTarget) -> Answer:
    """DM-07: memory (bytes, ratio, percent of maxmemory where there is one), hit ratio, clients, keys, evictions."""
    try:
        with connect(target) as client:
            info = client.info()
    except Unreachable as error:
        return error.unanswered("memory, cache and clients", target, TRIED)
    at = datetime.now(UTC)
    return Answer.of([*_memory(info, at), *_cache(info, at), *_clients(info, at), *_keys(info, at)])


def _memory(info: Mapping[str, Any], at: datetime) -> Iterator[Measurement]:
    used, most = float(info["used_memory"]), float(info.get("maxmemory", 0))
    yield Measurement("redis.memory.used", used, "bytes", at)
    yield Measurement("redis.memory.fragmentation", float(info["mem_fragmentation_ratio"]), "ratio", at)
    if most > 0:
        yield Measurement("redis.memory.utilization", 100 * used / most, "percent", at)


def _cache(info: Mapping[str, Any], at: datetime) -> Iterator[Measurement]:
    """No reads yet is no ratio: nothing is measured rather than 0 or 100 made up."""
    hits, misses = int(info["keyspace_hits"]), int(info["keyspace_misses"])
    if hits + misses:
        detail = f"{hits} hits, {misses} misses since the server started"
        yield Measurement("redis.cache.hit_ratio", 100 * hits / (hits + misses), "percent", at, detail=detail)
    yield Measurement("redis.keys.evicted", int(info["evicted_keys"]), "count", at)


def _clients(info: Mapping[str, Any], at: datetime) -> Iterator[Measurement]:
    yield Measurement("redis.clients.connected", int(info["connected_clients"]), "count", at)
    yield Measurement("redis.clients.blocked", int(info["blocked_clients"]), "count", at)
    yield Measurement("redis.uptime", int(info["uptime_in_seconds"]), "s", at)


def _keys(info: Mapping[str, Any], at: datetime) -> Iterator[Measurement]:
    for name, figures in info.items():
        if name.startswith("db") and isinstance(figures, dict) and "keys" in figures:
            yield Measurement("redis.keys.count", int(figures["keys"]), "count", at, {"database": name[2:]})


def scan_keys(target: RedisTarget, pattern: str, most: int = MOST_KEYS) -> Iterator[str]:
    """Keys like ``pattern``, each once, by SCAN in batches (D11); in a session that lives as long as the iteration.

    Raises Unreachable, also when there are more than ``most``: an incomplete list must not look like a whole one.
    """
    with connect(target) as client:
        yield from _scan(client, target, pattern, most)


def _scan(client: ReadingRedis, target: RedisTarget, pattern: str, most: int) -> Iterator[str]:
    seen: set[str] = set()
    for key in client.scan_iter(match=pattern, count=SCAN_BATCH):
        if key in seen:  # SCAN may return a key twice while the server rehashes
            continue
        if len(seen) == most:
            raise Unreachable(Reach.OTHER, f"{target} holds more than {most} keys like {pattern!r}")
        seen.add(key)
        yield key


@dataclass(frozen=True, slots=True)
class Entry:
    """A key with its text; ``seconds_left`` is None for a key that never expires."""

    key: str
    value: str
    seconds_left: float | None


def entries(target: RedisTarget, pattern: str, most: int = MOST_KEYS) -> Iterator[Entry]:
    """Text keys like ``pattern`` with value and time to live; one that vanishes meanwhile is left out. As scan_keys."""
    with connect(target) as client:
        for key in _scan(client, target, pattern, most):
            left, value = client.pttl(key), client.get(key)
            if value is not None and left != -2:
                yield Entry(key, str(value), None if left == -1 else left / 1000)
