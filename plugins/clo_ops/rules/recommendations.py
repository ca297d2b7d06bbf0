"""WW-09: what to do about it - or that nothing calls for anything (manual L130-L134).

Each recommendation names the findings it stands on, the rule that fired, how sure it is and who decides. Nothing here
measures: the findings of WW-01 to WW-08 of the same run are all there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from clo_ops.findings import Finding, Severity, Status
from clo_ops.policy.capacity import Owners

PROCEDURE = "WW-09"
Kind = Literal["horizontal", "vertical", "database", "infrastructure"]
KINDS: tuple[Kind, ...] = ("horizontal", "vertical", "database", "infrastructure")
Confidence = Literal["high", "medium", "low"]
DECIDE = "Decide with its owner: do it, plan it, or write down why not; the next review shows whether it still stands."
CROSSED = ("already crossed", "expected")


@dataclass(frozen=True, slots=True)
class Recommendation:
    kind: Kind
    subject: str
    do: str
    rule: str
    confidence: Confidence
    evidence: tuple[Finding, ...]


Rule = Callable[[Sequence[Finding]], Iterator[Recommendation]]


def _warned(findings: Sequence[Finding], procedure: str, name: str = "") -> list[Finding]:
    bad = (Status.WARN, Status.FAIL)
    return [one for one in findings if one.procedure == procedure and one.status in bad and name in ("", one.name)]


def _sure(one: Finding) -> Confidence:
    """A level that is crossed is a fact; an expected one is as sure as its trend, and its dates are an interval."""
    if one.status is Status.FAIL or "already crossed" in one.labels.values():
        return "high"
    return "medium" if all(one.labels.get(f"{level}_latest") for level in ("warning",)) else "low"


def _crossing(findings: Sequence[Finding], procedure: str) -> list[Finding]:
    return [one for one in _warned(findings, procedure) if any(value in CROSSED for value in one.labels.values())]


def processors(findings: Sequence[Finding]) -> Iterator[Recommendation]:
    """CPU that follows the week's rhythm is shared among more machines; CPU that does not is looked into first."""
    for one in _crossing(findings, "WW-01"):
        rhythm = one.labels.get("worst_hour", "")
        if rhythm:
            do = f"add a machine that shares the load of {one.labels.get('host', 'the host')} round {rhythm} UTC"
            yield Recommendation(
                "horizontal", one.subject, do, "CPU over its level, with the users' hours", _sure(one), (one,)
            )
        else:
            do = f"find what keeps {one.labels.get('host', 'the host')} busy at all hours; else give it more processors"
            yield Recommendation("vertical", one.subject, do, "CPU over its level at all hours", _sure(one), (one,))


def memory(findings: Sequence[Finding]) -> Iterator[Recommendation]:
    """Memory that grows and is given back by no restart wants a look for a leak, then more memory."""
    for one in _crossing(findings, "WW-02"):
        grows = one.labels.get("verdict") == "rising"
        do = "look for a leak, and plan more memory" if grows else "give it more memory, or move a service elsewhere"
        rule = "memory over its level, and growing" if grows else "memory over its level"
        yield Recommendation("vertical", one.subject, do, rule, _sure(one), (one,))


def disks(findings: Sequence[Finding]) -> Iterator[Recommendation]:
    for one in _crossing(findings, "WW-03"):
        full = one.labels.get("full_day")
        do = f"enlarge the file system or move data away{f' before {full}, when it is full' if full else ''}"
        rule = "disk over its level within the horizon"
        yield Recommendation("infrastructure", one.subject, do, rule, _sure(one), (one,))


def network(findings: Sequence[Finding]) -> Iterator[Recommendation]:
    for one in _crossing(findings, "WW-04"):
        do = "move what can wait out of the busiest hour, then a faster link"
        yield Recommendation("infrastructure", one.subject, do, "link over its level", _sure(one), (one,))


