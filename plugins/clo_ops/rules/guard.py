"""M3-01 (manual L201, L204; D15, D18, D69): may the drill start, and is what it is about to write to not production.

Nothing is started where one finding of ``before`` is red; nothing is restored where one of ``proofs`` or ``parity`` is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from clo_ops.findings import Answer, Finding, Measurement, Severity, Status, unanswered_findings
from clo_ops.policy.recovery import GuardTerms
from clo_ops.rules.figures import figure, moment
from clo_ops.rules.verdicts import Case

PROCEDURE = "M3-01"
MANUAL = "L201"
PROOF, PARITY, BUSY, IMAGE = "guard.proof", "guard.parity", "guard.busy", "guard.image"
OTHER = "guard.other"
NEEDED, FREE = "guard.room.needed", "guard.room.free"
PROOFS = {
    "container": "the target is the container this drill made, on its own network",
    "address": "the target's address is none of production's",
    "system_identifier": "the target's system identifier is neither production's nor the backup's",
    "no_way_out": "production cannot be reached from the target",
}
# Of a local place there is no container and no network of its own; the report says that isolation was weaker. It is
# known by the directory its server works on instead.
OF_DOCKER = ("container", "no_way_out")
OF_LOCAL = {"cluster": "the target works on the data directory this drill made"}
STOP = "Do not run the drill until what answers at that address is known; nothing was written to it."
ROOM = "Free the space, or give the engine more; the drill was not started."
LATER = "Wait until it has ended and run the drill again; two at once would falsify each other's times."
OVER = ("success", "failed")  # how Airflow says that a run has ended
END = "python -m clo_ops.actions.drill.reaper"
GET_IMAGE = "Pull or make the image the message names; the drill was not started."
SAME = "Use an image of the backup's version, with its extensions and locales, and run the drill again."


@dataclass(frozen=True, slots=True)
class Aspect:
    """One line of the parity matrix: what must be the same, and what it means when it is not."""

    expected: str
    refuses: bool


MATRIX = {
    "major_version": Aspect("a server of the backup's major version or newer", refuses=True),
    "same_major": Aspect("the backup's own major version", refuses=False),
    "minor_version": Aspect("a minor version not below the backup's", refuses=False),
    "encoding": Aspect("the backup's encoding", refuses=True),
    "provider": Aspect("the backup's collation provider", refuses=True),
    "locale": Aspect("the backup's locale", refuses=False),
    "collation_version": Aspect("the backup's version of the collation", refuses=False),
    "extension": Aspect("every extension of the backup", refuses=True),
    "extension_version": Aspect("each extension in the backup's version", refuses=False),
}


def judge_before(answer: Answer, terms: GuardTerms, *, procedure: str = PROCEDURE) -> list[Finding]:
    """Before anything starts: nothing else runs, the image is there, room is enough."""
    return [
        *unanswered_findings(procedure, answer, Severity.P1, "Make sure of it by hand, then run the drill again."),
        *_nothing_else_runs(answer, procedure),
        *_image(answer, procedure),
        *_room(answer, terms, procedure),
    ]


def judge_proofs(answer: Answer, *, kind: str = "docker", procedure: str = PROCEDURE) -> list[Finding]:
    """After the start, before the restore: each proof by itself. One that was not asked for is unknown, not passed."""
    findings = unanswered_findings(procedure, answer, Severity.P1, STOP)
    for name, sentence in (PROOFS if kind == "docker" else {**PROOFS, **OF_LOCAL}).items():
        case = Case(procedure, "target is not production", sentence, Severity.P1, STOP, MANUAL, name)
        proof = answer.first(PROOF, proof=name)
        if kind != "docker" and name in OF_DOCKER:
            findings.append(
                _not_applicable(case, f"a {kind} place has none; the report says that isolation was weaker")
            )
        elif proof is None:
            findings.append(case.not_measured())
        else:
            findings.append(case.either(proof, f"Proven: {sentence}", f"Not so: {sentence}"))
    return findings


def judge_parity(answer: Answer, *, procedure: str = PROCEDURE) -> list[Finding]:
    """The matrix: what refuses, what warns. An aspect the manifest says nothing of is not there to be judged."""
    findings = unanswered_findings(procedure, answer, Severity.P1, SAME)
    for one in answer.select(PARITY):
        aspect = MATRIX[one.labels["aspect"]]
        subject = " ".join((one.labels["aspect"].replace("_", " "), one.labels.get("of", ""))).strip()
        case = Case(procedure, "parity with the source", aspect.expected, Severity.P2, SAME, "L204", subject)
        if one.value == 1:
            findings.append(case.passed(one.detail, f"{subject}: {one.detail}"))
        elif aspect.refuses:
            findings.append(case.failed(one.detail, f"{subject}: {one.detail}"))
        else:
            findings.append(case.warned(one.detail, f"{subject}: {one.detail}"))
    return findings


def refused(findings: list[Finding]) -> bool:
    """Whether the drill must not go on: anything failed or unknown, and also nothing judged at all."""
    return not findings or any(one.status in (Status.FAIL, Status.UNKNOWN) for one in findings)


def _nothing_else_runs(answer: Answer, procedure: str) -> Iterator[Finding]:
    for kind, words in (("drill", "another drill"), ("backup", "a backup of production")):
        case = Case(procedure, "nothing else runs", f"not beside {words}", Severity.P3, LATER, MANUAL, kind)
        busy = answer.first(BUSY, kind=kind)
        if busy is None:
            if not any(kind in one.question for one in answer.unanswered):
                yield case.not_measured()
        elif busy.value:
            others = list(answer.select(OTHER)) if kind == "drill" else []
            told = "; ".join(map(_other, others)) or f"{words} is running: {busy.detail}"
            yield replace(case, first_action=_next_step(others)).failed(busy.detail, _capital(told))
        else:
            yield case.passed("none", f"Not beside {words}")


def _other(one: Measurement) -> str:
    """What it is, since when, whether it still works, and how it goes."""
    said, since = one.labels, datetime.fromtimestamp(one.value, tz=UTC)
    until = datetime.fromisoformat(said["expires"])
    what = f"drill {said['drill']} ({said['dag']} {said['run']}) is there since {moment(since)}: {one.detail}"
    end = f"`{END} {said['drill']}` removes it at once, else it goes after {moment(until)}"
    if said["state"] in OVER:
        return f"{what}. Its run has ended ({said['state']}): it was kept for a look round, or left behind. {end}"
    if said["state"]:
        return f"{what}. Its run is {said['state']}: wait for it"
    return f"{what}. Airflow knows no run of it; where its process was killed, {end}"


def _next_step(others: Sequence[Measurement]) -> str:
    """To wait, unless nobody is at work in them any more."""
    over = [one.labels["drill"] for one in others if one.labels["state"] in OVER]
    if over and len(over) == len(others):
        return f"Where nobody looks round in it any more: {END} {' '.join(over)}; then run the drill again."
    return LATER


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _image(answer: Answer, procedure: str) -> Iterator[Finding]:
    for image in answer.select(IMAGE):
        case = Case(procedure, "image", "an image of the backup's major version", Severity.P2, GET_IMAGE, MANUAL)
        yield case.either(image, "The image is there", "The image is not there")


def _room(answer: Answer, terms: GuardTerms, procedure: str) -> Iterator[Finding]:
    after = {"disk": terms.free_disk_after, "memory": terms.free_memory_after}
    for needed in answer.select(NEEDED):
        kind = needed.labels["kind"]
        expected = f"{figure(needed.value, 'bytes')} and {figure(after[kind], 'bytes')} beside it"
        case = Case(procedure, "room", expected, Severity.P2, ROOM, MANUAL, kind)
        yield _roomy(case, needed, answer.first(FREE, kind=kind), after[kind])


def _roomy(case: Case, needed: Measurement, free: Measurement | None, after: int) -> Finding:
    if free is None:
        return _not_applicable(case, "the engine is elsewhere and does not tell; a full disk fails the restore itself")
    actual = f"{figure(free.value, 'bytes')} free"
    said = f"{case.subject.capitalize()}: {figure(needed.value, 'bytes')} needed ({needed.detail}), {actual}"
    if needed.value + after > free.value:
        return case.failed(actual, said)
    return case.passed(actual, said)


def _not_applicable(case: Case, why: str) -> Finding:
    return Finding(
        procedure=case.procedure,
        name=case.name,
        subject=case.subject,
        status=Status.NOT_APPLICABLE,
        expected=case.expected,
        actual="not applicable",
        message=f"{case.expected.capitalize()}: {why} (manual {case.manual}).",
    )
