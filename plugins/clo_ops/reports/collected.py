"""Reports put together from reports (RP-01 to RP-03): what a day's, a week's, a month's runs left on record, in one.

Nothing is counted a second time: a section is taken as it was kept, with the SHA-256 of the page it comes from. What
nobody made is a gap, and unknown; what was altered is red.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from clo_ops.findings import CheckFailed, CouldNotCheck, Finding, Severity, Status
from clo_ops.reports.again import NAMES, Kept, Read, made_by, of_run
from clo_ops.reports.facts import Facts, table
from clo_ops.reports.sheet import Section, Sheet
from clo_ops.rules.figures import moment

if TYPE_CHECKING:
    from clo_ops.ledger import Ledger

MADE_BY_HAND = "Start its DAG for that day by hand, then clear this task."
OPEN = "Open that report, and follow the first action of what is red or warns in it."
CARDS = ("figure", "", "note")
Fits = Callable[[Sheet], bool]


@dataclass(frozen=True, slots=True)
class Part:
    """A report to take sections from: those of these procedures, of these headings, or all. ``fits`` says which sheet
    of the name is meant; the newest that does is taken."""

    name: str
    fits: Fits
    procedures: tuple[str, ...] = ()
    headings: tuple[str, ...] = ()


def until(end: datetime) -> Fits:
    """The report of the very period that ends then."""
    return lambda sheet: sheet.until == end


def between(since: datetime, end: datetime) -> Fits:
    """A report whose period ended within since to end."""
    return lambda sheet: since <= sheet.until <= end


def taken(ledger: Ledger, facts: Facts, part: Part, read: Read) -> tuple[Section, ...]:
    """A section that says whose the others are and which page they come from; then the others."""
    try:
        found = _newest(ledger, part, read)
    except CheckFailed as error:
        return (_missing(facts, part, Status.FAIL, "altered", f"{NAMES[part.name].title}: {error}"),)
    except CouldNotCheck as error:
        return (_missing(facts, part, Status.UNKNOWN, "not readable", f"{NAMES[part.name].title}: {error}"),)
    if found is None:
        said = f"{NAMES[part.name].title}: no run of {NAMES[part.name].dag_id} left one for this time"
        return (_missing(facts, part, Status.UNKNOWN, "not made", said),)
    return (_whose(facts, part, found), *_sections(part, found.sheet))


def _newest(ledger: Ledger, part: Part, read: Read) -> Kept | None:
    for run in made_by(ledger, part.name):
        known = of_run(ledger, part.name, run, read)
        if part.fits(known.sheet):
            return known
    return None


def _sections(part: Part, sheet: Sheet) -> list[Section]:
    wanted = [one for one in sheet.sections if not part.procedures or _procedure(one) in part.procedures]
    return [one for one in wanted if not part.headings or one.heading in part.headings]


def _procedure(section: Section) -> str:
    return section.manual.partition(",")[0]


def _case(facts: Facts, part: Part) -> tuple[str, str]:
    return f"{NAMES[part.name].procedure} {NAMES[part.name].title.lower()}", "made, as it was kept, and green"


def _whose(facts: Facts, part: Part, found: Kept) -> Section:
    name, expected = _case(facts, part)
    page, sheet = found.files["html"], found.sheet
    said = f"{sheet.colour}, made {moment(found.made_at)}"
    case = facts.case(name, expected, OPEN)
    # What is red in it may be in a section that is not taken: the whole must not be greener than its parts.
    finding = (case.passed if sheet.colour == "GREEN" else case.warned)(said, f"{sheet.title}: {said}")
    source = f"{page.uri}, SHA-256 {page.sha256}"
    cards = table(CARDS, sheet.cards, source, (1,)) if sheet.cards else None
    lines = (f"{sheet.colour}. {sheet.verdict}",)
    return Section(sheet.title, _manual(facts, part), lines, (cards,) if cards else (), (), (finding,))


def _manual(facts: Facts, part: Part) -> str:
    return f"{facts.procedure} from {NAMES[part.name].procedure}, {facts.policy.procedures[facts.procedure].lines}"


def _missing(facts: Facts, part: Part, status: Status, actual: str, said: str) -> Section:
    name, expected = _case(facts, part)
    finding = Finding(facts.procedure, name, status, expected, actual, f"{said}.", "", Severity.P3, MADE_BY_HAND)
    return Section(NAMES[part.name].title, _manual(facts, part), findings=(finding,), gaps=(f"{said}.",))


def together(title: str, facts: Facts, sections: Sequence[Section], cards: Sequence[tuple[str, str, str]]) -> Sheet:
    """The report; its verdict names the reports it is made of that are red, yellow or missing, and what has gaps."""
    own = [one for section in sections for one in section.findings if one.procedure == facts.procedure]
    red = [one.name for one in own if one.actual.startswith("RED") or one.status in (Status.FAIL, Status.UNKNOWN)]
    yellow = [one.name for one in own if one.status is Status.WARN and one.name not in red]
    missing = [one.heading.lower() for one in sections if one.gaps]
    parts = [_said("red", red), _said("to look at", yellow), _said("without some of its figures", missing)]
    said = "; ".join(part for part in parts if part)
    verdict = f"{said[0].upper()}{said[1:]}." if said else "Every report was made, and none has anything to look at."
    since, end = facts.period.since, facts.period.until
    return Sheet(title, since, end, verdict, tuple(sections), tuple(cards), facts.about, facts.link)


def _said(what: str, names: Sequence[str]) -> str:
    return f"{what}: {', '.join(dict.fromkeys(names))}" if names else ""


def cards_of(sections: Sequence[Section], wanted: Sequence[str]) -> list[tuple[str, str, str]]:
    """These cards of the reports taken, by what they show, in this order; what no report had is left out."""
    tables = (one for section in sections for one in section.tables if one.heading == CARDS)
    known = {row[0]: row for one in tables for row in one.rows}
    return [(known[name][0], known[name][1], known[name][2]) for name in wanted if name in known]
