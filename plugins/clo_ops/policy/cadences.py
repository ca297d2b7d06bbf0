"""When each DAG runs and by when it must be done; the maintenance windows; the business calendar."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, StringConstraints, model_validator

from clo_ops.policy.base import Cited, Flag, Frozen, Model, Text, Texts, unique
from clo_ops.policy.crons import CRON_FORM, cron
from clo_ops.policy.units import Duration, LocalTime, UtcTime, as_text, refuse, several

Cron = Annotated[str, AfterValidator(cron), Field(description=CRON_FORM)]


class Cadence(Cited):
    """One timetable of a DAG. Cron expressions are UTC; several of them are a union; none means started by events.

    ``done_by`` counts from the run's due time (morning: 30 min after 08:00 is 08:30). ``procedures`` names those that
    run at this cadence where the DAG has several; empty is all of the DAG's. On a day on which ``superseded_by``
    runs, this one does not (D23). ``only_on`` business days leaves out week-ends and holidays of the calendar. One that
    is ``usual_by_hand`` is what a run by hand stands for, where its form says nothing else.
    """

    dag: Text
    title: Text
    cron: Annotated[tuple[Cron, ...], BeforeValidator(several)] = ()
    done_by: Duration
    timeout: Duration
    only_on: Literal["every day", "business days"] = "every day"
    superseded_by: Text | None = None
    procedures: Texts = ()
    usual_by_hand: Flag = False
    _superseding: tuple[str, ...] = PrivateAttr(default=())

    @property
    def superseding_cron(self) -> tuple[str, ...]:
        """The cron expressions of ``superseded_by``, filled in when the policy is loaded."""
        return self._superseding

    def superseded(self, by: tuple[str, ...]) -> Self:
        copy = self.model_copy()
        copy._superseding = by
        return copy

    @model_validator(mode="after")
    def _times_fit(self) -> Self:
        if not timedelta(0) < self.done_by:
            raise refuse(as_text(self.done_by), "longer than nothing", key="done_by")
        if self.timeout < self.done_by:
            raise refuse(
                as_text(self.timeout),
                f"not shorter than done_by ({as_text(self.done_by)})",
                "raise timeout",
                key="timeout",
            )
        return self


Cadences = Annotated[Mapping[Text, Cadence], *Frozen]


class Window(Cited):
    """A planned maintenance window, in UTC, started by ``cadence``. Nothing starts that cannot end inside it."""

    title: Text
    cadence: Text
    starts: UtcTime
    ends: UtcTime
    duties: Texts
    stands_in_for: Text | None = None

    @property
    def length(self) -> timedelta:
        day = date(2000, 1, 1)
        return datetime.combine(day, self.ends) - datetime.combine(day, self.starts)

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if not self.starts < self.ends:
            raise refuse(f"{self.ends:%H:%M} UTC", f"after starts ({self.starts:%H:%M} UTC)", key="ends")
        return self


class Authority(Cited):
    """Who may let an emergency change through (L389-L391, D53)."""

    approver: Literal["manager", "system administrator", "nobody beforehand"]
    prior_approval: Flag


class Emergency(Cited):
    """Emergency maintenance. The approver is never the requester; without prior approval a review is due (D53)."""

    business_hours: Authority
    after_hours: Authority
    critical_update: Authority
    approver_may_be_requester: Annotated[Literal[False], Field(description="false: nobody approves their own change")]
    review_within_business_days: Annotated[int, Field(strict=True, ge=1, le=1, description="1 (D53)")]
    reason_required: Flag
    users_told: Texts


class Windows(Cited):
    """windows.yaml. ``notice`` is how long before a planned window its users are told."""

    planned: Annotated[Mapping[Text, Window], *Frozen]
    notice: Duration
    backup_not_older_than: Duration
    emergency: Emergency

    def __getitem__(self, name: str) -> Window:
        return self.planned[name]

    @model_validator(mode="after")
    def _enough_notice(self) -> Self:
        if self.notice < timedelta(hours=48):
            raise refuse(as_text(self.notice), "48 h or longer (L396)", key="notice")
        return self


class ExtraHoliday(Model):
    """A day off that the country's calendar does not have."""

    day: date
    name: Text


def _zone(given: str) -> str:
    try:
        ZoneInfo(given)
    except (KeyError, ValueError, OSError):
        near = difflib.get_close_matches(given, available_timezones(), n=1) or ["America/New_York"]
        raise refuse(given, f'an IANA time zone, such as "{near[0]}"') from None
    return given


class BusinessCalendar(Cited):
    """Business hours are local to ``time_zone`` (D27); ``country`` is an ISO 3166 code the holidays package knows."""

    name: Text
    time_zone: Annotated[Text, AfterValidator(_zone)]
    opens: LocalTime
    closes: LocalTime
    weekend: Annotated[tuple[Literal["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], ...], Field(max_length=6)]
    country: Annotated[str, StringConstraints(pattern="^[A-Z]{2}$"), Field(description='two letters, such as "US"')]
    subdivision: Text | None = None
    extra_holidays: tuple[ExtraHoliday, ...] = ()
    not_holidays: tuple[date, ...] = ()

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if not self.opens < self.closes:
            raise refuse(f"{self.closes:%H:%M}", f"after opens ({self.opens:%H:%M})", key="closes")
        unique([one.day.isoformat() for one in self.extra_holidays], "days")
        return self
