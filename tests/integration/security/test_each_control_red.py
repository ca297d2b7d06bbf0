"""Every control of the catalogue is seen broken once, by the one thing it is there for, and by name."""

from __future__ import annotations

import json
import secrets
import socket
from datetime import timedelta

import psycopg
import pytest

from clo_ops.findings import Status
from clo_ops.findings.performed import Judged, Violation
from clo_ops.probes.performing import perform
from clo_ops.probes.targets import PostgresTarget
from demo.stack.postgres import Cluster
from tests.integration.security.test_audit_of_access import OF_ACCESS
from tests.integration.security.test_known_flaws import OF_PACKAGES
from tests.integration.security.test_planted_offences import FOUND

NEVER_ASSESSED = {"CIS-09", "CIS-10", "PRV-03"}
# A control that has no first look, or no review, in a new ledger.
ALWAYS = {"WF-01": {"SOX-05"}}
NOTED = (
    "INSERT INTO audit_logs (id, created_at, actor, action, object_type, object_id, detail, prev_hash, row_hash) "
    "SELECT max(id) + 1, now(),"
)
ANALYST = "(SELECT user_id FROM app_users WHERE username = 'analyst')"
LAST_BUSINESS_DAY = (
    "(SELECT max(g)::date FROM generate_series(now() - interval '6 days', now() - interval '1 day', interval '1 day') g"
    " WHERE extract(isodow FROM g) < 6 AND NOT EXISTS (SELECT FROM holidays WHERE holiday_date = g::date))"
)
# Control: what breaks it in the database (as a superuser, past triggers), and what it then names.
BROKEN = {
    "ACC-01": ("INSERT INTO login_attempts (username, success, source_ip, at) SELECT 'manager', true, '203.0.113.9', "
               f"{LAST_BUSINESS_DAY} + interval '15 hours'", "manager from 203.0.113.0/24"),
    "ACC-02": ("INSERT INTO login_attempts (username, success, source_ip, at) SELECT 'manager', true, '10.20.1.1', "
               "date_trunc('day', now(), 'UTC') - interval '21 hours' + n * interval '1 second' "
               "FROM generate_series(1, 11) n", "manager (11 logins outside"),
    "AUT-01": ("INSERT INTO login_attempts (username, success, source_ip, at) SELECT 'manager', false, '10.20.1.1', "
               "now() - interval '2 hours' + n * interval '1 second' FROM generate_series(1, 25) n",
               "manager (25 refused"),
    "AUT-03": ("INSERT INTO login_attempts (username, success, source_ip, at) SELECT 'user' || n, false, "
               "'198.51.100.' || n % 10, now() - interval '2 hours' + n * interval '1 second' "
               "FROM generate_series(1, 30) n", "credential stuffing ("),
    "IAM-02": ("UPDATE app_users SET totp_secret = NULL WHERE username = 'manager'",
               "account manager (no second factor)"),
    "IAM-04": ("INSERT INTO app_roles (role_name, description) VALUES ('auditor', ''); "
               "DELETE FROM app_user_roles WHERE user_id = {analyst}; UPDATE app_user_roles SET granted_by = 'sql' "
               "WHERE user_id = (SELECT user_id FROM app_users WHERE username = 'viewer')",
               "account analyst (is enabled and holds no role); account viewer, role viewer (given by sql, who is no "
               "account); role auditor (nobody answers for it)"),
    "IAM-05": ("INSERT INTO login_attempts (username, success, source_ip, at) SELECT 'manager', true, "
               "'198.51.' || n || '.7', date_trunc('hour', now(), 'UTC') - n * interval '8 minutes' "
               "FROM generate_series(35, 40) n", "account manager (used from 6 networks within an hour"),
    "IAM-06": ("INSERT INTO app_users (username, full_name, email, created_at) VALUES "
               "('old.admin', 'Former Administrator', '', now() - interval '2 years'), "
               "('never.came', 'Hired, Never Came', '', now() - interval '31 days'); "
               "INSERT INTO login_attempts (username, success, source_ip, at) VALUES "
               "('old.admin', true, '10.20.1.77', now() - interval '91 days')",
               "account never.came (no role; never used since"),
    "PRV-01": ("INSERT INTO audit_logs (id, created_at, actor, action, object_type, object_id, detail, prev_hash, "
               "row_hash) SELECT max(id) + 1, now(), 'viewer', 'role_granted', 'user', 'viewer', '{}', '', '' "
               "FROM audit_logs",
               "user viewer: viewer; it takes admin); role_granted by viewer at"),
    "PER-01": ("INSERT INTO permission_changes (changed_by, username, role_name, action, approved_by) "
               "VALUES ('admin', 'viewer', 'manager', 'granted', 'admin')",
               "approved by admin, who is concerned"),
    "PER-02": ("INSERT INTO app_user_roles (user_id, role_id, granted_by) SELECT {analyst}, role_id, 'sql' "
               "FROM app_roles WHERE role_name = 'viewer'", "analyst holds viewer (granted by sql"),
    "SOX-02": ("INSERT INTO calculation_jobs (deal_id, kind, requested_by, status, queued_at, finished_at) SELECT "
               "min(deal_id), 'compliance', 'analyst', 'completed', now() - interval '5 days', now() - "
               "interval '5 days' FROM clo_deals", "nobody decided within 3 days"),
    "SOX-03": ("INSERT INTO configuration_changes (changed_by, setting, new_value) VALUES ('admin', 'x', '1')",
               "of x (by admin"),
    "SOX-04": ("INSERT INTO app_user_roles (user_id, role_id, granted_by, granted_at) SELECT {analyst}, role_id, "
               "'sql', now() - interval '1 year' FROM app_roles WHERE role_name = 'manager'",
               "account analyst (holds manager and analyst)"),
    "SEC-01": ("UPDATE audit_logs SET object_id = 'gone' WHERE id = (SELECT max(id) FROM audit_logs "
               "WHERE action = 'calculation_completed')", "does not have its completion"),
    "SEC-02": ("DELETE FROM audit_anchor WHERE anchor_date = (SELECT max(anchor_date) - 1 FROM audit_anchor)",
               "no anchor"),
    "SEC-03": ("GRANT UPDATE ON audit_logs TO clo_backup", "role clo_backup on audit_logs (may update)"),
    "SEC-04": ("UPDATE report_jobs SET file_path = '/r.csv' WHERE job_id = (SELECT job_id FROM report_jobs "
               "ORDER BY finished_at DESC LIMIT 1)", "has no hash"),
    "GDP-01": ("INSERT INTO login_attempts (username, success, at) VALUES ('x', true, now() - interval '2 years')",
               "login attempts of"),
    "GDP-02": ("INSERT INTO subject_requests (kind, subject, received_at, due_at, handled_by) VALUES "
               "('erasure', 's', now() - interval '31 days', now() - interval '1 day', 'dpo')", "is open"),
    "GDP-03": ("INSERT INTO data_access (username, kind, data_class, object_type, row_count) "
               "VALUES ('viewer', 'read', 'personal', 'user', 20)", "account viewer (read of user"),
    "CIS-04": ("GRANT SELECT ON assets TO PUBLIC", "table public.assets (everybody may select)"),
    "AUD-01": ("UPDATE audit_logs SET actor = 'nobody' WHERE id = (SELECT min(id) + 30 FROM audit_logs)",
               "edited row (1:"),
    "AUD-03": ("UPDATE clo_deals SET updated_at = created_at; UPDATE assets SET updated_at = created_at; "
               "UPDATE liabilities SET updated_at = created_at; "
               "DELETE FROM audit_logs WHERE (created_at AT TIME ZONE 'UTC')::date = {day}",
               "not one row"),
    "AUD-04": ("SET LOCAL session_replication_role = origin; SELECT audit_write('ghost', 'setting_changed', 'x', 'y')",
               "by ghost, whom nobody knows"),
    "TRL-02": ("UPDATE app_settings SET value = '9', updated_at = now() WHERE setting = 'session.length_minutes'",
               "setting session.length_minutes ("),
    "EVT-01": ("INSERT INTO security_events (event_type, severity, owner) VALUES ('odd', 'info', 'desk')",
               "no class"),
}  # fmt: skip
# Server settings, which are of all databases: what makes them so, and the controls that see it.
SETTINGS = {
    "log_connections = off": {"WM-09": {"CFG-01"}, "WF-04": {"CIS-01"}},
    "password_encryption = 'md5'": {"WM-09": {"CFG-01"}, "WF-04": {"CIS-02"}},
    "zero_damaged_pages = on": {"WM-09": set(), "WF-04": {"CIS-07"}},
}
# What can be cut out of a chain, and what it is called: the ledger remembers its end.
CUTS = {
    "DELETE FROM audit_logs WHERE id < 20": "deleted head (",
    "DELETE FROM audit_logs WHERE id BETWEEN 500 AND 520": "deleted middle (",
    "DELETE FROM audit_logs WHERE id > (SELECT max(id) - 3 FROM audit_logs)": "cut tail (",
}
HERE = {
    "CFG-04",
    "CFG-05",
    "CFG-06",
    "CFG-07",
    "CFG-08",
    "TRL-01",
    "CIS-05",
    "CIS-08",
    "SOX-05",
    *OF_ACCESS,
    *OF_PACKAGES,
}


