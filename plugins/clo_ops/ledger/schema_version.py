"""Which revision the ledger's schema has, and how it gets to another (Alembic, one at a time)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text

from clo_ops.findings import ConfigurationError
from clo_ops.ledger.schema import SCHEMA
from clo_ops.ledger.store import Store, lock

if TYPE_CHECKING:
    from alembic.config import Config

OLDEST_SERVER = 14
# Another migration may be under way: waiting for it is the point, so longer than a query's lock timeout.
WAIT_FOR_OTHERS = "120s"


def _config(connection: Connection | None = None) -> Config:
    from alembic.config import Config

    config = Config()
    # ConfigParser reads % as its own.
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def newest() -> str:
    """The revision this code was written for."""
    from alembic.script import ScriptDirectory

    return str(ScriptDirectory.from_config(_config()).get_current_head())


def _revision(connection: Connection) -> str | None:
    from alembic.migration import MigrationContext

    options = {"version_table_schema": SCHEMA}
    return MigrationContext.configure(connection, opts=options).get_current_revision()


def _refuse_old_server(connection: Connection) -> None:
    server = int(connection.scalar(text("SHOW server_version_num")) or 0) // 10000
    if server < OLDEST_SERVER:
        raise ConfigurationError(
            f"the ledger's server is PostgreSQL {server}", allowed=f"PostgreSQL {OLDEST_SERVER} or newer"
        )


@contextmanager
def _alone(store: Store) -> Iterator[Connection]:
    """A transaction in which nobody else changes the schema, so that a killed migration leaves nothing behind."""
    with store.transaction() as connection:
        _refuse_old_server(connection)
        connection.execute(text(f"SET LOCAL lock_timeout = '{WAIT_FOR_OTHERS}'"))
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        lock(connection, "migration")
        connection.execute(text("SET LOCAL lock_timeout = '5s'"))
        yield connection


def upgrade(store: Store) -> str:
    from alembic import command

    with _alone(store) as connection:
        # Not IF NOT EXISTS alone: that asks for the right to create schemas even where ours is there.
        if connection.scalar(text("SELECT to_regnamespace(:name)"), {"name": SCHEMA}) is None:
            connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
        command.upgrade(_config(connection), "head")
        return _revision(connection) or ""


def downgrade(store: Store, to: str) -> str | None:
    from alembic import command

    with _alone(store) as connection:
        if _revision(connection) is not None:
            command.downgrade(_config(connection), to)
        return _revision(connection)


def revision(store: Store) -> str | None:
    with store.transaction() as connection:
        return _revision(connection)
