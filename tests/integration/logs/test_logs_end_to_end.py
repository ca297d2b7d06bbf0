"""Logs from the first line to the month's review, and what of them goes, on real servers."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from clo_ops.findings import Answer, Finding, Measurement, Status
from clo_ops.findings.plans import Plan
from clo_ops.ledger import Rolling
from clo_ops.orchestration import log_retention, logs
from clo_ops.orchestration.recording import carry_out
from clo_ops.policy.logs import LogHold
from tests.integration.logs.conftest import Site

DAY = timedelta(days=1)
# Behind us for good: a line of the future is taken for one of now.
AT = datetime(2026, 11, 16, 18, 30, tzinfo=UTC)
LOGS = ("api", "worker", "access", "postgresql")


def entry(at: datetime, event: str, level: str = "INFO", **more: Any) -> dict[str, Any]:
    return {"at": at.isoformat(), "level": level, "event": event, **more}


def a_day(site: Site, at: datetime) -> None:
    """A day's lines in each log, two hours before the run."""
    then = at - timedelta(hours=2)
    site.write("api.jsonl", [entry(then, "started"), entry(then, "job 4711 failed for alice", "ERROR")])
    site.write("worker.jsonl", [entry(then, "job done")])
    requests = [entry(then, "request", endpoint="/deals/{id}", method="GET", status=200, ms=40) for _ in range(50)]
    site.write("access.jsonl", requests)
    with (site.logs / "postgresql.log").open("a") as file:
        file.write(f"{then:%Y-%m-%d %H:%M:%S.000} UTC [1] ERROR:  deadlock detected\n")
        file.write(f"{then:%Y-%m-%d %H:%M:%S.000} UTC [1] STATEMENT:  call note('secret of alice')\n")


def of(found: Sequence[Finding], name: str, subject: str) -> Finding:
    return next(one for one in found if (one.name, one.subject) == (name, subject))


def test_a_day_is_told_once_and_no_line_is_kept(site: Site) -> None:
    a_day(site, AT)
    run = site.run(AT)
    found = carry_out(run, ["LM-03"], logs.daily)
    assert {one.status for one in found} <= {Status.PASS, Status.WARN, Status.NOT_APPLICABLE}
    assert of(found, "lines of the day", "api").actual == "2"
    assert of(found, "deadlocks", "postgresql").status is Status.WARN
    assert "50 requests" in of(found, "requests", "access").actual
    again = carry_out(site.run(AT + timedelta(minutes=1)), ["LM-03"], logs.daily)
    assert of(again, "lines of the day", "api").actual == "2", "a second run counts nothing twice"
    kept = json.dumps([str(one) for one in site.ledger.log_signature_days(date(2026, 1, 1), date(2027, 1, 1))])
    for evidence in (site.place / "evidence").rglob("*.json"):
        kept += evidence.read_text()
    assert "deadlock detected" in kept
    for secret in ("alice", "4711", "secret of"):
        assert secret not in kept


def test_a_log_that_is_gone_is_unknown_and_the_others_are_told(site: Site) -> None:
    a_day(site, AT)
    (site.logs / "worker.jsonl").unlink()
    (site.logs / "postgresql.log").unlink()
    found = logs.daily(site.run(AT))
    # This one policy lets be missing, which is not green either.
    assert of(found, "lines of the day", "postgresql").status is Status.NOT_APPLICABLE
    assert [one.name for one in found if one.status is Status.UNKNOWN] == ["could not ask: lines of worker"]
    assert of(found, "lines of the day", "api").status is Status.PASS


def test_late_the_next_morning_it_is_the_same_day(site: Site) -> None:
    a_day(site, AT)
    a_day(site, AT + DAY)
    found = logs.daily(site.run(AT))
    assert of(found, "lines of the day", "api").actual == "2"
    assert "2026-11-16" in of(found, "lines of the day", "api").message


def test_weeks_of_days_make_a_trend_and_few_do_not(site: Site) -> None:
    friday = datetime(2026, 11, 20, 11, tzinfo=UTC)
    for back in range(35, 0, -1):
        then = friday - back * DAY
        lines = [entry(then, "cannot price asset", "ERROR")] * (3 if back > 7 else 40)
        site.write("api.jsonl", lines)
        if back == 3:
            site.write("api.jsonl", [entry(then, "a new fault", "ERROR")])
        if back == 21:
            short = carry_out(site.run(then), ["LM-04"], lambda run: [*logs.daily(run)[:0], *logs.weekly(run)])
            assert {one.status for one in short} == {Status.NOT_APPLICABLE}
    for name in ("worker.jsonl", "access.jsonl", "postgresql.log"):
        (site.logs / name).touch()
    logs.daily(site.run(friday))
    found = logs.weekly(site.run(friday))
    growing = of(found, "growing signatures", "api")
    assert growing.status is Status.WARN
    assert "cannot price asset" in growing.message
    assert "a new fault" in of(found, "new signatures", "api").message
    assert of(found, "trend", "worker").status is Status.NOT_APPLICABLE


