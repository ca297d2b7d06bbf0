"""The Wednesday's procedures over a year with stories in it, and over a real PostgreSQL, as the DAG's tasks judge."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clo_ops.findings import Answer, CheckFailed, Finding, Measurement, Status
from clo_ops.ledger import Evidence, Ledger
from clo_ops.orchestration import capacity, roll_ups
from clo_ops.orchestration.connections import Connections
from clo_ops.orchestration.coverage import pages
from clo_ops.orchestration.procedure import ProcedureOperator
from clo_ops.orchestration.recording import carry_out
from clo_ops.orchestration.run import Run
from clo_ops.policy import load_policy
from clo_ops.reports import again
from clo_ops.reports.capacity import assemble
from demo import history
from demo.mornings import Plain
from demo.stack.ports import free_port
from demo.stack.postgres import Cluster

DAG = "weekly_wednesday_capacity"
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
ORDER = [f"WW-0{number}" for number in range(1, 10)]

TABLES = """
CREATE TABLE positions (id int PRIMARY KEY, deal_id int, note text);
INSERT INTO positions SELECT n, n % 50, repeat('x', 200) FROM generate_series(1, 20000) AS n;
CREATE TABLE deals (id int PRIMARY KEY);
INSERT INTO deals SELECT generate_series(1, 50);
CREATE INDEX positions_deal ON positions (deal_id);
CREATE INDEX positions_deal_again ON positions (deal_id);
ANALYZE;
"""


@dataclass
class Office:
    """A ledger with a year on record, a database to ask, and the judgements of the DAG."""

    cluster: Cluster
    ledger: Ledger
    judgements: Mapping[str, Any]
    postgres: dict[str, Any] = field(default_factory=dict)

    def run(self, name: str, at: datetime = NOW) -> Run:
        connections = Connections("clo_ops/test", self._connection)
        key = self.ledger.open_run(DAG, name, at, "")
        return Run(DAG, name, "test", at, load_policy(), connections, self.ledger, key)

    def _connection(self, conn_id: str) -> Plain:
        assert conn_id == "clo_postgres"
        return Plain(conn_id, **self.postgres)

    def judged(self, name: str, procedures: list[str], at: datetime = NOW) -> dict[str, list[Finding]]:
        found = {}
        for one in procedures:
            run = self.run(name, at)
            found[one] = carry_out(run, [one], self.judgements[one])
        return found


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    directory: Path = tmp_path_factory.mktemp("capacity")
    patch = pytest.MonkeyPatch()
    patch.setenv("CLO_OPS_EVIDENCE", str(directory / "evidence"))
    (dag,) = pages(only=DAG)
    tasks = {task.procedure_id: task.function for task in dag.tasks if isinstance(task, ProcedureOperator)}
    with Cluster(directory / "postgres") as cluster:
        cluster.create_user("clo_ops")
        cluster.create_user("clo_ops_reader")
        cluster.create_database("ledger", owner="clo_ops")
        cluster.create_database("clo", owner="clo_ops")
        with cluster.connect("clo") as connection:
            connection.execute(TABLES)
            connection.execute("GRANT pg_monitor TO clo_ops_reader")
            for _ in range(30):
                connection.execute("SELECT count(note) FROM positions")
            connection.execute("SELECT pg_stat_force_next_flush()")
        target = {"host": "127.0.0.1", "port": cluster.port, "login": "clo_ops_reader", "schema": "clo"}
        target["password"] = cluster.password("clo_ops_reader")
        with Ledger(cluster.url("ledger", "clo_ops")) as ledger:
            ledger.migrate()
            history.fill(ledger, NOW, days=130, step=timedelta(minutes=30))
            yield Office(cluster, ledger, tasks, target)
    patch.undo()


@pytest.fixture(scope="module")
def week(office: Office) -> dict[str, list[Finding]]:
    """One Wednesday, in the DAG's order."""
    capacity.figures_up_to_date(office.run("wednesday"))
    return office.judged("wednesday", ORDER)


def one_of(findings: list[Finding], subject: str, name: str = "") -> Finding:
    """The finding of that subject and name; else all of them, for who reads the failure."""
    found, *others = [one for one in findings if subject in one.subject and name in one.name] or [None]
    assert found is not None, [one.message for one in findings]
    assert not others
    return found


