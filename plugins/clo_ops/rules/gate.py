"""The one gate before anything is changed in the CLO system (D10): each need by itself; unknown keeps it closed.

A need that is not met fails where nothing stood ready for work that was owed (no verified backup, no room); it warns
where the work gives way to something that has its turn (a backup, a long transaction, another maintainer).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from clo_ops.findings import Answer, Finding, Severity, Status, unanswered_findings
from clo_ops.policy.units import as_text
from clo_ops.rules.figures import figure
from clo_ops.rules.verdicts import Case

if TYPE_CHECKING:
    from clo_ops.policy.maintenance import GateTerms

PRIMARY, BACKUP_RUNNING, DRILL_RUNNING = "gate.primary", "gate.backup.running", "gate.drill.running"
TRANSACTION, MAINTAINER, BACKUP_AGE = "gate.transaction.age", "gate.maintainer", "gate.backup.age"
NEEDED, FREE = "gate.room.needed", "gate.room.free"
WINDOW_LEFT, USUAL = "gate.window.left", "gate.window.usual"
STANDBY, LAG = "replication.streaming", "replication.lag.time"


class Need(StrEnum):
    """What must be so before a change. A caller names those its work depends on; leaving out one is its own choice."""

    PRIMARY = "primary"
    BACKUP = "backup"
    NO_BACKUP_RUNNING = "no backup running"
    NO_DRILL_RUNNING = "no drill running"
    NO_LONG_TRANSACTION = "no long transaction"
    ROOM = "room"
    REPLICATION = "replication"
    WINDOW = "window"
    ALONE = "alone"


ALL = frozenset(Need)
# What a cache or a log file asks for: no second copy of an index is made, nobody's transaction is in the way.
OUTSIDE_THE_DATABASE = frozenset({Need.WINDOW, Need.NO_DRILL_RUNNING})
# What ends by itself: worth waiting for.
PASSING = frozenset({Need.NO_BACKUP_RUNNING, Need.NO_DRILL_RUNNING, Need.NO_LONG_TRANSACTION, Need.ALONE})


@dataclass(frozen=True, slots=True)
class Terms:
    """The policy's figures and the procedure that asks. ``backup_not_older_than`` is that of windows.yaml."""

    procedure: str
    gate: GateTerms
    backup_not_older_than: timedelta
    safety: float = 1.0


@dataclass(frozen=True, slots=True)
class Gate:
    """``open`` only where every need was asked and is met. ``findings`` has one for each need."""

    open: bool
    findings: list[Finding] = field(default_factory=list)
    closed_by: frozenset[Need] = frozenset()

    @property
    def reasons(self) -> list[str]:
        return [one.message for one in self.findings if one.status is not Status.PASS]

    @property
    def worth_waiting(self) -> bool:
        """Whether only what ends by itself keeps it closed."""
        return bool(self.closed_by) and self.closed_by <= PASSING


def judge(answer: Answer, terms: Terms, needs: Collection[Need]) -> Gate:
    """Each need judged by itself, in the order of ``Need``."""
    findings, closed = [], set()
    for need in Need:
        if need not in needs:
            continue
        judged = JUDGES[need](answer, terms)
        findings += judged
        if not judged or any(not _lets_through(one) for one in judged):
            closed.add(need)
    asked_in_vain = unanswered_findings(terms.procedure, answer, Severity.P2, ASK)
    return Gate(not closed, [*_once(findings), *(asked_in_vain if closed else [])], frozenset(closed))


def _lets_through(one: Finding) -> bool:
    return one.status in (Status.PASS, Status.NOT_APPLICABLE) or one.labels.get("gate") == "open"


def _once(findings: Iterable[Finding]) -> list[Finding]:
    return list({(one.name, one.subject): one for one in findings}.values())


def given_way(gate: Gate, waited: timedelta) -> Gate:
    """The same gate after waiting in vain: each passing reason says how long it was waited for."""
    told = f" It was waited for {as_text(_whole_seconds(waited))}; what was owed comes first next time."
    findings = [
        replace(one, message=one.message + told) if one.status is Status.WARN and "gate" not in one.labels else one
        for one in gate.findings
    ]
    return replace(gate, findings=findings)


def _whole_seconds(span: timedelta) -> timedelta:
    return timedelta(seconds=round(span.total_seconds()))


ASK = "See that the worker reaches what the message names; until it answers nothing is changed."
_BACKUP = "Take a backup and let the end of day verify it (MW-04 does both); then run the work again."
_PRIMARY = "Point clo_postgres_maintenance at the primary; find out whether a failover happened."
_ROOM = "Free the space or add some; a rebuild that fills the disk stops the whole system."
_WAIT = "Nothing, if it ends by itself: what was owed is done next time. Else end what the message names."
_LAG = "Look at the standby named: heavy work now would put it further behind."
_WINDOW = "Run it in its window, or as emergency maintenance with its approval (docs/maintenance.md)."


def _case(terms: Terms, need: Need, expected: str, action: str, severity: Severity = Severity.P3) -> Case:
    return Case(terms.procedure, "gate", expected, severity, action, terms.gate.manual or "L88-L97", need.value)


def _unknown(case: Case, what: str) -> list[Finding]:
    unknown = case.not_measured()
    return [replace(unknown, message=f"Nobody could say {what}: the gate stays closed. Expected: {case.expected}.")]


def _primary(answer: Answer, terms: Terms) -> list[Finding]:
    case = _case(terms, Need.PRIMARY, "a primary that takes writes", _PRIMARY, Severity.P2)
    found = answer.first(PRIMARY)
    if found is None:
        return _unknown(case, "whether this server takes writes")
    return [case.either(found, "The server takes writes", "The server takes no writes")]


