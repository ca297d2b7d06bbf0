"""Preparing .venv: what the stamp says, what is begun again, what a machine lacks, what uv is told."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from demo import bootstrap
from demo.bootstrap import CannotPrepare, Environment


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """A checkout with an environment that is ready, as far as the stamp and an executable python go."""
    (tmp_path / "requirements.lock").write_text("x==1\n")
    made = Environment(tmp_path)
    made.python.parent.mkdir(parents=True)
    made.python.symlink_to(sys.executable)
    made.stamp.write_text(made.wanted())
    return made


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[Environment]:
    """Each call of the slow part, instead of the slow part."""
    calls: list[Environment] = []
    monkeypatch.setattr(bootstrap, "install", calls.append)
    return calls


def test_ready_when_the_stamp_is_of_this_lock(environment: Environment) -> None:
    assert environment.ready()
    environment.lock.write_text("x==2\n")
    assert not environment.ready()


def test_not_ready_when_its_python_has_gone(environment: Environment) -> None:
    environment.python.unlink()
    environment.python.symlink_to("/nowhere/python3.11")
    assert not environment.ready()


def test_the_stamp_is_written_last(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    environment.lock.write_text("x==2\n")

    def killed(_: Environment) -> None:
        assert not environment.stamp.exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(bootstrap, "install", killed)
    with pytest.raises(KeyboardInterrupt):
        bootstrap.build(environment)
    assert not environment.ready()
    assert environment.unfinished.exists()


def test_an_unfinished_one_is_made_anew(environment: Environment, installed: list[Environment]) -> None:
    environment.unfinished.touch()
    rubbish = environment.venv / "half-a-package"
    rubbish.touch()
    bootstrap.build(environment)
    assert not rubbish.exists()
    assert installed == [environment]
    assert environment.ready()
    assert not environment.unfinished.exists()


def test_a_finished_one_is_kept_and_brought_up_to_date(environment: Environment, installed: list[Environment]) -> None:
    kept = environment.venv / "kept"
    kept.touch()
    environment.lock.write_text("x==2\n")
    bootstrap.build(environment)
    assert kept.exists()
    assert environment.ready()


def test_the_second_start_takes_less_than_a_second() -> None:
    """Of this very checkout, when its environment was made by bootstrap; else what it costs to find that out."""
    if not Environment(bootstrap.ROOT).ready():
        pytest.skip("this checkout's .venv was not made by demo/bootstrap.py")
    started = time.monotonic()
    subprocess.run([sys.executable, bootstrap.ROOT / "demo" / "bootstrap.py"], check=True)
    assert time.monotonic() - started < 1.0


def test_a_full_disk_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "NEEDED_BYTES", 2**62)
    with pytest.raises(CannotPrepare, match=r"GB are free where .* lies; 3 GB are needed"):
        bootstrap.check_machine()


def test_an_old_python_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "OLDEST", (4, 0))
    with pytest.raises(CannotPrepare, match=r"Python 3.11 or newer is needed, this is 3\."):
        bootstrap.check_python()


def test_a_failed_command_says_what_to_look_at() -> None:
    with pytest.raises(CannotPrepare, match=r"it failed \(exit 3\).\n.*`pip config list`"):
        bootstrap.run([sys.executable, "-c", "raise SystemExit(3)"], "it failed")


def test_uv_is_told_what_pip_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*bootstrap.PIP_TO_UV.values(), "UV_INDEX_STRATEGY"):
        monkeypatch.delenv(name, raising=False)
    said = [
        "global.index-url='https://mirror.example/simple'",
        "global.find-links='/a\\n/b'",
        ":env:.cert='/etc/ca.pem'",
        "global.cert='/other.pem'",
    ]
    monkeypatch.setattr(bootstrap.subprocess, "run", answering("\n".join(said)))
    assert bootstrap.uv_settings(bootstrap.pip_configuration(["pip"])) == {
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "UV_FIND_LINKS": "/a,/b",
        "SSL_CERT_FILE": "/etc/ca.pem",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }


def test_what_uv_was_told_itself_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://own.example/simple")
    assert "UV_DEFAULT_INDEX" not in bootstrap.uv_settings({"index-url": "https://mirror.example/simple"})


def test_the_lock_names_no_place_and_every_direct_dependency() -> None:
    lock = (bootstrap.ROOT / "requirements.lock").read_text()
    assert not [word for word in ("file:", "://", "--index", "--find-links") if word in lock]
    lines = (bootstrap.ROOT / "requirements.txt").read_text().splitlines()
    direct = [line.split("#")[0].split(";")[0].strip() for line in lines if line.strip() and not line.startswith("#")]
    pinned = {line.split(" ")[0] for line in lock.splitlines() if "==" in line}
    assert direct
    for requirement in direct:
        name, _, version = re.sub(r"\[.*\]", "", requirement).partition("==")
        assert f"{re.sub(r'[-_.]+', '-', name).lower()}=={version}" in pinned, requirement


def answering(text: str) -> object:
    def run(*_: Sequence[str], **__: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 0, text, "")

    return run
