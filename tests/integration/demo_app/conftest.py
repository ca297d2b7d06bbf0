"""The demo application for real: PostgreSQL, Redis, API, frontend and worker, once per test run; users per test."""

from __future__ import annotations

import itertools
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pyotp
import pytest
import redis
from argon2 import PasswordHasher
from psycopg.rows import dict_row

from demo.stack import control
from demo.stack.ports import free_port
from demo.stack.postgres import Cluster
from demo.stack.redis import Redis
from demo.stack.state import Service, State

ROOT = Path(__file__).resolve().parents[3]
SQL = ROOT / "demo" / "sql"
HERE = Path(__file__).parent
INTERVAL = 5
ROLES = ("clo_app", "clo_ops_reader", "clo_backup", "clo_ops_maintainer", "clo_ops_retention", "clo_ops_accounts")
# The cheapest parameters argon2 takes: a test makes dozens of users.
HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@dataclass(frozen=True)
class Person:
    username: str
    password: str
    secret: str

    def code(self, shift: int = 0) -> str:
        return pyotp.TOTP(self.secret, interval=INTERVAL).generate_otp(int(time.time()) // INTERVAL + shift)

    def wait_for_a_fresh_code(self) -> None:
        """Until the code of now is good for some seconds more: those after it are of the same time."""
        left = INTERVAL - time.time() % INTERVAL
        if left < INTERVAL / 3:
            time.sleep(left)

    def credentials(self, **changed: Any) -> dict[str, Any]:
        return {"username": self.username, "password": self.password, "totp": self.code()} | changed


class System:
    """What the tests hold of the running system."""

    def __init__(self, directory: Path) -> None:
        self.state = directory
        self.stack = State(directory)
        self.cluster = Cluster(directory / "postgres", port=free_port())
        self.redis = Redis(directory / "redis", port=free_port())
        self.numbers = itertools.count(1)

    @property
    def environment(self) -> dict[str, str]:
        return dict(self.stack.read()["environments"]["clo"])

    def database(self, user: str = "clo_app") -> psycopg.Connection[dict[str, Any]]:
        return psycopg.connect(self.cluster.url("clo", user), autocommit=True, row_factory=dict_row)

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        with self.database() as connection:
            return connection.execute(query, values).fetchall()

    def keys(self) -> redis.Redis:
        return redis.Redis.from_url(self.redis.url(), decode_responses=True)

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.environment["CLO_API_URL"], timeout=15, trust_env=False)

    def person(self, role: str = "viewer", *, service: bool = False) -> Person:
        """A new user, so that no test waits for another one's time step."""
        name, password, secret = f"{role}-{next(self.numbers)}", secrets.token_urlsafe(9), pyotp.random_base32()
        with self.database() as connection:
            user_id = connection.execute(
                "INSERT INTO app_users (username, full_name, email, password_hash, totp_secret, is_service)"
                " VALUES (%s, %s, %s, %s, %s, %s) RETURNING user_id",
                (name, name.title(), f"{name}@clo.test", HASHER.hash(password), secret, service),
            ).fetchone()
            connection.execute(
                "INSERT INTO app_user_roles (user_id, role_id, granted_by)"
                " SELECT %s, role_id, 'tests' FROM app_roles WHERE role_name = %s",
                (user_id["user_id"], role),
            )
        return Person(name, password, secret)


def _start_servers(system: System) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda server: server.start(), (system.cluster, system.redis)))
    for name, server in (("postgres", system.cluster), ("redis", system.redis)):
        kind = name if name == "redis" else "postgres"
        system.stack.define(Service(name, kind=kind, directory=str(server.directory), port=server.port))


def _fill(system: System) -> None:
    for role in ROLES:
        system.cluster.create_user(role)
    system.cluster.create_database("clo", owner="clo_app")
    with psycopg.connect(system.cluster.url("clo"), autocommit=False) as connection:
        for role in ROLES:
            connection.execute(
                "SELECT set_config(%s, %s, true)", (f"demo.{role}_password", system.cluster.password(role))
            )
        for name in ("roles", "extensions"):
            connection.execute((SQL / f"{name}.sql").read_bytes())
    with psycopg.connect(system.cluster.url("clo", "clo_app")) as connection:
        for path in (SQL / "schema.sql", SQL / "audit.sql", SQL / "grants.sql", HERE / "small_world.sql"):
            connection.execute(path.read_bytes())


def _environment(system: System) -> dict[str, str]:
    api, frontend, worker = free_port(), free_port(), free_port()
    return {
        "CLO_DATABASE_URL": system.cluster.url("clo", "clo_app"),
        "CLO_REDIS_URL": system.redis.url(),
        "CLO_STATE_DIR": str(system.state),
        "CLO_BACKUP_DIR": str(system.state / "backups"),
        "CLO_TOTP_INTERVAL": str(INTERVAL),
        "CLO_API_URL": f"http://127.0.0.1:{api}",
        "CLO_FRONTEND_ORIGIN": f"http://127.0.0.1:{frontend}",
        "CLO_WORKER_PORT": str(worker),
        "PYTHONPATH": str(ROOT),
    }


def _start_application(system: System, environment: dict[str, str]) -> None:
    system.stack.set_environment("clo", environment)
    for name, url in (("api", environment["CLO_API_URL"]), ("frontend", environment["CLO_FRONTEND_ORIGIN"])):
        port = url.rpartition(":")[2]
        command = (sys.executable, "-m", "uvicorn", f"demo.app.{name}:app", "--port", port, "--no-access-log")
        system.stack.define(Service(name, command=command, environment="clo", ready=f"{url}/health", port=int(port)))
    worker = f"http://127.0.0.1:{environment['CLO_WORKER_PORT']}/health"
    command = (sys.executable, "-m", "demo.app.worker")
    system.stack.define(Service("worker", command=command, environment="clo", ready=worker))
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda name: control.start_service(system.stack, name), ("api", "frontend", "worker")))


@pytest.fixture(scope="session")
def system() -> Iterator[System]:
    directory = Path(tempfile.mkdtemp(prefix="clo-demo-app-"))
    running = System(directory)
    try:
        _start_servers(running)
        _fill(running)
        _start_application(running, _environment(running))
        yield running
    finally:
        control.stop_all(running.stack)
        running.cluster.destroy()
        running.redis.stop()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def client(system: System) -> Iterator[httpx.Client]:
    with system.client() as opened:
        yield opened


@pytest.fixture
def sign_in(system: System, client: httpx.Client) -> Callable[..., dict[str, str]]:
    """Gives the header of a new session of a new user with the role."""

    def enter(role: str = "viewer", person: Person | None = None) -> dict[str, str]:
        answer = client.post("/api/v1/auth/login", json=(person or system.person(role)).credentials())
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    return enter


@pytest.fixture
def eventually() -> Callable[[Callable[[], Any]], Any]:
    """Ask until the answer is true, at most ten seconds; gives the answer."""

    def ask(question: Callable[[], Any], seconds: float = 10) -> Any:
        until = time.monotonic() + seconds
        while not (answer := question()) and time.monotonic() < until:
            time.sleep(0.05)
        return answer

    return ask


@pytest.fixture
def session_keys(system: System) -> Iterator[redis.Redis]:
    with closing(system.keys()) as opened:
        yield opened
