"""# Disaster-recovery test: an Airflow DAG for the third week of the month

**Manual section:** Monthly Operations / Third Week: Disaster Recovery Testing (L195-L214), procedures M3-01 to M3-08.

**What it does:** proves that the CLO system can be brought back. A backup is restored into a throw-away PostgreSQL that
can reach nothing, held against what was recorded when it was taken, asked whether it still means what it should, failed
over, and used by the application; every step is timed against the targets. Production is only looked at.

**Done by:** 6 hours after it starts, at 10:00 UTC on the third Monday of each month; also by hand, with a form.

**What a failure means:** the backup, the way back or the time it takes is not what it must be. The report says which,
how deep the backup was proven (L0 to L4), and what nobody could look at. The restored copy is never production.

**First thing to do:** open the report (evidence of the task `documented`, and in the mail); its first section names
what is red, with the first action of each. docs/dr-test.md explains every part.

**Safe to re-run:** yes, whole. A task by itself too as long as the environment stands: `restored` begins with an empty
database, and the clean-up may run as often as you like. Clear `environment` with all that follows it to begin anew.
"""

from datetime import timedelta

from clo_ops.orchestration import drill_tasks
from clo_ops.orchestration.blueprint import manual_page, one_after_another, section
from clo_ops.orchestration.drill_form import form
from clo_ops.orchestration.procedure import procedure
from clo_ops.policy import policy_at_parse

POLICY = policy_at_parse()
# A restore may take as long as the policy allows; what looks at its result is bounded like it.
LONG = {"execution_timeout": POLICY.recovery.drill.restore_within + timedelta(minutes=15)}
# What was not reached is not worth waiting for; what could not be asked is asked again soon.
SOON = {"retry_delay": timedelta(seconds=5)}


@manual_page(params=form(POLICY))
def monthly_week3_dr_test() -> None:
    with section("Before Anything Is Started"):
        checked = drill_tasks.FormOperator(task_id="form_is_sound", doc_md=drill_tasks.FORM_PAGE)

    with section("Backup Recovery Testing"):
        environment = procedure("M3-01", **SOON)(drill_tasks.environment)
        restored = procedure("M3-02", retries=1, **{**LONG, **SOON})(drill_tasks.restored)
        judged = procedure("M3-03", **{**LONG, **SOON})(drill_tasks.contents_and_meaning)

    with section("Failover Testing"):
        failover = procedure("M3-04", also=("M3-05",), retries=1, **{**LONG, **SOON})(drill_tasks.failover)
        application = procedure("M3-06", **SOON)(drill_tasks.application)

    with section("Can This Drill Fail"):
        faults = drill_tasks.SelfTestOperator(
            task_id="self_test",
            doc_md=drill_tasks.SELF_TEST_PAGE,
            execution_timeout=timedelta(minutes=45),
            trigger_rule="all_done",
        )

    with section("Afterwards"):
        cleaned = procedure("M3-08")(drill_tasks.clean_up)
        documented = procedure("M3-07")(drill_tasks.documented)

    checked >> environment
    one_after_another(environment, restored, judged, failover, application, cleaned)
    cleaned.as_teardown(setups=checked, on_failure_fail_dagrun=True)
    # Not beside the drill: each would take the other for a drill that is in its way.
    cleaned >> faults
    documented.trigger_rule = "all_done"
    faults >> documented
