"""The procedures of business hours that look back: at the watch's record, and at the last snapshot of counters."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from clo_ops.findings import Answer, Finding, Measurement
from clo_ops.orchestration.run import Run
from clo_ops.orchestration.watch import HEARTBEAT
from clo_ops.rules import felt, looks, requests, snapshot, watching

WINDOW = timedelta(hours=1)
# The application's counters go on over nights and holidays: the first snapshot after them counts what came in between.
COUNTED_WITHIN = (timedelta(days=1), timedelta(days=4), timedelta(days=7))
METRICS = ("app.request.count", "app.request.failed", "app.request.seconds", "app.request.bucket")


def hosts_now(run: Run) -> list[Finding]:
    """BH-01: CPU, memory and every mount of every host, each against its levels."""
    from clo_ops.probes import hosts

    asked = ((run.connections.host(host.name, host.connection), host.mounts) for host in run.policy.hosts)
    answers = [run.ask(hosts.resources, target, mounts, run.connections.prometheus) for target, mounts in asked]
    return snapshot.judge_hosts(sum(answers, Answer()), run.policy, at=run.at)


def users_now(run: Run) -> list[Finding]:
    """BH-02: who is active, which sessions are open, and which of them are not as they should be."""
    from clo_ops.probes import business, session_store

    to = run.connections
    answer = run.ask(business.business, to.postgres, to.account.username, at=_until(run), window=WINDOW)
    figures = ("clo.user.active", "clo.login.failed")
    mine = Answer(tuple(one for one in answer.measurements if one.name in figures), answer.unanswered)
    mine += run.ask(session_store.compared, to.redis, to.postgres, run.policy.access)
    return snapshot.judge_users(mine, run.policy, at=run.at)


def requests_of_users(run: Run) -> list[Finding]:
    """BH-03: mean, 95th percentile and error rate of what users asked since the last snapshot."""
    from clo_ops.probes import app_metrics

    where = run.policy.alerting.application_metrics
    answer = run.ask(app_metrics.counters, run.connections.web(where.connection), where)
    before = _last_snapshot(run, where.longest_window)
    run.keep(Answer.of(_counted(run, before, answer)))
    return requests.judge(answer, before, run.policy, at=run.at)


def _counted(run: Run, before: list[Measurement], answer: Answer) -> Iterator[Measurement]:
    """What was asked since the last snapshot, for the figures of weeks and months (M2-03)."""
    if not answer.measurements:
        return
    for longest in COUNTED_WITHIN:
        before = before or _last_snapshot(run, longest)
    window = requests.between(before, answer)
    if window is not None:
        yield from felt.counted(window, answer.measurements[0].at)


def jobs_now(run: Run) -> list[Finding]:
    """BH-04: calculations and reports of the last hour: running, finished, failed, and how long they took."""
    from clo_ops.probes import business

    to = run.connections
    answer = run.ask(business.business, to.postgres, to.account.username, at=_until(run), window=WINDOW)
    return snapshot.judge_jobs(answer, run.policy, at=run.at)


def alert(run: Run, procedure: str) -> list[Finding]:
    """How the alerts of one line of the manual stand, by the watch's own record."""
    return watching.judge(procedure, run.ledger.alerts(), _last_look(run), run.policy, at=datetime.now(UTC))


def answers(run: Run) -> list[Finding]:
    """AL-04, and for the record whether the service answered at the watch's last look (M2-08)."""
    seen = looks.look(run.ledger.alerts(), _last_look(run), run.policy, at=datetime.now(UTC))
    run.keep(Answer.of(seen))
    return alert(run, "AL-04")


def connections(run: Run) -> list[Finding]:
    """AL-07, and for the record what the database's active sessions wait for at this moment (M2-02)."""
    from clo_ops.probes.waits import wait_events

    run.ask(wait_events, run.connections.postgres)
    return alert(run, "AL-07")


def priorities(run: Run) -> list[Finding]:
    """AL-08: every alert that stands has one incident and one priority, and is answered in its time."""
    now = datetime.now(UTC)
    open_now = run.ledger.open_incidents(now)
    return watching.judge_priorities(run.ledger.alerts(), open_now, _last_look(run), run.policy, at=now)


def _last_look(run: Run) -> datetime | None:
    beat = run.ledger.heartbeats().get(HEARTBEAT)
    return beat.at if beat else None


def _until(run: Run) -> datetime:
    """Up to now; a run repeated long afterwards looks at its own hour."""
    now = datetime.now(UTC)
    return run.at if now - run.at > WINDOW else now


def _last_snapshot(run: Run, longest: timedelta) -> list[Measurement]:
    """The counters of the newest snapshot on record that is not older than the longest window.

    A snapshot's measurements carry one time. This run's own are not on record yet.
    """
    now = datetime.now(UTC)
    found = [one for name in METRICS for one in run.ledger.measurements(name, now - longest, now)]
    newest = max((one.at for one in found), default=None)
    return [one for one in found if one.at == newest]
