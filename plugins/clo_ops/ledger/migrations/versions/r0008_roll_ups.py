"""Hourly and daily figures of each series, from which reports over months are made; and forecasts, to be scored."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

FIGURES = """
    series_id bigint NOT NULL REFERENCES clo_ops.series,
    starts_at timestamptz NOT NULL,
    count bigint NOT NULL CHECK (count > 0),
    mean double precision NOT NULL,
    p50 double precision NOT NULL,
    p95 double precision NOT NULL,
    p99 double precision NOT NULL,
    lowest double precision NOT NULL,
    highest double precision NOT NULL,
    last double precision NOT NULL,
    covered_s double precision NOT NULL CHECK (covered_s >= 0),
    warning_level double precision,
    above_warning_s double precision,
    critical_level double precision,
    above_critical_s double precision,
    source text NOT NULL CHECK (source IN ('measured', 'imported')),
"""

UP = f"""
CREATE TABLE clo_ops.series (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    metric text NOT NULL CHECK (metric <> ''),
    unit text NOT NULL,
    labels jsonb NOT NULL DEFAULT '{{}}' CHECK (jsonb_typeof(labels) = 'object'),
    labels_digest bytea NOT NULL CHECK (octet_length(labels_digest) = 16),
    CONSTRAINT series_metric_unit_labels_digest_key UNIQUE (metric, unit, labels_digest)
);

CREATE TABLE clo_ops.hourly ({FIGURES}
    PRIMARY KEY (series_id, starts_at)
);

CREATE TABLE clo_ops.daily ({FIGURES}
    buckets integer[] NOT NULL,
    bucket_counts integer[] NOT NULL,
    PRIMARY KEY (series_id, starts_at)
);
CREATE INDEX daily_starts_at_idx ON clo_ops.daily (starts_at);

CREATE TABLE clo_ops.roll_ups_due (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    metric text NOT NULL,
    day date NOT NULL
);
CREATE INDEX roll_ups_due_day_metric_idx ON clo_ops.roll_ups_due (day, metric);

-- What was measured before there were roll-ups is due as well.
INSERT INTO clo_ops.roll_ups_due (metric, day)
SELECT DISTINCT metric, (at AT TIME ZONE 'UTC')::date FROM clo_ops.measurements;

CREATE TABLE clo_ops.forecasts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id bigint NOT NULL REFERENCES clo_ops.runs,
    procedure text NOT NULL,
    series_id bigint NOT NULL REFERENCES clo_ops.series,
    statistic text NOT NULL,
    made_for date NOT NULL,
    target date NOT NULL CHECK (target > made_for),
    verdict text NOT NULL,
    expected double precision NOT NULL,
    low double precision NOT NULL,
    high double precision NOT NULL CHECK (high >= low),
    naive double precision NOT NULL,
    came double precision,
    scored_at timestamptz,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT forecasts_run_id_series_id_statistic_target_key UNIQUE (run_id, series_id, statistic, target)
);
CREATE INDEX forecasts_open_idx ON clo_ops.forecasts (target) WHERE scored_at IS NULL;
"""  # noqa: S608 - constants of this file

DOWN = """
DROP TABLE clo_ops.forecasts;
DROP TABLE clo_ops.roll_ups_due;
DROP TABLE clo_ops.daily;
DROP TABLE clo_ops.hourly;
DROP TABLE clo_ops.series;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
