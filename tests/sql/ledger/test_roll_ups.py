"""Hourly, daily and monthly figures, each recomputed from the raw rows by a query of the test's own."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from clo_ops.findings import Answer, Measurement
from clo_ops.ledger import Ledger, Rolling
from clo_ops.ledger.schema_version import newest

CPU, SIZE = "system.cpu.utilization", "postgresql.database.size"
FIRST = datetime(2026, 5, 30, tzinfo=UTC)
END = FIRST + timedelta(days=4)
DONE = END + timedelta(days=1)  # the last hour speaks into the next day, which is due as well
TERMS = Rolling(("system.*", "postgresql.database.*"), timedelta(minutes=10), {(CPU, "percent"): (70.0, 85.0)})

INDEPENDENT = """
SELECT date_trunc(:span, at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AS starts_at, count(*) AS count, avg(value) AS mean,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY value) AS p50,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY value) AS p95,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY value) AS p99, min(value) AS lowest, max(value) AS highest
FROM clo_ops.measurements WHERE metric = :metric AND labels = CAST(:labels AS jsonb) GROUP BY 1 ORDER BY 1
"""


def samples(metric: str = CPU, unit: str = "percent", host: str = "app1", seed: int = 1) -> list[Measurement]:
    """Four days, every five minutes, give or take a minute; an afternoon is missing."""
    source = random.Random(seed)  # noqa: S311 - figures, not secrets
    found = []
    for number in range(4 * 288):
        at = FIRST + timedelta(minutes=5 * number, seconds=source.uniform(-60, 60) if number else 0)
        if not FIRST + timedelta(hours=37) <= at < FIRST + timedelta(hours=42):
            value = 60 + 20 * math.sin(number / 46) + source.gauss(0, 4)
            found.append(Measurement(metric, value, unit, at, {"host": host}))
    return found


def put(ledger: Ledger, measured: list[Measurement], name: str = "one", procedure: str = "BH-01") -> int:
    run = ledger.open_run("business_hours_monitoring", name, FIRST, "policy")
    ledger.record(run, procedure, [], Answer(tuple(measured)), try_number=1)
    return run


def raw(ledger: Ledger, span: str, metric: str = CPU, host: str = "app1") -> list[dict[str, Any]]:
    values = {"span": span, "metric": metric, "labels": f'{{"host": "{host}"}}'}
    with ledger.transaction() as connection:
        return [dict(row) for row in connection.execute(text(INDEPENDENT), values).mappings()]


def agree(made: Any, row: dict[str, Any]) -> None:
    assert made.starts_at == row["starts_at"]
    for name in ("count", "mean", "p50", "p95", "p99", "lowest", "highest"):
        assert getattr(made, name) == pytest.approx(row[name], rel=1e-9), name


def due(ledger: Ledger) -> int:
    with ledger.transaction() as connection:
        return int(connection.scalar(text("SELECT count(*) FROM clo_ops.roll_ups_due")) or 0)


@pytest.fixture
def filled(ledger: Ledger) -> Ledger:
    put(ledger, samples())
    put(ledger, samples(host="app2", seed=2) + samples(SIZE, "bytes", seed=3), "two")
    ledger.roll_up(TERMS, until=DONE)
    return ledger


@pytest.mark.parametrize(("metric", "host"), [(CPU, "app1"), (CPU, "app2"), (SIZE, "app1")])
def test_hours_and_days_are_what_the_raw_rows_say(filled: Ledger, metric: str, host: str) -> None:
    for span, read in (("hour", filled.hours), ("day", filled.days)):
        made = list(read(metric, FIRST - timedelta(days=1), END, {"host": host}))
        wanted = raw(filled, span, metric, host)
        assert len(made) == len(wanted) >= 4
        for one, row in zip(made, wanted, strict=True):
            agree(one, row)
            assert (one.metric, one.labels, one.source) == (metric, {"host": host}, "measured")


def test_an_hour_without_a_sample_has_no_figures(filled: Ledger) -> None:
    hours = {one.starts_at for one in filled.hours(CPU, FIRST, END, {"host": "app1"})}
    missing = {FIRST + timedelta(hours=hour) for hour in range(96)} - hours
    assert FIRST + timedelta(hours=38) in missing
    assert len(missing) <= 5


def test_time_above_a_level_is_what_the_samples_spoke_for(filled: Ledger) -> None:
    """Second by second, by another way than the statement's."""
    of_one = [one for one in samples() if one.at < FIRST + timedelta(days=1)]
    speaking = zip(of_one, [*(one.at for one in of_one[1:]), FIRST + timedelta(days=1)], strict=True)
    covered = warned = 0.0
    for one, following in speaking:
        length = min(following - one.at, TERMS.sample_holds).total_seconds()
        covered += length
        warned += length if one.value > 70 else 0
    day = next(iter(filled.days(CPU, FIRST, END, {"host": "app1"})))
    assert day.covered.total_seconds() == pytest.approx(covered, abs=1)
    assert day.above_warning is not None
    assert day.above_warning.total_seconds() == pytest.approx(warned, abs=1)
    assert (day.warning_level, day.critical_level) == (70, 85)
    size = next(iter(filled.days(SIZE, FIRST, END)))
    assert (size.warning_level, size.above_warning, size.above_critical) == (None, None, None)
    gap = next(iter(filled.days(CPU, FIRST + timedelta(days=1), END, {"host": "app1"})))
    assert timedelta(hours=18.7) < gap.covered < timedelta(hours=19.4), "nobody speaks for the missing afternoon"