def break_it(site, statement):
    with site.database("postgres") as connection, connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        for name, words in (("{analyst}", ANALYST), ("{day}", LAST_BUSINESS_DAY), ("{noted}", NOTED)):
            statement = statement.replace(name, words)
        for one in statement.split("; "):
            connection.execute(one)


@pytest.mark.parametrize(
    "procedure",
    ["WM-06", "WM-07", "WM-08", *(f"WF-0{n}" for n in (1, 2, 3, 4, 5, 6, 8)), *(f"M1-0{n}" for n in (1, 2, 3, 4))],
)
def test_each_control_sees_what_it_is_there_for_and_names_it(copy, procedure):
    expected = {one.id: BROKEN[one.id] for one in copy.policy.controls.of(procedure) if one.id in BROKEN}
    for statement, _ in expected.values():
        break_it(copy, statement)
    broken = copy.broken(procedure)
    assert set(broken) == set(expected) | ALWAYS.get(procedure, set()), broken
    for control, (_, words) in expected.items():
        assert words in broken[control]


# Ways round a control: what is done in the database, and what is told of it all the same.
ROUND = {
    "SEC-01": ("DELETE FROM report_jobs WHERE job_id::text = (SELECT object_id FROM audit_logs "
               "WHERE action = 'report_completed' ORDER BY id DESC LIMIT 1)",
               "says report completed, and there is no such record"),
    "SEC-03": ("GRANT UPDATE (detail) ON audit_logs TO clo_backup", "role clo_backup on audit_logs (may update)"),
    "SOX-02": ("INSERT INTO calculation_jobs (deal_id, kind, requested_by, status, queued_at, finished_at, error) "
               "SELECT min(deal_id), 'compliance', 'analyst', 'completed', now() - interval '5 days', now() - "
               "interval '5 days', 'round' FROM clo_deals; INSERT INTO calculation_approvals (job_id, decision, "
               "decided_by, decided_at) SELECT job_id, 'approved', 'manager', now() - interval '1 day' "
               "FROM calculation_jobs WHERE error = 'round'", "nobody decided within 3 days"),
    "AUD-02": ("UPDATE asset_cash_flows SET interest_payment = interest_payment + 1, updated_at = now() "
               "WHERE id = (SELECT min(id) FROM asset_cash_flows)", "cash flow 1 of asset "),
    "PER-01": ("INSERT INTO permission_changes (changed_by, username, role_name, action, approved_by) "
               "VALUES ('admin', 'viewer', 'manager', 'granted', 'ADMIN')", "approved by ADMIN, who is concerned"),
    "PER-02": ("{noted} 'admin', 'role_granted', 'user', 'viewer', '{\"role\": \"analyst\"}', '', '' FROM audit_logs",
               "role_granted by admin for viewer, no permission change on record"),
    "PRV-01": ("INSERT INTO app_user_roles (user_id, role_id, granted_by) SELECT {analyst}, role_id, 'analyst' "
               "FROM app_roles WHERE role_name = 'admin'; INSERT INTO permission_changes (changed_by, username, "
               "role_name, action, approved_by, reason) VALUES ('analyst', 'analyst', 'admin', 'granted', 'manager', "
               "'mine'); {noted} 'analyst', 'role_granted', 'user', 'analyst', '{\"role\": \"admin\"}', '', '' "
               "FROM audit_logs", "user analyst: analyst; it takes admin"),
}  # fmt: skip


