"""A backup's files, spoilt in the ways real ones are: cut short, a bit flipped, emptied, of another kind."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

# A digit inside a row of an uncompressed archive: the row's text is there as it stands in COPY.
ROW_DIGIT = re.compile(rb"\t(\d)\d*\.\d\d\t[0-9a-f]{32}")


def cut_short(whole: bytes) -> bytes:
    """Three fifths of it: the table of contents still lists everything."""
    return whole[: len(whole) * 3 // 5]


def bit_flipped(whole: bytes) -> bytes:
    """One bit, in the middle of the compressed data."""
    at = len(whole) // 2
    return whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :]


def digit_flipped(whole: bytes) -> bytes:
    """One digit of one amount, in an archive that is not compressed: it decodes, and says another number."""
    found = ROW_DIGIT.search(whole, len(whole) // 2)
    if found is None:
        raise ValueError("the archive holds no amount in the open: it is compressed")
    at = found.start(1)
    return whole[:at] + (b"1" if whole[at : at + 1] != b"1" else b"2") + whole[at + 1 :]


def emptied(whole: bytes) -> bytes:
    del whole
    return b""


def spoil(source: Path, target: Path, how: Callable[[bytes], bytes]) -> Path:
    """``target`` made of ``source``, readable by everybody: the container's account owns nothing here."""
    target.write_bytes(how(source.read_bytes()))
    target.chmod(0o644)
    return target
