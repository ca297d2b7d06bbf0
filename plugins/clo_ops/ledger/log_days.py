"""What logs said, by day and signature, and how far each was read: counted once, whoever is killed when."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from clo_ops.findings.logs import LogPosition
from clo_ops.ledger import log_tables
from clo_ops.ledger.columns import aware
from clo_ops.ledger.errors import LedgerConflict
from clo_ops.ledger.store import Store, lock
from clo_ops.rules.log_tally import LogDay, Signature

POSITIONS, DAYS = log_tables.positions, log_tables.days
SIGNATURES, COUNTS = log_tables.signatures, log_tables.signature_days
SEVERAL = 500


@dataclass(frozen=True, slots=True)
class SignatureDay:
    """How often a signature was met in a day; ``first_day`` is the first it was ever met."""

    source: str
    level: str
    text: str
    first_day: date
    day: date
    count: int


def digest_of(signature: Signature) -> bytes:
    return hashlib.sha256("\x1f".join(signature).encode("utf-8", "replace")).digest()[:16]


class LogDays(Store):
    def log_position(self, source: str) -> LogPosition | None:
        """How far this log was read; None where nobody read in it yet."""
        with self.transaction() as connection:
            return _position(connection, source)

    def record_log_reading(
        self,
        source: str,
        since: LogPosition | None,
        position: LogPosition,
        days: Mapping[date, LogDay],
        at: datetime,
    ) -> None:
        """Add what was read between two positions to its days, and remember the second: both, or neither.

        Raises LedgerConflict where the log has been read on from ``since`` by somebody else: nothing is counted twice.
        """
        with self.transaction() as connection:
            lock(connection, f"log:{source}")
            if _position(connection, source) != since:
                raise LedgerConflict(f"the log {source} was read on by another run meanwhile")
            for day, tally in days.items():
                _add_day(connection, source, day, tally)
                _add_signatures(connection, source, day, tally)
            row = {
                "inode": position.inode,
                "offset": position.offset,
                "seen": position.seen,
                "checksum": position.checksum,
                "read_at": aware(at),
            }
            statement = upsert(POSITIONS).values(source=source, **row)
            connection.execute(statement.on_conflict_do_update(index_elements=["source"], set_=row))

    def log_days(self, since: date, before: date) -> dict[str, dict[date, LogDay]]:
        """The days since <= day < before of every log, without their signatures."""
        query = select(DAYS).where(DAYS.c.day >= since, DAYS.c.day < before).order_by(DAYS.c.source, DAYS.c.day)
        found: dict[str, dict[date, LogDay]] = {}
        with self.transaction() as connection:
            for row in connection.execute(query).mappings():
                day = LogDay.from_json(row["lines"], row["bytes"], row["figures"])
                found.setdefault(row["source"], {})[row["day"]] = day
        return found

    def log_signature_days(self, since: date, before: date) -> Iterator[SignatureDay]:
        """Every signature of since <= day < before, streamed by log, signature and day."""
        same = (COUNTS.c.source == SIGNATURES.c.source) & (COUNTS.c.digest == SIGNATURES.c.digest)
        columns = (SIGNATURES.c.level, SIGNATURES.c.signature, SIGNATURES.c.first_day)
        query = (
            select(COUNTS.c.source, COUNTS.c.day, COUNTS.c.count, *columns)
            .join(SIGNATURES, same)
            .where(COUNTS.c.day >= since, COUNTS.c.day < before)
            .order_by(COUNTS.c.source, COUNTS.c.digest, COUNTS.c.day)
        )
        with self.streamed(query) as rows:
            for row in rows:
                yield SignatureDay(
                    row["source"], row["level"], row["signature"], row["first_day"], row["day"], row["count"]
                )

    def first_log_days(self) -> dict[str, date]:
        """The first day on record of each log."""
        with self.transaction() as connection:
            query = select(DAYS.c.source, func.min(DAYS.c.day)).group_by(DAYS.c.source)
            return {str(source): day for source, day in connection.execute(query)}

    def forget_log_days(self, before: date) -> int:
        """Remove the days before this one, and the signatures met on none that is left; how many rows went."""
        with self.transaction() as connection:
            gone = connection.execute(delete(COUNTS).where(COUNTS.c.day < before)).rowcount
            gone += connection.execute(delete(DAYS).where(DAYS.c.day < before)).rowcount
            gone += connection.execute(delete(SIGNATURES).where(SIGNATURES.c.last_day < before)).rowcount
        return gone


def _position(connection: Connection, source: str) -> LogPosition | None:
    row = connection.execute(select(POSITIONS).where(POSITIONS.c.source == source)).mappings().one_or_none()
    return None if row is None else LogPosition(row["inode"], row["offset"], row["seen"], row["checksum"])


def _add_day(connection: Connection, source: str, day: date, tally: LogDay) -> None:
    query = select(DAYS).where(DAYS.c.source == source, DAYS.c.day == day)
    row = connection.execute(query).mappings().one_or_none()
    whole = LogDay.from_json(row["lines"], row["bytes"], row["figures"]) if row else LogDay()
    whole += tally
    values = {"lines": whole.lines, "bytes": whole.bytes, "figures": whole.as_json()}
    statement = upsert(DAYS).values(source=source, day=day, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["source", "day"], set_=values))


def _add_signatures(connection: Connection, source: str, day: date, tally: LogDay) -> None:
    met = [(digest_of(one), *one, count) for one, count in sorted(tally.signatures.items())]
    for first in range(0, len(met), SEVERAL):
        part = met[first : first + SEVERAL]
        known = upsert(SIGNATURES).values(
            [
                {"source": source, "digest": key, "level": level, "signature": text, "first_day": day, "last_day": day}
                for key, level, text, _ in part
            ]
        )
        ends = {
            "first_day": func.least(SIGNATURES.c.first_day, known.excluded.first_day),
            "last_day": func.greatest(SIGNATURES.c.last_day, known.excluded.last_day),
        }
        connection.execute(known.on_conflict_do_update(index_elements=["source", "digest"], set_=ends))
        counts = upsert(COUNTS).values(
            [{"source": source, "digest": key, "day": day, "count": count} for key, _, _, count in part]
        )
        more = {"count": COUNTS.c.count + counts.excluded["count"]}
        connection.execute(counts.on_conflict_do_update(index_elements=["source", "digest", "day"], set_=more))
