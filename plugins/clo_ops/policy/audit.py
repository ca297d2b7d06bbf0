"""The month's security audit: accounts, penetration tests and what came of them (M1-01 .. M1-09)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from clo_ops.policy.base import Cited, Flag, Frozen, Positive, Text, Texts, unique
from clo_ops.policy.units import CalendarPeriod, Duration, refuse

Rating = Literal["critical", "high", "medium", "low"]
RATINGS: tuple[Rating, ...] = get_args(Rating)
ItemKind = Literal["recommendation", "policy", "monitoring", "training"]


class Accounts(Cited):
    """Who lets inactive accounts be disabled (M1-02); which are inactive says the control IAM-06.

    ``disable``: whether a run on schedule asks for the approval; a run by hand asks where its form says so.
    """

    disable: Flag
    approver: Literal["manager", "system administrator"]
    at_most: Positive


class PenetrationTests(Cited):
    """Reports to take in (SARIF or CSV; any fsspec URL), who looks after what they found, and by when."""

    reports: Texts = ()
    largest: Positive
    owner: Text
    due: Annotated[Mapping[Rating, Duration], *Frozen]

    @model_validator(mode="after")
    def _each_has_a_date(self) -> Self:
        if missing := [one for one in RATINGS if one not in self.due]:
            raise refuse(", ".join(self.due), f"a time for each of {', '.join(RATINGS)}", f"add {', '.join(missing)}")
        return self


class Gaps(Cited):
    """How many audits back the trend of a control goes, and by when a gap is to be closed."""

    months: Positive
    close_within: Duration


class Duty(Cited):
    """A standing duty of the programme: every so often an action with an owner, done in time and proven by a person."""

    title: Text
    kind: ItemKind
    owner: Text
    every: CalendarPeriod
    within: Duration


class Programme(Cited):
    """What is done about security however the findings stand, and when an overdue action becomes grave."""

    duties: tuple[Duty, ...] = ()
    grave_after: Duration

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        unique([one.title for one in self.duties], "titles")
        return self


class AccessReview(Cited):
    """Who is asked in an access review: ``reviewers`` are owners of roles (IAM-04) and of the database (IAM-03), each
    with the users of Airflow who may answer for them.

    ``accounts`` names accounts that are the same person's as a user of Airflow and do not bear that user's name, so
    that nobody reviews themselves. What is revoked is to be taken away by ``revoked_by`` within ``revoke_within``.
    """

    reviewers: Annotated[Mapping[Text, Annotated[Texts, Field(min_length=1)]], Field(min_length=1), *Frozen]
    accounts: Annotated[Mapping[Text, Texts], *Frozen] = Field(default_factory=dict)
    answer_within: Duration
    revoked_by: Text
    revoke_within: Duration


class Audit(Cited):
    """audit.yaml."""

    review: AccessReview
    accounts: Accounts
    penetration_tests: PenetrationTests
    gaps: Gaps
    programme: Programme
    to: Annotated[Texts, Field(min_length=1)]
