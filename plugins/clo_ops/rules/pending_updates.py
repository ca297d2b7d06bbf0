"""What is pending on hosts, in PostgreSQL and in applications, and for how long already (M4-01 to M4-03)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from clo_ops.findings import Answer, Finding, Severity, unanswered_findings
from clo_ops.findings.updates import ApplicationState, Change, HostState, Release, numbers
from clo_ops.policy.units import as_text
from clo_ops.policy.updates import HostUpdates, KnownVersion, PostgresVersions
from clo_ops.rules.verdicts import Case

NAMED = 5
REACH = "See that the worker reaches what the message names, with the user of its connection; then clear this task."
LISTS = "Have the host refresh its lists (apt-get update, or its timer), then clear this task."
PLAN = "Plan the security fixes for the next first Sunday: approve the rollout in Required Actions."
RESTART = "Plan the restart for the next first Sunday."
NOTES = "Read the release notes of the version pending, and plan it; the package is updated by hand."
FEED = "Look the newest versions up, and put them with their day into updates.yaml."
NO_SOURCE = "Name the source in updates.yaml; until then nobody can say."


def named(changes: Iterable[Change | Release | str]) -> str:
    """The first few, and how many more there are."""
    words = [one.version if isinstance(one, Release) else str(one) for one in changes]
    return ", ".join(words[:NAMED]) + (f" and {len(words) - NAMED} more" if len(words) > NAMED else "")


# ---------------------------------------------------------------- M4-01


def first_seen(state: HostState, earlier: Mapping[str, str], day: date) -> dict[str, str]:
    """Since which day a security fix is pending, by package and the version installed.

    What an earlier look saw keeps its day for as long as that version stays: once a fix is in, the next one of the same
    package is pending anew, though some fix of it was pending at every look.
    """
    return {key_of(one): earlier.get(key_of(one), day.isoformat()) for one in state.security}


def key_of(change: Change) -> str:
    return f"{change.package} {change.old}"


def hosts(
    states: Sequence[HostState], answer: Answer, since: Mapping[str, Mapping[str, str]], policy: HostUpdates, day: date
) -> list[Finding]:
    """``since`` is by host what ``first_seen`` says. A host nobody reached is unknown."""
    found = unanswered_findings("M4-01", answer, Severity.P2, REACH)
    for state in states:
        found += [_lists(state, policy), _pending(state, since.get(state.host, {}), policy, day), _reboot(state)]
        found += _unsound(state)
    nobody = _host_case("updates", "a host to ask", NO_SOURCE, "")
    return found or [nobody.not_measured()]


def _host_case(name: str, expected: str, action: str, host: str, severity: Severity = Severity.P2) -> Case:
    return Case("M4-01", name, expected, severity, action, "L219-L220", host)


def _lists(state: HostState, policy: HostUpdates) -> Finding:
    limit = policy.lists_not_older_than
    case = _host_case("package lists", f"at most {as_text(limit)} old", LISTS, state.host)
    if state.lists_age is None:
        said = (
            f"Nobody knows when {state.host} last refreshed its lists: what is pending there is not known for certain"
        )
        return replace(case.not_measured(), actual="age unknown", message=f"{said}. Expected: {case.expected}.")
    days = state.lists_age / 86400
    if state.lists_age > limit.total_seconds():
        said = f"The package lists of {state.host} are {days:,.1f} days old: what is pending since is not known"
        return replace(case.not_measured(), actual=f"{days:,.1f} days", message=f"{said}. Expected: {case.expected}.")
    return case.passed(f"{days:,.1f} days", f"The package lists of {state.host} are {days:,.1f} days old")


def _pending(state: HostState, since: Mapping[str, str], policy: HostUpdates, day: date) -> Finding:
    within = as_text(policy.security_within)
    case = _host_case("pending updates", f"no security fix pending for over {within}", PLAN, state.host)
    others = len(state.changes) - len(state.security)
    rest = f"; {others} other updates are pending" if others else ""
    late = [one for one in state.security if _days(since.get(key_of(one)), day) > policy.security_within]
    actual = f"{len(state.security)} security, {others} other"
    if late:
        oldest = min(since[key_of(one)] for one in late)
        said = f"{len(late)} security fixes of {state.host} are pending since {oldest} or longer: {named(late)}"
        return case.failed(actual, said + rest)
    if state.security:
        return case.warned(
            actual, f"{state.host} has security fixes pending: {named(state.security)}{rest}", Severity.P2
        )
    return case.passed(actual, f"{state.host} has no security fix pending{rest}")


def _days(since: str | None, day: date) -> timedelta:
    return day - date.fromisoformat(since) if since else timedelta()


def _reboot(state: HostState) -> Finding:
    case = _host_case("reboot", "no reboot waited for", RESTART, state.host, Severity.P3)
    if state.reboot is None:
        said = f"Nobody could say whether {state.host} waits for a reboot"
        return replace(case.not_measured(), actual="not known", message=f"{said}. Expected: {case.expected}.")
    if state.reboot:
        return case.warned("needed", f"{state.host} waits for a reboot: {state.reboot}")
    return case.passed("none", f"{state.host} waits for no reboot")


def _unsound(state: HostState) -> Iterator[Finding]:
    """Packages half installed make every update of the host fail; removals and holds need a person."""
    if state.broken:
        action = "Log in to the host and finish it (dpkg --configure -a), before anything else is updated."
        case = _host_case("half installed", "every package whole", action, state.host)
        yield case.failed(f"{len(state.broken)}", f"Packages of {state.host} are half installed: {named(state.broken)}")
    if state.removals:
        action = "Update this host by hand: read what would be removed first."
        case = _host_case("removals", "nothing removed by updating", action, state.host, Severity.P3)
        yield case.warned(f"{len(state.removals)}", f"Updating {state.host} would remove {named(state.removals)}")
    if state.held:
        action = "Ask who holds them back and why; a hold hides a security fix."
        case = _host_case("held back", "no package held back", action, state.host, Severity.P4)
        yield case.warned(f"{len(state.held)}", f"Held back on {state.host}: {named(state.held)}", Severity.P4)


# ---------------------------------------------------------------- M4-02

VERSION, EXTENSION, WAITING = "postgresql.version.minor", "postgresql.extension.current", "postgresql.restart.waiting"


def postgres(answer: Answer, known: Mapping[str, KnownVersion], policy: PostgresVersions, day: date) -> list[Finding]:
    """Version against the newest known, its support, extensions against their files, settings that wait."""
    found = unanswered_findings("M4-02", answer, Severity.P2, REACH)
    running = answer.first(VERSION)
    if running is None:
        return found or [_pg_case("version", "its version", REACH).not_measured()]
    major = running.detail.partition(".")[0]
    newest = known.get(major)
    return [
        *found,
        *_version(running.detail, int(running.value), newest, policy, day),
        *_extensions(answer),
        *_waits(answer),
    ]


def _pg_case(name: str, expected: str, action: str, subject: str = "", severity: Severity = Severity.P2) -> Case:
    return Case("M4-02", name, expected, severity, action, "L221", subject)


def _version(
    running: str, minor: int, newest: KnownVersion | None, policy: PostgresVersions, day: date
) -> Iterator[Finding]:
    if newest is None:
        case = _pg_case("version", "a newest version known", FEED)
        said = f"PostgreSQL {running} runs, and no source knows the newest version of its line"
        yield case.not_applicable("no source", said)
        return
    yield _supported(running, newest, day)
    behind = int(newest.newest.partition(".")[2]) - minor
    levels = policy.behind
    expected = f"{newest.newest}, at most {levels.critical} minor versions behind"
    case = _pg_case("version", expected, NOTES)
    said = f"PostgreSQL {running} runs; {newest.newest} was the newest known on {newest.as_of}"
    if behind > levels.critical:
        yield case.failed(f"{running}, {behind} behind", said)
    elif behind > levels.warning:
        yield case.warned(f"{running}, {behind} behind", said, Severity.P2)
    elif day - newest.as_of > policy.not_older_than:
        told = f"{said}, which is too long ago to be certain (allowed: {as_text(policy.not_older_than)})"
        stale = _pg_case("version", f"a newest version looked up within {as_text(policy.not_older_than)}", FEED)
        yield replace(
            stale.not_measured(), actual=f"as of {newest.as_of}", message=f"{told}. Expected: {stale.expected}."
        )
    else:
        yield case.passed(running, said)


def _supported(running: str, newest: KnownVersion, day: date) -> Finding:
    action = "Plan the upgrade to a major version that gets fixes (docs/updates.md)."
    case = _pg_case("support", "a major version that gets fixes", action)
    until = f"PostgreSQL {running.partition('.')[0]} gets fixes until {newest.until}"
    if day > newest.until:
        return case.failed(f"ended {newest.until}", f"{until}, which is over")
    if newest.until - day <= timedelta(days=180):
        return case.warned(f"ends {newest.until}", until)
    return case.passed(f"until {newest.until}", until)


def _extensions(answer: Answer) -> Iterator[Finding]:
    action = "Read the extension's notes, then ALTER EXTENSION ... UPDATE in the next window."
    for one in answer.select(EXTENSION):
        installed, available = one.detail.split(" ", 1)
        name = one.labels["extension"]
        case = _pg_case("extension", f"{available}, as its files on the server", action, name, Severity.P3)
        if one.value == 1:
            yield case.passed(installed, f"Extension {name} is {installed}, as its files are")
        else:
            yield case.warned(
                installed, f"Extension {name} is {installed}, and its files on the server are {available}"
            )


def _waits(answer: Answer) -> Iterator[Finding]:
    found = answer.first(WAITING)
    case = _pg_case("restart", "no setting waits for a restart", RESTART, severity=Severity.P3)
    if found is None:
        yield case.not_measured()
    elif found.value:
        yield case.warned(f"{found.value:g} wait", f"Settings wait for a restart of PostgreSQL: {found.detail}")
    else:
        yield case.passed("none", "No setting waits for a restart of PostgreSQL")


# ---------------------------------------------------------------- M4-03


def applications(states: Sequence[ApplicationState], answer: Answer, within: timedelta, at: datetime) -> list[Finding]:
    """Releases that are out and do not run yet, with the security fixes they bring."""
    found = unanswered_findings("M4-03", answer, Severity.P2, REACH)
    for state in states:
        if state.no_source:
            found.append(_release_case(within, state.name).not_applicable("no source", state.no_source))
        elif state.running:
            found.append(_released(state, within, at.date()))
    return found or [
        _release_case(within, "applications").not_applicable("no source", "No application is in updates.yaml")
    ]


def _release_case(within: timedelta, subject: str) -> Case:
    expected = f"no release with a security fix out for over {as_text(within)}"
    action = "Plan the release named for the next first Sunday: approve it in Required Actions."
    return Case("M4-03", "security release", expected, Severity.P2, action, "L222", subject)


def _released(state: ApplicationState, within: timedelta, day: date) -> Finding:
    case = _release_case(within, state.name)
    fixing = [one for one in state.pending if one.security]
    said = f"{state.name} runs {state.running}; {len(state.pending)} newer releases are out"
    if not fixing:
        return case.passed("none pending", f"{said}, none with a security fix")
    fixes = named(fix for one in fixing for fix in (one.fixes or (one.title or one.severity or one.kind,)))
    told = f"{said}, with security fixes: {named(fixing)} ({fixes})"
    if max(day - one.released for one in fixing) > within:
        return case.failed(
            f"{len(fixing)} pending", f"{told}; the oldest is out since {min(one.released for one in fixing)}"
        )
    return case.warned(f"{len(fixing)} pending", told, Severity.P2)


# ---------------------------------------------------------------- M4-04


RENEW = "Renew the libraries named with the next release; those with a known flaw first."


def _libraries() -> Case:
    return Case("M4-04", "outdated libraries", "no library a major version behind", Severity.P4, RENEW, "L223")


def no_index() -> Finding:
    said = "updates.yaml names no package index: nobody can say which libraries are outdated"
    return _libraries().not_applicable("no source", said)


def outdated(packages: Mapping[str, str], newest: Mapping[str, str], answer: Answer) -> Finding:
    """``newest`` by package, of those the index knows. A whole major version behind warns; the rest is counted."""
    case = _libraries()
    if not newest:
        why = answer.unanswered[0].reason if answer.unanswered else "it knows none of them"
        told = f"The package index could not be asked: {why}"
        return replace(case.not_measured(), actual="nobody answered", message=f"{told}. Expected: {case.expected}.")
    behind = {name: new for name, new in newest.items() if _older(packages[name], new)}
    far = {name: new for name, new in behind.items() if _major(packages[name]) < _major(new)}
    actual = f"{len(behind)} of {len(packages)} outdated, {len(far)} by a major version"
    rest = len(packages) - len(newest)
    unknown = f"; {rest} are not known to the index" if rest else ""
    if far:
        said = named(f"{name} {packages[name]} -> {new}" for name, new in sorted(far.items()))
        return case.warned(actual, f"{actual}{unknown}: {said}", Severity.P4)
    return case.passed(actual, f"{actual}{unknown}")


def _major(version: str) -> int:
    return numbers(version)[0]


def _older(one: str, other: str) -> bool:
    return numbers(one) < numbers(other)
