"""Comprehensive testing at the end of the monthly window (MW-02, manual L384): what a user does, tried once each.

The questions and the rules are those of the morning (DM-03, DM-05, DM-10 to DM-15), which comes hours after the window.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from clo_ops.findings import CloOpsError
from clo_ops.rules import windows_done

if TYPE_CHECKING:
    from clo_ops.findings import Finding
    from clo_ops.orchestration.run import Run

Test = Callable[["Run"], "list[Finding]"]


def tested(run: Run) -> list[Finding]:
    """One finding of MW-02 for each test, in this order; one that fails hides none of the others."""
    return [_tried(run, procedure, what, test) for procedure, (what, test) in TESTS.items()]


def _tried(run: Run, procedure: str, what: str, test: Test) -> Finding:
    try:
        return windows_done.comprehensive(procedure, what, test(run))
    except CloOpsError as error:  # a connection that is missing, say
        return windows_done.comprehensive(procedure, what, [], str(error))


def _services(run: Run) -> list[Finding]:
    from clo_ops.probes import services
    from clo_ops.rules import services as rule

    answer = run.ask(services.status, run.policy.services, run.connections.of_services(run.policy))
    return rule.judge(answer, run.policy.services, at=run.at)


def _connections(run: Run) -> list[Finding]:
    from clo_ops.probes import postgres
    from clo_ops.rules import connections as rule

    answer = run.ask(postgres.connections, run.connections.postgres)
    return rule.judge(answer, run.policy.connections, at=run.at)


def _login(run: Run) -> list[Finding]:
    from clo_ops.probes import access
    from clo_ops.rules import login as rule

    answer = run.ask(access.login, run.connections.api, run.connections.account, run.policy.access)
    return rule.judge(answer, run.policy.access, at=run.at)


def _second_factor(run: Run) -> list[Finding]:
    from clo_ops.probes import access
    from clo_ops.rules import mfa as rule

    answer = run.ask(access.mfa, run.connections.api, run.connections.account, run.policy.access)
    return rule.judge(answer, run.policy.access, at=run.at)


def _sessions(run: Run) -> list[Finding]:
    from clo_ops.probes import access
    from clo_ops.rules import sessions as rule

    to = run.connections
    answer = run.ask(access.sessions, to.api, to.account, to.redis, to.postgres, run.policy.access)
    return rule.judge(answer, run.policy.access, at=run.at)


def _endpoints(run: Run) -> list[Finding]:
    from clo_ops.probes import web
    from clo_ops.rules import endpoints as rule

    to, wanted = run.connections, run.policy.endpoints
    others = to.of_endpoints(run.policy)
    answer = run.ask(web.endpoints, to.api, wanted, to.account, run.policy.access, elsewhere=others)
    return rule.judge(answer, wanted, at=run.at)


def _frontend(run: Run) -> list[Finding]:
    from clo_ops.probes import frontend
    from clo_ops.rules import frontend as rule

    answer = run.ask(frontend.frontend, run.connections.frontend, run.policy.frontend)
    return rule.judge(answer, run.policy.frontend, at=run.at)


def _channel(run: Run) -> list[Finding]:
    from clo_ops.probes import websocket
    from clo_ops.rules import websocket as rule

    to = run.connections
    answer = run.ask(websocket.round_trip, to.api, run.policy.websocket, to.account, run.policy.access)
    return rule.judge(answer, run.policy.websocket, at=run.at)


# Those who log in take turns: a code of the synthetic account's second factor opens one session only.
TESTS: dict[str, tuple[str, Test]] = {
    "DM-03": ("services", _services),
    "DM-05": ("connections of the database", _connections),
    "DM-10": ("login", _login),
    "DM-11": ("second factor", _second_factor),
    "DM-12": ("sessions", _sessions),
    "DM-13": ("endpoints", _endpoints),
    "DM-14": ("frontend", _frontend),
    "DM-15": ("live channel", _channel),
}
