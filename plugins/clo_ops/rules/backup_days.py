"""ED-03 (manual L78): every day since the last check has its backup, also those on which nobody looked (D28)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from clo_ops.findings import Answer, Finding, Severity
from clo_ops.policy.morning import Backups
from clo_ops.rules.verdicts import Case

PROCEDURE = "ED-03"
MANUAL = "L78"
ACTION = "Read the backup job's log of that day; see that a good backup of the day after is there and proven."
EARLY = timedelta(minutes=5)  # the job's clock and ours


def judge(answer: Answer, policy: Backups, *, since: datetime, at: datetime) -> list[Finding]:
    """``daily backup`` of each day that fell due between ``since`` and ``at``.

    A day's backup is due ``maximum_age - interval`` after ``daily_at``; any good one from then until the next day's
    turn counts. A day without one fails, P1 where it is the newest day, else P2. ``backup.taken`` is seconds before
    ``at``.
    """
    if answer.first("backup.count") is None:
        return []  # nobody could list the repository, and that is said already
    taken = [at - timedelta(seconds=one.value) for one in answer.select("backup.taken")]
    turns = list(_turns(policy, since, at))
    return [_day(turn, taken, policy, newest=turn == turns[-1]) for turn in turns]


def _turns(policy: Backups, since: datetime, at: datetime) -> Iterator[datetime]:
    """When backups were to be taken whose time was up after ``since`` and not after ``at``."""
    grace = policy.maximum_age - policy.interval
    day = (since - grace).astimezone(policy.daily_at.tzinfo).date()
    while (turn := datetime.combine(day, policy.daily_at)) + grace <= at:
        if turn + grace > since:
            yield turn
        day += timedelta(days=1)


def _day(turn: datetime, taken: list[datetime], policy: Backups, *, newest: bool) -> Finding:
    severity = Severity.P1 if newest else Severity.P2
    name = f"{turn:%Y-%m-%d}"
    expected = f"a good backup between {turn:%H:%M} UTC and the same time of the next day"
    case = Case(PROCEDURE, "daily backup", expected, severity, ACTION, MANUAL, name)
    found = sorted(at for at in taken if turn - EARLY <= at < turn + policy.interval - EARLY)
    if found:
        said = f"{found[0]:%Y-%m-%d %H:%M} UTC"
        return case.passed(said, f"{policy.database} was backed up on {said}")
    return case.failed("none", f"There is no good backup of {policy.database} of {name}")
