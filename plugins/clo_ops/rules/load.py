"""WW-08: how busy each hour of the week is, and when it was busiest of all (manual L128)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from clo_ops.findings import Finding, Severity
from clo_ops.findings.roll_ups import RollUp
from clo_ops.policy.capacity import Load
from clo_ops.rules.capacity import DAYS
from clo_ops.rules.figures import figure, moment
from clo_ops.rules.series import title
from clo_ops.rules.verdicts import Case
from clo_ops.rules.weekly import hour_of_week

PROCEDURE = "WW-08"
MEASURE = "See why it was not measured (BH-02, BH-03); then clear this task."


@dataclass(frozen=True, slots=True)
class HeatMap:
    """By hour of the week (0 is Monday 00:00 UTC) the mean of its hours' means; and the one highest hour of all."""

    metric: str
    labels: Mapping[str, str]
    unit: str
    hours: Mapping[int, float]
    peak: RollUp

    @property
    def title(self) -> str:
        return title(self.metric, self.labels)

    @property
    def busiest(self) -> int:
        return max(self.hours, key=lambda hour: self.hours[hour])


def heat_maps(hours: Sequence[RollUp]) -> list[HeatMap]:
    """One for each series of these hours."""
    by_series: dict[tuple[tuple[str, str], ...], list[RollUp]] = {}
    for one in hours:
        by_series.setdefault(tuple(sorted(one.labels.items())), []).append(one)
    return [_heat_map(of_it) for of_it in by_series.values()]


def _heat_map(hours: Sequence[RollUp]) -> HeatMap:
    places: dict[int, list[float]] = {}
    for one in hours:
        places.setdefault(hour_of_week(one.starts_at), []).append(one.mean)
    peak = max(hours, key=lambda one: (one.highest, one.starts_at))
    means = {hour: fmean(values) for hour, values in sorted(places.items())}
    return HeatMap(peak.metric, dict(peak.labels), peak.unit, means, peak)


def judge(metric: str, maps: Sequence[HeatMap], load: Load) -> list[Finding]:
    """One finding for each heat map; a metric without one has no figures, which is said."""
    if not maps:
        case = Case(PROCEDURE, "load of the week", f"hours of {load.weeks} weeks", Severity.P3, MEASURE, "L128", metric)
        return [case.not_applicable("no figures", f"{metric} has no figures of the last {load.weeks} weeks")]
    return [_told(one, load) for one in maps]


def _told(one: HeatMap, load: Load) -> Finding:
    case = Case(PROCEDURE, "load of the week", "told by hour of the week", Severity.P3, MEASURE, "L128", one.title)
    busiest = one.busiest
    usual = f"{DAYS[busiest // 24]} {busiest % 24:02d}:00 UTC, {figure(one.hours[busiest], one.unit)} on average"
    peak = f"{figure(one.peak.highest, one.unit)} at its peak in the hour of {moment(one.peak.starts_at)}"
    told = f"Busiest hour of the week for {one.title}: {usual}; {peak}; {len(one.hours)} of 168 hours measured"
    return case.passed(f"{usual}; {peak}", told)
