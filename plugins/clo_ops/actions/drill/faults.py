"""The drill that can fail: each fault is put in for real, and the check that is there for it has to turn red.

    rows, answer = self_test(policy, dag_id=..., run_id=..., major=15)
    findings = clo_ops.rules.selftest.judge(rows)

One running place serves all faults it can serve; copies of the restored database (CREATE DATABASE ... TEMPLATE) keep
them apart. Killing the server comes last.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from clo_ops.actions.drill import faulty, guard
from clo_ops.actions.drill.choosing import Choice, choose, read_whole
from clo_ops.actions.drill.place import ChosenBackup, open_place
from clo_ops.actions.drill.rehearsal import DATABASE, FULL_DISK, HEIR, Rehearsal, rehearsal
from clo_ops.actions.drill.restore import restore
from clo_ops.actions.drill.roles import restore_roles
from clo_ops.findings import Answer, Finding, Measurement, Status
from clo_ops.policy import DrillSpec, Policy
from clo_ops.probes import contents, soundness
from clo_ops.probes.postgres import connect, rows
from clo_ops.probes.reaching import Unreachable
from clo_ops.probes.targets import DockerTarget, PostgresTarget
from clo_ops.rules import contents as contents_rules
from clo_ops.rules import drill as drill_rules
from clo_ops.rules import guard as guard_rules
from clo_ops.rules import reading as reading_rules
from clo_ops.rules import restore as restore_rules
from clo_ops.rules.selftest import CAUGHT, CONTROL, Row, row

PATIENCE = 120.0  # seconds one restore of the small database may take
ATTEMPTS = 3
RECORDED, DECODED = "backup is the one recorded", "backup can be read to its end"
MESSAGES, ENDED, EVERY_TABLE = "restore messages", "restore ended", "every table restored"


class NotPossible(Exception):
    """This fault cannot be put in here; the text says why."""


@dataclass(frozen=True, slots=True)
class Fault:
    """``inject`` puts it in and returns what the drill's own checks found."""

    name: str
    procedure: str
    finding: str
    inject: Callable[[Rehearsal], list[Finding]]
    status: Status = Status.FAIL


def self_test(
    policy: Policy, *, dag_id: str, run_id: str, major: int, kind: str = "docker", engine: DockerTarget | None = None
) -> tuple[list[Row], Answer]:
    """The table, and the same as ``selftest.caught`` (bool {fault, expected, caught_by, possible}; detail: message).

    Raises what ``rehearsal`` raises: a self-test that could not be set up has shown nothing.
    """
    with rehearsal(policy, dag_id=dag_id, run_id=run_id, major=major, kind=kind, engine=engine) as played:
        table = [_played(fault, played) for fault in FAULTS]
    return table, Answer.of(_measured(one) for one in table)


def _played(fault: Fault, played: Rehearsal) -> Row:
    expect = partial(row, fault.name, fault.procedure, fault.finding, fault.status)
    try:
        return expect(fault.inject(played))
    except NotPossible as why:
        return replace(expect([]), message=str(why), possible=False)
    except Exception as error:  # noqa: BLE001 - whatever broke off has judged nothing, and that is nothing caught
        return replace(expect([]), message=f"{type(error).__name__}: {error}"[:300])


def _measured(one: Row) -> Measurement:
    possible = "yes" if one.possible else "no"
    labels = {"fault": one.fault, "expected": one.expected, "caught_by": one.caught_by, "possible": possible}
    return Measurement(CAUGHT, one.caught, "bool", datetime.now(UTC), labels, one.message)


# ---------------------------------------------------------------- the backup's bytes


def _read(played: Rehearsal, backup: ChosenBackup) -> list[Finding]:
    answer = read_whole(Choice(backup, None, None, str(backup.manifest["sha256"])))
    return reading_rules.judge(answer, backup.name, recorded=True)


def _spoilt(how: Callable[[bytes], bytes], name: str) -> Callable[[Rehearsal], list[Finding]]:
    """Read whole with a checksum that fits: it is the decoding that has to see it."""

    def inject(played: Rehearsal) -> list[Finding]:
        faulty.spoil(played.folder / played.good.name, played.folder / name, how)
        return _read(played, played.backup(name))

    return inject


