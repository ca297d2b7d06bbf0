"""Two reports of a week: security incidents (WF-11) and user activity (WF-12)."""

from __future__ import annotations

from clo_ops.reports.daily import people, refused
from clo_ops.reports.facts import Card, Facts, count, sheet
from clo_ops.reports.incident_sections import incidents, of_security
from clo_ops.reports.people_sections import (
    ACTIVITY,
    CHANGES,
    EVENTS,
    FEATURES,
    ROLES,
    SESSIONS,
    activity,
    by_role,
    features,
    security,
)
from clo_ops.reports.sheet import Sheet
from clo_ops.rules.figures import duration
from clo_ops.rules.incident_times import handled

ASKED = {"WF-11": (EVENTS, CHANGES), "WF-12": (*ACTIVITY, ROLES, FEATURES)}


def security_report(facts: Facts) -> Sheet:
    """WF-11: incidents by severity, with the time to answer and to resolve them against target (L154, L237-L255)."""
    mine, others = of_security(facts)
    sections = (
        incidents(facts, "WF-11, L154", heading="Security incidents", mine=mine),
        security(facts, "WF-11, L154"),
        incidents(facts, "WF-11, L237-L255", heading="Other incidents", mine=others),
    )
    known = [handled(one, facts.period.until) for one in facts.incidents]
    late = sum(bool(one.late) for one in known)
    still = sum(one.resolution.took is None for one in known)
    cards = (
        ("Security incidents", str(len(mine)), f"of {len(known)} incidents"),
        ("Late", str(late), "answered or resolved after they were due"),
        ("Not over", str(still), "at the end of the week"),
        _events(facts),
    )
    return sheet(facts, f"Weekly security incident report, {_week(facts)}", sections, cards)


def users_report(facts: Facts) -> Sheet:
    """WF-12: users, sessions and features, per role (L155)."""
    sections = (activity(facts, "WF-12, L155"), by_role(facts, "WF-12, L155"), features(facts, "WF-12, L155"))
    cards = (people(facts), _sessions(facts), refused(facts), _used_most(facts))
    return sheet(facts, f"Weekly user activity report, {_week(facts)}", sections, cards)


def _week(facts: Facts) -> str:
    return f"{facts.period.since:%Y-%m-%d} to {facts.period.last_day}"


def _events(facts: Facts) -> Card:
    rows = facts.rows(EVENTS)
    if rows is None:
        return ("Security events", "not known", "nobody answered")
    open_ones = sum(int(row["without_outcome"]) for row in rows)
    return ("Security events", count(sum(int(row["times"]) for row in rows)), f"{open_ones} without an outcome")


def _sessions(facts: Facts) -> Card:
    row = facts.row(SESSIONS)
    if not row:
        return ("Sessions", "not known", "nobody answered")
    return ("Sessions", count(row["in_use"]), f"{duration(row['mean_s'])} in one, on average")


def _used_most(facts: Facts) -> Card:
    rows = facts.rows(FEATURES)
    if not rows:
        return ("Used most", "none" if rows is not None else "not known", "")
    times: dict[str, int] = {}
    for row in rows:
        times[str(row["action"])] = times.get(str(row["action"]), 0) + int(row["times"])
    most = max(sorted(times), key=lambda name: times[name])
    return ("Used most", most, f"{times[most]:,} times")
