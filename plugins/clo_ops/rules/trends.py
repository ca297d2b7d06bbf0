"""DM-08: this morning against the last mornings, and where each resource is going.

Manual: Morning Startup Procedures, Performance Baseline (L24). The slope is Theil and Sen's (Sen 1968); whether it
is more than chance is the Mann-Kendall test's to say (Mann 1945, Kendall 1975). Warned about is only what is both:
significant, and on its way over that metric's warning threshold (or, where a metric has none, over the policy's
change in percent). What is on its way over its critical threshold within a few days fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from statistics import median

from clo_ops.findings import Answer, Finding, Measurement, Severity, Status, unanswered_findings
from clo_ops.policy.morning import Trend, TrendResource
from clo_ops.rules.figures import change, figure
from clo_ops.rules.robust import mann_kendall, theil_sen
from clo_ops.rules.series import Series, series, title

PROCEDURE = "DM-08"
# Nothing is broken yet: the manual's low-priority alerts (L47-L50), which D35 maps to P3.
SEVERITY = Severity.P3
# Its resource runs out before the week does: the manual's medium priority (L52-L55), P2 by D35.
CRITICAL = Severity.P2
LOOK = "Find what grows (Wednesday's capacity review has the table), and make room before the date it names."
ASK_AGAIN = "See why this morning's baseline (DM-07) was not measured; then clear this task."


@dataclass(frozen=True, slots=True)
class Slope:
    """One series over one window. ``level`` and ``projected`` are where the line stands today and ``ahead`` days on."""

    window: int
    mornings: int
    first: date
    median: float
    change_percent: float | None
    slope: float
    p: float
    level: float
    ahead: int
    projected: float

    def after(self, days: float) -> float:
        """Where the line stands ``days`` on."""
        return self.level + self.slope * days

    @property
    def line_change_percent(self) -> float:
        """How far the line is from the window's median, in percent: the trend's own change, without today's noise."""
        return 100 * (self.level - self.median) / abs(self.median) if self.median else 0.0


def judge(history: Iterable[tuple[date, Measurement]], today: Answer, policy: Trend, *, at: datetime) -> list[Finding]:
    """One finding for each of this morning's series of the policy's resources, over all windows with enough mornings.

    Gaps in days are allowed. Too few mornings are not_applicable and say how many there are and how many it takes;
    a question nobody answered is unknown, and so is a resource this morning has no figure for.
    """
    findings = unanswered_findings(PROCEDURE, today, SEVERITY, ASK_AGAIN)
    measured = series(history, today.measurements, at.astimezone(UTC).date())
    for resource in policy.resources:
        of_it = [one for one in measured if _is_of(one.today, resource)]
        findings += [_judge_one(one, policy, resource) for one in of_it] or [_not_measured(resource)]
    return findings


def _is_of(one: Measurement, resource: TrendResource) -> bool:
    fits = (one.name, one.unit) == (resource.metric, resource.unit)
    return fits and all(one.labels.get(label) == value for label, value in resource.labels.items())


def slope(one: Series, window: int, horizon: timedelta) -> Slope:
    """The series over its last ``window`` mornings and today, carried on to the horizon.

    Never further ahead than the window looks back: a week of mornings says nothing about the month to come.
    Raises ValueError below one earlier morning.
    """
    past = one.last(window)
    points = [((day - one.day).days, value) for day, value in past] + [(0, one.today.value)]
    line = theil_sen(points)
    middle, ahead = median(value for _, value in past), min(horizon.days, window)
    return Slope(
        window=window,
        mornings=len(past),
        first=past[0][0],
        median=middle,
        change_percent=100 * (one.today.value - middle) / abs(middle) if middle else None,
        slope=line.slope,
        p=mann_kendall([value for _, value in points]).p,
        level=line.at(0),
        ahead=ahead,
        projected=line.at(ahead),
    )


def _judge_one(one: Series, policy: Trend, resource: TrendResource) -> Finding:
    enough = [window for window in policy.windows if len(one.last(window)) >= policy.minimum_mornings(window)]
    if not enough:
        return _too_little(one, policy)
    slopes = [slope(one, window, policy.horizon) for window in enough]
    urgent = [found for found in slopes if _nearly_there(found, policy, resource)]
    if urgent:
        return _failed(one, slopes, urgent[0], policy, resource)
    going = [found for found in slopes if _worth_a_warning(found, policy, resource)]
    return _warned(one, slopes, going[0], policy, resource) if going else _steady(one, slopes, policy)


def _nearly_there(found: Slope, policy: Trend, resource: TrendResource) -> bool:
    """More than chance, and over the resource's critical level before the policy's days are over."""
    if resource.critical_level is None or found.p >= policy.significance:
        return False
    soon = found.after(min(policy.critical_within.days, found.ahead))
    if _falling_is_worse(resource):
        return found.slope < 0 and soon < resource.critical_level
    return found.slope > 0 and soon > resource.critical_level


