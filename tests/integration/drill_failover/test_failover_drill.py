"""A whole failover in Docker and the application on what came out of it; then the application's faults, one by one."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clo_ops.actions.drill import application, failover
from clo_ops.actions.drill.account import drawn
from clo_ops.actions.drill.place import Place
from clo_ops.actions.drill.session import writing
from clo_ops.actions.drill.smoke import Smoke
from clo_ops.findings import Answer, Finding, Severity, Status, worst
from clo_ops.policy import Policy
from clo_ops.probes.replication import replication
from clo_ops.probes.targets import WebTarget
from clo_ops.rules import application as application_rules
from clo_ops.rules import failover as failover_rules
from clo_ops.rules import replication as replication_rules
from tests.integration.drill_failover.conftest import Source, restored

AT = datetime(2026, 11, 23, tzinfo=UTC)
TELLS_ITS_SECRETS = "import os; raise SystemExit('no service at ' + os.environ['CLO_DATABASE_URL'])"
ELSEWHERE = ("192.0.2.1", 5432)


@pytest.fixture(scope="module")
def place(opened: Callable[..., Place], source: Source) -> Place:
    return restored(opened(source.backup), source.backup)


@pytest.fixture(scope="module")
def built(place: Place, policy: Policy) -> Answer:
    return failover.build(place, policy.recovery.failover)


@pytest.fixture(scope="module")
def watched(place: Place, built: Answer) -> Answer:
    """What production's own replication would be seen as, were this production: once the standby has answered."""
    deadline = time.monotonic() + 30
    while not list((seen := replication(place.primary().target)).select("replication.lag")):
        assert time.monotonic() < deadline, seen
        time.sleep(0.1)
    return seen


@pytest.fixture(scope="module")
def failed_over(place: Place, built: Answer, watched: Answer, policy: Policy) -> Answer:
    return built + failover.activate(place, policy.recovery.failover)


@pytest.fixture(scope="module")
def used(place: Place, failed_over: Answer, policy: Policy) -> Answer:
    """The application's smoke checks against the promoted server."""
    return application.check(place, place.standby(), policy, forbidden=[ELSEWHERE])


def judged(answer: Answer, policy: Policy) -> list[Finding]:
    return application_rules.judge(answer, policy.recovery.application, at=AT)


def asked_again(place: Any, policy: Policy) -> dict[str, Status]:
    """Name of the finding to status."""
    return {one.name: one.status for one in judged_again(place, policy)}


def judged_again(place: Any, policy: Policy) -> list[Finding]:
    """The smoke checks once more, of the application that already runs."""
    web = WebTarget(f"http://{place.address('api')}:8000")
    figures = policy.recovery.application
    account = drawn(figures.account)
    smoke = Smoke(web, account, place.standby().target, figures, policy.access, policy.websocket, settles_in=1.0)
    start = application._flag("application.started", True), application._flag("application.isolated", True)
    return judged(Answer(start) + smoke.checked(), policy)


def test_a_failover_loses_nothing_that_was_acknowledged(failed_over, policy):
    figures = policy.recovery.failover
    activation = failover_rules.judge_activation(failed_over, figures, at=AT)
    synchronisation = failover_rules.judge_synchronisation(failed_over, figures, at=AT)
    assert {one.status for one in activation + synchronisation} == {Status.PASS}, activation + synchronisation
    assert failed_over.value("failover.marker.committed") >= figures.minimum_markers
    assert failed_over.value("failover.marker.found") == failed_over.value("failover.marker.committed")
    assert failed_over.value("failover.timeline", when="after") == 2


def test_a_primary_with_a_standby_is_seen_replicating(watched, policy):
    findings = replication_rules.judge(watched, policy.recovery.replication, at=AT)
    assert {one.name for one in findings} == {"standby streaming", "replication lag", "replication lag time", "slot"}
    assert {one.status for one in findings} == {Status.PASS}, findings
    assert watched.value("replication.slot.active", slot="standby") == 1


def test_the_application_works_on_the_promoted_database(used, policy):
    findings = judged(used, policy)
    assert {one.status for one in findings} == {Status.PASS}, findings
    asked = {one.labels["check"] for one in used.select("application.check")}
    assert asked == set(policy.recovery.application.checks)