def _uncompressed(played: Rehearsal) -> ChosenBackup:
    """An uncompressed archive of the same data with one digit changed; its manifest is of the file as it was."""
    name = "digit-flipped.dump"
    if not (played.folder / name).exists():
        whole = played.dump("uncompressed.dump", "-Fc", "-Z0")
        played.kept["sha256"] = played.backup(whole.name).manifest["sha256"]
        faulty.spoil(whole, played.folder / name, faulty.digit_flipped)
    return played.backup(name, sha256=played.kept["sha256"])


def _digit_read(played: Rehearsal) -> list[Finding]:
    return _read(played, _uncompressed(played))


def _digit_restored(played: Rehearsal) -> list[Finding]:
    """Had somebody written the checksum anew, the fingerprints would still tell."""
    backup = _uncompressed(played)
    _restored(played, backup, "fault_digit")
    return _contents(played, replace(played.place.primary().target, database="fault_digit"))


def _plain(played: Rehearsal) -> list[Finding]:
    played.dump("plain.dump", "-Fp")
    return _restored(played, played.backup("plain.dump"), "fault_plain")


def _stale(played: Rehearsal) -> list[Finding]:
    """The newest backup of a repository, taken a minute longer ago than the recovery point allows."""
    now, targets = datetime.now(UTC), played.policy.recovery.targets
    repository = played.alone("stale", snapshot_at=(now - targets.rpo - timedelta(minutes=1)).isoformat())
    backups = played.policy.backups.model_copy(update={"database": DATABASE})
    newest = choose(repository, backups, "newest", at=now).newest_good
    if newest is None:
        raise LookupError("the stale backup was not found in its own repository")
    lost = Measurement(drill_rules.RPO, drill_rules.recovery_point(newest, now), "s", now)
    return drill_rules.judge(Answer((lost,)), rto=targets.rto, rpo=targets.rpo)


# ---------------------------------------------------------------- the restore


def _restored(played: Rehearsal, backup: ChosenBackup, database: str) -> list[Finding]:
    terms, path = played.policy.recovery.restore, played.inside(backup.name)
    answer = restore_roles(played.place.primary(), backup)
    answer += restore(played.place, backup, terms, timeout=PATIENCE, database=database, path=path)
    return restore_rules.judge(answer)


def _missing_role(played: Rehearsal) -> list[Finding]:
    """Before any other restore: afterwards the role is there."""
    others = [role for role in played.manifest["roles"] if role["name"] != HEIR]
    return _restored(played, played.backup(played.good.name, roles=others), "fault_role")


def _nothing_wrong(played: Rehearsal) -> list[Finding]:
    found = _read(played, played.good)
    found += _restored(played, played.good, DATABASE)
    target = replace(played.place.primary().target, database=DATABASE)
    return found + _contents(played, target) + _sound(played, target)


def _missing_table(played: Rehearsal) -> list[Finding]:
    played.dump("without-a-table.dump", "-Fc", "--exclude-table=selftest_heirloom")
    return _restored(played, played.backup("without-a-table.dump"), "fault_table")


def _disk_full(played: Rehearsal) -> list[Finding]:
    from psycopg import sql

    if played.place.kind != "docker":
        raise NotPossible("a local place has no disk of its own that could be made small")
    played.place.primary().run("mkdir", f"{FULL_DISK}/space", timeout=10)
    space, location = sql.Identifier("fault_space"), sql.Literal(f"{FULL_DISK}/space")
    played.change("postgres", "selftest/tablespace", tablespace=space, location=location)
    played.change("postgres", "selftest/small_database", database=sql.Identifier("fault_full"), tablespace=space)
    return _restored(played, played.good, "fault_full")


def _killed(played: Rehearsal) -> list[Finding]:
    """Cut off once the first table is there and before the last index is; where the restore was faster, once more."""
    server = played.place.primary()
    for number in range(ATTEMPTS):
        found, database = list[Finding](), f"fault_killed_{number}"
        restoring = threading.Thread(target=_restored_into, args=(found, played, database))
        restoring.start()
        begun = _begun(replace(server.target, database=database), restoring)
        if begun:
            server.kill()
        restoring.join(PATIENCE)
        if begun:
            return found
    raise RuntimeError(f"{ATTEMPTS} restores were over before they could be cut off")


def _restored_into(found: list[Finding], played: Rehearsal, database: str) -> None:
    found.extend(_restored(played, played.good, database))


