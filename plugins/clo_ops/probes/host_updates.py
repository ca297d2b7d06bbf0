"""Ask a host's package manager what is pending, by one script that reads only (M4-01)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from clo_ops.findings import Answer, Measurement
from clo_ops.findings.updates import Change, HostState
from clo_ops.policy.paths import INCLUDE
from clo_ops.probes import shell
from clo_ops.probes.reaching import Unreachable, nobody_answered
from clo_ops.probes.targets import HostTarget

QUESTION = "pending updates"
# A simulated upgrade reads every list; on a slow host that takes longer than a look at its load.
PATIENCE = 120.0


class Garbled(Exception):
    """The host's answer is not what the script prints."""


@dataclass(frozen=True, slots=True)
class Looked:
    """One host: ``state`` is None where nobody answered; ``answer`` has what is put on record."""

    host: str
    state: HostState | None
    answer: Answer


def look(host: HostTarget) -> Looked:
    """What this host has pending; never raises for one that cannot be reached.

    Emits host.updates.pending, .security (count), .lists.age (s) and host.reboot.needed (bool) by {host}.
    """
    how = shell.tried(host)
    try:
        script = (INCLUDE / "sh" / "host_updates.sh").read_text(encoding="utf-8")
        done = shell.run(replace(host, command_timeout=PATIENCE), script)
        state = read(host.name, done.out)
    except Unreachable as error:
        return Looked(host.name, None, error.unanswered(QUESTION, host, how))
    except Garbled as error:
        said = f"{error}; it ended with {done.code}: {' '.join(done.err.split())[:200]}"
        return Looked(host.name, None, nobody_answered([QUESTION], host, how, said))
    return Looked(host.name, state, Answer.of(_measured(state)))


def read(host: str, text: str) -> HostState:
    """The script's lines. Raises Garbled where one is missing or not as agreed."""
    lines = [line.split(" ", 1) for line in text.splitlines() if line.strip()]
    said: dict[str, list[str]] = {}
    for word, *rest in lines:
        said.setdefault(word, []).append(rest[0].strip() if rest else "")
    if said.get("clo_ops_host_updates") != ["1"] or "end" not in said:
        raise Garbled(f"the script's answer is not whole: {text.strip()[:120]!r}")
    manager = said.get("manager", [""])[0]
    if manager not in ("apt", "dnf"):
        raise Garbled("the host has neither apt nor dnf")
    return HostState(
        host=host,
        manager=manager,
        changes=tuple(_change(line) for line in said.get("update", ())),
        removals=tuple(said.get("remove", ())),
        held=tuple(said.get("held", ())),
        broken=tuple(said.get("broken", ())),
        lists_age=_age(said.get("lists_age", [""])[0]),
        reboot=_reboot(said.get("reboot", [""])[0]),
    )


def _change(line: str) -> Change:
    words = line.split()
    if len(words) != 4 or words[3] not in ("security", "other"):
        raise Garbled(f"not an update: {line[:80]!r}")
    try:
        return Change(words[0], words[1], words[2], words[3] == "security")
    except ValueError as error:
        raise Garbled(str(error)) from None


def _age(said: str) -> float | None:
    return float(said) if said.lstrip("-").isdigit() else None


def _reboot(said: str) -> str | None:
    word, _, why = said.partition(" ")
    return {"yes": why or "asked for", "no": ""}.get(word)


def _measured(state: HostState) -> Iterator[Measurement]:
    at, label = datetime.now(UTC), {"host": state.host}
    yield Measurement("host.updates.pending", len(state.changes), "count", at, label)
    yield Measurement("host.updates.security", len(state.security), "count", at, label)
    if state.lists_age is not None:
        yield Measurement("host.updates.lists.age", state.lists_age, "s", at, label)
    if state.reboot is not None:
        yield Measurement("host.reboot.needed", bool(state.reboot), "bool", at, label, state.reboot)
