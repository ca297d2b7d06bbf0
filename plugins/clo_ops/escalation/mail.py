"""A message as mail: UTF-8, text with an HTML alternative, a Message-ID that is the same at every attempt."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

from clo_ops.findings import Severity
from clo_ops.ledger.records import Message

# Seven bits only: not every relay on the way takes eight.
POLICY = SMTP.clone(cte_type="7bit")
# What the renderer sets itself; a message that set them too could send a mail other than the one on record.
OURS = ("from", "sender", "to", "cc", "bcc", "subject", "date", "message-id", "mime-version", "return-path")


@dataclass(frozen=True, slots=True)
class Attachment:
    name: str
    media_type: str
    data: bytes


def address(text: str) -> Address:
    """``name@site`` or ``Some Name <name@site>``. Raises ValueError for anything else, or for several."""
    try:
        parsed: Any = POLICY.header_factory("To", text)
    except (MessageError, IndexError, ValueError) as error:  # the standard library's parser has all three
        raise ValueError(f"{text!r} is not a mail address: {error}") from error
    if parsed.defects or len(parsed.addresses) != 1:
        raise ValueError(f"{text!r} is not one mail address")
    one: Address = parsed.addresses[0]
    domain = one.domain.encode("idna").decode("ascii") if one.domain else ""
    if not one.username or not domain or not one.username.isascii():
        raise ValueError(f"{text!r} is not a mail address every server takes")
    return Address(one.display_name, one.username, domain)


def message_id(dedup_key: str, sender: str) -> str:
    """The same for every attempt at the same message, so that a mail that came twice can be told."""
    digest = hashlib.sha256(dedup_key.encode("utf-8", "surrogatepass")).hexdigest()[:40]
    return f"<{digest}@{address(sender).domain}>"


def render(message: Message, *, sender: str, sent_at: datetime, attachments: Sequence[Attachment] = ()) -> EmailMessage:
    """The mail to hand to a server. ``sent_at`` is when the message was put into the outbox.

    Recipients whose address cannot be one are left out of the header. Raises ValueError for a header of ours in
    ``message.headers`` and for line breaks in any header.
    """
    mail = EmailMessage(policy=POLICY)
    mail["From"] = address(sender)
    mail["To"] = valid_addresses(message.recipients)
    mail["Subject"] = message.subject
    mail["Date"] = sent_at
    mail["Message-ID"] = message_id(message.dedup_key, sender)
    mail["List-Id"] = f"CLO Ops <clo-ops.{address(sender).domain}>"
    # RFC 3834: no out-of-office reply to a machine.
    mail["Auto-Submitted"] = "auto-generated"
    if message.severity is Severity.P1:
        mail["Importance"] = "high"
    _add_headers(mail, message)
    mail.set_content(message.text)
    if message.html:
        mail.add_alternative(message.html, subtype="html")
    for one in attachments:
        main, _, sub = one.media_type.partition("/")
        mail.add_attachment(one.data, maintype=main, subtype=sub or "octet-stream", filename=one.name)
    return mail


def valid_addresses(recipients: Sequence[str]) -> list[Address]:
    valid = []
    for one in recipients:
        try:
            valid.append(address(one))
        except ValueError:
            continue
    return valid


def _add_headers(mail: EmailMessage, message: Message) -> None:
    for name, value in message.headers.items():
        if name.lower() in OURS or name.lower().startswith("content-"):
            raise ValueError(f"header {name} is the renderer's own, a message cannot set it")
        if not name or not name.isascii() or not name.isprintable() or ":" in name or " " in name:
            raise ValueError(f"{name!r} is no name of a mail header")
        if name in mail:
            del mail[name]
        mail[name] = value
