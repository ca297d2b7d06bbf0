"""The rows of one deal: its terms, notes, calendar, payments, accounts, tests and performance."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from demo.world import calendar, money
from demo.world.deals import DEFERRABLE, EQUITY, RATED, Deal
from demo.world.equity import Performance
from demo.world.plan import Plan
from demo.world.reference import Record
from demo.world.waterfall import Execution, steps

RATINGS = {"A": ("Aaa", "AAA"), "B": ("Aa2", "AA"), "C": ("A2", "A"), "D": ("Baa3", "BBB-"), EQUITY: ("NR", "NR")}
CLASSES = (*RATED, EQUITY)


def stamp(day: date, hour: int = 12) -> datetime:
    return datetime.combine(day, time(hour), UTC)


def naive(at: datetime) -> datetime:
    """For the columns that are UTC without saying so."""
    return at.astimezone(UTC).replace(tzinfo=None)


def deal_row(deal: Deal, target_par: int) -> Record:
    reinvesting = deal.past[-1].payment <= deal.reinvestment_end
    return {
        "deal_id": deal.deal_id,
        "deal_name": deal.name,
        "manager_name": deal.manager,
        "trustee_name": deal.trustee,
        "pricing_date": calendar.preceding(deal.closing - timedelta(days=35)),
        "closing_date": deal.closing,
        "effective_date": deal.effective,
        "first_payment_date": deal.periods[0].payment,
        "maturity_date": deal.maturity,
        "reinvestment_end_date": deal.reinvestment_end,
        "no_call_date": calendar.add_months(deal.closing, 24),
        "target_par_amount": money.text(target_par),
        "ramp_up_period": (deal.effective - deal.closing).days,
        "payment_frequency": 4,
        "deal_status": "REINVESTING" if reinvesting else "AMORTISING",
        "created_at": stamp(deal.closing),
        "updated_at": stamp(deal.closing),
    }


def tranche_rows(deal: Deal, initial: dict[str, int], runs: list[Execution]) -> Iterator[Record]:
    last = runs[-1].notes
    for level, name in enumerate(CLASSES, 1):
        rated = name != EQUITY
        current = last[name].ending + last[name].deferred_ending if rated else initial[name]
        yield {
            "tranche_id": deal.tranche_id(name),
            "deal_id": deal.deal_id,
            "tranche_name": name,
            "initial_balance": money.text(initial[name]),
            "current_balance": money.text(current),
            "coupon_rate": money.rate(last[name].rate) if rated else None,
            "coupon_type": "FLOAT" if rated else "RESIDUAL",
            "index_name": "SOFR 3M" if rated else None,
            "margin": money.rate(deal.terms.margin[name]) if rated else None,
            "mdy_rating": RATINGS[name][0],
            "sp_rating": RATINGS[name][1],
            "seniority_level": level,
            "payment_rank": level,
            "interest_deferrable": name in DEFERRABLE,
            "created_at": stamp(deal.closing),
        }


def liability_rows(plan: Plan, deal: Deal, initial: dict[str, int], runs: list[Execution]) -> Iterator[Record]:
    last, rng = runs[-1].notes, plan.rng("liabilities", deal.deal_id)
    for level, name in enumerate(CLASSES, 1):
        rated = name != EQUITY
        deferred = last[name].deferred_ending if rated else 0
        life = round(3.2 + level * 0.9, 4)
        duration = round(life * 0.88, 4)
        yield {
            "deal_id": deal.deal_id,
            "tranche_name": name,
            "original_balance": money.text(initial[name]),
            "current_balance": money.text(last[name].ending + deferred if rated else initial[name]),
            "deferred_balance": money.text(deferred),
            "is_pikable": name in DEFERRABLE,
            "is_equity_tranche": not rated,
            "libor_spread": money.rate(deal.terms.margin[name]) if rated else None,
            "coupon_type": "FLOAT" if rated else "RESIDUAL",
            "day_count_convention": "ACT/360",
            "input_price": money.price(rng.randint(98_500, 100_500)),
            "input_discount_margin": money.rate(deal.terms.margin.get(name, 90_000) + rng.randint(-500, 500)),
            "analysis_date": plan.books,
            "calculated_yield": money.rate(deal.terms.margin.get(name, 90_000) + 43_000),
            "calculated_dm": money.rate(deal.terms.margin.get(name, 90_000)),
            "calculated_price": money.price(rng.randint(98_500, 100_500)),
            "weighted_average_life": life,
            "macaulay_duration": duration,
            "modified_duration": round(duration / 1.015, 4),
            "created_at": naive(stamp(deal.closing)),
            "updated_at": naive(stamp(runs[-1].period.payment, 15)),
        }


def note_rows(liability: dict[str, int], runs: list[Execution]) -> Iterator[Record]:
    for run in runs:
        for name, note in run.notes.items():
            yield {
                "liability_id": liability[name],
                "period_number": run.period.number,
                "payment_date": run.period.payment,
                "beginning_balance": money.text(note.beginning),
                "ending_balance": money.text(note.ending),
                "deferred_beginning_balance": money.text(note.deferred_beginning),
                "deferred_ending_balance": money.text(note.deferred_ending),
                "coupon_rate": money.rate(note.rate),
                "interest_accrued": money.text(note.accrued),
                "interest_paid": money.text(note.paid),
                "deferred_interest_accrued": money.text(note.deferred_accrued),
                "deferred_interest_paid": money.text(note.deferred_paid),
                "principal_paid": money.text(note.principal),
                "deferred_principal_paid": money.text(note.deferred_principal),
                "created_at": naive(stamp(run.period.payment, 15)),
            }


def mapping_rows(deal: Deal) -> Iterator[Record]:
    """A first version until the effective date, the second from then on."""
    for rank, name in enumerate(CLASSES, 1):
        for start, end in ((deal.closing, deal.effective), (deal.effective, None)):
            rated = name != EQUITY
            yield {
                "deal_id": deal.deal_id,
                "tranche_id": deal.tranche_id(name),
                "tranche_type": "NOTE" if rated else "RESIDUAL",
                "payment_category": "SENIOR" if name in "AB" else "MEZZANINE" if rated else "EQUITY",
                "category_rank": rank,
                "interest_step": f"CLASS_{name}_INTEREST" if rated else "RESIDUAL_INTEREST",
                "principal_step": f"CLASS_{name}_PRINCIPAL" if rated else None,
                "is_deferrable": name in DEFERRABLE,
                "is_pik_eligible": name in DEFERRABLE,
                "supports_turbo": name == "D",
                "effective_date": start,
                "expiration_date": end,
                "created_at": naive(stamp(start)),
            }


def schedule_rows(deal: Deal) -> Iterator[Record]:
    for period in deal.periods:
        yield {
            "deal_id": deal.deal_id,
            "payment_date": period.payment,
            "payment_type": "QUARTERLY",
            "interest_determination_date": period.fixing,
            "collection_period_start": period.collection_start,
            "collection_period_end": period.determination,
            "payment_status": "COMPLETED" if period.past else "SCHEDULED",
            "actual_payment_date": period.payment if period.past else None,
            "created_at": stamp(deal.closing),
        }


def configuration_rows(deal: Deal) -> Iterator[Record]:
    """The version that closed the deal, and one amendment of the same terms a year later."""
    terms = deal.terms
    for version, day in enumerate((deal.closing, calendar.add_months(deal.closing, 12)), 1):
        yield {
            "deal_id": deal.deal_id,
            "config_name": f"{deal.name} v{version}",
            "effective_date": day,
            "version": version,
            "payment_rules": json.dumps(steps()),
            "interest_reserve_target": money.text(terms.reserve_target),
            "interest_reserve_cap": money.text(terms.reserve_target * 2),
            "senior_mgmt_fee_rate": money.rate(terms.senior_fee),
            "junior_mgmt_fee_rate": money.rate(terms.junior_fee),
            "incentive_fee_rate": money.rate(terms.incentive_fee),
            "incentive_hurdle_rate": money.rate(terms.hurdle),
            "trustee_fee_annual": money.text(terms.trustee_fee),
            "admin_fee_cap": money.text(terms.admin_cap),
            "enable_oc_tests": True,
            "enable_ic_tests": True,
            "created_at": stamp(day),
        }


def mag_configuration_row(deal: Deal) -> Record:
    return {
        "deal_id": deal.deal_id,
        "mag_version": "MAG 17",
        "equity_hurdle_rate": money.rate(deal.terms.hurdle),
        "equity_catch_up_rate": "0.500000",
        "management_fee_sharing_pct": "0.200000",
        "turbo_threshold_oc_ratio": str(deal.terms.oc_threshold["D"]),
        "turbo_threshold_ic_ratio": str(deal.terms.ic_threshold["D"]),
        "minimum_equity_irr": "0.080000",
        "performance_test_frequency": "QUARTERLY",
        "reinvestment_overlay_rate": "0.002500",
        "reinvestment_overlay_cap": "0.010000",
        "call_protection_equity_threshold": "1.100000",
        "distribution_stopper_covenant": "COVERAGE",
        "distribution_stopper_threshold": str(deal.terms.oc_threshold["D"]),
        "enabled_features": json.dumps(["EQUITY_HURDLE", "FEE_SHARING"]),
        "effective_date": deal.closing,
        "amendment_number": 0,
        "created_at": naive(stamp(deal.closing)),
        "created_by": "admin",
    }


def coverage_rows(deal: Deal, runs: list[Execution]) -> Iterator[Record]:
    for run in runs:
        result, row = run.coverage, Record()
        row |= {"deal_id": deal.deal_id, "test_date": run.period.determination}
        for kind, ratios, passed in (("oc", result.oc, result.oc_pass), ("ic", result.ic, result.ic_pass)):
            thresholds = deal.terms.oc_threshold if kind == "oc" else deal.terms.ic_threshold
            for name in RATED:
                stem = f"class_{name.lower()}_{kind}"
                row[f"{stem}_ratio"] = ratios[name]
                row[f"{stem}_threshold"] = thresholds[name]
                row[f"{stem}_pass"] = passed[name]
        oc, ic = all(result.oc_pass.values()), all(result.ic_pass.values())
        row |= {"all_oc_tests_pass": oc, "all_ic_tests_pass": ic, "principal_payments_allowed": oc and ic}
        yield row | {"created_at": stamp(run.period.determination, 18)}


def performance_rows(deal: Deal, runs: list[Execution], achieved: list[Performance]) -> Iterator[Record]:
    hurdle, yearly = deal.terms.hurdle / money.MILLION, dict[int, int]()
    for run, result in zip(runs, achieved, strict=True):
        year = result.on.year
        fees = run.step("SENIOR_MGMT_FEE").paid + run.step("JUNIOR_MGMT_FEE").paid
        yearly[year] = yearly.get(year, 0) + fees
        coverage, terms = run.coverage, deal.terms
        yield {
            "deal_id": deal.deal_id,
            "calculation_date": result.on,
            "equity_irr": f"{result.irr:.8f}",
            "equity_moic": f"{result.multiple:.8f}",
            "cumulative_equity_distributions": money.text(result.distributed),
            "hurdle_achievement_pct": f"{max(0.0, result.irr / hurdle):.6f}",
            "excess_return_above_hurdle": f"{max(0.0, result.irr - hurdle):.6f}",
            "catch_up_provision_activated": False,
            "base_management_fee_ytd": money.text(yearly[year]),
            "incentive_fee_accrued": "0.00",
            "incentive_fee_paid_ytd": "0.00",
            "oc_test_buffer": coverage.oc["D"] - terms.oc_threshold["D"],
            "ic_test_buffer": coverage.ic["D"] - terms.ic_threshold["D"],
            "portfolio_yield_spread": str(Decimal("0.0385")),
            "calculation_method": "DISTRIBUTIONS",
            "calculation_notes": "return of distributions received, without terminal value",
            "created_at": naive(stamp(result.on, 16)),
        }
