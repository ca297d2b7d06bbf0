"""The DR test as steps: what each procedure of it asks, does and judges (M3-01 to M3-08, ED-05; manual L80, L195-L214).

Every step is a function of a ``Drill`` and leaves findings; the tasks of ``monthly_week3_dr_test``, the weekly restore
test and ``make dr-drill`` call these very functions. A step finds what the ones before it made by the run's id, in the
ledger and by the labels of the drill's place, so that each can run in a process of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from clo_ops.findings import (
    Answer,
    CheckFailed,
    CloOpsError,
    CouldNotCheck,
    Finding,
    Measurement,
    Severity,
    Status,
    worst,
)
from clo_ops.orchestration.drill_form import spec_of

if TYPE_CHECKING:
    from clo_ops.actions.drill.choosing import Choice
    from clo_ops.actions.drill.place import Place
    from clo_ops.orchestration.run import Run
    from clo_ops.policy import DrillSpec

RED = (Status.FAIL, Status.UNKNOWN)
FACT = "drill.fact"
# Databases grow: what was seen years ago says little about the room that is needed now.
LOOK_BACK = timedelta(days=400)
# No procedure of the manual: whether the drill itself can be believed. It is on record under this name.
SELF_TEST = "self-test"


@dataclass
class Drill:
    """One drill, as one step of it sees it. ``told`` and ``findings`` are of the steps done in this very process.

    ``meanwhile`` is begun when the place is started: what later steps of this process need, and this one only waits.
    """

    run: Run
    spec: DrillSpec
    told: dict[str, Status] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    chosen: Choice | None = None
    meanwhile: Callable[[], object] = lambda: None

    @classmethod
    def of(cls, run: Run) -> Drill:
        """The drill the form asks for. Raises ConfigurationError where it cannot be carried out."""
        return cls(run, spec_of(run.policy, run.params))

    @property
    def id(self) -> str:
        """By which its things are found again, whatever has become of the backup meanwhile."""
        from clo_ops.actions.drill.place import drill_id

        return drill_id(self.run.dag_id, self.run.run_id)

    @cached_property
    def choice(self) -> Choice:
        """The backup: chosen once, by the first step; the others read its name in the ledger.

        Raises CheckFailed where there is none, CouldNotCheck where nobody can be asked.
        """
        from clo_ops.actions.drill.choosing import choose

        if self.chosen is None:
            how = self._recorded("backup.path") or self.spec.backup
            repository = self.run.connections.backups
            self.chosen = choose(repository, self.run.policy.backups, how, at=self.run.at, lot=self.run.run_id)
        return self.chosen

    @cached_property
    def place(self) -> Place:
        from clo_ops.actions.drill.place import open_place

        run, engine = self.run, self.run.connections.docker
        backup = self.choice.backup
        dag, name = run.dag_id, run.run_id
        return open_place(self.spec, run.policy, backup, dag_id=dag, run_id=name, engine=engine, largest=self.largest)

    @cached_property
    def largest(self) -> int:
        """Bytes of the largest database earlier drills restored: a manifest may know less than what was seen."""
        now = datetime.now(UTC)
        sizes = self.run.ledger.measurements("drill.database.size", now - LOOK_BACK, now)
        return int(max((one.value for one in sizes), default=0))

    def _recorded(self, name: str) -> str:
        answer = self.run.ledger.answer(self.run.ledger_run, "M3-01")
        return next((one.detail for one in answer.select(FACT, fact=name)), "")

    def status(self, procedure: str) -> Status:
        """How an earlier step ended: in this process, else by the ledger; unknown where nobody looked."""
        if procedure in self.told:
            return self.told[procedure]
        found = self.run.ledger.findings(self.run.ledger_run)
        return worst(one for one in found if one.procedure == procedure)

    def measure(self, name: str, value: float, unit: str, detail: str = "", **labels: str) -> None:
        self.run.keep(Answer((Measurement(name, value, unit, datetime.now(UTC), labels, detail),)))

    def fact(self, name: str, said: object) -> None:
        """Something of this drill that is no number: it is on the report, in the ledger and in the evidence."""
        if said not in (None, ""):
            self.run.keep(Answer((Measurement(FACT, 1, "bool", datetime.now(UTC), {"fact": name}, str(said)),)))


Step = Callable[[Drill], list[Finding]]


def after(*procedures: str) -> Callable[[Step], Step]:
    """A step that only makes sense once others ended well: else it says so, and that nobody looked."""

    def wrap(step: Step) -> Step:
        def guarded(drill: Drill) -> list[Finding]:
            red = [one for one in procedures if drill.status(one) in RED]
            return [not_reached(own, red) for own in PROCEDURES[step.__name__]] if red else step(drill)

        guarded.__name__, guarded.__doc__ = step.__name__, step.__doc__
        return guarded

    return wrap


def not_reached(procedure: str, red: Sequence[str]) -> Finding:
    return Finding(
        procedure=procedure,
        name="not reached",
        status=Status.UNKNOWN,
        severity=Severity.P2,
        expected=f"{' and '.join(red)} to end well first",
        actual="not well",
        message=f"{procedure} was not reached: {' and '.join(red)} did not end well, so nobody looked.",
        first_action=f"Mend what {red[0]} names, then run the drill again.",
    )


def not_asked(procedure: str, part: str) -> Finding:
    return Finding(
        procedure=procedure,
        name="not part of this drill",
        status=Status.NOT_APPLICABLE,
        expected=f"{part}, where it is asked for",
        actual="not asked for",
        message=f"{procedure} was left out: the part {part} was not asked for.",
    )


# Which procedures each step settles; the DAG's tasks are named after the steps.
PROCEDURES: dict[str, tuple[str, ...]] = {
    "environment": ("M3-01",),
    "restored": ("M3-02",),
    "contents_and_meaning": ("M3-03",),
    "failover": ("M3-04", "M3-05"),
    "application": ("M3-06",),
    "clean_up": ("M3-08",),
    "self_test": (SELF_TEST,),
    "documented": ("M3-07",),
}


def relabelled(findings: Sequence[Finding], procedure: str) -> list[Finding]:
    """The same findings under the one procedure that stands for the whole drill (ED-05), each with its part.

    Two parts may have judged a thing of one name; the part then tells them apart.
    """
    names = Counter((one.name, one.subject) for one in findings)
    return [
        replace(
            one,
            procedure=procedure,
            name=one.name if names[one.name, one.subject] == 1 else f"{one.procedure} {one.name}",
            labels={**one.labels, "part": one.procedure},
        )
        for one in findings
    ]


def failed(procedure: str, name: str, error: CloOpsError) -> Finding:
    """What an action says when it could not be done; nobody asked is unknown, done wrong is a failure."""
    silent = isinstance(error, CouldNotCheck)
    return Finding(
        procedure=procedure,
        name=name,
        status=Status.UNKNOWN if silent else Status.FAIL,
        severity=Severity.P1 if isinstance(error, CheckFailed) else Severity.P2,
        expected=error.allowed or "it to be done",
        actual=error.observed,
        message=str(error),
        first_action=error.next_step or "Read the task's log, mend what it names, and run the drill again.",
    )


def passed(procedure: str, name: str, expected: str, actual: str, message: str) -> Finding:
    return Finding(procedure, name, Status.PASS, expected, actual, message)


def backup_facts(choice: Choice) -> dict[str, Any]:
    """What a manifest says of the backup that somebody recovering by hand wants to know; no secret is in one."""
    backup = choice.backup
    facts, canary = backup.manifest, backup.manifest.get("canary") or {}
    roles = facts.get("roles") or []
    said = {name: facts.get(name) for name in ("format", "compression", "server_version", "tool", "wal_lsn", "origin")}
    return {
        **said,
        "path": backup.name,
        "repository": str(backup.repository),
        "database": backup.database,
        "server_major": backup.major or None,
        "wrapped": backup.wrapped,
        "sha256": choice.sha256,
        "snapshot": f"{choice.taken:%Y-%m-%d %H:%M:%S} UTC" if choice.taken else "",
        # A new server has its superuser already.
        "roles": ", ".join(sorted(str(one["name"]) for one in roles if not one.get("superuser"))),
        "canary": canary.get("nonce"),
        "canary_table": canary.get("table"),
        "collation": ", ".join(f"{name} {said}" for name, said in (facts.get("collation") or {}).items() if said),
        "extensions": ", ".join(f"{name} {version}" for name, version in (facts.get("extensions") or {}).items()),
    }
