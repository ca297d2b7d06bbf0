"""Where each figure of the capacity report comes from: the ledger's table or the question, and of which time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from clo_ops.reports.sheet import Table
from clo_ops.rules.figures import moment

if TYPE_CHECKING:
    from clo_ops.ledger import Evidence
    from clo_ops.policy import Policy

HEADING = ("figures of", "from", "time")
TABLE_USE = "include/sql/capacity/table_use.sql"
# Beside the series of policy: what, where from, and how many days back (0: as the database had it when asked).
BESIDE: dict[str, tuple[tuple[str, str, int], ...]] = {
    "WW-03": (("largest tables", TABLE_USE, 0), ("largest indexes", "include/sql/capacity/index_size.sql", 0)),
    "WW-05": (("week against week", "ledger, clo_ops.daily of http.client.request.duration", 16),),
    "WW-06": (
        ("slower statements", "ledger, clo_ops.statement_snapshots (include/sql/statements.sql)", 15),
        ("sequential scans", f"{TABLE_USE}, less what the ledger has of the review before", 0),
        ("indexes", "include/sql/upkeep/indexes.sql", 0),
    ),
    "WW-09": (
        ("recommendations", "ledger, clo_ops.findings of WW-01 to WW-08 of this run", 0),
        ("forecasts so far", "ledger, clo_ops.forecasts held against clo_ops.hourly", 182),
    ),
}
Row = tuple[str, str, str]


def sources(part: str, policy: Policy, at: datetime, evidence: Sequence[Evidence]) -> Table:
    """A procedure's figures with their sources; below it the file that holds what was asked and what came back.

    None of WW-09's own: it is written once more when its task ends.
    """
    files = [one for one in evidence if one.name == f"{part}.json" and part != "WW-09"]
    kept = "; ".join(f"what was asked, when, and what came back: {one.name}, SHA-256 {one.sha256}" for one in files)
    return Table(HEADING, (*_series(part, policy, at), *_beside(part, at)), kept or f"the run of {moment(at)}")


def _series(part: str, policy: Policy, at: datetime) -> Iterator[Row]:
    capacity = policy.capacity
    for one in capacity.of(part):
        hourly = f"ledger, clo_ops.hourly, {one.statistic} of each hour"
        yield one.metric, hourly, _back(at, capacity.forecasts.windows[0])
    if capacity.of(part):
        yield "p95 of four weeks", "ledger, clo_ops.daily, the days' buckets added up", _back(at, 28)
    for metric in capacity.load.metrics if part == "WW-08" else ():
        yield metric, "ledger, clo_ops.hourly, mean of each hour", _back(at, 7 * capacity.load.weeks)


def _beside(part: str, at: datetime) -> Iterator[Row]:
    for what, where, days in BESIDE.get(part, ()):
        yield what, where, _back(at, days) if days else "when this task ran"


def _back(at: datetime, days: int) -> str:
    return f"{moment(at - timedelta(days=days))} to {moment(at)}"
