"""From the outbox to a mailbox: over a real SMTP server that refuses, dies, is mute and comes back."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from clo_ops.escalation.outbox import LEASE, DeliveryReport, SmtpTarget, backoff, deliver, redact
from clo_ops.findings import ConfigurationError, Severity
from clo_ops.ledger import Ledger, LedgerConflict, Message

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"
Mailbox = Any
SECRET = "correct horse"

# Delivers as a task would, and stops for ever between the server's yes and our note of it.
DIES = """
import sys, time
from datetime import datetime
from clo_ops.escalation.outbox import SmtpTarget, deliver
from clo_ops.ledger import Ledger
Ledger.mark_delivered = lambda *a, **k: (print("sent", flush=True), time.sleep(60))
smtp = SmtpTarget("127.0.0.1", int(sys.argv[2]), tls="none", sender="clo-ops@example.com")
deliver(Ledger(sys.argv[1]), smtp, datetime.fromisoformat(sys.argv[3]))
"""


def to(server: Mailbox, **more: Any) -> SmtpTarget:
    plain = {"tls": "none", "sender": "CLO Ops <clo-ops@example.com>", "timeout": 5.0}
    return SmtpTarget("127.0.0.1", server.port, **{**plain, **more})


def message(key: str = "run-1", *recipients: str, **more: Any) -> Message:
    return Message(key, recipients or ("ops@example.com",), f"Subject of {key}", "text\n", **more)


def test_a_message_goes_out_once(ledger: Ledger, server: Mailbox, at: datetime) -> None:
    number = ledger.enqueue(message())
    assert ledger.enqueue(message(headers={"X-Later": "1"})) == number
    assert deliver(ledger, to(server), at) == DeliveryReport(delivered=1, failed=0, waiting=0)
    assert deliver(ledger, to(server), at + timedelta(days=1)) == DeliveryReport(0, 0, 0)
    ((recipients, mail),) = server.mails
    assert (recipients, mail["Subject"], mail["X-Later"]) == (["ops@example.com"], "Subject of run-1", None)
    kept = ledger.outbox_message(number)
    assert (kept.state, kept.delivered_at, kept.attempts, kept.accepted) == ("delivered", at, 1, ("ops@example.com",))
    assert ledger.is_delivered(number)


def test_the_most_severe_goes_first(ledger: Ledger, server: Mailbox, at: datetime) -> None:
    for key, severity in (("none", None), ("low", Severity.P4), ("high", Severity.P1), ("high-2", Severity.P1)):
        ledger.enqueue(message(key, severity=severity))
    assert deliver(ledger, to(server), at, limit=3).waiting == 1
    deliver(ledger, to(server), at)
    assert [mail["Subject"].split()[-1] for _, mail in server.mails] == ["high", "high-2", "low", "none"]


def test_a_dead_server_costs_one_attempt_and_no_message(ledger: Ledger, mailbox: Mailbox, at: datetime) -> None:
    mailbox.start()
    mailbox.stop()
    numbers = [ledger.enqueue(message(f"run-{one}")) for one in range(3)]
    report = deliver(ledger, to(mailbox), at)
    assert (report.delivered, report.failed, report.waiting) == (0, 1, 3)
    assert "refused" in report.error
    state = ledger.outbox_state()
    assert (state.waiting, state.delivered, state.last_error) == (3, 0, report.error)
    assert state.oldest_undelivered is not None
    mailbox.start()
    assert deliver(ledger, to(mailbox), at).delivered == 2
    assert deliver(ledger, to(mailbox), at + backoff(1)).delivered == 1
    assert all(map(ledger.is_delivered, numbers))
    assert ledger.outbox_state().oldest_undelivered is None


def test_it_waits_longer_each_time_and_never_gives_up(ledger: Ledger, mailbox: Mailbox, at: datetime) -> None:
    mailbox.start()
    mailbox.stop()
    number, waits = ledger.enqueue(message()), []
    for _ in range(12):
        assert deliver(ledger, to(mailbox), at).failed == 1
        due = ledger.outbox_message(number).next_attempt_at
        assert due is not None
        assert deliver(ledger, to(mailbox), due - timedelta(seconds=1)).failed == 0
        waits.append((due - at).total_seconds())
        at = due
    assert waits == [30, 60, 120, 240, 480] + [900] * 7
    mailbox.start()
    assert deliver(ledger, to(mailbox), at).delivered == 1


def test_a_server_that_stops_between_two_messages(ledger: Ledger, server: Mailbox, at: datetime) -> None:
    for one in range(3):
        ledger.enqueue(message(f"run-{one}"))
    keep = server.handle_DATA

    async def last(*given: Any) -> str:
        answer = await keep(*given)
        server.answers = dict.fromkeys(["ops@example.com"], "421 going down")
        return str(answer)

    server.handle_DATA = last
    report = deliver(ledger, to(server), at)
    assert (report.delivered, report.failed, report.waiting) == (1, 2, 2)
    server.answers = {}
    assert deliver(ledger, to(server), at + backoff(1)).waiting == 1
    server.answers = {}
    assert deliver(ledger, to(server), at + timedelta(hours=1)).waiting == 0
    assert len(server.mails) == 3


def test_a_recipient_refused_for_good_is_visible_and_the_others_have_it(
    ledger: Ledger, server: Mailbox, at: datetime
) -> None:
    server.answers = {"gone@example.com": "550 5.1.1 no such mailbox"}
    number = ledger.enqueue(message("r", "ops@example.com", "Gone <gone@example.com>", "not an address"))
    assert deliver(ledger, to(server), at) == DeliveryReport(1, 0, 0)
    kept = ledger.outbox_message(number)
    assert (kept.state, kept.accepted) == ("delivered", ("ops@example.com",))
    assert kept.refused["Gone <gone@example.com>"] == "550 5.1.1 no such mailbox"
    assert "is not one mail address" in kept.refused["not an address"]
    assert ledger.outbox_state().refused_recipients == 1


def test_a_message_nobody_took_stays_visible_until_put_right(ledger: Ledger, server: Mailbox, at: datetime) -> None:
    server.answers = {"ops@example.com": "550 no such mailbox"}
    number = ledger.enqueue(message())
    assert deliver(ledger, to(server), at) == DeliveryReport(0, 0, 0, refused=1)
    assert not ledger.is_delivered(number)
    state = ledger.outbox_state()
    assert (state.refused, state.waiting, state.oldest_undelivered is not None) == (1, 0, True)
    server.answers = {}
    assert deliver(ledger, to(server), at + timedelta(days=9)).delivered == 0
    assert ledger.requeue(number).state == "waiting"
    assert deliver(ledger, to(server), at).delivered == 1


def test_who_must_wait_waits_and_the_others_get_it_once(ledger: Ledger, server: Mailbox, at: datetime) -> None:
    server.answers = {"slow@example.com": "451 greylisted"}
    number = ledger.enqueue(message("r", "ops@example.com", "slow@example.com", "Ops again <ops@example.com>"))
    report = deliver(ledger, to(server), at)
    assert (report.delivered, report.failed, report.waiting) == (0, 1, 1)
    kept = ledger.outbox_message(number)
    assert (kept.pending, kept.last_error) == (("slow@example.com",), "slow@example.com: 451 greylisted")
    server.answers = {}
    assert deliver(ledger, to(server), at + backoff(1)).delivered == 1
    assert [recipients for recipients, _ in server.mails] == [["ops@example.com"], ["slow@example.com"]]
    assert server.mails[0][1]["Message-ID"] == server.mails[1][1]["Message-ID"]


def test_a_mail_the_server_will_not_have_does_not_hold_up_the_next(
    ledger: Ledger, server: Mailbox, at: datetime
) -> None:
    ledger.enqueue(message("unrenderable", severity=Severity.P1, headers={"To": "x"}))
    server.data_answer = "554 looks like spam"
    ledger.enqueue(message("spam"))
    report = deliver(ledger, to(server), at)
    assert (report.failed, report.waiting) == (2, 2)
    assert "554 looks like spam" in report.error
    server.data_answer = ""
    ledger.enqueue(message("fine"))
    assert deliver(ledger, to(server), at).delivered == 1


def test_a_mute_server_is_given_up_in_time(ledger: Ledger, at: datetime) -> None:
    ledger.enqueue(message())
    with socket.create_server(("127.0.0.1", 0)) as mute:
        smtp = SmtpTarget("127.0.0.1", mute.getsockname()[1], tls="none", sender="a@example.com", timeout=0.5)
        assert "timed out" in deliver(ledger, smtp, at).error


def test_a_sender_killed_after_sending_leaves_it_to_the_next(
    ledger: Ledger, url: str, server: Mailbox, at: datetime
) -> None:
    ledger.enqueue(message())
    command = [sys.executable, "-c", DIES, url, str(server.port), at.isoformat()]
    environment = {**os.environ, "PYTHONPATH": str(PLUGINS)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as sender:
        assert sender.stdout is not None
        assert sender.stdout.readline() == b"sent\n"
        sender.send_signal(signal.SIGKILL)
    assert deliver(ledger, to(server), at + LEASE - timedelta(seconds=1)) == DeliveryReport(0, 0, 1)
    assert deliver(ledger, to(server), at + LEASE).delivered == 1
    first, second = (mail["Message-ID"] for _, mail in server.mails)
    assert first == second


def test_a_sender_out_of_time_cannot_undo_its_successor(ledger: Ledger, at: datetime) -> None:
    number = ledger.enqueue(message())
    (first,) = ledger.claim_due(at, 1, LEASE)
    (second,) = ledger.claim_due(at + LEASE, 1, LEASE)
    assert not ledger.mark_failed(number, "too late", at, first.attempts)
    assert ledger.claim_due(at + LEASE, 1, LEASE) == []
    ledger.mark_delivered(number, at + LEASE)
    assert not ledger.mark_failed(number, "too late", at, second.attempts)
    assert ledger.outbox_message(number).state == "delivered"
    with pytest.raises(LedgerConflict, match="no message 99"):
        ledger.mark_delivered(99, at)


def test_two_senders_at_once_send_each_message_once(ledger: Ledger, server: Mailbox, at: datetime) -> None:
    for one in range(20):
        ledger.enqueue(message(f"run-{one}"))
    barrier = threading.Barrier(3)

    def send(_: int) -> int:
        barrier.wait()
        return deliver(ledger, to(server), at).delivered

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(send, range(3))) == 20
    assert len({mail["Message-ID"] for _, mail in server.mails}) == len(server.mails) == 20


class Guard:
    def __call__(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"clo", SECRET.encode())
        return AuthResult(success=good, handled=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 with its key in one file."""
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail")]),
    )
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    path = tmp_path_factory.mktemp("tls") / "mail.pem"
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(private + made.sign(key, hashes.SHA256()).public_bytes(pem))
    return path


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


