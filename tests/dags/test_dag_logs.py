"""The page of logs in a real Airflow, by hand, on the demo's own logs: the evening first, then everything at once."""

from __future__ import annotations

import pytest

from clo_ops.findings import Status
from clo_ops.policy.firing import ALL

LOGS = "log_management"
EVENING = "log_management_daily"


def whole_run(stack, run_id):
    """Seven tasks, and on a busy machine each waits for its turn: longer than what the other pages get."""
    (*_, (_, state)) = stack.api.follow(LOGS, run_id, seconds=400.0)
    return state, stack.api.tasks(LOGS, run_id)


# Two runs one after the other, and perhaps the start of the stack before them.
@pytest.mark.timeout(1200)
def test_the_page_on_the_logs_of_a_running_system(stack):
    evening = stack.api.trigger(LOGS, {"cadence": EVENING})
    state, tasks = whole_run(stack, evening)
    findings = stack.findings(LOGS, evening)
    red = [one.message for one in findings if one.status in (Status.FAIL, Status.UNKNOWN)]
    assert state == "success", red
    assert tasks["daily_analysis"] == tasks["log_retention_by_class"] == "success"
    assert tasks["error_bursts"] == tasks["weekly_trends"] == tasks["monthly_review"] == "skipped"
    whole = {one.subject: one.status for one in findings if (one.procedure, one.name) == ("LM-03", "read whole")}
    assert {"api", "access", "postgresql"} <= set(whole)
    assert set(whole.values()) == {Status.PASS}
    with stack.ledger() as ledger:
        first = ledger.log_position("access")
    assert first is not None

    everything = stack.api.trigger(LOGS, {"cadence": ALL})
    state, _ = whole_run(stack, everything)
    findings = stack.findings(LOGS, everything)
    assert state == "success", [one.message for one in findings if one.status in (Status.FAIL, Status.UNKNOWN)]
    assert {one.procedure for one in findings} == {f"LM-{number:02d}" for number in range(1, 6)}
    with stack.ledger() as ledger:
        second = ledger.log_position("access")
    assert second is not None
    assert (second.inode, second.offset >= first.offset) == (first.inode, True)
