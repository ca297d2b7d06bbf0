"""Hourly and daily figures of each series: made of the measurements, kept up with them, read by reports and rules.

Whoever writes or takes away measurements notes the days they belong to in the same transaction (``note_due``); the
roll-up makes those days anew, whole. So it does not matter in which order what arrives, nor how often it is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select, text

from clo_ops.findings import Measurement
from clo_ops.findings.roll_ups import RollUp
from clo_ops.ledger import roll_up_tables, rolling
from clo_ops.ledger.columns import aware
from clo_ops.ledger.records import Rolled, Rolling
from clo_ops.ledger.store import Store, lock
from clo_ops.rules.distribution import value_of

DAY = timedelta(days=1)
# So that a chunk stays far below the statement timeout: a day of a thousand series in samples of five minutes.
METRICS_AT_ONCE = 5
SAMPLES_AT_ONCE = 20_000
SERIES_AT_ONCE = 50
FIGURES = [one for one in roll_up_tables.hourly.c if one.name != "series_id"]


def note_due(connection: Connection, rows: Iterable[tuple[str, datetime]]) -> None:
    """These metrics' days have to be made anew; in the transaction that changes them."""
    due = {(metric, day) for metric, at in rows for day in _days(at.astimezone(UTC))}
    if due:
        connection.execute(
            insert(roll_up_tables.roll_ups_due), [{"metric": metric, "day": day} for metric, day in sorted(due)]
        )


def _days(at: datetime) -> tuple[date, ...]:
    """A sample of the day's last hour speaks into the next day."""
    return (at.date(), at.date() + DAY) if at.hour == 23 else (at.date(),)


def _whole_days(samples: Iterable[Measurement]) -> Iterator[list[Measurement]]:
    """As many days at once as make a good transaction."""
    kept: list[Measurement] = []
    for one in samples:
        if len(kept) >= SAMPLES_AT_ONCE and one.at.astimezone(UTC).date() != kept[-1].at.astimezone(UTC).date():
            yield kept
            kept = []
        kept.append(one)
    if kept:
        yield kept


def _roll_up(row: RowMapping) -> RollUp:
    lengths = {name: row[f"{name}_s"] for name in ("covered", "above_warning", "above_critical")}
    kept = {name: row[name] for name in RollUp.__slots__ if name not in lengths}
    spans = {name: None if value is None else timedelta(seconds=float(value)) for name, value in lengths.items()}
    return RollUp(**{**kept, **spans})


def _month(row: RowMapping) -> RollUp:
    values = {name: value_of(int(row[name])) for name in ("p50", "p95", "p99")}
    # A bucket's middle may lie outside of what was measured.
    inside = {name: min(max(value, row["lowest"]), row["highest"]) for name, value in values.items()}
    return _roll_up({**row, **inside, "count": int(row["count"]), "mean": float(row["mean"])})  # type: ignore[arg-type]


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


