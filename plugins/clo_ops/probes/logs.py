"""The newest lines of a host's journal, for whoever investigates an incident (IR-06; manual L267-L271)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from clo_ops.findings import Answer, Measurement
from clo_ops.policy.paths import INCLUDE
from clo_ops.probes import shell
from clo_ops.probes.reaching import Unreachable, nobody_answered
from clo_ops.probes.targets import HostTarget

SCRIPT = "recent_logs.sh"
QUESTION = "recent log lines"
MOST_LINES = 200


def recent(host: HostTarget, back: timedelta) -> Answer:
    """``system.log.lines`` (count) of the last ``back`` {host}, the lines themselves as its detail.

    Unanswered where the host runs no scripts (Prometheus), is not reached, or keeps no log that can be read.
    """
    how = shell.tried(host)
    arguments = [str(max(1, round(back / timedelta(minutes=1)))), str(MOST_LINES)]
    try:
        done = shell.run(host, (INCLUDE / "sh" / SCRIPT).read_text(encoding="utf-8"), arguments)
    except Unreachable as error:
        return error.unanswered(QUESTION, host, how)
    if done.code:
        return nobody_answered([QUESTION], host, how, f"it ended with {done.code}: {done.err.strip()[:200]}")
    lines = done.out.splitlines()
    at = datetime.now(UTC)
    return Answer((Measurement("system.log.lines", len(lines), "count", at, {"host": host.name}, "\n".join(lines)),))
