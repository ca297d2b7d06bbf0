"""IR-08: the review of an incident: its timeline from the record, and who reviews it by when (L279-L283, D42)."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from clo_ops.findings import Finding
from clo_ops.orchestration.response import none_left, of_run
from clo_ops.orchestration.run import Run
from clo_ops.policy.calendar import due
from clo_ops.rules.figures import moment
from clo_ops.rules.phases import judge_drafted
from clo_ops.rules.rota import on_call
from clo_ops.rules.verdicts import Case

if TYPE_CHECKING:
    from clo_ops.ledger import IncidentAction, IncidentRow

REVIEW = "Post-incident review: root cause, lessons learned, what prevents it"


def reviewed(run: Run) -> list[Finding]:
    """The timeline of the incident as HTML and JSON; for a severe one a review with its owner and date."""
    at, one = datetime.now(UTC), of_run(run)
    return [_one(run, one), judge_drafted(one, run.policy, at=at)] if one else [none_left("IR-08")]


def _one(run: Run, incident: IncidentRow) -> Finding:
    response = run.policy.alerting.response
    entry = run.policy.procedures["IR-08"]
    expected = f"the timeline kept; a review within {response.review_within} for {', '.join(response.review_of)}"
    whose = f"incident {incident.id}"
    case = Case("IR-08", "review", expected, incident.severity, entry.first_action, entry.lines, whose)
    if incident.severity in response.review_of:
        _assign(run, incident)
    actions = run.ledger.actions(incident.id)
    _keep(run, incident, actions)
    if incident.severity in response.review_of and not actions:
        return case.failed("no review", f"Incident {incident.id} has no review")
    named = "; ".join(f"{one.owner} by {moment(one.due_at)}: {one.title}" for one in actions) or "none needed"
    return case.passed(named, f"The timeline of incident {incident.id} is kept. Actions: {named}")


def _assign(run: Run, incident: IncidentRow) -> None:
    """To whoever took it; to the primary on call where nobody did. Once: a person may have given it another date."""
    if any(one.title == REVIEW for one in run.ledger.actions(incident.id)):
        return
    now = datetime.now(UTC)
    closed = incident.closed_at or now
    rota, calendar = run.policy.alerting.rota, run.policy.business_calendar
    primary = run.policy.contacts.people[on_call("primary", closed, rota, calendar)].name
    until = due(run.policy.alerting.response.review_within, closed, calendar)
    run.ledger.add_action(incident.id, REVIEW, incident.acknowledged_by or primary, until, at=now, by="clo_ops")


def _keep(run: Run, incident: IncidentRow, actions: list[IncidentAction]) -> None:
    from clo_ops.ledger.evidence import canonical_json
    from clo_ops.reports.templates import render

    facts = _facts(run, incident, actions)
    page = render("review.html", **facts, policy=run.policy).encode()
    kept = run.attach(f"incident-{incident.id}-review.html", page, "text/html")
    run.attach(f"incident-{incident.id}-review.json", canonical_json(_as_plain(facts)), "application/json")
    words = f"The record is kept: {kept.uri} (SHA-256 {kept.sha256})"
    run.ledger.note_incident(incident.id, "reviewed", datetime.now(UTC), "clo_ops", words)


def _facts(run: Run, incident: IncidentRow, actions: list[IncidentAction]) -> dict[str, Any]:
    return {
        "incident": incident,
        "events": run.ledger.timeline(incident.id),
        "actions": actions,
        "messages": run.ledger.incident_messages(incident.id),
    }


def _as_plain(facts: dict[str, Any]) -> dict[str, Any]:
    messages = [
        {"subject": one.message.subject, "to": one.message.recipients, "state": one.state, "at": one.enqueued_at}
        for one in facts["messages"]
    ]
    return {
        "incident": asdict(facts["incident"]),
        "events": [asdict(one) for one in facts["events"]],
        "actions": [asdict(one) for one in facts["actions"]],
        "messages": messages,
    }
