"""Whether a planned window falls on a day that needs an approval of its own (D33)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clo_ops.orchestration.run import Run
    from clo_ops.rules.windows_planned import Occasion


def why_frozen(run: Run, mine: Occasion) -> list[str]:
    """What it falls on, in words; empty where nothing. Asks the application's payment schedule."""
    from clo_ops.probes.schedule_dates import dates
    from clo_ops.rules.windows_freeze import collisions, days_of

    freeze = run.policy.maintenance.freeze
    days = days_of(mine.starts, freeze)
    answer = run.ask(dates, run.connections.postgres, days[0], days[-1])
    return collisions(mine.starts, answer, freeze, run.policy.business_calendar)
