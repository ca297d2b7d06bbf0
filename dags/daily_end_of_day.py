"""# End of day: an Airflow DAG that reports on the day, and sees whether the backups are there, whole and readable

**Manual section:** Daily Operations / End of Day Procedures: Daily Report Generation (L64-L75), Backup Verification
(L77-L81); Reporting and Analytics / Daily Reports (L416-L420); procedures ED-01 to ED-07.

**What it does:** reports on the day from 18:00 to 18:00 UTC (D30) as system status, business activity and operations:
HTML and PDF, mailed to the roles of reports.yaml, kept with their SHA-256. Every figure says which question brought it
and when; what nobody measures is "no source". They are made again with `make report` (docs/reports.md).

Then it looks whether every day since the last check has a good backup; reads what is new or due from the first byte to
the last, hashing and decoding it; and says which backups are kept, for which reasons, and which may go. Nothing is
removed unless retention.yaml says `apply: true`, and never the newest that is proven restorable.

**How deep:** L0 there and as large as its manifest says, L1 its bytes are those written down when it was taken,
L2 every byte decodes, L3 restored, L4 its contents and their meaning proven. Every backup is read whole within the
days of recovery.yaml, `verification`; how deep each one holds, and since when, is in the evidence of the task.

**Done by:** 19:00 UTC, every day, one hour after it starts; a later run is told to management.

**What a failure means:** a red task found a backup missing, damaged or not what its manifest says, or could not look;
its message names the file and says which. Until it is mended, count on the newest backup the report calls proven. A red
report has figures nobody could be asked for; the others are in it, and it went out.

**First thing to do:** open the mail or the summary task's log and follow the first action of the topmost red finding.
Take a backup before anything else is changed. docs/backups.md explains each depth (L0 to L4) and each fault.

**Safe to re-run:** yes, whole or any task: what was read and found good is remembered and not read again, and a
rotation that was broken off is finished by the next one. A report made again takes the place of the first and is
mailed again.
"""

from datetime import timedelta

from clo_ops.findings import Finding
from clo_ops.orchestration import backups, daily_reports, drill_run
from clo_ops.orchestration.blueprint import manual_page, one_after_another, section
from clo_ops.orchestration.escalate import run_link
from clo_ops.orchestration.procedure import procedure
from clo_ops.orchestration.roll_up_task import PAGE, RollUpOperator
from clo_ops.orchestration.run import Run
from clo_ops.policy import policy_at_parse

RECOVERY = policy_at_parse().recovery
VERIFICATION = RECOVERY.verification
# No new backup is begun after that time; the one being read is read to its end.
READING = {"execution_timeout": VERIFICATION.spend_at_most + timedelta(hours=1)}
# A restore may take as long as policy allows it; reading and judging the copy is bounded like it.
RESTORING = {"execution_timeout": RECOVERY.drill.restore_within / 2 + timedelta(minutes=15)}
# Removing thousands of objects one by one takes a storage its time.
REMOVING = {"execution_timeout": timedelta(minutes=30)}
# The first time it is a year of measurements that is rolled up.
FIGURES = {"execution_timeout": timedelta(hours=1)}


@manual_page
def daily_end_of_day() -> None:
    figures = RollUpOperator(task_id="figures_up_to_date", doc_md=PAGE, **FIGURES)

    with section("Daily Report Generation"):
        status = procedure("ED-01")(daily_reports.system_status)
        business = procedure("ED-02")(daily_reports.business_activity)
        operational = procedure("ED-07")(daily_reports.operations)

    with section("Backup Verification"):

        @procedure("ED-03")
        def daily_backup_complete(run: Run) -> list[Finding]:
            """The newest backup, as in the morning; and every day since the last end of day has a good one."""
            return backups.daily_backup(run)

        # Listing an archive proves nothing of what comes after its head (D21).
        @procedure("ED-04", **READING)
        def backup_integrity(run: Run) -> list[Finding]:
            """What is new or due is read whole, once: its SHA-256, and every byte decoded."""
            return backups.backup_integrity(run)

        @procedure("ED-05", retries=1, **RESTORING)
        def weekly_restore_test(run: Run) -> list[Finding]:
            """On the policy's day the newest backup is restored for real, its contents and their meaning proven."""
            return drill_run.weekly(run, run_link(run.dag_id, run.run_id))

        @procedure("ED-06", **REMOVING)
        def backup_rotation(run: Run) -> list[Finding]:
            """Which backups are kept, for which reasons, and which may go; removed where policy says so."""
            return backups.backup_rotation(run)

    # Without the last hours' figures the earlier ones are told, and how much of the day they speak for.
    for told in (status, business, operational):
        told.trigger_rule = "all_done"
        figures >> told
    # What was proven a minute ago counts for what may go.
    one_after_another(daily_backup_complete, backup_integrity, weekly_restore_test, backup_rotation)
