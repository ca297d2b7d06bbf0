"""How an attempt to reach something ended: told apart, because "nothing listens there" is an answer and silence is not.

A probe that watches whether something lives measures ``*.up`` 0 when the host ``answered``; everything else is a
question nobody answered. Used by every probe that opens a connection of its own.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

from clo_ops.findings import Answer, CouldNotAsk, Measurement, Unanswered

Target = TypeVar("Target")
Said = TypeVar("Said")


class Reach(StrEnum):
    """Where the attempt ended."""

    REFUSED = "refused"  # the host said that nothing listens there
    SILENT = "connected, but no reply"  # the connection was taken and nobody spoke
    NOT_SERVING = "answered, but does not serve"  # starting, shutting down, loading, no such database
    FULL = "answered, but every connection slot is taken"
    TIMEOUT = "no connection in time"
    NAME = "name does not resolve"
    ROUTE = "no route"
    AUTHENTICATION = "authentication refused"
    IDENTITY = "host identity not trusted"
    OTHER = "other"


ANSWERED = frozenset({Reach.REFUSED, Reach.SILENT, Reach.NOT_SERVING, Reach.FULL})


class Unreachable(CouldNotAsk):
    """A connection that did not come about, or broke: ``reach`` says how. No secret in its text."""

    def __init__(self, reach: Reach, observed: str, next_step: str = "") -> None:
        self.reach = reach
        super().__init__(observed, next_step=next_step)

    @property
    def answered(self) -> bool:
        """Whether the other side told us that it is down, rather than nobody telling us anything."""
        return self.reach in ANSWERED

    @property
    def reason(self) -> str:
        return str(self).rstrip(".")

    def unanswered(self, question: str, target: object, tried: str) -> Answer:
        return nobody_answered([question], target, tried, self.reason)

    def liveness(self, name: str, target: object, tried: str, **labels: str) -> Answer:
        """``name`` measured 0 where the other side answered that it is down; else the question stays open."""
        if not self.answered:
            return self.unanswered(name, target, tried)
        down = Measurement(name, 0.0, "bool", datetime.now(UTC), labels, detail=self.reason)
        return Answer((down,))


def nobody_answered(questions: Iterable[str], target: object, tried: str, reason: str) -> Answer:
    """Each question, unanswered now for the same reason."""
    now = datetime.now(UTC)
    return Answer.of(unanswered=[Unanswered(question, str(target), tried, reason, now) for question in questions])


def of_each(targets: Mapping[str, Target], ask: Callable[[Target], Said]) -> tuple[dict[str, Said], dict[str, str]]:
    """The answer of each by name, and of each that gave none the reason: one that is down hides no other.

    Raises Unreachable where none of them answered.
    """
    answers, lost = dict[str, Said](), dict[str, Unreachable]()
    for name, target in targets.items():
        try:
            answers[name] = ask(target)
        except Unreachable as error:
            lost[name] = error
    if lost and not answers:
        raise next(iter(lost.values()))
    return answers, {name: error.reason for name, error in lost.items()}


def accepts_tcp(host: str, port: int, timeout: float) -> bool:
    """Whether a TCP connection is taken at all; tells a silent server from an unreachable one."""
    try:
        with socket.create_connection((host, port), timeout=timeout):
            return True
    except OSError:
        return False


def how_it_ended(error: BaseException) -> Reach:
    """An operating-system error of a connection attempt, sorted."""
    if isinstance(error, ConnectionRefusedError):
        return Reach.REFUSED
    if isinstance(error, socket.gaierror):
        return Reach.NAME
    if isinstance(error, TimeoutError):
        return Reach.TIMEOUT
    if isinstance(error, OSError) and error.errno in (101, 113):  # ENETUNREACH, EHOSTUNREACH
        return Reach.ROUTE
    return Reach.OTHER
