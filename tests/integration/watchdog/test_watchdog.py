"""The watchdog outside Airflow: a real ledger that is stopped, a real mail server that is stopped, and both."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path

import pytest

from clo_ops.escalation.desk import Desk
from clo_ops.escalation.outbox import SmtpTarget
from clo_ops.escalation.second_path import SecondPathRefused
from clo_ops.escalation.sighting import NoLinks, Sighting
from clo_ops.escalation.spool import Spool
from clo_ops.escalation.watchdog import CAUSE, Places, Round, Watchdog
from clo_ops.findings import Severity
from clo_ops.ledger import Ledger
from clo_ops.policy import load_policy
from clo_ops.watchdog import main
from demo.stack.mail import MailSink
from demo.stack.ports import free_port
from demo.stack.postgres import Cluster

ROOT = Path(__file__).resolve().parents[3]
POLICY = load_policy()
SILENT_FOR = POLICY.alerting.watch.silent_for
SECOND = timedelta(seconds=1)
ON_CALL = {"system-administrator@your-domain.com", "senior-support@your-domain.com"}
MANAGEMENT = {"it-manager@your-domain.com", "it-director@your-domain.com"}
_numbers = count(1)


class Airflow:
    """Answers as Airflow's /api/v2/monitor/health does, or not at all; and takes the heartbeat."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC)
        self.answers = True
        self.beats = 0
        airflow = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                airflow.beats += self.path == "/beat"
                body = json.dumps(airflow.health()).encode()
                self.send_response(200 if airflow.answers else 503)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def health(self) -> dict[str, dict[str, str]]:
        parts = {
            name: {"status": "healthy", f"latest_{name}_heartbeat": self.at.isoformat()}
            for name in ("scheduler", "triggerer", "dag_processor")
        }
        return {"metadatabase": {"status": "healthy"}, **parts}

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("watchdog-postgres")) as started:
        started.create_user("clo_ops")
        started.create_database("ledger_template", owner="clo_ops")
        with Ledger(started.url("ledger_template", "clo_ops")) as ledger:
            ledger.migrate()
        yield started


@pytest.fixture
def database(cluster: Cluster) -> str:
    name = f"watched_{next(_numbers)}"
    with cluster.start().connect() as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE ledger_template OWNER clo_ops")
    return name


@pytest.fixture
def ledger(cluster: Cluster, database: str) -> Iterator[Ledger]:
    with Ledger(cluster.url(database, "clo_ops"), client_name="clo_ops/test") as opened:
        yield opened


@pytest.fixture
def airflow() -> Iterator[Airflow]:
    one = Airflow()
    yield one
    one.close()


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[MailSink]:
    with MailSink(tmp_path / "mails") as running:
        yield running


@pytest.fixture
def now(airflow: Airflow) -> datetime:
    return airflow.at


@pytest.fixture
def dog(ledger: Ledger, sink: MailSink, airflow: Airflow, tmp_path: Path) -> Watchdog:
    smtp = SmtpTarget("127.0.0.1", sink.port, tls="none", sender="clo-ops@clo.test", timeout=5)
    places = Places(tmp_path / "watchdog.json", tmp_path / "spool", airflow.url)
    return Watchdog(POLICY, ledger, smtp, places, None, NoLinks())


def alive(ledger: Ledger, airflow: Airflow, at: datetime) -> None:
    ledger.beat("watch", at)
    airflow.at = at


def subjects(sink: MailSink, holding: str) -> list[EmailMessage]:
    return [mail for mail in sink.messages() if holding in mail["Subject"]]


def addressed(mails: list[EmailMessage]) -> set[str]:
    return {one.addr_spec for mail in mails for one in mail["To"].addresses}


def test_all_alive_is_told_to_nobody_and_leaves_a_sign_of_life(
    dog: Watchdog, airflow: Airflow, sink: MailSink, now: datetime
) -> None:
    alive(dog.ledger, airflow, now)
    assert dog.round(now) == Round()
    assert sink.messages() == []
    assert dog.ledger.heartbeats()["watchdog"].at == now


def test_a_watch_silent_for_strictly_longer_than_policy_allows_is_an_incident_told_at_once(
    dog: Watchdog, airflow: Airflow, sink: MailSink, now: datetime
) -> None:
    alive(dog.ledger, airflow, now)
    airflow.at = now + SILENT_FOR
    assert dog.round(now + SILENT_FOR).silent == ()
    done = dog.round(now + SILENT_FOR + SECOND)
    assert (done.silent, done.code) == (("the watch",), 1)
    told = subjects(sink, "No sign of life of the watch")
    assert addressed(told) >= ON_CALL | MANAGEMENT
    assert dog.ledger.open_incident_of(CAUSE) is not None


