"""What the self-test plays on: a small source database, its backup, and one place that all faults share.

Two throw-away places, never production: the source runs in one, the restored copies in the other, so that the guard's
proofs mean what they mean in a drill.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from clo_ops.actions.backups.names import MANIFEST
from clo_ops.actions.backups.take import take
from clo_ops.actions.drill.container import MIB, Mount
from clo_ops.actions.drill.docker_place import DockerPlace
from clo_ops.actions.drill.place import SELF_TEST, ChosenBackup, Place, PlaceFailed, Server, open_place
from clo_ops.actions.drill.session import execute, writing
from clo_ops.policy import DrillSpec, Policy
from clo_ops.policy.proof import Proof
from clo_ops.probes.pg_programs import libpq_environment, program
from clo_ops.probes.postgres import rows
from clo_ops.probes.statements import statement
from clo_ops.probes.targets import BackupRepository, DockerTarget, PostgresTarget

DATABASE = "selftest"
OWNER, HEIR = "selftest_owner", "selftest_heir"
FOLDER = "faults"
ROWS = 40_000  # about 8 MB with its index: enough to be in the middle of, and to fill a small disk
FULL_DISK, FULL_DISK_BYTES = "/clo/full", 6 * MIB
TABLES = (
    *("selftest/canary_table", "selftest/account_table", "selftest/accounts"),
    *("selftest/entry_table", "selftest/entries", "selftest/heirloom_table"),
)


@dataclass
class Rehearsal:
    """``place`` is started, empty, and sees ``folder`` as its backup; ``manifest`` is the good backup's."""

    policy: Policy
    place: Place
    source: PostgresTarget
    folder: Path
    manifest: Mapping[str, Any]
    dag_id: str
    run_id: str
    engine: DockerTarget | None = None
    kept: dict[str, Any] = field(default_factory=dict)

    @property
    def good(self) -> ChosenBackup:
        return self.backup(str(self.manifest["path"]))

    @property
    def proof(self) -> Proof:
        """The policy's, without the application's tables, which the rehearsal's database does not have."""
        return self.policy.recovery.proof.model_copy(update={"newest": ()})

    def backup(self, name: str, **changed: Any) -> ChosenBackup:
        """A file of the folder as if it were the good backup; ``changed`` are keys of its manifest made otherwise.

        Its checksum is the file's own unless ``sha256`` is among them: other checks than the first are to be seen.
        """
        path = self.folder / name
        own = hashlib.sha256(path.read_bytes()).hexdigest()
        facts = {**self.manifest, "path": name, "sha256": own, "size_bytes": path.stat().st_size, **changed}
        return ChosenBackup(
            repository=BackupRepository(self.folder.as_uri()),
            name=name,
            database=DATABASE,
            major=int(self.manifest["server_major"]),
            format=str(facts["format"]),
            size_bytes=path.stat().st_size,
            database_bytes=int(self.manifest.get("database_bytes") or 0),
            manifest=facts,
        )

    def alone(self, name: str, **changed: Any) -> BackupRepository:
        """The good backup in a repository of its own, its manifest beside it; ``changed`` are keys made otherwise."""
        place = self.folder / name
        place.mkdir(exist_ok=True)
        facts = {**self.manifest, **changed}
        shutil.copyfile(self.folder / facts["path"], place / facts["path"])
        (place / f"{facts['path']}{MANIFEST}").write_text(json.dumps(facts))
        return BackupRepository(place.as_uri())

    def inside(self, name: str) -> str:
        """The file's path for programs beside the server."""
        return f"{self.place.backup_path(FOLDER)}/{name}"

    def dump(self, name: str, *options: str) -> Path:
        """Another dump of the source into the folder. Raises PlaceFailed where pg_dump does."""
        tool = program("pg_dump", int(self.manifest["server_major"]))
        path = self.folder / name
        command = [str(tool.path), *options, "-f", str(path)]
        environment = dict(libpq_environment(self.source))
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode:
            raise PlaceFailed(f"the self-test's dump {name} failed: {done.stderr.strip()[-300:]}")
        path.chmod(0o644)
        return path

    def copy(self, database: str) -> PostgresTarget:
        """A copy of the restored database, for one fault; nobody may be connected to the original meanwhile."""
        from psycopg import sql

        copy, restored = sql.Identifier(database), sql.Identifier(DATABASE)
        self.change("postgres", "selftest/copy_database", database=copy, template=restored)
        return replace(self.place.primary().target, database=database)

    def change(self, where: str, name: str, /, *, values: Mapping[str, Any] | None = None, **parts: Any) -> None:
        """One writing statement in the database ``where`` of the throw-away server; who it is is looked at first."""
        known = str(self.manifest["system_identifier"])
        with writing(self.place.primary().target, production=known, database=where) as session:
            if values is None:
                execute(session, name, **parts)
            else:
                session.execute(statement(name).text.encode(), values)


