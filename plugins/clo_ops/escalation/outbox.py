"""Deliver what is in the outbox: at least once, with back-off, and never given up.

A server may take a mail and we may die before we write that down: then it goes again, with the same Message-ID.
"""

from __future__ import annotations

import base64
import smtplib
import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.errors import MessageError
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from clo_ops.escalation.enclosures import Read, enclosed, read_evidence
from clo_ops.escalation.mail import address, render
from clo_ops.findings import ConfigurationError
from clo_ops.ledger.records import Message, OutboxMessage

if TYPE_CHECKING:
    from clo_ops.ledger import Ledger

FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(minutes=15)
# Longer than one message can take, so that only a dead sender's messages go to another.
LEASE = timedelta(minutes=10)
Envelope = dict[str, list[str]]
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class SmtpTarget:
    """The mail server. ``timeout`` is seconds per answer; ``ca_file`` is a CA of the site's own."""

    host: str
    port: int
    user: str = ""
    password: str = field(repr=False, default="")
    tls: Literal["none", "starttls", "ssl"] = "starttls"
    sender: str = ""
    timeout: float = 15.0
    ca_file: str | None = None

    def __str__(self) -> str:
        return f"smtp://{self.host}:{self.port} (tls: {self.tls})"


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What one delivery did: messages ``delivered``, attempts ``failed``, messages ``refused`` by every recipient's
    server, and how many are ``waiting`` afterwards, ``error`` being the last reason."""

    delivered: int
    failed: int
    waiting: int
    refused: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class _Attempt:
    accepted: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    server_down: bool = False


def backoff(attempts: int) -> timedelta:
    """How long to wait after so many attempts: 30 s, doubled each time, at most 15 min."""
    doublings: int = 1 << min(max(attempts - 1, 0), 16)
    return min(LONGEST_WAIT, FIRST_WAIT * doublings)


def redact(text: str, target: SmtpTarget) -> str:
    """An error fit to be kept: one line, not long, the password in none of the forms SMTP sends it in."""
    plain = target.password.encode()
    forms = [plain, base64.b64encode(plain), base64.b64encode(b"\0%b\0%b" % (target.user.encode(), plain))]
    for form in forms if target.password else ():
        text = text.replace(form.decode(), "***")
    return " ".join(text.split())[:500]


def deliver(
    ledger: Ledger, smtp: SmtpTarget, now: datetime, limit: int = 50, *, read: Read = read_evidence
) -> DeliveryReport:
    """Send up to ``limit`` messages that are due, the most severe first; ``read`` fetches a file to be enclosed.

    A server that cannot be reached ends the delivery after one attempt; the rest stays due. Raises ConfigurationError
    for a target without a proper sender, or with a password that would go over the network in the clear.
    """
    _check(smtp)
    delivered = failed = refused = 0
    error = ""
    with _Courier(smtp, read) as courier:
        for _ in range(limit):
            claimed = ledger.claim_due(now, 1, LEASE)
            if not claimed:
                break
            attempt = courier.carry(claimed[0])
            state = _note(ledger, claimed[0], attempt, now)
            delivered, refused = delivered + (state == "delivered"), refused + (state == "refused")
            failed, error = failed + (state == "waiting"), attempt.error or error
            if attempt.server_down:
                break
    return DeliveryReport(delivered, failed, ledger.outbox_state().waiting, refused, error)


def send_now(message: Message, smtp: SmtpTarget, now: datetime) -> str:
    """Hand a message over past the outbox, for when there is no ledger to keep it; why nobody has it, or nothing.

    Raises ConfigurationError as ``deliver`` does.
    """
    _check(smtp)
    unkept = OutboxMessage(0, message, "waiting", now, 1, None, None, (), {}, None, "")
    with _Courier(smtp, read_evidence) as courier:
        attempt = courier.carry(unkept)
    refused = "; ".join(f"{who}: {why}" for who, why in attempt.refused.items())
    return "" if attempt.accepted else attempt.error or refused or "there is nobody to send it to"


def _check(smtp: SmtpTarget) -> None:
    try:
        address(smtp.sender)
    except ValueError as error:
        raise ConfigurationError(
            f"{smtp} has the sender {smtp.sender!r}",
            allowed="one mail address, in from_email of the connection's extra",
        ) from error
    if smtp.password and smtp.tls == "none" and smtp.host not in LOOPBACK:
        raise ConfigurationError(
            f"{smtp} would send its password in the clear", allowed='"tls": "starttls" or "ssl", or no password'
        )


def _note(ledger: Ledger, claimed: OutboxMessage, attempt: _Attempt, now: datetime) -> str:
    """Put down how the attempt ended; returns the message's state."""
    state: str = "waiting"
    if attempt.accepted or attempt.refused:
        state = ledger.mark_delivered(claimed.id, now, attempt.accepted, attempt.refused).state
    if state == "waiting":
        ledger.mark_failed(claimed.id, attempt.error, now + backoff(claimed.attempts), claimed.attempts)
    return state


