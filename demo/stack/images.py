"""Container images where no registry can be reached: made from Debian's packages and tagged like the real ones.

``python3 -m demo.stack.images postgres:15 redis:7`` sees to it that they are there: an image on this machine is
kept, one of a registry that answers is pulled, else it is built by ``mmdebstrap`` and ``docker build``. Standard
library only.
"""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from demo.stack import debian, engine

RECIPES = Path(__file__).resolve().parents[1] / "images"
LABEL = "clo_ops.recipe"
REGISTRY, REGISTRY_SECONDS, PULL_SECONDS = "registry-1.docker.io", 3.0, 600.0
# Where a PostgreSQL, Redis or Prometheus of this version is to be had: the Debian suite that carries it.
POSTGRES = {"13": "bullseye", "15": "bookworm", "17": "trixie", "18": "forky"}
PROMETHEUS = {"2.42": "bookworm", "2.53": "trixie"}
REDIS = {"6": "bullseye", "7": "bookworm", "8": "trixie"}
# Files are extracted only, no maintainer script runs: what a shell and an account need is named here.
BASE = (
    *("base-files", "base-passwd", "bash", "dash", "coreutils", "findutils"),
    *("grep", "sed", "gzip", "libc-bin", "util-linux"),
)
# Of no use in a container; LLVM alone is 120 MB, and PostgreSQL does without its JIT when the library is not there.
LEFT_OUT = (
    *(f"/usr/share/{name}/*" for name in ("doc", "man", "info", "lintian", "bug")),
    "/usr/share/locale/*/LC_MESSAGES/*",
    *("/usr/lib/*/libLLVM*", "/usr/lib/llvm-*", "/usr/lib/*/libz3.so*"),
    *("/usr/lib/postgresql/*/lib/llvmjit*", "/usr/lib/postgresql/*/lib/bitcode/*"),
)


class NoImage(RuntimeError):
    """The image is not here, cannot be pulled and cannot be built; the sentence says why and what to do."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A tree of Debian packages (``variant`` of mmdebstrap) and the Dockerfile that goes on top of it."""

    folder: str
    suite: str
    packages: tuple[str, ...]
    variant: str = "extract"
    arguments: dict[str, str] = field(default_factory=dict)

    def digest(self) -> str:
        """Another one when anything here or in the folder changed; the age of the packages is not in it."""
        found = hashlib.sha256(repr((self, BASE, LEFT_OUT)).encode())
        for path in sorted((RECIPES / self.folder).iterdir()):
            found.update(path.name.encode() + path.read_bytes())
        return found.hexdigest()[:16]


def recipe(name: str) -> Recipe:
    """How ``name`` (repository:tag) is made here; NoImage where there is no way to."""
    repository, _, tag = name.partition(":")
    major = tag.split(".")[0].split("-")[0]
    if repository == "postgres" and major in POSTGRES:
        packages = (f"postgresql-{major}", f"postgresql-client-{major}", "locales", *BASE)
        return Recipe("postgres", POSTGRES[major], packages, arguments={"MAJOR": major})
    if repository == "redis" and major in REDIS:
        return Recipe("redis", REDIS[major], ("redis-server", "redis-tools", *BASE))
    if repository == "prom/prometheus":
        return Recipe("prometheus", _prometheus(tag), ("prometheus", "wget", *BASE))
    if repository == "boky/postfix":
        return Recipe(
            "mail", "bookworm", ("postfix", "libsasl2-modules", "ca-certificates", "hostname", "diffutils", *BASE)
        )
    if name == "python:3.11-slim-bookworm":
        packages = ("python3", "python3-pip", "python3-venv", "ca-certificates")
        return Recipe("python", "bookworm", packages, variant="apt")
    raise NoImage(f"{name} is not on this machine, no registry answers, and there is no recipe for it in {__name__}")


def _prometheus(tag: str) -> str:
    """Debian's suite for v2.53.3 and its like; the tag says which version, so another is not given out as it."""
    for version, suite in PROMETHEUS.items():
        if tag.startswith(f"v{version}."):
            return suite
    raise NoImage(f"there is no recipe for Prometheus {tag}; Debian has {', '.join(PROMETHEUS)}")


