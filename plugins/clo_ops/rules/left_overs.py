"""What drills that were cut short left behind, once the reaper has been (M3-08, ED-05; manual L80, L195)."""

from __future__ import annotations

from collections.abc import Iterator

from clo_ops.findings import Answer, Finding, Severity, Status
from clo_ops.rules.verdicts import Case

REMOVED = "drill.removed"
NAME = "left-overs of drills"
LOOK = "See why the engine does not answer; `docker ps -a --filter label=clo_ops.drill` shows what is left in it."


def judge(answer: Answer, *, procedure: str, engine_seen: bool) -> list[Finding]:
    """One finding for each place that was looked at, naming what went; one for an engine that did not answer.

    ``engine_seen``: an engine has answered the reaper before. Where none ever did there is none here, and no drill can
    have left anything in it: not applicable. One that has gone silent may hold something: a warning, since it keeps
    nobody from their work today.
    """
    return [*_removed(answer, procedure), *_silent(answer, procedure, engine_seen)]


def _removed(answer: Answer, procedure: str) -> Iterator[Finding]:
    for one in answer.select(REMOVED):
        if "kind" in one.labels:
            case = _case(procedure, one.labels["kind"])
            what = f"{one.value:.0f} removed: {one.detail}" if one.value else "nothing was left"
            yield case.passed(what, f"Of drills that are over, in {one.labels['kind']} places: {what}")


def _silent(answer: Answer, procedure: str, engine_seen: bool) -> Iterator[Finding]:
    for one in answer.unanswered:
        case = _case(procedure, "docker")
        if engine_seen:
            said = f"Nobody could look into the Docker engine, which answered before: {one.reason}"
            yield case.warned("nobody could look", said, Severity.P4)
        else:
            yield Finding(
                procedure=procedure,
                name=NAME,
                subject="docker",
                status=Status.NOT_APPLICABLE,
                expected=case.expected,
                actual="no Docker engine",
                message=f"No Docker engine has ever answered here, so no drill has left anything in one: {one.reason}",
            )


def _case(procedure: str, kind: str) -> Case:
    expected = "nothing of a drill that has expired"
    return Case(procedure, NAME, expected, Severity.P3, LOOK, "L80", kind)
