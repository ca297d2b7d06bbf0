"""DM-15's probe against WebSocket servers that are mute, wrong, talkative, shut, or none."""

from __future__ import annotations

import json
import threading
from contextlib import ExitStack
from http import HTTPStatus
from types import SimpleNamespace

import pytest
from websockets.sync.server import serve as listen

from clo_ops.probes import websocket
from clo_ops.probes.channel import NotOpen, ping
from clo_ops.probes.targets import Account, WebTarget

CHANNEL = SimpleNamespace(
    path="/ws",
    token_parameter="token",
    welcome={"type": "welcome"},
    send={"type": "ping"},
    expect={"type": "pong"},
    nonce="nonce",
)


@pytest.fixture
def channel():
    """``channel(talk)`` gives the target of a server whose every connection is ``talk``'s."""
    with ExitStack() as leaving:

        def start(talk, **more) -> WebTarget:
            server = listen(talk, "127.0.0.1", 0, **more)
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            leaving.callback(thread.join)
            leaving.callback(server.shutdown)
            port = server.socket.getsockname()[1]
            return WebTarget(f"http://127.0.0.1:{port}", "clo_ops/dag/task", 1.0, 0.5)

        yield start


def test_a_pong_with_our_value(channel):
    seen = []

    def talk(connection):
        seen.append((connection.request.path, connection.request.headers["User-Agent"]))
        connection.send('{"type": "welcome"}')
        message = json.loads(connection.recv())
        connection.send("not json")
        connection.send(json.dumps({"type": "news"}))
        connection.send(json.dumps({**message, "type": "pong"}))
        connection.recv()

    echo = ping(channel(talk), CHANNEL, "tok")
    assert echo.received == echo.sent != ""
    assert echo.broken == ""
    assert echo.welcomed
    assert 0 < echo.ms < 500
    assert 0 < echo.handshake_ms < 500
    assert seen == [("/ws?token=tok", "clo_ops/dag/task")]


def test_a_wrong_echo_is_an_answer(channel):
    def talk(connection):
        connection.recv()
        connection.send('{"type": "pong", "nonce": "another"}')
        connection.recv()

    echo = ping(channel(talk), CHANNEL, "tok")
    assert (echo.received, echo.broken) == ("another", "")
    assert echo.received != echo.sent


def test_a_channel_that_does_not_greet_says_what_came_first(channel):
    def talk(connection):
        connection.send('{"type": "news"}')
        message = json.loads(connection.recv())
        connection.send(json.dumps({**message, "type": "pong"}))
        connection.send('{"type": "welcome"}')
        connection.recv()

    echo = ping(channel(talk), CHANNEL, "tok")
    assert (echo.welcomed, echo.first, echo.broken) == (False, "news", "")


def test_a_greeting_before_much_else_is_remembered(channel):
    def talk(connection):
        connection.send('{"type": "welcome"}')
        for _ in range(30):
            connection.send('{"type": "news"}')
        message = json.loads(connection.recv())
        connection.send(json.dumps({**message, "type": "pong"}))
        connection.recv()

    assert ping(channel(talk), CHANNEL, "tok").welcomed


def test_a_mute_server_is_given_up(channel):
    echo = ping(channel(lambda connection: connection.recv() and connection.recv()), CHANNEL, "tok")
    assert echo.broken == "open, but no pong within 0.5 s"


def test_one_that_talks_of_other_things_for_ever_is_given_up(channel):
    def talk(connection):
        while True:
            connection.send('{"type": "news"}')

    assert "no pong" in ping(channel(talk), CHANNEL, "tok").broken


def test_closed_with_a_code_says_the_code(channel):
    assert "code 4401" in ping(channel(lambda connection: connection.close(4401)), CHANNEL, "tok").broken


def test_a_message_too_long_is_no_pong(channel):
    def talk(connection):
        connection.recv()
        connection.send("x" * 100_000)
        connection.recv()

    assert "closed before its pong" in ping(channel(talk), CHANNEL, "tok").broken


def test_a_refused_handshake_is_an_answer(channel):
    target = channel(lambda _: None, process_request=lambda connection, _: connection.respond(HTTPStatus(403), "no"))
    with pytest.raises(NotOpen) as caught:
        ping(target, CHANNEL, "tok")
    assert (caught.value.reason, caught.value.answered) == ("HTTP 403", True)


def test_a_server_that_takes_the_connection_and_says_nothing_is_down(raw):
    site = raw(lambda connection: connection.recv(65536) and connection.recv(1))
    with pytest.raises(NotOpen) as caught:
        ping(site.target(connect_timeout=0.3, read_timeout=0.3), CHANNEL, "tok")
    assert caught.value.answered
    assert "connected, but no complete reply" in caught.value.reason


def test_a_server_that_breaks_off_is_down_and_the_token_stays_unsaid(raw):
    with pytest.raises(NotOpen) as caught:
        ping(raw(lambda connection: connection.recv(65536)).target(), CHANNEL, "secret-token")
    assert caught.value.answered
    assert "secret-token" not in caught.value.reason


def test_refused_is_down_and_unresolved_is_not(closed_port):
    with pytest.raises(NotOpen) as caught:
        ping(WebTarget(f"http://127.0.0.1:{closed_port}"), CHANNEL, "tok")
    assert (caught.value.reason, caught.value.answered) == ("connection refused", True)
    with pytest.raises(NotOpen) as caught:
        ping(WebTarget("http://nobody.invalid"), CHANNEL, "tok")
    assert not caught.value.answered


def test_without_a_session_the_question_is_open_or_the_server_down(serve, closed_port):
    account = Account("probe", "pw")
    shut = serve({"/api/v1/auth/login": SimpleNamespace(status=401, body=b"{}", content_type="x/y", headers={})})
    (silent,) = websocket.round_trip(shut.target(), CHANNEL, account).unanswered
    assert silent.reason.startswith("could not log in: HTTP 401")
    down = websocket.round_trip(WebTarget(f"http://127.0.0.1:{closed_port}"), CHANNEL, account)
    assert down.first("websocket.up").detail == "login: connection refused"
