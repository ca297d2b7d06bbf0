"""How long records are kept (manual L355-L362), with floors no policy file can go under (D05, D58)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, model_validator

from clo_ops.policy.archive import Archive
from clo_ops.policy.base import Cited, Flag, Frozen, Model, Positive, Text, Texts, unique
from clo_ops.policy.period import Period
from clo_ops.policy.units import CalendarPeriod, refuse, together

# The shortest a site may keep each class, and where that comes from.
FLOORS = {
    "application_logs": (Period(days=90), "L358"),
    "access_logs": (Period(months=12), "L359"),
    "security_logs": (Period(months=24), "L360"),
    "audit_logs": (Period(months=84), "L361, D05, D58"),
    "system_logs": (Period(days=30), "L362"),
    "evidence": (Period(months=84), "L361, D58"),
    "measurements": (Period(months=13), "L184, D32"),
}


class RetentionClass(Cited):
    """One class of records. ``hot_for`` is how long rows stay in the live table before they move to the archive."""

    title: Text
    keep: CalendarPeriod
    hot_for: CalendarPeriod | None = None
    then: Literal["delete", "delete on two approvals"] = "delete"


def _above_the_floors(classes: Mapping[str, RetentionClass]) -> Mapping[str, RetentionClass]:
    refusals = []
    for name, (floor, source) in FLOORS.items():
        allowed = f"{floor} or longer ({source})"
        if name not in classes:
            refusals.append(refuse("nothing", allowed, f"add {name}", key=name))
        elif not classes[name].keep.covers(floor):
            refusals.append(refuse(classes[name].keep, allowed, "keep it longer", key=f"{name}.keep"))
    if refusals:
        raise together(refusals)
    return classes


class LegalHold(Model):
    """Backups nobody may remove: those taken ``since`` .. ``until`` (whole days, UTC; open without until), and by name.

    A hold ends by being taken out of the file, which is on record in the site's own version control.
    """

    name: Text
    reason: Text
    since: date | None = None
    until: date | None = None
    backups: Texts = ()

    @model_validator(mode="after")
    def _holds_something(self) -> Self:
        if self.since is None and not self.backups:
            raise refuse("neither since nor backups", "a period, or names of backups", key="since")
        if self.until is not None and (self.since is None or self.until < self.since):
            raise refuse(self.until, "a day not before since", key="until")
        return self

    def covers(self, path: str, taken: datetime | None) -> bool:
        """A backup whose time nobody knows is held as soon as any period is."""
        if path in self.backups or self.since is None:
            return path in self.backups
        day = None if taken is None else taken.astimezone(UTC).date()
        return day is None or (self.since <= day and (self.until is None or day <= self.until))


class BackupRotation(Cited):
    """Grandfather, father, son (D59): how many of each are kept, and how many proven ones must always remain.

    Nothing is removed unless ``apply`` says so: until then the plan is shown and that is all.
    """

    daily: Positive
    weekly: Positive
    monthly: Positive
    yearly: Positive
    minimum_proven: Positive
    apply: Flag = False
    holds: tuple[LegalHold, ...] = ()

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        unique([one.name for one in self.holds], "holds")
        return self


class Retention(Model):
    """retention.yaml. ``retention["audit_logs"].keep`` is a Period."""

    classes: Annotated[Mapping[Text, RetentionClass], AfterValidator(_above_the_floors), *Frozen]
    backups: BackupRotation
    archive: Archive

    @model_validator(mode="after")
    def _audit_rows_move(self) -> Self:
        if self.classes["audit_logs"].hot_for is None:
            raise refuse("nothing", "how long audit rows stay in the live table", key="classes.audit_logs.hot_for")
        return self

    def __getitem__(self, name: str) -> RetentionClass:
        return self.classes[name]
