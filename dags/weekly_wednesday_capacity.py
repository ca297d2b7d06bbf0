"""# Capacity planning: an Airflow DAG that says what runs out and when, or honestly that it cannot say

**Manual section:** Weekly Operations / Wednesday: Capacity Planning (L115-L134), procedures WW-01 to WW-09.

**What it does:** brings every series' hourly and daily figures up to date, then forecasts CPU, memory, disk, network,
response times and hit rates from them: a robust slope with its interval, the dates at which each level is crossed, and
whether a trend is more than chance. Compares this week's response times and statements with last week's, names tables
read from end to end and indexes nobody uses, draws how busy each hour of the week is, and recommends what to do, or
says that nothing calls for it. Nothing of the CLO system is changed.

**How far to trust it:** each forecast is kept and held against what came; the score is in WW-09. No date is given where
the trend may be chance, and none beyond the horizon of capacity.yaml. docs/capacity.md explains the method.

**Done by:** 12:00 UTC, every Wednesday, two hours after it starts; a later run is told to management.

**What a failure means:** a red task found a resource over its critical level in the usual week's worst hour, or could
not look; its message says which. A warning is a date to plan for.

**First thing to do:** open the plot in the red task's evidence, then the recommendations of WW-09.

**Safe to re-run:** yes, whole or any task: it only reads, and a re-run takes the place of its own earlier findings.
"""

from datetime import timedelta

from clo_ops.findings import Finding
from clo_ops.orchestration import capacity
from clo_ops.orchestration.blueprint import manual_page, section
from clo_ops.orchestration.procedure import procedure
from clo_ops.orchestration.roll_up_task import PAGE, RollUpOperator
from clo_ops.orchestration.run import Run

# The first time it is a year of measurements that is rolled up.
LONG = {"execution_timeout": timedelta(hours=1)}


@manual_page
def weekly_wednesday_capacity() -> None:
    figures = RollUpOperator(task_id="figures_up_to_date", doc_md=PAGE, **LONG)

    with section("System Resources"):

        @procedure("WW-01")
        def cpu_trend(run: Run) -> list[Finding]:
            """CPU of each host: its week, its slope with interval, and when it crosses its levels."""
            return capacity.trends(run, "WW-01")

        @procedure("WW-02")
        def memory_trend(run: Run) -> list[Finding]:
            """Memory of each host, in the same way."""
            return capacity.trends(run, "WW-02")

        disk = procedure("WW-03")(capacity.disk_growth)

        @procedure("WW-04")
        def network_trend(run: Run) -> list[Finding]:
            """What goes in and out of each interface, and its share of the link where the link has a speed."""
            return capacity.trends(run, "WW-04")

    with section("Application Performance"):
        response = procedure("WW-05")(capacity.response_times)
        statements = procedure("WW-06")(capacity.queries)

        @procedure("WW-07")
        def cache_trend(run: Run) -> list[Finding]:
            """Hit rates of Redis and of PostgreSQL's own cache; here lower is worse."""
            return capacity.trends(run, "WW-07")

        load = procedure("WW-08")(capacity.load_pattern)

    with section("Scaling Recommendations"):
        scaling = procedure("WW-09")(capacity.scaling)

    # Without this week's figures the older ones are judged, and their end is said; the run is red all the same.
    for looked in (cpu_trend, memory_trend, disk, network_trend, response, statements, cache_trend, load):
        looked.trigger_rule = scaling.trigger_rule = "all_done"
        figures >> looked >> scaling
