"""One exchange against servers that misbehave: bounded in time and size, and "down" told from "not reached"."""

from __future__ import annotations

import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest

from clo_ops.probes.exchange import Browser, NoReply, Reply
from clo_ops.probes.targets import WebTarget

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


def ask(target: WebTarget, path: str = "/", **more) -> Reply | NoReply:
    with Browser(target, body_limit=1000) as browser:
        return browser.ask("GET", path, **more)


def request(connection: socket.socket) -> None:
    while b"\r\n\r\n" not in connection.recv(65536):
        pass


class Page:
    """What the scripted server's own Page has; tests may not import each other's conftest."""

    def __init__(self, status=200, body=b"{}", content_type="text/plain", **headers):
        self.status, self.body, self.content_type = status, body, content_type
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def test_a_reply_carries_everything_and_we_say_who_we_are(serve):
    site = serve({"/x": Page(body=b'{"a": 1}', content_type="application/json; charset=utf-8")})
    reply = ask(site.target(client_name="clo_ops/dag/task"), "/x")
    assert isinstance(reply, Reply)
    assert (reply.status, reply.json(), reply.content_type()) == (200, {"a": 1}, "application/json")
    assert 0 < reply.ms < 1000
    assert site.seen[0]["headers"]["User-Agent"] == "clo_ops/dag/task"


def test_refused_is_an_answer(closed_port):
    reply = ask(WebTarget(f"http://127.0.0.1:{closed_port}"))
    assert isinstance(reply, NoReply)
    assert (reply.reason, reply.answered) == ("connection refused", True)


def test_a_name_that_does_not_resolve_is_none():
    reply = ask(WebTarget("http://nobody.invalid"))
    assert isinstance(reply, NoReply)
    assert "does not resolve" in reply.reason
    assert not reply.answered


