"""One maintenance statement in a session of its own: outside a transaction, bounded, and giving way (D02, D09, T2)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from clo_ops.actions.maintenance.lookout import Lookout
from clo_ops.policy.upkeep import Manners
from clo_ops.probes.postgres import connect, rows
from clo_ops.probes.statements import statement
from clo_ops.probes.targets import PostgresTarget

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql
    from psycopg.rows import DictRow

    Connection = psycopg.Connection[DictRow]


class End(StrEnum):
    """How a statement ended."""

    DONE = "done"
    GAVE_WAY = "gave way"
    NO_LOCK = "lock not had in time"
    NO_TIME = "out of time"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Ran:
    """``said`` is PostgreSQL's message, or whom it gave way to; ``warnings`` those it gave on the way."""

    end: End
    seconds: float
    said: str = ""
    warnings: tuple[str, ...] = field(default=())


# The statement of a worker that was killed ends by itself: a rebuild nobody waits for must not outlive its lock.
ALWAYS = {"default_transaction_read_only": "off", "client_connection_check_interval": "1000"}


@contextmanager
def working(target: PostgresTarget, manners: Manners, settings: Mapping[str, str]) -> Iterator[Connection]:
    """A session that may write, by ``manners``. Raises Unreachable."""
    bounded = replace(
        target,
        lock_timeout=manners.lock_timeout.total_seconds(),
        statement_timeout=manners.statement_timeout.total_seconds(),
    )
    terms = {"maintenance_work_mem": f"{manners.memory // 1024}kB", **ALWAYS, **settings}
    with connect(bounded) as connection:
        rows(connection, "upkeep/session_terms", {"terms": json.dumps(terms)})
        yield connection


def run(
    target: PostgresTarget,
    manners: Manners,
    name: str,
    parts: Mapping[str, sql.Composable],
    settings: Mapping[str, str] | None = None,
) -> Ran:
    """Run include/sql/<name>.sql with its identifiers, watched for whom it keeps waiting.

    Raises Unreachable (CouldNotAsk) where no session can be had, or it broke in the middle.
    """
    from psycopg import sql as _sql

    query = _sql.SQL(statement(name).text).format(**parts)
    warnings: list[str] = []
    with working(target, manners, settings or {}) as connection:
        connection.add_notice_handler(lambda one: _note(warnings, one))
        with Lookout(target, connection.info.backend_pid, manners, connection.cancel) as lookout:
            begun = time.monotonic()
            end, said = _executed(connection, query) if not lookout.blind else (End.FAILED, "")
            seconds = time.monotonic() - begun
    if end is not End.DONE and lookout.gave_way_to:
        end, said = End.GAVE_WAY, lookout.gave_way_to
    elif end is not End.DONE and lookout.blind:
        end, said = End.FAILED, f"nobody could see whom it keeps waiting: {lookout.blind}"
    return Ran(end, seconds, said, tuple(warnings))


def _note(warnings: list[str], notice: psycopg.errors.Diagnostic) -> None:
    # The plain severity is the same in every language of the server.
    if notice.severity_nonlocalized == "WARNING":
        warnings.append(str(notice.message_primary))


def _executed(connection: Connection, query: sql.Composed) -> tuple[End, str]:
    """A session that breaks goes on as Unreachable from ``connect``; everything PostgreSQL says is an end."""
    from psycopg import Error, errors

    try:
        connection.execute(query)
    except errors.LockNotAvailable as error:
        return End.NO_LOCK, str(error.diag.message_primary)
    except errors.QueryCanceled as error:
        return End.NO_TIME, str(error.diag.message_primary)
    except Error as error:
        if connection.closed:
            raise
        return End.FAILED, str(error.diag.message_primary or error)
    return End.DONE, ""
