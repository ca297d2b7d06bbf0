"""The month's look at accounts: second factors, accounts nobody uses, and privileges in use (M1-01, M1-02, M1-04)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from clo_ops.findings.performed import Judged, Row, Violation

PERSON, ENABLED = "person", "enabled"


def counted(rows: Sequence[Row], parameters: Mapping[str, Any]) -> Judged:
    """A list for people to go through: it speaks against nobody by itself."""
    return Judged(len(rows))


def second_factor(rows: Sequence[Row], parameters: Mapping[str, Any]) -> Judged:
    """Every enabled account of a person has one; a program's account is another control's business (D61)."""
    people = [row for row in rows if row["account"] == PERSON and row["state"] == ENABLED]
    missing = (Violation(f"account {row['username']}", "no second factor") for row in people if not row["mfa"])
    return Judged(len(rows), tuple(missing))


def inactive(rows: Sequence[Row], parameters: Mapping[str, Any]) -> Judged:
    """Accounts of people unused for too long. Service accounts are in the table, apart: they log in nowhere (D60)."""
    looked_at = int(rows[0]["looked_at"]) if rows else 0
    # One row without an account says how many were looked at where none is inactive.
    unused = [row for row in rows if row["username"] and row["account"] == PERSON]
    return Judged(looked_at, tuple(Violation(key_of(row["username"]), _unused(row)) for row in unused))


def key_of(username: object) -> str:
    """How an account is named in findings and exceptions."""
    return f"account {username}"


def _unused(row: Row) -> str:
    roles = row["roles"] or "no role"
    last = row["last_login"]
    return f"{roles}; last used {last[:10]}" if last else f"{roles}; never used since {str(row['since'])[:10]}"


def privileged_use(rows: Sequence[Row], parameters: Mapping[str, Any]) -> Judged:
    """Each use by an account that holds one of the roles for it (``by``), those of ``reason_for`` with a purpose."""
    return Judged(len(rows), tuple(one for row in rows for one in _against(row, parameters)))


def _against(row: Row, parameters: Mapping[str, Any]) -> Iterator[Violation]:
    key = f"{row['action']} by {row['actor']} at {str(row['at'])[:16]}"
    may = parameters["by"].get(row["action"], ())
    if row["actor"] not in parameters["programs"] and not set(may) & set(row["roles"]):
        held = " and ".join(row["roles"]) or ("no role" if row["known"] else "no account")
        yield Violation(key, f"{row['object']}: {held}; it takes {' or '.join(may) or 'a program'}")
    if row["action"] in parameters["reason_for"] and not row["purpose"]:
        yield Violation(key, f"{row['object']}: no reason on record")