def _begun(target: PostgresTarget, restoring: threading.Thread) -> bool:
    while restoring.is_alive():
        with suppress(Unreachable), connect(target) as session:
            while restoring.is_alive():
                if rows(session, "drill/target_contents")[0]["things"] > 3:
                    return True
                time.sleep(0.002)
    return False


# ---------------------------------------------------------------- what was restored


def _contents(played: Rehearsal, target: PostgresTarget, manifest: Any = None) -> list[Finding]:
    known = manifest or played.manifest
    found, answer = contents.ask(target, canary=known["canary"], recorded=known["tables"])
    return contents_rules.judge(known, found, answer, played.proof, rpo=played.policy.recovery.targets.rpo)


def _sound(played: Rehearsal, target: PostgresTarget) -> list[Finding]:
    played.change(target.database, "soundness/create_amcheck")
    return contents_rules.judge({}, None, soundness.ask(target), played.proof, rpo=played.policy.recovery.targets.rpo)


def _wrong_canary(played: Rehearsal) -> list[Finding]:
    canary = {**played.manifest["canary"], "nonce": "0" * 32}
    target = replace(played.place.primary().target, database=DATABASE)
    return _contents(played, target, {**played.manifest, "canary": canary})


def _row_changed(played: Rehearsal) -> list[Finding]:
    target = played.copy("fault_row")
    played.change(target.database, "selftest/change_row")
    return _contents(played, target)


def _sequence_behind(played: Rehearsal) -> list[Finding]:
    target = played.copy("fault_sequence")
    played.change(target.database, "selftest/sequence_back")
    return _contents(played, target)


def _index_corrupted(played: Rehearsal) -> list[Finding]:
    target = played.copy("fault_index")
    for name, values in (
        ("selftest/index_ready", {"ready": False}),
        ("selftest/same_row_again", {}),
        ("selftest/index_ready", {"ready": True}),
    ):
        played.change(target.database, name, values=values)
    return _sound(played, target)


# ---------------------------------------------------------------- the guard


def _unreachable(played: Rehearsal) -> list[Finding]:
    spec = DrillSpec.of(played.policy.recovery, parts=["restore"], place="docker")
    nowhere = DockerTarget("unix:///nonexistent/docker.sock")
    run = f"{played.run_id} nowhere"
    place = open_place(spec, played.policy, played.good, dag_id=played.dag_id, run_id=run, engine=nowhere)
    recovery = played.policy.recovery
    answer = guard.before(place, recovery, played.good, played.source)
    return guard_rules.judge_before(answer, recovery.guard)


def _production(played: Rehearsal) -> list[Finding]:
    itself = played.place.primary().target
    answer = guard.proofs(played.place, played.good, [replace(itself, database="postgres"), played.source])
    return guard_rules.judge_proofs(answer, kind=played.place.kind)


FAULTS: Sequence[Fault] = (
    Fault("missing role", "M3-02", MESSAGES, _missing_role),
    Fault(CONTROL, "", "", _nothing_wrong),
    Fault("truncated", "M3-01", DECODED, _spoilt(faulty.cut_short, "truncated.dump")),
    Fault("bit flipped in compressed data", "M3-01", DECODED, _spoilt(faulty.bit_flipped, "bit-flipped.dump")),
    Fault("digit flipped in uncompressed data", "M3-01", RECORDED, _digit_read),
    Fault("digit flipped, checksum forged", "M3-03", "fingerprints", _digit_restored),
    Fault("empty", "M3-01", DECODED, _spoilt(faulty.emptied, "empty.dump")),
    Fault("plain SQL where an archive is meant", "M3-02", MESSAGES, _plain),
    Fault("stale", "M3-07", drill_rules.POINT, _stale),
    Fault("wrong canary", "M3-03", "canary", _wrong_canary),
    Fault("missing table", "M3-02", EVERY_TABLE, _missing_table),
    Fault("row changed after the restore", "M3-03", "fingerprints", _row_changed),
    Fault("index corrupted", "M3-03", "indexes and heaps", _index_corrupted),
    Fault("sequence behind", "M3-03", "sequences", _sequence_behind),
    Fault("disk full in mid-restore", "M3-02", MESSAGES, _disk_full),
    Fault("target equal to production", "M3-01", "target is not production", _production),
    Fault("Docker unreachable", "M3-01", "could not ask: another drill", _unreachable, Status.UNKNOWN),
    Fault("container killed in mid-restore", "M3-02", ENDED, _killed),
)
