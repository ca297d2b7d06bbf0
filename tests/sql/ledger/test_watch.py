"""The watch on a real ledger: one look after another, killed and started again, a flood, silence."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from clo_ops.escalation.desk import Desk
from clo_ops.findings import Answer, Measurement, Severity, Status, Unanswered, worst
from clo_ops.ledger import Ledger
from clo_ops.orchestration.watch import Look, Watch
from clo_ops.policy import load_policy
from clo_ops.probes.watch import Asked
from clo_ops.rules.watching import judge_priorities

POLICY = load_policy()
EVERY = POLICY.alerting.watch.every
LOGINS = "failed logins"


class System:
    """Stands in for the CLO system: what each question is answered."""

    def __init__(self) -> None:
        self.disk: float | None = 50
        self.failed_logins: float | None = 0
        self.principals: dict[str, float] = {}
        self.hangs = threading.Event()
        self.hangs.set()
        self.asked = 0

    def host(self, at: datetime) -> Answer:
        if self.disk is None:
            return Answer(unanswered=(Unanswered("disk", "app1", "ssh", "no route", at),))
        labels = {"host": "app1", "mount": "/"}
        return Answer((Measurement("system.filesystem.utilization", self.disk, "percent", at, labels),))

    def logins(self, at: datetime) -> Answer:
        self.asked += 1
        self.hangs.wait(30)
        if self.failed_logins is None:
            return Answer(unanswered=(Unanswered("logins", "clo", "PostgreSQL", "refused", at),))
        counts = [({}, self.failed_logins), *(({"principal": who}, n) for who, n in self.principals.items())]
        return Answer.of([Measurement("clo.login.failed", n, "count", at, labels) for labels, n in counts])

    @property
    def questions(self) -> list[Asked]:
        return [
            Asked("host app1", ("system.filesystem.utilization",), self.host),
            Asked(LOGINS, ("clo.login.failed",), self.logins),
        ]


@pytest.fixture
def system() -> Iterator[System]:
    one = System()
    yield one
    one.hangs.set()


RULES = {name: POLICY.thresholds[name] for name in ("disk", "failed_logins", "failed_logins_of_one")}
QUICK = POLICY.model_copy(update={"thresholds": RULES})


def watching(system: System, ledger: Ledger, policy: Any = QUICK) -> Watch:
    return Watch(policy, system.questions, ledger, Desk(ledger, policy), lambda now: None)


@pytest.fixture
def watch(system: System, ledger: Ledger) -> Iterator[Watch]:
    one = watching(system, ledger)
    yield one
    one.close()


def causes(look: Look) -> list[str]:
    return [one.cause for one in look.opened]


def test_a_healthy_system_opens_nothing_and_the_watch_gives_a_sign_of_life(
    watch: Watch, ledger: Ledger, at: datetime
) -> None:
    look = watch.look(at)
    assert (look.opened, look.silent) == ((), ())
    assert look.alerts == 2
    assert ledger.heartbeats()["watch"].at == at


def test_a_breach_opens_an_incident_in_the_same_look_with_both_numbers(
    watch: Watch, system: System, ledger: Ledger, at: datetime
) -> None:
    system.failed_logins = 21
    look = watch.look(at)
    assert causes(look) == ["alert:failed_logins:"]
    (incident,) = ledger.open_incidents(at)
    assert incident.severity is Severity.P2
    assert incident.procedure == "AL-06"
    story = next(one.detail for one in ledger.timeline(incident.id) if one.kind == "diagnosed")
    assert "21 (counted over 5 min)" in story
    assert "at most 10, never over 20; clear at 8" in story
    assert "L346-L348" in story


def test_a_level_is_held_before_it_counts_and_clears_by_itself(
    watch: Watch, system: System, ledger: Ledger, at: datetime
) -> None:
    system.disk = 91
    looks = [watch.look(at + number * EVERY) for number in range(61)]
    assert [number for number, look in enumerate(looks) if look.opened] == [60]
    system.disk = 78
    watch.look(at + 61 * EVERY)
    assert ledger.open_incidents(at + 62 * EVERY) == []
    assert ledger.incidents_opened(at, at + timedelta(hours=1)) == 1


def test_a_watch_started_again_opens_nothing_twice_and_forgets_nothing(
    watch: Watch, system: System, ledger: Ledger, at: datetime
) -> None:
    system.failed_logins = 11
    assert len(watch.look(at).opened) == 1
    second = watching(system, ledger)
    assert second.look(at + EVERY).opened == ()
    system.failed_logins = 8
    second.look(at + 2 * EVERY)
    second.close()
    assert ledger.open_incidents(at + 3 * EVERY) == []


def test_killed_between_the_alert_and_its_incident_neither_is_kept(
    watch: Watch, system: System, ledger: Ledger, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    system.failed_logins = 11
    with monkeypatch.context() as patched:
        patched.setattr(watch.desk, "detect", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            watch.look(at)
    assert ledger.alerts() == []
    assert causes(watch.look(at + EVERY)) == ["alert:failed_logins:"]


def test_silence_is_an_alert_of_its_own_and_hides_nobody_else(
    watch: Watch, system: System, ledger: Ledger, at: datetime
) -> None:
    watch.look(at)
    system.disk, system.failed_logins = None, 25
    looks = [watch.look(at + number * EVERY) for number in range(1, 6)]
    assert looks[0].silent == ("host app1",)
    assert [causes(look) for look in looks if look.opened] == [
        ["alert:failed_logins:"],
        ["alert:silence:host=app1"],
    ]
    titles = [one.title for one in ledger.open_incidents(at + 6 * EVERY)]
    assert "Disk use of a mount app1, / cannot be measured" in titles


ALL_OF_A_HOST = POLICY.model_copy(
    update={"thresholds": {name: POLICY.thresholds[name] for name in ("cpu", "memory", "disk", "log_errors")}}
)


def test_a_host_that_falls_silent_is_one_incident_and_one_message_whatever_is_asked_of_it(
    ledger: Ledger, at: datetime
) -> None:
    up = [True]

    def ask(at: datetime) -> Answer:
        if not up[0]:
            return Answer(unanswered=(Unanswered("all", "app1", "ssh", "no route", at),))
        found = []
        for rule in ALL_OF_A_HOST.thresholds.values():
            labels = {label: {"host": "app1", "mount": "/", "source": "api"}[label] for label in rule.per}
            found.append(Measurement(rule.metric, 1.0, rule.unit, at, labels))
        return Answer.of([*found, Measurement("log.error.count", 0.0, "count", at, {"source": "worker"})])

    desk = Desk(ledger, ALL_OF_A_HOST)
    watch = Watch(ALL_OF_A_HOST, [Asked("app1", (), ask)], ledger, desk, lambda now: None)
    watch.look(at)
    up[0] = False
    for number in range(1, 9):
        watch.look(at + number * EVERY)
    (incident,) = ledger.open_incidents(at + 9 * EVERY)
    assert (incident.cause, incident.title) == (
        "alert:silence:host=app1",
        "5 figures of host app1 cannot be measured",
    )
    (message,) = ledger.incident_messages(incident.id)
    for title in ("CPU use of a host app1", "Memory use", "Disk use of a mount app1, /", "Error lines of a log api"):
        assert title in message.message.text
    up[0] = True
    watch.look(at + 9 * EVERY)
    watch.close()
    assert ledger.open_incidents(at + 10 * EVERY) == []
    assert len(ledger.incident_messages(incident.id)) == 2


def test_one_silent_source_is_one_alert_however_many_series_it_has(watch: Watch, system: System, at: datetime) -> None:
    system.failed_logins, system.principals = 9, {f"user {n}": 6.0 for n in range(10)}
    assert len(watch.look(at).opened) == 10
    system.failed_logins = None
    looks = [watch.look(at + number * EVERY) for number in range(1, 6)]
    assert [causes(look) for look in looks if look.opened] == [["alert:failed_logins:"]]


def test_one_late_answer_is_no_silence_and_neither_is_a_watch_that_has_only_begun(
    watch: Watch, system: System, ledger: Ledger, at: datetime
) -> None:
    system.disk = system.failed_logins = None
    assert [causes(watch.look(at + number * EVERY)) for number in range(4)] == [[]] * 4
    assert ledger.alerts() == []
    assert sorted(causes(watch.look(at + 4 * EVERY))) == ["alert:failed_logins:", "alert:silence:host=app1"]
    system.disk, system.failed_logins = 50, 0
    watch.look(at + 5 * EVERY)
    system.failed_logins = None
    assert causes(watch.look(at + 6 * EVERY)) == []


def test_a_question_that_hangs_is_silent_and_not_asked_again_on_top(watch: Watch, system: System, at: datetime) -> None:
    system.hangs.clear()
    assert watch.look(at).silent == (LOGINS,)
    assert watch.look(at + EVERY).silent == (LOGINS,)
    assert system.asked == 1
    system.hangs.set()
    assert watch.look(at + 2 * EVERY).silent == ()


def test_a_flapping_value_makes_one_message_at_its_start_and_one_at_its_end(
    watch: Watch, system: System, ledger: Ledger, at: datetime
) -> None:
    now = at
    for number in range(40):
        system.failed_logins = 11 if number % 2 == 0 else 0
        now += timedelta(minutes=1)
        watch.look(now)
    system.failed_logins = 0
    for _ in range(20):
        now += timedelta(minutes=1)
        watch.look(now)
    events = ledger.incident_events(at, now + EVERY)
    assert [one.kind for one in events if one.kind in {"opened", "updated", "closed"}] == [
        "opened",
        "closed",
        "opened",
        "closed",
    ]
    assert [one.detail for one in events if one.kind == "opened"] == [
        "Failed logins, the synthetic account's left out is over its warning level",
        "Failed logins, the synthetic account's left out is flapping: quiet until it has settled",
    ]


def changed(ledger: Ledger, incident: int) -> list[Any]:
    messages = [one.message for one in ledger.incident_messages(incident)]
    return [one for one in messages if ":changed:" in one.dedup_key]


def test_who_was_told_of_a_warning_hears_that_it_is_critical_with_the_new_number(
    watch: Watch, system: System, ledger: Ledger, at: datetime
) -> None:
    """Also where both levels have the same priority and the incident is the same."""
    system.failed_logins = 11
    (opened,) = watch.look(at).opened
    system.failed_logins = 21
    assert watch.look(at + EVERY).opened == ()
    (message,) = changed(ledger, opened.incident)
    first = ledger.incident_messages(opened.incident)[0].message
    assert set(message.recipients) == set(first.recipients)
    assert "is critical" in message.subject
    assert "21 (counted over 5 min)" in message.text
    watch.look(at + 2 * EVERY)
    assert len(changed(ledger, opened.incident)) == 1


def test_what_the_watch_says_is_no_update_of_the_person_who_took_it(
    watch: Watch, system: System, ledger: Ledger, at: datetime
) -> None:
    system.failed_logins = 21
    (opened,) = watch.look(at).opened
    due = watch.desk.acknowledge(opened.incident, "Ana", at).update_due_at
    system.failed_logins = 15
    watch.look(at + EVERY)
    incident = ledger.incident(opened.incident)
    assert [one.kind for one in ledger.timeline(incident.id)][-1] == "updated"
    assert incident.update_due_at == due


def test_what_policy_does_not_name_any_more_is_missed_by_nobody(
    watch: Watch, system: System, ledger: Ledger, at: datetime
) -> None:
    system.disk = 91
    for number in range(61):
        watch.look(at + number * EVERY)
    assert len(ledger.open_incidents(at + 61 * EVERY)) == 1
    fewer = QUICK.model_copy(update={"hosts": tuple(one for one in POLICY.hosts if one.name != "app1")})
    second = Watch(fewer, system.questions[1:], ledger, Desk(ledger, fewer), lambda now: None)
    looks = [second.look(at + number * EVERY) for number in range(61, 70)]
    second.close()
    assert [causes(look) for look in looks if look.opened] == []
    assert ledger.open_incidents(at + 70 * EVERY) == []
    assert {row.rule for row in ledger.alerts()} == {"failed_logins"}


def test_names_from_outside_are_kept_only_while_there_is_something_to_remember(
    watch: Watch, system: System, ledger: Ledger, at: datetime
) -> None:
    system.principals = {f"user {n}": 1.0 for n in range(500)} | {"user eve": 11.0}
    watch.look(at)
    assert [row.labels for row in ledger.alerts() if row.labels.get("principal")] == [{"principal": "user eve"}]
    system.principals = {}
    watch.look(at + EVERY)
    for hour in range(1, 3):
        watch.look(at + timedelta(hours=hour))
    assert [row for row in ledger.alerts() if row.labels.get("principal")] == []


def test_a_storm_from_one_cause_is_one_incident_and_one_message(
    watch: Watch, system: System, ledger: Ledger, at: datetime
) -> None:
    system.failed_logins = 5000
    for number in range(50):
        watch.look(at + number * EVERY)
    (incident,) = ledger.open_incidents(at + 51 * EVERY)
    assert [one.kind for one in ledger.timeline(incident.id)].count("opened") == 1
    assert ledger.outbox_state().waiting == 1, "one message, to all whom it concerns"


def test_an_attack_on_many_accounts_is_one_incident_and_one_message(
    watch: Watch, system: System, ledger: Ledger, at: datetime
) -> None:
    several = "alert:failed_logins_of_one:"
    system.principals = {f"user {n}": 6.0 for n in range(60)}
    assert causes(watch.look(at)) == [several]
    system.principals |= {f"user {n}": 6.0 for n in range(60, 90)}
    assert causes(watch.look(at + EVERY)) == []
    (incident,) = ledger.open_incidents(at + EVERY)
    (message,) = ledger.incident_messages(incident.id)
    assert "many at once" in message.message.subject
    assert "60 at once: " in message.message.text
    judged = judge_priorities(ledger.alerts(), [incident], at + EVERY, QUICK, at=at + EVERY)
    assert worst(judged) is Status.WARN, "each has its incident, which nobody has taken yet"
    system.principals = {"user 7": 6.0}
    watch.look(at + 2 * EVERY)
    assert [one.cause for one in ledger.open_incidents(at + 2 * EVERY)] == [several]
    system.principals = {}
    watch.look(at + 3 * EVERY)
    assert ledger.open_incidents(at + 3 * EVERY) == []


def test_a_question_that_breaks_off_or_comes_back_empty_is_silence_and_never_a_zero(
    watch: Watch, system: System, ledger: Ledger, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch.look(at)
    broken = Asked(LOGINS, ("clo.login.failed",), lambda _: 1 / 0)  # type: ignore[arg-type,return-value]
    monkeypatch.setattr(watch, "questions", [system.questions[0], broken])
    looks = [watch.look(at + number * EVERY) for number in range(1, 5)]
    assert looks[0].silent == (LOGINS,)
    assert "alert:failed_logins:" in {cause for look in looks for cause in causes(look)}
    empty = Asked(LOGINS, ("clo.login.failed",), lambda _: Answer())
    monkeypatch.setattr(watch, "questions", [system.questions[0], empty])
    watch.look(at + 5 * EVERY)
    assert [one.cause for one in ledger.open_incidents(at + 6 * EVERY)] == ["alert:failed_logins:"]
