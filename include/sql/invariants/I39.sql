-- purpose: A note's interest is its balance, index and margin, with interest on what was deferred
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on clo_deals, clo_tranches, liabilities, liability_cash_flows, payment_schedules, yield_curve_points, yield_curves
-- access: read-only
-- severity: critical
-- kind: recompute
WITH period AS (
    SELECT f.*, l.deal_id, l.tranche_name, l.day_count_convention, t.margin, t.index_name,
           coalesce(lag(f.payment_date) OVER w, d.closing_date) AS accrual_start,
           lag(f.ending_balance) OVER w AS before_balance, lag(f.deferred_ending_balance) OVER w AS before_deferred
    FROM liability_cash_flows AS f JOIN liabilities AS l USING (liability_id) JOIN clo_deals AS d USING (deal_id)
    JOIN clo_tranches AS t USING (deal_id, tranche_name)
    WINDOW w AS (PARTITION BY f.liability_id ORDER BY f.period_number)
), recomputed AS (
    SELECT p.*, fixing.rate + p.margin AS rate,
           (p.payment_date - p.accrual_start) / CASE p.day_count_convention
               WHEN 'ACT/360' THEN 360.0 WHEN 'ACT/365' THEN 365.0 END AS fraction
    FROM period AS p
    LEFT JOIN payment_schedules AS s USING (deal_id, payment_date)
    LEFT JOIN LATERAL (
        SELECT q.rate FROM yield_curves AS c JOIN yield_curve_points AS q USING (curve_id)
        WHERE c.curve_name = split_part(p.index_name, ' ', 1) AND c.curve_date <= s.interest_determination_date
          AND q.tenor_months = substring(p.index_name FROM '(\d+)M$')::int
        ORDER BY c.curve_date DESC LIMIT 1
    ) AS fixing ON true
)
SELECT deal_id || '-' || tranche_name || ' period ' || period_number AS key,
       format('accrued %%s and %%s, recomputed %%s and %%s; ends with %%s and deferred %%s', interest_accrued,
              deferred_interest_accrued, round(beginning_balance * rate * fraction, 2),
              round(deferred_beginning_balance * rate * fraction, 2), ending_balance, deferred_ending_balance) AS reason
FROM recomputed
WHERE rate * fraction IS NULL
   OR abs(interest_accrued - beginning_balance * rate * fraction) > 0.01
   OR abs(deferred_interest_accrued - deferred_beginning_balance * rate * fraction) > 0.01
   OR abs(beginning_balance - principal_paid - ending_balance) > 0.01
   OR abs(deferred_beginning_balance + interest_accrued - interest_paid + deferred_interest_accrued
          - deferred_interest_paid - deferred_principal_paid - deferred_ending_balance) > 0.01
   OR abs(beginning_balance - before_balance) > 0.01
   OR abs(deferred_beginning_balance - before_deferred) > 0.01
ORDER BY 1
LIMIT %(limit)s
