"""What an attacker, a careless administrator or a trader in a hurry leaves behind: rows, roles, a line in pg_hba.conf.

Undone without a trace but in the audit trail, which lets nothing be taken back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from demo.switches.actions import Memory
from demo.switches.places import Places

SPRAYED = 40
SPRAY_SOURCE = "203.0.113.66"
BURGLAR = "night_shift"  # the superuser nobody asked for
STALE = "old.admin"
HBA_LINE = "host all clo_app 198.51.100.0/24 trust"
EXPORTED = 8000  # rows; the habit is some two hundred
_TAKEN = """SELECT job_id::text AS job_id, requested_by, deal_id FROM calculation_jobs
WHERE kind = 'compliance' AND status = 'completed' ORDER BY finished_at DESC, job_id LIMIT 1"""
_APPROVE = """INSERT INTO calculation_approvals (job_id, decision, decided_by) VALUES (%(job_id)s, 'approved', %(by)s)
RETURNING approval_id"""
_SPRAY = """INSERT INTO login_attempts (username, success, reason, source_ip, at)
SELECT format('%%s.guess%%s', left(md5(n::text), 5), n), false, 'invalid credentials', %(source)s,
       now() - interval '2 hours' + n * interval '20 seconds'
FROM generate_series(1, %(count)s) AS n"""
_AN_ASSET = "SELECT blkrock_id, analyst_opinion, updated_at FROM assets ORDER BY blkrock_id DESC LIMIT 1"
_CHANGE = "UPDATE assets SET analyst_opinion = 'SELL', updated_at = now() - interval '3 hours' WHERE blkrock_id = %s"
_CHANGE_BACK = """UPDATE assets SET analyst_opinion = %(analyst_opinion)s, updated_at = %(updated_at)s
WHERE blkrock_id = %(blkrock_id)s"""
_OLD_ADMIN = """WITH made AS (
    INSERT INTO app_users (username, full_name, email, created_at, updated_at)
    VALUES (%(name)s, 'Former Administrator', %(name)s || '@clo.example', now() - interval '2 years', now())
    ON CONFLICT DO NOTHING RETURNING user_id)
INSERT INTO app_user_roles (user_id, role_id, granted_at, granted_by)
SELECT user_id, (SELECT role_id FROM app_roles WHERE role_name = 'admin'), now() - interval '2 years', 'admin'
FROM made"""
_OLD_LOGINS = """INSERT INTO login_attempts (username, success, source_ip, at)
VALUES (%(name)s, true, '10.20.1.77', now() - interval '200 days'),
       (%(name)s, true, '10.20.1.77', now() - interval '1 hour')"""
_FORGET_USER = (
    "DELETE FROM login_attempts WHERE username = %(name)s",
    "DELETE FROM app_user_roles WHERE user_id IN (SELECT user_id FROM app_users WHERE username = %(name)s)",
    "DELETE FROM app_users WHERE username = %(name)s",
)
_AN_EXPORTER = """SELECT username FROM data_access WHERE kind = 'export' GROUP BY username
ORDER BY count(*) DESC, username LIMIT 1"""
_EXPORT = """INSERT INTO data_access (at, username, kind, data_class, object_type, row_count, source_ip)
VALUES (now() - interval '1 minute', %(by)s, 'export', 'portfolio', 'asset', %(rows)s, '10.20.1.77')"""
# Rows of the audit trail at one place of the chain: its first, some in its midst, its last.
_CUT = {
    "head": "SELECT to_jsonb(a)::text AS row FROM audit_logs a ORDER BY id LIMIT 3",
    "middle": """SELECT to_jsonb(a)::text AS row FROM audit_logs a
