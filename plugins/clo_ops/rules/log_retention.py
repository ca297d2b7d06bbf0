"""LM-01 (manual L357-L362): what of the logs is due. Of several classes the longest wins; a legal hold wins always."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

from clo_ops.findings import Answer, Finding, Severity, Status, unanswered_findings
from clo_ops.findings.log_retention import ArchivedLog, DueFile, LoggedFile, TableState
from clo_ops.policy.logs import LogClass, LogFile, LogHold, Logs, LogTable
from clo_ops.rules.figures import figure
from clo_ops.rules.verdicts import Case

if TYPE_CHECKING:
    from clo_ops.policy import Policy
    from clo_ops.policy.retention import Retention, RetentionClass

PROCEDURE, MANUAL = "LM-01", "L357-L362"
REACH = "Check the connection, and what its user may read (docs/logs.md)."
# Types a row's age can be told from; anything else is no time (D06).
TIMES = ("timestamp with time zone", "timestamp without time zone", "date")
EVER = date(1, 1, 1)
Hold = tuple[datetime, datetime | None]


def longest(classes: Sequence[LogClass], retention: Retention) -> RetentionClass:
    """The class that is kept longest."""
    return max((retention[name] for name in classes), key=lambda one: one.keep.shortest_days)


def holds_of(classes: Sequence[LogClass], policy: Policy) -> list[Hold]:
    """The stretches of time of which nothing of these classes goes: holds on backups and audit rows hold logs too."""
    mine = [one for one in policy.logs.holds if one.concerns(tuple(classes))]
    backups = [(one.name, one.reason, one.since, one.until) for one in policy.retention.backups.holds]
    audit = [(one.name, one.reason, one.since, one.until) for one in policy.retention.archive.holds]
    others = [
        LogHold(name=name, reason=reason, since=since or EVER, until=until)
        for name, reason, since, until in backups + audit
        if since is not None or until is not None
    ]
    return [(one.begins, one.ends) for one in mine + others]


def held(begins: datetime | None, ends: datetime, holds: Sequence[Hold]) -> bool:
    """Whether anything of ``begins`` .. ``ends`` is held; without a beginning it may reach back for ever."""
    return any(ends >= first and (begins is None or last is None or begins < last) for first, last in holds)


def due_files(source: LogFile, files: Sequence[LoggedFile], policy: Policy, at: datetime) -> list[DueFile]:
    """What is to become of the rotated files that are due, oldest first.

    A file is as old as its youngest line. Older than its class is kept it goes, unless it is held; else, older than
    ``archive_after``, it goes into the archive and from the host.
    """
    keep, holds = longest(source.classes, policy.retention), holds_of(source.classes, policy)
    cutoff, found, begins = keep.keep.before(at), [], None
    for one in sorted(files, key=lambda one: (one.changed, one.name)):
        if one.changed < cutoff and held(begins, one.changed, holds):
            found.append(DueFile(one, "hold", "a legal hold covers it", begins))
        elif one.changed < cutoff and keep.then == "delete":
            why = f"its youngest line is of {one.changed:%Y-%m-%d}, {keep.title.lower()} are kept {keep.keep}"
            found.append(DueFile(one, "remove", why, begins))
        elif source.archive_after is not None and one.changed < at - source.archive_after:
            found.append(DueFile(one, "archive", f"its youngest line is of {one.changed:%Y-%m-%d}", begins))
        begins = one.changed
    return found


def unrotated(
    source: LogFile,
    files: Sequence[LoggedFile],
    first_day: date | None,
    keep: RetentionClass,
    at: datetime,
    *,
    archived: bool,
) -> str:
    """Why a log does not go as its class demands: its live file, which nobody but its host may touch, reaches too far
    back. Empty where it does not, or nobody can tell.

    The live file begins where the youngest rotated one ends; never rotated, on the ``first_day`` that was read of it.
    ``archived``: rotated ones have left for the archive, so that none on the host says nothing.
    """
    if source.rotated is None or (archived and not files):
        return ""
    midnight = datetime(first_day.year, first_day.month, first_day.day, tzinfo=at.tzinfo) if first_day else None
    begins = max((one.changed for one in files), default=midnight)
    if begins is None or begins >= keep.keep.before(at):
        return ""
    return f"its live file goes back to {begins:%Y-%m-%d}: nobody rotates it (logrotate on its host)"


def due_archived(
    source: LogFile, archived: Sequence[ArchivedLog], policy: Policy, at: datetime
) -> tuple[list[ArchivedLog], list[ArchivedLog]]:
    """What of the archive is older than its class is kept: what may go, and what a hold keeps."""
    keep, holds = longest(source.classes, policy.retention), holds_of(source.classes, policy)
    cutoff = keep.keep.before(at)
    old = [one for one in archived if one.ends < cutoff and keep.then == "delete"]
    return [one for one in old if not held(one.begins, one.ends, holds)], [
        one for one in old if held(one.begins, one.ends, holds)
    ]


def why_not(state: TableState, table: LogTable, policy: Policy) -> str:
    """Why rows that are due stay; empty where they may go."""
    keep = longest(table.classes, policy.retention)
    if keep.then != "delete":
        return f"{keep.title} go on two approvals only"
    if state.type not in TIMES:
        return f"{state.at} is {state.type}, which is no time"
    removal = policy.logs.removal
    if state.rows > removal.batch and state.due > removal.sanity * state.rows:
        share = figure(100 * state.due / state.rows, "percent")
        return (
            f"{share} of its rows would go, at most {removal.sanity:.0%} may: look at the column and at the clock first"
        )
    return ""


def judge(answer: Answer, policy: Policy) -> list[Finding]:
    """``retention`` of each place: what is due, what is held, what stays and why; silence is unknown.

    ``answer`` has ``log.due``, ``log.held``, ``log.oldest`` (days) and ``log.kept`` {place}, as measured.
    """
    findings = unanswered_findings(PROCEDURE, answer, Severity.P3, REACH)
    return findings + [_place(one.labels["place"], answer, policy) for one in answer.select("log.due")]


def _place(place: str, answer: Answer, policy: Policy) -> Finding:
    due = answer.first("log.due", place=place)
    held_back = answer.value("log.held", place=place) or 0.0
    oldest, stays = answer.first("log.oldest", place=place), answer.first("log.kept", place=place)
    expected = stays.detail if stays else "kept as long as its class"
    action = "Read the plan; let the next window carry it out (maintenance.yaml, duties.logs.apply)."
    case = Case(PROCEDURE, "retention", expected, Severity.P3, action, MANUAL, place)
    said = f"{place}: {due.value if due else 0:,.0f} due" + (f" ({due.detail})" if due and due.detail else "")
    said += f", {held_back:,.0f} under legal hold" if held_back else ""
    said += f", the oldest is {oldest.value:,.0f} days old" if oldest else ""
    if stays is not None and not stays.value:
        return case.warned("cannot go", said)
    return case.passed(f"{due.value if due else 0:,.0f} due", said)


def not_here(name: str, why: str) -> Finding:
    return Finding(PROCEDURE, name, Status.NOT_APPLICABLE, "a place named in policy", "none", why)


def steps_bound(due: Sequence[DueFile], logs: Logs) -> Iterator[DueFile]:
    """At most so many files in one run; what is held takes no place."""
    going = [one for one in due if one.what != "hold"]
    yield from going[: logs.removal.most_files]
