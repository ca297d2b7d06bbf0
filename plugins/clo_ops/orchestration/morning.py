"""The morning's procedures that look back: at the night's incidents, the last statement report, the mornings before.

What they look back on stands in the ledger; a ledger that does not answer raises LedgerUnavailable, which is asked
again and then red.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from clo_ops.findings import Answer, Finding, Measurement
from clo_ops.orchestration.run import Run
from clo_ops.rules import anomalies, baselines, night, statements, trends

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date


def review_of_the_night(run: Run) -> list[Finding]:
    """DM-02: what happened since the last end of day, from the ledger's incidents."""
    begin = night.begins(run.policy.night, run.at)
    events = run.ledger.incident_events(begin, run.at)
    return night.judge(events, run.ledger.open_incidents(run.at), run.policy.night, at=run.at)


def slow_queries(run: Run) -> list[Finding]:
    """DM-06: what pg_stat_statements counted since the snapshot of the last report; leaves its own for the next."""
    from clo_ops.probes import postgres

    current, answer = postgres.statements(run.connections.postgres)
    run.keep(answer)
    previous = run.ledger.previous_statements(run.at, run.ledger_run)
    if current is not None:
        run.ledger.record_statements(run.ledger_run, current)
    return statements.judge(current, previous, run.policy.statements, at=run.at, answer=answer)


def morning_baseline(run: Run) -> list[Finding]:
    """DM-07: the policy's metrics, on record once for this day; a repeat fills in only what is missing."""
    from clo_ops.probes.baseline import baseline

    answer = run.ask(baseline, run.policy, run.connections, at=run.at)
    listed = baselines.listed(answer.measurements, run.policy.baseline)
    result = run.ledger.record_baseline(run.day, listed, run.ledger_run)
    return baselines.judge(answer, result, run.policy.baseline, recorded=_of_today(run).measurements)


def utilisation_trend(run: Run) -> list[Finding]:
    """DM-08: this morning's baseline against the mornings of the policy's windows."""
    longest = timedelta(days=max(run.policy.trend.windows))
    return trends.judge(_mornings(run, longest), _of_today(run), run.policy.trend, at=run.at)


def unusual_figures(run: Run) -> list[Finding]:
    """DM-09: this morning's baseline against the robust band of its own history."""
    back = run.policy.anomalies.lookback
    policy = run.policy
    return anomalies.judge(_mornings(run, back), _of_today(run), policy.anomalies, policy.baseline, at=run.at)


def _mornings(run: Run, back: timedelta) -> Iterator[tuple[date, Measurement]]:
    return run.ledger.baselines(run.day - back, run.day)


def _of_today(run: Run) -> Answer:
    today = run.ledger.baselines(run.day, run.day + timedelta(days=1))
    return Answer.of(measurement for _, measurement in today)
