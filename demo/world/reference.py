"""Reference data: rating scales, holidays, industries, compliance tests, waterfall structures, scenarios."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from demo.world import calendar, money
from demo.world.plan import Plan

Record = dict[str, Any]

MOODYS = [
    "Aaa",
    "Aa1",
    "Aa2",
    "Aa3",
    "A1",
    "A2",
    "A3",
    "Baa1",
    "Baa2",
    "Baa3",
    "Ba1",
    "Ba2",
    "Ba3",
    "B1",
    "B2",
    "B3",
    "Caa1",
    "Caa2",
    "Caa3",
    "Ca",
    "C",
]
SP = [
    "AAA",
    "AA+",
    "AA",
    "AA-",
    "A+",
    "A",
    "A-",
    "BBB+",
    "BBB",
    "BBB-",
    "BB+",
    "BB",
    "BB-",
    "B+",
    "B",
    "B-",
    "CCC+",
    "CCC",
    "CCC-",
    "CC",
    "D",
]
AGENCIES = {"Moody's": MOODYS, "S&P": SP, "Fitch": SP}
FACTORS = (
    1,
    10,
    20,
    40,
    70,
    120,
    180,
    260,
    360,
    610,
    940,
    1350,
    1766,
    2220,
    2720,
    3490,
    4770,
    6500,
    8070,
    10000,
    10000,
)
CAA1, CA, C = 17, 20, 21  # ranks: rating_numeric of the scale

INDUSTRIES = [
    "Aerospace & Defense",
    "Automotive",
    "Banking, Finance & Insurance",
    "Beverage, Food & Tobacco",
    "Capital Equipment",
    "Chemicals, Plastics & Rubber",
    "Construction & Building",
    "Consumer Goods: Durable",
    "Consumer Goods: Non-Durable",
    "Containers, Packaging & Glass",
    "Energy: Electricity",
    "Energy: Oil & Gas",
    "Environmental Industries",
    "Forest Products & Paper",
    "Healthcare & Pharmaceuticals",
    "High Tech Industries",
    "Hotel, Gaming & Leisure",
    "Media: Advertising",
    "Media: Broadcasting",
    "Media: Publishing",
    "Metals & Mining",
    "Retail",
    "Services: Business",
    "Services: Consumer",
    "Sovereign & Public Finance",
    "Telecommunications",
    "Transportation: Cargo",
    "Transportation: Consumer",
    "Utilities: Electric",
    "Utilities: Water",
    "Wholesale",
]
SP_INDUSTRIES = [
    "Aerospace and Defense",
    "Auto Components",
    "Chemicals",
    "Commercial Services",
    "Construction Materials",
    "Consumer Finance",
    "Containers and Packaging",
    "Diversified Telecommunication",
    "Electric Utilities",
    "Food Products",
    "Health Care Providers",
    "Hotels, Restaurants and Leisure",
    "Insurance",
    "IT Services",
    "Machinery",
    "Media",
    "Metals and Mining",
    "Oil, Gas and Consumable Fuels",
    "Paper and Forest Products",
    "Software",
    "Specialty Retail",
    "Transportation",
]

# Moody's diversity score of an industry by the sum of its equivalent unit scores; straight lines between the points.
UNIT_SCORES = (
    (0, 0),
    (1, 1),
    (2, 1.5),
    (3, 2),
    (4, 2.33),
    (5, 2.67),
    (6, 3),
    (7, 3.25),
    (8, 3.5),
    (9, 3.75),
    (10, 4),
    (20, 5),
)

QUALITY = (
    # name, threshold, direction, what is divided by what
    ("Weighted average rating factor", 3200, "MAX", "sum(par * rating factor) / sum(par)"),
    ("Weighted average spread", 0.03, "MIN", "sum(par * spread) / sum(par) of floating-rate assets"),
    ("Weighted average coupon", 0.045, "MIN", "sum(par * coupon) / sum(par) of fixed-rate assets"),
    ("Weighted average life", 8, "MAX", "sum(par * life) / sum(par)"),
    ("Weighted average recovery rate", 0.38, "MIN", "sum(par * Moody's recovery rate) / sum(par)"),
)
CONCENTRATION = (
    ("Senior secured loans", 0.85, "MIN"),
    ("Second lien loans", 0.15, "MAX"),
    ("Fixed-rate assets", 0.15, "MAX"),
    ("Rated Caa1 or below", 0.09, "MAX"),
    ("Obligors outside the United States", 0.25, "MAX"),
    ("Revolving and delayed-draw", 0.1, "MAX"),
    ("Largest obligor", 0.05, "MAX"),
    ("Second largest obligor", 0.05, "MAX"),
    ("Third largest obligor", 0.05, "MAX"),
    ("Largest industry", 0.18, "MAX"),
    ("Second largest industry", 0.16, "MAX"),
    ("Third largest industry", 0.15, "MAX"),
)
DIVERSITY = "Diversity score"
INDUSTRY = "Industry: "


def rating_scales() -> Iterator[Record]:
    for agency, symbols in AGENCIES.items():
        for rank, (symbol, factor) in enumerate(zip(symbols, FACTORS, strict=True), 1):
            yield {"agency": agency, "rating_symbol": symbol, "rating_numeric": rank, "warf_factor": factor}


def holidays(plan: Plan) -> Iterator[Record]:
    for year in range(plan.today.year - 8, plan.today.year + 18):
        for day, name in calendar.holidays(year).items():
            yield {"holiday_date": day, "holiday_name": name, "country_code": calendar.COUNTRY}


def industries() -> Iterator[Record]:
    for agency, prefix, names in (("Moody's", "M", INDUSTRIES), ("S&P", "S", SP_INDUSTRIES)):
        for number, name in enumerate(names, 1):
            yield {"agency": agency, "industry_code": f"{prefix}{number:02d}", "industry_name": name}


def compliance_tests(plan: Plan) -> Iterator[Record]:
    """The tests in the order of their ids; an industry's limit is its own test."""
    rows = [(*row[:3], row[3], "QUALITY") for row in QUALITY]
    rows.append((DIVERSITY, 25, "MIN", json.dumps({"unit_scores": UNIT_SCORES}), "QUALITY"))
    rows += [(*row, "par of these / sum(par)", "CONCENTRATION") for row in CONCENTRATION]
    rows += [(INDUSTRY + name, 0.18, "MAX", "par of the industry / sum(par)", "INDUSTRY") for name in INDUSTRIES]
    for test_id, (name, threshold, direction, formula, category) in enumerate(rows, 1):
        yield {
            "test_id": test_id,
            "test_name": name,
            "test_category": category,
            "test_formula": formula,
            "threshold_value": threshold,
            "threshold_type": direction,
            "test_description": f"{name}, {'at least' if direction == 'MIN' else 'at most'} {threshold}",
            "regulatory_source": "Indenture, schedule of collateral quality",
            "active": True,
            "created_at": datetime.combine(plan.first_curve, datetime.min.time(), UTC),
        }


