"""Stopping a service for real, as the stack stops it, and starting it again."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass

import redis

from demo.switches.actions import Memory
from demo.switches.places import Places


@dataclass(frozen=True, slots=True)
class StopService:
    service: str

    def plan(self, places: Places) -> Memory:
        return {"service": self.service}

    def do(self, places: Places, memory: Memory) -> None:
        from demo.stack import control

        control.stop_service(places.state, self.service)

    def undo(self, places: Places, memory: Memory) -> None:
        from demo.stack import control

        control.start_service(places.state, self.service)


@dataclass(frozen=True, slots=True)
class StopRedis(StopService):
    """The demo's Redis keeps nothing on disk; without its sessions every open row would be an orphan afterwards."""

    service: str = "redis"

    def plan(self, places: Places) -> Memory:
        with closing(places.redis()) as client:
            keys = list(client.scan_iter("session:*", count=500))
            return {"service": self.service, "sessions": {key: _kept(client, key) for key in keys}}

    def undo(self, places: Places, memory: Memory) -> None:
        StopService.undo(self, places, memory)
        with closing(places.redis()) as client:
            for key, (value, expires_at) in memory["sessions"].items():
                # Keys are put back only where missing: a Redis that was never stopped keeps what it has.
                if value is not None:
                    client.set(key, value, pxat=expires_at if expires_at > 0 else None, nx=True)


def _kept(client: redis.Redis, key: str) -> tuple[str | None, int]:
    """Value and absolute expiry (milliseconds since 1970, -1 for none)."""
    value, left = client.get(key), client.pttl(key)
    return (str(value) if value is not None else None), int(time.time() * 1000) + left if left > 0 else -1
