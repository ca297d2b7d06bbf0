"""Cache maintenance on real servers: nothing to remove, a million keys, a replica, no MEMORY, killed on the way."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis as redis_py

from clo_ops.actions.maintenance import cache as action
from clo_ops.actions.maintenance.plan import Outcome
from clo_ops.findings import ConfigurationError, Status
from clo_ops.policy import load_policy
from clo_ops.policy.cache import Cache, Removal
from clo_ops.probes import cache_keys, cache_memory
from clo_ops.probes.cache_session import reading_cache
from clo_ops.probes.reaching import Unreachable
from clo_ops.probes.targets import RedisTarget
from clo_ops.rules import cache as rules
from demo.stack.redis import Redis

Target = Callable[..., RedisTarget]
SESSIONS = "session:*"
EXPIRED = Removal(pattern="expired:*", why="as in the manual")


def policy(**changes: Any) -> Cache:
    quick = {"pause": timedelta(milliseconds=1), **changes}
    return load_policy().maintenance.cache.model_copy(update=quick)


def fill(owner: redis_py.Redis, prefix: str, count: int, size: int = 10) -> None:
    pipe = owner.pipeline(transaction=False)
    for number in range(count):
        pipe.set(f"{prefix}:{number}", "x" * size)
    pipe.execute()


def test_nothing_to_remove_is_fine(owner: redis_py.Redis, maintainer: Target) -> None:
    owner.set("session:1", "x", ex=60)
    answer = cache_keys.keys(maintainer(), policy(), SESSIONS)
    assert answer.value("cache.due.count", pattern="expired:*") == 0
    assert not action.planned_removal(answer, policy(), "redis").steps
    effect = action.unlink(maintainer(), EXPIRED, policy(), SESSIONS)
    assert effect.after["keys"] == 0
    assert effect.outcome is Outcome.APPLIED
    assert {one.status for one in rules.judge_keys(answer, policy())} == {Status.PASS}


def test_an_empty_server_is_fine(owner: redis_py.Redis, maintainer: Target) -> None:
    answer = cache_keys.keys(maintainer(), policy(), SESSIONS)
    assert answer.value("redis.key.seen") == 0
    assert not answer.unanswered
    assert {one.status for one in rules.judge_keys(answer, policy())} == {Status.PASS}


def test_a_million_keys_in_bounded_batches(owner: redis_py.Redis, maintainer: Target) -> None:
    owner.execute_command("DEBUG", "POPULATE", 800_000, "kept")
    owner.execute_command("DEBUG", "POPULATE", 200_000, "expired")
    terms = policy(pause=timedelta(microseconds=100))
    answer = cache_keys.keys(maintainer(timeout=60.0), terms, SESSIONS)
    assert answer.value("redis.key.seen") == 1_000_000
    assert answer.value("cache.due.count", pattern="expired:*") == 200_000
    (seen,) = answer.select("redis.key.seen")
    assert "(every 50th)" in seen.detail
    whole = owner.info("memory")["used_memory_dataset"]
    weighed = sum(one.value for one in answer.select("redis.key.bytes"))
    assert 0.5 * whole < weighed < 2 * whole

    (step,) = action.planned_removal(answer, terms, "redis").steps
    assert step.before["keys"] == 200_000
    effect = action.unlink(maintainer(timeout=60.0), EXPIRED, terms, SESSIONS)
    assert effect.after["keys"] == 200_000
    assert owner.dbsize() == 800_000
    # No command of ours took more than a batch.
    calls = owner.info("commandstats")
    assert calls["cmdstat_unlink"]["calls"] >= 200_000 / terms.batch
    assert calls["cmdstat_scan"]["calls"] >= 1_000_000 / terms.batch
    assert "cmdstat_keys" not in calls
    assert "cmdstat_eval" not in calls


def test_at_most_so_many_go_in_one_run_and_the_rest_in_the_next(owner: redis_py.Redis, maintainer: Target) -> None:
    fill(owner, "expired", 1_000)
    first = action.unlink(maintainer(), EXPIRED, policy(most_keys=300, batch=100), SESSIONS)
    assert first.after["keys"] == 300
    assert "cap" in str(first.after["ended"])
    second = action.unlink(maintainer(), EXPIRED, policy(batch=100), SESSIONS)
    assert second.after["keys"] == 700
    assert "came round" in str(second.after["ended"])


def test_ended_when_the_time_is_over(owner: redis_py.Redis, maintainer: Target) -> None:
    fill(owner, "expired", 1_000)
    effect = action.unlink(maintainer(), EXPIRED, policy(batch=50), SESSIONS, may_go_on=lambda: False)
    assert 0 < int(effect.after["keys"]) < 1_000
    assert effect.after["ended"] == "the time was over"


@pytest.mark.parametrize("pattern", ["session:*", "sess*", "session:x*"])
def test_a_pattern_that_meets_sessions_is_refused(owner: redis_py.Redis, maintainer: Target, pattern: str) -> None:
    owner.set("session:x1", "somebody is at work")
    with pytest.raises(ConfigurationError, match="session"):
        action.unlink(maintainer(), Removal(pattern=pattern, why="by mistake"), policy(), SESSIONS)
    assert owner.get("session:x1")


def test_redis_itself_refuses_to_remove_a_session(owner: redis_py.Redis, maintainer: Target) -> None:
    """The user of maintenance may write only keys like expired:*, whatever our own checks let through."""
    owner.set("session:x1", "somebody is at work")
    removal = Removal(pattern="session:x*", why="by mistake")
    with pytest.raises(Unreachable, match=r"(?i)permission"):
        action.unlink(maintainer(), removal, policy(), "elsewhere:*")
    assert owner.get("session:x1")


def test_keys_that_only_look_like_it_stay(owner: redis_py.Redis, maintainer: Target) -> None:
    owner.mset({"expired:1": "x", "expired": "x", "not expired:1": "x", "EXPIRED:1": "x"})
    owner.execute_command("SET", b"expired:\xff\xfe", "x")
    assert action.unlink(maintainer(), EXPIRED, policy(), SESSIONS).after["keys"] == 2
    assert sorted(owner.keys()) == ["EXPIRED:1", "expired", "not expired:1"]


def test_large_keys_and_keys_without_a_time_to_live(owner: redis_py.Redis, maintainer: Target) -> None:
    fill(owner, "report", 20)
    owner.set("cache:big", "x" * 2_000_000)
    owner.set("session:secret", "x" * 1_500_000)
    owner.set("cache:small", "x", ex=60)
    terms = policy(endless_warning=21, endless_allowed=("report:",))
    answer = cache_keys.keys(maintainer(), terms, SESSIONS)
    assert answer.value("redis.key.endless", namespace="cache:") == 1
    assert answer.value("redis.key.endless", namespace="report:") is None
    shown = [one.labels["key"] for one in answer.select("redis.key.large")]
    assert shown[0] == "cache:big"
    assert "secret" not in shown[1]
    by_name = {one.name: one for one in rules.judge_keys(answer, terms)}
    assert by_name["large keys"].status is Status.WARN
    assert by_name["keys without a time to live"].status is Status.PASS
    fill(owner, "cache", 30)
    again = cache_keys.keys(maintainer(), terms, SESSIONS)
    found = {one.name: one for one in rules.judge_keys(again, terms)}
    assert found["keys without a time to live"].status is Status.WARN


def test_a_look_that_ends_at_its_bound_is_not_a_whole_one(owner: redis_py.Redis, maintainer: Target) -> None:
    fill(owner, "cache", 2_000)
    terms = policy(look_at=500, batch=100)
    answer = cache_keys.keys(maintainer(), terms, SESSIONS)
    assert answer.unanswered
    assert Status.UNKNOWN in {one.status for one in rules.judge_keys(answer, terms)}


def test_a_replica_is_refused(owner: redis_py.Redis, maintainer: Target) -> None:
    fill(owner, "expired", 5)
    owner.replicaof("127.0.0.1", 1)
    try:
        state = cache_memory.state(maintainer())
        (finding,) = rules.wrong_server("WM-04", state)
        assert finding.status is Status.WARN
        with pytest.raises(Unreachable, match="slave"):
            action.unlink(maintainer(), EXPIRED, policy(), SESSIONS)
        with pytest.raises(Unreachable, match="slave"):
            action.purge(maintainer())
    finally:
        owner.replicaof("NO", "ONE")
    assert owner.dbsize() == 5


def test_memory_is_given_back_where_it_is_fragmented(owner: redis_py.Redis, maintainer: Target) -> None:
    terms = policy()
    terms = terms.model_copy(update={"purge": terms.purge.model_copy(update={"ratio": 1.0, "used_memory": 1})})
    state = cache_memory.state(maintainer())
    assert state.value("redis.purge.able") == 1
    (step,) = action.planned_purge(state, terms, "redis").steps
    assert step.statement == "MEMORY PURGE"
    effect = action.purge(maintainer())
    assert {"resident_before", "resident", "fragmentation"} <= set(effect.after)
    assert owner.info("commandstats")["cmdstat_memory|purge"]["calls"] == 1


def test_not_fragmented_enough_is_not_applicable(owner: redis_py.Redis, maintainer: Target) -> None:
    state = cache_memory.state(maintainer())
    why = action.why_no_purge(state, policy())
    assert "bytes are used" in why
    findings = {one.name: one for one in rules.judge_memory(state, [], policy(), why)}
    assert findings["memory given back"].status is Status.NOT_APPLICABLE
    assert findings["memory"].status is Status.PASS


@pytest.fixture
def without_memory(tmp_path: Path) -> Any:
    # A renamed command cannot be named in an ACL: the owner asks.
    with Redis(tmp_path / "renamed", settings={"save": '""', "rename-command": 'MEMORY ""'}) as server:
        yield server


def test_a_server_without_memory_purge(without_memory: Redis) -> None:
    owner = RedisTarget("127.0.0.1", without_memory.port, password=without_memory.password)
    state = cache_memory.state(owner)
    able = state.first("redis.purge.able")
    assert able is not None
    assert able.value == 0
    why = action.why_no_purge(state, policy())
    assert "no MEMORY command" in why
    with pytest.raises(Unreachable, match="MEMORY"):
        action.purge(owner)


def test_an_allocator_that_gives_nothing_back() -> None:
    """No such server is at hand: what it says of itself is."""
    able, why = cache_memory.purge_able({"mem_allocator": "libc"}, renamed=False)
    assert not able
    assert "libc" in why
    assert cache_memory.purge_able({"mem_allocator": "jemalloc-5.3.0"}, renamed=False)[0]


def test_keys_are_counted_and_removed_where_their_memory_is_not_told(without_memory: Redis) -> None:
    owner = RedisTarget("127.0.0.1", without_memory.port, password=without_memory.password)
    with redis_py.Redis.from_url(without_memory.url()) as client:
        client.mset({f"expired:{number}": "x" for number in range(10)})
    answer = cache_keys.keys(owner, policy(), SESSIONS)
    assert answer.value("cache.due.count", pattern="expired:*") == 10
    assert not list(answer.select("redis.key.bytes"))
    effect = action.unlink(owner, EXPIRED, policy(), SESSIONS)
    assert effect.after["keys"] == 10
    assert "bytes" not in effect.after


KILLED = """
import sys
from datetime import timedelta
from clo_ops.actions.maintenance import cache as action
from clo_ops.policy import load_policy
from clo_ops.policy.cache import Removal
from clo_ops.probes.targets import RedisTarget
port, user, password = int(sys.argv[1]), sys.argv[2], sys.stdin.readline().strip()
target = RedisTarget("127.0.0.1", port, username=user, password=password)
terms = load_policy().maintenance.cache.model_copy(update={"batch": 20, "pause": timedelta(milliseconds=20)})
action.unlink(target, Removal(pattern="expired:*", why="x"), terms, "session:*")
"""


def test_killed_on_the_way_the_next_run_ends_it(owner: redis_py.Redis, cache_server: Redis, maintainer: Target) -> None:
    fill(owner, "expired", 5_000)
    fill(owner, "session", 100)
    user, password = cache_server.maintainer
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(cache_server.port), user],
        stdin=subprocess.PIPE,
        cwd=Path(__file__).resolve().parents[3] / "plugins",
    )
    assert child.stdin is not None
    child.stdin.write(f"{password}\n".encode())
    child.stdin.close()
    deadline = time.monotonic() + 60
    while owner.dbsize() > 4_500 and time.monotonic() < deadline:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait(timeout=10)
    left = owner.dbsize() - 100
    assert 0 < left < 5_000
    assert action.unlink(maintainer(), EXPIRED, policy(), SESSIONS).after["keys"] == left
    assert owner.dbsize() == 100


def test_evictions_and_hits_are_told_since_the_last_look(owner: redis_py.Redis, maintainer: Target) -> None:
    owner.set("a", "x")
    [owner.get("a") for _ in range(30)]
    [owner.get("gone") for _ in range(10)]
    first = cache_memory.state(maintainer())
    terms = policy(hit_rate_from=40)
    told = {one.name: one for one in rules.judge_memory(first, [], terms, "")}
    assert told["hit rate"].actual == "75 %"
    assert told["evictions"].status is Status.PASS
    again = {one.name: one for one in rules.judge_memory(first, list(first.measurements), terms, "")}
    assert again["hit rate"].status is Status.NOT_APPLICABLE
    owner.config_set("maxmemory", owner.info("memory")["used_memory"] + 100_000)
    owner.config_set("maxmemory-policy", "allkeys-lru")
    try:
        fill(owner, "fill", 2_000, size=500)
    finally:
        owner.config_set("maxmemory", 0)
    evicted = {one.name: one for one in rules.judge_memory(cache_memory.state(maintainer()), [], terms, "")}
    assert evicted["evictions"].status is Status.WARN


@pytest.mark.parametrize("command", [("UNLINK", "a"), ("MEMORY", "PURGE"), ("COMMAND", "DOCS"), ("CONFIG", "GET", "*")])
def test_the_probe_changes_nothing(command: tuple[str, ...], maintainer: Target) -> None:
    with reading_cache(maintainer()) as client:
        with pytest.raises(ConfigurationError):
            client.execute_command(*command)
        with pytest.raises(ConfigurationError):
            client.answers([command])


def test_the_action_sends_nothing_it_need_not(maintainer: Target) -> None:
    with action.changing(maintainer()) as client, pytest.raises(ConfigurationError):
        client.execute_command("FLUSHALL")


def test_nobody_there_is_unknown_not_clean(cache_server: Redis) -> None:
    nobody = RedisTarget("127.0.0.1", 1, timeout=1.0)
    for findings in (
        rules.judge_keys(cache_keys.keys(nobody, policy(), SESSIONS), policy()),
        rules.judge_memory(cache_memory.state(nobody), [], policy(), ""),
    ):
        assert {one.status for one in findings} == {Status.UNKNOWN}
