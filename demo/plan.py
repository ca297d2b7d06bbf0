"""``make plan``: what Monday's maintenance would do to the running demo now, and why. Nothing is changed.

The plans are on record like those of a run by hand. Ends 0, or 1 where something was red, or 2 where no demo runs.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [path for path in (str(ROOT), str(ROOT / "plugins")) if path not in sys.path]
os.environ.setdefault("CLO_OPS_MODE", "demo")

from demo.stack.state import State  # noqa: E402 (needs the path above)

if TYPE_CHECKING:
    from clo_ops.findings import Finding
    from clo_ops.ledger import PlanRow
    from clo_ops.orchestration.run import Run

DAG = "weekly_monday_maintenance"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make plan", description=__doc__)
    parser.add_argument("--state", type=Path, default=ROOT / ".clo-ops", help="where the demo keeps what is its own")
    given = parser.parse_args(arguments)
    connections = State(given.state).read().get("connections") if given.state.is_dir() else None
    if not connections:
        print("no demo runs here: make demo first", file=sys.stderr)
        return 2
    from clo_ops.findings import CloOpsError

    try:
        return planned(connections)
    except CloOpsError as problem:
        print(problem, file=sys.stderr)
        return 2


def planned(connections: dict[str, dict[str, object]]) -> int:
    from clo_ops.findings import Status
    from demo.mornings import connected

    to = connected(connections, "clo_ops/make_plan")
    with to.ledger() as ledger, tempfile.TemporaryDirectory() as evidence:
        os.environ["CLO_OPS_EVIDENCE"] = Path(evidence).as_uri()  # the plan is on record; its evidence is this text
        run = _run(to, ledger)
        findings = [one for kind in ("retention", "statistics", "indexes", "cache") for one in _of(run, kind)]
        for line in [*_findings(findings), *_plans(ledger.plans_of(run.ledger_run))]:
            print(line)
    return int(any(one.status in (Status.FAIL, Status.UNKNOWN) for one in findings))


def _run(connections: object, ledger: object) -> Run:
    from clo_ops.orchestration.run import Run
    from clo_ops.policy import load_policy
    from clo_ops.policy.firing import by_hand

    policy, at = load_policy(), datetime.now(UTC)
    name = f"make_plan__{at.isoformat()}"
    key = ledger.open_run("make_plan", name, at, "", "manual")  # type: ignore[attr-defined]
    firing = by_hand(policy, DAG)
    return Run(
        DAG, name, "plan", at, policy, connections, ledger, key,  # type: ignore[arg-type]
        firing=firing, params={"work": "plan"}, trigger="manual", asked_by="make plan",
    )  # fmt: skip


def _of(run: Run, kind: str) -> list[Finding]:
    from clo_ops.orchestration.duties import DUTIES

    return [one for work in DUTIES[kind] for one in work(run)]  # type: ignore[index]


def _findings(findings: Sequence[Finding]) -> Iterator[str]:
    """What is not simply well; the gate's own passes are left out."""
    for one in findings:
        if one.status.value != "pass":
            yield f"{one.procedure} {one.status.value}: {one.message}"


def _plans(plans: Sequence[PlanRow]) -> Iterator[str]:
    from clo_ops.rules.maintenance import expected_time

    for plan in plans:
        steps = [one.step for one in plan.steps]
        long = expected_time(steps) if steps else "nothing to do"
        yield f"\n{plan.kind}: {len(steps)} steps, {long}, plan {plan.hash[:12]}"
        for step in steps:
            yield f"  {step.statement}\n      {step.why}"


if __name__ == "__main__":
    sys.exit(main())
