"""The table of faults: what breaks, what is expected, and which test breaks it for real.

Everywhere the expectation ends the same: every message that should have gone has gone, once in the reader's mailbox.
What is struck here is struck in the demo stack's own processes; the other rows name the test that does it elsewhere.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from clo_ops.escalation.desk import Desk
from clo_ops.escalation.sighting import Sighting
from clo_ops.findings import Severity
from clo_ops.ledger import IncidentRow
from clo_ops.policy import load_policy
from demo.stack import control
from demo.stack.state import Service

TESTS = Path(__file__).resolve().parents[1]
HERE = "dags/test_faults.py"
DEADLINES, RESPONSE = "dags/test_dag_deadlines.py", "dags/test_incident_response.py"
OUTBOX, DOG = "sql/ledger/test_outbox.py", "integration/watchdog/test_watchdog.py"
TAKEN_UP = "sql/ledger/test_taking_up.py"
# Fault, expectation, and the test.
TABLE = [
    ("worker SIGKILLed with its task", "run red, told once", DEADLINES, "test_a_worker_killed_with_its_task_is_missed"),
    ("task SIGKILLed, with a try left", "told to nobody", DEADLINES, "test_a_killed_task_is_tried_again"),
    (
        "worker killed with a person's answer",
        "acted on once",
        RESPONSE,
        "test_required_actions_of_airflow_count",
    ),
    ("worker killed before it starts the others' runs", "each its own", TAKEN_UP, "test_killed_before_it_could_start"),
    ("sender killed between server and outbox", "again, same Message-ID", OUTBOX, "test_a_sender_killed_after_sending"),
    ("triggerer killed before and while it tells", "told once", DEADLINES, "test_a_triggerer_killed_before_a_deadline"),
    ("triggerer killed while a value is too high", "one incident", RESPONSE, "test_the_watch_killed_while_the_value"),
    ("triggerer killed, messages waiting", "each once", HERE, "test_a_triggerer_restarted"),
    ("scheduler killed when an incident opens", "told at once, its run later", HERE, "test_a_scheduler_restarted"),
    ("SMTP down for an hour", "visible, escalated, then each once", HERE, "test_an_hour_without_a_mail_server"),
    ("SMTP refuses some, or for a while", "the others at once, these later", OUTBOX, "test_who_must_wait_waits"),
    ("ledger down for a minute", "put aside, then each once", HERE, "test_a_minute_without_the_ledger"),
    ("Airflow dead", "the watchdog tells, the ladder goes on", HERE, "test_a_dead_airflow_is_noticed"),
    ("ledger away too long", "mailed past it, once", DOG, "test_a_ledger_that_is_away_is_mailed_directly_once"),
    ("ledger and mail away", "exit code, second path", DOG, "test_ledger_and_mail_both_away_goes_by_the_second_path"),
]


@pytest.mark.parametrize(("fault", "expectation", "where", "test"), TABLE, ids=[row[0] for row in TABLE])
def test_every_row_of_the_table_has_its_test(fault: str, expectation: str, where: str, test: str) -> None:
    assert f"def {test}" in (TESTS / where).read_text(), f"{fault}: {expectation}"


RUNG = "UPDATE incidents SET opened_at = opened_at - interval '31 min', last_seen_at = last_seen_at WHERE id = %s"
AN_HOUR_LATER = "UPDATE outbox SET enqueued_at = enqueued_at - interval '1 h' WHERE state = 'waiting'"
BACKED_OFF = "UPDATE outbox SET next_attempt_at = now() WHERE state = 'waiting'"
MINUTE = 60.0


def change(stack, statement, *values):
    with stack.launch.ops.connect("clo_ops", "clo_ops") as ledger:
        ledger.execute(statement, values)


def opened(stack, title) -> int:
    """An incident, on record and in the outbox; whoever runs has it to deliver."""
    with stack.ledger() as ledger:
        seen = Sighting(f"fault:{title}", Severity.P2, title, "AL-03", datetime.now(UTC), "99 %", "at most 90 %")
        return Desk(ledger, load_policy()).detect(seen).id


def resolved(stack, number):
    with stack.ledger() as ledger:
        Desk(ledger, load_policy()).resolve(number, "the test", "mended", datetime.now(UTC))


ANNOUNCED = "SELECT 1 FROM asset_event WHERE extra::jsonb -> 'payload' -> 'incidents' @> to_jsonb(%s::int)"


def announced(stack, number) -> int:
    """Once the watch's event of the incident is in Airflow's own database."""

    def there():
        with stack.launch.ops.connect("airflow", "airflow") as metadata:
            return metadata.execute(ANNOUNCED, (number,)).fetchone()

    stack.until(there, f"the event of incident {number}")
    return number


def row(stack, number) -> IncidentRow:
    with stack.ledger() as ledger:
        return ledger.incident(number)


def delivered(stack, number, messages) -> bool:
    """Whether so many messages of the incident are put down as delivered."""
    with stack.ledger() as ledger:
        return [one.state for one in ledger.incident_messages(number)] == ["delivered"] * messages


def mails_of(stack, number) -> list[EmailMessage]:
    return [mail for mail in stack.mails() if mail["X-CLO-Ops-Incident"] == str(number)]


def each_once(stack, number, messages):
    """Every message of the incident is in every one of its readers' mailboxes once."""
    stack.until(lambda: delivered(stack, number, messages), f"{messages} messages of incident {number} delivered")
    with stack.ledger() as ledger:
        wanted = Counter(
            (who, one.message.subject, one.message.dedup_key)
            for one in ledger.incident_messages(number)
            for who in one.message.recipients
        )
    there = Counter((who.strip(), mail["Message-ID"]) for mail in mails_of(stack, number)
                    for who in mail["X-Envelope-To"].split(","))  # fmt: skip
    assert len(there) == len(wanted), (there, wanted)
    assert set(there.values()) == {1}


