"""Every floor: accepted at the bound, refused one step below it, with file, key, given and allowed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from clo_ops.policy.period import Period

RETENTION = [
    # class, in the file, still allowed, first refused, what the message allows
    ("application_logs", "90 days", "90 days", "89 days", "90 days"),
    ("access_logs", "1 year", "366 days", "365 days", "1 year"),
    ("access_logs", "1 year", "12 months", "11 months", "1 year"),
    ("security_logs", "2 years", "731 days", "730 days", "2 years"),
    ("security_logs", "2 years", "24 months", "23 months", "2 years"),
    ("audit_logs", "7 years", "2557 days", "2556 days", "7 years"),
    ("audit_logs", "7 years", "84 months", "83 months", "7 years"),
    ("audit_logs", "7 years", "8 years", "6 years", "7 years"),
    ("audit_logs", "7 years", "100 years", "90 days", "7 years"),
    ("system_logs", "30 days", "30 days", "29 days", "30 days"),
    ("evidence", "7 years", "84 months", "83 months", "7 years"),
    ("measurements", "25 months", "13 months", "12 months", "1 year 1 month"),
]


def change(site: Any, name: str, old: str, new: str) -> Any:
    """Change the retention of one class, wherever its block stands."""
    path = site.directory / "retention.yaml"
    head, found, rest = path.read_text(encoding="utf-8").partition(f"\n  {name}:\n")
    assert found
    assert f"keep: {old}" in rest
    path.write_text(head + found + rest.replace(f"keep: {old}", f"keep: {new}", 1), encoding="utf-8")
    return site


@pytest.mark.parametrize("case", RETENTION, ids="-".join)
def test_retention_at_its_floor(site: Any, case: tuple[str, ...]) -> None:
    name, old, at_the_bound, _, _ = case
    assert isinstance(change(site, name, old, at_the_bound).load().retention[name].keep, Period)


@pytest.mark.parametrize("case", RETENTION, ids="-".join)
def test_retention_below_its_floor(site: Any, case: tuple[str, ...]) -> None:
    name, old, _, below, floor = case
    problem = change(site, name, old, below).problem()
    assert (problem.file, problem.key) == ("retention.yaml", f"classes.{name}.keep")
    assert problem.allowed.startswith(f"{floor} or longer (L")
    assert problem.given == str(Period(**_as_period(below)))
    assert problem.line > 0


def _as_period(written: str) -> dict[str, int]:
    count, unit = written.split()
    return {"days": int(count)} if unit == "days" else {"months": int(count) * (12 if unit.startswith("year") else 1)}


def test_every_broken_floor_is_named_at_once(site: Any) -> None:
    change(site, "audit_logs", "7 years", "90 days")
    change(site, "access_logs", "1 year", "1 month")
    assert [problem.key for problem in site.problems()] == ["classes.access_logs.keep", "classes.audit_logs.keep"]


def test_a_class_may_not_be_left_out(site: Any) -> None:
    problem = site.edit("retention.yaml", "  system_logs:", "  machine_logs:").problem()
    assert (problem.key, problem.given, problem.do) == ("classes.system_logs", "nothing", "add system_logs")


CLOCKS = [
    ("P1", "response", "15 min", "15 min", "16 min"),
    ("P1", "resolution_target", "4 h", "240 min", "241 min"),
    ("P2", "response", "30 min", "30 min", "31 min"),
    ("P2", "resolution_target", "8 h", "8 h", "481 min"),
    ("P3", "response", "2 h", "120 min", "121 min"),
    ("P3", "resolution_target", "24 h", "1 day", "25 h"),
    ("P4", "response", "next business day", "1 business day", "2 business days"),
    ("P4", "response", "next business day", "24 h", "25 h"),
    ("P4", "resolution_target", "5 business days", "5 business days", "6 business days"),
]


def set_clock(site: Any, severity: str, key: str, old: str, new: str) -> Any:
    path = site.directory / "severities.yaml"
    head, found, rest = path.read_text(encoding="utf-8").partition(f"\n  {severity}:\n")
    assert found
    assert f"{key}: {old}\n" in rest
    path.write_text(head + found + rest.replace(f"{key}: {old}\n", f"{key}: {new}\n", 1), encoding="utf-8")
    return site


@pytest.mark.parametrize("case", CLOCKS, ids="-".join)
def test_clocks_at_the_manuals_figures(site: Any, case: tuple[str, ...]) -> None:
    severity, key, old, at_the_bound, _ = case
    assert set_clock(site, severity, key, old, at_the_bound).load()


@pytest.mark.parametrize("case", CLOCKS, ids="-".join)
def test_clocks_slower_than_the_manuals(site: Any, case: tuple[str, ...]) -> None:
    severity, key, old, _, slower = case
    problem = set_clock(site, severity, key, old, slower).problem()
    assert (problem.file, problem.key) == ("severities.yaml", f"levels.{severity}.{key}")
    assert problem.allowed.startswith("at most ")
    assert severity in problem.allowed


def test_users_hear_of_a_window_48_hours_ahead(site: Any) -> None:
    assert site.edit("windows.yaml", "notice: 48 h", "notice: 2 days").load().windows.notice == timedelta(hours=48)
    problem = site.edit("windows.yaml", "notice: 2 days", "notice: 47 h").problem()
    assert (problem.key, problem.allowed) == ("notice", "48 h or longer (L396)")


def test_nobody_approves_their_own_change(site: Any) -> None:
    problem = site.edit("windows.yaml", "requester: false", "requester: true").problem()
    assert problem.key == "emergency.approver_may_be_requester"
    assert "false" in problem.allowed


def test_a_change_without_prior_approval_is_reviewed_by_the_next_business_day(site: Any) -> None:
    problem = site.edit("windows.yaml", "review_within_business_days: 1", "review_within_business_days: 2").problem()
    assert (problem.key, problem.given) == ("emergency.review_within_business_days", "2")
