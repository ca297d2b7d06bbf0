"""The demo CLO system without Airflow: PostgreSQL, Redis, a world of data, API, frontend, worker, backups.

    with DemoSystem(directory) as system:
        system.connections["clo_api"]["host"]
        switches.switch_on(system.state, "slow-endpoint")

The launcher starts the same thing at fixed ports in ``.clo-ops`` and adds Airflow to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from demo.stack import app, content, control
from demo.stack.app import Ports
from demo.stack.content import World
from demo.stack.ports import free_port
from demo.stack.postgres import Cluster
from demo.stack.redis import Redis
from demo.stack.state import Service, State

ROOT = Path(__file__).resolve().parents[2]
PREFERRED = {"postgres": 18432, "redis": 18379, "api": 18000, "frontend": 18001, "worker": 18002}

SMALL = World(scale=0.05, days=10)

Say = Callable[[str], None]


def _silent(_: str) -> None: ...


class DemoSystem:
    """The system in ``directory``; ports are free ones unless ``ports`` prefers some.

    ``backups`` adds a repository with a week's history. Raises servers.NoServer, ClusterFailed, RedisFailed,
    control.NotReady.
    """

    def __init__(
        self,
        directory: Path | str,
        *,
        world: World = SMALL,
        backups: bool = True,
        ports: Mapping[str, int] | None = None,
        say: Say = _silent,
    ) -> None:
        self.stack = State(directory)
        self.world, self.backups = world, backups
        self._preferred = dict(ports or {})
        self._say = say
        self._given: set[int] = set()

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            control.clean(self.stack, gently=False)
            raise

    def __exit__(self, *_: object) -> None:
        control.clean(self.stack, gently=False)

    @property
    def state(self) -> Path:
        """The state directory: what demo.switches and demo.stack.control are given."""
        return self.stack.directory

    @property
    def connections(self) -> dict[str, dict[str, Any]]:
        """Airflow connection JSON by connection id."""
        return dict(self.stack.read()["connections"])

    @property
    def account(self) -> dict[str, str]:
        """The synthetic user: username, password, totp_secret."""
        return {"username": content.PROBE, **self.stack.read()["secrets"]["credentials"][content.PROBE]}

    @property
    def environment(self) -> dict[str, str]:
        """What the processes of the CLO system see."""
        return dict(self.stack.read()["environments"]["clo"])

    @property
    def cluster(self) -> Cluster:
        return Cluster(self.state / "postgres")

    @property
    def redis(self) -> Redis:
        return Redis(self.state / "redis")

    def start(self) -> Self:
        """Start what does not run; the world is built once and kept."""
        with ThreadPoolExecutor() as pool:
            servers = [pool.submit(self.start_server, name) for name in ("postgres", "redis")]
            for server in servers:
                server.result()
        changed = self.connect()
        self.prepare()
        self.start_application(changed)
        if self.backups:
            content.take_backups(self.state, self._say)
        return self

    def start_server(self, name: str) -> None:
        """A cluster or Redis by its service name, on its last port or the next free one."""
        if control.running(self.stack, name):
            return
        kind = "redis" if name == "redis" else "postgres"
        port = self.port(name)
        self.stack.define(Service(name, kind=kind, directory=str(self.state / name), port=port, stop_seconds=20.0))
        control.start_service(self.stack, name)
        if name == "postgres":
            self._share_log()

    def _share_log(self) -> None:
        """PostgreSQL's log among those of the system, under a name of its own: the same file, not a copy."""
        shared, own = self.state / "logs" / "postgresql.log", self.cluster.log
        shared.parent.mkdir(parents=True, exist_ok=True)
        if own.exists() and not (shared.exists() and shared.samefile(own)):
            shared.unlink(missing_ok=True)
            shared.hardlink_to(own)

    def port(self, name: str) -> int:
        """The port a service runs on, else its last, else the preferred one, else any; never one given away before."""
        known = self.stack.services().get(name)
        if known and control.running(self.stack, name):
            return known.port
        port = free_port(known.port if known else self._preferred.get(name), taken=self._given)
        self._given.add(port)
        return port

    def prepare(self) -> None:
        """The world in its database, built once and kept."""
        content.build_world(self.cluster, self.world, self.credentials, self._say)

    @property
    def credentials(self) -> dict[str, dict[str, str]]:
        """Password and TOTP secret by user name; drawn at the first asking."""
        with self.stack.changing() as state:
            if "credentials" not in state["secrets"]:
                state["secrets"]["credentials"] = content.make_credentials()
            return dict(state["secrets"]["credentials"])

    def connect(self) -> bool:
        """Write down how the application is told of its surroundings and how operations reach it. True when changed."""
        cluster = self.cluster
        for user in content.ROLES:
            if user not in cluster.users:
                cluster.create_user(user)
        ports, redis = self.application_ports, self.redis
        changed = self.stack.set_environment("clo", app.environment(self.state, cluster, redis, ports, ROOT))
        self.credentials  # noqa: B018 (drawn now)
        connections = app.connections(self.state, cluster, redis, ports, self.account)
        with self.stack.changing() as state:
            state["connections"] |= connections
        return changed

    @cached_property
    def application_ports(self) -> Ports:
        return Ports(*(self.port(name) for name in app.SERVICES))

    def start_application(self, changed: bool) -> None:
        """API, frontend and worker together; one whose code or settings changed is started anew."""
        self.start_all(app.services(self.application_ports, ROOT), changed)

    def start_all(self, services: list[Service], changed: bool) -> None:
        """Start services together, each one's failure told. ``changed``: their environment is another than before."""
        with ThreadPoolExecutor() as pool:
            for result in [pool.submit(self._start_one, service, changed) for service in services]:
                result.result()

    def _start_one(self, service: Service, changed: bool) -> None:
        if self.stack.define(service) or changed:
            control.stop_service(self.stack, service.name)
        control.start_service(self.stack, service.name)
