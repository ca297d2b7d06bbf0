"""The ledger in one piece: everything CLO Ops puts on record, in a PostgreSQL database of its own."""

from __future__ import annotations

from clo_ops.ledger import schema_version
from clo_ops.ledger.alerts import Alerts
from clo_ops.ledger.archive import Archives
from clo_ops.ledger.attendance import Attendance
from clo_ops.ledger.audit_items import AuditItems
from clo_ops.ledger.backups import Backups
from clo_ops.ledger.evidence_index import EvidenceIndex
from clo_ops.ledger.forecasts import Forecasts
from clo_ops.ledger.incident_record import IncidentRecord
from clo_ops.ledger.incidents import Incidents
from clo_ops.ledger.log_days import LogDays
from clo_ops.ledger.messages import Messages
from clo_ops.ledger.mornings import Mornings
from clo_ops.ledger.rebuilds import Rebuilds
from clo_ops.ledger.roll_ups import RollUps
from clo_ops.ledger.rollouts import Rollouts
from clo_ops.ledger.runs import Runs
from clo_ops.ledger.states import States


class Ledger(
    Runs,
    Mornings,
    Incidents,
    IncidentRecord,
    Alerts,
    Attendance,
    Messages,
    Backups,
    Rollouts,
    Archives,
    Rebuilds,
    RollUps,
    Forecasts,
    LogDays,
    States,
    AuditItems,
    EvidenceIndex,
):
    """``Ledger(url_or_engine, client_name="clo_ops")``; a context manager, else call ``close()``.

    Every call is one transaction (calls inside ``with ledger.transaction():`` share that one), bounded by a connect
    and lock timeout of 5 s and a statement timeout of 30 s, and safe to repeat. Times must be aware. Raises
    LedgerUnavailable where the database cannot be reached in time, and ConfigurationError where its schema is missing
    or older than this code.
    """

    def migrate(self) -> str:
        """Bring the schema to this code's revision, which is returned. Safe when several do it at once."""
        return schema_version.upgrade(self)

    def downgrade(self, to: str) -> str | None:
        """Take the schema back to revision ``to`` (``base``: nothing left), with all that the newer one held."""
        return schema_version.downgrade(self, to)

    def revision(self) -> str | None:
        """The schema's revision; None where there is no schema yet."""
        return schema_version.revision(self)
