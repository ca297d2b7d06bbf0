"""The signed link on a real ledger: whoever uses it takes the incident, once; and what a browser may send us."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from clo_ops.escalation.desk import Desk
from clo_ops.escalation.sighting import Sighting
from clo_ops.findings import Severity
from clo_ops.ledger import Ledger
from clo_ops.orchestration.links import LinkRefused, Taking, sign, verify
from clo_ops.policy import load_policy

KEY = b"k" * 32
NOW = datetime(2026, 7, 6, 8, 0, tzinfo=UTC)
# Airflow's own API imports what its makers have deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")


@pytest.fixture
def desk(ledger: Ledger) -> Desk:
    return Desk(ledger, load_policy())


@pytest.fixture
def taking(desk: Desk) -> Taking:
    one = desk.detect(Sighting("disk", Severity.P1, "Disk", "AL-03", NOW, "99", "90"))
    return Taking(one.id, ("system_administrator", "it_manager"), NOW + timedelta(hours=24))


def test_a_link_takes_once_and_stays_used_whoever_holds_the_incident(desk: Desk, taking: Taking) -> None:
    from clo_ops.web.app import _take_once

    assert _take_once(desk, taking, "system_administrator", NOW) == "System Administrator on duty"
    desk.ledger.expire_acknowledgement(taking.incident, NOW + timedelta(hours=1))
    with pytest.raises(LinkRefused, match="was used"):
        _take_once(desk, taking, "it_manager", NOW + timedelta(hours=2))
    assert desk.ledger.incident(taking.incident).acknowledged_at is None


def test_who_comes_second_is_told_who_has_it(desk: Desk, taking: Taking) -> None:
    from clo_ops.web.app import _take_once

    desk.acknowledge(taking.incident, "ada", NOW)
    assert _take_once(desk, taking, "it_manager", NOW) == "ada"


def test_it_takes_for_somebody_the_message_went_to_who_says_so(taking: Taking) -> None:
    from fastapi import HTTPException

    from clo_ops.web.app import _one_of

    assert _one_of(taking, "it_manager") == "it_manager"
    for nobody in ("", "it_director", "it_manager,system_administrator"):
        with pytest.raises(HTTPException) as refused:
            _one_of(taking, nobody)
        assert refused.value.status_code == 422
    assert _one_of(replace(taking, people=("it_manager",)), "") == "it_manager"


def test_the_token_of_another_incident_or_person_is_another_token(taking: Taking) -> None:
    token = sign(taking, KEY)
    assert verify(token, KEY, NOW) == taking
    body = sign(Taking(taking.incident + 1, taking.people, taking.expires), KEY).partition(".")[0]
    for forged in (f"{body}.{token.partition('.')[2]}", token[:-1], token + "A", "", ".", "a.b"):
        with pytest.raises(LinkRefused):
            verify(forged, KEY, NOW)
    with pytest.raises(LinkRefused):
        verify(token, b"other key", NOW)
    assert verify(token, KEY, taking.expires) == taking
    with pytest.raises(LinkRefused, match="was good until"):
        verify(token, KEY, taking.expires + timedelta(seconds=1))


@pytest.mark.parametrize(
    ("sent", "allowed"),
    [
        ({"origin": "http://airflow.test:8080", "host": "airflow.test:8080"}, True),
        ({"referer": "http://airflow.test:8080/clo-ops/incidents/1", "host": "airflow.test:8080"}, True),
        ({"authorization": "Bearer x", "host": "airflow.test:8080"}, True),
        ({"origin": "https://evil.test", "host": "airflow.test:8080"}, False),
        ({"origin": "http://airflow.test:8080.evil.test", "host": "airflow.test:8080"}, False),
        ({"origin": "null", "host": "airflow.test:8080"}, False),
        ({"host": "airflow.test:8080"}, False),
        ({"origin": "https://evil.test", "referer": "http://airflow.test:8080/", "host": "airflow.test:8080"}, False),
    ],
)
def test_only_our_own_pages_forms_are_taken(sent: dict[str, str], *, allowed: bool) -> None:
    from fastapi import HTTPException

    from clo_ops.web.access import same_origin

    request: Any = SimpleNamespace(headers=sent)
    if allowed:
        same_origin(request)
    else:
        with pytest.raises(HTTPException) as refused:
            same_origin(request)
        assert refused.value.status_code == 403
