"""Who lets a change through (MW-03, D53): whom it takes, bound to the plans' hashes, never the one who asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from clo_ops.findings import ConfigurationError, Finding
from clo_ops.findings.plans import Plan, Step, hash_of
from clo_ops.ledger import LedgerConflict
from clo_ops.ledger.records import work_of
from clo_ops.orchestration.duties import duties_of
from clo_ops.orchestration.freeze import why_frozen
from clo_ops.orchestration.maintenance import BY_HAND, system_of
from clo_ops.orchestration.occasion import APPLY, PLAN, WORK, is_emergency, occasion, ran_out
from clo_ops.policy.calendar import add_business_time, in_business_hours
from clo_ops.rules import windows_done

if TYPE_CHECKING:
    from clo_ops.ledger import ApprovalRow
    from clo_ops.orchestration.run import Run
    from clo_ops.rules.windows_planned import Occasion

SCHEDULE = "the schedule"
REVIEWS = "maintenance_reviews"
MANAGER, ADMINISTRATOR, NOBODY = "manager", "system administrator", "nobody beforehand"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What kind of approval a run needs, of whom, and why."""

    kind: str
    authority: str
    reason: str


def works(run: Run) -> bool:
    """Whether this run is of a window or an emergency, and not only of reviews and notices."""
    return set(run.cadences) != {REVIEWS}


def changes(run: Run) -> bool:
    """Whether this run is to change anything: on schedule, an emergency, or by hand where the form says apply."""
    return works(run) and (is_emergency(run) or not run.by_hand or run.params.get(WORK) == APPLY)


def wanted(run: Run, now: datetime) -> Wanted | None:
    """None where the window needs nobody's approval. Raises ConfigurationError for a form that says too little."""
    if not is_emergency(run):
        mine = occasion(run)
        frozen = why_frozen(run, mine) if mine and changes(run) else []
        reasons = [_of_window(run, mine, now), *frozen] if by_hand(run) and changes(run) else frozen
        return Wanted("prior", run.policy.maintenance.freeze.approver, "; ".join(reasons)) if reasons else None
    reason = _filled_in(run)
    if run.params.get("critical"):
        return Wanted("break glass", NOBODY, reason)
    manager = in_business_hours(now, run.policy.business_calendar)
    return Wanted("prior", MANAGER if manager else ADMINISTRATOR, reason)


def _of_window(run: Run, mine: Occasion | None, now: datetime) -> str:
    """The reason of a change by hand in a planned window. Raises ConfigurationError where its window is not now."""
    if mine is None or not mine.covers(now):
        raise ConfigurationError(
            f"a change by hand is asked for, and {f'{mine} is not now' if mine else 'no window is today'}",
            allowed="the window's own time, or the cadence of emergencies",
            next_step="start it in its window, or as an emergency; nothing was started",
        )
    return _filled_in(run)


def _filled_in(run: Run) -> str:
    """The reason, of a form that says enough to be approved."""
    said = {name: str(run.params.get(name) or "").strip() for name in ("reason", "change", "rollback")}
    missing = [] if said["reason"] else ["a reason"]
    if said["change"] and not said["rollback"]:
        missing.append("how the change is taken back")
    if not said["change"] and not run.params.get("duties"):
        missing.append("a change to be made by hand, or a duty")
    if not run.asked_by:
        missing.append("a user of Airflow who asks for it")
    if missing:
        raise ConfigurationError(
            f"the form lacks {', '.join(missing)}",
            allowed="a reason; duties, or a change with how it is taken back; started by a user of Airflow",
            next_step="fill in the form and start the run again; nothing was started",
        )
    return said["reason"]


def shown(run: Run) -> list[str]:
    """Makes the plans of everything this run would do and changes nothing; their hashes, the newest of each kind."""
    import dataclasses

    looking = dataclasses.replace(run, params={**run.params, WORK: PLAN}, answer=run.answer)
    mine = occasion(run)
    window = "emergency" if is_emergency(run) else mine.name if mine else ""
    for work in duties_of(run, window).values():
        for function in work:
            function(looking)
    if change := by_hand(run):
        run.ledger.keep_plan(run.ledger_run, change)
    return [row.hash for row in work_of(run.ledger.plans_of(run.ledger_run)) if row.steps]


def by_hand(run: Run) -> Plan | None:
    """The change a person makes, as the form describes it; a plan of one step like any other.

    In an emergency, or in a planned window (a change of the schema, an upgrade of the infrastructure; L382, L383).
    """
    change = str(run.params.get("change") or "").strip()
    if not run.by_hand or not change:
        return None
    system = system_of(run)
    why = str(run.params.get("reason") or "")
    return Plan(BY_HAND, system, (Step(f"{BY_HAND} {run.run_id}", BY_HAND, system, why, change),))


