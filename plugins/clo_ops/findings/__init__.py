"""Ground floor: what was measured, what was judged, and what can go wrong in between."""

from clo_ops.findings.answer import Answer, Measurement, Unanswered
from clo_ops.findings.errors import CheckFailed, CloOpsError, ConfigurationError, CouldNotAsk, CouldNotCheck
from clo_ops.findings.finding import Finding, Severity, Status, unanswered_findings, worst

__all__ = [
    "Answer",
    "CheckFailed",
    "CloOpsError",
    "ConfigurationError",
    "CouldNotAsk",
    "CouldNotCheck",
    "Finding",
    "Measurement",
    "Severity",
    "Status",
    "Unanswered",
    "unanswered_findings",
    "worst",
]
