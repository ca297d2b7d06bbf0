"""What each step of a drill asks, does and judges, from the restore on; ``orchestration.drill`` says what one is."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from clo_ops.findings import Answer, CloOpsError, ConfigurationError, Finding, Severity, Status, worst
from clo_ops.orchestration.drill import RED, SELF_TEST, Drill, after, failed, not_asked
from clo_ops.reports.bundle import folder_as_zip
from clo_ops.rules.verdicts import Case

if TYPE_CHECKING:
    from clo_ops.ledger.records import Level

KEPT_FOR = "A look round; `python -m clo_ops.actions.drill.reaper` lists what is there, and with its id ends it sooner."


@after("M3-01")
def restored(drill: Drill) -> list[Finding]:
    """M3-02: roles first, then everything else, then planner statistics."""
    from clo_ops.actions.drill.restore import analyze, drop, restore
    from clo_ops.actions.drill.roles import restore_roles
    from clo_ops.probes.reaching import Unreachable
    from clo_ops.rules import restore as rules

    run, backup, terms = drill.run, drill.choice.backup, drill.run.policy.recovery.restore
    within = run.policy.recovery.drill.restore_within.total_seconds()
    try:
        server = drill.place.primary()
        drop(server, backup)
        run.keep(restore_roles(server, backup))
        run.keep(restore(drill.place, backup, terms, timeout=within))
        run.keep(analyze(server, backup, terms, timeout=within))
    except Unreachable as error:
        run.keep(error.unanswered("the restore", drill.place.drill, "a session with the throw-away server"))
    except CloOpsError as error:
        return [*rules.judge(run.answer), failed("M3-02", "restore carried out", error)]
    findings = rules.judge(run.answer)
    drill.fact("restore.command", _command(drill))
    proven(drill, "L3", findings)
    return findings


def _command(drill: Drill) -> str:
    """As it would be typed beside the file."""
    import shlex

    from clo_ops.actions.drill.restore import command_of
    from clo_ops.actions.drill.staging import unpacked_name

    backup, jobs = drill.choice.backup, drill.run.policy.recovery.restore.jobs
    return shlex.join(command_of(backup, unpacked_name(backup), backup.database, jobs))


def proven(drill: Drill, level: Level, findings: Sequence[Finding]) -> None:
    """What this drill proved of the backup, or that it could not be proven, goes into the ledger's list of backups."""
    from clo_ops.ledger.records import BackupRow

    status, choice = worst(findings), drill.choice
    backup, now = choice.backup, datetime.now(UTC)
    known = BackupRow(
        repository=str(backup.repository),
        path=backup.name,
        database=backup.database,
        snapshot_at=choice.taken,
        size_bytes=backup.size_bytes,
        sha256=choice.sha256,
    )
    if status not in RED:
        drill.measure("backup.depth", int(level[1:]), "count", path=backup.name)
        drill.run.ledger.record_backup(replace(known, proven={level: now}))
    elif status is Status.FAIL:
        red = next(one for one in findings if one.status is Status.FAIL)
        drill.run.ledger.record_backup(replace(known, failed_at=now, failure=f"{level}: {red.message}"[:300]))


@after("M3-02")
def contents_and_meaning(drill: Drill) -> list[Finding]:
    """M3-03: what it holds and what it means, side by side, each with its own time."""
    from clo_ops.rules.contents import no_deeper, uncompared

    with tempfile.TemporaryDirectory(prefix="clo-ops-data-docs-") as folder, ThreadPoolExecutor(2) as pool:
        # Each tells only at its end: the run is kept by one thread.
        held, meant = pool.submit(_contents, drill), pool.submit(_with_docs, drill, Path(folder))
        *found, docs = held.result(), *meant.result()
    for answer, _ in found:
        drill.run.keep(answer)
    drill.run.attach("M3-03.data-docs.zip", docs, "application/zip")
    findings = [finding for _, some in found for finding in some]
    left_out = uncompared(findings)
    # What nothing could be held against is no deeper proven than its restore was.
    proven(drill, "L3" if left_out and worst(findings) not in RED else "L4", findings)
    return findings + ([no_deeper(left_out)] if left_out else [])


def _contents(drill: Drill) -> tuple[Answer, list[Finding]]:
    from clo_ops.actions.drill import proof
    from clo_ops.actions.drill.phases import phase
    from clo_ops.rules import contents as rules

    figures, manifest = drill.run.policy.recovery.proof, drill.choice.backup.manifest
    try:
        with phase("contents") as taken:
            seen = proof.contents(drill.place.primary().target, manifest, figures)
    except CloOpsError as error:
        return Answer(), [failed("M3-03", "contents read", error)]
    findings = rules.judge(manifest, seen.contents, seen.answer, figures, rpo=drill.spec.rpo)
    return seen.answer + taken.answer, findings


def _with_docs(drill: Drill, folder: Path) -> tuple[tuple[Answer, list[Finding]], bytes]:
    return _meaning(drill, folder), folder_as_zip(folder)


def _meaning(drill: Drill, folder: Path) -> tuple[Answer, list[Finding]]:
    from clo_ops.actions.drill import proof
    from clo_ops.actions.drill.phases import phase
    from clo_ops.rules import integrity as rules

    run, manifest = drill.run, drill.choice.backup.manifest
    figures = run.policy.recovery.proof
    try:
        with phase("integrity") as taken:
            answer = proof.meaning(drill.place.primary().target, manifest, figures, evidence=folder)
    except CloOpsError as error:
        return Answer(), [failed("M3-03", "invariants asked", error)]
    findings = rules.judge(answer, manifest, _last_time(drill), figures, at=run.at)
    return answer + taken.answer, findings


