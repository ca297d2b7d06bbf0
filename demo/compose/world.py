"""The demo's database in docker-compose.yml, made once: roles, world, extensions. ``python -m demo.compose.world``.

CLO_SUPERUSER_URL and CLO_DATABASE_URL say where; CLO_APP_PASSWORD and the others of PASSWORDS are the roles',
CLO_PROBE_PASSWORD and CLO_PROBE_TOTP_SECRET the synthetic user's. Who else can log in stands in users.json of
CLO_STATE_DIR. Run again, it sets the passwords anew and keeps the world.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import psycopg

from demo.app.settings import SettingMissing, required
from demo.stack.content import PROBE
from demo.stack.files import write_private
from demo.world import Built, build, prepare

PASSWORDS = {
    "clo_app": "CLO_APP_PASSWORD",
    "clo_ops_reader": "CLO_READER_PASSWORD",
    "clo_backup": "CLO_BACKUP_PASSWORD",
    "clo_ops_maintainer": "CLO_MAINTAINER_PASSWORD",
    "clo_ops_retention": "CLO_RETENTION_PASSWORD",
    "clo_ops_accounts": "CLO_ACCOUNTS_PASSWORD",
}


def make(env: Mapping[str, str]) -> Built:
    """Raises SettingMissing, psycopg.Error, demo.world.build.OtherWorld."""
    roles = {role: required(env, variable) for role, variable in PASSWORDS.items()}
    probe = {"password": required(env, "CLO_PROBE_PASSWORD"), "totp_secret": required(env, "CLO_PROBE_TOTP_SECRET")}
    superuser = required(env, "CLO_SUPERUSER_URL")
    prepare(superuser, roles)
    with psycopg.connect(superuser, connect_timeout=10) as connection:
        connection.execute("ALTER DATABASE clo OWNER TO clo_app")
        connection.execute("ALTER SCHEMA public OWNER TO clo_app")
    scale, days = float(env.get("CLO_WORLD_SCALE") or 1.0), int(env.get("CLO_WORLD_DAYS") or 35)
    built = build(required(env, "CLO_DATABASE_URL"), scale=scale, days=days, credentials={PROBE: probe})
    # After the world: one that replaces an unfinished one drops the schema, and the extension with it.
    prepare(superuser, roles)
    return built


def main() -> int:
    try:
        built = make(os.environ)
        if built.already_there:
            print("the world is there; passwords set anew")
            return 0
        users = Path(required(os.environ, "CLO_STATE_DIR")) / "users.json"
        write_private(users, json.dumps({user.username: vars(user) for user in built.credentials}, indent=1))
    except (SettingMissing, psycopg.OperationalError) as error:
        print(f"no world: {error}", file=sys.stderr)
        return 1
    print(f"world built: {built.rows:,} rows in {built.seconds:.1f} s; who can log in: {users}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
