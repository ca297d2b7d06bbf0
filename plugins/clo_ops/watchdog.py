"""``python -m clo_ops.watchdog``: notices a dead Airflow and mails by itself; needs nothing of Airflow to run."""

from __future__ import annotations

import argparse
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import httpx

from clo_ops.escalation import surroundings
from clo_ops.escalation.second_path import Notify, apprise_notify
from clo_ops.escalation.sighting import NoLinks
from clo_ops.escalation.watchdog import Places, Round, Watchdog
from clo_ops.escalation.watchdog_memory import replace
from clo_ops.findings import CloOpsError
from clo_ops.ledger import Ledger
from clo_ops.policy import Policy, load_policy

log = logging.getLogger("clo_ops.watchdog")
CODES = """\
exit codes of --once:
  0  everything is alive
  1  something is silent; an incident is open and told
  2  the configuration is wrong: nothing was looked at
  3  the ledger is away; people are told directly once it is away longer than policy allows
  4  somebody should have been told and nobody could be
--every ends with 0 when it is stopped (SIGTERM, SIGINT).

environment, as Airflow's own:
  AIRFLOW_CONN_CLO_LEDGER, AIRFLOW_CONN_CLO_SMTP, AIRFLOW_CONN_CLO_SECOND_PATH (Apprise URLs in its password)
  CLO_OPS_MODE, AIRFLOW__API__BASE_URL (where people open Airflow), AIRFLOW_HOME, CLO_OPS_SPOOL,
  CLO_OPS_WATCHDOG_AIRFLOW, CLO_OPS_WATCHDOG_STATE, CLO_OPS_HEARTBEAT_FILE, CLO_OPS_HEARTBEAT_URL
"""
SECONDS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600}


class Pages(NoLinks):
    """The incident's page, for when Airflow is back; nobody can take an incident there while it is dead."""

    def __init__(self, airflow: str) -> None:
        self._airflow = airflow.rstrip("/")

    def incident(self, incident: int) -> str:
        return f"{self._airflow}/clo-ops/incidents/{incident}" if self._airflow else ""


def main(arguments: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    """The command. Returns the exit code."""
    options = _parser(environment).parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr)
    # httpx logs every request it makes, and the heartbeat's URL is a secret of sorts.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        dog, ledger = _watchdog(load_policy(), options, environment)
    except CloOpsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    try:
        with ledger:
            return _once(dog, options) if options.every is None else _for_ever(dog, options)
    except OSError as error:
        sys.stderr.write(f"the watchdog cannot keep its memory: {error}\n")
        return 2


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    home = Path(environment.get("AIRFLOW_HOME") or "~/airflow").expanduser()
    parser = argparse.ArgumentParser(
        prog="python -m clo_ops.watchdog",
        description="Notice a dead Airflow or ledger, keep the ladders going and mail by itself (docs/watchdog.md).",
        epilog=CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--once", action="store_true", help="one round, for cron and a systemd timer (the default)")
    how.add_argument("--every", type=_seconds, metavar="TIME", help='a round every so often, such as "30s" or "1min"')
    parser.add_argument(
        "--airflow",
        default=environment.get("CLO_OPS_WATCHDOG_AIRFLOW") or environment.get("AIRFLOW__API__BASE_URL", ""),
        help="where Airflow is asked, if not where people open it; without either only the ledger is looked at",
    )
    parser.add_argument(
        "--state",
        type=Path,
        default=Path(environment.get("CLO_OPS_WATCHDOG_STATE") or home / "watchdog.json"),
        help="the file it remembers in (default: %(default)s)",
    )
    parser.add_argument(
        "--spool",
        type=Path,
        default=Path(environment.get("CLO_OPS_SPOOL") or home / "spool"),
        help="where sightings wait for the ledger (default: %(default)s)",
    )
    parser.add_argument(
        "--heartbeat-file",
        type=Path,
        default=environment.get("CLO_OPS_HEARTBEAT_FILE") or None,
        help="written after every round: when, and how it went",
    )
    parser.add_argument(
        "--heartbeat-url",
        default=environment.get("CLO_OPS_HEARTBEAT_URL", ""),
        help="asked (GET) after every round that could do its work (exit code 0 or 1)",
    )
    return parser


def _seconds(given: str) -> float:
    found = re.fullmatch(r"\s*(\d+)\s*(s|m|min|h|)\s*", given)
    if not found or int(found[1]) == 0:
        raise argparse.ArgumentTypeError(f'{given!r} is not a time such as "30s"')
    return float(int(found[1]) * SECONDS[found[2]])


def _watchdog(policy: Policy, options: argparse.Namespace, environment: Mapping[str, str]) -> tuple[Watchdog, Ledger]:
    smtp = surroundings.smtp(environment)
    urls = surroundings.second_path_urls(policy.alerting.second_path.connection, environment)
    notify: Notify | None = apprise_notify(urls) if urls else None
    ledger = Ledger(surroundings.ledger_url(environment), client_name="clo_ops/watchdog")
    shown = environment.get("AIRFLOW__API__BASE_URL") or options.airflow
    places = Places(options.state, options.spool, options.airflow, shown)
    return Watchdog(policy, ledger, smtp, places, notify, Pages(shown)), ledger


def _once(dog: Watchdog, options: argparse.Namespace) -> int:
    now = datetime.now(UTC)
    done = dog.round(now)
    (log.info if done.code == 0 else log.warning)("%s", done)
    _beat(done, options, now)
    return done.code


def _for_ever(dog: Watchdog, options: argparse.Namespace) -> int:
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    while not over.is_set():
        try:
            _once(dog, options)
        except Exception:
            # Whatever it is, the next round is made: a watchdog that ends is the one nobody watches.
            log.exception("the round broke off")
        over.wait(options.every)
    return 0


def _beat(done: Round, options: argparse.Namespace, now: datetime) -> None:
    """The sign of life for whoever watches the watchdog. What is wrong with it never spoils a round."""
    try:
        if options.heartbeat_file:
            replace(Path(options.heartbeat_file), {"at": now.isoformat(), "code": done.code, "said": str(done)})
        if options.heartbeat_url and done.code in (0, 1):
            httpx.get(options.heartbeat_url, timeout=10, trust_env=False).raise_for_status()
    except (OSError, httpx.HTTPError, httpx.InvalidURL) as error:
        log.warning("the heartbeat could not be given: %s", type(error).__name__)


if __name__ == "__main__":
    raise SystemExit(main())
