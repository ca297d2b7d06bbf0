"""What a vulnerability database says of one package, and which of it speaks against the system (M1-05, manual L169).

The database speaks the OSV format (ossf.github.io/osv-schema). One flaw often has several entries there (an adviser's,
the ecosystem's, a CVE number): those that name each other are one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clo_ops.findings.performed import NOT_ASKED, Judged, Row, Violation
from clo_ops.rules import cvss

UNRATED = "unrated"
WORDS = {"CRITICAL": "critical", "HIGH": "high", "MODERATE": "medium", "MEDIUM": "medium", "LOW": "low"}
ORDER = ("critical", "high", UNRATED, "medium", "low", "none")


@dataclass(frozen=True, slots=True)
class Flaw:
    """One flaw of one package. ``fixed_in`` is the lowest fixed version above the installed one, or ""."""

    ids: tuple[str, ...]
    rating: str
    fixed_in: str
    summary: str


def flaws(entries: Sequence[Mapping[str, Any]], package: str, version: str) -> list[Flaw]:
    """Entries of the database about this version of the package, the same flaw once; what was withdrawn is none."""
    groups: list[tuple[set[str], list[Mapping[str, Any]]]] = []
    for entry in (one for one in entries if not one.get("withdrawn")):
        names, members = {str(entry["id"]), *map(str, entry.get("aliases", ()))}, [entry]
        for known in [one for one in groups if one[0] & names]:
            groups.remove(known)
            names, members = names | known[0], known[1] + members
        groups.append((names, members))
    return [_flaw(names, members, package, version) for names, members in groups]


def _flaw(names: set[str], members: Sequence[Mapping[str, Any]], package: str, version: str) -> Flaw:
    ratings = sorted(map(rating_of, members), key=ORDER.index)
    rated = [one for one in ratings if one != UNRATED]
    fixes = sorted({fix for one in members for fix in _fixes(one, package) if _after(fix, version)}, key=_numbers)
    summary = next((str(one["summary"]) for one in members if one.get("summary")), "")
    return Flaw(tuple(sorted(names)), rated[0] if rated else UNRATED, fixes[0] if fixes else "", summary[:200])


def rating_of(entry: Mapping[str, Any]) -> str:
    """By the database's own word, else by the score of its CVSS 3 vector; "unrated" where it has neither."""
    own = [entry, *entry.get("affected", ())]
    words = [str((one.get("database_specific") or {}).get("severity", "")).upper() for one in own]
    if found := next((WORDS[word] for word in words if word in WORDS), None):
        return found
    vectors = [str(one.get("score", "")) for whose in own for one in whose.get("severity") or ()]
    scores = [score for vector in vectors if (score := cvss.base_score(vector)) is not None]
    return cvss.rating(max(scores)) if scores else UNRATED


def _fixes(entry: Mapping[str, Any], package: str) -> Iterable[str]:
    for affected in entry.get("affected", ()):
        if normal(str((affected.get("package") or {}).get("name", ""))) == normal(package):
            for span in affected.get("ranges", ()):
                if span.get("type") != "GIT":
                    yield from (str(event["fixed"]) for event in span.get("events", ()) if "fixed" in event)


def normal(name: str) -> str:
    """A Python package's name as the index has it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.split("+", maxsplit=1)[0]))


def _after(one: str, other: str) -> bool:
    return _numbers(one) > _numbers(other)


def judge(rows: Sequence[Row], parameters: Mapping[str, Any]) -> Judged:
    """Each flaw with one of ``ratings``. Rows are packages; one with several flaws has several rows."""
    wanted = parameters["ratings"]
    packages = {(row["where"], row["package"]) for row in rows if row["rating"] != NOT_ASKED}
    lost = tuple(Violation(row["where"], row["summary"]) for row in rows if row["rating"] == NOT_ASKED)
    broken = tuple(_violation(row) for row in rows if row["id"] and row["rating"] in wanted)
    return Judged(len(packages), broken, not_asked=lost)


def _violation(row: Row) -> Violation:
    where = f"{row['where']}: " if row["where"] else ""
    fix = f"fixed in {row['fixed_in']}" if row["fixed_in"] else "no fixed version yet"
    return Violation(f"{where}{row['package']} {row['version']} {row['id']}", f"{row['rating']}; {fix}")
