"""A copy of the world is dumped and restored for real; then it is changed, and the change is what is told."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from clo_ops.actions.drill import proof
from clo_ops.actions.drill.place import PlaceFailed
from clo_ops.findings import Finding, Status, worst
from clo_ops.policy import load_policy
from clo_ops.probes import contents as probe
from clo_ops.probes import integrity
from clo_ops.probes.targets import PostgresTarget
from clo_ops.rules import contents as rule
from demo.stack.postgres import Cluster

NONCE = "0123456789abcdef0123456789abcdef"
PLANT = f"INSERT INTO backup_canary (nonce) VALUES ('{NONCE}')"  # noqa: S608 - a constant
NUMBER = itertools.count()
# What a schema of somebody else may hold, and a dump and restore writes differently or in another order.
AWKWARD = """
CREATE SCHEMA extra;
CREATE TYPE extra.mood AS ENUM ('calm', 'nervous', 'it''s over');
CREATE DOMAIN extra.share AS numeric CHECK (VALUE BETWEEN 0 AND 1);
CREATE TABLE extra."odd.name "" here" (
    "Kind" varchar(9) CHECK ("Kind" IN ('LOAN', 'BOND', 'IT''S')), m extra.mood, part extra.share DEFAULT 0.5,
    gone int, f float8, r real, t timestamptz, i interval, b bytea, c money, d date,
    j jsonb, a text[], doubled numeric GENERATED ALWAYS AS (part * 2) STORED);
ALTER TABLE extra."odd.name "" here" DROP COLUMN gone;
INSERT INTO extra."odd.name "" here" SELECT 'LOAN', 'nervous', n / 1000.0, sqrt(n), n / 3.0::real,
    '2026-03-29T00:30Z'::timestamptz + n * interval '1 minute', n * interval '25 hours', decode(md5(n::text), 'hex'),
    n::money / 7, '2026-11-23'::date - n, jsonb_build_object('n', n), ARRAY['a', null, n::text]
FROM generate_series(1, 300) AS n;
CREATE TABLE extra.flow (day date NOT NULL, n int) PARTITION BY RANGE (day);
CREATE TABLE extra.flow_old PARTITION OF extra.flow FOR VALUES FROM (MINVALUE) TO ('2026-01-01');
CREATE TABLE extra.flow_new PARTITION OF extra.flow DEFAULT;
CREATE INDEX ON extra.flow (n) WHERE n > 3;
INSERT INTO extra.flow SELECT '2025-12-25'::date + n, n FROM generate_series(1, 20) AS n;
CREATE TABLE extra.parent (n int); CREATE TABLE extra.child (m int) INHERITS (extra.parent);
INSERT INTO extra.parent VALUES (1); INSERT INTO extra.child VALUES (2, 3), (3, 4);
CREATE SEQUENCE extra.tickets; SELECT nextval('extra.tickets') FROM generate_series(1, 40);
CREATE SEQUENCE extra.downwards INCREMENT -1; CREATE TABLE extra.below (n int DEFAULT nextval('extra.downwards'));
INSERT INTO extra.below SELECT FROM generate_series(1, 5);
CREATE VIEW extra.seen AS SELECT "Kind", count(*) AS n FROM extra."odd.name "" here" WHERE m <> 'calm' GROUP BY 1;
CREATE MATERIALIZED VIEW extra.kept AS SELECT * FROM extra.seen;
CREATE FUNCTION extra.twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n * 2';
CREATE TABLE extra.scaled (n numeric, v varchar(9), other int);
INSERT INTO extra.scaled VALUES (1.0, 'a', 1), (2, 'b', 2);
CREATE TABLE extra.no_columns (); INSERT INTO extra.no_columns DEFAULT VALUES;
CREATE STATISTICS extra.both ON day, n FROM extra.flow_new;
ALTER TABLE extra.parent ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON extra.parent FOR SELECT TO clo_ops_reader USING (n > 1);
"""


@dataclass(frozen=True)
class Restored:
    cluster: Cluster
    database: str
    manifest: dict[str, Any] = field(repr=False)

    @property
    def target(self) -> PostgresTarget:
        password = self.cluster.password()
        return PostgresTarget("127.0.0.1", self.cluster.port, self.database, "postgres", password)

    @contextmanager
    def connect(self) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(self.cluster.url(self.database), autocommit=True, row_factory=dict_row) as connection:
            yield connection

    def execute(self, *statements: str) -> None:
        with self.connect() as connection:
            connection.execute("SET session_replication_role = replica")
            for one in statements:
                connection.execute(one.encode())


@pytest.fixture(scope="module")
def policy() -> Any:
    return load_policy(mode="demo").recovery


@pytest.fixture(scope="module")
def restored(world: Any, moment: datetime, policy: Any, tmp_path_factory: pytest.TempPathFactory) -> Restored:
    """The world with awkward tables beside it, described, dumped and restored with PostgreSQL's own programs."""
    cluster, archive = world.cluster, tmp_path_factory.mktemp("archive") / "clo.dump"
    with cluster.connect() as connection:
        connection.execute("CREATE DATABASE source TEMPLATE clo")
    source = Restored(cluster, "source", {})
    source.execute(AWKWARD, PLANT)
    with source.connect() as connection:
        found = probe.describe(connection, freshness=policy.proof.freshness)
        manifest = found.as_manifest() | {"invariants": integrity.verdicts(connection, moment)}
    manifest |= {"snapshot_at": moment.isoformat(), "canary": {"table": "backup_canary", "nonce": NONCE}}
    run(cluster, "pg_dump", "-Fc", "-f", str(archive), "source")
    with cluster.connect() as connection:
        connection.execute("CREATE DATABASE restored TEMPLATE template0")
    run(cluster, "pg_restore", "-d", "restored", str(archive))
    run(cluster, "vacuumdb", "--analyze-only", "restored")
    return Restored(cluster, "restored", manifest)


