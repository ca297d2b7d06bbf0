"""The incident desk on a real ledger and a real mail server: who is told what, once, and by when."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest

from clo_ops.escalation.desk import Desk
from clo_ops.escalation.outbox import SmtpTarget, deliver
from clo_ops.escalation.sighting import NoLinks, Sighting
from clo_ops.findings import Finding, Severity, Status
from clo_ops.ledger import Ledger
from clo_ops.policy import load_policy
from clo_ops.rules.rota import next_hand_over, on_call

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
POLICY = load_policy()


class Signed(NoLinks):
    def incident(self, incident: int) -> str:
        return f"https://airflow.test/incidents/{incident}?a=1&b=2"

    def acknowledge(self, incident: int, people: Sequence[str], at: datetime) -> str:
        return f"https://airflow.test/take/{incident}/{'+'.join(people)}"


@pytest.fixture
def desk(ledger: Ledger) -> Desk:
    return Desk(ledger, POLICY, Signed())


@pytest.fixture
def mails(ledger: Ledger, server: Any) -> Iterator[Any]:
    """A function that delivers what is in the outbox and returns the mails that came of it."""
    smtp = SmtpTarget("127.0.0.1", server.port, tls="none", sender="clo-ops@clo.test")

    def arrived(now: datetime) -> list[tuple[list[str], Any]]:
        before = len(server.mails)
        deliver(ledger, smtp, now, limit=500)
        return server.mails[before:]

    return arrived


def sighting(at: datetime, severity: Severity = Severity.P1, **more: Any) -> Sighting:
    facts = {
        "cause": "disk app-1 /",
        "severity": severity,
        "title": "Disk use of app-1 / is critical",
        "procedure": "AL-03",
        "at": at,
        "observed": "92.4 percent over 5 min",
        "allowed": "at most 90 percent",
        "manual": "L331-L333",
        "first_action": "Find what grew",
        "link": "https://airflow.test/log",
    }
    return Sighting(**(facts | more))


def who(arrived: list[tuple[list[str], Any]]) -> set[str]:
    return {address.partition("@")[0] for recipients, _ in arrived for address in recipients}


def steps(ledger: Ledger, incident: int) -> list[str]:
    return [event.detail.partition(":")[0] for event in ledger.timeline(incident) if event.kind == "told"]


def test_a_p1_is_told_to_everybody_at_once_in_one_message(desk: Desk, mails: Any, at: datetime) -> None:
    incident = desk.detect(sighting(at))
    arrived = mails(at)
    opened = [mail for _, mail in arrived if "opened" in mail["Subject"]]
    drafts = [mail for _, mail in arrived if "draft" in mail["Subject"]]
    assert who(arrived) == {
        "system-administrator",
        "senior-support",
        "it-manager",
        "it-director",
        "business-stakeholders",
        "status-page",
    }
    assert (len(opened), len(drafts)) == (1, 1)
    assert len(opened[0]["To"].addresses) == 5
    assert (incident.response_due_at, incident.resolution_due_at) == (at + 15 * MINUTE, at + 4 * HOUR)


def test_the_mail_says_both_numbers_the_place_in_the_manual_and_what_to_do(
    desk: Desk, mails: Any, at: datetime
) -> None:
    desk.detect(sighting(at, title="Platte <b>voll</b> & schön\nX: y"))
    _, mail = next(one for one in mails(at) if "system-administrator@your-domain.com" in one[0])
    assert mail["Subject"] == "[CLO Ops] P1 incident 1, opened: Platte <b>voll</b> & schön X: y"
    text, html = (mail.get_body((kind,)).get_content() for kind in ("plain", "html"))
    for part in (text, html):
        for said in ("92.4 percent", "at most 90 percent", "L331-L333", "Find what grew", "+1-555-EMERGENCY"):
            assert said in part
    assert "<b>voll</b>" not in html
    assert "&lt;b&gt;voll&lt;/b&gt; &amp; schön" in html
    (link,) = re.findall(r"https://airflow.test/take/1/(\S+)", text)
    assert len(link.split("+")) == 5
    assert re.search(r"System Administrator on duty \([^)]*management 1 System Administrator", text)


def test_the_same_cause_again_is_one_incident_and_no_more_mail(desk: Desk, mails: Any, at: datetime) -> None:
    first = desk.detect(sighting(at))
    mails(at)
    for second in range(1, 40):
        assert desk.detect(sighting(at + timedelta(seconds=second))).id == first.id
    assert mails(at + MINUTE) == []


def test_nobody_answers_and_each_next_one_is_told_at_its_time_once(
    desk: Desk, mails: Any, ledger: Ledger, at: datetime
) -> None:
    incident = desk.detect(sighting(at, Severity.P2)).id
    mails(at)
    assert desk.cycle(at + 30 * MINUTE - timedelta(seconds=1)).told == 0
    desk.cycle(at + 30 * MINUTE)
    assert who(mails(at + 30 * MINUTE)) == {"it-manager", "senior-support"}
    assert desk.cycle(at + 31 * MINUTE).told == 0
    desk.cycle(at + HOUR)
    assert who(mails(at + HOUR)) == {"business-stakeholders", "status-page"}
    desk.cycle(at + 4 * HOUR)
    assert {"director-of-technology", "development-lead"} <= who(mails(at + 4 * HOUR))
    assert len(steps(ledger, incident)) == len(set(steps(ledger, incident)))


def test_an_acknowledgement_stops_the_ladder_and_is_told(desk: Desk, mails: Any, at: datetime) -> None:
    incident = desk.detect(sighting(at, Severity.P2)).id
    mails(at)
    taken = desk.acknowledge(incident, "Ana", at + 10 * MINUTE)
    assert taken.update_due_at == at + 130 * MINUTE
    arrived = mails(at + 10 * MINUTE)
    assert all("acknowledged" in mail["Subject"] for _, mail in arrived)
    assert who(arrived) == {"system-administrator", "senior-support", "it-manager", "it-director"}
    desk.acknowledge(incident, "Ben", at + 11 * MINUTE)
    assert mails(at + 11 * MINUTE) == []
    desk.cycle(at + 45 * MINUTE)
    assert mails(at + 45 * MINUTE) == []


def test_an_acknowledgement_without_an_update_expires_and_is_an_alert_of_its_own(
    desk: Desk, mails: Any, ledger: Ledger, at: datetime
) -> None:
    incident = desk.detect(sighting(at, Severity.P2)).id
    desk.acknowledge(incident, "Ana", at + 10 * MINUTE)
    mails(at + 10 * MINUTE)
    due = at + 130 * MINUTE
    assert desk.cycle(due).overdue == 0
    mails(due)
    done = desk.cycle(due + timedelta(seconds=1))
    assert (done.overdue, done.expired) == (1, 1)
    arrived = mails(due + timedelta(seconds=1))
    overdue = [mail for _, mail in arrived if "update overdue" in mail["Subject"]]
    assert len(overdue) == 1
    assert "taken by Ana" in overdue[0].get_body(("plain",)).get_content()
    assert "management 2 IT Manager" in steps(ledger, incident)
    assert desk.cycle(due + MINUTE).overdue == 0


def test_an_update_goes_to_all_who_were_told_and_moves_the_next(desk: Desk, mails: Any, at: datetime) -> None:
    incident = desk.detect(sighting(at)).id
    mails(at)
    desk.acknowledge(incident, "Ana", at + MINUTE)
    mails(at + MINUTE)
    with pytest.raises(ValueError, match="says something"):
        desk.update(incident, "Ana", " ", at + 2 * MINUTE)
    told = desk.update(incident, "Ana", "Moved the logs, <script>", at + 20 * MINUTE)
    assert told.update_due_at == at + 50 * MINUTE
    arrived = mails(at + 20 * MINUTE)
    assert "business-stakeholders" in who(arrived)
    assert "status-page" not in who(arrived)
    assert "&lt;script&gt;" in arrived[0][1].get_body(("html",)).get_content()
    assert desk.cycle(at + 45 * MINUTE).overdue == 0


def test_a_higher_severity_starts_its_own_clocks_and_tells_who_was_not_told(
    desk: Desk, mails: Any, at: datetime
) -> None:
    incident = desk.detect(sighting(at, Severity.P3)).id
    mails(at)
    with pytest.raises(ValueError, match="reason"):
        desk.change_severity(incident, Severity.P1, "Ana", "", at + HOUR)
    raised = desk.change_severity(incident, Severity.P1, "Ana", "all users", at + HOUR)
    assert raised.response_due_at == at + HOUR + 15 * MINUTE
    assert {"business-stakeholders", "it-director"} <= who(mails(at + HOUR))
    seen = desk.detect(sighting(at + 2 * HOUR, Severity.P3))
    assert seen.severity is Severity.P1


def test_a_graver_sighting_is_told_to_all_who_know_with_what_is_seen_now(
    desk: Desk, mails: Any, ledger: Ledger, at: datetime
) -> None:
    """The primary had the warning at once: nobody must learn from somebody else that it is critical."""
    warning = {"title": "Disk use of app-1 / is over its warning level", "observed": "81.5 percent over 5 min"}
    incident = desk.detect(sighting(at, Severity.P3, **warning)).id
    assert who(mails(at)) == {"system-administrator", "senior-support"}
    now = at + 5 * MINUTE
    assert desk.detect(sighting(now, Severity.P2)).response_due_at == now + 30 * MINUTE
    arrived = mails(now)
    assert who(arrived) == {"system-administrator", "senior-support", "it-manager", "it-director"}
    assert len([who for recipients, _ in arrived for who in recipients]) == 4, "each once"
    for _, mail in arrived:
        assert "Disk use of app-1 / is critical" in mail["Subject"]
        assert "92.4 percent" in mail.get_body(("plain",)).get_content()
    (raised,) = ledger.timeline(incident, ["severity_raised"])
    assert raised.detail == "P3 raised to P2: Disk use of app-1 / is critical"
    desk.cycle(now + 30 * MINUTE)
    assert all("92.4 percent" in mail.get_body(("html",)).get_content() for _, mail in mails(now + 30 * MINUTE))


def test_a_severity_a_person_lowered_stays_until_something_graver_is_seen(desk: Desk, mails: Any, at: datetime) -> None:
    incident = desk.detect(sighting(at, Severity.P2)).id
    desk.change_severity(incident, Severity.P4, "Ana", "a test system", at + MINUTE)
    mails(at + MINUTE)
    assert desk.detect(sighting(at + 2 * MINUTE, Severity.P2)).severity is Severity.P4
    assert mails(at + 2 * MINUTE) == []
    assert desk.detect(sighting(at + 3 * MINUTE, Severity.P1)).severity is Severity.P1


def test_whoever_is_on_call_when_a_late_rung_is_told_is_told(ledger: Ledger, mails: Any, at: datetime) -> None:
    """Taken before the hand-over and let go after it: the rung was due in last week's duty."""
    turns = POLICY.alerting.rota.model_copy(update={"secondary": ("senior_support", "development_lead")})
    policy = POLICY.model_copy(update={"alerting": POLICY.alerting.model_copy(update={"rota": turns})})
    over = next_hand_over(at, turns, policy.business_calendar)
    desk, began = Desk(ledger, policy), over - timedelta(minutes=50)
    then, now = (on_call("secondary", moment, turns, policy.business_calendar) for moment in (began, over))
    assert then != now
    desk.detect(sighting(began, Severity.P2))
    mails(began)
    desk.cycle(over)
    told = who(mails(over))
    assert now.replace("_", "-") in told
    assert then.replace("_", "-") not in told


