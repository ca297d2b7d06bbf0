"""The failover of the drill (M3-04, M3-05; manual L210-L212, D63): on throw-away servers, never on production's.

    answer = failover.build(place, figures)        # a standby, caught up
    answer += failover.activate(place, figures)    # markers, the cut, the promotion, the markers counted

Both only measure; ``rules.failover`` judges. ``activate`` cannot be had twice of the same place: its primary is gone.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from clo_ops.actions.drill.markers import Writer
from clo_ops.actions.drill.place import PlaceGone
from clo_ops.actions.drill.roles import source_of
from clo_ops.actions.drill.session import writing
from clo_ops.findings import Answer, CheckFailed, CloOpsError, CouldNotAsk, CouldNotCheck, Measurement
from clo_ops.probes.postgres import connect, rows
from clo_ops.probes.reaching import Reach, Unreachable, accepts_tcp, nobody_answered
from clo_ops.probes.statements import statement
from clo_ops.probes.targets import PostgresTarget

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import DictRow

    from clo_ops.actions.drill.place import Place, Server
    from clo_ops.policy.failover import Failover

Cut = Literal["kill", "disconnect"]
LOOK_AGAIN = 0.05  # seconds
CUT_OFF_AFTER = 2.0  # seconds without an answer to a connection


def run(place: Place, figures: Failover, *, synchronous: bool = True, cut: Cut = "kill") -> Answer:
    """``build``, and ``activate`` where that came to a standby that had caught up."""
    answer = build(place, figures)
    if answer.value("failover.caught_up") != 1:
        return answer
    return answer + activate(place, figures, synchronous=synchronous, cut=cut)


def build(place: Place, figures: Failover) -> Answer:
    """M3-04: a standby from the restored primary, and how far behind it is once built.

    Emits failover.standby.built and failover.caught_up (bool; detail says why not), failover.lag (bytes {when:
    built}), failover.lag.time (s {when: built}: from asking to replayed) and drill.phase.duration {phase: standby}.
    """
    started = time.monotonic()
    try:
        # A standby cloned from a primary that waits for one would itself wait for ever.
        _configure(place.primary().target, source_of(place.backup), "failover/asynchronous")
        standby = place.clone()
    except (CouldNotCheck, CouldNotAsk, PlaceGone) as error:
        return nobody_answered(["building a standby"], place.drill, "pg_basebackup from the primary", str(error))
    except CloOpsError as error:
        return Answer((_flag("failover.standby.built", False, str(error)),))
    built = Answer((_flag("failover.standby.built", True),))
    answer = built + _asking("the standby's lag", standby.target, lambda: _caught_up(place, standby, figures))
    return answer + Answer((_seconds("drill.phase.duration", time.monotonic() - started, phase="standby"),))


def activate(place: Place, figures: Failover, *, synchronous: bool = True, cut: Cut = "kill") -> Answer:
    """M3-04, M3-05: write markers, cut the primary off while they are written, promote the standby, count them.

    ``synchronous`` commits are acknowledged once the standby has them: none may be lost. Without, the drill shows what
    asynchronous replication loses. Emits failover.synchronous, failover.promoted, failover.writable,
    failover.old_primary.fenced (bool), failover.lag (bytes {when: cut}), failover.marker.committed | found |
    in_flight (count), failover.timeline (count {when}), failover.promote.duration (s, cut to first write taken) and
    drill.phase.duration {phase: promote}.
    """
    started = time.monotonic()

    def measured() -> Answer:
        return _Failover(place, figures, uuid.uuid4().hex, synchronous).measured(cut)

    answer = _asking("the failover", place.drill, measured)
    return answer + Answer((_seconds("drill.phase.duration", time.monotonic() - started, phase="promote"),))


def _asking(question: str, target: object, measure: Callable[[], Answer]) -> Answer:
    try:
        return measure()
    except (CouldNotAsk, CouldNotCheck, PlaceGone) as error:
        return nobody_answered([question], target, "a session of the drill", str(error))


def _caught_up(place: Place, standby: Server, figures: Failover) -> Answer:
    here, started = _position(place.primary().target), time.monotonic()
    first, reached = _behind(standby.target, here.lsn), False
    until = started + figures.caught_up_within.total_seconds()
    while not (reached := _behind(standby.target, here.lsn).replay == 0) and time.monotonic() < until:
        time.sleep(LOOK_AGAIN)
    taken = time.monotonic() - started
    why = "" if reached else f"still behind after {taken:.1f} s"
    return Answer(
        (
            _flag("failover.caught_up", reached, why),
            Measurement("failover.lag", first.replay, "bytes", datetime.now(UTC), {"when": "built"}),
            _seconds("failover.lag.time", taken, when="built"),
        )
    )


@dataclass(frozen=True, slots=True)
class Position:
    """Where a primary writes: log sequence number, timeline, identity of its cluster."""

    lsn: str
    timeline: int
    system_identifier: str


@dataclass(frozen=True, slots=True)
class Behind:
    """Bytes of WAL a standby has not received, and not replayed."""

    receive: int
    replay: int


def _position(target: PostgresTarget) -> Position:
    with connect(target) as connection:
        (row,) = rows(connection, "failover/position")
    return Position(**row)


def _behind(target: PostgresTarget, lsn: str) -> Behind:
    with connect(target) as connection:
        (row,) = rows(connection, "failover/behind", {"lsn": lsn})
    if not row["in_recovery"]:
        raise CheckFailed("the standby is no standby: it takes writes of its own", "a server in recovery")
    return Behind(row["receive_bytes"], row["replay_bytes"])


@contextmanager
def _writing(target: PostgresTarget, production: str) -> Iterator[psycopg.Connection[DictRow]]:
    """A session that may write, for throw-away servers only. Raises PlaceFailed for production's, Unreachable."""
    import psycopg

    try:
        with writing(target, production=production) as connection:
            yield connection
    except psycopg.Error as error:
        raise Unreachable(Reach.OTHER, f"{target}: {error}") from None


