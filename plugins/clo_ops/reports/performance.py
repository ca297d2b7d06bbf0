"""The performance review of a month, put together from what its run left in the ledger, and the reports of a week."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from clo_ops.findings import CheckFailed, CouldNotCheck, Finding, Status
from clo_ops.reports.sheet import Plot, Section, Sheet, Table

if TYPE_CHECKING:
    from clo_ops.ledger import Evidence, Ledger
    from clo_ops.policy import Policy
    from clo_ops.rules.periods import Period

PARTS = ("M2-01", "M2-08", "M2-03", "M2-05", "M2-06", "M2-07", "M2-02", "M2-04")
SVG, JSON = "image/svg+xml", "application/json"
TABLES = "{procedure}-tables.json"
CAPTIONS = "{procedure}-plots.json"  # what each plot of the procedure shows, by the name of its file
Read = Callable[["Evidence"], bytes]


def as_evidence(tables: Sequence[Table]) -> bytes:
    """A procedure's tables, kept until the report is put together."""
    return json.dumps([{**asdict(one), "numeric": sorted(one.numeric)} for one in tables], indent=1).encode()


def from_evidence(data: bytes) -> tuple[Table, ...]:
    """Raises ValueError for what ``as_evidence`` did not write."""
    return tuple(
        Table(tuple(one["heading"]), tuple(map(tuple, one["rows"])), one["source"], frozenset(one["numeric"]))
        for one in json.loads(data)
    )


def assemble(  # noqa: PLR0917 - what a report is made of
    ledger: Ledger, run: int, policy: Policy, period: Period, read: Read, link: str = "", last: Section | None = None
) -> Sheet:
    """The run's findings by procedure with their tables and plots; ``last`` is the section not on record yet."""
    row, evidence, findings = ledger.run(run), ledger.evidence(run), ledger.findings(run)
    first = last or _section("M2-01", findings, evidence, policy, read)
    sections = (first, *(_section(part, findings, evidence, policy, read) for part in PARTS[1:]))
    return Sheet(
        title=f"Performance review of {period.since:%B %Y}",
        since=period.since,
        until=period.until,
        verdict=verdict([one for section in sections for one in section.findings]),
        sections=sections,
        cards=tuple(cards(first.findings)),
        about={"Run": f"{row.dag_id} {row.run_id}", "Policy": row.policy_digest[:12] or "not recorded"},
        link=link,
    )


def section(policy: Policy, procedure: str, findings: Iterable[Finding], tables: Iterable[Table] = ()) -> Section:
    """One procedure of a report whose findings are at hand."""
    entry, found = policy.procedures[procedure], tuple(findings)
    gaps = tuple(_gap(one) for one in found if _missing(one))
    return Section(entry.title, f"{procedure}, {entry.lines}", tables=tuple(tables), findings=found, gaps=gaps)


def _missing(one: Finding) -> bool:
    return one.labels.get("verdict", "") in ("no source", "no data", "not known")


def _gap(one: Finding) -> str:
    return f"{one.subject or one.name}: {one.actual}"


def _section(
    part: str, findings: Sequence[Finding], evidence: Sequence[Evidence], policy: Policy, read: Read
) -> Section:
    mine = [one for one in findings if one.procedure == part]
    parts, gaps = _Read(part, read), list[str]()
    for one in evidence:
        try:
            parts.take(one)
        except (CheckFailed, CouldNotCheck) as error:
            gaps.append(f"{one.name} is missing: {error}")
    gaps += [] if mine else [f"{part} left no finding in this run: nobody looked."]
    whole = section(policy, part, mine, parts.tables)
    gaps = [*whole.gaps, *gaps]
    return Section(whole.heading, whole.manual, (), whole.tables, parts.plots(), whole.findings, tuple(gaps))


class _Read:
    """A procedure's tables and plots as its task kept them."""

    def __init__(self, part: str, read: Read) -> None:
        self._part, self._read = part, read
        self.tables: list[Table] = []
        self._drawn: list[tuple[Evidence, str]] = []
        self._captions: dict[str, str] = {}

    def take(self, one: Evidence) -> None:
        """Raises CheckFailed or CouldNotCheck for a file that was altered or is gone."""
        if one.name == TABLES.format(procedure=self._part):
            self.tables += from_evidence(self._read(one))
        elif one.name == CAPTIONS.format(procedure=self._part):
            self._captions = json.loads(self._read(one))
        elif one.name.startswith(f"{self._part}-") and one.media_type == SVG:
            self._drawn.append((one, self._read(one).decode()))

    def plots(self) -> tuple[Plot, ...]:
        """In the order they were drawn, whatever order the evidence came in."""
        place = {name: number for number, name in enumerate(self._captions)}
        drawn = sorted(self._drawn, key=lambda one: place.get(one[0].name, len(place)))
        return tuple(
            Plot(svg, self._captions.get(one.name, one.name), f"SHA-256 {one.sha256}", wide=False) for one, svg in drawn
        )


def verdict(findings: Sequence[Finding]) -> str:
    """How many KPIs are met; what is missed, and what nobody knows."""
    kpis = {one.labels["kpi"]: one for one in findings if "kpi" in one.labels}
    wanted = [one for one in kpis.values() if one.labels["verdict"] != "no target"]
    met = sum(one.labels["verdict"] in ("met", "at risk") for one in wanted)
    parts = [f"{met} of {len(wanted)} KPIs with a target are met"]
    for word in ("missed", "at risk", "no source", "no data", "not known"):
        named = [one.subject for one in wanted if one.labels["verdict"] == word]
        parts += [f"{word}: {', '.join(named)}"] if named else []
    unseen = sorted({one.procedure for one in findings if one.status is Status.UNKNOWN})
    return "; ".join(parts + ([f"not looked at everything in {', '.join(unseen)}"] if unseen else [])) + "."


def cards(findings: Iterable[Finding]) -> list[tuple[str, str, str]]:
    """Each KPI with a single figure: what, figure, target."""
    known = [one for one in findings if one.name == "KPI" and one.labels.get("verdict") != "no target"]
    return [(one.subject, one.actual, f"{one.labels['verdict']}; target {one.expected}") for one in known]
