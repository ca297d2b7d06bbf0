"""Which audit rows are due, at each threshold: periods, the 90 days, the share of the table, seven years, holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from pydantic import ValidationError

from clo_ops.findings.audit import ArchiveFile, Stretch
from clo_ops.policy.archive import AuditHold
from clo_ops.policy.period import Period
from clo_ops.rules.audit_periods import held_in, may_expire, may_leave_before, span, too_much

AT = datetime(2026, 11, 23, 5, tzinfo=UTC)
SEVEN = Period(months=84)


@pytest.mark.parametrize(
    ("unit", "at", "label", "start", "end"),
    [
        ("day", "2026-02-28T23:59:59.999999", "2026-02-28", "2026-02-28", "2026-03-01"),
        ("week", "2026-11-23T00:00:00", "2026-W48", "2026-11-23", "2026-11-30"),
        ("week", "2026-11-22T23:59:59", "2026-W47", "2026-11-16", "2026-11-23"),
        ("week", "2027-01-01T12:00:00", "2026-W53", "2026-12-28", "2027-01-04"),
        ("month", "2026-12-31T23:59:59", "2026-12", "2026-12-01", "2027-01-01"),
        ("month", "2028-02-29T00:00:00", "2028-02", "2028-02-01", "2028-03-01"),
    ],
)
def test_a_period_holds_its_first_moment_and_not_its_last(unit, at, label, start, end):
    found = span(datetime.fromisoformat(at).replace(tzinfo=UTC), unit)
    assert (found.label, f"{found.start:%Y-%m-%d}", f"{found.end:%Y-%m-%d}") == (label, start, end)


def test_periods_are_those_of_utc_whatever_zone_a_time_comes_in():
    there = datetime.fromisoformat("2026-11-23T01:00:00+05:00")
    assert span(there, "day").label == "2026-11-22"


def test_neither_clock_running_ahead_makes_rows_older():
    hot = Period(days=90)
    assert may_leave_before(AT, AT, hot) == AT - timedelta(days=90)
    assert may_leave_before(AT + timedelta(days=3650), AT, hot) == AT - timedelta(days=90)
    assert may_leave_before(AT, AT + timedelta(days=3650), hot) == AT - timedelta(days=90)


@pytest.mark.parametrize(
    ("leaving", "there", "stopped"), [(59, 100, False), (60, 100, False), (61, 100, True), (0, 0, False)]
)
def test_a_run_stops_above_the_share_not_at_it(leaving, there, stopped):
    assert too_much(leaving, there, 60.0) is stopped


def file(number: int, last_at: datetime) -> ArchiveFile:
    stretch = Stretch(number * 10 + 1, number * 10 + 10, "0" * 64, "1" * 64)
    first = last_at - timedelta(days=6)
    words = ("a", "b", "s", "m")
    return ArchiveFile(f"f{number}", "2019-W01", stretch, first, last_at, 1, *words, last_at)


def test_a_file_may_go_when_its_newest_row_is_older_than_seven_years():
    limit = datetime(2019, 11, 23, 5, tzinfo=UTC)
    moment = timedelta(microseconds=1)
    assert may_expire([file(0, limit - moment)], SEVEN, [], AT)[0] != []
    for young in (limit, limit + moment):
        due, why = may_expire([file(0, young)], SEVEN, [], AT)
        assert due == [] and "kept for 7 years" in why


def test_files_go_from_the_front_and_none_behind_one_that_stays():
    old = datetime(2015, 1, 1, tzinfo=UTC)
    files = [file(number, old + timedelta(days=7 * number)) for number in range(4)]
    assert [one.name for one in may_expire(files[::-1], SEVEN, [], AT)[0]] == ["f0", "f1", "f2", "f3"]
    hold = AuditHold(
        name="h", reason="r", since=files[2].last_at.date(), until=files[2].last_at.date(), actors=("ann",)
    )
    due, why = may_expire(files, SEVEN, [hold], AT)
    assert [one.name for one in due] == ["f0", "f1"] and "f2 is under legal hold: h" in why
    younger = [*files[:1], replace(files[1], last_at=AT), *files[2:]]
    assert [one.name for one in may_expire(younger, SEVEN, [], AT)[0]] == ["f0"]


@pytest.mark.parametrize(
    ("terms", "held"),
    [
        ({}, True),
        ({"since": date(2026, 3, 2)}, True),
        ({"since": date(2026, 3, 3)}, False),
        ({"until": date(2026, 3, 2)}, True),
        ({"until": date(2026, 3, 1)}, False),
        ({"actors": "ann"}, True),
        ({"actors": ["bob"]}, False),
        ({"objects": "loan"}, True),
        ({"objects": "loan/4711"}, True),
        ({"objects": "loan/4712"}, False),
        ({"actors": ["ann"], "objects": ["deal"]}, False),
    ],
)
def test_a_row_is_held_when_it_meets_all_conditions(terms, held):
    hold = AuditHold(name="h", reason="r", **terms)
    assert hold.covers(date(2026, 3, 2), "ann", "loan", "4711") is held


def test_a_hold_may_cover_what_its_days_touch():
    hold = AuditHold(name="h", reason="r", since=date(2026, 3, 2), until=date(2026, 3, 4))
    at = datetime(2026, 3, 4, 23, 59, tzinfo=UTC)
    assert held_in([hold], at, at + timedelta(days=3)) == [hold]
    assert held_in([hold], at + timedelta(minutes=1), at + timedelta(days=3)) == []


def test_a_hold_whose_days_are_the_wrong_way_round_is_refused():
    with pytest.raises(ValidationError):
        AuditHold(name="h", reason="r", since=date(2026, 3, 4), until=date(2026, 3, 2))
