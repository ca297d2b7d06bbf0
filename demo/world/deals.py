"""The deals: their dates, payment calendar, classes and terms. Balances come from the waterfall."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from demo.world import calendar
from demo.world.plan import DETERMINATION_DAY, PAYMENT_DAY, PAYMENT_MONTHS, Plan

MANAGERS = ["Ashdown", "Bellwether", "Corvid", "Dunmore", "Eastgate", "Fairholm", "Greywater", "Highmoor", "Ironbridge"]
TRUSTEES = ("First Fiduciary Trust", "Continental Trust", "Harbour Bank Trust")
RATED = ("A", "B", "C", "D")
EQUITY = "SUB"
DEFERRABLE = ("C", "D")


@dataclass(frozen=True)
class Period:
    """One payment date; the interest of the notes runs from ``accrual_start`` to ``payment``."""

    number: int
    payment: date
    accrual_start: date
    collection_start: date
    determination: date
    fixing: date
    past: bool


@dataclass(frozen=True)
class Terms:
    part: dict[str, float]  # of target par, per class
    margin: dict[str, int]
    oc_threshold: dict[str, Decimal]
    ic_threshold: dict[str, Decimal]
    senior_fee: int
    junior_fee: int
    incentive_fee: int
    hurdle: int
    trustee_fee: int
    admin_cap: int
    reserve_target: int


@dataclass(frozen=True)
class Deal:
    number: int
    deal_id: str
    name: str
    manager: str
    trustee: str
    closing: date
    effective: date
    maturity: date
    reinvestment_end: date
    periods: tuple[Period, ...]
    terms: Terms

    @property
    def past(self) -> list[Period]:
        return [period for period in self.periods if period.past]

    def tranche_id(self, name: str) -> str:
        return f"{self.deal_id}-{name}"


def deals(plan: Plan, group: int, first_number: int, count: int) -> list[Deal]:
    return [_deal(plan, plan.rng("deal", group, n), first_number + n) for n in range(count)]


def _deal(plan: Plan, rng: random.Random, number: int) -> Deal:
    """Every other deal is past its reinvestment period; every fourth one is close to its tests."""
    amortising = number % 2 == 0
    age = rng.randint(44, 54) if amortising else rng.randint(20, 40)
    closing = calendar.following(calendar.add_months(plan.books, -age) + timedelta(days=rng.randint(0, 25)))
    reinvestment_end = calendar.add_months(closing, 30 if amortising else 60)
    effective = closing + timedelta(days=120)
    manager = rng.choice(MANAGERS)
    maturity_month = calendar.add_months(closing, 150)
    periods = tuple(_periods(plan, closing, effective + timedelta(days=60), maturity_month))
    return Deal(
        number=number,
        deal_id=f"CLO-{number:04d}",
        name=f"{manager} CLO {closing.year}-{number}",
        manager=f"{manager} Credit Management",
        trustee=rng.choice(TRUSTEES),
        closing=closing,
        effective=effective,
        maturity=periods[-1].payment,
        reinvestment_end=reinvestment_end,
        periods=periods,
        terms=_terms(rng, tight=number % 4 == 1),
    )


def _periods(plan: Plan, closing: date, earliest: date, last: date) -> list[Period]:
    made: list[Period] = []
    start, collected_to = closing, closing - timedelta(days=1)
    for year in range(closing.year, last.year + 1):
        for month in PAYMENT_MONTHS:
            payment = calendar.following(date(year, month, PAYMENT_DAY))
            if not earliest <= payment <= last:
                continue
            determination = date(year, month, DETERMINATION_DAY)
            fixing = calendar.preceding(calendar.preceding(start - timedelta(days=1)) - timedelta(days=1))
            opened = collected_to + timedelta(days=1)
            past = determination <= plan.books
            made.append(Period(len(made) + 1, payment, start, opened, determination, fixing, past))
            start, collected_to = payment, determination
    return made


def _terms(rng: random.Random, *, tight: bool) -> Terms:
    thin = 0.045 if tight else 0.0
    least = Decimal("1.1060") if tight else Decimal("1.0850")  # a tight deal fails now and then, and is cured
    shift = rng.randrange(-10, 11, 5) * 100
    return Terms(
        part={"A": 0.605, "B": 0.12, "C": 0.07, "D": 0.055 + thin, EQUITY: 0.13 - thin},
        margin={"A": 13_000 + shift, "B": 18_500 + shift, "C": 25_000 + shift, "D": 38_000 + shift},
        oc_threshold={"A": Decimal("1.3400"), "B": Decimal("1.2250"), "C": Decimal("1.1450"), "D": least},
        ic_threshold={"A": Decimal("1.2500"), "B": Decimal("1.2000"), "C": Decimal("1.1000"), "D": Decimal("1.0500")},
        senior_fee=1_500,
        junior_fee=2_500,
        incentive_fee=200_000,
        hurdle=120_000,
        trustee_fee=8_000_000,
        admin_cap=25_000_000,
        reserve_target=25_000_000,
    )