def test_starttls_and_login(
    ledger: Ledger, mailbox: Mailbox, at: datetime, tls: ssl.SSLContext, certificate: Path
) -> None:
    mailbox.start(tls_context=tls, require_starttls=True, authenticator=Guard(), auth_required=True)
    ledger.enqueue(message())
    login = {"tls": "starttls", "user": "clo", "ca_file": str(certificate)}
    wrong = deliver(ledger, to(mailbox, password="battery staple", **login), at)
    assert (wrong.failed, "535" in wrong.error, "battery" in wrong.error) == (1, True, False)
    untrusted = deliver(ledger, to(mailbox, tls="starttls"), at + backoff(1))
    assert "CERTIFICATE_VERIFY_FAILED" in untrusted.error
    assert deliver(ledger, to(mailbox, password=SECRET, **login), at + timedelta(hours=1)).delivered == 1


def test_tls_from_the_first_byte(
    ledger: Ledger, mailbox: Mailbox, at: datetime, tls: ssl.SSLContext, certificate: Path
) -> None:
    mailbox.start(ssl_context=tls)
    ledger.enqueue(message())
    assert deliver(ledger, to(mailbox, tls="ssl", ca_file=str(certificate)), at).delivered == 1


def test_no_weaker_connection_than_asked(ledger: Ledger, server: Mailbox, at: datetime) -> None:
    ledger.enqueue(message())
    report = deliver(ledger, to(server, tls="starttls"), at)
    assert (report.failed, "STARTTLS" in report.error, server.mails) == (1, True, [])


def test_a_target_that_cannot_be_right_is_refused_before_anything_is_claimed(ledger: Ledger, at: datetime) -> None:
    number = ledger.enqueue(message())
    with pytest.raises(ConfigurationError, match="from_email"):
        deliver(ledger, SmtpTarget("127.0.0.1", 1, tls="none"), at)
    with pytest.raises(ConfigurationError, match="in the clear"):
        deliver(ledger, SmtpTarget("mail.example", 25, "u", SECRET, tls="none", sender="a@example.com"), at)
    assert ledger.outbox_message(number).attempts == 0


def test_secrets_are_not_kept() -> None:
    smtp = SmtpTarget("mail.example", 587, "clo", SECRET, sender="a@example.com")
    assert SECRET not in repr(smtp)
    assert SECRET not in str(smtp)
    said = f"535 no: {SECRET} Y29ycmVjdCBob3JzZQ== AGNsbwBjb3JyZWN0IGhvcnNl\r\nnext line"
    assert redact(said, smtp) == "535 no: *** *** *** next line"
    assert len(redact("x" * 9000, smtp)) == 500
