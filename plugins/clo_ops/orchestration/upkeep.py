"""Statistics and indexes (WM-01, WM-02), the same in every window: ask, choose, plan, apply, look again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from clo_ops.findings import Answer, Finding, Measurement, Severity, unanswered_findings
from clo_ops.orchestration.maintenance import carried_out, gated, system_of
from clo_ops.orchestration.occasion import allowance, occasion
from clo_ops.rules import ages, half_built, index_use, rebuilds, staleness
from clo_ops.rules.gate import ALL, Need

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clo_ops.findings.upkeep import Attempt, IndexSnapshot, TableSnapshot
    from clo_ops.orchestration.run import Run
    from clo_ops.probes.targets import PostgresTarget

WM_01, WM_02 = "WM-01", "WM-02"
# The field of a form that asks for every table, however fresh.
EVERYTHING = "everything"
# New statistics take no room.
OF_STATISTICS = ALL - {Need.ROOM}
ASK = ages.ASK
TABLES, INDEXES = "the state of the tables", "the state of the indexes"
# An index is read whole to be measured, and the catalog of a large database takes its time.
LONGEST_LOOK = timedelta(minutes=10)


def statistics(run: Run) -> list[Finding]:
    """WM-01: ages and sequences judged; what is stale analysed, what has dead rows vacuumed where the window allows."""
    findings = _ages_and_sequences(run)
    snapshot = _tables(run)
    if snapshot is None:
        return [*findings, *unanswered_findings(WM_01, _only(run, TABLES), Severity.P2, ASK)]
    if snapshot.server.in_recovery:
        findings.append(staleness.not_here(snapshot))
    gate = gated(run, WM_01, "statistics", needs=OF_STATISTICS)
    findings += gate.findings
    return findings + (_looked_after(run, snapshot) if gate.open else [])


def _ages_and_sequences(run: Run) -> list[Finding]:
    from clo_ops.probes import upkeep_tables

    terms, reader = run.policy.maintenance.statistics, run.connections.postgres
    aged = run.ask(upkeep_tables.ages, reader, oldest=terms.ages.tables)
    counted = run.ask(upkeep_tables.sequences, reader)
    return [*ages.judge_ages(aged, terms.ages), *ages.judge_sequences(counted, terms.sequences)]


def _tables(run: Run) -> TableSnapshot | None:
    from clo_ops.probes import upkeep_tables

    snapshot, answer = upkeep_tables.tables(run.connections.postgres, maintainer=run.connections.maintenance.user)
    run.keep(answer)
    return snapshot


def _only(run: Run, question: str) -> Answer:
    return Answer.of(unanswered=[one for one in run.answer.unanswered if one.question == question])


def _looked_after(run: Run, snapshot: TableSnapshot) -> list[Finding]:
    """VACUUM (ANALYZE) first; what it settled is no longer stale when the statistics are planned."""
    from clo_ops.actions.maintenance.statistics import TableCare

    terms = run.policy.maintenance.statistics
    everything = bool(run.params.get(EVERYTHING))
    care = TableCare(run.connections.maintenance, terms, system_of(run))
    left_over = {*_left_over(run, "statistics", "analyze"), *_left_over(run, "vacuum", "vacuum")}
    due = staleness.work(snapshot, terms, at=run.at, everything=everything, left_over=left_over)
    left, why = allowance(run, "vacuum", datetime.now(UTC))
    findings = staleness.judge(due, snapshot, terms)
    if not left > timedelta():
        findings += staleness.vacuum_elsewhere(due, why)
    elif due.vacuum:
        findings += carried_out(run, WM_01, care.vacuums(due), care.act)
    if care.done:
        now = _tables(run) or snapshot
        due = staleness.work(now, terms, at=run.at, everything=everything, left_over=left_over)
    findings += carried_out(run, WM_01, care.analyses(due), care.act)
    return findings + staleness.judge_effect(care.done)


def _left_over(run: Run, kind: str, action: str) -> set[str]:
    """What the last run of this kind left over: the tables or indexes of its steps ("analyze public.loans")."""
    keys = run.ledger.left_over(kind, system_of(run), run.ledger_run)
    return {key.removeprefix(f"{action} ") for key in keys}


# ---------------------------------------------------------------- indexes


def indexes(run: Run) -> list[Finding]:
    """WM-02: bloated indexes rebuilt one by one, what broken-off rebuilds of ours left removed; the rest reported."""
    snapshot = _indexes(run)
    if snapshot is None:
        return unanswered_findings(WM_02, _only(run, INDEXES), Severity.P2, ASK)
    terms, known = run.policy.maintenance.indexes, _known(run)
    choice = rebuilds.choose(snapshot, terms, known)
    run.keep(_bloat(choice))
    findings = [*index_use.judge(snapshot, terms.unused, at=run.at), *rebuilds.judge(choice)]
    gate = gated(run, WM_02, "indexes")
    findings += gate.findings
    if gate.open:
        findings += _rebuilt(run, snapshot, choice, known)
        snapshot = _indexes(run, read=False)
    if snapshot is None:
        return [*findings, *unanswered_findings(WM_02, _only(run, INDEXES), Severity.P2, ASK)]
    return findings + half_built.judge(half_built.sort(snapshot, _attempts(run)))


def _indexes(run: Run, *, read: bool = True) -> IndexSnapshot | None:
    from clo_ops.probes import upkeep_indexes

    snapshot, answer = upkeep_indexes.indexes(
        _patient(run), run.policy.maintenance.indexes.bloat, maintainer=run.connections.maintenance.user, read=read
    )
    run.keep(answer)
    return snapshot


def _patient(run: Run) -> PostgresTarget:
    return replace(run.connections.postgres, statement_timeout=LONGEST_LOOK.total_seconds())


def _attempts(run: Run) -> Sequence[Attempt]:
    since = datetime.now(UTC) - run.policy.maintenance.indexes.bloat.remembered
    return run.ledger.rebuilds(system_of(run), since)


def _known(run: Run) -> rebuilds.Known:
    """Bytes per row of each index at its best, so far as the ledger remembers."""
    now = datetime.now(UTC)
    since = now - run.policy.maintenance.indexes.bloat.remembered
    seen = run.ledger.measurements("postgresql.index.bytes_per_row", since, now)
    best = rebuilds.best_ratios([(one.labels["index"], one.value) for one in seen])
    return rebuilds.Known(run.at, best, _attempts(run), _left_over(run, "indexes", "reindex"), _large_now(run))


def _large_now(run: Run) -> bool:
    mine = occasion(run)
    return mine is not None and mine.name in run.policy.maintenance.indexes.large.windows


def _bloat(choice: rebuilds.Choice) -> Answer:
    """``postgresql.index.bloat`` (percent) by {index, how}, of all that are over the policy's size."""
    at = datetime.now(UTC)
    return Answer.of(
        Measurement(
            "postgresql.index.bloat",
            one.air.share,
            "percent",
            at,
            {"index": one.index.full_name, "how": one.air.how},
            one.air.said,
        )
        for one in (*choice.rebuild, *choice.others)
        if one.air is not None
    )


def _rebuilt(run: Run, snapshot: IndexSnapshot, choice: rebuilds.Choice, known: rebuilds.Known) -> list[Finding]:
    from clo_ops.actions.maintenance.indexes import IndexCare

    care = IndexCare(
        _patient(run),
        run.connections.maintenance,
        run.policy.maintenance.indexes,
        system_of(run),
        known,
        lambda: _attempts(run),
    )
    findings = carried_out(run, WM_02, care.plan(snapshot, choice), care.act)
    return findings + rebuilds.judge_effect(care.done)