def restart(stack, name):
    control.start_service(stack.launch.stack, name)


def test_a_triggerer_restarted_delivers_what_waited_and_tells_the_next_rung_once(stack):
    stack.kill(*stack.launch.stack.process("airflow-triggerer").members())
    number = opened(stack, "Triggerer down")
    change(stack, RUNG, number)
    restart(stack, "airflow-triggerer")
    each_once(stack, number, 2)
    assert "it-manager@" in mails_of(stack, number)[-1]["To"]
    resolved(stack, number)
    each_once(stack, number, 3)


def test_a_scheduler_restarted_starts_the_run_of_an_incident_that_was_told_meanwhile(stack):
    """Of two incidents: the event of the second comes while that of the first waits, and Airflow starts a run for the
    first only.
    """
    stack.kill(*stack.launch.stack.process("airflow-scheduler").members())
    first = announced(stack, opened(stack, "Scheduler down"))
    number = announced(stack, opened(stack, "Scheduler still down"))
    each_once(stack, number, 1)
    assert [row(stack, one).dag_run for one in (first, number)] == ["", ""]
    restart(stack, "airflow-scheduler")
    run_id = stack.until(lambda: row(stack, number).dag_run, "the run of the incident")
    assert row(stack, first).dag_run not in ("", run_id)
    resolved(stack, first)
    asked = "who_takes_it"
    stack.until(lambda: stack.api.tasks("incident_response", run_id).get(asked) == "deferred", "its question")
    each_once(stack, number, 1)
    resolved(stack, number)
    each_once(stack, number, 2)


def test_an_hour_without_a_mail_server_is_visible_escalated_and_made_up_for(stack):
    control.stop_service(stack.launch.stack, "mail")
    number = opened(stack, "Mail down")
    stack.until(lambda: tried(stack, number), "a try to deliver")
    change(stack, AN_HOUR_LATER)
    about_it = stack.until(lambda: undelivered(stack), "the incident of undelivered mail")
    assert (about_it.severity, about_it.title) == (Severity.P2, "Mail cannot be delivered")
    control.start_service(stack.launch.stack, "mail")
    change(stack, BACKED_OFF)
    each_once(stack, number, 1)
    stack.until(lambda: not row(stack, about_it.id).open, "the end of the incident of undelivered mail")
    each_once(stack, about_it.id, 2)
    resolved(stack, number)
    each_once(stack, number, 2)


def tried(stack, number):
    with stack.ledger() as ledger:
        return [one for one in ledger.incident_messages(number) if one.attempts and one.last_error]


def undelivered(stack):
    with stack.ledger() as ledger:
        return ledger.open_incident_of("undelivered:mail")


@contextmanager
def no_ledger(stack) -> Iterator[None]:
    """Its database takes no connection and has ended those there were; Airflow's own beside it goes on."""
    with stack.launch.ops.connect() as server:
        server.execute("ALTER DATABASE clo_ops ALLOW_CONNECTIONS false")
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'clo_ops'")
        try:
            yield
        finally:
            server.execute("ALTER DATABASE clo_ops ALLOW_CONNECTIONS true")


