"""How the world reaches PostgreSQL: the SQL files, COPY, and what a table holds in one hash."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

SQL = Path(__file__).resolve().parent.parent / "sql"
ROLES = ("clo_app", "clo_ops_reader", "clo_backup", "clo_ops_maintainer", "clo_ops_retention", "clo_ops_accounts")
CHUNK = 1 << 16
# What is drawn anew at each build, or is the wall clock's.
NOT_REPRODUCED = {
    "app_users": ("password_hash", "totp_secret"),
    "audit_anchor": ("created_at",),
    "world_build": ("finished_at",),
}

Connection = psycopg.Connection[Any]


def connect(dsn: str) -> Connection:
    return psycopg.connect(dsn, application_name="demo/world", connect_timeout=10)


def run_file(connection: Connection, name: str) -> None:
    connection.execute((SQL / f"{name}.sql").read_bytes())


def prepare(superuser_dsn: str, passwords: Mapping[str, str]) -> None:
    """Roles and extensions, by a superuser connected to the database of the CLO system. Safe to run again.

    ``passwords`` has those of ``ROLES``. Raises KeyError where one is missing.
    """
    with connect(superuser_dsn) as connection:
        for role in ROLES:
            setting = f"demo.{role}_password"
            connection.execute("SELECT set_config(%s, %s, true)", [setting, passwords[role]])
        run_file(connection, "roles")
        run_file(connection, "extensions")


def cell(value: object) -> str:
    """A value in COPY's text format."""
    if value is None:
        return "\\N"
    if value is True or value is False:
        return "t" if value else "f"
    text = str(value)
    if "\\" in text or "\t" in text or "\n" in text:
        return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
    return text


def copy_rows(connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Stream the rows into the table, a chunk at a time; returns how many."""
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)
    count, size, lines = 0, 0, list[str]()
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            line = "\t".join(map(cell, row)) + "\n"
            lines.append(line)
            count, size = count + 1, size + len(line)
            if size > CHUNK:
                copy.write("".join(lines))
                size, lines = 0, []
        copy.write("".join(lines))
    return count


def copy_records(connection: Connection, table: str, records: Iterable[Mapping[str, object]]) -> int:
    """Rows that name their columns; the first one decides which there are."""
    iterator = iter(records)
    first = next(iterator, None)
    if first is None:
        return 0
    columns = tuple(first)

    def rows() -> Iterable[Sequence[object]]:
        yield tuple(first.values())
        for record in iterator:
            yield tuple(record[column] for column in columns)

    return copy_rows(connection, table, columns, rows())


def tables(connection: Connection) -> list[str]:
    query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
    return [row[0] for row in connection.execute(query).fetchall()]


def advance_sequences(connection: Connection) -> None:
    """COPY brings its own ids; what the application inserts next must come after them."""
    query = (
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND is_identity = 'YES'"
    )
    for table, column in connection.execute(query).fetchall():
        statement = sql.SQL("SELECT setval(pg_get_serial_sequence({}, {}), max({})) FROM {} HAVING max({}) IS NOT NULL")
        name, identifier = sql.Literal(f"public.{table}"), sql.Identifier(column)
        parts = (name, sql.Literal(column), identifier, sql.Identifier(table), identifier)
        connection.execute(statement.format(*parts))


def fingerprints(connection: Connection) -> dict[str, tuple[int, str]]:
    """Rows and content hash per table, whatever the order of the rows; secrets drawn anew and clocks left out."""
    return {table: fingerprint(connection, table) for table in tables(connection)}


def fingerprint(connection: Connection, table: str) -> tuple[int, str]:
    statement = sql.SQL(
        "SELECT count(*), coalesce(sum(('x' || left(md5((to_jsonb(t) - {}::text[])::text), 15))::bit(60)::bigint), 0)"
        "::text FROM {} AS t"
    )
    left_out = sql.Literal(list(NOT_REPRODUCED.get(table, ())))
    row = connection.execute(statement.format(left_out, sql.Identifier(table))).fetchone()
    assert row is not None  # noqa: S101 - an aggregate has one row
    return row[0], row[1]
