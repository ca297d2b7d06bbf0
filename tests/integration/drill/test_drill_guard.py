"""The guard refuses: each thing it looks at, made wrong for real."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from clo_ops.actions.drill import guard
from clo_ops.actions.drill.place import Labels, drill_id
from clo_ops.findings import Status, worst
from clo_ops.probes.postgres import connect
from clo_ops.rules import guard as rules
from tests.integration.drill.conftest import DAG, changed

NOTHING_ELSE, TARGET = "nothing else runs", "target is not production"


@pytest.fixture
def before(site, policy, backup, production, judged):
    def ask(run="guard", used=policy, target=production, **named):
        answer = guard.before(site.open(run, policy=used), used.recovery, backup, target, **named)
        return judged(rules.judge_before(answer, used.recovery.guard))

    return ask


def test_all_is_well_before_anything_starts(before, engine):
    said = {key: status for key, status in before().items() if key != (NOTHING_ELSE, "drill")}
    assert set(said.values()) == {"pass"}
    assert not engine.ours(drill_id(DAG, "guard"))


def test_another_drill_that_runs_stops_it_and_one_that_has_expired_does_not(before, engine):
    for run, hours, expected in (("still running", 1, "fail"), ("long over", -1, None)):
        with left_by(engine, run, hours):
            status = before()[(NOTHING_ELSE, "drill")]
        # Somebody else's drill may be running on this machine: only ours is asserted to stop it.
        assert status == expected or expected is None


@contextmanager
def left_by(engine, run, hours):
    labels = Labels(drill_id(DAG, run), DAG, run, datetime.now(UTC) + timedelta(hours=hours))
    name = engine.client.create_volume(f"clo-ops-test-{labels.drill}", labels=labels.as_dict("data"))["Name"]
    yield labels.drill
    engine.client.remove_volume(name)


@pytest.mark.parametrize("state", ["failed", "running", ""])
def test_what_stands_in_the_way_is_told_with_how_its_run_stands(site, production, engine, state):
    began = datetime.now(UTC) - timedelta(minutes=1)
    with left_by(engine, "left", 1) as drill:
        place, recovery = site.open("guard"), site.policy.recovery
        answer = guard.before(place, recovery, site.backup, production, state_of=lambda dag, run: state)
    told = answer.first("guard.other", drill=drill)
    assert (told.labels["run"], told.labels["state"]) == ("left", state)
    assert began.timestamp() < told.value <= datetime.now(UTC).timestamp()
    assert told.detail == f"volume clo-ops-test-{drill}"


def test_a_backup_of_production_that_runs_stops_it(before, production):
    with connect(replace(production, client_name="pg_dump")):
        assert before()[(NOTHING_ELSE, "backup")] == "fail"
    assert before()[(NOTHING_ELSE, "backup")] == "pass"


def test_our_own_backup_that_runs_stops_it(before, production):
    from clo_ops.probes.postgres import rows

    with connect(production) as session:
        rows(session, "locks/alone", {"work": "clo_ops.backup"})
        assert before()[(NOTHING_ELSE, "backup")] == "fail"


def test_production_that_does_not_answer_is_unknown_and_stops_it(before, production):
    said = before(target=replace(production, port=1))
    assert said[("could not ask: a running backup", "postgresql://postgres@127.0.0.1:1/clo")] == "unknown"


def test_without_the_image_it_is_refused(before, policy):
    docker = policy.recovery.docker.model_copy(update={"image": "no-such-image:{major}"})
    assert before(used=changed(policy, docker=docker))[("image", "")] == "fail"


def test_without_room_it_is_refused(before, policy):
    assert before(largest=10**15)[("room", "memory")] == "fail"
    docker = policy.recovery.docker.model_copy(update={"tmpfs_up_to": 0})
    assert before(used=changed(policy, docker=docker), largest=10**15)[("room", "disk")] == "fail"


@pytest.fixture(scope="module")
def place(site):
    made = site.open("proofs")
    made.start()
    return made


def proofs(place, backup, production, judged):
    findings = rules.judge_proofs(guard.proofs(place, backup, production))
    return {subject: status for (_, subject), status in judged(findings).items()}, findings


def test_a_place_of_ours_is_proven_not_to_be_production(place, backup, production, judged):
    said, findings = proofs(place, backup, [production], judged)
    assert said == dict.fromkeys(rules.PROOFS, "pass")
    assert not rules.refused(findings)


def test_production_at_the_targets_own_address_is_refused(place, backup, production, judged):
    itself = replace(place.primary().target, database="postgres")
    said, findings = proofs(place, backup, [production, itself], judged)
    assert (said["address"], said["system_identifier"]) == ("fail", "fail")
    assert rules.refused(findings)


def test_the_identifier_in_the_manifest_counts_as_production(place, site, production, judged):
    with psycopg.connect(host=place.primary().address, user="postgres", password=place.primary().password) as session:
        (own,) = session.execute("select system_identifier::text from pg_control_system()").fetchone()
    said, _ = proofs(place, site.manifest(system_identifier=own), [production], judged)
    assert said["system_identifier"] == "fail"


def test_nothing_named_as_production_proves_nothing(place, backup, judged):
    said, findings = proofs(place, replace(backup, manifest={}), [], judged)
    assert (said["address"], said["system_identifier"], said["no_way_out"]) == ("fail", "fail", "fail")
    assert worst(findings) is Status.FAIL


def test_a_way_out_of_the_network_is_seen(place, backup, production, engine, judged):
    """The container is joined to an ordinary network: it reaches more than it may."""
    labels = place.labels.as_dict("network")
    name = engine.client.create_network(f"clo-ops-test-{place.drill}", labels=labels)["Id"]
    engine.client.connect_container_to_network(place.primary().container, name)
    try:
        said, _ = proofs(place, backup, [production], judged)
    finally:
        engine.client.disconnect_container_from_network(place.primary().container, name)
        engine.client.remove_network(name)
    assert said["container"] == "fail"


def test_production_that_can_be_reached_from_inside_is_seen(place, backup, production, judged):
    """Another server of the same network stands for a production that is not out of reach."""
    server = place.primary()
    inside = replace(server.target, database="postgres")
    said, _ = proofs(place, backup, [inside], judged)
    assert said["no_way_out"] == "fail"


def test_a_place_that_is_gone_has_proven_nothing(site, backup, production, judged):
    gone = site.open("never started")
    findings = rules.judge_proofs(guard.proofs(gone, backup, [production]))
    assert {one.status for one in findings} == {Status.UNKNOWN}
    assert rules.refused(findings)
