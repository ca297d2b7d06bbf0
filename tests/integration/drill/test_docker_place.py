"""M3-01, M3-02 in a real container: what it may do, what it is reached by, what a restore into it says."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from clo_ops.actions.drill.parity import parity
from clo_ops.actions.drill.place import PlaceFailed, PlaceGone
from clo_ops.actions.drill.restore import analyze, restore
from clo_ops.actions.drill.roles import restore_roles
from clo_ops.probes.contents import ask
from clo_ops.probes.postgres import connect, rows
from clo_ops.rules import guard as guard_rules
from clo_ops.rules import restore as restore_rules
from tests.integration.drill.conftest import DAG, changed


@pytest.fixture(scope="module")
def place(site):
    made = site.open("place")
    made.start()
    return made


@pytest.fixture(scope="module")
def server(place):
    return place.primary()


def test_the_container_can_do_nothing_it_does_not_need(place, server, engine):
    host = server.facts["HostConfig"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["ReadonlyRootfs"]
    assert host["Init"]
    assert host["PidsLimit"] == 256
    assert host["NanoCpus"] == 2_000_000_000
    assert host["ShmSize"] == 1024**3
    assert 2 * 1024**3 < host["Memory"] == host["MemorySwap"] < 4 * 1024**3
    assert not host["PortBindings"] and not host["Privileged"] and host["RestartPolicy"]["Name"] == "no"
    assert server.facts["Config"]["User"] == "999:999"
    assert list(server.facts["NetworkSettings"]["Networks"]) == [place.network]
    assert engine.client.inspect_network(place.network)["Internal"]
    assert server.run("sh", "-c", "echo x >/x", timeout=10).exit_code != 0
    status = server.run("cat", "/proc/1/status", timeout=10).stdout
    assert "CapEff:\t0000000000000000" in status and "NoNewPrivs:\t1" in status


def test_no_volume_without_our_labels_is_made_for_it(server):
    assert {mount["Type"] for mount in server.facts["Mounts"]} <= {"bind", "tmpfs"}


def test_the_password_is_this_runs_own_and_in_no_label(server, site):
    assert len(server.password) >= 24
    assert server.password not in json.dumps(dict(server.labels))
    assert server.password not in repr(server.target) + str(server.target)
    assert server.labels["clo_ops.dag"] == DAG
    with pytest.raises(Exception, match="authentication refused"), connect(replace(server.target, password="guessed")):
        pass


FIND_AGAIN = """
import sys
from clo_ops.actions.drill.place import ChosenBackup, open_place
from clo_ops.policy import DrillSpec, load_policy
from clo_ops.probes.targets import BackupRepository
policy = load_policy(mode="demo")
backup = ChosenBackup(BackupRepository(sys.argv[3]), sys.argv[4], "clo", int(sys.argv[5]))
spec = DrillSpec.of(policy.recovery, parts=["restore"])
place = open_place(spec, policy, backup, dag_id=sys.argv[1], run_id=sys.argv[2])
print(place.primary().run("psql", "-Atc", "select 6 * 7", timeout=10).stdout.strip(), place.primary().target.host)
"""


def test_another_process_finds_it_by_its_labels(server, backup):
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-c",
        FIND_AGAIN,
        DAG,
        "place",
        backup.repository.url,
        backup.name,
        str(backup.major),
    ]
    root = Path(__file__).resolve().parents[3]
    environment = {"PYTHONPATH": str(root / "plugins"), "PATH": "/usr/bin:/bin", "HOME": "/tmp"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, env=environment, check=True)
    assert done.stdout.split()[-2:] == ["42", server.address]


def test_programs_end_with_their_own_code_and_their_outputs_apart(server):
    done = server.run("sh", "-c", "echo out; echo err >&2; exit 7", timeout=10)
    assert (done.exit_code, done.stdout, done.stderr) == (7, "out\n", "err\n")
    assert server.run("psql", "-At", timeout=10, stdin=b"select 1;\nselect 2;\n").stdout == "1\n2\n"
    large = b"x" * 3_000_000
    assert server.run("sh", "-c", "cat | wc -c", timeout=20, stdin=large).stdout.strip() == "3000000"
    assert server.run("sh", "-c", "cat", timeout=10, stdin=b"").stdout == ""


def test_a_program_that_takes_too_long_is_ended_where_it_runs(server):
    done = server.run("sleep", "97", timeout=0.5)
    assert done.exit_code == 124
    left = server.run("sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '", timeout=10).stdout
    assert "sleep 97" not in left


def test_the_backup_is_there_and_cannot_be_written_to(place, server, backup):
    path = place.backup_path(backup.name)
    assert server.run("pg_restore", "-l", path, timeout=20).exit_code == 0
    assert server.run("sh", "-c", f"echo x >>{path}", timeout=10).exit_code != 0


def test_nothing_outside_can_be_reached_from_inside(place, server, engine, source):
    gateway = engine.client.inspect_network(place.network)["IPAM"]["Config"][0]["Gateway"]
    assert server.run("pg_isready", "-h", gateway, "-p", str(source.port), "-t", "2", timeout=15).exit_code == 2
    assert server.run("pg_isready", "-h", "192.0.2.1", "-t", "1", timeout=15).exit_code == 2


def test_a_backup_is_restored_with_its_owners_and_equals_its_manifest(place, server, backup, policy, judged):
    terms = policy.recovery.restore
    answer = restore_roles(server, backup) + restore_roles(server, backup)
    answer += restore(place, backup, terms, timeout=100) + analyze(server, backup, terms, timeout=100)
    assert set(judged(restore_rules.judge(answer)).values()) == {"pass"}
    assert {one.labels["phase"] for one in answer.select("drill.phase.duration")} == {"roles", "restore", "analyze"}
    assert answer.value("drill.database.size") > 4_000_000
    found, _ = ask(server.target)
    assert found.as_manifest()["tables"] == backup.manifest["tables"]
    with connect(server.target) as session:
        owner = session.execute("select tableowner from pg_tables where tablename = 'deal'").fetchone()
        assert owner == {"tableowner": "clo_owner"}
        assert not session.execute("select rolcanlogin as can from pg_roles where rolname = 'clo_owner'").fetchone()[
            "can"
        ]

    again = restore_rules.judge(restore(place, backup, terms, timeout=100))
    assert judged(again) == {("restore into an empty database", ""): "fail"}


def test_without_roles_it_is_restored_and_said(place, server, site, policy, judged):
    without = site.manifest(roles=[])
    answer = restore_roles(server, without)
    answer += restore(place, without, policy.recovery.restore, timeout=100, database="without_roles")
    said = judged(restore_rules.judge(answer))
    assert said.pop(("roles restored", "")) == "warn"
    assert set(said.values()) == {"pass"}


def test_it_refuses_to_write_where_the_backup_came_from(place, server, site, policy):
    with connect(replace(server.target, database="postgres")) as session:
        own = rows(session, "server_identity")[0]["system_identifier"]
    with pytest.raises(PlaceFailed, match="which is that of the backup's source"):
        restore(place, site.manifest(system_identifier=own), policy.recovery.restore, timeout=10, database="never")


PARITIES = [
    ({"extensions": {"no_such_thing": "1.0"}}, "extension no_such_thing", "fail"),
    ({"extensions": {"plpgsql": "9.9"}}, "extension version plpgsql", "warn"),
    ({"collation": {"encoding": "UTF8", "collate": "xx_XX.UTF-8", "provider": "c"}}, "locale", "warn"),
    ({"collation": {"encoding": "UTF8", "collate": "C", "provider": "?"}}, "provider", "fail"),
    ({"server_version": "{major}.999"}, "minor version", "warn"),
    (
        {"collation": {"provider": "i", "collate": "C", "locale": "en-US", "collation_version": "1.0"}},
        "collation version",
        "warn",
    ),
]


@pytest.mark.parametrize("case", PARITIES, ids=lambda case: case[1])
def test_parity_refuses_what_cannot_work_and_warns_of_what_may_differ(server, site, judged, case):
    other, subject, status = case
    if "server_version" in other:
        other = {"server_version": other["server_version"].format(major=site.backup.major)}
    findings = guard_rules.judge_parity(parity(server, site.manifest(**other)))
    assert judged(findings)[("parity with the source", subject)] == status
    assert guard_rules.refused(findings) is (status == "fail")


def test_an_older_server_than_the_backups_is_refused(server, backup, judged):
    findings = guard_rules.judge_parity(parity(server, replace(backup, major=backup.major + 1)))
    assert judged(findings)[("parity with the source", "major version")] == "fail"


def test_on_a_volume_and_from_elsewhere_wrapped_in_gzip(site, backup, engine, judged, tmp_path_factory):
    policy, folder = (
        site.policy,
        tmp_path_factory.mktemp("closed"),
    )  # root's alone, or ours: the container's account cannot enter
    original = Path(backup.repository.url.removeprefix("file://")) / backup.name
    (folder / f"{backup.name}.gz").write_bytes(gzip.compress(original.read_bytes(), 1))
    wrapped = replace(
        backup, name=f"{backup.name}.gz", wrapped="gzip", repository=replace(backup.repository, url=folder.as_uri())
    )
    docker = policy.recovery.docker.model_copy(update={"tmpfs_up_to": 0})
    place = site.open("volumes", backup=wrapped, policy=changed(policy, docker=docker))
    place.start()
    volumes = {
        mount["Destination"]: mount["RW"] for mount in place.primary().facts["Mounts"] if mount["Type"] == "volume"
    }
    assert volumes == {"/clo/data": True, "/backup": False}
    answer = restore_roles(place.primary(), wrapped)
    answer += restore(place, wrapped, policy.recovery.restore, timeout=100)
    assert set(judged(restore_rules.judge(answer)).values()) == {"pass"}
    removed = place.remove()
    assert len([name for name in removed if name.startswith("volume")]) == 2
    assert engine.ours(place.drill) == [] and place.remove() == []
    with pytest.raises(PlaceGone):
        place.primary()


def test_a_start_that_fails_says_why_and_leaves_nothing(site, policy, engine):
    settings = policy.recovery.settings.model_copy(update={"values": {"shared_buffers": "plenty"}})
    place = site.open("broken", policy=changed(policy, settings=settings))
    with pytest.raises(PlaceFailed, match="plenty"):
        place.start()
    assert engine.ours(place.drill) == []


def test_without_its_image_it_says_which_and_how_to_get_it(site, backup):
    place = site.open("no image", backup=replace(backup, major=4))
    with pytest.raises(
        PlaceFailed, match=r"no image postgres:4.*docker pull postgres:4.*demo\.stack\.images postgres:4"
    ):
        place.start()


def test_started_again_it_begins_anew(place, server, site):
    """Last of its module: what the tests before restored is gone, and so is the old password."""
    before = server.password
    again = site.open("place")
    again.start()
    assert again.primary().password != before
    deadline = time.monotonic() + 10
    with connect(replace(again.primary().target, database="postgres", connect_timeout=deadline)) as session:
        names = [row["datname"] for row in session.execute("select datname from pg_database")]
    assert "clo" not in names
