"""The outbox's rows: put in once, claimed under a lease, kept until delivered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, case, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from clo_ops.findings import Severity
from clo_ops.ledger import schema
from clo_ops.ledger.columns import aware
from clo_ops.ledger.errors import LedgerConflict
from clo_ops.ledger.records import Evidence, Message, OutboxMessage, OutboxState
from clo_ops.ledger.store import Store

TABLE = schema.outbox


def _outbox_message(row: RowMapping) -> OutboxMessage:
    severity = None if row["severity"] is None else Severity(row["severity"])
    names = ("dedup_key", "recipients", "subject", "text", "html", "headers")
    files = [Evidence(**one) for one in row["attachments"]]
    message = Message(**{name: row[name] for name in names}, severity=severity, run=row["run_id"], attachments=files)
    kept = ("id", "state", "enqueued_at", "attempts", "next_attempt_at", "leased_until", "delivered_at", "last_error")
    return OutboxMessage(
        **{name: row[name] for name in kept},
        message=message,
        accepted=tuple(row["accepted"]),
        refused=row["refused"],
    )


def _held(connection: Connection, message: int) -> OutboxMessage:
    query = select(TABLE).where(TABLE.c.id == message).with_for_update()
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise LedgerConflict(f"there is no message {message} in the outbox")
    return _outbox_message(row)


class Messages(Store):
    def enqueue(self, message: Message) -> int:
        """Put a message into the outbox; its number there. One with the same dedup key stays as it was."""
        row = {
            "dedup_key": message.dedup_key,
            "recipients": list(message.recipients),
            "subject": message.subject,
            "text": message.text,
            "html": message.html,
            "headers": dict(message.headers),
            "severity": None if message.severity is None else message.severity.value,
            "run_id": message.run,
            "attachments": [asdict(one) for one in message.attachments],
        }
        with self.transaction() as connection:
            connection.execute(upsert(TABLE).values(row).on_conflict_do_nothing(index_elements=["dedup_key"]))
            query = select(TABLE.c.id).where(TABLE.c.dedup_key == message.dedup_key)
            return int(connection.execute(query).scalar_one())

    def claim_due(self, now: datetime, limit: int, lease: timedelta) -> list[OutboxMessage]:
        """Up to ``limit`` messages due and not in anybody's hands, now in ours until ``now + lease``.

        The most severe and oldest come first. A sender that dies leaves its messages to the next once the lease ends.
        """
        now = aware(now)
        free = or_(TABLE.c.leased_until.is_(None), TABLE.c.leased_until <= now)
        due = or_(TABLE.c.next_attempt_at.is_(None), TABLE.c.next_attempt_at <= now)
        order = (TABLE.c.severity.asc().nulls_last(), TABLE.c.id)
        query = select(TABLE.c.id).where(TABLE.c.state == "waiting", free, due).order_by(*order).limit(limit)
        with self.transaction() as connection:
            chosen = list(connection.scalars(query.with_for_update(skip_locked=True)))
            taken = {"leased_until": now + lease, "attempts": TABLE.c.attempts + 1}
            rows = connection.execute(update(TABLE).where(TABLE.c.id.in_(chosen)).values(**taken).returning(TABLE))
            claimed = {row["id"]: _outbox_message(row) for row in rows.mappings()}
            return [claimed[one] for one in chosen]

    def mark_delivered(
        self,
        message: int,
        at: datetime,
        accepted: Iterable[str] | None = None,
        refused: Mapping[str, str] | None = None,
    ) -> OutboxMessage:
        """A server took it for these recipients (None: all); ``refused`` are those it will never take it for.

        The message is delivered once nobody is pending; where all were refused its state says so. Recipients still
        pending keep it waiting.
        """
        with self.transaction() as connection:
            known = _held(connection, message)
            took = known.pending if accepted is None else tuple(accepted)
            have = [*known.accepted, *(one for one in took if one not in known.accepted)]
            never = {who: why for who, why in {**known.refused, **(refused or {})}.items() if who not in have}
            pending = set(known.message.recipients) - set(have) - set(never)
            state = "waiting" if pending else "delivered" if have else "refused"
            values = {
                "accepted": have,
                "refused": never,
                "state": state,
                "leased_until": None,
                "delivered_at": aware(at)
                if state == "delivered" and known.delivered_at is None
                else known.delivered_at,
            }
            query = update(TABLE).where(TABLE.c.id == message).values(**values).returning(TABLE)
            return _outbox_message(connection.execute(query).mappings().one())

    def mark_failed(self, message: int, error: str, next_attempt_at: datetime, attempt: int | None = None) -> bool:
        """This attempt did not get through; try again at ``next_attempt_at``. There is no giving up.

        With ``attempt`` (the claim's ``attempts``), a sender whose lease ran out cannot end its successor's: False.
        """
        query = update(TABLE).where(TABLE.c.id == message, TABLE.c.state == "waiting")
        if attempt is not None:
            query = query.where(TABLE.c.attempts == attempt)
        values = {"leased_until": None, "next_attempt_at": aware(next_attempt_at), "last_error": error}
        with self.transaction() as connection:
            return connection.execute(query.values(**values)).rowcount == 1

    def requeue(self, message: int) -> OutboxMessage:
        """Try the refused recipients again at once: for an operator, after the address or the server was put right."""
        with self.transaction() as connection:
            known = _held(connection, message)
            state = "waiting" if known.refused or known.state == "waiting" else known.state
            fresh = update(TABLE).values(state=state, refused={}, next_attempt_at=None)
            query = fresh.where(TABLE.c.id == message).returning(TABLE)
            return _outbox_message(connection.execute(query).mappings().one())

    def outbox_message(self, message: int) -> OutboxMessage:
        """Raises LedgerConflict where there is no such message."""
        with self.transaction() as connection:
            return _held(connection, message)

    def incident_messages(self, incident: int) -> list[OutboxMessage]:
        """Every message told of one incident, in the order they were put in."""
        query = select(TABLE).where(TABLE.c.dedup_key.startswith(f"incident:{incident:d}:")).order_by(TABLE.c.id)
        with self.transaction() as connection:
            return [_outbox_message(row) for row in connection.execute(query).mappings()]

    def messages_put_in(self, since: datetime, until: datetime) -> list[OutboxMessage]:
        """Every message put in after ``since`` and not after ``until``, the oldest first."""
        within = and_(TABLE.c.enqueued_at > aware(since), TABLE.c.enqueued_at <= aware(until))
        query = select(TABLE).where(within).order_by(TABLE.c.enqueued_at, TABLE.c.id)
        with self.transaction() as connection:
            return [_outbox_message(row) for row in connection.execute(query).mappings()]

    def undelivered(self, before: datetime, since: datetime) -> list[OutboxMessage]:
        """Put in after ``since``: still waiting though put in before ``before``, or refused for somebody for good."""
        late = and_(TABLE.c.state == "waiting", TABLE.c.enqueued_at < aware(before))
        query = select(TABLE).where(TABLE.c.enqueued_at > aware(since), or_(late, TABLE.c.refused != {}))
        with self.transaction() as connection:
            rows = connection.execute(query.order_by(TABLE.c.severity.asc().nulls_last(), TABLE.c.id)).mappings()
            return [_outbox_message(row) for row in rows]

    def is_delivered(self, message: int) -> bool:
        """Whether every recipient has it, but for those refused for good. Raises LedgerConflict: no such message."""
        return self.outbox_message(message).state == "delivered"

    def outbox_state(self) -> OutboxState:
        """How many messages wait, were delivered, were refused by every recipient; and since when the oldest waits."""
        waiting = TABLE.c.state == "waiting"
        counts = [func.count().filter(TABLE.c.state == state) for state in ("waiting", "delivered", "refused")]
        refusals = func.count().filter(TABLE.c.refused != {})
        newest = select(TABLE.c.last_error).where(waiting, TABLE.c.last_error != "")
        newest = newest.order_by(TABLE.c.next_attempt_at.desc()).limit(1)
        oldest = func.min(case((TABLE.c.state != "delivered", TABLE.c.enqueued_at)))
        query = select(*counts, refusals, oldest, func.coalesce(newest.scalar_subquery(), ""))
        with self.transaction() as connection:
            columns: tuple[Any, ...] = tuple(connection.execute(query).one())
        return OutboxState(*columns)
