"""The end of day's backup procedures (ED-03, ED-04, ED-06) and the backup before a change (MW-04)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from clo_ops.findings import Answer, Finding, Measurement, Severity
from clo_ops.ledger import BackupRow
from clo_ops.orchestration.run import Run
from clo_ops.probes import backups, pgbackrest
from clo_ops.rules import backup_days, rotation, verification
from clo_ops.rules import backups as backup_rules
from clo_ops.rules.rereading import Remembered
from clo_ops.rules.verdicts import Case

if TYPE_CHECKING:
    from clo_ops.probes.backup_catalogue import Entry
    from clo_ops.probes.backup_verification import Proof

RUNS_BACK = 20
BEFORE_A_CHANGE = "MW-04"


def daily_backup(run: Run) -> list[Finding]:
    """ED-03: the newest backup as DM-04 judges it, and each day since the last end of day that should have one."""
    policy = run.policy.backups.model_copy(update={"manual": backup_days.MANUAL})
    answer = run.ask(backups.newest, run.connections.backups, policy, at=run.at)
    newest = [replace(one, procedure=backup_days.PROCEDURE) for one in backup_rules.judge(answer, policy, at=run.at)]
    return [*newest, *backup_days.judge(answer, policy, since=_last_check(run), at=run.at)]


def _last_check(run: Run) -> datetime:
    """When ED-03 last looked before this run; a day ago where it never did, never beyond ``look_back``."""
    earliest = run.at - run.policy.recovery.verification.look_back
    for earlier in run.ledger.recent_runs(run.dag_id, RUNS_BACK):
        records = run.ledger.recordings(earlier.id) if earlier.at < run.at else ()
        if any(one.procedure == backup_days.PROCEDURE and one.measured for one in records):
            return max(earlier.at, earliest)
    return run.at - timedelta(days=1)


def backup_integrity(run: Run) -> list[Finding]:
    """ED-04: what is new or due is read whole, once: hashed and decoded; the rest is told from what is remembered."""
    from clo_ops.probes.backup_verification import verify

    repository, terms = run.connections.backups, run.policy.recovery.verification
    known = run.ledger.known_backups(str(repository))
    found = verify(
        repository,
        terms,
        run.policy.backups,
        {path: _remembered(row) for path, row in known.items()},
        at=run.at,
        proven=lambda proof: _record(run, proof),
    )
    run.keep(found.answer)
    findings = verification.judge(found.answer, terms, at=run.at)
    return findings + (_vanished(run, known, found.paths) if found.listed else [])


def read_newest(run: Run) -> None:
    """The newest backup read whole now, where nobody has yet: work in the night waits for no end of day (D28).

    One only, and it is remembered as ED-04 would; what cannot be listed or read is ED-04's to tell.
    """
    from clo_ops.probes.backup_verification import verify

    repository, terms = run.connections.backups, run.policy.recovery.verification
    known = {path: _remembered(row) for path, row in run.ledger.known_backups(str(repository)).items()}
    one = terms.model_copy(update={"spend_at_most": timedelta()})
    verify(repository, one, run.policy.backups, known, at=run.at, proven=lambda proof: _record(run, proof))


def _remembered(row: BackupRow) -> Remembered:
    return Remembered(
        size=row.size_bytes,
        modified=row.modified_at,
        sha256=row.sha256,
        read_at=row.read_at,
        failed_at=row.failed_at,
        failure=row.failure,
        level=None if row.level is None else int(row.level[1:]),
        since=None if row.level is None else row.proven[row.level],
    )


def _record(run: Run, proof: Proof) -> None:
    """What these bytes are is put down only once they were read: what is written here is what is not read again."""
    one, now = proof.entry, datetime.now(UTC)
    manifest = one.backup.manifest
    read = one.stored if proof.sha256 else None
    run.ledger.record_backup(
        BackupRow(
            repository=str(run.connections.backups),
            path=one.path,
            database=manifest.database if manifest else "",
            snapshot_at=one.taken,
            ended_at=_ended(one),
            size_bytes=read.size if read else None,
            modified_at=read.modified if read else None,
            sha256=proof.sha256,
            proven={f"L{level}": proof.read_at or now for level in proof.levels},  # type: ignore[misc]
            read_at=proof.read_at,
            failed_at=proof.failed_at,
            failure=proof.failure,
        )
    )


def _ended(one: Entry) -> datetime | None:
    said = one.backup.manifest.facts.get("ended_at") if one.backup.manifest else None
    return datetime.fromisoformat(said) if said else None


def _vanished(run: Run, known: dict[str, BackupRow], there: frozenset[str]) -> list[Finding]:
    """A backup on record that is no longer there, and that no rotation of ours removed."""
    lost = [row for path, row in sorted(known.items()) if path not in there and row.status == "success"]
    for row in lost:
        run.ledger.record_backup(replace(row, present=False))
    lost = [row for row in lost if not row.path.startswith(pgbackrest.PREFIX)]  # pgBackRest expires its own
    expected = "every backup on record, until rotation removes it"
    action = "Find out who or what removed it; restore it from a second copy if there is one."
    return [
        Case("ED-04", "backup vanished", expected, Severity.P2, action, verification.MANUAL, row.path).failed(
            "gone", f"{row.path} is on record and no longer in the repository"
        )
        for row in lost
    ]


def backup_rotation(run: Run) -> list[Finding]:
    """ED-06: what is kept and why, what is due to go; removed only where policy says ``apply: true``."""
    from clo_ops.actions.backups.rotation import take_back
    from clo_ops.probes.backup_files import Unlistable
    from clo_ops.probes.backup_rotation import measured, sound

    repository, policy = run.connections.backups, run.policy.retention.backups
    known = run.ledger.known_backups(str(repository))
    if policy.apply:
        with suppress(Unlistable, OSError):  # who cannot be listed is told by what follows
            take_back(repository)
    kept, answer = sound(repository, run.policy.backups, {path: _remembered(row) for path, row in known.items()})
    run.keep(answer)
    if kept is not None:
        plan = rotation.plan(kept, policy)
        run.keep(Answer.of(measured(repository, kept, plan)))
        if policy.apply:
            run.keep(_removed(run, list(plan.go), known))
    return rotation.judge(run.answer, policy, at=run.at)


def _removed(run: Run, due: list[str], known: dict[str, BackupRow]) -> Answer:
    from clo_ops.actions.backups.rotation import remove
    from clo_ops.probes.backup_files import Unlistable
    from clo_ops.probes.reaching import nobody_answered

    repository = run.connections.backups

    def gone(path: str) -> None:
        row = known.get(path) or BackupRow(str(repository), path)
        run.ledger.record_backup(replace(row, present=False))

    try:
        return Answer.of(
            Measurement(
                "backup.removed",
                not one.failure,
                "bool",
                datetime.now(UTC),
                {"repository": str(repository), "path": one.path, "outcome": "failed" if one.failure else "gone"},
                one.failure,
            )
            for one in remove(repository, due, gone)
        )
    except Unlistable as error:
        return nobody_answered(["backup.removed"], repository, "listing", str(error))


def backup_before_change(run: Run) -> list[Finding]:
    """MW-04 (manual L397): a backup taken now, read back whole and on record, before anything is changed (D55)."""
    from clo_ops.actions.backups.take import take
    from clo_ops.actions.backups.writing import BackupFailed
    from clo_ops.probes.backup_verification import verify

    repository, recovery = run.connections.backups, run.policy.recovery
    case = _before_change(run)
    try:
        facts = take(run.connections.backup_source, repository, recovery.taking, freshness=recovery.proof.freshness)
    except BackupFailed as failed:
        return [case.failed("no backup", str(failed).rstrip("."))]
    found = verify(
        repository,
        recovery.verification,
        run.policy.backups,
        {},
        at=run.at,
        only=facts["path"],
        proven=lambda proof: _record(run, proof),
    )
    run.keep(found.answer)
    run.keep(Answer((_taken(run, facts),)))
    judged = verification.judge(found.answer, recovery.verification, at=run.at, procedure=BEFORE_A_CHANGE)
    return [case.passed(facts["path"], f"{facts['path']} was taken with a snapshot of {facts['snapshot_at']}"), *judged]


def _before_change(run: Run) -> Case:
    return Case(
        BEFORE_A_CHANGE,
        "backup before the change",
        "a backup taken now, read back and proven (L2)",
        Severity.P1,
        "Do not start the change: mend what the message names and take the backup again.",
        "L397",
        run.policy.backups.database,
    )


def _taken(run: Run, facts: dict[str, Any]) -> Measurement:
    begun, ended = (datetime.fromisoformat(facts[name]) for name in ("started_at", "ended_at"))
    labels = {"repository": str(run.connections.backups), "path": facts["path"]}
    seconds = (ended - begun).total_seconds()
    return Measurement("backup.duration", seconds, "s", datetime.now(UTC), labels, f"SHA-256 {facts['sha256']}")
