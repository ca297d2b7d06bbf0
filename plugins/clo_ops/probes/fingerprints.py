"""How many rows a table has, and a fingerprint of them that does not depend on their order.

Two kinds: the decimal sum of the hashes of the rows' text, which every server can make, and ``2:`` with the sum of
hashes of the values themselves, for a third of the work. A fingerprint says of which kind it is, and a restored copy is
read by the kind its manifest has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clo_ops.findings.contents import TableContents
from clo_ops.probes.postgres import rows
from clo_ops.probes.statements import statement

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import DictRow

    Connection = psycopg.Connection[DictRow]

OF_VALUES = "2:"
FIRST_SERVER = 140000  # hash_record_extended
MOST_VALUES = 1000  # a row of values has room for 1664


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """Which kind each table gets. ``recorded`` are those of a manifest, by ``schema.name``; ``columns`` are names and
    the way each is hashed."""

    columns: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    recorded: Mapping[str, str] | None = None

    @classmethod
    def of(cls, connection: Connection, recorded: Mapping[str, Any] | None) -> Fingerprints:
        """``recorded`` are a manifest's tables; without them each table gets the newest kind there is."""
        known = None if recorded is None else dict(_known(recorded))
        if connection.info.server_version < FIRST_SERVER:
            return cls({}, known)
        found = rows(connection, "contents/columns")
        columns = {f"{row['schema']}.{row['name']}": tuple(zip(row["columns"], row["hashed"])) for row in found}  # noqa: B905
        return cls(columns, known)

    def one(self, connection: Connection, schema: str, name: str) -> TableContents:
        from psycopg import sql

        full, table = f"{schema}.{name}", sql.Identifier(schema, name)
        values = list(_values(self.columns.get(full, ())))
        was = (self.recorded or {}).get(full)
        if values and len(values) <= MOST_VALUES and (was is None or was.startswith(OF_VALUES)):
            text = statement("contents/fingerprint_2").text
            parts = {"prefix": sql.Literal(OF_VALUES), "values": sql.SQL(", ").join(values)}
            query = sql.SQL(text).format(table=table, **parts)
        else:
            query = sql.SQL(statement("contents/fingerprint").text).format(table=table)
        row = connection.execute(query).fetchone()
        assert row is not None  # noqa: S101 - an aggregate has one row
        return TableContents(row["rows"], row["fingerprint"])


def _known(recorded: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Manifests of format 1 name tables of public without their schema, and know counts only."""
    for name, one in recorded.items():
        if one.get("fingerprint") is not None:
            yield (name if "." in name else f"public.{name}"), str(one["fingerprint"])


def _values(columns: tuple[tuple[str, str], ...]) -> Iterator[Any]:
    from psycopg import sql

    for name, how in columns:
        column = sql.Identifier("t", name)
        if how == "text":
            yield sql.SQL('{} collate "C"').format(column)
        elif how == "cast":
            yield sql.SQL('{}::text collate "C"').format(column)
        else:
            yield column
        if how == "scaled":
            yield sql.SQL("scale({})").format(column)
