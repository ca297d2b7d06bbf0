"""What a report stands on is asked once: the tables in one snapshot, the ledger's hours, its incidents; plots drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from clo_ops.findings.performed import Performed
from clo_ops.orchestration.escalate import run_link
from clo_ops.orchestration.run import Run
from clo_ops.reports.facts import Facts
from clo_ops.reports.series_sections import named, to_draw
from clo_ops.rules.periods import DAY, Period
from clo_ops.rules.series_days import SeriesDays, series_days

if TYPE_CHECKING:
    from clo_ops.ledger import IncidentRow

SVG = "image/svg+xml"
Answers = Mapping[str, Performed | str]


def facts(
    run: Run,
    procedure: str,
    period: Period,
    *,
    questions: Sequence[str] = (),
    metrics: Sequence[str] = (),
    incidents: bool = False,
) -> Facts:
    """Everything a report of ``procedure`` shows; what was asked is kept as evidence of the task, with its answers."""
    series = {metric: _series(run, metric, period) for metric in metrics}
    return Facts(
        procedure=procedure,
        policy=run.policy,
        period=period,
        read_at=datetime.now(UTC).replace(microsecond=0),
        asked=asked(run, procedure, questions, period) if questions else {},
        series=series,
        incidents=_incidents(run, period) if incidents else (),
        plots=_drawn(run, procedure, [one for found in series.values() for one in found]),
        about={"Run": f"{run.dag_id} {run.run_id}"},
        link=run_link(run.dag_id, run.run_id),
    )


def asked(run: Run, procedure: str, names: Iterable[str], period: Period) -> Answers:
    """The answers of the application's tables, all of one snapshot; by the name of the file in include/sql."""
    from clo_ops.probes.performing import key_of, perform_all

    values = _values(run, period)
    questions = {name: {key: values[key] for key in _wanted(name, values)} for name in dict.fromkeys(names)}
    found = perform_all(run.connections.postgres, questions.items())
    answers = {name: found[key_of(name, bound)] for name, bound in questions.items()}
    _keep(run, procedure, answers)
    return answers


def _values(run: Run, period: Period) -> dict[str, Any]:
    kpis = run.policy.kpis
    return {
        "since": period.since.isoformat(),
        "until": period.until.isoformat(),
        "synthetic_user": run.connections.account.username,
        "calculation_s": kpis["calculation_time"].target,
        "report_s": kpis["report_time"].target,
    }


def _wanted(name: str, values: Mapping[str, Any]) -> list[str]:
    from clo_ops.probes.statements import statement

    text = statement(name).text
    return [key for key in values if f"%({key})s" in text]


def _keep(run: Run, procedure: str, answers: Answers) -> None:
    """The questions with their answers, so that each figure of the report can be asked for again."""
    from clo_ops.ledger.evidence import canonical_json

    content = {
        name: {"asked": one.asked, "parameters": dict(one.parameters), "of": dict(one.identity), "rows": list(one.rows),
               "result_sha256": one.result_sha256} if isinstance(one, Performed) else {"no_answer": one}
        for name, one in answers.items()
    }  # fmt: skip
    run.attach(f"{procedure}-answers.json", canonical_json(content), "application/json")


def _series(run: Run, metric: str, period: Period) -> list[SeriesDays]:
    since = period.since - run.policy.reports.compared.days * DAY
    return list(series_days(run.ledger.hours(metric, since, period.until), period))


def _incidents(run: Run, period: Period) -> Sequence[IncidentRow]:
    return run.ledger.incidents_of(period.since, period.until)


def _drawn(run: Run, procedure: str, series: Sequence[SeriesDays]) -> dict[str, tuple[str, str]]:
    if not series:
        return {}
    from clo_ops.reports.plots import day_line

    found = {}
    for number, one in enumerate(to_draw(series), 1):
        svg = day_line(one, f"{procedure}-{number}")
        kept = run.attach(f"{procedure}-{number}.svg", svg.encode(), SVG)
        found[named(one)] = (svg, kept.sha256)
    return found
