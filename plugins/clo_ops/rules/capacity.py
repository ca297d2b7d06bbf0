"""WW-01 to WW-05 and WW-07: where each resource is going, and when it crosses its levels (manual L118-L127).

Over its critical level in the usual week's worst hour fails; over the warning level, or on the way over a level within
the horizon, warns. No trend, no room lost, and a history too short are said as such.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from clo_ops.findings import Finding, Measurement, Severity, Status
from clo_ops.findings.roll_ups import ForecastDay
from clo_ops.policy.capacity import Forecasts, Resource
from clo_ops.rules.figures import figure, moment
from clo_ops.rules.forecast import Comes, Crossing, Forecast, Verdict, forecast
from clo_ops.rules.series import title
from clo_ops.rules.weekly import Points

# D35: degradations are P3, what will be an outage within days P2.
SEVERITY, URGENT = Severity.P3, Severity.P2
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
PLAN = "Look at the plot in this task's evidence, find what grows, and make room before the date."
OVER = "See what runs in the hour named; spread it, or give it more room."
MEASURE = "See why it was not measured (BH-01, DM-07); then clear this task."
Levels = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Watched:
    """One series of a resource: its hours (oldest first) of the resource's statistic, and its p95 over four weeks."""

    resource: Resource
    labels: Mapping[str, str]
    points: Points
    p95: float | None = None

    @property
    def title(self) -> str:
        return title(self.resource.metric, self.labels)


@dataclass(frozen=True, slots=True)
class Outlook:
    """A series with its forecast and the crossings of its levels, by name: warning, critical, full."""

    watched: Watched
    forecast: Forecast
    crossings: Mapping[str, Crossing] = field(default_factory=dict)

    @property
    def worst_hour(self) -> str:
        """``Monday 10:00``; empty where no hour of the week is like that."""
        week = self.forecast.week
        hour = week.busiest() if self.watched.resource.worse == "higher" else week.quietest()
        return "" if hour is None else f"{DAYS[hour // 24]} {hour % 24:02d}:00"


def levels(resource: Resource) -> Levels:
    named = (("warning", resource.warning), ("critical", resource.critical), ("full", resource.full))
    return tuple((name, level) for name, level in named if level is not None)


def outlook(watched: Watched, terms: Forecasts) -> Outlook | None:
    """None for a series without a single figure."""
    found = forecast(watched.points, terms)
    if found is None:
        return None
    worse = watched.resource.worse
    crossings = {name: found.crossing(level, terms.horizon, worse) for name, level in levels(watched.resource)}
    return Outlook(watched, found, crossings)


def judge(
    resource: Resource, outlooks: Sequence[Outlook], terms: Forecasts, *, at: datetime, wanted: Sequence[str] = ()
) -> list[Finding]:
    """One finding for each series. ``wanted`` are hosts of the policy that must have one: without it is unknown."""
    findings = [_judge_one(one, terms, at) for one in outlooks]
    spoke = [one for one in outlooks if not _silent(one, terms, at)]
    hosts = {one.watched.labels.get("host") for one in spoke}
    findings += [_not_measured(resource, host, terms) for host in wanted if host not in hosts]
    if spoke or wanted:
        return findings
    return [*findings, _not_measured(resource, "", terms) if resource.needed else _none_such(resource, terms)]


def forecast_days(one: Outlook, terms: Forecasts, procedure: str) -> Iterator[ForecastDay]:
    """What the forecast says of the days policy wants it held to; nothing where the history is too short."""
    found, resource = one.forecast, one.watched.resource
    if found.verdict is Verdict.TOO_SHORT:
        return
    for ahead in terms.targets:
        target = found.of + timedelta(days=ahead)
        day = found.expected(target)
        naive = found.lately + found.week.of_day(target)
        key = (
            procedure,
            resource.metric,
            dict(one.watched.labels),
            resource.unit,
            resource.statistic,
            found.of,
            target,
        )
        yield ForecastDay(*key, found.verdict, day.value, day.low, day.high, naive)


