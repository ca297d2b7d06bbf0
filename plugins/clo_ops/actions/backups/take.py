"""Take a backup: a canary in a transaction of its own, one exported snapshot, and inside it, side by side, pg_dump and
the description of what the database holds.

Nothing is a backup until its manifest is beside it, and that is written last: a process killed at any instant leaves a
hidden file, which the next one removes. The role needs pg_read_all_data and INSERT on the canary's table.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clo_ops.actions.backups.archive import write_archive
from clo_ops.actions.backups.dump import Dump, DumpFailed, find_pg_dump
from clo_ops.actions.backups.names import backup_name, is_part_of, part_name
from clo_ops.actions.backups.writing import BackupFailed, BackupWriter, plain
from clo_ops.findings import CloOpsError
from clo_ops.policy.backups import Taking
from clo_ops.probes.backup_entries import LACKS
from clo_ops.probes.backup_files import BackupFiles
from clo_ops.probes.postgres import connect, rows
from clo_ops.probes.reaching import Unreachable
from clo_ops.probes.targets import BackupRepository, PostgresTarget

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import DictRow

    Connection = psycopg.Connection[DictRow]

FORMAT_VERSION = 2


def take(
    target: PostgresTarget,
    repository: BackupRepository,
    policy: Taking,
    *,
    freshness: Mapping[str, str] | None = None,
    at: datetime | None = None,
    bin_dir: Path | None = None,
) -> dict[str, Any]:
    """One backup under its own name with its manifest (format 2) beside it; returns the manifest.

    ED-03, MW-04; manual L78, L397; D21, T14. ``freshness`` is time column by table, for the newest business rows.
    ``at`` back-dates a backup for demonstrations: the manifest then says so. Raises BackupFailed where none came
    about; a manifest that says so is left in the repository if it can be written to.
    """
    job = _Job(target, BackupWriter(BackupFiles(repository)), policy, freshness or {}, at, bin_dir)
    return job.run()


class _Job:
    def __init__(  # noqa: PLR0917 - what take was given
        self,
        target: PostgresTarget,
        writer: BackupWriter,
        policy: Taking,
        freshness: Mapping[str, str],
        at: datetime | None,
        bin_dir: Path | None,
    ) -> None:
        patient = policy.timeout.total_seconds()
        bounds = {"statement_timeout": patient, "lock_timeout": policy.lock_wait.total_seconds()}
        self.target = replace(target, **bounds)  # type: ignore[arg-type]
        self.writer, self.policy, self.freshness, self.bin_dir = writer, policy, freshness, bin_dir
        self.started, self.named = datetime.now(UTC), False
        self.at = at or self.started
        self.name = backup_name(target.database, self.at)
        self.facts: dict[str, Any] = {
            "format_version": FORMAT_VERSION,
            "database": target.database,
            "path": self.name,
            "format": policy.format,
            "taken_by": "clo_ops",
            "started_at": self.started,
        }

    def run(self) -> dict[str, Any]:
        try:
            self.writer.prepare()
            with connect(self.target) as connection, self._alone(connection):
                self._take(connection)
                self.writer.name_it(part_name(self.name), self.name)
                self.named = True
                return self._finished({"status": "success"})
        except _Busy as busy:
            raise BackupFailed(busy.observed, busy.allowed, busy.next_step) from None
        except Exception as error:
            raise self._failed(error) from error

    @contextmanager
    def _alone(self, connection: Connection) -> Iterator[None]:
        """The lock is the server's, so that it holds for every repository and goes with the session that holds it."""
        if not rows(connection, "locks/alone", {"work": "clo_ops.backup"})[0]["taken"]:
            raise _Busy(
                f"another backup of {self.target.database} is being taken",
                "one at a time",
                "wait for it; its session is named clo_ops in pg_stat_activity",
            )
        if self.name in self.writer.files.listing():
            raise _Busy(f"there is a backup called {self.name} already", "one backup a second")
        self.writer.discard_hidden(lambda name: is_part_of(name, self.target.database))
        yield

    def _take(self, connection: Connection) -> None:
        from psycopg import IsolationLevel

        self.facts["canary"] = self._plant(connection)
        connection.isolation_level, connection.read_only = IsolationLevel.REPEATABLE_READ, True
        with connection.transaction():
            moment = dict(rows(connection, "backups/snapshot")[0])
            dump = self._dump(moment)
            self.facts |= moment | {"tool": dump.tool.version, "roles": rows(connection, "backups/roles")}
            with ThreadPoolExecutor(1) as beside:
                archived = beside.submit(write_archive, dump, self.writer, self.name)
                # Whoever fails ends the other: neither is of use alone.
                archived.add_done_callback(lambda done: connection.cancel() if done.exception() else None)
                try:
                    self._describe(connection, dump.snapshot, archived)
                    self.facts |= archived.result()
                except BaseException:
                    dump.end()
                    raise
            self.facts["compression"] = dump.compression

    def _dump(self, moment: dict[str, Any]) -> Dump:
        tool = find_pg_dump(moment["server_major"], self.bin_dir)
        return Dump(self.target, moment.pop("snapshot"), self.policy, tool)

    def _plant(self, connection: Connection) -> dict[str, Any] | None:
        """Committed before the snapshot is taken. A database without the table, or a standby, has none."""
        from psycopg.errors import InsufficientPrivilege, ReadOnlySqlTransaction, UndefinedTable

        connection.read_only = False
        try:
            with connection.transaction():
                row = rows(connection, "source/plant_canary", {"nonce": secrets.token_hex(16)})[0]
        except (UndefinedTable, InsufficientPrivilege, ReadOnlySqlTransaction) as error:
            self._lacks("canary", error)
            return None
        return {"table": "public.backup_canary", **row}

    def _describe(self, connection: Connection, snapshot: str, archived: Future[dict[str, Any]]) -> None:
        """A backup that could not be described is a backup all the same, and its manifest says what it lacks."""
        if self.policy.describe:
            with self._wanted("contents", connection):
                self.facts |= self._contents(connection, snapshot)
        if self.policy.invariants and not (archived.done() and archived.exception()):
            from clo_ops.probes.integrity import verdicts

            with self._wanted("invariants", connection):
                self.facts["invariants"] = verdicts(connection, self.facts["snapshot_at"])

    @contextmanager
    def _wanted(self, what: str, connection: Connection) -> Iterator[None]:
        """What is pinned for reading is undone afterwards; what the database would not tell is noted."""
        import psycopg

        try:
            with connection.transaction(force_rollback=True):
                yield
        except (psycopg.Error, Unreachable) as error:
            if connection.closed:
                raise
            self._lacks(what, error)

    def _contents(self, connection: Connection, snapshot: str) -> dict[str, Any]:
        from clo_ops.probes.contents import describe

        found = describe(
            connection,
            freshness=self._asked_for(connection),
            opener=lambda: connect(self.target),
            workers=self.policy.jobs,
            snapshot=snapshot,
        )
        return found.as_manifest()

    def _asked_for(self, connection: Connection) -> dict[str, str]:
        """The newest rows of the tables there are: one that policy names and nobody has must not cost the rest."""
        there = {row["name"] for row in rows(connection, "backups/present", {"names": list(self.freshness)})}
        absent = sorted(set(self.freshness) - there)
        if absent:
            self.facts.setdefault(LACKS, {})["newest"] = f"no such table: {', '.join(absent)}"
        return {table: column for table, column in self.freshness.items() if table in there}

    def _lacks(self, what: str, error: Exception) -> None:
        said = str(error).strip().splitlines()
        self.facts.setdefault(LACKS, {})[what] = said[0] if said else type(error).__name__

    def _failed(self, error: Exception) -> BackupFailed:
        words = self._words(error)
        try:
            self.writer.discard(part_name(self.name), *([self.name] if self.named else []))
            self._finished({"status": "failed", "size_bytes": 0, "sha256": None, "error": words})
        except Exception as unwritten:  # noqa: BLE001 - storage libraries have no error in common; the first cause counts
            words += f"; and no manifest could be written: {self.writer.files.words(unwritten)}"
        return BackupFailed(
            f"the backup of {self.target.database} failed: {words}",
            allowed="a whole backup with its manifest",
            next_step="mend what it names and take a backup again before anything is changed",
        )

    def _words(self, error: Exception) -> str:
        if isinstance(error, CloOpsError | DumpFailed):
            said = f"pg_dump: {error}" if isinstance(error, DumpFailed) else str(error)
        else:
            said = self.writer.files.words(error)
        secret = self.target.password
        return (said.replace(secret, "***") if secret else said)[:500]

    def _finished(self, outcome: dict[str, Any]) -> dict[str, Any]:
        facts = self.facts | outcome | {"ended_at": datetime.now(UTC)}
        if self.at is not self.started:
            facts |= self._back_dated(facts)
        if outcome["status"] == "failed":
            facts["size_bytes"], facts["sha256"] = 0, None
            facts.pop("files", None)
        self.writer.manifest(self.name, facts)
        done: dict[str, Any] = plain(facts)
        return done

    def _back_dated(self, facts: dict[str, Any]) -> dict[str, Any]:
        shift = self.at - self.started
        moved = {name: facts[name] + shift for name in ("started_at", "ended_at", "snapshot_at") if name in facts}
        return moved | {"origin": "demo-backdated", "taken_at": self.started}


class _Busy(CloOpsError):
    """Not ours to take now. Nothing is written: the one that is being taken speaks for itself."""
