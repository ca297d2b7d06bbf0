# ruff: noqa: E501, S608 - the mutations are SQL put together from constants of this file, one to a line where it fits
"""Every invariant holds in the world as built, and names the row that was broken for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from clo_ops.policy.paths import INCLUDE
from clo_ops.probes import integrity
from clo_ops.probes.postgres import connect
from clo_ops.probes.statements import statement
from clo_ops.probes.targets import PostgresTarget

FILES = sorted(path.stem for path in (INCLUDE / "sql" / "invariants").glob("*.sql"))

# One row of a subquery, so that a mutation touches exactly one.
PAYMENT = "(SELECT payment_id FROM waterfall_payments WHERE payment_step = '{}' AND amount_paid > 0 LIMIT 1)"
LAST_TEST = "(SELECT max(test_date) FROM compliance_test_results)"
POSITION = "(SELECT ctid FROM deal_assets WHERE position_status = 'ACTIVE' LIMIT 1)"
PERIOD = "(SELECT id FROM asset_cash_flows WHERE beginning_balance > 0 AND period_number = 3 LIMIT 1)"
FLOW_KEY = "RETURNING blkrock_id || ' period ' || period_number"
POSITION_KEY = "RETURNING deal_id || '/' || blkrock_id"
PAID = "RETURNING 'payment ' || payment_id"
RUN_KEY = "RETURNING deal_id || ' ' || payment_date"
EXECUTION = "(SELECT execution_id FROM waterfall_executions ORDER BY execution_id DESC LIMIT 1)"
COVERAGE = "(SELECT test_result_id FROM coverage_test_results ORDER BY test_date DESC LIMIT 1)"
FLOATING = "(SELECT blkrock_id FROM assets WHERE coupon_type = 'FLOAT' AND par_amount > 0 LIMIT 1)"
COVERAGE_TEST = "RETURNING deal_id || ' ' || test_date"


def concentration(name: str) -> str:
    return (
        f"(SELECT result_id FROM compliance_test_results JOIN compliance_tests USING (test_id)"
        f" WHERE test_name = '{name}' AND test_date = {LAST_TEST} LIMIT 1)"
    )


def result(name: str, change: str, key: str) -> str:
    return f"UPDATE compliance_test_results SET {change} WHERE result_id = {concentration(name)} RETURNING {key}"


# (invariant, what goes wrong, statements of which the last returns the key the invariant must name)
MUTATIONS: list[tuple[str, str, str]] = [
    ("I01", "orphan", f"UPDATE asset_cash_flows SET blkrock_id = 'GONE' WHERE id = {PERIOD}"
        " RETURNING 'asset_cash_flows ' || id"),
    ("I01", "undeclared", "UPDATE tranche_mappings SET deal_id = 'CLO-9999' WHERE mapping_id = 1"
        " RETURNING 'tranche_mappings ' || mapping_id"),
    ("I01", "not validated", "ALTER TABLE feedback ADD CONSTRAINT later CHECK (rating > 0) NOT VALID;"
        " SELECT 'pg_constraint feedback.later'"),
    ("I02", "missing symbol", "DELETE FROM rating_scales WHERE agency = 'Fitch' AND rating_numeric = 5 RETURNING agency"),
    ("I02", "factor", "UPDATE rating_scales SET warf_factor = 2221 WHERE agency = 'Moody''s' AND rating_symbol = 'B1'"
        " RETURNING agency || ' ' || rating_symbol"),
    ("I03", "unknown rating", "UPDATE assets SET sp_rating = 'B1' WHERE blkrock_id = 'BRS00100002'"
        " RETURNING blkrock_id || ' sp_rating'"),
    ("I04", "second truth", "UPDATE rating_scales SET warf_factor = 2721 WHERE agency = 'S&P' AND rating_numeric = 15"
        " RETURNING agency || ' ' || rating_symbol"),
    ("I05", "calendar ends early", "DELETE FROM holidays WHERE holiday_date >= '2036-01-01'; SELECT 'CLO-0001 2036'"),
    ("I06", "no such currency", "UPDATE assets SET currency = 'USX' WHERE blkrock_id = 'BRS00100002'"
        " RETURNING 'asset ' || blkrock_id"),
    ("I06", "no exchange rate", "UPDATE assets SET currency = 'EUR' WHERE blkrock_id = 'BRS00100002'"
        " RETURNING 'asset ' || blkrock_id"),
    ("I07", "second curve", "INSERT INTO yield_curves (curve_id, curve_name, curve_date)"
        " SELECT 999999, curve_name, curve_date FROM yield_curves WHERE curve_id = 7"
        " RETURNING curve_name || ' ' || curve_date"),
    ("I07", "tenors", "UPDATE yield_curve_points SET tenor_months = 1 WHERE point_id = 3 RETURNING 'point ' || point_id"),
    ("I07", "rate in percent", "UPDATE yield_curve_points SET rate = 4.3 WHERE point_id = 3"
        " RETURNING 'point ' || point_id"),
    ("I07", "gap", "DELETE FROM yield_curves WHERE curve_id BETWEEN 100 AND 106;"
        " SELECT curve_name || ' ' || curve_date FROM yield_curves WHERE curve_id = 107"),
    ("I07", "ceased index", f"UPDATE assets SET index_name = 'USD LIBOR 3M' WHERE blkrock_id = {FLOATING}"
        " RETURNING blkrock_id"),
    ("I08", "one half", "UPDATE asset_correlations SET correlation_value = 0.9 WHERE asset1_id = 'BRS00100001' AND"
        " asset2_id = 'BRS00100002' RETURNING asset1_id || '/' || asset2_id"),
    ("I08", "above one", "UPDATE asset_correlations SET correlation_value = 1.2 WHERE asset1_id <> asset2_id AND"
        " (asset1_id, asset2_id) IN (('BRS00100001', 'BRS00100002'), ('BRS00100002', 'BRS00100001'))"
        " RETURNING asset1_id || '/' || asset2_id"),
    ("I08", "diagonal", "UPDATE asset_correlations SET correlation_value = 0.99 WHERE asset1_id = asset2_id"
        " AND asset1_id = 'BRS00100001' RETURNING asset1_id || '/' || asset2_id"),
    ("I08", "a row is missing", "DELETE FROM asset_correlations WHERE asset1_id = 'BRS00100001' AND asset2_id ="
        " 'BRS00100002' RETURNING 'matrix'"),
    ("I08", "no such portfolio", "UPDATE asset_correlations SET correlation_value = -0.9 WHERE asset1_id <> asset2_id AND"
        " asset1_id < 'BRS00100004' AND asset2_id < 'BRS00100004' RETURNING 'matrix'"),
    ("I08", "unknown asset", "UPDATE asset_correlations SET asset1_id = 'GONE' WHERE asset1_id = 'BRS00100001';"
        "UPDATE asset_correlations SET asset2_id = 'GONE' WHERE asset2_id = 'BRS00100001' RETURNING 'GONE'"),
    ("I09", "a row less", "DELETE FROM simulation_scenarios WHERE scenario_id = 3 RETURNING 'simulation_scenarios'"),
    ("I09", "not on record", "DELETE FROM migration_metadata WHERE table_name = 'rating_scales' RETURNING table_name"),
    ("I10", "closing after effective", "UPDATE clo_deals SET closing_date = effective_date + 1"
        " WHERE deal_id = 'CLO-0001' RETURNING deal_id"),
    ("I10", "outlives maturity", "UPDATE clo_deals SET reinvestment_end_date = maturity_date + 1"
        " WHERE deal_id = 'CLO-0002' RETURNING deal_id"),
    ("I11", "balance", "UPDATE clo_tranches SET current_balance = current_balance - 1 WHERE tranche_id = 'CLO-0002-A'"
        " RETURNING tranche_id"),
    ("I11", "payment lost", "DELETE FROM waterfall_payments WHERE payment_id = "
        + PAYMENT.format("CLASS_A_PRINCIPAL") + " RETURNING target_tranche_id"),
    ("I12", "gap in ranks", "UPDATE clo_tranches SET seniority_level = 9 WHERE tranche_id = 'CLO-0001-D'"
        " RETURNING tranche_id"),
    ("I12", "two residuals", "UPDATE liabilities SET is_equity_tranche = true WHERE deal_id = 'CLO-0001'"
        " AND tranche_name = 'D' RETURNING deal_id"),
    ("I12", "residual with coupon", "UPDATE clo_tranches SET margin = 0.08 WHERE tranche_id = 'CLO-0001-SUB'"
        " RETURNING tranche_id"),
    ("I13", "balances differ", "UPDATE liabilities SET current_balance = current_balance + 0.02"
        " WHERE deal_id = 'CLO-0001' AND tranche_name = 'B' RETURNING deal_id || '-' || tranche_name"),
    ("I13", "class missing", "DELETE FROM liabilities WHERE deal_id = 'CLO-0001' AND tranche_name = 'C'"
        " RETURNING deal_id || '-' || tranche_name"),
    ("I14", "senior deferral", "UPDATE liabilities SET deferred_balance = 5 WHERE deal_id = 'CLO-0001'"
        " AND tranche_name = 'B' RETURNING deal_id || '-' || tranche_name"),
    ("I14", "class A deferrable", "UPDATE clo_tranches SET interest_deferrable = true WHERE tranche_id = 'CLO-0001-A'"
        " RETURNING tranche_id"),
    ("I15", "cheaper below", "UPDATE clo_tranches SET margin = 0.001 WHERE tranche_id = 'CLO-0001-C' RETURNING tranche_id"),
    ("I16", "gap", "UPDATE tranche_mappings SET expiration_date = expiration_date - 1 WHERE tranche_id = 'CLO-0001-A'"
        " AND expiration_date IS NOT NULL RETURNING tranche_id"),
    ("I16", "ends", "UPDATE tranche_mappings SET expiration_date = '2030-01-01' WHERE tranche_id = 'CLO-0001-B'"
        " AND expiration_date IS NULL RETURNING tranche_id"),
    ("I16", "none", "DELETE FROM tranche_mappings WHERE tranche_id = 'CLO-0001-C' RETURNING tranche_id"),
    ("I17", "pool gone", "UPDATE deal_assets SET par_amount = par_amount / 4 WHERE deal_id = 'CLO-0001'"
        " RETURNING deal_id || '-A'"),
    ("I18", "negative par", f"UPDATE deal_assets SET par_amount = -1 WHERE ctid = {POSITION} {POSITION_KEY}"),
    ("I18", "fraction", "UPDATE asset_pricing SET mid_price = mid_price / 100 WHERE pricing_id = 5"
        " RETURNING 'price ' || pricing_id"),
    ("I19", "bid above mid", "UPDATE asset_pricing SET bid_price = mid_price + 0.1 WHERE pricing_id = 5"
        " RETURNING 'price ' || pricing_id"),
    ("I19", "of the future", "UPDATE asset_pricing SET pricing_date = '2026-11-24' WHERE pricing_id = 5"
        " RETURNING 'price ' || pricing_id"),
    ("I19", "stale", f"DELETE FROM asset_pricing WHERE pricing_date > '2026-11-01' AND blkrock_id = {FLOATING}"
        " RETURNING blkrock_id"),
    ("I20", "two positions", "INSERT INTO deal_assets (deal_id, blkrock_id, par_amount, purchase_date, position_status)"
        f" SELECT deal_id, blkrock_id, 1, purchase_date + 1, 'ACTIVE' FROM deal_assets WHERE ctid = {POSITION}"
        f" {POSITION_KEY}"),
    ("I20", "sold and held", "UPDATE deal_assets SET position_status = 'SOLD', sale_date = '2026-10-01',"
        f" sale_price = 99 WHERE ctid = {POSITION} {POSITION_KEY}"),
    ("I20", "default unsaid", "UPDATE deal_assets SET position_status = 'DEFAULTED'"
        f" WHERE ctid = {POSITION} {POSITION_KEY}"),
    ("I21", "sold before bought", f"UPDATE deal_assets SET sale_date = purchase_date - 1 WHERE ctid = {POSITION}"
        f" {POSITION_KEY}"),
    ("I21", "too late", "UPDATE deal_assets SET purchase_date = (SELECT max(reinvestment_end_date) + 1 FROM clo_deals)"
        f" WHERE ctid = {POSITION} {POSITION_KEY}"),
    ("I22", "matured", "UPDATE assets SET maturity = '2026-11-20' WHERE blkrock_id ="
        f" (SELECT blkrock_id FROM deal_assets WHERE ctid = {POSITION});"
        f" SELECT deal_id || '/' || blkrock_id FROM deal_assets WHERE ctid = {POSITION}"),
    ("I23", "total", "UPDATE collateral_pools SET total_par_amount = total_par_amount + 500 WHERE deal_id = 'CLO-0001'"
        " RETURNING deal_id"),
    ("I23", "count", "UPDATE collateral_pools SET total_assets = total_assets - 1 WHERE deal_id = 'CLO-0002'"
        " RETURNING deal_id"),
    ("I23", "average", "UPDATE collateral_pools SET average_par_amount = average_par_amount + 1 WHERE deal_id = 'CLO-0001'"
        " RETURNING deal_id"),
    ("I23", "not kept", "DELETE FROM collateral_pools WHERE deal_id = 'CLO-0001' RETURNING deal_id"),
    ("I24", "more than the facility", f"UPDATE assets SET facility_size = par_amount - 1 WHERE blkrock_id = {FLOATING}"
        " RETURNING blkrock_id"),
    ("I25", "unfunded bond", "UPDATE assets SET unfunded_amount = 5 WHERE blkrock_id ="
        " (SELECT blkrock_id FROM assets WHERE bond_loan = 'BOND' LIMIT 1) RETURNING blkrock_id"),
    ("I25", "no reserve", "UPDATE account_balances SET ending_balance = 1 WHERE account_type = 'UNFUNDED_RESERVE';"
        " SELECT deal_id FROM deal_assets JOIN assets USING (blkrock_id) WHERE unfunded_amount > 1 LIMIT 1"),
    ("I26", "coupon", f"UPDATE assets SET coupon = coupon + 0.0002 WHERE blkrock_id = {FLOATING} RETURNING blkrock_id"),
    ("I26", "fixed with index", "UPDATE assets SET index_name = 'SOFR 3M' WHERE blkrock_id ="
        " (SELECT blkrock_id FROM assets WHERE coupon_type = 'FIXED' LIMIT 1) RETURNING blkrock_id"),
    ("I27", "history", "UPDATE assets SET mdy_rating = CASE mdy_rating WHEN 'B1' THEN 'B2' ELSE 'B1' END"
        " WHERE blkrock_id = 'BRS00100002' RETURNING blkrock_id || ' mdy_rating'"),
    ("I28", "two names", "UPDATE assets SET issuer_name = 'Another' WHERE issuer_id = (SELECT issuer_id FROM assets"
        " GROUP BY 1 HAVING count(*) > 1 LIMIT 1) AND blkrock_id = (SELECT min(blkrock_id) FROM assets WHERE issuer_id ="
        " (SELECT issuer_id FROM assets GROUP BY 1 HAVING count(*) > 1 LIMIT 1)) RETURNING issuer_id"),
    ("I28", "two industries", "UPDATE assets SET sp_industry = 'Unheard of' WHERE blkrock_id = (SELECT min(blkrock_id)"
        " FROM assets WHERE issuer_id = (SELECT issuer_id FROM assets GROUP BY 1 HAVING count(*) > 1 LIMIT 1))"
        " RETURNING issuer_id"),
    ("I29", "ending", f"UPDATE asset_cash_flows SET ending_balance = ending_balance + 0.02 WHERE id = {PERIOD} {FLOW_KEY}"),
    ("I29", "missing period", f"UPDATE asset_cash_flows SET period_number = 99 WHERE id = {PERIOD} {FLOW_KEY}"),
    ("I30", "a cent or two", f"UPDATE asset_cash_flows SET interest_payment = interest_payment + 0.02 WHERE id = {PERIOD}"
        f" {FLOW_KEY}"),
    ("I30", "another convention", f"UPDATE assets SET day_count = 'ACT/365' WHERE blkrock_id = {FLOATING}"
        " RETURNING blkrock_id || ' period 2'"),
    ("I31", "paid on a Sunday", f"UPDATE asset_cash_flows SET payment_date = payment_date - extract(isodow FROM"
        f" payment_date)::int WHERE id = {PERIOD} {FLOW_KEY}"),
    ("I31", "accrual gap", f"UPDATE asset_cash_flows SET accrual_start_date = accrual_start_date + 1 WHERE id = {PERIOD}"
        f" {FLOW_KEY}"),
    ("I32", "total", f"UPDATE asset_cash_flows SET total_cash_flow = total_cash_flow + 1 WHERE id = {PERIOD} {FLOW_KEY}"),
    ("I32", "too much recovered", "UPDATE asset_cash_flows SET recoveries = 5, net_loss = net_loss - 5,"
        f" total_cash_flow = total_cash_flow + 5 WHERE id = {PERIOD} RETURNING blkrock_id"),
    ("I33", "money made", f"UPDATE waterfall_executions SET remaining_cash = remaining_cash + 1"
        f" WHERE execution_id = {EXECUTION} {RUN_KEY}"),
    ("I33", "interest as principal", "UPDATE waterfall_payments SET payment_priority = 'PRINCIPAL' WHERE payment_id = "
        + PAYMENT.format("CLASS_B_INTEREST") + " RETURNING (SELECT deal_id || ' ' || payment_date"
        " FROM waterfall_executions AS e WHERE e.execution_id = waterfall_payments.execution_id)"),
    ("I33", "reserve jumps", "UPDATE waterfall_executions SET interest_reserve_beginning = interest_reserve_beginning"
        f" + 10, interest_reserve_ending = interest_reserve_ending + 10 WHERE execution_id = {EXECUTION} {RUN_KEY}"),
    ("I34", "overpaid", "UPDATE waterfall_payments SET amount_paid = amount_due + 1 WHERE payment_id = "
        + PAYMENT.format("TRUSTEE_FEE") + f" {PAID}"),
    ("I34", "senior deferred", "UPDATE waterfall_payments SET amount_paid = 0, amount_deferred = amount_due"
        " WHERE payment_id = " + PAYMENT.format("CLASS_A_INTEREST") + f" {PAID}"),
    ("I35", "junior before senior", "UPDATE waterfall_payments SET amount_paid = amount_paid - 1 WHERE payment_id = "
        + PAYMENT.format("CLASS_A_INTEREST") + " RETURNING (SELECT 'payment ' || p.payment_id FROM waterfall_payments AS p"
        " WHERE p.execution_id = waterfall_payments.execution_id AND p.payment_step = 'CLASS_B_INTEREST')"),
    ("I36", "gap", "UPDATE waterfall_payments SET step_sequence = 77 WHERE payment_id = "
        + PAYMENT.format("RESIDUAL_INTEREST") + f" {PAID}"),
    ("I36", "no such step", "UPDATE waterfall_payments SET payment_step = 'GIFT_FEE' WHERE payment_id = "
        + PAYMENT.format("RESIDUAL_INTEREST") + f" {PAID}"),
    ("I36", "another deal's class", "UPDATE waterfall_payments SET target_tranche_id = 'CLO-0009-A' WHERE payment_id = "
        + PAYMENT.format("CLASS_B_INTEREST") + f" {PAID}"),
    ("I37", "residual paid", f"UPDATE waterfall_executions SET oc_test_pass = false WHERE execution_id = {EXECUTION};"
        "UPDATE coverage_test_results AS r SET all_oc_tests_pass = false FROM waterfall_executions AS e"
        " JOIN payment_schedules AS s USING (deal_id, payment_date) WHERE r.deal_id = e.deal_id"
        f" AND r.test_date = s.collection_period_end AND e.execution_id = {EXECUTION};"
        "UPDATE waterfall_payments SET amount_due = 10, amount_paid = 0 WHERE payment_step = 'CLASS_D_CURE_PRINCIPAL'"
        f" AND execution_id = {EXECUTION};"
        f"SELECT deal_id || ' ' || payment_date FROM waterfall_executions WHERE execution_id = {EXECUTION}"),
    ("I37", "test missing", f"DELETE FROM coverage_test_results WHERE test_result_id = {COVERAGE};"
        " SELECT deal_id || ' ' || payment_date FROM waterfall_executions e WHERE NOT EXISTS (SELECT FROM"
        " coverage_test_results r JOIN payment_schedules s ON s.deal_id = r.deal_id AND s.collection_period_end ="
        " r.test_date WHERE s.deal_id = e.deal_id AND s.payment_date = e.payment_date)"),
    ("I38", "not executed", f"UPDATE waterfall_executions SET execution_status = 'FAILED' WHERE execution_id = {EXECUTION}"
        f" {RUN_KEY}"),
    ("I38", "another day", f"UPDATE waterfall_executions SET payment_date = payment_date + 1"
        f" WHERE execution_id = {EXECUTION} {RUN_KEY}"),
    ("I38", "old configuration", "UPDATE waterfall_executions AS e SET config_id = (SELECT min(config_id)"
        " FROM waterfall_configurations AS c WHERE c.deal_id = e.deal_id)"
        f" WHERE execution_id = {EXECUTION} {RUN_KEY}"),
    ("I39", "accrued", "UPDATE liability_cash_flows SET interest_accrued = interest_accrued + 1, interest_paid ="
        " interest_paid + 1 WHERE period_number = 2 AND liability_id = (SELECT liability_id FROM liabilities"
        " WHERE deal_id = 'CLO-0001' AND tranche_name = 'A') RETURNING 'CLO-0001-A period 2'"),
    ("I39", "deferred forgotten", "UPDATE liability_cash_flows SET deferred_ending_balance = 100 WHERE period_number = 2"
        " AND liability_id = (SELECT liability_id FROM liabilities WHERE deal_id = 'CLO-0001' AND tranche_name = 'C')"
        " RETURNING 'CLO-0001-C period 2'"),
    ("I40", "rate", "UPDATE waterfall_payments SET amount_due = amount_due * 1.1, amount_paid = amount_paid * 1.1"
        " WHERE payment_id = " + PAYMENT.format("SENIOR_MGMT_FEE") + f" {PAID}"),
    ("I40", "cap", "UPDATE waterfall_payments SET amount_due = 9999999 WHERE payment_id = "
        + PAYMENT.format("ADMIN_FEE") + f" {PAID}"),
    ("I40", "below the hurdle", "UPDATE waterfall_payments SET amount_due = 5, amount_paid = 5 WHERE payment_step ="
        f" 'INCENTIVE_FEE' AND execution_id = {EXECUTION} {PAID}"),
    ("I41", "distributions", "UPDATE mag_performance_metrics SET cumulative_equity_distributions ="
        " cumulative_equity_distributions + 1 WHERE metric_id = 3 RETURNING deal_id || ' ' || calculation_date"),
    ("I41", "multiple", "UPDATE mag_performance_metrics SET equity_moic = equity_moic + 0.001 WHERE metric_id = 3"
        " RETURNING deal_id || ' ' || calculation_date"),
    ("I42", "ending", "UPDATE account_balances SET ending_balance = ending_balance + 1 WHERE balance_id = 2"
        " RETURNING deal_id || ' ' || account_name || ' ' || balance_date"),
    ("I42", "overdrawn", "UPDATE account_balances SET withdrawals = withdrawals + 1e9, ending_balance = ending_balance"
        " - 1e9 WHERE balance_id = 4 RETURNING deal_id || ' ' || account_name || ' ' || balance_date"),
    ("I43", "closing", "UPDATE deal_accounts SET closing_balance = closing_balance + 1 WHERE account_id = 2"
        " RETURNING deal_id || ' ' || account_name"),
    ("I43", "transaction lost", "DELETE FROM account_transactions WHERE transaction_id = 9 RETURNING (SELECT deal_id || ' '"
        " || account_name FROM deal_accounts AS a WHERE a.account_id = account_transactions.account_id)"),
    ("I43", "receipts", "UPDATE deal_accounts SET interest_receipts = interest_receipts - 5 WHERE account_name ="
        " 'Interest Collection' RETURNING deal_id || ' ' || account_name"),
    ("I44", "collections", f"UPDATE waterfall_executions SET collection_amount = collection_amount + 5"
        f" WHERE execution_id = {EXECUTION} {RUN_KEY}"),
    ("I45", "ratio", result("Largest obligor", "calculated_value = calculated_value + 0.00001",
        "deal_id || ' ' || test_date || ' test ' || test_id")),
    ("I45", "verdict", result("Senior secured loans", "pass_fail = NOT pass_fail",
        "deal_id || ' ' || test_date || ' test ' || test_id")),
    ("I45", "coverage verdict", "UPDATE coverage_test_results SET class_b_ic_pass = NOT class_b_ic_pass"
        f" WHERE test_result_id = {COVERAGE} {COVERAGE_TEST} || ' class B IC'"),
    ("I46", "numerator", result("Fixed-rate assets", "numerator = numerator + 1000",
        "deal_id || ' ' || test_date || ' Fixed-rate assets'")),
    ("I46", "obligor", result("Second largest obligor", "numerator = numerator - 1000",
        "deal_id || ' ' || test_date || ' Second largest obligor'")),
    ("I47", "ratio", f"UPDATE coverage_test_results SET class_c_oc_ratio = class_c_oc_ratio + 0.00001"
        f" WHERE test_result_id = {COVERAGE} {COVERAGE_TEST} || ' class C'"),
    ("I47", "discount forgotten", "UPDATE deal_assets SET purchase_price = 70 WHERE ctid = " + POSITION
        + " RETURNING (SELECT deal_id || ' ' || max(test_date) || ' class A' FROM coverage_test_results AS r"
        " WHERE r.deal_id = deal_assets.deal_id GROUP BY deal_id)"),
    ("I47", "default at par", "UPDATE assets SET market_value = 99, mdy_recovery_rate = 0.99 WHERE blkrock_id ="
        " (SELECT blkrock_id FROM deal_assets WHERE position_status = 'DEFAULTED' LIMIT 1);"
        " SELECT deal_id || ' ' || max(test_date) || ' class A' FROM coverage_test_results WHERE deal_id ="
        " (SELECT deal_id FROM deal_assets WHERE position_status = 'DEFAULTED' LIMIT 1) GROUP BY deal_id"),
    ("I48", "downgrades forgotten", "UPDATE assets SET mdy_rating = 'Caa2' WHERE blkrock_id IN (SELECT blkrock_id"
        " FROM deal_assets WHERE deal_id = 'CLO-0001' AND position_status = 'ACTIVE') AND market_value < 100;"
        " SELECT deal_id || ' ' || max(test_date) FROM coverage_test_results WHERE deal_id = 'CLO-0001' GROUP BY deal_id"),
    ("I48", "too dear a haircut", "UPDATE coverage_test_results SET class_a_oc_ratio = class_a_oc_ratio - 0.01"
        f" WHERE test_result_id = {COVERAGE} {COVERAGE_TEST}"),
    ("I49", "rises", f"UPDATE coverage_test_results SET class_b_oc_ratio = class_a_oc_ratio + 1"
        f" WHERE test_result_id = {COVERAGE} {COVERAGE_TEST} || ' OC'"),
    ("I49", "second above first", result("Second largest industry", "numerator = denominator",
        "deal_id || ' ' || test_date || ' Second largest industry'")),
    ("I50", "flag", f"UPDATE coverage_test_results SET all_oc_tests_pass = NOT all_oc_tests_pass"
        f" WHERE test_result_id = {COVERAGE} {COVERAGE_TEST}"),
    ("I51", "other threshold", result("Largest obligor", "threshold_value = 0.06",
        "deal_id || ' ' || test_date || ' test ' || test_id")),
    ("I51", "moved", f"UPDATE coverage_test_results SET class_a_oc_threshold = 1.1 WHERE test_result_id = {COVERAGE}"
        " RETURNING deal_id"),
    ("I52", "missing", "DELETE FROM compliance_test_results WHERE result_id = " + concentration("Largest obligor")
        + " RETURNING deal_id || ' ' || test_date || ' test ' || test_id"),
    ("I52", "twice", "INSERT INTO coverage_test_results (deal_id, test_date) SELECT deal_id, test_date"
        f" FROM coverage_test_results WHERE test_result_id = {COVERAGE} {COVERAGE_TEST} || ' coverage'"),
    ("I52", "of a day to come", result("Largest obligor", "test_date = '2026-12-24'",
        "deal_id || ' ' || test_date || ' test ' || test_id")),
    ("I53", "share", result("Industry: Retail", "calculated_value = calculated_value + 0.01",
        "deal_id || ' ' || test_date")),
    ("I53", "par", result("Industry: Retail", "numerator = numerator + 1000",
        "deal_id || ' ' || test_date || ' Retail'")),
    ("I54", "factor", result("Weighted average rating factor", "calculated_value = calculated_value + 1.5",
        "deal_id || ' ' || test_date || ' Weighted average rating factor'")),
    ("I54", "spread", result("Weighted average spread", "calculated_value = calculated_value + 0.0001",
        "deal_id || ' ' || test_date || ' Weighted average spread'")),
    ("I55", "score", result("Diversity score", "calculated_value = calculated_value + 0.01",
        "deal_id || ' ' || test_date")),
    ("I56", "cure too small", "UPDATE waterfall_payments SET amount_due = amount_due + 50 WHERE payment_step ="
        f" 'CLASS_D_CURE_PRINCIPAL' AND execution_id = {EXECUTION} RETURNING (SELECT deal_id || ' ' || payment_date ||"
        f" ' class D' FROM waterfall_executions WHERE execution_id = {EXECUTION})"),
    ("I59", "silent change", "UPDATE assets SET updated_at = '2026-11-20T10:00Z' WHERE blkrock_id = 'BRS00100002'"
        " RETURNING 'asset ' || blkrock_id"),
    ("I59", "silence", "DELETE FROM audit_logs WHERE created_at > '2026-11-17'; SELECT 'audit_logs'"),
    ("I60", "edited", "UPDATE audit_logs SET actor = 'nobody' WHERE id = 50 RETURNING 'audit row ' || id"),
    ("I60", "deleted", "DELETE FROM audit_logs WHERE id = 50; SELECT 'audit row 51'"),
    ("I60", "truncated", "DELETE FROM audit_logs WHERE created_at > '2026-11-20T12:00Z'; SELECT 'anchor of 2026-11-20'"),
    ("I60", "begins later", "DELETE FROM audit_logs WHERE id < 5; SELECT 'audit row 5'"),
]  # fmt: skip


def violators(connection: psycopg.Connection[Any], invariant: str, at: datetime, limit: int = 2000) -> list[Any]:
    text = statement(f"invariants/{invariant}").text
    return connection.execute(text, {"limit": limit, "at": at}).fetchall()


def suites() -> dict[str, dict[str, Any]]:
    return {path.stem: yaml.safe_load(path.read_text()) for path in sorted(Path(INCLUDE / "checks").glob("*.yaml"))}


@pytest.mark.parametrize("invariant", FILES)
def test_the_world_satisfies_it(world: Any, moment: datetime, invariant: str) -> None:
    with world.connect("clo_ops_reader") as connection:
        assert violators(connection, invariant, moment) == []


@pytest.mark.parametrize(
    ("invariant", "change"),
    [pytest.param(number, change, id=f"{number} {what}") for number, what, change in MUTATIONS],
)
def test_it_names_what_is_broken(superuser: Any, moment: datetime, invariant: str, change: str) -> None:
    for sql in change.split(";"):
        cursor = superuser.execute(sql)
    expected = {row[0] for row in cursor.fetchall()}
    assert expected, "the mutation touched nothing"
    found = violators(superuser, invariant, moment)
    assert expected <= {row[0] for row in found}
    assert all(row[1] for row in found), "a violator without a reason"


def test_every_invariant_has_been_seen_red() -> None:
    seen = sorted({number for number, _, _ in MUTATIONS})
    assert seen == FILES


@contextmanager
def spoiled(world: Any, numbers: list[str]) -> Iterator[PostgresTarget]:
    """A copy of the world with the first mutation of each of these invariants in it at once."""
    cluster, first = world.cluster, {number: change for number, _, change in reversed(MUTATIONS)}
    with cluster.connect() as connection:
        connection.execute("CREATE DATABASE spoiled TEMPLATE clo")
        try:
            with cluster.connect("spoiled") as breaking:
                breaking.execute("SET session_replication_role = replica")
                for sql in ";".join(first[number] for number in numbers).split(";"):
                    breaking.execute(sql)
            yield PostgresTarget("127.0.0.1", cluster.port, "spoiled", "postgres", cluster.password())
        finally:
            connection.execute("DROP DATABASE spoiled WITH (FORCE)")


def test_every_expectation_has_been_seen_red(world: Any, moment: datetime) -> None:
    """As Great Expectations asks them, and as a backup does, with the same numbers."""
    left = FILES
    while left:  # a mutation may undo another one; those that stayed green have a copy with fewer of them
        with spoiled(world, left) as target:
            answer = integrity.ask(target, at=moment)
            with connect(target) as connection:
                verdicts = integrity.verdicts(connection, moment)
        assert answer.unanswered == ()
        assert {one.labels["invariant"]: one.value for one in answer.select("integrity.violations")} == verdicts
        red = {number for number, count in verdicts.items() if count}
        assert red & set(left), f"never red: {left}"
        left = [number for number in left if number not in red]


def test_a_server_that_goes_away_leaves_questions_open(world: Any, moment: datetime) -> None:
    target = PostgresTarget("127.0.0.1", world.cluster.port, "clo", "postgres", world.cluster.password())
    answer = integrity.ask(replace(target, statement_timeout=0.001), at=moment)
    assert answer.unanswered  # some are asked in a millisecond; none is both answered and open
    assert not {one.question[:3] for one in answer.unanswered} & {m.labels["invariant"] for m in answer.measurements}
    (unreachable,) = integrity.ask(replace(target, port=1), at=moment).unanswered
    assert "refused" in unreachable.reason


def test_the_limit_is_kept(superuser: Any, moment: datetime) -> None:
    superuser.execute("UPDATE asset_cash_flows SET interest_payment = interest_payment + 1")
    assert len(violators(superuser, "I30", moment, limit=7)) == 7


def test_the_suites_hold_every_invariant_once_or_say_why_not() -> None:
    checks = [check for suite in suites().values() for check in suite["checks"]]
    left_out = [entry for suite in suites().values() for entry in suite["left_out"]]
    assert [check["sql"] for check in sorted(checks, key=lambda c: c["invariant"])] == [
        f"invariants/{n}" for n in FILES
    ]
    numbers = sorted(entry["invariant"] for entry in [*checks, *left_out])
    assert numbers == [f"I{number:02d}" for number in range(1, 63)]
    assert all(entry["reason"] for entry in left_out)