def days_to(day: str) -> int:
    return (datetime.fromisoformat(day).date() - NOW.date()).days


def test_a_load_of_the_week_is_no_trend(week: dict[str, list[Finding]]) -> None:
    (cpu,) = week["WW-01"]
    assert (cpu.status, cpu.labels["verdict"]) == (Status.PASS, "steady")
    assert "no significant trend" in cpu.message
    assert "p95 of four weeks" in cpu.message
    assert cpu.labels["worst_hour"].split()[1] in ("12:00", "13:00")


def test_the_leak_is_found_with_its_date(week: dict[str, list[Finding]]) -> None:
    (memory,) = week["WW-02"]
    assert memory.status is Status.WARN
    assert days_to(memory.labels["warning_day"]) == pytest.approx(40, abs=4)
    assert days_to(memory.labels["warning_earliest"]) <= days_to(memory.labels["warning_day"])
    assert memory.labels["critical_comes"] == "not within the horizon"


def test_the_disk_is_full_in_37_days(week: dict[str, list[Finding]]) -> None:
    data = one_of(week["WW-03"], "mount=/data")
    assert data.status is Status.WARN
    assert days_to(data.labels["full_day"]) == pytest.approx(37, abs=2)
    root = [one for one in week["WW-03"] if one.labels.get("mount") == "/"]
    assert [one.status for one in root] == [Status.PASS]


def test_the_largest_tables_are_named(week: dict[str, list[Finding]]) -> None:
    tables = one_of(week["WW-03"], "", "largest tables")
    assert tables.status is Status.PASS
    assert "public.positions" in tables.message
    assert tables.message.index("public.positions") < tables.message.index("public.deals")
    indexes = one_of(week["WW-03"], "", "largest indexes")
    assert indexes.message.index("public.positions_pkey") < indexes.message.index("public.deals_pkey")
    assert "public.positions_deal_again" in indexes.message


def test_a_network_nobody_measured_is_not_green(week: dict[str, list[Finding]]) -> None:
    assert {one.status for one in week["WW-04"]} == {Status.UNKNOWN, Status.NOT_APPLICABLE}


def test_the_step_after_the_release_is_told_and_is_no_trend(week: dict[str, list[Finding]]) -> None:
    deals = one_of(week["WW-05"], "endpoint=deals", "trend")
    assert deals.status is Status.PASS
    assert "a step of +" in deals.message
    assert one_of(week["WW-05"], "endpoint=health", "week").status is Status.PASS


def test_the_statement_that_became_slower(week: dict[str, list[Finding]]) -> None:
    slower = [one for one in week["WW-06"] if one.name == "slower statements"]
    (one,) = slower
    assert one.status is Status.WARN
    assert "SELECT * FROM positions" in one.message
    assert one.actual == "8 ms to 24 ms"


def test_the_table_read_from_end_to_end_and_the_index_that_is_there_twice(week: dict[str, list[Finding]]) -> None:
    assert one_of(week["WW-06"], "public.positions", "sequential").status is Status.WARN
    twice = [one for one in week["WW-06"] if one.name == "duplicate indexes"]
    assert "positions_deal_again" in twice[0].message


def test_the_load_of_the_week_is_drawn(office: Office, week: dict[str, list[Finding]]) -> None:
    users = one_of(week["WW-08"], "clo.user.active")
    assert "Busiest hour of the week" in users.message
    kept = {one.name: one for one in office.ledger.evidence(office.run("wednesday").ledger_run)}
    assert {"WW-08-1.svg", "WW-02-1.svg"} <= set(kept)
    drawn = Path(kept["WW-02-1.svg"].uri.removeprefix("file://")).read_text()
    assert drawn.startswith("<svg")
    assert "<metadata>" not in drawn


def test_recommendations_stand_on_findings_and_have_an_owner(week: dict[str, list[Finding]]) -> None:
    kinds = {one.labels["kind"] for one in week["WW-09"] if "kind" in one.labels}
    assert kinds == {"vertical", "database", "infrastructure"}
    disk = [one for one in week["WW-09"] if one.labels.get("kind") == "infrastructure"]
    assert disk[0].labels["owner"] == "it management"
    assert disk[0].labels["evidence_1"].startswith("WW-03")
    assert "Confidence:" in disk[0].message


