"""What a deal holds and collects, at and between its determination dates."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from demo.world.cash_flows import Flow, share
from demo.world.collateral import Asset, Holding
from demo.world.deals import Deal


@dataclass(slots=True)
class Position:
    """A deal's part of an asset on some day, in cents; ``defaulted`` when the par is that of a default."""

    asset: Asset
    holding: Holding
    par: int
    defaulted: bool


@dataclass
class Book:
    deal: Deal
    interest: list[int] = field(default_factory=list)  # collected, per past period
    principal: list[int] = field(default_factory=list)
    positions: list[list[Position]] = field(default_factory=list)

    def par(self, period: int) -> int:
        """Performing par on the determination date of the period."""
        return sum(position.par for position in self.positions[period] if not position.defaulted)


def books(deals: list[Deal], flows: Mapping[str, list[Flow]], assets: list[Asset]) -> list[Book]:
    made = [Book(deal) for deal in deals]
    by_id = {book.deal.deal_id: book for book in made}
    for book in made:
        count = len(book.deal.past)
        book.interest, book.principal = [0] * count, [0] * count
        book.positions = [[] for _ in range(count)]
    for asset in assets:
        for holding in asset.holdings:
            _add(by_id[holding.deal.deal_id], asset, holding, flows[asset.blkrock_id])
    return made


def _add(book: Book, asset: Asset, holding: Holding, flows: list[Flow]) -> None:
    days = [period.determination for period in book.deal.past]
    for flow in flows:
        if flow.paid > days[-1]:
            break
        if flow.start >= holding.purchase_date and flow.paid >= book.deal.closing:
            index = _period_of(days, flow.paid)
            book.interest[index] += share(asset, holding, flow.interest)
            book.principal[index] += share(asset, holding, flow.principal)
    for index, day in enumerate(days):
        position = _on(asset, holding, flows, day)
        if position:
            book.positions[index].append(position)


def _period_of(days: list[date], paid: date) -> int:
    """The first determination date on or after the payment."""
    index = bisect_right(days, paid)
    return index - 1 if index and days[index - 1] == paid else index


def _on(asset: Asset, holding: Holding, flows: list[Flow], day: date) -> Position | None:
    if asset.ended_on and asset.ended_on <= day:
        defaulted = share(asset, holding, asset.defaulted_par)
        return Position(asset, holding, defaulted, defaulted=True) if defaulted else None
    index = bisect_right(flows, day, key=lambda flow: flow.paid)
    return Position(asset, holding, share(asset, holding, flows[index].beginning), defaulted=False)
