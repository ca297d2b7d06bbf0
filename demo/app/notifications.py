"""Job notifications: the worker publishes on Redis, every API process passes them to its open WebSockets."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from demo.app.logs import say

CHANNEL = "clo:jobs"
_SEES_ALL = {"admin", "manager"}


class Hub:
    def __init__(self, redis: Redis, log: logging.Logger) -> None:
        self._redis = redis
        self._log = log
        self._queues: dict[asyncio.Queue[dict[str, Any]], tuple[str, str]] = {}

    def join(self, username: str, role: str) -> asyncio.Queue[dict[str, Any]]:
        """A bounded queue: a client that does not read loses messages, not our memory."""
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(maxsize=100)
        self._queues[queue] = (username, role)
        return queue

    def leave(self, queue: asyncio.Queue[dict[str, Any]]) -> None:
        self._queues.pop(queue, None)

    @property
    def open(self) -> int:
        return len(self._queues)

    def _pass_on(self, message: dict[str, Any]) -> None:
        for queue, (username, role) in self._queues.items():
            if (role in _SEES_ALL or username == message["requested_by"]) and not queue.full():
                queue.put_nowait(message)

    async def listen(self) -> None:
        """Until cancelled; a Redis that went away is asked again every second."""
        while True:
            try:
                await self._listen_once()
            except (RedisError, OSError) as error:
                say(self._log, "notifications interrupted", logging.WARNING, reason=type(error).__name__)
                await asyncio.sleep(1)

    async def _listen_once(self) -> None:
        async with self._redis.pubsub() as channel:
            await channel.subscribe(CHANNEL)
            while True:
                message = await channel.get_message(ignore_subscribe_messages=True, timeout=2.0)
                if message:
                    self._pass_on(json.loads(message["data"]))
