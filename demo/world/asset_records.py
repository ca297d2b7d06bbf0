"""The rows of one asset: its terms, its prices, how its ratings came to be, and who holds it."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from demo.world import money
from demo.world.calendar import add_months
from demo.world.cash_flows import Flow, share
from demo.world.collateral import Asset
from demo.world.deal_records import stamp
from demo.world.plan import Plan
from demo.world.reference import MOODYS, SP, C, Record

STALE_AFTER = 15  # business days without a price, for the few assets nobody quotes


def prices(plan: Plan, asset: Asset, rng: random.Random) -> list[tuple[date, int, int]]:
    """(day, mid, half the spread) of each business day; leaves the price on the books' day on the asset."""
    made, mid = list[tuple[date, int, int]](), asset.base_price
    asset.market_price = mid
    if asset.fate == "SOLD":
        return made
    days = plan.pricing_dates[:-STALE_AFTER] if asset.stale else plan.pricing_dates
    for day in days:
        mid = min(104_000, max(8_000, mid + round(rng.gauss(0, 90))))
        made.append((day, mid, rng.randrange(100, 500, 25)))
        if day <= plan.books:
            asset.market_price = mid
    return made


def price_rows(asset: Asset, quotes: list[tuple[date, int, int]]) -> Iterator[tuple[object, ...]]:
    for day, mid, half in quotes:
        yield (
            asset.blkrock_id,
            day,
            money.price(mid - half),
            money.price(mid + half),
            money.price(mid),
            "COMPOSITE",
            stamp(day, 21),
        )


PRICE_COLUMNS = ("blkrock_id", "pricing_date", "bid_price", "ask_price", "mid_price", "pricing_source", "created_at")


def _rating(scale: list[str], rank: int | None, notches: int = 0) -> str:
    return "NR" if rank is None else scale[min(C, max(1, rank + notches)) - 1]


def _ratings(asset: Asset) -> Record:
    moodys, sp = _rating(MOODYS, asset.rank), _rating(SP, asset.sp_rank)
    return {
        "mdy_rating": moodys,
        "mdy_dp_rating": moodys,
        "mdy_dp_rating_warf": moodys,
        "mdy_recovery_rate": money.rate(asset.recovery_rate),
        "sp_rating": sp,
        "mdy_facility_rating": moodys,
        "mdy_facility_outlook": "STABLE",
        "mdy_issuer_rating": _rating(MOODYS, asset.rank, 1),
        "mdy_issuer_outlook": "STABLE",
        "mdy_snr_sec_rating": moodys,
        "mdy_snr_unsec_rating": _rating(MOODYS, asset.rank, 2),
        "mdy_sub_rating": _rating(MOODYS, asset.rank, 3),
        "mdy_credit_est_rating": None,
        "mdy_credit_est_date": None,
        "sandp_facility_rating": sp,
        "sandp_issuer_rating": sp,
        "sandp_snr_sec_rating": sp,
        "sandp_subordinate": _rating(SP, asset.sp_rank, 2),
        "sandp_rec_rating": "NR" if asset.sp_rank is None else str(1 + asset.rank % 5),
    }


def _terms(asset: Asset, size: int) -> Record:
    return {
        "maturity": asset.maturity,
        "dated_date": asset.start,
        "issue_date": asset.start,
        "first_payment_date": add_months(asset.start, asset.months, anchor=asset.anchor),
        "date_of_default": asset.ended_on if asset.fate == "DEFAULTED" else None,
        "coupon": money.rate(asset.current_rate),
        "coupon_type": "FLOAT" if asset.floating else "FIXED",
        "index_name": f"SOFR {1 if asset.months == 1 else 3}M" if asset.floating else None,
        "cpn_spread": money.rate(asset.spread) if asset.floating else None,
        "libor_floor": money.rate(asset.floor) if asset.floating else None,
        "index_cap": money.rate(asset.cap) if asset.cap else None,
        "payment_freq": 12 // asset.months,
        "amortization_type": "AMORTISING" if asset.amortising else "BULLET",
        "day_count": asset.day_count,
        "business_day_conv": asset.convention,
        "payment_eom": asset.anchor == 31,
        "amount_issued": money.text(size),
        "piking": False,
        "pik_amount": "0.00",
        "unfunded_amount": money.text(asset.unfunded),
    }


