"""The account a server runs as: ourselves, or when we are root an ordinary one, since PostgreSQL refuses root."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Account:
    name: str
    uid: int
    gid: int

    def reaches(self, path: Path) -> bool:
        """Whether this account may enter every directory above ``path`` and read the nearest one that exists."""
        path = path.resolve()
        while not path.exists():
            path = path.parent
        return all(self._may_enter(folder) for folder in (path, *path.parents) if folder.is_dir())

    def _may_enter(self, folder: Path) -> bool:
        facts = folder.stat()
        if facts.st_uid == self.uid:
            return bool(facts.st_mode & stat.S_IXUSR)
        if facts.st_gid == self.gid:
            return bool(facts.st_mode & stat.S_IXGRP)
        return bool(facts.st_mode & stat.S_IXOTH)


def unprivileged() -> Account | None:
    """None when we are not root; else `postgres` where the machine has it, else `nobody`: no account is ever made."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(found.pw_name, found.pw_uid, found.pw_gid)
    raise RuntimeError(
        "running as root, and this machine has neither an account `postgres` nor `nobody` to run PostgreSQL as"
    )


def as_account(account: Account | None) -> dict[str, Any]:
    """What subprocess needs to start a child as that account."""
    return {} if account is None else {"user": account.uid, "group": account.gid, "extra_groups": []}


def private_directory(account: Account, prefix: str) -> Path:
    """A directory outside the checkout that only this account (and root) may enter."""
    base = Path("/var/tmp") if account.reaches(Path("/var/tmp")) else Path(tempfile.gettempdir())  # noqa: S108 (mkdtemp below)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=base))
    give(folder, account)
    return folder


def give(path: Path, account: Account) -> None:
    shutil.chown(path, account.uid, account.gid)
