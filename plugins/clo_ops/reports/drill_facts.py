"""What the ledger holds of one drill, in the shape the report shows it: phases, proofs, tables, invariants, faults.

Everything is sorted here, so that the same run gives the same report however the database returned its rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from clo_ops.findings import Answer, Finding, Measurement, Status, worst
from clo_ops.findings.finding import RANK
from clo_ops.reports.drill_rows import (
    FAILOVER,
    OF_THE_WHOLE,
    OWN_FILES,
    PARTS,
    PHASES,
    PROCEDURES,
    REPORT,
    SELF_TEST,
    WEEKLY,
    Invariant,
    Line,
    Part,
    Table,
    filled,
    table_of,
)
from clo_ops.rules.drill import POINT, TIME
from clo_ops.rules.figures import figure
from clo_ops.rules.selftest import Row, rows_of

if TYPE_CHECKING:
    from clo_ops.ledger import Evidence, Ledger
    from clo_ops.ledger.records import RunRow


@dataclass(frozen=True, slots=True)
class DrillFacts:
    """One drill as the ledger has it. Durations in seconds, sizes in bytes, times in UTC."""

    dag_id: str
    run_id: str
    at: datetime
    answer: Answer
    parts: tuple[Part, ...]
    evidence: tuple[Evidence, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(one for part in self.parts for one in part.findings)

    @property
    def status(self) -> Status:
        return worst(self.findings)

    @property
    def phases(self) -> list[tuple[str, float]]:
        """Name and seconds of each phase that ran, in the order of the drill."""
        taken = {one.labels.get("phase", ""): one.value for one in self.answer.select("drill.phase.duration")}
        known = [name for name in PHASES if name in taken]
        return [(name, taken[name]) for name in [*known, *sorted(set(taken) - set(PHASES))]]

    def value(self, name: str) -> float | None:
        return self.answer.value(name)

    def lines(self, name: str, label: str, aspect: str = "") -> list[Line]:
        """The measurements of one name, as rows by the label they are told apart by."""
        return [
            Line(
                name=one.labels.get(label) or next(iter(one.labels.values()), ""),
                ok=bool(one.value) if one.unit == "bool" else None,
                said=one.detail,
                aspect=one.labels.get(aspect, ""),
                value=one.value,
            )
            for one in self.answer.select(name)
        ]

    @property
    def contents_proofs(self) -> list[Line]:
        """Schema, canary, sequences, indexes: what does not hold each by itself, what holds in one line of its kind."""
        lines = []
        for metric, one_of, all_of in OF_THE_WHOLE:
            bad_when = float(metric.endswith("behind"))
            found = list(self.answer.select(metric))
            bad = [one for one in found if one.value == bad_when]
            lines += [Line(filled(one_of, one.labels), False, one.detail) for one in bad]
            if len(found) > len(bad):
                good = found[0].detail if len(found) == 1 else f"{len(found) - len(bad)} of {len(found)}"
                lines.append(Line(all_of, True, good))
        return lines

    @property
    def tables(self) -> list[Table]:
        rows = {one.labels.get("table", ""): one.value for one in self.answer.select("contents.table.rows")}
        compared: dict[str, dict[str, Measurement]] = {}
        for one in self.answer.select("contents.table.matches"):
            compared.setdefault(one.labels.get("table", ""), {})[one.labels.get("aspect", "")] = one
        return [table_of(name, rows.get(name), compared.get(name, {})) for name in sorted({*rows, *compared})]

    @property
    def failover(self) -> list[tuple[str, str, bool | None]]:
        """What, in figures, and whether it held where that is a yes or no."""
        lines = []
        for metric, words in FAILOVER:
            for one in self.answer.select(metric):
                where = ", ".join(one.labels.values())
                said = one.detail if one.unit == "bool" else f"{figure(one.value, one.unit)} {one.detail}".strip()
                held = bool(one.value) if one.unit == "bool" else None
                lines.append((f"{words} ({where})" if where else words, said, held))
        return lines

    @property
    def faults(self) -> list[Row]:
        """The self-test's table, empty where there was none."""
        return rows_of(self.answer)

    @property
    def depth(self) -> int:
        """How deep the backup was proven in this very drill: 0 (there) to 4 (contents and meaning)."""
        read = [int(one.labels.get("level", "L0")[1:]) for one in self.answer.select("backup.verified") if one.value]
        return max([0, *read, *(int(one.value) for one in self.answer.select("backup.depth"))])

    @property
    def invariants(self) -> list[Invariant]:
        expected = {one.labels.get("invariant", ""): int(one.value) for one in self.answer.select("integrity.expected")}
        found: dict[str, Invariant] = {}
        for one in self.answer.select("integrity.violations"):
            name = one.labels.get("invariant", "")
            line = Invariant(
                name,
                one.labels.get("suite", ""),
                one.labels.get("severity", ""),
                int(one.value),
                expected.get(name),
                one.detail,
            )
            if name not in found or line.violations > found[name].violations:
                found[name] = line
        return [found[name] for name in sorted(found)]


