"""Make .venv hold exactly what requirements.lock says. Standard library only; run by every make target.

A stamp in .venv remembers what was installed, so that the next start costs a hash of one file. Killed half-way, the
next start begins again. Works with pip's own configuration (index, certificates, proxy), through uv where that can be
had because it is ten times faster. Without ensurepip (Debian's python3-venv) pip itself is fetched, checked by hash.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
OURS = f"{sys.version_info.major}.{sys.version_info.minor}"
NEEDED_BYTES = 3 * 1024**3
UV = "uv==0.13.9"
PIP_FILE = "pip-26.3-py3-none-any.whl"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
# pip's setting -> uv's variable, where the two mean the same
PIP_TO_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "proxy": "HTTPS_PROXY",
    "no-index": "UV_NO_INDEX",
}


class CannotPrepare(Exception):
    """This machine lacks something; the sentence says what, and how to get it."""


class Environment:
    """The virtual environment of one checkout."""

    def __init__(self, root: Path) -> None:
        self.lock = root / "requirements.lock"
        self.venv = root / ".venv"
        self.python = self.venv / "bin" / "python"
        self.stamp = self.venv / ".clo-ops-stamp"
        self.unfinished = self.venv / ".clo-ops-unfinished"

    def wanted(self) -> str:
        """What the stamp must say: this lock, installed for this Python."""
        digest = hashlib.sha256(self.lock.read_bytes()).hexdigest()
        return f"{digest} python {OURS}"

    def ready(self) -> bool:
        with contextlib.suppress(OSError):
            return self.stamp.read_text().strip() == self.wanted() and os.access(self.python, os.X_OK)
        return False


def main() -> int:
    """0 when the environment is ready; 1 after saying what this machine lacks."""
    started = time.monotonic()
    try:
        check_python()
        environment = Environment(ROOT)
        if environment.ready():
            return 0
        check_machine()
        with locked(environment.lock):
            if not environment.ready():
                build(environment)
    except CannotPrepare as lack:
        print(f"\n{lack}", file=sys.stderr)
        return 1
    say(f"ready after {time.monotonic() - started:.0f} s")
    return 0


def check_python() -> None:
    if sys.version_info < OLDEST:
        raise CannotPrepare(
            f"Python 3.11 or newer is needed, this is {sys.version.split()[0]} ({sys.executable}).\n"
            "Debian 12 and newer: apt-get install python3; else https://www.python.org/downloads\n"
            "Then: make PYTHON=/path/to/python3.12 demo"
        )


def check_machine() -> None:
    free = shutil.disk_usage(ROOT).free
    if free < NEEDED_BYTES:
        raise CannotPrepare(
            f"{free / 1024**3:.1f} GB are free where {ROOT} lies; 3 GB are needed. Make room or clone to another disk."
        )
    if not shutil.which("git"):
        say("git is not on PATH; the demo runs without it, the tests need it (Debian: apt-get install git)")


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """One at a time per checkout: a second start waits for the first instead of undoing it."""
    with path.open() as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("waiting for another start that is preparing .venv")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def build(environment: Environment) -> None:
    if environment.unfinished.exists():
        say("an earlier start was interrupted: beginning again")
        shutil.rmtree(environment.venv)
    create(environment)
    environment.stamp.unlink(missing_ok=True)
    environment.unfinished.touch()
    install(environment)
    environment.stamp.write_text(environment.wanted() + "\n")
    environment.unfinished.unlink()


def create(environment: Environment) -> None:
    """An environment of another Python version, or one whose Python has gone, is replaced."""
    if version_of(environment.python) == OURS:
        return
    if environment.venv.exists():
        shutil.rmtree(environment.venv)
    say(f"making .venv with Python {sys.version.split()[0]}")
    if importlib.util.find_spec("venv") is None:
        raise CannotPrepare("This Python has no module venv. Debian and Ubuntu: apt-get install python3-venv")
    run([sys.executable, "-m", "venv", "--without-pip", str(environment.venv)], "python -m venv failed")


def version_of(python: Path) -> str:
    if not os.access(python, os.X_OK):
        return ""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def install(environment: Environment) -> None:
    say(f"installing {environment.lock.read_text().count('# via')} packages (about a minute)")
    with tempfile.TemporaryDirectory() as scratch:
        pip = pip_command(environment, Path(scratch))
        uv = find_uv(environment, pip)
        if uv:
            settings = uv_settings(pip_configuration(pip))
            command = [
                *uv,
                "pip",
                "install",
                "--python",
                str(environment.python),
                "--compile-bytecode",
                "--require-hashes",
            ]
            run([*command, "-r", str(environment.lock)], "uv could not install requirements.lock", settings)
        else:
            say("uv is not to be had here: using pip, which takes a few minutes")
            command = [*pip, "install", "--require-hashes", "--no-input", "-q", "--progress-bar", "off"]
            run([*command, "-r", str(environment.lock)], "pip could not install requirements.lock")


def pip_command(environment: Environment, scratch: Path) -> list[str]:
    """A pip that installs into .venv: bundled with Python, or on a Debian without ensurepip fetched as one file."""
    if has_module(environment.python, "pip"):
        return [str(environment.python), "-m", "pip"]
    if has_module(environment.python, "ensurepip"):
        run([str(environment.python), "-m", "ensurepip", "--default-pip"], "ensurepip failed")
        return [str(environment.python), "-m", "pip"]
    say("this Python comes without pip: fetching it")
    return [str(environment.python), str(fetch_pip(scratch) / "pip")]


def has_module(python: Path, name: str) -> bool:
    done = subprocess.run([str(python), "-c", "import " + name], capture_output=True, check=False)
    return done.returncode == 0


def fetch_pip(scratch: Path) -> Path:
    index = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/") + "/pip/"
    try:
        with urllib.request.urlopen(index, timeout=60) as page:  # noqa: S310 (the index the operator configured)
            links = re.findall(r'href="([^"#]+)', page.read().decode())
        link = next(link for link in links if link.endswith("/" + PIP_FILE))
        with urllib.request.urlopen(urllib.parse.urljoin(index, link), timeout=60) as answer:  # noqa: S310
            wheel = answer.read()
    except (OSError, StopIteration) as problem:
        raise CannotPrepare(
            f"This Python has no ensurepip, and pip could not be fetched from {index} ({problem or 'not there'}).\n"
            "Debian and Ubuntu: apt-get install python3-venv"
        ) from problem
    if hashlib.sha256(wheel).hexdigest() != PIP_SHA256:
        raise CannotPrepare(f"{PIP_FILE} from {index} is not the file expected (SHA-256 differs); not used")
    (scratch / PIP_FILE).write_bytes(wheel)
    return scratch / PIP_FILE


def find_uv(environment: Environment, pip: list[str]) -> list[str]:
    """uv inside .venv, put there by pip and thus by pip's own configuration; an empty list when there is none."""
    uv = environment.venv / "bin" / "uv"
    if not uv.exists():
        command = [*pip, "install", "-q", "--no-input", "--disable-pip-version-check", UV]
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, env=clean_environment())
    return [str(uv)] if uv.exists() else []


