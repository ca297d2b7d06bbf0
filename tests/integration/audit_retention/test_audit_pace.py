"""Retention's pace: small bites while others write, whole batches while nobody does (D07, D09)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from pyarrow import parquet

from clo_ops.actions.retention import pacing
from clo_ops.actions.retention.archiving import RetentionFailed
from clo_ops.actions.retention.deleting import Deletion
from clo_ops.actions.retention.pacing import FEW, Pace
from clo_ops.policy import load_policy
from clo_ops.probes.audit_stream import trail

ARCHIVE = load_policy(mode="demo").retention.archive
FAST, SMALL = ARCHIVE.rows_per_batch, ARCHIVE.rows_beside_writers
WRITES = "SELECT txid_current()"


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The pace's clock: what is appended to it is the time from then on."""
    clock = [0.0]
    monkeypatch.setattr(pacing.time, "monotonic", lambda: clock[-1])
    monkeypatch.setattr(pacing.time, "sleep", lambda _: None)
    return clock


def a_second_of(pace, system, seconds, *, others, own=0):
    with trail(system.target("clo_ops_retention"), writing=True) as connection, system.connect() as other:
        for _ in range(others):
            other.execute(WRITES)
        for _ in range(own):
            connection.execute(WRITES)
        seconds.append(seconds[-1] + 1.0)
        pace.rest(connection, own=own)
        return pace.rows(FAST)


def test_only_more_than_a_few_transactions_of_others_make_it_slow(system, seconds):
    pace = Pace(ARCHIVE)
    assert pace.rows(FAST) == SMALL, "before it has looked somebody may write"
    assert a_second_of(pace, system, seconds, others=0) == SMALL, "the first look has nothing to compare with"
    assert a_second_of(pace, system, seconds, others=0) == FAST
    assert a_second_of(pace, system, seconds, others=int(FEW)) == FAST, "as many as are nobody at work"
    assert a_second_of(pace, system, seconds, others=int(FEW) + 1) == SMALL
    assert a_second_of(pace, system, seconds, others=0, own=50) == FAST, "its own are not others"
    assert pace.rows(100) == 100


def test_between_two_looks_it_does_not_ask(system, seconds):
    pace = Pace(ARCHIVE)
    a_second_of(pace, system, seconds, others=0)
    a_second_of(pace, system, seconds, others=0)
    with trail(system.target()) as connection:
        seconds.append(seconds[-1] + 0.99)
        pace.rest(None)
        seconds.append(seconds[-1] + 0.01)
        pace.rest(connection)


def test_where_the_server_does_not_say_somebody_writes(system, seconds, monkeypatch):
    pace = Pace(ARCHIVE)
    a_second_of(pace, system, seconds, others=0)
    assert a_second_of(pace, system, seconds, others=0) == FAST
    monkeypatch.setattr(pacing, "moment", lambda _: None)
    assert a_second_of(pace, system, seconds, others=0) == SMALL


def batches_of(system, monkeypatch, *, compared):
    """What the rows of a whole week left in, and their file."""
    retention = system.retention(rows_per_batch=100, rows_beside_writers=40, pause=timedelta(0))
    *before, its_rows = retention.plan().steps[:4]
    for step in before:
        retention.act(step)
    taken = list[int]()
    real = Deletion._batch
    monkeypatch.setattr(
        Deletion, "_batch", lambda self, first, last, do: (taken.append(last - first + 1), real(self, first, last, do))
    )
    if compared:
        monkeypatch.setattr(Deletion, "_since", lambda self: None)
    retention.act(its_rows)
    return taken, system.files()[1]


@pytest.mark.parametrize("compared", [False, True])
@pytest.mark.parametrize(("busy", "largest"), [(True, 40), (False, 100)])
def test_rows_leave_in_batches_of_that_size(system, monkeypatch, compared, busy, largest):
    """Read in small bites they still become one row group of the file."""
    monkeypatch.setattr(Pace, "_look", lambda self, _: setattr(self, "busy", busy))
    taken, file = batches_of(system, monkeypatch, compared=compared)
    assert max(taken) == largest
    assert sum(taken) == parquet.read_metadata(file).num_rows
    assert parquet.read_metadata(file).num_row_groups == 1
    assert system.verified().faults == []


def test_it_may_still_be_stopped_between_two_bites(system):
    retention = system.retention(rows_per_batch=100, rows_beside_writers=40)
    steps = retention.plan().steps[:2]
    retention.act(steps[0])
    begun = time.monotonic()
    retention.stop = lambda: "the window is over" if time.monotonic() > begun else None
    with pytest.raises(RetentionFailed, match="the window is over"):
        retention.act(steps[1])
