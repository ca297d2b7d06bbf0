"""The statements that make hourly and daily figures of samples, whichever table the samples came from."""

from __future__ import annotations

from clo_ops.rules.distribution import LN_GAMMA, OFFSET

# A session's own, empty again after each transaction. `until_at` is how long a sample speaks.
SAMPLES = """
CREATE TEMPORARY TABLE IF NOT EXISTS clo_ops_samples (
    series_id bigint NOT NULL, hour timestamptz NOT NULL, at timestamptz NOT NULL, until_at timestamptz NOT NULL,
    value double precision NOT NULL
) ON COMMIT DELETE ROWS
"""
ARRIVALS = """
CREATE TEMPORARY TABLE IF NOT EXISTS clo_ops_arrivals (
    metric text NOT NULL, unit text NOT NULL, labels jsonb NOT NULL, labels_digest bytea NOT NULL,
    at timestamptz NOT NULL, value double precision NOT NULL
) ON COMMIT DELETE ROWS
"""

NEW_SERIES = """
INSERT INTO clo_ops.series (metric, unit, labels, labels_digest)
SELECT DISTINCT ON (metric, unit, labels_digest) metric, unit, labels, labels_digest FROM {source}
WHERE metric = ANY(:metrics) AND at >= CAST(:begin AS timestamptz) AND at < CAST(:until AS timestamptz)
ON CONFLICT DO NOTHING
"""

# The last samples before the day speak into it.
TAKE = """
INSERT INTO clo_ops_samples
SELECT s.id, date_trunc('hour', m.at, 'UTC'), m.at,
       least(lead(m.at) OVER (PARTITION BY s.id ORDER BY m.at), m.at + CAST(:holds AS interval)), m.value
FROM {source} AS m JOIN clo_ops.series AS s USING (metric, unit, labels_digest)
WHERE m.metric = ANY(:metrics)
  AND m.at >= CAST(:begin AS timestamptz) - CAST(:holds AS interval) AND m.at < CAST(:until AS timestamptz)
"""

# What a re-run took away must not stay in the figures. An import replaces only its own series'.
FORGET = """
DELETE FROM clo_ops.{table} WHERE source = :source AND starts_at >= CAST(:begin AS timestamptz)
  AND starts_at < CAST(:end AS timestamptz)
  AND series_id IN ({whose})
"""
WHOSE = {
    "measured": "SELECT id FROM clo_ops.series WHERE metric = ANY(:metrics)",
    "imported": "SELECT series_id FROM clo_ops_samples",
}

PIECES = """
levels AS (
    SELECT s.id AS series_id, l.warning, l.critical
    FROM unnest(CAST(:leveled AS text[]), CAST(:units AS text[]), CAST(:warnings AS float8[]),
                CAST(:criticals AS float8[])) AS l (metric, unit, warning, critical)
    JOIN clo_ops.series AS s USING (metric, unit)
), pieces AS (
    SELECT series_id, hour, value, least(until_at, hour + interval '1 hour') - at AS length FROM clo_ops_samples
    UNION ALL
    SELECT series_id, hour + interval '1 hour', value, until_at - (hour + interval '1 hour') FROM clo_ops_samples
    WHERE until_at > hour + interval '1 hour'
), spoken AS (
    SELECT series_id, date_trunc('{span}', hour, 'UTC') AS starts_at, extract(epoch FROM sum(length)) AS covered_s,
           coalesce(extract(epoch FROM sum(length) FILTER (WHERE value > warning)), 0) AS above_warning_s,
           coalesce(extract(epoch FROM sum(length) FILTER (WHERE value > critical)), 0) AS above_critical_s,
           min(warning) AS warning, min(critical) AS critical
    FROM pieces LEFT JOIN levels USING (series_id)
    WHERE hour >= CAST(:begin AS timestamptz) AND hour < CAST(:end AS timestamptz)
    GROUP BY series_id, 2
), figures AS (
    SELECT series_id, date_trunc('{span}', at, 'UTC') AS starts_at, count(*) AS count, avg(value) AS mean,
           percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY value) AS p, min(value) AS lowest,
           max(value) AS highest, (array_agg(value ORDER BY at DESC, value DESC))[1] AS last
    FROM clo_ops_samples WHERE at >= CAST(:begin AS timestamptz)
    GROUP BY series_id, 2
)"""

COLUMNS = """series_id, starts_at, count, mean, p50, p95, p99, lowest, highest, last, covered_s,
    warning_level, above_warning_s, critical_level, above_critical_s, source"""
CHOSEN = """series_id, starts_at, count, mean, p[1], p[2], p[3], lowest, highest, last, covered_s,
    warning, CASE WHEN warning IS NOT NULL THEN above_warning_s END,
    critical, CASE WHEN critical IS NOT NULL THEN above_critical_s END, CAST(:source AS text)"""