def test_nothing_is_published_and_the_secrets_are_in_no_command_line(place, used):
    for one in place.engine.ours(place.drill, ["container"]):
        with place.engine.asked("test") as client:
            facts = client.inspect_container(one.id)
        secrets = [value for value in facts["Config"]["Env"] if value.startswith("CACHE_PASSWORD=")]
        assert not facts["HostConfig"]["PortBindings"]
        assert not any(value.partition("=")[2] in " ".join(facts["Config"]["Cmd"]) for value in secrets)


def test_no_password_is_in_the_servers_log_or_the_applications(place, used, policy):
    said = place.standby().log(1000)
    with place.engine.asked("test") as client:
        for part in policy.recovery.application.parts:
            said += client.logs(f"clo-ops-drill-{place.drill}-{part.name}").decode()
        environment = client.inspect_container(f"clo-ops-drill-{place.drill}-api")["Config"]["Env"]
    url = next(value for value in environment if value.startswith("CLO_DATABASE_URL="))
    assert url.partition("clo_app:")[2].partition("@")[0] not in said
    assert place.standby().target.password not in said


@pytest.mark.parametrize(("host", "port"), [("1.1.1.1", 443), ("9.9.9.9", 25)])
def test_the_application_cannot_connect_to_another_machine(place, used, host, port):
    """Mail, production's database, anything."""
    script = f"import socket; socket.create_connection(({host!r}, {port}), 2)"
    done = place.engine.execute(f"clo-ops-drill-{place.drill}-api", ["python3", "-c", script], timeout=30)
    assert done.exit_code == 1
    assert any(said in done.stderr for said in ("timed out", "unreachable"))


@pytest.mark.parametrize(("bound", "isolated"), [("127.0.0.1", 1), ("0.0.0.0", 0)])  # noqa: S104
def test_production_on_the_engines_own_machine_is_found_where_it_can_be_reached(place, used, bound, isolated):
    with listening(bound) as port:
        answer = application.isolation(place, place.standby(), [("localhost", port)])
    assert answer.value("application.isolated") == isolated
    assert (str(port) in answer.first("application.isolated").detail) is (isolated == 0)


def test_an_application_that_could_reach_production_is_not_started(place, used, policy):
    with listening("0.0.0.0") as port:  # noqa: S104
        answer = application.check(place, place.standby(), policy, forbidden=[("localhost", port)])
    assert answer.first("application.started") is None
    (finding,) = judged(answer, policy)
    assert (finding.name, finding.status, finding.severity) == ("application isolated", Status.FAIL, Severity.P1)


def test_a_table_that_is_gone_is_red(place, used, policy):
    with writing(place.standby().target, production="") as connection:
        connection.execute("alter table clo_deals rename to gone")
        try:
            found = asked_again(place, policy)
        finally:
            connection.execute("alter table gone rename to clo_deals")
    assert found["application health"] is Status.FAIL
    assert found["application portfolios"] is Status.FAIL
    assert found["application login"] is Status.PASS


def test_a_list_that_is_not_the_databases_is_red(place, used, policy):
    """A row only the list does not know: the application reads a copy, or the count is of another database."""
    with writing(place.standby().target, production="") as connection:
        connection.execute("create schema other; create view other.clo_deals as select 1; alter role postgres"
                           " set search_path = other, public")  # fmt: skip
        try:
            found = asked_again(place, policy)
        finally:
            connection.execute("alter role postgres reset search_path; drop schema other cascade")
    assert found["application portfolios"] is Status.FAIL


def test_a_worker_that_died_is_red(place, used, policy):
    """The calculation stays queued, and the API says that a part is down."""
    calls = policy.recovery.application.calls.model_copy(update={"calculation_within": timedelta(seconds=2)})
    checks = ("health", "calculation")
    impatient = policy.recovery.application.model_copy(update={"calls": calls, "checks": checks})
    with place.engine.asked("test") as client:
        client.pause(f"clo-ops-drill-{place.drill}-worker")
    try:
        found = asked_again(place, with_application(policy, impatient))
    finally:
        with place.engine.asked("test") as client:
            client.unpause(f"clo-ops-drill-{place.drill}-worker")
    assert found["application health"] is Status.FAIL
    assert found["application calculation"] is Status.FAIL


