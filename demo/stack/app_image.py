"""The demo application as a container image, from this machine's own Python and packages: ``clo-demo-app:local``.

    python3 -m demo.stack.app_image            # prints the image's name; made again only when its content changed

Nothing is downloaded: the interpreter, the packages demo.app needs, a Redis server, a shell and the shared libraries
they ask for are streamed to ``docker import``. Linux only, since what runs here must run in the container.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import io
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from demo.stack import servers

IMAGE = "clo-demo-app:local"
KEY = "clo_ops.demo.key"
ROOT = Path(__file__).resolve().parents[2]
PREFIX, CODE, SITE = "/opt/python", "/opt/app", "/opt/site"
PACKAGES = (
    "fastapi", "uvicorn", "websockets", "psycopg", "psycopg-binary", "psycopg-pool", "redis", "argon2-cffi", "pyotp",
    "numpy", "httpx", "prometheus-client",
)  # fmt: skip
# Parts of the standard library a server never imports; they are half of it.
LEFT_OUT = {"test", "tests", "idlelib", "tkinter", "turtledemo", "lib2to3", "ensurepip", "site-packages",
            "dist-packages", "__pycache__"}  # fmt: skip
NAME = re.compile(r"^[A-Za-z0-9._-]+")
LIBRARY = re.compile(r"^\s*(?:\S+ => )?(/\S+) \(0x", re.M)


class ImageFailed(RuntimeError):
    """The image could not be made; the sentence says why."""


def ensure(say: Callable[[str], None] = lambda _: None) -> str:
    """The image's name, after it was made or found with the same content. Raises ImageFailed, servers.NoServer."""
    if sys.platform != "linux":
        raise ImageFailed(f"the image is made of this machine's programs, and {sys.platform} has none for Linux")
    files = dict(_files())
    key = _key(files)
    if _known(key):
        return IMAGE
    say(f"making {IMAGE}")
    before = _docker("image", "inspect", "--format", "{{.Id}}", IMAGE).stdout.strip()
    _import(files, key)
    if before:
        _docker("image", "rm", before)
    return IMAGE


def _known(key: str) -> bool:
    shown = _docker("image", "inspect", "--format", '{{index .Config.Labels "' + KEY + '"}}', IMAGE)
    return shown.returncode == 0 and shown.stdout.strip() == key


def _docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise ImageFailed("there is no docker program on this machine's PATH") from error


def _key(files: dict[str, Path]) -> str:
    """Our own code by content, everything else by name, size and time: reading 100 MB each time would be slow."""
    digest = hashlib.sha256()
    for name, path in sorted(files.items()):
        stat = path.stat()
        ours = name.startswith(CODE)
        mark = hashlib.sha256(path.read_bytes()).hexdigest() if ours else f"{stat.st_size} {stat.st_mtime_ns}"
        digest.update(f"{name} {mark}\n".encode())
    return digest.hexdigest()


def _files() -> Iterator[tuple[str, Path]]:
    """Every file of the image: its name there, and where it is here."""
    interpreter, redis, shell = Path(sys.executable).resolve(), servers.redis()[1], Path("/bin/sh").resolve()
    found = {**dict(_standard_library()), **dict(_packages())}
    yield from found.items()
    yield from _bytecode(found)
    yield f"{PREFIX}/bin/python3", interpreter
    yield "/usr/bin/redis-server", Path(redis).resolve()
    yield "/bin/sh", shell
    for path in sorted((ROOT / "demo").rglob("*.py")):
        if path.is_relative_to(ROOT / "demo" / "app") or path == ROOT / "demo" / "__init__.py":
            yield f"{CODE}/{path.relative_to(ROOT)}", path
    linked = [interpreter, Path(redis).resolve(), shell, *(path for path in found.values() if ".so" in path.name)]
    yield from _libraries(linked, set(found.values()))


def _standard_library() -> Iterator[tuple[str, Path]]:
    root = Path(sysconfig.get_path("stdlib"))
    target = f"{PREFIX}/lib/python{sys.version_info[0]}.{sys.version_info[1]}"
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = [name for name in subfolders if name not in LEFT_OUT and not name.startswith("config-")]
        for name in names:
            if not name.endswith((".a", ".pyc")):
                path = Path(folder, name)
                yield f"{target}/{path.relative_to(root)}", path


