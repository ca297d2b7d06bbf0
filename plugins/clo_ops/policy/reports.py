"""Who gets the reports of the day, the week and the month (ED-01, ED-02, ED-07, WF-11, WF-12, RP-01 to RP-03)."""

from __future__ import annotations

from typing import Literal, get_args

from clo_ops.policy.base import Cited, Model, Positive, Texts

Audience = Literal["status", "business", "security", "users", "daily", "weekly", "monthly"]
AUDIENCES: tuple[Audience, ...] = get_args(Audience)


class Recipients(Cited):
    """Groups of contacts.yaml by report."""

    status: Texts
    business: Texts
    security: Texts
    users: Texts
    daily: Texts
    weekly: Texts
    monthly: Texts

    def of(self, audience: Audience) -> tuple[str, ...]:
        groups: tuple[str, ...] = getattr(self, audience)
        return groups


class Compared(Cited):
    """With how many days before a day's figures are compared."""

    days: Positive


class SecurityIncidents(Cited):
    """Whose incidents are security incidents (WF-11)."""

    procedures: Texts


class Reports(Model):
    """reports.yaml."""

    to: Recipients
    compared: Compared
    security: SecurityIncidents
