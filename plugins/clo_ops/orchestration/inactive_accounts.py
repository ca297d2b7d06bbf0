"""Accounts nobody uses (M1-02): listed each month; disabled only where somebody else approved that list (D53, D60)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from clo_ops.findings import CheckFailed, ConfigurationError, CouldNotCheck, Finding, Severity
from clo_ops.findings.plans import Effect, Outcome, Plan, Step, hash_of
from clo_ops.orchestration.access_review import REVOKED, key_before
from clo_ops.orchestration.authorisation import SCHEDULE, approval_of
from clo_ops.orchestration.controls import asked, assess
from clo_ops.rules.access_review import NO_ROLE
from clo_ops.rules.accounts import ENABLED, PERSON, key_of
from clo_ops.rules.verdicts import Case

if TYPE_CHECKING:
    from clo_ops.findings.audit_items import Item
    from clo_ops.findings.performed import Row
    from clo_ops.ledger import ApprovalRow, PlanRow
    from clo_ops.orchestration.run import Run

CONTROL, LIST, KIND, ACTION = "IAM-06", "IAM-01", "accounts", "disable account"
# The field of the form by which a run by hand asks for the approval.
FIELD = "disable_inactive"
LONGEST = timedelta(minutes=20)


def inactive(run: Run) -> list[Finding]:
    """M1-02: the list; and where it was approved, what became of each account on it."""
    approval = approval_of(run)
    acted = [_acted(run, approval)] if approval else []
    return [*assess(run, "M1-02"), *acted]


# ---------------------------------------------------------------- asking for approval


def ask_approval(run: Run, now: datetime) -> ApprovalRow | None:
    """Puts the list on record as a plan and asks; None where nobody wants it disabled, or it is empty.

    Raises CouldNotCheck where nobody answers, CheckFailed for a list longer than policy allows, ConfigurationError
    where a run by hand has no user, or the connection that disables is missing.
    """
    if not wanted(run):
        return None
    plan = plan_of(run)
    if not plan.steps:
        return None
    _may_be_asked(run, plan)
    number = run.ledger.keep_plan(run.ledger_run, plan)
    requester = run.asked_by if run.by_hand else SCHEDULE
    reason = f"{len(plan.steps)} accounts nobody uses are to be disabled (plan {number})"
    terms = run.policy.audit.accounts
    return run.ledger.ask_approval(
        run.ledger_run,
        hash_of([plan.hash]),
        [plan.hash],
        kind="prior",
        authority=terms.approver,
        requester=requester,
        reason=reason,
        at=now,
    )


def wanted(run: Run) -> bool:
    if run.why_not_due("M1-02"):
        return False
    return bool(run.params.get(FIELD)) if run.by_hand else run.policy.audit.accounts.disable


def plan_of(run: Run) -> Plan:
    """One step for each inactive account of a person that no exception excuses, and for each whose whole access a
    review revoked. Raises CouldNotCheck."""
    control, everybody = run.policy.controls[CONTROL], run.policy.controls[LIST]
    answers = asked(run, (control, everybody))
    if lost := [one for one in answers.values() if isinstance(one, str)]:
        raise CouldNotCheck(f"inactive accounts could not be listed: {lost[0]}")
    inactive, known = (answers[one.id].rows for one in (control, everybody))  # type: ignore[union-attr] # no str left
    rows = [row for row in inactive if row["username"] and row["account"] == PERSON]
    excused = partial(control.excused, day=run.day, mode=run.policy.mode)
    steps = [_step(row) for row in rows if not excused(key_of(row["username"]))]
    taken = {one.target for one in steps}
    revoked = [_step(row, f"revoked by {item.owner}, item {item.id}") for row, item in _revoked(run, known)]
    return Plan(KIND, _system(run), (*steps, *(one for one in revoked if one.target not in taken)))


def _revoked(run: Run, rows: Sequence[Row]) -> list[tuple[Row, Item]]:
    """Enabled accounts of people whose whole access a review revoked and nobody took away yet, with the open item."""
    items = run.ledger.audit_items([REVOKED], open_only=True)
    people = [row for row in rows if row["account"] == PERSON and row["state"] == ENABLED]
    return [
        (row, item)
        for row in people
        for item in items
        if item.key.startswith(key_before(str(row["username"]))) and item.detail == (row["roles"] or NO_ROLE)
    ]


def _system(run: Run) -> str:
    target = run.connections.postgres
    return f"{target.host}:{target.port}/{target.database}"


def _step(row: Row, revoked: str = "") -> Step:
    name, last = str(row["username"]), row["last_login"]
    why = revoked or (f"last used {last[:10]}" if last else f"never used since {str(row['since'])[:10]}")
    before = {"disabled": "false", "roles": str(row["roles"]), "last_login": str(last or "never")}
    # The last use is part of what is approved: a list made anew after a login is another list.
    said = f"disable {name} ({why})"
    return Step(f"{ACTION} {name}", ACTION, name, f"{row['roles'] or 'no role'}; {why}", said, 1.0, before=before)


def _may_be_asked(run: Run, plan: Plan) -> None:
    most = run.policy.audit.accounts.at_most
    if len(plan.steps) > most:
        raise CheckFailed(
            f"{len(plan.steps)} accounts are inactive",
            allowed=f"at most {most} to be disabled at once (audit.yaml, accounts.at_most)",
            next_step="look whether logins are on record at all; nothing was disabled",
        )
    if run.by_hand and not run.asked_by:
        raise ConfigurationError(
            "nobody is known to ask for the accounts to be disabled",
            allowed="a run started by a user of Airflow",
            next_step="log in to Airflow and start the run again",
        )
    if run.connections.accounts is None:
        raise ConfigurationError(
            "there is no complete Airflow connection 'clo_postgres_accounts'",
            allowed="a role that may execute account_disable, and nothing else",
            next_step="make it (docs/connect.md), or leave the accounts to their administrator",
        )


# ---------------------------------------------------------------- disabling


def _acted(run: Run, approval: ApprovalRow) -> Finding:
    entry = run.policy.procedures["M1-02"]
    expected = "disabled are the accounts of the approved list, and no other"
    case = Case("M1-02", "disabling", expected, Severity.P2, entry.first_action, entry.lines, f"change {approval.id}")
    if approval.decision != "approved":
        said = f"refused by {approval.decided_by}" if approval.decision else "nobody answered"
        return case.not_applicable("nothing disabled", f"Nothing was disabled: {said}")
    effects = _applied(run, approval)
    named = "; ".join(f"{name}: {one.reason}" for name, one in effects)
    done = sum(one.outcome is Outcome.APPLIED for _, one in effects)
    message = f"{done} of {len(effects)} accounts disabled on the approval of {approval.decided_by}: {named}"
    broken = any(one.outcome in (Outcome.FAILED, Outcome.LEFT_OVER) for _, one in effects)
    return case.failed(f"{done} of {len(effects)}", message) if broken else case.passed(f"{done}", message)


def _applied(run: Run, approval: ApprovalRow) -> Sequence[tuple[str, Effect]]:
    """The approved plan, by its hash; an account that was used since is left alone."""
    from clo_ops.actions.maintenance.applying import apply

    row = _approved(run, approval)
    plan = Plan(row.kind, row.system, tuple(one.step for one in row.steps))
    begun = frozenset(one.step.key for one in row.steps if one.started_at)
    still = frozenset((one.target, one.statement) for one in plan_of(run).steps)
    act = partial(_act, run, approval, still=still, begun=begun)
    ends = datetime.now(UTC) + LONGEST
    done = apply(plan, act, ledger=run.ledger, run=run.ledger_run, ends=ends)
    return [(step.target, effect) for step, effect in done]


def _approved(run: Run, approval: ApprovalRow) -> PlanRow:
    rows = [one for one in run.ledger.plans_of(run.ledger_run) if one.kind == KIND and one.hash in approval.plans]
    if len(rows) != 1 or rows[0].system != _system(run):
        raise CheckFailed(
            f"{len(rows)} lists are on record for change {approval.id}",
            allowed="the one that was approved, for this database",
            next_step="start the run again; nothing was disabled",
        )
    return rows[0]


def _act(
    run: Run, approval: ApprovalRow, step: Step, *, still: frozenset[tuple[str, str]], begun: frozenset[str]
) -> Effect:
    from clo_ops.actions.accounts import disable

    if (step.target, step.statement) not in still and step.key not in begun:
        return Effect(Outcome.SKIPPED, "is not inactive any more")
    target = run.connections.accounts
    if target is None:
        return Effect(Outcome.FAILED, "there is no connection clo_postgres_accounts")
    return disable(target, step, approved_by=approval.decided_by, work=approval.hash, begun=step.key in begun)
