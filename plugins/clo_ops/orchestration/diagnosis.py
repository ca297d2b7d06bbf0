"""IR-06: what can be seen of the time round an incident, gathered at once, before it rotates away (L267-L271)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from clo_ops.findings import Answer, Finding, Unanswered
from clo_ops.orchestration.response import none_left, of_run
from clo_ops.orchestration.run import Run
from clo_ops.rules.phases import GATHERED, judge_investigated
from clo_ops.rules.verdicts import Case

if TYPE_CHECKING:
    from clo_ops.ledger import Evidence, IncidentRow

# How far back logs and measurements are looked up: what led to an incident is older than it.
BACK = timedelta(minutes=30)
FILE = "diagnostics.json"
MOST_MEASUREMENTS = 500


def gather(run: Run) -> list[Finding]:
    """Hosts, services, connections, slow statements, Redis, the application's counters, logs: all at once; kept."""
    from clo_ops.ledger.evidence import canonical_json

    one = of_run(run)
    if one is None:
        return [none_left("IR-06")]
    began = datetime.now(UTC)
    answers = _all_at_once(_questions(run))
    gathered = {
        "began": began.isoformat(),
        "took_seconds": round((datetime.now(UTC) - began).total_seconds(), 3),
        "incident": {"id": one.id, **_of_incident(run, one)},
        "answers": {name: answer.as_json() for name, answer in answers.items()},
    }
    kept = run.attach(FILE, canonical_json(gathered), "application/json")
    for answer in answers.values():
        run.keep(answer)
    _note(run, one, answers, kept)
    return [_judge(run, one, answers), _in_time(run, one)]


def _in_time(run: Run, incident: IncidentRow) -> Finding:
    return judge_investigated(incident, run.ledger.timeline(incident.id), run.policy, at=datetime.now(UTC))


def _questions(run: Run) -> dict[str, Callable[[], Answer]]:
    """What is asked, by the name it has in the evidence. A connection that is missing breaks off only its own."""
    from clo_ops.probes import app_metrics, hosts, logs, postgres, redis, services

    to, policy = run.connections, run.policy
    where = policy.alerting.application_metrics
    asked: dict[str, Callable[[], Answer]] = {
        "services": lambda: services.status(policy.services, to.of_services(policy)),
        "connections and blocked sessions": lambda: postgres.connections(to.postgres),
        "slow statements": lambda: postgres.statements(to.postgres)[1] + _slowest(run),
        "redis": lambda: redis.usage(to.redis),
        "application": lambda: app_metrics.counters(to.web(where.connection), where),
    }
    for host in policy.hosts:
        asked[f"host {host.name}"] = lambda host=host: hosts.resources(  # type: ignore[misc]
            to.host(host.name, host.connection), host.mounts, to.prometheus
        )
        asked[f"logs of {host.name}"] = lambda host=host: logs.recent(to.host(host.name, host.connection), BACK)  # type: ignore[misc]
    return asked


def _slowest(run: Run) -> Answer:
    """The statements that took most of the server's time, as measurements of their own."""
    from clo_ops.findings import Measurement
    from clo_ops.probes import postgres

    snapshot, _ = postgres.statements(run.connections.postgres)
    if snapshot is None:
        return Answer()
    slowest = sorted(snapshot.rows, key=lambda row: row.total_ms, reverse=True)[:10]
    return Answer.of(
        Measurement(
            "postgresql.statement.total_time",
            row.total_ms,
            "ms",
            snapshot.taken_at,
            {"queryid": str(row.queryid), "user": row.user, "database": row.database, "toplevel": str(row.toplevel)},
            f"{row.calls} calls: {row.text}",
        )
        for row in slowest
    )


def _all_at_once(questions: Mapping[str, Callable[[], Answer]]) -> dict[str, Answer]:
    """Every question in a thread of its own: together they take as long as the slowest."""
    with ThreadPoolExecutor(len(questions), thread_name_prefix="diagnosis") as pool:
        asked = {name: pool.submit(_safely, name, ask) for name, ask in questions.items()}
        return {name: one.result() for name, one in asked.items()}


def _safely(name: str, ask: Callable[[], Answer]) -> Answer:
    try:
        return ask()
    except Exception as error:  # noqa: BLE001 - one question that breaks off must not cost the others' answers
        reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason given'}"
        return Answer(unanswered=(Unanswered(name, name, "diagnosis", reason, datetime.now(UTC)),))


def _of_incident(run: Run, incident: IncidentRow) -> dict[str, Any]:
    """What the watch remembers of its alert, and what other runs measured of it lately."""
    rule, labels = rule_of(incident.cause)
    threshold = run.policy.thresholds.get(rule)
    if threshold is None:
        return {"cause": incident.cause}
    now = datetime.now(UTC)
    states = [
        {"labels": dict(one.labels), "level": one.level, "value": one.value, "state": dict(one.state)}
        for one in run.ledger.alerts()
        if one.rule == rule
    ]
    recent = list(run.ledger.measurements(threshold.metric, now - BACK, now))[-MOST_MEASUREMENTS:]
    return {
        "cause": incident.cause,
        "labels": labels,
        "alerts": states,
        "measurements": [one.as_json() for one in recent],
    }


def rule_of(cause: str) -> tuple[str, dict[str, str]]:
    """The alert rule and labels a cause stands for (rules.watching.cause_of); empty for another kind of cause."""
    kind, _, rest = cause.partition(":")
    if kind != "alert":
        return "", {}
    rule, _, labels = rest.partition(":")
    return rule, dict(one.split("=", 1) for one in labels.split(",") if "=" in one)


def _note(run: Run, incident: IncidentRow, answers: Mapping[str, Answer], kept: Evidence) -> None:
    silent = [name for name, answer in answers.items() if not answer.measurements]
    words = f"{GATHERED}: {', '.join(name for name in answers if name not in silent)}."
    words += f" No answer: {', '.join(silent)}." if silent else ""
    words += f"\n{kept.uri} (SHA-256 {kept.sha256})"
    run.ledger.note_incident(incident.id, "diagnosed", datetime.now(UTC), "clo_ops", words)


def _judge(run: Run, incident: IncidentRow, answers: Mapping[str, Answer]) -> Finding:
    """What nobody answered is part of the picture, not a fault of the gathering: it warns."""
    entry = run.policy.procedures["IR-06"]
    case = Case(
        "IR-06",
        "diagnostics",
        f"{len(answers)} questions asked at once and kept",
        incident.severity,
        entry.first_action,
        entry.lines,
        f"incident {incident.id}",
    )
    silent = [name for name, answer in answers.items() if not answer.measurements]
    actual = f"{len(answers) - len(silent)} of {len(answers)} answered"
    if len(silent) == len(answers):
        return case.not_measured()
    if silent:
        return case.warned(actual, f"Gathered for incident {incident.id}: {actual}; silent: {', '.join(silent)}")
    return case.passed(actual, f"Gathered for incident {incident.id}: {actual}")
