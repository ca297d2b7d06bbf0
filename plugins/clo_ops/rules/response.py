"""IR-01 to IR-05, IR-09 and IR-10: whether an incident was handled as the manual says, from its record (L233-L306).

Late is strictly later than due plus ``grace``: the time within which a dead watch is noticed by others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

from clo_ops.findings import Finding, Severity
from clo_ops.rules.clocks import clocks
from clo_ops.rules.figures import age, moment
from clo_ops.rules.rota import next_hand_over, on_call, people
from clo_ops.rules.verdicts import Case

if TYPE_CHECKING:
    from clo_ops.policy import Policy


class Incident(Protocol):
    """The ledger's row of an incident."""

    @property
    def id(self) -> int: ...
    @property
    def title(self) -> str: ...
    @property
    def severity(self) -> Severity: ...
    @property
    def opened_at(self) -> datetime: ...
    @property
    def response_due_at(self) -> datetime | None: ...
    @property
    def resolution_due_at(self) -> datetime | None: ...
    @property
    def update_due_at(self) -> datetime | None: ...
    @property
    def closed_at(self) -> datetime | None: ...


class Event(Protocol):
    """One line of an incident's timeline."""

    @property
    def kind(self) -> str: ...
    @property
    def at(self) -> datetime: ...
    @property
    def actor(self) -> str: ...
    @property
    def detail(self) -> str: ...


