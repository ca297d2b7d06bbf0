"""The curves of a month's review (M2-03 to M2-06, M2-08): drawn by the task that has the figures, kept as its evidence.

Each is of figures that stand in the procedure's tables or in the ledger's days; the page is put together from the
files, so that it is the same whenever it is made again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from clo_ops.reports import performance as report
from clo_ops.rules import bottlenecks, through_month
from clo_ops.rules import felt as requests_felt
from clo_ops.rules.figures import duration
from clo_ops.rules.through_month import Course

if TYPE_CHECKING:
    from clo_ops.findings.performed import Row
    from clo_ops.orchestration.run import Run
    from clo_ops.rules.headroom import Headroom
    from clo_ops.rules.periods import Period

SHOWN = 6  # resources with the least left; a site has hundreds
LINES = 4  # more are not told apart in grey
GAP = "Grey: not measured."
Drawn = tuple[str, str, str]  # the plot's name, its SVG, what it shows


def keep(run: Run, procedure: str, drawn: Iterable[Drawn]) -> None:
    """As evidence of the task, in place of an earlier try's, with what each shows."""
    captions = {}
    for name, svg, caption in drawn:
        file = f"{name}.svg"
        run.attach(file, svg.encode(), report.SVG)
        captions[file] = caption
    if captions:
        run.attach(report.CAPTIONS.format(procedure=procedure), json.dumps(captions, indent=1).encode(), report.JSON)


def experience(run: Run, month: Period) -> None:
    """M2-03: p95 and Apdex of users' requests by day, and the p95 of the slowest endpoints."""
    from clo_ops.reports import month_plots

    rule, terms = run.policy.thresholds["response_time"], run.policy.performance.apdex
    levels, drawn = (rule.warning.above, rule.critical.above), list[Drawn]()
    sums = [day for metric in requests_felt.SUMS for day in run.ledger.days(metric, month.since, month.until)]
    if felt := through_month.felt_days(sums, terms):
        svg = month_plots.felt_days(felt, month, levels, terms.good / 100, "M2-03-felt")
        said = (
            f"Requests users made, by day: p95, and Apdex (dashed: {terms.good / 100:.2f}, good). Grey: none counted."
        )
        drawn.append(("M2-03-felt", svg, said))
    probed = run.ledger.days(bottlenecks.ENDPOINT, month.since, month.until)
    if slowest := through_month.slowest(probed, "endpoint", LINES):
        svg = month_plots.endpoint_days(slowest, month, levels, "M2-03-endpoints")
        drawn.append(("M2-03-endpoints", svg, f"p95 of each endpoint by day, our own probes. {GAP}"))
    keep(run, "M2-03", drawn)


def headroom(run: Run, month: Period, rooms: Sequence[Headroom]) -> None:
    """M2-04: the resources with the least left, month over month; their p95 stands over the mean."""
    from clo_ops.reports import month_plots

    since, drawn = through_month.year_to(month), list[Drawn]()
    scarce = [one.outlook.watched for one in sorted(rooms, key=lambda one: (one.share, one.outlook.watched.title))]
    known = run.ledger.months(sorted({one.resource.metric for one in scarce}), since, month.until)
    for number, one in enumerate(scarce[:SHOWN], 1):
        series = (one.resource.metric, one.labels, one.resource.unit)
        if mine := [figures for figures in known if (figures.metric, figures.labels, figures.unit) == series]:
            name = f"M2-04-{number}"
            svg = month_plots.resource_months(Course(one.title, tuple(mine)), since, month.until, name)
            drawn.append((name, svg, f"{one.title}: mean (bar) and p95 (mark) of each month. {GAP}"))
    keep(run, "M2-04", drawn)


def jobs(run: Run, procedure: str, now: Sequence[Row], before: Sequence[Row], named: Callable[[Row], str]) -> None:
    """M2-05, M2-06: mean times by size or type, this month and the one before, against the target."""
    from clo_ops.reports import month_plots

    earlier = {named(row): row for row in before}
    rows = [(named(row), row, earlier.get(named(row))) for row in now if row["completed"]]
    target = next((one.target for one in run.policy.kpis.values() if procedure in one.procedures), None)
    if rows:
        svg = month_plots.job_bars(rows, target, f"{procedure}-times")
        said = "Mean time (bar, figure) and p95 (mark); hatched: the month before."
        limit = f" The target is {duration(target)}." if target is not None else ""
        keep(run, procedure, [(f"{procedure}-times", svg, said + limit)])


def availability(run: Run, month: Period) -> None:
    """M2-08: minutes down on each day, and how the error budget went."""
    from clo_ops.orchestration.availability import availability_in
    from clo_ops.reports import month_plots

    target = next((one.target for one in run.policy.kpis.values() if "M2-08" in one.procedures), None)
    days = availability_in(run.ledger, run.policy, list(through_month.days_of(month)))
    if target is None or not any(one.observed for one in days):
        return
    svg = month_plots.availability_days(days, target, "M2-08-days")
    said = (
        f"Minutes down by day, and what of the error budget of {target:g} % was left (dashed: announced windows"
        " counted; below the line it is overspent). Grey: nobody looked."
    )
    keep(run, "M2-08", [("M2-08-days", svg, said)])
