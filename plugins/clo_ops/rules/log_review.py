"""LM-05 (manual L368): a month of logs for compliance and security: which there are, whole, kept long enough?

What is said here is evidence for those who review it: nothing of it says that a rule of law was met.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, get_args

from clo_ops.findings import Answer, Finding, Severity, Status
from clo_ops.policy.logs import LogClass, LogFile
from clo_ops.rules.log_day import errors_of, marks
from clo_ops.rules.log_tally import LogDay
from clo_ops.rules.verdicts import Case

if TYPE_CHECKING:
    from clo_ops.policy import Policy

PROCEDURE, MANUAL = "LM-05", "L368"
NAMED = 10
OWNER = "Give each open point an owner."


@dataclass(frozen=True, slots=True)
class Month:
    """``days`` of every log, ``first`` .. ``last``; ``known_since`` is the first day on record of each."""

    first: date
    last: date
    days: Mapping[str, Mapping[date, LogDay]]
    known_since: Mapping[str, date]

    def whole(self, source: str) -> LogDay:
        total = LogDay()
        for tally in self.days.get(source, {}).values():
            total += tally
        return total

    def expected(self, source: str) -> list[date]:
        """The days of the month on which this log was known."""
        since = max(self.first, self.known_since.get(source, self.last + timedelta(days=1)))
        return [since + timedelta(days=back) for back in range((self.last - since).days + 1)]

    def missing(self, source: str) -> list[date]:
        lines = self.days.get(source, {})
        return [day for day in self.expected(source) if day not in lines or not lines[day].lines]


def judge(month: Month, retention: Answer, policy: Policy) -> list[Finding]:
    """``a log of each class``, ``retention`` of each place, ``days without a line``, and the security marks.

    ``retention`` holds what LM-01 last measured of each place: ``log.due`` and ``log.oldest`` {place}.
    """
    findings = [*_classes(policy), *_retention(retention, policy)]
    for source in policy.logs.files:
        findings.append(_gaps(source, month))
        days = len(month.expected(source.name))
        if days:
            findings += marks(PROCEDURE, source, month.whole(source.name), policy, days)
    return findings


def _case(name: str, expected: str, subject: str = "", action: str = OWNER) -> Case:
    return Case(PROCEDURE, name, expected, Severity.P3, action, MANUAL, subject)


def places_of(policy: Policy) -> Mapping[str, tuple[LogClass, ...]]:
    """Every place with the classes of what lies there."""
    files = {f"{one.host}:{one.path}": tuple(one.classes) for one in policy.logs.files}
    return {**files, **{one.table: tuple(one.classes) for one in policy.logs.tables}}


def _classes(policy: Policy) -> Iterator[Finding]:
    for name in get_args(LogClass):
        there = [place for place, classes in places_of(policy).items() if name in classes]
        title, keep = policy.retention[name].title, policy.retention[name].keep
        case = _case("a log of each class", "at least one place named in logs.yaml", name)
        if there:
            yield case.passed(f"{len(there)}", f"{title}, kept {keep}: {', '.join(there)}")
        else:
            yield case.warned("none", f"{title}, kept {keep}: no place is named, so nobody keeps them")


def _retention(retention: Answer, policy: Policy) -> Iterator[Finding]:
    for place in places_of(policy):
        due, oldest = retention.value("log.due", place=place), retention.first("log.oldest", place=place)
        case = _case("retention", "nothing older than its class is kept", place)
        if due is None:
            yield Finding(
                PROCEDURE,
                case.name,
                Status.UNKNOWN,
                case.expected,
                "not measured",
                f"LM-01 has not measured {place} this month.",
                place,
                Severity.P3,
                "Look at LM-01's last runs.",
            )
            continue
        said = f"{place}: {due:,.0f} are due" + (f", the oldest is {oldest.value:,.0f} days old" if oldest else "")
        yield case.warned(f"{due:,.0f} due", said) if due else case.passed("0 due", said)


def _gaps(source: LogFile, month: Month) -> Finding:
    days, missing = month.expected(source.name), month.missing(source.name)
    case = _case("days without a line", "none" if source.daily else "told", source.name)
    if not days:
        why = f"{source.name} was not read in {month.first:%B %Y}."
        return Finding(PROCEDURE, case.name, Status.NOT_APPLICABLE, case.expected, "never read", why, source.name)
    shown = ", ".join(str(day) for day in missing[:NAMED]) + (" ..." if len(missing) > NAMED else "")
    said = f"{source.name}: {len(missing)} of {len(days)} days without a line" + (f": {shown}" if missing else "")
    return case.warned(f"{len(missing)}", said) if missing and source.daily else case.passed(f"{len(missing)}", said)


def as_json(month: Month, policy: Policy, retention: Answer) -> dict[str, Any]:
    """The month's pack of evidence: figures only, no line of a log and no name in it."""
    return {
        "first": month.first.isoformat(),
        "last": month.last.isoformat(),
        "classes": {
            name: {"keep": str(policy.retention[name].keep), "places": _places(name, policy)}
            for name in get_args(LogClass)
        },
        "retention": [one.as_json() for one in retention.measurements],
        "logs": [_of(source, month, policy) for source in policy.logs.files],
    }


def _places(name: str, policy: Policy) -> Sequence[str]:
    return [place for place, classes in places_of(policy).items() if name in classes]


def _of(source: LogFile, month: Month, policy: Policy) -> dict[str, Any]:
    whole = month.whole(source.name)
    return {
        "name": source.name,
        "classes": list(source.classes),
        "lines": whole.lines,
        "errors": errors_of(source, whole, policy),
        "days_known": len(month.expected(source.name)),
        "days_without_a_line": [day.isoformat() for day in month.missing(source.name)],
        "marks": {name: one.as_json() for name, one in sorted(whole.marks.items())},
    }
