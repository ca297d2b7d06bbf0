"""Whom of the vendors to call stands in the message of an incident, on a real ledger and a real mail server."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from clo_ops.escalation import tidings
from clo_ops.escalation.desk import Desk
from clo_ops.escalation.outbox import SmtpTarget, deliver
from clo_ops.escalation.sighting import Sighting
from clo_ops.findings import Finding, Severity, Status
from clo_ops.ledger import Ledger
from clo_ops.policy import load_policy

POLICY = load_policy()
DATABASE, APPLICATION = POLICY.vendors["database"], POLICY.vendors["application"]


def seen(at: datetime, component: str) -> Sighting:
    return Sighting("cause", Severity.P2, "Something", "AL-07", at, "92 percent", "at most 90", component=component)


def mails(ledger: Ledger, server: Any, sighting: Sighting) -> list[Any]:
    Desk(ledger, POLICY).detect(sighting)
    deliver(ledger, SmtpTarget("127.0.0.1", server.port, tls="none", sender="clo-ops@clo.test"), sighting.at)
    return [mail for _, mail in server.mails if "opened" in mail["Subject"]]


def test_both_parts_of_every_mail_name_the_components_vendor_and_no_other(
    ledger: Ledger, server: Any, at: datetime
) -> None:
    opened = mails(ledger, server, seen(at, "postgresql"))
    assert opened
    for mail in opened:
        for kind in ("plain", "html"):
            text = mail.get_body((kind,)).get_content()
            assert DATABASE.product in text
            assert DATABASE.contact in text
            assert "answers within 2 h, 24/7" in text
            assert APPLICATION.contact not in text
            assert POLICY.contacts.support.emergency_hotline in text


def test_a_vendor_too_late_for_a_p1_is_said_to_be(at: datetime) -> None:
    text = tidings.story(seen(at, "worker"), POLICY)
    assert "answers within 4 h, business hours; that is too late for a P1, go on without it" in text
    assert "no contract; that is too late" in tidings.story(seen(at, "prometheus"), POLICY)


@pytest.mark.parametrize("component", ["", "abacus"])
def test_nobody_is_named_where_nobody_is_contracted(at: datetime, component: str) -> None:
    assert tidings.story(seen(at, component), POLICY) == seen(at, component).detail


def test_a_finding_brings_its_component_along(at: datetime) -> None:
    finding = Finding(
        "DM-03", "runs", Status.FAIL, "up", "down", "Down.", "db", Severity.P1, "Start it", {"component": "postgresql"}
    )
    assert Sighting.of(finding, at=at).component == "postgresql"


@pytest.mark.parametrize("rule", sorted(POLICY.thresholds))
def test_every_alert_of_policy_is_about_a_component_somebody_is_called_for(rule: str) -> None:
    covered = {one for vendor in POLICY.vendors.values() for one in vendor.components}
    written_by = {one.component for one in POLICY.alerting.error_logs}
    about = written_by if POLICY.thresholds[rule].per == ("source",) else {POLICY.thresholds[rule].component}
    assert about <= covered
