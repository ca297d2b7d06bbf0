"""A CLO system with logs: tables in a real PostgreSQL, files in a folder, an archive, Redis, a ledger of its own."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from clo_ops.findings import ConfigurationError
from clo_ops.findings.plans import Plan
from clo_ops.ledger import BackupRow, Ledger
from clo_ops.orchestration.connections import Connections
from clo_ops.orchestration.run import Run
from clo_ops.policy import Policy, load_policy
from clo_ops.policy.firing import by_hand
from demo.mornings import Plain
from demo.stack.postgres import Cluster
from demo.stack.redis import Redis

POLICY = load_policy(mode="demo")
TEMPLATE = "ledger_template"
_numbers = count(1)
SQL = (
    "CREATE TABLE audit_logs (id int, created_at timestamptz NOT NULL)",
    "CREATE TABLE login_attempts (id int, at timestamptz NOT NULL)",
    "CREATE TABLE app_sessions (id int, ended_at timestamptz)",
    "CREATE TABLE security_events (id int, at timestamptz NOT NULL)",
    "CREATE TABLE permission_changes (id int, at timestamptz NOT NULL)",
    "CREATE TABLE configuration_changes (id int, at timestamptz NOT NULL)",
    "GRANT SELECT, DELETE ON audit_logs, login_attempts, app_sessions, security_events TO clo_ops_retention",
    "GRANT SELECT ON permission_changes, configuration_changes TO clo_ops_retention",
)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("logs-postgres")) as made:
        made.create_user("clo_app")
        made.create_user("clo_ops")
        made.create_user("clo_ops_maintainer", options="in role clo_app, pg_monitor")
        made.create_user("clo_ops_retention", options="in role pg_monitor")
        made.create_database("clo", owner="clo_app")
        made.create_database(TEMPLATE, owner="clo_ops")
        with made.connect("clo", "clo_app") as connection:
            for statement in SQL:
                connection.execute(statement)
        with Ledger(made.url(TEMPLATE, "clo_ops")) as ledger:
            ledger.migrate()
        yield made


@pytest.fixture
def ledger(cluster: Cluster) -> Iterator[Ledger]:
    name = f"ledger_{next(_numbers)}"
    with cluster.connect() as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER clo_ops")
    with Ledger(cluster.url(name, "clo_ops"), client_name="clo_ops/test") as opened:
        yield opened


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with Redis(tmp_path_factory.mktemp("cache"), settings={"save": '""'}) as server:
        yield server


@dataclass
class Site:
    cluster: Cluster
    ledger: Ledger
    redis: Redis
    place: Path
    policy: Policy
    connections_without: set[str] = field(default_factory=set)

    @property
    def logs(self) -> Path:
        return self.place / "logs"

    def connections(self) -> Connections:
        def postgres(user: str) -> dict[str, Any]:
            facts = {"host": "127.0.0.1", "port": self.cluster.port, "schema": "clo", "login": user}
            return facts | {"password": self.cluster.password(user), "extra": json.dumps({"sslmode": "disable"})}

        user, password = self.redis.maintainer
        known = {
            "clo_postgres_maintenance": postgres("clo_ops_maintainer"),
            "clo_postgres_retention": postgres("clo_ops_retention"),
            "clo_backups": {"extra": {"url": (self.place / "backups").as_uri()}},
            "clo_archive": {"extra": {"url": (self.place / "archive").as_uri()}},
            "clo_host_app1": {"extra": {"transport": "local", "logs": str(self.logs)}},
            "clo_redis_maintenance": {
                "host": "127.0.0.1",
                "port": self.redis.port,
                "login": user,
                "password": password,
            },
        }

        def get(conn_id: str) -> Any:
            if conn_id not in known or conn_id in self.connections_without:
                raise ConfigurationError(f"there is no Airflow connection {conn_id!r}")
            return Plain(conn_id, **known[conn_id])

        return Connections("clo_ops/log_management/test", get)

    def run(self, at: datetime | None = None) -> Run:
        """A run of the page log_management."""
        moment, name = at or datetime.now(UTC), f"scheduled__{next(_numbers)}"
        key = self.ledger.open_run("log_management", name, moment, "", "scheduled")
        return Run(
            "log_management", name, "test", moment, self.policy, self.connections(), self.ledger, key,
            trigger="scheduled",
        )  # fmt: skip

    def emergency(self, *plans: Plan) -> Run:
        """A run of the page maintenance whose plans somebody else approved, with a backup behind it."""
        moment, name = datetime.now(UTC), f"manual__{next(_numbers)}"
        key = self.ledger.open_run("maintenance", name, moment, "", "manual")
        run = Run(
            "maintenance", name, "test", moment, self.policy, self.connections(), self.ledger, key,
            firing=by_hand(self.policy, "maintenance", "maintenance_emergency"), params={}, trigger="manual",
            asked_by="ann",
        )  # fmt: skip
        for one in plans:
            self.ledger.keep_plan(key, one)
        asked = self.ledger.ask_approval(
            key, "0" * 64, [one.hash for one in plans], kind="prior", authority="manager", requester="ann",
            reason="the disk is filling", at=moment,
        )  # fmt: skip
        self.ledger.decide(asked.id, "approved", "manager", datetime.now(UTC))
        self._backed_up()
        return run

    def _backed_up(self) -> None:
        when = datetime.now(UTC) - timedelta(hours=1)
        self.ledger.record_backup(
            BackupRow(
                repository=(self.place / "backups").as_uri(), path="clo.dump", database="clo", snapshot_at=when,
                ended_at=when, size_bytes=1, sha256="a" * 64, proven={"L2": when},
            )
        )  # fmt: skip

    def owner(self) -> psycopg.Connection[Any]:
        return self.cluster.connect("clo", "clo_app")

    def write(self, name: str, lines: list[dict[str, Any]]) -> None:
        with (self.logs / name).open("a") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)

    def rotated(self, name: str, at: datetime, text: str = "line\n") -> Path:
        path = self.logs / name
        path.write_text(text)
        os.utime(path, (at.timestamp(), at.timestamp()))
        return path


@pytest.fixture
def site(
    cluster: Cluster, ledger: Ledger, redis_server: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Site:
    monkeypatch.setenv("CLO_OPS_EVIDENCE", (tmp_path / "evidence").as_uri())
    for folder in ("logs", "backups", "task_logs"):
        (tmp_path / folder).mkdir()
    for table in (
        "audit_logs",
        "login_attempts",
        "app_sessions",
        "security_events",
        "permission_changes",
        "configuration_changes",
    ):
        with cluster.connect("clo", "clo_app") as connection:
            connection.execute(f"TRUNCATE {table}")
    task_logs = POLICY.logs.task_logs.model_copy(update={"folder": str(tmp_path / "task_logs")})
    logs = POLICY.logs.model_copy(update={"task_logs": task_logs})
    gate = POLICY.maintenance.gate.model_copy(update={"wait_at_most": timedelta(0)})
    maintenance = POLICY.maintenance.model_copy(update={"gate": gate})
    policy = POLICY.model_copy(update={"logs": logs, "maintenance": maintenance})
    return Site(cluster, ledger, redis_server, tmp_path, policy)
