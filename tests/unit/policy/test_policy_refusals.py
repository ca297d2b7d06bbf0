"""Everything invalid is refused when loaded, and the message has file, key, given, allowed and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clo_ops.findings import ConfigurationError
from clo_ops.policy import load_policy

# file, what stands there, what is put there, key, what the message says was given, what it says is allowed
ONE_FAULT = [
    # unknown keys and missing ones
    (
        "thresholds.yaml",
        "hold_for: 10 min",
        "hold_four: 10 min",
        "cpu.hold_four",
        "unknown key 'hold_four'",
        "hold_for",
    ),
    ("morning.yaml", "pool_size: 20", "pool_sizes: 20", "connections.pool_sizes", "unknown key", "pool_size"),
    ("hosts.yaml", "mounts: [/]", "mounts: [/]\n  colour: red", "[0].colour", "unknown key 'colour'", "mounts"),
    ("thresholds.yaml", "  unit: percent\n", "", "cpu.unit", "nothing", "one of percent, ms, s, bytes"),
    ("recovery.yaml", "  rto: 4 h\n", "", "targets.rto", "nothing", "a duration with its unit"),
    # access reviews
    (
        "audit.yaml",
        "Security Officer: [manager, admin]",
        "Officer: [admin]",
        "review.reviewers",
        "'Security",
        "Officer",
    ),
    (
        "audit.yaml",
        "answer_within: 14 days",
        "answer_within: 15 days",
        "review.answer_within",
        "15 days",
        "shorter than",
    ),
    # the disaster-recovery test
    ("recovery.yaml", "expires: 12 h", "expires: 4 h", "drill.expires", "4 h", "longer than restore_within (4 h)"),
    (
        "recovery.yaml",
        'image: "postgres:{major}"',
        'image: "postgres:{version}"',
        "docker.image",
        "{version}",
        "{major}",
    ),
    (
        "recovery.yaml",
        "pattern: '^(?:psql:[^:]+:\\d+: )?NOTICE:'",
        "pattern: '(NOTICE:'",
        "restore.tolerated[3].pattern",
        "(NOTICE:",
        "a regular",
    ),
    (
        "recovery.yaml",
        'fsync: "off"',
        "fsync: false",
        "settings.values.fsync",
        "False",
        "a setting as PostgreSQL reads",
    ),
    ("recovery.yaml", "place: docker", "place: podman", "drill.place", "'podman'", "one of docker, local"),
    # the watch, and the pace of retention
    ("alerting.yaml", "announce_again: 30 s", "announce_again: 10 s", "watch.announce_again", "0:00:10", "three looks"),
    (
        "retention.yaml",
        "rows_beside_writers: 200",
        "rows_beside_writers: 10001",
        "archive.rows_beside_writers",
        "10001",
        "at most rows_per_batch (10000)",
    ),
    (
        "maintenance.yaml",
        "windows: [weekly, monthly, emergency]",
        "windows: [weekly, sometimes]",
        "indexes.large.windows[1]",
        "sometimes",
        "emergency",
    ),
    # units
    ("thresholds.yaml", "window: 5 min", "window: 5", "cpu.window", "5", "a duration with its unit"),
    ("thresholds.yaml", "unit: percent", "unit: procent", "cpu.unit", "'procent'", "one of percent"),
    ("thresholds.yaml", "above: 70,", "above: 70 %,", "cpu.warning.above", "70 %", "a number"),
    ("morning.yaml", "warning_percent: 75 %", "warning_percent: 75", "connections.warning_percent", "75", "75 %"),
    (
        "morning.yaml",
        "slow_mean: {warning: 500 ms,",
        "slow_mean: {warning: 500,",
        "statements.slow_mean.warning",
        "500",
        "a duration",
    ),
    ("morning.yaml", "critical_within: 7 days", "critical_within: 29 days", "trend.critical_within", "29", "horizon"),
    ("morning.yaml", "      critical_level: 18\n", "", "trend.resources[3].critical_level", "None", "or neither"),
    ("retention.yaml", "keep: 90 days", "keep: 90", "classes.application_logs.keep", "90", "a period with its unit"),
    ("windows.yaml", "starts: 02:00 UTC", "starts: 02:00", "planned.weekly.starts", "02:00", "18:00 UTC"),
    ("business_calendar.yaml", "opens: 08:00", "opens: 8", "opens", "8", "08:00"),
    # order of levels
    ("thresholds.yaml", "above: 70,", "above: 85,", "cpu.warning.above", "85 percent", "below critical.above (85"),
    ("thresholds.yaml", "clear_at: 65", "clear_at: 70", "cpu.warning.clear_at", "70", "below above (70)"),
    ("thresholds.yaml", "clear_at: 80,", "clear_at: 90,", "cpu.critical.clear_at", "90", "below above (85)"),
    ("morning.yaml", "75 %", "90 %", "connections.warning_percent", "90 %", "below critical_percent (90 %)"),
    (
        "morning.yaml",
        "{warning: 30 s",
        "{warning: 6 min",
        "connections.blocked.warning",
        "6 min",
        "shorter than critical",
    ),
    ("endpoints.yaml", "warning: 500 ms", "warning: 2 s", "[0].warning", "2 s", "shorter than critical (1 s)"),
    ("morning.yaml", "lowest: 0.5", "lowest: 1.5", "backups.size_band.lowest", "1.5 to 2", "a band round 1"),
    ("morning.yaml", "maximum_age: 26 h", "maximum_age: 20 h", "backups.maximum_age", "20 h", "not below interval"),
    ("kpis.yaml", "at_risk: 99.95", "at_risk: 99.8", "availability.at_risk", "99.8", "on the good side of target"),
    ("kpis.yaml", "at_risk: 80", "at_risk: 120", "response_time.at_risk", "120", "on the good side of target"),
    ("cadences.yaml", "timeout: 45 min", "timeout: 15 min", "daily_morning_startup.timeout", "15 min", "not shorter"),
    # windows
    (
        "windows.yaml",
        "ends: 04:00 UTC",
        "ends: 01:00 UTC",
        "planned.weekly.ends",
        "01:00 UTC",
        "after starts (02:00 UTC)",
    ),
    (
        "windows.yaml",
        "ends: 04:00 UTC",
        "ends: 02:00 UTC",
        "planned.weekly.ends",
        "02:00 UTC",
        "after starts (02:00 UTC)",
    ),
    ("business_calendar.yaml", "closes: 18:00", "closes: 07:00", "closes", "07:00", "after opens (08:00)"),
    # cron and calendar
    ("cadences.yaml", "cron: 0 8 * * *", "cron: 0 25 * * *", "daily_morning_startup.cron[0]", "0 25", "hour 25"),
    ("cadences.yaml", "0 2 * * SUN#1", "0 2 1-7 * 0", "maintenance_monthly.cron[0]", "0 2 1-7 * 0", "not both"),
    (
        "business_calendar.yaml",
        "America/New_York",
        "America/NewYork",
        "time_zone",
        "America/NewYork",
        "America/New_York",
    ),
    ("business_calendar.yaml", "country: US", "country: XX", "country", "'XX'", "holidays package"),
    ("business_calendar.yaml", "country: US", "country: usa", "country", "'usa'", "two letters"),
    (
        "business_calendar.yaml",
        "country: US",
        "country: US\nsubdivision: ZZ",
        "subdivision",
        "'ZZ'",
        "subdivision of US",
    ),
    # names that lead nowhere
    ("services.yaml", "check: tcp", "check: tcp\n  host: app9", "[3].host", "'app9'", "hosts.yaml: app1"),
    ("hosts.yaml", "mounts: [/]", "mounts: [/]\n  cpu: cpus", "[0].cpu", "'cpus'", "thresholds.yaml: cpu"),
    ("thresholds.yaml", "AL-01", "AL-91", "cpu.procedures[1]", "'AL-91'", "procedures.yaml"),
    ("kpis.yaml", "WF-09", "WF-99", "availability.procedures[0]", "'WF-99'", "procedures.yaml"),
    ("morning.yaml", "threshold: cpu", "threshold: cpus", "trend.resources[0].threshold", "'cpus'", "thresholds.yaml"),
    (
        "morning.yaml",
        "threshold: cpu",
        "threshold: response_time",
        "trend.resources[0].threshold",
        "in ms",
        "in percent",
    ),
    (
        "windows.yaml",
        "cadence: maintenance_weekly",
        "cadence: weekly",
        "planned.weekly.cadence",
        "'weekly'",
        "cadences.yaml",
    ),
    ("windows.yaml", "starts: 05:00", "starts: 04:00", "planned.monday.cadence", "0 5 * * MON", "at 04:00 UTC"),
    (
        "windows.yaml",
        "stands_in_for: weekly",
        "stands_in_for: sunday",
        "planned.monthly.stands_in_for",
        "'sunday'",
        "windows",
    ),
    (
        "cadences.yaml",
        "by: maintenance_monthly",
        "by: monthly",
        "maintenance_weekly.superseded_by",
        "'monthly'",
        "cadences",
    ),
    (
        "cadences.yaml",
        "procedures: [LM-02]",
        "procedures: [DM-02]",
        "log_management_real_time.procedures[0]",
        "'DM-02'",
        "of log_management",
    ),
    (
        "ladders.yaml",
        "[it_director]",
        "[it_directors]",
        "on_call.levels[3].contacts[0]",
        "'it_directors'",
        "contacts.yaml",
    ),
    (
        "contacts.yaml",
        "[it_manager, it_director]",
        "[it_boss]",
        "groups.it_management[0]",
        "'it_boss'",
        "contacts.yaml",
    ),
    (
        "severities.yaml",
        "group: on_call",
        "group: nobody",
        "levels.P1.notify[0].group",
        "'nobody'",
        "groups of contacts.yaml",
    ),
    # ladders
    (
        "ladders.yaml",
        "contacts: [it_director]",
        "contacts: []",
        "on_call.levels[3].contacts",
        "[]",
        "at least one",
    ),
    (
        "ladders.yaml",
        "after: 75 % of resolution",
        "after: 40 % of resolution",
        "on_call.levels[3].after",
        "40 %",
        "later than",
    ),
    ("ladders.yaml", "after: 75 % of resolution", "after: soon", "on_call.levels[3].after", "soon", "a step, such as"),
    # the same name twice
    ("services.yaml", "name: frontend", "name: api", "", "api", "names that differ"),
    ("endpoints.yaml", "name: me", "name: health", "", "health", "names that differ"),
    (
        "morning.yaml",
        "metric: clo.login.failed,",
        "metric: clo.user.active,",
        "baseline",
        "clo.user.active",
        "metrics that differ",
    ),
    (
        "thresholds.yaml",
        "memory:\n  title",
        "cpu:\n  title",
        "cpu",
        "a second time (first on line 7)",
        "every key once",
    ),
    # what a check needs
    ("services.yaml", "  path: /health\n", "", "[0].path", "nothing", "check http needs path, connection"),
    ("services.yaml", "check: tcp", "check: systemd", "[3].unit", "nothing", "check systemd needs unit, host"),
    ("services.yaml", "check: tcp", "check: ping", "[3].check", "'ping'", "one of systemd, container, http, tcp"),
    ("services.yaml", "severity: P1", "severity: P5", "[0].severity", "'P5'", "one of P1, P2, P3, P4"),
    ("services.yaml", "critical: true", "critical: yes", "[0].critical", "'yes'", "true or false"),
    ("morning.yaml", "pool_size: 20", 'pool_size: "20"', "connections.pool_size", "'20'", "a whole number"),
    ("morning.yaml", "pool_size: 20", "pool_size: 0", "connections.pool_size", "0", "1 or more"),
    (
        "vendors.yaml",
        "response: 2 h",
        "contract_ends: 2027-13-01\n  response: 2 h",
        "database.contract_ends",
        "2027-13-01",
        "date",
    ),
    ("vendors.yaml", "  response: 2 h\n", "", "database.response", "None", "a response time for a contract"),
    (
        "contacts.yaml",
        "email: it-director@",
        "email: it-director-",
        "people.it_director.email",
        "it-director-",
        "with an @",
    ),
    # where a figure comes from
    ("hosts.yaml", "manual: L41, L323-L333", "manual: page 3", "[0].manual", "page 3", "lines of the manual"),
    ("hosts.yaml", "manual: L41, L323-L333", "manual: L500", "[0].manual", "L500", "L1 to L480"),
    ("hosts.yaml", "  manual: L41, L323-L333\n", "", "[0]", "neither manual nor resolution", "at least one"),
    ("thresholds.yaml", "resolution: D46", "resolution: D99", "cpu.resolution[0]", "D99", "a resolution, such as"),
    ("procedures.yaml", "DM-01:", "DM-1:", "DM-1.id", "'DM-1'", "two characters and a number"),
]


@pytest.mark.parametrize("fault", ONE_FAULT, ids=lambda fault: f"{fault[0]}-{fault[3]}-{fault[2]}")
def test_one_fault_is_refused_with_all_there_is_to_know(site: Any, fault: tuple[str, ...]) -> None:
    file, old, new, key, given, allowed = fault
    problems = [problem for problem in site.edit(file, old, new).problems() if problem.key == key]
    assert problems, "\n".join(map(str, site.problems()))
    assert problems[0].file == file
    assert problems[0].line > 0
    assert given in problems[0].given
    assert allowed in problems[0].allowed


@pytest.mark.parametrize(
    ("file", "old", "new", "hint"),
    [
        ("thresholds.yaml", "hold_for:", "holdfor:", 'did you mean "hold_for"?'),
        ("morning.yaml", "websocket:", "web_socket:", 'did you mean "websocket"?'),
        ("services.yaml", "check: tcp", "check: tcp\n  host: app", 'did you mean "app1"?'),
        ("ladders.yaml", "[it_director]", "[it_directors]", 'did you mean "it_director"?'),
        ("thresholds.yaml", "window: 5 min", "window: 5", "write the unit"),
        ("windows.yaml", "starts: 02:00 UTC", "starts: 02:00", "write UTC behind the time"),
        ("cadences.yaml", "0 2 * * SUN#1", "0 2 1-7 * 0", 'write "SUN#1" for the first Sunday (D26)'),
    ],
)
def test_what_to_do_is_said(site: Any, file: str, old: str, new: str, hint: str) -> None:
    assert hint in {problem.do for problem in site.edit(file, old, new).problems()}


def test_all_problems_of_all_files_come_in_one_error(site: Any) -> None:
    site.edit("thresholds.yaml", "window: 5 min", "window: 5").edit("thresholds.yaml", "unit: ms", "unit: msec")
    site.edit("hosts.yaml", "connection: clo", "conection: clo").edit("kpis.yaml", "target: 99.9", "target: high")
    found = [(problem.file, problem.key) for problem in site.problems()]
    assert found == [
        ("hosts.yaml", "[0].connection"),
        ("hosts.yaml", "[0].conection"),
        ("kpis.yaml", "availability.target"),
        ("thresholds.yaml", "cpu.window"),
        ("thresholds.yaml", "response_time.unit"),
    ]


def test_the_message_reads_as_one_sentence_per_problem(site: Any) -> None:
    site.edit("thresholds.yaml", "above: 70,", "above: 95,")
    with pytest.raises(ConfigurationError) as refused:
        site.load()
    assert (
        "thresholds.yaml line 15, cpu.warning.above: given 95 percent, allowed: below critical.above (85 percent). "
        "Do: lower the warning or raise the critical level"
    ) in str(refused.value)
    assert str(site.directory) in str(refused.value)


# Files that are no YAML, or YAML that means something else than it seems to.
def test_bad_yaml_is_named_with_its_line(site: Any) -> None:
    problem = site.edit("thresholds.yaml", "above: 70,", "above: > 70%,").problem()
    assert (problem.file, problem.line, problem.allowed) == ("thresholds.yaml", 15, "YAML")


def test_an_empty_file(site: Any) -> None:
    (site.directory / "kpis.yaml").write_text("# nothing\n", encoding="utf-8")
    problem = site.problem()
    assert (problem.file, problem.given) == ("kpis.yaml", "an empty file")


def test_a_file_that_is_not_utf_8(site: Any) -> None:
    path: Path = site.directory / "hosts.yaml"
    path.write_bytes(path.read_bytes() + b"# H\xf6he\n")
    problem = site.problem()
    assert problem.file == "hosts.yaml"
    assert problem.given.startswith("byte 0xf6 at offset ")
    assert problem.allowed == "UTF-8 text"


@pytest.mark.parametrize(
    ("old", "new", "given", "key"),
    [
        (
            "connection: clo_host_app1",
            "connection: a\n  connection: b",
            "the key 'connection' a second time",
            "[0].connection",
        ),
        ("connection: clo_host_app1", "connection: !!python/name:os.system", "the tag tag:yaml", "[0].connection"),
        ("mounts: [/]", "mounts: &loop [/, *loop]", "an alias to itself", "[0].mounts[1]"),
        ("connection: clo_host_app1", "? [a, b]\n  : c", "a list or mapping as a key", "[0]"),
    ],
)
def test_yaml_that_is_no_plain_data(site: Any, old: str, new: str, given: str, key: str) -> None:
    found = site.edit("hosts.yaml", old, new).problems()
    assert any(given in problem.given and problem.key == key and problem.line > 0 for problem in found), found


def test_no_is_a_country_and_18_00_no_number(site: Any) -> None:
    policy = site.edit("business_calendar.yaml", "country: US", "country: NO").load()
    assert policy.business_calendar.country == "NO"
    assert policy.business_calendar.closes.hour == 18


def test_a_file_too_few_and_one_too_many(site: Any) -> None:
    (site.directory / "hosts.yaml").rename(site.directory / "host.yaml")
    (site.directory / "notes.yml").write_text("a: 1\n", encoding="utf-8")
    found = {problem.file: problem for problem in site.problems()}
    assert set(found) == {"hosts.yaml", "host.yaml", "notes.yml"}
    assert found["hosts.yaml"].given == "no such file"
    assert found["host.yaml"].do == 'did you mean "hosts.yaml"?'


def test_a_file_of_the_wrong_shape(site: Any) -> None:
    (site.directory / "hosts.yaml").write_text("app1: {}\n", encoding="utf-8")
    (site.directory / "kpis.yaml").write_text("- a\n", encoding="utf-8")
    assert [(one.file, one.allowed) for one in site.problems()] == [
        ("hosts.yaml", "a list"),
        ("kpis.yaml", "a mapping"),
    ]


def test_an_unreadable_file(site: Any) -> None:
    (site.directory / "hosts.yaml").unlink()
    (site.directory / "hosts.yaml").mkdir()
    assert site.problem().allowed == "a readable file"


def test_no_directory_and_no_such_mode(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no policy directory .*nowhere"):
        load_policy(tmp_path / "nowhere", "demo")
    with pytest.raises(ConfigurationError, match=r"'prod'.*demo, production"):
        load_policy(tmp_path, "prod")


# Contacts (D52).
REAL = (
    ("contacts.yaml", "your-domain.com", "clo-operations.eu"),
    ("contacts.yaml", "+1-555-EMERGENCY", '"+1 212 730 4471"'),
    ("vendors.yaml", "your-domain.com", "clo-operations.eu"),
)


def with_real_contacts(site: Any) -> Any:
    for file, old, new in REAL:
        path = site.directory / file
        path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    return site


def test_production_refuses_every_placeholder_and_demo_none(site: Any) -> None:
    assert site.load("demo").mode == "demo"
    problems = site.problems("production")
    assert {problem.file for problem in problems} == {"contacts.yaml", "vendors.yaml"}
    assert [problem.given for problem in problems][:4] == [
        "the placeholder 'operations@your-domain.com'",
        "the placeholder '+1-555-EMERGENCY'",
        "the placeholder 'status.your-domain.com'",
        "the placeholder 'docs.your-domain.com'",
    ]
    assert all("CLO_OPS_MODE=demo" in problem.do and problem.line for problem in problems)


def test_production_takes_real_contacts(site: Any) -> None:
    assert with_real_contacts(site).load("production").mode == "production"


@pytest.mark.parametrize(
    "placeholder",
    [
        "ops@your-domain.com",
        "ops@example.com",
        "ops@mail.example.org",
        "ops@clo.example",
        "ops@bank.test",
        "ops@bank.invalid",
        "changeme@bank.eu",
        "TODO@bank.eu",
        "OPS@EXAMPLE.NET",
    ],
)
def test_placeholders(site: Any, placeholder: str) -> None:
    with_real_contacts(site).edit("contacts.yaml", "it-director@clo-operations.eu", placeholder)
    problem = site.problem("production")
    assert (problem.key, problem.given) == ("people.it_director.email", f"the placeholder {placeholder!r}")


@pytest.mark.parametrize("real", ["ops@counterexample.com", "ops@latest-test.com", "ops@contest.eu", "ops@todorov.eu"])
def test_names_that_only_look_like_placeholders(site: Any, real: str) -> None:
    assert with_real_contacts(site).edit("contacts.yaml", "it-director@clo-operations.eu", real).load("production")
