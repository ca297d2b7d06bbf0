"""# Maintenance: an Airflow DAG for the planned windows, emergencies, and the reviews that follow them

**Manual section:** Maintenance Procedures (L370-L410), procedures MW-01 to MW-06.

**What it does:** on Sundays 02:00-04:00 UTC, on the first Sunday until 06:00 in its stead, it sees that users were
told 48 hours ahead, that a verified backup and a way back stand ready, then does Monday's duties with the larger budget
and VACUUM, clears logs away, rolls out approved security fixes (on the first Sunday all approved updates and releases,
and then tests the whole system), asks the system's health after each, and tells users when it is over. Nothing starts
that cannot end inside; what is left over is named and comes first next time. Every day at 08:30 UTC it tells users of
windows that come near and judges the reviews of changes that were made at once.

**A change by hand in a window** (of the schema, of the infrastructure): start the window's cadence inside the window
with *Apply*, the change, how it is taken back, and why. A manager approves it in Required Actions.

**An emergency, by hand:** choose the cadence "Emergency maintenance", write the reason, choose duties or describe the
change a person makes and how it is taken back. In business hours a manager approves, after hours a system
administrator does, in Required Actions, and never the one who asked. *Critical* goes on at once: it is told at once,
and its review by somebody else is due by the next business day. An approval holds for the plans shown and for two
hours; what is not in them is not done, and what comes later is asked for again: clear `what_is_planned` with all after
it.

**Done by:** the end of its window; an emergency within 4 hours. A later run is told to management.

**What a failure means:** MW-03 nobody who may approved it, or a review is overdue; MW-04 something that stands before a
change is missing, and nothing was changed; MW-05 a step failed or the system was not healthy after one; MW-06 it is not
healthy now, or users were not told.

**First thing to do:** open the summary's log and follow the first action of the topmost red finding.
docs/maintenance.md explains the gate, plans and approvals.

**Safe to re-run:** yes, whole or any task: what is on record as applied in this run is not done again, and nothing is
applied outside its window or without its approval.
"""

from datetime import timedelta

from clo_ops.orchestration import authorisation, window_form, windows
from clo_ops.orchestration import window_tasks as tasks
from clo_ops.orchestration.blueprint import manual_page, section
from clo_ops.orchestration.procedure import BOUNDS, procedure
from clo_ops.policy import policy_at_parse

POLICY = policy_at_parse()
LONGEST = max(one.length for one in POLICY.windows.planned.values())
# Waiting for what ends by itself, and the work; each step is bounded by its window.
WORKING = {"execution_timeout": LONGEST, "retries": 1}
# A backup is taken and read back whole.
TAKING = {"execution_timeout": POLICY.recovery.verification.spend_at_most + POLICY.recovery.drill.restore_within}
# Each test that logs in may have to wait for the next code of the second factor, twice.
TESTING = {"execution_timeout": timedelta(minutes=15)}
# Somebody who may not approve may click again and again: each answer is one try.
ASKING = {**BOUNDS, "retries": 10}
# An emergency that waits for its approval must not keep a window from its time; the lock lets one of them work.
AT_ONCE = 4


@manual_page(params=window_form.form(), max_active_runs=AT_ONCE)
def maintenance() -> None:
    with section("Authorization Requirements"):
        planned = tasks.PlanOperator(task_id="what_is_planned", doc_md=tasks.PLANNED_PAGE, **BOUNDS)
        approved = tasks.ApprovalOperator(task_id="who_approves", **ASKING)
        authorised = procedure("MW-03")(authorisation.emergency_authorised)

    with section("Pre-Maintenance"):
        before = procedure("MW-04", **TAKING)(windows.before)

    with section("During Maintenance"):
        by_hand = tasks.ChangeOperator(task_id="change_by_hand", **BOUNDS)
        during = procedure("MW-05", **WORKING)(windows.during)

    with section("Scheduled Maintenance Windows"):
        weekly = procedure("MW-01")(windows.weekly)
        monthly = procedure("MW-02", **TESTING)(windows.monthly)

    with section("Post-Maintenance"):
        after = procedure("MW-06")(windows.after)

    # Each judges for itself what stands before it: a step that was skipped or broke off must not hide what follows.
    for task in (approved, authorised, before, by_hand, during, weekly, monthly, after):
        task.trigger_rule = "all_done"
    planned >> approved >> authorised >> before >> by_hand >> during >> [weekly, monthly] >> after
