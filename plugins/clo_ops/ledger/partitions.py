"""Measurements lie in one partition per month (UTC), made when the first measurement of the month arrives."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime

from sqlalchemy import Connection, text

from clo_ops.ledger.schema import SCHEMA
from clo_ops.ledger.store import lock

FIRST_YEAR, LAST_YEAR = 2000, 2099


def month_of(at: datetime) -> date:
    """The first day of the month, UTC. Raises ValueError for years that can only be a broken clock."""
    day = at.astimezone(UTC).date().replace(day=1)
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError(f"a measurement of {at.isoformat()} lies outside the years {FIRST_YEAR} to {LAST_YEAR}")
    return day


def partition_name(month: date) -> str:
    return f"measurements_{month:%Y_%m}"


def partitions(connection: Connection) -> list[str]:
    """Names of the partitions there are, oldest first."""
    query = "SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = to_regclass(:parent)"
    return sorted(connection.scalars(text(query), {"parent": f"{SCHEMA}.measurements"}))


def _following(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def _create(connection: Connection, month: date) -> None:
    # ATTACH takes a lock that readers and writers of the table do not feel; CREATE TABLE ... PARTITION OF would wait
    # for every running query and make all later ones wait behind it.
    name = f"{SCHEMA}.{partition_name(month)}"
    connection.execute(
        text(f"CREATE TABLE IF NOT EXISTS {name} (LIKE {SCHEMA}.measurements INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
    )
    connection.execute(
        text(
            f"ALTER TABLE {SCHEMA}.measurements ATTACH PARTITION {name}"
            f" FOR VALUES FROM ('{month.isoformat()} 00:00:00+00') TO ('{_following(month).isoformat()} 00:00:00+00')"
        )
    )


def ensure_partitions(connection: Connection, times: Iterable[datetime]) -> list[str]:
    """Make the partitions these times need. Returns the names of those made now. Safe when several do it at once."""
    months = sorted({month_of(at) for at in times})
    missing = _missing(connection, months)
    if not missing:
        return []
    lock(connection, "partitions")
    # Somebody else may have made them while we waited.
    made = _missing(connection, missing)
    for month in made:
        _create(connection, month)
    return [partition_name(month) for month in made]


def _missing(connection: Connection, months: list[date]) -> list[date]:
    present = set(partitions(connection))
    return [month for month in months if partition_name(month) not in present]


def partitions_before(connection: Connection, before: datetime) -> list[str]:
    """Partitions that hold nothing of ``before`` or later, oldest first."""
    return [name for name in partitions(connection) if name < partition_name(month_of(before))]


def drop_partition(connection: Connection, name: str, before: datetime) -> None:
    """One month of measurements goes. Raises ValueError where it may hold something of ``before`` or later."""
    if name not in partitions_before(connection, before):
        raise ValueError(f"{name} is no partition of measurements before {before:%Y-%m-%d}")
    lock(connection, "partitions")
    # Detached first: DROP alone would keep every reader of the table waiting for as long as removing files takes.
    connection.execute(text(f"ALTER TABLE {SCHEMA}.measurements DETACH PARTITION {SCHEMA}.{name}"))
    connection.execute(text(f"DROP TABLE {SCHEMA}.{name}"))
