"""A real PostgreSQL with the demo's audit trail in it, an archive in a folder, and a ledger: anew for each test."""

from __future__ import annotations

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

from clo_ops.actions.maintenance.plan import Effect
from clo_ops.actions.retention.audit import AuditRetention
from clo_ops.ledger import Ledger, archive_tables
from clo_ops.policy import load_policy
from clo_ops.policy.archive import Archive
from clo_ops.policy.period import Period
from clo_ops.probes.audit_chain import Verified, verify
from clo_ops.probes.targets import BackupRepository, PostgresTarget
from demo.stack.postgres import Cluster
from demo.world.database import ROLES, prepare, run_file

_numbers = count(1)
POLICY = load_policy(mode="demo").retention
QUICK = POLICY.archive.model_copy(
    update={"rows_per_batch": 150, "pause": timedelta(0), "lock_wait": timedelta(milliseconds=300), "stop_above": 90.0}
)
HOT = Period(days=90)
# From 130 days ago to now, a row each hour. Texts that JSON, COPY and Parquet each have an opinion of.
ROWS = """
INSERT INTO audit_logs (created_at, actor, action, object_type, object_id, detail)
SELECT now() - interval '130 days' + n * interval '1 hour',
       (ARRAY['ann', 'bob', 'o''neil "the quote"', E'back\\\\slash', E'tab\\tnew\\nline', 'Zoë ✓ 株'])[1 + n % 6],
       CASE WHEN n % 11 = 0 THEN E'ctl\\x01\\x7f\\b' ELSE 'deal.updated' END,
       CASE WHEN n % 7 = 0 THEN NULL WHEN n % 5 = 0 THEN '' ELSE 'loan' END,
       CASE WHEN n % 7 = 0 THEN NULL WHEN n % 13 = 0 THEN '\\N' ELSE n::text END,
       jsonb_build_object('n', n, 'rate', 0.10, 'text', E'a "b" \\\\ c\\u00e9',
                          'nested', jsonb_build_array(1, null, true))
FROM generate_series(0, 130 * 24 - 1) AS n
"""


@dataclass
class System:
    """One CLO database with its archive and its ledger."""

    cluster: Cluster
    database: str
    archive: Path
    ledger: Ledger
    policy: Archive = QUICK
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def target(self, user: str = "clo_ops_retention") -> PostgresTarget:
        return PostgresTarget(
            "127.0.0.1", self.cluster.port, self.database, user, self.cluster.password(user), "disable", "clo_ops/test"
        )

    def connect(self, user: str = "postgres") -> psycopg.Connection[Any]:
        return psycopg.connect(self.cluster.url(self.database, user), autocommit=True)

    def rows(self, statement: str, *values: Any) -> list[Any]:
        with self.connect() as connection:
            return connection.execute(statement, values or None).fetchall()

    def tamper(self, *statements: str) -> None:
        """As somebody would who owns the server: past triggers, rights and constraints."""
        with self.connect() as connection:
            connection.execute("SET session_replication_role = replica")
            for statement in statements:
                connection.execute(statement)

    @property
    def repository(self) -> BackupRepository:
        return BackupRepository(self.archive.as_uri())

    def retention(self, **changes: Any) -> AuditRetention:
        policy = self.policy.model_copy(update=changes)
        return AuditRetention(self.target(), self.repository, policy, HOT, self.ledger, at=self.at)

    def clean_up(self, **changes: Any) -> list[Effect]:
        """Plan and carry out, as a run does."""
        retention = self.retention(**changes)
        return [retention.act(step) for step in retention.plan().steps]

    @property
    def identity(self) -> str:
        ((number,),) = self.rows("SELECT system_identifier FROM pg_control_system()")
        return f"{number}/{self.database}"

    def verified(self, *, whole: bool = True, user: str = "clo_ops_reader") -> Verified:
        target, identity = self.target(user), self.identity
        return verify(target, self.repository, lambda: self.ledger.remembered(identity), at=self.at, whole=whole)

    def files(self) -> list[Path]:
        return sorted(self.archive.glob("*.parquet"))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("retention-postgres")) as made:
        for role in ROLES:
            made.create_user(role, secrets.token_urlsafe(12))
        made.create_user("clo_ops")
        made.create_database("trail_template", owner="clo_app")
        prepare(made.url("trail_template"), {role: made.password(role) for role in ROLES})
        with made.connect("trail_template", "clo_app") as connection:
            for name in ("schema", "audit", "grants"):
                run_file(connection, name)
            connection.execute(ROWS)
            connection.execute("CREATE TABLE audit_saved AS SELECT * FROM audit_logs")
        made.create_database("ledger", owner="clo_ops")
        with Ledger(made.url("ledger", "clo_ops")) as ledger:
            ledger.migrate()
        yield made


@contextmanager
def made(cluster: Cluster, archive: Path) -> Iterator[System]:
    """A database of its own; the ledger tells databases apart."""
    name = f"trail_{next(_numbers)}"
    with cluster.connect() as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE trail_template OWNER clo_app")
    with Ledger(cluster.url("ledger", "clo_ops"), client_name="clo_ops/test") as ledger:
        yield System(cluster, name, archive, ledger)


@pytest.fixture(scope="session")
def again(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with made(cluster, tmp_path_factory.mktemp("again") / "archive") as one:
        yield one


@pytest.fixture
def reset(again: System) -> Callable[[Path], System]:
    """The trail as it was in the beginning, nothing archived, nothing on record: in one database, which is quicker."""

    def begin(archive: Path) -> System:
        again.tamper(
            "TRUNCATE audit_logs, audit_anchor",
            "INSERT INTO audit_logs SELECT * FROM audit_saved",
            "ANALYZE audit_logs",
        )
        with again.ledger.transaction() as connection:
            for table in (archive_tables.archive_files, archive_tables.archive_receipts, archive_tables.chain_heads):
                connection.execute(table.delete().where(table.c.system == again.identity))
        return System(again.cluster, again.database, archive, again.ledger)

    return begin


@pytest.fixture
def system(reset: Callable[[Path], System], tmp_path: Path) -> System:
    return reset(tmp_path / "archive")


@pytest.fixture
def altered(cluster: Cluster, tmp_path: Path) -> Iterator[System]:
    """One whose tables may be altered."""
    with made(cluster, tmp_path / "archive") as one:
        yield one


@pytest.fixture
def moved(system: System) -> System:
    """Rows have left, and nothing is wrong."""
    system.clean_up()
    return system


@pytest.fixture(scope="session")
def moved_once(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The same, for tests that change nothing."""
    with made(cluster, tmp_path_factory.mktemp("archive") / "archive") as anew:
        anew.clean_up()
        yield anew
