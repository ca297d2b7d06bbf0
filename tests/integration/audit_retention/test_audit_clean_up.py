"""WM-03 as a task of the page: proven before, planned, applied where policy lets it, proven after."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clo_ops.actions.maintenance.applying import apply
from clo_ops.actions.retention.archiving import RetentionFailed
from clo_ops.findings import Status, worst
from clo_ops.findings.audit import Fault
from clo_ops.findings.plans import Outcome
from clo_ops.orchestration import audit_retention
from clo_ops.orchestration.connections import Connections
from clo_ops.orchestration.run import Run
from clo_ops.policy import load_policy
from clo_ops.policy.firing import by_hand
from clo_ops.rules import audit_chain
from demo.mornings import Plain

POLICY = load_policy(mode="demo")
PAGE = "weekly_monday_maintenance"


@dataclass
class Page:
    """Runs of the page against one system."""

    system: Any
    policy: Any = field(init=False)
    number: int = 0

    def __post_init__(self) -> None:
        retention = POLICY.retention.model_copy(update={"archive": self.system.policy})
        self.policy = POLICY.model_copy(update={"retention": retention})

    def connections(self) -> Connections:
        def of(user: str) -> dict[str, Any]:
            target = self.system.target(user)
            extra = json.dumps({"sslmode": "disable"})
            facts = {"host": target.host, "port": target.port, "schema": target.database, "login": user}
            return facts | {"password": target.password, "extra": extra}

        known = {
            "clo_postgres": of("clo_ops_reader"),
            "clo_postgres_retention": of("clo_ops_retention"),
            "clo_postgres_maintenance": of("clo_ops_maintainer"),
            "clo_archive": {"extra": {"url": self.system.archive.as_uri()}},
        }
        return Connections("clo_ops/test", lambda name: Plain(name, **known[name]))

    def run(self, at: datetime | None = None) -> Run:
        self.number += 1
        moment, name = at or datetime.now(UTC), f"manual__{self.system.archive}_{self.number}"
        key = self.system.ledger.open_run(PAGE, name, moment, "", "manual")
        firing = by_hand(self.policy, PAGE, None)
        connections, ledger = self.connections(), self.system.ledger
        return Run(PAGE, name, "WM-03", moment, self.policy, connections, ledger, key, firing=firing)


@pytest.fixture
def page(system: Any) -> Page:
    return Page(system)


@pytest.fixture
def applied(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Without gate and window, which have tests of their own: what is planned is applied."""
    done: list[Any] = []

    def maintained(run: Run, procedure: str, kind: str, planned: Any, act: Any) -> list[Any]:
        ends = datetime.now(UTC) + timedelta(hours=2)
        done.extend(apply(planned(), act, ledger=run.ledger, run=run.ledger_run, ends=ends))
        return []

    monkeypatch.setattr(audit_retention, "maintained", maintained)
    return done


def test_applied_it_is_proven_before_and_after_and_the_head_is_remembered(page, applied):
    run = page.run()
    findings = audit_retention.audit_clean_up(run)
    assert [one.status for one in findings] == [Status.PASS, Status.PASS]
    assert [one.name for one in findings] == ["audit chain", "after retention: audit chain"]
    assert {effect.outcome for _, effect in applied} == {Outcome.APPLIED}
    heads = page.system.ledger.remembered(page.system.identity).heads
    assert heads[0].id == page.system.rows("SELECT max(id) FROM audit_logs")[0][0]
    assert len(heads) == 2, "before and after"


def test_a_trail_that_does_not_hold_lets_nothing_leave(page, applied):
    page.system.tamper("DELETE FROM audit_logs WHERE id = 700")
    findings = audit_retention.audit_clean_up(page.run())
    assert worst(findings) is Status.FAIL and applied == []
    assert "deleted middle" in findings[0].name and "700" in findings[0].message
    assert "does not hold" in findings[1].message and page.system.files() == []


def test_a_database_nobody_can_ask_is_unknown_and_nothing_leaves(page, applied):
    run = page.run()
    object.__setattr__(run.connections.postgres, "port", 9)
    findings = audit_retention.audit_clean_up(run)
    assert worst(findings) is Status.UNKNOWN and applied == []


def test_too_much_at_once_is_a_finding_with_both_figures(page, applied):
    archive = page.system.policy.model_copy(update={"stop_above": 5.0})
    retention = POLICY.retention.model_copy(update={"archive": archive})
    page.policy = POLICY.model_copy(update={"retention": retention})
    findings = audit_retention.audit_clean_up(page.run())
    assert [one.status for one in findings] == [Status.PASS, Status.FAIL]
    assert "3,120" in findings[1].message and "5 %" in findings[1].expected


def test_a_receipt_that_was_not_put_down_before_the_kill_is_put_down_by_the_next_run(page, applied, monkeypatch):
    system = page.system
    retention = system.retention()
    steps = retention.plan().steps
    retention.act(steps[0])

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(system.ledger, "record_receipt", killed)
    with pytest.raises(KeyboardInterrupt):
        retention.act(steps[1])
    monkeypatch.undo()
    assert system.ledger.remembered(system.identity).receipts == {}
    audit_retention.prove(page.run())
    assert list(system.ledger.remembered(system.identity).receipts) == [1]
    assert system.verified().faults == []


@pytest.mark.parametrize("kind", list(Fault))
def test_each_kind_of_fault_is_a_finding_of_its_own(system, kind):
    answer = system.verified(whole=False).answer
    assert [one.status for one in audit_chain.judge(answer, procedure="WM-03", manual="L97")] == [Status.PASS]
    changed = [
        type(one)(one.name, 1, one.unit, one.at, one.labels, "row 7") if one.labels == {"kind": kind.value} else one
        for one in answer.measurements
    ]
    (finding,) = audit_chain.judge(type(answer).of(changed), procedure="WM-03", manual="L97")
    assert finding.status is Status.FAIL and kind.value in finding.name and "row 7" in finding.message
    without = [one for one in answer.measurements if one.labels != {"kind": kind.value}]
    (finding,) = audit_chain.judge(type(answer).of(without), procedure="WM-03", manual="L97")
    assert finding.status is Status.UNKNOWN, "what was not measured is no pass"


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")
def test_a_full_disk_costs_nothing_but_the_step(system):
    system.archive.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(system.archive)], check=True)
    try:
        retention = system.retention(period="month")
        first, second = retention.plan().steps[:2]
        with pytest.raises(RetentionFailed, match="No space left"):
            retention.act(first)
        with pytest.raises(RetentionFailed, match="is not in the archive"):
            retention.act(second)
        assert list(system.archive.iterdir()) == [], "the hidden file is gone"
        assert system.rows("SELECT min(id), count(*) FROM audit_logs") == [(1, 3120)]
        subprocess.run(["mount", "-o", "remount,size=64m", str(system.archive)], check=True)
        system.clean_up(period="month")
        assert system.verified().whole
    finally:
        subprocess.run(["umount", str(system.archive)], check=True)
