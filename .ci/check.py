"""``make test``: the quick checks first, then the tests; every step's seconds, everything that is wrong at once.

Arguments go to pytest; ``--lint`` leaves the tests out.
"""

# ruff: noqa: T201 (printing is what it is for)
from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
LINT = (
    ("ruff check", [str(BIN / "ruff"), "check", "."]),
    ("ruff format", [str(BIN / "ruff"), "format", "--check", "-q", "."]),
    ("Airflow rules", [str(BIN / "ruff"), "check", "--select", "AIR", "dags", "plugins"]),
    ("types", [str(BIN / "mypy")]),
)
# A developer's own settings must not change what the tests see.
FOREIGN = ("AIRFLOW_", "CLO_OPS_", "PYTEST_ADDOPTS", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH")


def main(arguments: Sequence[str]) -> int:
    steps = list(LINT)
    if "--lint" not in arguments:
        steps.append(("tests", [sys.executable, "-m", "pytest", "-q", "--durations=15", *_workers(arguments)]))
    failed = [name for name, command in steps if not passes(name, command)]
    print(f"\n[check] FAILED: {', '.join(failed)}" if failed else "\n[check] all passed", flush=True)
    return 1 if failed else 0


def _workers(arguments: Sequence[str]) -> list[str]:
    """All the tests: one worker more than there are cores, for most tests wait for a server; whole folders to each.

    Some of the tests: one worker. More than six have nothing to share.
    """
    workers = min(6, (os.cpu_count() or 1) + 1)
    return list(arguments) or ["-n", str(workers), "--dist", "loadscope", "--no-loadscope-reorder"]


def passes(name: str, command: Sequence[str]) -> bool:
    started = time.monotonic()
    print(f"[check] {name}", flush=True)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, check=False)
    verdict = "ok" if done.returncode == 0 else f"FAILED ({done.returncode})"
    print(f"[check] {name}: {verdict} in {time.monotonic() - started:.1f} s", flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
