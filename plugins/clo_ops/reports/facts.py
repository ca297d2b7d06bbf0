"""What a report is made of: what the CLO system's tables said, what the ledger has, and where each of it can be read.

A section of a report is a function of these facts. It has one finding: whether its figures are there and within their
limits. A question nobody answered is a gap and unknown; what nobody measures is said to have no source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from clo_ops.findings import Finding, Severity, Status
from clo_ops.findings.performed import Performed, Row
from clo_ops.reports.sheet import RED, Section, Sheet, Table
from clo_ops.rules.figures import moment
from clo_ops.rules.periods import Period
from clo_ops.rules.series_days import SeriesDays
from clo_ops.rules.verdicts import Case

if TYPE_CHECKING:
    from clo_ops.ledger import IncidentRow
    from clo_ops.policy import Policy

NO_SOURCE = "no source"
Card = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Facts:
    """``asked`` are answers, or why there is none, by the name of the file in include/sql; ``series`` are by metric.

    ``plots`` are SVGs kept as evidence, by the name of the series: what is drawn, and its SHA-256. ``read_at`` is when
    the ledger was read. ``about`` and ``link`` say which run made the report.
    """

    procedure: str
    policy: Policy
    period: Period
    read_at: datetime
    asked: Mapping[str, Performed | str] = field(default_factory=dict)
    series: Mapping[str, Sequence[SeriesDays]] = field(default_factory=dict)
    incidents: Sequence[IncidentRow] = ()
    plots: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    about: Mapping[str, str] = field(default_factory=dict)
    link: str = ""

    def rows(self, name: str) -> Sequence[Row] | None:
        """What the question brought; None where it got no answer."""
        answer = self.asked.get(name)
        return answer.rows if isinstance(answer, Performed) else None

    def row(self, name: str) -> Row | None:
        """The only row of a question that has one."""
        rows = self.rows(name)
        return rows[0] if rows else None

    def silent(self, *names: str) -> list[str]:
        """Of these questions, why those without an answer have none."""
        return [f"{name}: {self.asked.get(name, 'not asked')}" for name in names if self.rows(name) is None]

    def source(self, name: str) -> str:
        """Where an answer's figures can be read again: the question, when it was put, what came back."""
        answer = self.asked.get(name)
        if not isinstance(answer, Performed):
            return NO_SOURCE
        at = str(answer.identity.get("at", ""))[:19].replace("T", " ")
        return f"include/sql/{name}.sql at {at} UTC, result SHA-256 {answer.result_sha256[:12]}"

    def of_ledger(self, what: str) -> str:
        return f"ledger, {what}, read {moment(self.read_at)}"

    def case(self, name: str, expected: str, first_action: str = "") -> Case:
        entry = self.policy.procedures[self.procedure]
        return Case(self.procedure, name, expected, Severity.P3, first_action or entry.first_action, entry.lines)


def no_answer(case: Case, silent: Sequence[str]) -> Finding:
    """The finding of a section whose questions were not answered."""
    return Finding(
        procedure=case.procedure,
        name=case.name,
        status=Status.UNKNOWN,
        severity=Severity.P2,
        expected=case.expected,
        actual="not known",
        message=f"The report's {case.name} is not complete: could not ask {'; '.join(silent)}.",
        first_action="Look at the database named (DM-01), then clear the task: the report is made again.",
    )


def table(
    heading: Sequence[str], rows: Sequence[Sequence[Any]], source: str = "", numeric: Sequence[int] = ()
) -> Table:
    """A table of whatever can be shown as text; ``numeric`` columns are set flush right."""
    cells = tuple(tuple(str(cell) for cell in row) for row in rows)
    return Table(tuple(heading), cells, source, frozenset(numeric))


def sheet(facts: Facts, title: str, sections: tuple[Section, ...], cards: tuple[Card, ...]) -> Sheet:
    """The report of these sections."""
    since, until = facts.period.since, facts.period.until
    return Sheet(title, since, until, verdict(sections), sections, cards, facts.about, facts.link)


def verdict(sections: Sequence[Section]) -> str:
    """One sentence: what is red, what warns, what is missing; or that nothing is."""
    findings = [one for section in sections for one in section.findings]
    missing = [section.heading.lower() for section in sections if section.gaps]
    parts = [
        _named("red", [one.name for one in findings if one.status in RED]),
        _named("to look at", [one.name for one in findings if one.status is Status.WARN]),
        _named("without some of its figures", missing),
    ]
    said = "; ".join(part for part in parts if part)
    return f"{said[0].upper()}{said[1:]}." if said else "Every figure is there and within its limits."


def _named(what: str, names: Sequence[str]) -> str:
    return f"{what}: {', '.join(dict.fromkeys(names))}" if names else ""


def count(value: Any) -> str:
    return f"{int(value):,}"
