"""# Incident response: an Airflow DAG that stays with an incident until it is over

**Manual section:** Emergency Procedures (L233-L306) and Support Structure, 24/7 On-Call Schedule (L452-L456),
procedures IR-01 to IR-10.

**What it does:** one run for each incident. It starts by itself within seconds (an event of the watch), or by hand from
a form. It gathers diagnostics at once, asks for a person in Required Actions, waits without a worker until the incident
is over and has stayed quiet, asks the checks that failed again, judges how it was handled, and keeps the record for the
review. People are told by the incident desk, ladders and cadences included, whether this DAG runs or not.

**Done by:** as long as the incident takes, at most 10 days; the incident's own clocks (15 minutes to 5 business days)
are those of its severity. A later run is told to management.

**What a failure means:** a red task says how the response fell short: told late or not at all, an update overdue, a
mail not delivered, the check still red. Nobody answering decides nothing: the ladders go on.

**First thing to do:** open the incident's page (in the task Who takes it, or in the mail) and take it.

**Safe to re-run:** yes, any task: what was told stays told once, and a person's answer is asked for only where the
incident still waits for it. A second run started by hand for the same incident takes it over from the first. A run
that finds its incident in the hands of another skips its steps and says so.
"""

from clo_ops.orchestration import asked_again, diagnosis, response, review, taking_up
from clo_ops.orchestration import response_tasks as tasks
from clo_ops.orchestration.blueprint import manual_page, one_after_another, section
from clo_ops.orchestration.procedure import BOUNDS, procedure
from clo_ops.orchestration.watch_trigger import incidents_asset

# Incidents come as they come, and each run lasts as long as its own; hardly any of that time it holds a worker.
AT_ONCE = 100
# Diagnostics ask the system that is in trouble: a storm of incidents must not ask it a hundred times at once.
DIAGNOSES_AT_ONCE = 4


@manual_page(params=taking_up.form(), mail="when red", max_active_runs=AT_ONCE, schedule=incidents_asset())
def incident_response() -> None:
    with section("Immediate Actions"):
        taken_up = taking_up.TakeUpOperator(task_id="incident_taken_up", doc_md=taking_up.TAKE_UP_PAGE, **BOUNDS)
        classified = procedure("IR-01")(response.severity_and_clocks)
        on_call = procedure("IR-09")(response.on_call_now)
        immediate = procedure("IR-05")(response.acted_at_once)

    with section("Initial Investigation"):
        gathered = procedure("IR-06", max_active_tis_per_dag=DIAGNOSES_AT_ONCE)(diagnosis.gather)

    with section("A Person"):
        taken, restored, over = tasks.questions()
        quiet = tasks.StableOperator(task_id="quiet_since", doc_md=tasks.STABLE_PAGE, **BOUNDS)

    with section("Resolution Phase"):
        resolved = procedure("IR-07")(asked_again.resolution)

    with section("Communication Protocols"):
        notified = procedure("IR-02")(response.notified)
        escalated = procedure("IR-03")(response.escalated)
        updated = procedure("IR-04")(response.kept_up_to_date)
        delivered = procedure("IR-10")(response.nothing_lost)

    with section("Recovery Phase"):
        reviewed = procedure("IR-08")(review.reviewed)

    taken_up >> [classified, on_call, immediate, gathered, taken]
    judged = [resolved, notified, escalated, updated, delivered]
    one_after_another(taken, restored, over, quiet, judged, reviewed)