def measured(one: Outlook, at: datetime) -> Iterator[Measurement]:
    """``forecast.level``, ``forecast.slope`` (a day) and ``forecast.days`` until a level {level}, for the record."""
    labels, unit = {**one.watched.labels, "metric": one.watched.resource.metric}, one.watched.resource.unit
    if one.forecast.verdict is not Verdict.TOO_SHORT:
        yield Measurement("forecast.level", one.forecast.level, unit, at, labels, one.forecast.verdict)
        yield Measurement("forecast.slope", one.forecast.slope, unit, at, labels, f"a day, p = {one.forecast.p:.2g}")
    for name, crossing in one.crossings.items():
        if crossing.day is not None:
            days = (crossing.day - one.forecast.of).days
            yield Measurement("forecast.days", days, "count", at, {**labels, "level": name}, crossing.day.isoformat())


def _silent(one: Outlook, terms: Forecasts, at: datetime) -> bool:
    return at - one.watched.points[-1][0].astimezone(UTC) > terms.silent_after


def _judge_one(one: Outlook, terms: Forecasts, at: datetime) -> Finding:
    if _silent(one, terms, at):
        return _nothing_said(one, f"no figures since {moment(one.watched.points[-1][0])}", "figures of the last days")
    if one.forecast.verdict is Verdict.TOO_SHORT:
        needed = f"{terms.minimum_days} days of history"
        return _nothing_said(one, f"history too short: {one.forecast.days} days", needed)
    status, severity, action = _verdict(one, terms)
    return Finding(
        procedure=one.watched.resource.procedure,
        name="trend and projection",
        subject=one.watched.title,
        status=status,
        severity=severity,
        expected=_expected(one, terms),
        actual=_actual(one),
        message=f"{one.watched.title}: {story(one, terms)}.",
        first_action=action,
        labels=_labels(one),
    )


def _verdict(one: Outlook, terms: Forecasts) -> tuple[Status, Severity | None, str]:
    comes = {name: crossing.comes for name, crossing in one.crossings.items()}
    if Comes.ALREADY in (comes.get("critical"), comes.get("full")):
        return Status.FAIL, URGENT, OVER
    if comes.get("warning") is Comes.ALREADY:
        return Status.WARN, URGENT if _soon(one, terms) else SEVERITY, OVER
    if Comes.EXPECTED in comes.values():
        return Status.WARN, URGENT if _soon(one, terms) else SEVERITY, PLAN
    return Status.PASS, None, ""


def _soon(one: Outlook, terms: Forecasts) -> bool:
    days = [one.crossings[name].day for name in ("critical", "full") if name in one.crossings]
    return any(day is not None and day - one.forecast.of <= terms.soon for day in days)


def _expected(one: Outlook, terms: Forecasts) -> str:
    unit, side = one.watched.resource.unit, "at most" if one.watched.resource.worse == "higher" else "at least"
    if one.watched.resource.warning is None:
        return "a trend told with its interval"
    return f"{side} {figure(one.watched.resource.warning, unit)} for {terms.horizon.days} days"


def _actual(one: Outlook) -> str:
    told = [
        f"{name} {crossing.comes}" + (f" on {crossing.day}" if crossing.day else "")
        for name, crossing in one.crossings.items()
        if crossing.comes in (Comes.ALREADY, Comes.EXPECTED)
    ]
    return ", ".join(told) or str(one.forecast.verdict)


def story(one: Outlook, terms: Forecasts) -> str:
    """Level, peak, p95, slope with its interval, steps, and each level's date: one sentence for a person."""
    found, unit = one.forecast, one.watched.resource.unit
    parts = [f"{figure(found.level, unit)} on its line{_peak(one)}"]
    if one.watched.p95 is not None:
        parts.append(f"p95 of four weeks {figure(one.watched.p95, unit)}")
    parts.append(_slope(one, terms))
    parts += [f"a step of {_signed(height, unit)} on {day}" for day, height in found.steps]
    parts += [f"another course since {found.bend}"] if found.bend else []
    parts += [_crossed(name, crossing, unit, terms) for name, crossing in one.crossings.items()]
    return "; ".join(parts)


