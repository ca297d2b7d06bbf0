"""Every KPI of the policy over any periods: put together from the ledger's figures and the application's own tables.

    readings(figures_of(run, comparison.months(run.at), "RP-03"))

is all a report needs. The ledger's roll-ups must be up to date (``up_to_date``); the application's tables are asked in
one snapshot, and what came back is kept as evidence under its SHA-256.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clo_ops.findings.performed import Performed
from clo_ops.orchestration.availability import availability_of
from clo_ops.rules import felt as requests_felt
from clo_ops.rules import kpi_figures
from clo_ops.rules.kpis import Figure, Reading, Verdict

if TYPE_CHECKING:
    from clo_ops.orchestration.run import Run
    from clo_ops.policy.catalogue import Kpi
    from clo_ops.probes.performing import Outcome
    from clo_ops.rules.availability import Availability
    from clo_ops.rules.comparison import Compared
    from clo_ops.rules.felt import Felt
    from clo_ops.rules.periods import Period

CALCULATIONS = "source/calculations_by_size"
REPORTS = "source/reports_by_type"
FEEDBACK = "source/feedback_score"
WORK = "source/work_by_role"
NEVER = 1e12  # seconds
ABSENT = {
    "none": "kpis.yaml says that this system has none",
    "attested": "only a person can say, and nobody has (D62)",
}


@dataclass
class Figures:
    """What one run knows of its periods. Each thing is read once, whoever asks for it first."""

    run: Run
    compared: Compared
    answers: Mapping[tuple[str, Period], Outcome] = field(default_factory=dict)
    _available: dict[Period, Availability] = field(default_factory=dict)
    _felt: dict[Period, Felt | None] = field(default_factory=dict)

    def availability(self, period: Period) -> Availability:
        if period not in self._available:
            found = availability_of(self.run.ledger, self.run.policy, period.since, period.until)
            self._available[period] = found
        return self._available[period]

    def felt(self, period: Period) -> Felt | None:
        if period not in self._felt:
            totals = self.run.ledger.totals(requests_felt.SUMS, period.since, period.until)
            self._felt[period] = requests_felt.felt(totals)
        return self._felt[period]

    def days_counted(self, period: Period) -> list[Any]:
        """The days of the period on which the application's counters were read."""
        days = self.run.ledger.days(requests_felt.COUNT, period.since, period.until)
        return [one.starts_at.date() for one in days]

    def answer(self, name: str, period: Period) -> Outcome:
        return self.answers.get((name, period), f"include/sql/{name}.sql was not asked")

    def of(self, kpi: Kpi, period: Period) -> Figure:
        """Raises KeyError for a metric nobody has a figure of; the policy's own metrics all have one."""
        if kpi.source != "measured":
            return Figure(absent=Verdict.NO_SOURCE, why=ABSENT[kpi.source])
        make = SOURCES.get(kpi.metric)
        if make is None:
            return Figure(absent=Verdict.NO_SOURCE, why=f"nothing measures {kpi.metric}")
        return make(self, kpi, period)


def figures_of(
    run: Run, compared: Compared, procedure: str, names: Sequence[str] = (CALCULATIONS, REPORTS, FEEDBACK, WORK)
) -> Figures:
    """Ask the application's tables these questions for each period, in one snapshot; keep the answers as evidence."""
    from clo_ops.probes.performing import key_of, perform_all

    if not names:
        return Figures(run, compared)
    values = {(name, period): _values(run, name, period) for name in names for period in compared.periods}
    found = perform_all(run.connections.postgres, [(name, one) for (name, _), one in values.items()])
    answers = {key: found[key_of(key[0], one)] for key, one in values.items()}
    if kept := [_evidence(one) for one in answers.values() if isinstance(one, Performed)]:
        run.attach(f"{procedure}-application.json", json.dumps(kept, indent=1).encode(), "application/json")
    return Figures(run, compared, answers)


def _values(run: Run, name: str, period: Period) -> dict[str, Any]:
    values: dict[str, Any] = {
        "since": period.since.isoformat(),
        "until": period.until.isoformat(),
        "synthetic_user": run.connections.account.username,
    }
    if name == CALCULATIONS:
        values |= {"sizes": list(run.policy.performance.portfolios.sizes), "most_s": _most(run, "calculation_time")}
    return values | ({"most_s": _most(run, "report_time")} if name == REPORTS else {})


def _most(run: Run, kpi: str) -> float:
    """The target in seconds; without one nothing is late."""
    target = run.policy.kpis[kpi].target if kpi in run.policy.kpis else None
    return NEVER if target is None else target


def _evidence(one: Performed) -> dict[str, Any]:
    return {
        "question": f"include/sql/{one.name}.sql",
        "asked_sha256": one.asked_sha256,
        "parameters": one.parameters,
        "identity": one.identity,
        "rows": one.rows,
        "result_sha256": one.result_sha256,
    }


def readings(known: Figures, *procedures: str) -> list[Reading]:
    """Every KPI of the policy, or those these procedures are about: the period, the one before, and three of them."""
    return [
        Reading(name, kpi, *(known.of(kpi, period) for period in known.compared.periods))
        for name, kpi in known.run.policy.kpis.items()
        if not procedures or set(procedures) & set(kpi.procedures)
    ]


def up_to_date(run: Run) -> None:
    """What was measured until the run's own time becomes hours and days; nothing where that was done already."""
    from clo_ops.orchestration.roll_ups import roll_up

    roll_up(run.ledger, run.policy, until=run.at)


def _availability(known: Figures, kpi: Kpi, period: Period) -> Figure:
    return kpi_figures.availability(known.availability(period), kpi.target)


def _mean_time(known: Figures, kpi: Kpi, period: Period) -> Figure:
    return kpi_figures.mean_time(known.felt(period), period, _unseen_days(known, period))


def _errors(known: Figures, kpi: Kpi, period: Period) -> Figure:
    return kpi_figures.errors(known.felt(period), period, _unseen_days(known, period))


def _unseen_days(known: Figures, period: Period) -> str:
    policy = known.run.policy
    seen = known.days_counted(period)
    return kpi_figures.unseen_days(seen, period, policy.business_calendar, policy.performance.seen.at_least)


def _calculations(known: Figures, kpi: Kpi, period: Period) -> Figure:
    return kpi_figures.job_time(known.answer(CALCULATIONS, period), "calculations", "size")


def _reports(known: Figures, kpi: Kpi, period: Period) -> Figure:
    return kpi_figures.job_time(known.answer(REPORTS, period), "reports", "type")


def _feedback(known: Figures, kpi: Kpi, period: Period) -> Figure:
    return kpi_figures.score(known.answer(FEEDBACK, period))


def _work(known: Figures, kpi: Kpi, period: Period) -> Figure:
    return kpi_figures.per_role(known.answer(WORK, period))


def _peak(known: Figures, kpi: Kpi, period: Period) -> Figure:
    totals = known.run.ledger.totals([kpi.metric], period.since, period.until)
    return kpi_figures.peak([one for one in totals if one.unit == kpi.unit], period)


# What gives the figure of a KPI's metric.
SOURCES: Mapping[str, Callable[[Figures, Kpi, Period], Figure]] = {
    "clo.service.availability": _availability,
    "http.server.request.duration": _mean_time,
    "http.server.error.share": _errors,
    "clo.calculation.duration": _calculations,
    "clo.report.duration": _reports,
    "clo.feedback.score": _feedback,
    "clo.user.productivity": _work,
    "system.cpu.utilization": _peak,
}
