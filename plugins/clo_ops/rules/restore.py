"""M3-02, ED-05 (manual L204; D16, D17; T12): was the backup restored, all of it, and what was said on the way.

pg_restore's exit code alone tells neither: it is 1 for a harmless remark and may be 0 for data that never came. What
it said is sorted by policy, and what policy does not know fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from clo_ops.findings import Answer, Finding, Severity, unanswered_findings
from clo_ops.policy.recovery import RestoreTerms, Said
from clo_ops.rules.verdicts import Case

PROCEDURE = "M3-02"
MANUAL = "L204"
MESSAGE, EXIT_CODE, TABLES = "restore.message", "restore.exit_code", "restore.tables"
EMPTY, ROLES, TIMED_OUT = "restore.target.empty", "restore.roles", 124
READ = "Read the messages; mend the backup job or the image, take a new backup, and run the drill again."
MISSING = "Take a new backup now and verify it; until one restores completely there is nothing to recover from."
OTHER_TARGET = "Stop and find out what the target is; a drill restores only into a database it made itself."
NO_ROLES = "Take backups with their roles (a manifest of format 2), so that owners and grants come back as well."

Kind = Literal["fatal", "tolerated", "unknown"]
# What opens a message; what follows belongs to it. "while" and "from TOC entry" say where, and belong to the next.
HEAD = re.compile(r"^(?:pg_restore|psql|pg_dump)(?:\[\d+\])?:|^(?:NOTICE|WARNING|ERROR|FATAL|PANIC|INFO|LOG):")
PLACE = re.compile(r"^pg_restore: (?:while |from TOC entry )")
ASIDE = re.compile(r"^(?:pg_restore: )?(?:detail|hint|DETAIL|HINT|CONTEXT|QUERY|LINE \d+|Command was):")
IGNORED = re.compile(r"errors ignored on restore: (\d+)")
AN_ERROR = re.compile(r"\b(?:error|ERROR|FATAL|PANIC):")
LONGEST = 300


@dataclass(frozen=True, slots=True)
class Message:
    kind: Kind
    text: str
    why: str


def classify(stderr: str, terms: RestoreTerms) -> list[Message]:
    """Each message of pg_restore or psql, sorted by policy; in the order they were said."""
    found = [_sorted(text, terms) for text in _messages(stderr)]
    return found + _unsaid(stderr, found)


def _messages(stderr: str) -> Iterator[str]:
    where, current = "", ""
    for line in stderr.splitlines():
        if PLACE.match(line):
            where = line
        elif not line.strip():
            continue
        elif ASIDE.match(line) or (current and not HEAD.match(line)):
            # A statement may go on for pages; what it says is no message of the program's.
            current = current or line
        else:
            yield from [current] if current else []
            current, where = f"{line} [{where}]" if where else line, ""
    yield from [current] if current else []


def _sorted(text: str, terms: RestoreTerms) -> Message:
    kinds: tuple[tuple[Kind, Sequence[Said]], ...] = (("tolerated", terms.tolerated), ("fatal", terms.fatal))
    for kind, known in kinds:
        for one in known:
            if re.search(one.pattern, text):
                return Message(kind, text[:LONGEST], one.why)
    return Message("unknown", text[:LONGEST], "no rule of the policy knows it")


def _unsaid(stderr: str, found: Sequence[Message]) -> list[Message]:
    """pg_restore counts what it ignored: when it counts more than it said, something went by unheard.

    Not so beside a failure it did tell: in parallel, a failed COPY is counted by the worker and by its leader.
    """
    counted = IGNORED.search(stderr)
    said = sum(1 for one in found if AN_ERROR.search(one.text))
    if counted is None or int(counted[1]) <= said or any(one.kind == "fatal" for one in found):
        return []
    text = f"{counted[1]} errors were ignored and {said} were said"
    return [Message("unknown", text, "errors nobody can read")]


def judge(answer: Answer, *, procedure: str = PROCEDURE) -> list[Finding]:
    """Into an empty database, roles first, nothing said that is not tolerated, to its end, and every table."""
    findings = unanswered_findings(procedure, answer, Severity.P1, "Look at the drill's place; run the drill again.")
    findings.append(_empty(answer, procedure))
    if answer.value(EMPTY) == 0:
        return findings
    findings += [_roles(answer, procedure), *_messages_judged(answer, procedure)]
    return [*findings, _ended(answer, procedure), *_tables(answer, procedure)]


def _case(procedure: str, name: str, expected: str, action: str = READ, severity: Severity = Severity.P1) -> Case:
    return Case(procedure, name, expected, severity, action, MANUAL)


def _empty(answer: Answer, procedure: str) -> Finding:
    case = _case(procedure, "restore into an empty database", "nothing in the target before the restore", OTHER_TARGET)
    empty = answer.first(EMPTY)
    if empty is None:
        return case.not_measured()
    return case.either(empty, "The target was empty", "The target was not empty, and nothing was restored into it")


def _roles(answer: Answer, procedure: str) -> Finding:
    case = _case(procedure, "roles restored", "every role of the manifest, before the objects it owns", NO_ROLES)
    roles = answer.first(ROLES)
    if roles is None:
        return case.not_measured()
    if roles.value == 0:
        how = f"those its SQL names have no right ({roles.detail})" if roles.detail else "no owners and grants"
        return case.warned("no roles in the manifest", f"The backup carries no roles: restored with {how}")
    return case.passed(roles.detail or f"{roles.value:.0f} roles", f"{roles.value:.0f} roles are there")


def _messages_judged(answer: Answer, procedure: str) -> Iterator[Finding]:
    case = _case(procedure, "restore messages", "no message the policy does not tolerate")
    counts = {kind: answer.value(MESSAGE, kind=kind) for kind in ("fatal", "unknown", "tolerated")}
    if None in counts.values():
        yield case.not_measured()
        return
    told = [one for kind in ("fatal", "unknown") for one in answer.select(MESSAGE, kind=kind) if one.value]
    if told:
        actual = ", ".join(f"{one.value:.0f} {one.labels['kind']}" for one in told)
        yield case.failed(actual, f"The restore said {actual}: {' | '.join(one.detail for one in told)}")
    else:
        yield case.passed(f"{counts['tolerated']:.0f} tolerated", "Nothing was said that policy does not tolerate")


def _ended(answer: Answer, procedure: str) -> Finding:
    """A code other than 0 is explained by a message that is tolerated, or by nothing."""
    case = _case(procedure, "restore ended", "exit code 0, or 1 with errors that are tolerated and were counted")
    code = answer.first(EXIT_CODE)
    if code is None:
        return case.not_measured()
    actual = f"exit code {code.value:.0f}"
    if code.value == 0:
        return case.passed(actual, "The restore came to its end")
    if code.value == TIMED_OUT:
        return case.failed(f"{actual}, out of time", f"The restore was ended when its time was up ({code.detail})")
    if code.value == 1 and answer.value(MESSAGE, kind="tolerated") and not _bad(answer):
        return case.passed(f"{actual}, explained", "The restore came to its end and counted only tolerated errors")
    return case.failed(actual, f"The restore did not come to its end: {code.detail or 'it said nothing'}")


def _bad(answer: Answer) -> bool:
    return any(answer.value(MESSAGE, kind=kind) != 0 for kind in ("fatal", "unknown"))


def _tables(answer: Answer, procedure: str) -> Iterator[Finding]:
    case = _case(procedure, "every table restored", "every table of the backup", MISSING)
    expected, missing = answer.first(TABLES, side="expected"), answer.first(TABLES, side="missing")
    if expected is None or missing is None:
        yield case.not_measured()
    elif missing.value:
        share = f"{missing.value:.0f} of {expected.value:.0f} tables"
        yield case.failed(f"{share} missing", f"The restore is partial: {share} are not there: {missing.detail}")
    elif expected.value == 0:
        yield case.failed("no table expected", f"Nobody knows a table the backup should hold ({expected.detail})")
    else:
        yield case.passed(f"{expected.value:.0f} tables", f"All {expected.value:.0f} tables of the backup are there")
