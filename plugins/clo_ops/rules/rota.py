"""Who is on call at a time, and when the next hand-over is (IR-09; manual L452-L456)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from clo_ops.policy import Policy
    from clo_ops.policy.alerting import Rota
    from clo_ops.policy.cadences import BusinessCalendar

Role = Literal["primary", "secondary"]
WEEK = timedelta(days=7)
# A Monday: weeks are counted from here, so that turns do not depend on when anybody asks.
FIRST_MONDAY = date(2024, 1, 1)


def on_call(role: Role, at: datetime, rota: Rota, calendar: BusinessCalendar) -> str:
    """Who (of contacts.yaml) is ``role`` at ``at``: an override of that local day, else whose turn it is."""
    day = at.astimezone(calendar.zone).date()
    for one in rota.overrides:
        if one.role == role and one.first <= day <= one.until:
            return one.person
    names = rota.primary if role == "primary" else rota.secondary
    return names[_weeks(at, rota, calendar) % len(names)]


def people(names: Iterable[str], at: datetime, policy: Policy) -> tuple[str, ...]:
    """The names of contacts.yaml that ``names`` stand for at ``at``, each once: "primary on call" is a person then."""
    from clo_ops.policy.alerting import ON_CALL

    rota, calendar = policy.alerting.rota, policy.business_calendar
    found = (on_call(ON_CALL[name], at, rota, calendar) if name in ON_CALL else name for name in names)
    return tuple(dict.fromkeys(found))


def next_hand_over(at: datetime, rota: Rota, calendar: BusinessCalendar) -> datetime:
    """The first hand-over after ``at``, in UTC."""
    return _hand_over(_weeks(at, rota, calendar) + 1, rota, calendar)


def _weeks(at: datetime, rota: Rota, calendar: BusinessCalendar) -> int:
    """How many hand-overs there were up to ``at``, the one at that very moment included."""
    guess = (at.astimezone(calendar.zone).date() - FIRST_MONDAY).days // 7
    return guess if _hand_over(guess, rota, calendar) <= at else guess - 1


def _hand_over(number: int, rota: Rota, calendar: BusinessCalendar) -> datetime:
    weekday, clock = rota.hand_over
    day = FIRST_MONDAY + number * WEEK + timedelta(days=weekday)
    return datetime.combine(day, time.fromisoformat(clock), calendar.zone).astimezone(UTC)
