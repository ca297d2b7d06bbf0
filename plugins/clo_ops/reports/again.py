"""A report made again from what is on record: its sheet out of the kept JSON, its plots out of the kept evidence.

With the stamp of then it is the same bytes, as the SHA-256 on record proves; with another one only the stamp differs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from clo_ops.findings import CheckFailed, CloOpsError, CouldNotCheck, Finding, Severity, Status
from clo_ops.reports.sheet import Plot, Section, Sheet, Table

if TYPE_CHECKING:
    from clo_ops.ledger import Evidence, Ledger, RunRow

FORMAT = "clo-ops report 1"
MARK = "SHA-256 "
DAYS_BACK = 400
Read = Callable[["Evidence"], bytes]


@dataclass(frozen=True, slots=True)
class Name:
    """A report by its name: the DAG whose runs make it, the procedure it answers to."""

    dag_id: str
    procedure: str
    title: str


# The name is that of its files.
NAMES: Mapping[str, Name] = {
    "system-status": Name("daily_end_of_day", "ED-01", "System status of a day"),
    "business-activity": Name("daily_end_of_day", "ED-02", "Business activity of a day"),
    "daily-operations": Name("daily_end_of_day", "ED-07", "Operations of a day"),
    "security-incidents": Name("weekly_friday_compliance", "WF-11", "Security incidents of a week"),
    "user-activity": Name("weekly_friday_compliance", "WF-12", "User activity of a week"),
    "availability-report": Name("weekly_friday_compliance", "WF-09", "Availability of a week"),
    "performance-report": Name("weekly_friday_compliance", "WF-10", "Performance of a week against the KPIs"),
    "capacity-report": Name("weekly_wednesday_capacity", "WW-09", "Capacity, forecasts, recommendations"),
    "performance-review": Name("monthly_week2_performance_review", "M2-01", "Performance of a month"),
    "daily-report": Name("reports_and_support", "RP-01", "Everything of a day"),
    "weekly-report": Name("reports_and_support", "RP-02", "Everything of a week"),
    "monthly-report": Name("reports_and_support", "RP-03", "Everything of a month"),
    "kpi-scorecard": Name("reports_and_support", "RP-04", "KPIs of a month against their targets"),
}


class NoSuchReport(CloOpsError):
    """There is no such report, or none of that day. Says which there are."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A report on record: the run that made it, its files by their ending, and its sheet as it was."""

    name: str
    run: RunRow
    files: Mapping[str, Evidence]
    sheet: Sheet
    made_at: datetime

    def same(self) -> bool:
        """Whether made again with the stamp of then it is the very page that was kept."""
        page = self.sheet.as_html(self.made_at).encode()
        return sha256(page).hexdigest() == self.files["html"].sha256


def kept(ledger: Ledger, name: str, day: date | None, read: Read) -> Kept:
    """The newest report of that name that a run of ``day`` (UTC) left; of any day where none is given.

    Raises NoSuchReport; CheckFailed where what is kept was altered, CouldNotCheck where it cannot be read.
    """
    if name not in NAMES:
        near = get_close_matches(name, NAMES, n=1)
        step = f"did you mean {near[0]}?" if near else "make report lists them"
        raise NoSuchReport(f"there is no report {name!r}", f"one of {', '.join(NAMES)}", step)
    since = datetime.combine(day, time(), UTC) if day else None
    runs = made_by(ledger, name, since)
    of_day = [one for one in runs if day is None or one.at.astimezone(UTC).date() == day]
    if not of_day:
        raise _none_of(name, day, runs)
    return of_run(ledger, name, of_day[0], read)


def of_run(ledger: Ledger, name: str, run: RunRow, read: Read) -> Kept:
    """The report of one run from its evidence. Raises as ``kept``."""
    evidence = ledger.evidence(run.id)
    files = {one.name.rpartition(".")[2]: one for one in evidence if one.name.rpartition(".")[0] == name}
    content = json.loads(read(files["json"]))
    if content.get("format") != FORMAT:
        raise CheckFailed(f"{files['json'].uri} is of the format {content.get('format')!r}", FORMAT)
    by_hash = {one.sha256: one for one in evidence}
    return Kept(name, run, files, sheet_of(content, by_hash, read), datetime.fromisoformat(content["made_at"]))


def made_by(ledger: Ledger, name: str, since: datetime | None = None) -> list[RunRow]:
    """The runs that left a report of this name, newest first: of the last year and a month, or since an earlier day.

    Evidence is kept for years, and so is the way to ask for a report of then.
    """
    lately = datetime.now(UTC) - timedelta(days=DAYS_BACK)
    return ledger.runs_with_evidence(NAMES[name].dag_id, f"{name}.json", min(lately, since or lately))


def _none_of(name: str, day: date | None, runs: Sequence[RunRow]) -> NoSuchReport:
    days = list(dict.fromkeys(f"{run.at:%Y-%m-%d}" for run in runs))
    known = f"one of {', '.join(days[:10])}{' ...' if len(days) > 10 else ''}" if days else "none was made yet"
    dag_id = NAMES[name].dag_id
    step = f"for a day that has no run: airflow dags trigger --logical-date <day>T<time>+00:00 {dag_id}"
    return NoSuchReport(f"no run of {dag_id} left a report {name}{f' on {day}' if day else ''}", known, step)


def sheet_of(content: Mapping[str, Any], by_hash: Mapping[str, Evidence], read: Read) -> Sheet:
    """The sheet as it was. A plot that is gone or was altered is said in its place."""
    return Sheet(
        title=content["title"],
        since=datetime.fromisoformat(content["since"]),
        until=datetime.fromisoformat(content["until"]),
        verdict=content["verdict"],
        sections=tuple(_section(one, by_hash, read) for one in content["sections"]),
        cards=tuple((what, shown, note) for what, shown, note in content["cards"]),
        about=content["about"],
        link=content["link"],
    )


def _section(one: Mapping[str, Any], by_hash: Mapping[str, Evidence], read: Read) -> Section:
    plots, gaps = list[Plot](), list[str](one["gaps"])
    for plot in one["plots"]:
        try:
            plots.append(_plot(plot, by_hash, read))
        except (CheckFailed, CouldNotCheck) as error:
            gaps.append(f"The plot {plot['caption']} is missing: {error}")
    return Section(
        heading=one["heading"],
        manual=one["manual"],
        lines=tuple(one["lines"]),
        tables=tuple(_table(table) for table in one["tables"]),
        plots=tuple(plots),
        findings=tuple(_finding(finding) for finding in one["findings"]),
        gaps=tuple(gaps),
    )


def _plot(one: Mapping[str, Any], by_hash: Mapping[str, Evidence], read: Read) -> Plot:
    known = by_hash.get(str(one["evidence"]).removeprefix(MARK))
    if known is None:
        raise CouldNotCheck(f"no evidence of the run has {one['evidence'] or 'its hash'}")
    return Plot(read(known).decode(), one["caption"], one["evidence"], wide=one.get("wide", True))


def _table(one: Mapping[str, Any]) -> Table:
    rows = tuple(tuple(row) for row in one["rows"])
    return Table(tuple(one["heading"]), rows, one["source"], frozenset(one["numeric"]))


def _finding(one: Mapping[str, Any]) -> Finding:
    severity = Severity(one["severity"]) if one["severity"] else None
    return Finding(**{**one, "status": Status(one["status"]), "severity": severity})