def pip_configuration(pip: list[str]) -> dict[str, str]:
    """pip's effective settings from its files and its PIP_* variables; the command line's `:env:` wins, as in pip."""
    done = subprocess.run(
        [*pip, "config", "list"], capture_output=True, text=True, check=False, env=clean_environment()
    )
    settings = {}
    for line in sorted(done.stdout.splitlines(), key=rank):
        name, _, value = line.partition("=")
        settings[name.rpartition(".")[2]] = value.strip("'\"").replace("\\n", " ").strip()
    return settings


def rank(line: str) -> int:
    return {"global": 0, "install": 1, ":env:": 2}.get(line.partition(".")[0], 0)


def uv_settings(pip: dict[str, str]) -> dict[str, str]:
    """The same choices for uv; what the operator told uv itself stays. Best match over all indexes is what pip does."""
    told = {PIP_TO_UV[name]: value for name, value in pip.items() if name in PIP_TO_UV and value}
    if "UV_FIND_LINKS" in told:
        told["UV_FIND_LINKS"] = ",".join(told["UV_FIND_LINKS"].split())
    told["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return {name: value for name, value in told.items() if name not in os.environ}


def clean_environment() -> dict[str, str]:
    """Bytecode is worth writing: some images forbid it, and every later start would take twice as long."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PIP_USER": "0"}


def run(command: list[str], failed: str, settings: dict[str, str] | None = None) -> None:
    """Run with what it says shown as progress, but for the list of a hundred and eighty packages."""
    environment = {**clean_environment(), **(settings or {})}
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as child:
        for line in child.stdout or ():
            if not line.startswith((" + ", " - ", " ~ ", "Looking in links", "Processing ")):
                say(line.rstrip())
    if child.returncode:
        raise CannotPrepare(
            f"{failed} (exit {child.returncode}).\nWithout a network the packages cannot come: check the connection, "
            "the proxy, and pip's configuration (`pip config list`), then run the same command again."
        )


def say(text: str) -> None:
    print(f"[prepare] {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
