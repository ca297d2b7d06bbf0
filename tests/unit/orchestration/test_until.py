"""What a question waits for: no trigger fires at once, and an answer given to a try that died is found."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from clo_ops.orchestration import until
from clo_ops.orchestration.until import NOBODY, SETTLED, Answered, Until

EVER = (datetime.now(UTC) + timedelta(days=1)).isoformat()


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long a trigger slept before it said something."""
    naps: list[float] = []

    async def sleep(seconds: float) -> None:
        naps.append(seconds)

    monkeypatch.setattr(until.asyncio, "sleep", sleep)
    return naps


def fired(trigger: Any) -> Any:
    async def first() -> Any:
        return (await anext(trigger.run())).payload

    return asyncio.run(first())


def incident(number: int, *, open_: bool = True) -> Any:
    return SimpleNamespace(id=number, open=open_, acknowledged_at=None, mitigated_at=None, closed_at=None)


@pytest.mark.parametrize(
    ("mine", "said"), [(incident(1), NOBODY), (incident(2, open_=False), SETTLED), (None, SETTLED)]
)
def test_the_run_s_incident_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, slept: list[float], mine: Any, said: str
) -> None:
    """One that is open, one that is over, and one that is in the hands of another run."""
    monkeypatch.setattr(until.SHARED, "incident_of_run", lambda _: mine)
    gone = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    assert fired(Until("run", "over", gone)) == {"clo_ops": said}
    assert slept, "resumed at once, Airflow may take the try for one that was killed"


def test_what_a_trigger_is_made_of_comes_back_as_it_was() -> None:
    for one in (Until("run", "over", EVER, str(uuid4())), Until("run", "stable", EVER), Answered(str(uuid4()))):
        path, facts = one.serialize()
        assert path == f"{type(one).__module__}.{type(one).__name__}"
        assert type(one)(**facts).serialize() == (path, facts)


def detail(*, chosen: list[str] | None) -> Any:
    user = SimpleNamespace(id="7", name="ada")
    at = datetime(2026, 7, 6, tzinfo=UTC)
    return SimpleNamespace(
        response_received=chosen is not None,
        chosen_options=chosen,
        params_input={"note": "x"},
        responded_at=at,
        responded_by_user=user,
    )


def test_an_answer_given_before_is_found_as_airflow_hands_it_over(
    monkeypatch: pytest.MonkeyPatch, slept: list[float]
) -> None:
    monkeypatch.setattr(until, "get_hitl_detail_content_detail", lambda ti_id: detail(chosen=["I take it"]))
    answer = fired(Answered(str(uuid4())))["answer"]
    assert (answer["chosen_options"], answer["params_input"]) == (["I take it"], {"note": "x"})
    assert answer["responded_by_user"] == {"id": "7", "name": "ada"}
    assert len(slept) == 1


def test_an_answer_given_between_the_question_and_the_wait_is_not_left_lying(
    monkeypatch: pytest.MonkeyPatch, slept: list[float]
) -> None:
    """Airflow resumes only who already waits."""
    said: list[Any] = [OSError("away"), detail(chosen=["Service restored"])]

    def ask(ti_id: Any) -> Any:
        one = said.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    monkeypatch.setattr(until.SHARED, "incident_of_run", lambda _: incident(1))
    monkeypatch.setattr(until, "get_hitl_detail_content_detail", ask)
    event = fired(Until("run", "over", EVER, str(uuid4())))
    assert event["answer"]["chosen_options"] == ["Service restored"]
    assert len(slept) == 2


def test_whether_somebody_answered_before_is_looked_for_once(
    monkeypatch: pytest.MonkeyPatch, slept: list[float]
) -> None:
    asked = list[Any]()
    monkeypatch.setattr(until.SHARED, "incident_of_run", lambda _: incident(1, open_=len(slept) < 3))
    monkeypatch.setattr(
        until, "get_hitl_detail_content_detail", lambda ti_id: asked.append(ti_id) or detail(chosen=None)
    )
    assert fired(Until("run", "over", EVER, str(uuid4()))) == {"clo_ops": SETTLED}
    assert (len(asked), len(slept)) == (1, 3)


def test_nobody_answered_or_nobody_was_asked_is_no_answer(monkeypatch: pytest.MonkeyPatch, slept: list[float]) -> None:
    from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
    from airflow.sdk.execution_time.comms import ErrorResponse

    said: list[Any] = [detail(chosen=None), AirflowRuntimeError(_error(ErrorResponse, ErrorType, 404))]

    def ask(ti_id: Any) -> Any:
        one = said.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    monkeypatch.setattr(until, "get_hitl_detail_content_detail", ask)
    assert [fired(Answered(str(uuid4())))["answer"] for _ in range(2)] == [None, None]


def test_an_api_server_that_is_away_is_asked_again(monkeypatch: pytest.MonkeyPatch, slept: list[float]) -> None:
    said: list[Any] = [OSError("away"), OSError("away"), detail(chosen=["Resolved"])]

    def ask(ti_id: Any) -> Any:
        one = said.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    monkeypatch.setattr(until, "get_hitl_detail_content_detail", ask)
    assert fired(Answered(str(uuid4())))["answer"]["chosen_options"] == ["Resolved"]
    assert len(slept) == 3


def _error(response: Any, kind: Any, status: int) -> Any:
    return response(error=kind.API_SERVER_ERROR, detail={"status_code": status, "message": "not found"})
