"""LM-02: the watch reads real log files, and a burst is an alert with its incident in the next look."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clo_ops.escalation.desk import Desk
from clo_ops.findings import Severity, Status, worst
from clo_ops.ledger import Ledger
from clo_ops.orchestration.watch import Watch
from clo_ops.policy import load_policy
from clo_ops.probes.log_errors import Positions
from clo_ops.probes.targets import Account, HostTarget, PostgresTarget, WebTarget
from clo_ops.probes.watch import questions
from clo_ops.rules import bursts

POLICY = load_policy()
QUICK = POLICY.model_copy(update={"thresholds": {"log_errors": POLICY.thresholds["log_errors"]}})
EVERY = POLICY.alerting.watch.every
BAD = '{"level": "ERROR", "event": "internal error"}\n'


class Bench:
    """A watch that asks nothing but the logs, and the clock it looks by."""

    def __init__(self, logs: Path, ledger: Ledger, at: datetime) -> None:
        self.logs, self.ledger, self.at = logs, ledger, at
        self.positions: Positions = {}
        self.watch = self.open()

    def open(self) -> Watch:
        local = HostTarget("app1", "local", logs=str(self.logs))
        reach: Any = SimpleNamespace(
            postgres=PostgresTarget("127.0.0.1", 1, "clo", "nobody"),
            account=Account("probe", ""),
            prometheus=None,
            host=lambda name, conn_id: local,
            web=lambda conn_id: WebTarget("http://127.0.0.1:1"),
        )
        asked = [one for one in questions(POLICY, reach, self.positions) if one.name.startswith("error logs")]
        return Watch(QUICK, asked, self.ledger, Desk(self.ledger, QUICK), lambda now: None)

    def look(self, times: int = 1) -> list[str]:
        """The causes of the incidents opened by so many looks."""
        found = []
        for _ in range(times):
            self.at += EVERY
            found += [one.cause for one in self.watch.look(self.at).opened]
        return found

    def write(self, name: str, errors: int) -> None:
        with (self.logs / f"{name}.jsonl").open("a") as file:
            file.write(BAD * errors)

    def judged(self) -> list[Any]:
        looked = self.ledger.heartbeats()["watch"].at
        return bursts.judge(self.ledger.alerts(), looked, POLICY, at=self.at)

    def status(self) -> Status:
        return worst(self.judged())


@pytest.fixture
def bench(tmp_path: Path, ledger: Ledger, at: datetime) -> Iterator[Bench]:
    for name in ("api", "worker"):
        (tmp_path / f"{name}.jsonl").write_text(BAD * 100)
    one = Bench(tmp_path, ledger, at)
    yield one
    one.watch.close()


def test_a_burst_is_an_incident_in_the_next_look_and_over_a_minute_later(bench: Bench, ledger: Ledger) -> None:
    assert bench.look(2) == []
    assert bench.status() is Status.PASS
    bench.write("api", 51)
    assert bench.look() == ["alert:log_errors:source=api"]
    (incident,) = ledger.open_incidents(bench.at)
    assert (incident.procedure, incident.severity) == ("LM-02", Severity.P2)
    story = next(one.detail for one in ledger.timeline(incident.id) if one.kind == "diagnosed")
    assert "51 (last over 1 min)" in story
    assert "at most 10, never over 50; clear at 5" in story
    assert "Support of the CLO application" in story
    assert {one.subject: one.status for one in bench.judged()} == {"api": Status.FAIL, "worker": Status.PASS}
    assert bench.look(12) == []
    assert ledger.open_incidents(bench.at) == []
    assert bench.status() is Status.PASS


@pytest.mark.parametrize(("errors", "expected"), [(10, Status.PASS), (11, Status.WARN), (50, Status.WARN)])
def test_at_its_levels_it_is_within_them(bench: Bench, errors: int, expected: Status) -> None:
    bench.look(2)
    bench.write("worker", errors)
    bench.look()
    assert bench.status() is expected


def test_a_missing_log_is_an_alert_of_its_own_and_hides_no_burst_of_the_other(bench: Bench) -> None:
    bench.look(2)
    (bench.logs / "worker.jsonl").unlink()
    bench.write("api", 60)
    assert bench.look() == ["alert:log_errors:source=api"]
    assert bench.look(5) == ["alert:silence:host=app1"]
    assert {one.subject: one.status for one in bench.judged()} == {"api": Status.FAIL, "worker": Status.UNKNOWN}


def test_a_log_that_was_never_there_is_not_green(bench: Bench) -> None:
    (bench.logs / "worker.jsonl").unlink()
    assert bench.look(6) == ["alert:silence:host=app1"]
    assert bench.status() is Status.UNKNOWN


def test_what_was_written_while_the_watch_was_away_is_not_left_out(bench: Bench) -> None:
    bench.look(2)
    bench.watch.close()
    bench.write("api", 70)
    bench.watch = bench.open()
    assert bench.look() == ["alert:log_errors:source=api"]
