"""Availability in words: its two figures, its error budget, its outages with causes (WF-09, M2-08; L152, L193)."""

from __future__ import annotations

from datetime import timedelta

from clo_ops.findings import Finding, Severity
from clo_ops.rules.availability import Availability, Budget, Outage, budget
from clo_ops.rules.figures import age, moment
from clo_ops.rules.spans import clipped, length
from clo_ops.rules.verdicts import Case

FIGURES = ("figure", "value", "what it says")
OUTAGES = ("from", "to", "length", "what", "cause", "incident")
NOTHING = timedelta()


def budget_finding(procedure: str, found: Availability, target: float, first_action: str, manual: str) -> Finding:
    """Overspent is a warning here: the KPI itself is judged beside it. Nobody looked: not applicable, and no figure."""
    left = budget(found, target)
    expected = f"down for at most {shown(left.allowed)} ({target:g} % of {age(found.asked)})"
    case = Case(procedure, "error budget", expected, Severity.P3, first_action, manual)
    if found.unannounced is None:
        return case.not_applicable("nobody looked", f"Nobody looked in {age(found.asked)}: no budget is told")
    said = f"{shown(found.down - found.down_announced)} of {shown(left.allowed)} spent, {told(left)}"
    seen = f"; {age(found.not_observed)} not observed" if found.not_observed > NOTHING else ""
    actual = f"{left.spent:.1f} % spent"
    return case.warned(actual, said + seen) if left.left < NOTHING else case.passed(actual, said + seen)


def told(left: Budget) -> str:
    """``21.4 min left (with announced windows 3.2 min overspent)``."""
    return f"{_left(left.left)} (announced windows counted: {_left(left.left_whole)})"


def _left(value: timedelta) -> str:
    return f"{shown(value)} left" if value >= NOTHING else f"{shown(-value)} overspent"


def shown(value: timedelta) -> str:
    """Minutes to the tenth below an hour: a budget of 43.2 minutes is told as that."""
    minutes = value / timedelta(minutes=1)
    return f"{minutes:.1f} min" if minutes < 60 else age(value)


def unexplained(procedure: str, found: Availability, first_action: str, manual: str) -> Finding:
    """Time the looks found down and no incident is on record for: an outage without a cause."""
    case = Case(procedure, "outages with a cause", "an incident for each", Severity.P3, first_action, manual)
    if found.unannounced is None:
        return case.not_applicable("nobody looked", "Nobody looked: no outage is known, nor that there was none")
    if found.unexplained > NOTHING:
        lost = shown(found.unexplained)
        return case.warned(f"{lost} without", f"The looks found the service down for {lost} that no incident explains")
    number = len(found.outages)
    said = f"{number} outages, {shown(found.down)} down" if number else "No outage in the time that was observed"
    return case.passed(f"{number} outages", said)


def figure_rows(found: Availability, target: float | None) -> list[tuple[str, ...]]:
    """Lines of the table of ``FIGURES``; without a look there is no percentage."""
    lines: list[tuple[str, ...]] = [
        ("Availability", _percent(found.unannounced), "announced windows left out (told 48 h ahead, D45)"),
        ("Availability, windows counted", _percent(found.whole), "every minute counted"),
        ("At worst", _percent(found.at_worst), "were all down that nobody looked at"),
        ("Observed", age(found.observed), f"of {age(found.asked)}; not observed: {age(found.not_observed)}"),
        ("Down", shown(found.down), f"of it in announced windows {shown(found.down_announced)}"),
    ]
    if target is not None and found.unannounced is not None:
        left = budget(found, target)
        lines.append(("Error budget", shown(left.allowed), f"{target:g} %; {told(left)}, {left.spent:.1f} % spent"))
    return lines


def _percent(value: float | None) -> str:
    return "not observed" if value is None else f"{value:.3f} %"


def outage_rows(found: Availability) -> list[tuple[str, ...]]:
    """Lines of the table of ``OUTAGES``, oldest first; cut to the time asked for."""
    return [_outage_row(one, found) for one in sorted(found.outages, key=lambda one: one.starts)]


def _outage_row(one: Outage, found: Availability) -> tuple[str, ...]:
    begin, end = clipped((one.starts, one.ends or found.until), (found.since, found.until))
    ended = moment(one.ends) if one.ends else "goes on"
    incident = "" if one.incident is None else str(one.incident)
    return (moment(one.starts), ended, shown(length([(begin, end)])), one.what, one.cause, incident)