def ask(run: Run, now: datetime) -> ApprovalRow | None:
    """The approval this run needs, asked for; a critical change is let through at once and told at once (D53).

    Once an approval has run out it is asked anew, as another change: what was clicked before does not count for it.
    Raises ConfigurationError where a critical change's time is over.
    """
    need = wanted(run, now)
    if need is None:
        return None
    over = [one for one in run.ledger.approvals_of(run.ledger_run) if ran_out(run, one, now)]
    if over and need.kind == "break glass":
        raise _over(over[-1])
    plans = shown(run)
    requester = run.asked_by if run.by_hand else SCHEDULE
    at_once = need.kind == "break glass"
    days = run.policy.windows.emergency.review_within_business_days
    due = add_business_time(now, days, run.policy.business_calendar) if at_once else None
    asked = run.ledger.ask_approval(
        run.ledger_run,
        hash_of([*plans, *(f"again after change {one.id}" for one in over)]),
        plans,
        kind=need.kind,
        authority=need.authority,
        requester=requester,
        reason=need.reason,
        at=now,
        review_due_at=due,
    )
    return _at_once(run, asked, now) if at_once and not asked.decision else asked


def _over(approval: ApprovalRow) -> ConfigurationError:
    return ConfigurationError(
        f"the time of change {approval.id}, made at once by {approval.requester}, is over",
        allowed="one critical change for each run of the form: it is told of, and reviewed",
        next_step="fill in the form once more and start another run; nothing was started",
    )


def _at_once(run: Run, asked: ApprovalRow, now: datetime) -> ApprovalRow:
    with run.ledger.transaction():
        run.ledger.enqueue(_told(run, asked))
        return run.ledger.decide(asked.id, "approved", asked.requester, now, "critical: at once")


def _told(run: Run, asked: ApprovalRow) -> Any:
    from clo_ops.escalation.tidings import mailboxes
    from clo_ops.ledger import Message
    from clo_ops.orchestration.escalate import run_link
    from clo_ops.rules.rota import people

    group = run.policy.contacts.groups[run.policy.maintenance.before.told_of_break_glass]
    lines = [
        f"{asked.requester} makes a change at once, without approval: {asked.reason}",
        *(f"{one.step.action}: {one.step.statement}" for plan in _plans(run) for one in plan.steps),
        f"Its review by somebody else is due by {asked.review_due_at:%Y-%m-%d %H:%M} UTC, as change {asked.id}.",
        run_link(run.dag_id, run.run_id),
    ]
    return Message(
        dedup_key=f"break-glass:{run.run_id}",
        recipients=mailboxes(people(group, asked.asked_at, run.policy), run.policy),
        subject=f"[CLO Ops] Change {asked.id} made at once by {asked.requester}; review due",
        text="\n\n".join(lines),
        run=run.ledger_run,
    )


def _plans(run: Run) -> list[Any]:
    return work_of(run.ledger.plans_of(run.ledger_run))


def approval_of(run: Run) -> ApprovalRow | None:
    return next(reversed(run.ledger.approvals_of(run.ledger_run)), None)


def may_approve(run: Run, approval: ApprovalRow) -> list[str]:
    """Users of Airflow who may decide it: of the policy's, all but the one who asked."""
    allowed = run.policy.maintenance.approvals.users(approval.authority)
    return [user for user in allowed if user != approval.requester]


# ---------------------------------------------------------------- MW-03


def emergency_authorised(run: Run) -> list[Finding]:
    """MW-03: who let the emergency change through, and the reviews of changes made at once."""
    findings = [] if not is_emergency(run) else [_of_this_run(run)]
    if reviewed := _reviewed(run):
        findings.append(reviewed)
    return [*findings, *windows_done.reviews(run.ledger.unreviewed(), datetime.now(UTC))]


def _of_this_run(run: Run) -> Finding:
    approval = approval_of(run)
    return windows_done.authorised(approval, may_approve(run, approval) if approval else ())


def _reviewed(run: Run) -> Finding | None:
    """The review the form of a run by hand brings: by whoever started the run. Raises ConfigurationError."""
    number, note = run.params.get("review"), str(run.params.get("review_note") or "").strip()
    if not number or not run.by_hand or works(run):
        return None
    if not note or not run.asked_by:
        raise ConfigurationError(
            "a review needs its note, and a user of Airflow who reviews",
            allowed="what was looked at and found, in a sentence",
            next_step="start the run again with the note filled in",
        )
    case = windows_done.review_case(int(number))
    known = {one.id for one in run.ledger.unreviewed()}
    try:
        row = run.ledger.review(int(number), run.asked_by, datetime.now(UTC), note)
    except LedgerConflict as error:
        reviewed = [] if int(number) in known else run.ledger.reviewed_by(int(number))
        if reviewed == [run.asked_by]:
            return case.passed("reviewed", f"{run.asked_by} has reviewed change {number}")
        return case.failed("not reviewed", str(error))
    return case.passed("reviewed", f"{row.reviewed_by} reviewed change {number}: {row.review_note}")
