"""WM-02: invalid indexes: what a rebuild of ours left, what somebody else's did, and what is being built (D03, T4, T5).

Only what we made ourselves is removed. PostgreSQL names what a rebuild makes after the index, with _ccnew or _ccold and
a number; the name alone says nothing about who. Ours is what a rebuild on our record explains: made after it was
planned and, where it came to an end, before that; on its table, after its index, and not there before. The old index
of a finished swap is known by its number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from clo_ops.findings import Finding, Severity
from clo_ops.findings.upkeep import Attempt, IndexSnapshot, IndexState, later_xid
from clo_ops.rules.verdicts import Case

LOOK = "Ask who built it. What nobody needs goes by DROP INDEX CONCURRENTLY; what is needed is built by REINDEX."
NAMED = 10
# PostgreSQL cuts the name so that the whole has 63 bytes, and numbers what is there already.
TRANSIENT = re.compile(r"^(?P<stem>.+)_(?P<kind>ccnew|ccold)(?P<number>\d*)$")
LONGEST = 63


@dataclass(frozen=True, slots=True)
class HalfBuilt:
    """``ours``: left by rebuilds of ours; ``foreign``: somebody else's or nobody's; ``building``: somebody is at it."""

    ours: tuple[IndexState, ...] = ()
    foreign: tuple[IndexState, ...] = ()
    building: tuple[IndexState, ...] = ()


def sort(snapshot: IndexSnapshot, attempts: Sequence[Attempt]) -> HalfBuilt:
    """Invalid indexes; a partitioned index that waits for its partitions' is a thing of the schema and foreign."""
    invalid = [one for one in snapshot.indexes if not one.valid]
    building = [one for one in invalid if one.building]
    rest = [one for one in invalid if not one.building]
    explained = {oid for attempt in attempts for oid in _explained(attempt, rest)}
    ours = [one for one in rest if one.oid in explained]
    return HalfBuilt(tuple(ours), tuple(one for one in rest if one.oid not in explained), tuple(building))


def judge(found: HalfBuilt) -> list[Finding]:
    """``invalid indexes``: a warning for each that is not ours; ours are removed by the plan; or one pass."""
    findings = [_not_ours(one) for one in found.foreign[:NAMED]]
    if len(found.foreign) > NAMED:
        rest = f"{len(found.foreign) - NAMED} more"
        findings.append(_case("further").warned(rest, f"{rest} indexes are invalid"))
    if not found.foreign:
        ours, building = len(found.ours), len(found.building)
        said = f"No index is invalid but for {ours} that rebuilds of ours left and {building} being built now"
        findings.append(_case().passed("none" if not ours + building else f"{ours} ours, {building} being built", said))
    return findings


def _case(subject: str = "") -> Case:
    expected = "no invalid index but what is being built"
    return Case("WM-02", "invalid indexes", expected, Severity.P3, LOOK, "L93-L94", subject)


def _not_ours(one: IndexState) -> Finding:
    writes = "every write to the table still keeps it up" if one.ready else "nothing keeps it up"
    said = f"{one.full_name} on {one.table} is invalid and not from a rebuild of ours: {writes}, no query reads it"
    promise = "; it is unique, and keeps nothing unique" if one.is_unique and not one.ready else ""
    return _case(one.full_name).warned(f"{one.bytes:,} bytes", said + promise)


def _explained(attempt: Attempt, invalid: Sequence[IndexState]) -> set[int]:
    """At most two: the old index after the swap, and the first new one that was made: a rebuild makes one."""
    here = [one for one in invalid if one.table == attempt.table]
    old = {one.oid for one in here if one.oid == attempt.oid and _kind(one) == "ccold"}
    new = [one for one in here if _kind(one) == "ccnew" and _after(one, attempt.index) and _in_time(one, attempt)]
    first = min(new, key=lambda one: (one.made_by - attempt.xid) % 2**32, default=None)
    return old | ({first.oid} if first else set())


def _kind(index: IndexState) -> str:
    match = TRANSIENT.match(index.name)
    return match["kind"] if match else ""


def _after(index: IndexState, name: str) -> bool:
    """Whether PostgreSQL would have named it after ``name``; long names are cut to make room for the ending."""
    match, (schema, _, stem) = TRANSIENT.match(index.name), name.partition(".")
    if match is None or index.schema != schema:
        return False
    cut = len(index.name.encode()) >= LONGEST - 3  # a character of several bytes is never cut in two
    return match["stem"] == stem or (cut and stem.startswith(match["stem"]))


def _in_time(index: IndexState, attempt: Attempt) -> bool:
    if index.oid in attempt.others or not later_xid(index.made_by, attempt.xid):
        return False
    return attempt.xid_after is None or later_xid(attempt.xid_after, index.made_by)
