"""Ask the application on which days it pays and determines interest: maintenance keeps away from them (D33)."""

from __future__ import annotations

from datetime import UTC, date, datetime

from clo_ops.findings import Answer, Measurement
from clo_ops.probes.postgres import asked, rows
from clo_ops.probes.targets import PostgresTarget

QUESTION = "payment and determination dates"


def dates(target: PostgresTarget, since: date, until: date) -> Answer:
    """``clo.schedule.deals`` (count) {day, kind: payment|determination}, and ``clo.schedule.asked`` (bool)."""

    def measure(session: object) -> list[Measurement]:
        at = datetime.now(UTC)
        found = rows(session, "source/schedule_dates", {"since": since, "until": until})  # type: ignore[arg-type]
        return [
            Measurement("clo.schedule.asked", 1, "bool", at, detail=f"{since} to {until}"),
            *(
                Measurement(
                    "clo.schedule.deals", row["deals"], "count", at, {"day": str(row["day"]), "kind": row["kind"]}
                )
                for row in found
            ),
        ]

    return asked(QUESTION, target, measure)
