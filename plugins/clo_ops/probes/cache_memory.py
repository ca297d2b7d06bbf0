"""Ask Redis for its memory (WM-05; D13): used, peak, resident, fragmented, evicted, hit; and whether it can purge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from clo_ops.findings import Answer, Measurement
from clo_ops.probes.cache_session import CacheRedis, reading_cache
from clo_ops.probes.reaching import Unreachable
from clo_ops.probes.targets import RedisTarget

TRIED = "INFO and COMMAND INFO"
SIZES = {
    "redis.memory.used": "used_memory",
    "redis.memory.peak": "used_memory_peak",
    "redis.memory.resident": "used_memory_rss",
    "redis.memory.maximum": "maxmemory",
}


def state(target: RedisTarget) -> Answer:
    """``redis.memory.*`` (bytes), ``redis.memory.fragmentation`` (ratio), evictions, expiries, hits and misses.

    ``redis.primary`` and ``redis.alone`` (bool) say whether this is the place to change anything: neither a replica nor
    one node of a cluster. ``redis.purge.able`` (bool) with its reason.
    """
    try:
        with reading_cache(target) as client:
            return Answer.of(_measured(client.info(), _renamed(client)))
    except Unreachable as error:
        return error.unanswered("memory of the cache", target, TRIED)


def _renamed(client: CacheRedis) -> bool:
    """Whether the server knows no command MEMORY: renamed away, or not there as with many managed ones."""
    (said,) = client.answers([("COMMAND INFO", "memory")])
    return isinstance(said, Mapping | list) and not any(said.values() if isinstance(said, Mapping) else said)


def _measured(info: Mapping[str, Any], renamed: bool) -> Iterator[Measurement]:
    at = datetime.now(UTC)
    role, cluster = str(info["role"]), int(info.get("cluster_enabled", 0))
    yield Measurement("redis.primary", role == "master", "bool", at, detail=f"its role is {role}")
    yield Measurement("redis.alone", not cluster, "bool", at, detail="one node of a cluster" if cluster else "")
    for name, key in SIZES.items():
        if key in info:
            yield Measurement(name, info[key], "bytes", at)
    yield _fragmentation(info, at)
    for name in ("evicted_keys", "expired_keys", "keyspace_hits", "keyspace_misses"):
        yield Measurement(f"redis.{name}.total", info[name], "count", at)
    yield Measurement("redis.uptime", info["uptime_in_seconds"], "s", at)
    able, why = purge_able(info, renamed=renamed)
    yield Measurement("redis.purge.able", able, "bool", at, detail=why)


def _fragmentation(info: Mapping[str, Any], at: datetime) -> Measurement:
    """The allocator's own ratio: that of resident to used memory is wrong by whatever is swapped or shared."""
    own = "allocator_frag_ratio" in info
    ratio = float(info["allocator_frag_ratio" if own else "mem_fragmentation_ratio"])
    detail = "of the allocator" if own else "of resident to used memory: this server tells no better"
    return Measurement("redis.memory.fragmentation", ratio, "ratio", at, detail=detail)


def purge_able(info: Mapping[str, Any], *, renamed: bool) -> tuple[bool, str]:
    """Whether MEMORY PURGE does anything on the server that says this of itself, and by what."""
    allocator = str(info.get("mem_allocator", "unknown"))
    if renamed:
        return False, "this server has no MEMORY command, or it was renamed away"
    if not allocator.startswith("jemalloc"):
        return False, f"MEMORY PURGE does nothing with the allocator {allocator}; it needs jemalloc"
    return True, f"allocator {allocator}"
