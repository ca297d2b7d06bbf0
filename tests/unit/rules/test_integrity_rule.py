"""Violations against severities, the manifest's verdicts, the drill before and what was accepted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clo_ops.findings import Answer, Finding, Measurement, Severity, Status, Unanswered
from clo_ops.policy.proof import Accepted, Proof
from clo_ops.rules import integrity

AT = datetime(2026, 11, 23, 2, tzinfo=UTC)
SEVERITIES = {"I11": "critical", "I12": "error", "I15": "warning"}


def measured(open_: tuple[str, ...] = (), **violations: int) -> Answer:
    made = []
    for name, count in violations.items():
        labels = {"invariant": name, "suite": "deals", "severity": SEVERITIES[name]}
        made.append(Measurement("integrity.violations", count, "count", AT, labels, "CLO-1, CLO-2" if count else ""))
    return Answer.of(made, [Unanswered(f"{name}: a title", "copy", "SQL", "no such table", AT) for name in open_])


def policy(*accepted: Accepted) -> Proof:
    return Proof(workers=1, statement_timeout="30 min", newest=(), accepted=accepted, manual="L207")


def judged(
    answer: Answer,
    recorded: dict[str, int] | None = None,
    previous: dict[str, float] | None = None,
    accepted: tuple[Accepted, ...] = (),
    at: datetime = AT,
) -> dict[str, Finding]:
    manifest: dict[str, Any] = {} if recorded is None else {"invariants": recorded}
    findings = integrity.judge(answer, manifest, previous, policy(*accepted), at=at)
    return {f"{one.name} {one.subject}".strip(): one for one in findings}


@pytest.mark.parametrize(
    ("invariant", "status", "severity"),
    [("I11", Status.FAIL, Severity.P1), ("I12", Status.FAIL, Severity.P2), ("I15", Status.WARN, Severity.P3)],
)
def test_severity_is_honoured(invariant: str, status: Status, severity: Severity) -> None:
    one = judged(measured(**{invariant: 1}))[f"invariant {invariant}"]
    assert (one.status, one.severity) == (status, severity)
    assert f"include/sql/invariants/{invariant}.sql" in one.first_action
    assert "CLO-1, CLO-2" in one.message


def test_all_holding_is_one_pass() -> None:
    found = judged(measured(I11=0, I12=0, I15=0), {"I11": 0, "I12": 0, "I15": 0}, {"I11": 0})
    assert {one.status for one in found.values()} == {Status.PASS}
    assert found["invariants that hold"].actual == "3 of 3"


@pytest.mark.parametrize(
    ("now", "recorded", "status"),
    [
        ({"I11": 2, "I12": 0}, {"I11": 2, "I12": 0}, Status.PASS),
        ({"I11": 3, "I12": 0}, {"I11": 2, "I12": 0}, Status.WARN),  # the same set, other rows
        ({"I11": 2, "I12": 1}, {"I11": 2, "I12": 0}, Status.FAIL),
        ({"I11": 0, "I12": 0}, {"I11": 2, "I12": 0}, Status.FAIL),  # mended by nobody
        ({"I11": 2}, {"I11": 2, "I12": 0}, Status.FAIL),  # could not be asked any more
        ({"I11": 2, "I12": 0}, {"I11": 2}, Status.PASS),  # an invariant younger than the backup
        ({"I11": 2, "I12": 1}, {"I11": 2}, Status.WARN),  # the same, broken: nobody knows whether it was so then
        ({"I11": 2}, {}, Status.NOT_APPLICABLE),
        ({"I11": 2}, None, Status.NOT_APPLICABLE),
    ],
)
def test_the_failing_set_must_be_that_of_the_backup(
    now: dict[str, int], recorded: dict[str, int] | None, status: Status
) -> None:
    assert judged(measured(**now), recorded)["invariants as at backup time"].status is status


def test_what_could_not_be_asked_is_unknown_and_not_fixed() -> None:
    answer = measured(("I12",), I11=0)
    found = judged(answer, {"I11": 0, "I12": 1}, {"I12": 1.0})
    assert found["could not ask: I12: a title copy"].status is Status.UNKNOWN
    assert integrity.since(answer, {"I12": 1.0}).fixed == ()


def test_nothing_measured_is_unknown() -> None:
    (one,) = judged(Answer()).values()
    assert one.status is Status.UNKNOWN


def test_new_still_and_fixed_since_the_last_drill() -> None:
    answer = measured(I11=1, I12=4, I15=0)
    found = integrity.since(answer, {"I12": 1.0, "I15": 2.0, "I11": 0.0})
    assert (found.newly_broken, found.still_broken, found.fixed) == (("I11",), ("I12",), ("I15",))
    told = judged(answer, None, {"I12": 1.0, "I15": 2.0})
    assert "newly broken since the last drill" in told["invariant I11"].message
    assert "broken in the last drill too" in told["invariant I12"].message
    assert told["since the last drill"].status is Status.WARN
    assert judged(answer)["since the last drill"].status is Status.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("count", "days", "status"),
    [
        (3, 0, Status.WARN),  # as many as accepted, on the last day
        (4, 0, Status.FAIL),
        (3, 1, Status.FAIL),
        (1, -9, Status.WARN),
    ],
)
def test_an_accepted_exception_holds_to_its_number_and_its_day(count: int, days: int, status: Status) -> None:
    until = AT.date()
    given = Accepted(invariant="I11", at_most=3, reason="migration of spring", approved_by="R. Roe", until=until)
    one = judged(measured(I11=count), accepted=(given,), at=AT + timedelta(days=days))["invariant I11"]
    assert one.status is status
    assert "by R. Roe: migration of spring" in one.message
    assert str(until) in one.expected


def test_a_count_at_the_bound_says_at_least() -> None:
    assert judged(measured(I11=100_000))["invariant I11"].actual == "at least 100,000"
    assert judged(measured(I11=99_999))["invariant I11"].actual == "99,999"
