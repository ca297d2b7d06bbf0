"""WM-02 (manual L93-L94): which indexes are worth a rebuild, which are not and why (D01, D03)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from clo_ops.findings import Finding, Severity, Status
from clo_ops.findings.plans import Effect, Outcome, Step
from clo_ops.findings.upkeep import Attempt, IndexSnapshot, IndexState
from clo_ops.policy.upkeep import Bloat, Indexes, Large
from clo_ops.rules.bloat import Air, air
from clo_ops.rules.figures import age, figure
from clo_ops.rules.verdicts import Case

PROCEDURE = "WM-02"
MANUAL = "L93-L94"
BY_OWNER = "Have its owner rebuild it with REINDEX INDEX CONCURRENTLY, or give our role the right (docs/indexes.md)."
MEASURE = "Install pgstattuple in the database, or let the reader's role read the columns (docs/indexes.md)."
NAMED = 10
BACKED_OFF, WAITS = "not tried again yet", "it waits for a window of which the users are told"

WITHOUT_REBUILD = {
    "partitioned": "it has no pages of its own; its partitions' indexes are looked at one by one",
    "exclusion": "PostgreSQL cannot rebuild the index of an exclusion constraint beside its use",
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """An index over the policy's size. ``air`` is None where it could not be told; ``why_not`` is empty where it is
    to be rebuilt, else the reason why it is not; ``wanted``: it would be, were it possible.
    """

    index: IndexState
    air: Air | None
    why: str = ""
    why_not: str = ""
    wanted: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What earlier runs know: the fewest bytes per row of each index, our rebuilds, and the indexes that the last run
    left over. ``at`` is the run's time; ``large_now``: it is in a window in which large ones are rebuilt.
    """

    at: datetime
    best: Mapping[str, float]
    attempts: Sequence[Attempt] = ()
    left_over: Collection[str] = ()
    large_now: bool = True


@dataclass(frozen=True, slots=True)
class Choice:
    rebuild: tuple[Candidate, ...]
    others: tuple[Candidate, ...]

    @property
    def impossible(self) -> tuple[Candidate, ...]:
        """Bloated, and nothing we may rebuild."""
        return tuple(one for one in self.others if one.wanted)

    @property
    def unmeasured(self) -> tuple[Candidate, ...]:
        return tuple(one for one in self.others if one.air is None and not one.wanted)


def choose(snapshot: IndexSnapshot, terms: Indexes, known: Known) -> Choice:
    """Candidates by what a rebuild would give back, the largest gain first; at most ``at_most`` of them.

    What the last run left over comes before all others: else it might be ``at_most`` larger ones' turn for ever.
    """
    looked = [
        _at_its_time(candidate(snapshot, one, terms.bloat, known), terms.large, known)
        for one in snapshot.indexes
        if one.valid and one.kind != "partitioned" and one.bytes > terms.bloat.minimum_size
    ]
    wanted = [one for one in looked if not one.why_not]
    wanted.sort(key=lambda one: (one.index.full_name not in known.left_over, -_gain(one)))
    now, later = wanted[: terms.at_most], wanted[terms.at_most :]
    left = [
        Candidate(one.index, one.air, one.why, f"more than {terms.at_most} are due in this run; it is {place} in line")
        for place, one in enumerate(later, start=terms.at_most + 1)
    ]
    return Choice(tuple(now), tuple([one for one in looked if one.why_not] + left))


def _at_its_time(one: Candidate, large: Large, known: Known) -> Candidate:
    """What a large rebuild writes is felt by whoever commits beside it."""
    if one.why_not or known.large_now or one.index.bytes <= large.over:
        return one
    over = figure(large.over, "bytes")
    return replace(one, why_not=f"{WAITS} ({', '.join(large.windows)}): it is larger than {over}")


def _gain(one: Candidate) -> int:
    return one.air.bytes if one.air else 0


def candidate(snapshot: IndexSnapshot, index: IndexState, terms: Bloat, known: Known) -> Candidate:
    """One index judged; asked again just before it is rebuilt, when its table was analysed."""
    found = air(snapshot, index, known.best)
    if found is None:
        return Candidate(
            index, None, why_not="its bloat cannot be told yet; its size for each row is noted from now on"
        )
    said = f"{found.share:.0f} % of its {figure(index.bytes, 'bytes')} is air ({found.how}: {found.said})"
    if found.share <= terms.share:
        return Candidate(index, found, said, f"{said}, within {terms.share:g} %")
    impossible = _impossible(index)
    why_not = impossible or _backed_off(index, terms, known)
    return Candidate(index, found, f"{said}, over {terms.share:g} %", why_not, bool(impossible))


