"""Maintenance, the same for Monday, the windows and emergencies: the gate, then a plan, then what may be applied."""

from __future__ import annotations

from collections.abc import Callable, Collection

from clo_ops.actions.maintenance.applying import Act
from clo_ops.actions.maintenance.plan import Plan
from clo_ops.findings import Finding
from clo_ops.orchestration.run import Run
from clo_ops.policy.maintenance import Kind
from clo_ops.rules.gate import ALL, Gate, Need


def gated(run: Run, procedure: str, kind: Kind, *, needs: Collection[Need] = ALL) -> Gate:
    """Whether work of this kind may begin now; asks, and keeps what was asked with the procedure.

    A closed gate's ``findings`` are those of ``procedure`` and are what it returns: ``fail`` where the work was owed
    and nothing stood ready for it (no verified backup), ``warn`` where it gave way to something (a running backup).
    """
    raise NotImplementedError


def carried_out(run: Run, procedure: str, plan: Plan, act: Act) -> list[Finding]:
    """The plan on record; applied where policy, or the form of a run by hand, says so; what became of it, judged."""
    raise NotImplementedError


def maintained(
    run: Run,
    procedure: str,
    kind: Kind,
    planned: Callable[[], Plan],
    act: Act,
    *,
    needs: Collection[Need] = ALL,
) -> list[Finding]:
    """The whole way of one duty: the gate; ``planned()`` asks and chooses; its plan carried out by ``act``.

    Where the gate is closed the plan is still made and shown, with nothing applied.
    """
    gate = gated(run, procedure, kind, needs=needs)
    if not gate.open:
        return gate.findings
    return [*gate.findings, *carried_out(run, procedure, planned(), act)]
