"""Steps 4 and 5 of a drill (M3-03, manual L207-L208): what the restored copy holds, and what it means.

    proven = contents(server.target, manifest, policy.recovery.proof)
    findings = rules.contents.judge(manifest, proven.contents, proven.answer, policy.recovery.proof, rpo=spec.rpo)
    answer = meaning(server.target, manifest, policy.recovery.proof, evidence=directory)
    findings += rules.integrity.judge(answer, manifest, previous, policy.recovery.proof, at=run.at)

The two only read, so they may run side by side; one writes, once, the extension amcheck into the copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clo_ops.actions.drill.session import execute, writing
from clo_ops.findings import Answer, Measurement
from clo_ops.findings.contents import Contents
from clo_ops.policy.proof import Proof
from clo_ops.probes import contents as contents_probe
from clo_ops.probes import integrity, soundness
from clo_ops.probes.reaching import Unreachable
from clo_ops.probes.targets import PostgresTarget
from clo_ops.rules import contents as contents_rule


@dataclass(frozen=True, slots=True)
class Proven:
    """``contents`` is None where the copy could not be asked; ``answer`` then says why."""

    contents: Contents | None
    answer: Answer


def contents(target: PostgresTarget, manifest: Mapping[str, Any], proof: Proof) -> Proven:
    """The copy's contents with their comparison as measurements, and its canary; before that, amcheck of all there is.

    One after the other: side by side they would leave the invariants a third of the processors, and the Data Docs,
    which are written once all of those are answered, would be waited for at the end by an idle server. The longest
    single piece, the largest index, comes first.

    Measures ``contents.*``. Never raises for a copy that cannot be reached. Raises PlaceFailed where ``target`` is
    the server the backup was taken of: nothing is written there.
    """
    patient = _patient(target, proof)
    install_amcheck(target, production=str(manifest.get("system_identifier") or ""))
    sound = soundness.ask(patient, workers=proof.workers)
    found, answer = contents_probe.ask(
        patient,
        freshness=proof.freshness,
        canary=manifest.get("canary"),
        recorded=manifest.get("tables"),
        workers=proof.workers,
    )
    if found is None:  # nobody could be asked: said once is enough
        return Proven(found, answer)
    answer += Answer.of(contents_rule.measurements(manifest, found, datetime.now(UTC)))
    return Proven(found, answer + sound)


def meaning(target: PostgresTarget, manifest: Mapping[str, Any], proof: Proof, *, evidence: Path | None) -> Answer:
    """The invariants of the copy at the moment of its snapshot, with Data Docs below ``evidence``.

    Measures ``integrity.violations`` and, of the manifest, ``integrity.expected`` {invariant}.
    """
    at = datetime.fromisoformat(str(manifest["snapshot_at"])) if manifest.get("snapshot_at") else datetime.now(UTC)
    answer = integrity.ask(_patient(target, proof), at=at, evidence=evidence, workers=proof.workers)
    recorded = sorted((manifest.get("invariants") or {}).items())
    return answer + Answer.of(
        Measurement("integrity.expected", count, "count", at, {"invariant": name}) for name, count in recorded
    )


def install_amcheck(target: PostgresTarget, *, production: str) -> None:
    """Where the server has it. Where not, or where the role may not, the probe says so as not applicable."""
    import psycopg

    with suppress(psycopg.Error, Unreachable), writing(target, production=production) as connection:
        execute(connection, "soundness/create_amcheck")


def _patient(target: PostgresTarget, proof: Proof) -> PostgresTarget:
    return replace(target, statement_timeout=proof.statement_timeout.total_seconds())
