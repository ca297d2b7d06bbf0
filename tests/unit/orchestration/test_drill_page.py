"""The DR test's page: what its form takes and refuses, the order of its tasks, and that it is always cleaned up."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from airflow.sdk import TriggerRule

from clo_ops.actions.drill.place import ChosenBackup, Labels, drill_id
from clo_ops.findings import (
    Answer,
    ConfigurationError,
    CouldNotCheck,
    Finding,
    Measurement,
    Severity,
    Status,
    worst,
)
from clo_ops.orchestration import drill_steps
from clo_ops.orchestration.coverage import pages
from clo_ops.orchestration.drill import PROCEDURES, Drill, after, failed, relabelled
from clo_ops.orchestration.drill_form import form, spec_of
from clo_ops.orchestration.drill_run import weekly
from clo_ops.orchestration.drill_steps import clean_up
from clo_ops.policy import load_policy
from clo_ops.probes.targets import BackupRepository, DockerTarget
from clo_ops.reports.drill_facts import part_of
from clo_ops.rules.room import needed_room

POLICY = load_policy(mode="demo")
SATURDAY = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def page():
    return next(dag for dag in pages() if dag.dag_id == "monthly_week3_dr_test")


def defaults() -> dict[str, object]:
    return {name: param.value for name, param in form(POLICY).items()}


# ---------------------------------------------------------------- the form


def test_the_form_as_it_stands_is_the_policys_drill():
    spec = spec_of(POLICY, defaults())
    targets = POLICY.recovery.targets
    assert (spec.backup, spec.place, spec.keep) == ("newest", POLICY.recovery.drill.place, False)
    assert spec.parts == {"restore", "failover", "application"}
    assert (spec.rto, spec.rpo) == (targets.rto, targets.rpo)


def test_what_is_chosen_is_what_is_done():
    chosen = {"backup": "named", "name": " clo-1.dump ", "parts": ["restore"], "keep": True, "place": "local"}
    spec = spec_of(POLICY, {**defaults(), **chosen, "rto_minutes": 30, "rpo_minutes": 0.5})
    assert (spec.backup, spec.place, spec.keep, spec.parts) == ("clo-1.dump", "local", True, {"restore"})
    assert (spec.rto, spec.rpo) == (timedelta(minutes=30), timedelta(seconds=30))


def test_a_name_left_in_the_field_of_another_choice_is_no_choice():
    assert spec_of(POLICY, {**defaults(), "name": "clo-1.dump"}).backup == "newest"


@pytest.mark.parametrize(
    "wrong",
    [
        {"backup": "named", "name": ""},
        {"backup": "named", "name": None},
        {"backup": "named", "name": "../etc/passwd"},
        {"backup": "named", "name": ".hidden"},
        {"parts": []},
        {"parts": ["failover"]},
        {"parts": ["restore", "everything"]},
        {"place": "production"},
        {"keep": "perhaps"},
        {"rto_minutes": 0},
        {"rto_minutes": -5},
        {"rto_minutes": 1e300},
        {"rto_minutes": float("inf")},
        {"rpo_minutes": float("nan")},
        {"parts": "restore"},
        {"parts": [{"restore": True}]},
        {"backup": "named", "name": ["clo-1.dump"]},
        {"backup": ["newest"]},
        {"rpo_minutes": "soon"},
        {"rpo_minutes": True},
        {"colour": "green"},
    ],
    ids=str,
)
def test_what_cannot_be_carried_out_is_refused_before_anything_starts(wrong):
    with pytest.raises(ConfigurationError):
        spec_of(POLICY, {**defaults(), **wrong})


def test_the_refusal_names_the_field_and_is_not_asked_again(page):
    with pytest.raises(ConfigurationError, match=r"place.*nothing was started"):
        spec_of(POLICY, {**defaults(), "place": "mars"})


def test_the_pages_form_is_the_form(page):
    assert set(page.params) == set(defaults())


# ---------------------------------------------------------------- the page


def test_set_up_refuses_first_and_tear_down_runs_whatever_became_of_the_drill(page):
    setup, teardown = page.get_task("form_is_sound"), page.get_task("clean_up")
    assert setup.is_setup
    assert not setup.upstream_task_ids
    assert teardown.is_teardown
    assert teardown.on_failure_fail_dagrun
    assert TriggerRule(teardown.trigger_rule) is TriggerRule.ALL_DONE_SETUP_SUCCESS
    assert setup.task_id in teardown.upstream_task_ids


def test_the_order_keeps_what_must_not_overlap_apart(page):
    order = ["environment", "restored", "contents_and_meaning", "failover", "application", "clean_up", "self_test"]
    for before, behind in zip(order, [*order[1:], "documented"], strict=True):
        assert before in page.get_task(behind).upstream_task_ids, f"{behind} does not wait for {before}"


def test_every_procedure_of_the_drill_is_a_task_of_the_same_name_as_its_step(page):
    for step, procedures in PROCEDURES.items():
        assert tuple(getattr(page.get_task(step), "procedure_ids", procedures)) == procedures


def test_a_restore_may_take_as_long_as_policy_allows(page):
    for task in ("restored", "contents_and_meaning", "failover"):
        assert page.get_task(task).execution_timeout > POLICY.recovery.drill.restore_within


# ---------------------------------------------------------------- the steps


def a_drill(*findings: Finding) -> Drill:
    ledger = SimpleNamespace(findings=lambda run: list(findings), answer=lambda run, procedure: Answer())
    run = SimpleNamespace(ledger=ledger, ledger_run=1, policy=POLICY, params={}, at=SATURDAY)
    return Drill.of(run)


def found(status: Status, procedure: str = "M3-02", name: str = "restored") -> Finding:
    severity = None if status is Status.PASS else Severity.P1
    return Finding(procedure, name, status, "good", "seen", "said", "", severity, "Look.")


def failover(drill: Drill) -> list[Finding]:
    return [found(Status.PASS, "M3-04"), found(Status.PASS, "M3-05")]


@pytest.mark.parametrize("status", [Status.FAIL, Status.UNKNOWN])
def test_a_step_behind_a_red_one_says_that_nobody_looked(status):
    told = after("M3-02")(failover)(a_drill(found(status)))
    assert [(one.procedure, one.status) for one in told] == [("M3-04", Status.UNKNOWN), ("M3-05", Status.UNKNOWN)]
    assert "M3-02 did not end well" in told[0].message


def test_a_step_behind_one_that_never_ran_is_not_carried_out_either():
    assert worst(after("M3-02")(failover)(a_drill())) is Status.UNKNOWN


@pytest.mark.parametrize("status", [Status.PASS, Status.WARN])
def test_a_step_behind_a_good_one_is_carried_out(status):
    assert worst(after("M3-02")(failover)(a_drill(found(status)))) is Status.PASS


def test_what_could_not_be_asked_is_unknown_and_what_went_wrong_has_failed():
    assert failed("M3-01", "start", CouldNotCheck("no engine")).status is Status.UNKNOWN
    assert failed("M3-01", "start", ConfigurationError("no image")).status is Status.FAIL


def test_the_weekly_test_keeps_apart_what_two_parts_called_by_one_name():
    told = relabelled([found(Status.PASS, "M3-01", "room"), found(Status.FAIL, "M3-02", "room")], "ED-05")
    assert len({(one.name, one.subject) for one in told}) == 2
    assert {one.procedure for one in told} == {"ED-05"}
    assert [part_of(one) for one in told] == ["M3-01", "M3-02"]


@pytest.mark.parametrize("seen", [0, 10**9])
def test_the_place_is_as_large_as_earlier_drills_were_where_the_manifest_knows_of_less(seen):
    """What the guard counts is what memory, or the volume, is sized by."""
    backup = ChosenBackup(BackupRepository("file:///nowhere"), "clo.dump", "clo", 15, database_bytes=10**8)
    earlier = [Measurement("drill.database.size", size, "bytes", SATURDAY) for size in (1.0, float(seen))]
    run = SimpleNamespace(
        policy=POLICY,
        dag_id="dag",
        run_id="run",
        connections=SimpleNamespace(docker=None),
        ledger=SimpleNamespace(measurements=lambda *asked: iter(earlier)),
    )
    drill = Drill(run, spec_of(POLICY, {**defaults(), "parts": ["restore"]}))
    drill.__dict__["choice"] = SimpleNamespace(backup=backup)
    needed = needed_room(max(seen, 10**8), POLICY.recovery.guard, feeds_standby=False)
    assert drill.place.needed == needed
    assert drill.place._data_mount("primary").size == 2 * needed


@pytest.mark.parametrize("days", [1, 2, 3, 4, 5, 6])
def test_on_other_days_the_weekly_test_is_not_applicable_and_says_when_it_is(tmp_path, days):
    told, *left = weekly(an_end_of_day(tmp_path, SATURDAY + timedelta(days=days)))
    assert told.status is Status.NOT_APPLICABLE
    assert "saturday" in told.message
    assert {one.name for one in left} == {"left-overs of drills"}


@pytest.mark.parametrize("seen", [False, True])
def test_every_day_what_drills_left_is_removed_and_a_silent_engine_is_no_error_of_the_day(tmp_path, seen):
    """A Docker engine that never was is not applicable, one that has gone silent warns; either way the rest is done."""
    labels = Labels(drill_id("dag", "run"), "dag", "run", datetime(2026, 1, 1, tzinfo=UTC)).as_dict("place")
    left = tmp_path / drill_id("dag", "run")
    left.mkdir()
    (left / "labels.json").write_text(json.dumps(labels))
    (tmp_path / "somebody's").mkdir()
    run = an_end_of_day(tmp_path, SATURDAY + timedelta(days=1), seen)

    _, local, docker = weekly(run)
    assert [one.name for one in tmp_path.iterdir()] == ["somebody's"]
    assert (local.status, local.subject) == (Status.PASS, "local")
    assert str(left) in local.message
    assert (docker.subject, docker.status) == ("docker", Status.WARN if seen else Status.NOT_APPLICABLE)
    assert "no-engine.sock" in docker.message
    assert run.kept.value("drill.removed", kind="local") == 1
    assert run.kept.unanswered == ()


def test_the_clean_up_needs_neither_the_backup_nor_its_repository(tmp_path):
    """Rotated away since, or a repository that does not answer any more: what the drill made goes all the same."""
    run = an_end_of_day(tmp_path, SATURDAY)
    run.dag_id, run.run_id = "dag", "run"
    made = tmp_path / drill_id("dag", "run")
    made.mkdir()
    drill = Drill(run, spec_of(POLICY, {**defaults(), "place": "local"}))
    (judged,) = clean_up(drill)
    assert (judged.status, judged.name) == (Status.PASS, "nothing left")
    assert not made.exists()
    assert run.kept.first("drill.removed").detail == f"cluster {made}"


@pytest.mark.parametrize(
    ("names", "depth"), [((), "L4"), (("canary",), "L3"), (("tables", "schema"), "L3"), (("newest row of a",), "L4")]
)
def test_a_backup_nothing_can_be_held_against_is_proven_no_deeper_than_its_restore(monkeypatch, names, depth):
    left_out = [replace(found(Status.NOT_APPLICABLE, "M3-03", name), severity=None) for name in names]
    monkeypatch.setattr(drill_steps, "_contents", lambda drill: (Answer(), [found(Status.PASS, "M3-03"), *left_out]))
    monkeypatch.setattr(drill_steps, "_meaning", lambda drill, folder: (Answer(), [found(Status.PASS, "M3-03", "I")]))
    drill, recorded = a_drill(found(Status.PASS)), []
    drill.run.keep, drill.run.attach = lambda answer: None, lambda *file: None
    drill.run.ledger.record_backup = recorded.append
    backup = ChosenBackup(BackupRepository("file:///nowhere"), "clo.dump", "clo", 15)
    drill.__dict__["choice"] = SimpleNamespace(backup=backup, taken=SATURDAY, sha256="")
    findings = drill_steps.contents_and_meaning(drill)
    assert [set(one.proven) for one in recorded] == [{depth}]
    assert worst(findings) is (Status.PASS if depth == "L4" else Status.WARN)


def an_end_of_day(folder, at, seen=False):
    """A run of it on a machine without a Docker engine; ``seen``: one answered on an earlier day."""
    local = POLICY.recovery.local.model_copy(update={"directory": str(folder)})
    policy = POLICY.model_copy(update={"recovery": POLICY.recovery.model_copy(update={"local": local})})
    connections = SimpleNamespace(docker=DockerTarget("unix:///nonexistent/no-engine.sock"))
    earlier = [Measurement("drill.removed", 0, "count", at, {"kind": "docker"})] if seen else []
    ledger = SimpleNamespace(measurements=lambda *asked: iter(earlier))
    run = SimpleNamespace(policy=policy, at=at, connections=connections, ledger=ledger, kept=Answer())

    def keep(answer):
        run.kept += answer
        return answer

    run.keep = keep
    return run
