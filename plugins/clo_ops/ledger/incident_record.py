"""An incident's clocks, what was told of it and to whom, its timeline, and what its review decided."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from clo_ops.findings import Severity
from clo_ops.ledger import schema
from clo_ops.ledger.columns import aware
from clo_ops.ledger.errors import LedgerConflict
from clo_ops.ledger.incidents import TABLE, _change, _event, _held, _incident
from clo_ops.ledger.records import EventKind, IncidentAction, IncidentEvent, IncidentRow
from clo_ops.ledger.store import Store

STEPS, ACTIONS, EVENTS = schema.incident_steps, schema.incident_actions, schema.incident_events


def _action(row: RowMapping) -> IncidentAction:
    return IncidentAction(**{name: row[name] for name in IncidentAction.__slots__})


class IncidentRecord(Store):
    def held_incident(self, incident: int) -> IncidentRow:
        """The incident, locked until the transaction round this call ends. Raises LedgerConflict: there is none."""
        with self.transaction() as connection:
            return _incident(_held(connection, incident))

    def set_incident_clocks(
        self, incident: int, response_due_at: datetime, resolution_due_at: datetime, update_due_at: datetime
    ) -> IncidentRow:
        """When the incident must be answered, resolved, and next written about."""
        dues = {"response_due_at": response_due_at, "resolution_due_at": resolution_due_at}
        values = {name: aware(at) for name, at in (dues | {"update_due_at": update_due_at}).items()}
        with self.transaction() as connection:
            return _incident(_change(connection, _held(connection, incident)["id"], **values))

    def mark_step_told(self, incident: int, step: str, at: datetime, detail: str = "") -> bool:
        """A rung or notice is told now; False where it was told before."""
        row = {"incident_id": incident, "step": step, "told_at": aware(at)}
        statement = upsert(STEPS).values(row).on_conflict_do_nothing().returning(STEPS.c.step)
        with self.transaction() as connection:
            first = connection.execute(statement).one_or_none() is not None
            if first:
                _event(connection, incident, "told", at, detail=detail or step)
            return first

    def steps_told(self, incident: int) -> dict[str, datetime]:
        """When each step was told."""
        query = select(STEPS.c.step, STEPS.c.told_at).where(STEPS.c.incident_id == incident)
        with self.transaction() as connection:
            return {row.step: row.told_at for row in connection.execute(query)}

    def told_of(self, cause: str) -> set[str]:
        """Every step ever told of any incident of this cause, the closed ones' too."""
        of_cause = select(TABLE.c.id).where(TABLE.c.cause == cause)
        query = select(STEPS.c.step).where(STEPS.c.incident_id.in_(of_cause))
        with self.transaction() as connection:
            return set(connection.scalars(query))

    def note_incident(self, incident: int, kind: EventKind, at: datetime, by: str = "", detail: str = "") -> None:
        """Add a line to the timeline."""
        with self.transaction() as connection:
            _event(connection, incident, kind, at, actor=by, detail=detail)

    def update_incident(self, incident: int, by: str, text: str, at: datetime, next_due_at: datetime) -> IncidentRow:
        """A status update was given; the next is due at ``next_due_at``. A closed incident is left as it is."""
        with self.transaction() as connection:
            known = _held(connection, incident)
            if known["closed_at"] is not None:
                return _incident(known)
            _event(connection, incident, "updated", at, actor=by, detail=text)
            return _incident(_change(connection, incident, update_due_at=aware(next_due_at)))

    def expire_acknowledgement(self, incident: int, at: datetime) -> IncidentRow:
        """Whoever took it has gone silent: the ladder goes on from here."""
        with self.transaction() as connection:
            known = _held(connection, incident)
            if known["acknowledged_at"] is None or known["closed_at"] is not None:
                return _incident(known)
            detail = f"{known['acknowledged_by']} gave no update by {known['update_due_at']:%Y-%m-%d %H:%M} UTC"
            _event(connection, incident, "acknowledgement_expired", at, detail=detail)
            silent = {"acknowledged_at": None, "acknowledged_by": "", "acknowledgement_expired_at": aware(at)}
            return _incident(_change(connection, incident, **silent))

    def change_severity(self, incident: int, severity: Severity, by: str, reason: str, at: datetime) -> IncidentRow:
        """A person judges it otherwise. Raises ValueError without a reason; the same severity changes nothing."""
        if not reason.strip():
            raise ValueError(f"incident {incident} needs the reason for its new severity")
        with self.transaction() as connection:
            known = _held(connection, incident)
            if known["severity"] == severity.value or known["closed_at"] is not None:
                return _incident(known)
            kind: EventKind = "severity_raised" if severity.value < known["severity"] else "severity_lowered"
            words = f"{known['severity']} to {severity.value}: {reason}"
            _event(connection, incident, kind, at, actor=by, detail=words)
            return _incident(_change(connection, incident, severity=severity.value))

    def mitigate_incident(self, incident: int, by: str, at: datetime, detail: str) -> IncidentRow:
        """Service is restored: the resolution clock stops (D42). The first time stays."""
        with self.transaction() as connection:
            known = _held(connection, incident)
            if known["mitigated_at"] is not None or known["closed_at"] is not None:
                return _incident(known)
            _event(connection, incident, "mitigated", at, actor=by, detail=detail)
            return _incident(_change(connection, incident, mitigated_at=aware(at)))

    def set_incident_run(self, incident: int, dag_run: str) -> IncidentRow:
        """This run of the DAG incident_response works on it from now on, whichever did before."""
        with self.transaction() as connection:
            return _incident(_change(connection, _held(connection, incident)["id"], dag_run=dag_run))

    def take_up_incident(self, incident: int, dag_run: str) -> IncidentRow | None:
        """The same where no other run works on it; None where one does, or there is no such incident.

        Of two runs that ask at the same instant one gets it.
        """
        free = TABLE.c.dag_run.in_(("", dag_run))
        statement = update(TABLE).where(TABLE.c.id == incident, free).values(dag_run=dag_run).returning(TABLE)
        with self.transaction() as connection:
            row = connection.execute(statement).mappings().one_or_none()
            return None if row is None else _incident(row)

    def incident_of_run(self, dag_run: str) -> IncidentRow | None:
        """The incident a run of incident_response works on, None where it has none or another has taken it over."""
        query = select(TABLE).where(TABLE.c.dag_run == dag_run).order_by(TABLE.c.id)
        with self.transaction() as connection:
            row = connection.execute(query.limit(1)).mappings().one_or_none()
            return None if row is None else _incident(row)

    def incidents_without_a_run(self, incidents: Collection[int]) -> list[IncidentRow]:
        """Those of these that no run works on, most severe first, then oldest; closed ones too."""
        query = select(TABLE).where(TABLE.c.id.in_(incidents), TABLE.c.dag_run == "")
        with self.transaction() as connection:
            rows = connection.execute(query.order_by(TABLE.c.severity, TABLE.c.opened_at, TABLE.c.id)).mappings()
            return [_incident(row) for row in rows]

    def recent_incidents(self, limit: int = 100) -> list[IncidentRow]:
        """The open ones, most severe first; then those closed last."""
        order = (TABLE.c.closed_at.desc().nulls_first(), TABLE.c.severity, TABLE.c.opened_at, TABLE.c.id)
        with self.transaction() as connection:
            rows = connection.execute(select(TABLE).order_by(*order).limit(limit)).mappings()
            return [_incident(row) for row in rows]

    def incident_opened_again(self, cause: str, after: datetime) -> IncidentRow | None:
        """The first incident of this cause opened after that time, None where it has stayed away."""
        query = select(TABLE).where(TABLE.c.cause == cause, TABLE.c.opened_at > aware(after)).order_by(TABLE.c.id)
        with self.transaction() as connection:
            row = connection.execute(query.limit(1)).mappings().one_or_none()
            return None if row is None else _incident(row)

    def timeline(self, incident: int, kinds: Collection[EventKind] = ()) -> list[IncidentEvent]:
        """Everything that happened to one incident, in order; or only what is of these kinds."""
        columns = [EVENTS.c[name] for name in ("id", "incident_id", "kind", "at", "actor", "detail", "run_id")]
        query = select(*columns, TABLE.c.cause, TABLE.c.severity, TABLE.c.title).join(
            TABLE, TABLE.c.id == EVENTS.c.incident_id
        )
        if kinds:
            query = query.where(EVENTS.c.kind.in_(kinds))
        with self.transaction() as connection:
            rows = connection.execute(query.where(TABLE.c.id == incident).order_by(EVENTS.c.id)).mappings()
            return [IncidentEvent(**{**row, "severity": Severity(row["severity"])}) for row in rows]

    def add_action(self, incident: int, title: str, owner: str, due_at: datetime, *, at: datetime, by: str = "") -> int:
        """What is to be done after an incident. The same title again keeps its number, with the new owner and date."""
        values: Mapping[str, Any] = {"owner": owner, "due_at": aware(due_at)}
        statement = (
            upsert(ACTIONS)
            .values(incident_id=incident, title=title, **values)
            .on_conflict_do_update(index_elements=["incident_id", "title"], set_=values)
            .returning(ACTIONS.c.id)
        )
        with self.transaction() as connection:
            _held(connection, incident)
            number = int(connection.execute(statement).scalar_one())
            _event(connection, incident, "action", at, actor=by, detail=f"{title} ({owner}, by {due_at:%Y-%m-%d})")
            return number

    def finish_action(self, action: int, by: str, at: datetime) -> IncidentAction:
        """Done; the first time stays. Raises LedgerConflict: there is none."""
        first = update(ACTIONS).where(ACTIONS.c.id == action, ACTIONS.c.done_at.is_(None))
        with self.transaction() as connection:
            connection.execute(first.values(done_at=aware(at), done_by=by))
            row = connection.execute(select(ACTIONS).where(ACTIONS.c.id == action)).mappings().one_or_none()
            if row is None:
                raise LedgerConflict(f"there is no action {action} in the ledger")
            return _action(row)

    def actions(self, incident: int | None = None, *, open_only: bool = False) -> list[IncidentAction]:
        """The actions of one incident or of all, the earliest due first."""
        query = select(ACTIONS).order_by(ACTIONS.c.due_at, ACTIONS.c.id)
        if incident is not None:
            query = query.where(ACTIONS.c.incident_id == incident)
        if open_only:
            query = query.where(ACTIONS.c.done_at.is_(None))
        with self.transaction() as connection:
            return [_action(row) for row in connection.execute(query).mappings()]
