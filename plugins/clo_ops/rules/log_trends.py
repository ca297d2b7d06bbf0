"""LM-04 (manual L367): which signatures of a week are new, which grow, which are gone; or that nobody can say yet.

A week is the seven days before the run's own. What is usual is the median of the earlier weeks; how far a week may be
off it is told by their own spread (MAD) and by what counting alone does (the root of the median), whichever is more.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median

from clo_ops.findings import Finding, Severity, Status
from clo_ops.policy.logs import LogFile, Logs, LogTrends
from clo_ops.rules.log_day import Met
from clo_ops.rules.robust import median_absolute_deviation
from clo_ops.rules.verdicts import Case

PROCEDURE, MANUAL = "LM-04", "L367"
WEEK = 7
MAD_SCALE = 1.4826
OTHERS = "(others)"


@dataclass(frozen=True, slots=True)
class Course:
    """A signature's lines by week, the newest last; ``first_day`` is the first it was ever met."""

    source: str
    level: str
    text: str
    first_day: date
    weeks: tuple[int, ...]

    @property
    def now(self) -> int:
        return self.weeks[-1]

    @property
    def before(self) -> tuple[int, ...]:
        return self.weeks[:-1]


def known_weeks(source: str, known_since: Mapping[str, date], until: date, most: int) -> int:
    """How many whole weeks of this log are on record before ``until``, this week's among them."""
    since = known_since.get(source)
    return 0 if since is None else min(most + 1, (until - since).days // WEEK)


def courses(met: Iterable[Met], until: date, weeks: Mapping[str, int]) -> list[Course]:
    """Every signature's lines in the weeks known of its log; ``until`` is the first day after this week."""
    totals: dict[tuple[str, str, str, date], dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for one in met:
        totals[one.source, one.level, one.text, one.first_day][(until - one.day - timedelta(days=1)).days // WEEK] += (
            one.count
        )
    return [
        Course(*key, tuple(by_week.get(back, 0) for back in reversed(range(weeks.get(key[0], 0)))))
        for key, by_week in sorted(totals.items())
        if weeks.get(key[0], 0)
    ]


def usual(before: Sequence[int], policy: LogTrends) -> float:
    """The most lines that are still nothing unusual."""
    centre = median(before)
    return centre + max(policy.k * MAD_SCALE * median_absolute_deviation(before), policy.k * math.sqrt(centre))


def judge(met: Iterable[Met], known_since: Mapping[str, date], until: date, policy: Logs) -> list[Finding]:
    """For each log ``new``, ``growing`` and ``vanished`` signatures of the week before ``until``.

    New or growing errors warn; others are told. With fewer than ``minimum_weeks`` weeks before this one a log's history
    is too short, which is not applicable and never green.
    """
    if not policy.files:
        why = "logs.yaml names no log, so there is none to look at."
        return [Finding(PROCEDURE, "logs to look at", Status.NOT_APPLICABLE, "logs named", "none", why)]
    weeks = {one.name: known_weeks(one.name, known_since, until, policy.trends.weeks) for one in policy.files}
    found = courses(met, until, weeks)
    findings: list[Finding] = []
    for source in policy.files:
        mine = [one for one in found if one.source == source.name and one.text != OTHERS]
        if weeks[source.name] - 1 < policy.trends.minimum_weeks:
            findings.append(_too_short(source, weeks[source.name], policy.trends))
        else:
            findings += _judged(source, mine, until, policy)
    return findings


def _too_short(source: LogFile, weeks: int, policy: LogTrends) -> Finding:
    why = (
        f"{source.name}: {weeks} whole weeks are on record, {policy.minimum_weeks + 1} are needed to say what is new, "
        "growing or gone: the history is too short."
    )
    return Finding(
        PROCEDURE,
        "trend",
        Status.NOT_APPLICABLE,
        f"{policy.minimum_weeks + 1} weeks on record",
        f"{weeks} weeks",
        why,
        source.name,
    )


def _judged(source: LogFile, mine: Sequence[Course], until: date, policy: Logs) -> Iterator[Finding]:
    terms, errors = policy.trends, policy.errors.get(source.form, ())
    week_began = until - timedelta(days=WEEK)
    fresh = [one for one in mine if one.first_day >= week_began and one.now]
    older = [one for one in mine if one.first_day < week_began]
    growing = [one for one in older if one.now >= terms.minimum_lines and one.now > usual(one.before, terms)]
    gone = [one for one in older if not one.now and median(one.before) >= terms.minimum_lines]
    yield _told(source, "new", fresh, [one for one in fresh if one.level in errors], terms)
    yield _told(source, "growing", growing, [one for one in growing if one.level in errors], terms)
    yield _told(source, "vanished", gone, [], terms)


def _told(source: LogFile, kind: str, found: Sequence[Course], bad: Sequence[Course], terms: LogTrends) -> Finding:
    action = "Look at the error that grew most." if kind == "growing" else "Read its first line on the host."
    case = Case(PROCEDURE, f"{kind} signatures", f"no {kind} errors", Severity.P3, action, MANUAL, source.name)
    first = sorted(bad, key=_rise) + sorted((one for one in found if one not in bad), key=_rise)
    named = "; ".join(_line(one) for one in first[: terms.named])
    said = f"{source.name}: {len(found)} {kind}, {len(bad)} of them errors" + (f": {named}" if named else "")
    return case.warned(f"{len(bad)} errors", said) if bad else case.passed(f"{len(found)}", said)


def _rise(one: Course) -> tuple[float, str]:
    return (median(one.before or (0,)) - one.now, one.text)


def _line(one: Course) -> str:
    return f"{one.now:,} this week, {median(one.before or (0,)):,g} in the median week: {one.level} {one.text}"
