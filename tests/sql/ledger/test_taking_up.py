"""One run, one incident: which one a run takes up, which runs it starts, and that no incident is lost on the way.

The task is carried out as Airflow does, on a real ledger; only Airflow's API server, which starts runs, is a list here.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import DownstreamTasksSkipped

from clo_ops.escalation.desk import Desk
from clo_ops.escalation.sighting import Sighting
from clo_ops.findings import ConfigurationError, Severity, Status
from clo_ops.ledger import Ledger
from clo_ops.ledger.errors import LedgerConflict
from clo_ops.orchestration import taking_up
from clo_ops.orchestration.coverage import pages
from clo_ops.orchestration.response import without_a_run
from clo_ops.orchestration.watch_trigger import Standing
from clo_ops.policy import load_policy

POLICY = load_policy()
DAG = "incident_response"
EVENT, STARTED, HAND = "asset_triggered", "operator_triggered", "manual"


@dataclass
class Airflow:
    """Carries the task out and starts a run once, as the API server does."""

    ledger: Ledger
    task: Any
    runs: dict[str, Any] = field(default_factory=dict)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def start(self, dag_id: str, run_id: str, conf: Any) -> bool:
        new = run_id not in self.runs
        self.runs.setdefault(run_id, conf)
        return new

    def take_up(self, run_id: str, kind: str = EVENT, *told_of: int, **params: Any) -> Any:
        return self.task.execute(self.context(run_id, kind, told_of, params))

    def context(self, run_id: str, kind: str, told_of: tuple[int, ...], params: Any) -> dict[str, Any]:
        of = {"run_type": kind, "logical_date": None, "run_after": self.at, "conf": {}}
        dag_run = SimpleNamespace(dag_id=DAG, run_id=run_id, **of)
        told = SimpleNamespace(extra={"from_trigger": True, "payload": {"incidents": list(told_of)}})
        events = {"asset": [told]} if kind == EVENT else {}
        ti = SimpleNamespace(try_number=1)
        known = {"dag_run": dag_run, "ti": ti, "task": self.task, "params": params}
        return {**known, "triggering_asset_events": events}

    def of(self, run_id: str) -> int | None:
        one = self.ledger.incident_of_run(run_id)
        return one.id if one else None


@pytest.fixture(scope="session")
def task() -> Any:
    (dag,) = pages(only=DAG)
    return dag.get_task("incident_taken_up")


@pytest.fixture
def airflow(ledger: Ledger, url: str, task: Any, server: Any, monkeypatch: pytest.MonkeyPatch) -> Airflow:
    monkeypatch.setenv("AIRFLOW_CONN_CLO_LEDGER", url)
    monkeypatch.setenv(
        "AIRFLOW_CONN_CLO_SMTP", f"smtp://127.0.0.1:{server.port}/?tls=none&from_email=clo-ops%40clo.test"
    )
    made = Airflow(ledger, task)
    monkeypatch.setattr(taking_up, "start_run", made.start)
    return made


@pytest.fixture
def see(ledger: Ledger) -> Callable[..., int]:
    """Opens an incident; its number."""

    def seen(cause: str, severity: Severity = Severity.P3, ago: timedelta = timedelta(0)) -> int:
        at = datetime.now(UTC) - ago
        return Desk(ledger, POLICY).detect(Sighting(cause, severity, cause, "AL-03", at, "99", "90")).id

    return seen


def waiting(ledger: Ledger) -> list[int]:
    return [one.id for one in without_a_run(ledger, datetime.now(UTC))]


def test_the_most_severe_is_taken_up_and_each_other_gets_a_run_of_its_own(airflow: Airflow, see: Any) -> None:
    late, early = see("disk"), see("cpu", ago=timedelta(minutes=5))
    worst = see("site", Severity.P1)
    assert airflow.take_up("event-1", EVENT, late, worst, early) == worst
    assert [one["incident"] for one in airflow.runs.values()] == [early, late], "the older one first"
    assert waiting(airflow.ledger) == [early, late], "each is taken up by its own run"
    for run_id, conf in list(airflow.runs.items()):
        assert run_id.startswith(f"incident-{conf['incident']}-")
        assert airflow.take_up(run_id, STARTED, **conf) == conf["incident"]
    assert waiting(airflow.ledger) == []
    assert len(airflow.runs) == 2, "who was started starts nobody"


def test_tried_again_it_is_the_same_incident_and_the_same_runs(airflow: Airflow, see: Any) -> None:
    first, second = see("disk"), see("cpu")
    for _ in range(2):
        assert airflow.take_up("event-1", EVENT, first, second) == first
        assert [one["incident"] for one in airflow.runs.values()] == [second]
    (run_id,) = airflow.runs
    assert [airflow.take_up(run_id, STARTED, incident=second) for _ in range(2)] == [second] * 2


def test_killed_before_it_could_start_the_others_nothing_is_lost(
    airflow: Airflow, see: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL in that very moment: what it took up it has; the next try, or the watch, sees to the other."""
    first, second = see("disk"), see("cpu")
    kill_here(airflow, first, second)
    assert (airflow.of("event-1"), waiting(airflow.ledger)) == (first, [second])
    standing = Standing()
    standing._watch = SimpleNamespace(ledger=airflow.ledger)  # type: ignore[assignment]
    assert [one.id for one in standing.unattended(datetime.now(UTC))] == [second], "the watch announces it"
    assert airflow.take_up("event-1", EVENT, first, second) == first
    assert [one["incident"] for one in airflow.runs.values()] == [second], "and so does the next try start it"


