"""What users felt: requests counted between snapshots of the application's own counters, added up over any time.

Mean, percentiles, errors and Apdex of weeks and months follow from sums, which roll-ups keep (mean times count); a
percentile of percentiles would be none (BH-03, M2-03, WF-10; manual L43, L186, L438-L439).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf

from clo_ops.findings import Measurement
from clo_ops.findings.roll_ups import RollUp
from clo_ops.rules.requests import Window, quantile

COUNT = "http.server.request.count"
FAILED = "http.server.request.failed"
SECONDS = "http.server.request.seconds"
BUCKET = "http.server.request.bucket"
SHARE = "http.server.error.share"
DURATION = "http.server.request.duration"
SUMS = (COUNT, FAILED, SECONDS, BUCKET)


@dataclass(frozen=True, slots=True)
class Felt:
    """Requests of a time; ``seconds`` they took in all, and how many stayed within each bound (s, cumulative)."""

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

    def quantile_ms(self, share: float) -> float:
        """Linear within its bucket, as Prometheus' histogram_quantile."""
        return 1000 * quantile(share, self.buckets)

    def within(self, bound: timedelta) -> float:
        """How many requests took at most this long; linear within the bucket the bound lies in."""
        wanted, low, below = bound.total_seconds(), 0.0, 0.0
        for upper in sorted(self.buckets):
            if upper >= wanted:
                inside = self.buckets[upper] - below
                return below + (0.0 if upper == inf else inside * (wanted - low) / (upper - low))
            low, below = upper, self.buckets[upper]
        return below

    def apdex(self, satisfied: timedelta, tolerated: timedelta) -> float:
        """0 to 1: the satisfied, and half of those who bore it, of all. Of failed requests nobody is satisfied, but the
        application does not count their times apart: they are taken from the satisfied."""
        pleased = self.within(satisfied)
        borne = self.within(tolerated) - pleased
        return (max(0.0, pleased - self.failed) + borne / 2) / self.requests


def counted(window: Window, at: datetime) -> Iterator[Measurement]:
    """The window's sums for the record, and its error rate and mean where anything was asked."""
    yield Measurement(COUNT, window.requests, "count", at)
    yield Measurement(FAILED, window.failed, "count", at)
    yield Measurement(SECONDS, window.seconds, "s", at)
    for bound, requests in sorted(window.buckets.items()):
        yield Measurement(BUCKET, requests, "count", at, {"le": "+Inf" if bound == inf else repr(bound)})
    if window.requests > 0:
        yield Measurement(SHARE, window.failed_percent, "percent", at)
        yield Measurement(DURATION, window.mean_ms, "ms", at)


def felt(totals: Iterable[RollUp]) -> Felt | None:
    """The sums of these roll-ups (metrics of ``SUMS``); None where no request was counted."""
    sums: dict[tuple[str, str], float] = {}
    for one in totals:
        key = (one.metric, one.labels.get("le", ""))
        sums[key] = sums.get(key, 0.0) + one.mean * one.count
    requests = sums.get((COUNT, ""), 0.0)
    if requests <= 0:
        return None
    buckets = {float(bound): number for (metric, bound), number in sums.items() if metric == BUCKET}
    return Felt(requests, sums.get((FAILED, ""), 0.0), sums.get((SECONDS, ""), 0.0), buckets)
