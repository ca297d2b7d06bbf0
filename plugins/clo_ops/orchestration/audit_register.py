"""What came of audits and is open until it is closed: M1-07, M1-08, M1-09, and the report of the whole audit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from clo_ops.findings import ConfigurationError, Finding, Severity
from clo_ops.findings.audit_items import ACTIONS, GAP, PENETRATION_TEST, REVIEW, Found, Item
from clo_ops.orchestration.access_review import is_review, outcome
from clo_ops.rules import audit_items as rules
from clo_ops.rules import compliance_gaps as gaps
from clo_ops.rules.verdicts import Case

if TYPE_CHECKING:
    from clo_ops.orchestration.run import Run

RUNS_BACK = 80
BY = "clo_ops"
REPORTS = "penetration tests"


# ---------------------------------------------------------------- M1-07


def penetration_tests(run: Run) -> list[Finding]:
    """M1-07: reports taken in, and each finding of theirs until it is closed, with its age."""
    terms, entry = run.policy.audit.penetration_tests, run.policy.procedures["M1-07"]
    taken = [_taken_in(run, url) for url in terms.reports]
    items = run.ledger.audit_items([PENETRATION_TEST])
    if not items and not taken:
        case = Case("M1-07", "report", "a report of a penetration test", Severity.P3, entry.first_action, entry.lines)
        said = "No source: no report was provided (audit.yaml, penetration_tests.reports); that is a gap, not a pass"
        return [case.not_applicable("no source", said)]
    _keep(run, "penetration-test-findings.csv", items)
    return [*taken, *rules.judge("M1-07", items, run.policy.audit, entry.first_action, entry.lines, at=run.at)]


def _taken_in(run: Run, url: str) -> Finding:
    """One report: what is new is opened, what it says is over is closed. Of what it leaves out it says nothing."""
    from clo_ops.orchestration.asked_pages import unknown
    from clo_ops.probes.penetration_reports import fetch
    from clo_ops.probes.reaching import Unreachable
    from clo_ops.rules.penetration_reports import Unreadable, read

    entry, name = run.policy.procedures["M1-07"], url.rsplit("/", 1)[-1]
    case = Case("M1-07", "report", "SARIF 2.1.0 or CSV", Severity.P2, entry.first_action, entry.lines, name)
    try:
        data = fetch(url, run.policy.audit.penetration_tests.largest)
        found = read(data, name)
    except (Unreachable, Unreadable) as error:
        return unknown(case, f"Report {name} could not be taken in: {str(error).rstrip('.')}")
    run.attach(f"report-{name}", data, "text/csv" if name.lower().endswith(".csv") else "application/sarif+json")
    opened, closed = _on_record(run, found, new=_is_new(run, name, data))
    said = f"Report {name}: {len(found)} findings, {opened} of them open, {closed} closed by it now"
    return case.passed(f"{len(found)} findings", said)


def _on_record(run: Run, found: Iterable[Found], *, new: bool) -> tuple[int, int]:
    """How many of the report's findings are open, and how many it has closed.

    What somebody closed is opened again by a ``new`` report only: one that is read a second time knows nothing of it.
    """
    terms, items = run.policy.audit, run.ledger.audit_items([PENETRATION_TEST])
    still = {one.key for one in items if one.closed_at is None}
    settled = {one.key for one in items} - still
    opened = closed = 0
    for one in found:
        if one.over:
            closed += _closed_by(run, one)
        elif new or one.key not in settled:
            due = rules.due_of(one, terms, run.at)
            run.ledger.see_item(one, one.owner or terms.penetration_tests.owner, due, run.at)
            opened += 1
    return opened, closed


def _is_new(run: Run, name: str, data: bytes) -> bool:
    """Whether no earlier audit read this very file; on record for the next."""
    kind, now = f"report {name}", {"sha256": hashlib.sha256(data).hexdigest()}
    before = run.ledger.earlier_state(kind, REPORTS, run.at, run.ledger_run)
    run.ledger.record_state(run.ledger_run, kind, REPORTS, datetime.now(UTC), now)
    return before is None or dict(before.content) != now


def _closed_by(run: Run, found: Found) -> int:
    mine = [one for one in run.ledger.audit_items([PENETRATION_TEST], open_only=True) if one.key == found.key]
    for one in mine:
        run.ledger.close_item(one.id, BY, run.at, found.over)
    return len(mine)


# ---------------------------------------------------------------- M1-08


def compliance_gaps(run: Run) -> list[Finding]:
    """M1-08: each control over the month and the months before; what is a gap is to be closed by its owner."""
    months, entry = run.policy.audit.gaps.months, run.policy.procedures["M1-08"]
    looks = list(_looks(run, months))
    standing = gaps.standings(run.policy.controls.catalogue.values(), looks, months, run.at)
    for one in gaps.open_gaps(standing):
        run.ledger.see_item(one, one.owner, rules.due_of(one, run.policy.audit, run.at), run.at)
    good = gaps.closed_gaps(standing)
    for item in run.ledger.audit_items([GAP], open_only=True):
        if item.key in good:
            run.ledger.close_item(item.id, BY, run.at, "the control passed when it was last assessed")
    _keep_table(run, "compliance-gaps.csv", gaps.HEADING, gaps.table(standing))
    return gaps.judge(standing, entry.lines, entry.first_action)


def _looks(run: Run, months: int) -> Iterable[gaps.Look]:
    """What the ledger has of every control, from the pages that ask them; this run's own looks among them."""
    controls = run.policy.controls.catalogue
    since = run.at - gaps.MONTH * (months + 1)
    pages = {run.policy.procedures[one.procedure].dag for one in controls.values()}
    for dag in sorted(pages):
        for one in run.ledger.recent_runs(dag, RUNS_BACK):
            if since < one.at <= run.at:
                found = run.ledger.findings(one.id)
                yield from (gaps.Look(each.subject, one.at, each.status) for each in found if each.subject in controls)


