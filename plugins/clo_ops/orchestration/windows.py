"""The windows (MW-01, MW-02, MW-04, MW-05, MW-06): before a change, the work, after it, and the window as a whole."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from clo_ops.findings import Finding, Severity, Status, worst
from clo_ops.ledger.records import work_of
from clo_ops.orchestration import notices
from clo_ops.orchestration.authorisation import approval_of, by_hand, changes, may_approve, wanted, works
from clo_ops.orchestration.backups import backup_before_change
from clo_ops.orchestration.duties import duties_of
from clo_ops.orchestration.maintenance import ask, opened_since
from clo_ops.orchestration.occasion import is_emergency, occasion
from clo_ops.rules import gate, windows_done, windows_told
from clo_ops.rules.gate import Need
from clo_ops.rules.windows_planned import Occasion

if TYPE_CHECKING:
    from clo_ops.orchestration.run import Run

RED = (Status.FAIL, Status.UNKNOWN)
SHOWN = "a run by hand changes nothing unless its form says so"


# ---------------------------------------------------------------- MW-04


def before(run: Run) -> list[Finding]:
    """MW-04: users told, approved where it has to be, a backup verified, how to take it back; else nothing starts."""
    if not works(run):
        return _announced(run)
    if not changes(run):
        return [windows_done.not_applicable("MW-04", "before a change", SHOWN, "L394-L398")]
    mine = occasion(run)
    if mine is None or not mine.covers(datetime.now(UTC)):
        return [_no_time(run, mine)]
    findings = [*_noticed(run, mine), *_authorised(run), *windows_done.rollback(_rollbacks(run, mine))]
    return findings if worst(findings) in RED else [*findings, *_backed_up(run, mine)]


def _announced(run: Run) -> list[Finding]:
    """The daily look: the windows that users are to hear of before the next one."""
    told = notices.announce(run)
    manual = "L396"
    if not told:
        return [windows_done.not_applicable("MW-04", "notice", "no planned window is near enough to be told", manual)]
    ahead = run.policy.windows.notice
    return [windows_told.announced(one, notices.delivered(run, one), ahead) for one in told]


def _no_time(run: Run, mine: Occasion | None) -> Finding:
    """Never green: an emergency nobody has approved yet, one whose approval has run out, or another day's window."""
    if not is_emergency(run):
        return windows_done.outside(mine)
    approval = approval_of(run)
    if approval is not None and approval.decision == "approved" and mine is not None:
        return windows_done.ran_out(approval, mine.ends)
    return windows_done.authorised(approval, may_approve(run, approval) if approval else (), "MW-04")


def _noticed(run: Run, mine: Occasion) -> list[Finding]:
    """Planned windows 48 h ahead; an emergency's users are told as it begins (D54)."""
    if is_emergency(run):
        why = "Users of an emergency are told as it begins and when it is over"
        return [windows_done.not_applicable("MW-04", "notice", why, "L396")]
    told = run.ledger.notices(mine.name, mine.starts).get("ahead")
    delivered = notices.delivered(run, told) if told else None
    return [windows_told.noticed(told, delivered, mine.starts, run.policy.windows.notice)]


def _authorised(run: Run) -> list[Finding]:
    if wanted(run, datetime.now(UTC)) is None:
        return []
    approval = approval_of(run)
    return [windows_done.authorised(approval, may_approve(run, approval) if approval else (), "MW-04")]


def _rollbacks(run: Run, mine: Occasion) -> dict[str, str]:
    duties = run.policy.maintenance.duties
    plans = {kind: duties[kind].rollback for kind in duties_of(run, mine.name)}
    return plans | ({"the change by hand": str(run.params.get("rollback") or "")} if by_hand(run) else {})


def _backed_up(run: Run, mine: Occasion) -> list[Finding]:
    """A backup taken now and read back, or a fresh verified one; a critical change waits for no backup of its own."""
    fresh = _fresh(run)
    critical = is_emergency(run) and bool(run.params.get("critical"))
    needed = mine.name in run.policy.maintenance.before.take_backup and not critical
    if fresh.status is Status.PASS and not needed:
        return [fresh]
    return backup_before_change(run)


def _fresh(run: Run) -> Finding:
    terms = gate.Terms("MW-04", run.policy.maintenance.gate, run.policy.windows.backup_not_older_than)
    answer = run.keep(ask(run, "statistics", [Need.BACKUP]))
    return gate.judge(answer, terms, [Need.BACKUP]).findings[0]


# ---------------------------------------------------------------- MW-05


def during(run: Run) -> list[Finding]:
    """MW-05: users told, each duty in its order, the system's health after each; what is not well stops the rest."""
    red = _red_before(run)
    if changes(run) and red:
        return [windows_done.not_begun("MW-05", red, "L400-L404")]
    mine, begun = occasion(run), datetime.now(UTC)
    if changes(run) and mine:
        begun = notices.tell(run, mine, "start").told_at  # before a change by hand, and what an earlier try said
    window = mine.name if mine else _name_of(run)
    findings = _by_hand(run)
    if not any(one.status in RED for one in findings):
        findings += _worked(run, window)
    if changes(run):
        findings.append(windows_done.stable(opened_since(run, begun), begun))
        if mine:
            notices.tell(run, mine, "progress")
    return _once(findings) or [_nothing(window)]


