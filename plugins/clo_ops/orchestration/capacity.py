"""The Wednesday's procedures (WW-01 to WW-09): the ledger's figures of months, judged; then what to do about it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from clo_ops.findings import Answer, Finding, Measurement, Severity, Status
from clo_ops.orchestration import roll_ups
from clo_ops.orchestration.escalate import run_link
from clo_ops.orchestration.report_keeping import kept
from clo_ops.orchestration.run import Run
from clo_ops.reports.capacity import assemble
from clo_ops.rules import capacity, load, recommendations, response_weeks, scorecard, statement_weeks, table_use

if TYPE_CHECKING:
    from clo_ops.findings.roll_ups import RollUp
    from clo_ops.policy.capacity import Resource

LOOKED_AT = ("WW-01", "WW-02", "WW-03", "WW-04", "WW-05", "WW-06", "WW-07", "WW-08")
FOUR_WEEKS = timedelta(weeks=4)
SCORED_FOR = timedelta(weeks=26)


def figures_up_to_date(run: Run) -> dict[str, int]:
    """Every series' hours and days up to the run's own time, from what was measured since the last time.

    Then the forecasts of earlier weeks are held against what came.
    """
    done = roll_ups.roll_up(run.ledger, run.policy, until=run.at)
    return {"days": done.days, "hours": done.hours, "forecasts_scored": run.ledger.score_forecasts(run.day)}


def trends(run: Run, procedure: str) -> list[Finding]:
    """Every series of the procedure's resources: its forecast, kept for the score; its plot, kept as evidence."""
    terms, findings, kept = run.policy.capacity.forecasts, list[Finding](), list[capacity.Outlook]()
    for resource in run.policy.capacity.of(procedure):
        found = outlooks(run, resource)
        findings += capacity.judge(resource, found, terms, at=run.at, wanted=hosts_wanted(run, resource))
        kept += found
    days = [day for one in kept for day in capacity.forecast_days(one, terms, procedure)]
    run.ledger.record_forecasts(run.ledger_run, procedure, days)
    run.keep(Answer.of(figure for one in kept for figure in capacity.measured(one, run.at)))
    _plotted(run, procedure, kept)
    return findings


def outlooks(run: Run, resource: Resource) -> list[capacity.Outlook]:
    """The forecast of every series of a resource that has figures, by title."""
    terms = run.policy.capacity.forecasts
    found = (capacity.outlook(each, terms) for each in _watched(run, resource))
    return sorted((one for one in found if one), key=lambda one: one.watched.title)


def _watched(run: Run, resource: Resource) -> Iterator[capacity.Watched]:
    since = run.at - timedelta(days=run.policy.capacity.forecasts.windows[0])
    totals = {_key(one): one.p95 for one in run.ledger.totals([resource.metric], run.at - FOUR_WEEKS, run.at)}
    # Series by series, as they come: a site has hundreds, of two thousand hours each.
    for key, hours in groupby(run.ledger.hours(resource.metric, since, run.at), key=_key):
        points = [
            (one.starts_at, float(getattr(one, resource.statistic))) for one in hours if one.unit == resource.unit
        ]
        yield capacity.Watched(resource, dict(key), points, totals.get(key))


def _key(one: RollUp) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(one.labels.items()))


def hosts_wanted(run: Run, resource: Resource) -> list[str]:
    """A host of the policy without figures is not quietly left out."""
    return [host.name for host in run.policy.hosts] if resource.metric.startswith("system.") else []


def _plotted(run: Run, procedure: str, kept: Sequence[capacity.Outlook]) -> None:
    from clo_ops.reports.plots import projection

    for number, one in enumerate(kept, 1):
        if one.forecast.going or one.crossings:
            drawn = projection(one, run.policy.capacity.forecasts, f"{procedure}-{number}")
            run.attach(f"{procedure}-{number}.svg", drawn.encode(), "image/svg+xml")


def disk_growth(run: Run) -> list[Finding]:
    """WW-03: mounts and databases, and the largest tables and indexes with what they grew."""
    from clo_ops.probes.table_use import table_use as ask

    earlier = _earlier(run, (table_use.SIZE, table_use.INDEX_SIZE))
    answer = run.ask(ask, run.connections.postgres, run.policy.capacity.tables.largest)
    return trends(run, "WW-03") + table_use.judge_growth(answer, earlier)