def kill_here(airflow: Airflow, *told_of: int) -> None:
    child = os.fork()
    if child == 0:
        taking_up.start_run = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment]
        try:
            airflow.ledger.engine.dispose(close=False)
            airflow.take_up("event-1", EVENT, *told_of)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "it was to be killed while it starts a run"


def test_a_run_that_cannot_be_started_does_not_hold_up_the_first(
    airflow: Airflow, see: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> bool:
        raise OSError("the API server is away")

    monkeypatch.setattr(taking_up, "start_run", away)
    first, second = see("disk"), see("cpu")
    assert airflow.take_up("event-1", EVENT, first, second) == first
    assert waiting(airflow.ledger) == [second]


def test_an_incident_that_somebody_holds_does_not_hold_up_the_run_of_another(airflow: Airflow, see: Any) -> None:
    held, mine, done = see("disk"), see("cpu"), list[int]()
    with airflow.ledger.transaction():
        airflow.ledger.held_incident(held)
        thread = threading.Thread(target=lambda: done.append(airflow.take_up("event-1", EVENT, mine)))
        thread.start()
        thread.join()
    assert done == [mine]


def test_a_run_killed_before_it_took_up_its_own_is_made_up_for_by_the_next_event(airflow: Airflow, see: Any) -> None:
    """Its run is there and did nothing: it is not started again, so the run of the event takes the incident itself."""
    first, second = see("disk"), see("cpu")
    airflow.take_up("event-1", EVENT, first, second)
    assert airflow.take_up("event-2", EVENT, second) == second


def test_an_event_that_was_lost_costs_its_incident_no_run(airflow: Airflow, see: Any) -> None:
    first, lost, over = see("disk"), see("cpu"), see("ram")
    Desk(airflow.ledger, POLICY).resolve(over, "ada", "nothing", datetime.now(UTC))
    airflow.take_up("event-1", EVENT, first)
    assert airflow.take_up("event-2", EVENT, first) == lost


def test_what_cleared_before_its_run_came_is_judged_all_the_same(airflow: Airflow, see: Any) -> None:
    over = see("disk")
    Desk(airflow.ledger, POLICY).clear("disk", datetime.now(UTC), "gone")
    assert airflow.take_up("event-1", EVENT, over) == over


def test_a_run_that_finds_none_left_skips_the_rest_and_says_so(airflow: Airflow, see: Any) -> None:
    number = see("disk")
    airflow.take_up("event-1", EVENT, number)
    for run_id, kind, told_of, params in (
        ("event-2", EVENT, (number,), {}),
        ("event-3", EVENT, (999,), {}),
        ("incident-1-x", STARTED, (), {"incident": number}),
    ):
        with pytest.raises(DownstreamTasksSkipped) as skipped:
            airflow.take_up(run_id, kind, *told_of, **params)
        assert not {"incident_taken_up", "mail_operations_centre", "summary"} & set(skipped.value.tasks)
        assert {"who_takes_it", "gather", "quiet_since", "reviewed"} <= set(skipped.value.tasks)
        said = on_record(airflow.ledger, run_id)
        assert set(said) == {f"IR-{one:02d}" for one in range(1, 11)}
        assert {one.status for one in said.values()} == {Status.NOT_APPLICABLE}
        assert "no incident is left for this run" in said["IR-01"].message
    assert airflow.of("event-1") == number


def on_record(ledger: Ledger, run_id: str) -> dict[str, Any]:
    (run,) = [one for one in ledger.recent_runs(DAG) if one.run_id == run_id]
    return {one.procedure: one for one in ledger.findings(run.id)}


def test_of_two_runs_that_ask_at_the_same_instant_one_gets_it(ledger: Ledger, url: str, see: Any) -> None:
    numbers = [see(f"cause {number}") for number in range(20)]
    together, got = threading.Barrier(4), dict[str, list[int]]()

    def take_all(run_id: str) -> None:
        with Ledger(url, client_name="clo_ops/test") as mine:
            together.wait()
            got[run_id] = [one for one in numbers if mine.take_up_incident(one, run_id)]

    threads = [threading.Thread(target=take_all, args=(f"run-{number}",)) for number in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(number for mine in got.values() for number in mine) == numbers, "each once, and all"


def test_a_run_by_hand_takes_over_what_another_works_on(airflow: Airflow, see: Any) -> None:
    number = see("disk")
    airflow.take_up("event-1", EVENT, number)
    assert airflow.take_up("manual__1", HAND, incident=number) == number
    assert (airflow.of("event-1"), airflow.of("manual__1")) == (None, number)


def test_a_form_describes_a_new_incident_or_names_one_there_is(airflow: Airflow) -> None:
    described = {"title": " The site is down ", "severity": "P1", "seen": "by telephone"}
    number = airflow.take_up("manual__1", HAND, **described)
    row = airflow.ledger.incident(number)
    assert (row.title, row.severity, row.dag_run) == ("The site is down", Severity.P1, "manual__1")
    assert airflow.take_up("manual__1", HAND, **described) == number, "a task tried again opens no second one"
    with pytest.raises(LedgerConflict, match="no incident 999"):
        airflow.take_up("manual__2", HAND, incident=999)


def test_an_empty_form_is_refused(airflow: Airflow) -> None:
    with pytest.raises(ConfigurationError, match="names no incident and describes none"):
        airflow.take_up("manual__1", HAND, title="  ")


def test_several_events_may_have_become_one_run() -> None:
    def event(*numbers: int) -> Any:
        return SimpleNamespace(extra={"from_trigger": True, "payload": {"incidents": list(numbers)}})

    by_hand = SimpleNamespace(extra={"from_rest_api": True})
    events = {"asset": [event(3, 5), event(3), by_hand, event(8)]}
    assert taking_up._of_events({"triggering_asset_events": events}) == [3, 5, 8]
    assert taking_up._of_events({"triggering_asset_events": {}}) == []
    assert taking_up._of_events({}) == []


def test_the_watch_announces_each_incident_without_a_run_once(ledger: Ledger, see: Any) -> None:
    """Whoever opened it: a red run's is not the watch's own."""
    ledger.set_incident_run(see("disk"), "event-1")
    late, now = see("failed:x"), datetime.now(UTC)
    standing = Standing()
    assert standing.unattended(now) == [], "before its first look it has no ledger"
    standing._watch = SimpleNamespace(ledger=ledger)  # type: ignore[assignment]
    assert [one.id for one in standing.unattended(now)] == [late], "the other one has its run"
    patience, opened = POLICY.alerting.watch.announce_again, ledger.incident(late).opened_at
    again = now + patience
    assert standing.unattended(again - timedelta(seconds=1)) == []
    assert [one.id for one in standing.unattended(again)] == [late], "its event was lost"
    third = again + (again - opened)
    assert standing.unattended(third - timedelta(seconds=1)) == [], "each time after twice the time"
    assert [one.id for one in standing.unattended(third)] == [late]


def test_a_red_run_of_this_dag_is_told_and_starts_no_further_run(ledger: Ledger, see: Any) -> None:
    for cause in ("failed:incident_response", "late:incident_response:x", "failed:incident_response_of_others"):
        number = see(cause)
    assert waiting(ledger) == [number]