def test_the_months_review_with_its_evidence(site: Site) -> None:
    now = datetime.now(UTC)
    last = now.replace(day=1, hour=15, minute=0) - DAY
    days = [last - back * DAY for back in range(last.day)][::-1]
    missing = days[14]
    for day in days:
        if day != missing:
            a_day(site, day)
    logs.daily(site.run(now))
    carry_out(site.run(now - timedelta(hours=1)), ["LM-01"], log_retention.retention)
    found = carry_out(site.run(now + timedelta(minutes=1)), ["LM-05"], logs.monthly)
    gap = of(found, "days without a line", "api")
    assert gap.status is Status.WARN
    assert f"{missing:%Y-%m-%d}" in gap.message
    assert of(found, "retention", "login_attempts").status is Status.PASS
    assert of(found, "a log of each class", "system_logs").status is Status.PASS
    (pack,) = (site.place / "evidence").rglob(f"*logs-{last:%Y-%m}.json")
    assert json.loads(pack.read_text())["logs"][0]["days_without_a_line"] == [f"{missing:%Y-%m-%d}"]


# ---------------------------------------------------------------- LM-01


def rows(site: Site, table: str, ages: Sequence[float], now: datetime) -> None:
    with site.owner() as connection:
        for number, days in enumerate(ages):
            connection.execute(f"INSERT INTO {table} VALUES (%s, %s)", (number, now - days * DAY))  # noqa: S608
        connection.execute(f"ANALYZE {table}")


def counted(site: Site, table: str) -> int:
    with site.owner() as connection:
        row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
    assert row is not None
    return int(row[0])


def everything_due(site: Site, now: datetime) -> None:
    rows(site, "login_attempts", [400, 380, 300, 10, 1, 1, 1], now)
    rows(site, "security_events", [800, 400, 10, 1], now)
    rows(site, "permission_changes", [3000, 10], now)
    with site.owner() as connection:
        connection.execute("INSERT INTO audit_logs VALUES (1, %s)", (now - 3000 * DAY,))
    for name in LOGS:
        (site.logs / (f"{name}.jsonl" if name != "postgresql" else "postgresql.log")).write_text("")
    site.rotated("api.jsonl.1", now - 100 * DAY)
    site.rotated("api.jsonl.2", now - 80 * DAY)
    site.rotated("access.jsonl.1", now - 30 * DAY, "a request\n" * 100)
    site.rotated("access.jsonl.2", now - 1 * DAY)
    site.rotated("access.jsonl.3", now - 500 * DAY)
    old = site.place / "task_logs" / "dag_id=x" / "run_id=y" / "attempt=1.log"
    old.parent.mkdir(parents=True)
    old.write_text("x")
    os.utime(old, ((now - 100 * DAY).timestamp(),) * 2)
    (old.parent / "attempt=2.log").write_text("young")
    long_ago = now - 900 * DAY
    key = site.ledger.open_run("daily_morning_startup", f"old {now.timestamp()}", long_ago, "")
    answer = Answer((Measurement("cpu", 1, "percent", long_ago),))
    site.ledger.record(key, "DM-07", [], answer, [], 1)
    old_and_young = [Measurement("system.load.1m", 1, "count", at) for at in (long_ago, now - DAY)]
    site.ledger.import_samples(old_and_young, Rolling(("system.*",), timedelta(minutes=10)))


def planned(site: Site, run: Any) -> Plan:
    (row,) = site.ledger.plans_of(run.ledger_run)
    return Plan(row.kind, row.system, tuple(one.step for one in row.steps))


def test_every_day_what_is_due_is_shown_and_nothing_goes(site: Site) -> None:
    now = datetime.now(UTC)
    everything_due(site, now)
    run = site.run(now)
    found = carry_out(run, ["LM-01"], log_retention.retention)
    assert of(found, "retention", "login_attempts").actual == "2 due"
    assert of(found, "retention", "security_events").actual == "1 due"
    assert of(found, "retention", "permission_changes").status is Status.PASS
    assert of(found, "retention", "app1:access.jsonl").actual == "2 due"
    assert "two approvals" in of(found, "retention", "audit_logs").expected
    keys = {step.action for step in planned(site, run).steps}
    assert keys == {"delete rows", "remove file", "archive file", "remove task logs", "remove month", "remove figures"}
    (shown,) = [one for one in found if one.name == "maintenance"]
    assert shown.status is Status.NOT_APPLICABLE
    assert counted(site, "login_attempts") == 7
    assert (site.logs / "api.jsonl.1").exists()