def _backup(answer: Answer, terms: Terms) -> list[Finding]:
    """``gate.backup.age`` (s) {path, level}: of each backup; one of level "" says that there is none."""
    oldest, level = terms.backup_not_older_than, terms.gate.backup_level
    case = _case(terms, Need.BACKUP, f"a backup proven {level} and at most {as_text(oldest)} old", _BACKUP, Severity.P2)
    found = list(answer.select(BACKUP_AGE))
    proven = [one for one in found if one.labels.get("level", "") >= level]
    if not found:
        return _unknown(case, "which backups there are")
    if not proven:
        return [case.failed("none", f"No backup is proven {level} or deeper")]
    newest = min(proven, key=lambda one: one.value)
    hours, said = newest.value / 3600, f"{newest.labels['path']}, proven {newest.labels['level']}"
    if newest.value > oldest.total_seconds():
        return [case.failed(f"{hours:,.1f} h", f"The newest such backup ({said}) is {hours:,.1f} h old")]
    return [case.passed(f"{hours:,.1f} h", f"{said}, is {hours:,.1f} h old")]


def _nothing(metric: str, need: Need, expected: str, said: str) -> Callable[[Answer, Terms], list[Finding]]:
    """A count that must be 0: something that has its turn first."""

    def judged(answer: Answer, terms: Terms) -> list[Finding]:
        case, found = _case(terms, need, expected, _WAIT), answer.first(metric)
        if found is None:
            return _unknown(case, f"whether there is {said}")
        if found.value:
            return [case.warned(found.detail or f"{found.value:g}", f"There is {said}: {found.detail}")]
        return [case.passed("none", f"There is not {said}")]

    return judged


def _no_long_transaction(answer: Answer, terms: Terms) -> list[Finding]:
    limit = terms.gate.long_transaction
    case = _case(terms, Need.NO_LONG_TRANSACTION, f"no transaction open for over {as_text(limit)}", _WAIT)
    found = answer.first(TRANSACTION)
    if found is None:
        return _unknown(case, "which transactions are open")
    actual = f"{found.value:,.0f} s"
    if found.value > limit.total_seconds():
        return [case.warned(actual, f"A transaction is open for {actual}: {found.detail}")]
    return [case.passed(actual, f"The oldest open transaction is {actual} old ({found.detail})")]


def _room(answer: Answer, terms: Terms) -> list[Finding]:
    beside = terms.gate.room_beside
    needed, free = answer.first(NEEDED), answer.first(FREE)
    expected = f"room for a second copy of the largest index, and {figure(beside, 'bytes')} beside it"
    case = _case(terms, Need.ROOM, expected, _ROOM, Severity.P2)
    if needed is None or free is None:
        return _unknown(case, "how much room the disk has" if free is None else "how large the largest index is")
    actual = f"{figure(free.value, 'bytes')} free"
    said = f"{needed.detail} is {figure(needed.value, 'bytes')}, and {actual} on {free.labels.get('mount', 'the disk')}"
    if needed.value + beside > free.value:
        return [case.failed(actual, said)]
    return [case.passed(actual, said)]


def _replication(answer: Answer, terms: Terms) -> list[Finding]:
    limit = terms.gate.replication_behind
    case = _case(terms, Need.REPLICATION, f"every standby at most {as_text(limit)} behind", _LAG, Severity.P3)
    peers = answer.value("replication.peer.count")
    if peers is None:
        return _unknown(case, "how far the standbys are behind")
    late = [one for one in answer.select(LAG) if one.value > limit.total_seconds()]
    if late:
        worst = max(late, key=lambda one: one.value)
        actual = f"{worst.value:,.0f} s"
        return [case.warned(actual, f"Standby {worst.labels.get('standby', '')} is {actual} behind")]
    return [case.passed(f"{peers:g} peers", "No standby is behind")]


def _window(answer: Answer, terms: Terms) -> list[Finding]:
    """Open while time is left. Work that usually takes longer begins all the same, and says what to expect."""
    case = _case(terms, Need.WINDOW, "inside its window, with time left", _WINDOW, Severity.P3)
    left, usual = answer.first(WINDOW_LEFT), answer.value(USUAL)
    if left is None:
        return _unknown(case, "which window this work belongs to")
    if left.value <= 0:
        return [case.failed("outside", f"It is not the time for it: {left.detail}")]
    actual = f"{left.value / 60:,.0f} min left"
    if usual is not None and usual * terms.safety > left.value:
        said = f"{actual} ({left.detail}), and it usually takes {usual / 60:,.0f} min: what does not fit is left over"
        return [replace(case.warned(actual, said), labels={"gate": "open"})]
    return [case.passed(actual, f"{actual} ({left.detail})")]


JUDGES: dict[Need, Callable[[Answer, Terms], list[Finding]]] = {
    Need.PRIMARY: _primary,
    Need.BACKUP: _backup,
    Need.NO_BACKUP_RUNNING: _nothing(
        BACKUP_RUNNING, Need.NO_BACKUP_RUNNING, "no backup of this server running", "a backup running"
    ),
    Need.NO_DRILL_RUNNING: _nothing(DRILL_RUNNING, Need.NO_DRILL_RUNNING, "no drill under way", "a drill under way"),
    Need.NO_LONG_TRANSACTION: _no_long_transaction,
    Need.ROOM: _room,
    Need.REPLICATION: _replication,
    Need.WINDOW: _window,
    Need.ALONE: _nothing(
        MAINTAINER, Need.ALONE, "nobody else maintaining this database", "somebody else maintaining this database"
    ),
}
