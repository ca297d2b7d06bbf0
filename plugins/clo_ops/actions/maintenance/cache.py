"""Take keys out of the cache by SCAN and UNLINK, and give memory back (WM-04, WM-05; D11 to D14).

What is removed is looked at twice: policy refuses a pattern that could meet a session's key, and each key is held
against the pattern and the sessions' again before it goes. Killed at any instant, the next run finds what is left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import redis

from clo_ops.actions.maintenance.plan import Effect, Outcome, Plan, Step
from clo_ops.findings import Answer, ConfigurationError
from clo_ops.findings.plans import Figure
from clo_ops.policy.cache import Cache, Removal, prefix_of
from clo_ops.probes.reaching import Reach, Unreachable
from clo_ops.probes.redis_session import opened
from clo_ops.probes.targets import RedisTarget

# The server's one thread is held by none of them longer than a batch takes.
MAY = frozenset({"PING", "INFO", "ROLE", "SCAN", "MEMORY USAGE", "MEMORY PURGE", "UNLINK"})
PURGE = "memory purge"


class ChangingRedis(redis.Redis):
    """Sends these few commands and nothing else."""

    def execute_command(self, *arguments: Any, **options: Any) -> Any:
        if str(arguments[0]).upper() not in MAY:
            raise ConfigurationError(
                f"cache maintenance asked Redis for {arguments[0]}", allowed=", ".join(sorted(MAY))
            )
        return super().execute_command(*arguments, **options)  # type: ignore[no-untyped-call]

    def sizes(self, keys: Sequence[bytes]) -> list[int]:
        """Bytes of each key that is there, in one round trip; empty where the server does not tell."""
        pipeline = self.pipeline(transaction=False)
        for key in keys:
            pipeline.execute_command("MEMORY USAGE", key)  # type: ignore[no-untyped-call]
        return [one for one in pipeline.execute(raise_on_error=False) if isinstance(one, int)]


@contextmanager
def changing(target: RedisTarget) -> Iterator[ChangingRedis]:
    """A session with the primary. Raises Unreachable, also where it leads to a replica or to a node of a cluster."""
    with opened(target, ChangingRedis, decoded=False) as client:
        info = client.info()
        if info["role"] != "master":
            raise Unreachable(Reach.OTHER, f"{target} is a {info['role']}, not the primary", "correct the connection")
        if info.get("cluster_enabled"):
            raise Unreachable(Reach.OTHER, f"{target} is one node of a cluster", "keys of the others would stay")
        yield client


@dataclass
class Receipt:
    """What went: how many keys, their bytes where the server tells, and why it ended."""

    pattern: str
    keys: int = 0
    bytes: int = 0
    weighed: int = 0
    batches: int = 0
    spared: int = 0
    ended: str = "killed"
    begun: float = field(default_factory=time.monotonic)

    def as_figures(self) -> dict[str, Figure]:
        figures: dict[str, Figure] = {"pattern": self.pattern, "keys": self.keys, "batches": self.batches}
        if self.weighed:
            figures["bytes"] = self.bytes
        return figures | {"spared": self.spared, "ended": self.ended}


def planned_removal(answer: Answer, cache: Cache, system: str) -> Plan:
    """One step for each pattern that was found at all. ``answer`` is that of ``clo_ops.probes.cache_keys.keys``."""
    steps = (_removal(one, answer, cache, system) for one in cache.remove)
    return Plan("cache", system, tuple(step for step in steps if step is not None))


def _removal(one: Removal, answer: Answer, cache: Cache, system: str) -> Step | None:
    count = answer.value("cache.due.count", pattern=one.pattern) or 0
    if not count:
        return None
    due = min(count, cache.most_keys)
    look = answer.value("cache.look.seconds") or 0.0
    batches = (answer.value("redis.key.seen") or count) / cache.batch
    size = answer.value("cache.due.bytes", pattern=one.pattern) or 0
    return Step(
        key=f"unlink {one.pattern}",
        action="unlink",
        target=f"{system} {one.pattern}",
        why=f"{count:,.0f} keys like {one.pattern}, about {size:,.0f} bytes: {one.why}",
        statement=(
            f"SCAN 0 MATCH {one.pattern} COUNT {cache.batch}; UNLINK what it brings, at most {cache.batch} at a time, "
            f"{cache.pause / timedelta(milliseconds=1):g} ms between, at most {cache.most_keys} keys"
        ),
        seconds=look + batches * cache.pause.total_seconds(),
        wal_bytes=0,
        disk_bytes=0,
        before={"keys": int(due), "bytes": int(size)},
    )


def unlink(
    target: RedisTarget, removal: Removal, cache: Cache, sessions: str, may_go_on: Callable[[], bool] = lambda: True
) -> Effect:
    """Remove the keys like the pattern until the cursor has come round, the cap is reached or ``may_go_on`` ends it.

    ``sessions`` is the pattern of the session store's keys: none of them goes, whatever the policy holds.
    Raises Unreachable where the primary is not reached or was lost on the way: what went until then is in its text.
    """
    if Cache.protected(cache.model_copy(update={"remove": (removal,)}), sessions):
        raise ConfigurationError(
            f"the pattern {removal.pattern!r} could meet a session's key", allowed=f"none that meets {sessions!r}"
        )
    receipt = Receipt(removal.pattern)
    try:
        with changing(target) as client:
            _remove(client, receipt, cache, _fits(removal.pattern, sessions), may_go_on)
    except Unreachable as error:
        raise Unreachable(error.reach, f"{error.observed}; {receipt.keys} keys had gone by then") from None
    reason = f"{receipt.keys:,} keys like {removal.pattern} removed; {receipt.ended}"
    return Effect(Outcome.APPLIED, reason, time.monotonic() - receipt.begun, receipt.as_figures())


def _fits(pattern: str, sessions: str) -> Callable[[bytes], bool]:
    wanted, never = prefix_of(pattern).encode(), prefix_of(sessions).encode()
    return lambda key: key.startswith(wanted) and not key.startswith(never)


def _remove(
    client: ChangingRedis, receipt: Receipt, cache: Cache, fits: Callable[[bytes], bool], may_go_on: Callable[[], bool]
) -> None:
    cursor, first = 0, True
    while first or cursor:
        first = False
        cursor, found = client.scan(cursor, match=receipt.pattern, count=cache.batch)
        keys = [key for key in found if isinstance(key, bytes) and fits(key)]
        receipt.spared += len(found) - len(keys)
        for start in range(0, len(keys), cache.batch):
            _take(client, receipt, keys[start : start + cache.batch][: cache.most_keys - receipt.keys])
        if receipt.keys >= cache.most_keys:
            receipt.ended = f"the cap of {cache.most_keys:,} keys was reached"
            return
        if not may_go_on():
            receipt.ended = "the time was over"
            return
        # Others' commands come between two batches of ours.
        time.sleep(cache.pause.total_seconds())
    receipt.ended = "the cursor came round: none is left that was there throughout"


def _take(client: ChangingRedis, receipt: Receipt, keys: Sequence[bytes]) -> None:
    if not keys:
        return
    sizes = client.sizes(keys)
    receipt.keys += int(client.unlink(*keys))
    receipt.bytes += sum(sizes)
    receipt.weighed += len(sizes)
    receipt.batches += 1


def why_no_purge(answer: Answer, cache: Cache) -> str:
    """Why memory is not given back now; empty where it is called for. At the ratio and the size it is (D13)."""
    ratio, used = answer.value("redis.memory.fragmentation"), answer.value("redis.memory.used")
    able = answer.first("redis.purge.able")
    if able is not None and not able.value:
        return able.detail
    if ratio is None or used is None:
        return "nobody told its fragmentation"
    if used < cache.purge.used_memory:
        return f"{used:,.0f} bytes are used, it is worth it from {cache.purge.used_memory:,} on"
    if ratio < cache.purge.ratio:
        return f"the fragmentation is {ratio:g}, it is worth it from {cache.purge.ratio:g} on"
    return ""


def planned_purge(answer: Answer, cache: Cache, system: str) -> Plan:
    """One step where fragmentation calls for it. ``answer`` is that of ``clo_ops.probes.cache_memory.state``."""
    if why_no_purge(answer, cache):
        return Plan("cache", system)
    figures = {name: answer.value(f"redis.memory.{name}") or 0.0 for name in ("fragmentation", "used", "resident")}
    why = f"fragmentation {figures['fragmentation']:g}, {figures['used']:,.0f} bytes used"
    step = Step(PURGE, PURGE, system, why, "MEMORY PURGE", 5.0, 0, 0, before=figures)
    return Plan("cache", system, (step,))


def purge(target: RedisTarget) -> Effect:
    """MEMORY PURGE, with the resident memory before and after it: the server says OK also where nothing happens.

    Raises Unreachable, also where the server refuses the command.
    """
    begun = time.monotonic()
    with changing(target) as client:
        before = client.info("memory")
        client.execute_command("MEMORY PURGE")
        # What the allocator gives back shows in the server's next look at itself, ten times a second.
        time.sleep(0.25)
        after = client.info("memory")
    won = int(before["used_memory_rss"]) - int(after["used_memory_rss"])
    figures: dict[str, Figure] = {
        "resident_before": int(before["used_memory_rss"]),
        "resident": int(after["used_memory_rss"]),
        "fragmentation": float(after.get("allocator_frag_ratio", after["mem_fragmentation_ratio"])),
        "used": int(after["used_memory"]),
    }
    return Effect(Outcome.APPLIED, f"{won:,} bytes of resident memory given back", time.monotonic() - begun, figures)
