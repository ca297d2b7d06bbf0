"""The report of a DR drill, made from the ledger: HTML, PDF, JSON and the mail's text (M3-07; manual L214).

The same run gives the same bytes again, but for the stamp that says when the report was made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from clo_ops.findings import Finding, Measurement, Status
from clo_ops.reports import plots
from clo_ops.reports.drill_changes import differences, with_before
from clo_ops.reports.drill_facts import DrillFacts, before, read
from clo_ops.reports.drill_rows import TOWARDS_RTO, Invariant
from clo_ops.reports.drill_runbook import Step, runbook
from clo_ops.reports.pdf import as_pdf
from clo_ops.reports.templates import render
from clo_ops.rules.figures import duration, figure

if TYPE_CHECKING:
    from clo_ops.ledger import Ledger

RED = (Status.FAIL, Status.UNKNOWN)
LOOK_BACK = timedelta(days=550)
POINTS = 12
DEPTHS = {
    0: "L0, it is there",
    1: "L1, its bytes are those of the manifest",
    2: "L2, every byte of it can be read",
    3: "L3, it was restored",
    4: "L4, its contents and their meaning are proven",
}
WORDS = {
    Status.PASS: "passed",
    Status.WARN: "warning",
    Status.FAIL: "FAILED",
    Status.UNKNOWN: "NOT KNOWN",
    Status.NOT_APPLICABLE: "not asked",
}


@dataclass(frozen=True, slots=True)
class DrillReport:
    """One drill with what came before it. ``link`` is the run in the Airflow UI, empty outside Airflow."""

    facts: DrillFacts
    earlier: DrillFacts | None
    times: Mapping[str, Sequence[tuple[datetime, float]]]
    link: str = ""

    @property
    def red(self) -> list[Finding]:
        return [one for one in self.facts.findings if one.status in RED]

    @property
    def colour(self) -> str:
        return "RED" if self.facts.status not in (Status.PASS, Status.WARN) else "GREEN"

    @property
    def title(self) -> str:
        kind = "Disaster-recovery test" if self.facts.dag_id != "daily_end_of_day" else "Weekly restore test"
        return f"{kind} of {self.facts.at:%Y-%m-%d}"

    @property
    def verdict(self) -> str:
        """What was proven, in one sentence."""
        backup = self.facts.facts.get("backup.path") or "no backup"
        if self.colour == "GREEN":
            return f"Proven: {backup} brings the CLO system back. {self._proofs()}"
        failed = [part.title for part in self.facts.parts if part.status in RED]
        names = ", ".join(failed) or "nothing was judged"
        return f"Not proven: {names}. With {backup} the drill got as far as {DEPTHS[self.facts.depth]}."

    def _proofs(self) -> str:
        """Depth, and the parts beyond it that were asked for and passed."""
        passed = {part.id for part in self.facts.parts if part.status in (Status.PASS, Status.WARN)}
        more = [
            words
            for part, words in (
                ("M3-04", "a standby of it took over"),
                ("M3-05", "no acknowledged transaction was lost"),
                ("M3-06", "the application works on it"),
            )
            if part in passed
        ]
        return f"{'; '.join([DEPTHS[self.facts.depth], *more])}."

    @property
    def invariants(self) -> list[Invariant]:
        return with_before(self.facts, self.earlier)

    @property
    def differences(self) -> list[str]:
        return differences(self.facts, self.earlier)

    @property
    def runbook(self) -> list[Step]:
        return runbook(self.facts)

    def target(self, name: str) -> float | None:
        return self.facts.value(f"drill.{name}.target")

    def as_html(self, stamp: datetime) -> str:
        return render("drill.html", report=self, stamp=stamp, plots=self.plots(), **_words())

    def as_pdf(self, stamp: datetime) -> bytes:
        """Raises PdfMissing where the system lacks what a PDF is drawn with."""
        return as_pdf(self.as_html(stamp))

    def as_text(self) -> str:
        return render("drill.txt", report=self, **_words())

    def plots(self) -> dict[str, str]:
        """Inline SVG by name; what was not measured has no plot."""
        drawn = {}
        if self.facts.phases:
            drawn["phases"] = plots.duration_bars(self.facts.phases, TOWARDS_RTO)
        for name in ("rto", "rpo"):
            target = self.target(name)
            if target and self.times.get(name):
                drawn[name] = plots.against_target(self.times[name], target, name)
        return drawn

    def as_json(self, stamp: datetime) -> bytes:
        """Everything on the report for a machine, canonical: sorted keys, no spaces."""
        from clo_ops.ledger.evidence import canonical_json

        return canonical_json({"format": "clo-ops drill report 1", "made_at": stamp, **self._content()})

    def _content(self) -> dict[str, Any]:
        facts = self.facts
        return {
            "dag_id": facts.dag_id,
            "run_id": facts.run_id,
            "at": facts.at,
            "verdict": {"colour": self.colour, "depth": facts.depth, "sentence": self.verdict},
            "recovery": {
                name: {"seconds": facts.value(f"drill.{name}"), "target_seconds": self.target(name)}
                for name in ("rto", "rpo")
            },
            "phases": [{"name": name, "seconds": seconds} for name, seconds in facts.phases],
            "facts": dict(facts.facts),
            "findings": [one.as_json() for one in facts.findings],
            "unanswered": [one.as_json() for one in facts.answer.unanswered],
            "measurements": [one.as_json() for one in facts.answer.measurements],
            "differences": self.differences,
            "runbook": [{"what": one.what, "command": one.command, "seen": one.seen} for one in self.runbook],
            "evidence": [{"name": one.name, "sha256": one.sha256, "size": one.size} for one in facts.evidence],
        }


def assemble(ledger: Ledger, run: int, *, link: str = "") -> DrillReport:
    """The report of this run. Raises LedgerConflict where there is none, LedgerUnavailable where nobody answers."""
    facts = read(ledger, run)
    return DrillReport(
        facts=facts,
        earlier=before(ledger, facts),
        times={name: _times(ledger, facts, f"drill.{name}") for name in ("rto", "rpo")},
        link=link,
    )


def _times(ledger: Ledger, facts: DrillFacts, metric: str) -> list[tuple[datetime, float]]:
    """This drill's figure and those of the same DAG's drills before it, oldest first."""
    this = facts.answer.first(metric)
    if this is None:
        return []
    labels = {"dag": facts.dag_id}
    earlier = [_point(one) for one in ledger.measurements(metric, this.at - LOOK_BACK, this.at, labels)]
    return [*earlier[-(POINTS - 1) :], _point(this)]


def _point(one: Measurement) -> tuple[datetime, float]:
    return one.at, one.value


def _words() -> dict[str, Any]:
    """What a template may say figures and statuses with."""
    return {
        "words": WORDS,
        "depths": {depth: words.partition(", ")[2] for depth, words in DEPTHS.items()},
        "duration": duration,
        "figure": figure,
        "counted": TOWARDS_RTO,
    }