def structures(plan: Plan) -> Iterator[Record]:
    for name, fewest, most in (("US broadly syndicated", 4, 8), ("US middle market", 4, 6), ("European", 5, 9)):
        yield {
            "structure_name": name,
            "min_tranches": fewest,
            "max_tranches": most,
            "typical_tranches": fewest + 1,
            "payment_sequence": json.dumps(["fees", "interest", "cure", "deferred", "residual"]),
            "category_rules": json.dumps({"cure": "after the interest of each class"}),
            "jurisdiction": "EU" if name == "European" else "US",
            "typical_use_case": f"{name} cash-flow CLO",
            "regulatory_notes": None,
            "is_active": True,
            "created_at": datetime.combine(plan.first_curve, datetime.min.time()),
            "created_by": "admin",
        }


def curve_points(plan: Plan) -> Iterator[tuple[int, Any, int, int]]:
    """(curve number, date, tenor in months, rate in millionths) of one SOFR curve per business day."""
    rng, level = plan.rng("curves"), 46_000
    for number, day in enumerate(calendar.business_days(plan.first_curve, plan.last_curve), 1):
        level += round((43_000 - level) * 0.004 + rng.gauss(0, 320))
        level = min(60_000, max(20_000, level))
        for tenor, term in ((1, -150), (3, 0), (6, 250), (12, 600), (24, 900), (60, 1400), (120, 2100)):
            yield number, day, tenor, level + term


def scenarios(plan: Plan) -> Iterator[Record]:
    rng = plan.rng("scenarios")
    made = datetime.combine(plan.books + timedelta(days=3), datetime.min.time(), UTC)
    for number in range(1, 81):
        cdr, cpr = rng.randint(5_000, 60_000), rng.randint(50_000, 300_000)
        path = [round(max(0.0, rng.gauss(1, 0.2)), 3) for _ in range(40)]
        yield {
            "scenario_id": number,
            "simulation_name": f"Quarterly {plan.books:%Y-%m}",
            "scenario_number": number,
            "base_case_cdr": money.rate(cdr),
            "base_case_cpr": money.rate(cpr),
            "recovery_rate": money.rate(rng.randint(350_000, 750_000)),
            "correlation_factor": money.rate(rng.randint(50_000, 350_000)),
            "default_path": json.dumps(path),
            "prepay_path": json.dumps(path[::-1]),
            "rate_path": json.dumps([round(0.04 + 0.01 * value, 5) for value in path]),
            "created_at": made,
        }
