"""The mail sink: keeps what it gets, refuses when told to, in a thread and as a process."""

from __future__ import annotations

import smtplib
import sys
from email.message import EmailMessage
from pathlib import Path

import pytest

from demo.stack import control, mail
from demo.stack.ports import LOOPBACK, free_port
from demo.stack.state import Service, State


def send(port: int, subject: str = "Morning: RED ../../x") -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "clo-ops@example.com", "operations@example.com", subject
    message.set_content("äöü: 3 of 15 are red")
    with smtplib.SMTP(LOOPBACK, port, timeout=10) as server:
        server.send_message(message)


def test_a_mail_is_a_file(tmp_path: Path) -> None:
    with mail.MailSink(tmp_path / "mails") as sink:
        send(sink.port)
        send(sink.port, "another")
        first, second = sink.messages()
    assert first["Subject"] == "Morning: RED ../../x"
    assert first["X-Envelope-To"] == "operations@example.com"
    assert first.get_content().strip() == "äöü: 3 of 15 are red"
    assert second["Subject"] == "another"
    names = sorted(path.name for path in (tmp_path / "mails").iterdir())
    assert names == ["0001-Morning-RED-x.eml", "0002-another.eml"]


def test_told_to_refuse_it_refuses_and_keeps_nothing(tmp_path: Path) -> None:
    with mail.MailSink(tmp_path / "mails") as sink:
        sink.refuse("554 5.7.1 not wanted here")
        with pytest.raises(smtplib.SMTPDataError) as refused:
            send(sink.port)
        assert refused.value.smtp_code == 554
        assert sink.messages() == []
        sink.accept()
        send(sink.port)
        assert len(sink.messages()) == 1


def test_as_a_process_it_goes_on_counting(tmp_path: Path) -> None:
    stack, port, folder = State(tmp_path / "state"), free_port(), tmp_path / "mails"
    command = (sys.executable, "-m", "demo.stack.mail", "--port", str(port), "--directory", str(folder))
    stack.define(Service("mail", command=command, ready=f"tcp://{LOOPBACK}:{port}"))
    try:
        for _ in range(2):
            control.start_service(stack, "mail")
            send(port, "counted")
            control.stop_service(stack, "mail")
    finally:
        control.clean(stack)
    assert sorted(path.name for path in folder.iterdir()) == ["0001-counted.eml", "0002-counted.eml"]
