"""What the demo is filled with: the CLO world, backups with a history, past mornings. Each is made once and kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from demo.stack.postgres import Cluster
from demo.stack.state import State

DATABASE = "clo"
BACKUP_DAYS = 7
PAST_MORNINGS = 35
PROBE = "clo-ops-probe"
ROLES = ("clo_app", "clo_ops_reader", "clo_backup", "clo_ops_maintainer", "clo_ops_retention", "clo_ops_accounts")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class World:
    """``scale`` 1 is four deals on 400 assets; ``days`` is how far the operating history goes back."""

    scale: float
    days: int
    seed: int = 7


def make_credentials() -> dict[str, dict[str, str]]:
    """Password and second factor of everybody who can log in, drawn before the world is: nobody waits for it."""
    from demo.world.people import credentials

    return {name: {"password": one.password, "totp_secret": one.totp_secret} for name, one in credentials().items()}


def build_world(cluster: Cluster, world: World, credentials: dict[str, dict[str, str]], say: Say) -> None:
    """Roles, extensions, schema and world; a finished one is kept. Raises demo.world.build.OtherWorld."""
    from demo.world import build, prepare

    cluster.create_database(DATABASE, owner="clo_app")
    roles = {name: cluster.password(name) for name in ROLES}
    built = build(
        cluster.url(DATABASE, "clo_app"), scale=world.scale, seed=world.seed, days=world.days, credentials=credentials
    )
    # After the world: one that replaces an unfinished one drops the schema, and the extension with it.
    prepare(cluster.url(DATABASE), roles)
    if not built.already_there:
        say(f"world built: {built.rows:,} rows, {world.days} days of history, in {built.seconds:.1f} s")


def take_backups(state: Path, say: Say) -> None:
    """Last night's backup, dated 02:00 UTC as the schedule has it, and a week before it.

    Taken anew when the newest is not last night's, so that a demo started days later is healthy again.
    """
    from demo.backup import seed_history, take_backup

    values = State(state).read()["environments"]["clo"]
    repository, at = Path(values["CLO_BACKUP_DIR"]), last_night(datetime.now(UTC))
    if _have(repository, at):
        return
    take_backup(values["CLO_BACKUP_URL"], repository, at=at, bin_dir=Path(values["CLO_PG_BIN"]))
    seed_history(repository, BACKUP_DAYS)
    say(f"backup taken, with {BACKUP_DAYS} days of history")


def last_night(now: datetime) -> datetime:
    """The newest 02:00 UTC that is past."""
    today = now.replace(hour=2, minute=0, second=0, microsecond=0)
    return today if today <= now else today - timedelta(days=1)


def seed_mornings(stack: State, ledger_url: str, at: datetime, say: Say) -> None:
    """Weeks of earlier mornings, drawn around what this machine measures now, so that trends have a past."""
    from clo_ops.ledger import Ledger
    from demo import mornings

    today = mornings.measure(stack.read()["connections"], at=at)
    with Ledger(ledger_url, client_name="demo/launch") as ledger:
        count = mornings.seed(ledger, today, at=at, days=PAST_MORNINGS)
    say(f"{PAST_MORNINGS} past mornings in the ledger ({count} values put down now)")


def _have(repository: Path, at: datetime) -> bool:
    from demo.backup import manifest

    return any(
        (manifest.time_of(dump.name) or datetime.min.replace(tzinfo=UTC)) >= at for dump in manifest.dumps(repository)
    )
