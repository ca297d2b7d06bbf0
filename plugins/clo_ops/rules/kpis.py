"""The figures the service is measured by, each against its target, and where it is going (M2-01, RP-04, L434-L446).

A figure that nobody measures is "no source", one whose source had nothing is "no data", one that could not be asked for
is "not known": three things, and none of them a number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from clo_ops.findings import Finding, Severity, Status
from clo_ops.rules.figures import figure
from clo_ops.rules.verdicts import ms

if TYPE_CHECKING:
    from clo_ops.policy.catalogue import Kpi

SEVERITY = Severity.P3
ASK = "See why it could not be asked for (DM-01, the ledger); then clear this task."
# The best there is, from which a target that wants more leaves room.
BEST = {"percent": 100.0, "score": 5.0}


class Verdict(StrEnum):
    MET = "met"
    AT_RISK = "at risk"
    MISSED = "missed"
    LISTED = "no target"
    NO_SOURCE = "no source"
    NO_DATA = "no data"
    NOT_KNOWN = "not known"


Direction = Literal["better", "worse", "steady", "changed", "no trend"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One KPI over one period, in the KPI's unit. Without a ``value``, ``absent`` says which kind of nothing it is.

    ``of`` is what it is a figure of ("1,204 requests"), ``source`` where it can be read again, ``parts`` the figures it
    is made of or that stand beside it. ``partly`` says what was not seen of the period; empty where enough was.
    """

    value: float | None = None
    absent: Verdict = Verdict.NO_DATA
    why: str = ""
    of: str = ""
    source: str = ""
    parts: Mapping[str, float] = field(default_factory=dict)
    partly: str = ""

    @property
    def there(self) -> bool:
        return self.value is not None or bool(self.parts)


@dataclass(frozen=True, slots=True)
class Reading:
    """A KPI in the period asked for, in the one before it, and in three of them together."""

    name: str
    kpi: Kpi
    now: Figure
    before: Figure
    quarter: Figure

    @property
    def verdict(self) -> Verdict:
        return verdict(self.kpi, self.now)

    @property
    def change(self) -> float | None:
        """In the KPI's unit, from the period before; None where one of the two has no value."""
        if self.now.value is None or self.before.value is None:
            return None
        return self.now.value - self.before.value


def verdict(kpi: Kpi, now: Figure) -> Verdict:
    """Strictly beyond the target is missed, strictly beyond ``at_risk`` at risk; at the target it is as policy says."""
    if not now.there:
        return now.absent
    if kpi.target is None or now.value is None:
        return Verdict.LISTED
    beyond = _beyond(kpi, now.value, kpi.target)
    if beyond > 0 or (beyond == 0 and kpi.at_target == "missed"):
        return Verdict.MISSED
    return Verdict.AT_RISK if kpi.at_risk is not None and _beyond(kpi, now.value, kpi.at_risk) > 0 else Verdict.MET


def _beyond(kpi: Kpi, value: float, limit: float) -> float:
    """How far on the wrong side of the limit; below nought on the right one."""
    return value - limit if kpi.better == "lower" else limit - value


def direction(reading: Reading, steady: float) -> Direction:
    """``steady`` is percent of the room the target leaves; without a target, of the value before."""
    change, kpi = reading.change, reading.kpi
    if change is None or reading.before.value is None:
        return "no trend"
    if abs(change) <= steady / 100 * _room(kpi, reading.before.value):
        return "steady"
    if kpi.better == "neither":
        return "changed"
    return "better" if (change < 0) == (kpi.better == "lower") else "worse"


def _room(kpi: Kpi, before: float) -> float:
    if kpi.target is None:
        return abs(before)
    return BEST.get(kpi.unit, 2 * kpi.target) - kpi.target if kpi.better == "higher" else kpi.target


def shown(kpi: Kpi, value: float | None) -> str:
    """With so many digits that a figure does not look like the target it misses."""
    if value is None:
        return "none"
    if kpi.unit == "percent":
        return f"{value:.3f} %" if abs(value) >= 1 else f"{value:.4f} %"
    if kpi.unit == "score":
        return f"{value:.2f}"
    if kpi.unit == "ms":
        return ms(value)
    return f"{value:,.1f} s" if kpi.unit == "s" else figure(value, kpi.unit)


def told(kpi: Kpi, now: Figure) -> str:
    """The figure for a person: its value, its parts where it has no single one, or which kind of nothing it is."""
    if not now.there:
        return f"{now.absent}: {now.why}" if now.why else str(now.absent)
    if now.value is not None:
        return shown(kpi, now.value)
    return ", ".join(f"{name} {shown(kpi, value)}" for name, value in now.parts.items())


