"""PostgreSQL's image, locally made or real: the behaviour CLO Ops relies on, as the drill and compose start it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from secrets import token_hex

import pytest

from demo.stack import engine, images

IMAGE = "postgres:15"
HARDENED = (
    *("--network=none", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--read-only", "--user=999:999"),
    *("--tmpfs=/var/lib/postgresql/data:uid=999,gid=999,mode=0700", "--tmpfs=/run/postgresql:uid=999,gid=999"),
    *("--tmpfs=/tmp", "--init", "--pids-limit=100"),
)


def docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def image() -> str:
    reason = engine.ensure()
    if reason and not os.environ.get("CI"):
        pytest.skip(reason)
    return images.ensure(IMAGE)


@pytest.fixture
def start(image) -> Iterator[Callable[..., str]]:
    names: list[str] = []

    def run(*options: str, command: tuple[str, ...] = ()) -> str:
        names.append(f"clo-ops-test-{token_hex(4)}")
        done = docker("run", "-d", f"--name={names[-1]}", *options, image, *command)
        assert done.returncode == 0, done.stderr
        return names[-1]

    yield run
    for name in names:
        docker("rm", "-fv", name)


def wait_ready(name: str) -> None:
    deadline = time.monotonic() + 60
    while docker("exec", name, "pg_isready", "-q", "-h", "127.0.0.1").returncode:
        state = json.loads(docker("inspect", "-f", "{{json .State}}", name).stdout)
        assert state["Running"], docker("logs", name).stderr
        assert time.monotonic() < deadline, docker("logs", name).stderr
        time.sleep(0.2)


def ask(name: str, statement: str, *options: str) -> str:
    done = docker("exec", name, "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", *options, "-c", statement)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_it_runs_hardened_with_everything_it_is_told(start, tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "1.sql").write_text("CREATE TABLE seeded AS SELECT 7 AS x;")
    (tmp_path / "2.sh").write_text('psql -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c "INSERT INTO seeded VALUES (8)"\n')
    told = ("-e", "POSTGRES_PASSWORD=a b'c", "-e", "POSTGRES_USER=keeper", "-e", "POSTGRES_DB=Clo Copy")
    mount = f"--volume={tmp_path}:/docker-entrypoint-initdb.d:ro"
    name = start(*HARDENED, *told, mount, command=("postgres", "-c", "fsync=off"))
    wait_ready(name)
    there = ("-U", "keeper", "-d", "Clo Copy")
    assert ask(name, "SELECT string_agg(x::text, ',' ORDER BY x) FROM seeded", *there) == "7,8"
    assert ask(name, "SHOW fsync", *there) == "off"
    assert ask(name, "SHOW listen_addresses", *there) == "*"
    for extension in ("amcheck", "pg_stat_statements", "pgstattuple"):
        ask(name, f"CREATE EXTENSION {extension}", *there)
    assert ask(name, "SELECT datcollate FROM pg_database WHERE datname = 'Clo Copy'", *there).startswith("en_US.")


def test_as_root_it_gives_up_its_rights_and_keeps_its_data(start):
    name = start("-e", "POSTGRES_PASSWORD=secret")
    wait_ready(name)
    status = docker("exec", name, "cat", "/proc/1/status").stdout
    assert "Uid:\t999\t999\t999\t999" in status
    ask(name, "CREATE TABLE kept ()", "-U", "postgres")
    docker("restart", name)
    wait_ready(name)
    assert ask(name, "SELECT count(*) FROM kept", "-U", "postgres") == "0"


def test_a_wrong_password_is_refused_over_the_network(start):
    name = start("-e", "POSTGRES_PASSWORD=secret")
    wait_ready(name)
    address = docker("inspect", "-f", "{{.NetworkSettings.IPAddress}}", name).stdout.strip()
    for password, code in (("secret", 0), ("wrong", 2)):
        done = docker("exec", "-e", f"PGPASSWORD={password}", name, "psql", "-h", address, "-U", "postgres", "-c", "")
        assert done.returncode == code, done.stderr


def test_without_a_password_it_does_not_start(image):
    done = docker("run", "--rm", image)
    assert done.returncode != 0
    assert "POSTGRES_PASSWORD" in done.stderr


def test_a_stop_is_a_fast_shutdown(start):
    """SIGTERM would wait for the client; SIGINT sends it home."""
    name = start("-e", "POSTGRES_PASSWORD=secret")
    wait_ready(name)
    client = subprocess.Popen(
        ["docker", "exec", name, "psql", "-U", "postgres", "-c", "SELECT pg_sleep(600)"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 30
    while (
        ask(name, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'", "-U", "postgres") == "0"
    ):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    docker("stop", "-t", "60", name)
    client.wait(timeout=30)
    said = docker("logs", name)
    assert "received fast shutdown request" in said.stdout + said.stderr
    assert "database system is shut down" in said.stdout + said.stderr


def test_an_image_that_is_there_is_kept_until_its_recipe_changes(image, monkeypatch):
    built: list[str] = []
    monkeypatch.setattr(images, "build", lambda name, say: built.append(name))
    images.ensure(IMAGE)
    assert built == []
    labelled = docker("image", "inspect", "-f", f'{{{{index .Config.Labels "{images.LABEL}"}}}}', IMAGE).stdout.strip()
    monkeypatch.setattr(images, "BASE", (*images.BASE, "tini"))
    images.ensure(IMAGE)
    assert built == ([IMAGE] if labelled else []), "a real image has no recipe of ours"


def test_what_nobody_can_make_is_said_so(image, monkeypatch):
    monkeypatch.setattr(images, "_registry_answers", lambda: False)
    with pytest.raises(images.NoImage, match=r"there is no recipe for it"):
        images.ensure("clo-ops-test/none:1")
