"""Rotation: what is kept for which reason, and what can never go."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clo_ops.findings import Answer, Measurement, Status
from clo_ops.policy import load_policy
from clo_ops.policy.retention import LegalHold
from clo_ops.rules.rotation import Kept, judge, plan

POLICY = load_policy(mode="demo").retention.backups
AT = datetime(2026, 11, 23, 2, tzinfo=UTC)


def nights(count, level=0, proven=()):
    """One a night, newest first; those at the indexes of ``proven`` are restorable."""
    return [
        Kept(f"night-{days}", AT - timedelta(days=days), 100, 3 if days in proven else level) for days in range(count)
    ]


def test_ten_years_of_nights_become_the_generations_and_no_more():
    kept = plan(nights(3650, proven=(1, 8)), POLICY)
    named = [reason for reasons in kept.keep.values() for reason in reasons]
    assert [named.count(one) for one in ("daily", "weekly", "monthly", "yearly")] == [30, 8, 12, 7]
    assert len(kept.keep) + len(kept.go) == 3650
    assert len(kept.keep) <= 30 + 8 + 12 + 7 + 2


@pytest.mark.parametrize(("count", "due"), [(29, 0), (30, 0), (31, 1), (38, 8)])
def test_days_are_counted_at_their_limit(count, due):
    """With one week, month and year, whose newest is last night, days alone decide."""
    found = plan(nights(count, proven=(1, 2)), POLICY.model_copy(update={"weekly": 1, "monthly": 1, "yearly": 1}))
    assert len(found.go) == due


def test_days_without_a_backup_take_nothing_from_the_count():
    every_tenth = [Kept(f"n{n}", AT - timedelta(days=10 * n), 1, 3) for n in range(31)]
    found = plan(every_tenth, POLICY.model_copy(update={"weekly": 1, "monthly": 1, "yearly": 1}))
    assert list(found.go) == ["n30"]


def test_newest_proven_one_stays_however_old_and_everything_newer_too():
    found = plan(nights(400, proven=(300, 320)), POLICY)
    assert "newest proven restorable" in found.keep["night-300"]
    assert "minimum of proven ones" in found.keep["night-320"]
    assert all(int(path.removeprefix("night-")) > 300 for path in found.go)


@pytest.mark.parametrize(("proven", "hindered"), [((), True), ((1,), True), ((1, 5), False)])
def test_below_the_minimum_of_proven_ones_nothing_goes(proven, hindered):
    found = plan(nights(400, proven=proven), POLICY)
    assert bool(found.hindrance) is hindered
    assert bool(found.go) is not hindered


def test_decoded_is_not_restored():
    assert plan(nights(400, level=2), POLICY).go == {}


def test_one_that_failed_after_it_was_proven_counts_as_nothing_and_stays_to_be_looked_at():
    some = nights(400, proven=(1, 5))
    some[5] = replace(some[5], failed=True)
    assert plan(some, POLICY).hindrance
    some[399] = replace(some[399], failed=True)
    found = plan(some[:5] + some[6:] + [Kept("more", AT - timedelta(days=6, hours=1), 1, 4)], POLICY)
    assert "failed its verification: look at it first" in found.keep["night-399"]


def test_failed_one_of_a_night_does_not_stand_for_the_good_one_of_that_night():
    some = [*nights(3, proven=(1, 2)), Kept("late", AT + timedelta(hours=3), 1, failed=True)]
    assert "daily" in plan(some, POLICY).keep["night-0"]


@pytest.mark.parametrize(
    ("hold", "held"),
    [
        ({"since": date(2025, 11, 1), "until": date(2025, 11, 3)}, {387, 386, 385}),
        ({"since": date(2025, 11, 1)}, set(range(388))),
        ({"backups": ("night-399",)}, {399}),
    ],
)
def test_legal_hold_outlives_every_generation(hold, held):
    holds = (LegalHold(name="inquiry", reason="a letter", **hold),)
    found = plan(nights(400, proven=(1, 2)), POLICY.model_copy(update={"holds": holds}))
    because = {path for path, reasons in found.keep.items() if "legal hold: inquiry" in reasons}
    assert because == {f"night-{days}" for days in held}


@given(
    st.lists(
        st.builds(
            lambda hours, level, failed: (hours, level, failed),
            st.integers(0, 24 * 3000),
            st.integers(0, 4),
            st.booleans(),
        ),
        max_size=60,
    )
)
def test_whatever_there_is_the_last_resort_stays(given_ones):
    some = [Kept(f"b{n}", AT - timedelta(hours=h), 1, level, failed) for n, (h, level, failed) in enumerate(given_ones)]
    found = plan(some, POLICY)
    assert set(found.keep) | set(found.go) == {one.path for one in some}
    assert not set(found.keep) & set(found.go)
    proven = sorted((one for one in some if one.restorable), key=lambda one: (one.taken, one.path), reverse=True)
    assert not {one.path for one in proven[: POLICY.minimum_proven]} & set(found.go)
    if found.go:
        assert len(proven) >= POLICY.minimum_proven
        assert all(one.taken <= proven[0].taken for one in some if one.path in found.go)
        assert not any(one.failed for one in some if one.path in found.go)


def test_nobody_could_list_is_unknown_and_no_plan_is_not_green():
    assert [one.status for one in judge(Answer(), POLICY, at=AT)] == [Status.UNKNOWN]


def test_a_removal_that_failed_warns_and_names_it():
    labels = {"path": "x", "outcome": "failed"}
    answer = Answer.of(
        [
            Measurement("backup.rotation", 1, "count", AT),
            Measurement("backup.proven.count", 2, "count", AT),
            Measurement("backup.due", 1, "bytes", AT, {"path": "x"}),
            Measurement("backup.removed", 0, "bool", AT, labels, "PermissionError"),
        ]
    )
    found = {one.name: one for one in judge(answer, POLICY.model_copy(update={"apply": True}), at=AT)}
    assert found["backup removed"].status is Status.WARN
    assert found["backup removed"].subject == "x"
