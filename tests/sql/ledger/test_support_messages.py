"""SP-01 on a real ledger: what this installation really puts into the outbox carries the support contacts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from clo_ops.escalation.desk import Desk
from clo_ops.escalation.sighting import Sighting
from clo_ops.findings import Answer, Finding, Severity, Status
from clo_ops.ledger import Ledger, Message
from clo_ops.orchestration import support as procedures
from clo_ops.policy import load_policy
from clo_ops.reports.run_summary import ProcedureTask, as_message, assemble

POLICY = load_policy()
NOW = datetime.now(UTC)
RED = Finding("SP-02", "contract", Status.FAIL, "runs on", "over", "Over.", "database", Severity.P2, "Call them")


def carried(ledger: Ledger, at: datetime = NOW) -> Finding:
    run: Any = SimpleNamespace(ledger=ledger, policy=POLICY, at=at)
    return procedures.support_contacts(run)[-1]


def a_message(
    key: str = "one", text: str = "Somebody do something", severity: Severity | None = Severity.P1
) -> Message:
    return Message(dedup_key=key, recipients=["ops@acme.test"], subject="Help", text=text, severity=severity)


def test_every_message_of_an_incident_has_them(ledger: Ledger) -> None:
    desk = Desk(ledger, POLICY)
    incident = desk.detect(Sighting("cause", Severity.P1, "Down", "AL-07", NOW, "down", "up")).id
    desk.acknowledge(incident, "Ana", NOW)
    desk.update(incident, "Ana", "Looking", NOW)
    desk.cycle(NOW + timedelta(hours=3))
    desk.resolve(incident, "Ana", "Mended", NOW + timedelta(hours=4))
    finding = carried(ledger)
    assert finding.status is Status.PASS
    assert int(finding.actual.split()[0]) >= 7


def test_the_mail_of_a_red_page_has_them_in_both_parts(ledger: Ledger) -> None:
    key = ledger.open_run("reports_and_support", "manual__1", NOW, "policy", "manual")
    ledger.record(key, "SP-02", [RED], Answer(), [], 1)
    task = ProcedureTask(POLICY.procedures["SP-02"], "vendors", "failed", "https://airflow.test/log")
    summary = assemble(ledger, key, [task], link="https://airflow.test/run")
    told = as_message(summary, POLICY)
    assert told.severity is Severity.P2
    ledger.enqueue(told)
    assert carried(ledger).status is Status.PASS
    assert POLICY.contacts.support.status_page in told.html


def test_a_message_without_them_is_found_and_one_that_asks_nobody_is_not_counted(ledger: Ledger) -> None:
    ledger.enqueue(a_message("calm", severity=None))
    assert carried(ledger).status is Status.NOT_APPLICABLE
    ledger.enqueue(a_message())
    finding = carried(ledger)
    assert (finding.status, finding.actual) == (Status.FAIL, "0 of 1")
    assert "Help" in finding.message


def test_only_the_last_day_counts_and_a_run_repeated_later_looks_at_its_own(ledger: Ledger) -> None:
    ledger.enqueue(a_message())
    assert carried(ledger, NOW - timedelta(days=3)).status is Status.NOT_APPLICABLE
    put_in = ledger.outbox_message(1).enqueued_at
    assert [one.id for one in ledger.messages_put_in(put_in - timedelta(seconds=1), put_in)] == [1]
    assert ledger.messages_put_in(put_in, put_in + timedelta(days=1)) == []


def test_the_shipped_vendors_show_their_risks() -> None:
    run: Any = SimpleNamespace(policy=POLICY, at=NOW)
    assert {one.status for one in procedures.vendors(run)} <= {Status.PASS, Status.WARN, Status.NOT_APPLICABLE}
