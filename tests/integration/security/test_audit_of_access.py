"""The month's list of accounts, and what becomes of those nobody uses: nothing, until somebody else approves."""

from __future__ import annotations

import csv
import dataclasses
import io
from contextlib import contextmanager
from datetime import UTC, datetime

import psycopg
import pytest

from clo_ops.actions.accounts import disable
from clo_ops.findings import CheckFailed, ConfigurationError, CouldNotCheck, Status
from clo_ops.findings.plans import Outcome
from clo_ops.orchestration import audit_tasks
from clo_ops.orchestration.inactive_accounts import FIELD, ask_approval, inactive, plan_of
from clo_ops.orchestration.window_tasks import APPROVE, REFUSE, decide
from clo_ops.probes.reaching import Unreachable

# Controls that are seen red in this file.
OF_ACCESS = {"IAM-01", "IAM-03", "PRV-02"}
FORGOTTEN = """INSERT INTO app_users (username, full_name, email, created_at, last_login_at, is_service) VALUES
    ('old.admin', '=cmd()', '', now() - interval '2 years', now() - interval '200 days', false),
    ('never.came', 'Never Came', '', now() - interval '31 days', NULL, false),
    ('new.here', 'New Here', '', now() - interval '29 days', NULL, false),
    ('just.within', 'Just Within', '', now() - interval '2 years', now() - interval '89 days', false),
    ('feed.loader', 'A Program', '', now() - interval '2 years', NULL, true)"""
DISABLED = "SELECT username FROM app_users WHERE disabled ORDER BY username"


@pytest.fixture
def forgotten(copy):
    with copy.database() as connection:
        connection.execute(FORGOTTEN)
    return copy


@contextmanager
def by_hand(site, user="operator", **form):
    """One run by hand, as the tasks of the page have it one after the other."""
    with site.run("M1-02") as run:
        yield dataclasses.replace(run, trigger="manual", asked_by=user, params={FIELD: True, **form})


def disabled(site):
    with site.database() as connection:
        return {row[0] for row in connection.execute(DISABLED)}


def listing(site, tmp_path, name):
    (path,) = (tmp_path / "evidence").rglob(name)
    return list(csv.DictReader(io.StringIO(path.read_text())))


def test_the_list_has_every_account_with_its_second_factor_and_no_formula(forgotten, tmp_path):
    findings = {one.subject: one for one in forgotten.judged("M1-01")}
    assert findings["IAM-02"].status is Status.FAIL
    assert "account old.admin (no second factor)" in findings["IAM-02"].message
    assert "feed.loader" not in findings["IAM-02"].message, "a program's account is not asked for one"
    rows = {row["username"]: row for row in listing(forgotten, tmp_path, "accounts-and-permissions.csv")}
    with forgotten.database() as connection:
        assert len(rows) == connection.execute("SELECT count(*) FROM app_users").fetchone()[0]
    assert (rows["manager"]["roles"], rows["manager"]["second factor"]) == ("manager", "yes")
    assert (rows["old.admin"]["full name"], rows["old.admin"]["second factor"]) == ("'=cmd()", "no")
    assert rows["old.admin"]["last login"].startswith("20")
    kept = {one.name for run in forgotten.ledger.recent_runs() for one in forgotten.ledger.evidence(run.id)}
    assert {"accounts-and-permissions.csv", "IAM-03.csv", "IAM-01.json"} <= kept


def test_the_secret_of_a_second_factor_is_not_to_be_read(site):
    with site.database("clo_ops_reader") as connection:
        assert connection.execute("SELECT bool_and(mfa_enabled) FROM app_users").fetchone()[0]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT totp_secret FROM app_users")


def test_a_system_that_does_not_say_has_no_source_and_is_not_green(copy, tmp_path):
    with copy.database() as connection:
        connection.execute("ALTER TABLE app_users DROP COLUMN mfa_enabled")
    found = {one.subject: one for one in copy.judged("M1-01")}
    assert (found["IAM-02"].status, found["IAM-02"].actual) == (Status.UNKNOWN, "no source")
    assert found["IAM-01"].status is Status.PASS
    rows = listing(copy, tmp_path, "accounts-and-permissions.csv")
    assert {row["second factor"] for row in rows} == {"no source"}


@pytest.mark.parametrize("control", ["IAM-01", "IAM-03"])
def test_an_empty_list_is_no_list(site, control):
    controls = site.policy.controls
    more = controls[control].model_copy(update={"at_least": 1_000_000})
    changed = controls.model_copy(update={"catalogue": {**controls.catalogue, control: more}})
    site.policy = site.policy.model_copy(update={"controls": changed})
    assert set(site.broken("M1-01")) == {control}