def test_hours_add_up_to_the_day(filled: Ledger) -> None:
    hours = list(filled.hours(CPU, FIRST, FIRST + timedelta(days=1), {"host": "app1"}))
    day = next(iter(filled.days(CPU, FIRST, END, {"host": "app1"})))
    assert sum(one.count for one in hours) == day.count
    assert sum((one.covered for one in hours), timedelta()).total_seconds() == pytest.approx(
        day.covered.total_seconds()
    )
    assert hours[-1].last == day.last


def test_a_month_is_made_of_days_and_is_what_the_raw_rows_say(filled: Ledger) -> None:
    """Counts, means and extremes exactly; percentiles within the 1 % their buckets promise."""
    months = [one for one in filled.months([CPU], FIRST, END) if one.labels == {"host": "app1"}]
    disc = INDEPENDENT.replace("percentile_cont", "percentile_disc")
    with filled.transaction() as connection:
        values = {"span": "month", "metric": CPU, "labels": '{"host": "app1"}'}
        wanted = [dict(row) for row in connection.execute(text(disc), values).mappings()]
    assert [one.starts_at.month for one in months] == [5, 6]
    for one, row in zip(months, wanted, strict=True):
        assert one.count == row["count"]
        for name in ("mean", "lowest", "highest"):
            assert getattr(one, name) == pytest.approx(row[name])
        for name in ("p50", "p95", "p99"):
            assert getattr(one, name) == pytest.approx(row[name], rel=0.0101), name


def test_a_month_is_read_without_the_raw_rows(filled: Ledger) -> None:
    before = filled.months([CPU, SIZE], FIRST, END)
    with filled.transaction() as connection:
        connection.execute(text("TRUNCATE clo_ops.measurements"))
    assert filled.months([CPU, SIZE], FIRST, END) == before
    assert len(before) == 6


def test_done_again_nothing_changes(filled: Ledger) -> None:
    before = list(filled.hours(CPU, FIRST, END)), list(filled.days(CPU, FIRST, END))
    assert due(filled) == 0
    assert filled.roll_up(TERMS, until=DONE).hours == 0
    assert filled.roll_up_again([CPU], FIRST, END) > 0
    assert filled.roll_up(TERMS, until=DONE).hours > 150
    assert (list(filled.hours(CPU, FIRST, END)), list(filled.days(CPU, FIRST, END))) == before


