"""WM-02: bloated indexes built anew beside their use, one by one; what our own interrupted rebuilds left is removed.

A rebuild that is broken off leaves a second, invalid index. Its step is on record before it starts, with the index, the
transaction number and what was half-built already; by that the next run knows what is ours (rules.half_built).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from clo_ops.actions.maintenance.plan import Effect, Outcome, Plan, Step
from clo_ops.actions.maintenance.statistics import ENDED_EARLY
from clo_ops.actions.maintenance.working import End, Ran, run
from clo_ops.findings.plans import Figure
from clo_ops.findings.upkeep import Attempt, IndexSnapshot, IndexState
from clo_ops.policy.upkeep import Indexes
from clo_ops.probes.postgres import connect
from clo_ops.probes.statements import statement
from clo_ops.probes.targets import PostgresTarget
from clo_ops.probes.upkeep_indexes import indexes, one_index, open_transactions
from clo_ops.rules.bloat import READ
from clo_ops.rules.figures import figure
from clo_ops.rules.half_built import sort
from clo_ops.rules.rebuilds import Candidate, Choice, Known, candidate

REBUILD, REMOVE = "reindex", "remove leftover"
STATEMENTS = {REBUILD: "upkeep/reindex", REMOVE: "upkeep/drop_leftover"}
# Parallel workers would take the processors from the users.
ALONE = {"max_parallel_maintenance_workers": "0"}


@dataclass
class IndexCare:
    """Plans, and carries out step by step. ``reader`` measures, ``target`` is the maintenance role's session.

    ``attempts`` are earlier rebuilds of ours; asked again whenever it matters what is ours.
    """

    reader: PostgresTarget
    target: PostgresTarget
    terms: Indexes
    system: str
    known: Known
    attempts: Callable[[], Sequence[Attempt]]
    states: dict[str, IndexState] = field(default_factory=dict)
    done: list[tuple[Step, Effect]] = field(default_factory=list)

    def plan(self, snapshot: IndexSnapshot, choice: Choice) -> Plan:
        """First what is to be removed: it costs each write its share and is of no use to anybody."""
        left = [one for one in sort(snapshot, self.attempts()).ours if one.may and one.may_name]
        steps = [self._removal(one) for one in left] + [self._rebuild(snapshot, one) for one in choice.rebuild]
        return Plan("indexes", self.system, tuple(steps))

    def _removal(self, index: IndexState) -> Step:
        key = f"{REMOVE} {index.full_name}"
        self.states[key] = index
        why = f"a rebuild of ours that was broken off left it ({figure(index.bytes, 'bytes')}); nothing reads it"
        before: dict[str, Figure] = {"bytes": index.bytes, "oid": index.oid}
        said = statement(STATEMENTS[REMOVE]).text.format(index=index.full_name)
        return Step(key, REMOVE, index.full_name, why, said, before=before)

    def _rebuild(self, snapshot: IndexSnapshot, one: Candidate) -> Step:
        index = one.index
        key = f"{REBUILD} {index.full_name}"
        self.states[key] = index
        there = [other.oid for other in snapshot.indexes if other.table == index.table and not other.valid]
        size = index.bytes - (one.air.bytes if one.air else 0)
        before: dict[str, Figure] = {
            "bytes": index.bytes,
            "air_percent": round(one.air.share, 1) if one.air else 0,
            "how": one.air.how if one.air else "",
            "table": index.table,
            "oid": index.oid,
            "xid": snapshot.server.next_xid,
            "others": ",".join(map(str, sorted(there))),
        }
        said = statement(STATEMENTS[REBUILD]).text.format(index=index.full_name)
        return Step(key, REBUILD, index.full_name, one.why, said, None, size, size, before)

    def act(self, step: Step) -> Effect:
        """One index. Raises Unreachable where no session can be had."""
        effect = self._removed(step) if step.action == REMOVE else self._rebuilt(step)
        self.done.append((step, effect))
        return effect

    # ------------------------------------------------------------ rebuilding

    def _rebuilt(self, step: Step) -> Effect:
        """Looked at again first (D01): fresh statistics, or somebody else's rebuild, may have settled it."""
        if why_not := self._waiting_for() or self._why_not_now(step):
            return why_not
        ran = self._run(REBUILD, self.states[step.key])
        now = self._look()
        if ran.end is End.DONE:
            return self._won(step, ran, now)
        return self._broken_off(step, ran, now)

    def _why_not_now(self, step: Step) -> Effect | None:
        index = self.states[step.key]
        if step.before["how"] != READ:
            self._analyze(index)
        again = one_index(self.reader, self.terms.bloat, index.oid, maintainer=self.target.user)
        if again is None:
            return Effect(Outcome.SKIPPED, "the index is gone, or was rebuilt by somebody else meanwhile")
        one = candidate(again, again.indexes[0], self.terms.bloat, self.known)
        return Effect(Outcome.SKIPPED, f"looked at again: {one.why_not}") if one.why_not else None

    def _analyze(self, index: IndexState) -> None:
        """An estimate is as good as the statistics it is made of. Where it could not be had, the old one counts."""
        from psycopg import sql

        table = sql.Identifier(index.table_schema, index.table_name)
        run(self.target, self.terms.manners, "upkeep/analyze", {"table": table})

    def _waiting_for(self) -> Effect | None:
        """T4, T5: a rebuild waits for every open transaction, and is left half-built where it waits in vain."""
        with connect(self.target) as connection:
            found = open_transactions(connection, self.terms.long_transaction.total_seconds())
        if not found:
            return None
        return Effect(Outcome.LEFT_OVER, f"it would have to wait: {'; '.join(found)}")

    def _won(self, step: Step, ran: Ran, now: IndexSnapshot | None) -> Effect:
        after, state = self._noted(now), self._state(now, step)
        if state is None:
            return Effect(Outcome.FAILED, "it was rebuilt, and then nobody could look at it", ran.seconds, after)
        won = int(step.before["bytes"]) - state.bytes
        after = {**after, "bytes": state.bytes, "won_bytes": won}
        if not state.valid:
            return Effect(Outcome.FAILED, "PostgreSQL reported success and the index is invalid", ran.seconds, after)
        said = f"{figure(int(step.before['bytes']), 'bytes')} before, {figure(state.bytes, 'bytes')} now"
        return Effect(Outcome.APPLIED, said, ran.seconds, after)

    def _broken_off(self, step: Step, ran: Ran, now: IndexSnapshot | None) -> Effect:
        """What it left is removed at once where nobody would be waited for, else by the next run."""
        after = self._noted(now)
        words = f"{ENDED_EARLY[ran.end]} {ran.said}" if ran.end in ENDED_EARLY else ran.said
        outcome = Outcome.LEFT_OVER if ran.end in ENDED_EARLY else Outcome.FAILED
        left = self._left_by(step, now)
        if left is None:
            return Effect(outcome, words, ran.seconds, after)
        gone = self._waiting_for() is None and self._run(REMOVE, left).end is End.DONE
        fate = "removed again" if gone else "removed by the next run"
        return Effect(outcome, f"{words}; it left {left.full_name}, {fate}", ran.seconds, after)

    def _left_by(self, step: Step, now: IndexSnapshot | None) -> IndexState | None:
        if now is None:
            return None
        made = Attempt.of(step.target, step.before, self.known.at)
        return next(iter(sort(now, [replace(made, xid_after=now.server.next_xid)]).ours), None)

    # ------------------------------------------------------------ removing

    def _removed(self, step: Step) -> Effect:
        """Still there, still invalid, still ours: judged anew, as somebody may have made it valid or another of it."""
        now, index = self._look(), self.states[step.key]
        if now is None:
            return Effect(Outcome.FAILED, "nobody could look whether it is still there")
        if index.oid not in {one.oid for one in sort(now, self.attempts()).ours}:
            return Effect(Outcome.SKIPPED, "it is gone, or no longer what a rebuild of ours left")
        if waiting := self._waiting_for():
            return waiting
        ran = self._run(REMOVE, index)
        if ran.end is End.DONE:
            return Effect(Outcome.APPLIED, f"{figure(index.bytes, 'bytes')} given back", ran.seconds, {"bytes": 0})
        outcome = Outcome.LEFT_OVER if ran.end in ENDED_EARLY else Outcome.FAILED
        return Effect(outcome, f"{ENDED_EARLY.get(ran.end, '')} {ran.said}".strip(), ran.seconds)

    # ------------------------------------------------------------ both

    def _run(self, action: str, index: IndexState) -> Ran:
        from psycopg import sql

        named = {"index": sql.Identifier(index.schema, index.name)}
        return run(self.target, self.terms.manners, STATEMENTS[action], named, ALONE)

    def _look(self) -> IndexSnapshot | None:
        """Without reading any index: how large they are and what is invalid."""
        return indexes(self.reader, self.terms.bloat, maintainer=self.target.user, read=False)[0]

    @staticmethod
    def _noted(now: IndexSnapshot | None) -> dict[str, Figure]:
        return {} if now is None else {"xid": now.server.next_xid}

    @staticmethod
    def _state(now: IndexSnapshot | None, step: Step) -> IndexState | None:
        return next((one for one in now.indexes if one.full_name == step.target), None) if now else None
