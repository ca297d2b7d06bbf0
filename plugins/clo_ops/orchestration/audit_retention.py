"""WM-03: the audit trail proven, then its old rows into the archive, then proven again (D05, D08)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from clo_ops.findings import CheckFailed, CloOpsError, Finding, Severity, Status
from clo_ops.orchestration.maintenance import maintained, system_of
from clo_ops.orchestration.run import Run
from clo_ops.rules import audit_chain
from clo_ops.rules.verdicts import Case

if TYPE_CHECKING:
    from clo_ops.actions.maintenance.plan import Effect, Plan, Step
    from clo_ops.actions.retention.audit import AuditRetention
    from clo_ops.findings.audit import Remembered
    from clo_ops.probes.audit_chain import Verified

PROCEDURE = "WM-03"
MANUAL = "L97, L361"
# On the first Monday of a month every row of the archive is read as well; else its files and manifests.
WHOLE_UP_TO_DAY = 7


def audit_clean_up(run: Run) -> list[Finding]:
    """The chain first (D08): while it does not hold, or nobody could look, nothing leaves. Then plan, and what may be
    applied; where something left, the chain once more.
    """
    before = prove(run, whole=run.day.day <= WHOLE_UP_TO_DAY)
    findings = audit_chain.judge(before.answer, procedure=PROCEDURE, manual=MANUAL)
    if not before.whole:
        return [*findings, _nothing_left(findings)]
    work = _retention(run)
    acted: list[Step] = []

    def act(step: Step) -> Effect:
        acted.append(step)
        return work.act(step)

    try:
        findings += maintained(run, PROCEDURE, "retention", lambda: _plan(run, work), act)
    except CheckFailed as refused:
        findings.append(_refused(refused))
    if acted:
        after = prove(run)
        findings += [_after(one) for one in audit_chain.judge(after.answer, procedure=PROCEDURE, manual=MANUAL)]
    return findings


def prove(run: Run, *, whole: bool = False) -> Verified:
    """The audit trail verified and put on record: its newest row is remembered where nothing is wrong."""
    from clo_ops.probes.audit_chain import verify

    target, archive = run.connections.postgres, run.connections.archive
    found = verify(target, archive, lambda: _remembered(run), at=run.at, whole=whole)
    run.keep(found.answer)
    if found.ends is not None and found.whole:
        for receipt in found.receipts.unknown:
            run.ledger.record_receipt(found.ends.system, receipt)  # killed before it could be put down
        if found.head is not None:
            run.ledger.remember_head(found.ends.system, found.head)
    return found


def _remembered(run: Run) -> Remembered:
    from clo_ops.probes.audit_stream import ends, trail

    with trail(run.connections.postgres) as connection:
        return run.ledger.remembered(ends(connection).system)


def _retention(run: Run) -> AuditRetention:
    from clo_ops.actions.retention.audit import AuditRetention

    policy = run.policy.retention
    hot_for = policy["audit_logs"].hot_for
    assert hot_for is not None  # noqa: S101 - the policy refuses to load without it
    return AuditRetention(
        run.connections.retention, run.connections.archive, policy.archive, hot_for, run.ledger, at=run.at
    )


def _plan(run: Run, work: AuditRetention) -> Plan:
    return replace(work.plan(), system=system_of(run))


def _after(one: Finding) -> Finding:
    return replace(one, name=f"after retention: {one.name}")


def _refused(error: CloOpsError) -> Finding:
    case = Case(
        PROCEDURE,
        "audit rows",
        error.allowed or "rows that may leave",
        Severity.P2,
        f"{error.next_step or 'See docs/retention.md'}. Until then nothing leaves the live table.",
        MANUAL,
    )
    return case.failed(error.observed, f"Nothing left the live table: {error.observed}")


def _nothing_left(findings: list[Finding]) -> Finding:
    case = Case(
        PROCEDURE,
        "audit rows",
        "rows leave only a trail that is proven (D08)",
        Severity.P2,
        "First what the audit chain's own finding says.",
        MANUAL,
    )
    unknown = all(one.status is Status.UNKNOWN for one in findings)
    why = "could not be verified" if unknown else "does not hold"
    return case.warned("nothing left", f"Nothing left the live table, because the audit trail {why}")