def test_in_a_window_it_goes_and_what_went_is_on_record(site: Site) -> None:
    now = datetime.now(UTC)
    everything_due(site, now)
    run = site.run(now)
    log_retention.retention(run)
    emergency = site.emergency(planned(site, run))
    found = carry_out(emergency, ["LM-01"], log_retention.retention)
    assert not [one for one in found if one.status in (Status.FAIL, Status.UNKNOWN)], found
    assert counted(site, "login_attempts") == 5
    assert counted(site, "security_events") == 3
    assert counted(site, "permission_changes") == 2, "as old as they are: they go on two approvals only"
    assert counted(site, "audit_logs") == 1, "it leaves by another way, proven in its archive"
    left = sorted(path.name for path in site.logs.iterdir())
    assert left == [
        "access.jsonl",
        "access.jsonl.2",
        "api.jsonl",
        "api.jsonl.2",
        "postgresql.log",
        "worker.jsonl",
    ]
    (packed,) = (site.place / "archive" / "logs").glob("access-*.gz")
    assert packed.stat().st_size > 0
    assert [path.name for path in (site.place / "task_logs").rglob("*.log")] == ["attempt=2.log"]
    assert not site.ledger.measurement_partitions(now - 800 * DAY)
    assert [one.starts_at >= now - 3 * DAY for one in site.ledger.days("system.load.1m", now - 999 * DAY, now)] == [
        True
    ]
    effects = {one.step.action: one.effect for one in site.ledger.plans_of(emergency.ledger_run)[-1].steps}
    assert effects["delete rows"].after["rows"] in (1, 2)
    again = carry_out(site.run(now), ["LM-01"], log_retention.retention)
    assert of(again, "retention", "login_attempts").actual == "0 due"
    assert of(again, "retention", "archive of access").actual == "0 due"


def test_a_log_nobody_rotates_is_told_though_nothing_of_it_may_go(site: Site) -> None:
    old = datetime.now(UTC) - 92 * DAY
    a_day(site, old)
    logs.daily(site.run(old + DAY))
    found = carry_out(site.run(), ["LM-01"], log_retention.retention)
    live = of(found, "retention", "app1:api.jsonl")
    assert (live.status, live.actual) == (Status.WARN, "cannot go")
    assert "nobody rotates it" in live.expected
    assert of(found, "retention", "app1:access.jsonl").status is Status.PASS, "kept for a year"
    (site.logs / "api.jsonl.1").write_text("yesterday's last line")
    again = carry_out(site.run(), ["LM-01"], log_retention.retention)
    assert of(again, "retention", "app1:api.jsonl").status is Status.PASS


def test_a_legal_hold_keeps_rows_and_files(site: Site) -> None:
    now = datetime.now(UTC)
    everything_due(site, now)
    hold = LogHold(name="inquiry", reason="a letter", since=(now - 1000 * DAY).date(), until=None)
    site.policy = site.policy.model_copy(update={"logs": site.policy.logs.model_copy(update={"holds": (hold,)})})
    run = site.run(now)
    found = carry_out(run, ["LM-01"], log_retention.retention)
    assert of(found, "retention", "login_attempts").actual == "0 due"
    assert "2 under legal hold" in of(found, "retention", "login_attempts").message
    assert "1 under legal hold" in of(found, "retention", "Airflow task logs").message
    actions = {step.action for step in planned(site, run).steps}
    assert not {"delete rows", "remove task logs"} & actions
    assert "remove file" not in actions


def test_without_an_archive_nothing_leaves_for_it_and_it_is_said(site: Site) -> None:
    everything_due(site, datetime.now(UTC))
    site.connections_without.add("clo_archive")
    run = site.run()
    found = carry_out(run, ["LM-01"], log_retention.retention)
    assert "could not ask: the archive of logs" in [one.name for one in found if one.status is Status.UNKNOWN]
    assert "archive file" not in {step.action for step in planned(site, run).steps}


def test_a_clock_that_is_wrong_takes_nothing(site: Site) -> None:
    rows(site, "login_attempts", [1.0] * 1500, datetime.now(UTC))
    run = site.run(datetime.now(UTC) + 3650 * DAY)
    found = carry_out(run, ["LM-01"], log_retention.retention)
    refused = of(found, "retention", "login_attempts")
    assert refused.status is Status.WARN
    assert "look at the column and at the clock" in refused.expected
    assert "delete rows login_attempts" not in {step.key for step in planned(site, run).steps}
