"""Cron expressions, checked without the library that runs them: loading the policy must stay cheap."""

from __future__ import annotations

import re

from clo_ops.policy.units import refuse

CRON_FORM = 'a cron expression of five fields in UTC, such as "0 8 * * *" or "0 10 * * MON#1"'
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
# name, lowest, highest, names (the first stands for the lowest)
FIELDS = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of month", 1, 31, ()),
    ("month", 1, 12, MONTHS),
    ("day of week", 0, 7, WEEKDAYS),
)
PART = re.compile(r"^(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d+))?$")
NTH = re.compile(r"^(?P<first>\w+)#[1-5]$")


def cron(given: str) -> str:
    """``given``, if croniter would take it and it means what it seems to mean."""
    fields = given.split()
    if len(fields) != len(FIELDS):
        raise refuse(given, CRON_FORM)
    for text, (name, lowest, highest, names) in zip(fields, FIELDS, strict=True):
        if not all(_part(part, lowest, highest, names, nth=name == "day of week") for part in text.split(",")):
            raise refuse(given, f"{CRON_FORM}: {name} {text} is not from {lowest} to {highest}")
    if fields[2] != "*" and fields[4] != "*":
        # croniter and Airflow fire when either of the two matches, not when both do (D26).
        raise refuse(given, "a day of month or a day of week, not both", 'write "SUN#1" for the first Sunday (D26)')
    return given


def _part(text: str, lowest: int, highest: int, names: tuple[str, ...], *, nth: bool) -> bool:
    match = (NTH.match(text) if nth else None) or PART.match(text)
    if match is None:
        return False
    groups = match.groupdict()
    ends = [_value(groups[end], names, lowest) for end in ("first", "last") if groups.get(end)]
    step = groups.get("step")
    ordered = len(ends) < 2 or ends[0] <= ends[1]
    return ordered and all(lowest <= end <= highest for end in ends) and (step is None or int(step) > 0)


def _value(text: str, names: tuple[str, ...], lowest: int) -> int:
    if text.upper() in names:
        return names.index(text.upper()) + lowest
    return int(text) if text.isdigit() else -1
