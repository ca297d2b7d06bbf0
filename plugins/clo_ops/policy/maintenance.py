"""What maintenance may do and when it may not: the gate, the pace, what is applied, and each duty's own figures."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from clo_ops.policy.base import Cited, Count, Flag, Frozen, Model, Positive, Text, Texts
from clo_ops.policy.cache import Cache
from clo_ops.policy.units import Bytes, Duration, Number, refuse
from clo_ops.policy.upkeep import Indexes, Statistics

Kind = Literal["statistics", "vacuum", "indexes", "retention", "cache", "logs", "updates", "deployments"]
FreezeDay = Literal["payment", "determination", "month end", "clock change"]
Authorised = Literal["manager", "system administrator"]
Level = Literal["L0", "L1", "L2", "L3", "L4"]


class Disk(Model):
    """Where the database keeps its data: a host of hosts.yaml, and the mount there."""

    host: Text
    mount: Text


class GateTerms(Cited):
    """When nothing is changed. How old a backup may be stands in windows.yaml, ``backup_not_older_than``.

    ``wait_at_most`` for a backup, a drill or a long transaction to end; then the work is skipped with its reason.
    """

    backup_level: Level
    long_transaction: Duration
    room_beside: Bytes
    data_on: Disk
    drills: Texts
    replication_behind: Duration
    wait_at_most: Duration
    ask_again_every: Duration


class PaceTerms(Cited):
    """A step starts only where ``safety`` times its usual time is left; ``unknown`` is needed where nobody knows it.

    Its usual time is the median of its last ``remembered`` runs. ``emergency_at_most`` bounds a change by hand.
    """

    safety: Number
    unknown: Duration
    remembered: Positive
    emergency_at_most: Duration

    @model_validator(mode="after")
    def _never_hopeful(self) -> Self:
        if self.safety < 1:
            raise refuse(self.safety, "1 or more", key="safety")
        return self


class Duty(Cited):
    """One kind of maintenance. Until ``apply`` says true, a run on schedule shows its plan and changes nothing.

    ``rollback`` is how what it did is taken back, in a sentence a person can follow (L398).
    """

    apply: Flag
    rollback: Text
    windows: Annotated[tuple[Text, ...], Field(description="names of planned windows, of windows.yaml")] = ()


class Freeze(Cited):
    """Days on which a planned window needs an approval of its own (D33), and as many before one of them."""

    on: tuple[FreezeDay, ...]
    days_ahead: Count
    approver: Authorised


class Approvals(Cited):
    """Which users of Airflow may approve as whom. Each has to be able to log in, or nobody can approve."""

    manager: Texts
    system_administrator: Texts

    def users(self, authority: str) -> tuple[str, ...]:
        """Who may approve what ``authority`` has to: after hours an administrator is enough, and a manager will do."""
        if authority == "manager":
            return self.manager
        return tuple(dict.fromkeys((*self.system_administrator, *self.manager)))


class Before(Cited):
    """Windows before which a backup is always taken; before the others a fresh verified one will do (L397, D55)."""

    take_backup: tuple[Text, ...]
    users: Text
    told_of_break_glass: Text


class LockTerms(Cited):
    """The advisory lock of everything that maintains one CLO database: only one at a time holds ``key``."""

    key: Annotated[int, Field(strict=True, ge=1, lt=2**63, description="a whole number PostgreSQL keeps as bigint")]


class Maintenance(Model):
    """maintenance.yaml."""

    gate: GateTerms
    pace: PaceTerms
    lock: LockTerms
    freeze: Freeze
    approvals: Approvals
    before: Before
    duties: Annotated[Mapping[Kind, Duty], *Frozen]
    statistics: Statistics
    indexes: Indexes
    cache: Cache

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if missing := [kind for kind in get_args(Kind) if kind not in self.duties]:
            raise refuse("nothing", "each kind of maintenance with its terms", key=f"duties.{missing[0]}")
        if not timedelta(0) < self.gate.ask_again_every <= self.gate.wait_at_most:
            raise refuse("that", "longer than nothing, at most wait_at_most", key="gate.ask_again_every")
        return self
