"""BH-03 (manual L43): response time and error rate that users met between two snapshots of the application's counters.

The 95th percentile is read from the histogram by linear interpolation within its bucket, as Prometheus'
histogram_quantile does. A counter that went back means that the application was started anew: what it counted since
is the window then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf
from typing import TYPE_CHECKING

from clo_ops.findings import Answer, Finding, Measurement, Severity, Status, unanswered_findings
from clo_ops.rules.figures import age, number
from clo_ops.rules.verdicts import Case, ms

if TYPE_CHECKING:
    from clo_ops.policy import Policy

PROCEDURE = "BH-03"
ASK = "See whether the application runs (DM-03) and whether its metrics are where policy says (application_metrics)."


@dataclass(frozen=True, slots=True)
class Window:
    """What was counted between two snapshots; seconds, and requests by the upper bound (s) they stayed within."""

    length: timedelta
    requests: float
    failed: float
    seconds: float
    buckets: Mapping[float, float]

    @property
    def mean_ms(self) -> float:
        return 1000 * self.seconds / self.requests

    @property
    def failed_percent(self) -> float:
        return 100 * self.failed / self.requests

    @property
    def p95_ms(self) -> float:
        return 1000 * quantile(0.95, self.buckets)


def quantile(share: float, buckets: Mapping[float, float]) -> float:
    """The histogram's quantile in seconds; in the last, open bucket its lower bound (histogram_quantile)."""
    bounds = sorted(buckets)
    wanted, low, below = share * buckets[bounds[-1]], 0.0, 0.0
    for bound in bounds:
        if buckets[bound] >= wanted:
            inside = buckets[bound] - below
            return low if bound == inf else low + (bound - low) * ((wanted - below) / inside if inside else 0.0)
        low, below = bound, buckets[bound]
    return low


def between(before: Iterable[Measurement], now: Answer) -> Window | None:
    """The window from the older snapshot to the newer; None where there is no older one, or nothing was asked."""
    old, new = _plain(before), _plain(now.measurements)
    if not old or not new:
        return None
    began, ended = (_moment(one) for one in (before, now.measurements))
    restarted = any(new.get(key, 0.0) < value for key, value in old.items())
    since = {key: value - (0.0 if restarted else old.get(key, 0.0)) for key, value in new.items()}
    buckets = {float(le): count for (name, le), count in since.items() if name == "app.request.bucket"}
    return Window(
        ended - began,
        since["app.request.count", ""],
        since["app.request.failed", ""],
        since["app.request.seconds", ""],
        buckets,
    )


def _plain(measurements: Iterable[Measurement]) -> dict[tuple[str, str], float]:
    return {(one.name, one.labels.get("le", "")): one.value for one in measurements if one.name.startswith("app.")}


def _moment(measurements: Iterable[Measurement]) -> datetime:
    return next(one.at for one in measurements if one.name.startswith("app."))


def judge(now: Answer, before: list[Measurement], policy: Policy, *, at: datetime) -> list[Finding]:
    """``mean``, ``p95`` and ``error rate`` of the window; strictly more than a level warns or fails.

    Without an earlier snapshot, or with fewer requests than the policy's minimum, there is nothing to judge, and the
    finding says so.
    """
    silent = unanswered_findings(PROCEDURE, now, Severity.P2, ASK)
    window = None if silent else between(before, now)
    if silent:
        return silent
    if window is None:
        return [_nothing("no earlier snapshot to count from; the next run has one")]
    least = policy.alerting.application_metrics.minimum_requests
    if window.requests < least:
        said = f"{number(window.requests)} requests in {age(window.length)}, fewer than the {least} it takes to judge"
        return [_nothing(said)]
    return [*_times(window, policy), _errors(window, policy)]


def _nothing(reason: str) -> Finding:
    return Finding(
        procedure=PROCEDURE,
        name="requests of the window",
        status=Status.NOT_APPLICABLE,
        expected="two snapshots with requests between them",
        actual=reason,
        message=f"{reason[0].upper()}{reason[1:]}.",
    )


def _times(window: Window, policy: Policy) -> list[Finding]:
    rule = policy.thresholds["response_time"]
    low, high = rule.warning.above, rule.critical.above
    case = Case(
        PROCEDURE,
        "p95 response time",
        f"at most {ms(low)}, never over {ms(high)}",
        Severity.P2,
        policy.procedures[PROCEDURE].first_action,
        "L43, L335-L337",
    )
    of = f"of {number(window.requests)} requests in {age(window.length)}"
    said = f"95 % {of} took at most {ms(window.p95_ms)}, on average {ms(window.mean_ms)}"
    if window.p95_ms > high:
        return [case.failed(ms(window.p95_ms), said)]
    return [case.warned(ms(window.p95_ms), said)] if window.p95_ms > low else [case.passed(ms(window.p95_ms), said)]


def _errors(window: Window, policy: Policy) -> Finding:
    rate = policy.alerting.application_metrics.error_rate
    case = Case(
        PROCEDURE,
        "error rate",
        f"at most {rate.warning:g} %, never over {rate.critical:g} %",
        Severity.P2,
        policy.procedures[PROCEDURE].first_action,
        "L43, L439",
    )
    actual = f"{number(window.failed_percent)} %"
    said = f"{number(window.failed)} of {number(window.requests)} requests failed in {age(window.length)}: {actual}"
    if window.failed_percent > rate.critical:
        return case.failed(actual, said)
    return case.warned(actual, said) if window.failed_percent > rate.warning else case.passed(actual, said)
