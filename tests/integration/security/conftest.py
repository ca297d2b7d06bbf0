"""A demo world on a real PostgreSQL, a real Redis and a real ledger, as the reviews of Monday and Friday see them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from clo_ops.findings import ConfigurationError, Finding, Status
from clo_ops.ledger import Ledger
from clo_ops.orchestration import access_audit, inactive_accounts
from clo_ops.orchestration.connections import Connections
from clo_ops.orchestration.controls import assess
from clo_ops.orchestration.recording import carry_out
from clo_ops.orchestration.run import Run
from clo_ops.policy import Policy, load_policy
from demo.mornings import Plain
from demo.stack.app import postgres_connection
from demo.stack.postgres import Cluster
from demo.stack.redis import Redis
from demo.switches import switch_off_all
from demo.world import build, prepare
from demo.world.database import ROLES

PAGES = {"WM": "weekly_monday_maintenance", "WF": "weekly_friday_compliance", "M1": "monthly_week1_security_audit"}
# What asks more than the controls of its own name.
OF_THE_MONTH = {
    "M1-01": access_audit.accounts,
    "M1-02": inactive_accounts.inactive,
    "M1-03": access_audit.roles,
    "M1-04": access_audit.privileges,
    "M1-06": access_audit.configuration,
}
_numbers = count(1)


@dataclass
class Site:
    """The CLO system, a ledger, and the reviews run on them. ``state`` is what the switches are given."""

    state: Path
    cluster: Cluster
    redis: Redis
    ledger: Ledger
    policy: Policy
    name: str = "clo"
    account: str = "clo-ops-probe"
    elsewhere: dict[str, dict[str, Any]] = field(default_factory=dict)
    at: datetime = field(default_factory=lambda: datetime.now(UTC) + timedelta(minutes=1))

    def database(self, user: str = "clo_app") -> psycopg.Connection[Any]:
        return psycopg.connect(self.cluster.url(self.name, user), autocommit=True)

    @contextmanager
    def run(self, procedure: str, at: datetime | None = None) -> Iterator[Run]:
        dag = PAGES[procedure[:2]]
        at = at or self.at + timedelta(seconds=next(_numbers))
        name = f"test__{next(_numbers)}"
        key = self.ledger.open_run(dag, name, at, "")
        connections = Connections("clo_ops/test", self._connection)
        yield Run(dag, name, "test", at, self.policy, connections, self.ledger, key)

    def judged(self, procedure: str, at: datetime | None = None) -> list[Finding]:
        """What the procedure finds, on record as the task would leave it."""
        with self.run(procedure, at) as run:
            return carry_out(run, [procedure], OF_THE_MONTH.get(procedure, lambda one: assess(one, procedure)))

    def broken(self, *procedures: str) -> dict[str, str]:
        """Controls that are neither passed nor told to be not assessed, with what they say."""
        findings = [one for procedure in procedures for one in self.judged(procedure)]
        good = (Status.PASS, Status.NOT_APPLICABLE)
        return {one.subject: one.message for one in findings if one.status not in good}

    def _connection(self, conn_id: str) -> Plain:
        known = {
            "clo_postgres": postgres_connection(self.cluster, self.name, "clo_ops_reader"),
            "clo_postgres_accounts": postgres_connection(self.cluster, self.name, "clo_ops_accounts"),
            "clo_redis": {"host": "127.0.0.1", "port": self.redis.port, "password": self.redis.password},
            "clo_api": {"host": "http://127.0.0.1:1", "login": self.account, "password": "none"},
            "clo_archive": {"extra": json.dumps({"url": f"file://{self.state / 'archive'}"})},
            "clo_host_app1": {"host": "localhost", "extra": json.dumps({"transport": "local"})},
            **self.elsewhere,
        }
        if conn_id not in known:
            raise ConfigurationError(f"there is no connection {conn_id!r}")
        return Plain(conn_id, **known[conn_id])


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("review")


@pytest.fixture(scope="session")
def cluster(state: Path) -> Iterator[Cluster]:
    """A world that ends with the hour that is now, and an empty ledger beside it."""
    with Cluster(state / "postgres") as running:
        for role in (*ROLES, "clo_ops"):
            running.create_user(role, secrets.token_urlsafe(12))
        running.create_database("clo", owner="clo_app")
        prepare(running.url("clo"), {role: running.password(role) for role in ROLES})
        build(running.url("clo", "clo_app"), scale=0.2)
        running.create_database("ledger_template", owner="clo_ops")
        with Ledger(running.url("ledger_template", "clo_ops")) as ledger:
            ledger.migrate()
        yield running


@pytest.fixture(scope="session")
def cache(state: Path) -> Iterator[Redis]:
    with Redis(state / "redis") as running:
        yield running


@pytest.fixture
def site(
    state: Path, cluster: Cluster, cache: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site]:
    """The system as it was built; whatever a test switches on is off again afterwards."""
    monkeypatch.setenv("CLO_OPS_EVIDENCE", str(tmp_path / "evidence"))
    monkeypatch.setenv("CLO_DATABASE_URL", cluster.url("clo", "clo_app"))
    name = f"ledger_{next(_numbers)}"
    with cluster.connect() as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE ledger_template OWNER clo_ops")
    with Ledger(cluster.url(name, "clo_ops"), client_name="clo_ops/test") as ledger:
        yield Site(state, cluster, cache, ledger, load_policy(mode="demo"))
    switch_off_all(state)


@pytest.fixture
def copy(site: Site) -> Site:
    """The same on a copy of the world that a test may ruin."""
    site.name = f"clo_{next(_numbers)}"
    with site.cluster.connect() as connection:
        connection.execute(f"CREATE DATABASE {site.name} TEMPLATE clo OWNER clo_app")
    return site  # goes with its server


@pytest.fixture
def seen(site: Site) -> Callable[..., Site]:
    """The same after a first look, so that states have something to be compared with."""

    def look(*procedures: str) -> Site:
        for procedure in procedures:
            site.judged(procedure)
        return site

    return look