class Sent(Protocol):
    """A message of the outbox."""

    @property
    def id(self) -> int: ...
    @property
    def state(self) -> str: ...
    @property
    def pending(self) -> Sequence[str]: ...
    @property
    def refused(self) -> Mapping[str, str]: ...
    @property
    def attempts(self) -> int: ...
    @property
    def last_error(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Step:
    """One rung or notice: when it is due and when it was told. ``ladder`` is empty for a notice."""

    name: str
    due: datetime
    told: datetime | None
    ladder: str = ""
    level: int = 0


def subject(incident: Incident) -> str:
    return f"incident {incident.id}"


def case_of(procedure: str, name: str, expected: str, incident: Incident, policy: Policy) -> Case:
    entry = policy.procedures[procedure]
    return Case(procedure, name, expected, incident.severity, entry.first_action, entry.lines, subject(incident))


def judge_clocks(incident: Incident, began: datetime, policy: Policy) -> Finding:
    """IR-01: the clocks on record are those of its severity from ``began`` on, or tighter."""
    clock = clocks(incident.severity, began, policy)
    expected = f"answered by {moment(clock.response_due)}, resolved by {moment(clock.resolution_due)}"
    case = case_of("IR-01", "severity and clocks", expected, incident, policy)
    answered, resolved = incident.response_due_at, incident.resolution_due_at
    if answered is None or resolved is None:
        return case.failed("no clock runs", f"Incident {incident.id} is {incident.severity} and has no clocks")
    actual = f"answered by {moment(answered)}, resolved by {moment(resolved)}"
    sentence = f"Incident {incident.id} is {incident.severity}: {actual}"
    slower = answered > clock.response_due or resolved > clock.resolution_due
    return case.failed(actual, sentence) if slower else case.passed(actual, sentence)


def judge_notices(
    incident: Incident, steps: Sequence[Step], policy: Policy, *, until: datetime, grace: timedelta
) -> list[Finding]:
    """IR-02: every notice due by ``until`` was told, and not late."""
    due = [one for one in steps if one.due <= until]
    if not due:
        case = case_of("IR-02", "notices", "told when due", incident, policy)
        return [case.passed("none due", f"No notice of incident {incident.id} was due by {moment(until)}")]
    return [_in_time(case_of("IR-02", one.name, f"by {moment(one.due)}", incident, policy), one, grace) for one in due]


def _in_time(case: Case, step: Step, grace: timedelta) -> Finding:
    if step.told is None:
        return case.failed("not told", f"{step.name} was due and was never told")
    late = step.told - step.due
    if late > grace:
        return case.failed(moment(step.told), f"{step.name} was told {age(late)} late; {age(grace)} are allowed")
    return case.passed(moment(step.told), f"{step.name} was told in time")


def judge_ladder(
    incident: Incident,
    steps: Sequence[Step],
    events: Sequence[Event],
    policy: Policy,
    *,
    until: datetime,
    grace: timedelta,
) -> list[Finding]:
    """IR-03: each rung told once, in order, and none late before anybody first took the incident."""
    stopped = min([one.at for one in events if one.kind in {"acknowledged", "mitigated", "closed"}], default=until)
    ladders = dict.fromkeys(one.ladder for one in steps)
    return [
        _ladder(incident, [one for one in steps if one.ladder == name], events, policy, min(stopped, until), grace)
        for name in ladders
    ]


def _ladder(  # noqa: PLR0917 - what is known of one ladder
    incident: Incident,
    rungs: Sequence[Step],
    events: Sequence[Event],
    policy: Policy,
    until: datetime,
    grace: timedelta,
) -> Finding:
    name = rungs[0].ladder
    case = case_of("IR-03", f"ladder {name}", "each level once, in order, in its time", incident, policy)
    faults = [*_missing_or_late(rungs, until, grace), *_out_of_order(rungs), *_twice(rungs, events)]
    told = [f"{one.level} at {moment(one.told)}" for one in rungs if one.told]
    actual = "told: " + (", ".join(told) or "nobody yet")
    if faults:
        return case.failed(actual, f"Ladder {name} of incident {incident.id}: {'; '.join(faults)}")
    return case.passed(actual, f"Ladder {name} of incident {incident.id}, {actual}")


def _missing_or_late(rungs: Sequence[Step], until: datetime, grace: timedelta) -> Iterable[str]:
    for one in rungs:
        if one.due + grace < (one.told or until):
            yield f"level {one.level} was due at {moment(one.due)}, " + ("told late" if one.told else "never told")


def _out_of_order(rungs: Sequence[Step]) -> Iterable[str]:
    for before, after in pairwise(rungs):
        if after.told and (before.told is None or before.told > after.told):
            yield f"level {after.level} was told before level {before.level}"


def _twice(rungs: Sequence[Step], events: Sequence[Event]) -> Iterable[str]:
    lines = Counter(one.detail.partition(":")[0] for one in events if one.kind == "told")
    return [f"level {one.level} was told {lines[one.name]} times" for one in rungs if lines[one.name] > 1]


def judge_updates(
    incident: Incident, events: Sequence[Event], policy: Policy, *, until: datetime, grace: timedelta
) -> Finding:
    """IR-04: updates came at their cadence; one that is overdue and that nobody was told of is the worse fault."""
    cadence = age(policy.severities[incident.severity].update_every)
    case = case_of("IR-04", "status updates", f"one every {cadence} at least, until resolved", incident, policy)
    given = sum(one.kind == "updated" for one in events)
    overdue = [one for one in events if one.kind == "update_overdue"]
    due = incident.update_due_at
    if incident.closed_at is None and due is not None and until - due > grace:
        return case.failed("overdue, unseen", f"An update of incident {incident.id} is overdue since {moment(due)}")
    actual = f"{given} given, {len(overdue)} overdue"
    sentence = f"Status updates of incident {incident.id}: {actual}"
    return case.failed(actual, sentence) if overdue else case.passed(actual, sentence)


def judge_immediate(incident: Incident, events: Sequence[Event], policy: Policy, *, at: datetime) -> list[Finding]:
    """IR-05: within the policy's time from detection the team is called, the scope noted, the start on record."""
    within = policy.alerting.response.immediate_within
    wanted = {"start on record": ("opened",), "team called": ("told",), "scope noted": ("diagnosed", "noted")}
    return [_done_at_once(incident, name, kinds, events, within, policy, at) for name, kinds in wanted.items()]


def _done_at_once(  # noqa: PLR0917 - one of three alike
    incident: Incident,
    name: str,
    kinds: Sequence[str],
    events: Sequence[Event],
    within: timedelta,
    policy: Policy,
    at: datetime,
) -> Finding:
    case = case_of("IR-05", name, f"within {age(within)} of {moment(incident.opened_at)}", incident, policy)
    first = next((one.at for one in events if one.kind in kinds), None)
    if first is None and at - incident.opened_at <= within:
        return case.warned("not yet", f"{name} is still to be done for incident {incident.id}", incident.severity)
    if first is None:
        return case.failed("not done", f"{name} was not done for incident {incident.id}")
    taken = first - incident.opened_at
    sentence = f"{name} after {age(taken)} for incident {incident.id}"
    return case.failed(age(taken), sentence) if taken > within else case.passed(age(taken), sentence)


def judge_messages(incident: Incident, messages: Sequence[Sent], policy: Policy) -> list[Finding]:
    """IR-10: every message of the incident reached everybody; who was not reached is named."""
    case = case_of("IR-10", "messages", "every message delivered to everybody", incident, policy)
    lost = [f"{who} ({why})" for one in messages for who, why in one.refused.items()]
    waiting = [
        f"{who} (tried {one.attempts} times: {one.last_error or 'not yet'})" for one in messages for who in one.pending
    ]
    unreached = list(dict.fromkeys([*lost, *waiting]))
    actual = f"{len(messages)} messages, {len(unreached)} people not reached"
    if not messages:
        return [case.failed("no message", f"Nobody was told anything of incident {incident.id}")]
    if unreached:
        return [case.failed(actual, f"Not reached about incident {incident.id}: {'; '.join(unreached[:5])}")]
    return [case.passed(actual, f"All {len(messages)} messages of incident {incident.id} were delivered")]


def judge_on_call(policy: Policy, *, at: datetime) -> list[Finding]:
    """IR-09: who is primary, secondary, and on each rung now; warns where one person would have to call themselves."""
    rota, calendar = policy.alerting.rota, policy.business_calendar
    entry = policy.procedures["IR-09"]
    hand_over = moment(next_hand_over(at, rota, calendar))
    case = Case("IR-09", "on call", "a primary and another secondary", Severity.P2, entry.first_action, entry.lines)
    primary, secondary = (on_call(role, at, rota, calendar) for role in ("primary", "secondary"))
    who = f"primary {_name(primary, policy)}, secondary {_name(secondary, policy)}; next hand-over {hand_over}"
    if primary == secondary:
        return [case.warned(who, f"One person holds both: {who}", Severity.P3), *_ladders(policy, at)]
    return [case.passed(who, f"On call now: {who}"), *_ladders(policy, at)]


def _ladders(policy: Policy, at: datetime) -> Iterable[Finding]:
    entry = policy.procedures["IR-09"]
    for name, ladder in policy.ladders.items():
        holders = [", ".join(_name(one, policy) for one in people(step.contacts, at, policy)) for step in ladder.levels]
        who = "; ".join(f"{step.role}: {names}" for step, names in zip(ladder.levels, holders, strict=True))
        expected = f"somebody on each of {len(ladder.levels)} levels"
        case = Case("IR-09", f"ladder {name}", expected, Severity.P2, entry.first_action, entry.lines)
        yield (
            case.passed(who, f"{ladder.title}: {who}") if all(holders) else case.failed(who, f"A gap in {name}: {who}")
        )


def _name(person: str, policy: Policy) -> str:
    known = policy.contacts.people[person]
    return f"{known.name} ({known.phone or known.email})"
