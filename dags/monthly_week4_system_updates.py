"""# System updates: an Airflow DAG that says what is pending, and rolls out what a person has approved

**Manual section:** Monthly Operations / Fourth Week: System Updates / Update Planning and Deployment (L216-L229),
procedures M4-01 to M4-06.

**What it does:** on the fourth Monday it asks each host over SSH what is pending, which are security fixes and whether
it waits for a reboot; PostgreSQL for its version, extensions and settings that wait; the release feeds of the
applications; and the libraries for what is outdated or vulnerable. Then it writes the plan of the rollout, with exact
versions, and asks for its approval in Required Actions. It shows how the last rollouts went, each planned, approved,
carried out and verified.

**What it changes:** nothing. What was approved goes out in the first Sunday's window (DAG `maintenance`), where
maintenance.yaml says `duties.updates.apply: true`: a fresh verified backup first, one host at a time, the system looked
at before and after each, the packages of before put back and the rest stopped where it is not well.

**Done by:** 16:00 UTC, six hours after it starts; a later run is told to management.

**What a failure means:** a security fix is pending for too long, a host or a feed did not answer, nobody approved the
plan, or a rollout went wrong; the finding says which, with the first thing to do.

**First thing to do:** open the mail or the summary task's log and follow the first action of the topmost red finding. A
host that was NOT rolled back comes first.

**Safe to re-run:** yes, whole or any task: it reads only. A plan made anew with other versions needs an approval of its
own; one that was approved stays approved for as long as updates.yaml says.
"""

from datetime import timedelta

from clo_ops.findings import Finding
from clo_ops.orchestration import rollout, updates
from clo_ops.orchestration import rollout_tasks as tasks
from clo_ops.orchestration.blueprint import manual_page, one_after_another, section
from clo_ops.orchestration.procedure import BOUNDS, procedure
from clo_ops.orchestration.run import Run
from clo_ops.orchestration.window_tasks import ApprovalOperator

# A simulated upgrade reads all lists of a host; the hosts are asked side by side.
LOOKING = {"execution_timeout": timedelta(minutes=15)}
# Somebody who may not approve may click again and again: each answer is one try.
ASKING = {**BOUNDS, "retries": 10}


@manual_page
def monthly_week4_system_updates() -> None:
    with section("Security Updates"):

        @procedure("M4-01", **LOOKING)
        def host_updates(run: Run) -> list[Finding]:
            """What each host has pending, which are security fixes and since when; whether it waits for a reboot."""
            return updates.hosts(run)

        @procedure("M4-02")
        def database_patches(run: Run) -> list[Finding]:
            """PostgreSQL's minor version against the newest known, its extensions, settings that wait for a restart."""
            return updates.postgres(run)

        @procedure("M4-03")
        def application_fixes(run: Run) -> list[Finding]:
            """Releases of the applications that are out and do not run yet, with the security fixes they bring."""
            return updates.releases(run)

        @procedure("M4-04", **LOOKING)
        def libraries(run: Run) -> list[Finding]:
            """Third-party libraries that are outdated or vulnerable, by severity."""
            return updates.libraries(run)

    with section("Update Planning and Deployment"):
        planned = tasks.RolloutPlanOperator(
            task_id="what_is_planned", doc_md=tasks.PLANNED_PAGE, **{**BOUNDS, **LOOKING}
        )
        approved = ApprovalOperator(task_id="who_approves", **ASKING)

        @procedure("M4-05", **LOOKING)
        def approved_rollout(run: Run) -> list[Finding]:
            """The plan of the hosts' updates, who let it through, when it goes out; how the last rollouts went."""
            return rollout.approved_rollout(run)

    with section("Feature Updates"):

        @procedure("M4-06")
        def feature_deployments(run: Run) -> list[Finding]:
            """Deployments of the month, each planned, approved, deployed and verified; those that come next."""
            return rollout.deployments(run)

    # A plan is made and shown however the looks went; what was answered late is judged all the same.
    looks = (host_updates, database_patches, application_fixes, libraries)
    for task in (planned, approved, approved_rollout):
        task.trigger_rule = "all_done"
    looks >> planned >> approved >> approved_rollout
    one_after_another(approved_rollout, feature_deployments)
