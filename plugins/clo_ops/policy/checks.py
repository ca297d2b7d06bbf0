"""What no single file can show: names that lead nowhere, figures that disagree, contacts that reach nobody."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from clo_ops.findings import Severity
from clo_ops.policy.alerting import ON_CALL
from clo_ops.policy.calendar import country_known
from clo_ops.policy.problems import Location, did_you_mean
from clo_ops.policy.reports import AUDIENCES
from clo_ops.policy.units import as_text

Sections = Mapping[str, Any]
SECOND_LEVEL = r"(?:^|[@./])(?:your-domain|yourdomain|your-company|example)\.(?:com|org|net|io)\b"
PLACEHOLDERS = re.compile(
    rf"{SECOND_LEVEL}|\.(?:example|invalid|test|localhost)\b|EMERGENCY|\b555-?01\d\d\b"
    r"|\bTODO\b|CHANGE[-_ ]?ME|\bplaceholder\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """A problem between files, placed in the one that has to change."""

    section: str
    location: Location
    given: str
    allowed: str
    do: str


def faults(sections: Sections, mode: str) -> Iterator[Fault]:
    """Every fault among the files that are valid by themselves; a check whose files are not is left out."""
    for needed, check in CHECKS:
        if all(name in sections for name in needed):
            yield from check(sections)
    if mode == "production" and "contacts" in sections:
        yield from _placeholders("contacts", sections["contacts"].model_dump(mode="json"))
    if mode == "production" and "vendors" in sections:
        vendors = {name: vendor.model_dump(mode="json") for name, vendor in sections["vendors"].items()}
        yield from _placeholders("vendors", vendors)


def _nowhere(section: str, location: Location, name: str, known: Iterable[str], what: str) -> Iterator[Fault]:
    names = sorted(known)
    if name not in names:
        do = did_you_mean(name, names) or f"add it to {what} or correct the name"
        listed = ", ".join(names[:20]) + (" ..." if len(names) > 20 else "")
        yield Fault(section, location, repr(name), f"a name in {what}: {listed}", do)


def _placeholders(section: str, dumped: Any, location: Location = ()) -> Iterator[Fault]:
    if isinstance(dumped, dict):
        for key, value in dumped.items():
            yield from _placeholders(section, value, (*location, key))
    elif isinstance(dumped, list):
        for index, value in enumerate(dumped):
            yield from _placeholders(section, value, (*location, index))
    elif isinstance(dumped, str) and PLACEHOLDERS.search(dumped):
        do = "write the real one, or set CLO_OPS_MODE=demo for a demonstration (D52)"
        yield Fault(section, location, f"the placeholder {dumped!r}", "a contact that reaches somebody", do)


def _services(sections: Sections) -> Iterator[Fault]:
    hosts = [host.name for host in sections["hosts"]]
    for index, service in enumerate(sections["services"]):
        if service.host is not None:
            yield from _nowhere("services", (index, "host"), service.host, hosts, "hosts.yaml")


def _hosts(sections: Sections) -> Iterator[Fault]:
    for index, host in enumerate(sections["hosts"]):
        for key in ("cpu", "memory", "disk"):
            yield from _nowhere("hosts", (index, key), getattr(host, key), sections["thresholds"], "thresholds.yaml")


def _named_procedures(section: str) -> Callable[[Sections], Iterator[Fault]]:
    def check(sections: Sections) -> Iterator[Fault]:
        for name, one in sections[section].items():
            for index, procedure in enumerate(one.procedures):
                location = (name, "procedures", index)
                yield from _nowhere(section, location, procedure, sections["procedures"], "procedures.yaml")

    return check


def _trend(sections: Sections) -> Iterator[Fault]:
    for index, resource in enumerate(sections["morning"].trend.resources):
        location = ("trend", "resources", index, "threshold")
        if resource.threshold is None:
            continue
        yield from _nowhere("morning", location, resource.threshold, sections["thresholds"], "thresholds.yaml")
        level = sections["thresholds"].get(resource.threshold)
        if level is not None and level.unit != resource.unit:
            given = f"{resource.threshold!r}, in {level.unit}"
            yield Fault("morning", location, given, f"a threshold in {resource.unit}", "name another threshold")


def _cadences(sections: Sections) -> Iterator[Fault]:
    cadences, dags = sections["cadences"], {one.dag for one in sections["procedures"].values()}
    for name, cadence in cadences.items():
        yield from _nowhere("cadences", (name, "dag"), cadence.dag, dags, "the dags of procedures.yaml")
        if cadence.superseded_by is not None:
            others = [other for other in cadences if other != name]
            location = (name, "superseded_by")
            yield from _nowhere("cadences", location, cadence.superseded_by, others, "the other cadences")
        yield from _own_procedures(sections, name)
    for identifier, procedure in sections["procedures"].items():
        known = {one.dag for one in cadences.values()}
        yield from _nowhere("procedures", (identifier, "dag"), procedure.dag, known, "the dags of cadences.yaml")


def _own_procedures(sections: Sections, name: str) -> Iterator[Fault]:
    cadence = sections["cadences"][name]
    for index, identifier in enumerate(cadence.procedures):
        procedure = sections["procedures"].get(identifier)
        if procedure is not None and procedure.dag != cadence.dag:
            allowed = f"procedures of {cadence.dag}; {identifier} is one of {procedure.dag}"
            yield Fault("cadences", (name, "procedures", index), repr(identifier), allowed, "move or remove it")


BACKED_UP, LARGE = ("before", "take_backup"), ("indexes", "large", "windows")


def _maintenance(sections: Sections) -> Iterator[Fault]:
    policy, windows, groups = sections["maintenance"], sections["windows"].planned, sections["contacts"].groups
    hosts = [host.name for host in sections["hosts"]]
    yield from _nowhere("maintenance", ("gate", "data_on", "host"), policy.gate.data_on.host, hosts, "hosts.yaml")
    dags = {one.dag for one in sections["cadences"].values()}
    for index, dag in enumerate(policy.gate.drills):
        yield from _nowhere("maintenance", ("gate", "drills", index), dag, dags, "cadences.yaml")
    for kind, duty in policy.duties.items():
        for index, name in enumerate(duty.windows):
            yield from _nowhere("maintenance", ("duties", kind, "windows", index), name, windows, "windows.yaml")
    named = {BACKED_UP: policy.before.take_backup, LARGE: policy.indexes.large.windows}
    for where, names in named.items():
        for index, name in enumerate(names):
            yield from _nowhere("maintenance", (*where, index), name, [*windows, "emergency"], "windows.yaml")
    for key in ("users", "told_of_break_glass"):
        yield from _nowhere("maintenance", ("before", key), getattr(policy.before, key), groups, "contacts.yaml")


def _windows(sections: Sections) -> Iterator[Fault]:
    planned, cadences = sections["windows"].planned, sections["cadences"]
    for name, window in planned.items():
        location = ("planned", name, "cadence")
        yield from _nowhere("windows", location, window.cadence, cadences, "cadences.yaml")
        start = f"{window.starts.minute} {window.starts.hour} "
        wrong = [text for text in getattr(cadences.get(window.cadence), "cron", ()) if not text.startswith(start)]
        for text in wrong:
            given = f"{window.cadence} ({text})"
            allowed = f"a cadence that starts with the window, at {window.starts:%H:%M} UTC"
            yield Fault("windows", location, given, allowed, "correct starts or the cadence's cron")
        if window.stands_in_for is not None:
            others = [other for other in planned if other != name]
            place = ("planned", name, "stands_in_for")
            yield from _nowhere("windows", place, window.stands_in_for, others, "the other windows")


def _ladder_contacts(sections: Sections) -> Iterator[Fault]:
    people = sections["contacts"].people
    for name, ladder in sections["ladders"].items():
        for index, level in enumerate(ladder.levels):
            for position, contact in enumerate(level.contacts):
                location = (name, "levels", index, "contacts", position)
                yield from _nowhere("ladders", location, contact, [*people, *ON_CALL], "the people of contacts.yaml")


def _groups(sections: Sections) -> Iterator[Fault]:
    contacts = sections["contacts"]
    for group, members in contacts.groups.items():
        for index, member in enumerate(members):
            location = ("groups", group, index)
            known = [*contacts.people, *ON_CALL]
            yield from _nowhere("contacts", location, member, known, "the people of contacts.yaml")


def _rota(sections: Sections) -> Iterator[Fault]:
    rota, people = sections["alerting"].rota, sections["contacts"].people
    named: dict[Location, str] = {
        ("rota", role, index): name
        for role in ("primary", "secondary")
        for index, name in enumerate(getattr(rota, role))
    }
    named |= {("rota", "overrides", index, "person"): one.person for index, one in enumerate(rota.overrides)}
    for location, name in named.items():
        yield from _nowhere("alerting", location, name, people, "the people of contacts.yaml")


def _error_logs(sections: Sections) -> Iterator[Fault]:
    hosts = [host.name for host in sections["hosts"]]
    for index, source in enumerate(sections["alerting"].error_logs):
        yield from _nowhere("alerting", ("error_logs", index, "host"), source.host, hosts, "hosts.yaml")


def _log_files(sections: Sections) -> Iterator[Fault]:
    hosts = [host.name for host in sections["hosts"]]
    for index, source in enumerate(sections["logs"].files):
        yield from _nowhere("logs", ("files", index, "host"), source.host, hosts, "hosts.yaml")


def _notices(sections: Sections) -> Iterator[Fault]:
    groups = sections["contacts"].groups
    for severity, level in sections["severities"].levels.items():
        for index, notice in enumerate(level.notify):
            location = ("levels", severity.value, "notify", index, "group")
            yield from _nowhere("severities", location, notice.group, groups, "the groups of contacts.yaml")


def _ladder_steps(sections: Sections) -> Iterator[Fault]:
    """A rung told before the one below it is no ladder. P4 is in business days and keeps the order of the others."""
    levels = sections["severities"].levels
    for name, ladder in sections["ladders"].items():
        for severity in (Severity.P1, Severity.P2, Severity.P3):
            response, resolution = levels[severity].response.elapsed, levels[severity].resolution_target.elapsed
            if response is None or resolution is None:
                continue
            moments = [level.after.after(response, resolution) for level in ladder.levels]
            for index in range(1, len(moments)):
                if moments[index] <= moments[index - 1]:
                    given = f"{ladder.levels[index].after} ({as_text(moments[index])} for {severity})"
                    allowed = f"later than the rung below ({as_text(moments[index - 1])})"
                    yield Fault("ladders", (name, "levels", index, "after"), given, allowed, "put it later")


def _cache(sections: Sections) -> Iterator[Fault]:
    """Sessions are never cleared away, whatever the cache may lose (D14)."""
    sessions = sections["morning"].access.session_key_pattern
    cache = sections["maintenance"].cache
    for one in cache.protected(sessions):
        index = cache.remove.index(one)
        allowed = f"a prefix that no session's key can have; theirs are like {sessions!r} (morning.yaml)"
        yield Fault("maintenance", ("cache", "remove", index, "pattern"), repr(one.pattern), allowed, "remove it")


def _resources(sections: Sections) -> Iterator[Fault]:
    for index, one in enumerate(sections["capacity"].resources):
        yield from _nowhere(
            "capacity", ("resources", index, "procedure"), one.procedure, sections["procedures"], "procedures.yaml"
        )
        if one.threshold is not None:
            location = ("resources", index, "threshold")
            yield from _nowhere("capacity", location, one.threshold, sections["thresholds"], "thresholds.yaml")


def _owners(sections: Sections) -> Iterator[Fault]:
    owners, groups = sections["capacity"].owners, sections["contacts"].groups
    for kind in ("horizontal", "vertical", "database", "infrastructure"):
        yield from _nowhere("capacity", ("owners", kind), getattr(owners, kind), groups, "the groups of contacts.yaml")
    for index, name in enumerate(sections["capacity"].report.to):
        yield from _nowhere("capacity", ("report", "to", index), name, groups, "the groups of contacts.yaml")


def _reports(sections: Sections) -> Iterator[Fault]:
    reports, groups = sections["reports"], sections["contacts"].groups
    for audience in AUDIENCES:
        for index, name in enumerate(reports.to.of(audience)):
            yield from _nowhere("reports", ("to", audience, index), name, groups, "the groups of contacts.yaml")
    for index, name in enumerate(reports.security.procedures):
        location = ("security", "procedures", index)
        yield from _nowhere("reports", location, name, sections["procedures"], "procedures.yaml")


def _updates(sections: Sections) -> Iterator[Fault]:
    hosts = [host.name for host in sections["hosts"]]
    for index, one in enumerate(sections["updates"].applications):
        if one.deployer is not None:
            location = ("applications", index, "deployer", "host")
            yield from _nowhere("updates", location, one.deployer.host, hosts, "hosts.yaml")


def _kpis(sections: Sections) -> Iterator[Fault]:
    groups = sections["contacts"].groups
    for name, kpi in sections["kpis"].items():
        yield from _nowhere("kpis", (name, "owner"), kpi.owner, groups, "the groups of contacts.yaml")


def _performance(sections: Sections) -> Iterator[Fault]:
    groups = sections["contacts"].groups
    for index, name in enumerate(sections["performance"].report.to):
        yield from _nowhere("performance", ("report", "to", index), name, groups, "the groups of contacts.yaml")


def _audit(sections: Sections) -> Iterator[Fault]:
    groups = sections["contacts"].groups
    for index, name in enumerate(sections["audit"].to):
        yield from _nowhere("audit", ("to", index), name, groups, "the groups of contacts.yaml")


def _reviewers(sections: Sections) -> Iterator[Fault]:
    """Every owner whose list is put before somebody has people to answer, and they have long enough."""
    review, controls = sections["audit"].review, sections["controls"].catalogue
    mine = [controls[one] for one in ("IAM-03", "IAM-04") if one in controls]
    named = [owner for one in mine for owner in one.parameters.get("owners", {}).values()]
    for owner in sorted({*named, *(one.owner for one in mine)}):
        yield from _nowhere("audit", ("review", "reviewers"), owner, review.reviewers, "the reviewers of audit.yaml")
    waits = sections["cadences"].get("access_review")
    if waits is not None and review.answer_within >= (longest := waits.done_by):
        allowed = f"shorter than done_by of the cadence access_review ({as_text(longest)})"
        given = as_text(review.answer_within)
        yield Fault(
            "audit", ("review", "answer_within"), given, allowed, "give less time, or raise done_by and timeout"
        )


def _anchor(sections: Sections) -> Iterator[Fault]:
    groups = sections["contacts"].groups
    for index, name in enumerate(sections["evidence"].anchor.to):
        yield from _nowhere("evidence", ("anchor", "to", index), name, groups, "the groups of contacts.yaml")


def _country(sections: Sections) -> Iterator[Fault]:
    calendar = sections["business_calendar"]
    if not country_known(calendar.country):
        allowed = "a country whose public holidays the holidays package knows"
        yield Fault("business_calendar", ("country",), repr(calendar.country), allowed, "use its ISO 3166 code")
    elif calendar.subdivision is not None and not country_known(calendar.country, calendar.subdivision):
        allowed = f"a subdivision of {calendar.country} that the holidays package knows"
        given = repr(calendar.subdivision)
        yield Fault("business_calendar", ("subdivision",), given, allowed, "use its ISO 3166-2 code, such as NY")


CHECKS: tuple[tuple[tuple[str, ...], Callable[[Sections], Iterator[Fault]]], ...] = (
    (("services", "hosts"), _services),
    (("hosts", "thresholds"), _hosts),
    (("thresholds", "procedures"), _named_procedures("thresholds")),
    (("kpis", "procedures"), _named_procedures("kpis")),
    (("cadences", "procedures"), _named_procedures("cadences")),
    (("cadences", "procedures"), _cadences),
    (("windows", "cadences"), _windows),
    (("maintenance", "windows", "contacts", "hosts", "cadences"), _maintenance),
    (("morning", "thresholds"), _trend),
    (("ladders", "contacts"), _ladder_contacts),
    (("contacts",), _groups),
    (("alerting", "contacts"), _rota),
    (("alerting", "hosts"), _error_logs),
    (("logs", "hosts"), _log_files),
    (("severities", "contacts"), _notices),
    (("ladders", "severities"), _ladder_steps),
    (("business_calendar",), _country),
    (("maintenance", "morning"), _cache),
    (("capacity", "procedures", "thresholds"), _resources),
    (("capacity", "contacts"), _owners),
    (("audit", "contacts"), _audit),
    (("audit", "controls", "cadences"), _reviewers),
    (("kpis", "contacts"), _kpis),
    (("performance", "contacts"), _performance),
    (("updates", "hosts"), _updates),
    (("evidence", "contacts"), _anchor),
    (("reports", "contacts", "procedures"), _reports),
)
