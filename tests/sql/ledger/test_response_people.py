"""What a person chose in Required Actions, and what the question says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clo_ops.escalation.desk import Desk
from clo_ops.escalation.sighting import Sighting
from clo_ops.findings import CouldNotCheck, Severity
from clo_ops.ledger import Ledger
from clo_ops.orchestration import response_tasks as tasks
from clo_ops.orchestration.run import Run
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
def mine(run: Run, now: datetime) -> int:
    """The incident in the hands of the run; there is a second one, in those of another."""
    desk = Desk(run.ledger, POLICY)
    seen = [Sighting(cause, Severity.P2, cause, "AL-03", now, "99", "90") for cause in ("disk a", "disk b")]
    first, second = (desk.detect(one).id for one in seen)
    run.ledger.set_incident_run(second, "asset_triggered__other")
    return run.ledger.set_incident_run(first, RUN).id


def answer(option: str, by: str = "ada", minute: int = 0, **said: Any) -> dict[str, Any]:
    """As Airflow hands it over."""
    at = datetime(2026, 7, 6, 8, minute, tzinfo=UTC)
    who = {"id": by, "name": by}
    return {"chosen_options": [option], "params_input": said, "responded_at": at, "responded_by_user": who}


def test_an_answer_is_about_the_run_s_own_incident_only(run: Run, mine: int, now: datetime) -> None:
    assert tasks.act(run, "taken", answer(tasks.TAKE, note="", severity="unchanged"))
    assert {one.id: one.acknowledged_by for one in run.ledger.open_incidents(now)} == {mine: "ada", mine + 1: ""}


def test_an_answer_found_again_after_its_try_died_is_acted_on_once(run: Run, mine: int, now: datetime) -> None:
    taken = answer(tasks.TAKE, note="looking", severity="unchanged")
    assert tasks.act(run, "taken", taken)
    run.ledger.expire_acknowledgement(mine, now)
    assert not tasks.act(run, "taken", taken), "said once, and it has expired since"
    assert run.ledger.incident(mine).acknowledged_at is None
    assert [one.detail for one in run.ledger.timeline(mine) if one.kind == "noted"] == ["looking"]
    assert tasks.act(run, "taken", answer(tasks.TAKE, minute=1)), "said again"
    assert run.ledger.incident(mine).acknowledged_by == "ada"


def test_an_answer_that_could_not_be_acted_on_leaves_no_trace(run: Run, mine: int) -> None:
    with pytest.raises(KeyError), run.ledger.transaction():
        tasks.act(run, "restored", answer(tasks.RESTORED))
        raise KeyError("killed here")
    assert tasks.act(run, "restored", answer(tasks.RESTORED))
    assert run.ledger.incident(mine).mitigated_at


def test_what_another_run_has_taken_over_is_left_as_it_is(run: Run, mine: int) -> None:
    run.ledger.set_incident_run(mine, "manual__2")
    assert tasks.act(run, "taken", answer(tasks.TAKE))
    assert run.ledger.incident(mine).acknowledged_at is None


def test_a_new_severity_needs_its_reason(run: Run, mine: int) -> None:
    tasks.act(run, "taken", answer(tasks.TAKE, note=" ", severity="P3"))
    assert run.ledger.incident(mine).severity is Severity.P2
    assert "asked for severity P3 without a reason" in [one.detail for one in run.ledger.timeline(mine)][-2]
    tasks.act(run, "taken", answer(tasks.TAKE, minute=1, note="one user only", severity="P3"))
    assert run.ledger.incident(mine).severity is Severity.P3


def test_restored_stays_open_and_not_an_incident_closes_with_the_note(run: Run, mine: int) -> None:
    def one() -> Any:
        return run.ledger.incident(mine)

    tasks.act(run, "restored", answer(tasks.RESTORED, note="restarted"))
    assert one().open
    assert one().mitigated_at
    tasks.act(run, "over", answer(tasks.NOTHING, note="a test of ours"))
    assert one().close_reason == "Not an incident: a test of ours"
    tasks.act(run, "over", answer(tasks.RESOLVED, "bob"))
    assert one().closed_by == "ada", "what is over is left as it is"


def test_what_came_from_outside_is_no_markup_in_the_question(run: Run, now: datetime) -> None:
    desk = Desk(run.ledger, POLICY)
    title = "![x](http://evil.test/y) <b>**bold**"
    one = desk.detect(Sighting("markup", Severity.P2, title, "AL-03", now, "[click](javascript:1)", "90"))
    told = tasks._story(desk.story(one), one, "https://airflow.test/clo-ops/incidents/1")
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
