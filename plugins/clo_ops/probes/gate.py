"""Ask what the gate before a change needs to know (D10). Decides nothing; ``clo_ops.rules.gate`` does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from clo_ops.findings import Answer, Measurement
from clo_ops.probes import replication
from clo_ops.probes.postgres import asked, rows
from clo_ops.probes.targets import HostTarget, PostgresTarget, PrometheusTarget
from clo_ops.rules import gate

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import DictRow


def of_database(target: PostgresTarget, lock: int) -> Answer:
    """``gate.primary`` (bool), ``gate.backup.running`` (count), ``gate.transaction.age`` (s, the oldest one, 0 without
    any), ``gate.maintainer`` (count of those who hold the advisory lock). The details name who.
    """
    return asked("the database's state", target, lambda session: list(_state(session, target, lock)))


def _state(session: psycopg.Connection[DictRow], target: PostgresTarget, lock: int) -> Iterator[Measurement]:
    at = datetime.now(UTC)
    (role,) = rows(session, "gate/role")
    why = f"{target} is {'a standby' if role['standby'] else 'the primary'}"
    yield Measurement(gate.PRIMARY, not role["standby"], "bool", at, detail=why)
    running = rows(session, "drill/backups_running")
    told = ", ".join(f"{one['application'] or 'a session'} since {one['since']:%H:%M:%S} UTC" for one in running)
    yield Measurement(gate.BACKUP_RUNNING, len(running), "count", at, detail=told)
    yield _oldest(rows(session, "gate/transactions"), at)
    holders = rows(session, "gate/holder", {"key": lock})
    yield Measurement(gate.MAINTAINER, len(holders), "count", at, detail=", ".join(one["who"] for one in holders))


def _oldest(open_ones: list[DictRow], at: datetime) -> Measurement:
    """A state the role may not see is said as such: it is a transaction all the same."""
    if not open_ones:
        return Measurement(gate.TRANSACTION, 0, "s", at, detail="none open")
    oldest = open_ones[0]
    return Measurement(gate.TRANSACTION, oldest["age_seconds"], "s", at, detail=f"{oldest['who']}, {oldest['state']}")


def room(target: PostgresTarget, host: HostTarget, mount: str, prometheus: PrometheusTarget | None = None) -> Answer:
    """``gate.room.needed`` (bytes of the largest index, detail its name) and ``gate.room.free`` (bytes to users)."""
    from clo_ops.probes.hosts import resources

    answer = asked("the largest index", target, lambda session: list(_largest(session)))
    looked = resources(host, [mount], prometheus)
    free = looked.first("system.filesystem.free", mount=mount)
    if free is None:
        return Answer(answer.measurements, answer.unanswered + looked.unanswered)
    measured = Measurement(gate.FREE, free.value, "bytes", free.at, free.labels, free.detail)
    return answer + Answer((measured,))


def _largest(session: psycopg.Connection[DictRow]) -> Iterator[Measurement]:
    found = rows(session, "gate/largest_index")
    size, name = (found[0]["size_bytes"], found[0]["name"]) if found else (0, "no index")
    yield Measurement(gate.NEEDED, size, "bytes", datetime.now(UTC), detail=name)


def behind(target: PostgresTarget) -> Answer:
    """What ``replication.replication`` asks: the lag of each standby, and whether it streams."""
    return replication.replication(target)
