"""Building the world, phase by phase: each is one transaction with its marker, so that a killed build shows."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg import sql

from demo.world import people, reference
from demo.world.database import Connection, advance_sequences, connect, copy_records, copy_rows, run_file
from demo.world.deal_records import stamp
from demo.world.groups import Change, Group, Ids
from demo.world.money import rate
from demo.world.operations import Operations
from demo.world.people import Credential
from demo.world.plan import Plan
from demo.world.rates import INDEX, Fixings

Progress = Callable[[str], None]
Given = Mapping[str, Mapping[str, str]]
DONE = "complete"
IMMUTABLE = ("industry_classifications", "rating_scales", "simulation_scenarios", "waterfall_structures")
POOLS = """INSERT INTO collateral_pools (deal_id, total_par_amount, total_assets, average_par_amount, updated_at)
SELECT deal_id, sum(par_amount), count(*), round(avg(par_amount), 2), %s
FROM deal_assets WHERE position_status = 'ACTIVE' GROUP BY deal_id ORDER BY deal_id"""
COUNTED = sql.SQL(
    "INSERT INTO migration_metadata (table_name, rows_migrated, migrated_at) SELECT %s, count(*), %s FROM {}"
)
LOCK = 7_040_001  # one build at a time in a database


class OtherWorld(RuntimeError):
    """The database holds a finished world of other parameters, or tables that are not a world of ours."""


@dataclass(frozen=True)
class Built:
    """``credentials`` are those of the users who can log in; empty when the world was there and none were given."""

    plan: Plan
    credentials: tuple[Credential, ...]
    already_there: bool
    rows: int
    seconds: float


def build(
    dsn: str,
    *,
    scale: float = 1.0,
    seed: int = 7,
    days: int = 35,
    as_of: datetime | None = None,
    reset: bool = False,
    credentials: Given | None = None,
    progress: Progress | None = None,
) -> Built:
    """Load the world into the database of ``dsn`` (as clo_app, its owner); the roles are there (``prepare``).

    A finished world of the same parameters is left alone, whatever its end when ``as_of`` is None (then a new one
    ends with the hour that is now); an unfinished one is built anew, and any other only with ``reset``.
    ``credentials`` maps a name of people.DEMO_USERS to its ``password`` and ``totp_secret``; what is not given is
    drawn. Raises OtherWorld, KeyError for an unknown user, ValueError for parameters out of range.
    """
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    plan = Plan(scale, seed, days, as_of or now)
    started, known = time.monotonic(), people.credentials(credentials)
    with connect(dsn) as connection, _alone(connection):
        if not reset and _finished(connection, plan, any_end=as_of is None):
            kept = tuple(known[name] for name in credentials or ())
            _set_credentials(connection, kept)
            return Built(plan, kept, True, 0, time.monotonic() - started)
        _clear(connection, reset=reset)
        rows = Builder(connection, plan, known, progress or (lambda line: None)).run()
    return Built(plan, tuple(known.values()), False, rows, time.monotonic() - started)


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
    connection.commit()
    yield


def _markers(connection: Connection) -> dict[str, dict[str, object]] | None:
    """Phase to parameters; None where there is no world at all."""
    if connection.execute("SELECT to_regclass('public.world_build')").fetchone() == (None,):
        return None
    return dict(connection.execute("SELECT phase, parameters FROM world_build").fetchall())


def _finished(connection: Connection, plan: Plan, *, any_end: bool) -> bool:
    markers = _markers(connection)
    if not markers or DONE not in markers:
        return False
    wanted, there = plan.parameters, markers[DONE]
    if any_end:
        there = there | {"as_of": wanted["as_of"]}
    if there != wanted:
        raise OtherWorld(f"there is a world of {markers[DONE]}, asked for is {wanted}; --reset replaces it")
    return True


def _clear(connection: Connection, *, reset: bool) -> None:
    """Remove an unfinished world, or whatever is there when told to. Raises OtherWorld for tables of somebody else."""
    query = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    there = connection.execute(query).fetchone() != (0,)
    if there and _markers(connection) is None and not reset:
        raise OtherWorld("the database has tables that are no demo world; --reset drops them")
    if there:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    connection.commit()


def _set_credentials(connection: Connection, known: tuple[Credential, ...]) -> None:
    for credential in known:
        connection.execute(
            "UPDATE app_users SET password_hash = %s, totp_secret = %s WHERE username = %s",
            [people.HASHER.hash(credential.password), credential.totp_secret, credential.username],
        )
    connection.commit()


class Builder:
    def __init__(
        self, connection: Connection, plan: Plan, known: Mapping[str, Credential], progress: Progress
    ) -> None:  # fmt: skip
        self.connection, self.plan, self.known, self.progress = connection, plan, known, progress
        self.fixings = Fixings(plan)
        self.tests = list(reference.compliance_tests(plan))
        self.scenarios = [row["scenario_id"] for row in reference.scenarios(plan)]
        self.people = people.users(plan)
        self.ids, self.changes, self.rows = Ids(), list[Change](), 0

    def run(self) -> int:
        self._phase("schema", self._schema)
        self._phase("reference", self._reference)
        first = 1
        for number, (deal_count, asset_count) in enumerate(self.plan.groups):
            numbers = range(first, first + deal_count)
            self._phase(f"group {number + 1} of {len(self.plan.groups)}", self._group, number, numbers, asset_count)
            first += deal_count
        self._phase("operations", self._operations)
        self._phase(DONE, self._finish)
        self.connection.autocommit = True
        self.connection.execute("ANALYZE")
        return self.rows

    def _phase(self, name: str, work: Callable[..., int], *arguments: object) -> None:
        started = time.monotonic()
        count = work(*arguments)
        parameters = json.dumps(self.plan.parameters)
        marker = "INSERT INTO world_build (phase, parameters, row_count) VALUES (%s, %s, %s)"
        self.connection.execute(marker, [name, parameters, count])
        self.connection.commit()
        self.rows += count
        self.progress(f"{name}: {count:,} rows in {time.monotonic() - started:.1f} s")

    def _schema(self) -> int:
        for name in ("schema", "audit", "grants"):
            run_file(self.connection, name)
        return 0

    def _reference(self) -> int:
        plan, connection = self.plan, self.connection
        tables = {
            "rating_scales": reference.rating_scales(),
            "holidays": reference.holidays(plan),
            "industry_classifications": reference.industries(),
            "compliance_tests": self.tests,
            "waterfall_structures": reference.structures(plan),
            "simulation_scenarios": reference.scenarios(plan),
        }
        return sum(copy_records(connection, name, rows) for name, rows in tables.items()) + self._curves()

    def _curves(self) -> int:
        numbered = enumerate(self.fixings.dates, 1)
        curves = ((number, INDEX, day, stamp(day, 18)) for number, day in numbered)
        columns = ("curve_id", "curve_name", "curve_date", "created_at")
        count = copy_rows(self.connection, "yield_curves", columns, curves)
        points = ((number, tenor, rate(value)) for number, _, tenor, value in reference.curve_points(self.plan))
        return count + copy_rows(self.connection, "yield_curve_points", ("curve_id", "tenor_months", "rate"), points)

    def _group(self, number: int, deal_numbers: range, asset_count: int) -> int:
        group = Group(self.plan, number, deal_numbers, asset_count, self.fixings)
        count = group.load(self.connection, self.ids, self.tests, self.scenarios)
        self.changes += group.changes
        return count

    def _operations(self) -> int:
        deal_ids = [row[0] for row in self.connection.execute("SELECT deal_id FROM clo_deals ORDER BY 1").fetchall()]
        operations = Operations(self.plan, self.people, deal_ids, self.changes)
        count = self._users()
        for day in operations.days():
            count += sum(copy_records(self.connection, table, rows) for table, rows in day.tables())
        count += copy_records(self.connection, "app_settings", operations.settings())
        seen = [(at, username) for username, at in operations.seen.items()]
        self.connection.cursor().executemany("UPDATE app_users SET last_login_at = %s WHERE username = %s", seen)
        return count

    def _users(self) -> int:
        tables = {
            "app_roles": people.role_rows(),
            "app_users": people.user_rows(self.people, self.known),
            "app_user_roles": people.grant_rows(self.people),
        }
        return sum(copy_records(self.connection, name, rows) for name, rows in tables.items())

    def _finish(self) -> int:
        """Anchors for every finished day, what is kept of other tables, the sequences behind what COPY brought."""
        self.connection.execute("SELECT audit_anchor_days(%s)", [self.plan.today])
        pools = self.connection.execute(POOLS, [stamp(self.plan.books, 18)]).rowcount
        counts = sum(self._counted(table) for table in IMMUTABLE)
        advance_sequences(self.connection)
        return pools + counts

    def _counted(self, table: str) -> int:
        return self.connection.execute(COUNTED.format(sql.Identifier(table)), [table, self.plan.history_start]).rowcount
