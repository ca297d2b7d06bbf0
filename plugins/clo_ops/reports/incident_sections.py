"""Sections of incidents: what happened, how soon it was answered and resolved, against what was due (L154, L420)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from clo_ops.findings import Finding, Severity
from clo_ops.ledger import IncidentRow
from clo_ops.reports.facts import Facts, table
from clo_ops.reports.sheet import Section, Table
from clo_ops.rules.figures import age, moment
from clo_ops.rules.incident_times import Clock, Handled, OfSeverity, by_severity, handled

GRAVE = (Severity.P1, Severity.P2)
MANY = 50
LATE = "Open the incidents named: take what nobody took, and see why the others were late."
HEADING = (
    "severity",
    "incidents",
    "not over",
    "answered, median",
    "longest",
    "late",
    "resolved, median",
    "longest",
    "late",
)
STATES = {"in time": "in time", "late": "LATE", "open": "not yet due", "no clock": "no clock"}


def incidents(
    facts: Facts, lines: str, *, heading: str = "Incidents", mine: Sequence[IncidentRow] | None = None
) -> Section:
    """The incidents open at some time of the period, by severity and one by one, as they stood at its end."""
    rows = facts.incidents if mine is None else mine
    known = [handled(one, facts.period.until) for one in rows]
    source = facts.of_ledger(f"clo_ops.incidents open within {facts.period}, as of its end")
    tables = [_added_up(by_severity(known), source)]
    if known:
        tables.append(_each(known[:MANY], source))
    cut = (f"{len(known) - MANY} more are in the ledger.",) if len(known) > MANY else ()
    return Section(heading, lines, cut, tuple(tables), (), (_judged(facts, heading.lower(), known),))


def _judged(facts: Facts, name: str, known: Sequence[Handled]) -> Finding:
    """Late is told again here as a warning: the incident's own clocks have raised the alarm (IR-01 to IR-04)."""
    case = facts.case(name, "each answered and resolved in its time", LATE)
    late = [one for one in known if one.late]
    still = [one for one in known if one.resolution.took is None]
    grave = sum(one.incident.severity in GRAVE for one in still)
    actual = f"{len(known)} incidents, {len(late)} late, {len(still)} not over"
    if not known:
        return case.passed("none", "No incident was open")
    if late:
        named = ", ".join(
            f"{one.incident.id} ({one.incident.severity}) {' and '.join(one.late)} late" for one in late[:8]
        )
        return case.warned(actual, f"{actual}: {named}")
    return case.warned(actual, f"{actual}, {grave} of them P1 or P2") if grave else case.passed(actual, actual)


def _added_up(lines: Sequence[OfSeverity], source: str) -> Table:
    cells = [
        (one.severity.value, one.opened, one.still_open, _time(one.median_answer), _time(one.longest_answer),
         one.answered_late, _time(one.median_resolution), _time(one.longest_resolution), one.resolved_late)
        for one in lines
    ]  # fmt: skip
    return table(HEADING, cells, source, range(1, len(HEADING)))


def _each(known: Sequence[Handled], source: str) -> Table:
    heading = ("incident", "severity", "what", "procedure", "opened", "answered", "resolved")
    cells = [
        (one.incident.id, one.incident.severity.value, one.incident.title, one.incident.procedure,
         moment(one.incident.opened_at), _clock(one.answer), _clock(one.resolution))
        for one in known
    ]  # fmt: skip
    return table(heading, cells, source, (0,))


def _time(taken: timedelta | None) -> str:
    return "-" if taken is None else age(taken)


def _clock(one: Clock) -> str:
    """``12 min of 15 min, in time``; what is not done has only its target."""
    done = "not yet" if one.took is None else age(one.took)
    return f"{done} of {age(one.due)}, {STATES[one.kept]}" if one.due is not None else f"{done}, no clock"


def of_security(facts: Facts) -> tuple[list[IncidentRow], list[IncidentRow]]:
    """Security incidents, and the others, by policy's procedures (reports.yaml, security)."""
    named = facts.policy.reports.security.procedures
    mine = [one for one in facts.incidents if one.procedure in named]
    return mine, [one for one in facts.incidents if one.procedure not in named]