def test_who_goes_round_a_control_is_told_all_the_same(copy):
    for statement, _ in ROUND.values():
        break_it(copy, statement)
    broken = copy.broken("WM-08", "WF-01", "WF-02", "WF-05", "M1-04")
    for control, (_, words) in ROUND.items():
        assert words in broken[control]
    assert "approved by ADMIN, who is concerned" in broken["SOX-03"]


def test_a_right_on_a_setting_of_the_server_is_told(site):
    site.judged("WM-08")
    with site.cluster.connect() as connection:
        connection.execute("GRANT ALTER SYSTEM ON PARAMETER work_mem TO clo_backup")
        try:
            told = site.broken("WM-08")["PER-04"]
        finally:
            connection.execute("REVOKE ALL ON PARAMETER work_mem FROM clo_backup")
    assert "ALTER SYSTEM on setting work_mem for clo_backup (is new" in told


def test_a_chain_cut_at_its_head_middle_and_tail(copy):
    assert copy.broken("WF-05") == {}
    for cut in CUTS:
        break_it(copy, cut)
    told = copy.broken("WF-05")["AUD-01"]
    assert [words for words in CUTS.values() if words not in told] == []


@pytest.fixture
def server_setting(site):
    """Sets one of the server's settings, and takes all of them back."""

    def run(statement):
        with site.cluster.connect() as connection:
            connection.execute(statement)
            connection.execute("SELECT pg_reload_conf()")

    yield lambda setting: run(f"ALTER SYSTEM SET {setting}")
    run("ALTER SYSTEM RESET ALL")


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_that_is_not_the_baselines(site, server_setting, setting):
    server_setting(setting)
    name = setting.split(" ")[0]
    for procedure, controls in SETTINGS[setting].items():
        broken = site.broken(procedure)
        assert set(broken) == controls
        assert all(f"setting {name} (" in words for words in broken.values())


