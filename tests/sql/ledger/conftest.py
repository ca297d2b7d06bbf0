"""A real PostgreSQL for the whole session, a new database for each test."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

from clo_ops.ledger import Ledger
from demo.stack.ports import free_port
from demo.stack.postgres import Cluster

AT = datetime(2026, 7, 6, 8, 0, tzinfo=UTC)
_numbers = count(1)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    directory: Path = tmp_path_factory.mktemp("ledger-postgres")
    with Cluster(directory) as started:
        started.create_user("clo_ops")
        started.create_database("ledger_template", owner="clo_ops")
        with Ledger(started.url("ledger_template", "clo_ops")) as ledger:
            ledger.migrate()
        yield started


@pytest.fixture
def empty_url(cluster: Cluster) -> str:
    """A database of our own without a schema."""
    name = f"ledger_empty_{next(_numbers)}"
    cluster.create_database(name, owner="clo_ops")
    return cluster.url(name, "clo_ops")


@pytest.fixture
def url(cluster: Cluster) -> str:
    """A database of our own, migrated."""
    name = f"ledger_{next(_numbers)}"
    with cluster.connect() as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE ledger_template OWNER clo_ops")
    return cluster.url(name, "clo_ops")


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    with Ledger(url, client_name="clo_ops/test") as opened:
        yield opened


@pytest.fixture
def at() -> datetime:
    return AT


@pytest.fixture
def run(ledger: Ledger) -> int:
    return ledger.open_run("morning_startup", "scheduled__2026-07-06", AT, "policy-1", "scheduled")


class Mailbox:
    """A real SMTP server on the loopback that keeps what it took, and refuses whom it is told to."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], EmailMessage]] = []
        self.answers: dict[str, str] = {}
        self.data_answer = ""
        self.port = 0
        self._controller: Controller | None = None

    async def handle_RCPT(  # noqa: N802 - the names and the order are aiosmtpd's
        self, server: object, session: object, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: object, session: object, envelope: Envelope) -> str:  # noqa: N802
        if self.data_answer:
            return self.data_answer
        assert isinstance(envelope.content, bytes)
        self.mails.append((list(envelope.rcpt_tos), message_from_bytes(envelope.content, policy=default)))
        return "250 OK"

    def start(self, **options: Any) -> None:
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port or free_port(), **options)
        self._controller.start()
        self.port = self._controller.port

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox()
    yield box
    box.stop()


@pytest.fixture
def server(mailbox: Mailbox) -> Mailbox:
    mailbox.start()
    return mailbox
