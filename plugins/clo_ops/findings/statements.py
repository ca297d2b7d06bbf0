"""What pg_stat_statements had counted at one moment: the probe takes it, the ledger keeps it, DM-06 subtracts two."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class StatementRow:
    """One statement's counters since the last reset. Identity is (queryid, user, database, toplevel).

    ``total_ms`` is execution time in milliseconds, ``rows`` rows returned or touched, ``text`` the normalised
    statement, cut at 500 characters.
    """

    queryid: int
    user: str
    database: str
    toplevel: bool
    calls: int
    total_ms: float
    rows: int
    text: str


@dataclass(frozen=True, slots=True)
class StatementSnapshot:
    """All counters at ``taken_at`` (UTC). ``stats_reset`` is None where the extension is too old to tell."""

    taken_at: datetime
    stats_reset: datetime | None
    rows: tuple[StatementRow, ...]