def test_drift_is_told_with_both_values_and_against_the_trail(seen, server_setting):
    site = seen("WM-09", "WF-06")
    server_setting("log_disconnections = off")
    assert "setting log_disconnections (was on, is off" in site.broken("WM-09")["CFG-08"]
    silent = site.broken("WF-06")
    assert set(silent) == {"TRL-01"}
    assert "the trail does not speak of it" in silent["TRL-01"]


def test_a_change_that_was_entered_is_no_finding_and_an_entry_without_a_change_is(seen, server_setting, copy):
    copy.judged("WF-06", copy.at - timedelta(days=8))
    entry = "INSERT INTO configuration_changes (changed_by, setting, new_value, approved_by) VALUES "
    server_setting("log_disconnections = off")
    break_it(copy, f"{entry} ('admin', 'postgresql.log_disconnections', 'off', 'manager')")
    yesterday = copy.at - timedelta(days=1)
    assert copy.broken("WF-06", at=yesterday) == {}, "a run made up for a day late sees the settings of now"
    assert copy.broken("WF-06") == {}, "and the next one does not miss the change it has seen"
    break_it(copy, f"{entry} ('admin', 'postgresql.work_mem', '8MB', 'manager')")
    assert "postgresql.work_mem (the trail has a change" in copy.broken("WF-06")["TRL-01"]


def test_redis_without_a_password(site, cache):
    import redis

    with redis.Redis.from_url(cache.url()) as client:
        client.config_set("requirepass", "")
        try:
            assert "redis without credentials" in site.broken("WM-09")["CFG-04"]
        finally:
            client.config_set("requirepass", cache.password)
    assert site.broken("WM-09") == {}


