"""What killed workers left (M3-08): containers, networks, volumes and local clusters of drills that are over.

Only what carries our labels, all of them, and readable ones: the reaper never touches what it cannot prove to be ours.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from clo_ops.actions.drill.docker_place import remove_all
from clo_ops.actions.drill.engine import Engine
from clo_ops.actions.drill.local_place import home, places, remove_where
from clo_ops.actions.drill.place import PlaceUnreachable
from clo_ops.findings import Answer, Measurement, Unanswered
from clo_ops.policy import Recovery
from clo_ops.policy.recovery import PlaceKind
from clo_ops.probes.targets import DockerTarget

Runs = Collection[tuple[str, str]]


def reap(
    recovery: Recovery, now: datetime, *, runs_over: Runs = (), engine: DockerTarget | None = None
) -> tuple[list[str], Answer]:
    """Remove every drill that has expired, or whose (dag, run) is in ``runs_over``; what went, and ``drill.removed``.

    ``drill.removed`` (count {kind}; detail names them) has one measurement for Docker and one for local clusters. An
    engine that does not answer is unanswered: nobody knows what it still holds. Raises PlaceFailed for what is ours,
    is over, and cannot be removed.
    """
    removed = remove_where(home(recovery), lambda labels: labels.is_over(now, runs_over))
    answer = Answer((_removed("local", removed, now),))
    reached = Engine(engine or DockerTarget(recovery.docker.engine))
    try:
        gone = remove_all(reached, lambda one: one.labels.is_over(now, runs_over))
    except PlaceUnreachable as error:
        return removed, answer + _unanswered(reached, error)
    return removed + gone, answer + Answer((_removed("docker", gone, now),))


def remaining(
    recovery: Recovery, drill: str, kind: PlaceKind = "docker", *, engine: DockerTarget | None = None
) -> Answer:
    """M3-08: ``drill.remaining`` (count; detail names them) of what this drill has left behind, which must be 0.

    A drill of ``kind`` local started nothing in an engine: none is asked, and none needs to be there.
    """
    at = datetime.now(UTC)
    left = [str(path) for path, labels in places(home(recovery)) if labels.drill == drill]
    if kind == "docker":
        reached = Engine(engine or DockerTarget(recovery.docker.engine))
        try:
            left += [str(one) for one in reached.ours(drill)]
        except PlaceUnreachable as error:
            return _unanswered(reached, error)
    return Answer((Measurement("drill.remaining", len(left), "count", at, {"drill": drill}, ", ".join(left)),))


def _removed(kind: str, names: list[str], at: datetime) -> Measurement:
    return Measurement("drill.removed", len(names), "count", at, {"kind": kind}, ", ".join(names))


def _unanswered(engine: Engine, error: PlaceUnreachable) -> Answer:
    question = "what drills left in the Docker engine"
    now = datetime.now(UTC)
    return Answer.of(unanswered=[Unanswered(question, str(engine.target), "listing by label", error.observed, now)])
