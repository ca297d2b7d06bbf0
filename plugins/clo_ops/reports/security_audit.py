"""The report of a month's security audit, put together from what its run left in the ledger (L159-L178)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from clo_ops.findings import Finding, Status
from clo_ops.findings.audit_items import ACTIONS, GAP, PENETRATION_TEST, REVIEW
from clo_ops.reports.sheet import Section, Sheet, Table
from clo_ops.rules.audit_items import HEADING, table

if TYPE_CHECKING:
    from clo_ops.ledger import Evidence, Ledger
    from clo_ops.policy import Policy

PARTS = tuple(f"M1-0{number}" for number in range(1, 10))
# Whose open items stand below the findings.
ITEMS = {"M1-01": (REVIEW,), "M1-07": (PENETRATION_TEST,), "M1-08": (GAP,), "M1-09": ACTIONS}
# Whose answers of the month stand there as well: who, when, to which list.
ANSWERED = ("M1-01",)
MONTH = timedelta(days=31)


def assemble(ledger: Ledger, run: int, policy: Policy, *, more: Sequence[Finding] = (), link: str = "") -> Sheet:
    """The run's findings by procedure, with the lists that are kept as evidence. ``more`` are not on record yet."""
    row, evidence = ledger.run(run), ledger.evidence(run)
    new = {one.procedure for one in more}
    findings = [*(one for one in ledger.findings(run) if one.procedure not in new), *more]
    return Sheet(
        title=f"Security audit of {row.at:%B %Y}",
        since=row.at - MONTH,
        until=row.at,
        verdict=_verdict(findings),
        sections=tuple(_section(part, findings, evidence, policy, _items(part, ledger, row.at)) for part in PARTS),
        cards=tuple(_cards(ledger, findings, row.at)),
        about={"Run": f"{row.dag_id} {row.run_id}", "Policy": row.policy_digest[:12] or "not recorded"},
        link=link,
    )


def _section(
    part: str, findings: Sequence[Finding], evidence: Sequence[Evidence], policy: Policy, items: tuple[Table, ...]
) -> Section:
    entry, mine = policy.procedures[part], tuple(one for one in findings if one.procedure == part)
    gaps = () if mine else (f"{part} left no finding in this run: nobody looked.",)
    controls = {control.id for control in policy.controls.of(part)}
    files = [one for one in evidence if one.name.endswith(".csv") and one.name.partition(".")[0] in controls]
    lines = tuple(f"{one.name}, SHA-256 {one.sha256}" for one in files)
    return Section(entry.title, f"{part}, {entry.lines}", lines, items, (), mine, gaps)


def _items(part: str, ledger: Ledger, at: datetime) -> tuple[Table, ...]:
    if part not in ITEMS:
        return ()
    lately = at - MONTH if part in ANSWERED else None
    items = ledger.audit_items(ITEMS[part], open_only=lately is None, closed_since=lately)
    return (Table(HEADING, table(items, at), "ledger, audit_items"),) if items else ()


def _verdict(findings: Sequence[Finding]) -> str:
    """One sentence; evidence for controls, never that a law is met (D56)."""
    red = [one for one in findings if one.status is Status.FAIL]
    unseen = sorted({one.procedure for one in findings if one.status is Status.UNKNOWN})
    said = f"{len(red)} findings: {red[0].message}" if red else "Nothing was found that should not be"
    return f"{said.rstrip('.')}{'; not everything could be asked in ' + ', '.join(unseen) if unseen else ''}."


def _cards(ledger: Ledger, findings: Sequence[Finding], at: datetime) -> list[tuple[str, str, str]]:
    items = ledger.audit_items(open_only=True)
    late = [one for one in items if one.overdue(at)]
    failed = sum(one.status is Status.FAIL for one in findings)
    unknown = sum(one.status is Status.UNKNOWN for one in findings)
    return [
        ("Findings", str(failed), "failed"),
        ("Not known", str(unknown), "could not be asked"),
        ("Open items", str(len(items)), "findings of tests, gaps, actions"),
        ("Overdue", str(len(late)), f"oldest {min(one.due_at for one in late):%Y-%m-%d}" if late else "none"),
    ]
