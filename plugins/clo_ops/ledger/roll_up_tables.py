"""The ledger's tables of hourly and daily figures, and of forecasts; their metadata is that of ``schema``."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    Date,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    UniqueConstraint,
    text,
)

from clo_ops.ledger.columns import CleanJson, CleanText, Instant, identity, of_run, recorded_at
from clo_ops.ledger.schema import metadata

series = Table(
    "series",
    metadata,
    identity(),
    Column("metric", CleanText, nullable=False),
    Column("unit", CleanText, nullable=False),
    Column("labels", CleanJson, nullable=False, server_default=text("'{}'")),
    Column("labels_digest", LargeBinary, nullable=False),
    UniqueConstraint("metric", "unit", "labels_digest", name="series_metric_unit_labels_digest_key"),
)


def _figures() -> list[Column[Any]]:
    """What is kept of a series' hour or day; the seconds above a level are by the level of that time."""
    return [
        Column("series_id", BigInteger, ForeignKey("clo_ops.series.id"), primary_key=True),
        Column("starts_at", Instant, primary_key=True),
        Column("count", BigInteger, nullable=False),
        *(Column(name, Double, nullable=False) for name in ("mean", "p50", "p95", "p99", "lowest", "highest", "last")),
        Column("covered_s", Double, nullable=False),
        Column("warning_level", Double),
        Column("above_warning_s", Double),
        Column("critical_level", Double),
        Column("above_critical_s", Double),
        Column("source", CleanText, nullable=False),
    ]


hourly = Table("hourly", metadata, *_figures())

# How a day's values were spread, so that days add up to the percentiles of a month (rules.distribution).
daily = Table(
    "daily",
    metadata,
    *_figures(),
    Column("buckets", ARRAY(Integer), nullable=False),
    Column("bucket_counts", ARRAY(Integer), nullable=False),
    Index("daily_starts_at_idx", "starts_at"),
)

# Written with the measurements, in the same transaction: days whose figures no longer fit what was measured.
roll_ups_due = Table(
    "roll_ups_due",
    metadata,
    identity(),
    Column("metric", CleanText, nullable=False),
    Column("day", Date, nullable=False),
    Index("roll_ups_due_day_metric_idx", "day", "metric"),
)

forecasts = Table(
    "forecasts",
    metadata,
    identity(),
    of_run(),
    Column("procedure", CleanText, nullable=False),
    Column("series_id", BigInteger, ForeignKey("clo_ops.series.id"), nullable=False),
    Column("statistic", CleanText, nullable=False),
    Column("made_for", Date, nullable=False),
    Column("target", Date, nullable=False),
    Column("verdict", CleanText, nullable=False),
    Column("expected", Double, nullable=False),
    Column("low", Double, nullable=False),
    Column("high", Double, nullable=False),
    Column("naive", Double, nullable=False),
    Column("came", Double),
    Column("scored_at", Instant),
    recorded_at(),
    UniqueConstraint(
        "run_id", "series_id", "statistic", "target", name="forecasts_run_id_series_id_statistic_target_key"
    ),
    Index("forecasts_open_idx", "target", postgresql_where=text("scored_at IS NULL")),
)
