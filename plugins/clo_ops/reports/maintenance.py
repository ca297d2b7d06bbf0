"""What maintenance changed, as a document: plans, steps, approvals, with their times and figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from clo_ops.rules.maintenance import span

if TYPE_CHECKING:
    from clo_ops.findings.plans import Figure
    from clo_ops.ledger import ApprovalRow, PlanRow, StepRow


def as_text(what: str, plans: Sequence[PlanRow], approvals: Sequence[ApprovalRow]) -> str:
    """Markdown; text from outside is put in code spans, so that nothing of it is markup."""
    return "\n".join([f"# {what}", "", *_approvals(approvals), *_plans(plans)]) + "\n"


def _approvals(approvals: Sequence[ApprovalRow]) -> Iterator[str]:
    for one in approvals:
        decided = f"{one.decision or 'nobody decided'} {_code(one.decided_by)} {one.decided_at or ''}".strip()
        yield f"- {one.kind} ({one.authority}): asked by {_code(one.requester)} at {one.asked_at}: {_code(one.reason)};"
        yield f"  {decided}; work `{one.hash[:12]}`"
    yield ""


def _plans(plans: Sequence[PlanRow]) -> Iterator[str]:
    for plan in plans:
        yield f"## {plan.kind}: {plan.state}, plan `{plan.hash[:12]}`"
        yield ""
        for step in plan.steps:
            yield from _step(step)
        yield ""


def _step(row: StepRow) -> Iterator[str]:
    outcome = row.effect.outcome.value if row.effect else "begun and not ended" if row.started_at else "not begun"
    took = f" in {span(row.effect.seconds)}" if row.effect and row.started_at else ""
    yield f"- **{outcome}**{took}: {_code(row.step.statement)}"
    yield f"  why: {_code(row.step.why)}; {_code(row.effect.reason) if row.effect else ''}"
    if row.step.before or (row.effect and row.effect.after):
        yield f"  before {_figures(row.step.before)}, after {_figures(row.effect.after if row.effect else {})}"


def _figures(figures: Mapping[str, Figure]) -> str:
    return _code(", ".join(f"{name} {value}" for name, value in figures.items()) or "nothing measured")


def _code(text: str) -> str:
    return f"`{' '.join(text.split()).replace('`', chr(39))}`" if text else ""
