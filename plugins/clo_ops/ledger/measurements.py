"""Measurements: written with the run that took them, read by metric and time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select
from sqlalchemy.dialects.postgresql import distinct_on

from clo_ops.findings import Measurement
from clo_ops.ledger import schema
from clo_ops.ledger.columns import UNITS, aware, labels_digest
from clo_ops.ledger.partitions import drop_partition, ensure_partitions, partitions_before
from clo_ops.ledger.roll_ups import note_due
from clo_ops.ledger.store import Store

SELECTED = [schema.measurements.c[name] for name in ("metric", "value", "unit", "at", "labels", "detail")]


def measurement(row: RowMapping) -> Measurement:
    return Measurement(row["metric"], row["value"], row["unit"], row["at"], row["labels"], row["detail"])


def as_row(one: Measurement) -> dict[str, Any]:
    """The measurement's columns. Raises ValueError for a unit we do not have and for a number that is none."""
    if one.unit not in UNITS:
        raise ValueError(f"{one.name}: unit {one.unit!r}, allowed {', '.join(UNITS)}")
    if not math.isfinite(one.value):
        raise ValueError(f"{one.name}: value {one.value}; what has no finite value was not measured")
    return {
        "metric": one.name,
        "value": one.value,
        "unit": one.unit,
        "at": one.at,
        "labels": dict(one.labels),
        "labels_digest": labels_digest(one.labels),
        "detail": one.detail,
    }


def write(connection: Connection, run: int, procedure: str, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        connection.execute(
            insert(schema.measurements), [{**row, "run_id": run, "procedure": procedure} for row in rows]
        )
        note_due(connection, ((row["metric"], row["at"]) for row in rows))


class Measurements(Store):
    def make_partitions(self, times: Sequence[datetime]) -> list[str]:
        """Make the monthly partitions these times need; returns those made now."""
        with self.transaction() as connection:
            return ensure_partitions(connection, times)

    def measurement_partitions(self, before: datetime) -> list[str]:
        """Months of measurements that lie wholly before this time, oldest first."""
        with self.transaction() as connection:
            return partitions_before(connection, aware(before))

    def drop_measurements(self, partition: str, before: datetime) -> None:
        """One month of measurements goes for good. Raises ValueError where it is not wholly before this time."""
        with self.transaction() as connection:
            drop_partition(connection, partition, aware(before))

    def measurements(
        self, metric: str, since: datetime, until: datetime, labels: Mapping[str, str] | None = None
    ) -> Iterator[Measurement]:
        """Measurements of ``metric`` with since <= at < until that carry at least these labels, oldest first.

        Rows come through a cursor on the server, a thousand at a time: memory does not grow with the answer.
        """
        table = schema.measurements
        query = select(*SELECTED).where(table.c.metric == metric, table.c.at >= aware(since), table.c.at < aware(until))
        if labels:
            query = query.where(table.c.labels.op("@>")(dict(labels)))
        with self.streamed(query.order_by(table.c.at)) as rows:
            yield from map(measurement, rows)

    def newest(self, metrics: Sequence[str], procedure: str, since: datetime, until: datetime) -> list[Measurement]:
        """Of each series of ``metrics`` the newest measurement with since <= at < until that the procedure took."""
        table = schema.measurements
        query = select(*SELECTED).ext(distinct_on(table.c.metric, table.c.labels_digest))
        query = query.where(table.c.metric.in_(metrics), table.c.procedure == procedure)
        query = query.where(table.c.at >= aware(since), table.c.at < aware(until))
        with self.transaction() as connection:
            rows = connection.execute(query.order_by(table.c.metric, table.c.labels_digest, table.c.at.desc()))
            return [measurement(row) for row in rows.mappings()]