# ---------------------------------------------------------------- M1-09


def improvements(run: Run) -> list[Finding]:
    """M1-09: recommendations, policies, monitoring and trainings, each with owner and date until somebody closed it."""
    entry = run.policy.procedures["M1-09"]
    reviewed = _review(run) if is_review(run) else []
    if run.why_not_due("M1-08"):
        return reviewed  # the audit's own run judges the register
    said = [*reviewed, *_filled_in(run)]
    items = run.ledger.audit_items(ACTIONS)
    for duty, found in rules.duties_due(run.policy.audit.programme.duties, items, run.at):
        run.ledger.see_item(found, duty.owner, run.at + duty.within, run.at)
    items = run.ledger.audit_items((*ACTIONS, GAP, REVIEW))
    _keep(run, "actions.csv", items)
    judged = rules.judge("M1-09", items, run.policy.audit, entry.first_action, entry.lines, at=run.at)
    return [*said, *judged, *_report(run, [*said, *judged])]


def _review(run: Run) -> list[Finding]:
    """The outcome of a run that asked its reviewers, and all reviews ever made, as evidence."""
    _keep(run, "access-reviews.csv", run.ledger.audit_items([REVIEW]))
    return outcome(run)


def _filled_in(run: Run) -> list[Finding]:
    """What the form of a run by hand says of the register: an item closed or moved, an action added.

    Raises ConfigurationError for a form that says too little; LedgerConflict, for an item that is not open.
    """
    if not run.by_hand or not any(run.params.get(name) for name in ("item", "action_title")):
        return []
    if not run.asked_by:
        raise ConfigurationError("nobody is known to have filled in the form", "a run started by a user of Airflow")
    entry = run.policy.procedures["M1-09"]
    case = Case("M1-09", "form", "what the form says is on record", Severity.P3, entry.first_action, entry.lines)
    item = _closed_or_moved(run) if run.params.get("item") else _added(run)
    state = f"closed: {item.close_reason}" if item.closed_at else f"{item.owner}, due {item.due_at:%Y-%m-%d}"
    return [case.passed(state, f"{run.asked_by}: item {item.id}, {item.title}: {state}")]


def _closed_or_moved(run: Run) -> Item:
    number, note = int(run.params["item"]), str(run.params.get("item_note") or "").strip()
    known = next((one for one in run.ledger.audit_items() if one.id == number), None)
    if known is not None and known.closed_by == run.asked_by and known.close_reason == note:
        return known  # an earlier try of this run
    if known is not None and known.kind == REVIEW and not run.params.get("item_due"):
        raise ConfigurationError(
            f"item {number} is an access review, which no form closes",
            allowed="the answer of a reviewer in Required Actions, to the list",
            next_step="start the page by hand with the cadence Access review; it asks again",
        )
    if (due := _date(run, "item_due")) is not None and known is not None:
        owner = str(run.params.get("item_owner") or "").strip() or known.owner
        return run.ledger.move_item(number, owner, due, by=run.asked_by, at=datetime.now(UTC))
    if not note:
        raise ConfigurationError(
            f"item {number} is closed without a word",
            allowed="what was done, and where the evidence for it is (D62)",
            next_step="start the run again with the note filled in",
        )
    return run.ledger.close_item(number, run.asked_by, datetime.now(UTC), note)


def _added(run: Run) -> Item:
    given = {name: str(run.params.get(f"action_{name}") or "").strip() for name in ("title", "kind", "owner")}
    due = _date(run, "action_due")
    if not given["owner"] or due is None or given["kind"] not in ACTIONS:
        raise ConfigurationError(
            f"the action {given['title']!r} lacks its kind, its owner or its date",
            allowed=f"one of {', '.join(ACTIONS)}; a person or group; a day",
            next_step="start the run again with the form filled in",
        )
    found = Found(given["kind"], given["title"], given["title"])
    return run.ledger.see_item(found, given["owner"], due, datetime.now(UTC), by=run.asked_by)


def _date(run: Run, name: str) -> datetime | None:
    """The end of the day the form names."""
    said = str(run.params.get(name) or "")
    return datetime.fromisoformat(said[:10]).replace(hour=23, minute=59, tzinfo=UTC) if said else None


# ---------------------------------------------------------------- evidence and report


def _keep(run: Run, name: str, items: Sequence[Item]) -> None:
    _keep_table(run, name, rules.HEADING, rules.table(items, run.at))


def _keep_table(run: Run, name: str, heading: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> None:
    from clo_ops.reports.sheet import Table, as_csv

    run.attach(name, as_csv(Table(heading, rows)), "text/csv")


def _report(run: Run, more: Sequence[Finding]) -> list[Finding]:
    from clo_ops.orchestration.escalate import run_link
    from clo_ops.orchestration.report_keeping import kept
    from clo_ops.reports.security_audit import assemble

    sheet = assemble(run.ledger, run.ledger_run, run.policy, more=more, link=run_link(run.dag_id, run.run_id))
    return kept(run, sheet, "security-audit", run.policy.audit.to, "M1-09")
