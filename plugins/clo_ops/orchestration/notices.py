"""What users are told of maintenance: 48 hours ahead of a planned window, at its start, and when it is over (D54)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from clo_ops.ledger import Message, NoticeRow
from clo_ops.orchestration.occasion import is_emergency

if TYPE_CHECKING:
    from clo_ops.orchestration.run import Run
    from clo_ops.rules.windows_planned import Occasion

# The daily look comes once a day: a window is announced by the last look that still keeps the notice.
BETWEEN_LOOKS = timedelta(hours=25)
PAGE = "maintenance"
WORDS = {
    "ahead": "Maintenance is planned: {what}. The system stays up; it may answer more slowly.",
    "start": "Maintenance has begun: {what}.",
    "progress": "Maintenance: the work is done and is being checked: {what}.",
    "end": "Maintenance is over: {what}.",
}


def tell(run: Run, mine: Occasion, kind: str, more: str = "") -> NoticeRow:
    """Into the outbox once for each occasion, start and kind, and on record with it; delivered by the outbox."""
    from clo_ops.escalation.outbox import deliver

    now, name = datetime.now(UTC), mine.name if kind == "ahead" else told_as(run, mine)
    with run.ledger.transaction():
        number = run.ledger.enqueue(_message(run, mine, kind, more))
        kept = run.ledger.record_notice(NoticeRow(name, kind, mine.starts, mine.ends, now, number))
    deliver(run.ledger, run.connections.smtp, now)
    return kept


def told_as(run: Run, mine: Occasion) -> str:
    """The occasion of its notices: a run by hand in a planned window begins and ends beside the one on schedule."""
    return f"{mine.name} by hand {run.ledger_run}" if run.by_hand and not is_emergency(run) else mine.name


def begun(run: Run, mine: Occasion) -> bool:
    """Whether users were told that the work of this run has begun: from then on it may have changed something."""
    return "start" in run.ledger.notices(told_as(run, mine), mine.starts)


def delivered(run: Run, notice: NoticeRow) -> datetime | None:
    """When every recipient had it, but for those refused for good; None while somebody waits for it."""
    message = run.ledger.outbox_message(notice.message_id) if notice.message_id else None
    return message.delivered_at if message and message.state == "delivered" else None


def _message(run: Run, mine: Occasion, kind: str, more: str) -> Message:
    from clo_ops.orchestration.escalate import run_link

    support = run.policy.contacts.support
    text = [WORDS[kind].format(what=mine), more, f"Status: {support.status_page}. Help: {support.operations_centre}."]
    people = run.policy.contacts.groups[run.policy.maintenance.before.users]
    return Message(
        dedup_key=f"notice:{mine.name if kind == 'ahead' else told_as(run, mine)}:{mine.starts.isoformat()}:{kind}",
        recipients=_mailboxes(run, people),
        subject=f"[CLO Ops] {WORDS[kind].partition(':')[0]}: {mine.title}, {mine.starts:%Y-%m-%d %H:%M} UTC",
        text="\n\n".join(line for line in [*text, run_link(run.dag_id, run.run_id)] if line),
        run=run.ledger_run,
    )


def _mailboxes(run: Run, people: tuple[str, ...] | list[str]) -> list[str]:
    from clo_ops.escalation.tidings import mailboxes
    from clo_ops.rules.rota import people as on_duty

    return mailboxes(on_duty(people, datetime.now(UTC), run.policy), run.policy)


def announce(run: Run) -> list[NoticeRow]:
    """Every planned window that comes nearer than the notice before the next look; each once."""
    from clo_ops.orchestration.freeze import why_frozen
    from clo_ops.rules.windows_planned import coming

    now = datetime.now(UTC)
    until = now + run.policy.windows.notice + BETWEEN_LOOKS
    told = []
    for one in coming(run.policy, PAGE, now, until):
        duties = ", ".join(run.policy.windows[one.name].duties)
        frozen = why_frozen(run, one)
        needs = f"It needs an approval of its own: {'; '.join(frozen)}." if frozen else ""
        told.append(tell(run, one, "ahead", f"What is done: {duties}. {needs}".strip()))
    return told