def ensure(name: str, say: Callable[[str], None] = print) -> str:
    """See to it that ``name`` can be run; returns it. Raises NoImage. Safe to call from several processes at once."""
    reason = engine.missing()
    if reason:
        raise NoImage(reason)
    with alone():
        label = _label(name)
        if label == "" or (label is not None and label == recipe(name).digest()):
            return name
        if label is None and _registry_answers() and _pulled(name, say):
            return name
        build(name, say)
    return name


def build(name: str, say: Callable[[str], None] = print) -> None:
    """Make the image anew, whatever is there. Takes about half a minute; raises NoImage."""
    made, started = recipe(name), time.monotonic()
    _need_mmdebstrap(say)
    tree = f"clo-ops-tree:{made.folder}-{made.digest()}"
    say(f"[images] {name}: from Debian {made.suite}: {' '.join(made.packages[:2])} ...")
    _import_tree(made, tree)
    arguments = [f"--build-arg={key}={value}" for key, value in {"TREE": tree, **made.arguments}.items()]
    label = f"--label={LABEL}={made.digest()}"
    try:
        _docker("build", "-q", "--force-rm", label, *arguments, "-t", name, str(RECIPES / made.folder), timeout=300)
    finally:
        with suppress(NoImage):
            _docker("rmi", "--no-prune", tree)
    say(f"[images] {name}: made in {time.monotonic() - started:.0f} s, {_megabytes(name)} MB")


def _import_tree(made: Recipe, tag: str) -> None:
    excluded = [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
    command = ["mmdebstrap", "--quiet", f"--variant={made.variant}", f"--include={','.join(made.packages)}"]
    # It is made anew after a crash: no need to wait for the disk after each file.
    command += [*excluded, "--dpkgopt=force-unsafe-io", '--aptopt=Acquire::Retries "3"', made.suite, "-"]
    with tempfile.TemporaryFile() as told:
        tree = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=told)
        into = subprocess.run(
            ["docker", "import", "-", tag], stdin=tree.stdout, capture_output=True, text=True, check=False, timeout=600
        )
        if tree.wait() or into.returncode:
            told.seek(0)
            said = told.read().decode(errors="replace").strip() or into.stderr.strip()
            raise NoImage(f"Debian {made.suite} could not be fetched with mmdebstrap: {said[-400:]}")


def _need_mmdebstrap(say: Callable[[str], None]) -> None:
    if shutil.which("mmdebstrap"):
        return
    if not debian.can_install():
        raise NoImage("images are made with mmdebstrap, which is missing (Debian: apt-get install mmdebstrap)")
    say("[images] installing mmdebstrap")
    if reason := debian.install(["mmdebstrap"]):
        raise NoImage(f"mmdebstrap cannot be installed: {reason}")


def _label(name: str) -> str | None:
    """The recipe an image was made by; empty for one of somebody else's making; None when it is not here."""
    with suppress(NoImage):
        labels = json.loads(_docker("image", "inspect", "--format", "{{json .Config.Labels}}", name)) or {}
        return str(labels.get(LABEL, ""))
    return None


def _megabytes(name: str) -> int:
    return int(_docker("image", "inspect", "--format", "{{.Size}}", name)) // 1_000_000


def _registry_answers() -> bool:
    connection = http.client.HTTPSConnection(REGISTRY, timeout=REGISTRY_SECONDS)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status in {200, 401}
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _pulled(name: str, say: Callable[[str], None]) -> bool:
    say(f"[images] {name}: pulling")
    with suppress(NoImage):
        _docker("pull", "-q", name, timeout=PULL_SECONDS)
        return True
    return False


def _docker(*arguments: str, timeout: float = 60.0) -> str:
    try:
        done = subprocess.run(
            ["docker", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoImage(f"docker {arguments[0]}: {error}") from error
    if done.returncode:
        raise NoImage(f"docker {arguments[0]} ended {done.returncode}: {(done.stderr or done.stdout).strip()[-600:]}")
    return done.stdout.strip()


@contextmanager
def alone(which: str = "images") -> Iterator[None]:
    """One at a time on this machine: two processes would build the same image twice."""
    with (Path(tempfile.gettempdir()) / f"clo-ops-{which}.lock").open("a") as lock:
        with suppress(OSError):
            Path(lock.name).chmod(0o666)
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main(names: list[str]) -> int:
    reason = engine.ensure()
    if reason:
        print(f"[images] {reason}", file=sys.stderr)
        return 1
    for name in names:
        try:
            print(f"[images] {ensure(name)} is here", flush=True)
        except NoImage as error:
            print(f"[images] {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
