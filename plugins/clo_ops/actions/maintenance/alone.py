"""The advisory lock of maintenance, on a session of its own, and the look round between two steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from clo_ops.probes.postgres import connect, rows
from clo_ops.probes.targets import PostgresTarget

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import DictRow


class Watch:
    """Somebody maintains this database, and it is us. ``may_go_on`` says why not, once that is no longer so."""

    def __init__(self, session: psycopg.Connection[DictRow], key: int) -> None:
        self._session, self._key = session, key

    def may_go_on(self) -> str | None:
        """Asked between two steps; whoever does not answer stops the rest. None: go on."""
        from psycopg import Error

        try:
            (now,) = rows(self._session, "gate/still_held", {"key": self._key})
            running = rows(self._session, "drill/backups_running")
        except Error as error:  # whatever broke the session has ended our lock
            return f"the database does not answer, and the lock of maintenance may be gone: {_first_line(error)}"
        if now["standby"]:
            return "the server is no longer the primary"
        if not now["held"]:
            return "the lock of maintenance is no longer ours"
        if running:
            return f"a backup has started ({running[0]['application'] or 'a session'})"
        return None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


@contextmanager
def alone(target: PostgresTarget, key: int) -> Iterator[Watch | None]:
    """Holds the lock while the body runs; None, at once, where somebody else holds it.

    The lock ends with its session, so that a killed worker leaves none behind. Raises Unreachable.
    """
    with _session(target) as session:
        (answer,) = rows(session, "gate/lock", {"key": key})
        yield Watch(session, key) if answer["taken"] else None


@contextmanager
def _session(target: PostgresTarget) -> Iterator[psycopg.Connection[DictRow]]:
    """As ``connect``, but an error of the body is the body's own: it says nothing of this session."""
    opening = connect(target)
    session = opening.__enter__()
    try:
        yield session
    finally:
        opening.__exit__(None, None, None)
