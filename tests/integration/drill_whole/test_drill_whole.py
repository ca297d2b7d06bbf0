"""A whole drill for real: green on a healthy backup with everything proven, red for the right reason on others."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest

from clo_ops.findings import ConfigurationError, Status, worst
from clo_ops.ledger.evidence import EvidenceStore
from clo_ops.orchestration import drill_run, drill_steps
from clo_ops.orchestration.drill import Drill
from clo_ops.orchestration.recording import carry_out
from clo_ops.orchestration.run import Run
from clo_ops.reports.drill import assemble
from tests.integration.drill_whole.conftest import DAG, Site, no_other_drill, ours

ALL = {"M3-01", "M3-02", "M3-03", "M3-04", "M3-05", "M3-06", "M3-07", "M3-08"}
RED = (Status.FAIL, Status.UNKNOWN)


def red(outcome: drill_run.Outcome) -> set[str]:
    return {f"{one.procedure} {one.name}" for one in outcome.findings if one.status in RED}


def files(outcome: drill_run.Outcome) -> dict[str, bytes]:
    store = EvidenceStore("file:///")
    return {one.name: store.read(one) for one in outcome.evidence}


# ---------------------------------------------------------------- a healthy backup


def test_a_healthy_backup_is_proven_to_the_bottom(healthy, site):
    assert red(healthy) == set()
    assert not healthy.red
    assert {one.procedure for one in healthy.findings} == ALL
    assert healthy.report.facts.depth == 4
    assert "no acknowledged transaction was lost; the application works on it" in healthy.report.verdict
    (known,) = [one for one in site.ledger.recent_backups(str(site.connections("t").backups)) if one.proven]
    assert {"L3", "L4"} <= set(known.proven)


def test_each_phase_was_timed_and_the_targets_were_held(healthy):
    names = [name for name, _ in healthy.report.facts.phases]
    assert names == [
        "environment", "roles", "restore", "analyze", "contents", "integrity",
        "standby", "promote", "application", "clean_up",
    ]  # fmt: skip
    taken = healthy.report.facts.value("drill.rto")
    assert taken > dict(healthy.report.facts.phases)["restore"]


def test_nothing_is_left_of_it(healthy):
    assert ours() == []


def test_the_report_is_there_in_all_forms_and_made_again_it_is_the_same(healthy, site):
    kept = files(healthy)
    html, said = kept["drill-report.html"].decode(), json.loads(kept["drill-report.json"])
    assert kept["drill-report.pdf"].startswith(b"%PDF-")
    assert said["verdict"]["colour"] == "GREEN"
    stamp = datetime.fromisoformat(said["made_at"])
    run = next(one for one in site.ledger.recent_runs(DAG) if one.run_id == healthy.report.facts.run_id)
    again = assemble(site.ledger, run.id)
    # The clean-up and this report's own evidence were recorded before it was made; nothing has come since.
    assert again.as_html(stamp) == html


def test_the_bundle_proves_itself_and_holds_the_data_docs(healthy, tmp_path):
    with zipfile.ZipFile(BytesIO(files(healthy)["drill-evidence.zip"])) as bundle:
        bundle.extractall(tmp_path)
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(tmp_path / "verify.py")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout
    docs = tmp_path / "evidence" / "M3-03.data-docs.zip"
    with zipfile.ZipFile(docs) as pages:
        assert "index.html" in pages.namelist()
    (tmp_path / "evidence" / "M3-03.json").write_bytes(b"{}")
    assert subprocess.run([sys.executable, "-I", str(tmp_path / "verify.py")], check=False, timeout=60).returncode == 1


def test_no_secret_is_on_record(healthy, site):
    known = site.system.connections.values()
    secrets = {one["password"] for one in known if one.get("password")} | {site.system.account["totp_secret"]}
    for name, data in files(healthy).items():
        found = [secret for secret in secrets if secret.encode() in data]
        assert found == [], f"{name} holds {len(found)} secrets"


def test_those_whom_policy_names_are_told_with_the_report_attached(healthy, site):
    told = site.ledger.claim_due(datetime.now(UTC) + timedelta(minutes=1), 10, timedelta(seconds=1))
    (message,) = [one.message for one in told if healthy.report.facts.run_id in one.message.dedup_key]
    assert message.subject.startswith("[CLO Ops] GREEN Disaster-recovery test")
    assert {one.name for one in message.attachments} == {"drill-report.html", "drill-report.pdf"}
    people = site.policy.contacts.people
    assert people["it_director"].email in message.recipients


# ---------------------------------------------------------------- red, for the right reason


def test_a_copy_that_is_not_what_was_recorded_is_red_and_stays_unproven(healthy, site):
    altered = site.altered
    outcome = site.drill(backup="named", name=altered, parts=["restore"])
    assert red(outcome) == {"M3-03 canary", "M3-03 row counts"}
    assert outcome.report.facts.depth == 3
    assert outcome.report.verdict.startswith("Not proven: Contents and meaning.")
    statuses = {one.procedure: one.status for one in outcome.findings if one.name == "not part of this drill"}
    assert statuses == dict.fromkeys(("M3-04", "M3-05", "M3-06"), Status.NOT_APPLICABLE)
    known = {one.path: one for one in site.ledger.recent_backups(str(site.connections("t").backups))}
    assert set(known[altered].proven) & {"L3", "L4"} == {"L3"}
    assert known[altered].failure.startswith("L4: ")


def test_bytes_that_are_not_those_recorded_are_refused_before_anything_is_started(healthy, site):
    whole = site.repository / site.altered
    cut = site.repository / site.altered.replace(".dump", "x.dump")
    cut.write_bytes(whole.read_bytes()[:-1000])
    seen: list[str] = []
    outcome = site.drill(lambda step, _: seen.extend(ours()), backup="named", name=cut.name, parts=["restore"])
    cut.unlink()
    assert seen == []
    assert "M3-01 backup can be read to its end" in red(outcome)
    assert {"M3-02 not reached", "M3-03 not reached"} <= red(outcome)
    assert worst(one for one in outcome.findings if one.procedure == "M3-08") is Status.PASS


def test_a_form_that_cannot_be_carried_out_starts_and_records_nothing(site):
    before = len(site.ledger.recent_runs(DAG))
    with pytest.raises(ConfigurationError):
        site.drill(parts=["failover"])
    assert ours() == []
    assert len(site.ledger.recent_runs(DAG)) <= before + 1


def test_a_drill_that_is_interrupted_is_cleaned_up_all_the_same(healthy, site, monkeypatch):
    def interrupted(drill: Drill):
        assert ours()
        raise KeyboardInterrupt

    interrupted.__name__ = "restored"
    steps = [interrupted if one.__name__ == "restored" else one for one in drill_run.STEPS]
    monkeypatch.setattr(drill_run, "STEPS", tuple(steps))
    with pytest.raises(KeyboardInterrupt):
        site.drill(parts=["restore"])
    assert ours() == []


def test_a_step_that_broke_off_is_on_record_and_the_rest_says_that_nobody_looked(healthy, site, monkeypatch):
    def broken(drill: Drill):
        raise ZeroDivisionError("somebody's mistake")

    broken.__name__ = "restored"
    steps = [broken if one.__name__ == "restored" else one for one in drill_run.STEPS]
    monkeypatch.setattr(drill_run, "STEPS", tuple(steps))
    outcome = site.drill(parts=["restore"])
    assert {"M3-02 broke off", "M3-03 not reached"} <= red(outcome)
    assert ours() == []


def test_a_kept_environment_stays_says_until_when_and_goes_with_the_next_clean_up(healthy, site):
    outcome = site.drill(parts=["restore"], keep=True)
    try:
        assert ours()
        assert "was kept, as the form asked" in " ".join(one.message for one in outcome.findings)
        assert "The environment was kept" in files(outcome)["drill-report.html"].decode()
        assert not outcome.red
    finally:
        run = _run(site, f"manual__{site.runs}", "clean_up")
        drill = replace(Drill.of(run), spec=Drill.of(run).spec)
        assert worst(drill_steps.clean_up(drill)) is Status.PASS
    assert ours() == []


# ---------------------------------------------------------------- the weekly one


def _run(site: Site, run_id: str, task: str, at: datetime | None = None) -> Run:
    when = at or datetime.now(UTC)
    known = [one for one in site.ledger.recent_runs(DAG) if one.run_id == run_id]
    key = known[0].id if known else site.ledger.open_run(DAG, run_id, when, "p", "manual")
    return Run(DAG, run_id, task, when, site.policy, site.connections(task), site.ledger, key, params={})


def test_the_weekly_restore_test_is_the_same_drill_under_its_own_procedure(healthy, site):
    """In a local place, so that this one is seen whole as well."""
    drill = site.policy.recovery.drill.model_copy(
        update={"weekly_restore_day": f"{datetime.now(UTC):%A}".lower(), "place": "local"}
    )
    recovery = site.policy.recovery.model_copy(update={"drill": drill})
    run = _run(site, "weekly", "weekly_restore_test")
    run.policy = site.policy.model_copy(update={"recovery": recovery})
    no_other_drill()
    findings = carry_out(run, ["ED-05"], drill_run.weekly)
    assert {one.procedure for one in findings} == {"ED-05"}
    assert [one.message for one in findings if one.status in RED] == []
    report = assemble(site.ledger, run.ledger_run)
    assert [part.id for part in report.facts.parts] == ["M3-01", "M3-02", "M3-03", "M3-07", "M3-08"]
    assert report.facts.depth == 4
    assert "Isolation was weaker" in report.as_html(datetime.now(UTC))
    assert {"drill-report.html", "drill-evidence.zip"} <= {one.name for one in site.ledger.evidence(run.ledger_run)}
