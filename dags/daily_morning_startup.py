"""# Morning start-up: an Airflow DAG for the first page of the operations manual

**Manual section:** Daily Operations / Morning Startup Procedures (L9-L36), procedures DM-01 to DM-15.

**What it does:** asks every part of the CLO Management System how it is, before the users do. Nothing is changed.

**Done by:** 08:30 UTC, every day, 30 minutes after it starts; a later run is told to management.

**What a failure means:** a red task found what is not allowed, or could not ask; its message says which. The last
task is red when any was, and the mail to the operations centre names each with what was seen and what is allowed.

**First thing to do:** open the mail or the summary task's log and follow the first action of the topmost red finding.

**Safe to re-run:** yes, whole or any task: it only reads, and a re-run takes the place of its own earlier findings.
"""

from clo_ops.findings import Finding
from clo_ops.orchestration import morning
from clo_ops.orchestration.blueprint import manual_page, one_after_another, section
from clo_ops.orchestration.procedure import procedure
from clo_ops.orchestration.run import Run
from clo_ops.probes import access, backups, frontend, health, postgres, services, web, websocket
from clo_ops.rules import backups as backup_rules
from clo_ops.rules import connections as connection_rules
from clo_ops.rules import endpoints as endpoint_rules
from clo_ops.rules import frontend as frontend_rules
from clo_ops.rules import health as health_rules
from clo_ops.rules import login as login_rules
from clo_ops.rules import mfa as mfa_rules
from clo_ops.rules import services as service_rules
from clo_ops.rules import sessions as session_rules
from clo_ops.rules import websocket as websocket_rules


@manual_page
def daily_morning_startup() -> None:
    with section("Verify System Status"):

        @procedure("DM-01")
        def overall_health(run: Run) -> list[Finding]:
            """One status for each component and for the whole, from this run's own measurements."""
            answer = run.ask(health.components, run.policy, run.connections)
            return health_rules.judge(answer, run.policy, at=run.at)

        procedure("DM-02")(morning.review_of_the_night)

        @procedure("DM-03")
        def services_running(run: Run) -> list[Finding]:
            """Each service of the policy where it runs; a stopped one is named."""
            answer = run.ask(services.status, run.policy.services, run.connections.of_services(run.policy))
            return service_rules.judge(answer, run.policy.services, at=run.at)

    with section("Database Validation"):

        @procedure("DM-04")
        def overnight_backup(run: Run) -> list[Finding]:
            """The newest backup: there, successful, young enough, and of a size like those before it."""
            answer = run.ask(backups.newest, run.connections.backups, run.policy.backups, at=run.at)
            return backup_rules.judge(answer, run.policy.backups, at=run.at)

        @procedure("DM-05")
        def connection_pool(run: Run) -> list[Finding]:
            """Connections by state against the limits of the pool and the server; idle and blocked ones named."""
            answer = run.ask(postgres.connections, run.connections.postgres)
            return connection_rules.judge(answer, run.policy.connections, at=run.at)

        procedure("DM-06")(morning.slow_queries)

    with section("Performance Baseline"):
        baseline = procedure("DM-07")(morning.morning_baseline)
        trend = procedure("DM-08")(morning.utilisation_trend)
        unusual = procedure("DM-09")(morning.unusual_figures)

    with section("Authentication Systems"):

        @procedure("DM-10")
        def login_works(run: Run) -> list[Finding]:
            """The synthetic account logs in, and a wrong password is refused."""
            answer = run.ask(access.login, run.connections.api, run.connections.account, run.policy.access)
            return login_rules.judge(answer, run.policy.access, at=run.at)

        @procedure("DM-11")
        def second_factor_enforced(run: Run) -> list[Finding]:
            """No session without the second factor, one with it, none with the same code again."""
            answer = run.ask(access.mfa, run.connections.api, run.connections.account, run.policy.access)
            return mfa_rules.judge(answer, run.policy.access, at=run.at)

        @procedure("DM-12")
        def session_management(run: Run) -> list[Finding]:
            """Logout ends a session at once; expired, orphaned and over-age sessions are counted."""
            asked = run.connections
            answer = run.ask(access.sessions, asked.api, asked.account, asked.redis, asked.postgres, run.policy.access)
            return session_rules.judge(answer, run.policy.access, at=run.at)

    with section("Service Availability"):

        @procedure("DM-13")
        def api_endpoints(run: Run) -> list[Finding]:
            """Each endpoint of the policy: status, latency and body."""
            asked = run.connections
            others, wanted = asked.of_endpoints(run.policy), run.policy.endpoints
            answer = run.ask(web.endpoints, asked.api, wanted, asked.account, run.policy.access, elsewhere=others)
            return endpoint_rules.judge(answer, run.policy.endpoints, at=run.at)

        @procedure("DM-14")
        def frontend_loads(run: Run) -> list[Finding]:
            """The page and all its assets load, and it is the right page."""
            answer = run.ask(frontend.frontend, run.connections.frontend, run.policy.frontend)
            return frontend_rules.judge(answer, run.policy.frontend, at=run.at)

        @procedure("DM-15")
        def websocket_connects(run: Run) -> list[Finding]:
            """Handshake, and one message there and back."""
            asked = run.connections
            answer = run.ask(websocket.round_trip, asked.api, run.policy.websocket, asked.account, run.policy.access)
            return websocket_rules.judge(answer, run.policy.websocket, at=run.at)

    one_after_another(baseline, [trend, unusual])
    # One synthetic account: a code of its second factor opens one session only, so those who log in take turns.
    one_after_another(login_works, second_factor_enforced, session_management, api_endpoints, websocket_connects)
