"""A mail server that keeps what it is sent: each mail a file ``<n>-<subject>.eml`` in a directory.

    with MailSink(directory) as sink:          # in a thread of this process, for tests
        sink.port, sink.messages()
        sink.refuse("451 4.3.0 try again later") ; sink.accept()

    python -m demo.stack.mail --port 2525 --directory .clo-ops/mails

A file ``REFUSE`` in the directory makes either answer every mail with the reply that is its content.
"""

from __future__ import annotations

import argparse
import asyncio
import email
import email.policy
import itertools
import re
import signal
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope

from demo.stack.ports import LOOPBACK, free_port

TRY_LATER = "451 4.3.0 The mail sink was told to refuse"
LARGEST_BYTES = 33_554_432


class Keep:
    """aiosmtpd's handler: a mail is acknowledged when its file is complete."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._numbers = itertools.count(_highest(directory) + 1)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802 (aiosmtpd's name)
        refusal = self.directory / "REFUSE"
        if refusal.exists():
            return refusal.read_text().strip() or TRY_LATER
        content = envelope.original_content or b""
        head = f"X-Envelope-To: {', '.join(envelope.rcpt_tos)}\r\nX-Envelope-From: {envelope.mail_from}\r\n".encode()
        target = self.directory / f"{next(self._numbers):04d}-{_subject(content)}.eml"
        partial = target.with_suffix(".part")
        partial.write_bytes(head + content)
        partial.rename(target)
        return "250 OK: kept"


class MailSink:
    """The sink in a thread of this process. ``port`` is the one preferred; the next free one is taken."""

    def __init__(self, directory: Path | str, *, port: int | None = None) -> None:
        self.directory = Path(directory)
        self.port = free_port(port)
        self._controller = Controller(
            Keep(self.directory), hostname=LOOPBACK, port=self.port, data_size_limit=LARGEST_BYTES
        )

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    def messages(self) -> list[EmailMessage]:
        return messages(self.directory)

    def refuse(self, reply: str = TRY_LATER) -> None:
        refuse(self.directory, reply)

    def accept(self) -> None:
        accept(self.directory)


def messages(directory: Path) -> list[EmailMessage]:
    """What arrived, oldest first."""
    files = sorted(directory.glob("*.eml"))
    return [email.message_from_bytes(file.read_bytes(), policy=email.policy.default) for file in files]


def refuse(directory: Path, reply: str = TRY_LATER) -> None:
    """Answer every mail with this SMTP reply from now on (4xx: the sender tries again; 5xx: it gives up)."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    (directory / "REFUSE").write_text(reply)


def accept(directory: Path) -> None:
    (directory / "REFUSE").unlink(missing_ok=True)


def _highest(directory: Path) -> int:
    numbers = [int(found.group(1)) for path in directory.glob("*.eml") if (found := re.match(r"(\d+)-", path.name))]
    return max(numbers, default=0)


def _subject(content: bytes) -> str:
    """For a file name: the subject came from outside, so letters, digits and dashes only."""
    subject = str(email.message_from_bytes(content, policy=email.policy.default)["subject"] or "no subject")
    return re.sub(r"[^A-Za-z0-9]+", "-", subject).strip("-")[:60] or "mail"


async def _serve(host: str, port: int, directory: Path) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    handler = Keep(directory)
    server = await loop.create_server(lambda: SMTP(handler, data_size_limit=LARGEST_BYTES), host, port)
    async with server:
        await stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="Keep every mail as a file.")
    parser.add_argument("--host", default=LOOPBACK, help="where to listen; in a container 0.0.0.0")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--directory", type=Path, required=True)
    given = parser.parse_args()
    asyncio.run(_serve(given.host, given.port, given.directory))


if __name__ == "__main__":
    main()
