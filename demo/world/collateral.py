"""The assets of one group of deals: who owes, on which terms, how rated. Balances come from cash_flows."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date, timedelta

from demo.world import calendar
from demo.world.deals import Deal
from demo.world.plan import Plan
from demo.world.reference import CA, INDUSTRIES, SP_INDUSTRIES

PLACES = [
    "Harbor",
    "Summit",
    "Granite",
    "Cedar",
    "Northern",
    "Lakeside",
    "Pioneer",
    "Keystone",
    "Meridian",
    "Falcon",
    "Juniper",
    "Sterling",
    "Crescent",
]
TRADES = [
    "Logistics",
    "Software",
    "Health",
    "Packaging",
    "Dental",
    "Foods",
    "Aviation",
    "Retail",
    "Media",
    "Materials",
    "Energy",
    "Education",
    "Gaming",
]
FORMS = ("Inc", "LLC", "Holdings", "Corp")
COUNTRIES = ("US",) * 17 + ("CA", "GB", "NL")


@dataclass(frozen=True)
class Issuer:
    issuer_id: str
    name: str
    mdy_industry: str
    sp_industry: str
    country: str
    rank: int


@dataclass
class Holding:
    """One deal's position; ``weight`` is its part of the asset's first balance, in cents."""

    deal: Deal
    purchase_date: date
    purchase_price: int
    weight: int


@dataclass
class Asset:
    blkrock_id: str
    issuer: Issuer
    kind: str
    seniority: str
    rank: int
    sp_rank: int | None
    maturity: date
    start: date
    anchor: int
    months: int
    floating: bool
    spread: int
    floor: int
    cap: int | None
    coupon: int
    day_count: str
    convention: str
    amortising: bool
    recovery_rate: int
    unfunded: int
    base_price: int
    fate: str = "ACTIVE"
    stale: bool = False
    holdings: list[Holding] = field(default_factory=list)
    # Filled by the cash flows and the price history:
    par: int = 0
    defaulted_par: int = 0
    current_rate: int = 0
    ended_on: date | None = None
    market_price: int = 0
    wal: float = 0.0

    @property
    def weight(self) -> int:
        return sum(holding.weight for holding in self.holdings)


def issuers(plan: Plan, group: int, count: int) -> list[Issuer]:
    rng = plan.rng("issuers", group)
    made = []
    for number in range(count):
        place, trade = PLACES[number % len(PLACES)], rng.choice(TRADES)
        name = f"{place} {trade} {group + 1}-{number + 1:03d} {rng.choice(FORMS)}"
        rank = rng.choices(range(11, 20), (1, 3, 6, 12, 22, 16, 3, 1.2, 0.6))[0]
        made.append(
            Issuer(
                f"ISS{group + 1:03d}{number + 1:04d}",
                name,
                rng.choice(INDUSTRIES),
                rng.choice(SP_INDUSTRIES),
                rng.choice(COUNTRIES),
                rank,
            )
        )
    return made


def assets(plan: Plan, group: int, count: int, deals: list[Deal]) -> list[Asset]:
    rng = plan.rng("assets", group)
    names = issuers(plan, group, max(40, round(count * 0.75)))
    return [_asset(plan, rng, f"BRS{group + 1:03d}{n + 1:05d}", rng.choice(names), deals) for n in range(count)]


def _asset(plan: Plan, rng: random.Random, blkrock_id: str, issuer: Issuer, deals: list[Deal]) -> Asset:
    bond = rng.random() < 0.06
    kind = "BOND" if bond else rng.choices(("LOAN", "REVOLVER", "DELAYED DRAW"), (94, 2, 2))[0]
    months = 6 if bond else rng.choices((3, 1), (95, 5))[0]
    rank = min(CA - 1, max(8, issuer.rank + rng.choice((-1, 0, 0, 0, 1))))
    anchor = rng.choice((1, 5, 12, 15, 25, 31))
    maturity = _maturity(plan, rng, anchor)
    asset = Asset(
        blkrock_id=blkrock_id,
        issuer=issuer,
        kind=kind,
        seniority="Senior Secured" if bond or rng.random() < 0.95 else "Second Lien",
        rank=rank,
        sp_rank=None if rng.random() < 0.05 else min(19, max(8, rank + rng.choice((-1, 0, 0, 1)))),
        maturity=maturity,
        start=maturity,
        anchor=anchor,
        months=months,
        floating=not bond,
        spread=0 if bond else rng.randrange(275, 526, 25) * 100 + max(0, rank - 14) * 2500,
        floor=0 if bond else rng.choice((0, 5_000, 7_500, 10_000)),
        cap=150_000 if not bond and rng.random() < 0.02 else None,
        coupon=rng.randrange(5_500, 9_001, 125) * 10 if bond else 0,
        day_count="30/360" if bond else rng.choices(("ACT/360", "ACT/365"), (96, 4))[0],
        convention=rng.choices(("FOLLOWING", "MODIFIED FOLLOWING"), (30, 70))[0],
        amortising=not bond,
        recovery_rate=rng.randrange(400, 601, 25) * 1000 if not bond else 350_000,
        unfunded=rng.randrange(200, 900) * 100_000 if kind in ("REVOLVER", "DELAYED DRAW") else 0,
        base_price=_base_price(rng, rank),
        stale=rng.random() < 0.01,
    )
    _hold(rng, asset, deals)
    _decide_fate(plan, rng, asset)
    return asset


def _maturity(plan: Plan, rng: random.Random, anchor: int) -> date:
    """Between 16 months and 7 years ahead; one in a hundred beyond what the older deals live."""
    ahead = rng.randint(103, 112) if rng.random() < 0.012 else rng.randint(16, 84)
    return calendar.add_months(plan.today, ahead, anchor=anchor)


def _base_price(rng: random.Random, rank: int) -> int:
    low, high = (98_500, 100_400) if rank < 14 else (95_500, 99_900) if rank < 17 else (68_000, 91_000)
    return rng.randint(low, high)


def _hold(rng: random.Random, asset: Asset, deals: list[Deal]) -> None:
    """Bought on a day its interest is paid, so that a deal's share of a period is the whole period's."""
    most = 1 if asset.unfunded else min(len(deals), rng.choices((1, 2, 3), (5, 4, 2))[0])
    for deal in rng.sample(deals, most):
        bought = boundary_before(asset, deal.closing + timedelta(days=45))
        cheap = rng.random() < 0.025
        purchase_price = rng.randint(70_000, 79_500) if cheap else rng.randint(96_500, 100_500)
        asset.holdings.append(Holding(deal, bought, purchase_price, rng.randrange(120, 400) * 1_000_000))
    asset.start = min(holding.purchase_date for holding in asset.holdings)


def boundary_before(asset: Asset, day: date) -> date:
    """The last accrual boundary on or before the day, counted back from maturity."""
    back = (asset.maturity.year - day.year) * 12 + asset.maturity.month - day.month
    months = -(-back // asset.months) * asset.months
    boundary = calendar.add_months(asset.maturity, -months, anchor=asset.anchor)
    return boundary if boundary <= day else calendar.add_months(boundary, -asset.months, anchor=asset.anchor)


def _decide_fate(plan: Plan, rng: random.Random, asset: Asset) -> None:
    """A few were sold, a few defaulted, all of it between the last purchase and the books."""
    latest = max(holding.purchase_date for holding in asset.holdings)
    seasoned = latest + timedelta(days=400) < plan.books
    draw = rng.random()
    if draw < 0.04 and seasoned and not asset.unfunded:
        asset.fate = "SOLD"
    elif draw < 0.055 and seasoned and asset.maturity > plan.today + timedelta(days=1000) and not asset.unfunded:
        asset.fate, asset.rank, asset.sp_rank, asset.stale = "DEFAULTED", CA, 21, False
        asset.base_price = rng.randint(20_000, 60_000)
