"""A real Redis with a user of its own for maintenance, as the demo stack starts it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis as redis_py

from clo_ops.probes.targets import RedisTarget
from demo.stack.redis import Redis


@pytest.fixture(scope="module")
def cache_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with Redis(tmp_path_factory.mktemp("cache"), settings={"save": '""', "enable-debug-command": "local"}) as server:
        yield server


@pytest.fixture
def owner(cache_server: Redis) -> Iterator[redis_py.Redis]:
    """The application's own user, on an empty server."""
    with redis_py.Redis.from_url(cache_server.url(), decode_responses=True, socket_timeout=120) as client:
        client.flushall()
        client.config_resetstat()
        yield client


def as_maintainer(server: Redis, **changes: Any) -> RedisTarget:
    user, password = server.maintainer
    given = {"host": "127.0.0.1", "port": server.port, "username": user, "password": password, "timeout": 5.0}
    return RedisTarget(**{**given, "client_name": "clo_ops/test/cache", **changes})


@pytest.fixture
def maintainer(cache_server: Redis) -> Callable[..., RedisTarget]:
    def make(**changes: Any) -> RedisTarget:
        return as_maintainer(cache_server, **changes)

    return make