def test_a_password_everybody_knows(site):
    with site.cluster.connect() as connection:
        connection.execute("ALTER ROLE clo_app PASSWORD 'changeme'")
        try:
            broken = site.broken("WM-09")
        finally:
            connection.execute(f"ALTER ROLE clo_app PASSWORD '{site.cluster.password('clo_app')}'")
    assert set(broken) == {"CFG-05"}
    assert "role clo_app (lets in with a password everybody knows)" in broken["CFG-05"]
    assert "changeme" not in broken["CFG-05"]


def with_parameters(site, control, **parameters):
    controls = site.policy.controls
    changed = controls[control].model_copy(update={"parameters": parameters})
    changed_all = controls.model_copy(update={"catalogue": {**controls.catalogue, control: changed}})
    site.policy = site.policy.model_copy(update={"controls": changed_all})


def test_a_file_others_may_write(site, tmp_path):
    secret, gone = tmp_path / "secret", tmp_path / "gone"
    secret.write_text("")
    secret.chmod(0o646)
    files = [{"path": str(one), "at_most": "0640", "owner": "root"} for one in (secret, gone)]
    with_parameters(site, "CFG-06", files=files)
    broken = site.broken("WM-09")
    assert set(broken) == {"CFG-06"}
    assert f"file app1:{secret} (mode 646, at most 0640)" in broken["CFG-06"]
    assert f"file app1:{gone} (is not there)" in broken["CFG-06"]
    secret.chmod(0o640)
    gone.write_text("")
    gone.chmod(0o600)
    assert site.broken("WM-09") == {}


def test_an_extension_nobody_named(site):
    with_parameters(site, "CIS-05", allowed=["pg_stat_statements"])
    assert "extension plpgsql (not in the baseline)" in site.broken("WF-04")["CIS-05"]


def test_a_person_whose_password_never_ends(site):
    name = f"person_{secrets.token_hex(4)}"
    with site.cluster.connect() as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN")
        try:
            assert set(site.broken("WF-04")) == {"CIS-08"}
            connection.execute(f"ALTER ROLE {name} VALID UNTIL '2027-01-01'")
            assert site.broken("WF-04") == {}
        finally:
            connection.execute(f"DROP ROLE {name}")


def test_reviews_that_were_not_made_are_owed_and_those_that_got_no_answer_too(site):
    assert "review WM-06" in site.broken("WF-01")["SOX-05"]
    for procedure in ("WM-07", "WM-08", "WM-09"):
        site.judged(procedure)
    site.reviewed()
    site.elsewhere["clo_postgres"] = {"host": "127.0.0.1", "port": 1, "login": "x", "schema": "clo", "password": "x"}
    site.judged("WM-06")
    site.elsewhere.clear()
    owed = site.broken("WF-01")["SOX-05"]
    assert "review WM-06" in owed
    assert "review WM-07" not in owed
    site.judged("WM-06")
    assert "SOX-05" not in site.broken("WF-01")


@pytest.mark.parametrize("procedure", ["WM-06", "WM-07", "WM-08", "WM-09", *(f"WF-0{n}" for n in range(1, 9))])
def test_a_database_that_does_not_answer_is_unknown_and_never_a_pass(site, procedure):
    site.elsewhere["clo_postgres"] = {"host": "127.0.0.1", "port": 1, "login": "x", "schema": "clo", "password": "x"}
    asked = {one.id for one in site.policy.controls.of(procedure) if one.query}
    findings = site.judged(procedure)
    assert {one.subject for one in findings if one.status is Status.UNKNOWN} >= asked
    assert not {one.subject for one in findings if one.status is Status.PASS} & asked


def test_a_question_without_its_privilege_is_unknown_and_hides_no_other(copy):
    break_it(copy, "REVOKE SELECT ON data_access FROM clo_ops_reader")
    unknown = {one.subject for one in copy.judged("WF-03") if one.status is Status.UNKNOWN}
    assert unknown == {"GDP-01", "GDP-03"}
    (found,) = [one for one in copy.judged("WF-03") if one.subject == "GDP-03"]
    assert "permission denied for table data_access" in found.message
    assert "needs select on data_access" in found.message


