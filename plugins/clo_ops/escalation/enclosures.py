"""A message's attachments, read from the evidence store when it is sent.

A message always goes out: a file that is gone, altered or too big is named in it instead, with where it should be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from html import escape

from clo_ops.escalation.mail import Attachment
from clo_ops.ledger.evidence import EvidenceStore
from clo_ops.ledger.records import Evidence, Message

# All files of one mail together, in bytes; a third more in transit. Most servers refuse for good what is over 20 MB.
LARGEST = 14 * 1024**2
Read = Callable[[Evidence], bytes]


def read_evidence(one: Evidence) -> bytes:
    """The file, proven to be the one recorded. Raises CheckFailed, CouldNotCheck, and what the file's driver raises."""
    return EvidenceStore(one.uri).read(one)


def enclosed(message: Message, read: Read = read_evidence) -> tuple[Message, list[Attachment]]:
    """The message as it goes out, with a note for every file that could not be enclosed, and those that could."""
    files: list[Attachment] = []
    missing: list[str] = []
    left = LARGEST
    for one in message.attachments:
        try:
            if one.size > left:
                raise ValueError(f"with {one.size / 1024**2:.1f} MB it is too big to be mailed")
            files.append(Attachment(one.name, one.media_type, read(one)))
            left -= one.size
        except Exception as error:  # noqa: BLE001 - whatever the store's driver raises, the message goes out
            missing.append(f"{one.name} is not enclosed: {error} It is kept as {one.uri}, SHA-256 {one.sha256}.")
    return (_with_notes(message, missing) if missing else message), files


def _with_notes(message: Message, notes: list[str]) -> Message:
    text = "\n".join([message.text.rstrip("\n"), "", *notes, ""])
    paragraphs = "".join(f"<p>{escape(note)}</p>" for note in notes)
    html = message.html
    if html:
        before, end, after = html.rpartition("</body>")
        html = f"{before}{paragraphs}{end}{after}" if end else html + paragraphs
    return replace(message, text=text, html=html)