def _impossible(index: IndexState) -> str:
    if index.is_exclusion:
        return WITHOUT_REBUILD["exclusion"]
    if not index.may:
        return f"it belongs to {index.owner}, and our role is no member of that role"
    if not index.may_name:
        return f"schema {index.schema} is closed to our role: only a superuser can rebuild it"
    return ""


def _backed_off(index: IndexState, terms: Bloat, known: Known) -> str:
    """The last rebuild of ours that ended and is not longer ago than ``back_off`` won less than ``worth``."""
    mine = [one for one in known.attempts if one.index == index.full_name and one.applied and one.ended is not None]
    last = max(mine, key=lambda one: one.ended or known.at, default=None)
    if last is None or last.ended is None or not last.before or last.after is None:
        return ""
    since, won = known.at - last.ended, 100 * (last.before - last.after) / last.before
    if won >= terms.worth or since > terms.back_off:
        return ""
    return f"the rebuild {age(since)} ago won {won:.0f} %, less than {terms.worth:g} %: {BACKED_OFF}"


def best_ratios(measured: Sequence[tuple[str, float]]) -> dict[str, float]:
    """The fewest bytes per row each index was seen with."""
    best: dict[str, float] = {}
    for name, value in measured:
        if value > 0:
            best[name] = min(value, best.get(name, value))
    return best


def judge(choice: Choice) -> list[Finding]:
    """``index bloat``: of those that are bloated and not ours to rebuild, of those nobody can tell, or one pass."""
    findings = [_not_possible(one) for one in choice.impossible[:NAMED]]
    findings += [_not_told(one) for one in choice.unmeasured[:NAMED]]
    later = [one for one in choice.others if BACKED_OFF in one.why_not or WAITS in one.why_not]
    findings += [_later(one) for one in later[:NAMED]]
    if len(hidden := [*choice.impossible[NAMED:], *choice.unmeasured[NAMED:], *later[NAMED:]]) > 0:
        said = f"{len(hidden)} more indexes could not be rebuilt or measured"
        findings.append(_case("further", BY_OWNER).warned(f"{len(hidden)} more", said))
    if not findings and not choice.rebuild:
        findings.append(_sound(choice))
    return findings


def _case(subject: str, action: str) -> Case:
    return Case(
        PROCEDURE, "index bloat", "no index more air than the policy allows", Severity.P3, action, MANUAL, subject
    )


def _not_possible(one: Candidate) -> Finding:
    share = one.air.share if one.air else 0
    case = _case(one.index.full_name, BY_OWNER)
    return case.warned(f"{share:.0f} %", f"{one.index.full_name}: {one.why}; it is not rebuilt: {one.why_not}")


def _not_told(one: Candidate) -> Finding:
    """Of a B-tree somebody could tell; any other kind is compared with itself from its second look on."""
    said, size = f"{one.index.full_name}: {one.why_not}", figure(one.index.bytes, "bytes")
    case = _case(one.index.full_name, MEASURE)
    if one.index.method != "btree":
        return case.not_applicable(f"{size}, {one.index.method}", said)
    unknown = case.not_measured()
    return replace(unknown, status=Status.UNKNOWN, actual=size, message=f"{said}.")


def _later(one: Candidate) -> Finding:
    return _case(one.index.full_name, BY_OWNER).not_applicable(
        one.why, f"{one.index.full_name}: {one.why}; {one.why_not}"
    )


def _sound(choice: Choice) -> Finding:
    airy = max((one for one in choice.others if one.air), key=lambda one: one.air.share if one.air else 0, default=None)
    if airy is None or airy.air is None:
        return _case("", MEASURE).passed("none that large", "No index is large enough to be looked at")
    said = f"The most bloated of {len(choice.others)} indexes looked at is {airy.index.full_name}: {airy.why}"
    return _case("", MEASURE).passed(f"{airy.air.share:.0f} %", said)


def judge_effect(done: Sequence[tuple[Step, Effect]]) -> list[Finding]:
    """Bytes won by the rebuilds of this run, and how many won little."""
    rebuilt = [
        (step, effect) for step, effect in done if effect.outcome is Outcome.APPLIED and step.action == "reindex"
    ]
    if not rebuilt:
        return []
    before = sum(int(step.before["bytes"]) for step, _ in rebuilt)
    after = sum(int(effect.after["bytes"]) for _, effect in rebuilt)
    said = f"{len(rebuilt)} indexes were rebuilt: {figure(before, 'bytes')} before, {figure(after, 'bytes')} after"
    case = Case(PROCEDURE, "bytes won", "what was air given back", Severity.P3, BY_OWNER, MANUAL)
    return [case.passed(figure(before - after, "bytes"), said)]
