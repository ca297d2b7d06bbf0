"""Evidence can be put to the test: the same question to the same database, and what it says when anything differs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clo_ops import controls
from clo_ops.policy.paths import INCLUDE
from demo.switches import switch_on


@pytest.fixture
def kept(site, tmp_path):
    """The evidence of SOX-01 of a run of this test, as a file."""
    site.judged("WF-01")
    (path,) = (tmp_path / "evidence").rglob("SOX-01.json")
    return path


@pytest.fixture
def again(site, monkeypatch, capsys):
    """Runs the command; gives its exit code and everything it said."""

    def run(path: Path, user: str = "clo_ops_reader", database: str = "clo", ledger: str = "") -> tuple[int, str]:
        monkeypatch.setenv("PGPASSWORD", site.cluster.password(user))
        url = f"postgresql://{user}@127.0.0.1:{site.cluster.port}/{database}"
        code = controls.main(["perform-again", str(path), "--url", url], {"CLO_OPS_LEDGER_URL": ledger})
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def ledger_url(site) -> str:
    return site.ledger.engine.url.render_as_string(hide_password=False)


def test_the_same_question_gives_the_same_answer(site, kept, again):
    code, said = again(kept, ledger=ledger_url(site))
    assert code == 0, said
    assert "as the ledger has it" in said
    assert "the same answer" in said


def test_evidence_says_what_was_asked_of_whom_and_when(site, kept):
    content = json.loads(kept.read_text())
    assert content["question"]["asked"] in (INCLUDE / "sql" / "source" / "self_approved.sql").read_text()
    assert set(content["question"]["parameters"]) == {"since", "until"}
    assert set(content["database"]) >= {"system_identifier", "database", "snapshot", "at", "role", "server_version"}
    assert content["database"]["role"] == "clo_ops_reader"
    assert len(content["result"]["sha256"]) == 64
    assert content["result"]["looked_at"] > 0
    assert not any(word in kept.read_text() for word in (site.cluster.password("clo_ops_reader"), "totp"))


def test_a_row_that_came_since_makes_it_another_answer_and_is_named(site, kept, again):
    switch_on(site.state, "self-approved-calculation")
    with site.database() as connection:
        # Decided within the window of the evidence, and entered only now.
        connection.execute(
            "UPDATE calculation_approvals SET decided_at = now() - interval '3 minutes' WHERE decided_by = "
            "(SELECT requested_by FROM calculation_jobs j WHERE j.job_id = calculation_approvals.job_id)"
        )
    code, said = again(kept)
    assert code == 1
    assert "another answer" in said
    assert "came: calculation " in said


def test_another_database_is_not_asked_for_the_same_evidence(site, kept, again):
    code, said = again(kept, database="ledger_template", user="clo_ops")
    assert code == 3
    assert "calculation_approvals" in said or "which answered then" in said


def test_an_altered_file_is_no_evidence(site, kept, again):
    content = json.loads(kept.read_text())
    content["question"]["asked"] = "select 'looked at' as kind, '7' as key, '' as reason"
    kept.chmod(0o644)
    kept.write_text(json.dumps(content))
    assert again(kept)[0] == 2
    assert "treat the file as altered" in again(kept)[1]
    assert again(kept, ledger=ledger_url(site))[0] == 2


def test_a_question_in_an_altered_file_can_write_nothing(site, kept, again):
    content = json.loads(kept.read_text())
    content["question"]["asked"] = "delete from feedback returning 'looked at' as kind, '0' as key, '' as reason"
    content["question"]["sha256"] = controls.Kept.performed(
        controls.Kept(content["control"], content["run"], content["question"], content["database"], {}), []
    ).asked_sha256
    kept.chmod(0o644)
    kept.write_text(json.dumps(content))
    code, said = again(kept, user="clo_app")
    assert code == 3
    assert "read-only" in said


def test_what_no_sql_asks_is_said(site, again, tmp_path):
    site.judged("WM-09")
    (path,) = (tmp_path / "evidence").rglob("CFG-04.json")
    code, said = again(path)
    assert code == 3
    assert "run WM-09 by hand" in said


def test_nobody_answers(site, kept, capsys):
    assert controls.main(["perform-again", str(kept), "--url", "postgresql://x@127.0.0.1:1/clo"], {}) == 3
    assert "could not be asked again" in capsys.readouterr().err


def test_logins_and_grants_are_kept_as_tables_to_go_through(site, tmp_path):
    with site.database() as connection:
        connection.execute(
            "INSERT INTO login_attempts (username, success, source_ip) VALUES ('=cmd()', false, '10.20.1.9')"
        )
    try:
        site.judged("WM-06")
        site.judged("WM-07")
    finally:
        with site.database() as connection:
            connection.execute("DELETE FROM login_attempts WHERE username = '=cmd()'")
    (accepted,), (tried,) = ((tmp_path / "evidence").rglob(f"{name}.csv") for name in ("ACC-01", "AUT-01"))
    assert accepted.read_text().startswith("username,source,hour,logins")
    assert len(accepted.read_text().splitlines()) > 10
    assert "'=cmd(),10.20.1.9" in tried.read_text(), "no formula for whoever opens it"
    kept = {one.name for run in site.ledger.recent_runs() for one in site.ledger.evidence(run.id)}
    assert {"ACC-01.csv", "ACC-01.json"} <= kept
