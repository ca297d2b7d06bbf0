"""Figures as people write them ("5 min", "90 days", "75 %", "10 MB") become typed values; no unit, no value."""

from __future__ import annotations

import re
from datetime import UTC, time, timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer
from pydantic_core import PydanticCustomError

from clo_ops.policy.period import Period

QUANTITY = re.compile(r"^(\d+(?:\.\d+)?)\s*([A-Za-z%]+)$")
CLOCK = re.compile(r"^([01]\d|2[0-3]):([0-5]\d)(?: (UTC))?$")
MILLISECONDS = {
    "ms": 1,
    **dict.fromkeys(("s", "second", "seconds"), 1_000),
    **dict.fromkeys(("min", "minute", "minutes"), 60_000),
    **dict.fromkeys(("h", "hour", "hours"), 3_600_000),
    **dict.fromkeys(("day", "days"), 86_400_000),
    **dict.fromkeys(("week", "weeks"), 604_800_000),
}
MONTHS = {"month": 1, "months": 1, "year": 12, "years": 12}
DAYS = {"day": 1, "days": 1, "week": 7, "weeks": 7}
BYTES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}

DURATION_FORM = 'a duration with its unit, such as "500 ms", "5 min", "26 h" or "90 days"'
PERIOD_FORM = 'a period with its unit, such as "90 days", "18 months" or "7 years"'
PERCENT_FORM = 'a percentage from 0 to 100 with its sign, such as "75 %"'
BYTES_FORM = 'a size with its unit, such as "10 MB" or "2 GiB"'
UTC_FORM = 'a time of day with its zone, such as "18:00 UTC"'
LOCAL_FORM = 'a time of day without a zone, such as "08:00"'

Unit = Literal["percent", "ms", "s", "bytes", "count", "ratio", "bool", "score"]


def refuse(given: Any, allowed: str, do: str = "", key: str = "") -> PydanticCustomError:
    """What a validator raises: the figure as it stood in the file, and what would have been right."""
    context = {"given": str(given), "allowed": allowed, "do": do, "key": key}
    return PydanticCustomError("refused", "{given} is not {allowed}", context)


def together(refusals: list[PydanticCustomError]) -> PydanticCustomError:
    """Several refusals as the one error a validator can raise; each becomes a problem of its own."""
    first, *others = refusals
    context = {**(first.context or {}), "others": [one.context for one in others]}
    return PydanticCustomError("refused", "{given} is not {allowed}", context)


def _quantity(given: Any, form: str) -> tuple[float, str]:
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        raise refuse(given, form)
    if not isinstance(given, str):
        raise refuse(given, form, "write the unit")
    match = QUANTITY.match(given.strip())
    if match is None:
        raise refuse(given, form, "write the unit" if given.strip().replace(".", "").isdigit() else "")
    return float(match[1]), match[2]


def duration(given: Any) -> timedelta:
    """A span of elapsed time. Months and years are refused: their length depends on the calendar."""
    if isinstance(given, timedelta):
        return given
    number, unit = _quantity(given, DURATION_FORM)
    if unit not in MILLISECONDS:
        raise refuse(given, DURATION_FORM, f"use one of {', '.join(MILLISECONDS)}")
    return timedelta(milliseconds=number * MILLISECONDS[unit])


def period(given: Any) -> Period:
    """A span of calendar time in whole days, weeks, months or years."""
    if isinstance(given, Period):
        return given
    number, unit = _quantity(given, PERIOD_FORM)
    if number != int(number) or number == 0 or (unit not in MONTHS and unit not in DAYS):
        raise refuse(given, PERIOD_FORM, "use whole days, weeks, months or years")
    return Period(months=int(number) * MONTHS.get(unit, 0), days=int(number) * DAYS.get(unit, 0))


def percent(given: Any) -> float:
    if isinstance(given, float):
        return _bounded(given)
    number, unit = _quantity(given, PERCENT_FORM)
    if unit != "%":
        raise refuse(given, PERCENT_FORM)
    return _bounded(number)


def _bounded(number: float) -> float:
    if not 0 <= number <= 100:
        raise refuse(f"{number:g} %", PERCENT_FORM)
    return number


def size(given: Any) -> int:
    number, unit = _quantity(given, BYTES_FORM)
    if unit not in BYTES:
        raise refuse(given, BYTES_FORM, f"use one of {', '.join(BYTES)}")
    return int(number * BYTES[unit])


def _clock(given: Any, form: str, zone: str | None) -> time:
    match = CLOCK.match(given.strip()) if isinstance(given, str) else None
    if match is None or match[3] != zone:
        raise refuse(given, form, "write UTC behind the time" if zone and match else "")
    return time(int(match[1]), int(match[2]), tzinfo=UTC if zone else None)


def utc_time(given: Any) -> time:
    return given if isinstance(given, time) else _clock(given, UTC_FORM, "UTC")


def local_time(given: Any) -> time:
    return given if isinstance(given, time) else _clock(given, LOCAL_FORM, None)


def number(given: Any) -> float:
    """A bare number whose unit stands beside it in the file. "true" and quoted digits are none."""
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise refuse(given, "a number", "the unit has its own key" if isinstance(given, str) else "")
    return float(given)


def several(given: Any) -> Any:
    """One value, or a list of them: "D46" is read as [D46]."""
    return (given,) if isinstance(given, str) else given


def as_text(value: timedelta) -> str:
    """A duration as it would be written in the file: the largest unit that divides it."""
    milliseconds = round(value / timedelta(milliseconds=1))
    if milliseconds == 0:
        return "0 s"
    for unit in ("days", "h", "min", "s"):
        if milliseconds % MILLISECONDS[unit] == 0:
            count = milliseconds // MILLISECONDS[unit]
            return f"{count} {'day' if unit == 'days' and count == 1 else unit}"
    return f"{milliseconds} ms"


Duration = Annotated[timedelta, BeforeValidator(duration), PlainSerializer(as_text), Field(description=DURATION_FORM)]
CalendarPeriod = Annotated[Period, BeforeValidator(period), PlainSerializer(str), Field(description=PERIOD_FORM)]
Percent = Annotated[float, BeforeValidator(percent), Field(description=PERCENT_FORM)]
Bytes = Annotated[int, BeforeValidator(size), Field(description=BYTES_FORM)]
UtcTime = Annotated[time, BeforeValidator(utc_time), Field(description=UTC_FORM)]
LocalTime = Annotated[time, BeforeValidator(local_time), Field(description=LOCAL_FORM)]
Number = Annotated[float, BeforeValidator(number), Field(description="a number")]
