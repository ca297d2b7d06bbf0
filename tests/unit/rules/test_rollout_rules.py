"""The plan of a rollout, its approval, and the record of what became of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from clo_ops.findings import Status
from clo_ops.findings.plans import Effect, Outcome
from clo_ops.findings.updates import ApplicationState, Change, HostState, Release
from clo_ops.ledger import ApprovalRow, PlanRow, StepRow
from clo_ops.probes.host_updates import Garbled, read
from clo_ops.rules import rollout as rule

BEGAN = datetime(2026, 12, 6, 2, 5, tzinfo=UTC)
CHANGES = (
    Change("openssl", "3.0.17-1", "3.0.18-1", True),
    Change("postgresql-15", "15.19", "15.20", True),
    Change("libnew", "-", "1:2.0"),
)


def host(name="app1", **changes):
    return HostState(**{"host": name, "manager": "apt", "changes": CHANGES} | changes)


def test_a_step_for_each_host_with_exact_versions_and_the_restart_left_to_a_person():
    plan, left = rule.of_hosts([host("app1"), host("app2")], "db", ("postgresql*",))
    assert [one.target for one in plan.steps] == ["app1", "app2"]
    assert plan.steps[0].statement == "libnew new -> 1:2.0; openssl 3.0.17-1 -> 3.0.18-1"
    assert [one.package for one in rule.changes_of(plan.steps[0])] == ["libnew", "openssl"]
    assert rule.changes_of(plan.steps[0])[0].old == "-"
    assert "postgresql-15" in left[0].why


def test_another_version_is_another_plan_and_needs_another_approval():
    one, _ = rule.of_hosts([host()], "db", ())
    newer = replace(CHANGES[0], new="3.0.19-1")
    other, _ = rule.of_hosts([host(changes=(newer, *CHANGES[1:]))], "db", ())
    assert one.hash != other.hash


@pytest.mark.parametrize("state", [{"removals": ("mta",)}, {"broken": ("libc6",)}, {"manager": "dnf"}])
def test_what_is_not_rolled_out_from_here_is_named(state):
    plan, left = rule.of_hosts([host(**state)], "db", ())
    assert plan.steps == ()
    assert left[0].subject == "app1"
    assert left[0].why


def test_the_newest_release_of_what_has_a_deployer():
    releases = (
        Release("2.4.2", date(2026, 11, 9), "security"),
        Release("2.4.10", date(2026, 11, 16), "feature", title="Ramp-up report"),
    )
    states = [
        ApplicationState("clo", "2.4.1", releases),
        ApplicationState("tool", "1.0", (Release("1.1", date(2026, 11, 1)),)),
    ]
    plan, left = rule.of_applications(states, "db", ["clo"])
    assert [one.statement for one in plan.steps] == ["clo 2.4.1 -> 2.4.10"]
    assert "a person deploys it" in left[0].why


def approval(**changes):
    given = {
        "id": 1, "run_id": 1, "hash": "h", "plans": ("p",), "kind": "prior", "authority": "manager",
        "requester": "ann", "reason": "r", "asked_at": BEGAN - timedelta(days=13), "decision": "approved",
        "decided_by": "manager", "decided_at": BEGAN - timedelta(days=12), "note": "", "review_due_at": None,
        "reviewed_at": None, "reviewed_by": "", "review_note": "",
    }  # fmt: skip
    return ApprovalRow(**given | changes)


def test_let_through():
    plan, _ = rule.of_hosts([host()], "db", ())
    good = approval(plans=(plan.hash,))

    def status(row, plan=plan):
        return rule.let_through("M4-05", "L218", plan, row, "Sunday", ("manager",)).status

    assert status(good) is Status.PASS
    assert status(None) is Status.FAIL
    assert status(approval()) is Status.FAIL, "of another plan"
    assert status(replace(good, decision="", decided_by="")) is Status.FAIL
    assert status(replace(good, decision="refused")) is Status.WARN
    assert status(replace(good, decided_by="ann")) is Status.FAIL
    assert status(replace(good, decided_by="eve")) is Status.FAIL
    assert status(None, plan=None) is Status.NOT_APPLICABLE


def rolled(outcome=Outcome.APPLIED, after=None, approvals=None, effect=True, tested=None):
    plan, _ = rule.of_hosts([host()], "db", ())
    done = Effect(outcome, "as said", 1.0, {"health after": "healthy"} if after is None else after) if effect else None
    steps = [StepRow(one, done, BEGAN, BEGAN, 1) for one in plan.steps]
    row = PlanRow(1, 2, plan.kind, plan.system, plan.hash, "ended", BEGAN, BEGAN, steps)
    return rule.Rolled(row, tuple([approval()] if approvals is None else approvals), tested)


def record(one):
    return {found.name: found for found in rule.record("M4-05", "L218", [one])}


def test_the_record_of_a_good_rollout():
    found = record(rolled())
    assert (found["approved"].status, found["carried out"].status) == (Status.PASS, Status.PASS)


@pytest.mark.parametrize(
    ("approvals", "status"),
    [
        ([], Status.FAIL),
        ([approval(decided_at=BEGAN + timedelta(seconds=1))], Status.FAIL),
        ([approval(decided_at=BEGAN)], Status.PASS),
        ([approval(decided_by="ann")], Status.FAIL),
        ([approval(decision="refused")], Status.FAIL),
        ([approval(kind="break glass", decided_by="ann")], Status.WARN),
    ],
)
def test_what_was_not_approved_by_somebody_else_before_it_began(approvals, status):
    assert record(rolled(approvals=approvals))["approved"].status is status


def test_what_became_of_it():
    assert record(rolled(after={}))["carried out"].actual == "applied, not verified"
    assert record(rolled(after={}, tested=True))["carried out"].status is Status.PASS
    assert record(rolled(after={}, tested=False))["carried out"].status is Status.FAIL
    assert record(rolled(Outcome.FAILED))["carried out"].status is Status.FAIL
    assert record(rolled(Outcome.LEFT_OVER))["carried out"].status is Status.WARN
    assert record(rolled(effect=False))["carried out"].actual == "not ended"


def test_a_version_that_no_record_explains():
    states = [ApplicationState("clo", "2.4.0", (Release("2.4.1", date(2026, 11, 9)),))]
    plan, _ = rule.of_applications(states, "db", ["clo"])
    done = Effect(Outcome.APPLIED, "done")
    row = PlanRow(
        1, 2, plan.kind, "db", plan.hash, "ended", BEGAN, BEGAN, [StepRow(plan.steps[0], done, BEGAN, BEGAN, 1)]
    )
    brought = [rule.Rolled(row)]
    assert rule.unrecorded("clo", "2.4.0", "2.4.1", brought).status is Status.PASS
    assert rule.unrecorded("clo", "2.4.0", "2.4.2", brought).status is Status.FAIL
    assert rule.unrecorded("clo", "2.4.0", "2.4.0", []).status is Status.PASS
    assert rule.unrecorded("clo", "", "2.4.0", []).status is Status.NOT_APPLICABLE
    assert rule.nobody_says("clo", True).status is Status.UNKNOWN
    assert rule.nobody_says("clo", False).status is Status.NOT_APPLICABLE


@pytest.mark.parametrize("name", ["a;reboot", "$(id)", "-o", "a b", "../x", ""])
def test_what_is_no_package_never_gets_near_a_command_line(name):
    with pytest.raises(ValueError, match="is not a package"):
        Change(name, "1", "2")
    with pytest.raises(ValueError, match="is not a package"):
        Change("a", "1", name or " ")
    with pytest.raises(ValueError, match="is not a package"):
        Change.read(f"{name} 1 -> 2")
    with pytest.raises(Garbled):
        read("app1", f"clo_ops_host_updates 1\nmanager apt\nupdate {name} 1 2 other\nreboot no\nend\n")


def test_other_architectures_and_epochs_are_packages():
    assert str(Change.read("libc6:i386 2.36-9+deb12u10 -> 1:2.36-9+deb12u13")) == (
        "libc6:i386 2.36-9+deb12u10 -> 1:2.36-9+deb12u13"
    )
