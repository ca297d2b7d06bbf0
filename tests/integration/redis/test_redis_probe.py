"""The Redis probe against a real server: up, stopped, frozen, refused, and never writing."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis as redis_py

from clo_ops.findings import ConfigurationError
from clo_ops.probes import redis
from clo_ops.probes.reaching import Reach, Unreachable
from clo_ops.probes.targets import RedisTarget
from demo.stack.redis import Redis

Target = Callable[..., RedisTarget]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with Redis(tmp_path_factory.mktemp("redis"), settings={"maxmemory": "100mb", "maxclients": "20"}) as server:
        yield server


@pytest.fixture
def server(shared: Redis) -> Redis:
    return shared.start()


@pytest.fixture
def writer(server: Redis) -> Iterator[redis_py.Redis]:
    with redis_py.Redis.from_url(server.url(), decode_responses=True) as client:
        client.flushall()
        yield client


@pytest.fixture
def target(server: Redis) -> Target:
    def make(**changes: Any) -> RedisTarget:
        given = {"host": "127.0.0.1", "port": server.port, "password": server.password, "timeout": 1.0}
        return RedisTarget(**{**given, "client_name": "clo_ops/test/redis", **changes})

    return make


def test_up_and_a_primary(target: Target) -> None:
    answer = redis.up(target())
    assert answer.value("redis.up") == 1
    assert answer.value("redis.primary") == 1
    assert (answer.value("redis.ping.duration") or 0) > 0


def test_a_replica_is_told(writer: redis_py.Redis, target: Target) -> None:
    writer.replicaof("127.0.0.1", 1)
    try:
        answer = redis.up(target())
    finally:
        writer.replicaof("NO", "ONE")
    assert answer.value("redis.up") == 1
    assert answer.value("redis.primary") == 0


def test_the_session_is_named(writer: redis_py.Redis, target: Target) -> None:
    with redis.connect(target()) as client:
        client.ping()
        names = [one["name"] for one in writer.client_list()]
    assert "clo_ops/test/redis" in names


@pytest.mark.parametrize("command", [("SET", "a", "b"), ("KEYS", "*"), ("DEL", "a"), ("FLUSHALL",), ("EVAL", "1", "0")])
def test_writing_is_refused_before_it_is_sent(command: tuple[str, ...], target: Target) -> None:
    with pytest.raises(ConfigurationError, match=command[0]), redis.connect(target()) as client:
        client.execute_command(*command)


def test_a_pipeline_is_no_way_round(target: Target) -> None:
    with pytest.raises(ConfigurationError), redis.connect(target()) as client:
        client.pipeline()


def test_usage_has_units(writer: redis_py.Redis, target: Target) -> None:
    writer.set("session:1", "x")
    writer.config_resetstat()
    assert redis.usage(target()).value("redis.cache.hit_ratio") is None
    writer.get("session:1"), writer.get("session:1"), writer.get("session:1"), writer.get("gone")
    answer = redis.usage(target())
    assert answer.value("redis.cache.hit_ratio") == 75
    assert answer.value("redis.keys.count", database="0") == 1
    assert (answer.value("redis.memory.used") or 0) > 100_000
    assert 0 < (answer.value("redis.memory.utilization") or 0) < 50
    assert (answer.value("redis.clients.connected") or 0) >= 1


def test_a_stopped_server_is_down(server: Redis, target: Target) -> None:
    wanted = target()
    server.stop()
    answer = redis.up(wanted)
    assert answer.value("redis.up") == 0
    assert answer.unanswered == ()
    assert "refused" in redis.usage(wanted).unanswered[0].reason


def test_a_frozen_server_is_down_within_the_timeout(server: Redis, target: Target) -> None:
    assert server.process
    os.kill(server.process.pid, signal.SIGSTOP)
    started = time.monotonic()
    try:
        answer = redis.up(target())
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
    assert answer.value("redis.up") == 0
    assert "no reply" in answer.measurements[0].detail
    assert time.monotonic() - started < 4


def test_a_wrong_password_is_unanswered_and_not_shown(target: Target) -> None:
    answer = redis.up(target(password="not-the-secret"))
    assert answer.measurements == ()
    assert "authentication refused" in answer.unanswered[0].reason
    assert "not-the-secret" not in str(answer)


def test_no_password_at_all_is_unanswered(target: Target) -> None:
    assert "authentication refused" in redis.up(target(password=None)).unanswered[0].reason


def test_a_user_who_may_not_ask_is_unanswered(writer: redis_py.Redis, target: Target) -> None:
    writer.acl_setuser("limited", enabled=True, passwords=["+pw"], commands=["+ping"], keys=["none"])
    answer = redis.up(target(username="limited", password="pw"))
    assert "authentication refused" in answer.unanswered[0].reason


def test_a_name_that_does_not_resolve_is_unanswered(target: Target) -> None:
    assert Reach.NAME.value in redis.up(target(host="no-such-host.invalid")).unanswered[0].reason


def test_a_full_server_is_down(server: Redis, target: Target) -> None:
    clients = [redis_py.Redis.from_url(server.url(), single_connection_client=True) for _ in range(18)]
    try:
        with pytest.raises(redis_py.ConnectionError):
            for _ in range(5):
                clients.append(redis_py.Redis.from_url(server.url(), single_connection_client=True))
                clients[-1].ping()
        answer = redis.up(target())
    finally:
        for client in clients:
            client.close()
    assert answer.value("redis.up") == 0


def test_scan_finds_each_key_once_and_only_those(writer: redis_py.Redis, target: Target) -> None:
    for number in range(1200):
        writer.set(f"session:{number}", "x")
    writer.set("cache:1", "x")
    keys = list(redis.scan_keys(target(), "session:*"))
    assert len(keys) == len(set(keys)) == 1200


def test_more_keys_than_allowed_is_not_a_short_list(writer: redis_py.Redis, target: Target) -> None:
    for number in range(11):
        writer.set(f"session:{number}", "x")
    assert len(list(redis.scan_keys(target(), "session:*", most=11))) == 11
    with pytest.raises(Unreachable, match="more than 10 keys"):
        list(redis.scan_keys(target(), "session:*", most=10))


def test_entries_carry_value_and_time_left(writer: redis_py.Redis, target: Target) -> None:
    writer.set("session:1", "with an end", ex=100)
    writer.set("session:2", "for ever")
    found = {one.key: one for one in redis.entries(target(), "session:*")}
    assert found["session:1"].value == "with an end"
    assert 95 < (found["session:1"].seconds_left or 0) <= 100
    assert found["session:2"].seconds_left is None
