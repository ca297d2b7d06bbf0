"""What differed from the drill before: in words, the important first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from clo_ops.reports.drill_facts import DrillFacts
from clo_ops.reports.drill_rows import Invariant
from clo_ops.rules.figures import duration, figure

# A phase a quarter longer or shorter than last time is worth a line; under two seconds it is the machine's breathing.
PHASE_SHARE = 0.25
PHASE_SECONDS = 2.0
NAMED = 8
COMPARED = ("place", "server.version", "server.image", "backup.server_version", "backup.format", "backup.compression")


def with_before(facts: DrillFacts, earlier: DrillFacts | None) -> list[Invariant]:
    """The invariants, each with what the drill before counted."""
    known = {one.id: one.violations for one in earlier.invariants} if earlier else {}
    return [replace(one, before=known.get(one.id)) for one in facts.invariants]


def differences(facts: DrillFacts, earlier: DrillFacts | None) -> list[str]:
    """One sentence each; empty where nothing worth telling differed or there is no earlier drill."""
    if earlier is None:
        return []
    return [
        *_parts(facts, earlier),
        *_invariants(facts, earlier),
        *_facts(facts, earlier),
        *_sizes(facts, earlier),
        *_phases(facts, earlier),
        *_tables(facts, earlier),
    ]


def _parts(facts: DrillFacts, earlier: DrillFacts) -> Iterator[str]:
    was = {part.id: part.status for part in earlier.parts}
    for part in facts.parts:
        if part.id in was and was[part.id] is not part.status:
            yield f"{part.title}: {part.status.value}, last time {was[part.id].value}."
    for part_id in sorted(set(was) - {part.id for part in facts.parts}):
        yield f"{part_id} was part of the last drill and is not of this one."


def _invariants(facts: DrillFacts, earlier: DrillFacts) -> Iterator[str]:
    for one in with_before(facts, earlier):
        if one.change in {"newly broken", "fixed"}:
            yield f"{one.id} is {one.change}: {one.violations} violations, last time {one.before}."


def _facts(facts: DrillFacts, earlier: DrillFacts) -> Iterator[str]:
    for name in COMPARED:
        now, then = facts.facts.get(name), earlier.facts.get(name)
        if now and then and now != then:
            yield f"{name.replace('.', ' ').replace('_', ' ')}: {now}, last time {then}."


def _sizes(facts: DrillFacts, earlier: DrillFacts) -> Iterator[str]:
    for name, words in (("drill.backup.size", "the backup"), ("drill.database.size", "the database")):
        now, then = facts.value(name), earlier.value(name)
        if now is not None and then and abs(now - then) / then > 0.05:
            yield f"{words} is {figure(now, 'bytes')}, {now / then - 1:+.0%} against {figure(then, 'bytes')} last time."


def _phases(facts: DrillFacts, earlier: DrillFacts) -> Iterator[str]:
    was = dict(earlier.phases)
    for name, seconds in facts.phases:
        then = was.get(name)
        if then and abs(seconds - then) > max(PHASE_SECONDS, PHASE_SHARE * then):
            word = "longer" if seconds > then else "shorter"
            yield f"{name.replace('_', ' ')} took {duration(seconds)}, {word} than the {duration(then)} of last time."


def _tables(facts: DrillFacts, earlier: DrillFacts) -> Iterator[str]:
    now, then = ({line.name for line in one.lines("contents.table.rows", "table")} for one in (facts, earlier))
    if now and then:
        for names, words in ((now - then, "new"), (then - now, "gone")):
            if names:
                more = ", ..." if len(names) > NAMED else ""
                yield f"{len(names)} tables are {words}: {', '.join(sorted(names)[:NAMED])}{more}."