def test_other_things_than_the_database_that_do_not_answer(site, cache):
    site.elsewhere["clo_redis"] = {"host": "127.0.0.1", "port": 1, "password": "x"}
    extra = json.dumps({"transport": "ssh"})
    site.elsewhere["clo_host_app1"] = {"host": "127.0.0.1", "port": 1, "login": "ops", "password": "x", "extra": extra}
    unknown = {one.subject for one in site.judged("WM-09") if one.status is Status.UNKNOWN}
    assert unknown == {"CFG-04", "CFG-06"}


def with_a_second_host(site):
    """app2, which nobody reaches, before app1."""
    first = site.policy.hosts[0]
    second = first.model_copy(update={"name": "app2", "connection": "clo_host_app2"})
    site.policy = site.policy.model_copy(update={"hosts": (second, *site.policy.hosts)})
    extra = json.dumps({"transport": "ssh"})
    site.elsewhere["clo_host_app2"] = {"host": "127.0.0.1", "port": 1, "login": "ops", "password": "x", "extra": extra}


def test_a_host_that_is_down_hides_no_other(site, apt, tmp_path):
    with_a_second_host(site)
    unknown = {one.subject: one for page in ("WM-09", "M1-04", "M1-05") for one in site.red(page)}
    assert {name: one.status for name, one in unknown.items()} == dict.fromkeys(
        ("CFG-06", "PRV-02", "VUL-03"), Status.UNKNOWN
    )
    assert all("app2" in one.message for one in unknown.values())
    (apt / "pending").write_text("Inst openssl [3.0.15-1] (3.0.17-1 Debian-Security:12/stable-security [amd64])\n")
    (tmp_path / "open").touch(0o666)
    (tmp_path / "open").chmod(0o666)
    with_parameters(site, "CFG-06", files=[{"path": str(tmp_path / "open"), "at_most": "0640"}])
    with_parameters(site, "PRV-02", groups=["root"], allowed=[])
    found = {one.subject: one for page in ("WM-09", "M1-04", "M1-05") for one in site.red(page)}
    assert {one.status for one in found.values()} == {Status.FAIL}
    assert {"app1" in one.message and "nobody answered: app2" in one.message for one in found.values()} == {True}


def test_what_is_not_configured_hides_no_other(site):
    site.elsewhere["clo_redis"] = {"host": ""}
    found = {one.subject: one for one in site.judged("WM-09")}
    assert {name for name, one in found.items() if one.status is Status.UNKNOWN} == {"CFG-04"}
    assert "not configured" in found["CFG-04"].message
    assert found["CFG-03"].status is Status.PASS


def test_every_control_is_seen_red_by_one_of_these_tests(site):
    settings = {one for seen in SETTINGS.values() for controls in seen.values() for one in controls}
    offences = {one for controls in FOUND.values() for one in controls}
    assert set(BROKEN) | settings | offences | HERE | NEVER_ASSESSED == set(site.policy.controls.catalogue)


def address_of_this_machine() -> str:
    """One that is not the loopback's; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


def test_a_session_in_clear_over_a_network(site, tmp_path):
    address = address_of_this_machine()
    asked = site.policy.controls["CFG-07"]
    with Cluster(tmp_path / "open", settings={"listen_addresses": "*"}) as cluster:
        with (cluster.data / "pg_hba.conf").open("a") as file:
            file.write(f"host all all {address}/32 scram-sha-256\nhost all all 127.0.0.1/0 scram-sha-256\n")
        with cluster.connect() as connection:
            connection.execute("SELECT pg_reload_conf()")
        target = PostgresTarget("127.0.0.1", cluster.port, "postgres", "postgres", cluster.password())
        assert Judged.plainly(perform(target, asked.query, {}).rows) == Judged(0)
        with psycopg.connect(cluster.url().replace("127.0.0.1", address)):
            judged = Judged.plainly(perform(target, asked.query, {}).rows)
            lines = Judged.plainly(
                perform(target, "security/hba_rules", site.policy.controls["CFG-03"].parameters).rows
            )
    assert judged.violations == (Violation("session of postgres", f"from {address} without TLS"),)
    assert [one.key for one in lines.violations] == ["pg_hba host all all 127.0.0.1", f"pg_hba host all all {address}"]
    assert all(one.reason.endswith("from another machine without TLS") for one in lines.violations)
