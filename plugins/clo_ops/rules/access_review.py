"""Access reviews: which list is put before whom, who may answer for it, and what the answer was (M1-01, L162-L163).

The application does not say whose manager somebody is. It says which roles an account holds, and policy says who owns
each role (IAM-04) and the database (IAM-03): they are the reviewers.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import datetime

from clo_ops.findings import Finding, Severity
from clo_ops.findings.audit_items import Item
from clo_ops.findings.performed import Row
from clo_ops.policy.audit import AccessReview
from clo_ops.rules.accounts import ENABLED
from clo_ops.rules.verdicts import Case

HEADING = ("name", "full name", "account", "access", "since", "last login", "second factor")
NO_ROLE, OF_DATABASE = "no role", "PostgreSQL"


@dataclass(frozen=True, slots=True)
class Line:
    """``name`` is whose access it is, ``access`` what the reviewer keeps or revokes; in the order of HEADING."""

    name: str
    full_name: str
    account: str
    access: str
    since: str = ""
    last_login: str = ""
    second_factor: str = ""


@dataclass(frozen=True, slots=True)
class AccessList:
    """What one reviewer is asked about."""

    reviewer: str
    lines: tuple[Line, ...]

    @property
    def names(self) -> frozenset[str]:
        return frozenset(one.name for one in self.lines)

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        return tuple(astuple(one) for one in self.lines)


def lists(lines: Iterable[tuple[str, Line]], reviewers: Iterable[str]) -> list[AccessList]:
    """One for each reviewer, in the order of the policy; it may be empty. Lines come with whose they are."""
    found = list(lines)
    return [AccessList(who, tuple(one for reviewer, one in found if reviewer == who)) for who in reviewers]


def of_accounts(
    rows: Iterable[Row], factors: Mapping[str, str], owners: Mapping[str, str], otherwise: str
) -> Iterator[tuple[str, Line]]:
    """Enabled accounts for the owners of the roles they hold; those without a role for ``otherwise``."""
    for row in rows:
        if row["state"] != ENABLED:
            continue
        for reviewer, roles in _by_owner(str(row["roles"] or ""), owners, otherwise).items():
            yield reviewer, _account(row, " ".join(roles) or NO_ROLE, factors)


def _by_owner(roles: str, owners: Mapping[str, str], otherwise: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for role in roles.split():
        found.setdefault(owners.get(role, otherwise), []).append(role)
    return found or {otherwise: []}


def _account(row: Row, access: str, factors: Mapping[str, str]) -> Line:
    name, last = str(row["username"]), str(row["last_login"] or "never")[:10]
    who = (name, str(row["full_name"]), str(row["account"]), access)
    return Line(*who, str(row["since"])[:10], last, factors.get(name, "no source"))


def of_database(rows: Iterable[Row], reviewer: str) -> Iterator[tuple[str, Line]]:
    """Every role of PostgreSQL with what it may do, is a member of and owns; each line stands with whom it is for."""
    for row in rows:
        key, value = str(row["key"]), str(row["value"] or "")
        found = re.match(r"role (.+)|(.+) is a member of .+|.* for (.+)", key)
        name = next(one for one in found.groups() if one) if found else value
        yield reviewer, Line(name, "", OF_DATABASE, f"{key}: {value}" if value else key)


def may_answer(asked: Collection[str], reviewer: str, terms: AccessReview) -> list[str]:
    """Users of Airflow who may answer for the reviewer: those whose own access is not among what is ``asked``."""
    known = {one.casefold() for one in asked}
    users = terms.reviewers.get(reviewer, ())
    return [user for user in users if not known & {one.casefold() for one in (user, *terms.accounts.get(user, ()))}]


def to_be_revoked(said: str, asked: Collection[str]) -> tuple[list[str], list[str]]:
    """Names out of what somebody wrote, by commas, semicolons or lines: those of the list, and those that are not."""
    names = list(dict.fromkeys(one.strip() for one in re.split(r"[,;\n]", said) if one.strip()))
    return [one for one in names if one in asked], [one for one in names if one not in asked]


def answered(
    of: Mapping[str, Item], reviewers: Iterable[str], at: datetime, *, action: str, lines: str
) -> list[Finding]:
    """One finding for each reviewer of a run that asked: answered, or not by ``at``. ``of``: the run's items by key."""
    return [_answered(one, of.get(one), at, action, lines) for one in reviewers]


def _answered(reviewer: str, item: Item | None, at: datetime, action: str, lines: str) -> Finding:
    case = Case("M1-09", "access review", "every list answered by its date", Severity.P2, action, lines, reviewer)
    if item is None:
        # Also one with nothing on it is put: M1-01 made none.
        return replace(case.not_measured(), message=f"No list was put before {reviewer} in this run: see M1-01")
    if item.closed_at is not None:
        said = f"{item.title}: {item.closed_by} on {item.closed_at:%Y-%m-%d %H:%M} UTC: {item.close_reason}"
        return case.passed("answered", said)
    days = max(0, (at - item.due_at).days)
    state = f"{days} days late" if item.overdue(at) else f"due {item.due_at:%Y-%m-%d}"
    return case.failed(f"not answered, {state}", f"Nobody answered item {item.id}, {item.title} ({state})")


def reviews_owed(
    items: Sequence[Item], reviewers: Iterable[str], since: datetime, at: datetime
) -> list[tuple[str, str]]:
    """Reviewers who owe an answer, and why: late, or not asked since ``since`` (SOX-05). One in time owes nothing."""
    owed = []
    for reviewer in sorted(reviewers):
        mine = [one for one in items if one.key == reviewer]
        newest = max((one.last_seen_at for one in mine), default=None)
        if late := next((one for one in mine if one.overdue(at)), None):
            owed.append((reviewer, f"item {late.id} was to be answered by {late.due_at:%Y-%m-%d}"))
        elif newest is None or newest < since:
            owed.append((reviewer, f"not asked since {since:%Y-%m-%d}"))
    return owed
