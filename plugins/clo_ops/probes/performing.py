"""Put the questions of controls to the database, all to one snapshot, and keep what is needed to put them again.

Used by WM-06 .. WM-09 and WF-01 .. WF-08 (manual L110-L113, L139-L149; resolution D56).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from clo_ops.findings.performed import Performed, digest, plain
from clo_ops.probes.postgres import connect, rows
from clo_ops.probes.reaching import Unreachable
from clo_ops.probes.statements import statement
from clo_ops.probes.targets import PostgresTarget

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import DictRow

MOST_ROWS = 100_000
Question = tuple[str, Mapping[str, Any]]
Outcome = Performed | str  # the answer, or why there is none


def key_of(name: str, values: Mapping[str, Any]) -> str:
    """The same for the same question, however often a run puts it."""
    return f"{name} {digest(values)}"


def perform_all(
    target: PostgresTarget, questions: Iterable[Question], *, in_part: Collection[str] = ()
) -> dict[str, Outcome]:
    """Each question once, by ``key_of``. One that fails hides no other; a lost session answers none of the rest.

    More rows than anybody reads are no answer, but of the names ``in_part``: they get the first ones (``cut``).
    """
    wanted = {key_of(name, values): (name, values) for name, values in questions}
    try:
        with connect(target) as connection, _snapshot(connection):
            identity = _identity(connection)
            found = {key: _ask(connection, identity, name, values) for key, (name, values) in wanted.items()}
    except Unreachable as error:
        return dict.fromkeys(wanted, error.reason)
    return {key: one if isinstance(one, str) or one.name in in_part else one.cut or one for key, one in found.items()}


def perform(target: PostgresTarget, name: str, values: Mapping[str, Any], text: str | None = None) -> Performed:
    """One question by itself; ``text`` is asked in place of the file's statement, in the same read-only session.

    Raises Unreachable, and psycopg.Error for what the database refuses.
    """
    with connect(target) as connection, _snapshot(connection):
        return _performed(connection, _identity(connection), name, values, text)


def _snapshot(connection: psycopg.Connection[DictRow]) -> Any:
    from psycopg import IsolationLevel

    connection.autocommit = False
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    return connection.transaction(force_rollback=True)


def _identity(connection: psycopg.Connection[DictRow]) -> dict[str, Any]:
    rows(connection, "security/snapshot_terms")
    (found,) = rows(connection, "security/identity")
    return {name: plain(value) for name, value in found.items()}


def _ask(
    connection: psycopg.Connection[DictRow], identity: Mapping[str, Any], name: str, values: Mapping[str, Any]
) -> Outcome:
    import psycopg

    try:
        with connection.transaction():
            return _performed(connection, identity, name, values)
    except psycopg.OperationalError as error:
        if connection.closed:
            raise
        return _said(name, error)
    except psycopg.Error as error:
        return _said(name, error)


def _said(name: str, error: Exception) -> str:
    words = " ".join(str(error).split())
    return f"include/sql/{name}.sql (needs {statement(name).privilege}): {words}"


def _performed(
    connection: psycopg.Connection[DictRow],
    identity: Mapping[str, Any],
    name: str,
    values: Mapping[str, Any],
    text: str | None = None,
) -> Performed:
    asked = text or statement(name).text
    with connection.cursor() as cursor:
        found = cursor.execute(asked.encode(), {key: _bound(value) for key, value in values.items()}).fetchmany(
            MOST_ROWS + 1
        )
    cut = f"include/sql/{name}.sql has more than {MOST_ROWS:,} rows" if len(found) > MOST_ROWS else ""
    lines = [{column: plain(value) for column, value in row.items()} for row in found[:MOST_ROWS]]
    return Performed("query", name, asked, plain(values), identity, lines, cut)


def _bound(value: Any) -> Any:
    """Lists are arrays; a mapping goes as JSON; times go as they were written into the evidence."""
    if isinstance(value, Mapping):
        from psycopg.types.json import Jsonb

        return Jsonb(plain(value))
    return list(value) if isinstance(value, tuple) else value
