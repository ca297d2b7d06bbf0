"""The page's procedures on a real database, ledger, repository and mail server; only what they look after is small."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.findings import CheckFailed, ConfigurationError, CouldNotCheck, Finding, Severity, Status, worst
from clo_ops.findings.plans import Effect, Outcome, Plan, Step
from clo_ops.orchestration import authorisation, windows
from clo_ops.orchestration.maintenance import maintained, system_of
from clo_ops.orchestration.occasion import occasion
from clo_ops.orchestration.window_tasks import decide
from clo_ops.policy.calendar import in_business_hours

DONE = []
NOW = datetime.now(UTC)


def work(run):
    """A duty like those of Monday: its plan, and steps that say they were done."""

    def act(step):
        if step.target == "broken":
            raise CheckFailed("lock not granted")
        DONE.append(step.key)
        return Effect(Outcome.APPLIED, "done", 1.0)

    steps = tuple(Step(f"reindex {one}", "reindex", one, "bloat", f"REINDEX {one}", 1.0) for one in WANTED)
    return maintained(run, "WM-02", "indexes", lambda: Plan("indexes", system_of(run), steps), act)


WANTED = ["a", "b"]


@pytest.fixture(autouse=True)
def small(monkeypatch, world):
    DONE.clear()
    WANTED[:] = ["a", "b"]
    proof = world.policy.recovery.proof.model_copy(update={"newest": ()})
    recovery = world.policy.recovery.model_copy(update={"proof": proof})
    world.policy = world.policy.model_copy(update={"recovery": recovery})
    monkeypatch.setattr("clo_ops.orchestration.duties.DUTIES", {"indexes": (work,)})
    monkeypatch.setattr("clo_ops.orchestration.windows._health", lambda run: [healthy()])
    world.proven()


def healthy(status=Status.PASS):
    severity = None if status is Status.PASS else Severity.P1
    return Finding("DM-01", "component health", status, "up", "x", "as said", "api", severity, "look")


def emergency(world, **form):
    said = {"reason": "disk is filling", "duties": ["indexes"], **form}
    return world.run(**said)


def carried(world, run, *procedures):
    """Procedures one after the other, each on record before the next, as the page does it."""
    found = {}
    for name, function in procedures:
        run.answer = type(run.answer)()
        found[name] = function(run)
        world.ledger.record(run.ledger_run, name, found[name], run.answer, [], 1)
    return found


WAY = (
    ("MW-03", authorisation.emergency_authorised),
    ("MW-04", windows.before),
    ("MW-05", windows.during),
    ("MW-06", windows.after),
)


def the(findings, name):
    return next(one for one in findings if one.name == name)


def mails(world, words):
    return [one for one in world.sink.messages() if words in one["subject"]]


# ---------------------------------------------------------------- emergencies


def test_an_emergency_from_the_question_to_the_end(world):
    run = emergency(world)
    asked = authorisation.ask(run, datetime.now(UTC))
    manager = in_business_hours(datetime.now(UTC), world.policy.business_calendar)
    assert asked.authority == ("manager" if manager else "system administrator")
    assert DONE == [], "asking changes nothing"
    assert decide(run, "Approve", "manager", "go") == "approved by manager"
    found = carried(world, run, *WAY)
    assert {name: worst(one) for name, one in found.items()} == dict.fromkeys(found, Status.PASS), found
    assert DONE == ["reindex a", "reindex b"]
    assert the(found["MW-04"], "backup before the change").status is Status.PASS
    assert list(world.repository.glob("*.dump*"))
    assert mails(world, "Maintenance has begun: Emergency")
    assert mails(world, "Maintenance is over: Emergency")
    (kept,) = [one for one in run.evidence if one.name == "changes.md"]
    assert kept.size > 100


def test_nobody_approves_what_they_asked_for_and_nobody_else_who_may_not(world):
    run = emergency(world, by="manager")
    authorisation.ask(run, datetime.now(UTC))
    for name in ("manager", "eve", ""):
        with pytest.raises(CouldNotCheck, match="may not decide"):
            decide(run, "Approve", name, "")
    found = carried(world, run, *WAY)
    assert the(found["MW-03"], "authorisation").actual == "nobody answered"
    assert (worst(found["MW-04"]), worst(found["MW-05"])) == (Status.FAIL, Status.FAIL)
    assert the(found["MW-05"], "work").actual == "not begun"
    assert DONE == []


def test_who_asked_is_known_by_every_word_the_auth_manager_has_for_them(world):
    run = emergency(world, by="ann")
    authorisation.ask(run, datetime.now(UTC))
    with pytest.raises(CouldNotCheck, match="may not decide"):
        decide(run, "Approve", "manager", "", known_as=["manager", "ann"])
    assert decide(run, "Approve", "Bob B.", "", known_as=["Bob B.", "manager"]) == "approved by manager"


def test_where_nobody_else_may_approve_nobody_is_asked(world):
    from clo_ops.orchestration.window_tasks import assigned

    with pytest.raises(ConfigurationError, match="nobody may approve"):
        assigned([])
    assert assigned(["bob"]) == [{"id": "bob", "name": "bob"}]


def test_refused_is_refused(world):
    run = emergency(world)
    authorisation.ask(run, datetime.now(UTC))
    decide(run, "Refuse", "manager", "not today")
    found = carried(world, run, *WAY)
    assert "not today" in the(found["MW-03"], "authorisation").message
    assert DONE == []


def test_a_plan_that_changed_after_the_approval_is_not_carried_out(world):
    run = emergency(world)
    authorisation.ask(run, datetime.now(UTC))
    decide(run, "Approve", "manager", "")
    WANTED.append("c")
    found = carried(world, run, *WAY)
    assert the(found["MW-05"], "indexes: approved plan").status is Status.FAIL
    assert DONE == []


def test_a_critical_change_goes_on_at_once_is_told_at_once_and_waits_for_its_review(world):
    run = emergency(world, critical=True)
    asked = authorisation.ask(run, datetime.now(UTC))
    assert (asked.kind, asked.decision, asked.decided_by) == ("break glass", "approved", "ann")
    found = carried(world, run, *WAY)
    assert the(found["MW-03"], "authorisation").status is Status.WARN
    assert DONE == ["reindex a", "reindex b"]
    assert not list(world.repository.glob("*.dump*")), "a fresh verified backup will do"
    from clo_ops.escalation.outbox import deliver

    deliver(world.ledger, run.connections.smtp, datetime.now(UTC))
    assert mails(world, f"Change {asked.id} made at once by ann")
    mine = world.run("maintenance_reviews", by="ann", review=asked.id, review_note="fine")
    assert the(authorisation.emergency_authorised(mine), "reviewed").status is Status.FAIL
    assert the(authorisation.emergency_authorised(mine), "review").status is Status.WARN
    other = world.run("maintenance_reviews", by="bob", review=asked.id, review_note="looked at it, fine")
    for _ in range(2):  # a task that is tried again has reviewed it already
        assert {one.status for one in authorisation.emergency_authorised(other)} == {Status.PASS}
    assert world.ledger.approvals_of(run.ledger_run)[0].reviewed_by == "bob"


@pytest.mark.parametrize(
    ("form", "missing"),
    [
        ({"reason": " "}, "a reason"),
        ({"duties": []}, "a change to be made by hand, or a duty"),
        ({"change": "move it"}, "how the change is taken back"),
        ({"by": ""}, "a user of Airflow"),
    ],
)
def test_a_form_that_says_too_little_asks_nobody(world, form, missing):
    run = emergency(world, **form)
    with pytest.raises(ConfigurationError, match=missing):
        authorisation.ask(run, datetime.now(UTC))
    assert world.ledger.approvals_of(run.ledger_run) == []


def test_what_is_not_healthy_after_one_kind_of_work_stops_the_rest(world, monkeypatch):
    monkeypatch.setattr(
        "clo_ops.orchestration.duties.DUTIES", {"indexes": (work,), "cache": (lambda run: DONE.append("cache") or [],)}
    )
    monkeypatch.setattr("clo_ops.orchestration.windows._health", lambda run: [healthy(Status.FAIL)])
    run = emergency(world, duties=["indexes", "cache"])
    authorisation.ask(run, datetime.now(UTC))
    DONE.clear()  # planning asked each of them
    decide(run, "Approve", "manager", "")
    found = carried(world, run, *WAY)
    assert the(found["MW-05"], "tested after it").status is Status.FAIL
    assert DONE == ["reindex a", "reindex b"]
    assert worst(found["MW-06"]) is Status.FAIL


def test_a_step_that_fails_is_named_and_the_others_are_done(world):
    WANTED[:] = ["broken", "b"]
    run = emergency(world)
    authorisation.ask(run, datetime.now(UTC))
    decide(run, "Approve", "manager", "")
    found = carried(world, run, *WAY)
    assert [one.message for one in found["MW-05"] if one.status is Status.FAIL and "lock not granted" in one.message]
    assert DONE == ["reindex b"]


def test_without_a_backup_nothing_is_begun(world):
    world.repository.chmod(0o500)
    run = emergency(world)
    authorisation.ask(run, datetime.now(UTC))
    decide(run, "Approve", "manager", "")
    world.repository.rmdir()
    world.repository.touch()  # what should be a folder is a file
    found = carried(world, run, *WAY)
    assert worst(found["MW-04"]) in (Status.FAIL, Status.UNKNOWN)
    assert the(found["MW-05"], "work").actual == "not begun"
    assert DONE == []


# ---------------------------------------------------------------- planned windows


@pytest.fixture
def window(world):
    """The weekly window, every day and all day: what is tested here is not the calendar."""
    from clo_ops.policy.cadences import Window

    weekly = world.policy.cadences["maintenance_weekly"].model_copy(update={"cron": ("0 0 * * *",)})
    monthly = world.policy.cadences["maintenance_monthly"].model_copy(update={"cron": ()})
    all_day = world.policy.windows["weekly"].model_copy(
        update={"starts": datetime.min.time().replace(tzinfo=UTC), "ends": datetime.max.time().replace(tzinfo=UTC)}
    )
    assert isinstance(all_day, Window)
    cadences = type(world.policy.cadences)(
        {**world.policy.cadences, "maintenance_weekly": weekly, "maintenance_monthly": monthly}
    )
    windows_of = world.policy.windows.model_copy(
        update={"planned": {**world.policy.windows.planned, "weekly": all_day}}
    )
    world.policy = world.policy.model_copy(update={"cadences": cadences, "windows": windows_of})
    return world.with_terms(freeze__on=())


def scheduled(world):
    run = world.run("maintenance_weekly", by="")
    run.trigger = "scheduled"
    return run


def told(world, run, ahead, *, written=timedelta(days=9)):
    """A notice on record, written long ago and delivered so long before the window."""
    from clo_ops.ledger import NoticeRow
    from clo_ops.orchestration import notices

    mine = occasion(run)
    number = notices.tell(run, mine, "ahead").message_id
    in_ledger(world, "UPDATE clo_ops.notices SET told_at = %s", mine.starts - written)
    in_ledger(world, "UPDATE clo_ops.outbox SET delivered_at = %s", mine.starts - ahead)
    assert world.ledger.is_delivered(number)
    assert isinstance(world.ledger.notices(mine.name, mine.starts)["ahead"], NoticeRow)


def in_ledger(world, statement, *values):
    with world.cluster.connect(world.ledger.engine.url.database) as connection:
        connection.execute(statement, values)


PLANNED = (("MW-04", windows.before), ("MW-05", windows.during), ("MW-01", windows.weekly), ("MW-06", windows.after))


def test_a_planned_window_that_users_were_told_of(window):
    run = scheduled(window)
    told(window, run, timedelta(hours=48))
    found = carried(window, run, *PLANNED)
    assert {name: worst(one) for name, one in found.items()} == dict.fromkeys(found, Status.PASS), found
    assert DONE == ["reindex a", "reindex b"]
    assert found["MW-01"][0].actual == "2 steps applied"


def test_users_told_too_late_means_that_nothing_starts(window):
    run = scheduled(window)
    told(window, run, timedelta(hours=47, minutes=59))
    mine = occasion(run)
    (told_of,) = window.ledger.windows_told(mine.starts, mine.ends)
    assert mine.starts - told_of.told_at == timedelta(hours=47, minutes=59), "delivered, not written"
    found = carried(window, run, *PLANNED)
    assert the(found["MW-04"], "notice").actual == "47.9 h ahead"
    assert (worst(found["MW-05"]), worst(found["MW-01"])) == (Status.FAIL, Status.FAIL)
    assert found["MW-06"][0].status is Status.NOT_APPLICABLE
    assert DONE == []


def test_a_window_on_a_payment_date_needs_an_approval_of_its_own(window):
    window.with_terms(freeze__on=("payment",))
    run = scheduled(window)
    told(window, run, timedelta(hours=50))
    with window.session() as connection:
        connection.execute("INSERT INTO payment_schedules VALUES ('D1', %s, null)", [run.at.date() + timedelta(days=1)])
        connection.commit()
    try:
        asked = authorisation.ask(run, datetime.now(UTC))
        assert (asked.requester, asked.authority) == ("the schedule", "manager")
        assert "payment date of 1 deals" in asked.reason
        assert the(carried(window, run, *PLANNED)["MW-05"], "work").actual == "not begun"
        again = scheduled(window)
        authorisation.ask(again, datetime.now(UTC))
        decide(again, "Approve", "manager", "agreed with the desk")
        assert worst(carried(window, again, *PLANNED)["MW-05"]) is Status.PASS
    finally:
        with window.session() as connection:
            connection.execute("DELETE FROM payment_schedules")
            connection.commit()
    assert DONE == ["reindex a", "reindex b"]


def test_a_window_by_hand_on_another_day_shows_its_plan(world):
    run = world.run("maintenance_weekly", at=datetime(2026, 11, 24, 11, tzinfo=UTC))
    found = carried(world, run, *PLANNED)
    judged = {one.status for findings in found.values() for one in findings}
    assert judged == {Status.NOT_APPLICABLE, Status.PASS}, found
    assert "2 reindex" in the(found["MW-05"], "indexes: maintenance").message
    assert DONE == []


def test_a_window_by_hand_outside_of_it_is_not_applied(world):
    run = world.run("maintenance_weekly", at=datetime(2026, 11, 24, 11, tzinfo=UTC), work="apply")
    found = carried(world, run, *PLANNED)
    assert the(found["MW-04"], "window").actual == "outside"
    assert DONE == []


def test_the_daily_look_tells_users_of_each_window_once(world):
    run = world.run("maintenance_reviews")
    first = windows.before(run)
    second = windows.before(world.run("maintenance_reviews"))
    starts = [(one.subject, one.status) for one in first if one.subject]
    assert [(one.subject, one.status) for one in second if one.subject] == starts
    now = datetime.now(UTC)
    near = [one for one in _sundays() if one - now < timedelta(hours=73)]
    assert [how for _, how in starts] == [
        Status.PASS if one - now >= timedelta(hours=48) else Status.FAIL for one in near
    ]
    for one in near:
        assert len(mails(world, f"{one:%Y-%m-%d %H:%M} UTC")) <= 1


def test_a_duty_whose_gate_stayed_shut_is_no_green_window(window):
    run = scheduled(window)
    told(window, run, timedelta(hours=48))
    window.with_terms(gate__long_transaction=timedelta(0))
    run.policy = window.policy
    with window.session() as somebody:
        somebody.execute("SELECT 1")
        found = carried(window, run, *PLANNED)
    left = next(one for one in found["MW-01"] if one.subject == "not begun")
    assert (left.status, left.actual) == (Status.WARN, "1 not begun")
    assert "no long transaction" in left.message
    assert DONE == []


def test_the_whole_system_is_tested_after_the_monthly_windows_work(window):
    """The database is there; the application is not: what cannot be asked is no test that was passed."""
    run = scheduled(window)
    told(window, run, timedelta(hours=48))
    found = carried(window, run, *PLANNED[:2], ("MW-02", windows.monthly))["MW-02"]
    tests = {one.subject: one for one in found if one.name == "comprehensive test"}
    assert len(tests) == 8
    assert tests["connections of the database"].status is Status.PASS
    assert (tests["login"].status, tests["login"].severity) == (Status.FAIL, Severity.P1)
    assert "clo_api" in tests["login"].message
    shown = window.run("maintenance_weekly")
    assert len(carried(window, shown, ("MW-02", windows.monthly))["MW-02"]) == 1, "a plan that is shown tests nothing"


# ---------------------------------------------------------------- a change by hand in a window

BY_HAND = {"change": "ALTER TABLE loans ADD rating text", "rollback": "DROP COLUMN rating", "reason": "release 2.5"}


def test_a_change_of_the_schema_in_a_window_needs_a_managers_approval(window):
    run = window.run("maintenance_weekly", work="apply", **BY_HAND)
    told(window, run, timedelta(hours=48))
    asked = authorisation.ask(run, datetime.now(UTC))
    assert (asked.kind, asked.authority, asked.requester, asked.reason) == ("prior", "manager", "ann", "release 2.5")
    assert the(windows.before(run), "authorisation").actual == "nobody answered"
    decide(run, "Approve", "manager", "")
    ready = carried(window, run, ("MW-04", windows.before))["MW-04"]
    assert worst(ready) is Status.PASS, ready
    assert the(ready, "rollback plan").message.startswith("How the change by hand is taken back: DROP COLUMN rating")
    (plan,) = window.ledger.plans_of(run.ledger_run)
    window.ledger.step_started(plan.id, plan.steps[0].step.key, datetime.now(UTC))
    window.ledger.step_ended(plan.id, plan.steps[0].step.key, Effect(Outcome.APPLIED, "Made by ann"), datetime.now(UTC))
    found = carried(window, run, *PLANNED[1:])
    assert the(found["MW-05"], "change by hand").actual == "made"
    assert DONE == [], "the duties are those of the run on schedule"


def test_a_change_by_hand_is_asked_for_in_its_window_only(world):
    run = world.run("maintenance_weekly", at=datetime(2026, 11, 24, 11, tzinfo=UTC), work="apply", **BY_HAND)
    with pytest.raises(ConfigurationError, match="no window is today"):
        authorisation.ask(run, datetime.now(UTC))
    assert world.ledger.approvals_of(run.ledger_run) == []


# ---------------------------------------------------------------- an approval that ran out


@pytest.fixture
def ran_out(world):
    """An emergency with a change by hand, approved two hours and a minute ago."""
    run = emergency(world, change="move the archive", rollback="mount it again")
    authorisation.ask(run, datetime.now(UTC))
    decide(run, "Approve", "manager", "")
    in_ledger(
        world,
        "UPDATE clo_ops.approvals SET asked_at = now() - interval '3 h', decided_at = now() - '121 min'::interval",
    )
    return run


def test_what_was_approved_too_long_ago_is_not_begun(world, ran_out):
    found = carried(world, ran_out, *WAY)
    late = the(found["MW-04"], "authorisation")
    assert (late.status, late.actual[:10]) == (Status.FAIL, "ran out at")
    assert the(found["MW-05"], "work").actual == "not begun"
    assert DONE == []


def test_it_is_asked_for_anew_and_the_earlier_click_does_not_count(world, ran_out, monkeypatch):
    first = authorisation.approval_of(ran_out)
    asked = authorisation.ask(ran_out, datetime.now(UTC))
    assert (asked.id != first.id, asked.decision, asked.plans) == (True, "", first.plans)
    assert authorisation.ask(ran_out, datetime.now(UTC)) == asked, "a task tried again asks nothing new"
    step, said = question(ran_out, monkeypatch, clicked=first.asked_at)
    with pytest.raises(CouldNotCheck, match="for an earlier question"):
        step.execute_complete({}, said)
    assert authorisation.approval_of(ran_out).decision == ""
    step, said = question(ran_out, monkeypatch, clicked=datetime.now(UTC))
    assert step.execute_complete({}, said) == "approved by manager"
    assert worst(carried(world, ran_out, ("MW-04", windows.before))["MW-04"]) is Status.PASS


def question(run, monkeypatch, clicked):
    """The step of the page, and what Airflow hands it once the manager clicked."""
    from contextlib import contextmanager

    from clo_ops.orchestration import window_tasks

    @contextmanager
    def opened(context, task_id):
        yield run

    monkeypatch.setattr("clo_ops.orchestration.window_tasks.open_run", opened)
    who = {"id": "manager", "name": "manager"}
    said = {"chosen_options": ["Approve"], "params_input": {}, "responded_at": clicked, "responded_by_user": who}
    return window_tasks.ApprovalOperator(task_id="who_approves"), said


def test_nobody_is_sent_to_make_a_change_when_its_time_is_over(world, monkeypatch):
    """A backup before it may take as long as the approval holds: MW-04 was green, and that was long ago."""
    from airflow.sdk.exceptions import AirflowSkipException

    from clo_ops.orchestration import window_tasks

    run = emergency(world, duties=[], change="move the archive", rollback="mount it again")
    authorisation.ask(run, datetime.now(UTC))
    decide(run, "Approve", "manager", "")
    assert worst(carried(world, run, ("MW-04", windows.before))["MW-04"]) is Status.PASS
    in_ledger(world, "UPDATE clo_ops.approvals SET decided_at = now() - interval '121 min'")
    question(run, monkeypatch, clicked=None)
    with pytest.raises(AirflowSkipException, match="the time for it is over"):
        window_tasks.ChangeOperator(task_id="change_by_hand").ask({})
    found = carried(world, run, ("MW-05", windows.during))["MW-05"]
    assert the(found, "change by hand").actual == "not begun"


def test_users_are_told_before_a_person_makes_the_change_not_after_it(world, monkeypatch):
    from clo_ops.orchestration import window_tasks

    run = emergency(world, duties=[], change="move the archive", rollback="mount it again")
    authorisation.ask(run, datetime.now(UTC))
    decide(run, "Approve", "manager", "")
    carried(world, run, ("MW-04", windows.before))
    starts, asked = occasion(run).starts, []
    question(run, monkeypatch, clicked=None)
    said = f"Maintenance has begun: Emergency maintenance, {starts:%Y-%m-%d %H:%M} UTC"
    monkeypatch.setattr(
        "clo_ops.orchestration.questions.Question.wait",
        lambda step, context: asked.append(list(world.ledger.notices("emergency", starts))),
    )
    window_tasks.ChangeOperator(task_id="change_by_hand").ask({})
    assert asked == [["start"]]
    assert mails(world, said)


def test_a_critical_change_is_not_renewed(world):
    run = emergency(world, critical=True)
    authorisation.ask(run, datetime.now(UTC))
    in_ledger(world, "UPDATE clo_ops.approvals SET decided_at = now() - interval '121 min'")
    with pytest.raises(ConfigurationError, match="is over"):
        authorisation.ask(run, datetime.now(UTC))
    assert len(world.ledger.approvals_of(run.ledger_run)) == 1


def _sundays():
    day = datetime.now(UTC).replace(hour=2, minute=0, second=0, microsecond=0)
    return [
        day + timedelta(days=n)
        for n in range(8)
        if (day + timedelta(days=n)).weekday() == 6 and day + timedelta(days=n) > datetime.now(UTC)
    ]


@pytest.mark.parametrize(
    ("option", "status", "outcome"),
    [("Made", Status.PASS, "applied"), ("Rolled back", Status.FAIL, "failed"), ("Not made", Status.WARN, "skipped")],
)
def test_what_a_person_says_of_a_change_is_on_record_with_their_name(world, monkeypatch, option, status, outcome):
    """The step of the page as Airflow calls it, with what Airflow hands it once somebody clicked."""
    from contextlib import contextmanager

    from clo_ops.orchestration import window_tasks

    run = emergency(world, duties=[], change="move the archive", rollback="mount it again")
    authorisation.ask(run, datetime.now(UTC))
    decide(run, "Approve", "manager", "")
    (plan,) = world.ledger.plans_of(run.ledger_run)
    world.ledger.step_started(plan.id, plan.steps[0].step.key, datetime.now(UTC))

    @contextmanager
    def opened(context, task_id):
        yield run

    monkeypatch.setattr("clo_ops.orchestration.window_tasks.open_run", opened)
    said = {
        "chosen_options": [option],
        "params_input": {"note": "as agreed"},
        "responded_at": datetime.now(UTC),
        "responded_by_user": {"id": "7", "name": "ann"},
    }
    step = window_tasks.ChangeOperator(task_id="change_by_hand")
    for _ in range(2):  # a task that is tried again says the same
        assert step.execute_complete({}, said) == f"{option} by ann: as agreed"
    (plan,) = world.ledger.plans_of(run.ledger_run)
    assert plan.steps[0].effect.outcome.value == outcome
    found = windows._by_hand(run)
    assert (the(found, "change by hand").status, the(found, "tested after it").status) == (status, Status.PASS)


@pytest.mark.parametrize(("who", "decision", "asked_again"), [("manager", "approved", False), ("ann", "", True)])
def test_an_answer_to_a_try_that_was_lost_counts_unless_it_is_refused(world, monkeypatch, who, decision, asked_again):
    from contextlib import contextmanager

    from clo_ops.orchestration import window_tasks

    run = emergency(world)
    authorisation.ask(run, datetime.now(UTC))

    @contextmanager
    def opened(context, task_id):
        yield run

    asked = []
    monkeypatch.setattr("clo_ops.orchestration.window_tasks.open_run", opened)
    monkeypatch.setattr("clo_ops.orchestration.questions.Question.wait", lambda step, context: asked.append(context))
    answer = {
        "chosen_options": ["Approve"],
        "params_input": {"note": "seen"},
        "responded_at": datetime.now(UTC),
        "responded_by_user": {"id": who, "name": who},
    }
    step = window_tasks.ApprovalOperator(task_id="who_approves")
    for _ in range(2):
        step.asked_before({}, {"answer": answer})
    assert bool(asked) == asked_again
    assert authorisation.approval_of(run).decision == decision
    assert authorisation.approval_of(run).decided_by == (who if decision else "")
