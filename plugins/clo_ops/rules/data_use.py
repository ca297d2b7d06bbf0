"""How much of the data a user read or took away, against that user's own habit (WF-07, manual L148)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from clo_ops.findings.performed import Judged, Row, Violation


def habits(rows: Sequence[Row], parameters: Mapping[str, Any], since: str) -> Judged:
    """A day since ``since`` of more than ``times`` the median of the user's earlier days, and more than ``least`` rows.

    A user with fewer than ``days`` earlier days is held against the median of everybody's: of a newcomer's first
    export nobody knows what is usual.
    """
    earlier: dict[tuple[str, str], list[int]] = defaultdict(list)
    everybody: dict[str, list[int]] = defaultdict(list)
    recent = []
    for row in rows:
        if row["day"] >= since[:10]:
            recent.append(row)
        else:
            earlier[row["username"], row["kind"]].append(row["rows"])
            everybody[row["kind"]].append(row["rows"])
    found = []
    for row in recent:
        own = earlier[row["username"], row["kind"]]
        usual, whose = (
            (median(own), "own days")
            if len(own) >= parameters["days"]
            else (median(everybody[row["kind"]] or [0]), "days of everybody, there being too few own ones")
        )
        if row["rows"] > max(usual * parameters["times"], parameters["least"]):
            said = f"{row['rows']:,} rows on {row['day']}, usual are {usual:,.0f} (median of {whose})"
            found.append(Violation(f"{row['kind']} by {row['username']}", said))
    return Judged(len(recent), tuple(found))
