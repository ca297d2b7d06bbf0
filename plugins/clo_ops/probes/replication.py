"""Ask production how its own replication is (M3-05, manual L212; D63). Read only: it can trigger no failover."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from clo_ops.findings import Answer, Measurement
from clo_ops.probes.postgres import asked, rows
from clo_ops.probes.reaching import Reach, Unreachable
from clo_ops.probes.targets import PostgresTarget

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import DictRow

QUESTION = "replication"


def replication(target: PostgresTarget) -> Answer:
    """Who streams from this server, what it receives itself, and what its slots keep.

    Emits ``replication.peer.count`` (standbys, slots, and a sender of its own), per standby ``replication.streaming``
    (bool, detail its state), ``replication.lag`` (bytes not replayed) and ``replication.lag.time`` (s, 0 where it is
    idle); per slot ``replication.slot.active`` (bool) and ``replication.slot.retained`` (bytes of WAL kept). A server
    that is itself a standby is measured under its own name, ``this server``.
    """
    return asked(QUESTION, target, lambda connection: list(_measured(connection, target)))


def _measured(connection: psycopg.Connection[DictRow], target: PostgresTarget) -> Iterator[Measurement]:
    at = datetime.now(UTC)
    senders, slots = rows(connection, "replication/senders"), rows(connection, "replication/slots")
    receiver = rows(connection, "replication/receiver")
    if any(row["state"] == "hidden" for row in senders):
        blind = f"role {target.user} may not see the state of the standbys"
        raise Unreachable(Reach.OTHER, blind, f"GRANT pg_monitor TO {target.user}")
    count = len(senders) + len(receiver) + len(slots)
    yield Measurement("replication.peer.count", count, "count", at)
    for row in senders:
        yield from _standby(row, at)
    for row in receiver:
        yield from _own(row, at)
    for row in slots:
        yield from _slot(row, at)


def _standby(row: DictRow, at: datetime) -> Iterator[Measurement]:
    labels = {"standby": row["standby"], "address": row["address"]}
    said = f"{row['state']}, {row['sync_state']}"
    yield Measurement("replication.streaming", row["state"] == "streaming", "bool", at, labels, said)
    # While a standby is being copied or catches up for the first time there is no position to compare with.
    if row["replay_lag_bytes"] is not None:
        yield Measurement("replication.lag", max(0, row["replay_lag_bytes"]), "bytes", at, labels, said)
    yield Measurement("replication.lag.time", row["replay_lag_seconds"] or 0.0, "s", at, labels, said)


def _own(row: DictRow, at: datetime) -> Iterator[Measurement]:
    labels, said = {"standby": "this server"}, f"{row['status']} from {row['sender']}"
    yield Measurement("replication.streaming", row["status"] == "streaming", "bool", at, labels, said)
    yield Measurement("replication.lag", row["received_lag_bytes"], "bytes", at, labels, f"{said}, not yet replayed")
    if row["behind_seconds"] is not None:
        yield Measurement("replication.lag.time", row["behind_seconds"], "s", at, labels, said)


def _slot(row: DictRow, at: datetime) -> Iterator[Measurement]:
    labels, said = {"slot": row["slot"]}, f"{row['kind']}, WAL {row['wal_status']}"
    yield Measurement("replication.slot.active", bool(row["active"]), "bool", at, labels, said)
    yield Measurement("replication.slot.retained", max(0, row["retained_bytes"]), "bytes", at, labels, said)
