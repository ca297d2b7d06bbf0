"""Run by Alembic. The connection, its transaction and its lock come from clo_ops.ledger.schema_version."""

from __future__ import annotations

from alembic import context

from clo_ops.ledger.schema import SCHEMA, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table_schema=SCHEMA,
)
context.run_migrations()
