"""LM-01: what of the logs is due, by class and place: shown every day, carried out in the windows that policy names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from clo_ops.actions.maintenance.plan import Effect, Outcome, Plan, Step
from clo_ops.findings import Answer, ConfigurationError, Finding, Measurement
from clo_ops.orchestration.maintenance import carried_out, gated, system_of
from clo_ops.orchestration.occasion import occasion
from clo_ops.probes import log_files as files_probe
from clo_ops.probes import log_tables as tables_probe
from clo_ops.probes.backup_files import Unlistable
from clo_ops.probes.reaching import nobody_answered
from clo_ops.probes.targets import BackupRepository
from clo_ops.rules import log_retention as rules
from clo_ops.rules import maintenance as outcome
from clo_ops.rules.gate import Need

if TYPE_CHECKING:
    from clo_ops.findings.log_retention import ArchivedLog, DueFile, TableState
    from clo_ops.orchestration.run import Run
    from clo_ops.policy.logs import LogFile, LogTable
    from clo_ops.probes.log_tables import Hold

# What is deleted is gone: a verified backup stands behind it.
NEEDS = frozenset({Need.PRIMARY, Need.BACKUP, Need.NO_BACKUP_RUNNING, Need.NO_DRILL_RUNNING, Need.WINDOW, Need.ALONE})
IN_THE_WINDOWS = "it is carried out in the windows of maintenance.yaml, duties.logs"
Act = Callable[[], Effect]


@dataclass
class Work:
    """The steps and how each is done; what was measured of each place."""

    at: datetime
    steps: list[Step] = field(default_factory=list)
    acts: dict[str, Act] = field(default_factory=dict)
    measured: list[Measurement] = field(default_factory=list)

    def add(self, step: Step, act: Act) -> None:
        self.steps.append(step)
        self.acts[step.key] = act

    def place(
        self, place: str, due: int, held: int, *, oldest: datetime | None, kept: str, may_go: bool = True
    ) -> None:
        now, labels = datetime.now(UTC), {"place": place}
        self.measured += [
            Measurement("log.due", due, "count", now, labels),
            Measurement("log.held", held, "count", now, labels),
            Measurement("log.kept", may_go, "bool", now, labels, kept),
        ]
        if oldest is not None:
            days = max(0.0, (self.at - oldest).total_seconds() / 86400)
            self.measured.append(Measurement("log.oldest", days, "count", now, labels, "days"))


def retention(run: Run) -> list[Finding]:
    """LM-01: every place looked at; what is due planned; carried out inside a window, where policy lets it."""
    work = Work(run.at)
    answer = Answer()
    for table in run.policy.logs.tables:
        answer += _table(run, table, work)
    store, missing = _archive(run)
    answer += missing
    for source in run.policy.logs.files:
        answer += _files(run, source, store, work)
    _measurements(run, work)
    _task_logs(run, work)
    answer += Answer.of(work.measured)
    run.keep(answer)
    return [*rules.judge(answer, run.policy), *_carried_out(run, work)]


def _carried_out(run: Run, work: Work) -> list[Finding]:
    plan = Plan("logs", system_of(run), tuple(work.steps))
    manual = run.policy.procedures[rules.PROCEDURE].lines
    if occasion(run) is None:
        run.ledger.keep_plan(run.ledger_run, plan)
        return [outcome.only_shown(rules.PROCEDURE, manual, plan, IN_THE_WINDOWS)]
    gate = gated(run, rules.PROCEDURE, "logs", needs=NEEDS)
    if not gate.open:
        return gate.findings
    return [*gate.findings, *carried_out(run, rules.PROCEDURE, plan, lambda step: work.acts[step.key]())]


# ---------------------------------------------------------------- tables


def _table(run: Run, table: LogTable, work: Work) -> Answer:
    policy, terms = run.policy, run.policy.logs.removal
    keep = rules.longest(table.classes, policy.retention)
    holds, before = rules.holds_of(table.classes, policy), keep.keep.before(run.at)
    state, answer = tables_probe.state(run.connections.retention, table, before, holds, terms.most_rows)
    if state is None:
        return answer
    why_not = rules.why_not(state, table, policy) if state.due else ""
    kept = f"kept {keep.keep}" + (f"; {why_not}" if why_not else "")
    # On two approvals is how it should be, not a fault.
    may_go = not why_not or keep.then != "delete"
    work.place(table.table, state.due, state.held, oldest=state.oldest, kept=kept, may_go=may_go)
    if state.due and not why_not:
        _delete(run, table, state, holds, work)
    return answer


def _delete(run: Run, table: LogTable, state: TableState, holds: list[Hold], work: Work) -> None:
    from clo_ops.actions.retention.log_tables import delete

    terms = run.policy.logs.removal
    step = Step(
        key=f"delete rows {table.table}",
        action="delete rows",
        target=table.table,
        why=f"{state.due:,} rows are older than {rules.longest(table.classes, run.policy.retention).keep}",
        statement=f"delete of {table.table} where {table.at} < {state.before:%Y-%m-%d}, {terms.batch} rows at a time",
        before={"due": state.due, "rows": state.rows, "held": state.held},
    )
    target = run.connections.retention
    work.add(step, partial(delete, target, table, state.before, holds, terms))


# ---------------------------------------------------------------- files


def _archive(run: Run) -> tuple[BackupRepository | None, Answer]:
    """Where logs are kept when they leave their host; asked for only where one is to."""
    if all(one.archive_after is None for one in run.policy.logs.files):
        return None, Answer()
    try:
        archive = run.connections.archive
    except ConfigurationError as error:
        return None, nobody_answered(["the archive of logs"], "clo_archive", "the connection", str(error).rstrip("."))
    folder = run.policy.logs.removal.archive_folder
    return BackupRepository(f"{archive.url.rstrip('/')}/{folder}", archive.storage_options), Answer()


def _files(run: Run, source: LogFile, store: BackupRepository | None, work: Work) -> Answer:
    from clo_ops.actions.retention import log_files as action

    policy = run.policy
    host = next(one for one in policy.hosts if one.name == source.host)
    target = run.connections.host(host.name, host.connection)
    listed, answer = files_probe.rotated(target, source)
    keep = rules.longest(source.classes, policy.retention)
    if answer.unanswered:
        return answer
    due = rules.due_files(source, listed, policy, run.at)
    going = [one for one in rules.steps_bound(due, policy.logs) if one.what == "remove" or store is not None]
    for one in going:
        if one.what == "remove":
            work.add(_file_step(one), partial(action.expire, target, one))
        elif store is not None:
            work.add(_file_step(one), partial(action.archive, target, one, store, tuple(source.classes)))
    answer += _archived(run, source, store, work)
    oldest = min((one.changed for one in listed), default=None)
    held = sum(one.what == "hold" for one in due)
    gone = any(one.labels["place"] == f"archive of {source.name}" and one.name == "log.oldest" for one in work.measured)
    stays = rules.unrotated(source, listed, run.ledger.first_log_days().get(source.name), keep, run.at, archived=gone)
    kept = f"kept {keep.keep}" + (f"; {stays}" if stays else "")
    work.place(f"{source.host}:{source.path}", len(due) - held, held, oldest=oldest, kept=kept, may_go=not stays)
    return answer


def _file_step(one: DueFile) -> Step:
    file = one.file
    commands = {"archive": "gzip into the archive, read back, rm", "remove": "rm"}
    return Step(
        key=f"{one.what} {file.path} {file.inode} {file.seconds}",
        action=f"{one.what} file",
        target=file.path,
        why=one.why,
        statement=f"{commands[one.what]} {file.path}",
        seconds=5 + file.size / 5_000_000,
        wal_bytes=0,
        disk_bytes=0,
        before={"bytes": file.size},
    )


def _archived(run: Run, source: LogFile, store: BackupRepository | None, work: Work) -> Answer:
    """What lies in the archive of this log, and what of it is older than its class is kept."""
    from clo_ops.actions.retention import log_files as action

    if store is None or source.archive_after is None:
        return Answer()
    try:
        mine = [one for one in _listed(store) if one.source == source.name]
    except (Unlistable, OSError) as error:
        return nobody_answered([f"archived files of {source.name}"], store, "listing", str(error))
    go, held = rules.due_archived(source, mine, run.policy, run.at)
    for one in go[: run.policy.logs.removal.most_files]:
        work.add(_archived_step(one), partial(action.forget, store, one))
    oldest = min((one.ends for one in mine), default=None)
    keep = rules.longest(source.classes, run.policy.retention)
    work.place(f"archive of {source.name}", len(go), len(held), oldest=oldest, kept=f"kept {keep.keep}")
    return Answer()


def _archived_step(one: ArchivedLog) -> Step:
    return Step(
        key=f"forget {one.name}",
        action="remove archived",
        target=one.name,
        why=f"its youngest line is of {one.ends:%Y-%m-%d}",
        statement=f"remove {one.name} and its manifest from the archive",
        seconds=5.0,
        before={"bytes": one.packed_size},
    )


def _listed(store: BackupRepository) -> list[ArchivedLog]:
    """Nothing, where nobody put anything there yet."""
    from clo_ops.actions.retention.log_files import archived
    from clo_ops.probes.backup_files import BackupFiles

    files = BackupFiles(store)
    with files.errors_in_words():
        there = files.system.exists(files.path())
    return archived(store) if there else []


# ---------------------------------------------------------------- our own


def _measurements(run: Run, work: Work) -> None:
    """Months of measurements in our own ledger, and the days of logs beside them."""
    keep = run.policy.retention["measurements"]
    before = keep.keep.before(run.at)
    due = run.ledger.measurement_partitions(before)
    work.place("ledger measurements", len(due), 0, oldest=None, kept=f"kept {keep.keep}")
    for name in due:
        step = Step(
            key=f"month {name}",
            action="remove month",
            target=name,
            why=f"measurements are kept {keep.keep}",
            statement=f"detach and drop {name} of the ledger",
            seconds=5.0,
        )
        work.add(step, partial(_dropped, run, name, before))
    _figures(run, work, before)


def _figures(run: Run, work: Work, before: datetime) -> None:
    """Hourly and daily figures and forecasts are kept as long as what they were made of."""
    keep = run.policy.retention["measurements"]
    due = run.ledger.figures_before(before)
    work.place("ledger figures", due, 0, oldest=None, kept=f"kept {keep.keep}")
    if due:
        step = Step(
            key="figures",
            action="remove figures",
            target="hourly, daily and forecasts of the ledger",
            why=f"{due:,} days of series are older than {keep.keep}",
            statement=f"delete of figures before {before:%Y-%m-%d}, some series at a time",
            before={"days": due},
        )
        work.add(step, partial(_forgotten, run, before))


def _forgotten(run: Run, before: datetime) -> Effect:
    rows = run.ledger.forget_figures(before)
    return Effect(Outcome.APPLIED, f"{rows:,} rows of figures are gone", 0.0, {"rows": rows})


def _dropped(run: Run, name: str, before: datetime) -> Effect:
    run.ledger.drop_measurements(name, before)
    days = run.ledger.forget_log_days(before.date())
    return Effect(Outcome.APPLIED, f"{name} is dropped; {days} rows of log days went with it", 0.0, {"log_rows": days})


def _task_logs(run: Run, work: Work) -> None:
    from clo_ops.actions.retention import task_logs

    terms = run.policy.logs.task_logs
    folder = Path(terms.folder) if terms else None
    if terms is None or folder is None or not folder.is_dir():
        return
    keep = run.policy.retention["task_logs"]
    before, holds = keep.keep.before(run.at), rules.holds_of(("application_logs",), run.policy)
    old, due = (sum(1 for _ in task_logs.due(folder, before, terms.most_files, one)) for one in ((), holds))
    work.place("Airflow task logs", due, old - due, oldest=task_logs.oldest(folder), kept=f"kept {keep.keep}")
    if due:
        step = Step(
            key="task logs",
            action="remove task logs",
            target=str(folder),
            why=f"{due:,} files are older than {keep.keep}",
            statement=f"rm *.log below {folder} not written to since {before:%Y-%m-%d}",
            before={"files": due},
        )
        work.add(step, partial(task_logs.remove, folder, before, terms.most_files, holds))