def _earlier(run: Run, metrics: Sequence[str]) -> list[Measurement]:
    """What was measured of tables in the reviews before: a week ago, or up to five where some were missed."""
    since, until = run.at - timedelta(days=35), run.at - timedelta(days=5)
    return [one for metric in metrics for one in run.ledger.measurements(metric, since, until)]


def response_times(run: Run) -> list[Finding]:
    """WW-05: where each endpoint's p95 is going, and this week against the week before."""
    days = list(run.ledger.days("http.client.request.duration", run.at - timedelta(days=16), run.at))
    weeks = response_weeks.judge(days, run.policy.capacity.response_times, at=run.at)
    return trends(run, "WW-05") + weeks


def queries(run: Run) -> list[Finding]:
    """WW-06: statements that became slower, large tables read from end to end, indexes unused or there twice."""
    from clo_ops.probes.table_use import table_use as ask

    policy = run.policy.capacity
    snapshots = run.ledger.statement_snapshots(run.at - timedelta(days=15), run.at)
    findings = statement_weeks.judge(snapshots, run.policy.statements, policy.statements, at=run.at)
    answer = run.ask(ask, run.connections.postgres, policy.tables.largest)
    scans = table_use.judge_scans(answer, policy.tables, _earlier(run, table_use.COUNTERS))
    return [*findings, *scans, *_indexes(run)]


def _indexes(run: Run) -> list[Finding]:
    """As Monday's maintenance reports them (WM-02), without touching any."""
    from clo_ops.probes.upkeep_indexes import indexes
    from clo_ops.rules import index_use

    terms = run.policy.maintenance.indexes
    target = run.connections.postgres
    snapshot, answer = indexes(target, terms.bloat, maintainer=target.user, read=False)
    run.keep(Answer((), answer.unanswered))
    if snapshot is None:
        return table_use.judge_scans(Answer((), answer.unanswered), run.policy.capacity.tables)
    return [replace(one, procedure="WW-06") for one in index_use.judge(snapshot, terms.unused, at=run.at)]


def load_pattern(run: Run) -> list[Finding]:
    """WW-08: the hour-of-week heat map of each metric of the policy, and its peak."""
    from clo_ops.reports.plots import heat_map

    terms, findings, drawn = run.policy.capacity.load, list[Finding](), 0
    for metric in terms.metrics:
        maps = load.heat_maps(list(run.ledger.hours(metric, run.at - timedelta(weeks=terms.weeks), run.at)))
        findings += load.judge(metric, maps, terms)
        for one in maps:
            drawn += 1
            run.attach(f"WW-08-{drawn}.svg", heat_map(one, f"WW-08-{drawn}").encode(), "image/svg+xml")
    return findings


def scaling(run: Run) -> list[Finding]:
    """WW-09: recommendations from this run's findings, how good the forecasts were so far, and the report of it all."""
    so_far = [one for one in run.ledger.findings(run.ledger_run) if one.procedure in LOOKED_AT]
    findings = [*recommendations.judge(so_far, run.policy.capacity.owners, LOOKED_AT), _score(run)]
    sheet = assemble(
        run.ledger,
        run.ledger_run,
        run.policy,
        run.connections.evidence().read,
        link=run_link(run.dag_id, run.run_id),
        more=findings,
    )
    return [*findings, *kept(run, sheet, "capacity-report", run.policy.capacity.report.to)]


def _score(run: Run) -> Finding:
    scored = run.ledger.scored_forecasts(run.at - SCORED_FOR, run.at)
    table, confidence = scorecard.scores(scored), run.policy.capacity.forecasts.confidence
    expected = f"{confidence:.0f} % of what came inside of the interval"
    run.attach("forecast-score.json", json.dumps([asdict(one) for one in table]).encode(), "application/json")
    if not table:
        said = "No forecast is old enough to be held against what came"
        return Finding("WW-09", "forecast score", Status.NOT_APPLICABLE, expected, "none yet", f"{said}.")
    told = "; ".join(scorecard.told(one, confidence) for one in table)
    poor = [one for one in table if one.made >= scorecard.ENOUGH and one.share < confidence - scorecard.POOR]
    if poor:
        action = "Trust the dates less; see which series was forecast badly (forecasts in the ledger), and why."
        return Finding("WW-09", "forecast score", Status.WARN, expected, told, f"{told}.", "", Severity.P4, action)
    return Finding("WW-09", "forecast score", Status.PASS, expected, told, f"{told}.")
