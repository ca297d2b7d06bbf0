"""The drill that can fail: every fault for real, each caught by the check that is there for it."""

from __future__ import annotations

import pytest

from clo_ops.actions.drill import faults
from clo_ops.actions.drill.rehearsal import rehearsal
from clo_ops.findings import Status
from clo_ops.policy.recovery import Said
from clo_ops.rules.selftest import judge, rows_of
from tests.integration.drill.conftest import DAG, changed

ASKED_FOR = {
    "truncated",
    "bit flipped in compressed data",
    "digit flipped in uncompressed data",
    "empty",
    "plain SQL where an archive is meant",
    "stale",
    "wrong canary",
    "missing table",
    "missing role",
    "row changed after the restore",
    "index corrupted",
    "sequence behind",
    "container killed in mid-restore",
    "disk full in mid-restore",
    "Docker unreachable",
    "target equal to production",
}


@pytest.fixture(scope="module")
def table(policy, engine, major):
    return faults.self_test(policy, dag_id=DAG, run_id="self-test", major=major)


def test_every_fault_is_put_in_and_caught_for_the_right_reason(table):
    rows, answer = table
    assert {one.fault for one in rows} >= ASKED_FOR
    assert [(one.fault, one.caught_by, one.message) for one in rows if not one.caught] == []
    assert {one.status for one in judge(rows)} == {Status.PASS}
    assert rows_of(answer) == rows


def test_it_leaves_nothing(table, engine):
    assert [str(one) for one in engine.ours() if "self-test" in one.labels.run and one.labels.dag == DAG] == []


def test_a_check_that_sees_nothing_is_found_out(policy, engine, major, monkeypatch):
    """Seen red: a policy that tolerates everything pg_restore says, and a drill that would call that restored."""
    blind = policy.recovery.restore.model_copy(update={"tolerated": (Said(pattern=".", why="all is well"),)})
    monkeypatch.setattr(faults, "FAULTS", [one for one in faults.FAULTS if one.name == "missing role"])
    rows, _ = faults.self_test(changed(policy, restore=blind), dag_id=DAG, run_id="blind self-test", major=major)
    assert [(one.fault, one.caught) for one in rows] == [("missing role", False)]
    (finding,) = judge(rows)
    assert finding.status is Status.FAIL
    assert "was not caught as it should be" in finding.message


def test_a_self_test_that_breaks_off_leaves_nothing_either(policy, engine, major):
    with pytest.raises(RuntimeError, match="broke off"), rehearsal(policy, dag_id=DAG, run_id="breaks", major=major):
        raise RuntimeError("broke off")
    assert [str(one) for one in engine.ours() if "breaks" in one.labels.run] == []