def test_late_samples_are_taken_in(filled: Ledger) -> None:
    late = FIRST + timedelta(hours=39, minutes=30)
    put(filled, [Measurement(CPU, 99.0, "percent", late, {"host": "app1"})], "late")
    assert filled.roll_up(TERMS, until=DONE).metrics == {CPU}
    for one, row in zip(filled.days(CPU, FIRST, END, {"host": "app1"}), raw(filled, "day"), strict=True):
        agree(one, row)
    hour = next(iter(filled.hours(CPU, late.replace(minute=0), END, {"host": "app1"})))
    assert (hour.count, hour.highest, hour.covered, hour.above_critical) == (1, 99.0, *[timedelta(minutes=10)] * 2)


def test_a_late_sample_before_midnight_speaks_into_the_next_day(ledger: Ledger) -> None:
    second = FIRST + timedelta(days=1)
    put(ledger, [Measurement(CPU, 50.0, "percent", second + timedelta(minutes=8))])
    ledger.roll_up(TERMS, until=DONE)
    put(ledger, [Measurement(CPU, 50.0, "percent", second - timedelta(minutes=4))], "late")
    ledger.roll_up(TERMS, until=DONE)
    days = [(one.starts_at, one.covered) for one in ledger.days(CPU, FIRST, END)]
    assert days == [(FIRST, timedelta(minutes=4)), (second, timedelta(minutes=6 + 10))]


def test_what_a_rerun_took_away_leaves_the_figures(filled: Ledger) -> None:
    run = filled.open_run("business_hours_monitoring", "two", FIRST, "policy")
    kept = [one for one in samples(host="app2", seed=2) if one.at < FIRST + timedelta(days=2)]
    filled.record(run, "BH-01", [], Answer(tuple(kept)), try_number=2)
    filled.roll_up(TERMS, until=DONE)
    made = list(filled.days(CPU, FIRST, END, {"host": "app2"}))
    assert len(made) == 2
    for one, row in zip(made, raw(filled, "day", host="app2"), strict=True):
        agree(one, row)
    assert list(filled.days(SIZE, FIRST, END)) == []
    assert len(list(filled.days(CPU, FIRST, END, {"host": "app1"}))) == 4


def test_only_hours_that_ended_are_rolled_up(ledger: Ledger) -> None:
    put(ledger, samples())
    until = FIRST + timedelta(days=2, hours=9, minutes=20)
    ledger.roll_up(TERMS, until=until)
    hours = list(ledger.hours(CPU, FIRST, END))
    assert hours[-1].starts_at == FIRST + timedelta(days=2, hours=8)
    assert due(ledger) > 0, "the running day stays due"
    ledger.roll_up(TERMS, until=DONE)
    for one, row in zip(ledger.days(CPU, FIRST, END), raw(ledger, "day"), strict=True):
        agree(one, row)
    assert due(ledger) == 0


def test_what_policy_does_not_list_is_dropped_and_can_be_asked_for_later(ledger: Ledger) -> None:
    put(ledger, samples("backup.size", "bytes"))
    assert ledger.roll_up(TERMS, until=DONE).hours == 0
    assert due(ledger) == 0
    assert ledger.roll_up_again(["backup.size"], FIRST, END) == 4
    assert ledger.roll_up(Rolling(("backup.*",), timedelta(minutes=10)), until=DONE).hours > 80


