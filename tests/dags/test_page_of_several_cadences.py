"""A page with several cadences, a form, set-up and clean-up, run by Airflow itself on a real ledger."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clo_ops.ledger import Ledger
from demo.stack.mail import MailSink
from demo.stack.postgres import Cluster

HERE, ROOT = Path(__file__).parent, Path(__file__).resolve().parents[2]
# A Sunday like others, the first Sunday of a month, and a Tuesday on which somebody asks.
SUNDAY, FIRST_SUNDAY, TUESDAY = "2026-11-29T02:00:00+00:00", "2026-12-06T02:00:00+00:00", "2026-11-24T11:03:00+00:00"
CASES: list[dict[str, Any]] = [
    {"name": "weekly", "type": "scheduled", "at": SUNDAY},
    {"name": "monthly", "type": "scheduled", "at": FIRST_SUNDAY},
    {"name": "emergency", "type": "manual", "at": TUESDAY},
    {
        "name": "asked_for",
        "type": "manual",
        "at": "2026-11-24T12:00:00+00:00",
        "conf": {"cadence": "maintenance_weekly"},
    },
    {"name": "dirty", "type": "manual", "at": "2026-11-24T13:00:00+00:00", "conf": {"break": "remove_place"}},
    {"name": "no_place", "type": "manual", "at": "2026-11-24T14:00:00+00:00", "conf": {"break": "make_place"}},
]


@pytest.fixture(scope="module")
def sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailSink]:
    with MailSink(tmp_path_factory.mktemp("mails")) as running:
        yield running


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("steps") / "taken"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, sink: MailSink, steps: Path) -> Iterator[dict[str, Any]]:
    """Every case's outcome by its name; one Airflow start for them all."""
    home = tmp_path_factory.mktemp("airflow")
    with Cluster(tmp_path_factory.mktemp("pages-ledger")) as cluster:
        cluster.create_user("clo_ops")
        cluster.create_database("ledger", owner="clo_ops")
        with Ledger(cluster.url("ledger", "clo_ops")) as ledger:
            ledger.migrate()
        environment = os.environ | _airflow(home, cluster, sink) | {"STEPS_TAKEN": str(steps)}
        command = [sys.executable, str(HERE / "page_runs.py"), str(home / "out.json")]
        done = subprocess.run(
            command, input=json.dumps(CASES), env=environment, text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        found = json.loads((home / "out.json").read_text(encoding="utf-8"))
        yield {case["name"]: outcome for case, outcome in zip(CASES, found, strict=True)}


def _airflow(home: Path, cluster: Cluster, sink: MailSink) -> dict[str, str]:
    ledger = {
        "conn_type": "postgres",
        "host": "127.0.0.1",
        "port": cluster.port,
        "schema": "ledger",
        "login": "clo_ops",
        "password": cluster.password("clo_ops"),
    }
    smtp = {
        "conn_type": "smtp",
        "host": "127.0.0.1",
        "port": sink.port,
        "extra": {"tls": "none", "from_email": "a@b.eu"},
    }
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(HERE / "pages"),
        "AIRFLOW_CONN_CLO_LEDGER": json.dumps(ledger),
        "AIRFLOW_CONN_CLO_SMTP": json.dumps(smtp),
        "CLO_OPS_EVIDENCE": f"file://{home}/evidence",
        "PYTHONPATH": os.pathsep.join([str(ROOT / "plugins"), str(ROOT)]),
    }


def statuses(outcome: dict[str, Any]) -> dict[str, str]:
    return {procedure: status for procedure, (status, _) in sorted(outcome["findings"].items())}


def allowed(outcome: dict[str, Any], case: str) -> timedelta:
    at = next(one["at"] for one in CASES if one["name"] == case)
    (deadline,) = outcome["deadlines"]
    return datetime.fromisoformat(deadline) - datetime.fromisoformat(at)


def test_a_sunday_asks_what_the_week_asks(runs):
    weekly = runs["weekly"]
    expected = {"MW-01": "pass", "MW-02": "not_applicable", "MW-03": "not_applicable", "MW-04": "pass", "MW-05": "pass"}
    assert statuses(weekly) == expected
    assert "maintenance_weekly" in weekly["findings"]["MW-01"][1]
    assert "Monthly maintenance window is not due on Sun 2026-11-29" in weekly["findings"]["MW-02"][1]
    assert weekly["state"] == "success"
    assert weekly["status"] == "pass"


def test_what_is_not_due_is_skipped_and_nothing_is_asked(runs, steps):
    assert runs["weekly"]["tasks"]["mw_02"] == "skipped"
    assert runs["monthly"]["tasks"]["mw_01"] == "skipped"
    asked = steps.read_text(encoding="utf-8").split()
    assert [asked.count(one) for one in ("MW-01", "MW-02", "MW-03")] == [2, 1, 3]


def test_on_the_first_sunday_the_month_stands_in_for_the_week(runs):
    assert statuses(runs["monthly"])["MW-01"] == "not_applicable"
    assert "Monthly maintenance window stands in for Weekly" in runs["monthly"]["findings"]["MW-01"][1]
    assert statuses(runs["monthly"])["MW-02"] == "pass"


def test_by_hand_it_is_what_was_asked_for(runs):
    assert statuses(runs["emergency"])["MW-03"] == "pass"
    assert statuses(runs["emergency"])["MW-01"] == "not_applicable"
    assert statuses(runs["asked_for"])["MW-01"] == "pass"
    assert statuses(runs["asked_for"])["MW-03"] == "not_applicable"


@pytest.mark.parametrize(("case", "hours"), [("weekly", 2), ("monthly", 4), ("emergency", 4), ("asked_for", 2)])
def test_airflows_deadline_is_that_of_the_cadence(runs, case, hours):
    assert allowed(runs[case], case) == timedelta(hours=hours)


def test_a_clean_up_that_fell_over_is_red_and_told_though_all_procedures_passed(runs, sink):
    dirty = runs["dirty"]
    assert set(statuses(dirty).values()) == {"pass", "not_applicable"}
    assert dirty["tasks"]["remove_place"] == "failed"
    assert dirty["state"] == "failed"
    assert dirty["status"] == "unknown"
    assert [mail for mail in sink.messages() if "step remove_place failed" in " ".join(mail["Subject"].split())]


def test_without_its_place_a_procedure_is_unknown_not_forgotten(runs):
    no_place = runs["no_place"]
    assert no_place["tasks"]["mw_04"] == "upstream_failed"
    assert no_place["tasks"]["remove_place"] in ("upstream_failed", "skipped")
    assert no_place["state"] == "failed"


def test_a_green_run_is_not_told_where_the_page_mails_when_red(runs, sink):
    assert not [mail for mail in sink.messages() if "GREEN" in mail["Subject"]]
    assert runs["weekly"]["tasks"]["mail_operations_centre"] == "success"