def run(cluster: Cluster, program: str, *arguments: str) -> None:
    command = [str(cluster.bin / program), "-h", "127.0.0.1", "-p", str(cluster.port), "-U", "postgres", *arguments]
    subprocess.run(command, env={"PGPASSWORD": cluster.password()}, check=True, capture_output=True)


@pytest.fixture
def copy(restored: Restored) -> Iterator[Restored]:
    """A copy of the restored database that a test may break."""
    name = f"copy_{next(NUMBER)}"
    with restored.cluster.connect() as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE restored".encode())
        yield replace(restored, database=name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def judged(policy: Any) -> Callable[..., list[Finding]]:
    def judge(restored: Restored, manifest: dict[str, Any] | None = None) -> list[Finding]:
        """The contents alone, without amcheck: that has tests of its own."""
        given = restored.manifest if manifest is None else manifest
        found, answer = probe.ask(
            restored.target, freshness=policy.proof.freshness, canary=given.get("canary"), workers=2
        )
        return rule.judge(given, found, answer, policy.proof, rpo=timedelta(hours=1))

    return judge


def wrong(findings: list[Finding]) -> dict[str, list[str]]:
    """What is not green, by name, with its messages."""
    told: dict[str, list[str]] = {}
    for one in findings:
        if one.status is not Status.PASS:
            told.setdefault(one.name, []).append(one.message)
    return told


def test_a_restored_copy_is_what_was_described(restored: Restored, policy: Any) -> None:
    proven = proof.contents(restored.target, restored.manifest, policy.proof)
    findings = rule.judge(restored.manifest, proven.contents, proven.answer, policy.proof, rpo=timedelta(hours=1))
    has_amcheck = proven.answer.value("contents.index.checked") == 1
    assert set(wrong(findings)) == (set() if has_amcheck else {"indexes and heaps"})
    names = {one.name for one in findings}
    assert {"schema", "owners and grants", "tables", "row counts", "fingerprints", "sequences", "canary"} <= names
    assert {"newest row", "extensions", "indexes and heaps"} <= names
    differing = [one for one in proven.answer.select("contents.table.matches") if one.value != 1]
    assert differing == []
    assert proven.answer.value("contents.schema.matches") == 1


def test_leaves_and_odd_names_are_counted_and_parents_are_not(restored: Restored) -> None:
    tables = restored.manifest["tables"]
    assert tables['extra.odd.name " here']["rows"] == 300
    assert (tables["extra.flow_old"]["rows"], tables["extra.flow_new"]["rows"]) == (6, 14)
    assert (tables["extra.parent"]["rows"], tables["extra.child"]["rows"]) == (1, 2)
    assert not {"extra.flow", "extra.seen", "extra.kept"} & set(tables)


def test_the_servers_own_settings_make_no_difference(copy: Restored, judged: Any) -> None:
    settings = {"DateStyle": "German, DMY", "TimeZone": "Asia/Kathmandu", "IntervalStyle": "iso_8601",
                "extra_float_digits": "-5", "bytea_output": "escape", "search_path": "extra"}  # fmt: skip
    for name, value in settings.items():
        copy.execute(f"ALTER DATABASE {copy.database} SET {name} = '{value}'")
    with copy.connect() as connection:
        shown = connection.execute("SELECT now()::text, 0.1::float8 + 0.2").fetchone()
        assert "+0545" in str(shown), "the settings are in force"
        assert probe.describe(connection).as_manifest()["tables"] == copy.manifest["tables"]
        assert connection.execute("SHOW TimeZone").fetchone() == {"TimeZone": "Asia/Kathmandu"}
    assert wrong(judged(copy)) == {}


def test_a_manifest_of_the_older_kind_is_compared_in_its_own(copy: Restored, judged: Any, policy: Any) -> None:
    """Whatever kind this server could make: the backups of last year are to be proven too."""
    newer = copy.manifest["tables"]
    assert newer["public.assets"]["fingerprint"].startswith("2:")
    assert not newer["extra.no_columns"]["fingerprint"].startswith("2:")
    with copy.connect() as connection:
        text = {name: {"rows": 0, "fingerprint": "0"} for name in newer}
        older = probe.describe(connection, recorded=text).as_manifest()["tables"]
        asked = 'select sum(hashtextextended(t::text collate "C", 0))::text as n from app_roles as t'
        assert older["public.app_roles"]["fingerprint"] == connection.execute(asked).fetchone()["n"]
    assert not [one for one in older.values() if one["fingerprint"].startswith("2:")]
    found = proof.contents(copy.target, copy.manifest | {"tables": older}, policy.proof)
    assert {name: one.fingerprint for name, one in found.contents.tables.items()} == {
        name: one["fingerprint"] for name, one in older.items()
    }


def test_the_order_of_rows_makes_no_difference(copy: Restored, judged: Any) -> None:
    copy.execute("CREATE TEMP TABLE t AS SELECT * FROM asset_history; TRUNCATE asset_history;"
                 "INSERT INTO asset_history SELECT * FROM t ORDER BY md5(id::text)")  # fmt: skip
    assert wrong(judged(copy)) == {}


# (what is done to the copy, the finding it must raise, words its message must have)
CHANGES = [
    ("UPDATE assets SET coupon = coupon + 0.0001 WHERE blkrock_id = 'BRS00100002'", "fingerprints", "public.assets"),
    ("UPDATE extra.scaled SET other = 3 - other", "fingerprints", "extra.scaled"),
    ("UPDATE extra.scaled SET n = 1.00 WHERE n = 1.0", "fingerprints", "extra.scaled"),
    ("UPDATE extra.scaled SET v = NULL WHERE v = 'a'", "fingerprints", "extra.scaled"),
    ("UPDATE extra.\"odd.name \"\" here\" SET i = justify_hours(i)", "fingerprints", "extra.odd.name"),
    ("DELETE FROM extra.no_columns", "row counts", "extra.no_columns"),
    ("DELETE FROM waterfall_payments WHERE payment_id = 7", "row counts", "manifest 420, restored 419"),
    ("INSERT INTO feedback (username, rating, category) VALUES ('x', 1, 'y')", "row counts", "public.feedback"),
    ("DELETE FROM extra.flow_new WHERE n = 20", "row counts", "extra.flow_new"),
    ("DROP TABLE simulation_results", "tables", "missing: public.simulation_results"),
    ("CREATE TABLE smuggled (n int)", "tables", "extra: public.smuggled"),
    ("ALTER TABLE feedback ALTER rating TYPE bigint", "schema",
        "column public.feedback.rating is different (recorded #4 integer not null, restored #4 bigint not null)"),
    ("ALTER TABLE assets ALTER par_amount DROP NOT NULL", "schema", "column public.assets.par_amount"),
    ("ALTER TABLE app_sessions ALTER last_seen_at SET DEFAULT '2000-01-01'", "schema", "app_sessions.last_seen_at"),
    ("DROP INDEX asset_history_property", "schema", "index public.asset_history_property is missing"),
    ("ALTER TABLE deal_assets DROP CONSTRAINT deal_assets_position_status_check", "schema", "is missing"),
    ("ALTER TYPE extra.mood ADD VALUE 'worried'", "schema", "type extra.mood is different"),
    ("CREATE OR REPLACE FUNCTION extra.twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n * 3'", "schema",
        "function extra.twice(n integer) is different"),
    ("CREATE OR REPLACE VIEW extra.seen AS SELECT \"Kind\", 1::bigint AS n FROM extra.\"odd.name \"\" here\"",
        "schema", "view extra.seen is different"),
    ("ALTER TABLE audit_logs DISABLE TRIGGER ALL", "schema", "trigger public.audit_logs"),
    ("DROP POLICY few ON extra.parent", "schema", "policy extra.parent.few is missing"),
    ("ALTER SEQUENCE extra.tickets MAXVALUE 99", "schema", "sequence extra.tickets is different"),
    ("REVOKE SELECT ON assets FROM clo_ops_reader", "owners and grants", "grants on table public.assets"),
    ("ALTER TABLE feedback OWNER TO postgres", "owners and grants", "recorded clo_app, restored postgres"),
    ("ALTER SEQUENCE yield_curves_curve_id_seq RESTART WITH 6", "sequences", "behind its table: it gives 6 next"),
    ("ALTER SEQUENCE feedback_feedback_id_seq RESTART", "sequences", "gives 1 next"),
    ("ALTER SEQUENCE extra.downwards RESTART WITH -4", "sequences", "gives -4 next, extra.below.n has got to -5"),
    ("ALTER SEQUENCE extra.tickets RESTART WITH 3", "sequences recorded", "extra.tickets recorded 40, restored 3"),
    ("UPDATE backup_canary SET nonce = 'another backup''s'", "canary", "not among 1 rows"),
    ("DROP TABLE backup_canary", "canary", "there is no table backup_canary"),
    ("UPDATE audit_logs SET created_at = created_at - interval '3 hours'", "newest row", "3 h 0 min are lost"),
    ("TRUNCATE login_attempts", "newest row", "public.login_attempts has no row"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "name", "words"), CHANGES, ids=[change[:50] for change, _, _ in CHANGES])
def test_what_was_changed_after_the_restore_is_told(
    restored: Restored, policy: Any, change: str, name: str, words: str
) -> None:
    """In a transaction that is rolled back: the next one finds the copy as it was restored."""
    manifest, terms = restored.manifest, policy.proof
    with restored.connect() as connection, connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(change.encode())
        found = probe.describe(connection, freshness=terms.freshness)
        answer = probe.read_canary(connection, manifest["canary"], found.at)
    findings = rule.judge(manifest, found, answer, terms, rpo=timedelta(hours=1))
    assert worst(findings) is (Status.WARN if name == "sequences recorded" else Status.FAIL)
    assert any(words in message for message in wrong(findings)[name]), wrong(findings)


def test_a_manifest_of_row_counts_gives_what_it_allows(restored: Restored, judged: Any) -> None:
    tables = restored.manifest["tables"]
    old = {"format_version": 1, "canary": restored.manifest["canary"], "snapshot_at": restored.manifest["snapshot_at"],
           "tables": {name.removeprefix("public."): {"rows": one["rows"]} for name, one in tables.items()}}  # fmt: skip
    findings = {one.name: one.status for one in judged(restored, old)}
    assert {findings[name] for name in ("tables", "row counts", "canary", "sequences")} == {Status.PASS}
    assert {findings[name] for name in ("schema", "fingerprints")} == {Status.NOT_APPLICABLE}
    old["tables"]["assets"]["rows"] += 1
    assert "manifest 97, restored 96" in wrong(judged(restored, old))["row counts"][0]


def test_a_backup_without_a_manifest_is_no_pass(restored: Restored, judged: Any) -> None:
    findings = {one.name: one.status for one in judged(restored, {})}
    assert {findings[name] for name in ("tables", "schema", "canary")} == {Status.NOT_APPLICABLE}


def test_a_quiet_source_is_told(restored: Restored, judged: Any, moment: datetime) -> None:
    later = restored.manifest | {"snapshot_at": (moment + timedelta(days=9)).isoformat()}
    assert any("nothing for 9 d" in message for message in wrong(judged(restored, later))["newest row"])


def test_extensions_must_be_those_recorded(restored: Restored, judged: Any) -> None:
    other = restored.manifest | {"extensions": {"plpgsql": "0.9", "postgis": "3.3.2"}}
    (told,) = wrong(judged(restored, other))["extensions"]
    assert "missing postgis" in told
    assert "plpgsql 0.9 is 1.0" in told


def test_many_sessions_see_one_snapshot(restored: Restored, copy: Restored) -> None:
    """Rows written while the tables are read are in none of the sessions' answers."""
    opened = []

    @contextmanager
    def opener() -> Iterator[psycopg.Connection[Any]]:
        copy.execute("DELETE FROM holidays WHERE holiday_date < '2026-12-01'", "DELETE FROM feedback")
        with copy.connect() as connection:
            opened.append(connection)
            yield connection

    with copy.connect() as connection:
        found = probe.describe(connection, opener=opener, workers=3)
    assert len(opened) == 2
    assert found.as_manifest()["tables"] == restored.manifest["tables"]


def test_a_role_that_may_not_read_a_table_says_so(restored: Restored, world: Any) -> None:
    target = replace(restored.target, user="clo_ops_reader", password=restored.cluster.password("clo_ops_reader"))
    found, answer = probe.ask(target)
    assert found is None
    assert "permission denied" in answer.unanswered[0].reason


def test_a_copy_that_cannot_be_reached_is_unknown(restored: Restored, policy: Any) -> None:
    proven = proof.contents(replace(restored.target, port=1), restored.manifest, policy.proof)
    findings = rule.judge(restored.manifest, proven.contents, proven.answer, policy.proof, rpo=timedelta(hours=1))
    assert [one.status for one in findings] == [Status.UNKNOWN]


def test_nothing_is_written_into_the_server_the_backup_was_taken_of(restored: Restored, policy: Any) -> None:
    with restored.connect() as connection:
        row = connection.execute("SELECT system_identifier::text AS own FROM pg_control_system()").fetchone()
    assert row
    with pytest.raises(PlaceFailed, match="that of the backup's source"):
        proof.contents(restored.target, restored.manifest | {"system_identifier": row["own"]}, policy.proof)


# ---------------------------------------------------------------- what it means


def test_the_invariants_hold_in_the_copy_and_data_docs_say_so(
    restored: Restored, policy: Any, tmp_path: Path, moment: datetime
) -> None:
    from clo_ops.rules import integrity as meaning

    answer = proof.meaning(restored.target, restored.manifest, policy.proof, evidence=tmp_path)
    findings = meaning.judge(answer, restored.manifest, None, policy.proof, at=moment)
    assert {one.status for one in findings} == {Status.PASS, Status.NOT_APPLICABLE}
    assert len(list(answer.select("integrity.violations"))) == len(restored.manifest["invariants"]) > 50
    pages = [path.name for path in (tmp_path / "validations").rglob("*.html")]
    assert len(pages) == 8
    assert (tmp_path / "index.html").is_file()


def test_violators_are_told_as_keys_and_never_as_values(
    copy: Restored, policy: Any, tmp_path: Path, moment: datetime
) -> None:
    from clo_ops.rules import integrity as meaning

    copy.execute(
        "UPDATE assets SET issuer_name = 'Utterly Secret Ltd', sp_rating = 'Zz9' WHERE blkrock_id = 'BRS00100002'",
        "UPDATE clo_tranches SET current_balance = 123454321.77 WHERE tranche_id = 'CLO-0001-A'",
        "UPDATE asset_pricing SET bid_price = mid_price + 0.1357911 WHERE pricing_id < 50",
        "DROP TABLE yield_curve_points",
    )
    answer = proof.meaning(copy.target, copy.manifest, policy.proof, evidence=tmp_path)
    findings = meaning.judge(answer, copy.manifest, {"I03": 0, "I24": 2}, policy.proof, at=moment)
    told = {one.subject: one for one in findings if one.name == "invariant"}
    assert (told["I03"].status, told["I11"].status, told["I19"].status) == (Status.FAIL, Status.FAIL, Status.WARN)
    assert "CLO-0001-A" in told["I11"].message
    assert "critical, newly broken since the last drill" in told["I11"].message
    unknown = [one for one in findings if one.status is Status.UNKNOWN]
    assert {one.name[15:18] for one in unknown} >= {"I01", "I07"}
    (recorded,) = [one for one in findings if one.name == "invariants as at backup time"]
    assert recorded.status is Status.FAIL
    text = "".join(path.read_text() for path in tmp_path.rglob("*.html"))
    shown = text + str(answer.as_json()) + str([one.as_json() for one in findings])
    assert "CLO-0001-A" in text
    for confidential in ("Utterly Secret", "Zz9", "123454321", "1357911", copy.cluster.password()):
        assert confidential not in shown
