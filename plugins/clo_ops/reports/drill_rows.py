"""The rows of the drill's report, as values: parts, proofs, tables, invariants."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from clo_ops.findings import Finding, Measurement, Status

# What a drill's findings may be recorded under: the monthly drill's procedures, and the weekly restore test's one.
PROCEDURES = tuple(f"M3-0{number}" for number in range(1, 9))
WEEKLY = "ED-05"
SELF_TEST = "self-test"
REPORT = "M3-07"
PARTS = {
    "M3-01": "Guard and environment",
    "M3-02": "Restore",
    "M3-03": "Contents and meaning",
    "M3-04": "Failover",
    "M3-05": "Synchronisation",
    "M3-06": "Application",
    REPORT: "Recovery times",
    "M3-08": "Clean-up",
    SELF_TEST: "Self-test",
}
PHASES = (
    "environment",
    "roles",
    "restore",
    "analyze",
    "contents",
    "integrity",
    "standby",
    "promote",
    "application",
    "clean_up",
)
# The phases that stand between the decision to recover and a database that may be used again (D64).
TOWARDS_RTO = frozenset({"environment", "roles", "restore", "analyze", "contents", "integrity", "application"})
OWN_FILES = ("drill-report", "drill-evidence")


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a table of the report: what, whether it held (None: not judged), and the words that go with it."""

    name: str
    ok: bool | None
    said: str
    aspect: str = ""
    value: float = 0.0


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the drill: its worst status and its findings, worst first."""

    id: str
    title: str
    status: Status
    findings: tuple[Finding, ...]

    @property
    def says(self) -> str:
        """The finding that speaks for the part; where all passed, how many did."""
        if not self.findings:
            return "nothing on record: nobody looked"
        if self.status is Status.PASS and len(self.findings) > 1:
            return f"{sum(one.status is Status.PASS for one in self.findings)} checks passed"
        return self.findings[0].message


@dataclass(frozen=True, slots=True)
class Invariant:
    """One invariant on the restored copy. ``expected`` is what was recorded at backup time, None: nothing was."""

    id: str
    suite: str
    severity: str
    violations: int
    expected: int | None
    keys: str
    before: int | None = None

    @property
    def change(self) -> str:
        """Against the drill before this one."""
        if self.before is None:
            return "first time" if self.violations else ""
        if self.violations:
            return "still broken" if self.before else "newly broken"
        return "fixed" if self.before else ""

    @property
    def as_recorded(self) -> bool:
        return self.expected is None or self.expected == self.violations

    @property
    def worth_telling(self) -> bool:
        return bool(self.violations or self.change or not self.as_recorded)


@dataclass(frozen=True, slots=True)
class Table:
    """One table, restored against backed up; None where it was not compared."""

    name: str
    rows: float | None
    same_rows: bool | None
    same_contents: bool | None
    said: str


# What is said of the database as a whole, in the report's order.
OF_THE_WHOLE = (
    ("contents.schema.matches", "schema", "schema as recorded"),
    ("contents.canary.matches", "canary of this backup", "canary of this backup"),
    ("contents.sequence.behind", "sequence {sequence}", "sequences beyond their tables"),
    ("contents.index.sound", "{index}", "indexes and tables sound (amcheck)"),
)
FAILOVER = (
    ("failover.lag", "lag when writing began"),
    ("failover.marker.committed", "markers acknowledged"),
    ("failover.marker.found", "markers found on the promoted standby"),
    ("failover.promote.duration", "time to promote"),
    ("failover.writable", "takes writes"),
    ("replication.lag", "production's own replication, only looked at"),
)


def filled(words: str, labels: Mapping[str, str]) -> str:
    """The label's value where the words want it; an amcheck measurement names an index or a table."""
    if "{index}" in words:
        return ", ".join(f"{key} {value}" for key, value in labels.items())
    return words.format_map(defaultdict(str, labels))


def table_of(name: str, rows: float | None, compared: Mapping[str, Measurement]) -> Table:
    same = {aspect: bool(one.value) for aspect, one in compared.items()}
    said = "; ".join(f"{aspect}: {one.detail}" for aspect, one in compared.items() if one.detail and not one.value)
    return Table(name, rows, same.get("rows"), same.get("fingerprint"), said)