def test_who_comes_on_call_is_told_of_what_is_open_once_and_of_all_that_follows(
    ledger: Ledger, mails: Any, at: datetime
) -> None:
    turns = POLICY.alerting.rota.model_copy(update={"primary": ("senior_support", "development_lead")})
    policy = POLICY.model_copy(update={"alerting": POLICY.alerting.model_copy(update={"rota": turns})})
    over = next_hand_over(at, turns, policy.business_calendar)
    incoming = on_call("primary", over, turns, policy.business_calendar).replace("_", "-")
    desk = Desk(ledger, policy)
    incident = desk.detect(sighting(over - MINUTE, Severity.P3)).id
    desk.acknowledge(incident, "Ana", over - MINUTE / 2)
    mails(over - MINUTE / 2)
    desk.cycle(over - timedelta(seconds=1))
    assert mails(over - timedelta(seconds=1)) == []
    for second in (0, 5):
        desk.cycle(over + timedelta(seconds=second))
    ((recipients, mail),) = mails(over + timedelta(seconds=5))
    assert who([(recipients, mail)]) == {incoming}
    text = mail.get_body(("plain",)).get_content()
    assert "Ana has taken it" in text
    assert "92.4 percent" in text
    desk.resolve(incident, "Ana", "mended", over + MINUTE)
    assert incoming in who(mails(over + MINUTE))


