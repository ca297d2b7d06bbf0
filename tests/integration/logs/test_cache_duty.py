"""The cache from the look to the receipt: shown by day, carried out where somebody let it, refused on a replica."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis as redis_py

from clo_ops.findings import Status
from clo_ops.findings.plans import Plan
from clo_ops.orchestration import cache
from clo_ops.orchestration.recording import carry_out
from clo_ops.orchestration.run import Run
from tests.integration.logs.conftest import Site


@pytest.fixture
def keys(site: Site) -> Iterator[redis_py.Redis]:
    with redis_py.Redis.from_url(site.redis.url(), decode_responses=True) as client:
        client.flushall()
        client.mset({f"expired:{number}": "x" * 100 for number in range(1_200)})
        client.mset({f"session:{number}": "x" for number in range(10)})
        yield client


def plan_of(site: Site, run: Run) -> Plan:
    (row,) = site.ledger.plans_of(run.ledger_run)
    return Plan(row.kind, row.system, tuple(one.step for one in row.steps))


def test_shown_then_let_through_then_done_with_a_receipt(site: Site, keys: redis_py.Redis) -> None:
    run = site.run()
    shown = carry_out(run, ["WM-04"], cache.expired_entries)
    assert keys.dbsize() == 1_210
    assert Status.NOT_APPLICABLE in {one.status for one in shown}
    assert not [one for one in shown if one.status in (Status.FAIL, Status.UNKNOWN)]
    emergency = site.emergency(plan_of(site, run))
    done = carry_out(emergency, ["WM-04"], cache.expired_entries)
    assert not [one for one in done if one.status in (Status.FAIL, Status.UNKNOWN)], done
    assert keys.dbsize() == 10
    (step,) = site.ledger.plans_of(emergency.ledger_run)[-1].steps
    assert step.effect is not None
    assert step.effect.after["keys"] == 1_200
    assert int(step.effect.after["bytes"]) > 1_200 * 100
    again = carry_out(site.run(), ["WM-04"], cache.expired_entries)
    assert "no keys like expired:*" in next(one.message for one in again if one.name == "keys that may go")


def test_memory_is_told_and_evictions_since_the_last_look(site: Site, keys: redis_py.Redis) -> None:
    first = carry_out(site.run(), ["WM-05"], cache.cache_memory)
    assert {one.name for one in first} >= {"memory", "evictions", "hit rate", "memory given back"}
    second = carry_out(site.run(), ["WM-05"], cache.cache_memory)
    assert "since the last look" in next(one.message for one in second if one.name == "evictions")


@pytest.mark.parametrize("procedure", ["WM-04", "WM-05"])
def test_on_a_replica_nothing_is_done(site: Site, keys: redis_py.Redis, procedure: str) -> None:
    work = {"WM-04": cache.expired_entries, "WM-05": cache.cache_memory}[procedure]
    keys.replicaof("127.0.0.1", 1)
    try:
        (finding,) = carry_out(site.run(), [procedure], work)
    finally:
        keys.replicaof("NO", "ONE")
    assert finding.status is Status.WARN
    assert keys.dbsize() == 1_210
