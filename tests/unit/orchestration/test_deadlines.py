"""The deadline of a page with several cadences: it survives serialisation, and a policy that cannot be read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from clo_ops.findings import ConfigurationError
from clo_ops.orchestration import deadlines
from clo_ops.orchestration.deadlines import DoneByOfTheCadence

DUE = datetime(2026, 11, 29, 2, tzinfo=UTC)


class Session:
    """One run of Airflow's table, or none."""

    def __init__(self, run):
        self.run = run

    def execute(self, _):
        return SimpleNamespace(one_or_none=lambda: self.run)


def evaluated(run, otherwise=60.0):
    return DoneByOfTheCadence(otherwise)._evaluate_with(session=Session(run), dag_id="maintenance", run_id="r")


def run(**changes):
    made = {"dag_id": "maintenance", "logical_date": DUE, "run_after": DUE, "run_type": "scheduled", "conf": {}}
    return SimpleNamespace(**{**made, **changes})


@pytest.mark.parametrize(
    ("made", "hours"),
    [
        (run(), 2),
        (run(run_type="backfill"), 2),
        (run(logical_date=DUE + timedelta(days=7)), 4),
        (run(run_type="manual", conf=None), 4),
        (run(run_type="manual", logical_date=None, conf={"cadence": "maintenance_weekly"}), 2),
    ],
)
def test_it_counts_from_the_due_time_by_the_cadence_that_fired(made, hours):
    assert evaluated(made) == DUE + timedelta(hours=hours)


def test_a_run_is_made_even_when_the_policy_cannot_be_read(monkeypatch):
    def refused():
        raise ConfigurationError("cadences.yaml: no")

    monkeypatch.setattr(deadlines, "load_policy", refused)
    assert evaluated(run(), otherwise=3600.0) == DUE + timedelta(hours=1)


def test_no_such_run_has_no_deadline():
    assert evaluated(None) is None


def test_it_comes_back_from_the_database_as_it_went():
    stored = DoneByOfTheCadence(otherwise=14400.0).serialize_reference()
    assert stored == {"reference_type": "DoneByOfTheCadence", "otherwise": 14400.0}
    assert DoneByOfTheCadence.deserialize_reference(stored) == DoneByOfTheCadence(14400.0)
    assert DoneByOfTheCadence(1.0) != DoneByOfTheCadence(2.0)
