"""M3-06: each smoke check good, bad and not made; isolation comes first."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from clo_ops.findings import Answer, Measurement, Severity, Status, Unanswered
from clo_ops.policy import load_policy
from clo_ops.rules import application

AT = datetime(2026, 11, 23, tzinfo=UTC)
FIGURES = load_policy(mode="demo").recovery.application
CHECKS = FIGURES.checks


def flag(name: str, good: int, detail: str = "seen", **labels: str) -> Measurement:
    return Measurement(name, good, "bool", AT, labels, detail)


def answer(isolated: int | None = 1, started: int | None = 1, without: str = "", bad: str = "") -> Answer:
    found = [] if isolated is None else [flag("application.isolated", isolated)]
    found += [] if started is None else [flag("application.started", started)]
    found += [flag("application.check", name != bad, check=name) for name in CHECKS if name != without and started]
    return Answer.of(found)


def judged(given: Answer) -> dict[str, Status]:
    return {one.name: one.status for one in application.judge(given, FIGURES, at=AT)}


def test_all_good_is_green():
    assert set(judged(answer()).values()) == {Status.PASS}
    assert len(judged(answer())) == 2 + len(CHECKS)


@pytest.mark.parametrize("name", CHECKS)
def test_each_check_bad_is_red_and_not_made_is_unknown(name):
    assert judged(answer(bad=name))[f"application {name}"] is Status.FAIL
    assert judged(answer(without=name))[f"application {name}"] is Status.UNKNOWN


def test_a_check_that_could_not_be_made_is_told_once():
    asked = Answer((), (Unanswered("application login", "http://10.0.0.2", "smoke check login", "timeout", AT),))
    found = judged(answer(without="login") + asked)
    assert found["could not ask: application login"] is Status.UNKNOWN
    assert "application login" not in found


def test_an_application_that_did_not_start_is_said_once():
    assert judged(answer(started=0)) == {"application isolated": Status.PASS, "application started": Status.FAIL}
    assert judged(answer(started=None))["application started"] is Status.UNKNOWN


def test_a_way_out_is_the_worst_that_can_be_and_a_local_place_only_warns():
    (finding,) = application.judge(answer(isolated=0, started=None), FIGURES, at=AT)
    assert (finding.status, finding.severity) == (Status.FAIL, Severity.P1)
    local = Answer((flag("application.isolated", 0, "weaker", place="local"),)) + answer(isolated=None)
    assert judged(local)["application isolated"] is Status.WARN
    assert judged(answer(isolated=None))["application isolated"] is Status.UNKNOWN