def test_a_dead_airflow_is_one_incident_and_its_return_the_all_clear(
    dog: Watchdog, airflow: Airflow, sink: MailSink, now: datetime
) -> None:
    alive(dog.ledger, airflow, now)
    dog.round(now)
    airflow.answers = False
    for minute in range(1, 8):
        done = dog.round(now + timedelta(minutes=minute))
    assert done.silent == ("Airflow's API server", "the watch")
    incident = dog.ledger.open_incident_of(CAUSE)
    assert incident is not None
    assert len(subjects(sink, f"incident {incident.id}, opened")) == 1
    airflow.answers = True
    alive(dog.ledger, airflow, now + timedelta(minutes=8))
    assert dog.round(now + timedelta(minutes=8)).code == 0
    assert subjects(sink, "all clear")


@pytest.mark.parametrize("part", ["scheduler", "triggerer", "dag processor"])
def test_each_part_of_airflow_that_stands_still_is_named(
    dog: Watchdog, airflow: Airflow, now: datetime, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, later, said = part.replace(" ", "_"), now + SILENT_FOR + SECOND, airflow.health
    alive(dog.ledger, airflow, later)
    stopped = {name: {"status": "unhealthy", f"latest_{name}_heartbeat": now.isoformat()}}
    monkeypatch.setattr(airflow, "health", lambda: said() | stopped)
    assert dog.round(later).silent == (f"the {part}",)


def test_what_never_gave_a_sign_of_life_is_waited_for_as_long_as_any_other(dog: Watchdog, now: datetime) -> None:
    assert dog.round(now).silent == ()
    assert "the watch" in dog.round(now + SILENT_FOR + SECOND).silent


def test_the_ladder_goes_on_while_airflow_is_dead(
    dog: Watchdog, airflow: Airflow, sink: MailSink, now: datetime
) -> None:
    alive(dog.ledger, airflow, now)
    seen = Sighting("disk app1 /", Severity.P1, "Disk full", "AL-03", now, "96 %", "at most 90 %")
    Desk(dog.ledger, POLICY).detect(seen)
    airflow.answers = False
    dog.round(now)
    before = len(subjects(sink, "Disk full"))
    dog.round(now + timedelta(minutes=16))
    assert "it-manager@your-domain.com" in addressed(subjects(sink, "Disk full")[before:])


def test_what_was_put_aside_is_taken_in_once(dog: Watchdog, airflow: Airflow, sink: MailSink, now: datetime) -> None:
    alive(dog.ledger, airflow, now)
    seen = Sighting("late:morning", Severity.P2, "Morning is late", "DM-01", now, "running", "done by 08:30")
    path = Spool(dog.places.spool).keep(seen)
    assert dog.round(now).taken_in == 1
    assert not path.exists()
    assert subjects(sink, "Morning is late")
    assert dog.round(now + SECOND).taken_in == 0


def test_a_ledger_that_is_away_is_mailed_directly_once_and_so_is_its_return(
    dog: Watchdog, cluster: Cluster, airflow: Airflow, sink: MailSink, now: datetime
) -> None:
    alive(dog.ledger, airflow, now)
    dog.round(now)
    cluster.stop()
    assert [dog.round(now + step).code for step in (SECOND, SECOND + SILENT_FOR)] == [3, 3]
    assert sink.messages() == [], "not before it is away for strictly longer than policy allows"
    for seconds in (2, 40, 400):
        assert dog.round(now + SILENT_FOR + seconds * SECOND).code == 3
    (told,) = subjects(sink, "the ledger does not answer")
    assert addressed([told]) == ON_CALL | MANAGEMENT
    cluster.start()
    alive(dog.ledger, airflow, now + timedelta(minutes=10))
    assert dog.round(now + timedelta(minutes=10)).code == 0
    dog.round(now + timedelta(minutes=10, seconds=30))
    (back,) = subjects(sink, "the ledger answers again")
    assert addressed([back]) == ON_CALL | MANAGEMENT


def test_a_ledger_that_is_away_for_a_moment_is_told_to_nobody(
    dog: Watchdog, cluster: Cluster, airflow: Airflow, sink: MailSink, now: datetime
) -> None:
    cluster.stop()
    dog.round(now)
    cluster.start()
    alive(dog.ledger, airflow, now + timedelta(minutes=1))
    assert dog.round(now + timedelta(minutes=1)).code == 0
    assert sink.messages() == []


def test_ledger_and_mail_both_away_is_said_by_the_exit_code_and_told_once_mail_is_back(
    dog: Watchdog, cluster: Cluster, sink: MailSink, now: datetime
) -> None:
    cluster.stop()
    dog.round(now)
    sink.refuse()
    assert dog.round(now + SILENT_FOR + SECOND).code == 4
    assert dog.round(now + SILENT_FOR + 30 * SECOND).code == 4
    sink.accept()
    assert dog.round(now + SILENT_FOR + 60 * SECOND).code == 3
    assert len(subjects(sink, "the ledger does not answer")) == 1


def test_ledger_and_mail_both_away_goes_by_the_second_path_once(dog: Watchdog, cluster: Cluster, now: datetime) -> None:
    told: list[str] = []
    dog.notify = lambda title, text: told.append(title)
    dog.smtp = SmtpTarget("127.0.0.1", free_port(), tls="none", sender="clo-ops@clo.test", timeout=5)
    cluster.stop()
    for seconds in (0, 121, 151):
        assert dog.round(now + seconds * SECOND).code == 3
    assert len(told) == 1


def test_mail_away_alone_is_an_incident_and_exit_code_4_where_no_second_way_takes_it(
    dog: Watchdog, airflow: Airflow, sink: MailSink, now: datetime
) -> None:
    def refuse(title: str, text: str) -> None:
        raise SecondPathRefused("the pager is down")

    alive(dog.ledger, airflow, now)
    sink.refuse()
    dog.notify = refuse
    Desk(dog.ledger, POLICY).detect(Sighting("disk", Severity.P2, "Disk full", "AL-03", now, "96 %", "at most 90 %"))
    later = now + timedelta(minutes=6)
    alive(dog.ledger, airflow, later)
    assert dog.round(later).code == 4
    told: list[str] = []
    dog.notify = lambda title, text: told.append(title)
    alive(dog.ledger, airflow, later + timedelta(minutes=2))
    assert dog.round(later + timedelta(minutes=2)).code == 0
    assert [title for title in told if "Mail cannot be delivered" in title]


def test_the_command_runs_without_airflow_and_gives_its_heartbeat(
    cluster: Cluster, database: str, sink: MailSink, airflow: Airflow, tmp_path: Path
) -> None:
    with Ledger(cluster.url(database, "clo_ops")) as ledger:
        ledger.beat("watch", datetime.now(UTC))
    beat = tmp_path / "beat.json"
    environment = _environment(cluster, database, sink, airflow, tmp_path) | {
        "CLO_OPS_HEARTBEAT_FILE": str(beat),
        "CLO_OPS_HEARTBEAT_URL": f"{airflow.url}/beat",
    }
    code = "import sys, clo_ops.watchdog as w; c = w.main(['--once']); assert 'airflow' not in sys.modules; sys.exit(c)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(beat.read_text())["code"] == 0
    assert airflow.beats == 1
    password = cluster.password("clo_ops")
    assert password not in done.stdout + done.stderr


def test_it_goes_round_until_it_is_stopped(
    cluster: Cluster, database: str, sink: MailSink, airflow: Airflow, tmp_path: Path
) -> None:
    beat = tmp_path / "beat.json"
    command = [sys.executable, "-m", "clo_ops.watchdog", "--every", "1s", "--heartbeat-file", str(beat)]
    environment = _environment(cluster, database, sink, airflow, tmp_path)
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as running:
        first = _written(beat, "")
        assert _written(beat, first) != first
        running.terminate()
        assert running.wait(30) == 0, running.communicate()[1]


def _written(path: Path, other_than: str) -> str:
    deadline = time.monotonic() + 60
    while not path.exists() or path.read_text() == other_than:
        assert time.monotonic() < deadline, "no heartbeat"
        time.sleep(0.1)
    return path.read_text()


def test_a_memory_it_cannot_keep_is_exit_code_2(
    cluster: Cluster, database: str, sink: MailSink, airflow: Airflow, tmp_path: Path
) -> None:
    environment = _environment(cluster, database, sink, airflow, tmp_path)
    (tmp_path / "a-file").write_text("")
    assert main(["--once", "--state", str(tmp_path / "a-file" / "watchdog.json")], environment) == 2


def _environment(cluster: Cluster, database: str, sink: MailSink, airflow: Airflow, home: Path) -> dict[str, str]:
    smtp = {"conn_type": "smtp", "host": "127.0.0.1", "port": sink.port}
    smtp["extra"] = json.dumps({"tls": "none", "from_email": "clo-ops@clo.test"})
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "plugins"),
        "CLO_OPS_MODE": "demo",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__BASE_URL": airflow.url,
        "AIRFLOW_CONN_CLO_LEDGER": cluster.url(database, "clo_ops"),
        "AIRFLOW_CONN_CLO_SMTP": json.dumps(smtp),
    }


def test_a_missing_connection_is_exit_code_2_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--once"], {}) == 2
    assert "AIRFLOW_CONN_CLO_SMTP" in capsys.readouterr().err


def test_airflow_still_says_of_itself_what_the_watchdog_reads() -> None:
    from airflow.api_fastapi.core_api.datamodels.monitor import HealthInfoResponse

    from clo_ops.escalation.watchdog import COMPONENTS

    fields = HealthInfoResponse.model_json_schema()["$defs"]
    keys = {key for one in fields.values() for key in one.get("properties", {})}
    assert set(COMPONENTS.values()) <= keys
    assert {"metadatabase", *COMPONENTS} <= set(HealthInfoResponse.model_fields)
