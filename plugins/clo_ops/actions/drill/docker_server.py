"""One throw-away PostgreSQL in a container of ours."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from clo_ops.actions.drill.engine import Engine
from clo_ops.actions.drill.place import Done, PlaceFailed, PlaceGone
from clo_ops.probes.postgres import connect
from clo_ops.probes.reaching import Unreachable
from clo_ops.probes.targets import PostgresTarget

LOOK_AGAIN = 0.1  # seconds
STATEMENT_SECONDS = 600.0  # the restored copy may be large, and nobody waits for it but us


@dataclass
class DockerServer:
    """See ``clo_ops.actions.drill.place.Server``. ``container`` is its id; ``name`` also its name on the network."""

    name: str
    engine: Engine
    container: str
    network: str
    database: str

    @property
    def host(self) -> str:
        return self.name

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        return self._inspected()

    @property
    def address(self) -> str:
        """Its address on the drill's network. Raises PlaceGone where it is not running."""
        joined = self.facts["NetworkSettings"]["Networks"].get(self.network) or {}
        if not joined.get("IPAddress"):
            raise PlaceGone(f"the drill's {self.name} is not on its network: {self._state()}")
        return str(joined["IPAddress"])

    @property
    def labels(self) -> Mapping[str, str]:
        return dict(self.facts["Config"]["Labels"])

    @property
    def password(self) -> str:
        environment = dict(one.split("=", 1) for one in self.facts["Config"]["Env"])
        return str(environment.get("POSTGRES_PASSWORD", ""))

    @property
    def target(self) -> PostgresTarget:
        return PostgresTarget(
            host=self.address,
            port=5432,
            database=self.database,
            user="postgres",
            password=self.password,
            client_name=f"clo_ops/drill/{self.name}",
            statement_timeout=STATEMENT_SECONDS,
        )

    def run(self, program: str, *arguments: str, timeout: float, stdin: bytes | None = None) -> Done:
        reach = {"PGHOST": "127.0.0.1", "PGUSER": "postgres", "PGPASSWORD": self.password, "PGCONNECT_TIMEOUT": "10"}
        command = [program, *arguments]
        return self.engine.execute(self.container, command, timeout=timeout, environment=reach, stdin=stdin)

    def wait_ready(self, timeout: float) -> None:
        deadline, last = time.monotonic() + timeout, "nothing was heard of it"
        while time.monotonic() < deadline:
            facts = self._inspected()
            if not facts["State"]["Running"]:
                raise PlaceFailed(f"the drill's {self.name} ended, {self._state(facts)}: {self.log()}")
            self.__dict__["facts"] = facts  # the address is there once it runs
            last = self._not_ready()
            if not last:
                return
            time.sleep(LOOK_AGAIN)
        raise PlaceFailed(
            f"the drill's {self.name} took no connection within {timeout:g} s: {last}. Its log: {self.log()}",
            next_step="where its log says that it is ready, this worker cannot reach the engine's bridge network",
        )

    def _not_ready(self) -> str:
        """Why it takes no connection yet, asked the way everything after asks; empty when it does."""
        from dataclasses import replace

        try:
            with connect(replace(self.target, database="postgres", connect_timeout=2.0, statement_timeout=5.0)):
                return ""
        except (Unreachable, PlaceGone) as error:
            return error.observed

    def kill(self) -> None:
        # Killed before, or ended by itself: cut off it is either way.
        with suppress(PlaceGone), self.engine.asked(f"killing the drill's {self.name}") as client:
            client.kill(self.container, "SIGKILL")

    def disconnect(self) -> None:
        with suppress(PlaceFailed), self.engine.asked(f"disconnecting the drill's {self.name}") as client:
            client.disconnect_container_from_network(self.container, self.network, force=True)

    def log(self, lines: int = 40) -> str:
        with self.engine.asked(f"reading the log of the drill's {self.name}") as client:
            said: bytes = client.logs(self.container, tail=lines)
        return said.decode(errors="replace").strip()

    def _inspected(self) -> Mapping[str, Any]:
        with self.engine.asked(f"looking at the drill's {self.name}") as client:
            found: Mapping[str, Any] = client.inspect_container(self.container)
            return found

    def _state(self, facts: Mapping[str, Any] | None = None) -> str:
        state = (facts or self._inspected())["State"]
        killed = ", out of memory" if state.get("OOMKilled") else ""
        return f"{state['Status']}, exit code {state['ExitCode']}{killed}"
