"""``python -m demo.switches --state DIR list | on NAME... | off NAME... | off-all | status``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from demo.switches import FAULTS, BoardError, status, switch_off, switch_off_all, switch_on
from demo.switches.board import fault_of


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo.switches", description="Break the demo system, and mend it.")
    parser.add_argument("--state", type=Path, default=Path(".clo-ops"), help="state directory (default .clo-ops)")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", help="every fault, what it breaks and which procedures it turns red")
    for verb in ("on", "off"):
        verbs.add_parser(verb, help=f"switch faults {verb}").add_argument("names", nargs="+", metavar="NAME")
    verbs.add_parser("off-all", help="switch everything off")
    verbs.add_parser("status", help="what is on, since when")
    return parser


def _list() -> None:
    for fault in FAULTS.values():
        print(f"{fault.name:26}{', '.join(fault.turns_red) or 'a warning':26}{fault.breaks}")


def _status(state: Path) -> None:
    on = status(state)
    for name, since in on.items():
        print(f"{name:26}on since {since}")
    if not on:
        print("everything is off")


def _switch(verb: str, state: Path, names: Sequence[str]) -> None:
    # All names are looked at before the first is switched: a typing error must not leave half of them on.
    for name in names:
        fault_of(name)
    for name in names:
        (switch_on if verb == "on" else switch_off)(state, name)
        print(f"{name} is {verb}")


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    try:
        if given.verb == "list":
            _list()
        elif given.verb == "status":
            _status(given.state)
        elif given.verb == "off-all":
            print(f"switched off: {', '.join(switch_off_all(given.state)) or 'nothing was on'}")
        else:
            _switch(given.verb, given.state, given.names)
    except (RuntimeError, LookupError, OSError) as problem:
        print(problem, file=sys.stderr)
        return 2 if isinstance(problem, BoardError) else 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
