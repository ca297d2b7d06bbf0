"""The signed link: whose, until when, and worthless once changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.orchestration.links import AirflowLinks, LinkRefused, Taking, secret, sign, verify
from clo_ops.policy import load_policy

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
TAKING = Taking(17, ("system_administrator", "it_manager"), NOW + timedelta(hours=24))
KEY = b"k" * 32


def test_a_link_stands_for_its_readers_and_one_incident():
    assert verify(sign(TAKING, KEY), KEY, NOW) == TAKING


def test_it_is_good_until_it_expires_and_not_a_second_longer():
    token = sign(TAKING, KEY)
    assert verify(token, KEY, TAKING.expires)
    with pytest.raises(LinkRefused, match="good until 2026-11-24 08:00"):
        verify(token, KEY, TAKING.expires + timedelta(seconds=1))


@pytest.mark.parametrize("place", range(0, 80, 3))
def test_a_changed_character_is_refused(place):
    token = sign(TAKING, KEY)
    place %= len(token)
    other = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
    with pytest.raises(LinkRefused):
        verify(other, KEY, NOW)


@pytest.mark.parametrize("token", ["", ".", "a.b", "é.é", "x" * 10000])
def test_what_is_no_token_is_refused(token):
    with pytest.raises(LinkRefused):
        verify(token, KEY, NOW)


def test_another_key_and_no_key_are_refused():
    with pytest.raises(LinkRefused):
        verify(sign(TAKING, KEY), b"other", NOW)
    with pytest.raises(LinkRefused):
        verify(sign(TAKING, b""), b"", NOW)


def test_the_link_leads_to_this_airflow(monkeypatch):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.test/")
    monkeypatch.setenv("CLO_OPS_LINK_SECRET", "one")
    links = AirflowLinks(load_policy())
    link = links.acknowledge(17, ["it_manager"], NOW)
    assert link.startswith("https://airflow.test/clo-ops/take/")
    assert verify(link.rpartition("/")[2], secret(), NOW).people == ("it_manager",)
    assert links.incident(17) == "https://airflow.test/clo-ops/incidents/17"
    monkeypatch.setenv("CLO_OPS_LINK_SECRET", "two")
    with pytest.raises(LinkRefused):
        verify(link.rpartition("/")[2], secret(), NOW)
