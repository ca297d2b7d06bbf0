"""The morning baseline against real servers, some of which are not there."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import redis

from clo_ops.policy import load_policy
from clo_ops.probes.baseline import Everyone, baseline, measure
from clo_ops.probes.targets import Account, HostTarget, RedisTarget, WebTarget
from clo_ops.rules.baselines import listed
from demo import mornings
from demo.stack.redis import Redis

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
POLICY = load_policy(mode="demo")
NOWHERE = WebTarget("http://127.0.0.1:1", connect_timeout=1.0)
LOCAL = HostTarget("app1", "local")


@pytest.fixture
def cache(tmp_path_factory):
    with Redis(tmp_path_factory.mktemp("redis")) as redis:
        yield RedisTarget("127.0.0.1", redis.port, password=redis.password)


def everyone(postgres, redis, endpoints=()):
    return Everyone(postgres, redis, NOWHERE, [(LOCAL, ["/"])], endpoints, "clo-ops-probe")


def families(answer):
    return {one.name.partition(".")[0] for one in answer.measurements}


def test_everybody_who_is_there_is_measured_in_the_policys_units(app, target, cache):
    answer = measure(everyone(target, cache), POLICY.baseline, at=AT)
    assert not answer.unanswered
    assert families(answer) == {"system", "postgresql", "redis", "clo"}
    assert answer.first("postgresql.database.size", database="clo").value > 1e6
    assert {one.labels["state"] for one in answer.select("postgresql.connection.count")} == {"active"}
    assert 0 <= answer.value("system.filesystem.utilization", host="app1", mount="/") <= 100
    kept = listed(answer.measurements, POLICY.baseline)
    assert {one.name for one in kept} <= set(POLICY.baseline.names())
    assert answer.value("clo.calculation.completed") == 0  # why there is no duration
    assert "clo.calculation.completed" not in {one.name for one in kept}


def test_a_dead_database_hides_nothing_else(nobody, cache):
    answer = measure(everyone(nobody, cache), POLICY.baseline, at=AT)
    assert families(answer) == {"system", "redis"}
    assert {"connections", "database sizes", "cache hit ratio", "login statistics"} <= {
        one.question for one in answer.unanswered
    }


def test_a_dead_cache_hides_nothing_else(app, target):
    answer = measure(everyone(target, RedisTarget("127.0.0.1", 1, timeout=1.0)), POLICY.baseline, at=AT)
    assert families(answer) == {"system", "postgresql", "clo"}
    assert len(answer.unanswered) == 1


def test_a_cache_nobody_read_from_has_no_ratio_and_says_so(nobody, cache):
    answer = measure(everyone(nobody, cache), POLICY.baseline, at=AT)
    assert answer.first("redis.cache.hit_ratio") is None
    assert answer.value("redis.cache.reads") == 0
    with redis.Redis(port=cache.port, password=cache.password) as client:
        client.get("anything")
    again = measure(everyone(nobody, cache), POLICY.baseline, at=AT)
    assert again.value("redis.cache.hit_ratio") == 0
    assert again.value("redis.cache.reads") != 0


def test_a_dead_api_has_no_duration_and_hides_nothing_else(app, target, cache):
    answer = measure(everyone(target, cache, POLICY.endpoints), POLICY.baseline, at=AT)
    assert not list(answer.select("http.client.request.duration"))
    asked = [one for one in POLICY.endpoints if not one.authenticated]
    assert [one.question for one in answer.unanswered] == [f"duration of endpoint {one.name}" for one in asked]
    assert all("refused" in one.reason for one in answer.unanswered)
    assert families(answer) == {"system", "postgresql", "redis", "clo"}


def test_the_policys_connections_lead_to_everybody(app, target, cache):
    class Reach:
        postgres, redis, api, prometheus = target, cache, NOWHERE, None
        account = Account("clo-ops-probe", "secret")

        def host(self, name, conn_id):
            assert conn_id == "clo_host_app1"
            return HostTarget(name, "local")

        def of_endpoints(self, policy):
            return {}

    answer = baseline(POLICY, Reach(), at=AT)
    assert answer.value("system.cpu.utilization", host="app1") is not None
    assert answer.value("clo.login.count") == 0


def test_only_what_is_listed_is_asked(nobody, cache):
    only_redis = POLICY.baseline.model_copy(
        update={"metrics": tuple(one for one in POLICY.baseline.metrics if one.metric == "redis.memory.used")}
    )
    answer = measure(everyone(nobody, cache), only_redis, at=AT)
    assert not answer.unanswered
    assert {one.name for one in answer.measurements} <= {"redis.memory.used", "redis.cache.reads"}


def test_the_demo_measures_itself_through_its_connections_without_airflow(app, target, cache):
    connections = {
        "clo_postgres": {"host": target.host, "port": target.port, "login": target.user, "schema": "clo"}
        | {"conn_type": "postgres", "password": target.password},
        "clo_redis": {"conn_type": "redis", "host": cache.host, "port": cache.port, "password": cache.password},
        "clo_api": {"conn_type": "http", "host": "http://127.0.0.1:1", "login": "clo-ops-probe", "password": "secret"},
        "clo_host_app1": {"conn_type": "generic", "extra": '{"transport": "local"}'},
    }
    answer = mornings.measure(connections, at=AT)
    assert families(answer) == {"system", "postgresql", "redis", "clo"}
    assert {one.name for one in answer.measurements} <= set(POLICY.baseline.names())
