"""The policy's terms for roll-ups, and the history of Prometheus as figures of the ledger.

    python -m clo_ops.orchestration.roll_ups --prometheus http://prometheus:9090 --since 2025-11-01 \\
        --host app1=app1:9100

brings in what Prometheus kept of the hosts; done again, it replaces what an earlier import brought.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from clo_ops.findings import Measurement, Unanswered
from clo_ops.ledger import Ledger, Rolled, Rolling
from clo_ops.policy import Policy, load_policy
from clo_ops.probes.targets import HostTarget, PrometheusTarget

if TYPE_CHECKING:
    from clo_ops.findings import Answer

TIMEOUT = 60.0  # seconds for a day of one figure


def terms(policy: Policy) -> Rolling:
    """Which metrics are rolled up, how long a sample speaks, and the levels above which time is counted.

    A level over a sum or below which it is bad says nothing of a single sample.
    """
    levels: dict[tuple[str, str], tuple[float, float]] = {
        (one.metric, one.unit): (one.warning.above, one.critical.above)
        for one in reversed(list(policy.thresholds.values()))
        if one.statistic != "sum"
    }
    levels |= {
        (one.metric, one.unit): (one.warning, one.critical)
        for one in policy.capacity.resources
        if one.worse == "higher" and one.warning is not None and one.critical is not None
    }
    return Rolling(policy.capacity.roll_ups.metrics, policy.capacity.roll_ups.sample_holds, levels)


def roll_up(ledger: Ledger, policy: Policy, *, until: datetime) -> Rolled:
    """Bring the ledger's figures up to the last full hour before ``until``."""
    return ledger.roll_up(terms(policy), until=until)


def imported(ledger: Ledger, policy: Policy, answers: Iterable[Answer]) -> tuple[Rolled, list[Unanswered]]:
    """The figures of what Prometheus answered, and what it did not; what policy does not keep is left out."""
    done, silent, wanted = Rolled(), list[Unanswered](), terms(policy)
    for answer in answers:
        silent += answer.unanswered
        done += ledger.import_samples(_kept(answer.measurements, wanted), wanted)
    return done, silent


def _kept(samples: Iterable[Measurement], wanted: Rolling) -> Iterator[Measurement]:
    from fnmatch import fnmatchcase

    return (one for one in samples if any(fnmatchcase(one.name, pattern) for pattern in wanted.metrics))


def main(arguments: list[str] | None = None) -> int:
    from clo_ops.probes.prometheus import past

    options = _options(arguments)
    policy, target = load_policy(), PrometheusTarget(options.prometheus, "clo_ops/import", TIMEOUT)
    # Twice as dense as a sample speaks long: one that is missing leaves no hole.
    step = policy.capacity.roll_ups.sample_holds / 2
    whole, silent = Rolled(), list[Unanswered]()
    with Ledger(options.url, client_name="clo_ops/import") as ledger:
        for name, _, instance in (host.partition("=") for host in options.host):
            host = HostTarget(name, "prometheus", instance)
            done, missing = imported(ledger, policy, past(target, host, options.since, options.until, step))
            whole, silent = whole + done, silent + missing
    sys.stdout.write(f"{whole.hours} hours of {', '.join(sorted(whole.metrics)) or 'nothing'}\n")
    for one in silent:
        sys.stderr.write(f"no answer for {one.question}: {one.reason}\n")
    return 1 if silent or not whole.hours else 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    def day(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)

    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    parser = argparse.ArgumentParser(prog="python -m clo_ops.orchestration.roll_ups", description=__doc__)
    parser.add_argument("--prometheus", required=True, metavar="URL")
    parser.add_argument("--since", required=True, type=day, metavar="DAY", help="the first day (UTC)")
    parser.add_argument("--until", type=day, default=day(tomorrow), metavar="DAY", help="the day after the last one")
    parser.add_argument("--host", action="append", required=True, metavar="NAME=INSTANCE")
    parser.add_argument("--url", default=os.environ.get("CLO_OPS_LEDGER_URL", ""), help="the ledger")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
