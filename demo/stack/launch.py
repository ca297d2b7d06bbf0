"""Bring the whole demo up: what can go side by side does, what runs already stays as it is."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from demo.stack import airflow, app, content, control
from demo.stack.airflow_api import AirflowApi, AirflowSaid
from demo.stack.content import World
from demo.stack.fingerprint import of_code
from demo.stack.ports import LOOPBACK
from demo.stack.postgres import Cluster
from demo.stack.state import Service
from demo.stack.system import PREFERRED, ROOT, DemoSystem

ALL_PREFERRED = PREFERRED | airflow.PREFERRED | {"postgres-ops": 18433, "mail": 18025}
WATCHDOG = "watchdog"
WORLD = World(scale=1.0, days=35)
HEALTH_SECONDS = 180.0
PARSE_SECONDS = 25.0  # a file just corrected is read within ten, and its error has gone by then


class NotUp(RuntimeError):
    """The stack did not come up; the sentence says what is missing and where to look."""


class Launch:
    """One start of the demo in a state directory. ``say`` is told each step as it is done.

    ``ports`` are those preferred, any free ones without it; ``settings`` are environment variables that Airflow's
    components get on top of the demo's own (tests and benchmarks: other DAG folders, a shorter heartbeat).
    """

    def __init__(
        self,
        directory: Path,
        say: Callable[[str], None],
        *,
        world: World = WORLD,
        ports: Mapping[str, int] = ALL_PREFERRED,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.system = DemoSystem(directory, world=world, backups=False, ports=ports, say=say)
        self.stack = self.system.stack
        self.settings = dict(settings or {})
        self.say = say
        self._another_environment = False

    @property
    def mails(self) -> Path:
        return self.stack.directory / "mails"

    @property
    def ops(self) -> Cluster:
        return Cluster(self.stack.directory / "postgres-ops")

    @property
    def ledger_url(self) -> str:
        """For SQLAlchemy, with the psycopg 3 driver."""
        return self.ops.url(airflow.LEDGER_DATABASE, "clo_ops").replace("postgresql://", "postgresql+psycopg://", 1)

    def up(self, dag_id: str) -> AirflowApi:
        """Everything running, Airflow healthy and the DAG parsed. Raises what its parts raise, and NotUp.

        Ports and passwords are settled first; then Airflow can start while the world is being built.
        """
        self._servers()
        changed = self.system.connect()
        self._ops_databases()
        port, other = self._environment()
        self._another_environment = other
        with ThreadPoolExecutor() as pool:
            parts = [pool.submit(self._airflow, port, other), pool.submit(self._application, changed)]
            for part in parts:
                part.result()
        # The triggerer watches: before the system is up there is nothing but silence to be seen, and to be told of.
        self.system.start_all([one for one in airflow.services(port, ROOT) if one.name == airflow.WATCHES], other)
        self.say("Airflow's four components run")
        api = AirflowApi(airflow.url(port), airflow.ADMIN, self.stack.read()["secrets"]["airflow"]["password"])
        self._wait_for(api, dag_id)
        return api

    def watchdog(self) -> None:
        """The watchdog beside Airflow, as it should stand on another machine; it notices when Airflow is dead."""
        heartbeat = self.stack.directory / "watchdog-heartbeat.json"
        command = (sys.executable, "-m", "clo_ops.watchdog", "--every", "30s", "--heartbeat-file", str(heartbeat))
        code = of_code(ROOT / "plugins", ROOT / "include")
        service = Service(WATCHDOG, command=command, environment="airflow", ready=str(heartbeat), code=code)
        self.system.start_all([service], self._another_environment)
        self.say("the watchdog outside Airflow runs")

    def databases(self) -> None:
        """PostgreSQL, Redis, the world and the ledger, and nothing that serves or schedules: enough for a drill."""
        self._servers(mail=False)
        self.system.connect()
        self._ops_databases(mail=False)
        self._migrate_ledger()
        self.system.prepare()

    def _servers(self, *, mail: bool = True) -> None:
        with ThreadPoolExecutor() as pool:
            for result in [
                pool.submit(self.system.start_server, name) for name in ("postgres", "postgres-ops", "redis")
            ]:
                result.result()
        server = self.ops.server
        self.say(f"PostgreSQL {server.version} ({server.origin}) twice and Redis ({self.system.redis.origin}) run")
        if mail:
            self._mail()

    def _mail(self) -> None:
        port = self.system.port("mail")
        command = (sys.executable, "-m", "demo.stack.mail", "--port", str(port), "--directory", str(self.mails))
        service = Service("mail", command=command, ready=f"tcp://{LOOPBACK}:{port}", port=port, directory=str(ROOT))
        self.system.start_all([service], changed=False)

    def _ops_databases(self, *, mail: bool = True) -> None:
        """Our own cluster: Airflow's metadata and the ledger, each in a database of its own."""
        ops = self.ops
        for user, database in (("airflow", airflow.METADATA_DATABASE), ("clo_ops", airflow.LEDGER_DATABASE)):
            if user not in ops.users:
                ops.create_user(user)
            ops.create_database(database, owner=user)
        with self.stack.changing() as state:
            hidden = state["secrets"].setdefault("airflow", airflow.make_secrets())
            state["connections"]["clo_ledger"] = app.postgres_connection(ops, airflow.LEDGER_DATABASE, "clo_ops")
            if mail:
                state["connections"]["clo_smtp"] = airflow.smtp_connection(_port(state, "mail"))
        airflow.write_passwords(self.stack, hidden)

    def _airflow(self, port: int, changed: bool) -> None:
        if changed or not control.running(self.stack, "airflow-scheduler"):
            airflow.migrate(self.stack)
            self.say("Airflow's database is ready")
        first = [one for one in airflow.services(port, ROOT) if one.name != airflow.WATCHES]
        self.system.start_all(first, changed)

    def _application(self, changed: bool) -> None:
        """The CLO system, its backups, and the ledger with the mornings before this one."""
        self._migrate_ledger()
        self.system.prepare()
        self.system.start_application(changed)
        self.say(f"CLO system runs: {self.system.environment['CLO_FRONTEND_ORIGIN']}")
        content.take_backups(self.stack.directory, self.say)
        content.seed_mornings(self.stack, self.ledger_url, datetime.now(UTC), self.say)

    def _migrate_ledger(self) -> None:
        from clo_ops.ledger import Ledger

        with Ledger(self.ledger_url, client_name="demo/launch") as ledger:
            self.say(f"ledger at revision {ledger.migrate()}")

    def _environment(self) -> tuple[int, bool]:
        """Airflow's port; and True when its environment is not that of the components running."""
        port = self.system.port("airflow-api-server")
        metadata = self.ops.url(airflow.METADATA_DATABASE, "airflow")
        hidden = self.stack.read()["secrets"]["airflow"]
        values = airflow.environment(self.stack, ROOT, metadata_url=metadata, port=port, hidden=hidden)
        return port, self.stack.set_environment("airflow", values | self.settings)

    def _wait_for(self, api: AirflowApi, dag_id: str) -> None:
        deadline = time.monotonic() + HEALTH_SECONDS
        while not self._healthy(api) or not self._parsed(api, dag_id):
            if self._healthy(api) and api.import_errors():
                deadline = min(deadline, time.monotonic() + PARSE_SECONDS)
            for service in airflow.COMPONENTS:
                if not control.running(self.stack, f"airflow-{service}"):
                    raise NotUp(f"Airflow's {service} ended; see {self.stack.log(f'airflow-{service}')}")
            if time.monotonic() > deadline:
                raise NotUp(self._missing(api, dag_id))
            time.sleep(0.3)
        self.say(f"Airflow is healthy and has parsed {dag_id}")

    def _healthy(self, api: AirflowApi) -> bool:
        found = api.health()
        return len(found) >= len(airflow.COMPONENTS) and set(found.values()) == {"healthy"}

    def _parsed(self, api: AirflowApi, dag_id: str) -> bool:
        with suppress(AirflowSaid):
            return api.dag(dag_id) is not None
        return False

    def _missing(self, api: AirflowApi, dag_id: str) -> str:
        errors = api.import_errors() if self._healthy(api) else []
        told = "; ".join(errors) or f"health says {api.health()}"
        return f"{dag_id} cannot be run: {told}; see {self.stack.directory / 'logs'}"


def _port(state: dict[str, Any], name: str) -> int:
    return int(state["services"][name]["definition"]["port"])
