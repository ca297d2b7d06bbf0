"""Exact amounts: money is whole cents, rates are whole millionths, prices whole thousandths of a percent."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from demo.world.calendar import day_fraction

MILLION = 1_000_000
PRICE = 1_000


def text(cents: int) -> str:
    sign, cents = ("-", -cents) if cents < 0 else ("", cents)
    return f"{sign}{cents // 100}.{cents % 100:02d}"


def rate(millionths: int) -> str:
    sign, millionths = ("-", -millionths) if millionths < 0 else ("", millionths)
    return f"{sign}{millionths // MILLION}.{millionths % MILLION:06d}"


def price(thousandths: int) -> str:
    return f"{thousandths // PRICE}.{thousandths % PRICE:03d}"


def rounded(numerator: int, denominator: int) -> int:
    """Half up, in whole numbers, so that no machine rounds differently."""
    return (2 * numerator + denominator) // (2 * denominator)


def interest(cents: int, millionths: int, convention: str, start: date, end: date) -> int:
    days, year = day_fraction(convention, start, end)
    return rounded(cents * millionths * days, MILLION * year)


def ratio(numerator: int | Decimal, denominator: int | Decimal) -> Decimal:
    """Twelve decimals: enough for a cent in ten billion."""
    return (Decimal(numerator) / Decimal(denominator)).quantize(Decimal("1e-12"))
