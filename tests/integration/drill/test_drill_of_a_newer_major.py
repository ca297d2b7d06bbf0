"""A server of another major version than this machine's: its zstd backup is taken, read whole and restored (D21).

Its image takes minutes to make where no registry answers, so this runs where it is there already, or is asked for with
CLO_OPS_TEST_MAJOR=17.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clo_ops.actions.backups.take import take
from clo_ops.actions.drill import guard, restore, roles
from clo_ops.actions.drill.parity import parity
from clo_ops.actions.drill.place import ChosenBackup
from clo_ops.probes import contents
from clo_ops.probes.backup_verification import verify
from clo_ops.probes.pg_programs import VARIABLE, program
from clo_ops.probes.targets import BackupRepository, PostgresTarget
from clo_ops.rules import guard as guard_rules
from clo_ops.rules import restore as restore_rules
from clo_ops.rules import verification as verification_rules
from demo.stack import images

MAJOR = int(os.environ.get("CLO_OPS_TEST_MAJOR", "17"))
IMAGE, SECRET = f"postgres:{MAJOR}", "only-for-this-test"
SQL = """
create role clo_reader; create table deal (id bigint generated always as identity primary key, name text not null);
insert into deal (name) select md5(i::text) from generate_series(1, 50000) i; grant select on deal to clo_reader;
create table public.backup_canary (canary_id bigint generated always as identity primary key,
    nonce text not null, planted_at timestamptz not null default now());
"""
# With the libraries it came with: they may be newer than this machine's.
TOOL = """#!/bin/sh
exec {root}/{loader} --library-path {root}/usr/lib/{triplet}:{root}/usr/lib/postgresql/{major}/lib \\
    {root}/usr/lib/postgresql/{major}/bin/{name} "$@"
"""


def docker(*arguments: str, **more) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True, **more).stdout.strip()


@pytest.fixture(scope="module")
def newer():
    there = subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True, check=False).returncode == 0
    if not there and "CLO_OPS_TEST_MAJOR" not in os.environ:
        pytest.skip(f"the image {IMAGE} is not here; CLO_OPS_TEST_MAJOR={MAJOR} has it made")
    return images.ensure(IMAGE, say=lambda _: None)


@pytest.fixture(scope="module")
def tools(newer, tmp_path_factory):
    """Its own client programs, run here with the libraries they come with."""
    root, folder = tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("bin")
    made = docker("create", newer)
    try:
        script = f"docker export {made} | tar -x -C {root} usr/lib usr/lib64"
        subprocess.run(["sh", "-c", script], check=True, capture_output=True)
    finally:
        docker("rm", made)
    (loader,) = [*root.glob("usr/lib64/ld-linux*"), *root.glob("usr/lib/ld-linux*")]
    (libc,) = root.glob("usr/lib/*/libc.so.6")
    where = {"root": root, "loader": loader.relative_to(root), "triplet": libc.parent.name, "major": MAJOR}
    for name in ("pg_dump", "pg_restore"):
        (folder / name).write_text(TOOL.format(name=name, **where))
        (folder / name).chmod(0o755)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(VARIABLE, str(folder))
        yield folder


@pytest.fixture(scope="module")
def newer_server(newer):
    """A server of that version with something in it."""
    name = docker("run", "-d", "-e", f"POSTGRES_PASSWORD={SECRET}", "-e", "POSTGRES_DB=clo", newer)
    try:
        address = docker("inspect", "-f", "{{.NetworkSettings.IPAddress}}", name)
        ready = "until pg_isready -qh 127.0.0.1 -d clo; do sleep 0.2; done"
        docker("exec", name, "sh", "-c", ready, timeout=60)
        docker("exec", "-i", "-u", "postgres", name, "psql", "-qd", "clo", "-v", "ON_ERROR_STOP=1", input=SQL)
        yield PostgresTarget(address, 5432, "clo", "postgres", SECRET)
    finally:
        docker("rm", "-fv", name)


@pytest.fixture(scope="module", params=["custom", "directory"])
def repository(request, tools, newer_server, policy, tmp_path_factory):
    assert program("pg_dump", MAJOR).path.parent == tools
    folder = tmp_path_factory.mktemp(f"newer-{request.param}")
    taking = policy.recovery.taking.model_copy(update={"invariants": False, "format": request.param})
    facts = take(newer_server, BackupRepository(folder.as_uri()), taking)
    return folder, facts


def test_it_is_compressed_with_zstd_and_read_whole(repository, policy):
    folder, facts = repository
    assert facts["compression"].startswith("zstd")
    found = verify(
        BackupRepository(folder.as_uri()), policy.recovery.verification, policy.backups, {}, at=datetime.now(UTC)
    )
    assert found.answer.value("backup.depth") == 2
    assert not found.answer.unanswered


def test_a_flipped_bit_in_it_is_found(repository, policy, tmp_path):
    folder, facts = repository
    subprocess.run(["cp", "-a", f"{folder}/.", tmp_path], check=True)
    path = tmp_path / facts["path"]
    path = max(path.iterdir(), key=lambda one: one.stat().st_size) if path.is_dir() else path
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    found = verify(
        BackupRepository(Path(tmp_path).as_uri()),
        policy.recovery.verification,
        policy.backups,
        {},
        at=datetime.now(UTC),
    )
    findings = verification_rules.judge(found.answer, policy.recovery.verification, at=datetime.now(UTC))
    assert "backup's bytes changed" in {one.name for one in findings if one.status.value == "fail"}


def test_it_is_restored_into_a_server_of_its_own_version_and_is_equal(repository, newer_server, site, policy, judged):
    folder, facts = repository
    size = sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())
    chosen = ChosenBackup(
        BackupRepository(folder.as_uri()), facts["path"], "clo", MAJOR, facts["format"], size,
        int(facts["database_bytes"]), manifest=facts,
    )  # fmt: skip
    place = site.open(f"newer {facts['format']}", backup=chosen)
    try:
        server = place.start()
        assert not guard_rules.refused(guard_rules.judge_proofs(guard.proofs(place, chosen, [newer_server])))
        assert not guard_rules.refused(guard_rules.judge_parity(parity(server, chosen)))
        answer = roles.restore_roles(server, chosen)
        answer += restore.restore(place, chosen, policy.recovery.restore, timeout=100)
        answer += restore.analyze(server, chosen, policy.recovery.restore, timeout=100)
        assert set(judged(restore_rules.judge(answer)).values()) == {"pass"}
        found, answer = contents.ask(replace(server.target, database="clo"))
        assert not answer.unanswered
        assert found.as_manifest()["tables"] == facts["tables"]
        assert found.as_manifest()["schema_fingerprint"] == facts["schema_fingerprint"]
    finally:
        place.remove()