def expected(kpi: Kpi) -> str:
    """``below 100.0 ms``, ``at least 99.900 %``."""
    if kpi.target is None:
        return "told, no target"
    words = {("lower", "missed"): "below", ("lower", "met"): "at most"}
    word = words.get((kpi.better, kpi.at_target), "above" if kpi.at_target == "missed" else "at least")
    return f"{word} {shown(kpi, kpi.target)}"


def judge(
    readings: Sequence[Reading], procedure: str, steady: float, first_action: str, *, missed: Status = Status.FAIL
) -> list[Finding]:
    """One finding for each KPI. ``missed`` is what a missed target is here: red where it is judged, else a warning."""
    return [_finding(one, procedure, steady, first_action, missed) for one in readings]


def _finding(one: Reading, procedure: str, steady: float, first_action: str, missed: Status) -> Finding:
    status = _status(one, missed)
    needs = status in (Status.FAIL, Status.WARN, Status.UNKNOWN)
    return Finding(
        procedure=procedure,
        name="KPI",
        subject=one.kpi.title,
        status=status,
        severity=SEVERITY if needs else None,
        expected=expected(one.kpi),
        actual=told(one.kpi, one.now),
        message=message(one, steady),
        first_action=(ASK if status is Status.UNKNOWN else first_action) if needs else "",
        labels=labels(one, steady),
    )


def _status(one: Reading, missed: Status) -> Status:
    verdict_of = one.verdict
    # Seen in part is no green; nor is not seen at all, where it is for want of looking and not of anything to see.
    if verdict_of in (Verdict.MET, Verdict.NO_DATA) and one.now.partly:
        return Status.WARN
    return {
        Verdict.MISSED: missed,
        Verdict.AT_RISK: Status.WARN,
        Verdict.NOT_KNOWN: Status.UNKNOWN,
        Verdict.MET: Status.PASS,
        Verdict.LISTED: Status.PASS,
    }.get(verdict_of, Status.NOT_APPLICABLE)


def message(one: Reading, steady: float) -> str:
    """One sentence: the figure, what it is of, the target, and where it is going."""
    said = [f"{one.kpi.title}: {told(one.kpi, one.now)}"]
    said += [f"of {one.now.of}"] if one.now.there and one.now.of else []
    said.append(f"{one.verdict}, target {expected(one.kpi)}" if one.kpi.target is not None else str(one.verdict))
    said += [f"only as far as was seen: {one.now.partly}"] if one.now.partly else []
    if one.change is not None:
        said.append(f"{direction(one, steady)}, {told(one.kpi, one.before)} in the period before")
    return f"{'; '.join(said)} (manual {one.kpi.manual}). Owner: {one.kpi.owner}; source: {one.now.source or 'none'}."


def labels(one: Reading, steady: float) -> dict[str, str]:
    """For reports and machines: the unrounded figures, the verdict, the direction, owner and source."""
    figures = {"now": one.now, "before": one.before, "quarter": one.quarter}
    values = {name: repr(found.value) for name, found in figures.items() if found.value is not None}
    parts = {f"part {name}": repr(value) for name, value in one.now.parts.items()}
    return {
        "kpi": one.name,
        "verdict": str(one.verdict),
        "direction": direction(one, steady),
        "owner": one.kpi.owner,
        "source": one.now.source or "none",
        **values,
        **parts,
    }


def row(one: Reading, steady: float) -> tuple[str, ...]:
    """A line of the scorecard, as ``HEADING`` names its cells."""
    change = one.change
    sign = "" if change is None else f"{'+' if change >= 0 else '-'}{shown(one.kpi, abs(change))}"
    cells = (_cell(one.kpi, found) for found in (one.now, one.before, one.quarter))
    trend = f"{direction(one, steady)} {sign}".strip()
    return (one.kpi.title, expected(one.kpi), *cells, trend, str(one.verdict))


def _cell(kpi: Kpi, found: Figure) -> str:
    return told(kpi, found) if found.there else str(found.absent)


def source_row(one: Reading) -> tuple[str, ...]:
    """Whose KPI it is, what its figure is of, and where it is read again; as ``SOURCES`` names the cells."""
    found = one.now
    of = found.of if found.there else found.why
    seen = f"{of}; {found.partly}" if found.partly else of
    owner = one.kpi.owner.replace("_", " ")
    return (f"{one.kpi.title}; {owner}", seen, found.source or str(found.absent))


HEADING = ("KPI", "target", "this period", "before", "three periods", "trend", "verdict")
SOURCES = ("KPI; owner", "figure of", "source")
