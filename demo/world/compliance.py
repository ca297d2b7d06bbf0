"""Collateral quality and concentration tests of a deal on one determination date."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal

from demo.world import money
from demo.world.book import Position
from demo.world.deals import Deal
from demo.world.reference import CAA1, DIVERSITY, FACTORS, INDUSTRIES, INDUSTRY, UNIT_SCORES, Record

Ratio = tuple[Decimal, Decimal]
HUNDRED = Decimal(100)
PLACES = ("Largest", "Second largest", "Third largest")


def _weighted(positions: list[Position], value: Callable[[Position], Decimal]) -> Ratio:
    """(sum of par times value, sum of par), par in whole currency with cents."""
    total = sum((position.par * value(position) for position in positions), Decimal(0))
    return total / HUNDRED, Decimal(sum(position.par for position in positions)) / HUNDRED


def _quality(pool: list[Position], later: Decimal) -> dict[str, Ratio]:
    floating = [position for position in pool if position.asset.floating]
    fixed = [position for position in pool if not position.asset.floating]
    return {
        "Weighted average rating factor": _weighted(pool, lambda p: Decimal(FACTORS[p.asset.rank - 1])),
        "Weighted average spread": _weighted(floating, lambda p: Decimal(p.asset.spread) / money.MILLION),
        "Weighted average coupon": _weighted(fixed, lambda p: Decimal(p.asset.coupon) / money.MILLION),
        "Weighted average life": _weighted(pool, lambda p: Decimal(str(p.asset.wal)) + later),
        "Weighted average recovery rate": _weighted(pool, lambda p: Decimal(p.asset.recovery_rate) / money.MILLION),
        DIVERSITY: (diversity_score(pool), Decimal(1)),
    }


def _concentrations(pool: list[Position]) -> dict[str, Ratio]:
    total = Decimal(sum(position.par for position in pool)) / HUNDRED

    def part(belongs: Callable[[Position], bool]) -> Ratio:
        return Decimal(sum(position.par for position in pool if belongs(position))) / HUNDRED, total

    made = {
        "Senior secured loans": part(lambda p: p.asset.seniority == "Senior Secured"),
        "Second lien loans": part(lambda p: p.asset.seniority == "Second Lien"),
        "Fixed-rate assets": part(lambda p: not p.asset.floating),
        "Rated Caa1 or below": part(lambda p: p.asset.rank >= CAA1),
        "Obligors outside the United States": part(lambda p: p.asset.issuer.country != "US"),
        "Revolving and delayed-draw": part(lambda p: p.asset.kind in ("REVOLVER", "DELAYED DRAW")),
    }
    industries = {name: Decimal(0) for name in INDUSTRIES} | _sums(pool, lambda p: p.asset.issuer.mdy_industry)
    made |= {INDUSTRY + name: (par, total) for name, par in industries.items()}
    for subject, sums in (("obligor", _sums(pool, lambda p: p.asset.issuer.issuer_id)), ("industry", industries)):
        largest = sorted(sums.values(), reverse=True)
        made |= {f"{place} {subject}": (par, total) for place, par in zip(PLACES, largest, strict=False)}
    return made


def _sums(pool: list[Position], key: Callable[[Position], str]) -> dict[str, Decimal]:
    sums: Counter[str] = Counter()
    for position in pool:
        sums[key(position)] += position.par
    return {name: Decimal(par) / HUNDRED for name, par in sums.items()}


def diversity_score(pool: list[Position]) -> Decimal:
    """Equivalent units of each obligor (at most 1) summed per industry, scored, summed; four decimals."""
    obligors = _sums(pool, lambda p: p.asset.issuer.issuer_id)
    industry = {position.asset.issuer.issuer_id: position.asset.issuer.mdy_industry for position in pool}
    average = sum(obligors.values(), Decimal(0)) / len(obligors)
    units: dict[str, Decimal] = {}
    for issuer, par in obligors.items():
        units[industry[issuer]] = units.get(industry[issuer], Decimal(0)) + min(Decimal(1), par / average)
    return sum((score(value) for value in units.values()), Decimal(0)).quantize(Decimal("0.0001"))


def score(units: Decimal) -> Decimal:
    for (low, before), (high, after) in itertools.pairwise(UNIT_SCORES):
        if units <= high:
            return Decimal(str(before)) + (units - low) * (Decimal(str(after)) - Decimal(str(before))) / (high - low)
    return Decimal(str(UNIT_SCORES[-1][1]))


def results(deal: Deal, index: int, positions: list[Position], tests: list[Record], stamp: object) -> Iterator[Record]:
    day, books = deal.past[index].determination, deal.past[-1].determination
    pool = [position for position in positions if not position.defaulted]
    later = Decimal((books - day).days) / Decimal("365.25")
    ratios = _quality(pool, later) | _concentrations(pool)
    for test in tests:
        numerator, denominator = ratios[test["test_name"]]
        value = money.ratio(numerator, denominator) if denominator else None
        limit = Decimal(str(test["threshold_value"]))
        at_least = test["threshold_type"] == "MIN"
        yield {
            "deal_id": deal.deal_id,
            "test_id": test["test_id"],
            "test_date": day,
            "calculated_value": value,
            "threshold_value": limit,
            "pass_fail": None if value is None else value >= limit if at_least else value <= limit,
            "numerator": numerator.quantize(Decimal("0.000001")),
            "denominator": denominator,
            "test_comments": None,
            "created_at": stamp,
        }
