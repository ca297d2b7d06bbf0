"""What incident_response judges of an incident's record, on a real ledger, with a real desk and a real mail server."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clo_ops.escalation.desk import Desk
from clo_ops.escalation.outbox import SmtpTarget
from clo_ops.escalation.sighting import Sighting
from clo_ops.findings import Answer, CouldNotCheck, Finding, Severity, Status
from clo_ops.ledger import AlertRow, IncidentRow, Ledger, Message
from clo_ops.ledger.evidence import EvidenceStore
from clo_ops.orchestration import asked_again, asked_pages, diagnosis, response, review, until
from clo_ops.orchestration.run import Run
from clo_ops.policy import load_policy

POLICY = load_policy()
RUN = "asset_triggered__1"
ALERT = "alert:failed_calculations:"
MINUTE = timedelta(minutes=1)


class Connected:
    """Stands in for Airflow's connections: our own ledger's surroundings, and a system nobody answers for."""

    def __init__(self, folder: Path, smtp: SmtpTarget) -> None:
        self.folder, self.smtp = folder, smtp

    def evidence(self) -> EvidenceStore:
        return EvidenceStore(f"file://{self.folder}")

    def __getattr__(self, name: str) -> Any:
        raise ConnectionRefusedError(f"no {name} here")


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def run(ledger: Ledger, server: Any, tmp_path: Path, now: datetime) -> Run:
    key = ledger.open_run("incident_response", RUN, now, "policy", "asset_triggered")
    smtp = SmtpTarget("127.0.0.1", server.port, tls="none", sender="clo-ops@clo.test")
    connections: Any = Connected(tmp_path, smtp)
    return Run("incident_response", RUN, "task", now, POLICY, connections, ledger, key)


@pytest.fixture
def desk(ledger: Ledger) -> Desk:
    return Desk(ledger, POLICY)


@pytest.fixture
def incident(desk: Desk, ledger: Ledger, now: datetime) -> IncidentRow:
    seen = Sighting(ALERT, Severity.P2, "Failed <b>calculations</b>", "AL-05", now - MINUTE, "12", "at most 5")
    return ledger.set_incident_run(desk.detect(seen).id, RUN)


@pytest.fixture
def watched(ledger: Ledger, now: datetime) -> Iterator[Any]:
    """Sets the level the watch last saw."""
    ledger.beat("watch", now)

    def level(name: str) -> None:
        ledger.record_alerts([AlertRow("failed_calculations", {}, {"level": name}, name, 12.0, now)])

    yield level


def statuses(findings: list[Finding]) -> dict[str, Status]:
    return {one.name: one.status for one in findings}


def test_a_run_without_incidents_judges_none_and_waits_for_none(run: Run, now: datetime) -> None:
    for procedure in (response.severity_and_clocks, response.notified, asked_again.resolution, review.reviewed):
        assert [one.status for one in procedure(run)] == [Status.NOT_APPLICABLE]
    assert all(until.reached(stage, None, now) for stage in until.STAGES)


def test_handled_well_from_detection_to_review(  # noqa: PLR0917 - fixtures
    run: Run, desk: Desk, incident: IncidentRow, watched: Any, tmp_path: Path, server: Any, now: datetime
) -> None:
    watched("ok")
    desk.acknowledge(incident.id, "Ada", now)
    desk.resolve(incident.id, "Ada", "worker restarted", now)
    for procedure in (
        response.severity_and_clocks,
        response.acted_at_once,
        response.notified,
        response.escalated,
        response.kept_up_to_date,
        response.nothing_lost,
        asked_again.resolution,
    ):
        assert {one.status for one in procedure(run)} == {Status.PASS}, procedure(run)
    assert server.mails, "what waited was sent"
    reviewed, drafted = review.reviewed(run)
    assert (reviewed.status, drafted.status) == (Status.PASS, Status.PASS)
    assert "Ada by" in reviewed.actual
    page = next(tmp_path.rglob("*review.html")).read_text()
    assert "Failed &lt;b&gt;calculations&lt;/b&gt;" in page
    kept = json.loads(next(tmp_path.rglob("*review.json")).read_text())
    assert [one["kind"] for one in kept["events"]][:2] == ["opened", "diagnosed"]
    assert kept["actions"][0]["title"] == review.REVIEW


def test_the_review_of_a_severe_one_that_nobody_took_is_the_primarys(
    run: Run, desk: Desk, incident: IncidentRow
) -> None:
    desk.clear(ALERT, datetime.now(UTC), "gone")
    review.reviewed(run)
    review.reviewed(run)
    (action,) = run.ledger.actions(incident.id)
    assert action.owner == "System Administrator on duty"


def test_told_late_is_red(run: Run, ledger: Ledger, desk: Desk, now: datetime) -> None:
    seen = Sighting("disk", Severity.P1, "Disk", "AL-03", now - 20 * MINUTE, "99", "at most 90")
    one = desk.detect(seen)
    ledger.set_incident_run(one.id, RUN)
    (late,) = [found for found in response.escalated(run) if "on_call" in found.name]
    assert late.status is Status.FAIL, "the second rung was due after 15 minutes"
    desk.cycle(now)
    assert "told late" in next(found.message for found in response.escalated(run) if "on_call" in found.name)


def test_a_mail_refused_names_who_was_not_reached(run: Run, incident: IncidentRow, server: Any) -> None:
    server.answers["it-manager@your-domain.com"] = "550 no such mailbox"
    (found,) = response.nothing_lost(run)
    assert found.status is Status.FAIL
    assert "it-manager@your-domain.com (550 no such mailbox)" in found.message


def test_what_nobody_answers_warns_and_is_kept_and_noted(run: Run, incident: IncidentRow, tmp_path: Path) -> None:
    found, in_time = diagnosis.gather(run)
    assert found.status is Status.UNKNOWN, "nobody answered at all"
    assert in_time.status is Status.PASS
    kept = json.loads(next(tmp_path.rglob("diagnostics.json")).read_text())
    assert set(kept["answers"]) >= {"services", "redis", "slow statements", "host app1", "logs of app1"}
    assert "no of_services here" in json.dumps(kept["answers"]["services"])
    notes = [one.detail for one in run.ledger.timeline(incident.id) if one.kind == "diagnosed"]
    assert "diagnostics.json" in notes[-1]


@pytest.mark.parametrize(
    ("level", "status"), [("ok", Status.PASS), ("critical", Status.FAIL), ("unknown", Status.FAIL)]
)
def test_an_alert_is_asked_again_of_the_watch(  # noqa: PLR0917 - fixtures
    run: Run, desk: Desk, incident: IncidentRow, watched: Any, level: str, status: Status
) -> None:
    watched(level)
    desk.resolve(incident.id, "Ada", "done", datetime.now(UTC))
    assert statuses(asked_again.resolution(run)) == {
        "fix noted": Status.PASS,
        "restored in time": Status.PASS,
        "checked again": status,
        "stable": Status.PASS,
    }


def test_a_watch_that_does_not_look_knows_nothing(run: Run, desk: Desk, incident: IncidentRow, ledger: Ledger) -> None:
    ledger.beat("watch", datetime.now(UTC) - POLICY.alerting.watch.silent_for - MINUTE)
    desk.resolve(incident.id, "Ada", "done", datetime.now(UTC))
    assert statuses(asked_again.resolution(run))["checked again"] is Status.UNKNOWN


def test_a_cause_that_comes_back_was_not_mended(run: Run, desk: Desk, incident: IncidentRow, watched: Any) -> None:
    watched("ok")
    closed = datetime.now(UTC) - MINUTE / 2
    desk.resolve(incident.id, "Ada", "done", closed)
    again = Sighting(ALERT, Severity.P2, "Failed calculations", "AL-05", closed + MINUTE / 4, "12", "at most 5")
    number = desk.detect(again).id
    (found,) = [one for one in asked_again.resolution(run) if one.name == "stable"]
    assert (found.status, found.actual) == (Status.FAIL, f"back as incident {number}")


def test_an_incident_left_open_is_red(run: Run, incident: IncidentRow) -> None:
    assert statuses(asked_again.resolution(run)) == {"resolved": Status.FAIL}


def test_the_procedure_that_failed_judges_again_where_it_only_reads(
    run: Run, desk: Desk, ledger: Ledger, now: datetime
) -> None:
    """DM-02 asks the ledger alone: an incident nobody took in time is red, and is not once it was taken."""
    left = desk.detect(Sighting("left", Severity.P1, "Left", "AL-03", now - 40 * MINUTE, "99", "90"))
    (red,) = [one for one in asked_pages.judge_again(run, "daily_morning_startup", "DM-02") if one.status == "fail"]
    mine = desk.detect(Sighting.of(red, at=now))
    ledger.set_incident_run(mine.id, RUN)
    desk.resolve(mine.id, "Ada", "said to be done", now)
    assert statuses(asked_again.resolution(run))["checked again"] is Status.FAIL
    desk.acknowledge(left.id, "Ada", datetime.now(UTC))
    assert statuses(asked_again.resolution(replace(run, task_id="again")))["checked again"] is Status.PASS


def recorded(ledger: Ledger, dag_id: str, run_id: str, at: datetime, **statuses: Status) -> None:
    """A run of a page with one finding for each procedure, named as ``DM_02``."""
    key = ledger.open_run(dag_id, run_id, at, "policy", "manual")
    for name, status in statuses.items():
        procedure = name.replace("_", "-")
        words = {"severity": Severity.P2, "first_action": "Look."}
        found = Finding(procedure, "check", status, "green", "red", "It is red.", **words)  # type: ignore[arg-type]
        ledger.record(key, procedure, [found], Answer(), [], 1)
    worst = Status.FAIL if Status.FAIL in statuses.values() else Status.PASS
    ledger.close_run(key, worst, Counter(statuses.values()))


def red_page(desk: Desk, dag_id: str, now: datetime) -> IncidentRow:
    incident = desk.detect(Sighting(f"failed:{dag_id}", Severity.P2, f"{dag_id} failed", "DM-02", now, "red", "green"))
    desk.ledger.set_incident_run(incident.id, RUN)
    return desk.resolve(incident.id, "Ada", "done", datetime.now(UTC))


def checked(run: Run) -> dict[str, tuple[Status, str]]:
    found = [one for one in asked_again.resolution(run) if one.name == "checked again"]
    return {one.subject.rpartition(", ")[2]: (one.status, one.message) for one in found}


def test_every_procedure_of_a_red_page_is_asked_again_where_it_only_reads_and_says_so_where_not(
    run: Run, desk: Desk, ledger: Ledger, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: Run, dag_id: str, procedure: str) -> list[Finding]:
        raise CouldNotCheck(f"the storage of {procedure} is away")

    monkeypatch.setattr(asked_pages, "judge_again", away)
    recorded(ledger, "daily_end_of_day", "r1", now, ED_03=Status.FAIL, ED_05=Status.FAIL, ED_06=Status.PASS)
    red_page(desk, "daily_end_of_day", now)
    found = checked(run)
    assert set(found) == {"ED-03", "ED-05"}, "what was green is not asked"
    assert (found["ED-03"][0], "ED-03 is away" in found["ED-03"][1]) == (Status.UNKNOWN, True)
    assert found["ED-05"][0] is Status.NOT_APPLICABLE
    assert "because it restores a backup" in found["ED-05"][1]


def test_a_page_of_acts_is_told_by_its_next_run(run: Run, desk: Desk, ledger: Ledger, now: datetime) -> None:
    recorded(ledger, "monthly_week3_dr_test", "r1", now, M3_02=Status.FAIL, M3_03=Status.FAIL)
    red_page(desk, "monthly_week3_dr_test", now)
    assert {one[0] for one in checked(run).values()} == {Status.NOT_APPLICABLE}
    recorded(ledger, "monthly_week3_dr_test", "r2", datetime.now(UTC), M3_02=Status.PASS, M3_03=Status.FAIL)
    again = checked(replace(run, task_id="again"))
    assert (again["M3-02"][0], again["M3-03"][0]) == (Status.PASS, Status.NOT_APPLICABLE)
    assert "Run r2 of monthly_week3_dr_test found nothing red of M3-02 since" in again["M3-02"][1]


def test_a_morning_s_red_procedure_is_green_once_it_is_asked_again(
    run: Run, desk: Desk, ledger: Ledger, now: datetime
) -> None:
    recorded(ledger, "daily_morning_startup", "r1", now, DM_02=Status.FAIL)
    red_page(desk, "daily_morning_startup", now)
    assert checked(run)["DM-02"][0] is Status.PASS


def test_a_run_killed_without_a_finding_is_told_by_a_later_one(
    run: Run, desk: Desk, ledger: Ledger, now: datetime
) -> None:
    red_page(desk, "daily_morning_startup", now)
    ((status, words),) = checked(run).values()
    assert (status, "left no finding" in words) == (Status.NOT_APPLICABLE, True)
    recorded(ledger, "daily_morning_startup", "r2", datetime.now(UTC), DM_02=Status.PASS)
    ((status, _),) = checked(replace(run, task_id="again")).values()
    assert status is Status.PASS


def closed(desk: Desk, cause: str, now: datetime) -> None:
    one = desk.detect(Sighting(cause, Severity.P2, cause, "IR-10", now, "red", "green"))
    desk.ledger.set_incident_run(one.id, RUN)
    desk.resolve(one.id, "Ada", "done", datetime.now(UTC))


def test_a_late_run_is_over_once_its_end_is_on_record(run: Run, desk: Desk, ledger: Ledger, now: datetime) -> None:
    closed(desk, "late:log_management:scheduled__2026-07-06T08:00:00+00:00", now)
    assert [one[0] for one in checked(run).values()] == [Status.NOT_APPLICABLE]
    recorded(ledger, "log_management", "scheduled__2026-07-06T08:00:00+00:00", now, LM_02=Status.PASS)
    assert [one[0] for one in checked(run).values()] == [Status.PASS]


def test_a_watch_that_was_silent_must_look_again(run: Run, desk: Desk, ledger: Ledger, now: datetime) -> None:
    closed(desk, "silent:airflow", now)
    assert [one[0] for one in checked(run).values()] == [Status.FAIL]
    ledger.beat("watch", datetime.now(UTC))
    assert [one[0] for one in checked(run).values()] == [Status.PASS]


def test_mail_that_still_waits_is_not_over(run: Run, desk: Desk, ledger: Ledger, now: datetime) -> None:
    closed(desk, "undelivered:mail", now)
    assert [one[0] for one in checked(run).values()] == [Status.PASS]
    ledger.enqueue(Message("old", ["ops@clo.test"], "Old", "text"))
    moved = POLICY.alerting.second_path.after + MINUTE
    with ledger.transaction() as connection:
        connection.exec_driver_sql("UPDATE clo_ops.outbox SET enqueued_at = enqueued_at - %s", (moved,))
        connection.exec_driver_sql("UPDATE clo_ops.incidents SET opened_at = opened_at - %s", (moved,))
    assert [one[0] for one in checked(run).values()] == [Status.FAIL]


def test_an_overdue_action_is_over_once_it_is_done(run: Run, desk: Desk, ledger: Ledger, now: datetime) -> None:
    before = desk.detect(Sighting("disk", Severity.P2, "Disk", "AL-03", now, "99", "90"))
    action = ledger.add_action(before.id, "Alert earlier", "IT Manager", now, at=now)
    closed(desk, f"action:{action}", now)
    assert [one[0] for one in checked(run).values()] == [Status.FAIL]
    ledger.finish_action(action, "Ada", datetime.now(UTC))
    assert [one[0] for one in checked(run).values()] == [Status.PASS]


def test_what_nobody_measured_is_who_closed_it_s_to_answer_for(run: Run, desk: Desk, now: datetime) -> None:
    closed(desk, "by hand:manual__1", now)
    ((status, words),) = checked(run).values()
    assert (status, "who closed it answers for it" in words) == (Status.NOT_APPLICABLE, True)


def test_a_page_that_never_came_is_looked_for_again(run: Run, desk: Desk, ledger: Ledger, now: datetime) -> None:
    """A watch that has only begun asks for nothing; one that looks since Friday misses the morning's run."""
    ledger.beat("first look", now)
    closed(desk, "expected:daily_morning_startup", now)
    assert [one[0] for one in checked(run).values()] == [Status.NOT_APPLICABLE]
    with ledger.transaction() as connection:
        connection.exec_driver_sql("UPDATE clo_ops.heartbeats SET at = at - interval '3 days'")
    assert [one[0] for one in checked(run).values()] == [Status.FAIL]


def test_how_far_an_incident_is_says_what_is_waited_for(desk: Desk, ledger: Ledger, incident: IncidentRow) -> None:
    def stages(at: datetime) -> list[str]:
        one = ledger.incident_of_run(RUN)
        return [stage for stage in until.STAGES if until.reached(stage, one, at)]

    at = datetime.now(UTC)
    assert stages(at) == []
    desk.acknowledge(incident.id, "Ada", at)
    assert stages(at) == ["taken"]
    desk.mitigate(incident.id, "Ada", "restarted", at)
    assert stages(at) == ["taken", "restored"]
    desk.resolve(incident.id, "Ada", "done", at)
    quiet = POLICY.alerting.response.stable_for
    assert stages(at + quiet) == ["taken", "restored", "over"]
    assert stages(at + quiet + timedelta(seconds=1)) == ["taken", "restored", "over", "stable"]