def database(findings: Sequence[Finding]) -> Iterator[Recommendation]:
    for one in _warned(findings, "WW-06", "slower statements"):
        do = "compare its plan with last week's; an index or fresh statistics usually bring it back"
        yield Recommendation("database", one.subject, do, "a statement became slower", "high", (one,))
    for one in _warned(findings, "WW-06", "sequential scans"):
        do = f"see whether an index serves who reads {one.subject}"
        yield Recommendation("database", one.subject, do, "a large table read from end to end", "medium", (one,))
    spare = [*_warned(findings, "WW-06", "unused indexes"), *_warned(findings, "WW-06", "duplicate indexes")]
    if spare:
        do = "ask the developers, then drop them in a monthly window"
        rule = "indexes nobody uses, or that are there twice"
        yield Recommendation(
            "database", f"{len(spare)} index{'' if len(spare) == 1 else 'es'}", do, rule, "medium", tuple(spare)
        )
    for one in (one for one in _crossing(findings, "WW-07") if one.labels.get("metric", "").startswith("postgresql")):
        do = "raise shared_buffers, or find who reads past the cache"
        yield Recommendation("database", one.subject, do, "PostgreSQL's cache misses too often", _sure(one), (one,))


def cache(findings: Sequence[Finding]) -> Iterator[Recommendation]:
    for one in (one for one in _crossing(findings, "WW-07") if one.labels.get("metric", "").startswith("redis")):
        do = "look at evictions and lifetimes; more memory for Redis if it evicts what is asked for"
        yield Recommendation("vertical", one.subject, do, "Redis' cache misses too often", _sure(one), (one,))


RULES: tuple[Rule, ...] = (processors, memory, disks, network, database, cache)


def recommend(findings: Sequence[Finding]) -> list[Recommendation]:
    """By kind, in the manual's order."""
    found = [one for rule in RULES for one in rule(findings)]
    return sorted(found, key=lambda one: KINDS.index(one.kind))


def judge(findings: Sequence[Finding], owners: Owners, wanted: Sequence[str] = ()) -> list[Finding]:
    """A warning (P4) for each recommendation, or a pass that says so; unknown where something was not looked at.

    Of each procedure ``wanted`` there must be a finding: a task that never began has looked at nothing.
    """
    found, spoke = recommend(findings), {one.procedure for one in findings}
    silent = {one.procedure for one in findings if one.status is Status.UNKNOWN} | (set(wanted) - spoke)
    unseen = sorted(silent)
    judged = [_finding(one, owners) for one in found] or [_none(findings, unseen)]
    return [*judged, _blind(unseen)] if unseen else judged


def _finding(one: Recommendation, owners: Owners) -> Finding:
    owner = getattr(owners, one.kind).replace("_", " ")
    stands_on = "; ".join(f"{proof.procedure} {proof.actual}" for proof in one.evidence[:3])
    return Finding(
        procedure=PROCEDURE,
        name=f"{one.kind} recommendation: {one.rule}",
        subject=one.subject,
        status=Status.WARN,
        severity=Severity.P4,
        expected="no call for more room",
        actual=f"{one.do} ({one.confidence} confidence)",
        message=f"{one.subject}: {one.do}. Evidence: {stands_on}. Rule: {one.rule}. Confidence: {one.confidence}. "
        f"Owner: {owner}.",
        first_action=DECIDE,
        labels={"kind": one.kind, "rule": one.rule, "confidence": one.confidence, "owner": owner}
        | {f"evidence_{number}": f"{proof.procedure} {proof.subject}" for number, proof in enumerate(one.evidence, 1)},
    )


def _none(findings: Sequence[Finding], unseen: Sequence[str]) -> Finding:
    judged = sum(one.status is Status.PASS for one in findings)
    but = f"; not looked at: {', '.join(unseen)}" if unseen else ""
    return Finding(
        procedure=PROCEDURE,
        name="no recommendation",
        status=Status.PASS,
        expected="a recommendation only where something calls for one",
        actual="none",
        message=f"Nothing calls for more machines, memory, disk or work on the database: {judged} findings pass{but}.",
    )


def _blind(unseen: Sequence[str]) -> Finding:
    return Finding(
        procedure=PROCEDURE,
        name="not looked at",
        status=Status.UNKNOWN,
        severity=Severity.P3,
        expected="an answer from WW-01 to WW-08",
        actual=", ".join(unseen),
        message=f"{', '.join(unseen)} could not look at everything: what is recommended, or not, says nothing of that.",
        first_action="Follow the first action of the procedures named, and clear them and this task.",
    )
