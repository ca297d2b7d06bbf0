"""What parsing dags/ costs, as a ratio to importing airflow.sdk alone. Aim: 1.3 or less in all.

Each figure is the whole life of a fresh interpreter; baseline and subject take turns, so that both see the same
machine. Run with `make bench` or `python benchmarks/parse.py [--rounds N]`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

ROOT = Path(__file__).resolve().parents[1]
BASELINE = "import airflow.sdk; airflow.sdk.DAG"
SUBJECT = "from clo_ops.orchestration.coverage import pages; assert list(pages())"


def seconds(code: str, home: str) -> float:
    """One interpreter's life, in seconds."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "plugins"), "AIRFLOW_HOME": home, "CLO_OPS_MODE": "demo"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    start = perf_counter()
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True)
    return perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="rounds after the warm-up (default 7)")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as home:
        for code in (BASELINE, SUBJECT):  # bytecode is written once, outside the figures
            seconds(code, home)
        pairs = []
        for number in range(rounds):
            pairs.append((seconds(BASELINE, home), seconds(SUBJECT, home)))
            print(
                f"round {number + 1}/{rounds}: airflow.sdk {pairs[-1][0]:.2f} s, dags/ {pairs[-1][1]:.2f} s", flush=True
            )
    ratio = median(subject / baseline for baseline, subject in pairs)
    print(f"median: airflow.sdk {median(b for b, _ in pairs):.2f} s, dags/ {median(s for _, s in pairs):.2f} s")
    print(f"parsing dags/ : importing airflow.sdk = {ratio:.2f} (aim: 1.30 or less)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
