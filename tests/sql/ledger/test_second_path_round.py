"""The round beside the watch: a real ledger, in a thread of its own, and no error ends it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.escalation.second_path import CAUSE
from clo_ops.findings import ConfigurationError
from clo_ops.ledger import Ledger, Message
from clo_ops.orchestration.second_path import EVERY, SecondPath, notify_of
from clo_ops.policy import load_policy

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@dataclass
class Ways:
    """As orchestration.connections.Connections."""

    url: str
    opened: int = 0

    def ledger(self) -> Ledger:
        self.opened += 1
        return Ledger(self.url)


@dataclass
class Held:
    password: str


def nothing(conn_id: str) -> Held:
    raise ConfigurationError(f"there is no Airflow connection {conn_id!r}")


def test_a_round_opens_the_incident_and_comes_at_most_every_so_often(ledger: Ledger, url: str) -> None:
    ledger.enqueue(Message("one", ["a@b.test"], "A mail", "text", ""))
    now, ways = datetime.now(UTC) + timedelta(minutes=10), Ways(url)
    beside = SecondPath(ways, nothing)  # type: ignore[arg-type]
    beside(now)
    beside(now + EVERY / 2)
    beside.close()
    assert ways.opened == 1
    assert ledger.open_incident_of(CAUSE) is not None


def test_a_ledger_that_is_away_does_not_end_the_watch(url: str, caplog: pytest.LogCaptureFixture) -> None:
    now = datetime.now(UTC)
    beside = SecondPath(Ways("postgresql://nobody@127.0.0.1:9/none"), nothing)  # type: ignore[arg-type]
    beside(now)
    while beside._under_way is not None and not beside._under_way.done():
        pass
    beside(now + EVERY)
    beside.close()
    assert "could not be looked after" in caplog.text


def test_the_way_is_the_connections_password() -> None:
    assert notify_of(load_policy(), nothing) is None
    assert notify_of(load_policy(), lambda _: Held("")) is None
    assert notify_of(load_policy(), lambda _: Held("json://127.0.0.1:9/x")) is not None
