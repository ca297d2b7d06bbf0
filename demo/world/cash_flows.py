"""What an asset pays, period by period, from the first purchase to maturity: actual to the books, projected after."""

from __future__ import annotations

import itertools
import random
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from demo.world import calendar, money
from demo.world.collateral import Asset, Holding
from demo.world.rates import Fixings

PROJECTED_PREPAYMENT = 37_000  # millionths of the balance per quarter


@dataclass(slots=True)
class Flow:
    number: int
    start: date
    end: date
    paid: date
    rate: int
    beginning: int
    interest: int
    scheduled: int = 0
    unscheduled: int = 0
    default: int = 0
    recovered: int = 0
    sold: int = 0
    default_balance: int = 0

    @property
    def ending(self) -> int:
        return self.beginning - self.scheduled - self.unscheduled - self.default - self.sold

    @property
    def principal(self) -> int:
        return self.scheduled + self.unscheduled + self.recovered + self.sold


def boundaries(asset: Asset) -> list[date]:
    days = [asset.start]
    while days[-1] < asset.maturity:
        days.append(calendar.add_months(days[-1], asset.months, anchor=asset.anchor))
    return days


def all_in_rate(asset: Asset, reset: date, fixings: Fixings) -> int:
    if not asset.floating:
        return asset.coupon
    rate = max(fixings.on(reset, 1 if asset.months == 1 else 3), asset.floor) + asset.spread
    return min(rate, asset.cap) if asset.cap else rate


def flows(asset: Asset, books: date, rng: random.Random, fixings: Fixings) -> list[Flow]:
    """The asset's periods; leaves par, current rate, end and life on the asset."""
    days, balance, made = boundaries(asset), asset.weight, list[Flow]()
    adjust = calendar.following if asset.convention == "FOLLOWING" else calendar.modified_following
    fatal = _fatal_period(asset, days, books, rng)
    for number, (start, end) in enumerate(itertools.pairwise(days), 1):
        rate = all_in_rate(asset, start, fixings)
        interest = money.interest(balance, rate, asset.day_count, start, end)
        flow = Flow(number, start, end, adjust(end), rate, balance, interest)
        _repay(asset, flow, books, rng, fatal, last=end >= asset.maturity)
        _after_default(asset, flow, made, fatal)
        balance = flow.ending
        made.append(flow)
        if flow.sold:
            break
    _settle(asset, made, books)
    return made


def _fatal_period(asset: Asset, days: list[date], books: date, rng: random.Random) -> int:
    """The period at whose end the asset is sold or defaults: within about a year before the books."""
    if asset.fate == "ACTIVE":
        return 0
    past = bisect_right(days, calendar.add_months(books, -1)) - 1
    back = max(1, 9 // asset.months)
    latest = max(holding.purchase_date for holding in asset.holdings)
    first = bisect_right(days, latest)
    return max(first, past - rng.randint(0, back))


def _repay(asset: Asset, flow: Flow, books: date, rng: random.Random, fatal: int, *, last: bool) -> None:
    if flow.number == fatal:
        flow.sold = flow.beginning if asset.fate == "SOLD" else 0
        flow.default = flow.beginning - flow.sold
        return
    if last:
        flow.scheduled = flow.beginning
        return
    if asset.amortising and flow.beginning:
        flow.scheduled = min(flow.beginning, asset.weight * asset.months // 1200)
    left = flow.beginning - flow.scheduled
    if flow.paid > books:
        flow.unscheduled = left * PROJECTED_PREPAYMENT * asset.months // (3 * money.MILLION)
    elif asset.amortising and rng.random() < 0.02 * asset.months / 3:
        flow.unscheduled = left * rng.randint(5, 25) // 100


def _after_default(asset: Asset, flow: Flow, before: list[Flow], fatal: int) -> None:
    """The defaulted balance stands until what can be recovered is, two years on (after the books)."""
    if asset.fate != "DEFAULTED" or flow.number < fatal:
        return
    defaulted = flow.default or next(f.default for f in before if f.number == fatal)
    workout = fatal + 24 // asset.months
    if flow.number == workout:
        flow.recovered = defaulted * asset.recovery_rate // money.MILLION
    flow.default_balance = defaulted if flow.number < workout else 0


def _settle(asset: Asset, made: list[Flow], books: date) -> None:
    ahead = [flow for flow in made if flow.paid > books]
    asset.par = ahead[0].beginning if ahead else 0
    current = [flow for flow in made if flow.start <= books][-1]
    asset.current_rate = current.rate
    asset.defaulted_par = max((flow.default for flow in made), default=0)
    asset.ended_on = next((flow.paid for flow in made if flow.default or flow.sold), None)
    weighted = sum(flow.principal * max(0, (flow.paid - books).days) for flow in ahead)
    asset.wal = round(weighted / (sum(flow.principal for flow in ahead) or 1) / 365.25, 4)


def share(asset: Asset, holding: Holding, amount: int) -> int:
    """A deal's part of an amount; the last holder takes what rounding leaves, so that the parts add up."""
    total = asset.weight
    if holding is not asset.holdings[-1]:
        return amount * holding.weight // total
    return amount - sum(amount * other.weight // total for other in asset.holdings[:-1])


def records(asset: Asset, made: list[Flow], stamp: object) -> Iterator[dict[str, object]]:
    for flow in made:
        loss_price = asset.market_price
        yield {
            "blkrock_id": asset.blkrock_id,
            "period_number": flow.number,
            "payment_date": flow.paid,
            "accrual_start_date": flow.start,
            "accrual_end_date": flow.end,
            "beginning_balance": money.text(flow.beginning),
            "ending_balance": money.text(flow.ending),
            "default_balance": money.text(flow.default_balance),
            "mv_default_balance": money.text(money.rounded(flow.default_balance * loss_price, 100_000)),
            "interest_payment": money.text(flow.interest),
            "scheduled_principal": money.text(flow.scheduled),
            "unscheduled_principal": money.text(flow.unscheduled),
            "default_amount": money.text(flow.default),
            "mv_default_amount": money.text(money.rounded(flow.default * loss_price, 100_000)),
            "recoveries": money.text(flow.recovered),
            "net_loss": money.text(flow.default - flow.recovered),
            "purchases": "0.00",
            "sales": money.text(flow.sold),
            "total_cash_flow": money.text(flow.interest + flow.principal),
            "created_at": stamp,
            "updated_at": stamp,
        }
