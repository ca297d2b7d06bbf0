"""What the drill holds a restored copy against besides its manifest (M3-03, manual L207-L208). A section of
recovery.yaml.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Self

from pydantic import Field, model_validator

from clo_ops.policy.base import Cited, Model, Positive, Text, unique
from clo_ops.policy.units import Duration

Invariant = Annotated[str, Field(pattern=r"^I\d\d$", description="an invariant's number, such as I27")]


class NewestRow(Model):
    """A table business writes to, and how long it may be ``quiet`` (week ends, holidays) before a backup."""

    table: Text
    column: Text
    quiet: Duration


class Accepted(Model):
    """An invariant that ``at_most`` rows may break, for a reason, with somebody's name, until the end of a day."""

    invariant: Invariant
    at_most: Positive
    reason: Text
    approved_by: Text
    until: date


class Proof(Cited):
    """``workers`` sessions read the copy side by side; ``statement_timeout`` bounds each of their statements."""

    workers: Positive
    statement_timeout: Duration
    newest: tuple[NewestRow, ...]
    accepted: tuple[Accepted, ...] = ()

    @model_validator(mode="after")
    def _once(self) -> Self:
        unique([one.table for one in self.newest], "tables")
        unique([one.invariant for one in self.accepted], "invariants")
        return self

    @property
    def freshness(self) -> Mapping[str, str]:
        """Time column by table, as the backup and the drill ask for the newest rows."""
        return {one.table: one.column for one in self.newest}
