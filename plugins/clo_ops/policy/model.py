"""The whole policy: one attribute per file of include/policy, and short ways to the morning's parts."""

from __future__ import annotations

from typing import Literal

from clo_ops.policy.alerting import Alerting
from clo_ops.policy.audit import Audit
from clo_ops.policy.base import Model
from clo_ops.policy.cadences import BusinessCalendar, Cadences, Windows
from clo_ops.policy.capacity import Capacity
from clo_ops.policy.catalogue import Kpis, Procedures
from clo_ops.policy.controls import Controls
from clo_ops.policy.evidence import EvidenceTerms
from clo_ops.policy.logs import Logs
from clo_ops.policy.maintenance import Maintenance
from clo_ops.policy.morning import (
    Access,
    Anomalies,
    Backups,
    Baseline,
    Connections,
    Frontend,
    Morning,
    Night,
    Statements,
    Trend,
    WebSocket,
)
from clo_ops.policy.performance import Performance
from clo_ops.policy.recovery import Recovery
from clo_ops.policy.reports import Reports
from clo_ops.policy.retention import Retention
from clo_ops.policy.severities import Contacts, Ladders, Severities, Vendors
from clo_ops.policy.system import Endpoints, Hosts, Services
from clo_ops.policy.thresholds import Thresholds
from clo_ops.policy.updates import Updates

Mode = Literal["demo", "production"]


class Policy(Model):
    """Everything the manual fixes, as loaded from one directory. Frozen; get it from ``load_policy``."""

    mode: Mode
    thresholds: Thresholds
    severities: Severities
    ladders: Ladders
    retention: Retention
    windows: Windows
    kpis: Kpis
    cadences: Cadences
    business_calendar: BusinessCalendar
    endpoints: Endpoints
    services: Services
    hosts: Hosts
    contacts: Contacts
    vendors: Vendors
    procedures: Procedures
    morning: Morning
    recovery: Recovery
    maintenance: Maintenance
    logs: Logs
    controls: Controls
    alerting: Alerting
    audit: Audit
    capacity: Capacity
    performance: Performance
    updates: Updates
    evidence: EvidenceTerms
    reports: Reports

    @property
    def night(self) -> Night:
        return self.morning.night

    @property
    def connections(self) -> Connections:
        return self.morning.connections

    @property
    def backups(self) -> Backups:
        return self.morning.backups

    @property
    def statements(self) -> Statements:
        return self.morning.statements

    @property
    def baseline(self) -> Baseline:
        return self.morning.baseline

    @property
    def trend(self) -> Trend:
        return self.morning.trend

    @property
    def anomalies(self) -> Anomalies:
        return self.morning.anomalies

    @property
    def access(self) -> Access:
        return self.morning.access

    @property
    def frontend(self) -> Frontend:
        return self.morning.frontend

    @property
    def websocket(self) -> WebSocket:
        return self.morning.websocket
