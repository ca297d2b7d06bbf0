"""Which drills there are, by what carries our labels: in the Docker engine and among the local clusters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from clo_ops.actions.drill.engine import Engine
from clo_ops.actions.drill.local_place import LABELS, home, places
from clo_ops.actions.drill.place import Labels, drill_id
from clo_ops.policy import Recovery


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands there of one run of a drill, its self-test included. ``since`` is when the first of it was made."""

    dag: str
    run: str
    since: datetime
    expires: datetime
    things: tuple[str, ...]

    @property
    def drill(self) -> str:
        return drill_id(self.dag, self.run)

    def is_over(self, now: datetime) -> bool:
        """Expired, all of it: the reaper's, and in nobody's way."""
        return now > self.expires


def standing(recovery: Recovery, engine: Engine | None) -> list[Standing]:
    """Every drill, the oldest first; without ``engine`` the local ones only. Raises PlaceUnreachable."""
    found = defaultdict[tuple[str, str], list[tuple[str, datetime, datetime]]](list)
    for labels, name, made in _all(recovery, engine):
        found[labels.whose].append((name, made, labels.expires))
    drills = [
        Standing(dag, run, min(one[1] for one in parts), max(one[2] for one in parts), tuple(one[0] for one in parts))
        for (dag, run), parts in found.items()
    ]
    return sorted(drills, key=lambda one: one.since)


def _all(recovery: Recovery, engine: Engine | None) -> Iterator[tuple[Labels, str, datetime]]:
    for path, labels in places(home(recovery)):
        with suppress(FileNotFoundError):  # gone meanwhile
            yield labels, f"cluster {path}", datetime.fromtimestamp((path / LABELS).stat().st_mtime, tz=UTC)
    for one in engine.ours() if engine else []:
        yield one.labels, str(one), one.made
