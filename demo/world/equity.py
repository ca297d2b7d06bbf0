"""What the residual class has received, against what it paid in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from demo.world.waterfall import Execution


@dataclass(frozen=True)
class Performance:
    on: date
    distributed: int  # cents, since closing
    multiple: float
    irr: float


def performance(invested: int, closing: date, executions: list[Execution]) -> list[Performance]:
    """After each payment date; the return is that of distributions alone, no terminal value."""
    made, flows, total = [], [(closing, -invested)], 0
    for run in executions:
        received = run.step("RESIDUAL_INTEREST").paid
        flows.append((run.period.payment, received))
        total += received
        made.append(Performance(run.period.payment, total, total / invested, internal_rate(flows)))
    return made


def internal_rate(flows: list[tuple[date, int]]) -> float:
    """Yearly, by bisection between -99 % and +100 %; the nearer end where the root lies outside."""
    start = flows[0][0]
    years = [((day - start).days / 365.25, amount) for day, amount in flows]
    low, high = -0.99, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        value = sum(amount / (1 + middle) ** time for time, amount in years)
        low, high = (middle, high) if value > 0 else (low, middle)
    return round(low, 8)
