"""Record: runs, measurements, findings, evidence, incidents, messages and the state of backups, in our own database."""

from clo_ops.findings.statements import StatementRow, StatementSnapshot
from clo_ops.ledger.errors import LedgerConflict, LedgerUnavailable
from clo_ops.ledger.ledger import Ledger
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
    StepRow,
)

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
    "StatementRow",
    "StatementSnapshot",
    "StepRow",
]
