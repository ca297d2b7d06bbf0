"""How values were spread, in buckets that add up: the percentiles of a month from the days' buckets.

A bucket is as wide as 2 % of its values, so that its middle is within 1 % of every value in it (Masson, Rim and Lee,
DDSketch, VLDB 2019). Zero has a bucket of its own, negative values mirror the positive.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

ACCURACY = 0.01
GAMMA = (1 + ACCURACY) / (1 - ACCURACY)
LN_GAMMA = math.log(GAMMA)
# Added to the number of every positive bucket: the numbers sort as the values do, and stay clear of zero's.
OFFSET = 100_000


def bucket(value: float) -> int:
    """The number of the bucket a finite value lies in."""
    if value == 0:
        return 0
    number = OFFSET + math.ceil(math.log(abs(value)) / LN_GAMMA)
    return number if value > 0 else -number


def value_of(number: int) -> float:
    """A bucket's middle: within 1 % of every value in it."""
    if number == 0:
        return 0.0
    middle = 2 * math.exp((abs(number) - OFFSET) * LN_GAMMA) / (GAMMA + 1)
    return middle if number > 0 else -middle


def percentile(counts: Mapping[int, int], share: float) -> float:
    """The value that ``share`` (0 to 1) of all do not exceed (nearest rank). Raises ValueError where there are none."""
    total = sum(counts.values())
    if not total:
        raise ValueError("a percentile needs values")
    rank, seen = max(1, math.ceil(share * total)), 0
    for number in sorted(counts):
        seen += counts[number]
        if seen >= rank:
            break
    return value_of(number)
