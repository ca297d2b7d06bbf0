"""The same without Docker: clusters and processes of this machine, and replication as a server without any is seen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import psutil
import pytest

from clo_ops.actions.drill import application, failover
from clo_ops.actions.drill.place import Place
from clo_ops.findings import Answer, Status
from clo_ops.policy import Policy
from clo_ops.probes.postgres import connect, rows
from clo_ops.probes.replication import replication
from clo_ops.rules import application as application_rules
from clo_ops.rules import failover as failover_rules
from clo_ops.rules import replication as replication_rules
from tests.integration.drill_failover.conftest import Source, restored

AT = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture(scope="module")
def alone(opened: Callable[..., Place], source: Source, policy: Policy) -> tuple[Place, Answer]:
    """A restored place, and what its replication looked like before there was any."""
    place = restored(opened(source.backup, "local"), source.backup)
    return place, replication(place.primary().target)


@pytest.fixture(scope="module")
def built(alone: tuple[Place, Answer], policy: Policy) -> Iterator[tuple[Place, Answer]]:
    place, _ = alone
    yield place, failover.build(place, policy.recovery.failover)


def replicating(answer: Answer, policy: Policy) -> dict[str, Status]:
    return {one.name: one.status for one in replication_rules.judge(answer, policy.recovery.replication, at=AT)}


def test_a_server_without_standby_is_not_applicable_unless_one_is_named(alone, policy):
    assert replicating(alone[1], policy) == {"replication configured": Status.NOT_APPLICABLE}
    named = policy.recovery.replication.model_copy(update={"standbys": ("clo-standby",)})
    (finding,) = replication_rules.judge(alone[1], named, at=AT)
    assert finding.status is Status.FAIL
    assert "clo-standby" in finding.message


def test_a_standby_is_seen_from_both_sides(built, policy):
    place, _ = built
    # The primary knows how far a standby is once that one has said so for the first time.
    for _ in range(100):
        here, there = replication(place.primary().target), replication(place.standby().target)
        if Status.UNKNOWN not in replicating(here, policy).values():
            break
        time.sleep(0.1)
    assert set(replicating(here, policy).values()) == {Status.PASS}
    assert set(replicating(there, policy).values()) == {Status.PASS}
    assert there.value("replication.streaming", standby="this server") == 1


def test_who_may_not_look_or_cannot_be_reached_is_unknown(built, policy):
    place, _ = built
    with_no_privilege = replace(place.primary().target, user="clo_app", password=application_password(place))
    blind = replication(with_no_privilege)
    assert "GRANT pg_monitor" in blind.unanswered[0].reason
    nobody = replication(replace(place.primary().target, port=1))
    assert replicating(blind + nobody, policy)
    assert set(replicating(blind + nobody, policy).values()) == {Status.UNKNOWN}


def application_password(place: Place) -> str:
    from clo_ops.actions.drill.application_parts import give_password

    return give_password(place.primary().target, "clo_app")


def test_nothing_is_written_to_a_server_with_productions_identity(built, source, policy):
    place, _ = built
    with connect(place.primary().target) as connection:
        (identity,) = rows(connection, "server_identity")
    known = replace(place.backup, manifest={"system_identifier": identity["system_identifier"]})
    mistaken = replace(place, backup=known)
    answer = failover.build(mistaken, policy.recovery.failover)
    assert answer.value("failover.standby.built") == 0
    used = application.check(mistaken, mistaken.primary(), policy)
    assert used.value("application.started") == 0
    for one in (answer.first("failover.standby.built"), used.first("application.started")):
        assert identity["system_identifier"] in one.detail


def test_the_drill_goes_the_same_way_and_says_that_isolation_is_weaker(built, source, policy):
    place, answer = built
    answer += failover.activate(place, policy.recovery.failover)
    figures = policy.recovery.failover
    judged = failover_rules.judge_activation(answer, figures, at=AT)
    judged += failover_rules.judge_synchronisation(answer, figures, at=AT)
    assert {one.status for one in judged} == {Status.PASS}, judged
    used = application.check(place, place.standby(), policy)
    found = {one.name: one for one in application_rules.judge(used, policy.recovery.application, at=AT)}
    assert found.pop("application isolated").status is Status.WARN
    assert {one.status for one in found.values()} == {Status.PASS}, found


def test_a_part_for_containers_only_is_unknown_and_removal_ends_the_processes(built, source, policy):
    place, _ = built
    running = [process for process in psutil.process_iter(["environ"]) if in_place(process, place)]
    assert running
    place.remove()
    assert not [process for process in running if alive(process)]
    parts = (policy.recovery.application.parts[0].model_copy(update={"local": False}),)
    changed = policy.recovery.application.model_copy(update={"parts": parts})
    other = replace(place, recovery=place.recovery.model_copy(update={"application": changed}))
    answer = application.check(other, place.standby, policy)
    statuses = {one.status for one in application_rules.judge(answer, changed, at=AT)}
    assert statuses == {Status.WARN, Status.UNKNOWN}


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def in_place(process: psutil.Process, place: Place) -> bool:
    return str(place.directory) in ((process.info["environ"] or {}).get("CLO_STATE_DIR", ""))
