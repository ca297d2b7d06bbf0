"""PostgreSQL and Redis as the demo starts them, from the machine and from the wheels."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from demo.stack import accounts, ports, processes, servers
from demo.stack.postgres import Cluster
from demo.stack.redis import Redis


@pytest.fixture(params=["found", "wheel"])
def choice(request: pytest.FixtureRequest) -> str:
    try:
        servers.postgres(request.param)
        servers.redis(request.param)
    except servers.NoServer as missing:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(missing))
    return str(request.param)


@pytest.fixture
def cluster(tmp_path: Path, choice: str) -> Iterator[Cluster]:
    with Cluster(tmp_path / "cluster", choice=choice) as running:
        yield running


def test_a_database_of_its_own_user(cluster: Cluster) -> None:
    cluster.create_user("clo_app")
    assert cluster.create_database("clo", owner="clo_app")
    assert not cluster.create_database("clo", owner="clo_app")
    with closing(cluster.connect("clo", "clo_app")) as connection:
        connection.execute("create table deals (deal_id text)")
    assert cluster.psql("-c", "select count(*) from deals", database="clo", user="clo_app").strip() == "0"


def test_only_the_loopback_and_only_with_the_password(cluster: Cluster) -> None:
    with closing(cluster.connect()) as connection:
        shown = {name: connection.execute(f"show {name}").fetchone() for name in ("listen_addresses", "fsync")}
    assert shown == {"listen_addresses": ("127.0.0.1",), "fsync": ("off",)}
    wrong = cluster.url().replace(cluster.password(), "guessed")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_statistics_where_the_server_has_them(cluster: Cluster) -> None:
    loaded = cluster.psql("-c", "show shared_preload_libraries").strip()
    assert (loaded == "pg_stat_statements") == cluster.has_statements
    available = cluster.psql("-c", "select count(*) from pg_available_extensions where name = 'pg_stat_statements'")
    assert available.strip() == str(int(cluster.has_statements))


def test_stopped_and_found_again(cluster: Cluster, choice: str) -> None:
    cluster.create_database("kept")
    port = cluster.port
    cluster.stop()
    assert not cluster.running
    again = Cluster(cluster.directory, choice=choice).start()
    assert again.port == port
    assert again.psql("-c", "select count(*) from pg_database where datname = 'kept'").strip() == "1"
    again.kill()
    assert not again.running
    assert cluster.start().psql("-c", "select 1").strip() == "1"


def test_no_secret_for_others_and_nothing_left(tmp_path: Path, choice: str) -> None:
    with Cluster(tmp_path / "cluster", choice=choice) as cluster:
        record = cluster.directory / "cluster.json"
        assert record.stat().st_mode & 0o777 == 0o600
        data = cluster.data
        assert data.stat().st_mode & 0o077 == 0
        if os.geteuid() == 0:
            account = accounts.unprivileged()
            assert account is not None
            assert data.stat().st_uid == account.uid
    assert not data.exists()
    assert not (tmp_path / "cluster").exists()


def test_a_taken_port_moves_to_the_next(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with Redis(tmp_path / "redis", port=port) as server:
            assert server.port > port
        assert ports.free_port(port, taken={port + 1}) > port + 1


def test_a_stale_record_of_another_process_starts_a_new_one(tmp_path: Path) -> None:
    """After a crash of the machine the number recorded may be anybody's."""
    with Redis(tmp_path / "redis") as server:
        server.kill()
        record = tmp_path / "redis" / "redis.json"
        facts = json.loads(record.read_text())
        facts["process"] = {"pid": os.getpid(), "started": f"{processes.boot_id()}:1"}
        record.write_text(json.dumps(facts))
        again = Redis(tmp_path / "redis")
        assert not again.running
        again.start()
        assert again.running
        again.stop()


def test_redis_keeps_its_keys_over_a_stop_and_wants_its_password(tmp_path: Path, choice: str) -> None:
    with Redis(tmp_path / "redis", choice=choice) as server:
        with closing(redis.Redis.from_url(server.url())) as client:
            client.set("session:1", "kept")
        server.stop()
        server.start()
        with closing(redis.Redis.from_url(server.url(), decode_responses=True)) as client:
            assert client.get("session:1") == "kept"
        once = Retry(NoBackoff(), 0)
        with closing(redis.Redis(port=server.port, retry=once)) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
        assert (tmp_path / "redis" / "redis.conf").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's PostgreSQL runs as somebody else")
def test_programs_in_a_closed_checkout_are_copied_out(tmp_path: Path) -> None:
    """A checkout below /root: the server's account may enter neither it nor its .venv."""
    programs = servers.postgres("wheel").bin
    package = programs.parents[1]
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    shutil.copytree(programs.parent, closed / package.name / programs.parent.name, symlinks=True)
    shutil.copytree(package.with_name(f"{package.name}.libs"), closed / f"{package.name}.libs", symlinks=True)
    with Cluster(tmp_path / "cluster", choice=str(closed / package.name / programs.parent.name / "bin")) as cluster:
        assert cluster.psql("-c", "select 1").strip() == "1"


def test_a_forced_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(servers.NoServer, match="does not hold initdb"):
        Cluster(tmp_path / "cluster", choice=str(tmp_path))
    with pytest.raises(servers.NoServer, match="is not an executable redis-server"):
        Redis(tmp_path / "redis", choice=str(tmp_path / "redis-server"))
