"""Controls that other procedures' work answers: whether reviews were made, by the ledger, and the audit chain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from clo_ops.findings import Status
from clo_ops.findings.audit_items import REVIEW
from clo_ops.findings.performed import LOOKED_AT, VIOLATION, Performed, Row
from clo_ops.orchestration.run import Run
from clo_ops.probes.reaching import Reach, Unreachable
from clo_ops.rules.access_review import reviews_owed

ASKED = (
    "the ledger's runs of each page within its days, and what each procedure put on record in them; "
    "the register's access review of each reviewer, asked within its days and answered by its date"
)
CHAIN_ASKED = "python -m clo_ops.archive verify"
RUNS_BACK = 50


def reviews_done(run: Run, values: Mapping[str, Any]) -> Performed:
    """``reviews``: procedure to days. One whose every finding is that nobody answered was not made."""
    reviews: Mapping[str, int] = values["reviews"]
    owed = _owed(run, values)
    many = len(reviews) + len(run.policy.audit.review.reviewers)
    rows: list[Row] = [{"kind": LOOKED_AT, "key": str(many), "reason": ""}]
    rows += [{"kind": VIOLATION, "key": f"access review by {who}", "reason": why} for who, why in owed]
    rows += [
        {"kind": VIOLATION, "key": f"review {name}", "reason": f"not on record within {days} days"}
        for name, days in reviews.items()
        if not any(_made(run, name, days))
    ]
    return Performed("probe", "reviews on record", ASKED, dict(values), {"ledger_run": run.ledger_run}, rows)


def _owed(run: Run, values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """``access_review``: days within which each reviewer is asked, and answers by the date given."""
    items = run.ledger.audit_items([REVIEW])
    since = run.at - timedelta(days=values["access_review"])
    return reviews_owed(items, run.policy.audit.review.reviewers, since, run.at)


def audit_chain(run: Run, values: Mapping[str, Any]) -> Performed:
    """The live trail and its archive as one chain, each live row hashed anew, held against what the ledger remembers.

    Every archived row is read as well on the first days of a month (``whole_up_to_day``). Raises Unreachable.
    """
    from clo_ops.orchestration.audit_retention import prove

    found = prove(run, whole=run.day.day <= values["whole_up_to_day"])
    if lost := found.answer.unanswered:
        raise Unreachable(Reach.OTHER, lost[0].reason)
    seen = sum(int(one.value) for one in found.answer.select("audit.chain.rows"))
    faults = [one for one in found.answer.select("audit.chain.fault") if one.value > 0]
    rows: list[Row] = [{"kind": LOOKED_AT, "key": str(seen), "reason": ""}]
    rows += [
        {"kind": VIOLATION, "key": one.labels["kind"], "reason": f"{one.value:,.0f}: {one.detail}"} for one in faults
    ]
    identity = {"system": found.ends.system if found.ends else "", "at": run.at.isoformat()}
    return Performed("probe", "audit chain", CHAIN_ASKED, dict(values), identity, rows)


def _made(run: Run, procedure: str, days: int) -> Iterator[bool]:
    dag = run.policy.procedures[procedure].dag
    for earlier in run.ledger.recent_runs(dag, RUNS_BACK):
        if run.at - timedelta(days=days) <= earlier.at <= run.at:
            found = [one for one in run.ledger.findings(earlier.id) if one.procedure == procedure]
            yield any(one.status not in (Status.UNKNOWN, Status.NOT_APPLICABLE) for one in found)
