"""What can go wrong between us and our own database."""

from __future__ import annotations

from clo_ops.findings import CloOpsError, CouldNotCheck


class LedgerUnavailable(CouldNotCheck):
    """The ledger could not be reached or did not take it in time. Worth another try."""


class LedgerConflict(CloOpsError):
    """What was asked contradicts what the ledger already holds. Trying again cannot help."""
