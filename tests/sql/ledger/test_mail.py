"""A message as a mail reader shows it."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import cast

import pytest

from clo_ops.escalation.mail import Attachment, address, message_id, render
from clo_ops.findings import Severity
from clo_ops.ledger import Message

AT = datetime(2026, 7, 6, 8, 20, tzinfo=UTC)
SENDER = "CLO Ops <clo-ops@example.com>"


def message(**more: object) -> Message:
    plain: dict[str, object] = {"recipients": ["ops@example.com"], "subject": "Morning", "text": "All is well.\n"}
    return Message("run-1", **{**plain, **more})  # type: ignore[arg-type]


def received(one: Message, **more: object) -> EmailMessage:
    mail = render(one, sender=SENDER, sent_at=AT, **more)  # type: ignore[arg-type]
    raw = mail.as_bytes()
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) < 998
    return cast("EmailMessage", message_from_bytes(raw, policy=default))


def content(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def test_text_with_an_html_alternative() -> None:
    mail = received(message(html="<p>All is <b>well</b>.</p>"))
    assert mail.get_content_type() == "multipart/alternative"
    assert (content(mail, "plain"), content(mail, "html")) == ("All is well.\n", "<p>All is <b>well</b>.</p>\n")


def test_names_and_text_of_any_language_arrive() -> None:
    words = "Zürich – 日本 ✓ " * 40 + "\n.\nFrom here\n"
    to = ["Jürgen Müller, CFO <jm@example.com>".replace("Müller, CFO", "Müller"), '"Ops, night" <n@bücher.example>']
    mail = received(message(recipients=to, subject="Störung: größer " + "ä" * 120, text=words))
    assert mail["Subject"] == "Störung: größer " + "ä" * 120
    names = [(one.display_name, one.addr_spec) for one in mail["To"].addresses]
    assert names == [("Jürgen Müller", "jm@example.com"), ("Ops, night", "n@xn--bcher-kva.example")]
    assert content(mail, "plain") == words


def test_it_says_what_it_is() -> None:
    mail = received(message(severity=Severity.P1, headers={"X-CLO-Run": "7"}))
    assert (mail["From"], mail["Date"].datetime, mail["X-CLO-Run"]) == (SENDER, AT, "7")
    assert (mail["Auto-Submitted"], mail["Importance"]) == ("auto-generated", "high")
    assert mail["List-Id"] == "CLO Ops <clo-ops.example.com>"
    assert received(message())["Importance"] is None


def test_one_message_has_one_id_however_often_it_is_sent() -> None:
    assert received(message())["Message-ID"] == received(message(text="later"))["Message-ID"]
    assert message_id("run-1", SENDER) != message_id("run-2", SENDER)
    assert message_id("run-1", SENDER).endswith("@example.com>")


def test_an_attachment_arrives_whole() -> None:
    mail = received(message(), attachments=[Attachment("Bericht Süd.pdf", "application/pdf", bytes(range(256)))])
    (part,) = mail.iter_attachments()
    assert (part.get_filename(), part.get_content_type()) == ("Bericht Süd.pdf", "application/pdf")
    assert part.get_content() == bytes(range(256))


@pytest.mark.parametrize("bad", ["a\r\nBcc: thief@example.com", "a\nb", "a\rb", "a\x00b"])
def test_no_text_forges_a_header(bad: str) -> None:
    for field in ({"subject": bad}, {"recipients": [bad]}, {"headers": {"X-A": bad}}, {"headers": {bad: "x"}}):
        with pytest.raises(ValueError, match="forge headers"):
            message(**field)


@pytest.mark.parametrize("name", ["To", "bcc", "Message-ID", "Content-Type", "Sübject", "X A", "X:A", ""])
def test_a_message_sets_no_header_of_ours(name: str) -> None:
    with pytest.raises(ValueError, match="header"):
        render(message(headers={name: "x"}), sender=SENDER, sent_at=AT)


@pytest.mark.parametrize("bad", ["nobody", "a@", "@b", "a@b, c@d", "ä@example.com", "", "a b@example.com", "a@b@c"])
def test_what_is_not_one_address_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="mail address"):
        address(bad)


def test_a_message_needs_somebody_to_go_to() -> None:
    with pytest.raises(ValueError, match="recipient"):
        message(recipients=[])
    assert message(recipients=["a@b.example", "a@b.example"]).recipients == ("a@b.example",)
