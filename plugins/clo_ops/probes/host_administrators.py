"""Who may become root on the hosts, by user number and by group (M1-04, manual L166)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from clo_ops.findings.performed import LOOKED_AT, VIOLATION, Performed, Row
from clo_ops.policy.paths import INCLUDE
from clo_ops.probes.reaching import Reach, Unreachable, of_each
from clo_ops.probes.security_access import not_asked
from clo_ops.probes.shell import run
from clo_ops.probes.targets import HostTarget

SCRIPT = INCLUDE / "sh" / "host_administrators.sh"


def host_administrators(hosts: Mapping[str, HostTarget], parameters: Mapping[str, Any]) -> Performed:
    """Accounts with user number 0 and members of ``groups`` on every host; those not ``allowed`` are violations.

    Those that are allowed are in the rows as well: the list is for people to go through. Raises Unreachable where no
    host is asked.
    """
    script, found, looked_at = SCRIPT.read_text(encoding="utf-8"), list[Row](), 0
    answers, lost = of_each(hosts, lambda host: _of_host(host, script, parameters["groups"]))
    for name, (accounts, members) in answers.items():
        looked_at += accounts
        found += _rows(name, members, parameters["allowed"])
    identity = {"hosts": ", ".join(map(str, hosts.values()))}
    rows = [{"kind": LOOKED_AT, "key": str(looked_at), "reason": ""}, *sorted(found, key=lambda one: str(one["key"]))]
    rows += not_asked(lost)
    return Performed("probe", "host administrators", script, dict(parameters), identity, rows)


def _of_host(host: HostTarget, script: str, groups: Any) -> tuple[int, dict[str, list[str]]]:
    """How many accounts the host has, and by account how it may become root."""
    done = run(host, script, list(groups))
    lines = [line.split() for line in done.out.splitlines() if line.strip()]
    if done.code or not lines or lines[-1][0] != "end":
        said = done.err.strip() or "no whole answer"
        raise Unreachable(Reach.OTHER, f"{host}: its accounts could not be read: {said}")
    members: dict[str, list[str]] = {}
    for kind, *words in lines[:-1]:
        how = "user number 0" if kind == "uid0" else f"group {words[0]}"
        members.setdefault(words[-1], []).append(how)
    return int(lines[-1][1]), members


def _rows(host: str, members: Mapping[str, list[str]], allowed: Any) -> Iterator[Row]:
    for name, ways in members.items():
        kind = "standing" if name in allowed else VIOLATION
        yield {"kind": kind, "key": f"{host}: {name}", "reason": f"may become root: {', '.join(dict.fromkeys(ways))}"}
