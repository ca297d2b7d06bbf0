"""The fourth week's looks (M4-01 to M4-04): what is pending on hosts, in PostgreSQL, in applications, in libraries."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from clo_ops.findings import Answer, Finding
from clo_ops.findings.updates import ApplicationState, HostState
from clo_ops.orchestration.controls import asked, judged, lent
from clo_ops.orchestration.vulnerability_scan import GRAVE, OTHERS
from clo_ops.policy.updates import Application, KnownVersion
from clo_ops.probes import host_updates, package_index, postgres_patches, release_feeds
from clo_ops.probes.vulnerabilities import installed
from clo_ops.rules import pending_updates as rule

if TYPE_CHECKING:
    from clo_ops.orchestration.run import Run

AT_ONCE = 8


# ---------------------------------------------------------------- M4-01


def hosts(run: Run) -> list[Finding]:
    """M4-01: what is pending on each host, which are security fixes and since when, whether it waits for a reboot."""
    looked = look_at_hosts(run)
    answer = sum((one.answer for one in looked), Answer())
    run.keep(answer)
    states = [one.state for one in looked if one.state is not None]
    since = {state.host: _since(run, state) for state in states}
    return rule.hosts(states, answer, since, run.policy.updates.hosts, run.day)


def look_at_hosts(run: Run) -> list[host_updates.Looked]:
    """Each host of the policy side by side; those known only to Prometheus run no scripts and say so."""
    targets = [run.connections.host(one.name, one.connection) for one in run.policy.hosts]
    with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="host") as pool:
        return list(pool.map(host_updates.look, targets))


def _since(run: Run, state: HostState) -> Mapping[str, str]:
    """The day each pending security fix was first seen, kept from look to look."""
    kind = f"pending updates {state.host}"
    earlier = run.ledger.earlier_state(kind, state.host, run.at, run.ledger_run)
    seen = rule.first_seen(state, earlier.content if earlier else {}, run.day)
    run.ledger.record_state(run.ledger_run, kind, state.host, run.at, seen)
    return seen


# ---------------------------------------------------------------- M4-02


def postgres(run: Run) -> list[Finding]:
    """M4-02: PostgreSQL's minor version against the newest known, its extensions, settings that wait for a restart."""
    policy = run.policy.updates.postgres
    answer = run.ask(postgres_patches.patches, run.connections.postgres)
    known: Mapping[str, KnownVersion] = policy.known
    if policy.feed is not None:
        target = run.connections.web(policy.feed.connection)
        fetched = release_feeds.versions(target, policy.feed.path, run.day)
        answer += run.keep(fetched.answer)
        known = {**known, **(fetched.content or {})}
    return rule.postgres(answer, known, policy, run.day)


# ---------------------------------------------------------------- M4-03


def releases(run: Run) -> list[Finding]:
    """M4-03: releases of each application that are out and do not run yet, with the security fixes they bring."""
    looked = [look_at(run, one) for one in run.policy.updates.applications]
    answer = run.keep(sum((answer for _, answer in looked), Answer()))
    within = run.policy.updates.releases.security_within
    return rule.applications([state for state, _ in looked], answer, within, run.at)


def look_at(run: Run, application: Application) -> tuple[ApplicationState, Answer]:
    """What an application runs and what is out; without a feed there is no source, and no number."""
    feed, name = application.feed, application.name
    if feed is None or application.running is None:
        missing = "release feed" if feed is None else "place that tells its running version"
        return ApplicationState(name, no_source=f"{name} has no {missing} in updates.yaml: nobody can say"), Answer()
    now, answer = running(run, application)
    fetched = release_feeds.releases(run.connections.web(feed.connection), feed.path, name)
    answer += fetched.answer
    both = bool(now) and fetched.content is not None
    return ApplicationState(name, now if both else "", fetched.content or ()), answer


def running(run: Run, application: Application) -> tuple[str, Answer]:
    """The version an application says it runs; empty where nobody answered."""
    place = application.running
    if place is None:
        return "", Answer()
    target = run.connections.web(place.connection)
    fetched = release_feeds.running(target, place.path, place.field, application.name)
    return fetched.content or "", fetched.answer


# ---------------------------------------------------------------- M4-04


def libraries(run: Run) -> list[Finding]:
    """M4-04: known flaws of the libraries by severity, as M1-05 asks them, and which are outdated."""
    controls = lent(run, "M4-04", GRAVE, OTHERS)
    answers = asked(run, controls[:1])
    found = answers[GRAVE]
    answers[OTHERS] = found if isinstance(found, str) else replace(found, parameters=dict(controls[1].parameters))
    return [*judged(run, controls, answers), _outdated(run)]


def _outdated(run: Run) -> Finding:
    index = run.policy.updates.libraries.index
    if index is None:
        return rule.no_index()
    packages = installed()
    newest, answer = package_index.newest(run.connections.web(index.connection), index, packages)
    run.keep(answer)
    return rule.outdated(packages, newest, answer)