class _Courier:
    """One connection to the server for as many messages as it lasts."""

    def __init__(self, target: SmtpTarget, read: Read) -> None:
        self.target = target
        self.read = read
        self._server: smtplib.SMTP | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            with suppress(OSError, smtplib.SMTPException):
                self._server.quit()
            self._hang_up()

    def carry(self, claimed: OutboxMessage) -> _Attempt:
        """Try to hand the message over for everybody still pending. Raises nothing a server or an address can cause."""
        envelope, impossible = _envelope(claimed)
        try:
            message, files = enclosed(claimed.message, self.read)
            mail = render(message, sender=self.target.sender, sent_at=claimed.enqueued_at, attachments=files).as_bytes()
        except (ValueError, MessageError) as error:
            return _Attempt(error=redact(f"cannot be rendered: {error}", self.target))
        if not envelope:
            return _Attempt(refused=impossible)
        return self._hand_over(mail, envelope, impossible)

    def _hand_over(self, mail: bytes, envelope: Envelope, impossible: Mapping[str, str]) -> _Attempt:
        try:
            server = self._server = self._server or _connect(self.target)
        except (OSError, ValueError, smtplib.SMTPException) as error:
            return _Attempt(refused=impossible, error=self._words(error), server_down=True)
        try:
            answers = server.sendmail(address(self.target.sender).addr_spec, list(envelope), mail)
        except smtplib.SMTPRecipientsRefused as error:
            answers = error.recipients
        except (OSError, smtplib.SMTPException) as error:
            self._hang_up()
            return _Attempt(refused=impossible, error=self._words(error))
        if server.sock is None:  # the server said good-bye on the way
            self._hang_up()
        return self._sorted(answers, envelope, impossible)

    def _sorted(
        self, answers: Mapping[str, tuple[int, bytes]], envelope: Envelope, impossible: Mapping[str, str]
    ) -> _Attempt:
        """Who has it, whom the server refused for good (5xx), and why the others must wait (4xx)."""
        accepted: list[str] = []
        for_good, later = dict(impossible), dict[str, str]()
        for spec, whom in envelope.items():
            code, reason = answers.get(spec, (250, b""))
            words = redact(f"{code} {reason.decode(errors='replace')}", self.target)
            if code < 400:
                accepted += whom
            elif code < 500:
                later |= dict.fromkeys(whom, words)
            else:
                for_good |= dict.fromkeys(whom, words)
        waits = "; ".join(f"{who}: {why}" for who, why in later.items())[:500]
        return _Attempt(tuple(accepted), for_good, waits)

    def _words(self, error: Exception) -> str:
        return redact(f"{self.target}: {type(error).__name__}: {_reason(error)}", self.target)

    def _hang_up(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        return f"{error.smtp_code} {said.decode(errors='replace') if isinstance(said, bytes) else said}"
    return str(error) or "no reason given"


def _envelope(claimed: OutboxMessage) -> tuple[Envelope, dict[str, str]]:
    """Whom each bare address stands for, of all who still need the message; and whom nobody can reach, with why."""
    envelope: Envelope = {}
    impossible = {}
    for who in claimed.pending:
        try:
            envelope.setdefault(address(who).addr_spec, []).append(who)
        except ValueError as error:
            impossible[who] = str(error)
    return envelope, impossible


def _connect(target: SmtpTarget) -> smtplib.SMTP:
    """An open, encrypted as asked and logged-in connection; never a weaker one."""
    context = ssl.create_default_context(cafile=target.ca_file) if target.tls != "none" else None
    # Not smtplib's own getfqdn(): it asks the name servers and may hang for minutes.
    name = socket.gethostname()
    opener: Callable[..., smtplib.SMTP] = smtplib.SMTP_SSL if target.tls == "ssl" else smtplib.SMTP
    more = {"context": context} if target.tls == "ssl" else {}
    server = opener(target.host, target.port, local_hostname=name, timeout=target.timeout, **more)
    try:
        if target.tls == "starttls":
            server.starttls(context=context)
        if target.user:
            server.login(target.user, target.password)
    except BaseException:
        server.close()
        raise
    return server
