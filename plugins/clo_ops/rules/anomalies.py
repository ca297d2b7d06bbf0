"""DM-09: metrics outside a robust band of their own history.

Manual: Morning Startup Procedures, Performance Baseline (L25). The band is median +- k * 1.4826 * MAD of earlier
mornings: half of them may have been wild without widening it. Mornings of the same weekday where there are enough,
for a Monday is not a Sunday; all days else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from statistics import median

from clo_ops.findings import Answer, Finding, Measurement, Severity, Status, unanswered_findings
from clo_ops.policy.morning import Anomalies, Baseline, Worse
from clo_ops.rules.figures import figure, number
from clo_ops.rules.robust import Band, median_absolute_deviation
from clo_ops.rules.series import Series, series

PROCEDURE = "DM-09"
# A degradation, not an outage: the manual's low-priority alerts (L47-L50), which D35 maps to P3.
SEVERITY = Severity.P3
# Further out than any busy day explains, to the side that hurts: the manual's medium priority (L52-L55), P2 by D35.
CRITICAL = Severity.P2
LOOK = "Compare with the metric's last mornings, and with what was deployed, loaded or switched since yesterday."
ASK_AGAIN = "See why this morning's baseline (DM-07) was not measured; then clear this task."


@dataclass(frozen=True, slots=True)
class Ground:
    """What a band stands on: earlier values, and how to call them."""

    values: tuple[float, ...]
    called: str


def judge(
    history: Iterable[tuple[date, Measurement]], today: Answer, policy: Anomalies, baseline: Baseline, *, at: datetime
) -> list[Finding]:
    """Each of this morning's series against its own band: outside warns (P3), either side; the edge is inside.

    ``critical_widths`` of the band away from its middle, to the side ``baseline`` calls worse, fails (P2).

    Too little history is not_applicable and says how much there is; a question nobody answered is unknown, and so is
    a morning without measurements.
    """
    findings = unanswered_findings(PROCEDURE, today, SEVERITY, ASK_AGAIN)
    day = at.astimezone(UTC).date()
    remembered = ((when, one) for when, one in history if when >= day - policy.lookback)
    measured = series(remembered, today.measurements, day)
    findings += [_judge_one(one, policy, _worse(one, baseline)) for one in measured]
    return findings or [_nothing_measured()]


def ground(one: Series, policy: Anomalies) -> Ground | None:
    """The mornings a band may stand on: the same weekday's, all, or None where both are too few."""
    same = one.same_weekday()
    if len(same) >= policy.same_weekday_from:
        return Ground(tuple(value for _, value in same), f"{len(same)} {one.day:%A}s")
    if len(one.past) >= policy.minimum_days:
        return Ground(tuple(value for _, value in one.past), f"{len(one.past)} days of history")
    return None


def _worse(one: Series, baseline: Baseline) -> Worse:
    return next((metric.worse for metric in baseline.metrics if metric.metric == one.today.name), "either")


def _judge_one(one: Series, policy: Anomalies, worse: Worse) -> Finding:
    stands_on = ground(one, policy)
    if stands_on is None:
        return _too_little(one, policy)
    band = band_of(one.today.name, stands_on, policy)
    if band.holds(one.today.value):
        return _inside(one, band, stands_on)
    return _outside(one, band, stands_on, far=_far_out(one.today.value, band, policy, worse))


def _far_out(value: float, band: Band, policy: Anomalies, worse: Worse) -> bool:
    away = value - band.centre
    hurts = worse == "either" or (away > 0) == (worse == "higher")
    # Of a metric that never moved, and that policy gives no band, nobody knows how far is far.
    return hurts and band.half_width > 0 and abs(away) > policy.critical_widths * band.half_width


def band_of(metric: str, stands_on: Ground, policy: Anomalies) -> Band:
    """median +- k * scale * MAD, never narrower than the policy's least width: a MAD of 0 is not certainty."""
    centre = median(stands_on.values)
    spread = policy.k * policy.mad_scale * median_absolute_deviation(stands_on.values)
    return Band(centre, max(spread, policy.minimum_width(metric, centre)))


def _shown(band: Band, unit: str) -> str:
    """No further than a value can go: nothing is below 0, no share above 100 %."""
    high = min(band.high, 100.0) if unit == "percent" else band.high
    return f"{figure(max(band.low, 0.0), unit)} to {figure(high, unit)}"


def _labels(one: Series, band: Band, stands_on: Ground) -> dict[str, str]:
    return {
        **one.today.labels,
        "metric": one.today.name,
        "value": repr(one.today.value),
        "low": repr(band.low),
        "high": repr(band.high),
        "days": str(len(stands_on.values)),
    }


def _inside(one: Series, band: Band, stands_on: Ground) -> Finding:
    value = figure(one.today.value, one.today.unit)
    return Finding(
        procedure=PROCEDURE,
        name="inside its own band",
        subject=one.title,
        status=Status.PASS,
        expected=_shown(band, one.today.unit),
        actual=value,
        message=f"{one.title} is {value}, inside {_shown(band, one.today.unit)} (from {stands_on.called}).",
        labels=_labels(one, band, stands_on),
    )


def _outside(one: Series, band: Band, stands_on: Ground, *, far: bool) -> Finding:
    value, unit = figure(one.today.value, one.today.unit), one.today.unit
    side = "above" if one.today.value > band.high else "below"
    direction = f"far {side}" if far else side
    return Finding(
        procedure=PROCEDURE,
        name=f"{direction} its own band",
        subject=one.title,
        status=Status.FAIL if far else Status.WARN,
        severity=CRITICAL if far else SEVERITY,
        expected=_shown(band, unit),
        actual=value,
        message=(
            f"{one.title} is {value}, {direction} its band of {_shown(band, unit)}{_times(one, band)}; "
            f"the band is the median {figure(band.centre, unit)} of {stands_on.called}, "
            f"give or take {figure(band.half_width, unit)}."
        ),
        first_action=LOOK,
        labels=_labels(one, band, stands_on),
    )


def _times(one: Series, band: Band) -> str:
    return f" ({number(one.today.value / band.centre)} times the median)" if band.centre > 0 else ""


def _too_little(one: Series, policy: Anomalies) -> Finding:
    days, weekdays = len(one.past), len(one.same_weekday())
    return Finding(
        procedure=PROCEDURE,
        name="its own band",
        subject=one.title,
        status=Status.NOT_APPLICABLE,
        expected=f"{policy.minimum_days} days of history",
        actual=f"{days} days, {weekdays} of them {one.day:%A}s",
        message=(
            f"{one.title} is {figure(one.today.value, one.today.unit)}; not judged, for there are {days} days of "
            f"history and it takes {policy.minimum_days} (or {policy.same_weekday_from} {one.day:%A}s, of {weekdays})."
        ),
        labels={**one.today.labels, "metric": one.today.name, "days": str(days)},
    )


def _nothing_measured() -> Finding:
    return Finding(
        procedure=PROCEDURE,
        name="nothing measured",
        status=Status.UNKNOWN,
        severity=SEVERITY,
        expected="this morning's baseline",
        actual="no measurement",
        message="Nothing was measured this morning, so nothing could be compared with its history.",
        first_action=ASK_AGAIN,
    )
