"""The section of availability: how much of the time looked at the service answered, and its outages (L417, D45)."""

from __future__ import annotations

from clo_ops.findings import Finding
from clo_ops.reports.facts import NO_SOURCE, Card, Facts, table
from clo_ops.reports.sheet import Section, Table
from clo_ops.rules.availability import Availability, Outage
from clo_ops.rules.figures import age, moment

# Less than this share of the time looked at says little of all of it.
ENOUGH = 0.9
COMPARE = "Compare the outages with the incidents; see that the watch looked all the time."


def availability(facts: Facts, found: Availability, lines: str) -> Section:
    """Both figures, with and without announced windows, and each outage with its cause and length."""
    if found.whole is None:
        gap = f"Availability: {NO_SOURCE} on record for this period; nobody looked."
        return Section("Availability", lines, findings=(_judged(facts, found),), gaps=(gap,))
    tables = [_figures(facts, found)]
    if found.outages:
        tables.append(_outages(facts, found))
    return Section("Availability", lines, (), tuple(tables), (), (_judged(facts, found),))


def card(found: Availability) -> Card:
    note = f"of {age(found.observed)} looked at"
    return ("Availability", percent(found.unannounced), note if found.observed else "nobody looked")


def percent(value: float | None) -> str:
    """Cut, not rounded: 99.8996 % must not read as the target it misses."""
    return NO_SOURCE if value is None else f"{int(value * 1000) / 1000:.3f} %"


def target(facts: Facts) -> float:
    return float(facts.policy.kpis["availability"].target or 0)


def _judged(facts: Facts, found: Availability) -> Finding:
    case = facts.case("availability", f"at least {target(facts):g} %, looked at all the time", COMPARE)
    if found.unannounced is None:
        return case.not_applicable(NO_SOURCE, "Nobody looked whether the service answered")
    actual = percent(found.unannounced)
    said = f"{actual} of {age(found.observed)} looked at, {len(found.outages)} outages"
    missing = found.observed < ENOUGH * found.asked
    said += f"; {age(found.not_observed)} were not looked at" if missing else ""
    return case.warned(actual, said) if missing or found.unannounced < target(facts) else case.passed(actual, said)


def _figures(facts: Facts, found: Availability) -> Table:
    rows = [
        ("outside of announced windows", percent(found.unannounced)),
        ("announced windows counted like any other time", percent(found.whole)),
        ("were all that nobody looked at down", percent(found.at_worst)),
        ("looked at", f"{age(found.observed)} of {age(found.asked)}"),
        ("down", age(found.down)),
        ("of it in announced windows", age(found.down_announced)),
        ("of it without an incident", age(found.unexplained)),
    ]
    return table(("availability", "figure"), rows, _source(facts), (1,))


def _outages(facts: Facts, found: Availability) -> Table:
    rows = [
        (moment(one.starts), moment(one.ends) if one.ends else "not over", _length(one, found), one.what, one.cause)
        for one in found.outages
    ]
    return table(("from", "to", "length", "what", "cause"), rows, _source(facts), (2,))


def _length(one: Outage, found: Availability) -> str:
    return age((one.ends or found.until) - one.starts)


def _source(facts: Facts) -> str:
    return facts.of_ledger(f"clo_ops.hourly, clo_ops.incidents, clo_ops.notices of {facts.period}")
