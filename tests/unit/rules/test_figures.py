from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.rules.figures import age, change, figure, moment


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (41.234, "percent", "41.2 %"),
        (0.0004, "s", "0.0004 s"),
        (1234.5, "ms", "1,234 ms"),
        (17.0, "count", "17"),
        (1.5 * 2**30, "bytes", "1.5 GiB"),
        (1023, "bytes", "1,023 B"),
        (1024, "bytes", "1 KiB"),
        (-3 * 2**20, "bytes", "-3 MiB"),
        (5000 * 2**40, "bytes", "5,000 TiB"),
        (3.0, "apples", "3 apples"),
    ],
)
def test_a_figure_is_shown_with_its_unit(value, unit, shown):
    assert figure(value, unit) == shown


@pytest.mark.parametrize(
    ("length", "shown"),
    [
        (timedelta(seconds=40.9), "40 s"),
        (timedelta(seconds=60), "1 min"),
        (timedelta(hours=2, minutes=5), "2 h 5 min"),
        (timedelta(days=3, hours=4, minutes=59), "3 d 4 h"),
        (timedelta(seconds=-1), "0 s"),
    ],
)
def test_an_age_in_its_two_largest_parts(length, shown):
    assert age(length) == shown


def test_a_change_from_nothing_has_no_percentage():
    assert change(12.34) == "+12.3 %"
    assert change(-0.5) == "-0.5 %"
    assert "no percentage" in change(None)


def test_a_moment_names_its_zone():
    assert moment(datetime(2026, 11, 23, 8, 5, tzinfo=UTC)) == "2026-11-23 08:05 UTC"