def test_a_full_backlog_is_not_reached():
    """Nobody takes the connection, and nobody refuses it: a host behind a dropping firewall looks like this."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for one in (first, second):
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        time.sleep(0.05)
        target = WebTarget(f"http://127.0.0.1:{listener.getsockname()[1]}", connect_timeout=0.4, read_timeout=0.4)
        reply = ask(target)
    assert isinstance(reply, NoReply)
    assert reply.reason.startswith("no connection within")
    assert not reply.answered


def test_a_server_that_never_speaks_is_down_and_costs_no_more_than_its_limit(raw):
    site = raw(lambda connection: connection.recv(65536) and connection.recv(1))
    started = time.monotonic()
    reply = ask(site.target(read_timeout=0.5))
    assert isinstance(reply, NoReply)
    assert "connected, but no complete reply" in reply.reason
    assert reply.answered
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("start", [b"", HEAD + b"Content-Length: 1000\r\n\r\n"], ids=["head", "body"])
def test_dripping_bytes_do_not_outlast_the_deadline(raw, start):
    def drip(connection: socket.socket) -> None:
        request(connection)
        connection.sendall(start)
        for byte in HEAD * 20:
            connection.sendall(bytes([byte]))
            time.sleep(0.05)

    site, started = raw(drip), time.monotonic()
    reply = ask(site.target(connect_timeout=0.3, read_timeout=0.5))
    assert isinstance(reply, NoReply)
    assert reply.answered
    assert "no complete reply within" in reply.reason
    assert 0.7 < time.monotonic() - started < 2


def test_a_connection_reset_is_an_answer(raw):
    def reset(connection: socket.socket) -> None:
        request(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    reply = ask(raw(reset).target())
    assert isinstance(reply, NoReply)
    assert reply.answered


def test_a_truncated_body_is_no_reply(raw):
    def truncate(connection: socket.socket) -> None:
        request(connection)
        connection.sendall(HEAD + b"Content-Length: 100\r\n\r\nshort")

    reply = ask(raw(truncate).target())
    assert isinstance(reply, NoReply)
    assert reply.answered
    assert reply.reason


def test_what_is_not_http_is_no_reply(raw):
    def ssh(connection: socket.socket) -> None:
        connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        connection.recv(1000)

    reply = ask(raw(ssh).target())
    assert isinstance(reply, NoReply)
    assert reply.answered


def test_a_huge_body_is_read_up_to_the_limit(raw):
    sent = []

    def flood(connection: socket.socket) -> None:
        request(connection)
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(100_000):
            connection.sendall(b"8000\r\n" + b"x" * 0x8000 + b"\r\n")
            sent.append(0x8000)

    reply = ask(raw(flood).target())
    assert isinstance(reply, Reply)
    assert reply.truncated
    assert len(reply.body) == 1000
    assert sum(sent) < 50_000_000


def test_a_body_of_exactly_the_limit_is_whole(serve):
    reply = ask(serve({"/": Page(body=b"x" * 1000)}).target())
    assert isinstance(reply, Reply)
    assert not reply.truncated
    assert len(reply.body) == 1000


def test_redirects_are_not_followed_unless_wanted(serve):
    site = serve({"/": Page(302, Location="/next"), "/next": Page(body=b"there")})
    plain, followed = ask(site.target()), ask(site.target(), redirects=2)
    assert isinstance(plain, Reply)
    assert plain.status == 302
    assert isinstance(followed, Reply)
    assert followed.body == b"there"


def test_a_redirect_loop_ends(serve):
    site = serve({"/": Page(302, Location="/")})
    reply = ask(site.target(), redirects=3)
    assert isinstance(reply, NoReply)
    assert reply.reason == "more than 3 redirects"
    assert len(site.seen) == 4


def test_another_host_is_never_asked(serve):
    other = serve({"/": Page()})
    site = serve({"/": Page(302, Location=other.url + "/?secret=1")})
    reply = ask(site.target(), redirects=3, token="secret-token")
    assert isinstance(reply, NoReply)
    assert "another origin" in reply.reason
    assert "secret" not in reply.reason
    assert other.seen == []


@pytest.fixture
def untrusted(tmp_path):
    """An HTTPS server whose certificate nobody signed; yields its port and the certificate."""
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command, *names], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        thread = threading.Thread(target=_serve_tls, args=(listener, context, stop))
        thread.start()
        yield listener.getsockname()[1], certificate
        stop.set()
        thread.join()


def _serve_tls(listener: socket.socket, context: ssl.SSLContext, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            continue
        with connection:
            connection.settimeout(2)
            try:
                with context.wrap_socket(connection, server_side=True) as secure:
                    request(secure)
                    secure.sendall(HEAD + b"Content-Length: 2\r\n\r\nok")
            except OSError:
                continue


def test_an_untrusted_certificate_is_down_and_said_so(untrusted):
    reply = ask(WebTarget(f"https://127.0.0.1:{untrusted[0]}"))
    assert isinstance(reply, NoReply)
    assert reply.reason.startswith("TLS certificate not trusted")
    assert reply.answered


def test_a_certificate_of_our_own_authority_is_trusted(untrusted):
    port, certificate = untrusted
    for verify in (str(certificate), False):
        reply = ask(WebTarget(f"https://127.0.0.1:{port}", verify=verify))
        assert isinstance(reply, Reply)
        assert reply.body == b"ok"


def test_https_to_a_server_without_tls_is_an_answer(raw):
    site = raw(lambda connection: connection.recv(1000) and connection.sendall(b"HTTP/1.1 400 Bad\r\n\r\n"))
    reply = ask(WebTarget(site.url.replace("http", "https"), connect_timeout=1, read_timeout=1))
    assert isinstance(reply, NoReply)
    assert reply.answered


def test_many_at_once_are_answered_in_order(serve):
    site = serve({f"/{number}": Page(body=str(number).encode()) for number in range(20)})
    with Browser(site.target()) as browser:
        replies = browser.ask_all([f"{site.url}/{number}" for number in range(20)])
    assert [int(one.body) for one in replies] == list(range(20))
