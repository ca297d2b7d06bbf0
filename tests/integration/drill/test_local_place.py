"""A drill without a Docker engine: the same steps in a throw-away cluster, and its weaker isolation said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from clo_ops.actions.drill import guard
from clo_ops.actions.drill.parity import parity
from clo_ops.actions.drill.place import PlaceFailed, PlaceGone
from clo_ops.actions.drill.restore import analyze, restore
from clo_ops.actions.drill.roles import restore_roles
from clo_ops.policy import DrillSpec
from clo_ops.probes.postgres import connect
from clo_ops.rules import guard as guard_rules
from clo_ops.rules import restore as restore_rules
from tests.integration.drill.conftest import changed


@pytest.fixture(scope="module")
def place(site):
    made = site.open("local", place="local", parts=["restore", "failover"])
    made.start()
    return made


def test_it_is_never_chosen_silently(policy):
    assert DrillSpec.of(policy.recovery).place == "docker"
    assert policy.recovery.drill.place == "docker"


def test_it_says_what_is_weaker(place):
    assert place.kind == "local"
    assert place.isolation.startswith("Isolation was weaker than in Docker")


def test_it_is_guarded_restored_and_compared_as_in_docker(place, backup, policy, production, judged):
    server, terms = place.primary(), policy.recovery.restore
    findings = guard_rules.judge_proofs(guard.proofs(place, backup, [production]), kind="local")
    assert not guard_rules.refused(findings)
    assert not guard_rules.refused(guard_rules.judge_parity(parity(server, backup)))
    answer = restore_roles(server, backup) + restore(place, backup, terms, timeout=100)
    answer += analyze(server, backup, terms, timeout=100)
    assert set(judged(restore_rules.judge(answer)).values()) == {"pass"}


def test_production_on_this_machine_is_told_by_port_and_identifier(place, backup, judged):
    itself = replace(place.primary().target, database="postgres")
    said = judged(guard_rules.judge_proofs(guard.proofs(place, backup, [itself]), kind="local"))
    assert said[("target is not production", "address")] == "fail"
    assert said[("target is not production", "system_identifier")] == "fail"


def test_only_loopback_and_only_with_its_password(place):
    server = place.primary()
    with connect(replace(server.target, database="postgres")) as session:
        settings = {row["name"]: row["setting"] for row in session.execute("select name, setting from pg_settings")}
    assert settings["listen_addresses"] == "127.0.0.1"
    assert settings["unix_socket_directories"].startswith(str(place.directory))
    assert oct(place.directory.stat().st_mode)[-3:] == "700"
    with pytest.raises(Exception, match="authentication refused"), connect(replace(server.target, password="guessed")):
        pass


def test_a_standby_is_cloned_and_streams_and_the_cut_is_at_an_instant(place):
    standby = place.clone()
    with connect(replace(standby.target, database="postgres")) as session:
        assert session.execute("select pg_is_in_recovery() as so").fetchone()["so"]
    place.primary().kill()
    assert place.primary().run("pg_isready", "-t", "1", timeout=10).exit_code == 2
    assert standby.run("pg_ctl", "promote", "-D", str(standby.data), timeout=30).exit_code == 0


def test_a_start_that_fails_leaves_nothing(site, policy):
    settings = policy.recovery.settings.model_copy(update={"values": {"shared_buffers": "plenty"}})
    terms = policy.recovery.drill.model_copy(update={"ready_within": policy.recovery.drill.ready_within / 30})
    broken = site.open("local broken", place="local", policy=changed(policy, settings=settings, drill=terms))
    with pytest.raises(PlaceFailed, match="plenty"):
        broken.start()
    assert not broken.directory.exists()


def test_it_goes_without_a_trace(place):
    (removed,) = place.remove()
    assert removed == f"cluster {place.directory}"
    assert not Path(place.directory).exists()
    assert place.remove() == []
    with pytest.raises(PlaceGone):
        place.primary()
