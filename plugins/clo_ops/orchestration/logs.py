"""What logs say: read on every day (LM-03), held against the weeks before (LM-04), reviewed by the month (LM-05)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from clo_ops.findings import Answer, Finding, Measurement
from clo_ops.ledger import LedgerConflict
from clo_ops.ledger.evidence import canonical_json
from clo_ops.orchestration.run import Run
from clo_ops.policy.logs import LogFile
from clo_ops.probes import log_lines
from clo_ops.probes.reaching import nobody_answered
from clo_ops.rules import log_day, log_review, log_trends
from clo_ops.rules.log_tally import day_of

# What LM-01 measured of a place is that of the month, or of the last run before it.
RETENTION_BACK = timedelta(days=35)
JSON = "application/json"


def daily(run: Run) -> list[Finding]:
    """LM-03: every log read on from where the last look ended; the day that ended last, in figures."""
    answer = Answer()
    for source in run.policy.logs.files:
        answer += run.keep(_read_on(run, source))
    day = last_day(run)
    following = day + timedelta(days=1)
    tallies = {name: by_day[day] for name, by_day in run.ledger.log_days(day, following).items()}
    met = list(run.ledger.log_signature_days(day, following))
    of = log_day.Day(day, tallies, met, run.ledger.first_log_days())
    run.keep(Answer.of(log_day.measured(of, run.policy, datetime.now(UTC))))
    return log_day.judge(answer, of, run.policy)


def last_day(run: Run) -> date:
    """The last whole day before the run's time; a day ends when the end of day begins (D30)."""
    return day_of(run.at, run.policy.night.starts) - timedelta(days=1)


def _read_on(run: Run, source: LogFile) -> Answer:
    """What was written since is counted and the place remembered, together or not at all."""
    host = next(one for one in run.policy.hosts if one.name == source.host)
    target = run.connections.host(host.name, host.connection)
    since, now = run.ledger.log_position(source.name), datetime.now(UTC)
    look = log_lines.read_on(target, source, since, run.policy.logs, at=now, ends=run.policy.night.starts)
    if look.position is None or look.reader is None:
        return look.answer
    try:
        run.ledger.record_log_reading(source.name, since, look.position, look.reader.days, now)
    except LedgerConflict as error:
        return nobody_answered([f"lines of {source.name}"], target, "reading on", str(error).rstrip("."))
    return look.answer + Answer.of(_looked(source, look, now))


def _looked(source: LogFile, look: log_lines.Look, at: datetime) -> Iterator[Measurement]:
    labels = {"source": source.name}
    yield Measurement("log.read", look.read, "bytes", at, labels)
    yield Measurement("log.left", look.left, "bytes", at, labels)
    yield Measurement("log.lost", look.lost, "bool", at, labels)


def weekly(run: Run) -> list[Finding]:
    """LM-04: signatures of the last seven whole days against those of the weeks before."""
    until = last_day(run) + timedelta(days=1)
    since = until - timedelta(weeks=run.policy.logs.trends.weeks + 1)
    met = run.ledger.log_signature_days(since, until)
    return log_trends.judge(met, run.ledger.first_log_days(), until, run.policy.logs)


def monthly(run: Run) -> list[Finding]:
    """LM-05: the month before, as far as logs tell it; the figures attached as evidence for those who review them."""
    last = run.day.replace(day=1) - timedelta(days=1)
    first = last.replace(day=1)
    days = run.ledger.log_days(first, last + timedelta(days=1))
    month = log_review.Month(first, last, days, run.ledger.first_log_days())
    retention = _last_retention(run)
    findings = log_review.judge(month, retention, run.policy)
    pack = log_review.as_json(month, run.policy, retention)
    run.attach(f"logs-{first:%Y-%m}.json", canonical_json(pack), JSON)
    return findings


def _last_retention(run: Run) -> Answer:
    """What LM-01 last measured of each place."""
    newest: dict[tuple[str, str], Measurement] = {}
    for name in ("log.due", "log.oldest"):
        for one in run.ledger.measurements(name, run.at - RETENTION_BACK, run.at):
            newest[name, one.labels.get("place", "")] = one
    return Answer.of(newest.values())
