"""A report as one thing: put together from the ledger once, then rendered as HTML, PDF, JSON, CSV and a mail's text.

The same sheet gives the same bytes, but for the stamp that says when it was made. Text from outside is escaped where it
is rendered; a cell of CSV that would be a formula is made plain text.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from clo_ops.findings import Finding, Status
from clo_ops.reports.pdf import as_pdf
from clo_ops.reports.templates import render

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
WORDS = {
    Status.PASS: "passed",
    Status.WARN: "warning",
    Status.FAIL: "FAILED",
    Status.UNKNOWN: "NOT KNOWN",
    Status.NOT_APPLICABLE: "not judged",
}
RED = (Status.FAIL, Status.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Table:
    """``source`` says where its figures can be read again: the ledger's table, the series, the time."""

    heading: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    source: str = ""
    numeric: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Plot:
    """An SVG of ``reports.plots``, what it shows, and the evidence file it is. Those not ``wide`` go side by side."""

    svg: str
    caption: str
    evidence: str = ""
    wide: bool = True


@dataclass(frozen=True, slots=True)
class Section:
    """A heading of the report with the lines of the manual it answers to. ``gaps``: what could not be said, and why."""

    heading: str
    manual: str
    lines: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    plots: tuple[Plot, ...] = ()
    findings: tuple[Finding, ...] = ()
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sheet:
    """``cards`` are the figures a reader in a hurry wants: what, figure, note. ``verdict`` is one sentence."""

    title: str
    since: datetime
    until: datetime
    verdict: str
    sections: tuple[Section, ...]
    cards: tuple[tuple[str, str, str], ...] = ()
    about: Mapping[str, str] = field(default_factory=dict)
    link: str = ""

    @property
    def findings(self) -> list[Finding]:
        return [one for section in self.sections for one in section.findings]

    @property
    def colour(self) -> str:
        statuses = {one.status for one in self.findings}
        return "RED" if statuses & set(RED) else "YELLOW" if Status.WARN in statuses else "GREEN"

    def as_html(self, stamp: datetime) -> str:
        """Self-contained: no script, no font, nothing fetched."""
        return render("sheet.html", sheet=self, stamp=stamp, words=WORDS)

    def as_pdf(self, stamp: datetime) -> bytes:
        """Raises PdfMissing."""
        return as_pdf(self.as_html(stamp))

    def as_json(self, stamp: datetime) -> bytes:
        """Everything on the sheet for a machine but its plots, canonical."""
        from clo_ops.ledger.evidence import canonical_json

        content = {**_content(self), "colour": self.colour, "made_at": stamp}
        return canonical_json({"format": "clo-ops report 1", **content})

    def as_text(self) -> str:
        """A mail's body: the verdict, the cards, what is red and what warns."""
        lines = [self.title, "", f"{self.colour}: {self.verdict}", ""]
        lines += [f"{what}: {shown}{f' ({note})' if note else ''}" for what, shown, note in self.cards]
        for one in self.findings:
            if one.status in (*RED, Status.WARN):
                lines += ["", f"[{WORDS[one.status]}] {one.procedure} {one.message}", f"  First: {one.first_action}"]
        return "\n".join(lines) + "\n"


def _content(sheet: Sheet) -> dict[str, Any]:
    sections = [
        {
            "heading": one.heading,
            "manual": one.manual,
            "lines": one.lines,
            "tables": [{**asdict(table), "numeric": sorted(table.numeric)} for table in one.tables],
            "plots": [{"caption": plot.caption, "evidence": plot.evidence, "wide": plot.wide} for plot in one.plots],
            "findings": [finding.as_json() for finding in one.findings],
            "gaps": one.gaps,
        }
        for one in sheet.sections
    ]
    kept = {name: getattr(sheet, name) for name in ("title", "since", "until", "verdict", "cards", "link")}
    return {**kept, "about": dict(sheet.about), "sections": sections}


def as_csv(table: Table) -> bytes:
    """The table for a spreadsheet, UTF-8. A cell that begins as a formula does is preceded by an apostrophe."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow([plain(cell) for cell in table.heading])
    writer.writerows([plain(cell) for cell in row] for row in table.rows)
    return file.getvalue().encode()


def plain(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA) and not _is_number(cell) else cell


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def findings_table(findings: Sequence[Finding]) -> Table:
    """What was judged, with what was allowed and seen."""
    rows = tuple((one.subject or one.name, WORDS[one.status], one.expected, one.actual) for one in findings)
    return Table(("what", "status", "allowed", "seen"), rows)