def test_the_report_is_kept_and_mailed_to_those_of_policy(office: Office, week: dict[str, list[Finding]]) -> None:
    run = office.run("wednesday")
    kept = {one.name: one for one in office.ledger.evidence(run.ledger_run)}
    html = run.connections.evidence().read(kept["capacity-report.html"]).decode()
    for part in ("First level to be crossed", "mount=/data", "WW-06", "positions_deal_again", "Confidence:"):
        assert part in html
    assert html.count("<svg") >= 6
    assert not [word for word in ("<script", "@import", "src=", "url(http") if word in html]
    content = json.loads(run.connections.evidence().read(kept["capacity-report.json"]))
    assert content["colour"] == "RED"
    assert {one["procedure"] for section in content["sections"] for one in section["findings"]} == set(ORDER)
    assert run.connections.evidence().read(kept["capacity-report.pdf"]).startswith(b"%PDF")
    with office.ledger.transaction() as connection:
        mails = connection.exec_driver_sql("SELECT subject, recipients, text, attachments FROM clo_ops.outbox").all()
    (mail,) = [one for one in mails if one.subject.endswith(f"{NOW:%Y-%m-%d}")]
    assert mail.subject.startswith("[CLO Ops] RED Capacity report")
    assert mail.recipients[0].startswith("it-manager")
    assert len(mail.attachments) == 2
    assert "Recommendations:" in mail.text
    assert kept["capacity-report.pdf"].sha256 in mail.text


def test_every_figure_says_where_it_comes_from(office: Office, week: dict[str, list[Finding]]) -> None:
    run = office.run("wednesday")
    kept = {one.name: one for one in office.ledger.evidence(run.ledger_run)}
    content = json.loads(run.connections.evidence().read(kept["capacity-report.json"]))
    for one in content["sections"]:
        part = one["manual"].partition(",")[0]
        (table,) = one["tables"]
        assert table["rows"] and all(all(row) for row in table["rows"]), part
        named = re.findall(r"SHA-256 (\w+)", table["source"])
        assert named == ([] if part == "WW-09" else [kept[f"{part}.json"].sha256])
    (memory,) = [one for one in content["sections"] if one["manual"].startswith("WW-02")]
    assert memory["tables"][0]["rows"][0][:2] == [
        "system.memory.utilization", "ledger, clo_ops.hourly, mean of each hour"
    ]  # fmt: skip


def test_the_same_run_gives_the_same_report_but_for_its_stamp(office: Office, week: dict[str, list[Finding]]) -> None:
    run = office.run("wednesday")
    sheets = [assemble(office.ledger, run.ledger_run, run.policy, run.connections.evidence().read) for _ in range(2)]
    first, second = (sheet.as_html(NOW) for sheet in sheets)
    assert first == second
    assert sheets[0].as_json(NOW) == sheets[1].as_json(NOW)
    stamps = (NOW, NOW + timedelta(hours=1))
    pages = [sheets[0].as_html(at).split(f"Report made {at:%Y-%m-%d %H:%M:%S} UTC.") for at in stamps]
    assert pages[0] == pages[1] and len(pages[0]) == 2


def test_made_again_from_the_record_it_is_the_page_that_was_kept(
    office: Office, week: dict[str, list[Finding]]
) -> None:
    read = office.run("wednesday").connections.evidence().read
    made = again.kept(office.ledger, "capacity-report", NOW.date(), read)
    assert made.same() and len(made.sheet.sections[1].plots) == 1


def test_a_plot_that_was_altered_is_named_and_left_out(office: Office, week: dict[str, list[Finding]]) -> None:
    run = office.run("wednesday")

    def altered(one: Evidence) -> bytes:
        if one.name == "WW-02-1.svg":
            raise CheckFailed("the file is not the one recorded")
        return run.connections.evidence().read(one)

    sheet = assemble(office.ledger, run.ledger_run, run.policy, altered)
    (memory,) = [one for one in sheet.sections if one.manual.startswith("WW-02")]
    assert memory.plots == ()
    assert "WW-02-1.svg is missing" in memory.gaps[0]


