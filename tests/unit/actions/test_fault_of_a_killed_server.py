"""The fault that needs an instant: a restore that was over before it could be cut off has shown nothing."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from clo_ops.actions.drill import faults
from clo_ops.findings import Finding, Severity, Status
from clo_ops.probes.targets import PostgresTarget
from clo_ops.rules.restore import PROCEDURE
from clo_ops.rules.selftest import judge

CUT_OFF = Finding(PROCEDURE, faults.ENDED, Status.FAIL, "x", "y", "said", severity=Severity.P1, first_action="do")
(KILLED,) = [one for one in faults.FAULTS if one.name == "container killed in mid-restore"]


@pytest.mark.parametrize(
    ("in_time", "status"), [([True], Status.PASS), ([False, True], Status.PASS), ([False] * 9, Status.FAIL)]
)
def test_it_is_tried_again_and_then_it_is_not_caught(monkeypatch, in_time, status):
    """Never "not possible here": that would leave the fault out of a table that is green."""
    turns, killed, databases = iter(in_time), [], []
    server = SimpleNamespace(target=PostgresTarget("127.0.0.1", 1, "x", "postgres"), kill=lambda: killed.append(True))
    played = SimpleNamespace(place=SimpleNamespace(primary=lambda: server), good=None)
    monkeypatch.setattr(faults, "_begun", lambda target, restoring: next(turns))
    monkeypatch.setattr(faults, "_restored", lambda played, backup, name: databases.append(name) or [CUT_OFF])
    (found,) = judge([faults._played(KILLED, played)])
    assert found.status is status
    assert killed == ([True] if True in in_time else [])
    assert len(set(databases)) == len(databases) == min(len(in_time), faults.ATTEMPTS)
