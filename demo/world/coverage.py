"""Adjusted collateral principal amount, and the coverage ratios made of it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from demo.world import money
from demo.world.book import Position
from demo.world.deals import RATED, Deal
from demo.world.reference import CAA1

PAR = 100_000  # a price of 100 %, in thousandths of a percent
DISCOUNT_BELOW = 80_000
LONG_DATED_AT = 70_000
CCC_LIMIT = 75  # thousandths of the pool


@dataclass(frozen=True)
class Coverage:
    adjusted: Decimal  # cents
    oc: dict[str, Decimal]
    ic: dict[str, Decimal]
    oc_pass: dict[str, bool]
    ic_pass: dict[str, bool]


def carried_at(position: Position, deal: Deal) -> int:
    """Lowest of the treatments that do not depend on the rest of the pool; never two on top of each other."""
    bought, long_dated = position.holding.purchase_price, position.asset.maturity > deal.maturity
    return min(bought if bought < DISCOUNT_BELOW else PAR, LONG_DATED_AT if long_dated else PAR)


def ccc_excess(performing: list[Position]) -> dict[int, int]:
    """Cents in excess of the limit by position (its ``id``), lowest market value first."""
    worst = [position for position in performing if position.asset.rank >= CAA1]
    worst.sort(key=lambda position: (position.asset.market_price, position.asset.blkrock_id))
    pool = sum(position.par for position in performing)
    left = max(0, sum(position.par for position in worst) - pool * CCC_LIMIT // 1000)
    excess = {}
    for position in worst:
        excess[id(position)] = min(left, position.par)
        left -= excess[id(position)]
    return excess


def adjusted_principal(positions: list[Position], cash: int, deal: Deal) -> Decimal:
    """Cents: performing par by the lowest treatment, defaults at recovery or market, and principal cash."""
    performing = [position for position in positions if not position.defaulted]
    excess, total = ccc_excess(performing), 0
    for position in performing:
        base, over = carried_at(position, deal), excess.get(id(position), 0)
        total += (position.par - over) * base + over * min(base, position.asset.market_price)
    for position in positions:
        if position.defaulted:
            total += position.par * min(position.asset.recovery_rate // 10, position.asset.market_price)
    return Decimal(total) / PAR + cash


def judge(deal: Deal, adjusted: Decimal, owed: dict[str, int], net_interest: int, due: dict[str, int]) -> Coverage:
    """Ratios per class over everything owed to it and to the classes before it (both in cents)."""
    oc, ic, balance, interest = {}, {}, 0, 0
    for name in RATED:
        balance, interest = balance + owed[name], interest + due[name]
        oc[name], ic[name] = money.ratio(adjusted, balance), money.ratio(net_interest, interest)
    return Coverage(
        adjusted,
        oc,
        ic,
        {name: oc[name] >= deal.terms.oc_threshold[name] for name in RATED},
        {name: ic[name] >= deal.terms.ic_threshold[name] for name in RATED},
    )