def _name_of(run: Run) -> str:
    """The window a run by hand on another day shows the plan of; the longer one where it stands for both."""
    if is_emergency(run):
        return "emergency"
    named = [name for name, one in run.policy.windows.planned.items() if one.cadence in run.cadences]
    return max(named, key=lambda name: run.policy.windows[name].length, default="")


def _nothing(window: str) -> Finding:
    return windows_done.not_applicable("MW-05", "work", f"{window or 'this run'} has no duty", "L400-L404")


def _red_before(run: Run) -> list[Finding]:
    """What is red of MW-04 in this run; nobody having looked is as good as red."""
    found = [one for one in run.ledger.findings(run.ledger_run) if one.procedure == "MW-04"]
    if not found:
        return [_unseen()]
    return [one for one in found if one.status in RED]


def _unseen() -> Finding:
    return Finding(
        procedure="MW-04",
        name="before a change",
        status=Status.UNKNOWN,
        severity=Severity.P2,
        expected="looked at",
        actual="nobody looked",
        message="Nobody looked whether everything was in order before the change.",
        first_action="Clear MW-04, then this task.",
    )


def _worked(run: Run, window: str) -> list[Finding]:
    findings: list[Finding] = []
    for kind, work in duties_of(run, window).items():
        found = [one for function in work for one in function(run)]
        findings += [_as_work(kind, one) for one in found]
        if changes(run):
            test = windows_done.tested(kind, _health(run))
            findings.append(test)
            if test.status in RED:
                break
    return findings


def _as_work(kind: str, one: Finding) -> Finding:
    """A finding of Monday's procedure, here part of the window's work."""
    return replace(one, procedure="MW-05", name=f"{kind}: {one.name}", message=f"{one.procedure}: {one.message}")


def _health(run: Run) -> list[Finding]:
    """What DM-01 asks and judges; only the components, for "the whole" is the same once more."""
    from clo_ops.probes import health
    from clo_ops.rules import health as rule

    found = rule.judge(run.ask(health.components, run.policy, run.connections), run.policy, at=run.at)
    return [one for one in found if one.name == "component health"]


def _by_hand(run: Run) -> list[Finding]:
    """What became of the change a person made, and of the system after it; it is a step of a plan like any other."""
    change = by_hand(run)
    if change is None:
        return []
    rows = [row for row in run.ledger.plans_of(run.ledger_run) if row.hash == change.hash]
    made = [windows_done.made_by_hand(one) for row in rows for one in row.steps]
    return [*made, windows_done.tested(change.kind, _health(run))]


def _once(findings: list[Finding]) -> list[Finding]:
    """Two looks of one procedure at the same thing are one finding, the worse of them."""
    order = {status: place for place, status in enumerate((Status.FAIL, Status.UNKNOWN, Status.WARN))}
    kept: dict[tuple[str, str], Finding] = {}
    for one in findings:
        key = (one.name, one.subject)
        if key not in kept or order.get(one.status, 9) < order.get(kept[key].status, 9):
            kept[key] = one
    return list(kept.values())


# ---------------------------------------------------------------- MW-01, MW-02, MW-06


def weekly(run: Run) -> list[Finding]:
    """MW-01: the weekly window as a whole: its work done inside it, what is left over named."""
    return _window(run, "MW-01", "L374-L378")


def monthly(run: Run) -> list[Finding]:
    """MW-02: the monthly window as a whole, in place of that Sunday's weekly one (D23), and the system tested."""
    from clo_ops.orchestration import system_tests

    mine = occasion(run)
    begun = changes(run) and mine is not None and notices.begun(run, mine)
    return [*_window(run, "MW-02", "L380-L384"), *(system_tests.tested(run) if begun else [])]


def _window(run: Run, procedure: str, manual: str) -> list[Finding]:
    mine = occasion(run)
    if not changes(run):
        return [windows_done.not_applicable(procedure, "window", SHOWN, manual)]
    work = [one for one in run.ledger.findings(run.ledger_run) if one.procedure == "MW-05"]
    plans = run.ledger.plans_of(run.ledger_run)
    return windows_done.window(procedure, manual, plans, work, mine.ends if mine else run.at)


def after(run: Run) -> list[Finding]:
    """MW-06: the system's health, incidents since, the record of what was changed kept, users told that it is over."""
    if not changes(run):
        return [windows_done.not_applicable("MW-06", "after a change", SHOWN, "L406-L410")]
    mine = occasion(run)
    if mine is None or not notices.begun(run, mine):
        return [windows_done.not_applicable("MW-06", "after a change", "nothing was begun", "L406-L410")]
    findings = [replace(one, procedure="MW-06") for one in _health(run)]
    findings.append(replace(windows_done.stable(opened_since(run, mine.starts), mine.starts), procedure="MW-06"))
    findings.append(_documented(run, mine))
    how = (
        "Everything works." if worst(findings) not in RED else "Something still needs to be mended; an update follows."
    )
    over = notices.tell(run, mine, "end", how)
    return [*findings, windows_told.told(over, notices.delivered(run, over), mine.title)]


def _documented(run: Run, mine: Occasion) -> Finding:
    """What was changed, by whom let through, as a file of the evidence (L409)."""
    from clo_ops.reports.maintenance import as_text

    plans = work_of(run.ledger.plans_of(run.ledger_run))
    text = as_text(str(mine), plans, run.ledger.approvals_of(run.ledger_run))
    kept = run.attach("changes.md", text.encode(), "text/markdown")
    return windows_done.documented(kept.name, kept.sha256)
