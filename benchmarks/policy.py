"""What loading the policy costs every task, as a ratio to reading the same YAML without looking at it. Prints both.

Run with `make bench` or `python benchmarks/policy.py [--rounds N]`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from statistics import median
from time import perf_counter

import yaml

from clo_ops.policy import loading
from clo_ops.policy.paths import INCLUDE

FOLDER = INCLUDE / "policy"


def bare() -> None:
    """The same files through PyYAML's C parser, where it has one."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for path in sorted(FOLDER.glob("*.yaml")):
        yaml.load(path.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - a safe loader


def ours() -> None:
    loading._loaded.__wrapped__(FOLDER, "demo", loading._signature(FOLDER))


def seconds(once: Callable[[], None]) -> float:
    start = perf_counter()
    once()
    return perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="rounds after the warm-up (default 9)")
    rounds = parser.parse_args().rounds
    bare(), ours()
    pairs = [(seconds(bare), seconds(ours)) for _ in range(rounds)]
    yaml_alone, policy = (median(figures) for figures in zip(*pairs, strict=True))
    print(f"median: YAML alone {1000 * yaml_alone:.0f} ms, policy {1000 * policy:.0f} ms")
    print(f"loading the policy : reading its YAML = {policy / yaml_alone:.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
