"""Record: runs, measurements, findings, evidence, incidents, messages and the state of backups, in our own database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clo_ops.findings.statements import StatementRow, StatementSnapshot
from clo_ops.ledger.errors import LedgerConflict, LedgerUnavailable
from clo_ops.ledger.records import (
    AlertRow,
    ApprovalRow,
    BackupRow,
    BaselineResult,
    Evidence,
    Heartbeat,
    IncidentAction,
    IncidentEvent,
    IncidentRow,
    Message,
    NoticeRow,
    OutboxMessage,
    OutboxState,
    PlanRow,
    Recording,
    Rolled,
    Rolling,
    RunRow,
    StateRow,
    StepRow,
)

if TYPE_CHECKING:
    from clo_ops.ledger.ledger import Ledger

__all__ = [
    "AlertRow",
    "ApprovalRow",
    "BackupRow",
    "BaselineResult",
    "Evidence",
    "Heartbeat",
    "IncidentAction",
    "IncidentEvent",
    "IncidentRow",
    "Ledger",
    "LedgerConflict",
    "LedgerUnavailable",
    "Message",
    "NoticeRow",
    "OutboxMessage",
    "OutboxState",
    "PlanRow",
    "Recording",
    "Rolled",
    "Rolling",
    "RunRow",
    "StateRow",
    "StatementRow",
    "StatementSnapshot",
    "StepRow",
]


def __getattr__(name: str) -> Any:
    """``Ledger`` comes when it is asked for: its tables are not built each time a DAG file is parsed."""
    if name != "Ledger":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from clo_ops.ledger.ledger import Ledger

    return Ledger
