"""What a run may do and until when: on schedule, by hand, in an emergency, approved or not."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from clo_ops.orchestration.occasion import allowance, only_planned
from clo_ops.orchestration.run import Run
from clo_ops.policy import load_policy
from clo_ops.policy.firing import by_hand, on_schedule

POLICY = load_policy(mode="demo")
MONDAY = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
SUNDAY = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


@dataclass
class Book:
    """A ledger that knows approvals and nothing else."""

    approvals: list[Any] = field(default_factory=list)

    def approvals_of(self, run):
        return self.approvals


def run(dag="weekly_monday_maintenance", at=MONDAY, trigger="scheduled", cadence=None, approvals=(), **params):
    firing = on_schedule(POLICY, dag, at) if trigger == "scheduled" else by_hand(POLICY, dag, cadence)
    return Run(
        dag,
        "r",
        "t",
        at,
        POLICY,
        SimpleNamespace(),
        Book(list(approvals)),
        1,
        firing=firing,
        params=params,
        trigger=trigger,
    )


@pytest.mark.parametrize(
    ("kind", "made", "why"),
    [
        ("indexes", run(), ""),
        ("cache", run(), "duties.cache.apply: false"),
        ("indexes", run(trigger="manual"), "a run by hand shows its plan"),
        ("indexes", run(trigger="manual", work="apply"), ""),
        ("cache", run(trigger="manual", work="apply"), ""),
        ("indexes", run(trigger="manual", work="plan"), "asked for its plan"),
        ("cache", run("maintenance", trigger="manual", cadence="maintenance_emergency"), ""),
        (
            "cache",
            run("maintenance", trigger="manual", cadence="maintenance_emergency", work="plan"),
            "asked for its plan",
        ),
    ],
)
def test_what_is_applied_and_what_is_only_planned(kind, made, why):
    said = only_planned(made, kind)
    assert why in said
    assert bool(said) is bool(why)


@pytest.mark.parametrize(
    ("now", "left"),
    [
        (MONDAY, 2 * HOUR),
        (MONDAY + HOUR, HOUR),
        (MONDAY + 2 * HOUR - SECOND, SECOND),
        (MONDAY + 2 * HOUR, timedelta()),
        (MONDAY - SECOND, timedelta()),
    ],
)
def test_time_is_left_until_the_windows_end(now, left):
    assert allowance(run(), "indexes", now)[0] == left


def test_a_run_tried_again_the_next_day_has_no_time_left():
    left, why = allowance(run(), "indexes", MONDAY + timedelta(days=1))
    assert left == timedelta()
    assert "is not now" in why


def test_vacuum_waits_for_sunday():
    assert allowance(run(), "vacuum", MONDAY)[0] == timedelta()
    assert allowance(run("maintenance", SUNDAY), "vacuum", SUNDAY)[0] == 2 * HOUR


def test_by_hand_on_another_day_there_is_no_window():
    tuesday = MONDAY + timedelta(days=1)
    left, why = allowance(run(at=tuesday, trigger="manual", work="apply"), "indexes", tuesday)
    assert (left, why) == (timedelta(), "this run belongs to no window of today")


def approval(decision="approved"):
    return SimpleNamespace(decision=decision, decided_at=MONDAY + HOUR)


@pytest.mark.parametrize(
    ("approvals", "params", "left"),
    [
        ([], {}, timedelta()),
        ([approval("")], {}, timedelta()),
        ([approval("refused")], {}, timedelta()),
        ([approval()], {}, POLICY.maintenance.pace.emergency_at_most),
        ([], {"work": "plan"}, POLICY.maintenance.pace.emergency_at_most - HOUR),
    ],
)
def test_an_emergencys_time_begins_with_its_approval(approvals, params, left):
    made = run("maintenance", trigger="manual", cadence="maintenance_emergency", approvals=approvals, **params)
    assert allowance(made, "vacuum", MONDAY + HOUR)[0] == left