def test_a_strange_administrator_of_a_host_is_named(site, tmp_path):
    controls = site.policy.controls
    nobody = controls["PRV-02"].model_copy(update={"parameters": {"groups": ["root"], "allowed": []}})
    changed = controls.model_copy(update={"catalogue": {**controls.catalogue, "PRV-02": nobody}})
    site.policy = site.policy.model_copy(update={"controls": changed})
    broken = site.broken("M1-04")
    assert set(broken) == {"PRV-02"}
    assert "app1: root (may become root: user number 0, group root)" in broken["PRV-02"]
    assert {"kind": "violation", "key": "app1: root"}.items() <= listing(site, tmp_path, "PRV-02.csv")[-1].items()


def test_what_changed_since_the_last_audit_is_drift_whatever_monday_said(seen):
    site = seen("M1-06")
    with site.cluster.connect() as connection:
        connection.execute("CREATE ROLE month_drift")
        try:
            site.judged("WM-08")  # Monday has seen it, and keeps its own past
            assert "role month_drift (is new" in site.broken("M1-06")["PER-04"]
        finally:
            connection.execute("DROP ROLE month_drift")


# ---------------------------------------------------------------- accounts nobody uses


def test_by_default_nobody_is_asked_and_nothing_is_disabled(forgotten, tmp_path):
    before = disabled(forgotten)
    with forgotten.run("M1-02") as run, pytest.raises(audit_tasks.AirflowSkipException):
        audit_tasks.listed(run)
    told = forgotten.broken("M1-02")["IAM-06"]
    assert "account old.admin (no role; last used" in told
    assert "account never.came (no role; never used since" in told
    assert not [name for name in ("new.here", "just.within", "feed.loader") if name in told]
    assert disabled(forgotten) == before
    listed = {row["username"]: row["account"] for row in listing(forgotten, tmp_path, "IAM-06.csv")}
    assert listed == {"old.admin": "person", "never.came": "person", "feed.loader": "service"}


def test_the_approved_list_is_disabled_and_on_record(forgotten):
    before = disabled(forgotten)
    with by_hand(forgotten) as run:
        assert "system administrator" in audit_tasks.listed(run)
        with pytest.raises(CouldNotCheck, match="may not decide what operator asked for"):
            decide(run, APPROVE, "operator", "")
        assert decide(run, APPROVE, "manager", "seen") == "approved by manager"
        assert disabled(forgotten) == before, "an approval by itself does nothing"
        findings = inactive(run)
        plan = run.ledger.plans_of(run.ledger_run)[0]
    assert [one.status for one in findings] == [Status.PASS, Status.PASS], findings
    assert disabled(forgotten) - before == {"old.admin", "never.came"}
    assert [one.effect.outcome for one in plan.steps] == [Outcome.APPLIED] * 2
    assert plan.steps[1].step.before["disabled"] == "false"
    assert plan.steps[1].effect.after["disabled"] == "true"
    with forgotten.database() as connection:
        query = "SELECT object_id, actor, detail FROM audit_logs WHERE action = 'account_disabled' ORDER BY object_id"
        rows = connection.execute(query).fetchall()
        assert connection.execute("SELECT count(*) FROM audit_verify()").fetchone()[0] == 0
    assert [row[:2] for row in rows] == [("never.came", "clo_ops_accounts"), ("old.admin", "clo_ops_accounts")]
    assert rows[0][2]["approved_by"] == "manager"
    assert forgotten.broken("WF-05", "M1-04") == {}, "what was approved is no finding of another review"


def test_whoever_logged_in_since_the_list_was_approved_stays(forgotten):
    before = disabled(forgotten)
    with by_hand(forgotten) as run:
        audit_tasks.listed(run)
        decide(run, APPROVE, "manager", "")
        with forgotten.database() as connection:
            connection.execute("INSERT INTO login_attempts (username, success) VALUES ('old.admin', true)")
            connection.execute(
                "INSERT INTO app_users (username, full_name, email, created_at) "
                "VALUES ('also.gone', '', '', now() - interval '1 year')"
            )
        findings = inactive(run)
    assert disabled(forgotten) - before == {"never.came"}, "the approval was for that list"
    assert "old.admin: is not inactive any more" in findings[1].message
    assert "account also.gone" in findings[0].message


