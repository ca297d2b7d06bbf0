"""What a morning leaves for later mornings: its baseline, and the statement counters to take a difference from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import date, datetime

from sqlalchemy import RowMapping, select
from sqlalchemy.dialects.postgresql import insert as upsert

from clo_ops.findings import Measurement
from clo_ops.findings.statements import StatementRow, StatementSnapshot
from clo_ops.ledger import schema
from clo_ops.ledger.columns import aware
from clo_ops.ledger.measurements import as_row, measurement
from clo_ops.ledger.records import BaselineResult
from clo_ops.ledger.store import Store, lock


def _snapshot(row: RowMapping) -> StatementSnapshot:
    return StatementSnapshot(row["taken_at"], row["stats_reset"], tuple(StatementRow(**one) for one in row["rows"]))


class Mornings(Store):
    def record_baseline(self, day: date, measurements: Iterable[Measurement], run: int) -> BaselineResult:
        """Put down the day's baseline (DM-07): the first value recorded of a day and series stays.

        A repeat, by this run or another, fills in only the series still missing.
        """
        given = [{**as_row(one), "day": day, "run_id": run} for one in measurements]
        if not given:
            return BaselineResult(0, 0)
        # Earlier measurements first: of two for one series the first counts.
        given.sort(key=lambda row: row["at"])
        table = schema.baselines
        statement = upsert(table).on_conflict_do_nothing().returning(table.c.metric)
        with self.transaction() as connection:
            lock(connection, f"baseline:{day.isoformat()}")
            inserted = len(connection.execute(statement, given).all())
        return BaselineResult(inserted=inserted, kept=len(given) - inserted)

    def baselines(self, since: date, before: date, metric: str | None = None) -> Iterator[tuple[date, Measurement]]:
        """The baselines of since <= day < before, oldest day first, streamed."""
        table = schema.baselines
        query = select(table).where(table.c.day >= since, table.c.day < before)
        if metric is not None:
            query = query.where(table.c.metric == metric)
        order = (table.c.day, table.c.metric, table.c.labels_digest)
        with self.streamed(query.order_by(*order)) as rows:
            for row in rows:
                yield row["day"], measurement(row)

    def record_statements(self, run: int, snapshot: StatementSnapshot) -> None:
        """Keep the run's pg_stat_statements counters; a repeat of the run replaces its own."""
        row = {
            "taken_at": aware(snapshot.taken_at),
            "stats_reset": snapshot.stats_reset,
            "rows": [asdict(one) for one in snapshot.rows],
        }
        statement = upsert(schema.statement_snapshots).values(run_id=run, **row)
        with self.transaction() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["run_id"], set_=row))

    def previous_statements(self, before: datetime, run: int) -> StatementSnapshot | None:
        """The newest snapshot another run took before this time; None where there is none."""
        table = schema.statement_snapshots
        query = select(table).where(table.c.taken_at < aware(before), table.c.run_id != run)
        with self.transaction() as connection:
            row = connection.execute(query.order_by(table.c.taken_at.desc()).limit(1)).mappings().one_or_none()
        return None if row is None else _snapshot(row)

    def statement_snapshots(self, since: datetime, until: datetime) -> list[StatementSnapshot]:
        """The snapshots taken since <= at < until, oldest first."""
        table = schema.statement_snapshots
        query = select(table).where(table.c.taken_at >= aware(since), table.c.taken_at < aware(until))
        with self.transaction() as connection:
            return [_snapshot(row) for row in connection.execute(query.order_by(table.c.taken_at)).mappings()]
