"""M3-01, before anything is started (manual L204; D21): are the backup's bytes those recorded, and can all be read?"""

from __future__ import annotations

from collections.abc import Iterator

from clo_ops.findings import Answer, Finding, Severity, unanswered_findings
from clo_ops.rules.verdicts import Case

PROCEDURE = "M3-01"
SET_ASIDE = "Set the file aside, take a new backup at once, and verify it before anything else is changed."
REACH = "Check that the worker reaches the repository (connection clo_backups)."
LEVELS = {
    "L1": ("backup is the one recorded", "the size and SHA-256 of its manifest"),
    "L2": ("backup can be read to its end", "every byte decoded"),
}


def judge(answer: Answer, path: str, *, recorded: bool, procedure: str = PROCEDURE) -> list[Finding]:
    """``backup.verified`` {level: L1|L2} of ``path``. ``recorded``: its manifest has a SHA-256 to compare with."""
    return [
        *unanswered_findings(procedure, answer, Severity.P1, REACH),
        *_levels(answer, path, recorded, procedure),
    ]


def _levels(answer: Answer, path: str, recorded: bool, procedure: str) -> Iterator[Finding]:
    for level, (name, expected) in LEVELS.items():
        case = Case(procedure, name, expected, Severity.P1, SET_ASIDE, "L204", path)
        measured = answer.first("backup.verified", level=level)
        if measured is None:
            yield from [] if answer.unanswered else [case.not_measured()]
        elif level == "L1" and not recorded:
            yield case.warned("no manifest", f"{path} has no manifest: nobody knows what its bytes should be")
        else:
            yield case.either(measured, f"{path}: {expected}", f"{path} is not to be trusted")
