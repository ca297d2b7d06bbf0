"""The first step of a drill, M3-01: which backup, is it whole, may a drill start, is what started not production."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from clo_ops.findings import Answer, CloOpsError, Finding, worst
from clo_ops.orchestration.drill import RED, Drill, backup_facts, failed, passed


def environment(drill: Drill) -> list[Finding]:
    """M3-01: choose; read the backup while the guard looks; start; prove that what was started is not production."""
    from clo_ops.actions.drill.choosing import read_whole

    findings = _chosen(drill)
    if worst(findings) in RED:
        return findings
    with ThreadPoolExecutor(1) as beside:
        reading = beside.submit(read_whole, drill.choice, _decoded(drill))
        guarded = _guarded(drill)
        findings += _read(drill, reading.result()) + guarded
    return findings if worst(findings) in RED else findings + _started(drill)


def _decoded(drill: Drill) -> datetime | None:
    """When these very bytes, by their SHA-256, were last decoded whole (ED-04); None where they never were."""
    choice = drill.choice
    row = drill.run.ledger.known_backups(str(choice.backup.repository)).get(choice.backup.name)
    same = row is not None and row.sha256 == choice.sha256 and row.failed_at is None
    return row.read_at if row is not None and same and "L2" in row.proven else None


def _chosen(drill: Drill) -> list[Finding]:
    try:
        choice = drill.choice
    except CloOpsError as error:
        return [failed("M3-01", "backup chosen", error)]
    for name, said in backup_facts(choice).items():
        drill.fact(f"backup.{name}", said)
    if choice.newest_good:
        drill.fact("backup.newest_good", choice.newest_good.isoformat())
    drill.fact("place", drill.spec.place)
    drill.measure("drill.backup.size", choice.backup.size_bytes, "bytes", path=choice.backup.name)
    path, how = choice.backup.name, drill.spec.backup
    return [passed("M3-01", "backup chosen", "a backup to restore", path, f"{path} is restored ({how}).")]


def _read(drill: Drill, answer: Answer) -> list[Finding]:
    """L1 and L2 before anything is started: bytes that are not those recorded prove nothing about the backup."""
    from clo_ops.rules import reading

    drill.run.keep(answer)
    return reading.judge(answer, drill.choice.backup.name, recorded=bool(drill.choice.sha256))


def _guarded(drill: Drill) -> list[Finding]:
    """What has to be so before anything starts. What killed workers left is removed first: it would count as busy."""
    from clo_ops.actions.drill.guard import before
    from clo_ops.actions.drill.reaper import reap
    from clo_ops.rules.guard import judge_before

    run, recovery = drill.run, drill.run.policy.recovery
    try:
        gone, _ = reap(recovery, datetime.now(UTC), engine=run.connections.docker)
    except CloOpsError as error:
        return [failed("M3-01", "left-overs of earlier drills removed", error)]
    drill.fact("reaped", ", ".join(gone))
    if drill.place.isolation:
        drill.fact("isolation", drill.place.isolation)
    backup, production = drill.choice.backup, run.connections.postgres
    answer = before(drill.place, recovery, backup, production, largest=drill.largest, state_of=run.state_of)
    return judge_before(run.keep(answer), recovery.guard)


def _started(drill: Drill) -> list[Finding]:
    from clo_ops.actions.drill.guard import proofs
    from clo_ops.actions.drill.parity import parity
    from clo_ops.actions.drill.phases import phase
    from clo_ops.rules.guard import judge_parity, judge_proofs

    run, place, backup = drill.run, drill.place, drill.choice.backup
    expected = "an isolated PostgreSQL that takes connections"
    drill.meanwhile()
    try:
        with phase("environment") as taken:
            server = place.start()
        run.keep(taken.answer)
        found = judge_proofs(run.keep(proofs(place, backup, [run.connections.postgres])), kind=place.kind)
        found += judge_parity(run.keep(parity(server, backup)))
    except CloOpsError as error:
        return [failed("M3-01", "environment started", error)]
    said = f"The {place.kind} place of drill {place.drill} is up."
    return [passed("M3-01", "environment started", expected, f"{place.kind}, drill {place.drill}", said), *found]
