"""The base score of a CVSS 3 vector, by the formula of its specification (first.org, CVSS v3.1, section 7.1)."""

from __future__ import annotations

import math
from collections.abc import Mapping

WEIGHTS: Mapping[str, Mapping[str, float]] = {
    "AV": {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2},
    "AC": {"L": 0.77, "H": 0.44},
    "UI": {"N": 0.85, "R": 0.62},
    "C": {"H": 0.56, "L": 0.22, "N": 0.0},
    "I": {"H": 0.56, "L": 0.22, "N": 0.0},
    "A": {"H": 0.56, "L": 0.22, "N": 0.0},
}
# Privileges required weigh less where the scope changes.
PRIVILEGES = {"U": {"N": 0.85, "L": 0.62, "H": 0.27}, "C": {"N": 0.85, "L": 0.68, "H": 0.5}}
# From this score on, upwards.
RATINGS = ((9.0, "critical"), (7.0, "high"), (4.0, "medium"), (0.1, "low"))


def base_score(vector: str) -> float | None:
    """0.0 to 10.0; None for what is no CVSS 3.0 or 3.1 vector with all its base metrics."""
    head, *parts = vector.split("/")
    given = dict(part.split(":", 1) for part in parts if ":" in part)
    if head not in ("CVSS:3.0", "CVSS:3.1") or given.get("S") not in PRIVILEGES:
        return None
    try:
        weights = {name: of[given[name]] for name, of in WEIGHTS.items()}
        privileges = PRIVILEGES[given["S"]][given["PR"]]
    except KeyError:
        return None
    return _score(weights, privileges, changed=given["S"] == "C")


def _score(weights: Mapping[str, float], privileges: float, *, changed: bool) -> float:
    hit = 1 - (1 - weights["C"]) * (1 - weights["I"]) * (1 - weights["A"])
    impact = 7.52 * (hit - 0.029) - 3.25 * (hit - 0.02) ** 15 if changed else 6.42 * hit
    if impact <= 0:
        return 0.0
    ease = 8.22 * weights["AV"] * weights["AC"] * privileges * weights["UI"]
    return _up(min((1.08 if changed else 1.0) * (impact + ease), 10.0))


def _up(score: float) -> float:
    """The smallest number with one decimal that is not below; in whole numbers, as the specification says."""
    whole = round(score * 100_000)
    return whole / 100_000 if whole % 10_000 == 0 else (math.floor(whole / 10_000) + 1) / 10


def rating(score: float) -> str:
    """The specification's word for a score; "none" for 0."""
    return next((word for least, word in RATINGS if score >= least), "none")
