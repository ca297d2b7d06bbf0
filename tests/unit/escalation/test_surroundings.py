"""Connections from the environment, read as Airflow itself reads them; and what the watchdog remembers in its file."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clo_ops.escalation import surroundings
from clo_ops.escalation.watchdog_memory import Memory, recall, remember
from clo_ops.findings import ConfigurationError
from clo_ops.watchdog import _seconds

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
SMTP = {"conn_type": "smtp", "host": "mail.test", "port": 2525, "login": "ops", "password": "p@ss/w:rd%"}
EXTRA = {"tls": "ssl", "from_email": "clo-ops@clo.test"}
WRITTEN = {
    "JSON": json.dumps(SMTP | {"extra": EXTRA}),
    "JSON with its extra as text": json.dumps(SMTP | {"extra": json.dumps(EXTRA)}),
    "URI": "smtp://ops:p%40ss%2Fw%3Ard%25@mail.test:2525/?tls=ssl&from_email=clo-ops%40clo.test",
    "URI with its extra in one": "smtp://ops:p%40ss%2Fw%3Ard%25@mail.test:2525/?__extra__="
    "%7B%22tls%22%3A+%22ssl%22%2C+%22from_email%22%3A+%22clo-ops%40clo.test%22%7D",
}


@pytest.mark.parametrize("form", WRITTEN)
def test_a_connection_in_each_form_airflow_knows(form: str) -> None:
    target = surroundings.smtp({"AIRFLOW_CONN_CLO_SMTP": WRITTEN[form]})
    assert (target.host, target.port, target.user, target.password) == ("mail.test", 2525, "ops", "p@ss/w:rd%")
    assert (target.tls, target.sender) == ("ssl", "clo-ops@clo.test")


@pytest.mark.parametrize("form", WRITTEN)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_it_is_what_airflow_reads(form: str) -> None:
    from airflow.models.connection import Connection

    text = WRITTEN[form]
    theirs = Connection.from_json(text) if text.startswith("{") else Connection(uri=text)
    ours = surroundings.required("clo_smtp", {"AIRFLOW_CONN_CLO_SMTP": text})
    assert (ours.host, ours.port, ours.login, ours.password) == (
        theirs.host,
        theirs.port,
        theirs.login,
        theirs.password,
    )
    assert dict(ours.extra) == theirs.extra_dejson


def test_the_ledger_as_the_compose_file_gives_it() -> None:
    given = {"AIRFLOW_CONN_CLO_LEDGER": "postgresql://clo_ops:se%20cret@ledger-db:5432/clo_ops?sslmode=require"}
    url = surroundings.ledger_url(given)
    assert (url.host, url.database, url.password, url.query["sslmode"]) == (
        "ledger-db",
        "clo_ops",
        "se cret",
        "require",
    )
    assert "se cret" not in str(url)


@pytest.mark.parametrize(
    "text", ["{not json with secret-1", "smtp://ops:secret-1@mail.test:port/", '{"port": "secret-1"}']
)
def test_what_cannot_be_read_is_said_without_its_secret(text: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        surroundings.smtp({"AIRFLOW_CONN_CLO_SMTP": text})
    assert "secret-1" not in str(refused.value)
    assert "AIRFLOW_CONN_CLO_SMTP" in str(refused.value)


def test_a_second_path_is_optional() -> None:
    assert surroundings.second_path_urls("clo_second_path", {}) == ""
    given = {"AIRFLOW_CONN_CLO_SECOND_PATH": '{"conn_type": "generic", "password": "json://a json://b"}'}
    assert surroundings.second_path_urls("clo_second_path", given) == "json://a json://b"


def test_what_is_remembered_comes_back(tmp_path: Path) -> None:
    memory = Memory({"the watch": NOW}, ("the watch",), NOW + timedelta(minutes=1), told=True)
    remember(memory, tmp_path / "new" / "watchdog.json")
    assert recall(tmp_path / "new" / "watchdog.json") == memory


@pytest.mark.parametrize("text", ["", "half a {", "[]", '{"seen": {"the watch": "yesterday"}}', '{"away_since": 3}'])
def test_a_file_that_cannot_be_read_is_a_new_beginning(tmp_path: Path, text: str) -> None:
    (tmp_path / "watchdog.json").write_text(text)
    assert recall(tmp_path / "watchdog.json") == Memory()


def test_a_sign_of_life_never_goes_back_nor_into_the_future() -> None:
    memory = Memory()
    memory.sign("the watch", NOW, NOW)
    memory.sign("the watch", NOW - timedelta(hours=1), NOW)
    memory.sign("the watch", None, NOW)
    assert memory.seen == {"the watch": NOW}
    memory.sign("the watch", NOW + timedelta(hours=1), NOW + timedelta(minutes=1))
    assert memory.seen == {"the watch": NOW + timedelta(minutes=1)}


@pytest.mark.parametrize(("given", "seconds"), [("30s", 30), ("30", 30), ("1min", 60), ("2 m", 120), ("1h", 3600)])
def test_how_often(given: str, seconds: float) -> None:
    assert _seconds(given) == seconds


@pytest.mark.parametrize("given", ["", "0s", "-1s", "1 day", "often"])
def test_what_is_no_time_is_refused(given: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        _seconds(given)
