"""The roles plain SQL names, for a backup that carries none: psql would stop at the first owner that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from clo_ops.actions.drill.place import ChosenBackup
from clo_ops.actions.drill.staging import PIECE, Source

# pg_dump writes each of these in a line of its own. A row of data that reads like one costs a role nobody uses.
NAME = rb'("(?:[^"]|"")+"|[^\s";,]+)'
NAMING = re.compile(
    b"|".join(
        (
            rb"^ALTER [^\n]* OWNER TO %s;" % NAME,
            rb"^(?:GRANT|REVOKE) [^\n]* (?:TO|FROM) %s(?: WITH [^\n;]*)?;" % NAME,
            rb"^ALTER DEFAULT PRIVILEGES FOR ROLE %s [^\n]* (?:TO|FROM) %s(?: WITH [^\n;]*)?;" % (NAME, NAME),
            rb"^SET SESSION AUTHORIZATION %s;" % NAME,
        )
    ),
    re.MULTILINE,
)
MARKS = (b" OWNER TO ", b"GRANT ", b"REVOKE ", b"SET SESSION AUTHORIZATION ")
NOBODY = {"PUBLIC", "DEFAULT", "CURRENT_USER", "SESSION_USER", "CURRENT_ROLE"}
LONGEST = 64 * 1024  # a line of data may be far longer, a naming one is not


def roles_named(backup: ChosenBackup) -> list[str]:
    """Every role the SQL gives something to, sorted. Read once, in pieces; memory stays flat."""
    source = Source(backup)
    found: set[str] = set()
    for path in source.files().values():
        with source.open(path) as file:
            found |= named(iter(lambda: file.read(PIECE), b""))
    return sorted(found)


def named(pieces: Iterable[bytes]) -> set[str]:
    """The same of SQL as it comes."""
    return {name for text in _whole_lines(pieces) if any(mark in text for mark in MARKS) for name in _names(text)}


def _whole_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        text = rest + piece
        end = text.rfind(b"\n") + 1
        rest = text[end:] if len(text) - end <= LONGEST else b"-"
        yield text[:end]
    yield rest


def _names(text: bytes) -> Iterator[str]:
    for raw in (one for match in NAMING.finditer(text) for one in match.groups() if one):
        name = raw.decode("utf-8", "replace")
        if name.startswith('"'):
            yield name[1:-1].replace('""', '"')
        elif name.upper() not in NOBODY:
            yield name
