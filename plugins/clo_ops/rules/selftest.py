"""The drill that can fail: was each fault that was put in caught, and by the check that is there for it?

A check that has never been seen red proves nothing when it is green.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from clo_ops.findings import Answer, Finding, Severity, Status
from clo_ops.rules.verdicts import Case

PROCEDURE = "M3-07"
MANUAL = "L198-L214"
CAUGHT, CONTROL = "selftest.caught", "nothing wrong"
ACT = "Do not trust this month's drill: find out why the check did not see what was put in front of it."


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table the report prints. ``caught_by`` is empty where nothing turned red."""

    fault: str
    expected: str
    caught_by: str
    message: str
    caught: bool
    possible: bool = True


def row(fault: str, procedure: str, finding: str, status: Status, found: Sequence[Finding]) -> Row:
    """Caught where the expected finding has the expected status; other reds count beside it, never instead of it.

    The control, with no fault put in, is "caught" where nothing at all is red.
    """
    expected = f"{procedure} {finding}" if finding else "no finding red"
    red = [one for one in found if one.status in (Status.FAIL, Status.UNKNOWN)]
    right = [one for one in red if one.procedure == procedure and one.name == finding and one.status is status]
    shown = (right or red)[:1]
    caught_by = "".join(f"{one.procedure} {one.name} ({one.status.value})" for one in shown)
    message = "".join(one.message for one in shown)
    return Row(fault, expected, caught_by, message[:300], bool(found) and (bool(right) if finding else not red))


def judge(rows: Sequence[Row], *, procedure: str = PROCEDURE) -> list[Finding]:
    """One finding for each fault. No rows at all is a self-test that did not take place."""
    case = Case(procedure, "self-test", "every fault caught, for the right reason", Severity.P1, ACT, MANUAL)
    return list(_judged(rows, procedure)) or [case.not_measured()]


def _judged(rows: Sequence[Row], procedure: str) -> Iterator[Finding]:
    for one in rows:
        case = Case(procedure, "self-test", one.expected, Severity.P1, ACT, MANUAL, one.fault)
        if not one.possible:
            yield _not_possible(case, one)
        elif one.caught:
            yield case.passed(one.caught_by or "nothing red", f"{one.fault}: {one.caught_by or 'nothing was red'}")
        else:
            actual = one.caught_by or "nothing turned red"
            yield case.failed(actual, f"{one.fault} was not caught as it should be: {actual}. {one.message}".strip())


def _not_possible(case: Case, one: Row) -> Finding:
    return Finding(
        procedure=case.procedure,
        name=case.name,
        subject=one.fault,
        status=Status.NOT_APPLICABLE,
        expected=case.expected,
        actual="not possible here",
        message=f"{one.fault} cannot be put in here: {one.message}",
    )


def rows_of(answer: Answer) -> list[Row]:
    """The table again, from measurements ``selftest.caught`` {fault, expected, caught_by} of the ledger."""
    return [
        Row(
            one.labels["fault"],
            one.labels["expected"],
            one.labels.get("caught_by", ""),
            one.detail,
            one.value == 1,
            one.labels.get("possible") != "no",
        )
        for one in answer.select(CAUGHT)
    ]