def read(ledger: Ledger, run: int) -> DrillFacts:
    """The drill of this run. Raises LedgerConflict where there is no such run."""
    row = ledger.run(run)
    ids = (*PROCEDURES, WEEKLY, SELF_TEST)
    answer = sum((ledger.answer(run, one) for one in ids), Answer())
    # One file may be the evidence of two procedures that one question settled.
    evidence = {one for one in ledger.evidence(run) if not one.name.startswith(OWN_FILES)}
    return DrillFacts(
        dag_id=row.dag_id,
        run_id=row.run_id,
        at=row.at,
        answer=in_order(answer),
        parts=_parts([one for one in ledger.findings(run) if one.procedure in ids]),
        evidence=tuple(sorted(evidence, key=lambda one: (one.name, one.uri))),
        facts={one.labels["fact"]: one.detail for one in in_order(answer).select("drill.fact")},
    )


def in_order(answer: Answer) -> Answer:
    """Sorted by what tells measurements apart: the database's order is not ours to rely on."""
    return Answer(tuple(sorted(answer.measurements, key=_key)), answer.unanswered)


def _key(one: Measurement) -> tuple[str, tuple[tuple[str, str], ...], datetime, float]:
    return one.name, tuple(one.labels.items()), one.at, one.value


def part_of(finding: Finding) -> str:
    """Which part a finding belongs to: the weekly test records all of them under one procedure and labels them."""
    return finding.labels.get("part", finding.procedure)


def _parts(findings: Sequence[Finding]) -> tuple[Part, ...]:
    by_part: dict[str, list[Finding]] = {}
    for one in findings:
        # Of the report's own procedure only the times: what became of the report itself is not for the report.
        if part_of(one) != REPORT or one.name in (TIME, POINT):
            by_part.setdefault(part_of(one), []).append(one)
    order = [*PARTS, *sorted(set(by_part) - set(PARTS))]
    return tuple(_part(name, by_part[name]) for name in order if name in by_part)


def _part(name: str, findings: Iterable[Finding]) -> Part:
    told = tuple(sorted(findings, key=lambda one: (RANK.index(one.status), one.name, one.subject)))
    return Part(name, PARTS.get(name, "The drill as a whole"), worst(told), told)


def before(ledger: Ledger, facts: DrillFacts, look_back: int = 200) -> DrillFacts | None:
    """The same DAG's drill before this one that came to a restore; None for the first."""
    for row in _earlier(ledger, facts, look_back):
        earlier = read(ledger, row.id)
        if "restore" in dict(earlier.phases):
            return earlier
    return None


def _earlier(ledger: Ledger, facts: DrillFacts, look_back: int) -> Iterator[RunRow]:
    for row in ledger.recent_runs(facts.dag_id, limit=look_back):
        if row.at < facts.at:
            yield row