class RollUps(Store):
    def roll_up(self, terms: Rolling, *, until: datetime) -> Rolled:
        """Make anew what is due of the hours that ended by ``until``; what is due of no metric of ``terms`` is dropped.

        Each chunk is a transaction of its own: broken off, the rest stays due. A day that is not over stays due too.
        """
        last = aware(until).replace(minute=0, second=0, microsecond=0)
        done = Rolled()
        for day, due in groupby(self._due(last.date()), key=lambda one: one[0]):
            metrics = [metric for _, metric in due]
            wanted = [metric for metric in metrics if any(fnmatchcase(metric, one) for one in terms.metrics)]
            self._drop(day, [metric for metric in metrics if metric not in wanted])
            for place in range(0, len(wanted), METRICS_AT_ONCE):
                done += self._day(day, wanted[place : place + METRICS_AT_ONCE], terms, last)
        return done

    def _due(self, until: date) -> list[tuple[date, str]]:
        table = roll_up_tables.roll_ups_due
        query = select(table.c.day, table.c.metric).distinct().where(table.c.day <= until)
        with self.transaction() as connection:
            return [(row.day, row.metric) for row in connection.execute(query.order_by(table.c.day, table.c.metric))]

    def _drop(self, day: date, metrics: Sequence[str]) -> None:
        table = roll_up_tables.roll_ups_due
        if metrics:
            with self.transaction() as connection:
                connection.execute(delete(table).where(table.c.day == day, table.c.metric.in_(metrics)))

    def _day(self, day: date, metrics: list[str], terms: Rolling, last: datetime) -> Rolled:
        begin, over = _midnight(day), _midnight(day) + DAY <= last
        with self.transaction() as connection:
            lock(connection, "roll-up")
            if over:
                self._drop(day, metrics)
            connection.execute(text(rolling.SAMPLES))
            span = _span(begin, begin + DAY, min(begin + DAY, last), metrics, terms)
            hours = _make(connection, "clo_ops.measurements", span, "measured")
        return Rolled(1, hours, frozenset(metrics))

    def roll_up_again(self, metrics: Sequence[str], since: datetime, until: datetime) -> int:
        """Note these metrics' days of measurements as due: for a metric or a level that policy has only now."""
        query = text(
            "INSERT INTO clo_ops.roll_ups_due (metric, day)"
            " SELECT DISTINCT metric, (at AT TIME ZONE 'UTC')::date FROM clo_ops.measurements"
            " WHERE metric = ANY(:metrics) AND at >= :since AND at < :until"
        )
        with self.transaction() as connection:
            values = {"metrics": list(metrics), "since": aware(since), "until": aware(until)}
            return connection.execute(query, values).rowcount

    def import_samples(self, samples: Iterable[Measurement], terms: Rolling) -> Rolled:
        """Figures of samples that were not measured by us (Prometheus' past), in place of an earlier import's.

        Give whole days, oldest first, of one metric or several: a day's figures are of the samples of one call. Where
        we measured an hour ourselves, whichever speaks for more of it stands. The samples themselves are not kept.
        """
        done = Rolled()
        for days in _whole_days(samples):
            done += self._import_days(days, terms)
        return done

    def _import_days(self, samples: Sequence[Measurement], terms: Rolling) -> Rolled:
        begin, end = (_midnight(one.at.astimezone(UTC).date()) for one in (samples[0], samples[-1]))
        metrics = sorted({one.name for one in samples})
        with self.transaction() as connection:
            lock(connection, "roll-up")
            connection.execute(text(rolling.SAMPLES))
            connection.execute(text(rolling.ARRIVALS))
            _copy(connection, samples)
            span = _span(begin, end + DAY, end + DAY, metrics, terms)
            hours = _make(connection, "clo_ops_arrivals", span, "imported")
        return Rolled((end - begin).days + 1, hours, frozenset(metrics))

    def figures_before(self, before: datetime) -> int:
        """How many days of series, and days forecast of them, lie before this time."""
        counted = text(
            "SELECT (SELECT count(*) FROM clo_ops.daily WHERE starts_at < :before)"
            " + (SELECT count(*) FROM clo_ops.forecasts WHERE target < CAST(:before AS timestamptz)::date)"
        )
        with self.transaction() as connection:
            return int(connection.execute(counted, {"before": aware(before)}).scalar_one())

    def forget_figures(self, before: datetime) -> int:
        """Hours, days and forecasts before this time go for good; how many rows went.

        Some series at a time, each a transaction: broken off, the rest goes the next time.
        """
        with self.transaction() as connection:
            series = list(connection.scalars(select(roll_up_tables.series.c.id).order_by(roll_up_tables.series.c.id)))
        gone = 0
        for place in range(0, len(series), SERIES_AT_ONCE):
            with self.transaction() as connection:
                gone += _forget_before(connection, series[place : place + SERIES_AT_ONCE], aware(before))
        return gone

    def hours(
        self, metric: str, since: datetime, until: datetime, labels: Mapping[str, str] | None = None
    ) -> Iterator[RollUp]:
        """The hourly figures of ``metric`` with since <= starts_at < until, of series with at least these labels.

        Series by series, oldest hour first, streamed.
        """
        yield from self._read(roll_up_tables.hourly, metric, (since, until), labels)

    def days(
        self, metric: str, since: datetime, until: datetime, labels: Mapping[str, str] | None = None
    ) -> Iterator[RollUp]:
        """The same by days."""
        yield from self._read(roll_up_tables.daily, metric, (since, until), labels)

    def _read(
        self, table: Any, metric: str, between: tuple[datetime, datetime], labels: Mapping[str, str] | None
    ) -> Iterator[RollUp]:
        series = roll_up_tables.series
        figures = [table.c[one.name] for one in FIGURES]
        query = select(series.c.metric, series.c.labels, series.c.unit, *figures).join_from(series, table)
        query = query.where(series.c.metric == metric)
        query = query.where(table.c.starts_at >= aware(between[0]), table.c.starts_at < aware(between[1]))
        if labels:
            query = query.where(series.c.labels.op("@>")(dict(labels)))
        with self.streamed(query.order_by(series.c.id, table.c.starts_at)) as rows:
            yield from map(_roll_up, rows)

    def months(self, metrics: Sequence[str], since: datetime, until: datetime) -> list[RollUp]:
        """The figures of each series of ``metrics`` for each calendar month (UTC), from the days of since to until."""
        return self._added_up(rolling.MONTHS, metrics, since, until)

    def totals(self, metrics: Sequence[str], since: datetime, until: datetime) -> list[RollUp]:
        """The same over all the days of since to until at once; ``starts_at`` is ``since``."""
        return self._added_up(rolling.TOTALS, metrics, since, until)

    def _added_up(self, query: str, metrics: Sequence[str], since: datetime, until: datetime) -> list[RollUp]:
        values = {"metrics": list(metrics), "since": aware(since), "until": aware(until)}
        with self.transaction() as connection:
            return [_month(row) for row in connection.execute(text(query), values).mappings()]


