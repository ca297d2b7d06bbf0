"""How good the forecasts were, printed beside the next ones: who trusts a forecast should know its record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from clo_ops.findings.roll_ups import ForecastDay

# Fewer forecasts say little; more than this many percent below the confidence is a poor record.
ENOUGH, POOR = 20, 15


@dataclass(frozen=True, slots=True)
class Score:
    """Forecasts so many days ahead: how many came inside of their interval, and how far off they were.

    ``error`` and ``naive_error`` are medians, in percent of what came; the naive forecast is that nothing changes.
    """

    ahead: int
    made: int
    inside: int
    error: float | None
    naive_error: float | None

    @property
    def share(self) -> float:
        return 100 * self.inside / self.made


def scores(scored: Sequence[ForecastDay]) -> tuple[Score, ...]:
    """One for each distance, the nearest first. A forecast of what was 0 has no error in percent."""
    groups: dict[int, list[ForecastDay]] = defaultdict(list)
    for one in scored:
        if one.came is not None:
            groups[one.ahead].append(one)
    return tuple(_score(ahead, of_it) for ahead, of_it in sorted(groups.items()))


def _score(ahead: int, of_it: Sequence[ForecastDay]) -> Score:
    inside = sum(one.came is not None and one.low <= one.came <= one.high for one in of_it)
    errors = [(one.expected, one.naive, one.came) for one in of_it if one.came]
    if not errors:
        return Score(ahead, len(of_it), inside, None, None)
    return Score(
        ahead,
        len(of_it),
        inside,
        median(100 * abs(expected - came) / abs(came) for expected, _, came in errors),
        median(100 * abs(naive - came) / abs(came) for _, naive, came in errors),
    )


def told(score: Score, confidence: float) -> str:
    """``28 days ahead: 41 of 45 inside the interval (91 %, meant: 90 %)...``."""
    off = ""
    if score.error is not None and score.naive_error is not None:
        off = f", median error {score.error:.2g} % (if nothing changed: {score.naive_error:.2g} %)"
    return (
        f"{score.ahead} days ahead: {score.inside} of {score.made} inside the interval "
        f"({score.share:.0f} %, meant: {confidence:.0f} %){off}"
    )