def _last_time(drill: Drill) -> dict[str, float] | None:
    """Violations by invariant of the drill before this one, None where there was none."""
    from clo_ops.reports.drill_facts import before, read

    ledger = drill.run.ledger
    earlier = before(ledger, read(ledger, drill.run.ledger_run))
    return {one.id: float(one.violations) for one in earlier.invariants} if earlier else None


@after("M3-02")
def failover(drill: Drill) -> list[Finding]:
    """M3-04 and M3-05: the drill's own servers fail over; production's replication is only looked at."""
    from clo_ops.actions.drill import failover as action
    from clo_ops.probes.replication import replication
    from clo_ops.rules import failover as rules
    from clo_ops.rules import replication as replication_rules

    run, figures = drill.run, drill.run.policy.recovery.failover
    found = []
    if "failover" in drill.spec.parts:
        answer = run.keep(action.run(drill.place, figures))
        found += rules.judge_activation(answer, figures, at=run.at)
        found += rules.judge_synchronisation(answer, figures, at=run.at)
    else:
        found += [not_asked(one, "failover") for one in ("M3-04", "M3-05")]
    seen = run.keep(replication(run.connections.postgres))
    return [*found, *replication_rules.judge(seen, run.policy.recovery.replication, at=run.at)]


@after("M3-02")
def application(drill: Drill) -> list[Finding]:
    """M3-06: on the promoted standby where there is one, else on the restored primary."""
    from clo_ops.actions.drill import application as action
    from clo_ops.rules import application as rules

    if "application" not in drill.spec.parts:
        return [not_asked("M3-06", "application")]
    run = drill.run
    try:
        database = drill.place.standby() if "failover" in drill.spec.parts else drill.place.primary()
        doors = list(_doors(drill))
        answer = run.keep(action.check(drill.place, database, run.policy, forbidden=doors))
    except CloOpsError as error:
        return [failed("M3-06", "application started", error)]
    return rules.judge(answer, run.policy.recovery.application, at=run.at)


def _doors(drill: Drill) -> Iterator[tuple[str, int]]:
    """Production's database, its Redis and the mail server: what a restored application must never reach."""
    for name in ("postgres", "redis", "smtp"):
        with suppress(ConfigurationError):
            target = getattr(drill.run.connections, name)
            yield target.host, target.port


def clean_up(drill: Drill) -> list[Finding]:
    """M3-08: all of it goes, whatever became of the drill, unless it was asked to stay; then nothing is left.

    By its labels alone: its backup may have been rotated away by now, or its repository be silent.
    """
    from clo_ops.actions.drill.phases import phase
    from clo_ops.actions.drill.reaper import end, remaining

    if drill.spec.keep:
        return [_kept(drill)]
    recovery, kind, engine = drill.run.policy.recovery, drill.spec.place, drill.run.connections.docker
    try:
        with phase("clean_up") as taken:
            removed = end(recovery, drill.id, kind, engine=engine)
    except CloOpsError as error:
        return [failed("M3-08", "nothing left", error)]
    drill.run.keep(taken.answer)
    drill.measure("drill.removed", len(removed), "count", ", ".join(removed), kind=kind)
    return _left(drill, drill.run.keep(remaining(recovery, drill.id, kind, engine=engine)), removed)


def _kept(drill: Drill) -> Finding:
    until = f"{datetime.now(UTC) + drill.run.policy.recovery.drill.expires:%Y-%m-%d %H:%M} UTC"
    drill.fact("kept_until", until)
    return Finding(
        procedure="M3-08",
        name="nothing left",
        status=Status.WARN,
        severity=Severity.P4,
        expected="nothing of this drill",
        actual="kept, as asked",
        message=f"The environment of drill {drill.id} was kept, as the form asked, until {until}.",
        first_action=KEPT_FOR,
    )


def _left(drill: Drill, answer: Answer, removed: Sequence[str]) -> list[Finding]:
    from clo_ops.findings import unanswered_findings

    case = Case(
        "M3-08",
        "nothing left",
        "no container, network, volume or cluster of this drill",
        Severity.P2,
        f"Remove what carries the label clo_ops.drill={drill.id}, and nothing else.",
        "L198-L208",
    )
    left = answer.first("drill.remaining")
    if left is None:
        return unanswered_findings("M3-08", answer, Severity.P2, case.first_action)
    if left.value:
        return [case.failed(left.detail, f"{left.value:.0f} things of this drill are still there: {left.detail}")]
    return [case.passed("nothing", f"{len(removed)} things removed, nothing of this drill is left")]


def self_test(drill: Drill) -> list[Finding]:
    """Each fault of the table is put into a small drill of its own, and has to be caught for the right reason."""
    from clo_ops.actions.drill import faults
    from clo_ops.rules import selftest

    run = drill.run
    try:
        whose, major = {"dag_id": run.dag_id, "run_id": run.run_id}, drill.choice.backup.major
        engine = run.connections.docker
        table, answer = faults.self_test(run.policy, **whose, major=major, kind=drill.spec.place, engine=engine)
    except CloOpsError as error:
        return [failed(SELF_TEST, "self-test", error)]
    run.keep(answer)
    return selftest.judge(table, procedure=SELF_TEST)