def _bytecode(sources: dict[str, Path]) -> Iterator[tuple[str, Path]]:
    """What is compiled here is valid there, since the times of the sources go along: the start is twice as fast."""
    for name, path in sources.items():
        compiled = Path(importlib.util.cache_from_source(path)) if path.suffix == ".py" else path
        if compiled != path and compiled.is_file():
            yield f"{Path(name).parent}/__pycache__/{compiled.name}", compiled


def _packages() -> Iterator[tuple[str, Path]]:
    """The files of the packages, and of what they require, as installed for this interpreter."""
    for distribution in _closure(PACKAGES):
        for file in distribution.files or ():
            path = Path(str(distribution.locate_file(file)))
            if not str(file).startswith("..") and "/tests/" not in str(file) and path.is_file():
                yield f"{SITE}/{file}", path


def _closure(names: Iterable[str]) -> list[importlib.metadata.Distribution]:
    """What is not installed here is not needed here: an extra, or something for another platform."""
    waiting, found = list(names), {}
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        if name not in found:
            found[name] = distribution
            waiting += [match[0] for one in distribution.requires or () if _needed(one) and (match := NAME.match(one))]
    return list(found.values())


def _needed(requirement: str) -> bool:
    return "extra ==" not in requirement


def _libraries(programs: list[Path], known: set[Path]) -> Iterator[tuple[str, Path]]:
    """The shared libraries the programs ask for, under the names they ask by; those of packages are there already."""
    told = subprocess.run(["ldd", *map(str, programs)], capture_output=True, text=True, check=False).stdout
    asked = {Path(match) for match in LIBRARY.findall(told)}
    # The C library loads these by itself when a name is looked up.
    asked |= {
        path for one in list(asked) if one.name.startswith("libc.so") for path in one.parent.glob("libnss_*.so.2")
    }
    for path in sorted(asked):
        if path.resolve() not in known and path not in known:
            name = path if path.name.startswith("ld-linux") else Path("/opt/lib") / path.name
            yield str(name), path.resolve()


def _import(files: dict[str, Path], key: str) -> None:
    changes = {
        "ENV PATH": f"{PREFIX}/bin:/usr/bin:/bin",
        "ENV PYTHONHOME": PREFIX,
        "ENV PYTHONPATH": f"{CODE}:{SITE}",
        "ENV PYTHONDONTWRITEBYTECODE": "1",
        "ENV PYTHONUNBUFFERED": "1",
        "ENV LD_LIBRARY_PATH": "/opt/lib",
        "LABEL": f"{KEY}={key}",
        "USER": "999:999",
        "WORKDIR": "/",
    }
    command = ["docker", "import", *(f"--change={name} {value}" for name, value in changes.items()), "-", IMAGE]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as importing:
        said: list[bytes] = []
        assert importing.stdin and importing.stderr  # noqa: S101 - asked for above
        reader = threading.Thread(target=lambda: said.append(importing.stderr.read()))  # type: ignore[union-attr]
        reader.start()
        try:
            with importing.stdin, tarfile.open(fileobj=importing.stdin, mode="w|") as archive:
                _write(archive, files)
        except BrokenPipeError:
            pass  # docker gave up; what it said is the reason
        reader.join()
    if importing.returncode:
        raise ImageFailed(f"docker import: {b''.join(said).decode(errors='replace').strip()[-400:]}")


def _write(archive: tarfile.TarFile, files: dict[str, Path]) -> None:
    for folder in ("tmp", "state", "run", "proc", "sys", "dev", "etc"):
        _folder(archive, folder, 0o1777 if folder in ("tmp", "state") else 0o755)
    _text(archive, "etc/passwd", "root:x:0:0::/:/bin/sh\nclo:x:999:999::/state:/bin/sh\n")
    _text(archive, "etc/group", "root:x:0:\nclo:x:999:\n")
    for name, path in sorted(files.items()):
        entry = tarfile.TarInfo(name.lstrip("/"))
        stat = path.stat()
        entry.size, entry.mtime = stat.st_size, int(stat.st_mtime)
        entry.mode = 0o755 if os.access(path, os.X_OK) else 0o644
        with path.open("rb") as content:
            archive.addfile(entry, content)


def _folder(archive: tarfile.TarFile, name: str, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, mode
    archive.addfile(entry)


def _text(archive: tarfile.TarFile, name: str, text: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(text), 0o644
    archive.addfile(entry, io.BytesIO(text.encode()))


if __name__ == "__main__":
    print(ensure())
