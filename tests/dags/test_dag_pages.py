"""Pages that no other test starts, whole, in a real Airflow: each procedure asked, judged and on record."""

from __future__ import annotations

import pytest

from clo_ops.findings import Finding, Status
from demo.stack.airflow_api import AirflowSaid

PAGES = {
    "reports_and_support": {"SP-01", "SP-02", "RP-01", "RP-02", "RP-03", "RP-04", "RP-05"},
    "business_hours_monitoring": {
        f"{kind}-{n:02d}" for kind, many in (("BH", 4), ("AL", 8)) for n in range(1, many + 1)
    },
}

# As on a day that is neither Friday nor of the second week.
ASKED_FOR = {"reports_and_support": {"cadence": "reports_daily"}}
# A day nobody has reported on yet has no reports to put together: not known, asked twice again, and never green.
NOT_YET = {"reports_and_support": {"RP-01"}}
PATIENCE = 400.0  # seconds, for the three tries on a busy machine

# What it says depends on how busy the machine of the tests is; that it says it does not.
OF_THIS_MACHINE = {"business_hours_monitoring"}


@pytest.fixture(scope="module")
def runs(stack) -> dict[str, str]:
    """Started together."""
    return {page: stack.api.trigger(page, ASKED_FOR.get(page)) for page in PAGES}


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("page", PAGES)
def test_every_procedure_of_the_page_is_judged_and_on_record(stack, runs, page):
    (*_, (_, state)) = stack.api.follow(page, runs[page], seconds=PATIENCE)
    tasks = stack.api.tasks(page, runs[page])
    findings = stack.findings(page, runs[page])
    assert {one.procedure for one in findings} == PAGES[page], tasks
    assert [told(one) for one in findings if one.name == "not finished"] == []
    red = [told(one) for one in findings if one.status in (Status.FAIL, Status.UNKNOWN)]
    assert (state == "success") == (red == []), (state, tasks, red)
    if page not in OF_THIS_MACHINE:
        assert {one.partition(" ")[0] for one in red} == NOT_YET.get(page, set()), red


DRILL = "monthly_week3_dr_test"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"rto_minutes": -5}, "rto_minutes"),
        ({"rpo_minutes": "soon"}, "rpo_minutes"),
        ({"place": "production"}, "place"),
        ({"parts": ["restore", "everything"]}, "parts"),
        ({"keep": "perhaps"}, "keep"),
        ({"backup": "yesterday's"}, "backup"),
    ],
    ids=str,
)
def test_what_the_drills_form_does_not_offer_airflow_refuses_at_once(stack, wrong, said):
    with pytest.raises(AirflowSaid, match=rf"dagRuns: 4\d\d .*{said}"):
        stack.api.trigger(DRILL, wrong)


def test_a_drill_that_cannot_be_carried_out_starts_nothing_and_says_why(stack):
    """Each field by itself is one the form takes: a named backup without a name."""
    run_id = stack.api.trigger(DRILL, {"backup": "named", "name": "", "self_test": False})
    (*_, (_, state)) = stack.api.follow(DRILL, run_id, seconds=PATIENCE)
    tasks = stack.api.tasks(DRILL, run_id)
    assert (state, tasks["form_is_sound"]) == ("failed", "failed")
    assert "success" not in {tasks[name] for name in ("environment", "restored", "failover", "application")}, tasks


def told(finding: Finding) -> str:
    return f"{finding.procedure} {finding.status}: {finding.message}"
