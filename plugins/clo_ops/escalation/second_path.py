"""The second way: what mail could not bring is told once through Apprise as well, never instead of mail (IR-10, D49).

A message that waits longer than policy allows, or that a server refused for good, is an incident of its own. Both the
watch and the watchdog call ``overdue``; whichever comes first tells.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from clo_ops.escalation.desk import OURSELVES, Desk
from clo_ops.escalation.sighting import Links, Sighting
from clo_ops.findings import CloOpsError, ConfigurationError, Severity

if TYPE_CHECKING:
    from clo_ops.ledger import IncidentRow, Ledger, OutboxMessage
    from clo_ops.policy import Policy

log = logging.getLogger(__name__)
CAUSE = "undelivered:mail"
PROCEDURE = "IR-10"
SUCCEEDED, REFUSED = "second path", "second path refused"
# What is older was told, or missed, in its time; an operator who mends an address does not want last month's mails.
LOOK_BACK = timedelta(days=7)
# A second way that does not answer must not hold up every look of the watch.
WAIT_AFTER_REFUSAL = timedelta(minutes=1)
AT_ONCE = 10
TAKE = "/take/"

Notify = Callable[[str, str], None]


class SecondPathRefused(CloOpsError):
    """The second way did not take the message either. Tried again a minute later."""


@dataclass(frozen=True, slots=True)
class Overdue:
    """How many messages are undelivered, how many were told by the second way now, and why no more were."""

    undelivered: int = 0
    told: int = 0
    error: str = ""


def apprise_notify(urls: str) -> Notify:
    """A function that sends (title, text) to every Apprise URL in ``urls`` (several are parted by white space).

    Raises ConfigurationError for a URL that Apprise does not know; the function raises SecondPathRefused. A URL holds
    tokens: none of it is in any message.
    """
    import apprise

    ways = apprise.Apprise()
    if not urls.split() or not all(ways.add(url) for url in urls.split()):
        raise ConfigurationError(
            "the connection of the second path holds no URL that Apprise knows",
            allowed="one or more Apprise URLs in the connection's password, parted by spaces",
            next_step="try it: apprise -t test -b test <URL> (docs/watchdog.md)",
        )

    def notify(title: str, text: str) -> None:
        if not ways.notify(body=text, title=title, body_format=apprise.NotifyFormat.TEXT):
            raise SecondPathRefused(
                f"the second path ({', '.join(sorted({url.partition('://')[0] for url in urls.split()}))}) did not "
                "take the message",
                next_step="see the log lines of 'apprise' just above",
            )

    return notify


def overdue(
    ledger: Ledger, policy: Policy, now: datetime, notify: Notify | None, links: Links | None = None
) -> Overdue:
    """Open, follow or close the incident of undelivered mail, and tell each such message once by the second way.

    ``notify`` None: there is no second way; the incident is opened all the same. Safe to repeat and to call from
    several processes. Raises LedgerUnavailable; what ``notify`` raises is in the result.
    """
    late = ledger.undelivered(now - policy.alerting.second_path.after, now - LOOK_BACK)
    told = ledger.told_of(CAUSE)
    fresh = [one for one in late if _step(one) not in told]
    desk = Desk(ledger, policy, links)
    known = ledger.open_incident_of(CAUSE)
    if known is None and fresh:
        known = desk.detect(_sighting(fresh, policy, now))
    if known is None:
        return Overdue(len(late))
    if not _stands(ledger, known, late):
        desk.clear(CAUSE, now, "Every message it stood for has been delivered")
        return Overdue()
    own = [one for one in ledger.incident_messages(known.id) if one.state == "waiting" and _step(one) not in told]
    return _tell(ledger, known, {one.id: one for one in (*own, *fresh)}.values(), now, notify, len(late))


def _stands(ledger: Ledger, known: IncidentRow, late: Sequence[OutboxMessage]) -> bool:
    """Whether a message that waits, or one refused that this incident is about, is still undelivered."""
    mine = ledger.steps_told(known.id)
    told_before = ledger.told_of(CAUSE) - mine.keys()
    return any(one.state == "waiting" or _step(one) not in told_before for one in late)


def _sighting(fresh: Sequence[OutboxMessage], policy: Policy, now: datetime) -> Sighting:
    oldest, entry = min(fresh, key=lambda one: one.enqueued_at), policy.procedures[PROCEDURE]
    reason = next((_why(one) for one in fresh if _why(one)), "no server has answered yet")
    minutes = policy.alerting.second_path.after.total_seconds() / 60
    return Sighting(
        cause=CAUSE,
        severity=Severity.P2,
        title="Mail cannot be delivered",
        procedure=PROCEDURE,
        at=now,
        observed=f"{len(fresh)} message(s) undelivered, the oldest since {oldest.enqueued_at:%Y-%m-%d %H:%M:%S} UTC; "
        f"last reason: {reason}",
        allowed=f"delivered within {minutes:g} min, refused by nobody",
        manual=f"{' / '.join(entry.section)} ({entry.lines})",
        first_action="See that the mail server of clo_smtp runs and answers; for a refused address, put it right in "
        "contacts.yaml and requeue the message. What waits goes out by itself.",
    )


def _tell(  # noqa: PLR0917 - one transaction's worth of facts
    ledger: Ledger,
    known: IncidentRow,
    messages: Iterable[OutboxMessage],
    now: datetime,
    notify: Notify | None,
    undelivered: int,
) -> Overdue:
    """One notification for one piece of news, however many people its mails were for."""
    news: dict[str, list[OutboxMessage]] = {}
    for one in messages:
        news.setdefault(one.message.subject, []).append(one)
    refused = ledger.heartbeats().get(REFUSED)
    if news and refused is not None and now - refused.at < WAIT_AFTER_REFUSAL:
        return Overdue(undelivered, 0, refused.detail)
    told = 0
    for of_one in list(news.values())[:AT_ONCE]:
        try:
            told += _told_once(ledger, known, of_one, now, notify)
        except SecondPathRefused as error:
            log.warning("%s", error)
            ledger.beat(REFUSED, now, str(error))
            return Overdue(undelivered, told, str(error))
    return Overdue(undelivered, told)


def _told_once(
    ledger: Ledger, known: IncidentRow, messages: Sequence[OutboxMessage], now: datetime, notify: Notify | None
) -> int:
    """Put on record and told, or neither: a second way that refuses takes the record back with it."""
    with ledger.alone(SUCCEEDED) as mine:
        if not mine:
            return 0
        how = "told by the second path" if notify else "no second path is set; undelivered"
        new = [
            one
            for one in messages
            if ledger.mark_step_told(known.id, _step(one), now, f"{how}: {one.message.subject} ({_whom(one)})")
        ]
        if new and notify:
            notify(new[0].message.subject, _text(new))
            ledger.beat(SUCCEEDED, now, f"{len(new)} message(s), {OURSELVES}")
        return len(new) if notify else 0


def _text(messages: Sequence[OutboxMessage]) -> str:
    """The mail's text for whoever reads the channel. A link that takes it in one person's name is not for all."""
    lines = [line for line in messages[0].message.text.splitlines() if TAKE not in line]
    whom = ", ".join(dict.fromkeys(who for one in messages for who in _unreached(one)))
    return f"Mail to {whom} has not been delivered.\n\n" + "\n".join(lines)


def _unreached(one: OutboxMessage) -> tuple[str, ...]:
    return (*one.pending, *one.refused)


def _whom(one: OutboxMessage) -> str:
    return ", ".join(_unreached(one))


def _why(one: OutboxMessage) -> str:
    return one.last_error or "; ".join(f"{who}: {why}" for who, why in one.refused.items())


def _step(one: OutboxMessage) -> str:
    return f"second path {one.id}"