def test_figures_of_a_finding_are_those_of_the_ledger(office: Office, week: dict[str, list[Finding]]) -> None:
    """The level, taken again by another way: the median of the days' means, for a series without a trend."""
    root = next(one for one in week["WW-03"] if one.labels.get("mount") == "/")
    with office.ledger.transaction() as connection:
        row = connection.exec_driver_sql(
            "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY mean) FROM clo_ops.daily AS d JOIN clo_ops.series AS s"
            " ON s.id = d.series_id WHERE metric = 'system.filesystem.utilization' AND labels->>'mount' = '/'"
            " AND starts_at > now() - interval '91 days'"
        ).scalar_one()
    assert float(root.labels["level"]) == pytest.approx(row, abs=0.1)


def test_a_run_again_says_the_same(office: Office, week: dict[str, list[Finding]]) -> None:
    again = office.judged("wednesday", ["WW-01", "WW-02", "WW-08"])
    for procedure, findings in again.items():
        assert [one.message for one in findings] == [one.message for one in week[procedure]]


def test_last_weeks_forecasts_are_scored_in_this_weeks_review(office: Office) -> None:
    for weeks in (6, 5, 4, 3, 2, 1):
        at = NOW - timedelta(weeks=weeks)
        run = office.run(f"earlier-{weeks}", at)
        capacity.figures_up_to_date(run)
        office.judged(f"earlier-{weeks}", ["WW-01", "WW-02"], at)
    run = office.run("scored")
    assert capacity.figures_up_to_date(run)["forecasts_scored"] > 0
    score = one_of(office.judged("scored", ["WW-09"])["WW-09"], "", "forecast score")
    assert "7 days ahead:" in score.message
    assert "28 days ahead:" in score.message


def test_what_is_measured_from_now_on_is_rolled_up_and_a_silent_series_is_said(office: Office) -> None:
    later = NOW + timedelta(days=5)
    samples = [
        Measurement("system.cpu.utilization", 95, "percent", NOW + timedelta(minutes=5 * n), {"host": "app1"})
        for n in range(5 * 288)
    ]
    run = office.run("later", later)
    office.ledger.record(run.ledger_run, "WW-01", [], Answer(tuple(samples)))
    assert roll_ups.roll_up(office.ledger, run.policy, until=later).hours > 100
    (cpu,) = capacity.trends(run, "WW-01")
    assert (cpu.status, cpu.labels["critical_comes"]) == (Status.FAIL, "already crossed")
    silent = capacity.trends(run, "WW-02")
    assert [one.status for one in silent] == [Status.NOT_APPLICABLE, Status.UNKNOWN]
    assert "no figures since" in silent[0].message


def test_a_database_that_does_not_answer_is_unknown(office: Office) -> None:
    alive = dict(office.postgres)
    office.postgres["port"] = free_port()
    try:
        found = office.judged("silent", ["WW-03", "WW-06"])
    finally:
        office.postgres.update(alive)
    for findings in found.values():
        assert Status.UNKNOWN in {one.status for one in findings}


def test_the_step_before_is_a_task_of_the_page(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Airflow carries it out: with the run's own time, on the ledger of the connection."""
    (dag,) = pages(only=DAG)
    monkeypatch.setenv("AIRFLOW_CONN_CLO_LEDGER", office.cluster.url("ledger", "clo_ops"))
    dag_run = SimpleNamespace(dag_id=DAG, run_id="by hand", run_type="manual", logical_date=NOW, run_after=NOW, conf={})
    context = {"dag_run": dag_run, "ti": SimpleNamespace(try_number=1), "params": {}}
    done = dag.get_task("figures_up_to_date").execute(context)
    assert set(done) == {"days", "hours", "forecasts_scored"}
    assert dag.get_task("figures_up_to_date").downstream_task_ids >= {"cpu_trend", "load_pattern"}
    assert {one.trigger_rule for one in dag.tasks if one.task_id in ("cpu_trend", "scaling")} == {"all_done"}
