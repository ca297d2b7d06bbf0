"""How much is left of each resource in its worst hour (M2-04; manual L187), from the outlooks of WW-01 to WW-04."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from clo_ops.findings import Finding, Status
from clo_ops.policy.capacity import Forecasts, Resource
from clo_ops.rules import capacity
from clo_ops.rules.capacity import Outlook
from clo_ops.rules.figures import figure
from clo_ops.rules.forecast import Comes, Verdict

PROCEDURE = "M2-04"
HEADING = ("resource", "worst hour", "critical level", "left", "left of it", "trend", "critical reached")


@dataclass(frozen=True, slots=True)
class Headroom:
    """``left`` is in the resource's unit, ``share`` percent of its critical level; both negative once it is passed."""

    outlook: Outlook
    peak: float
    level: float
    left: float
    share: float


def headroom(one: Outlook) -> Headroom | None:
    """None where the resource has no level to run into, or its history is too short to say."""
    resource = one.watched.resource
    if resource.critical is None or one.forecast.verdict is Verdict.TOO_SHORT:
        return None
    peak = one.forecast.peak(resource.worse)
    left = resource.critical - peak if resource.worse == "higher" else peak - resource.critical
    return Headroom(one, peak, resource.critical, left, 100 * left / resource.critical)


def judge(
    resource: Resource,
    outlooks: Sequence[Outlook],
    terms: Forecasts,
    little: float,
    first_action: str,
    *,
    at: datetime,
    wanted: Sequence[str] = (),
) -> list[Finding]:
    """None left fails, strictly less than ``little`` percent warns, as does a critical level expected within the
    horizon; what WW could not judge is told as there, and so is a host of ``wanted`` without figures."""
    known = {one.watched.title: room for one in outlooks if (room := headroom(one)) is not None}
    findings = []
    for told in capacity.judge(resource, outlooks, terms, at=at, wanted=wanted):
        room = known.get(told.subject)
        # Silent for days: its outlook is of a time that is over.
        if told.name == "trend and projection" and room and told.status is not Status.NOT_APPLICABLE:
            findings.append(_finding(room, terms, little, first_action))
        elif resource.critical is not None or told.name == "not measured":
            findings.append(replace(told, procedure=PROCEDURE))
    return findings


def _finding(one: Headroom, terms: Forecasts, little: float, first_action: str) -> Finding:
    status = _status(one, little)
    watched = one.outlook.watched
    needs = status is not Status.PASS
    return Finding(
        procedure=PROCEDURE,
        name="headroom",
        subject=watched.title,
        status=status,
        severity=capacity.SEVERITY if needs else None,
        expected=f"{little:g} % of {figure(one.level, watched.resource.unit)} left in the worst hour",
        actual=f"{one.share:.1f} % left",
        message=f"{watched.title}: {_told(one)}; {capacity.story(one.outlook, terms)}.",
        first_action=first_action if needs else "",
        labels={**watched.labels, "metric": watched.resource.metric, "left": repr(one.left), "share": repr(one.share)},
    )


def _status(one: Headroom, little: float) -> Status:
    crossing = one.outlook.crossings.get("critical")
    if one.left <= 0:
        return Status.FAIL
    expected = crossing is not None and crossing.comes is Comes.EXPECTED
    return Status.WARN if one.share < little or expected else Status.PASS


def _told(one: Headroom) -> str:
    unit = one.outlook.watched.resource.unit
    worst = f" ({one.outlook.worst_hour} UTC)" if one.outlook.worst_hour else ""
    return (
        f"{figure(one.peak, unit)} in its worst hour{worst}, critical at {figure(one.level, unit)}: "
        f"{figure(one.left, unit)} left, {one.share:.1f} % of it"
    )


def rows(found: Iterable[Headroom]) -> list[tuple[str, ...]]:
    """The least headroom first, as ``HEADING`` names the cells."""
    lines: list[tuple[str, ...]] = []
    for one in sorted(found, key=lambda room: (room.share, room.outlook.watched.title)):
        unit, crossing = one.outlook.watched.resource.unit, one.outlook.crossings.get("critical")
        when = "" if crossing is None else str(crossing.day or crossing.comes)
        worst = f"{figure(one.peak, unit)} {one.outlook.worst_hour}".strip()
        left = (figure(one.left, unit), f"{one.share:.1f} %")
        trend = str(one.outlook.forecast.verdict)
        lines.append((one.outlook.watched.title, worst, figure(one.level, unit), *left, trend, when))
    return lines