def asset_row(asset: Asset, deals_mature: date) -> Record:
    """``deals_mature`` is when the first of its holders does."""
    issuer, par = asset.issuer, asset.defaulted_par if asset.fate == "DEFAULTED" else asset.par
    size = asset.weight * 3 + asset.unfunded
    flags = {"default_asset": asset.fate == "DEFAULTED", "long_dated": asset.maturity > deals_mature}
    made = stamp(asset.start)
    return (
        {
            "blkrock_id": asset.blkrock_id,
            "issue_name": f"{issuer.name} {asset.kind.title()} {asset.maturity:%m/%y}",
            "issuer_name": issuer.name,
            "issuer_id": issuer.issuer_id,
            "tranche": asset.kind.title() if asset.kind != "LOAN" else "Term Loan B",
            "bond_loan": asset.kind,
            "par_amount": money.text(par),
            "market_value": money.price(asset.market_price),
            "currency": "USD",
        }
        | _terms(asset, size)
        | _ratings(asset)
        | {
            "mdy_industry": issuer.mdy_industry,
            "sp_industry": issuer.sp_industry,
            "country": issuer.country,
            "seniority": asset.seniority,
            "mdy_asset_category": "LOAN" if asset.kind != "BOND" else "BOND",
            "sp_priority_category": "1" if asset.seniority == "Senior Secured" else "3",
            "commit_fee": "0.005000" if asset.unfunded else None,
            "facility_size": money.text(size),
            "wal": asset.wal,
            "flags": json.dumps(flags | {"stale_price": asset.stale}),
            "analyst_opinion": None,
            "created_at": made,
            "updated_at": made,
        }
    )


def history_rows(plan: Plan, asset: Asset, rng: random.Random) -> Iterator[Record]:
    """How each rating came to be what it is: the last row of a property is what the asset says."""
    for name, scale, rank in (("mdy_rating", MOODYS, asset.rank), ("sp_rating", SP, asset.sp_rank)):
        changes = rng.choice((0, 0, 1, 2, 3))
        span = (plan.books - asset.start).days
        days = sorted({asset.start + timedelta(days=rng.randint(1, max(1, span))) for _ in range(changes)})
        path = [rank]
        for _ in days:
            path.insert(0, None if path[0] is None else min(C, max(1, path[0] + rng.choice((-1, 1)))))
        for day, value in zip((asset.start, *days), path, strict=True):
            yield {
                "blkrock_id": asset.blkrock_id,
                "history_date": day,
                "property_name": name,
                "property_value": _rating(scale, value),
                "created_at": stamp(day, 19),
            }


def position_rows(asset: Asset, flows: list[Flow]) -> Iterator[Record]:
    par = {"ACTIVE": asset.par, "SOLD": 0, "DEFAULTED": asset.defaulted_par}[asset.fate]
    sold = next((flow.paid for flow in flows if flow.sold), None)
    for holding in asset.holdings:
        yield {
            "deal_id": holding.deal.deal_id,
            "blkrock_id": asset.blkrock_id,
            "par_amount": money.text(share(asset, holding, par)),
            "purchase_price": money.price(holding.purchase_price),
            "purchase_date": holding.purchase_date,
            "sale_date": sold,
            "sale_price": money.price(100_000) if sold else None,
            "position_status": asset.fate,
            "created_at": stamp(holding.purchase_date),
        }


def touched(record: Record, at: datetime, opinion: str) -> dict[str, Any]:
    """The row as an analyst's note left it; whoever changes a row owes the audit trail a row too."""
    return record | {"analyst_opinion": opinion, "updated_at": at}