def test_service_restored_stops_the_ladder_and_the_all_clear_goes_to_everybody_told(
    desk: Desk, mails: Any, at: datetime
) -> None:
    incident = desk.detect(sighting(at)).id
    told = who(mails(at)) - {"status-page"}
    desk.mitigate(incident, "Ana", "switched over", at + 5 * MINUTE)
    assert who(mails(at + 5 * MINUTE)) == told
    desk.cycle(at + 25 * MINUTE)
    assert mails(at + 25 * MINUTE) == []
    desk.clear("disk app-1 /", at + 29 * MINUTE, "71 percent, at or below 88")
    arrived = mails(at + 29 * MINUTE)
    assert who(arrived) == told
    assert all("all clear" in mail["Subject"] for _, mail in arrived)
    assert desk.clear("disk app-1 /", at + 30 * MINUTE, "again") is None
    assert desk.detect(sighting(at + HOUR)).id != incident


def test_what_is_told_and_what_caused_it_are_kept_together(
    desk: Desk, ledger: Ledger, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(ledger, "enqueue", killed)
    with pytest.raises(KeyboardInterrupt):
        desk.detect(sighting(at))
    assert ledger.open_incidents(at) == []
    monkeypatch.undo()
    desk.detect(sighting(at))
    assert ledger.outbox_state().waiting == 2


def test_several_at_once_tell_each_step_once(url: str, ledger: Ledger, at: datetime) -> None:
    desks = [Desk(Ledger(url), POLICY) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert len({one.id for one in pool.map(lambda desk: desk.detect(sighting(at)), desks)}) == 1
        told = [cycle.told for cycle in pool.map(lambda desk: desk.cycle(at + 15 * MINUTE), desks)]
    for desk in desks:
        desk.ledger.close()
    assert sorted(told) == [0, 0, 0, 2]
    assert ledger.outbox_state().waiting == 3


def test_the_same_finding_of_another_run_is_the_same_cause(desk: Desk, at: datetime) -> None:
    finding = Finding(
        "DM-04", "newest backup", Status.FAIL, "at most 26 h", "31 h", "31 h old", "clo", Severity.P2, "Take one"
    )
    first = desk.detect(Sighting.of(finding, at=at))
    assert desk.detect(Sighting.of(finding, at=at + 24 * HOUR)).id == first.id
    assert first.title == "DM-04 newest backup: clo"


def test_who_was_told_of_a_graver_incident_hears_that_it_was_eased_and_that_it_is_over(
    desk: Desk, mails: Any, at: datetime
) -> None:
    incident = desk.detect(sighting(at)).id
    told = who(mails(at)) - {"status-page"}
    desk.change_severity(incident, Severity.P3, "Ana", "one user only", at + MINUTE)
    assert told <= who(mails(at + MINUTE))
    desk.resolve(incident, "Ana", "mended", at + 2 * MINUTE)
    assert who(mails(at + 2 * MINUTE)) == told
