"""The roles of the backup, before the objects they own (M3-02; D17, T12): without passwords, unable to log in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from clo_ops.actions.drill.phases import phase
from clo_ops.actions.drill.place import ChosenBackup, Server
from clo_ops.actions.drill.session import execute, writing
from clo_ops.findings import Answer, Measurement
from clo_ops.probes.postgres import rows
from clo_ops.rules.restore import ROLES

if TYPE_CHECKING:
    from clo_ops.actions.drill.session import Connection

# NOLOGIN and no password: whoever may read a restored copy reaches it as its superuser, with this run's password.
ATTRIBUTES = ("superuser", "inherit", "createrole", "createdb", "replication", "bypassrls")


def restore_roles(server: Server, backup: ChosenBackup) -> Answer:
    """Make the manifest's roles and memberships on the throw-away server; those it has are left as they are.

    Plain SQL without a manifest's roles is given those it names, without any right: psql asks for them.
    ``restore.roles`` (count of the manifest's; detail names those made) and ``drill.phase.duration`` {phase: roles}.
    Done twice it does nothing more. Raises Unreachable, PlaceFailed.
    """
    wanted = list(backup.manifest.get("roles") or [])
    with phase("roles") as taken, writing(server.target, production=source_of(backup), database="postgres") as session:
        made = _make(session, wanted or _named(backup))
        _join(session, wanted)
    detail = f"made {', '.join(made)}" if made else ""
    return taken.answer + Answer((Measurement(ROLES, len(wanted), "count", datetime.now(UTC), detail=detail),))


def _named(backup: ChosenBackup) -> list[dict[str, Any]]:
    from clo_ops.actions.drill.named_roles import roles_named

    return [{"name": name} for name in roles_named(backup)] if backup.format == "plain" else []


def source_of(backup: ChosenBackup) -> str:
    """The system identifier of the server the backup is of, empty where the manifest has none."""
    return str(backup.manifest.get("system_identifier") or "")


def _make(session: Connection, wanted: Sequence[Mapping[str, Any]]) -> list[str]:
    from psycopg import sql

    there = {row["name"] for row in rows(session, "drill/role_names")}
    missing = [role for role in wanted if role["name"] not in there]
    for role in missing:
        execute(session, "drill/make_role", role=sql.Identifier(role["name"]), attributes=_attributes(role))
    return [str(role["name"]) for role in missing]


def _attributes(role: Mapping[str, Any]) -> Any:
    from psycopg import sql

    words = [name if role.get(name) else f"no{name}" for name in ATTRIBUTES if name in role]
    return sql.SQL(" ").join(sql.SQL(word) for word in words)


def _join(session: Connection, wanted: Sequence[Mapping[str, Any]]) -> None:
    """Predefined roles among the groups may be of a newer version than this server's: those it lacks are left out."""
    from psycopg import sql

    there = {row["name"] for row in rows(session, "drill/role_names")}
    for role in wanted:
        for group in role.get("member_of") or []:
            if group in there:
                execute(session, "drill/grant_role", role=sql.Identifier(group), member=sql.Identifier(role["name"]))
