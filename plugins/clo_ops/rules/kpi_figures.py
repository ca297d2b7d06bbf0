"""From what was read to the figure of a KPI: its value, what it is of, where it is read again, what was not seen."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from clo_ops.findings.performed import Performed
from clo_ops.findings.roll_ups import RollUp
from clo_ops.policy.calendar import is_business_day
from clo_ops.rules.availability import Availability
from clo_ops.rules.felt import Felt
from clo_ops.rules.figures import age, figure, number
from clo_ops.rules.kpis import Figure, Verdict
from clo_ops.rules.periods import Period

if TYPE_CHECKING:
    from clo_ops.policy.cadences import BusinessCalendar

DAY = timedelta(days=1)
LOOKS = "ledger: hourly figures of clo.service.availability, incidents, notices"
COUNTERS = "ledger: daily figures of http.server.request.*, counted by the application"


def availability(found: Availability, target: float | None) -> Figure:
    """Announced windows left out; with them in ``parts``. Nobody looked: no data.

    Where what was not observed could have missed or saved the target by itself, the figure is only of what was seen.
    """
    value, unseen = found.unannounced, f"{age(found.not_observed)} of {age(found.asked)} not observed"
    if value is None or found.whole is None:
        return Figure(why="nobody looked in this time", source=LOOKS, partly=unseen)
    certain = target is None or found.at_best < target or found.at_worst >= target
    partly = "" if certain else unseen
    parts = {"announced windows left out": value, "announced windows counted": found.whole}
    of = f"{age(found.observed)} observed, {age(found.down)} down"
    return Figure(value, of=of, source=LOOKS, parts=parts, partly=partly)


def mean_time(felt: Felt | None, period: Period, unseen: str) -> Figure:
    return _of_requests(felt, None if felt is None else felt.mean_ms, unseen)


def errors(felt: Felt | None, period: Period, unseen: str) -> Figure:
    return _of_requests(felt, None if felt is None else felt.failed_percent, unseen)


def _of_requests(felt: Felt | None, value: float | None, unseen: str) -> Figure:
    if felt is None:
        return Figure(why="no request was counted in this time", source=COUNTERS, partly=unseen)
    return Figure(value, of=f"{number(felt.requests)} requests", source=COUNTERS, partly=unseen)


def unseen_days(seen: Collection[date], period: Period, calendar: BusinessCalendar, at_least: float) -> str:
    """How many business days have no snapshot of the counters; empty while ``at_least`` percent have one."""
    wanted = [day for day in _days(period) if is_business_day(day, calendar)]
    missing = [day for day in wanted if day not in set(seen)]
    if not wanted or 100 * (1 - len(missing) / len(wanted)) >= at_least:
        return ""
    return f"{len(missing)} of {len(wanted)} business days without a snapshot, the first {missing[0]}"


def _days(period: Period) -> Sequence[date]:
    whole = (period.until - period.since) // DAY
    return [period.since.date() + DAY * number for number in range(whole)]


def source_of(answer: Performed) -> str:
    """The question, the moment of its snapshot, and the SHA-256 of what came back."""
    at = str(answer.identity.get("at", ""))[:19].replace("T", " ")
    return f"include/sql/{answer.name}.sql at {at} UTC, result SHA-256 {answer.result_sha256[:12]}"


def job_time(answer: Performed | str, what: str, part: str) -> Figure:
    """The mean of all that were completed, in seconds; ``parts`` are the means by ``part``."""
    if isinstance(answer, str):
        return _not_known(answer)
    whole = next((row for row in answer.rows if row[part] is None), None)
    if whole is None or not whole["completed"]:
        return Figure(why=f"no {what} were completed in this time", source=source_of(answer))
    of = f"{whole['completed']:,} {what} completed, {whole['failed']:,} failed"
    return Figure(float(whole["mean_s"]), of=of, source=source_of(answer))


def score(answer: Performed | str) -> Figure:
    if isinstance(answer, str):
        return _not_known(answer)
    (row,) = answer.rows
    if not row["ratings"]:
        return Figure(why="nobody rated the application in this time", source=source_of(answer))
    of = f"{row['ratings']:,} ratings of {row['users']:,} people"
    return Figure(float(row["mean"]), of=of, source=source_of(answer))


def per_role(answer: Performed | str) -> Figure:
    """Calculations and reports completed per active user, by role; a role nobody was active in has no figure."""
    if isinstance(answer, str):
        return _not_known(answer)
    parts = {str(row["role"]): value for row in answer.rows if (value := per_user(row)) is not None}
    if not parts:
        return Figure(why="nobody was active in this time", source=source_of(answer))
    users = sum(int(row["users"]) for row in answer.rows)
    return Figure(of=f"{users:,} active holders of roles", source=source_of(answer), parts=parts)


def per_user(row: Any) -> float | None:
    done = int(row["calculations"]) + int(row["reports"])
    return done / int(row["users"]) if row["users"] else None


def _not_known(reason: str) -> Figure:
    return Figure(absent=Verdict.NOT_KNOWN, why=reason)


def peak(totals: Sequence[RollUp], period: Period) -> Figure:
    """The highest sample of any series, by series in ``parts``; how much of the time was looked at is said."""
    if not totals:
        return Figure(why="nothing was measured in this time", source="ledger: daily figures")
    parts = {" ".join(one.labels.values()) or one.metric: one.highest for one in totals}
    top = max(totals, key=lambda one: one.highest)
    looked = 100 * (min(one.covered for one in totals) / (period.until - period.since))
    shown = figure(top.p95, top.unit)
    of = f"{len(totals)} series, p95 of the top one {shown}, looked at {number(looked)} % of the time"
    return Figure(top.highest, of=of, source=f"ledger: daily figures of {top.metric}", parts=parts)
