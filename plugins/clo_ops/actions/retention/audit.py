"""WM-03: old audit rows leave the live table for the archive, period by period; where it broke off it goes on.

What is due is worked out from what is there (live table, archive, receipts), never from what somebody remembers to have
done: that is why a kill at any instant loses nothing and doubles nothing. The ledger says the same to people.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from clo_ops.actions.maintenance.plan import Effect, Outcome, Plan, Step
from clo_ops.actions.retention.archiving import NEXT_STEP, Due, RetentionFailed, archive, file_name, known, row_ends
from clo_ops.actions.retention.deleting import held_rows
from clo_ops.actions.retention.leaving import ArchiveRecord, leave, record_of
from clo_ops.actions.retention.pacing import Pace
from clo_ops.findings import CheckFailed
from clo_ops.findings.audit import ArchiveFile, ArchiveRow
from clo_ops.policy.archive import Archive
from clo_ops.policy.period import Period
from clo_ops.probes.audit_archive import AuditArchive, Damaged, NotThere
from clo_ops.probes.audit_receipts import held_together, written
from clo_ops.probes.audit_stream import Ends, check_shape, ends, live, trail
from clo_ops.probes.backup_files import Unlistable
from clo_ops.probes.postgres import rows
from clo_ops.probes.targets import BackupRepository, PostgresTarget
from clo_ops.rules.audit_periods import held_in, may_leave_before, span, too_much

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import DictRow

    Connection = psycopg.Connection[DictRow]

KIND = "retention"
ARCHIVE, DELETE = "archive", "delete archived"
BYTES_PER_ROW = 110  # in the archive, where no file is there yet to tell
SECONDS_PER_ROW = {ARCHIVE: 10e-6, DELETE: 10e-6}  # until the ledger knows better
WAL_PER_DELETED_ROW = 70


class TooMuch(CheckFailed):
    """More rows would leave at once than looks right; nothing was planned."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What is where. ``files`` follow each other; ``due`` are rows that are in no file yet; ``leaving`` files whose
    rows still stand in the live table, with how many of them may go.
    """

    ends: Ends
    files: tuple[ArchiveFile, ...]
    due: tuple[Due, ...]
    leaving: tuple[tuple[ArchiveFile, int], ...]
    before: datetime

    @property
    def rows(self) -> int:
        return sum(one.rows for one in self.due) + sum(count for _, count in self.leaving)


class AuditRetention:
    """Retention of the audit rows of one CLO database. Every public method may be called by whoever comes next."""

    def __init__(
        self,
        target: PostgresTarget,
        repository: BackupRepository,
        policy: Archive,
        hot_for: Period,
        record: ArchiveRecord,
        *,
        at: datetime,
        stop: Callable[[], str | None] = lambda: None,
    ) -> None:
        self.target = replace(
            target,
            lock_timeout=policy.lock_wait.total_seconds(),
            statement_timeout=policy.statement_wait.total_seconds(),
        )
        self.store, self.policy, self.hot_for = AuditArchive(repository), policy, hot_for
        self.record, self.at, self.stop, self.pace = record, at, stop, Pace(policy)

    # --- looking

    def situation(self) -> Situation:
        """Raises Unreachable, RetentionFailed where the archive cannot be asked, CheckFailed where it does not fit."""
        with trail(self.target) as connection:
            return self._situation(connection)

    def _situation(self, connection: Connection) -> Situation:
        check_shape(connection)
        here = ends(connection)
        before = may_leave_before(self.at, here.at, self.hot_for)
        moved_to = self._moved_to(connection, here)
        files = self._files(here, moved_to)
        leaving = [(one, count) for one in files if (count := self._may_go(connection, here, one))]
        start = files[-1].stretch.last_id + 1 if files else max(moved_to + 1, here.first_id)
        due = list(self._due(connection, here, start, before))
        return Situation(here, tuple(files), tuple(due), tuple(leaving), before)

    def _moved_to(self, connection: Connection, here: Ends) -> int:
        return held_together(written(connection), self.record.remembered(here.system)).moved_to

    def _all_there(self, connection: Connection, one: ArchiveFile) -> None:
        """Before the receipt that speaks for them: behind it nobody could tell who took a row."""
        stretch = one.stretch
        values = {"first": stretch.first_id, "last": stretch.last_id, "at_most": None}
        (row,) = rows(connection, "source/audit_present", values)
        if row["rows"] != stretch.rows:
            raise CheckFailed(
                f"{row['rows']:,} of the {stretch.rows:,} rows of {one.name} stand in the live table",
                allowed="all of them, each once, until a receipt says that they leave",
                next_step=NEXT_STEP,
            )

    def _files(self, here: Ends, moved_to: int) -> list[ArchiveFile]:
        """Those that follow each other; one that does not is a matter for a person."""
        with self._asked():
            found, wrong = self.store.manifests(here.system)
        if wrong:
            name, why = next(iter(wrong.items()))
            raise RetentionFailed(f"a manifest of the archive cannot be read: {name}: {why}", next_step=NEXT_STEP)
        for before, one in pairwise(found):
            if one.stretch.first_id != before.stretch.last_id + 1:
                raise CheckFailed(
                    f"{one.name} begins with row {one.stretch.first_id}, the file before it ends with"
                    f" {before.stretch.last_id}",
                    allowed="files that follow each other without a gap",
                    next_step=NEXT_STEP,
                )
        if moved_to and (not found or found[-1].stretch.last_id < moved_to):
            raise CheckFailed(
                f"receipts speak for rows up to {moved_to}, the archive ends with"
                f" {found[-1].stretch.last_id if found else 'nothing'}",
                allowed="an archive that holds every row that left",
                next_step=f"bring back the missing files of {self.store} from its own copy before anything is deleted",
            )
        return found

    def _may_go(self, connection: Connection, here: Ends, one: ArchiveFile, at_most: int | None = None) -> int:
        """How many of a file's rows stand in the live table and are not held; ``at_most``: no more are counted."""
        stretch = one.stretch
        if not here.first_id or stretch.last_id < here.first_id:
            return 0
        values = {"first": stretch.first_id, "last": stretch.last_id, "at_most": at_most}
        (row,) = rows(connection, "source/audit_present", values)
        holds = held_in(self.policy.holds, one.first_at, one.last_at)
        if not row["rows"] or not holds:
            return int(row["rows"])
        found = live(connection, after=stretch.first_id - 1, last=stretch.last_id)
        return sum(table.num_rows - len(held_rows(table, holds)) for table in found)

    def _due(self, connection: Connection, here: Ends, start: int, before: datetime) -> Iterator[Due]:
        """Whole periods that are over and old enough; the newest row stays, the chain goes on from it."""
        first, database = start, here.system.partition("/")[2]
        while 0 < first < here.last_id:
            row = row_ends(connection, first)
            if row is None:
                raise CheckFailed(f"row {first} of the audit trail is not there", "no row missing", NEXT_STEP)
            period = span(row["created_at"], self.policy.period)
            if period.end > before:
                return
            found = rows(connection, "source/audit_first_from", {"after": first, "moment": period.end})
            last = min(found[0]["id"] if found else here.last_id, here.last_id) - 1
            last = min(last, first + self.policy.rows_per_file - 1)
            yield Due(file_name(database, first, last), period.label, first, last)
            first = last + 1

    @contextmanager
    def _asked(self) -> Iterator[None]:
        try:
            yield
        except (Unlistable, NotThere, Damaged) as error:
            raise RetentionFailed(
                f"the archive {self.store} cannot be used: {error}",
                allowed="an archive that can be read",
                next_step="bring its storage back; nothing leaves the live table before",
            ) from None

    # --- planning

    def plan(self) -> Plan:
        """Two steps for each file: written and proven, then its rows deleted. Raises TooMuch, and what looking does."""
        now = self.situation()
        there = now.ends.last_id - now.ends.first_id + 1
        if too_much(now.rows, there, self.policy.stop_above):
            raise TooMuch(
                f"{now.rows:,} of {there:,} audit rows would leave ({now.rows / there:.0%})",
                allowed=f"at most {self.policy.stop_above:g} % at once (retention.yaml, archive.stop_above)",
                next_step="see whether a clock is wrong; where years are to be moved for the first time, raise it",
            )
        steps = [self._delete_step(one.name, one.period, count, now) for one, count in now.leaving]
        for due in now.due:
            steps += [self._archive_step(due, now), self._delete_step(due.name, due.period, due.rows, now)]
        return Plan(KIND, now.ends.system, tuple(steps))

    def _archive_step(self, due: Due, now: Situation) -> Step:
        return Step(
            key=f"{ARCHIVE} {due.name}",
            action=ARCHIVE,
            target=due.name,
            why=f"{due.period} is over and older than {self.hot_for} (before {now.before:%Y-%m-%d})",
            statement=f"COPY audit_logs, rows {due.first_id} to {due.last_id}, TO {due.name}; read it back",
            seconds=due.rows * SECONDS_PER_ROW[ARCHIVE]
            + due.rows / self.policy.rows_beside_writers * self.policy.pause.total_seconds(),
            wal_bytes=0,
            disk_bytes=due.rows * BYTES_PER_ROW,
            before={"rows": due.rows, "first_id": due.first_id, "last_id": due.last_id, "period": due.period},
        )

    def _delete_step(self, name: str, period: str, count: int, now: Situation) -> Step:
        return Step(
            key=f"{DELETE} {name}",
            action=DELETE,
            target=name,
            why=f"{count:,} rows of {period} stand in the live table, older than {self.hot_for}",
            statement=f"rows of {name} leave audit_logs, {self.policy.rows_per_batch:,} at a time, each compared",
            seconds=count * SECONDS_PER_ROW[DELETE]
            + count / self.policy.rows_beside_writers * self.policy.pause.total_seconds(),
            wal_bytes=count * WAL_PER_DELETED_ROW,
            disk_bytes=0,
            before={"rows": count, "first_id": now.ends.first_id},
        )

    # --- acting

    def act(self, step: Step) -> Effect:
        """Carry out one step, from wherever an earlier try of it came to. Raises CloOpsError with where it stands."""
        begun = time.monotonic()
        with trail(self.target, writing=step.action == DELETE) as connection:
            if not rows(connection, "locks/alone", {"work": "clo_ops.retention"})[0]["taken"]:
                raise RetentionFailed(
                    f"another retention of {self.target.database} is at work",
                    allowed="one at a time",
                    next_step="wait for it; its session is named clo_ops in pg_stat_activity",
                )
            check_shape(connection)
            here = ends(connection)
            did = self._archive if step.action == ARCHIVE else self._delete
            outcome, reason, after = did(connection, step, here)
        return Effect(outcome, reason, time.monotonic() - begun, after)

    def _archive(self, connection: Connection, step: Step, here: Ends) -> tuple[Outcome, str, dict[str, int]]:
        there = self._known(step.target, here)
        if there is not None:
            self.record.record_archive(record_of(there, "verified"))
            return Outcome.SKIPPED, f"{there.name} stands in the archive already", {"rows": there.stretch.rows}
        first, last = int(step.before["first_id"]), int(step.before["last_id"])
        due = Due(step.target, str(step.before["period"]), first, last)
        self._planned(here, due)
        limit, taken_by = may_leave_before(self.at, here.at, self.hot_for), self.target.client_name
        try:
            one = archive(connection, self.store, due, here, self.pace, before=limit, taken_by=taken_by)
        except Exception as error:
            self._planned(here, due, str(error))
            raise
        self.record.record_archive(record_of(one, "verified"))
        after = {"rows": one.stretch.rows, "size_bytes": one.size_bytes}
        return Outcome.APPLIED, f"{one.stretch.rows:,} rows in {one.name}, read back and proven", after

    def _known(self, name: str, here: Ends) -> ArchiveFile | None:
        with self._asked():
            return known(self.store, name, here.system)

    def _planned(self, here: Ends, due: Due, failure: str = "") -> None:
        ids = due.first_id, due.last_id
        self.record.record_archive(
            ArchiveRow(here.system, due.name, due.period, *ids, "planned", failure=failure[:1000])
        )

    def _delete(self, connection: Connection, step: Step, here: Ends) -> tuple[Outcome, str, dict[str, int]]:
        one = self._known(step.target, here)
        if one is None:
            raise RetentionFailed(
                f"{step.target} is not in the archive {self.store}",
                allowed="rows are deleted only when the archive holds them",
                next_step="archive it first: the next run plans it again",
            )
        if one.stretch.first_id > self._moved_to(connection, here):
            self._all_there(connection, one)
        elif not self._may_go(connection, here, one, at_most=1):
            return Outcome.SKIPPED, f"the rows of {one.name} have left already", {}
        limit = may_leave_before(self.at, here.at, self.hot_for)
        with self._asked():
            left = leave(connection, self.store, one, self.pace, self.record, before=limit, stop=self.stop)
        held = f", {left.held:,} are under legal hold and stay" if left.held else ""
        after = {"deleted": left.deleted, "held": left.held, "first_id": ends(connection).first_id}
        return Outcome.APPLIED, f"{left.deleted:,} rows of {one.period} left{held}", after
