"""Which security updates the hosts' own package managers have pending (M1-05, manual L169)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from clo_ops.findings.performed import NOT_ASKED, Performed, Row
from clo_ops.probes.host_updates import look
from clo_ops.probes.reaching import Reach, Unreachable, of_each
from clo_ops.probes.targets import HostTarget
from clo_ops.rules.vulnerabilities import UNRATED

if TYPE_CHECKING:
    from clo_ops.findings.updates import HostState

ASKED = "include/sh/host_updates.sh on each host"
DAY = 86_400


def host_packages(hosts: Mapping[str, HostTarget], parameters: Mapping[str, Any]) -> Performed:
    """One row for each host, and for each package with a security update: where, package, version, id, fixed_in.

    Distributions do not rate their updates: "unrated". A host that is not asked, or whose package lists are older than
    ``lists_days`` (who did not look lately does not know), has a row that says so. Raises Unreachable where all are.
    """
    states, lost = of_each(hosts, lambda host: _state(host, parameters["lists_days"]))
    rows = [row for state in states.values() for row in _rows(state)]
    rows += [_not_asked(name, reason) for name, reason in lost.items()]
    identity = {"hosts": ", ".join(map(str, hosts.values())), "at": datetime.now(UTC).isoformat()}
    return Performed("probe", "host vulnerabilities", ASKED, dict(parameters), identity, rows)


def _state(host: HostTarget, lists_days: float) -> HostState:
    looked = look(host)
    if looked.state is None:
        reasons = "; ".join(one.reason for one in looked.answer.unanswered)
        raise Unreachable(Reach.OTHER, f"{host}: pending updates could not be read: {reasons}")
    age = looked.state.lists_age
    if age is None or age > lists_days * DAY:
        known = "of an age nobody knows" if age is None else f"{age / DAY:,.1f} days old"
        raise Unreachable(Reach.OTHER, f"{host}: its package lists are {known}, at most {lists_days} days")
    return looked.state


def _not_asked(host: str, reason: str) -> Row:
    facts = {"package": "", "version": "", "id": NOT_ASKED, "fixed_in": ""}
    return {"where": host, **facts, "rating": NOT_ASKED, "summary": reason}


def _rows(state: HostState) -> Iterator[Row]:
    blank = {"where": state.host, "rating": "", "fixed_in": "", "summary": ""}
    yield {**blank, "package": state.manager, "version": "", "id": ""}
    for one in state.security:
        facts = {"package": one.package, "version": one.old, "fixed_in": one.new, "rating": UNRATED}
        yield {**blank, **facts, "id": "security update"}
