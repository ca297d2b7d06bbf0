"""ED-06: the sound backups of our database as rotation counts them, and the plan as measurements (manual L81)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from clo_ops.findings import Answer, Measurement
from clo_ops.policy.morning import Backups
from clo_ops.probes.backup_catalogue import Entry, entries
from clo_ops.probes.backup_faults import unread_fault
from clo_ops.probes.backup_files import BackupFiles, Unlistable
from clo_ops.probes.backup_reading import BackupReader
from clo_ops.probes.reaching import nobody_answered
from clo_ops.probes.targets import BackupRepository
from clo_ops.rules.rereading import Remembered
from clo_ops.rules.rotation import Kept, Plan


def sound(
    repository: BackupRepository, policy: Backups, known: Mapping[str, Remembered]
) -> tuple[list[Kept] | None, Answer]:
    """Ours, with a manifest that says success and a file that agrees with it; None where nobody could list them.

    What others made, failed attempts, half ones and other databases' are left alone. A backup whose file is not the
    one that was proven counts as not proven.
    """
    files = BackupFiles(repository)
    try:
        found = entries(files, BackupReader(files, stalled_after=60), policy)
    except (Unlistable, FileNotFoundError) as error:
        return None, nobody_answered(["backup.rotation"], repository, "listing and reading manifests", str(error))
    now = datetime.now(UTC)
    ours = [one for one in found if _ours(one, policy, now)]
    return [_kept(one, known.get(one.path)) for one in ours], Answer()


def _ours(one: Entry, policy: Backups, now: datetime) -> bool:
    manifest = one.backup.manifest
    return bool(
        manifest and manifest.succeeded and manifest.database == policy.database and not unread_fault(one, now)[0]
    )


def _kept(one: Entry, remembered: Remembered | None) -> Kept:
    manifest, stored = one.backup.manifest, one.stored
    assert manifest is not None  # noqa: S101 - ours have both
    assert stored is not None  # noqa: S101
    if remembered is None:
        return Kept(one.path, manifest.taken, stored.size)
    same = remembered.sha256 in ("", manifest.sha256) and remembered.size in (None, stored.size)
    failed = remembered.failed_at is not None
    return Kept(one.path, manifest.taken, stored.size, (remembered.level or 0) if same else 0, failed)


def measured(repository: BackupRepository, kept: Sequence[Kept], plan: Plan) -> Iterator[Measurement]:
    """``backup.kept`` and ``backup.due`` (bytes; detail: why) of each, ``backup.proven.count``, ``backup.rotation``."""
    now, labels = datetime.now(UTC), {"repository": str(repository)}
    yield Measurement("backup.rotation", len(kept), "count", now, labels, plan.hindrance)
    yield Measurement("backup.proven.count", sum(one.restorable for one in kept), "count", now, labels)
    for one in kept:
        name = "backup.due" if one.path in plan.go else "backup.kept"
        why = plan.go.get(one.path) or ", ".join(plan.keep.get(one.path, ())) or plan.hindrance
        yield Measurement(name, one.size, "bytes", now, labels | {"path": one.path}, why)
