"""WM-02: indexes nobody uses, indexes that are there twice, indexes that are the beginning of another. Reported only.

Dropping an index is a change of the schema, a person's decision: a year-end report may need what nobody used since.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from clo_ops.findings import Finding, Severity
from clo_ops.findings.upkeep import IndexSnapshot, IndexState, ServerState
from clo_ops.policy.upkeep import Unused
from clo_ops.rules.figures import age, figure
from clo_ops.rules.verdicts import Case

PROCEDURE = "WM-02"
MANUAL = "L93-L94"
DROP = "Ask the application's developers; what nobody needs is dropped in a monthly window, and kept as a statement."
NAMED = 10


def judge(snapshot: IndexSnapshot, terms: Unused, *, at: datetime) -> list[Finding]:
    """``unused indexes`` and ``duplicate indexes``: a warning for each, or one pass."""
    ordinary = [one for one in snapshot.indexes if one.valid and one.kind == "index"]
    return [*_unused(snapshot.server, ordinary, terms, at), *_duplicates(ordinary)]


def _unused_case(terms: Unused, subject: str = "") -> Case:
    expected = f"every index over {figure(terms.minimum_size, 'bytes')} used within {age(terms.counted_for)}"
    return Case(PROCEDURE, "unused indexes", expected, Severity.P4, DROP, MANUAL, subject)


def _unused(server: ServerState, indexes: Sequence[IndexState], terms: Unused, at: datetime) -> Iterator[Finding]:
    case, counted = _unused_case(terms), at - server.counted_since
    since = f"counted for {age(counted)}" + ("" if server.since_is_known else ", since the server's start, at least")
    if counted < terms.counted_for:
        yield case.not_applicable("counted too short", f"Use of indexes is {since}: too short to say who is not used")
        return
    idle = [one for one in indexes if _is_idle(one, terms)]
    for one in idle[:NAMED]:
        own = _unused_case(terms, one.full_name)
        said = f"{_named(one)} was never used{_elsewhere(server)}; {since}"
        yield own.warned("0 scans", said, Severity.P4)
    if len(idle) > NAMED:
        rest = f"{len(idle) - NAMED} more"
        yield _unused_case(terms, "further").warned(rest, f"{rest} indexes were never used", Severity.P4)
    if not idle:
        yield case.passed("all used", f"Every index over {figure(terms.minimum_size, 'bytes')} was used; {since}")


def _named(one: IndexState) -> str:
    return f"{one.full_name} ({figure(one.bytes, 'bytes')}, on {one.table})"


def _is_idle(one: IndexState, terms: Unused) -> bool:
    """What keeps a promise (uniqueness, a key, an exclusion, replication's identity) is used whoever reads it."""
    promise = one.is_unique or one.constraint_type or one.is_exclusion or one.replica_identity or one.uses
    return one.scans == 0 and one.last_scan is None and one.bytes > terms.minimum_size and not promise


def _elsewhere(server: ServerState) -> str:
    if server.in_recovery:
        return " on this standby (the primary counts its own)"
    return f" here; {server.standbys} standbys count their own" if server.standbys else ""


def _duplicate_case(subject: str = "") -> Case:
    expected = "no index that another one makes superfluous"
    return Case(PROCEDURE, "duplicate indexes", expected, Severity.P4, DROP, MANUAL, subject)


def _duplicates(indexes: Sequence[IndexState]) -> Iterator[Finding]:
    found = [(one, other) for one in indexes if (other := _instead(one, indexes))]
    for one, other in found[:NAMED]:
        how = "is the same as" if _same(one, other) else "is the beginning of"
        said = f"{_named(one)}, used {one.scans:,} times, {how} {other.full_name}"
        yield _duplicate_case(one.full_name).warned(other.full_name, said, Severity.P4)
    if len(found) > NAMED:
        rest = f"{len(found) - NAMED} more"
        yield _duplicate_case("further").warned(rest, f"{rest} indexes are superfluous", Severity.P4)
    if not found:
        yield _duplicate_case().passed("none", f"None of {len(indexes)} indexes makes another one superfluous")


def _instead(one: IndexState, indexes: Sequence[IndexState]) -> IndexState | None:
    """The index that can do all ``one`` does; of two that are the same the one that keeps a promise stays, then the
    first by name. An index of a partition goes with its partitioned index and is not judged by itself.
    """
    if one.constraint_type or one.replica_identity or one.uses or one.is_exclusion or one.of_partition or one.clustered:
        return None
    others = [other for other in indexes if other.oid != one.oid and other.table == one.table]
    better = [other for other in others if _does_all_of(other, one)]
    return next((other for other in better if not _same(other, one) or _stays(other, one)), None)


def _stays(other: IndexState, one: IndexState) -> bool:
    mine, theirs = [(not x.constraint_type, not x.is_unique, x.full_name) for x in (one, other)]
    return theirs < mine


def _does_all_of(other: IndexState, one: IndexState) -> bool:
    if other.method != one.method or other.predicate != one.predicate:
        return False
    if one.is_unique:
        return other.is_unique and other.nulls_apart == one.nulls_apart and _same(other, one)
    if one.method != "btree":
        return _same(other, one)
    return other.parts[: len(one.parts)] == one.parts and set(one.included) <= {*other.included, *_names(other)}


def _names(index: IndexState) -> set[str]:
    """Columns of the key as they would stand among the included ones: without class, collation and order."""
    return {part.rsplit(" ", 3)[0] for part in index.parts}


def _same(other: IndexState, one: IndexState) -> bool:
    """The same key; one of them may be unique or carry the same columns in another order."""
    same_key = other.parts == one.parts and other.predicate == one.predicate and other.method == one.method
    return same_key and set(other.included) == set(one.included)