def test_a_minute_without_the_ledger_puts_aside_what_is_seen_and_loses_nothing(stack):
    """One incident waits in the outbox; a run turns out late while nobody can write that down."""
    control.stop_service(stack.launch.stack, "mail")
    number = opened(stack, "Ledger down")
    late = stack.trial("trial_late_without_ledger")
    late.processes()
    began = time.monotonic()
    with no_ledger(stack):
        control.start_service(stack.launch.stack, "mail")
        late.bring_deadline_forward()
        spool = stack.state / "airflow" / "spool"
        stack.until(lambda: list(spool.glob("*.json")), "a sighting put aside")
        time.sleep(max(0.0, MINUTE - (time.monotonic() - began)))
    change(stack, BACKED_OFF)
    each_once(stack, number, 1)
    stack.until(late.told_late, "what was put aside")
    assert len(late.told_late()) == 1
    assert list(spool.glob("*.json")) == []
    late.leave()
    late.end()
    resolved(stack, number)
    each_once(stack, number, 2)


class Beats(HTTPServer):
    """Counts who asks: the service that expects a ping."""

    def __init__(self) -> None:
        server = self
        self.asked = 0

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked += 1
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        super().__init__(("127.0.0.1", 0), Handler)


@pytest.fixture
def beats() -> Iterator[Beats]:
    with Beats() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


SILENT_FOR = "  silent_for: 2 min\n"
PARTS = ("airflow-scheduler", "airflow-triggerer", "airflow-api-server")


@pytest.fixture
def impatient(stack, tmp_path) -> Path:
    """The stack's policy with two minutes of silence made twenty seconds."""
    copied = Path(shutil.copytree(stack.state.parent / "policy", tmp_path / "policy"))
    text = (copied / "alerting.yaml").read_text()
    assert SILENT_FOR in text
    (copied / "alerting.yaml").write_text(text.replace(SILENT_FOR, "  silent_for: 20 s\n"))
    return copied


@pytest.fixture
def watchdog(stack, beats, impatient, tmp_path):
    """``python -m clo_ops.watchdog`` going round beside Airflow; its heartbeat's file."""
    heartbeat = tmp_path / "heartbeat.json"
    values = control.environment_of(stack.launch.stack, Service("watchdog", environment="airflow"))
    values |= {
        "CLO_OPS_POLICY": str(impatient),
        "CLO_OPS_WATCHDOG_STATE": str(tmp_path / "watchdog.json"),
        "CLO_OPS_HEARTBEAT_FILE": str(heartbeat),
        "CLO_OPS_HEARTBEAT_URL": f"http://127.0.0.1:{beats.server_port}/beat",
    }
    command = [sys.executable, "-m", "clo_ops.watchdog", "--every", "1s"]
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, env=os.environ | values, stderr=log) as dog:
        yield heartbeat
        dog.terminate()


def said(heartbeat):
    return json.loads(heartbeat.read_text()) if heartbeat.exists() else {"code": None, "said": ""}


def test_a_dead_airflow_is_noticed_and_mailed_from_outside_and_the_ladder_goes_on(stack, watchdog, beats):
    stack.until(lambda: said(watchdog)["code"] == 0, "the watchdog's first round")
    number = opened(stack, "Airflow down")
    each_once(stack, number, 1)
    stack.kill(*(member for name in PARTS for member in stack.launch.stack.process(name).members()))
    silence = stack.until(lambda: silent(stack), "the incident of a dead Airflow")
    each_once(stack, silence.id, 1)
    assert "No sign of life of" in mails_of(stack, silence.id)[0]["Subject"]
    stack.until(lambda: "Airflow's API server" in str(details(stack, silence.id)), "the API server named as well")
    change(stack, RUNG, number)
    each_once(stack, number, 2)
    assert said(watchdog)["code"] == 1
    before = beats.asked
    stack.until(lambda: beats.asked > before, "a heartbeat meanwhile: the watchdog does its work")
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda name: restart(stack, name), PARTS))
    stack.until(lambda: not row(stack, silence.id).open, "the all-clear")
    each_once(stack, silence.id, 2)
    resolved(stack, number)
    each_once(stack, number, 3)


def details(stack, number):
    with stack.ledger() as ledger:
        return [one.detail for one in ledger.timeline(number)]


def silent(stack):
    with stack.ledger() as ledger:
        return ledger.open_incident_of("silent:airflow")
