"""LM-03 (manual L366): performance and usage of a day, from its logs; and whether they were read whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Protocol

from clo_ops.findings import Answer, Finding, Measurement, Severity, Status, unanswered_findings
from clo_ops.policy.logs import LogFile
from clo_ops.rules.figures import figure
from clo_ops.rules.log_tally import LogDay, Marked, Requests, percentile
from clo_ops.rules.verdicts import Case

if TYPE_CHECKING:
    from clo_ops.policy import Policy

PROCEDURE, MANUAL = "LM-03", "L366"
REACH = "See whether the log was renamed, and whether the host's connection may read it (docs/logs.md)."
# So long a log must have been known before what is new in it means anything.
KNOWN_FOR = 7
P95 = 0.95


class Met(Protocol):
    """A signature and how often it was met in a day; ``first_day`` is the first it was ever met."""

    @property
    def source(self) -> str: ...
    @property
    def level(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def first_day(self) -> date: ...
    @property
    def day(self) -> date: ...
    @property
    def count(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Day:
    """``tallies`` and ``met`` are of this day; ``known_since`` is the first day on record of each log."""

    day: date
    tallies: Mapping[str, LogDay]
    met: Sequence[Met]
    known_since: Mapping[str, date]


def measured(of: Day, policy: Policy, at: datetime) -> Iterator[Measurement]:
    """``log.lines``, ``log.errors``, ``log.mark`` {source}; ``log.requests``, ``log.request.p95`` (ms) {endpoint}."""
    for source in policy.logs.files:
        tally = of.tallies.get(source.name, LogDay())
        labels = {"source": source.name}
        yield Measurement("log.lines", tally.lines, "count", at, labels)
        yield Measurement("log.errors", errors_of(source, tally, policy), "count", at, labels)
        for name, one in sorted(tally.marks.items()):
            yield Measurement("log.mark", one.count, "count", at, labels | {"mark": name})
        for endpoint, requests in sorted(tally.requests.items()):
            where = labels | {"endpoint": endpoint}
            yield Measurement("log.requests", requests.count, "count", at, where)
            if (p95 := percentile(requests.ms, P95)) is not None:
                yield Measurement("log.request.p95", p95, "ms", at, where)


def errors_of(source: LogFile, tally: LogDay, policy: Policy) -> int:
    return sum(tally.levels[level] for level in policy.logs.errors.get(source.form, ()))


def judge(answer: Answer, of: Day, policy: Policy) -> list[Finding]:
    """For each log ``lines of the day``, ``read whole``, ``requests``, ``errors never seen before`` and its marks.

    ``answer`` is what reading on said: log.lost and log.left {source}, and the logs nobody could read.
    """
    findings = unanswered_findings(PROCEDURE, answer, Severity.P3, REACH)
    if not policy.logs.files:
        why = "logs.yaml names no log, so there is none to look at."
        return [Finding(PROCEDURE, "logs to look at", Status.NOT_APPLICABLE, "logs named", "none", why)]
    for source in policy.logs.files:
        if any(one.question == f"lines of {source.name}" for one in answer.unanswered):
            continue
        if missing := answer.first("log.missing", source=source.name):
            findings.append(_none(source, missing.detail))
            continue
        tally = of.tallies.get(source.name, LogDay())
        findings += [_lines(source, tally, of, policy), *_whole(source, answer)]
        findings += [*_requests(source, tally, policy), *_fresh(source, of, policy)]
        findings += marks(PROCEDURE, source, tally, policy)
    return findings


def _case(name: str, expected: str, action: str, subject: str) -> Case:
    return Case(PROCEDURE, name, expected, Severity.P3, action, MANUAL, subject)


def _none(source: LogFile, why: str) -> Finding:
    why = f"{source.name}: {why}; logs.yaml lets it be missing (may_be_missing)."
    return Finding(PROCEDURE, "lines of the day", Status.NOT_APPLICABLE, "a log", "none", why, source.name)


def _lines(source: LogFile, tally: LogDay, of: Day, policy: Policy) -> Finding:
    since = of.known_since.get(source.name)
    if not tally.lines and (since is None or of.day < since):
        why = f"{source.name} was first read after {of.day}; nobody knows what it said that day."
        return Finding(
            PROCEDURE, "lines of the day", Status.NOT_APPLICABLE, "counted", "not read yet", why, source.name
        )
    expected = "at least one line" if source.daily else "counted"
    case = _case("lines of the day", expected, f"See whether what writes {source.name} still does.", source.name)
    errors = errors_of(source, tally, policy)
    said = f"{tally.lines:,} lines of {of.day}, {errors:,} of them errors"
    return case.warned("0 lines", said) if source.daily and not tally.lines else case.passed(f"{tally.lines:,}", said)


def _whole(source: LogFile, answer: Answer) -> Iterator[Finding]:
    case = _case("read whole", "every line since the last look", REACH, source.name)
    left, lost = answer.value("log.left", source=source.name) or 0.0, answer.value("log.lost", source=source.name)
    if lost:
        said = "what was written between the last look and a rotation was not found again: name its `rotated` files"
        yield case.warned("a gap", f"{source.name}: {said}")
    elif left:
        yield case.warned(figure(left, "bytes"), f"{figure(left, 'bytes')} are left for the next look")
    elif lost is not None:
        yield case.passed("whole", f"{source.name} was read to its end")


def _requests(source: LogFile, tally: LogDay, policy: Policy) -> Iterator[Finding]:
    if not tally.requests:
        return
    whole = Requests()
    for one in tally.requests.values():
        whole += one
    yield _errors(source, whole, policy)
    timed = [one for one in tally.requests.items() if one[1].ms.total() >= policy.logs.usage.minimum_requests]
    slowest = sorted(timed, key=lambda one: -(percentile(one[1].ms, P95) or 0))[: policy.logs.usage.slowest]
    for endpoint, one in slowest:
        yield _slow(source, endpoint, one, policy)


def _errors(source: LogFile, whole: Requests, policy: Policy) -> Finding:
    limits = policy.alerting.application_metrics.error_rate
    share = 100 * whole.failed / whole.count
    expected = f"at most {figure(limits.warning, 'percent')} of all requests failed"
    case = _case("requests", expected, "Look at the error that is new today.", source.name)
    p95 = percentile(whole.ms, P95)
    told = f", 95 % of them within {figure(p95, 'ms')}" if p95 is not None else ""
    failed = f"{whole.failed:,} failed ({figure(share, 'percent')})"
    said = f"{whole.count:,} requests{told}; {failed}, {whole.refused:,} refused"
    enough = whole.count >= policy.logs.usage.minimum_requests
    return case.warned(said, said) if enough and share > limits.warning else case.passed(said, said)


def _slow(source: LogFile, endpoint: str, one: Requests, policy: Policy) -> Finding:
    level = policy.thresholds["response_time"]
    warning, p95 = level.warning.above, percentile(one.ms, P95) or 0.0
    case = _case(
        "slowest endpoints",
        f"95 % of requests within {figure(warning, 'ms')}",
        "See what the database did meanwhile (DM-06), and whether it is slow every day (log.request.p95).",
        f"{source.name}: {endpoint}",
    )
    said = f"95 % of {one.count:,} requests to {endpoint} took at most {figure(p95, 'ms')}"
    return case.warned(figure(p95, "ms"), said) if p95 > warning else case.passed(figure(p95, "ms"), said)


def _fresh(source: LogFile, of: Day, policy: Policy) -> Iterator[Finding]:
    since, name = of.known_since.get(source.name), "errors never seen before"
    if since is None or (of.day - since).days < KNOWN_FOR:
        known = 0 if since is None else max(0, (of.day - since).days)
        why = f"{source.name} is known for {known} days; what is new is told from {KNOWN_FOR} on."
        yield Finding(PROCEDURE, name, Status.NOT_APPLICABLE, "a history", f"{known} days", why, source.name)
        return
    levels = policy.logs.errors.get(source.form, ())
    fresh = [one for one in of.met if one.source == source.name and one.first_day == of.day and one.level in levels]
    case = _case(name, "none", "Look at the error that is new today.", source.name)
    named = "; ".join(f"{one.count:,} x {one.level} {one.text}" for one in _most(fresh)[: policy.logs.trends.named])
    if fresh:
        yield case.warned(f"{len(fresh)}", f"{len(fresh)} errors were never seen before: {named}")
    else:
        yield case.passed("none", f"every error of {source.name} was seen before, or there was none")


def _most(met: Sequence[Met]) -> list[Met]:
    return sorted(met, key=lambda one: (-one.count, one.text))


# Which marks belong to which procedure, and where the manual asks for it.
ABOUT = {"LM-03": ("performance", "L366"), "LM-05": ("security", "L368")}


def marks(procedure: str, source: LogFile, tally: LogDay, policy: Policy, days: int = 1) -> Iterator[Finding]:
    """One finding for each mark of the log's form; over its ``most`` a day (strictly) it warns."""
    about, manual = ABOUT[procedure]
    for mark in policy.logs.marks:
        if mark.form != source.form or mark.about != about:
            continue
        one, most = tally.marks.get(mark.name, Marked()), None if mark.most is None else mark.most * days
        expected = "counted" if most is None else f"at most {most:,}"
        action = f"Read the lines of {source.name} themselves on their host."
        case = Case(procedure, mark.name, expected, Severity.P3, action, manual, source.name)
        said = f"{one.count:,} lines of {source.name}: {mark.name}{_summed(one)}"
        over = most is not None and one.count > most
        yield case.warned(f"{one.count:,}", said) if over else case.passed(f"{one.count:,}", said)


def _summed(one: Marked) -> str:
    parts = []
    if one.ms:
        parts.append(f"{figure(one.ms, 'ms')} in all, {figure(one.most_ms, 'ms')} at most")
    if one.bytes:
        parts.append(figure(one.bytes, "bytes"))
    return f" ({', '.join(parts)})" if parts else ""
