"""What killed workers left (M3-08): containers, networks, volumes and local clusters of drills that are over.

Only what carries our labels, all of them, and readable ones: the reaper never touches what it cannot prove to be ours.
``python -m clo_ops.actions.drill.reaper`` lists the drills there are, and ends those whose ids are named.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from clo_ops.actions.drill.docker_place import remove_all
from clo_ops.actions.drill.engine import Engine
from clo_ops.actions.drill.local_place import home, places, remove_at, remove_where
from clo_ops.actions.drill.others import Standing, standing
from clo_ops.actions.drill.place import PlaceUnreachable
from clo_ops.findings import Answer, CloOpsError, Measurement, Unanswered
from clo_ops.policy import Recovery, load_policy
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


def end(recovery: Recovery, drill: str, kind: PlaceKind = "docker", *, engine: DockerTarget | None = None) -> list[str]:
    """Everything of this one drill, by its id alone; the names of what went. Idempotent.

    A drill of ``kind`` local has nothing in an engine. Raises PlaceUnreachable, PlaceFailed for what does not go.
    """
    removed = remove_at(home(recovery) / drill)
    if kind == "docker":
        reached = Engine(engine or DockerTarget(recovery.docker.engine))
        removed += remove_all(reached, lambda one: one.labels.drill == drill)
    return removed


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


# ---------------------------------------------------------------- by hand


def main(given: Sequence[str] | None = None) -> int:
    """The command: 0 done, 1 a drill named is not there, 2 it could not be done."""
    parser = argparse.ArgumentParser(prog="python -m clo_ops.actions.drill.reaper", description=__doc__)
    parser.add_argument("drill", nargs="*", help="id of a drill that is to end now, at work or not; without: a list")
    parser.add_argument("--engine", default="", help="URL of the Docker engine; by default that of recovery.yaml")
    options = parser.parse_args(given)
    recovery = load_policy().recovery
    engine = DockerTarget(options.engine or recovery.docker.engine)
    try:
        return _ended(recovery, engine, options.drill) if options.drill else _listed(recovery, engine)
    except CloOpsError as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _listed(recovery: Recovery, engine: DockerTarget) -> int:
    now = datetime.now(UTC)
    sys.stdout.writelines(f"{_line(one, now)}\n" for one in standing(recovery, Engine(engine)))
    return 0


def _line(one: Standing, now: datetime) -> str:
    until = "expired" if one.is_over(now) else f"until {one.expires:%Y-%m-%d %H:%M} UTC"
    return f"{one.drill}  {one.dag} {one.run}  since {one.since:%Y-%m-%d %H:%M} UTC, {until}: {', '.join(one.things)}"


def _ended(recovery: Recovery, engine: DockerTarget, drills: Sequence[str]) -> int:
    """The drills named with their self-tests, and what has expired."""
    found = {one.drill: (one.dag, one.run) for one in standing(recovery, Engine(engine))}
    runs = {whose for drill, whose in found.items() if drill in drills}
    removed, _ = reap(recovery, datetime.now(UTC), runs_over=runs, engine=engine)
    sys.stdout.writelines(f"removed {name}\n" for name in removed)
    unknown = [one for one in drills if one not in found]
    sys.stderr.writelines(f"there is no drill {one}\n" for one in unknown)
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