def _peak(one: Outlook) -> str:
    hour = one.worst_hour
    peak = figure(one.forecast.peak(one.watched.resource.worse), one.watched.resource.unit)
    word = "busiest" if one.watched.resource.worse == "higher" else "lowest"
    return f", {peak} in its {word} hour ({hour} UTC)" if hour else ", every hour of the week like the others"


def _signed(value: float, unit: str) -> str:
    return ("+" if value >= 0 else "-") + figure(abs(value), unit)


def _slope(one: Outlook, terms: Forecasts) -> str:
    found, unit = one.forecast, one.watched.resource.unit
    if not found.going:
        return f"no significant trend in {found.days} days (p = {found.p:.2g})"
    ends = sorted([found.slope_low, found.slope_high])
    return (
        f"{found.verdict} by {_signed(found.slope, unit)} a day ({_signed(ends[0], unit)} to {_signed(ends[1], unit)}, "
        f"{terms.confidence:.0f} %; p = {found.p:.2g}, {found.days} days)"
    )


def _crossed(name: str, crossing: Crossing, unit: str, terms: Forecasts) -> str:
    level = f"{name} {figure(crossing.threshold, unit)}"
    if crossing.comes is Comes.EXPECTED:
        latest = crossing.latest or f"beyond {terms.horizon.days} days"
        return f"{level} expected on {crossing.day} ({crossing.earliest} to {latest})"
    if crossing.comes is Comes.NOT_WITHIN:
        early = f", at the earliest on {crossing.earliest}" if crossing.earliest else ""
        return f"{level} not within {terms.horizon.days} days{early}"
    return f"{level} {crossing.comes}"


def _labels(one: Outlook) -> dict[str, str]:
    found = one.forecast
    dates = {
        f"{name}_{word}": str(day)
        for name, crossing in one.crossings.items()
        for word, day in (("day", crossing.day), ("earliest", crossing.earliest), ("latest", crossing.latest))
        if day is not None
    }
    comes = {f"{name}_comes": str(crossing.comes) for name, crossing in one.crossings.items()}
    return {
        **one.watched.labels,
        "metric": one.watched.resource.metric,
        "verdict": str(found.verdict),
        "level": repr(found.level),
        "peak": repr(found.peak(one.watched.resource.worse)),
        "slope": repr(found.slope),
        "p": f"{found.p:.3g}",
        "days": str(found.days),
        **({"worst_hour": one.worst_hour} if one.worst_hour else {}),
        **comes,
        **dates,
    }


def _nothing_said(one: Outlook, seen: str, needed: str) -> Finding:
    return Finding(
        procedure=one.watched.resource.procedure,
        name="trend and projection",
        subject=one.watched.title,
        status=Status.NOT_APPLICABLE,
        expected=needed,
        actual=seen,
        message=f"{one.watched.title}: no forecast, {seen}; it takes {needed}.",
        labels={**one.watched.labels, "metric": one.watched.resource.metric},
    )


def _none_such(resource: Resource, terms: Forecasts) -> Finding:
    return Finding(
        procedure=resource.procedure,
        name="not measured",
        subject=resource.metric,
        status=Status.NOT_APPLICABLE,
        expected="figures where the system has them",
        actual="none",
        message=f"{resource.metric}, which not every system has, was not measured in {terms.silent_after.days} days.",
    )


def _not_measured(resource: Resource, host: str, terms: Forecasts) -> Finding:
    subject = title(resource.metric, {"host": host} if host else {})
    return Finding(
        procedure=resource.procedure,
        name="not measured",
        subject=subject,
        status=Status.UNKNOWN,
        severity=SEVERITY,
        expected=f"figures of the last {terms.silent_after.days} days",
        actual="none",
        message=f"{subject} has no figures of the last {terms.silent_after.days} days: nobody knows where it is going.",
        first_action=MEASURE,
    )
