"""Whether the reviews the house owes itself were made, by the ledger: a control that nobody looked at shows nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from clo_ops.findings import Status
from clo_ops.findings.performed import LOOKED_AT, VIOLATION, Performed, Row
from clo_ops.orchestration.run import Run

ASKED = "the ledger's runs of each page within its days, and what each procedure put on record in them"
RUNS_BACK = 50


def reviews_done(run: Run, values: Mapping[str, Any]) -> Performed:
    """``reviews``: procedure to days. One whose every finding is that nobody answered was not made."""
    reviews: Mapping[str, int] = values["reviews"]
    rows: list[Row] = [{"kind": LOOKED_AT, "key": str(len(reviews)), "reason": ""}]
    rows += [
        {"kind": VIOLATION, "key": f"review {name}", "reason": f"not on record within {days} days"}
        for name, days in reviews.items()
        if not any(_made(run, name, days))
    ]
    return Performed("probe", "reviews on record", ASKED, dict(values), {"ledger_run": run.ledger_run}, rows)


def _made(run: Run, procedure: str, days: int) -> Iterator[bool]:
    dag = run.policy.procedures[procedure].dag
    for earlier in run.ledger.recent_runs(dag, RUNS_BACK):
        if run.at - timedelta(days=days) <= earlier.at <= run.at:
            found = [one for one in run.ledger.findings(earlier.id) if one.procedure == procedure]
            yield any(one.status not in (Status.UNKNOWN, Status.NOT_APPLICABLE) for one in found)