@pytest.mark.parametrize("answer", ["refused", "silence"])
def test_refused_or_unanswered_nothing_is_disabled(forgotten, answer):
    before = disabled(forgotten)
    with by_hand(forgotten) as run:
        audit_tasks.listed(run)
        if answer == "refused":
            decide(run, REFUSE, "manager", "")
        findings = inactive(run)
    assert disabled(forgotten) == before
    assert (findings[0].status, findings[1].status) == (Status.FAIL, Status.NOT_APPLICABLE)
    assert ("refused by manager" if answer == "refused" else "nobody answered") in findings[1].message


def test_a_worker_killed_between_the_act_and_its_record_does_not_do_it_twice(forgotten):
    with by_hand(forgotten) as run:
        audit_tasks.listed(run)
        approval = run.ledger.approvals_of(run.ledger_run)[0]
        decide(run, APPROVE, "manager", "")
        (row,) = run.ledger.plans_of(run.ledger_run)
        step = row.steps[0].step
        run.ledger.step_started(row.id, step.key, datetime.now(UTC))
        disable(run.connections.accounts, step, approved_by="manager", work=approval.hash, begun=False)
        findings = inactive(run)
        again = inactive(run)
        (row,) = run.ledger.plans_of(run.ledger_run)
    assert "2 of 2 accounts disabled" in findings[1].message
    assert "applied by an earlier try" in again[1].message
    assert [one.effect.outcome for one in row.steps] == [Outcome.APPLIED] * 2
    with forgotten.database() as connection:
        query = "SELECT count(*) FROM audit_logs WHERE action = 'account_disabled'"
        assert connection.execute(query).fetchone()[0] == 2


def test_who_asks_is_known_and_the_list_no_longer_than_allowed(forgotten):
    with by_hand(forgotten, user="") as run, pytest.raises(ConfigurationError, match="nobody is known to ask"):
        ask_approval(run, datetime.now(UTC))
    audit = forgotten.policy.audit
    short = audit.model_copy(update={"accounts": audit.accounts.model_copy(update={"at_most": 1})})
    forgotten.policy = forgotten.policy.model_copy(update={"audit": short})
    with by_hand(forgotten) as run, pytest.raises(CheckFailed, match="2 accounts are inactive"):
        ask_approval(run, datetime.now(UTC))


def test_a_clean_world_has_nobody_to_ask_about(site):
    with by_hand(site) as run:
        assert ask_approval(run, datetime.now(UTC)) is None
        assert run.ledger.plans_of(run.ledger_run) == []


def test_the_role_that_disables_can_do_nothing_else(forgotten):
    def refused(statement, *values):
        with forgotten.database("clo_ops_accounts") as connection, pytest.raises(psycopg.Error) as caught:
            connection.execute(statement, values)
        return str(caught.value)

    function = "SELECT * FROM account_disable(%s, 'manager', 'x')"
    assert "permission denied" in refused("SELECT 1 FROM app_users")
    assert "permission denied" in refused("UPDATE app_users SET disabled = false")
    assert "service account" in refused(function, "feed.loader")
    assert "the last that can administer" in refused(function, "admin")
    assert "there is no account nobody" in refused(function, "nobody")
    assert "somebody else" in refused(function, "manager")
    with forgotten.database("clo_ops_reader") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(function, ["old.admin"])


def test_what_the_database_refuses_is_a_failed_step_and_the_others_go_on(forgotten):
    with forgotten.database() as connection:
        connection.execute("UPDATE app_users SET created_at = now() - interval '1 year', last_login_at = NULL")
        connection.execute("DELETE FROM login_attempts")
    with by_hand(forgotten) as run:
        names = {step.target for step in plan_of(run).steps}
        audit_tasks.listed(run)
        decide(run, APPROVE, "operator2", "", known_as=["manager"])
        findings = inactive(run)
    left = {one.subject: one for one in findings}
    assert {"admin", "old.admin"} <= names
    assert findings[1].status is Status.FAIL
    assert "the last that can administer the system" in findings[1].message
    assert "account admin (" in left["IAM-06"].message
    assert "account old.admin" not in left["IAM-06"].message


def test_a_refusal_reaches_the_caller_without_a_password(forgotten):
    with by_hand(forgotten) as run:
        (step, *_) = plan_of(run).steps
        target = dataclasses.replace(run.connections.accounts, password="wrong password here")
        with pytest.raises(Unreachable) as caught:
            disable(target, step, approved_by="manager", work="x", begun=False)
    assert "wrong password here" not in str(caught.value)
