"""Ground floor: the manual's figures and names as typed, validated models.

Nothing is read when this is imported; ``load_policy`` reads on first use.
"""

from clo_ops.policy.cadences import BusinessCalendar, Cadence, Emergency, Window, Windows
from clo_ops.policy.catalogue import Kpi, Procedure
from clo_ops.policy.limits import TimeLimits
from clo_ops.policy.loading import digest, load_policy
from clo_ops.policy.model import Mode, Policy
from clo_ops.policy.morning import (
    Access,
    Anomalies,
    Asset,
    Backups,
    Baseline,
    BaselineMetric,
    Connections,
    Frontend,
    MinimumBand,
    Morning,
    Night,
    SizeBand,
    Statements,
    Trend,
    TrendResource,
    WebSocket,
)
from clo_ops.policy.period import Period
from clo_ops.policy.problems import PolicyRefused, Problem
from clo_ops.policy.recovery import DrillSpec, Recovery
from clo_ops.policy.retention import BackupRotation, Retention, RetentionClass
from clo_ops.policy.severities import (
    AlertClass,
    Contacts,
    Ladder,
    LadderLevel,
    Notice,
    Person,
    Severities,
    SeverityLevel,
    Support,
    Vendor,
)
from clo_ops.policy.system import BodyCheck, Endpoint, Host, Service
from clo_ops.policy.terms import Step, Term
from clo_ops.policy.thresholds import Level, Threshold

__all__ = [
    "Access",
    "AlertClass",
    "Anomalies",
    "Asset",
    "BackupRotation",
    "Backups",
    "Baseline",
    "BaselineMetric",
    "BodyCheck",
    "BusinessCalendar",
    "Cadence",
    "Connections",
    "Contacts",
    "DrillSpec",
    "Emergency",
    "Endpoint",
    "Frontend",
    "Host",
    "Kpi",
    "Ladder",
    "LadderLevel",
    "Level",
    "MinimumBand",
    "Mode",
    "Morning",
    "Night",
    "Notice",
    "Period",
    "Person",
    "Policy",
    "PolicyRefused",
    "Problem",
    "Procedure",
    "Recovery",
    "Retention",
    "RetentionClass",
    "Service",
    "Severities",
    "SeverityLevel",
    "SizeBand",
    "Statements",
    "Step",
    "Support",
    "Term",
    "Threshold",
    "TimeLimits",
    "Trend",
    "TrendResource",
    "Vendor",
    "WebSocket",
    "Window",
    "Windows",
    "digest",
    "load_policy",
]
