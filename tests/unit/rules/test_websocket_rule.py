"""DM-15: open, our own value back, both times at, below and above their limits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.findings import Answer, Measurement, Status, Unanswered
from clo_ops.policy.limits import TimeLimits
from clo_ops.policy.morning import WebSocket
from clo_ops.rules import websocket

AT = datetime(2026, 11, 23, 8, tzinfo=UTC)
LIMITS = TimeLimits(warning=timedelta(milliseconds=500), critical=timedelta(milliseconds=1000))
POLICY = WebSocket(
    connection="clo_api",
    path="/api/v1/ws",
    token_parameter="token",
    welcome={"type": "welcome"},
    send={"type": "ping"},
    expect={"type": "pong"},
    nonce="nonce",
    handshake=LIMITS,
    round_trip=LIMITS,
    manual="L36",
)


def answer(handshake=10.0, round_trip=2.0, echo=1.0, up=1.0, detail="", *, welcome=1.0) -> Answer:
    return Answer(
        (
            Measurement("websocket.up", up, "bool", AT, detail=detail),
            Measurement("websocket.handshake.duration", handshake, "ms", AT),
            Measurement("websocket.welcome.matches", welcome, "bool", AT, detail="" if welcome else "it said 'news'"),
            Measurement("websocket.echo.matches", echo, "bool", AT),
            Measurement("websocket.round_trip.duration", round_trip, "ms", AT),
        )
    )


def judged(given: Answer) -> dict[str, Status]:
    return {one.name: one.status for one in websocket.judge(given, POLICY, at=AT)}


@pytest.mark.parametrize(("figure", "name"), [("handshake", "handshake time"), ("round_trip", "round trip time")])
@pytest.mark.parametrize(
    ("ms", "status"),
    [
        (499.9, Status.PASS),
        (500.0, Status.PASS),
        (500.1, Status.WARN),
        (999.9, Status.WARN),
        (1000.0, Status.WARN),
        (1000.1, Status.FAIL),
    ],
)
def test_each_time_is_judged_strictly_and_alone(figure, name, ms, status):
    found = judged(answer(**{figure: ms}))
    assert found.pop(name) is status
    assert set(found.values()) == {Status.PASS}


def test_another_echo_fails():
    assert judged(answer(echo=0))["websocket echo"] is Status.FAIL


def test_not_up_fails_and_says_why():
    (found,) = websocket.judge(answer(up=0, detail="open, but no pong within 3 s"), POLICY, at=AT)
    assert found.status is Status.FAIL
    assert "no pong within 3 s" in found.message


def test_silence_is_unknown():
    silent = Unanswered("WebSocket round trip", "http://clo", "login", "could not log in", AT)
    assert list(judged(Answer(unanswered=(silent,))).values()) == [Status.UNKNOWN]
    assert list(judged(Answer()).values()) == [Status.UNKNOWN]


@pytest.mark.parametrize(
    "missing", ["websocket.handshake.duration", "websocket.echo.matches", "websocket.round_trip.duration"]
)
def test_what_was_not_measured_is_unknown(missing):
    partial = Answer(tuple(one for one in answer().measurements if one.name != missing))
    assert Status.UNKNOWN in judged(partial).values()


def test_a_channel_without_its_greeting_fails_alone():
    found = judged(answer(welcome=0.0))
    assert found.pop("websocket welcome") is Status.FAIL
    assert set(found.values()) == {Status.PASS}


def test_no_greeting_is_asked_for_where_the_policy_expects_none():
    policy = POLICY.model_copy(update={"welcome": {}})
    assert "websocket welcome" not in {one.name for one in websocket.judge(answer(welcome=0.0), policy, at=AT)}
