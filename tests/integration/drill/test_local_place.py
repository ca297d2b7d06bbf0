"""A drill without a Docker engine: the same steps in a throw-away cluster, and its weaker isolation said."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clo_ops.actions.drill import guard
from clo_ops.actions.drill.choosing import choose
from clo_ops.actions.drill.local_place import home
from clo_ops.actions.drill.local_server import LocalServer
from clo_ops.actions.drill.parity import parity
from clo_ops.actions.drill.place import PlaceFailed, PlaceGone
from clo_ops.actions.drill.restore import analyze, restore
from clo_ops.actions.drill.roles import restore_roles
from clo_ops.policy import DrillSpec, load_policy
from clo_ops.probes.pg_programs import libpq_environment, program
from clo_ops.probes.postgres import connect
from clo_ops.probes.targets import BackupRepository
from clo_ops.rules import guard as guard_rules
from clo_ops.rules import restore as restore_rules
from demo.stack import servers
from tests.integration.drill.conftest import changed


@pytest.fixture(scope="module")
def place(site):
    made = site.open("local", place="local", parts=["restore", "failover"])
    made.start()
    return made


def test_it_is_never_chosen_silently(policy):
    assert DrillSpec.of(policy.recovery).place == "docker"
    assert policy.recovery.drill.place == "docker"


def test_a_directory_of_another_user_is_none_for_a_drill(site, policy, tmp_path):
    """What its owner could move and read must never hold a restored copy."""
    if os.geteuid() != 0:
        pytest.skip("only root gives a directory to somebody else; the next test has one that cannot be made")
    os.chown(tmp_path, 65534, 65534)
    local = policy.recovery.local.model_copy(update={"directory": str(tmp_path)})
    made = site.open("elsewhere", place="local", policy=changed(policy, local=local))
    with pytest.raises(PlaceFailed, match="belongs to another user"):
        made.start()
    assert not list(tmp_path.iterdir())


def test_a_directory_that_cannot_be_made_is_said_in_a_sentence(site, policy, tmp_path):
    (tmp_path / "file").touch()
    local = policy.recovery.local.model_copy(update={"directory": f"{tmp_path}/file/drills"})
    made = site.open("nowhere", place="local", policy=changed(policy, local=local))
    with pytest.raises(PlaceFailed, match=r"file/drills: Not a directory.*recovery\.yaml"):
        made.start()


def test_each_user_has_drills_of_their_own(policy, tmp_path):
    local = policy.recovery.local.model_copy(update={"directory": f"{tmp_path}/drills-{{uid}}"})
    assert home(changed(policy, local=local).recovery) == tmp_path / f"drills-{os.geteuid()}"
    assert "{uid}" in load_policy(mode="demo").recovery.local.directory


def test_it_says_what_is_weaker(place):
    assert place.kind == "local"
    assert place.isolation.startswith("Isolation was weaker than in Docker")


def test_plain_sql_of_somebody_else_is_restored_with_the_roles_it_names(place, production, policy, judged, tmp_path):
    """As pg_dump writes it by default: with owners and grants, and without anybody who could own."""
    path = tmp_path / "theirs.sql"
    tool = program("pg_dump", servers.postgres(None).major)
    subprocess.run([tool.path, f"--file={path}"], env=libpq_environment(production), check=True, timeout=60)
    plain = choose(BackupRepository(tmp_path.as_uri()), policy.backups, "newest", at=datetime.now(UTC)).backup
    assert (plain.name, plain.format, plain.major) == (path.name, "plain", tool.major)
    answer = restore_roles(place.primary(), plain)
    assert answer.first("restore.roles").detail == "made clo_owner, clo_reader"
    terms = policy.recovery.restore
    answer += restore(place, plain, terms, timeout=100, database="theirs", path=str(path))
    found = restore_rules.judge(answer)
    said = judged(found)
    assert said.pop(("roles restored", "")) == "warn"
    assert set(said.values()) == {"pass"}, [one.message for one in found]


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


def test_a_server_that_works_on_another_directory_is_not_ours(place, backup, production, judged, monkeypatch):
    monkeypatch.setattr(LocalServer, "data", Path("/"))
    said = judged(guard_rules.judge_proofs(guard.proofs(place, backup, [production]), kind="local"))
    assert said[("target is not production", "cluster")] == "fail"


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
