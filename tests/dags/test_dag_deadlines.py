"""Deadlines and dead workers in a real Airflow: nothing that hangs, dies or is late goes unsaid, or is said twice.

The trials that need no outage start together, so that nothing is waited for twice.
"""

from __future__ import annotations

import pytest

from clo_ops.findings import Status
from demo.stack import control

TOGETHER = ("trial_in_time", "trial_killed_and_tried_again", "trial_task_killed", "trial_worker_killed", "trial_late")


@pytest.fixture(scope="module")
def trials(stack):
    return {name: stack.trial(name) for name in TOGETHER}


def only_finding(trial):
    (finding,) = trial.findings()
    return finding.name, finding.status


def told_once(stack, mails):
    """One mail, and no second one by the time every other mail of these trials has come."""
    stack.until(mails, "the mail to management")
    return len(mails()) == 1


def test_a_run_that_is_not_held_up_is_green(trials):
    trial = trials["trial_in_time"]
    trial.leave()
    state, tasks = trial.end()
    assert (state, set(tasks.values())) == ("success", {"success"})
    assert only_finding(trial) == ("left", Status.PASS)


def test_a_task_at_work_is_on_record_as_not_finished(trials):
    trial = trials["trial_late"]
    trial.processes()
    assert only_finding(trial) == ("not finished", Status.UNKNOWN)


def test_a_task_killed_in_the_midst_is_unknown_and_its_run_red(stack, trials):
    trial = trials["trial_task_killed"]
    task, worker = trial.processes()
    stack.kill(task)
    state, tasks = trial.end()
    assert (state, tasks["waits_for_leave"], tasks["summary"]) == ("failed", "failed", "failed")
    assert only_finding(trial) == ("not finished", Status.UNKNOWN)
    assert worker.alive()
    assert told_once(stack, trial.told_failed)


def test_a_killed_task_is_tried_again_and_its_second_try_counts(stack, trials):
    trial = trials["trial_killed_and_tried_again"]
    stack.kill(trial.processes()[0])
    assert only_finding(trial) == ("not finished", Status.UNKNOWN)
    trial.processes(attempt=2)
    trial.leave()
    assert trial.end()[0] == "success"
    assert only_finding(trial) == ("left", Status.PASS)
    assert trial.told_failed() == []


def test_a_worker_killed_with_its_task_is_missed_and_the_run_red(stack, trials):
    trial = trials["trial_worker_killed"]
    task, worker = trial.processes()
    stack.kill(worker, task)
    trial.bring_silence_forward()
    state, tasks = trial.end()
    assert (state, tasks["waits_for_leave"]) == ("failed", "failed")
    assert only_finding(trial) == ("not finished", Status.UNKNOWN)
    assert told_once(stack, trial.told_failed)


def test_a_run_still_going_at_its_deadline_is_told_to_management_once(stack, trials):
    trial = trials["trial_late"]
    (mail,) = stack.until(trial.told_late, "the mail that says late")
    assert "it-manager@" in mail["To"]
    text = mail.get_body(("plain",)).get_content()
    assert " is running, " in text
    assert " after its time. Not on record yet: TR-02. It stands for: TR-02 A trial" in " ".join(text.split())
    trial.leave()
    assert trial.end()[0] == "success", "late is not failed"
    assert len(trial.told_late()) == 1


def test_a_green_run_has_no_deadline_any_more(trials):
    for name in ("trial_in_time", "trial_killed_and_tried_again"):
        assert trials[name].deadline() is None, name
        assert trials[name].told_late() == [], name


def test_a_run_that_was_red_before_its_deadline_is_not_late(stack, trials):
    """Airflow calls all the same, and is answered with silence."""
    red = trials["trial_task_killed"]
    assert red.deadline()[0] is False
    red.bring_deadline_forward()
    stack.until(lambda: red.deadline() == (True, "success"), "its callback to end")
    assert red.told_late() == []
    assert len(red.told_failed()) == 1


def kill_triggerer(stack):
    stack.kill(*stack.launch.stack.process("airflow-triggerer").members())


TELLING = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock'"


def test_a_triggerer_killed_before_a_deadline_and_again_while_it_tells_loses_nothing(stack):
    """The deadline passes while nobody is there to tell it; who comes back is killed with the message in his hands."""
    trial = stack.trial("trial_late_without_triggerer")
    trial.processes()
    kill_triggerer(stack)
    ops, name = stack.launch.ops, "airflow-triggerer"
    trial.bring_deadline_forward()
    stack.until(lambda: trial.deadline()[0], "the deadline to be missed")
    assert trial.told_late() == []
    with ops.connect("clo_ops", "clo_ops") as ledger, ops.connect() as server, ledger.transaction():
        ledger.execute("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE")
        control.start_service(stack.launch.stack, name)
        who = (f"clo_ops/{trial.dag_id}/escalation",)
        stack.until(lambda: server.execute(TELLING, who).fetchone()[0], "the triggerer at the outbox")
        kill_triggerer(stack)
    control.start_service(stack.launch.stack, name)
    stack.until(trial.told_late, "the mail that says late")
    trial.leave()
    assert trial.end()[0] == "success"
    assert len(trial.told_late()) == 1
