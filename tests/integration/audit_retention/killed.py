"""Carries out retention in processes that may be killed: forked from one that has everything loaded.

Reads one JSON per line (what to connect to), answers with the pid, and once more when that process has ended.
"""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import UTC, datetime, timedelta

import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet  # noqa: F401 - loaded before the first fork

from clo_ops.actions.retention.archiving import RetentionFailed
from clo_ops.actions.retention.audit import AuditRetention
from clo_ops.ledger.ledger import Ledger
from clo_ops.policy import load_policy
from clo_ops.policy.period import Period
from clo_ops.probes.targets import BackupRepository, PostgresTarget


def retention(order: dict) -> None:
    policy = load_policy(mode="demo").retention.archive.model_copy(
        update={"rows_per_batch": 40, "pause": timedelta(0), "stop_above": 90.0, "rows_per_file": order["per_file"]}
    )
    with Ledger(order["ledger"], client_name="clo_ops/killed") as ledger:
        work = AuditRetention(
            PostgresTarget(**order["target"]),
            BackupRepository(order["archive"]),
            policy,
            Period(days=90),
            ledger,
            at=datetime.now(UTC),
        )
        while True:
            try:
                for step in work.plan().steps:
                    work.act(step)
            except RetentionFailed as busy:
                if "another retention" not in str(busy):
                    raise
                time.sleep(0.02)  # the session of the one that was killed is not gone yet
            else:
                return


def say(what: object) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def main() -> None:
    load_policy(mode="demo")
    say("ready")
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                retention(json.loads(line))
                os._exit(0)
            except BaseException as error:  # noqa: BLE001 - nothing may run on in the copy
                sys.stderr.write(f"{type(error).__name__}: {error}\n")
                sys.stderr.flush()
                os._exit(1)
        say(child)
        _, status = os.waitpid(child, 0)
        say(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
