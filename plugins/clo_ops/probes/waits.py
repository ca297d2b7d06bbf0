"""Ask PostgreSQL what its active sessions wait for at this moment (AL-07, M2-02): cheap, and often."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from clo_ops.findings import Answer, Measurement
from clo_ops.probes.postgres import asked, rows
from clo_ops.probes.targets import PostgresTarget
from clo_ops.rules.waits import ACTIVE, WAITING

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import DictRow


def wait_events(target: PostgresTarget) -> Answer:
    """``postgresql.wait.active`` sessions, nought too, and ``postgresql.wait.sessions`` by {event} where there are any.

    "CPU" are those that wait for nothing. Idle sessions wait for their client and are left out.
    """
    return asked("what sessions wait for", target, _sampled)


def _sampled(connection: psycopg.Connection[DictRow]) -> Iterator[Measurement]:
    found, at = rows(connection, "wait_events"), datetime.now(UTC)
    yield Measurement(ACTIVE, sum(row["sessions"] for row in found), "count", at)
    for row in found:
        yield Measurement(WAITING, row["sessions"], "count", at, {"event": row["event"]})
