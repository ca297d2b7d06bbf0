"""WW-05: which endpoint got slower, this week against the week before (manual L125).

A week is told by the median of its days' 95th percentiles: one bad day is an incident, not a week.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean, median

from clo_ops.findings import Finding, Severity
from clo_ops.findings.roll_ups import RollUp
from clo_ops.policy.capacity import ResponseTimes
from clo_ops.rules.figures import figure
from clo_ops.rules.series import title
from clo_ops.rules.verdicts import Case

PROCEDURE = "WW-05"
WEEK = timedelta(days=7)
FIND = "Find what was released in that week, and compare the endpoint's statements with WW-06."


@dataclass(frozen=True, slots=True)
class Week:
    """Of the days that were measured: how many, the mean of their means, the median of their p95 (ms)."""

    days: int
    mean: float
    p95: float


def judge(days: Sequence[RollUp], terms: ResponseTimes, *, at: datetime) -> list[Finding]:
    """One finding for each endpoint of ``days``, the daily figures of two weeks and more (``at`` is not included)."""
    by_series: dict[tuple[tuple[str, str], ...], list[RollUp]] = {}
    for one in days:
        by_series.setdefault(tuple(sorted(one.labels.items())), []).append(one)
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return [_judge_one(dict(key), of_it, midnight, terms) for key, of_it in by_series.items()]


def week(days: Sequence[RollUp], begin: datetime) -> Week | None:
    """The seven days from ``begin``; None where none of them was measured."""
    of_it = [one for one in days if begin <= one.starts_at < begin + WEEK]
    if not of_it:
        return None
    return Week(len(of_it), fmean(one.mean for one in of_it), median(one.p95 for one in of_it))


def _judge_one(labels: Mapping[str, str], days: Sequence[RollUp], midnight: datetime, terms: ResponseTimes) -> Finding:
    by = terms.by / timedelta(milliseconds=1)
    expected = f"a p95 no more than {terms.grew:g} % and {figure(by, 'ms')} above the week before"
    case = Case(PROCEDURE, "week over week", expected, Severity.P3, FIND, "L125", title("response time", labels))
    now, before = week(days, midnight - WEEK), week(days, midnight - 2 * WEEK)
    if now is None or before is None or min(now.days, before.days) < terms.days:
        counted = f"{now.days if now else 0} and {before.days if before else 0} days measured"
        return case.not_applicable(counted, f"{case.subject}: {counted}, it takes {terms.days} of each week")
    told = " ".join(_told(now, before))
    worse = now.p95 - before.p95 > by and now.p95 > before.p95 * (1 + terms.grew / 100)
    actual = f"{figure(before.p95, 'ms')} to {figure(now.p95, 'ms')}"
    return (case.warned if worse else case.passed)(actual, f"{case.subject}: {told}")


def _told(now: Week, before: Week) -> Iterator[str]:
    for word, new, old in (("p95", now.p95, before.p95), ("and mean", now.mean, before.mean)):
        change = f" ({100 * (new - old) / old:+.0f} %)" if old else ""
        yield f"{word} {figure(new, 'ms')} after {figure(old, 'ms')}{change}"
