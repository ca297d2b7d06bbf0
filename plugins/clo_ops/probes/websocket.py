"""Ask the WebSocket (DM-15, manual L36): does it open with a session's token, and does a ping come back as our own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from clo_ops.findings import Answer, Measurement
from clo_ops.probes.exchange import Browser
from clo_ops.probes.reaching import nobody_answered
from clo_ops.probes.signin import STANDARD, Attempt, Doors, Outcome, session
from clo_ops.probes.targets import Account, WebTarget

if TYPE_CHECKING:
    from clo_ops.probes.channel import Channel, Echo

QUESTION = "WebSocket round trip"


def round_trip(target: WebTarget, channel: Channel, account: Account, doors: Doors = STANDARD) -> Answer:
    """Open the channel with a session of ``account``, send one ping with a nonce, wait for its pong; log out.

    Emits websocket.up (bool, detail says why not), websocket.handshake.duration and websocket.round_trip.duration
    (ms), websocket.echo.matches (bool) and websocket.welcome.matches (bool): the policy's greeting came before the
    pong. What else the server sends meanwhile (news) is passed over.
    """
    with Browser(target) as browser, session(browser, account, doors) as login:
        if not login.accepted:
            return _no_session(target, channel, login)
        return _asked(target, channel, login.token)


def _up(why_not: str = "") -> Measurement:
    return Measurement("websocket.up", 0.0 if why_not else 1.0, "bool", datetime.now(UTC), detail=why_not)


def _no_session(target: WebTarget, channel: Channel, login: Attempt) -> Answer:
    if login.outcome is Outcome.NO_REPLY and login.answered:
        return Answer((_up(f"login: {login.reason}"),))
    return nobody_answered([QUESTION], target, f"login for {channel.path}", f"could not log in: {login.reason}")


def _asked(target: WebTarget, channel: Channel, token: str) -> Answer:
    from clo_ops.probes.channel import NotOpen, address, ping

    try:
        return _measured(ping(target, channel, token))
    except NotOpen as error:
        if error.answered:
            return Answer((_up(f"handshake failed: {error.reason}"),))
        return nobody_answered([QUESTION], target, f"handshake with {address(target, channel.path)}", error.reason)


def _measured(echo: Echo) -> Answer:
    handshake = Measurement("websocket.handshake.duration", echo.handshake_ms, "ms", echo.at)
    if echo.broken:
        return Answer((_up(echo.broken), handshake))
    right = echo.sent == echo.received
    seen = "" if right else f"pong carries {str(echo.received)[:32]!r} instead of the nonce sent"
    greeting = "" if echo.welcomed else f"its first message was {echo.first!r}"
    return Answer(
        (
            _up(),
            handshake,
            Measurement("websocket.welcome.matches", echo.welcomed, "bool", echo.at, detail=greeting),
            Measurement("websocket.echo.matches", right, "bool", echo.at, detail=seen),
            Measurement("websocket.round_trip.duration", echo.ms, "ms", echo.at),
        )
    )