def _worth_a_warning(found: Slope, policy: Trend, resource: TrendResource) -> bool:
    """More than chance, and either on its way over the resource's level or, without one, much changed already."""
    if found.p >= policy.significance:
        return False
    if resource.warning_level is None:
        return _for_the_worse(resource, found.line_change_percent) > resource.warn_change_percent
    if _falling_is_worse(resource):
        return found.slope < 0 and found.projected < resource.warning_level
    return found.slope > 0 and found.projected > resource.warning_level


def _falling_is_worse(resource: TrendResource) -> bool:
    return resource.metric.endswith("hit_ratio")


def _for_the_worse(resource: TrendResource, percent: float) -> float:
    """The change in the direction that hurts: a falling hit ratio, a rising time or use, a count or size either way."""
    if _falling_is_worse(resource):
        return -percent
    return percent if resource.unit in ("ms", "s", "percent") else abs(percent)


def _told(one: Series, slopes: Sequence[Slope], policy: Trend) -> str:
    return "; ".join(
        f"{change(found.change_percent)} against the median {figure(found.median, one.today.unit)} of the last "
        f"{found.mornings} mornings (since {found.first}), slope {figure(found.slope, one.today.unit)} a day, "
        f"{'significant' if found.p < policy.significance else 'no significant trend'} (p = {found.p:.2g})"
        for found in slopes
    )


def _labels(one: Series, slopes: Sequence[Slope]) -> dict[str, str]:
    figures = {"metric": one.today.name, "value": repr(one.today.value)}
    for found in slopes:
        figures |= {
            f"median_{found.window}": repr(found.median),
            f"slope_{found.window}": repr(found.slope),
            f"p_{found.window}": f"{found.p:.3g}",
            f"mornings_{found.window}": str(found.mornings),
        }
    return {**one.today.labels, **figures}


def _steady(one: Series, slopes: Sequence[Slope], policy: Trend) -> Finding:
    value = figure(one.today.value, one.today.unit)
    return Finding(
        procedure=PROCEDURE,
        name="trend",
        subject=one.title,
        status=Status.PASS,
        expected="no significant trend towards a limit",
        actual=value,
        message=f"{one.title} is {value}: {_told(one, slopes, policy)}.",
        labels=_labels(one, slopes),
    )


def _warned(one: Series, slopes: Sequence[Slope], going: Slope, policy: Trend, resource: TrendResource) -> Finding:
    if resource.warning_level is None:
        allowed = f"at most {resource.warn_change_percent:g} % of change"
        seen = f"its line has moved {change(going.line_change_percent)} from the median of {going.mornings} mornings"
    else:
        allowed = _on_its_side(resource, resource.warning_level, going.ahead)
        seen = _carried_on(one, going, going.ahead)
    return _going(one, slopes, policy, allowed, seen)


def _failed(one: Series, slopes: Sequence[Slope], going: Slope, policy: Trend, resource: TrendResource) -> Finding:
    days = min(policy.critical_within.days, going.ahead)
    allowed = _on_its_side(resource, resource.critical_level or 0.0, days)
    found = _going(one, slopes, policy, allowed, _carried_on(one, going, days))
    return replace(found, name="trend over its critical level", status=Status.FAIL, severity=CRITICAL)


def _on_its_side(resource: TrendResource, level: float, days: int) -> str:
    side = "no less than" if _falling_is_worse(resource) else "at most"
    return f"{side} {figure(level, resource.unit)} in {days} days"


def _carried_on(one: Series, going: Slope, days: int) -> str:
    there = figure(going.after(days), one.today.unit)
    return f"on the line of {going.mornings} mornings it is {there} in {days} days"


def _going(one: Series, slopes: Sequence[Slope], policy: Trend, allowed: str, seen: str) -> Finding:
    return Finding(
        procedure=PROCEDURE,
        name="trend towards a limit",
        subject=one.title,
        status=Status.WARN,
        severity=SEVERITY,
        expected=allowed,
        actual=seen,
        message=(
            f"{one.title} is {figure(one.today.value, one.today.unit)} and {seen}; allowed is {allowed}. "
            f"{_told(one, slopes, policy)}."
        ),
        first_action=LOOK,
        labels=_labels(one, slopes),
    )


def _too_little(one: Series, policy: Trend) -> Finding:
    there = len(one.past)
    takes = ", ".join(f"{policy.minimum_mornings(window)} of the last {window}" for window in policy.windows)
    return Finding(
        procedure=PROCEDURE,
        name="trend",
        subject=one.title,
        status=Status.NOT_APPLICABLE,
        expected=f"mornings on the record: {takes}",
        actual=f"{there} earlier mornings",
        message=(
            f"{one.title} is {figure(one.today.value, one.today.unit)}; no trend is judged, for there are {there} "
            f"earlier mornings and it takes {takes}."
        ),
        labels={**one.today.labels, "metric": one.today.name, "mornings": str(there)},
    )


def _not_measured(resource: TrendResource) -> Finding:
    return Finding(
        procedure=PROCEDURE,
        name="not measured",
        subject=title(resource.metric, resource.labels),
        status=Status.UNKNOWN,
        severity=SEVERITY,
        expected=f"a figure of this morning in {resource.unit}",
        actual="none",
        message=f"{resource.metric} was not measured this morning, so it could not be compared with earlier mornings.",
        first_action=ASK_AGAIN,
    )
