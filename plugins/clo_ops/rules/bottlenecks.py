"""What held the system up in a month, worst first (M2-02; manual L185): statements, endpoints, resources, wait events.

They are made comparable by one question: for which share of the time that was looked at? A resource or an endpoint by
the time its samples were above their warning level, a wait event by how many sessions waited for it on average, a
statement by how many sessions it kept busy on average. Two sessions at once are 200 %.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from clo_ops.findings import Finding, Severity, Status
from clo_ops.rules.figures import age, figure, number
from clo_ops.rules.series import title
from clo_ops.rules.waits import CPU, Waits

if TYPE_CHECKING:
    from clo_ops.findings.roll_ups import RollUp
    from clo_ops.policy.performance import Bottlenecks
    from clo_ops.rules.statement_weeks import Ran

PROCEDURE = "M2-02"
KINDS = ("resource", "endpoint", "wait event", "statement")
ENDPOINT = "http.client.request.duration"
# Of a statement's text so much is told; its queryid finds the rest.
SHOWN = 120
HEADING = ("rank", "kind", "what", "share of the time", "seen", "looked at")
NUMERIC = frozenset({0, 3})


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """``share`` is percent of the time looked at; ``seen`` says what was seen, ``looked`` how and how often."""

    kind: str
    what: str
    share: float
    seen: str
    looked: str
    labels: Mapping[str, str] = field(default_factory=dict)


def levels(totals: Iterable[RollUp]) -> Iterator[Bottleneck]:
    """Resources and endpoints: the share of the covered time above the warning level of then."""
    for one in totals:
        if one.above_warning is None or not one.covered:
            continue
        critical = f", {age(one.above_critical)} above critical" if one.above_critical else ""
        level = "" if one.warning_level is None else f" {figure(one.warning_level, one.unit)}"
        yield Bottleneck(
            "endpoint" if one.metric == ENDPOINT else "resource",
            title(one.metric, one.labels),
            100 * (one.above_warning / one.covered),
            f"{age(one.above_warning)} above warning{level}{critical}; p95 {figure(one.p95, one.unit)}",
            f"{one.count:,} samples, {age(one.covered)} covered",
            {**one.labels, "metric": one.metric},
        )


def events(found: Iterable[Waits]) -> Iterator[Bottleneck]:
    """Wait events; sessions on the CPU wait for nothing and are told by the resource CPU."""
    for one in found:
        if one.event == CPU:
            continue
        seen = f"{number(one.sessions)} sessions waiting on average, in {one.seen:,} of {one.looks:,} looks"
        looked, labels = f"{one.looks:,} looks", {"event": one.event}
        yield Bottleneck("wait event", one.event, 100 * one.sessions, seen, looked, labels)


def statements(ran: Iterable[Ran], between: timedelta, snapshots: int) -> Iterator[Bottleneck]:
    """``between`` is the time from the first snapshot of the statements' counters to the last."""
    if not between:
        return
    for one in ran:
        busy = timedelta(milliseconds=one.total_ms)
        text = " ".join(one.text.split())
        yield Bottleneck(
            "statement",
            text if len(text) <= SHOWN else f"{text[:SHOWN]} ...",
            100 * (busy / between),
            f"{one.calls:,} calls, {number(one.mean)} ms each, {age(busy)} in all",
            f"{snapshots} snapshots over {age(between)}",
            {"queryid": str(one.queryid), "user": one.user, "database": one.database},
        )


def ranked(found: Iterable[Bottleneck], terms: Bottlenecks) -> list[Bottleneck]:
    """The worst first, from the policy's share on, so many as it wants."""
    worth = [one for one in found if one.share >= terms.at_least]
    return sorted(worth, key=lambda one: (-one.share, KINDS.index(one.kind), one.what))[: terms.top]


def rows(found: Sequence[Bottleneck]) -> list[tuple[str, ...]]:
    return [
        (str(rank), one.kind, one.what, f"{one.share:.2f} %", one.seen, one.looked) for rank, one in enumerate(found, 1)
    ]


def judge(
    found: Sequence[Bottleneck], silent: Mapping[str, str], terms: Bottlenecks, first_action: str
) -> list[Finding]:
    """One finding for each of the ranking, and one for each kind of which nothing was on record (``silent``: why)."""
    findings = [_finding(rank, one, terms, first_action) for rank, one in enumerate(found, 1)]
    findings += [_silent(kind, silent[kind]) for kind in KINDS if kind in silent]
    if found or len(silent) == len(KINDS):
        return findings
    looked = ", ".join(f"{kind}s" for kind in KINDS if kind not in silent)
    message = f"No bottleneck: none of the {looked} held the system up for {terms.at_least:g} % of the time."
    return [Finding(PROCEDURE, "ranking", Status.PASS, _expected(terms), "none", message), *findings]


def _expected(terms: Bottlenecks) -> str:
    return f"nothing for {terms.at_least:g} % of the time looked at"


def _finding(rank: int, one: Bottleneck, terms: Bottlenecks, first_action: str) -> Finding:
    return Finding(
        procedure=PROCEDURE,
        name=f"bottleneck {rank}",
        subject=one.what,
        status=Status.WARN,
        severity=Severity.P4 if rank > 3 else Severity.P3,
        expected=_expected(terms),
        actual=f"{one.share:.2f} %",
        message=f"{one.kind.capitalize()} {one.what} held up {one.share:.2f} % of the time: {one.seen} ({one.looked}).",
        first_action=first_action,
        labels={**one.labels, "kind of bottleneck": one.kind, "share": repr(one.share)},
    )


def _silent(kind: str, why: str) -> Finding:
    return Finding(
        procedure=PROCEDURE,
        name="not looked at",
        subject=f"{kind}s",
        status=Status.UNKNOWN,
        severity=Severity.P3,
        expected="figures of the month",
        actual="none",
        message=f"No {kind}s were looked at in this month: {why}; the ranking is without them.",
        first_action="See why nothing was put on record (BH-01, AL-07, DM-06, DM-15).",
    )
