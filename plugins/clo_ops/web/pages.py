"""What the pages show: the list of incidents, one incident, and the page behind the signed link of a mail."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fastapi.responses import HTMLResponse

from clo_ops.findings import Severity
from clo_ops.orchestration.links import PAGES
from clo_ops.reports.templates import render
from clo_ops.rules.clocks import time_left
from clo_ops.web.access import headers, prefix

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from clo_ops.escalation.desk import Desk
    from clo_ops.ledger import IncidentRow
    from clo_ops.ledger.records import IncidentEvent
    from clo_ops.orchestration.links import Taking

SHOWN = 100
SIGHTINGS = 20
# What a form may hold; more is cut, for the timeline is read by people.
LONGEST = 4000


def incidents(at_desk: Desk, user: str) -> HTMLResponse:
    now = datetime.now(UTC)
    rows = [(one, _clock(one, now)) for one in at_desk.ledger.recent_incidents(SHOWN)]
    return _page("incidents.html", title="Incidents", rows=rows, user=user, now=now)


def incident(at_desk: Desk, number: int, user: str, *, acts: bool) -> HTMLResponse:
    """One incident; the buttons only for who may act. Raises LedgerConflict: there is none."""
    now, ledger = datetime.now(UTC), at_desk.ledger
    row = ledger.incident(number)
    return _page(
        "incident_page.html",
        title=f"Incident {row.id}: {row.title}",
        incident=row,
        clocks=_clocks(row, now),
        events=_newest(ledger.timeline(number)),
        messages=ledger.incident_messages(number),
        actions=ledger.actions(number),
        owners=[one.name for one in at_desk.policy.contacts.people.values()],
        severities=[one for one in Severity if one is not row.severity],
        acts=acts and row.open,
        may_act=acts,
        user=user,
        now=now,
    )


def _newest(events: list[IncidentEvent]) -> list[IncidentEvent]:
    """The newest first; of a cause seen ten thousand times the last sightings, the count stands above."""
    left_out = {one.id for one in [event for event in events if event.kind == "seen"][:-SIGHTINGS]}
    return [one for one in reversed(events) if one.id not in left_out]


def actions(at_desk: Desk, user: str, *, acts: bool) -> HTMLResponse:
    """What is still to be done after incidents."""
    now, still_open = datetime.now(UTC), at_desk.ledger.actions(open_only=True)
    return _page("actions.html", title="Open actions", actions=still_open, may_act=acts, user=user, now=now)


def operations(at_desk: Desk, user: str) -> HTMLResponse:
    """How everything stands, in one look (RP-05)."""
    from clo_ops.reports.operations_page import assemble

    page = assemble(at_desk.ledger, at_desk.policy, datetime.now(UTC))
    return _page("operations.html", title="Operations", page=page, user=user)


def take(taking: Taking, people: Mapping[str, str], row: IncidentRow, token: str) -> HTMLResponse:
    """Shows what would be taken and asks for one click: a mail scanner that opens links takes nothing."""
    return _page("take.html", title=f"Take incident {row.id}", taking=taking, people=people, incident=row, token=token)


def said(title: str, text: str, *, link: str = "", status_code: int = 200) -> HTMLResponse:
    """One sentence and where to go from there."""
    return _page("said.html", title=title, text=text, link=link, status_code=status_code)


def _page(template: str, *, title: str, status_code: int = 200, **values: Any) -> HTMLResponse:
    html = render(template, title=title, root=f"{prefix()}{PAGES}", **values)
    return HTMLResponse(html, status_code=status_code, headers=headers())


def _clocks(row: IncidentRow, now: datetime) -> list[tuple[str, str, str]]:
    """Name, due time and what is left of each clock."""
    stopped = {
        "Answer": row.acknowledged_at and f"taken by {row.acknowledged_by}",
        "Resolution": (row.mitigated_at or row.closed_at) and "service restored",
        "Next status update": row.closed_at and "closed",
    }
    dues = {"Answer": row.response_due_at, "Resolution": row.resolution_due_at, "Next status update": row.update_due_at}
    return [
        (name, f"{due:%Y-%m-%d %H:%M} UTC" if due else "not set", str(stopped[name] or time_left(due, now)))
        for name, due in dues.items()
    ]


def _clock(row: IncidentRow, now: datetime) -> str:
    """The clock that matters next, in one phrase."""
    if not row.open:
        return f"closed {row.closed_at:%Y-%m-%d %H:%M} UTC"
    if row.acknowledged_at is None:
        return f"answer: {time_left(row.response_due_at, now)}"
    return f"update: {time_left(row.update_due_at, now)}"
