"""DM-07: the morning baseline is on the record, once a day, and whole.

Manual: Morning Startup Procedures, Performance Baseline (L23).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Protocol

from clo_ops.findings import Answer, Finding, Measurement, Severity, Status, unanswered_findings
from clo_ops.policy.morning import Baseline, BaselineMetric
from clo_ops.rules.figures import figure, moment
from clo_ops.rules.series import title

PROCEDURE = "DM-07"
# Nothing of the customer's is broken by a gap, but DM-08 and DM-09 go blind: the manual's low priority (D35).
SEVERITY = Severity.P3
LOOK = "See in the task's log which probe got no answer, mend that, and clear the task: what is recorded stays."
MEND = "Compare the task's evidence with the ledger's table baselines and its server's log; then clear the task."
SHOWN_AT_MOST = 4
# A listed metric and what shows that there was nothing to make it of: jobs that took time, reads that could hit.
WITNESSES = {
    "clo.calculation.duration": ("clo.calculation.completed", "no calculation was completed in the window"),
    "clo.report.duration": ("clo.report.completed", "no report was completed in the window"),
    "redis.cache.hit_ratio": ("redis.cache.reads", "nothing was read from the cache yet"),
}


class Result(Protocol):
    """What the ledger did: how many series it put down now, and how many had their value of today already."""

    @property
    def inserted(self) -> int: ...
    @property
    def kept(self) -> int: ...


def listed(measurements: Iterable[Measurement], policy: Baseline) -> tuple[Measurement, ...]:
    """Those measurements the policy wants on the morning record, in their order."""
    return tuple(one for one in measurements if any(_is_of(one, metric) for metric in policy.metrics))


def witnesses(measurements: Iterable[Measurement]) -> tuple[Measurement, ...]:
    """Those that belong to no baseline, and tell why one of its metrics has no figure."""
    names = {name for name, _ in WITNESSES.values()}
    return tuple(one for one in measurements if one.name in names)


def _is_of(one: Measurement, metric: BaselineMetric) -> bool:
    return (one.name, one.unit) == (metric.metric, metric.unit) and _bears(one, metric)


def _bears(one: Measurement, metric: BaselineMetric) -> bool:
    return all(one.labels.get(label) == value for label, value in metric.labels.items())


def judge(answer: Answer, result: Result, policy: Baseline, *, recorded: Sequence[Measurement]) -> list[Finding]:
    """Each metric of the policy: recorded today, missing (unknown), or measured and yet not on record as it is (fail).

    ``recorded`` is what stands in the ledger for the day once this run has written: a repeat is judged by what the
    first run put down, not by what it measured itself. A duration has no figure where nothing was completed, as
    ``answer`` then witnesses; that is said (not_applicable), for nobody failed to answer.
    """
    findings = unanswered_findings(PROCEDURE, answer, SEVERITY, LOOK)
    findings.append(_on_record(result, recorded, policy))
    return findings + [_judge_metric(metric, recorded, answer) for metric in policy.metrics]


def _on_record(result: Result, recorded: Sequence[Measurement], policy: Baseline) -> Finding:
    there = {(metric.metric, *metric.labels.items()) for metric in policy.metrics if _series(metric, recorded)}
    expected = f"{len(policy.metrics)} metrics, recorded once today"
    actual = f"{len(there)} metrics in {len(recorded)} series; {result.inserted} recorded now, {result.kept} kept"
    if not recorded:
        return _finding("morning baseline", Status.UNKNOWN, expected, "nothing recorded", "Nothing was recorded today.")
    first = moment(min(one.at for one in recorded))
    told = f"First recorded at {first}: {actual}."
    if result.kept:
        told += " What was recorded first stays; this run's own values of the same series were not."
    return _finding("morning baseline", Status.PASS, expected, actual, told)


def _series(metric: BaselineMetric, recorded: Iterable[Measurement]) -> list[Measurement]:
    return [one for one in recorded if _is_of(one, metric)]


def _judge_metric(metric: BaselineMetric, recorded: Sequence[Measurement], answer: Answer) -> Finding:
    name, expected = title(metric.metric, metric.labels), f"a figure of today in {metric.unit}"
    found = _series(metric, recorded)
    wrong = _wrong(metric, found, answer)
    if wrong:
        told = f"{name} is not on today's record as it was measured: {wrong}."
        return _finding("recorded", Status.FAIL, expected, wrong, told, subject=name)
    if found:
        shown = ", ".join(_shown(one) for one in found[:SHOWN_AT_MOST])
        rest = f" and {len(found) - SHOWN_AT_MOST} more" if len(found) > SHOWN_AT_MOST else ""
        return _finding("recorded", Status.PASS, expected, shown + rest, f"{name}: {shown}{rest}.", subject=name)
    why = _nothing_to_measure(metric, answer)
    if why:
        told = f"{name} has no figure today: {why}."
        return _finding("recorded", Status.NOT_APPLICABLE, expected, why, told, subject=name)
    told = f"{name} is missing from today's baseline: no figure in {metric.unit} was measured."
    return _finding("recorded", Status.UNKNOWN, expected, "missing", told, subject=name)


def _wrong(metric: BaselineMetric, found: Sequence[Measurement], answer: Answer) -> str:
    """What DM-08 and DM-09 would otherwise compare with: a lost write, another unit, a figure that cannot be."""
    there = {frozenset(one.labels.items()) for one in found}
    lost = [one for one in _series(metric, answer.measurements) if frozenset(one.labels.items()) not in there]
    if lost:
        return f"{_shown(lost[0])} was measured and the ledger did not keep it"
    units = {one.unit for one in answer.measurements if one.name == metric.metric and _bears(one, metric)}
    if not found and units:
        return f"it came in {', '.join(sorted(units))}"
    impossible = [one for one in found if not _possible(one)]
    return f"{_shown(impossible[0])} cannot be" if impossible else ""


def _possible(one: Measurement) -> bool:
    """No count, size, time or share is below 0, no share above 100 %."""
    return 0 <= float(one.value) <= (100 if one.unit == "percent" else math.inf)


def _nothing_to_measure(metric: BaselineMetric, answer: Answer) -> str:
    witness, why = WITNESSES.get(metric.metric, ("", ""))
    return why if witness and answer.value(witness) == 0 else ""


def _shown(one: Measurement) -> str:
    labels = " ".join(one.labels.values())
    return f"{labels} {figure(one.value, one.unit)}".strip()


def _finding(name: str, status: Status, expected: str, actual: str, message: str, *, subject: str = "") -> Finding:
    bad = status in (Status.UNKNOWN, Status.FAIL)
    return Finding(
        procedure=PROCEDURE,
        name=name,
        subject=subject,
        status=status,
        severity=SEVERITY if bad else None,
        expected=expected,
        actual=actual,
        message=message,
        first_action=MEND if status is Status.FAIL else LOOK if bad else "",
    )
