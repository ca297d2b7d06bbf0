"""The section of availability: how much of the time looked at the service answered, and its outages (L417, D45)."""

from __future__ import annotations

from clo_ops.findings import Finding
from clo_ops.reports.facts import NO_SOURCE, Card, Facts, table
from clo_ops.reports.sheet import Section
from clo_ops.rules import availability_told as told
from clo_ops.rules.availability import Availability
from clo_ops.rules.figures import age

# Less than this share of the time looked at says little of all of it.
ENOUGH = 0.9
COMPARE = "Compare the outages with the incidents; see that the watch looked all the time."


def availability(facts: Facts, found: Availability, lines: str) -> Section:
    """Its figures with and without announced windows, and each outage with its cause and length."""
    if found.whole is None:
        gap = f"Availability: {NO_SOURCE} on record for this period; nobody looked."
        return Section("Availability", lines, findings=(_judged(facts, found),), gaps=(gap,))
    source = facts.of_ledger(f"clo_ops.hourly, clo_ops.incidents, clo_ops.notices of {facts.period}")
    tables = [table(told.FIGURES, told.figure_rows(found, _target(facts)), source, (1,))]
    if found.outages:
        tables.append(table(told.OUTAGES, told.outage_rows(found), source, (2,)))
    return Section("Availability", lines, (), tuple(tables), (), (_judged(facts, found),))


def card(found: Availability) -> Card:
    if found.unannounced is None:
        return ("Availability", NO_SOURCE, "nobody looked")
    return ("Availability", f"{found.unannounced:.3f} %", f"of {age(found.observed)} looked at")


def _target(facts: Facts) -> float | None:
    return facts.policy.kpis["availability"].target


def _judged(facts: Facts, found: Availability) -> Finding:
    """Below the target of a month is a warning for a day: the month itself is judged in M2-08."""
    target = _target(facts) or 0.0
    case = facts.case("availability", f"at least {target:g} %, looked at all the time", COMPARE)
    if found.unannounced is None:
        return case.warned(NO_SOURCE, "Nobody looked whether the service answered")
    actual = f"{found.unannounced:.3f} %"
    said = f"{actual} of {age(found.observed)} looked at, {len(found.outages)} outages"
    missing = found.observed < ENOUGH * found.asked
    said += f"; {age(found.not_observed)} were not looked at" if missing else ""
    return case.warned(actual, said) if missing or found.unannounced < target else case.passed(actual, said)