def _execute(target: PostgresTarget, production: str, *names: str, **values: object) -> None:
    with _writing(target, production) as connection:
        for name in names:
            connection.execute(statement(name).text.encode(), values or None)


def _configure(target: PostgresTarget, production: str, name: str) -> None:
    _execute(target, production, name, "failover/reload")


class _Failover:
    """One failover: what is known of it while it happens."""

    def __init__(self, place: Place, figures: Failover, run: str, synchronous: bool) -> None:
        self.figures, self.run, self.synchronous = figures, run, synchronous
        self.primary, self.standby, self.production = place.primary(), place.standby(), source_of(place.backup)
        # Asked once: what a server was reached by must not change under the test that it cannot be reached any more.
        self.old, self.new = self.primary.target, self.standby.target
        self.cut_at = 0.0

    def measured(self, cut: Cut) -> Answer:
        before = _position(self.old)
        _execute(self.old, self.production, "failover/marker_schema", "failover/marker_table")
        waits = self._waits_for_the_standby()
        answer = Answer((waits, Measurement("failover.timeline", before.timeline, "count", _now(), {"when": "before"})))
        if waits.value != self.synchronous:
            return answer
        writer = Writer(self.old, self.run, self.production, synchronous=self.synchronous).start()
        try:
            answer += self._cut(writer, cut)
            # The writer may still hang on the dead line; the promotion does not wait for it.
            return answer + self._promoted(before, writer)
        finally:
            writer.join()

    def _waits_for_the_standby(self) -> Measurement:
        """Whether a commit is acknowledged by the standby, once that was wished or unwished."""
        _configure(self.old, self.production, "failover/synchronous" if self.synchronous else "failover/asynchronous")
        until = time.monotonic() + self.figures.promotion_within.total_seconds()
        while (state := self._sync_state()) != ("sync" if self.synchronous else "async"):
            if time.monotonic() > until or (not self.synchronous and not state):
                break
            time.sleep(LOOK_AGAIN)
        wished = {"wished": "synchronous" if self.synchronous else "asynchronous"}
        said = state or "no standby streams"
        return Measurement("failover.synchronous", state == "sync", "bool", _now(), wished, said)

    def _sync_state(self) -> str:
        with connect(self.old) as connection:
            found = rows(connection, "failover/sync_state")
        return str(found[0]["sync_state"]) if found else ""

    def _cut(self, writer: Writer, cut: Cut) -> Answer:
        """While the writer writes; the lag is read as late as can be."""
        figures = self.figures
        wrote = writer.wait_for(figures.minimum_markers, figures.write_for.total_seconds(), _patience(figures))
        lag = _behind(self.new, _position(self.old).lsn).receive
        self.cut_at = time.monotonic()
        self.primary.kill() if cut == "kill" else self.primary.disconnect()
        detail = "" if wrote else f"the writer came to {len(writer.acknowledged)} markers: {writer.ended or 'too slow'}"
        when = {"when": "cut"}
        return Answer((Measurement("failover.lag", lag, "bytes", datetime.now(UTC), when, detail),))

    def _promoted(self, before: Position, writer: Writer) -> Answer:
        """Down or refusing is an answer here: the standby is ours, and it was to take over."""
        seconds = round(self.figures.promotion_within.total_seconds())
        try:
            patient = replace(self.new, statement_timeout=seconds + 5.0)
            with _writing(patient, self.production) as connection:
                (row,) = rows(connection, "failover/promote", {"seconds": seconds})
        except Unreachable as error:
            return Answer((_flag("failover.promoted", False, error.reason),))
        if not row["promoted"]:
            return Answer((_flag("failover.promoted", False, f"pg_promote gave up; {self.standby.log(5)}"),))
        return Answer((_flag("failover.promoted", True),)) + self._takes_over(before, writer)

    def _takes_over(self, before: Position, writer: Writer) -> Answer:
        writable = self._first_write()
        if writable.value != 1:
            return Answer((writable,))
        taken, after = time.monotonic() - self.cut_at, _position(self.new)
        same = after.system_identifier == before.system_identifier
        return Answer(
            (
                writable,
                _seconds("failover.promote.duration", taken),
                Measurement("failover.timeline", after.timeline, "count", _now(), {"when": "after"}),
                _flag("failover.identity.matches", same, "" if same else "the promoted server is another cluster"),
                *self._markers(writer),
                self._fenced(),
            )
        )

    def _first_write(self) -> Measurement:
        until = time.monotonic() + self.figures.promotion_within.total_seconds()
        while True:
            try:
                # A standby that received nothing has no table either. Number 0 is nobody's: the writer counts from 1.
                _execute(self.new, self.production, "failover/marker_schema", "failover/marker_table")
                _execute(self.new, self.production, "failover/mark", run=self.run, number=0)
            except Unreachable as error:
                why = error.reason
            else:
                return _flag("failover.writable", True)
            if time.monotonic() > until:
                return _flag("failover.writable", False, why)
            time.sleep(LOOK_AGAIN)

    def _markers(self, writer: Writer) -> Iterator[Measurement]:
        writer.join()
        with connect(self.new) as connection:
            there = {row["number"] for row in rows(connection, "failover/markers", {"run": self.run})}
        known, at = set(writer.acknowledged), _now()
        lost = sorted(known - there)
        said = f"missing: {len(lost)} markers, the first {lost[0]}, the last {lost[-1]}" if lost else ""
        yield Measurement("failover.marker.committed", len(known), "count", at)
        yield Measurement("failover.marker.found", len(known & there), "count", at, detail=said)
        in_flight = set(range(1, writer.sent + 1)) - known
        kept = f"{len(in_flight & there)} of them kept; either is right, nobody was told"
        yield Measurement("failover.marker.in_flight", len(in_flight), "count", at, detail=kept)

    def _fenced(self) -> Measurement:
        """The old primary must take nothing any more from who still knows its address."""
        if not accepts_tcp(self.old.host, self.old.port, CUT_OFF_AFTER):
            return _flag("failover.old_primary.fenced", True, "nobody takes a connection at its address")
        try:
            _execute(self.old, self.production, "failover/mark", run=self.run, number=-1)
        except Unreachable as error:
            return _flag("failover.old_primary.fenced", True, error.reach.value)
        return _flag("failover.old_primary.fenced", False, "the old primary took a write after the cut")


def _patience(figures: Failover) -> float:
    """How long the markers may take before the cut is made all the same: seconds."""
    return figures.write_for.total_seconds() + figures.promotion_within.total_seconds()


def _now() -> datetime:
    return datetime.now(UTC)


def _flag(name: str, good: bool, detail: str = "") -> Measurement:
    return Measurement(name, good, "bool", _now(), detail=detail)


def _seconds(name: str, value: float, **labels: str) -> Measurement:
    return Measurement(name, value, "s", _now(), labels)
