"""``python -m clo_ops.reports.alerting_files DIRECTORY``: prometheus-rules.yml and alertmanager.yml from policy."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from clo_ops.findings import ConfigurationError
from clo_ops.policy import load_policy
from clo_ops.reports.alertmanager_route import Where, alertmanager_route
from clo_ops.reports.prometheus_rules import prometheus_rules


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code: 0, or 2 for a policy that is refused."""
    options = _parser().parse_args(arguments)
    where = Where(options.webhook, options.token_file, options.smarthost, options.sender)
    try:
        policy = load_policy()
        files = {
            "prometheus-rules.yml": prometheus_rules(policy),
            "alertmanager.yml": alertmanager_route(policy, where, datetime.now(UTC)),
        }
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    options.directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (options.directory / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"{options.directory / name}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    airflow = os.environ.get("AIRFLOW__API__BASE_URL", "http://localhost:8080").rstrip("/")
    parser = argparse.ArgumentParser(prog="python -m clo_ops.reports.alerting_files", description=__doc__)
    parser.add_argument("directory", type=Path, help="where the two files go; made where it is not there")
    parser.add_argument("--webhook", default=f"{airflow}/clo-ops/alertmanager", help="default: %(default)s")
    parser.add_argument(
        "--token-file", default="/etc/prometheus/clo-ops-token", help="the shared secret, on Alertmanager's machine"
    )
    mail = parser.add_argument_group("mail by Alertmanager as well (without these it mails nobody)")
    mail.add_argument("--smarthost", default="", metavar="HOST:PORT")
    mail.add_argument("--sender", default="clo-ops@localhost", metavar="ADDRESS")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
