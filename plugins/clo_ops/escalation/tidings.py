"""What people are told of an incident, as messages: plain text and HTML, every text from outside escaped."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from clo_ops.ledger.records import Message
from clo_ops.policy.units import as_text
from clo_ops.reports.templates import render

if TYPE_CHECKING:
    from clo_ops.escalation.sighting import Sighting
    from clo_ops.ledger import IncidentRow
    from clo_ops.policy import Policy
    from clo_ops.policy.severities import Vendor

SUBJECT_LENGTH = 150
# The kind of news by which a person first hears of an incident; who got it gets all that follows.
OPENED = "opened"


@dataclass(frozen=True, slots=True)
class News:
    """``headline`` is the one sentence; ``story`` is what was seen; ``ask`` is what the reader is to do; ``told`` is
    who is told now, each with the steps that name them."""

    kind: str
    headline: str
    story: str = ""
    ask: str = ""
    told: tuple[str, ...] = ()
    link: str = ""


def opened(incident: IncidentRow, story: str, whom: Mapping[str, Sequence[str]], link: str, policy: Policy) -> News:
    """An incident, for everybody whose step of a ladder or notice is due: by name of contacts.yaml, the steps."""
    level = policy.severities[incident.severity]
    return News(
        kind=OPENED,
        headline=f"{incident.severity} {level.title}: {incident.title}. {_taken(incident)}",
        story=story,
        ask="Take it, so that the next one on the ladder need not be told." if not incident.acknowledged_by else "",
        told=tuple(f"{policy.contacts.people[name].name} ({', '.join(steps)})" for name, steps in whom.items()),
        link="" if incident.acknowledged_by else link,
    )


def changed(incident: IncidentRow, title: str, story: str, policy: Policy) -> News:
    """An incident that people know of is another now: graver, or measured otherwise."""
    level = policy.severities[incident.severity]
    return News(
        kind="changed",
        headline=f"Now {incident.severity} {level.title}: {title}. {_taken(incident)}",
        story=story,
        ask="" if incident.acknowledged_by else "Take it, so that the next one on the ladder need not be told.",
    )


def _taken(incident: IncidentRow) -> str:
    if incident.acknowledged_by:
        return f"{incident.acknowledged_by} has taken it."
    return f"Nobody has taken it yet; to be answered by {_moment(incident.response_due_at)}."


def story(seen: Sighting, policy: Policy) -> str:
    """What was seen, and whom to call for the component it is about, where a vendor is contracted for it (SP-02)."""
    concerned = [one for one in policy.vendors.values() if seen.component and seen.component in one.components]
    return "\n".join([seen.detail, *(f"Vendor to call: {_vendor(one)}" for one in concerned)])


def _vendor(one: Vendor) -> str:
    answers = f"answers within {as_text(one.response)}, {one.coverage}" if one.response else "no contract"
    risk = "" if one.meets_p1 else "; that is too late for a P1, go on without it"
    return f"{one.product}, {one.contact} ({answers}{risk})"


def acknowledged(incident: IncidentRow, by: str, policy: Policy) -> News:
    return News(
        "acknowledged", f"{by} has taken it; the next status update is due by {_moment(incident.update_due_at)}."
    )


def updated(incident: IncidentRow, by: str, text: str, policy: Policy) -> News:
    return News("update", f"Status update by {by}.", text, f"The next is due by {_moment(incident.update_due_at)}.")


def update_overdue(incident: IncidentRow, policy: Policy) -> News:
    holder = incident.acknowledged_by or "nobody"
    return News(
        "update overdue",
        f"No status update since it was due by {_moment(incident.update_due_at)}; taken by {holder}.",
        ask="Find out how it stands and give an update; until then the ladder goes on.",
    )


def all_clear(incident: IncidentRow, by: str, reason: str, policy: Policy) -> News:
    return News("all clear", f"Over since {_moment(incident.closed_at)}, closed by {by}.", f"Reason: {reason}")


def draft_for_users(incident: IncidentRow, condition: str, policy: Policy) -> News:
    """A person decides whether users read it, and how (D51); nothing is published by itself."""
    return News(
        "draft for the status page",
        f"To be released by a person, and only when {condition}.",
        f"Draft: We are looking into a problem since {_moment(incident.opened_at)}. The next update follows by "
        f"{_moment(incident.update_due_at)}. Status: {policy.contacts.support.status_page}",
        "Release, change or drop it.",
    )


def mailboxes(names: Iterable[str], policy: Policy) -> list[str]:
    """Addresses of people of contacts.yaml, each once; who has only a telephone has none."""
    found = (policy.contacts.people[name].email for name in names)
    return list(dict.fromkeys(one for one in found if one))


def message(  # noqa: PLR0917 - the parts of a mail
    incident: IncidentRow, news: News, recipients: Sequence[str], at: datetime, policy: Policy, link: str
) -> Message:
    """The message; the same news of the same moment to the same people is the same message."""
    values = {"incident": incident, "news": news, "support": policy.contacts.support, "link": link, "at": at}
    whom = hashlib.sha256("\n".join(sorted(recipients)).encode()).hexdigest()[:12]
    subject = f"[CLO Ops] {incident.severity} incident {incident.id}, {news.kind}: {incident.title}"
    return Message(
        dedup_key=f"incident:{incident.id}:{news.kind}:{at.isoformat()}:{whom}",
        recipients=recipients,
        subject=" ".join(subject.split())[:SUBJECT_LENGTH],
        text=render("incident.txt", **values),
        html=render("incident.html", **values),
        # Mail programs show everything of one incident as one conversation.
        headers={"X-CLO-Ops-Incident": str(incident.id), "References": f"<incident-{incident.id}@clo-ops>"},
        severity=incident.severity,
        run=incident.run_id,
    )


def _moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else "no set time"
