"""One HTTP server for the folder; each test has its own answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.updates.answers import Feed, answering


@pytest.fixture(scope="module")
def server() -> Iterator[Feed]:
    with answering() as feed:
        yield feed


@pytest.fixture
def feed(server: Feed) -> Iterator[Feed]:
    yield server
    server.answers.clear()
