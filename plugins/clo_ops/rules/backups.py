"""DM-04 (manual L18): the newest backup is there, whole, young enough, and about as large as the ones before it.

Age and size band are the policy's (D28, D64). Whether the archive's content is what its checksum says is read by the
end of day (ED-04), not here: the checksum is on record with the finding.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from clo_ops.findings import Answer, Finding, Measurement, Severity, Status, unanswered_findings
from clo_ops.policy.morning import Backups
from clo_ops.rules.figures import age, figure
from clo_ops.rules.verdicts import Case

PROCEDURE = "DM-04"
MANUAL = "L18"
REACH = "Check that the worker reaches the backup repository (connection clo_backups) with its credentials."
TAKE_ONE = (
    "Read the backup job's log of the night and take a backup now; change nothing in the database before it is there."
)
COMPARE = (
    "Compare row counts and the job's log with the day before; take a backup again before the old ones are rotated."
)
LOOK = "See who wrote this file and remove it from the repository once its cause is known."


def judge(answer: Answer, policy: Backups, *, at: datetime) -> list[Finding]:
    """``backup exists``; of the newest ``complete``, ``age``, ``size`` and ``size band``; then what lies beside it.

    A repository nobody could list is unknown, an empty one a P1 failure. Older than ``maximum_age`` (strictly), or
    outside the band (strictly), fails. Fewer than ``minimum_history`` good backups before it make the band, and only
    the band, not applicable.
    """
    findings = unanswered_findings(PROCEDURE, answer, Severity.P1, REACH)
    newest = answer.first("backup.succeeded")
    if newest is not None:
        there = _exists(policy).passed(_path(newest), f"{_path(newest)} is the newest backup")
        return [*findings, there, *_newest(answer, newest, policy), *_beside(answer, policy)]
    if answer.first("backup.count") is not None:
        said = f"{answer.value('backup.count'):.0f} files like {policy.pattern}, none a backup of {policy.database}"
        return [*findings, _exists(policy).failed(said, f"There is no backup: {said}"), *_beside(answer, policy)]
    return findings or [_exists(policy).not_measured()]


def _path(one: Measurement) -> str:
    return one.labels.get("path", "")


def _case(
    policy: Backups, name: str, subject: str, expected: str, *, severity: Severity = Severity.P1, action: str = TAKE_ONE
) -> Case:
    return Case(PROCEDURE, name, expected, severity, action, policy.manual or MANUAL, subject)


def _exists(policy: Backups) -> Case:
    return _case(policy, "backup exists", policy.database, f"a backup of {policy.database}")


def _newest(answer: Answer, newest: Measurement, policy: Backups) -> Iterator[Finding]:
    path = _path(newest)
    complete = _case(policy, "backup complete", path, "ended successfully, archive and manifest there")
    if newest.value == 1:
        yield complete.passed(newest.detail, f"{path} ended successfully ({newest.detail})")
        yield _age(answer, policy, path)
        yield _size(answer, policy, path)
        yield _band(answer, policy, path)
    else:
        yield complete.failed(newest.detail, f"{path} is not a whole backup: {newest.detail}{_last_good(answer)}")
        # A bad newest one does not excuse the good one behind it from its age: that is what could be restored.
        yield _age_of_last_good(answer, policy)


def _last_good(answer: Answer) -> str:
    good = answer.first("backup.last_good.age")
    if good is None:
        return "; no good one is known before it"
    return f"; the last good one is {_path(good)}, {age(timedelta(seconds=good.value))} old"


def _age_case(policy: Backups, path: str) -> Case:
    return _case(policy, "backup age", path, f"at most {_exactly(policy.maximum_age)}")


def _age(answer: Answer, policy: Backups, path: str) -> Finding:
    return _aged(_age_case(policy, path), answer.first("backup.age", path=path), policy)


def _age_of_last_good(answer: Answer, policy: Backups) -> Finding:
    good = answer.first("backup.last_good.age")
    if good is None:
        case = _age_case(policy, policy.database)
        return case.failed("no good backup", f"None of the newest backups of {policy.database} can be restored")
    return _aged(_age_case(policy, _path(good)), good, policy)


def _aged(case: Case, taken: Measurement | None, policy: Backups) -> Finding:
    if taken is None:
        return case.not_measured()
    old = timedelta(seconds=taken.value)
    said = f"{case.subject} is {_exactly(old)} old ({taken.detail})"
    if old > policy.maximum_age:
        return case.failed(_exactly(old), f"{said}, over the maximum {_exactly(policy.maximum_age)}")
    return case.passed(_exactly(old), said)


def _exactly(length: timedelta) -> str:
    """To the second: 26 h and one second must not read like the limit it is over."""
    seconds = int(length.total_seconds())
    return f"{seconds // 3600} h {seconds % 3600 // 60} min {seconds % 60} s"


def _size(answer: Answer, policy: Backups, path: str) -> Finding:
    case = _case(policy, "backup size", path, "the size its manifest says")
    matches = answer.first("backup.size.matches", path=path)
    if matches is None:
        return case.not_measured()
    return case.either(
        matches, f"{path} is as large as its manifest says", f"{path} is not as large as its manifest says"
    )


def _band(answer: Answer, policy: Backups, path: str) -> Finding:
    band, size = policy.size_band, answer.first("backup.size", path=path)
    expected = f"{band.lowest:g} to {band.highest:g} times the median of the last {band.of_last}"
    case = _case(policy, "backup size band", path, expected, severity=Severity.P2, action=COMPARE)
    history, median = answer.value("backup.history"), answer.value("backup.size.median")
    if size is None or history is None:
        return case.not_measured()
    if history < policy.minimum_history or not median:
        return _too_little(case, history, size, policy)
    ratio = size.value / median
    actual = f"{ratio:.4g} times the median ({size.value:,.0f} of {median:,.0f} bytes)"
    if not band.lowest <= ratio <= band.highest:
        return case.failed(actual, f"{path} has {actual}, outside the band over {history:.0f} backups")
    return case.passed(actual, f"{path} has {actual}, inside the band over {history:.0f} backups")


def _too_little(case: Case, history: float, size: Measurement, policy: Backups) -> Finding:
    said = (
        f"{history:.0f} good backups before this one of {figure(size.value, 'bytes')}, {policy.minimum_history} needed"
    )
    return Finding(
        procedure=PROCEDURE,
        name=case.name,
        subject=case.subject,
        status=Status.NOT_APPLICABLE,
        expected=case.expected,
        actual=f"{history:.0f} backups of history",
        message=f"Too little history to judge the size by: {said} (manual {case.manual}).",
    )


def _beside(answer: Answer, policy: Backups) -> Iterator[Finding]:
    """What is no backup of this night and must not be mistaken for one."""
    for one in answer.select("backup.future"):
        case = _odd(policy, "backup from the future", one, "taken before now", Severity.P2)
        yield case.failed(one.detail, f"{_path(one)} is {one.detail}, which is later than now, and was left out")
    for one in answer.select("backup.database.matches"):
        if one.value != 1:
            case = _odd(policy, "backup of another database", one, f"backups of {policy.database}")
            yield case.warned(one.detail, f"{_path(one)} is a backup of {one.detail}, and was left out")
    for one in answer.select("backup.incomplete"):
        case = _odd(policy, "older backup complete", one, "archive and manifest that agree")
        yield case.warned(one.detail, f"{_path(one)}: {one.detail}; it cannot be restored from")


def _odd(policy: Backups, name: str, one: Measurement, expected: str, severity: Severity = Severity.P3) -> Case:
    return _case(policy, name, _path(one), expected, severity=severity, action=LOOK)
