"""WM-01: ANALYZE, and VACUUM (ANALYZE), of the tables that are due, one statement and one session for each (D09, D22).

Neither keeps a reader or a writer waiting: VACUUM gives no empty pages back (``truncate``), works in small bites and
uses no parallel workers; VACUUM FULL is not in here at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from clo_ops.actions.maintenance.plan import Effect, Outcome, Plan, Step
from clo_ops.actions.maintenance.working import End, Ran, run
from clo_ops.findings.plans import Figure
from clo_ops.findings.upkeep import TableState
from clo_ops.policy.upkeep import Statistics
from clo_ops.probes.postgres import connect, rows
from clo_ops.probes.statements import statement
from clo_ops.probes.targets import PostgresTarget
from clo_ops.rules.staleness import Due, Work

# What ended a statement early is tried again next time, before anything else.
ENDED_EARLY = {
    End.GAVE_WAY: "gave way to",
    End.NO_LOCK: "did not get its lock in time:",
    End.NO_TIME: "was not done in time:",
}
STATEMENTS = {"analyze": "upkeep/analyze", "vacuum": "upkeep/vacuum"}
MILLISECOND = timedelta(milliseconds=1)


@dataclass
class TableCare:
    """Plans, and carries out step by step; ``target`` is the maintenance role's, ``system`` the plan's name for it."""

    target: PostgresTarget
    terms: Statistics
    system: str
    tables: dict[str, TableState] = field(default_factory=dict)
    done: list[tuple[Step, Effect]] = field(default_factory=list)

    def analyses(self, work: Work) -> Plan:
        """Leaves come before the tables they belong to, as their parents read them all again."""
        ordered = sorted(work.analyze, key=lambda due: due.table.parent)
        return Plan("statistics", self.system, tuple(self._step("analyze", due) for due in ordered))

    def vacuums(self, work: Work) -> Plan:
        return Plan("vacuum", self.system, tuple(self._step("vacuum", due) for due in work.vacuum))

    def _step(self, action: str, due: Due) -> Step:
        table = due.table
        key = f"{action} {table.full_name}"
        self.tables[key] = table
        before: dict[str, Figure] = {"changed": table.changed, "dead": table.dead, "rows": max(table.rows, 0)}
        said = statement(STATEMENTS[action]).text.format(table=table.full_name, truncate=self._truncate)
        return Step(key, action, table.full_name, due.why, said, before=before)

    @property
    def _truncate(self) -> str:
        return "true" if self.terms.truncate else "false"

    def act(self, step: Step) -> Effect:
        """One statement. Raises Unreachable where no session can be had."""
        effect = self._looked_after(step)
        self.done.append((step, effect))
        return effect

    def _looked_after(self, step: Step) -> Effect:
        """What PostgreSQL skips with a warning failed: its success means nothing was done."""
        from psycopg import sql

        table = self.tables[step.key]
        parts: dict[str, sql.Composable] = {"table": sql.Identifier(table.schema, table.name)}
        if step.action == "vacuum":
            parts["truncate"] = sql.SQL(self._truncate)
        ran = run(self.target, self.terms.manners, STATEMENTS[step.action], parts, self._bites())
        if ran.end in ENDED_EARLY:
            return Effect(Outcome.LEFT_OVER, f"{ENDED_EARLY[ran.end]} {ran.said}", ran.seconds)
        if ran.end is End.FAILED:
            return Effect(Outcome.FAILED, ran.said, ran.seconds)
        return self._judged(ran, self._after(table))

    def _bites(self) -> dict[str, str]:
        delay = f"{self.terms.cost_delay / MILLISECOND:g}ms"
        return {"vacuum_cost_delay": delay, "vacuum_cost_limit": str(self.terms.cost_limit)}

    def _after(self, table: TableState) -> Mapping[str, Figure]:
        with connect(self.target) as connection:
            found = rows(connection, "upkeep/one_table", {"schema": table.schema, "name": table.name})
        if not found:
            return {}
        now = found[0]
        fresh = now["analyzed_at"] is not None and (table.analyzed_at is None or now["analyzed_at"] > table.analyzed_at)
        figures = {"changed": now["changed"], "dead": now["dead"], "rows": max(now["rows"], 0)}
        return {**{name: value or 0 for name, value in figures.items()}, "analysed": int(fresh)}

    def _judged(self, ran: Ran, after: Mapping[str, Figure]) -> Effect:
        if not after:
            return Effect(Outcome.SKIPPED, "the table is gone", ran.seconds)
        if ran.warnings or not after["analysed"]:
            said = "; ".join(ran.warnings) or "PostgreSQL reported success and analysed nothing"
            return Effect(Outcome.FAILED, said, ran.seconds, after)
        return Effect(Outcome.APPLIED, f"analysed; {after['dead']:,} dead rows remain", ran.seconds, after)
