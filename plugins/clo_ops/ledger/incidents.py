"""Incidents: one open incident per cause, and a timeline nobody rewrites."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from clo_ops.findings import Severity
from clo_ops.ledger import schema
from clo_ops.ledger.columns import aware
from clo_ops.ledger.errors import LedgerConflict
from clo_ops.ledger.records import EventKind, IncidentEvent, IncidentRow
from clo_ops.ledger.store import Store, lock

TABLE = schema.incidents


def _incident(row: RowMapping) -> IncidentRow:
    return IncidentRow(**{**row, "severity": Severity(row["severity"])})


def _event(connection: Connection, incident: int, kind: EventKind, at: datetime, **more: Any) -> bool:
    """Add to the timeline; False where this very sighting is already there."""
    row = {"incident_id": incident, "kind": kind, "at": aware(at), **more}
    events = schema.incident_events
    statement = upsert(events).values(row).on_conflict_do_nothing().returning(events.c.id)
    return connection.execute(statement).one_or_none() is not None


def _change(connection: Connection, incident: int, **values: Any) -> RowMapping:
    return (
        connection.execute(update(TABLE).where(TABLE.c.id == incident).values(**values).returning(TABLE))
        .mappings()
        .one()
    )


def _held(connection: Connection, incident: int) -> RowMapping:
    query = select(TABLE).where(TABLE.c.id == incident).with_for_update()
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise LedgerConflict(f"there is no incident {incident} in the ledger")
    return row


def _open(connection: Connection, row: dict[str, Any]) -> RowMapping:
    opened = connection.execute(insert(TABLE).values(row).returning(TABLE)).mappings().one()
    _event(connection, opened["id"], "opened", row["opened_at"], detail=row["title"], run_id=row["run_id"])
    return opened


def _see_again(connection: Connection, known: RowMapping, row: dict[str, Any]) -> RowMapping:
    """Count the sighting once and take over what is worse or due earlier; never make an incident look better."""
    at, changes = row["opened_at"], {}
    if _event(connection, known["id"], "seen", at, detail=row["title"], run_id=row["run_id"]):
        changes["seen_count"] = known["seen_count"] + 1
        changes["last_seen_at"] = max(known["last_seen_at"], at)
    if row["severity"] <= known["severity"]:
        changes["title"] = row["title"]
    if row["severity"] < known["severity"] and row["severity"] < _judged(connection, known["id"]):  # P1 < P2, too
        changes["severity"] = row["severity"]
        words = f"{known['severity']} raised to {row['severity']}: {row['title']}"
        _event(connection, known["id"], "severity_raised", at, detail=words, run_id=row["run_id"])
    dues = [due for due in (known["response_due_at"], row["response_due_at"]) if due is not None]
    if min(dues, default=None) != known["response_due_at"]:
        changes["response_due_at"] = min(dues)
    return _change(connection, known["id"], **changes) if changes else known


def _judged(connection: Connection, incident: int) -> str:
    """The severity a person found too grave: as grave again is no news. Else one that is never reached."""
    events = schema.incident_events
    of_severity = events.c.kind.in_(("severity_raised", "severity_lowered"))
    query = select(events.c.kind, events.c.detail).where(events.c.incident_id == incident, of_severity)
    last = connection.execute(query.order_by(events.c.id.desc()).limit(1)).one_or_none()
    return last.detail[:2] if last is not None and last.kind == "severity_lowered" else "P9"


class Incidents(Store):
    def open_incident(  # noqa: PLR0917 - what is known when a cause is first seen
        self,
        cause: str,
        severity: Severity,
        title: str,
        procedure: str,
        at: datetime,
        run: int | None = None,
        response_due_at: datetime | timedelta | None = None,
    ) -> IncidentRow:
        """The open incident of this cause, opened now or seen again.

        A sighting is known by its time: the same one reported twice counts once. A worse severity or an earlier
        ``response_due_at`` (a time, or a duration from ``at``) is taken over; nothing is ever eased here.
        A cause seen again after its incident was closed opens a new one.
        """
        at = aware(at)
        due = at + response_due_at if isinstance(response_due_at, timedelta) else response_due_at
        row = {
            "cause": cause,
            "severity": Severity(severity).value,
            "title": title,
            "procedure": procedure,
            "opened_at": at,
            "last_seen_at": at,
            "run_id": run,
            "response_due_at": None if due is None else aware(due),
        }
        with self.transaction() as connection:
            lock(connection, f"incident:{cause}")
            query = select(TABLE).where(TABLE.c.cause == cause, TABLE.c.closed_at.is_(None)).with_for_update()
            known = connection.execute(query).mappings().one_or_none()
            return _incident(_open(connection, row) if known is None else _see_again(connection, known, row))

    def acknowledge_incident(self, incident: int, by: str, at: datetime) -> IncidentRow:
        """Somebody works on it. The first to say so stays; a closed incident is left as it is."""
        with self.transaction() as connection:
            known = _held(connection, incident)
            if known["acknowledged_at"] is not None or known["closed_at"] is not None:
                return _incident(known)
            _event(connection, incident, "acknowledged", at, actor=by)
            return _incident(_change(connection, incident, acknowledged_at=aware(at), acknowledged_by=by))

    def escalate_incident(self, incident: int, level: int, to: str, at: datetime) -> IncidentRow:
        """Tell the next on the ladder. A level already reached, or a closed incident, changes nothing."""
        with self.transaction() as connection:
            known = _held(connection, incident)
            if level <= known["escalation_level"] or known["closed_at"] is not None:
                return _incident(known)
            _event(connection, incident, "escalated", at, detail=f"level {level}: {to}")
            reached: dict[str, Any] = {"escalation_level": level, "escalated_to": to, "escalated_at": aware(at)}
            return _incident(_change(connection, incident, **reached))

    def close_incident(self, incident: int, by: str, at: datetime, reason: str) -> IncidentRow:
        """Over, with the reason. Closing what is closed changes nothing. Raises ValueError without a reason."""
        if not reason.strip():
            raise ValueError(f"incident {incident} needs the reason why it is closed")
        with self.transaction() as connection:
            known = _held(connection, incident)
            if known["closed_at"] is not None:
                return _incident(known)
            _event(connection, incident, "closed", at, actor=by, detail=reason)
            return _incident(_change(connection, incident, closed_at=aware(at), closed_by=by, close_reason=reason))

    def incident(self, incident: int) -> IncidentRow:
        """Raises LedgerConflict where there is no such incident."""
        with self.transaction() as connection:
            return _incident(_held(connection, incident))

    def open_incidents(self, at: datetime) -> list[IncidentRow]:
        """The incidents open at this time, most severe first, then oldest."""
        then = aware(at)
        still_open = or_(TABLE.c.closed_at.is_(None), TABLE.c.closed_at > then)
        query = select(TABLE).where(TABLE.c.opened_at <= then, still_open)
        with self.transaction() as connection:
            rows = connection.execute(query.order_by(TABLE.c.severity, TABLE.c.opened_at, TABLE.c.id)).mappings()
            return [_incident(row) for row in rows]

    def last_incident_of(self, cause: str) -> IncidentRow | None:
        """The newest incident of this cause, open or closed, None where there never was one."""
        query = select(TABLE).where(TABLE.c.cause == cause).order_by(TABLE.c.id.desc()).limit(1)
        with self.transaction() as connection:
            row = connection.execute(query).mappings().one_or_none()
            return None if row is None else _incident(row)

    def open_incident_of(self, cause: str) -> IncidentRow | None:
        """The open incident of this cause, None where there is none."""
        query = select(TABLE).where(TABLE.c.cause == cause, TABLE.c.closed_at.is_(None))
        with self.transaction() as connection:
            row = connection.execute(query).mappings().one_or_none()
            return None if row is None else _incident(row)

    def held_incident_of(self, cause: str) -> IncidentRow | None:
        """The same; nobody else opens one of this cause until the transaction round this call ends."""
        with self.transaction() as connection:
            lock(connection, f"incident:{cause}")
            return self.open_incident_of(cause)

    def incident_events(self, since: datetime, until: datetime) -> list[IncidentEvent]:
        """What happened to incidents with since <= at < until, in order."""
        events = schema.incident_events
        columns = [events.c[name] for name in ("id", "incident_id", "kind", "at", "actor", "detail", "run_id")]
        query = (
            select(*columns, TABLE.c.cause, TABLE.c.severity, TABLE.c.title)
            .join(TABLE, TABLE.c.id == events.c.incident_id)
            .where(events.c.at >= aware(since), events.c.at < aware(until))
            .order_by(events.c.at, events.c.id)
        )
        with self.transaction() as connection:
            rows = connection.execute(query).mappings()
            return [IncidentEvent(**{**row, "severity": Severity(row["severity"])}) for row in rows]

    def incidents_of(self, since: datetime, until: datetime) -> list[IncidentRow]:
        """The incidents that were open at some time with since <= at < until, oldest first."""
        ended_later = or_(TABLE.c.closed_at.is_(None), TABLE.c.closed_at >= aware(since))
        query = select(TABLE).where(TABLE.c.opened_at < aware(until), ended_later)
        with self.transaction() as connection:
            rows = connection.execute(query.order_by(TABLE.c.opened_at, TABLE.c.id)).mappings()
            return [_incident(row) for row in rows]

    def incidents_opened(self, since: datetime, until: datetime) -> int:
        """How many incidents were opened with since <= opened_at < until."""
        query = select(func.count()).where(TABLE.c.opened_at >= aware(since), TABLE.c.opened_at < aware(until))
        with self.transaction() as connection:
            return int(connection.execute(query).scalar_one())
