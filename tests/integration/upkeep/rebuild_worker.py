"""A worker as Airflow would run it: one plan of indexes applied on record. It is there to be killed."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT), str(ROOT / "plugins")]

from clo_ops.actions.maintenance.applying import apply  # noqa: E402 (needs the path above)
from clo_ops.actions.maintenance.indexes import IndexCare  # noqa: E402
from clo_ops.ledger import Ledger  # noqa: E402
from clo_ops.policy.upkeep import Indexes  # noqa: E402
from clo_ops.probes.targets import PostgresTarget  # noqa: E402
from clo_ops.probes.upkeep_indexes import indexes  # noqa: E402
from clo_ops.rules.rebuilds import Choice, Known, choose  # noqa: E402


def main() -> None:
    given = json.loads(os.environ["REBUILD"])
    terms = Indexes.model_validate(given["terms"])
    reader, maintainer = PostgresTarget(**given["reader"]), PostgresTarget(**given["maintainer"])
    known = Known(datetime.now(UTC), {})
    with Ledger(given["ledger"]) as ledger:
        run = ledger.open_run("weekly_monday_maintenance", given["run"], datetime.now(UTC), "")
        since = datetime.now(UTC) - timedelta(hours=1)
        care = IndexCare(
            reader, maintainer, terms, given["system"], known, lambda: ledger.rebuilds(given["system"], since)
        )
        snapshot, _ = indexes(reader, terms.bloat, maintainer=maintainer.user)
        assert snapshot is not None
        wanted = [one for one in choose(snapshot, terms, known).rebuild if one.index.name == given["index"]]
        plan = care.plan(snapshot, Choice(tuple(wanted), ()))
        apply(plan, care.act, ledger=ledger, run=run, ends=datetime.now(UTC) + timedelta(hours=2))


if __name__ == "__main__":
    main()
