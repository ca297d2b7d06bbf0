"""Alertmanager's webhook: what it says becomes incidents on a real ledger, once; then real servers firing into it."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from clo_ops.escalation.alertmanager import MOST_ALERTS, NotUnderstood, receive, translate, understood
from clo_ops.escalation.desk import Desk
from clo_ops.findings import Severity
from clo_ops.ledger import Ledger
from clo_ops.ledger.errors import LedgerUnavailable
from clo_ops.policy import load_policy
from clo_ops.reports import prometheus_rules
from clo_ops.reports.alertmanager_route import Where, alertmanager_route
from clo_ops.rules.watching import cause_of
from clo_ops.web import alertmanager as web
from demo.stack.ports import free_port
from demo.stack.postgres import Cluster
from demo.stack.prometheus import Alertmanager, NotReady, Prometheus

POLICY = load_policy()
SECRET = "a-shared-secret-of-the-site"
NEVER = "0001-01-01T00:00:00Z"
_numbers = count(1)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("webhook-postgres")) as started:
        started.create_user("clo_ops")
        started.create_database("ledger_template", owner="clo_ops")
        with Ledger(started.url("ledger_template", "clo_ops")) as ledger:
            ledger.migrate()
        yield started


@pytest.fixture
def desk(cluster: Cluster) -> Iterator[Desk]:
    name = f"webhook_{next(_numbers)}"
    with cluster.connect() as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE ledger_template OWNER clo_ops")
    with Ledger(cluster.url(name, "clo_ops")) as ledger:
        yield Desk(ledger, POLICY)


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def alert(now: datetime, **more: Any) -> dict[str, Any]:
    facts = {
        "status": "firing",
        "labels": {"alertname": "DiskWillFill", "severity": "critical", "instance": "db1"},
        "annotations": {"summary": "Disk of db1 is full in 4 h", "description": "<b>94 %</b> & growing"},
        "startsAt": now.isoformat(),
        "endsAt": NEVER,
        "generatorURL": "http://prometheus.test/graph?g0.expr=x",
        "fingerprint": "8c8b5c9d1e2f3a4b",
    }
    return facts | more


def ours(now: datetime, level: str, **more: Any) -> dict[str, Any]:
    labels = {"alertname": "CloOpsDisk", "clo_ops_rule": "disk", "clo_ops_level": level, "host": "app1", "mount": "/"}
    fingerprint = {"warning": "aa", "critical": "bb", "no data": "cc"}[level]
    return alert(now, labels=labels, fingerprint=fingerprint, **more)


def body(*alerts: dict[str, Any]) -> bytes:
    head = {"version": "4", "groupKey": "{}", "receiver": "clo-ops", "status": "firing", "truncatedAlerts": 0}
    return json.dumps(head | {"groupLabels": {}, "commonLabels": {}, "externalURL": "", "alerts": alerts}).encode()


def over(one: dict[str, Any], at: datetime) -> dict[str, Any]:
    return one | {"status": "resolved", "endsAt": at.isoformat()}


def post(desk: Desk, now: datetime, *alerts: dict[str, Any]) -> dict[str, int]:
    return receive(desk, translate(understood(body(*alerts)), POLICY, now), now)


def test_an_alert_of_the_sites_own_is_an_incident_with_what_a_person_needs(desk: Desk, now: datetime) -> None:
    assert post(desk, now, alert(now)) == {"seen": 1, "cleared": 0}
    incident = desk.ledger.open_incident_of("alertmanager:8c8b5c9d1e2f3a4b")
    assert incident is not None
    assert (incident.severity, incident.title) == (Severity.P2, "DiskWillFill: Disk of db1 is full in 4 h")
    detail = desk.ledger.timeline(incident.id)[1].detail
    assert "instance=db1" in detail
    assert "http://prometheus.test/graph" in detail
    mail = desk.ledger.incident_messages(incident.id)[0].message
    assert "&lt;b&gt;94 %&lt;/b&gt; &amp; growing" in mail.html


def test_the_same_alert_delivered_twice_is_one_sighting(desk: Desk, now: datetime) -> None:
    for minute in range(3):
        post(desk, now + timedelta(minutes=minute), alert(now))
    incident = desk.ledger.open_incident_of("alertmanager:8c8b5c9d1e2f3a4b")
    assert incident is not None
    assert incident.seen_count == 1


def test_what_a_person_closed_is_not_opened_again_by_a_repetition_but_by_a_new_beginning(
    desk: Desk, now: datetime
) -> None:
    post(desk, now, alert(now))
    (incident,) = desk.ledger.recent_incidents()
    desk.resolve(incident.id, "anna", "mended", now + timedelta(minutes=1))
    assert post(desk, now + timedelta(hours=4), alert(now)) == {"seen": 0, "cleared": 0}
    again = now + timedelta(hours=5)
    assert post(desk, again, alert(again)) == {"seen": 1, "cleared": 0}


def test_resolved_is_the_all_clear_and_one_that_comes_late_is_not(desk: Desk, now: datetime) -> None:
    post(desk, now, alert(now))
    end, later = now + timedelta(minutes=5), now + timedelta(minutes=9)
    assert post(desk, end, over(alert(now), end)) == {"seen": 0, "cleared": 1}
    post(desk, later, alert(later))
    assert post(desk, later, over(alert(now), end)) == {"seen": 0, "cleared": 0}
    assert len(desk.ledger.open_incidents(later)) == 1


def test_an_alert_of_our_rules_has_the_cause_of_the_watchs_own(desk: Desk, now: datetime) -> None:
    post(desk, now, ours(now, "warning"))
    incident = desk.ledger.open_incident_of(cause_of("disk", {"host": "app1", "mount": "/"}))
    assert incident is not None
    assert (incident.severity, incident.procedure) == (Severity.P3, "AL-03")
    assert incident.title == "Disk use of a mount app1, / is over its warning level"


def test_a_silent_host_is_one_incident_by_whoever_it_is_seen(desk: Desk, now: datetime) -> None:
    labels = {"alertname": "CloOpsCpu", "clo_ops_rule": "cpu", "clo_ops_level": "no data", "host": "app1"}
    silent = [ours(now, "no data"), alert(now, labels=labels, fingerprint="dd")]
    assert post(desk, now, *silent)["seen"] == 1
    assert [one.cause for one in desk.ledger.open_incidents(now)] == ["alert:silence:host=app1"]


def test_what_it_is_about_is_known_so_that_the_mail_can_name_whom_to_call(now: datetime) -> None:
    others = alert(now, labels={"alertname": "X", "component": "redis"})
    seen = translate(understood(body(ours(now, "warning"), others)), POLICY, now).seen
    assert [one.component for one in seen] == ["host", "redis"]


def test_the_gravest_level_speaks_and_its_end_is_no_end_while_another_fires(desk: Desk, now: datetime) -> None:
    post(desk, now, ours(now, "warning"), ours(now, "critical"))
    (incident,) = desk.ledger.recent_incidents()
    assert incident.severity is Severity.P2
    later = now + timedelta(minutes=3)
    assert post(desk, later, over(ours(now, "critical"), later), ours(now, "warning"))["cleared"] == 0
    assert post(desk, later, over(ours(now, "critical"), later), over(ours(now, "warning"), later))["cleared"] == 1


def test_prometheus_own_watchdog_is_a_sign_of_life_and_no_incident(desk: Desk, now: datetime) -> None:
    post(desk, now, alert(now, labels={"alertname": "CloOpsWatchdog", "severity": "none"}))
    assert desk.ledger.heartbeats()["prometheus"].at == now
    assert desk.ledger.recent_incidents() == []


@pytest.mark.parametrize(
    ("severity", "priority"),
    [("P1", "P1"), ("page", "P1"), ("critical", "P2"), ("WARNING", "P3"), ("info", "P4"), ("odd", "P3"), (None, "P3")],
)
def test_what_others_call_their_severities(now: datetime, severity: str | None, priority: str) -> None:
    labels = {"alertname": "X"} | ({} if severity is None else {"severity": severity})
    (seen,) = translate(understood(body(alert(now, labels=labels))), POLICY, now).seen
    assert seen.severity.value == priority


def test_a_clock_that_runs_ahead_does_not_put_an_incident_into_the_future(now: datetime) -> None:
    (seen,) = translate(understood(body(alert(now + timedelta(hours=1)))), POLICY, now).seen
    assert seen.at == now


def test_a_link_that_is_no_web_address_is_left_out(now: datetime) -> None:
    (seen,) = translate(understood(body(alert(now, generatorURL="javascript:alert(1)"))), POLICY, now).seen
    assert seen.link == ""


@pytest.mark.parametrize(
    "given",
    [
        b"",
        b"not json",
        b"[]",
        b'{"version": "3", "alerts": []}',
        b'{"version": "4", "alerts": [{"status": "firing"}]}',
        b'{"version": "4", "alerts": [{"status": "firing", "labels": {"a": "b"}, "startsAt": "2026-01-01T00:00:00", '
        b'"endsAt": "0001-01-01T00:00:00Z", "fingerprint": "a"}]}',
    ],
)
def test_what_is_no_notification_is_refused(given: bytes) -> None:
    with pytest.raises(NotUnderstood):
        understood(given)


def test_more_alerts_than_one_notification_may_hold_are_refused(now: datetime) -> None:
    with pytest.raises(NotUnderstood, match="alerts"):
        understood(body(*[alert(now)] * (MOST_ALERTS + 1)))


def test_alerts_that_were_left_out_are_an_incident_themselves(desk: Desk, now: datetime) -> None:
    cut = json.loads(body(alert(now))) | {"truncatedAlerts": 7}
    said = translate(understood(json.dumps(cut).encode()), POLICY, now)
    assert receive(desk, said, now)["seen"] == 2
    assert "7 alert(s)" in next(one for one in said.seen if "left out" in one.cause).observed


@contextmanager
def served(desk: Desk, secret: str = SECRET) -> Iterator[str]:
    """The route on a real HTTP server."""
    app = FastAPI()

    @contextmanager
    def at_desk() -> Iterator[Desk]:
        yield desk

    app.include_router(web.router(at_desk, lambda: secret), prefix="/clo-ops")
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=free_port(), log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started, 20)
        yield f"http://127.0.0.1:{server.config.port}/clo-ops/alertmanager"
    finally:
        server.should_exit = True
        thread.join()


def until(true: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.1)


@pytest.fixture
def url(desk: Desk) -> Iterator[str]:
    with served(desk) as address:
        yield address


def test_nobody_gets_in_without_the_secret(url: str, desk: Desk, now: datetime) -> None:
    for given in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {SECRET}"}, {"Authorization": "Bé"}):
        headers = {name: text.encode() for name, text in given.items()}
        assert httpx.post(url, content=body(alert(now)), headers=headers, trust_env=False).status_code == 401
    assert desk.ledger.recent_incidents() == []
    right = {"Authorization": f"Bearer {SECRET}"}
    reply = httpx.post(url, content=body(alert(now)), headers=right, trust_env=False)
    assert (reply.status_code, reply.json()) == (200, {"seen": 1, "cleared": 0})


def test_where_no_secret_is_set_nobody_gets_in(desk: Desk, now: datetime) -> None:
    with served(desk, "") as address:
        reply = httpx.post(address, content=body(), headers={"Authorization": "Bearer x"}, trust_env=False)
    assert reply.status_code == 503


def test_what_will_never_be_right_is_a_4xx_and_what_may_be_is_a_5xx(
    url: str, desk: Desk, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = {"Authorization": f"Bearer {SECRET}"}
    assert httpx.post(url, content=b"{}", headers=right, trust_env=False).status_code == 422
    too_long = b" " * (web.LARGEST_BYTES + 1)
    assert httpx.post(url, content=too_long, headers=right, trust_env=False).status_code == 413

    def away(*_: object) -> None:
        raise LedgerUnavailable("the ledger is away")

    monkeypatch.setattr(desk, "detect", away)
    assert httpx.post(url, content=body(alert(now)), headers=right, trust_env=False).status_code == 503


# What Airflow's own API server imports on the way warns of what is deprecated in it.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:Using `httpx` with")
def test_the_route_is_in_the_app_that_airflow_mounts() -> None:
    from clo_ops.web.app import app

    assert ("/alertmanager", {"POST"}) in [(one.path, one.methods) for one in app.routes if hasattr(one, "methods")]


class Counter(BaseHTTPRequestHandler):
    """Failed logins as Prometheus scrapes them."""

    failed = 0

    def do_GET(self) -> None:
        text = f'clo_login_attempts_total{{outcome="failure"}} {type(self).failed}\n'.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def counter() -> Iterator[int]:
    Counter.failed = 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Counter)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


def quick(text: str) -> str:
    """The generated file with a second where it has a minute or more: a test does not wait for those."""
    return re.sub(r"((?:interval|keep_firing_for|group_wait): )(15s|1m|5s)\b", r"\g<1>1s", text)


def test_a_real_prometheus_and_alertmanager_with_the_generated_files_open_and_close_an_incident(
    url: str, desk: Desk, counter: int, tmp_path: Path
) -> None:
    rule = POLICY.thresholds["failed_logins"].model_copy(update={"window": timedelta(seconds=6)})
    policy = POLICY.model_copy(update={"thresholds": {"failed_logins": rule}})
    (tmp_path / "token").write_text(SECRET)
    (tmp_path / "rules.yml").write_text(quick(prometheus_rules.prometheus_rules(policy)))
    where = Where(url, str(tmp_path / "token"))
    route = quick(alertmanager_route(policy, where, datetime.now(UTC)))
    scrape = {"scrape_interval": "500ms", "scrape_timeout": "500ms"}
    cause = cause_of("failed_logins", {})
    try:
        with (
            Alertmanager(tmp_path, route) as there,
            Prometheus(
                tmp_path,
                targets=[f"127.0.0.1:{counter}"],
                rules=tmp_path / "rules.yml",
                alertmanager=there.port,
                glob=scrape,
                resend="1s",
            ),
        ):
            until(lambda: "prometheus" in desk.ledger.heartbeats(), 60)
            until(lambda: failing_again() and desk.ledger.open_incident_of(cause), 60)
            until(lambda: desk.ledger.open_incident_of(cause) is None, 90)
    except NotReady as error:
        if "there is no" in str(error):
            missing(str(error))
        raise
    (incident,) = [one for one in desk.ledger.recent_incidents() if one.cause == cause]
    assert incident.severity is Severity.P2
    assert "increase" not in incident.title
    assert "failed_logins" in desk.ledger.timeline(incident.id)[1].detail


def failing_again() -> bool:
    """A single step falls between two scrapes on a busy machine, where more than the rule's window lies between."""
    Counter.failed += 500
    return True


def missing(reason: str) -> None:
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