WHERE id >= (SELECT (min(id) + max(id)) / 2 FROM audit_logs) ORDER BY id LIMIT 3""",
    "tail": "SELECT to_jsonb(a)::text AS row FROM audit_logs a ORDER BY id DESC LIMIT 3",
}
_TAKE = "DELETE FROM audit_logs WHERE id = ANY(%s)"
_PUT_BACK = """INSERT INTO audit_logs SELECT * FROM jsonb_populate_record(null::audit_logs, %s::jsonb)
ON CONFLICT DO NOTHING"""
_AUDIT = "SELECT audit_write(%s, %s, %s, %s, %s)"


class SelfApproved:
    """Whoever asked for a calculation approves it, with everything else as it should be."""

    def plan(self, places: Places) -> Memory:
        with places.database() as connection:
            row = connection.execute(_TAKEN).fetchone()
        if row is None:
            raise LookupError("the demo world has no compliance calculation")
        return {"job_id": row["job_id"], "by": row["requested_by"], "deal_id": row["deal_id"]}

    def do(self, places: Places, memory: Memory) -> None:
        with places.database() as connection, connection.transaction():
            connection.execute(_APPROVE, memory)
            detail = json.dumps({"deal_id": memory["deal_id"]})
            connection.execute(_AUDIT, (memory["by"], "calculation_approved", "calculation", memory["job_id"], detail))

    def undo(self, places: Places, memory: Memory) -> None:
        with places.database() as connection:
            connection.execute(
                "DELETE FROM calculation_approvals WHERE job_id = %(job_id)s AND decided_by = %(by)s", memory
            )


class BornSuperuser:
    """A superuser made past everybody, who can log in."""

    def plan(self, places: Places) -> Memory:
        return {"role": BURGLAR}

    def do(self, places: Places, memory: Memory) -> None:
        with places.superuser() as connection:
            connection.execute(f"CREATE ROLE {BURGLAR} SUPERUSER LOGIN VALID UNTIL '2099-01-01'")

    def undo(self, places: Places, memory: Memory) -> None:
        with places.superuser() as connection:
            connection.execute(f"DROP ROLE IF EXISTS {BURGLAR}")


class Spray:
    """One source tries one password at forty accounts within a quarter of an hour."""

    def plan(self, places: Places) -> Memory:
        return {"source": SPRAY_SOURCE, "count": SPRAYED}

    def do(self, places: Places, memory: Memory) -> None:
        with places.database() as connection:
            connection.execute(_SPRAY, memory)

    def undo(self, places: Places, memory: Memory) -> None:
        with places.database() as connection:
            connection.execute("DELETE FROM login_attempts WHERE source_ip = %(source)s", memory)


class UnauditedChange:
    """A financial row changed past the application: its time moves, the audit trail says nothing."""

    def plan(self, places: Places) -> Memory:
        with places.database() as connection:
            row = connection.execute(_AN_ASSET).fetchone()
        if row is None:
            raise LookupError("the demo world has no asset")
        return {**row, "updated_at": row["updated_at"].isoformat()}

    def do(self, places: Places, memory: Memory) -> None:
        with places.database() as connection:
            connection.execute(_CHANGE, (memory["blkrock_id"],))

    def undo(self, places: Places, memory: Memory) -> None:
        with places.database() as connection:
            connection.execute(_CHANGE_BACK, memory)


@dataclass(frozen=True, slots=True)
class ChainCut:
    """Rows taken out of the audit trail by somebody who may do anything, past its triggers.

    Put back as they were; where the trail has gone on from a cut tail in the meantime, its own rows stay.
    """

    where: str

    def plan(self, places: Places) -> Memory:
        with places.superuser() as connection:
            return {"rows": [row["row"] for row in connection.execute(_CUT[self.where])]}

    def do(self, places: Places, memory: Memory) -> None:
        with self._past_triggers(places) as connection:
            connection.execute(_TAKE, ([json.loads(row)["id"] for row in memory["rows"]],))

    def undo(self, places: Places, memory: Memory) -> None:
        with self._past_triggers(places) as connection:
            for row in memory["rows"]:
                connection.execute(_PUT_BACK, (row,))

    @contextmanager
    def _past_triggers(self, places: Places) -> Iterator[psycopg.Connection[dict[str, Any]]]:
        with places.superuser() as connection, connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")
            yield connection


class DormantAdministrator:
    """An administrator nobody had seen for 200 days logs in, from an address of the house."""

    def plan(self, places: Places) -> Memory:
        return {"name": STALE}

    def do(self, places: Places, memory: Memory) -> None:
        with places.database() as connection, connection.transaction():
            connection.execute(_OLD_ADMIN, memory)
            connection.execute(_OLD_LOGINS, memory)

    def undo(self, places: Places, memory: Memory) -> None:
        with places.database() as connection, connection.transaction():
            for statement in _FORGET_USER:
                connection.execute(statement, memory)


class LargeExport:
    """A user takes many times what they usually take."""

    def plan(self, places: Places) -> Memory:
        with places.database() as connection:
            row = connection.execute(_AN_EXPORTER).fetchone()
        if row is None:
            raise LookupError("nobody has exported anything in the demo world")
        return {"by": row["username"], "rows": EXPORTED}

    def do(self, places: Places, memory: Memory) -> None:
        with places.database() as connection:
            connection.execute(_EXPORT, memory)

    def undo(self, places: Places, memory: Memory) -> None:
        with places.database() as connection:
            connection.execute("DELETE FROM data_access WHERE username = %(by)s AND row_count = %(rows)s", memory)


@dataclass(frozen=True, slots=True)
class TrustLine:
    """A line that lets a whole network in without a password, at the end of pg_hba.conf, and loaded."""

    line: str = HBA_LINE

    def plan(self, places: Places) -> Memory:
        with places.superuser() as connection:
            row: dict[str, Any] = connection.execute("SHOW hba_file").fetchone() or {}
        return {"file": row["hba_file"]}

    def do(self, places: Places, memory: Memory) -> None:
        with Path(memory["file"]).open("a", encoding="utf-8") as file:
            file.write(f"{self.line}\n")
        self._reload(places)

    def undo(self, places: Places, memory: Memory) -> None:
        path = Path(memory["file"])
        lines = path.read_text("utf-8").splitlines(keepends=True)
        # Written into the same file: its owner and mode are the server's.
        path.write_text("".join(one for one in lines if one.strip() != self.line), "utf-8")
        self._reload(places)

    def _reload(self, places: Places) -> None:
        with places.superuser() as connection:
            connection.execute("SELECT pg_reload_conf()")
