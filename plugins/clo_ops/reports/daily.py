"""The three reports of a day: system status (ED-01), business activity (ED-02), operations (ED-07)."""

from __future__ import annotations

from clo_ops.reports.facts import NO_SOURCE, Card, Facts, count, sheet
from clo_ops.reports.incident_sections import incidents
from clo_ops.reports.people_sections import (
    ACTIVITY,
    CHANGES,
    EVENTS,
    FEATURES,
    LOGINS,
    ROLES,
    USERS,
    activity,
    by_role,
    features,
    security,
)
from clo_ops.reports.series_sections import CACHES, NETWORK, PERFORMANCE, RESOURCES, performance, resources
from clo_ops.reports.sheet import Section, Sheet
from clo_ops.reports.work_sections import (
    FAILED,
    JOBS,
    OPERATIONS,
    PORTFOLIOS,
    counted,
    failures,
    jobs,
    mean_seconds,
    operations,
)
from clo_ops.rules.figures import duration, figure
from clo_ops.rules.incident_times import handled

# Which questions and which series each of them stands on.
ASKED = {
    "ED-01": (*ACTIVITY, EVENTS, CHANGES),
    "ED-02": (*ACTIVITY, JOBS, FAILED, OPERATIONS, PORTFOLIOS, ROLES, FEATURES),
    "ED-07": (*ACTIVITY, FAILED),
}
SERIES = {
    "ED-01": (*PERFORMANCE, *CACHES, *RESOURCES, *NETWORK),
    "ED-02": (),
    "ED-07": (*PERFORMANCE, *CACHES),
}


def status_report(facts: Facts) -> Sheet:
    """ED-01: the day's performance, user activity, security events and resource trends (L65-L69)."""
    sections = (
        performance(facts, "ED-01, L66"),
        activity(facts, "ED-01, L67"),
        security(facts, "ED-01, L68"),
        resources(facts, "ED-01, L69"),
    )
    cards = (slowest(facts), people(facts), refused(facts), busiest(facts))
    return sheet(facts, f"System status report of {facts.period.last_day}", sections, cards)


def business_report(facts: Facts) -> Sheet:
    """ED-02: portfolio operations, calculations, reports and who used the system (L71-L75)."""
    sections = (
        operations(facts, "ED-02, L72"),
        jobs(facts, "calculation", "ED-02, L73, L443"),
        jobs(facts, "report", "ED-02, L74, L444"),
        failures(facts, "ED-02, L73-L74"),
        activity(facts, "ED-02, L75"),
        by_role(facts, "ED-02, L75"),
        features(facts, "ED-02, L75"),
    )
    cards = (_done(facts, "calculation"), _done(facts, "report"), people(facts), _busiest_portfolio(facts))
    return sheet(facts, f"Business activity report of {facts.period.last_day}", sections, cards)


def operational_report(facts: Facts, availability: Section, card: Card) -> Sheet:
    """ED-07: availability, performance, user activity, errors and incidents of the day (L416-L420)."""
    sections = (
        availability,
        performance(facts, "ED-07, L418"),
        activity(facts, "ED-07, L419"),
        failures(facts, "ED-07, L420"),
        incidents(facts, "ED-07, L420"),
    )
    cards = (card, slowest(facts), people(facts), _open(facts))
    return sheet(facts, f"Daily operational report of {facts.period.last_day}", sections, cards)


def slowest(facts: Facts) -> Card:
    found = facts.series.get(PERFORMANCE[0], ())
    if not found:
        return ("Slowest endpoint", NO_SOURCE, "nobody measured it")
    one = max(found, key=lambda each: each.mean)
    return ("Slowest endpoint", figure(one.mean, one.unit), f"{one.title}, mean")


def people(facts: Facts) -> Card:
    row = facts.row(USERS)
    return ("People at work", count(row["users"]) if row else "not known", "with a session in use")


def refused(facts: Facts) -> Card:
    row = facts.row(LOGINS)
    note = f"of {count(row['accepted'] + row['refused'])} attempts" if row else "nobody answered"
    return ("Logins refused", count(row["refused"]) if row else "not known", note)


def busiest(facts: Facts) -> Card:
    found = [one for metric in RESOURCES for one in facts.series.get(metric, ()) if one.unit == "percent"]
    if not found:
        return ("Fullest resource", NO_SOURCE, "nobody measured it")
    one = max(found, key=lambda each: each.worst.p95)
    return ("Fullest resource", figure(one.worst.p95, one.unit), f"{one.title}, p95 of its worst hour")


def _done(facts: Facts, what: str) -> Card:
    rows = facts.rows(JOBS)
    if rows is None:
        return (f"{what.capitalize()}s", "not known", "nobody answered")
    mine = [row for row in rows if row["what"] == what]
    (done, failed), mean = counted(mine), mean_seconds(mine)
    note = f"{failed} failed; {duration(mean)} on average" if mean is not None else f"{failed} failed"
    return (f"{what.capitalize()}s", f"{done:,}", note)


def _busiest_portfolio(facts: Facts) -> Card:
    rows = facts.rows(PORTFOLIOS)
    if not rows:
        return ("Busiest portfolio", "none" if rows is not None else "not known", "")
    jobs_done = int(rows[0]["calculations"]) + int(rows[0]["reports"])
    return ("Busiest portfolio", str(rows[0]["portfolio"]), f"{jobs_done} calculations and reports")


def _open(facts: Facts) -> Card:
    known = [handled(one, facts.period.until) for one in facts.incidents]
    still = sum(one.resolution.took is None for one in known)
    return ("Incidents", str(len(known)), f"{still} not over at the end of the day")
