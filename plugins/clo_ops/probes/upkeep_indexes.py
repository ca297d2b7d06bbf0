"""Ask PostgreSQL about its indexes: size, use, state, and how much of them is air (WM-02)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from clo_ops.findings import Answer, Measurement
from clo_ops.findings.upkeep import IndexSnapshot, IndexState, Pages, Width
from clo_ops.policy.upkeep import Bloat
from clo_ops.probes.postgres import TRIED, connect, rows
from clo_ops.probes.reaching import Unreachable
from clo_ops.probes.statements import statement
from clo_ops.probes.targets import PostgresTarget
from clo_ops.probes.upkeep_tables import server

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import DictRow

    Connection = psycopg.Connection[DictRow]


def indexes(
    target: PostgresTarget, terms: Bloat, *, maintainer: str, read: bool = True
) -> tuple[IndexSnapshot | None, Answer]:
    """Every index; those over the policy's size also with what their entries should take, and read where that is
    possible and not too dear.

    Kept for those over the size: ``postgresql.index.size`` (bytes) and ``postgresql.index.bytes_per_row`` (ratio) by
    {index}; and ``postgresql.index.invalid`` (count).
    """
    try:
        with connect(target) as connection:
            state = server(connection)
            found = tuple(IndexState(**row) for row in rows(connection, "upkeep/indexes", {"maintainer": maintainer}))
            widths = {row.pop("oid"): Width(**row) for row in rows(connection, "upkeep/index_widths")}
            due, unread = _worth_reading(found, terms, state.pgstattuple if read else None)
            pages = dict(_read(connection, state.pgstattuple or "", due, unread))
    except Unreachable as error:
        return None, error.unanswered("the state of the indexes", target, TRIED)
    return IndexSnapshot(state, found, widths, pages, unread), Answer.of(_kept(found, terms))


def one_index(target: PostgresTarget, terms: Bloat, oid: int, *, maintainer: str) -> IndexSnapshot | None:
    """The same of one index, read only if it may be; None where it is gone. Raises Unreachable."""
    with connect(target) as connection:
        state = server(connection)
        named = rows(connection, "upkeep/indexes", {"maintainer": maintainer})
        found = tuple(IndexState(**row) for row in named if row["oid"] == oid)
        widths = {row.pop("oid"): Width(**row) for row in rows(connection, "upkeep/index_widths")}
        due, unread = _worth_reading(found, terms, state.pgstattuple)
        pages = dict(_read(connection, state.pgstattuple or "", due, unread))
    return IndexSnapshot(state, found, widths, pages, unread) if found else None


def _worth_reading(
    found: tuple[IndexState, ...], terms: Bloat, extension: str | None
) -> tuple[list[IndexState], dict[int, str]]:
    """B-trees over the policy's size, the largest first, while what is read in one run stays within its bound."""
    due, unread, room = list[IndexState](), dict[int, str](), terms.read_at_most
    trees = [one for one in found if one.method == "btree" and one.kind != "partitioned" and one.valid]
    for one in sorted(trees, key=lambda one: -one.bytes):
        if one.bytes <= terms.minimum_size:
            continue
        if extension is None:
            unread[one.oid] = "pgstattuple is not installed, or not for our role"
        elif one.bytes > terms.read_up_to or one.bytes > room:
            unread[one.oid] = "reading it costs more than the policy allows"
        else:
            room -= one.bytes
            due.append(one)
    return due, unread


def _read(
    connection: Connection, extension: str, due: list[IndexState], unread: dict[int, str]
) -> Iterator[tuple[int, Pages]]:
    """One that cannot be read is left to the estimate, with the reason: gone meanwhile, locked, or out of time."""
    from psycopg import Error, OperationalError, errors, sql

    query = sql.SQL(statement("upkeep/index_read").text).format(pgstatindex=sql.Identifier(extension, "pgstatindex"))
    for one in due:
        try:
            yield one.oid, Pages(**connection.execute(query, {"oid": one.oid}).fetchall()[0])
        except (errors.QueryCanceled, errors.LockNotAvailable) as error:
            unread[one.oid] = f"it was not read in time: {error.diag.message_primary}"
        except OperationalError:
            raise
        except Error as error:
            unread[one.oid] = str(error.diag.message_primary)


def _kept(found: tuple[IndexState, ...], terms: Bloat) -> Iterator[Measurement]:
    at = datetime.now(UTC)
    for one in found:
        if one.bytes > terms.minimum_size and one.valid:
            labels = {"index": one.full_name}
            yield Measurement("postgresql.index.size", one.bytes, "bytes", at, labels)
            if one.rows > 0:
                yield Measurement("postgresql.index.bytes_per_row", one.bytes / one.rows, "ratio", at, labels)
    invalid = sum(not one.valid for one in found)
    yield Measurement("postgresql.index.invalid", invalid, "count", at)


def open_transactions(connection: Connection, longer_seconds: float) -> list[str]:
    """What a rebuild would have to wait for, in words, oldest first."""
    found = rows(connection, "upkeep/open_transactions", {"longer": longer_seconds})
    return [f"{row['who']} has a transaction open for {row['seconds']:,.0f} s ({row['doing']})" for row in found]
