"""Sections of people: who used the system and how (L67, L75, L155, L419), and its security events (L68)."""

from __future__ import annotations

from collections import Counter
from typing import Any

from clo_ops.findings import Finding
from clo_ops.findings.performed import Row
from clo_ops.reports.facts import Facts, count, no_answer, table
from clo_ops.reports.sheet import Section, Table
from clo_ops.rules.figures import duration

USERS, LOGINS, SESSIONS = "source/active_users", "source/login_statistics", "source/session_use"
ROLES, FEATURES = "source/activity_by_role", "source/features_by_role"
EVENTS, CHANGES = "source/security_event_counts", "source/access_changes"
ACTIVITY = (USERS, LOGINS, SESSIONS)
MANY = 40
OWN = "Give each event an owner (WF-08), and ask who made the change that nobody approved (WM-08)."


def activity(facts: Facts, lines: str) -> Section:
    """People, logins and sessions of the period, our own probe left out (D61)."""
    case = facts.case("user activity", "users, logins and sessions counted")
    silent = facts.silent(*ACTIVITY)
    people, logins, used = (facts.row(name) for name in ACTIVITY)
    rows = [(what, shown, ACTIVITY.index(name) + 1) for name, what, shown in _counted(people, logins, used)]
    sources = "; ".join(f"{number}: {facts.source(name)}" for number, name in enumerate(ACTIVITY, 1))
    finding = no_answer(case, silent) if silent else case.passed(*_said(people or {}, logins or {}))
    tables = (table(("what", "figure", "from"), rows, sources, (1, 2)),) if rows else ()
    return Section("User activity", lines, (), tables, (), (finding,), tuple(silent))


def _counted(people: Row | None, logins: Row | None, used: Row | None) -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = []
    if people:
        found.append((USERS, "people with a session in use", count(people["users"])))
    if logins:
        found += [(LOGINS, f"logins {what}", count(logins[what])) for what in ("accepted", "refused")]
        found.append((LOGINS, "share of logins refused", _share(logins["refused"], logins["accepted"])))
    if used:
        found.append((SESSIONS, "sessions in use", count(used["in_use"])))
        found.append((SESSIONS, "sessions opened", count(used["opened"])))
        found.append((SESSIONS, "time in a session, mean", duration(used["mean_s"])))
        for end in ("ended_by_logout", "ended_by_expiry", "revoked"):
            found.append((SESSIONS, f"sessions {end.replace('_', ' ')}", count(used[end])))
    return found


def _share(part: int, other: int) -> str:
    return f"{100 * part / (part + other):.1f} %" if part + other else "no login"


def _said(people: Row, logins: Row) -> tuple[str, str]:
    users = count(people["users"])
    return (
        f"{users} people",
        f"{users} people were active; {count(logins['accepted'])} logins, {count(logins['refused'])} refused",
    )


def by_role(facts: Facts, lines: str) -> Section:
    """People, sessions and logins of each role (L75, L155)."""
    case = facts.case("activity by role", "users, sessions and logins of each role counted")
    rows = facts.rows(ROLES)
    if rows is None:
        silent = facts.silent(ROLES)
        return Section("Activity by role", lines, findings=(no_answer(case, silent),), gaps=tuple(silent))
    heading = ("role", "accounts", "active", "sessions", "opened", "mean time", "logins", "refused")
    cells = [_role(row) for row in rows]
    busy = ", ".join(f"{row['users']} of {row['accounts']} {row['role']}" for row in rows if row["accounts"])
    finding = case.passed(f"{len(rows)} roles", f"Active: {busy or 'nobody'}")
    said = ("An account with several roles counts with each of them.",)
    shown = table(heading, cells, facts.source(ROLES), range(1, len(heading)))
    return Section("Activity by role", lines, said, (shown,), (), (finding,))


def _role(row: Row) -> tuple[str, ...]:
    counts = [count(row[name]) for name in ("accounts", "users", "sessions", "opened")]
    taken = duration(row["mean_s"]) if row["mean_s"] is not None else "no session"
    return (row["role"], *counts, taken, count(row["accepted"]), count(row["refused"]))


def features(facts: Facts, lines: str) -> Section:
    """What people did with the system, by role, as the audit trail has it (L155)."""
    case = facts.case("features used", "actions of people counted")
    rows = facts.rows(FEATURES)
    if rows is None:
        silent = facts.silent(FEATURES)
        return Section("Features used", lines, findings=(no_answer(case, silent),), gaps=tuple(silent))
    shown = _features(facts, rows)
    times = sum(int(row["times"]) for row in rows)
    finding = case.passed(f"{times:,} actions", f"{times:,} actions of {len(shown.rows)} kinds are on the audit trail")
    return Section("Features used", lines, ("Times, and in brackets how many people.",), (shown,), (), (finding,))


def _features(facts: Facts, rows: Any) -> Table:
    roles = sorted({str(row["role"]) for row in rows})
    cells: dict[str, dict[str, Row]] = {}
    for row in rows:
        cells.setdefault(str(row["action"]), {})[str(row["role"])] = row
    total = Counter({name: sum(int(row["times"]) for row in of.values()) for name, of in cells.items()})
    lines = [
        (name, f"{times:,}", *(_of_role(cells[name].get(role)) for role in roles))
        for name, times in sorted(total.items(), key=lambda one: (-one[1], one[0]))[:MANY]
    ]
    heading = ("feature", "all", *roles)
    return table(heading, lines, facts.source(FEATURES), range(1, len(heading)))


def _of_role(row: Row | None) -> str:
    return f"{count(row['times'])} ({count(row['users'])})" if row else "-"


def security(facts: Facts, lines: str) -> Section:
    """Security events by kind, and changes of permissions and settings (L68, L154, L425)."""
    case = facts.case("security events", "each with an owner, every change approved", OWN)
    silent = facts.silent(EVENTS, CHANGES)
    tables = tuple(one for one in (_events(facts), _changes(facts)) if one)
    finding = no_answer(case, silent) if silent else _judged(facts)
    return Section("Security events", lines, (), tables, (), (finding,), tuple(silent))


def _judged(facts: Facts) -> Finding:
    case = facts.case("security events", "each with an owner, every change approved", OWN)
    events, changes = facts.rows(EVENTS) or (), facts.rows(CHANGES) or ()
    times, orphans = (sum(int(row[name]) for row in events) for name in ("times", "without_owner"))
    loose = sum(int(row["not_approved"]) for row in changes)
    said = f"{times:,} security events, {orphans} without an owner; {loose} changes nobody approved"
    actual = f"{orphans} without an owner, {loose} not approved"
    return case.warned(actual, said) if orphans or loose else case.passed(actual, said)


def _events(facts: Facts) -> Table | None:
    rows = facts.rows(EVENTS)
    if rows is None:
        return None
    heading = ("event", "severity", "class", "times", "without owner", "without outcome")
    cells = [
        (row["event_type"], row["severity"], row["event_class"],
         *(count(row[name]) for name in ("times", "without_owner", "without_outcome")))
        for row in rows
    ]  # fmt: skip
    return table(heading, cells or [("none", "", "", "0", "0", "0")], facts.source(EVENTS), (3, 4, 5))


def _changes(facts: Facts) -> Table | None:
    rows = facts.rows(CHANGES)
    if rows is None:
        return None
    cells = [(row["what"], count(row["times"]), count(row["not_approved"])) for row in rows]
    shown = cells or [("no change of permissions or settings", "0", "0")]
    return table(("change", "times", "nobody approved"), shown, facts.source(CHANGES), (1, 2))