def _forget_before(connection: Connection, series: Sequence[int], before: datetime) -> int:
    forecasts, gone = roll_up_tables.forecasts, 0
    for table in (roll_up_tables.hourly, roll_up_tables.daily):
        old = delete(table).where(table.c.series_id.in_(series), table.c.starts_at < before)
        gone += connection.execute(old).rowcount
    told = delete(forecasts).where(
        forecasts.c.series_id.in_(series), forecasts.c.target < before.astimezone(UTC).date()
    )
    return gone + connection.execute(told).rowcount


def _span(begin: datetime, end: datetime, until: datetime, metrics: list[str], terms: Rolling) -> dict[str, Any]:
    leveled = [(metric, unit, *levels) for (metric, unit), levels in sorted(terms.levels.items())]
    return {
        "begin": begin,
        "end": end,
        "until": until,
        "metrics": metrics,
        "holds": terms.sample_holds,
        "leveled": [one[0] for one in leveled],
        "units": [one[1] for one in leveled],
        "warnings": [one[2] for one in leveled],
        "criticals": [one[3] for one in leveled],
    }


def _make(connection: Connection, source: str, span: Mapping[str, Any], called: str) -> int:
    """The hours and the days of ``source`` in the span; returns how many hours."""
    values = {**span, "source": called}
    connection.execute(text(rolling.NEW_SERIES.format(source=source)), values)
    connection.execute(text(rolling.TAKE.format(source=source)), values)
    for table in ("hourly", "daily"):
        connection.execute(text(rolling.FORGET.format(table=table, whose=rolling.WHOSE[called])), values)
    connection.execute(text(rolling.DAILY), values)
    made: int = connection.execute(text(rolling.HOURLY), values).rowcount
    connection.execute(text("TRUNCATE clo_ops_samples"))
    return made


def _copy(connection: Connection, samples: Iterable[Measurement]) -> None:
    from psycopg.types.json import Jsonb

    from clo_ops.ledger.measurements import as_row

    connection.execute(text("TRUNCATE clo_ops_arrivals"))
    cursor = connection.connection.cursor()
    statement = "COPY clo_ops_arrivals (metric, unit, labels, labels_digest, at, value) FROM STDIN"
    known: dict[Any, tuple[Any, bytes]] = {}
    with cursor.copy(statement) as copy:
        for one in samples:
            key = (one.name, *one.labels.items())
            if key not in known:
                row = as_row(one)
                known[key] = (Jsonb(row["labels"]), row["labels_digest"])
            copy.write_row((one.name, one.unit, *known[key], one.at, one.value))