def test_broken_off_the_rest_stays_due(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    put(ledger, samples())
    original, done = Ledger._day, []

    def breaks(self: Ledger, *given: Any) -> Any:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(given)
        return original(self, *given)

    monkeypatch.setattr(Ledger, "_day", breaks)
    with pytest.raises(KeyboardInterrupt):
        ledger.roll_up(TERMS, until=DONE)
    monkeypatch.undo()
    ledger.roll_up(TERMS, until=DONE)
    for one, row in zip(ledger.days(CPU, FIRST, END), raw(ledger, "day"), strict=True):
        agree(one, row)


def test_what_comes_meanwhile_stays_due(url: str, ledger: Ledger) -> None:
    """A sample recorded by somebody else while its day is rolled up is in the figures after the next roll-up."""
    put(ledger, samples())
    with Ledger(url) as other:
        seen = []

        def also(day: Any, metrics: list[str]) -> None:
            if not seen:
                put(other, [Measurement(CPU, 1000.0, "percent", FIRST, {"host": "app1"})], "meanwhile")
            seen.append(day)
            Ledger._drop(ledger, day, metrics)

        ledger._drop = also  # type: ignore[method-assign]
        ledger.roll_up(TERMS, until=DONE)
        del ledger._drop  # type: ignore[method-assign]
    ledger.roll_up(TERMS, until=DONE)
    assert next(iter(ledger.days(CPU, FIRST, END))).highest == 1000


def test_an_import_has_the_same_figures_as_the_same_samples_measured(filled: Ledger, url: str) -> None:
    whole = [one for one in samples() if one.at >= FIRST]
    imported = [Measurement(one.name, one.value, one.unit, one.at, {"host": "imported"}) for one in whole]
    done = filled.import_samples(imported, TERMS)
    assert done.hours == len(list(filled.hours(CPU, FIRST, END, {"host": "imported"}))) >= 90
    for one, row in zip(filled.days(CPU, FIRST, END, {"host": "imported"}), raw(filled, "day"), strict=True):
        agree(one, row)
        assert one.source == "imported"
    filled.import_samples(imported, TERMS)
    assert len(list(filled.days(CPU, FIRST, END, {"host": "imported"}))) == 4


def test_of_measured_and_imported_the_one_that_speaks_for_more_stands(ledger: Ledger) -> None:
    def hourly() -> list[tuple[int, str]]:
        return [(one.count, one.source) for one in ledger.hours(CPU, FIRST, FIRST + timedelta(hours=3))]

    def every(minutes: int, hours: int) -> list[Measurement]:
        times = [FIRST + timedelta(minutes=minutes * number) for number in range(hours * 60 // minutes)]
        return [Measurement(CPU, 50.0, "percent", at, {"host": "app1"}) for at in times]

    put(ledger, [*every(30, 1), *(one for one in every(5, 2) if one.at.hour == 1)])
    ledger.roll_up(TERMS, until=DONE)
    ledger.import_samples(every(10, 3), TERMS)
    assert hourly() == [(6, "imported"), (12, "measured"), (6, "imported")]
    ledger.roll_up_again([CPU], FIRST, END)
    ledger.roll_up(TERMS, until=DONE)
    assert hourly() == [(6, "imported"), (12, "measured"), (6, "imported")]


def test_values_of_either_sign_and_nought_have_their_percentiles(ledger: Ledger) -> None:
    values = [-40.0, -3.0, 0.0, 0.0, 0.001, 2.0, 5e9]
    put(ledger, [Measurement(CPU, value, "percent", FIRST + timedelta(minutes=n)) for n, value in enumerate(values)])
    ledger.roll_up(TERMS, until=DONE)
    (month,) = ledger.months([CPU], FIRST, END)
    assert month.p50 == 0
    assert (month.lowest, month.highest) == (-40, 5e9)
    assert month.p95 == pytest.approx(5e9, rel=0.01)


def test_what_was_measured_before_there_were_roll_ups_is_due(url: str) -> None:
    with Ledger(url) as ledger:
        put(ledger, samples())
        ledger.downgrade("0007")
        assert ledger.migrate() == newest()
        ledger.roll_up(TERMS, until=DONE)
        assert len(list(ledger.days(CPU, FIRST, END))) == 4


def test_a_sample_cannot_speak_for_more_than_an_hour() -> None:
    with pytest.raises(ValueError, match="up to one hour"):
        Rolling(("system.*",), timedelta(hours=2))
