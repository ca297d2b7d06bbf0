"""# Performance review: an Airflow DAG that says how the month before was, against targets and the months before it

**Manual section:** Monthly Operations / Second Week: Performance Review (L180-L193), procedures M2-01 to M2-08.

**What it does:** brings every series' hourly and daily figures up to date, then judges the calendar month before: what
users felt, calculations and reports against their times, what each role completed, availability with its error budget,
what held the system up most, and what is left of each resource. Last, each KPI month over month, and the report of it
all. Figures of the ledger come from roll-ups, those of the application from one read-only snapshot of its tables.

**What is no number:** "no source" is a figure nobody measures, "no data" one whose source had nothing in the month,
"not known" one that could not be asked for. Time nobody looked at is not observed: neither up nor down. Work done per
user is no judgement of anybody's work; it is what the tables count.

**Done by:** 14:00 UTC, the second Monday of the month, four hours after it starts; a later run is told to management.

**What a failure means:** a red task found a KPI missed in the month, or a resource without any room; or it could not
look, and says at what. A warning is something to plan for, or a figure of less than the whole month.

**First thing to do:** open the report in month_over_month's evidence; begin with what is missed, then with the first of
the bottlenecks.

**Safe to re-run:** yes, whole or any task: it only reads, and a re-run takes the place of its own earlier findings. The
report is made anew and mailed again when month_over_month is cleared.
"""

from datetime import timedelta

from clo_ops.findings import Finding
from clo_ops.orchestration import performance
from clo_ops.orchestration.blueprint import manual_page, section
from clo_ops.orchestration.procedure import procedure
from clo_ops.orchestration.roll_up_task import PAGE, RollUpOperator
from clo_ops.orchestration.run import Run

# The first time it is a year of measurements that is rolled up.
LONG = {"execution_timeout": timedelta(hours=1)}


@manual_page
def monthly_week2_performance_review() -> None:
    figures = RollUpOperator(task_id="figures_up_to_date", doc_md=PAGE, **LONG)

    with section("System Performance Trends"):
        bottlenecks = procedure("M2-02")(performance.ranking)
        experience = procedure("M2-03")(performance.user_experience)
        headroom = procedure("M2-04")(performance.room_left)
        review = procedure("M2-01")(performance.month_over_month)

    with section("Business Performance Metrics"):

        @procedure("M2-05")
        def calculations(run: Run) -> list[Finding]:
            """Calculations of the month against the manual's time, by size of portfolio, and those that failed."""
            return performance.calculations(run)

        @procedure("M2-06")
        def reports(run: Run) -> list[Finding]:
            """Reports of the month against the manual's time, by type and format, and those that failed."""
            return performance.report_generation(run)

        productivity = procedure("M2-07")(performance.productivity)
        availability = procedure("M2-08")(performance.month_available)

    # Without the last days' figures the older ones are judged, and how much was looked at is said; the run is red.
    for looked in (bottlenecks, experience, headroom, calculations, reports, productivity, availability):
        looked.trigger_rule = review.trigger_rule = "all_done"
        figures >> looked >> review