@pytest.mark.parametrize(
    ("account", "said"),
    [({"password_hash": "bcrypt"}, "HTTP 401"), ({"role": "nobody-has-it"}, "no application role 'nobody-has-it'")],
)
def test_an_account_that_does_not_work_is_red_and_the_rest_unknown(place, used, policy, account, said):
    terms = policy.recovery.application.account.model_copy(update=account)
    changed = policy.recovery.application.model_copy(update={"account": terms})
    findings = judged_again(place, with_application(policy, changed))
    found = {one.name: one for one in findings}
    assert found["application login"].status is Status.FAIL
    assert said in found["application login"].message
    assert {one.status for one in findings if one.name.startswith("could not ask")} == {Status.UNKNOWN}


def test_a_copy_with_other_tables_is_red_with_what_it_lacks(place, used, policy):
    with writing(place.standby().target, production="") as connection:
        connection.execute("alter table app_users rename column totp_secret to second_factor_secret")
        try:
            findings = {one.name: one for one in judged_again(place, policy)}
        finally:
            connection.execute("alter table app_users rename column second_factor_secret to totp_secret")
    assert findings["application login"].status is Status.FAIL
    assert "totp_secret" in findings["application login"].message


@pytest.mark.parametrize(
    "expected",
    [
        ("portfolios", "portfolios", "HTTP 200"),
        ("deal", "calculation", "HTTP 422"),
        ("job", "calculation", "HTTP 202"),
        ("status", "calculation", "lost"),
        ("result", "calculation", "not the result stored"),
    ],
)
def test_what_the_application_calls_things_is_the_policys(place, used, policy, expected):
    field, check, said = expected
    calls = policy.recovery.application.calls
    names = calls.fields.model_copy(update={field: "called_otherwise"})
    changed = {"calls": calls.model_copy(update={"fields": names}), "checks": (check,)}
    other = with_application(policy, policy.recovery.application.model_copy(update=changed))
    found = {one.name: one for one in judged_again(place, other)}
    assert found[f"application {check}"].status is Status.FAIL
    assert said in found[f"application {check}"].message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"command": ("python3", "-c", TELLS_ITS_SECRETS)}, "no service at postgresql://clo_app:***@standby"),
        ({"image": "clo-demo-app:nobody-made-it"}, "clo-demo-app:nobody-made-it"),
        ({"command": ("no-such-program",)}, "no-such-program"),
    ],
)
def test_an_application_that_cannot_start_says_why(place, policy, change, said):
    parts = policy.recovery.application.parts
    broken = tuple(part.model_copy(update=change) if part.name == "api" else part for part in parts[-1:])
    changed = policy.recovery.application.model_copy(update={"parts": broken})
    other = replace(place, recovery=place.recovery.model_copy(update={"application": changed}))
    answer = application.check(other, other.standby(), with_application(policy, changed))
    findings = {one.name: one for one in judged(answer, policy)}
    assert findings["application started"].status is Status.FAIL
    assert said in findings["application started"].message
    assert not any(name in findings for name in ("application health", "application login"))


def test_a_role_that_was_not_restored_is_named(place, used, policy):
    changed = policy.recovery.application.model_copy(update={"database_role": "clo_forgotten"})
    other = replace(place, recovery=place.recovery.model_copy(update={"application": changed}))
    answer = application.check(other, other.standby(), with_application(policy, changed))
    assert "clo_forgotten" in answer.first("application.started").detail
    assert worst(judged(answer, policy)) is Status.FAIL


def with_application(policy: Policy, changed: Any) -> Policy:
    recovery = policy.recovery.model_copy(update={"application": changed})
    return policy.model_copy(update={"recovery": recovery})


@contextmanager
def listening(address: str) -> Iterator[int]:
    """A door of this machine that stands open."""
    with socket.socket() as door:
        door.bind((address, 0))
        door.listen()
        yield int(door.getsockname()[1])