# Of two sources the one that spoke for more of the time stands; at the same, what we measured ourselves.
STANDS = """
WHERE kept.source = EXCLUDED.source OR EXCLUDED.covered_s > kept.covered_s
   OR (EXCLUDED.covered_s = kept.covered_s AND EXCLUDED.source = 'measured')
"""


def _replaced(columns: str) -> str:
    names = [name.strip() for name in columns.replace("\n", " ").split(",")][2:]
    return ", ".join(f"{name} = EXCLUDED.{name}" for name in names)


HOURLY = f"""
WITH {PIECES.format(span="hour")}
INSERT INTO clo_ops.hourly AS kept ({COLUMNS})
SELECT {CHOSEN} FROM figures JOIN spoken USING (series_id, starts_at)
ON CONFLICT (series_id, starts_at) DO UPDATE SET {_replaced(COLUMNS)}
{STANDS}
"""  # noqa: S608 - constants of this file

DAILY = f"""
WITH {PIECES.format(span="day")}, counted AS (
    SELECT series_id, date_trunc('day', at, 'UTC') AS starts_at, count(*)::int AS number,
           CASE WHEN value = 0 THEN 0
                ELSE sign(value) * ({OFFSET} + ceil(ln(abs(value)) / {LN_GAMMA!r})) END::int AS bucket
    FROM clo_ops_samples WHERE at >= CAST(:begin AS timestamptz)
    GROUP BY series_id, 2, 4
), spread AS (
    SELECT series_id, starts_at, array_agg(bucket ORDER BY bucket) AS buckets,
           array_agg(number ORDER BY bucket) AS bucket_counts
    FROM counted GROUP BY series_id, starts_at
)
INSERT INTO clo_ops.daily AS kept ({COLUMNS}, buckets, bucket_counts)
SELECT {CHOSEN}, buckets, bucket_counts
FROM figures JOIN spoken USING (series_id, starts_at) JOIN spread USING (series_id, starts_at)
ON CONFLICT (series_id, starts_at) DO UPDATE SET {_replaced(COLUMNS + ", buckets, bucket_counts")}
{STANDS}
"""  # noqa: S608 - constants of this file

# Days add up: counts, times and buckets by sum, means weighted by their samples, a percentile by its rank.
MONTHS = """
WITH chosen AS (
    SELECT d.*, date_trunc('month', starts_at, 'UTC') AS month
    FROM clo_ops.daily AS d JOIN clo_ops.series AS s ON s.id = d.series_id
    WHERE starts_at >= CAST(:since AS timestamptz) AND starts_at < CAST(:until AS timestamptz)
      AND (s.metric = ANY(:metrics))
), ranked AS (
    SELECT series_id, month, bucket, sum(number) AS number,
           sum(sum(number)) OVER (PARTITION BY series_id, month ORDER BY bucket) AS seen
    FROM chosen CROSS JOIN LATERAL unnest(buckets, bucket_counts) AS b (bucket, number)
    GROUP BY series_id, month, bucket
), figures AS (
    SELECT series_id, month, sum(count) AS count, sum(mean * count) / sum(count) AS mean, min(lowest) AS lowest,
           max(highest) AS highest, (array_agg(last ORDER BY starts_at DESC))[1] AS last, sum(covered_s) AS covered_s,
           max(warning_level) AS warning_level, sum(above_warning_s) AS above_warning_s,
           max(critical_level) AS critical_level, sum(above_critical_s) AS above_critical_s, max(source) AS source
    FROM chosen GROUP BY series_id, month
), percentiles AS (
    SELECT r.series_id, r.month, min(bucket) FILTER (WHERE seen >= ceil(0.5 * count)) AS p50,
           min(bucket) FILTER (WHERE seen >= ceil(0.95 * count)) AS p95,
           min(bucket) FILTER (WHERE seen >= ceil(0.99 * count)) AS p99
    FROM ranked AS r JOIN figures USING (series_id, month) GROUP BY r.series_id, r.month
)
SELECT s.metric, s.labels, s.unit, month AS starts_at, count, mean, p50, p95, p99, lowest, highest, last, covered_s,
       warning_level, above_warning_s, critical_level, above_critical_s, source
FROM figures JOIN percentiles USING (series_id, month) JOIN clo_ops.series AS s ON s.id = series_id
ORDER BY s.metric COLLATE "C", s.labels_digest, month
"""

# The same of the whole time.
TOTALS = MONTHS.replace("date_trunc('month', starts_at, 'UTC')", "CAST(:since AS timestamptz)")
