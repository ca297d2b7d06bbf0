"""ED-04 (manual L79): each backup's bytes are what they were and can be decoded, and how deep that is proven (D21).

A fault of the newest backup is P1: it is the one a recovery would take. Others are P2: they are what is left if not.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from clo_ops.findings import Answer, Finding, Measurement, Severity, unanswered_findings
from clo_ops.policy.backups import Verification
from clo_ops.rules.figures import age, figure
from clo_ops.rules.verdicts import Case

PROCEDURE = "ED-04"
MANUAL = "L79"
REACH = "Check that the worker reaches the repository and has a pg_restore new enough (docs/backups.md), and run again."
NEW_ONE = "Set the file aside, take a new backup at once and verify it; keep the older good ones from rotation."
# What each fault is called, what was expected, and what to do first.
FAULTS: dict[str, tuple[str, str, str]] = {
    "manifest": (
        "manifest of another file",
        "a manifest that names the file it lies beside",
        "Find out who copied or renamed it; put the right manifest beside it, or treat it as unproven.",
    ),
    "incomplete": (
        "backup incomplete",
        "an archive and a readable manifest",
        "See who wrote or removed half of it; remove the rest from the repository once its cause is known.",
    ),
    "future": (
        "backup from the future",
        "taken before now",
        "Compare the clock of the machine that took it with a time server; judge its age by hand until then.",
    ),
    "empty": ("backup empty", "a file with something in it", NEW_ONE + " Look at the room left in the repository."),
    "truncated": ("backup truncated", "as many bytes as its manifest says", NEW_ONE + " Look at the copy's log."),
    "grown": ("backup not its manifest's size", "as many bytes as its manifest says", NEW_ONE),
    "hash": (
        "backup's bytes changed",
        "the SHA-256 its manifest says",
        NEW_ONE + " Bytes that change by themselves are a failing disk, or somebody's hand: compare a second copy.",
    ),
    "format": (
        "backup in a wrong format",
        "the format its manifest says, one that can be restored",
        "See which job writes this file; pg_restore takes archives only, plain SQL goes through psql.",
    ),
    "decode": ("backup does not decode", "every byte decodes", NEW_ONE),
}


def judge(answer: Answer, policy: Verification, *, at: datetime, procedure: str = PROCEDURE) -> list[Finding]:
    """One failure for each faulty backup; one verdict for the newest's depth, and one for all of them together.

    A repository nobody could list, and a backup nobody could decode, are unknown. Not read for longer than
    ``read_within`` (strictly), a description that lacks something, and a table that lost more than
    ``shrink_percent`` of its rows (strictly) warn.
    """
    findings = unanswered_findings(procedure, answer, Severity.P2, REACH)
    if answer.first("backup.count") is None:
        return findings or [_case(procedure, "backups", "", "a repository that can be read").not_measured()]
    looked = list(answer.select("backup.verified"))
    newest = looked[0].labels["path"] if looked else ""
    findings += [_fault(one, procedure, newest) for one in looked if one.value != 1]
    findings += _newest(answer, procedure, newest)
    findings += _all(answer, policy, procedure)
    findings += _described(answer, procedure)
    return [*findings, *_shrunk(answer, policy, procedure)]


def _case(
    procedure: str, name: str, subject: str, expected: str, *, action: str = REACH, severity: Severity = Severity.P2
) -> Case:
    return Case(procedure, name, expected, severity, action, MANUAL, subject)


def _fault(one: Measurement, procedure: str, newest: str) -> Finding:
    path, level = one.labels["path"], one.labels["level"]
    name, expected, action = FAULTS[one.labels["fault"]]
    severity = Severity.P1 if path == newest else Severity.P2
    return _case(procedure, name, path, expected, action=action, severity=severity).failed(
        one.detail, f"{path} fails at {level}: {one.detail}"
    )


def _newest(answer: Answer, procedure: str, newest: str) -> Iterator[Finding]:
    depth = answer.first("backup.depth", path=newest)
    verified = answer.first("backup.verified", path=newest)
    if depth is None or verified is None or verified.value != 1:
        return
    action = "Let the end of day run again: it reads the newest backup first."
    case = _case(procedure, "newest backup decoded", newest, "read whole, every byte decoded (L2)", action=action)
    if depth.value >= 2:
        yield case.passed(depth.detail, f"{newest}: {verified.detail}; {depth.detail}")
    else:
        yield case.warned(depth.detail, f"{newest} is proven no deeper than {depth.detail}: {verified.detail}")


def _all(answer: Answer, policy: Verification, procedure: str) -> Iterator[Finding]:
    limit = f"each read whole within {age(policy.read_within)}"
    action = "Give the verification more time (recovery.yaml, spend_at_most), or the worker a nearer repository."
    case = _case(procedure, "all backups read", "", limit, action=action)
    ages = list(answer.select("backup.read.age"))
    late = [one for one in ages if one.value > policy.read_within.total_seconds()]
    left = answer.value("backup.read.left")
    said = _sentence(answer)
    if not answer.value("backup.count"):
        yield _case(procedure, "backups to verify", "", "at least one", action=NEW_ONE, severity=Severity.P1).failed(
            "none", said
        )
    elif late:
        oldest = max(late, key=lambda one: one.value)
        old = age(timedelta(seconds=oldest.value))
        yield case.warned(f"{len(late)} late", f"{oldest.labels['path']} was last read {old} ago; {said}")
    elif left:
        yield case.warned(f"{left:.0f} left", f"Time was up with {left:.0f} backups still to read; {said}")
    else:
        yield case.passed(said, f"{said[0].upper()}{said[1:]}")


def _sentence(answer: Answer) -> str:
    """How many of how many, how deep, how much was read today."""
    count, read = answer.value("backup.count") or 0, answer.value("backup.read.count") or 0
    depths = [one.value for one in answer.select("backup.depth")]
    deep = ", ".join(f"{sum(one >= level for one in depths)} at L{level} or deeper" for level in (2, 3, 4))
    size = figure(answer.value("backup.read.size") or 0, "bytes")
    took = age(timedelta(seconds=answer.value("backup.read.duration") or 0))
    return f"{count:.0f} backups, {deep}; {read:.0f} read whole today ({size} in {took})"


def _described(answer: Answer, procedure: str) -> Iterator[Finding]:
    one = answer.first("backup.described")
    if one is None:
        return
    action = "Give the backup's role what it lacks (docs/backups.md); the next backup is described again."
    path = one.labels["path"]
    case = _case(procedure, "backup described", path, "counts, fingerprints, canary and invariants", action=action)
    if one.value == 1:
        yield case.passed("described", f"The manifest of {path} says what a restored copy must be equal to")
        return
    lacks = one.detail or "nothing of its contents is in its manifest"
    yield case.warned(lacks, f"{path} cannot be proven deeper than L3: {lacks}")


def _shrunk(answer: Answer, policy: Verification, procedure: str) -> Iterator[Finding]:
    expected = f"at most {policy.shrink_percent:g} % of its rows fewer than in the backup before"
    action = "Ask who removed rows from this table; if nobody did, stop rotation and restore the backup before."
    for one in answer.select("backup.table.lost"):
        before = answer.value("backup.table.rows", path=one.labels["path"], table=one.labels["table"]) or 0
        if before >= policy.shrink_from_rows and one.value > policy.shrink_percent:
            case = _case(procedure, "table shrank", one.labels["table"], expected, action=action)
            actual = f"{one.value:.4g} % fewer ({one.detail})"
            yield case.warned(actual, f"{one.labels['table']} in {one.labels['path']} has {actual}", Severity.P2)
