"""The schema: made by migrations, at once by several, taken back, and the same as the queries believe."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from clo_ops.findings import ConfigurationError
from clo_ops.ledger import Ledger
from clo_ops.ledger.schema import metadata
from clo_ops.ledger.schema_version import newest
from demo.stack.postgres import Cluster

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def empty(empty_url: str) -> Iterator[Ledger]:
    with Ledger(empty_url) as opened:
        yield opened


def tables(ledger: Ledger) -> set[str]:
    with ledger.transaction() as connection:
        return set(connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'clo_ops'")))


def command(*arguments: str, url: str = "") -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "CLO_OPS_LEDGER_URL"}
    environment |= {"PYTHONPATH": str(ROOT / "plugins")} | ({"CLO_OPS_LEDGER_URL": url} if url else {})
    program = [sys.executable, "-m", "clo_ops.ledger", *arguments]
    return subprocess.run(program, env=environment, capture_output=True, text=True, check=False, timeout=120)


def test_up_down_and_up_again(empty: Ledger) -> None:
    assert empty.revision() is None
    assert empty.migrate() == newest()
    assert tables(empty) == {name.removeprefix("clo_ops.") for name in metadata.tables} | {"alembic_version"}
    assert empty.downgrade("base") is None
    assert tables(empty) == {"alembic_version"}
    assert empty.migrate() == empty.revision() == newest()


def test_several_may_migrate_at_once(empty_url: str) -> None:
    ledgers = [Ledger(empty_url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(Ledger.migrate, ledgers)) == {newest()}
    for ledger in ledgers:
        ledger.close()


def test_a_migration_that_fails_leaves_nothing(empty: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    with empty.transaction() as connection:
        connection.execute(text("CREATE SCHEMA clo_ops"))
        connection.execute(text("CREATE TABLE clo_ops.backups (somebody_elses int)"))
    with pytest.raises(Exception, match="already exists"):
        empty.migrate()
    assert tables(empty) == {"backups"}
    assert empty.revision() is None


def test_queries_and_migrations_agree_on_the_tables(cluster: Cluster, url: str) -> None:
    def ours(name: str | None, kind: str, parents: dict[str, str | None]) -> bool:
        if kind == "schema":
            return name == "clo_ops"
        return name != "alembic_version" and not str(parents.get("table_name") or name).startswith("measurements_2")

    # Not as the role clo_ops: the schema of a role's own name is its default one, and Alembic then leaves the name out.
    with Ledger(cluster.url(url.rpartition("/")[2])) as ledger, ledger.transaction() as connection:
        options = {"include_schemas": True, "include_name": ours, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_a_missing_schema_is_said_with_what_to_do(empty: Ledger) -> None:
    with pytest.raises(ConfigurationError, match=r"python -m clo_ops\.ledger migrate"):
        empty.findings(1)


def test_every_session_is_named_and_bounded(url: str) -> None:
    with Ledger(url, client_name="clo_ops/morning_startup/" + "x" * 90) as ledger, ledger.transaction() as connection:
        idle = "idle_in_transaction_session_timeout"
        names = ("application_name", "lock_timeout", "statement_timeout", idle, "TimeZone")
        found = [connection.scalar(text("SELECT current_setting(:name)"), {"name": name}) for name in names]
    assert found == [("clo_ops/morning_startup/" + "x" * 90)[:63], "5s", "30s", "10min", "UTC"]


def test_only_postgresql_will_do() -> None:
    with pytest.raises(ConfigurationError, match="PostgreSQL 14 or newer"):
        Ledger("sqlite:///ledger.db")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Ledger("not a url")


def test_an_engine_handed_in_stays_its_owners(url: str) -> None:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with Ledger(engine) as ledger:
        assert ledger.revision() == newest()
    assert engine.pool.checkedin() == 1
    engine.dispose()


def test_the_commands(empty_url: str) -> None:
    before = command("status", url=empty_url)
    assert (before.returncode, "revision none" in before.stdout) == (3, True)
    up = command("--url", empty_url, "migrate")
    assert (up.returncode, up.stderr) == (0, "")
    assert f"revision {newest()}" in up.stdout
    assert command("status", url=empty_url).returncode == 0
    asked = command("downgrade", "base", url=empty_url)
    assert (asked.returncode, "add --yes" in asked.stderr) == (2, True)
    assert command("downgrade", "base", "--yes", url=empty_url).returncode == 0


def test_the_commands_say_what_is_wrong() -> None:
    assert "usage" in command("--help").stdout
    nameless = command("migrate")
    assert (nameless.returncode, "CLO_OPS_LEDGER_URL" in nameless.stderr) == (2, True)
    dead = command("migrate", url="postgresql://clo_ops:topsecret@127.0.0.1:1/x")
    assert (dead.returncode, "Traceback" in dead.stderr, "topsecret" in dead.stderr) == (1, False, False)
    assert "see that its PostgreSQL runs" in dead.stderr


def test_a_reader_as_documented_reads_and_cannot_write(cluster: Cluster, url: str, ledger: Ledger) -> None:
    cluster.create_user("clo_ops_ledger_reader")
    for grant in documented_grants():
        with ledger.transaction() as connection:
            connection.execute(text(grant))
    database = url.rpartition("/")[2]
    with Ledger(cluster.url(database, "clo_ops_ledger_reader")) as reader:
        assert reader.recent_runs() == []
        with pytest.raises(Exception, match="permission denied"), reader.transaction() as connection:
            connection.execute(text("DELETE FROM clo_ops.runs"))


def documented_grants() -> list[str]:
    """The GRANTs an operator copies from the documentation."""
    words = (ROOT / "docs" / "ledger.md").read_text(encoding="utf-8")
    statements = [line.strip() for line in words.splitlines()]
    grants = [line for line in statements if line.startswith(("GRANT", "ALTER DEFAULT")) and line.endswith(";")]
    assert len(grants) >= 3
    return grants
