"""What was forecast, and what came: each forecast is kept with its run and held against the day it was about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from clo_ops.findings.roll_ups import ForecastDay
from clo_ops.ledger import roll_up_tables
from clo_ops.ledger.columns import aware, labels_digest
from clo_ops.ledger.store import Store

KEPT = ("procedure", "statistic", "made_for", "target", "verdict", "expected", "low", "high", "naive", "came")

# A day is what its hours say, if half of it spoke; asked again until it has figures, for three weeks.
SCORE = """
UPDATE clo_ops.forecasts AS f SET came = day.value, scored_at = now()
FROM (
    SELECT o.id, avg(CASE o.statistic WHEN 'mean' THEN h.mean WHEN 'p95' THEN h.p95 ELSE h.highest END) AS value
    FROM clo_ops.forecasts AS o JOIN clo_ops.hourly AS h
      ON h.series_id = o.series_id AND h.starts_at >= o.target::timestamp AT TIME ZONE 'UTC'
     AND h.starts_at < (o.target + 1)::timestamp AT TIME ZONE 'UTC'
    WHERE o.scored_at IS NULL AND o.target < CAST(:today AS date) AND o.target >= CAST(:oldest AS date)
    GROUP BY o.id
) AS day
WHERE f.id = day.id
"""
ASKED_FOR = timedelta(days=21)


def _row(row: RowMapping) -> ForecastDay:
    return ForecastDay(metric=row["metric"], labels=row["labels"], unit=row["unit"], **{one: row[one] for one in KEPT})


def _series(connection: Connection, one: ForecastDay) -> int:
    table = roll_up_tables.series
    key = {"metric": one.metric, "unit": one.unit, "labels_digest": labels_digest(one.labels)}
    connection.execute(upsert(table).values(**key, labels=dict(one.labels)).on_conflict_do_nothing())
    return int(connection.execute(select(table.c.id).filter_by(**key)).scalar_one())


class Forecasts(Store):
    def record_forecasts(self, run: int, procedure: str, days: Sequence[ForecastDay]) -> None:
        """Keep what a procedure of this run forecast, in place of what an earlier try of it did."""
        table = roll_up_tables.forecasts
        with self.transaction() as connection:
            connection.execute(delete(table).where(table.c.run_id == run, table.c.procedure == procedure))
            known: dict[Any, int] = {}
            rows = []
            for one in days:
                key = (one.metric, one.unit, *sorted(one.labels.items()))
                known.setdefault(key, -1)
                known[key] = _series(connection, one) if known[key] < 0 else known[key]
                values = {name: getattr(one, name) for name in KEPT if name not in ("procedure", "came")}
                rows.append({**values, "run_id": run, "procedure": procedure, "series_id": known[key]})
            if rows:
                connection.execute(insert(table), rows)

    def score_forecasts(self, today: date) -> int:
        """Put down what came of the days before ``today`` that were forecast; returns of how many."""
        with self.transaction() as connection:
            values = {"today": today, "oldest": today - ASKED_FOR}
            return connection.execute(text(SCORE), values).rowcount

    def scored_forecasts(self, since: datetime, until: datetime) -> list[ForecastDay]:
        """The forecasts of the days since <= target < until that were held against what came, oldest day first."""
        table, series = roll_up_tables.forecasts, roll_up_tables.series
        query = select(series.c.metric, series.c.labels, series.c.unit, *(table.c[name] for name in KEPT))
        query = query.join_from(table, series).where(table.c.came.is_not(None))
        days = (aware(since).astimezone(UTC).date(), aware(until).astimezone(UTC).date())
        query = query.where(table.c.target >= days[0], table.c.target < days[1])
        order = (table.c.target, series.c.metric, series.c.id, table.c.made_for)
        with self.transaction() as connection:
            return [_row(row) for row in connection.execute(query.order_by(*order)).mappings()]
