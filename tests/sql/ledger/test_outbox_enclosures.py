"""Files that go with a message: kept as evidence, read when it is sent, and never a reason not to send it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from clo_ops.escalation.enclosures import LARGEST, enclosed
from clo_ops.escalation.outbox import SmtpTarget, backoff, deliver
from clo_ops.ledger import Evidence, Ledger, Message
from clo_ops.ledger.evidence import EvidenceStore

PDF = b"%PDF-1.7 not much of a report\n"


@pytest.fixture
def report(tmp_path: Path) -> Evidence:
    store = EvidenceStore(f"file://{tmp_path}/evidence")
    return store.put("monthly_week3_dr_test", date(2026, 11, 16), "r1", "drill.pdf", PDF, "application/pdf")


def message(*files: Evidence, **more: Any) -> Message:
    return Message("run-1", ["ops@example.com"], "Drill", "The drill passed.\n", attachments=files, **more)


def to(server: Any) -> SmtpTarget:
    return SmtpTarget("127.0.0.1", server.port, tls="none", sender="clo-ops@example.com", timeout=5.0)


def sent(ledger: Ledger, server: Any, what: Message, at: datetime) -> Any:
    ledger.enqueue(what)
    assert deliver(ledger, to(server), at).delivered == 1
    ((_, mail),) = server.mails
    return mail


def path(one: Evidence) -> Path:
    return Path(one.uri.removeprefix("file://"))


def test_the_file_goes_with_the_message_as_it_was_recorded(ledger, server, at, report):
    mail = sent(ledger, server, message(report, html="<html><body><p>Passed.</p></body></html>"), at)
    (file,) = mail.iter_attachments()
    assert (file.get_filename(), file.get_content_type(), file.get_content()) == ("drill.pdf", "application/pdf", PDF)
    assert "not enclosed" not in mail.get_body(("plain",)).get_content()


def test_the_outbox_keeps_where_the_file_is_and_not_the_file(ledger, report):
    number = ledger.enqueue(message(report))
    assert ledger.outbox_message(number).message.attachments == (report,)


@pytest.mark.parametrize("fault", ["gone", "changed", "nowhere"])
def test_a_file_that_is_not_as_recorded_is_named_and_the_message_goes_out(ledger, server, at, report, fault):
    if fault == "gone":
        path(report).unlink()
    elif fault == "changed":
        path(report).chmod(0o644)
        path(report).write_bytes(PDF + b"and more")
    else:
        report = replace(report, uri="nosuchstore://bucket/drill.pdf")
    mail = sent(ledger, server, message(report, html="<html><body><p>Passed.</p></body></html>"), at)
    assert list(mail.iter_attachments()) == []
    for kind in ("plain", "html"):
        text = " ".join(mail.get_body((kind,)).get_content().split())
        assert "drill.pdf is not enclosed:" in text
        assert report.uri in text
        assert report.sha256 in text
    assert mail.get_body(("plain",)).get_content().startswith("The drill passed.")


def test_one_file_missing_does_not_keep_back_the_others(ledger, server, at, report, tmp_path):
    other = EvidenceStore(f"file://{tmp_path}/evidence").put(
        "d", date(2026, 11, 16), "r1", "a.csv", b"a;b\n", "text/csv"
    )
    path(report).unlink()
    mail = sent(ledger, server, message(report, other), at)
    assert [file.get_filename() for file in mail.iter_attachments()] == ["a.csv"]


def test_what_is_too_big_for_mail_servers_is_named_and_not_even_read(report):
    def read(_: Evidence) -> bytes:
        pytest.fail("read")

    going, files = enclosed(message(replace(report, size=LARGEST + 1)), read)
    assert files == []
    assert "it is too big to be mailed" in going.text


def test_a_later_attempt_reads_the_file_again(ledger, mailbox_down_then_up, at, report):
    first, server = mailbox_down_then_up
    ledger.enqueue(message(report))
    assert deliver(ledger, first, at).failed == 1
    assert deliver(ledger, to(server), at + backoff(1)).delivered == 1
    ((_, mail),) = server.mails
    assert [file.get_filename() for file in mail.iter_attachments()] == ["drill.pdf"]


@pytest.fixture
def mailbox_down_then_up(server: Any) -> tuple[SmtpTarget, Any]:
    from demo.stack.ports import free_port

    return replace(to(server), port=free_port()), server


def test_a_name_that_would_forge_a_header_is_refused(report):
    with pytest.raises(ValueError, match="forge headers"):
        message(replace(report, name="a\r\nBcc: all@example.com"))
