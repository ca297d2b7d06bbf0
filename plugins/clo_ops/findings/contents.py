"""What a database held at one moment: taken at backup time and of the restored copy by the same code, then compared."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

# Who owns what and who may do what is recorded and compared by itself: a copy restored without privileges has the
# same tables.
PRIVILEGES = ("owner of ", "grants on ")


@dataclass(frozen=True, slots=True)
class TableContents:
    """``fingerprint`` is the decimal sum of 64-bit hashes of the rows, ``2:`` before it where they are of the values
    and not of their text: the same in whatever order."""

    rows: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class SequenceState:
    """Where a sequence stands and what it must be beyond.

    ``next_value`` is what it gives next; ``furthest`` is the largest value (the smallest, for one that counts down)
    of the column it feeds, ``column``; both are None where it feeds none or the table is empty.
    """

    last_value: int
    next_value: int
    increment: int = 1
    column: str = ""
    furthest: int | None = None

    @property
    def behind(self) -> bool:
        """The next value it gives is one that is taken, or before one."""
        if self.furthest is None:
            return False
        return self.next_value <= self.furthest if self.increment > 0 else self.next_value >= self.furthest


@dataclass(frozen=True, slots=True)
class Contents:
    """``at`` is the server's time of the transaction it was read in (UTC).

    ``tables`` and ``sequences`` by ``schema.name``, partitioned tables as their leaves; ``schema`` is the definition of
    every object as canonical text, by ``<kind> <name>``; ``newest`` is the newest moment of each table policy names,
    None where it is empty.
    """

    at: datetime
    server_version: str
    server_major: int
    tables: Mapping[str, TableContents]
    sequences: Mapping[str, SequenceState]
    schema: Mapping[str, str]
    collation: Mapping[str, str | None]
    extensions: Mapping[str, str]
    newest: Mapping[str, datetime | None] = field(default_factory=dict)

    @property
    def schema_fingerprint(self) -> str:
        return schema_fingerprint(self.schema)

    def as_manifest(self) -> dict[str, Any]:
        """The keys of a manifest of format 2 that follow from the contents."""
        return {
            "server_version": self.server_version,
            "server_major": self.server_major,
            "collation": dict(self.collation),
            "extensions": dict(self.extensions),
            "tables": {
                name: {"rows": one.rows, "fingerprint": one.fingerprint} for name, one in sorted(self.tables.items())
            },
            "schema_fingerprint": self.schema_fingerprint,
            "schema": dict(sorted(self.schema.items())),
            "sequences": {name: one.last_value for name, one in sorted(self.sequences.items())},
            "newest": {
                table: None if at is None else at.astimezone(UTC).isoformat() for table, at in self.newest.items()
            },
        }


def without_privileges(schema: Mapping[str, str]) -> dict[str, str]:
    return {key: schema[key] for key in sorted(schema) if not key.startswith(PRIVILEGES)}


def schema_fingerprint(schema: Mapping[str, str]) -> str:
    """SHA-256 over the definitions of tables, columns, constraints, indexes, views, functions, triggers, types and
    sequences, without owners and grants; hexadecimal.
    """
    lines = (f"{key}\x1f{text}\x1e" for key, text in without_privileges(schema).items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()
