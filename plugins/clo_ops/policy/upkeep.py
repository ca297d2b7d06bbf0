"""Statistics and indexes: when a table is stale, when an index is worth a rebuild (WM-01, WM-02)."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from clo_ops.policy.base import Cited, Count, Flag, Positive, Texts
from clo_ops.policy.units import Bytes, Duration, Number, Percent, as_text, refuse


class Stale(Cited):
    """A table is due when more than ``rows`` and ``share`` of its rows together were changed (``rows`` + share of all).

    Changed at all and not looked at for ``at_latest``, it is due as well.
    """

    rows: Count
    share: Percent
    at_latest: Duration


class Dead(Cited):
    """A table is vacuumed when more than ``rows`` + ``share`` of its rows are dead."""

    rows: Count
    share: Percent


class Ages(Cited):
    """How old the oldest transaction number may be.

    ``warning`` is a multiple of autovacuum_freeze_max_age: at 1 autovacuum begins by itself, well over it something
    keeps it from it. ``critical`` is a share of the 2,147 million at which PostgreSQL takes no more writes.
    """

    warning: Number
    critical: Percent
    tables: Positive

    @model_validator(mode="after")
    def _over_what_autovacuum_does(self) -> Self:
        if self.warning <= 1:
            raise refuse(self.warning, "more than 1: at 1 autovacuum only begins", key="warning")
        return self


class Sequences(Cited):
    """How much of what a sequence, or the column it feeds, can count to may be used up."""

    warning: Percent
    critical: Percent

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.warning < self.critical:
            raise refuse(f"{self.warning:g} %", f"less than critical ({self.critical:g} %)", key="warning")
        return self


class Manners(Cited):
    """How a statement of ours behaves beside the users' own.

    ``lock_timeout``: how long it waits for its lock; ``statement_timeout``: how long it may run. A session that waits
    for a lock of ours longer than ``give_way_after`` ends it; it is looked for every ``look_every``.
    """

    lock_timeout: Duration
    statement_timeout: Duration
    give_way_after: Duration
    look_every: Duration
    memory: Bytes

    @model_validator(mode="after")
    def _notices_in_time(self) -> Self:
        if self.look_every > self.give_way_after:
            allowed = f"at most give_way_after ({as_text(self.give_way_after)})"
            raise refuse(as_text(self.look_every), allowed, "look more often", key="look_every")
        if self.lock_timeout > self.statement_timeout:
            allowed = f"at most statement_timeout ({as_text(self.statement_timeout)})"
            raise refuse(as_text(self.lock_timeout), allowed, key="lock_timeout")
        return self


class Statistics(Cited):
    """Section ``statistics`` of maintenance.yaml. ``at_most`` tables are looked after in one run, the stalest first.

    ``cost_delay`` and ``cost_limit`` are PostgreSQL's own: how long ANALYZE and VACUUM sleep after how much work.
    ``truncate`` gives empty pages at a table's end back, for which VACUUM locks out everybody for a moment.
    """

    analyze: Stale
    vacuum: Dead
    at_most: Positive
    manners: Manners
    cost_delay: Duration
    cost_limit: Positive
    truncate: Flag
    ages: Ages
    sequences: Sequences


class Bloat(Cited):
    """An index is rebuilt when more than ``share`` of it would go, it is larger than ``minimum_size`` and none of the
    last rebuilds says otherwise.

    One that won less than ``worth`` of the index is not tried again for ``back_off``. Where pgstattuple is installed,
    indexes up to ``read_up_to`` are measured by reading them, ``read_at_most`` in one run; the others are estimated.
    ``remembered``: how far back the best bytes per row of an index are looked for.
    """

    share: Percent
    minimum_size: Bytes
    worth: Percent
    back_off: Duration
    read_up_to: Bytes
    read_at_most: Bytes
    remembered: Duration

    @model_validator(mode="after")
    def _worth_it(self) -> Self:
        if self.worth >= self.share:
            raise refuse(f"{self.worth:g} %", f"less than share ({self.share:g} %)", key="worth")
        return self


class Unused(Cited):
    """An index nobody used is named when use was counted for ``counted_for``, and it is over ``minimum_size``."""

    counted_for: Duration
    minimum_size: Bytes


class Large(Cited):
    """An index larger than ``over`` is rebuilt in ``windows`` only: planned ones, or ``emergency``."""

    over: Bytes
    windows: Texts


class Indexes(Cited):
    """Section ``indexes`` of maintenance.yaml. ``at_most`` indexes are rebuilt in one run, the largest gain first.

    No rebuild begins while a transaction is open for longer than ``long_transaction``: it would wait for it, and be
    left half-built when its time is up (T4, T5). ``manners.lock_timeout`` is how long it waits for those that began
    meanwhile.
    """

    bloat: Bloat
    at_most: Positive
    large: Large
    long_transaction: Duration
    manners: Manners
    unused: Unused

    @model_validator(mode="after")
    def _leaves_no_litter(self) -> Self:
        """A lock_timeout shorter than the transactions we let pass fails every week and leaves an index each time."""
        if self.manners.lock_timeout < 2 * self.long_transaction:
            allowed = f"at least twice long_transaction ({as_text(self.long_transaction)})"
            raise refuse(as_text(self.manners.lock_timeout), allowed, "T5", key="manners.lock_timeout")
        return self
