"""Runs and what their procedures found. A procedure recorded twice leaves one result: its last try's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, and_, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from clo_ops.findings import Answer, Finding, Severity, Status, Unanswered
from clo_ops.ledger import schema
from clo_ops.ledger.columns import aware
from clo_ops.ledger.errors import LedgerConflict
from clo_ops.ledger.measurements import SELECTED, Measurements, as_row, measurement, write
from clo_ops.ledger.records import Evidence, Recording, RunRow
from clo_ops.ledger.roll_ups import note_due
from clo_ops.ledger.store import lock


def _run_row(row: RowMapping) -> RunRow:
    status = None if row["status"] is None else Status(row["status"])
    counts = {Status(name): number for name, number in row["counts"].items()}
    return RunRow(**{**row, "status": status, "counts": counts})


def _finding(row: RowMapping) -> Finding:
    return Finding(
        procedure=row["procedure"],
        name=row["name"],
        subject=row["subject"],
        status=Status(row["status"]),
        severity=None if row["severity"] is None else Severity(row["severity"]),
        expected=row["expected"],
        actual=row["actual"],
        message=row["message"],
        first_action=row["first_action"],
        labels=row["labels"],
    )


def _unanswered(one: Mapping[str, str]) -> Unanswered:
    return Unanswered(one["question"], one["target"], one["tried"], one["reason"], datetime.fromisoformat(one["at"]))


def _check(procedure: str, findings: Sequence[Finding]) -> None:
    foreign = sorted({one.procedure for one in findings} - {procedure})
    if foreign:
        raise ValueError(f"{procedure} may record only its own findings, got some of {', '.join(foreign)}")
    repeated = [key for key, times in Counter((one.name, one.subject) for one in findings).items() if times > 1]
    if repeated:
        raise ValueError(f"{procedure}: name and subject must tell findings apart, repeated: {repeated}")


def _forget(connection: Connection, run: int, procedure: str, earlier: RowMapping) -> None:
    for table in (schema.findings, schema.evidence):
        connection.execute(delete(table).where(table.c.run_id == run, table.c.procedure == procedure))
    if earlier["measured"]:
        # The time span keeps the delete out of the other months' partitions.
        table = schema.measurements
        span = table.c.at.between(earlier["first_at"], earlier["last_at"])
        gone = delete(table).where(table.c.run_id == run, table.c.procedure == procedure, span)
        note_due(connection, map(tuple, connection.execute(gone.returning(table.c.metric, table.c.at))))


def _insert(connection: Connection, table: Table, rows: list[dict[str, Any]], **common: Any) -> None:
    if rows:
        connection.execute(insert(table), [{**row, **common} for row in rows])


def _sign(connection: Connection, whose: Mapping[str, Any], answer: Answer, **more: Any) -> None:
    """Put down that the procedure was recorded, with the time span its measurements are found in."""
    times = [one.at for one in answer.measurements]
    recording = {
        **more,
        "measured": len(times),
        "unanswered": [one.as_json() for one in answer.unanswered],
        "first_at": min(times, default=None),
        "last_at": max(times, default=None),
        "recorded_at": func.now(),
    }
    statement = upsert(schema.recordings).values({**whose, **recording})
    connection.execute(statement.on_conflict_do_update(index_elements=["run_id", "procedure"], set_=recording))


class Runs(Measurements):
    def open_run(self, dag_id: str, run_id: str, at: datetime, policy_digest: str, trigger: str = "") -> int:
        """The run's number in the ledger, the same however often it is asked for. ``policy_digest`` is the newest.

        Raises LedgerConflict where the run is known with another business time.
        """
        row = {"dag_id": dag_id, "run_id": run_id, "at": aware(at), "policy_digest": policy_digest, "trigger": trigger}
        table = schema.runs
        key = and_(table.c.dag_id == dag_id, table.c.run_id == run_id)
        with self.transaction() as connection:
            connection.execute(upsert(table).values(row).on_conflict_do_nothing())
            known = connection.execute(select(table.c.id, table.c.at, table.c.policy_digest).where(key)).one()
            if known.at != row["at"]:
                raise LedgerConflict(f"run {dag_id} {run_id} is recorded for {known.at}, now {row['at']} was given")
            if known.policy_digest != policy_digest:
                connection.execute(update(table).where(key).values(policy_digest=policy_digest))
            return int(known.id)

    def record(  # noqa: PLR0917 - what a procedure leaves, in the order it comes about
        self,
        run: int,
        procedure: str,
        findings: Sequence[Finding],
        answer: Answer,
        evidence: Sequence[Evidence] = (),
        try_number: int = 1,
    ) -> bool:
        """Put down all of a procedure's result, in one transaction, in place of what an earlier try of it left.

        Returns False, and changes nothing, where a later try has recorded already: a worker given up for dead must
        not overwrite its successor. A closed run is open again, for its verdict no longer fits its findings.
        Raises ValueError for somebody else's or repeated findings, LedgerConflict for an unknown run.
        """
        _check(procedure, findings)
        rows = [as_row(one) for one in answer.measurements]
        self.make_partitions([row["at"] for row in rows])
        with self.transaction() as connection:
            lock(connection, f"record:{run}:{procedure}")
            policy_digest = self._reopen(connection, run)
            earlier = self._recording(connection, run, procedure)
            if earlier is not None and earlier["try_number"] > try_number:
                return False
            if earlier is not None:
                _forget(connection, run, procedure, earlier)
            whose = {"run_id": run, "procedure": procedure}
            write(connection, run, procedure, rows)
            _insert(connection, schema.findings, [one.as_json() for one in findings], **whose, try_number=try_number)
            _insert(connection, schema.evidence, [_evidence_row(one) for one in evidence], **whose)
            _sign(connection, whose, answer, try_number=try_number, policy_digest=policy_digest)
        return True

    def _reopen(self, connection: Connection, run: int) -> str:
        """The policy the run is judged by; holds the run's row so that retention cannot take it from under us."""
        table = schema.runs
        held = select(table.c.policy_digest, table.c.closed_at).where(table.c.id == run)
        known = connection.execute(held.with_for_update(read=True, key_share=True)).one_or_none()
        if known is None:
            raise LedgerConflict(f"there is no run {run} in the ledger", next_step="open the run first")
        if known.closed_at is not None:
            reopened = update(table).values(closed_at=None, status=None, counts={})
            connection.execute(reopened.where(table.c.id == run))
        return str(known.policy_digest)

    def _recording(self, connection: Connection, run: int, procedure: str) -> RowMapping | None:
        table = schema.recordings
        query = select(table).where(table.c.run_id == run, table.c.procedure == procedure)
        return connection.execute(query).mappings().one_or_none()

    def close_run(self, run: int, status: Status, counts: Mapping[Status, int]) -> None:
        """Put down the run's verdict and how many findings had each status. Raises LedgerConflict: unknown run."""
        verdict = {"closed_at": func.now(), "status": Status(status).value}
        numbers = {Status(one).value: number for one, number in counts.items()}
        with self.transaction() as connection:
            table = schema.runs
            changed = connection.execute(update(table).where(table.c.id == run).values(**verdict, counts=numbers))
            if changed.rowcount != 1:
                raise LedgerConflict(f"there is no run {run} in the ledger", next_step="open the run first")

    def run(self, run: int) -> RunRow:
        """Raises LedgerConflict where there is no such run."""
        with self.transaction() as connection:
            row = connection.execute(select(schema.runs).where(schema.runs.c.id == run)).mappings().one_or_none()
        if row is None:
            raise LedgerConflict(f"there is no run {run} in the ledger")
        return _run_row(row)

    def recent_runs(self, dag_id: str | None = None, limit: int = 20) -> list[RunRow]:
        """The newest runs by business time, newest first."""
        table = schema.runs
        query = select(table).order_by(table.c.at.desc(), table.c.id.desc()).limit(limit)
        with self.transaction() as connection:
            chosen = query if dag_id is None else query.where(table.c.dag_id == dag_id)
            return [_run_row(row) for row in connection.execute(chosen).mappings()]

    def runs_with_evidence(self, dag_id: str, name: str, since: datetime) -> list[RunRow]:
        """The runs of a DAG with at >= since that left a file of this name, newest business time first."""
        table, files = schema.runs, schema.evidence
        left = select(files.c.run_id).where(files.c.name == name)
        query = select(table).where(table.c.dag_id == dag_id, table.c.at >= aware(since), table.c.id.in_(left))
        with self.transaction() as connection:
            rows = connection.execute(query.order_by(table.c.at.desc(), table.c.id.desc())).mappings()
            return [_run_row(row) for row in rows]

    def runs_between(self, since: datetime, until: datetime, dag_id: str | None = None) -> list[RunRow]:
        """The runs with since <= at < until, oldest first."""
        table = schema.runs
        query = select(table).where(table.c.at >= aware(since), table.c.at < aware(until))
        chosen = query if dag_id is None else query.where(table.c.dag_id == dag_id)
        with self.transaction() as connection:
            rows = connection.execute(chosen.order_by(table.c.at, table.c.id)).mappings()
            return [_run_row(row) for row in rows]

    def recordings(self, run: int) -> list[Recording]:
        """Which procedures of the run have been recorded, by id."""
        table = schema.recordings
        query = select(table).where(table.c.run_id == run).order_by(table.c.procedure)
        with self.transaction() as connection:
            return [
                Recording(
                    row["procedure"],
                    row["try_number"],
                    row["policy_digest"],
                    row["measured"],
                    tuple(_unanswered(one) for one in row["unanswered"]),
                    row["recorded_at"],
                )
                for row in connection.execute(query).mappings()
            ]

    def findings(self, run: int) -> list[Finding]:
        """The run's findings by procedure, name and subject."""
        table = schema.findings
        order = [table.c[name].collate("C") for name in ("procedure", "name", "subject")]
        with self.transaction() as connection:
            rows = connection.execute(select(table).where(table.c.run_id == run).order_by(*order)).mappings()
            return [_finding(row) for row in rows]

    def evidence(self, run: int) -> list[Evidence]:
        """The run's evidence by procedure and name."""
        table = schema.evidence
        query = select(table).where(table.c.run_id == run).order_by(table.c.procedure, table.c.name)
        names = ("uri", "sha256", "size", "media_type", "name")
        with self.transaction() as connection:
            return [Evidence(**{name: row[name] for name in names}) for row in connection.execute(query).mappings()]

    def answer(self, run: int, procedure: str) -> Answer:
        """What the procedure's probes brought back in this run, measurements by metric and time."""
        table = schema.measurements
        with self.transaction() as connection:
            earlier = self._recording(connection, run, procedure)
            if earlier is None:
                return Answer()
            query = select(*SELECTED).where(table.c.run_id == run, table.c.procedure == procedure)
            if earlier["measured"]:
                query = query.where(table.c.at.between(earlier["first_at"], earlier["last_at"]))
            rows = connection.execute(query.order_by(table.c.metric, table.c.at)).mappings()
            return Answer.of(map(measurement, rows), map(_unanswered, earlier["unanswered"]))


def _evidence_row(one: Evidence) -> dict[str, Any]:
    names = ("uri", "sha256", "size", "media_type", "name")
    return {name: getattr(one, name) for name in names}
