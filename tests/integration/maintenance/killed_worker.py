"""A worker that carries a plan out slowly, to be killed at any instant. Arguments: a JSON file of how to reach all."""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime
from pathlib import Path

import psycopg

from clo_ops.findings.plans import Effect, Outcome, Plan, Step
from clo_ops.ledger import Ledger
from clo_ops.orchestration import maintenance
from clo_ops.orchestration.connections import Connections
from clo_ops.orchestration.run import Run
from clo_ops.policy import load_policy
from clo_ops.policy.firing import by_hand
from demo.mornings import Plain

STEPS = 25


def plan_of(system: str) -> Plan:
    return Plan(
        "indexes",
        system,
        tuple(Step(f"step {n:02d}", "insert", f"{n:02d}", "", f"insert {n:02d}", 0.1) for n in range(STEPS)),
    )


def main(facts: dict[str, str]) -> None:
    policy = load_policy(mode="demo")
    postgres = json.loads(facts["postgres"])
    connections = Connections("clo_ops/maintenance/killed", lambda conn_id: Plain(conn_id, **postgres))
    with (
        Ledger(facts["ledger"], client_name="clo_ops/killed") as ledger,
        psycopg.connect(facts["work"], autocommit=True) as work,
    ):
        firing = by_hand(policy, "maintenance", "maintenance_emergency")
        run = Run(
            "maintenance", facts["run_id"], "test", datetime.fromisoformat(facts["at"]), policy, connections, ledger,
            int(facts["run"]), firing=firing, trigger="manual", asked_by="ann",
        )  # fmt: skip

        def act(step: Step) -> Effect:
            """Looks for itself how far it came: what is there is not written twice."""
            time.sleep(0.01)
            work.execute("INSERT INTO work (key) VALUES (%s) ON CONFLICT (key) DO NOTHING", [step.key])
            time.sleep(0.01)
            return Effect(Outcome.APPLIED, "inserted", 0.02)

        for one in maintenance.carried_out(run, "MW-05", plan_of(maintenance.system_of(run)), act):
            sys.stdout.write(f"{one.status} {one.message}\n")


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