@contextmanager
def rehearsal(
    policy: Policy, *, dag_id: str, run_id: str, major: int, kind: str = "docker", engine: DockerTarget | None = None
) -> Iterator[Rehearsal]:
    """Both places up, the backup taken; everything is gone afterwards, files included.

    Raises PlaceFailed, PlaceUnreachable, BackupFailed, ProgramMissing where the worker has no pg_dump of ``major``.
    """
    base = Path(tempfile.mkdtemp(prefix="clo-ops-selftest-"))
    base.chmod(0o755)
    folder = base / FOLDER
    folder.mkdir(mode=0o755)
    stage = ChosenBackup(BackupRepository(base.as_uri()), FOLDER, DATABASE, major, "directory", 4 * MIB, 16 * MIB)
    spec = DrillSpec.of(policy.recovery, parts=["restore"], place=kind)
    source = open_place(spec, policy, stage, dag_id=dag_id, run_id=f"{run_id}{SELF_TEST} source", engine=engine)
    place = open_place(spec, policy, stage, dag_id=dag_id, run_id=f"{run_id}{SELF_TEST}", engine=engine)
    if isinstance(place, DockerPlace):
        place.extra_mounts = [Mount("tmpfs", FULL_DISK, size=FULL_DISK_BYTES)]
    try:
        with ThreadPoolExecutor(2) as pool:
            starting = pool.submit(place.start)
            target = _filled(source.start())
            starting.result()
        manifest = _backed_up(target, folder, policy)
        yield Rehearsal(policy, place, target, folder, manifest, dag_id, run_id, engine)
    finally:
        try:
            place.remove()
        finally:
            source.remove()
            shutil.rmtree(base, ignore_errors=True)


def _filled(server: Server) -> PostgresTarget:
    from psycopg import sql

    target = replace(server.target, database=DATABASE)
    with writing(target, production="", database="postgres") as session:
        for role in (OWNER, HEIR):
            execute(session, "drill/make_role", role=sql.Identifier(role), attributes=sql.SQL(""))
        plain = {"encoding": sql.Literal("UTF8"), "collate": sql.Literal("C"), "ctype": sql.Literal("C")}
        execute(session, "drill/make_database", database=sql.Identifier(DATABASE), provider=sql.SQL(""), **plain)
    with writing(target, production="") as session:
        for name in TABLES:
            session.execute(statement(name).text.encode(), {"rows": ROWS})
        execute(session, "selftest/heirloom_owner", role=sql.Identifier(HEIR))
        rows(session, "contents/database")
    return target


def _backed_up(target: PostgresTarget, folder: Path, policy: Policy) -> Mapping[str, Any]:
    """By the very code that takes the nightly backup, without the invariants of an application that is not there."""
    quick = {"invariants": False, "format": "custom", "jobs": 1, "timeout": timedelta(minutes=5)}
    repository = BackupRepository(folder.as_uri())
    manifest: Mapping[str, Any] = take(target, repository, policy.recovery.taking.model_copy(update=quick))
    (folder / str(manifest["path"])).chmod(0o644)
    return manifest
