"""Whether the audit trail is whole (WM-03, D08; WF-05, I60): each kind of fault a finding of its own."""

from __future__ import annotations

from clo_ops.findings import Answer, Finding, Severity, unanswered_findings
from clo_ops.findings.audit import Fault
from clo_ops.rules.verdicts import Case

EXPECTED = "one chain from the first row to the last, over live table and archive, that only retention took rows from"
FIRST_ACTION = (
    "Change nothing and delete nothing; keep the newest backup and the archive as they are, and tell the security"
    " officer. docs/retention.md says what each fault means and how to look further."
)
ASKED_AGAIN = "See why it could not be asked and verify again: python -m clo_ops.archive verify."
# What is lost can be brought back from a copy; everything else means that somebody changed what had been written.
MENDABLE = {
    Fault.MISSING: "Bring the file back from the archive's own copy; nothing is deleted until it is there.",
    Fault.DAMAGED: "Bring the file back from the archive's own copy; nothing is deleted until it is whole.",
}


def judge(answer: Answer, *, procedure: str, manual: str) -> list[Finding]:
    """``fail`` P1 for each kind of fault, with the rows it is about; ``unknown`` for what could not be asked."""
    if answer.unanswered:
        return unanswered_findings(procedure, answer, Severity.P2, ASKED_AGAIN)
    counts = {kind: answer.first("audit.chain.fault", kind=kind.value) for kind in Fault}
    case = Case(procedure, "audit chain", EXPECTED, Severity.P1, FIRST_ACTION, manual)
    if any(one is None for one in counts.values()):
        return [case.not_measured()]
    found = {kind: one for kind, one in counts.items() if one is not None and one.value > 0}
    if not found:
        return [case.passed(_length(answer), f"The audit trail is whole: {_length(answer)}")]
    return [
        Case(procedure, f"audit chain: {kind}", EXPECTED, Severity.P1, MENDABLE.get(kind, FIRST_ACTION), manual).failed(
            f"{one.value:,.0f}", f"{kind.value.capitalize()}, {one.value:,.0f} of them: {one.detail}"
        )
        for kind, one in found.items()
    ]


def _length(answer: Answer) -> str:
    live, archive = (answer.value("audit.chain.rows", part=part) or 0 for part in ("live", "archive"))
    files, head = answer.value("audit.archive.files") or 0, answer.value("audit.chain.head") or 0
    read = f", {archive:,.0f} archived rows read" if archive else ""
    return f"{live:,.0f} live rows up to {head:,.0f}, {files:,.0f} files of the archive{read}"
