"""The demo CLO system and a real ledger with five weeks of mornings, as the morning's tasks see them."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from clo_ops.findings import ConfigurationError, Finding
from clo_ops.ledger import Ledger
from clo_ops.orchestration.connections import Connections
from clo_ops.orchestration.coverage import pages
from clo_ops.orchestration.run import Run
from clo_ops.policy import load_policy
from demo import mornings
from demo.mornings import Plain
from demo.stack.postgres import Cluster
from demo.stack.system import DemoSystem

DAG = "daily_morning_startup"
BASELINE, AFTER_BASELINE = "DM-07", ("DM-08", "DM-09")
TEMPLATE = "ledger_with_history"
NEW_ACCOUNT = """WITH made AS (
    INSERT INTO app_users (username, full_name, email, password_hash, totp_secret, is_service)
    SELECT %(name)s, full_name, email, password_hash, %(secret)s, is_service
    FROM app_users WHERE username = %(like)s RETURNING user_id)
INSERT INTO app_user_roles (user_id, role_id, granted_by)
SELECT made.user_id, role_id, 'test' FROM made, app_user_roles JOIN app_users USING (user_id)
WHERE username = %(like)s"""
_numbers = count(1)


@dataclass
class Scene:
    """What a case may break: the system, the ledger's server and one ledger of its own, where connections lead."""

    system: DemoSystem
    cluster: Cluster
    database: str
    judgements: Mapping[str, Callable[[Run], Sequence[Finding]]]
    elsewhere: dict[str, dict[str, Any]] = field(default_factory=dict)
    without_baseline: bool = False
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        with Ledger(self.cluster.url(self.database, "clo_ops"), client_name="clo_ops/test") as opened:
            yield opened

    def judged(self, procedure: str) -> list[Finding]:
        """What the DAG's own task finds, in a new run; DM-08 and DM-09 after DM-07, as in the DAG."""
        with self.ledger() as ledger:
            key = ledger.open_run(DAG, f"test__{next(_numbers)}", self.at, "")
            connections = Connections("clo_ops/test", self._connection)
            run = Run(DAG, "test", "test", self.at, load_policy(), connections, ledger, key)
            if procedure in AFTER_BASELINE and not self.without_baseline:
                self.judgements[BASELINE](run)
            return list(self.judgements[procedure](run))

    def _connection(self, conn_id: str) -> Plain:
        known = {**self.system.connections, "clo_api": self._own_account(), **self.elsewhere}
        if conn_id not in known:
            raise ConfigurationError(f"there is no connection {conn_id!r}")
        return Plain(conn_id, **known[conn_id])

    def _own_account(self) -> dict[str, Any]:
        """A synthetic account for each scene, so that none waits for a code another has used."""
        name, secret = self._account
        api = self.system.connections["clo_api"]
        extra = json.loads(api["extra"]) | {"totp_secret": secret}
        return {**api, "login": name, "extra": json.dumps(extra)}

    def __post_init__(self) -> None:
        name = f"{self.system.account['username']}-{next(_numbers)}"
        self._account = name, base64.b32encode(secrets.token_bytes(20)).decode()
        values = {"name": name, "secret": self._account[1], "like": self.system.account["username"]}
        with self.system.cluster.connect("clo", "clo_app") as connection:
            connection.execute(NEW_ACCOUNT, values)


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoSystem]:
    with DemoSystem(tmp_path_factory.mktemp("morning")) as running:
        yield running


@pytest.fixture(scope="session")
def ledger_cluster(tmp_path_factory: pytest.TempPathFactory, system: DemoSystem) -> Iterator[Cluster]:
    """A server of the ledger's own, with a migrated ledger that remembers five weeks."""
    with Cluster(tmp_path_factory.mktemp("morning-ledger")) as cluster:
        cluster.create_user("clo_ops")
        cluster.create_database(TEMPLATE, owner="clo_ops")
        now = datetime.now(UTC)
        with Ledger(cluster.url(TEMPLATE, "clo_ops"), client_name="clo_ops/test") as ledger:
            ledger.migrate()
            mornings.seed(ledger, mornings.measure(system.connections, at=now), at=now)
        yield cluster


@pytest.fixture(scope="session")
def judgements() -> dict[str, Callable[[Run], Sequence[Finding]]]:
    return {task.procedure_id: task.function for dag in pages() for task in dag.tasks if hasattr(task, "procedure_id")}


@pytest.fixture
def new_scene(system: DemoSystem, ledger_cluster: Cluster, judgements: Any) -> Callable[[], Scene]:
    def make() -> Scene:
        name = f"ledger_{next(_numbers)}"
        with ledger_cluster.connect() as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER clo_ops")
        return Scene(system, ledger_cluster, name, judgements)

    return make
