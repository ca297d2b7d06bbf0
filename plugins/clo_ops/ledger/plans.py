"""Plans of changes, step by step: what was expected of each, when it started, what became of it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import RowMapping, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from clo_ops.findings.plans import Effect, Outcome, Plan, Step
from clo_ops.ledger import plan_tables
from clo_ops.ledger.columns import aware
from clo_ops.ledger.errors import LedgerConflict
from clo_ops.ledger.records import PlanRow, StepRow
from clo_ops.ledger.store import Store

PLANS, STEPS = plan_tables.plans, plan_tables.plan_steps


def _step(row: RowMapping) -> StepRow:
    step = Step(
        key=row["key"],
        action=row["action"],
        target=row["target"],
        why=row["why"],
        statement=row["statement"],
        seconds=row["expected_seconds"],
        wal_bytes=row["expected_wal_bytes"],
        disk_bytes=row["expected_disk_bytes"],
        before=row["before"],
    )
    ended = row["outcome"] is not None
    effect = Effect(Outcome(row["outcome"]), row["reason"], row["seconds"] or 0.0, row["after"]) if ended else None
    return StepRow(step, effect, row["started_at"], row["ended_at"], row["tries"])


def _planned(plan: int, number: int, step: Step) -> dict[str, Any]:
    same = ("key", "action", "target", "why", "statement")
    return {
        **{name: getattr(step, name) for name in same},
        "plan_id": plan,
        "number": number,
        "expected_seconds": step.seconds,
        "expected_wal_bytes": step.wal_bytes,
        "expected_disk_bytes": step.disk_bytes,
        "before": dict(step.before),
    }


class Plans(Store):
    def keep_plan(self, run: int, plan: Plan) -> int:
        """The plan of this run, known by kind and hash; its number. One that is there keeps all that is known of it."""
        row = {
            "run_id": run,
            "kind": plan.kind,
            "system": plan.system,
            "hash": plan.hash,
            "planned_at": datetime.now(UTC),
        }
        this = (PLANS.c.run_id == run, PLANS.c.kind == plan.kind, PLANS.c.hash == plan.hash)
        with self.transaction() as connection:
            connection.execute(
                upsert(PLANS).values(row).on_conflict_do_nothing(constraint="plans_run_id_kind_hash_key")
            )
            number = int(connection.execute(select(PLANS.c.id).where(*this)).scalar_one())
            if steps := [_planned(number, place, one) for place, one in enumerate(plan.steps, start=1)]:
                connection.execute(upsert(STEPS).on_conflict_do_nothing(index_elements=["plan_id", "key"]), steps)
        return number

    def applied_steps(self, plan: int) -> frozenset[str]:
        """Keys of the plan's steps that are on record as applied."""
        query = select(STEPS.c.key).where(STEPS.c.plan_id == plan, STEPS.c.outcome == Outcome.APPLIED.value)
        with self.transaction() as connection:
            return frozenset(connection.scalars(query))

    def step_started(self, plan: int, key: str, at: datetime) -> None:
        """On record before anything is done: killed from here on, the step is known to have been begun."""
        values = {
            "started_at": aware(at),
            "ended_at": None,
            "outcome": None,
            "reason": "",
            "tries": STEPS.c.tries + 1,
            "recorded_at": func.now(),
        }
        with self.transaction() as connection:
            self._change(plan, key, values)
            connection.execute(update(PLANS).where(PLANS.c.id == plan).values(state="applying", ended_at=None))

    def step_ended(self, plan: int, key: str, effect: Effect, at: datetime) -> None:
        values = {
            "ended_at": aware(at),
            "outcome": effect.outcome.value,
            "reason": effect.reason,
            "seconds": effect.seconds,
            "after": dict(effect.after),
            "recorded_at": func.now(),
        }
        self._change(plan, key, values)

    def _change(self, plan: int, key: str, values: dict[str, Any]) -> None:
        """Raises LedgerConflict for a step the plan does not have, and for one that is applied already."""
        free = STEPS.c.outcome.is_distinct_from(Outcome.APPLIED.value)
        query = update(STEPS).where(STEPS.c.plan_id == plan, STEPS.c.key == key, free).values(**values)
        with self.transaction() as connection:
            if not connection.execute(query).rowcount:
                raise LedgerConflict(f"plan {plan} has no step {key!r} that is not applied yet")

    def plan_ended(self, plan: int, state: str, at: datetime) -> None:
        """``state`` is "ended", or "stopped" where what remained was not begun."""
        query = update(PLANS).where(PLANS.c.id == plan).values(state=state, ended_at=aware(at))
        with self.transaction() as connection:
            connection.execute(query)

    def plans_of(self, run: int) -> list[PlanRow]:
        """The run's plans with their steps, in the order they were made."""
        with self.transaction() as connection:
            plans = connection.execute(select(PLANS).where(PLANS.c.run_id == run).order_by(PLANS.c.id)).mappings().all()
            query = select(STEPS).where(STEPS.c.plan_id.in_([row["id"] for row in plans])).order_by(STEPS.c.number)
            steps = connection.execute(query).mappings().all()
        names = ("id", "run_id", "kind", "system", "hash", "state", "planned_at", "ended_at")
        return [
            PlanRow(
                **{name: row[name] for name in names},
                steps=[_step(one) for one in steps if one["plan_id"] == row["id"]],
            )
            for row in plans
        ]

    def left_over(self, kind: str, system: str, run: int | None = None) -> list[str]:
        """Keys of what the newest plan that was carried out left over, or began and never ended, in its order.

        Plans of ``run`` itself do not count: tried again, a run makes the plan it made before.
        """
        newest = select(func.max(PLANS.c.id)).where(
            PLANS.c.kind == kind,
            PLANS.c.system == system,
            PLANS.c.state != "planned",
            PLANS.c.run_id.is_distinct_from(run),
        )
        unfinished = STEPS.c.outcome.is_(None) | (STEPS.c.outcome == Outcome.LEFT_OVER.value)
        query = select(STEPS.c.key).where(STEPS.c.plan_id == newest.scalar_subquery(), unfinished)
        with self.transaction() as connection:
            return list(connection.scalars(query.order_by(STEPS.c.number)))

    def under_way(self, action: str, since: datetime, run: int) -> list[str]:
        """Keys of steps of this kind that other runs began since then and have not ended."""
        query = (
            select(STEPS.c.key)
            .join(PLANS, PLANS.c.id == STEPS.c.plan_id)
            .where(STEPS.c.action == action, STEPS.c.outcome.is_(None), STEPS.c.started_at > aware(since))
            .where(PLANS.c.run_id != run)
        )
        with self.transaction() as connection:
            return list(connection.scalars(query.order_by(STEPS.c.started_at)))

    def usual_seconds(self, keys: Collection[str], last: int) -> dict[str, float]:
        """The median time of the last times each step was applied; a key nobody ever applied is left out."""
        place = func.row_number().over(partition_by=STEPS.c.key, order_by=STEPS.c.ended_at.desc()).label("place")
        done = (
            select(STEPS.c.key, STEPS.c.seconds, place)
            .where(STEPS.c.key.in_(list(keys)), STEPS.c.outcome == Outcome.APPLIED.value)
            .subquery()
        )
        median = func.percentile_cont(0.5).within_group(done.c.seconds)
        query = select(done.c.key, median).where(done.c.place <= last).group_by(done.c.key)
        with self.transaction() as connection:
            return {key: float(seconds) for key, seconds in connection.execute(query)}

    def usual_total(self, kind: str, system: str, last: int) -> float | None:
        """The median of how long all steps of a plan of this kind took together; None where none was carried out."""
        ended = select(PLANS.c.id).where(PLANS.c.kind == kind, PLANS.c.system == system, PLANS.c.state == "ended")
        newest = ended.order_by(PLANS.c.id.desc()).limit(last)
        total = (
            select(func.sum(STEPS.c.seconds).label("seconds"))
            .where(STEPS.c.plan_id.in_(newest), STEPS.c.seconds > 0)
            .group_by(STEPS.c.plan_id)
            .subquery()
        )
        with self.transaction() as connection:
            seconds = connection.execute(select(func.percentile_cont(0.5).within_group(total.c.seconds))).scalar_one()
        return None if seconds is None else float(seconds)
