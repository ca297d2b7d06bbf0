"""The archive of audit rows: what one file holds, at what pace rows leave, and what never leaves (D05, D07)."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from clo_ops.policy.base import Cited, Model, Positive, Text, Texts, unique
from clo_ops.policy.units import Duration, Percent, refuse

# A live table keeps what the manual calls recent (L97); the database refuses to delete anything younger as well.
PeriodUnit = Literal["day", "week", "month"]
Approvers = Annotated[int, Field(strict=True, ge=2, description="a whole number, 2 or more")]
Level = Annotated[int, Field(strict=True, ge=1, le=19, description="a whole number from 1 to 19")]


class AuditHold(Model):
    """Audit rows nobody may delete, in the live table or in the archive: those of all the conditions it names.

    ``since`` .. ``until`` are whole days, UTC (open where one is missing); ``actors`` and ``objects`` are exact, an
    object is its type ("loan") or its type and id ("loan/4711"). A hold ends by being taken out of the file.
    """

    name: Text
    reason: Text
    since: date | None = None
    until: date | None = None
    actors: Texts = ()
    objects: Texts = ()

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.since and self.until and self.until < self.since:
            raise refuse(self.until, "a day not before since", key="until")
        return self

    def covers(self, day: date, actor: str, object_type: str | None, object_id: str | None) -> bool:
        """Whether the row is held. A hold without any condition holds every row there is."""
        if (self.since and day < self.since) or (self.until and day > self.until):
            return False
        if self.actors and actor not in self.actors:
            return False
        return not self.objects or object_type in self.objects or f"{object_type}/{object_id}" in self.objects

    def may_cover(self, first: date, last: date) -> bool:
        """Whether rows of these days may be held."""
        return (self.until is None or first <= self.until) and (self.since is None or last >= self.since)


class Archive(Cited):
    """Section ``archive`` of retention.yaml. Where the archive is says the Airflow connection ``clo_archive``.

    One file holds one ``period``, never more than ``rows_per_file``. Rows are deleted ``rows_per_batch`` at a time,
    each batch a transaction of its own that waits ``lock_wait`` at most, with ``pause`` between them; while others
    write as well they are read and deleted ``rows_beside_writers`` at a time. A run that would take more than
    ``stop_above`` of the table does nothing: a wrong clock looks like that. A file leaves the archive after its 7 years
    when ``approvers`` different people agreed.
    """

    period: PeriodUnit
    rows_per_file: Positive
    rows_per_batch: Positive
    rows_beside_writers: Positive
    pause: Duration
    lock_wait: Duration
    statement_wait: Duration
    stop_above: Percent
    zstd_level: Level
    approvers: Approvers
    holds: tuple[AuditHold, ...] = ()

    @model_validator(mode="after")
    def _sound(self) -> Self:
        unique([one.name for one in self.holds], "holds")
        if self.rows_beside_writers > self.rows_per_batch:
            allowed = f"at most rows_per_batch ({self.rows_per_batch})"
            raise refuse(self.rows_beside_writers, allowed, key="rows_beside_writers")
        return self
