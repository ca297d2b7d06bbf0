"""Files leave the archive itself after their seven years: on two approvals of the very plan, oldest first (D05, D53).

Whatever is told to this module, it holds to the floor itself: no file with a row younger than ``keep``, none a hold may
cover, none without its predecessor gone. What has gone stays on record with who agreed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from clo_ops.actions.backups.writing import BackupWriter
from clo_ops.actions.maintenance.plan import Plan, Step
from clo_ops.actions.retention.archiving import RetentionFailed
from clo_ops.actions.retention.leaving import ArchiveRecord, record_of
from clo_ops.findings.audit import ArchiveFile
from clo_ops.policy.archive import Archive
from clo_ops.policy.period import Period
from clo_ops.policy.retention import FLOORS
from clo_ops.probes.audit_archive import MANIFEST, AuditArchive
from clo_ops.rules.audit_periods import may_expire

KIND = "expiry of archived audit rows"
EXPIRE = "expire"


@dataclass(frozen=True, slots=True)
class Approval:
    """That a person agreed to one plan, known by its hash; never the person who asked for it."""

    plan: str
    by: str
    requester: str


def planned(
    store: AuditArchive, system: str, policy: Archive, keep: Period, at: datetime
) -> tuple[Plan, list[ArchiveFile], str]:
    """The plan, its files, and why it ends where it does."""
    floor, source = FLOORS["audit_logs"]
    if not keep.covers(floor):
        raise RetentionFailed(f"audit rows would be kept for {keep}", allowed=f"{floor} or longer ({source})")
    found, _ = store.manifests(system)
    due, why = may_expire(found, keep, policy.holds, at)
    steps = tuple(
        Step(
            key=f"{EXPIRE} {one.name}",
            action=EXPIRE,
            target=one.name,
            why=f"its newest row is of {one.last_at:%Y-%m-%d}, kept for {keep}",
            statement=f"remove {one.name}, {one.stretch.rows:,} rows, manifest {one.manifest_sha256}",
            disk_bytes=-one.size_bytes,
        )
        for one in due
    )
    return Plan(KIND, system, steps), due, why


def expire(
    store: AuditArchive,
    system: str,
    *,
    policy: Archive,
    keep: Period,
    record: ArchiveRecord,
    approvals: Sequence[Approval],
    at: datetime,
) -> list[str]:
    """Remove what is due, as it is due now and as it was approved; returns the names. Killed, it goes on from there.

    Raises RetentionFailed where fewer than ``approvers`` different people agreed to exactly this plan.
    """
    finished = _finish(store, system, record)
    plan, due, _ = planned(store, system, policy, keep, at)
    if not due:
        return finished
    agreed = {one.by for one in approvals if one.plan == plan.hash and one.by and one.by != one.requester}
    if len(agreed) < policy.approvers:
        raise RetentionFailed(
            f"{len(agreed)} people agreed to plan {plan.hash[:12]} ({len(due)} files)",
            allowed=f"{policy.approvers} different ones, none of whom asked for it, for exactly this plan",
            next_step="have it approved again: what is due has changed, or an approval is missing",
        )
    states = {row.name: row.state for row in record.archive_rows(system)}
    if waiting := [one.name for one in due if states.get(one.name) != "done"]:
        raise RetentionFailed(
            f"rows of {waiting[0]} have not all left the live table, or the ledger knows nothing of it",
            allowed="files whose rows have left, on record as done",
            next_step="python -m clo_ops.archive status",
        )
    for one in due:
        row = replace(record_of(one, "expiring"), approved_by=tuple(sorted(agreed)))
        record.record_archive(row)
        _remove(store, one.name)
        record.record_archive(replace(row, state="expired", changed_at=datetime.now(UTC)))
    return [*finished, *(one.name for one in due)]


def _finish(store: AuditArchive, system: str, record: ArchiveRecord) -> list[str]:
    """What a killed run began was approved then."""
    begun = [row for row in record.archive_rows(system) if row.state == "expiring"]
    for row in begun:
        _remove(store, row.name)
        record.record_archive(replace(row, state="expired", changed_at=datetime.now(UTC)))
    return [row.name for row in begun]


def _remove(store: AuditArchive, name: str) -> None:
    """The manifest first: a file without one is no part of the archive."""
    BackupWriter(store.files).discard(name + MANIFEST, name)
