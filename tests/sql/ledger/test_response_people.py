"""What a person chose in Required Actions, what a form describes, and which incidents an event stands for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clo_ops.escalation.desk import Desk
from clo_ops.escalation.sighting import Sighting
from clo_ops.findings import ConfigurationError, CouldNotCheck, Severity
from clo_ops.ledger import Ledger
from clo_ops.ledger.errors import LedgerConflict
from clo_ops.orchestration import response_tasks as tasks
from clo_ops.orchestration import taking_up
from clo_ops.orchestration.response import without_a_run
from clo_ops.orchestration.run import Run
from clo_ops.orchestration.watch_trigger import Standing
from clo_ops.policy import load_policy

POLICY = load_policy()
RUN = "manual__1"


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def run(ledger: Ledger, tmp_path: Path, now: datetime) -> Run:
    key = ledger.open_run("incident_response", RUN, now, "policy", "manual")
    nobody: Any = None
    return Run("incident_response", RUN, "task", now, POLICY, nobody, ledger, key)


@pytest.fixture
def two(run: Run, now: datetime) -> list[int]:
    """Two incidents in the hands of one run."""
    desk = Desk(run.ledger, POLICY)
    seen = [Sighting(cause, Severity.P2, cause, "AL-03", now, "99", "90") for cause in ("disk a", "disk b")]
    numbers = [desk.detect(one).id for one in seen]
    for number in numbers:
        run.ledger.set_incident_run(number, RUN)
    return numbers


def rows(run: Run) -> list[Any]:
    return run.ledger.incidents_of_run(RUN)


def event(**payload: Any) -> Any:
    return SimpleNamespace(extra={"from_trigger": True, "payload": payload})


def test_several_events_are_one_run_of_several_incidents_each_once() -> None:
    events = {"asset": [event(incident=3, cause="a"), event(incident=5, cause="b"), event(incident=3, cause="a")]}
    assert taking_up._of_events({"triggering_asset_events": events}) == [3, 5]
    assert taking_up._of_events({"triggering_asset_events": {}}) == []
    assert taking_up._of_events({}) == []


def test_an_event_that_comes_twice_takes_nothing_from_the_run_that_has_it(
    run: Run, two: list[int], now: datetime
) -> None:
    run.ledger.set_incident_run(two[0], "asset_triggered__first")
    assert taking_up._to_be_taken_up(run, two, now) == [two[1]]


def test_what_is_too_much_for_one_run_is_left_for_the_next(
    run: Run, two: list[int], now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking_up, "AT_ONCE", 1)
    assert taking_up._to_be_taken_up(run, two, now) == two[:1]


def test_an_event_that_was_lost_costs_its_incident_no_run(run: Run, two: list[int], now: datetime) -> None:
    desk = Desk(run.ledger, POLICY)
    lost, over = (desk.detect(Sighting(cause, Severity.P2, cause, "AL-03", now, "9", "8")).id for cause in "ab")
    desk.resolve(over, "ada", "nothing", now)
    assert taking_up._to_be_taken_up(run, [two[0]], now) == [two[0], lost]


def test_the_watch_announces_each_incident_without_a_run_once(run: Run, two: list[int], now: datetime) -> None:
    """Whoever opened it: a red run's is not the watch's own."""
    late = Desk(run.ledger, POLICY).detect(Sighting("failed:x", Severity.P2, "x failed", "DM-01", now, "red", "green"))
    standing = Standing()
    assert standing.unattended(now) == [], "before its first look it has no ledger"
    standing._watch = SimpleNamespace(ledger=run.ledger)  # type: ignore[assignment]
    assert [one.id for one in standing.unattended(now)] == [late.id], "the two have their run"
    again = now + POLICY.alerting.watch.silent_for
    assert standing.unattended(again - timedelta(seconds=1)) == []
    assert [one.id for one in standing.unattended(again)] == [late.id], "its event was lost"


def test_a_red_run_of_this_dag_is_told_and_starts_no_further_run(run: Run, two: list[int], now: datetime) -> None:
    desk = Desk(run.ledger, POLICY)
    for cause in ("failed:incident_response", "late:incident_response:x", "failed:incident_response_of_others"):
        desk.detect(Sighting(cause, Severity.P2, cause, "IR-07", now, "red", "green"))
    assert [one.cause for one in without_a_run(run.ledger, now)] == ["failed:incident_response_of_others"]


def test_a_form_describes_a_new_incident_or_names_one_there_is(run: Run, now: datetime) -> None:
    desk = Desk(run.ledger, POLICY)
    described = replace(run, params={"title": " The site is down ", "severity": "P1", "seen": "by telephone"})
    (number,) = taking_up._of_form(described, desk, now)
    row = run.ledger.incident(number)
    assert (row.title, row.severity) == ("The site is down", Severity.P1)
    assert taking_up._of_form(described, desk, now) == [number], "a task tried again opens no second one"
    assert taking_up._of_form(replace(run, params={"incident": number}), desk, now) == [number]
    with pytest.raises(LedgerConflict, match="no incident 999"):
        taking_up._of_form(replace(run, params={"incident": 999}), desk, now)


def test_an_empty_form_is_refused(run: Run, now: datetime) -> None:
    with pytest.raises(ConfigurationError, match="names no incident and describes none"):
        taking_up._of_form(replace(run, params={"title": "  "}), Desk(run.ledger, POLICY), now)


def answer(option: str, by: str = "ada", minute: int = 0, **said: Any) -> dict[str, Any]:
    """As Airflow hands it over."""
    at = datetime(2026, 7, 6, 8, minute, tzinfo=UTC)
    who = {"id": by, "name": by}
    return {"chosen_options": [option], "params_input": said, "responded_at": at, "responded_by_user": who}


def test_an_answer_is_about_its_own_incident_only(run: Run, two: list[int]) -> None:
    assert tasks.act(run, two[1], "taken", answer(tasks.TAKE, note="", severity="unchanged"))
    assert [one.acknowledged_by for one in rows(run)] == ["", "ada"]


def test_an_answer_found_again_after_its_try_died_is_acted_on_once(run: Run, two: list[int], now: datetime) -> None:
    taken = answer(tasks.TAKE, note="looking", severity="unchanged")
    assert tasks.act(run, two[0], "taken", taken)
    run.ledger.expire_acknowledgement(two[0], now)
    assert not tasks.act(run, two[0], "taken", taken), "said once, and it has expired since"
    assert run.ledger.incident(two[0]).acknowledged_at is None
    assert [one.detail for one in run.ledger.timeline(two[0]) if one.kind == "noted"] == ["looking"]
    assert tasks.act(run, two[0], "taken", answer(tasks.TAKE, minute=1)), "said again"
    assert run.ledger.incident(two[0]).acknowledged_by == "ada"


def test_an_answer_that_could_not_be_acted_on_leaves_no_trace(run: Run, two: list[int]) -> None:
    with pytest.raises(KeyError), run.ledger.transaction():
        tasks.act(run, two[0], "restored", answer(tasks.RESTORED))
        raise KeyError("killed here")
    assert tasks.act(run, two[0], "restored", answer(tasks.RESTORED))
    assert run.ledger.incident(two[0]).mitigated_at


def test_what_another_run_has_taken_over_is_left_as_it_is(run: Run, two: list[int]) -> None:
    run.ledger.set_incident_run(two[0], "manual__2")
    tasks.act(run, two[0], "taken", answer(tasks.TAKE))
    assert run.ledger.incident(two[0]).acknowledged_at is None


def test_a_new_severity_needs_its_reason(run: Run, two: list[int]) -> None:
    tasks.act(run, two[0], "taken", answer(tasks.TAKE, note=" ", severity="P3"))
    assert run.ledger.incident(two[0]).severity is Severity.P2
    assert "asked for severity P3 without a reason" in [one.detail for one in run.ledger.timeline(two[0])][-2]
    tasks.act(run, two[0], "taken", answer(tasks.TAKE, minute=1, note="one user only", severity="P3"))
    assert run.ledger.incident(two[0]).severity is Severity.P3


def test_restored_stays_open_and_not_an_incident_closes_with_the_note(run: Run, two: list[int]) -> None:
    def one() -> Any:
        return run.ledger.incident(two[0])

    tasks.act(run, two[0], "restored", answer(tasks.RESTORED, note="restarted"))
    assert one().open
    assert one().mitigated_at
    tasks.act(run, two[0], "over", answer(tasks.NOTHING, note="a test of ours"))
    assert one().close_reason == "Not an incident: a test of ours"
    tasks.act(run, two[0], "over", answer(tasks.RESOLVED, "bob"))
    assert one().closed_by == "ada", "what is over is left as it is"


def test_what_came_from_outside_is_no_markup_in_the_question(run: Run, now: datetime) -> None:
    desk = Desk(run.ledger, POLICY)
    title = "![x](http://evil.test/y) <b>**bold**"
    one = desk.detect(Sighting("markup", Severity.P2, title, "AL-03", now, "[click](javascript:1)", "90"))
    told = tasks._story(run, one, "https://airflow.test/clo-ops/incidents/1")
    assert "\\!\\[x\\]\\(http://evil.test/y\\) \\<b\\>\\*\\*bold" in told
    assert "](javascript" not in told


def test_an_answer_is_acted_on_once_the_ledger_is_back() -> None:
    away = [CouldNotCheck("the ledger is away")] * (tasks.ACT_TRIES - 1)

    def act() -> bool:
        if away:
            raise away.pop()
        return True

    assert tasks._until_done(act, timedelta(0))
    assert away == []
    away += [CouldNotCheck("the ledger is away")] * (tasks.ACT_TRIES + 1)
    with pytest.raises(CouldNotCheck):
        tasks._until_done(act, timedelta(0))
