-- purpose: Interest is balance, rate and the asset's own day count
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on asset_cash_flows, assets, yield_curve_points, yield_curves
-- access: read-only
-- severity: critical
-- kind: recompute
WITH flow AS (
    SELECT f.blkrock_id, f.period_number, f.beginning_balance, f.interest_payment,
           CASE a.coupon_type
               WHEN 'FIXED' THEN a.coupon
               ELSE least(greatest(fixing.rate, coalesce(a.libor_floor, 0)) + a.cpn_spread, a.index_cap)
           END AS rate,
           CASE a.day_count
               WHEN 'ACT/360' THEN (f.accrual_end_date - f.accrual_start_date) / 360.0
               WHEN 'ACT/365' THEN (f.accrual_end_date - f.accrual_start_date) / 365.0
               WHEN '30/360' THEN (
                   360 * (extract(year FROM f.accrual_end_date) - extract(year FROM f.accrual_start_date))
                   + 30 * (extract(month FROM f.accrual_end_date) - extract(month FROM f.accrual_start_date))
                   + least(extract(day FROM f.accrual_end_date), 30) - least(extract(day FROM f.accrual_start_date), 30)
               ) / 360.0
           END AS fraction
    FROM asset_cash_flows AS f JOIN assets AS a USING (blkrock_id)
    LEFT JOIN LATERAL (
        SELECT p.rate FROM yield_curves AS c JOIN yield_curve_points AS p USING (curve_id)
        WHERE c.curve_name = split_part(a.index_name, ' ', 1)
          AND c.curve_date <= least(f.accrual_start_date, (f.updated_at AT TIME ZONE 'UTC')::date)
          AND p.tenor_months = substring(a.index_name FROM '(\d+)M$')::int
        ORDER BY c.curve_date DESC LIMIT 1
    ) AS fixing ON a.coupon_type = 'FLOAT'
)
SELECT blkrock_id || ' period ' || period_number AS key,
       format('interest %%s, recomputed %%s', interest_payment, round(beginning_balance * rate * fraction, 2)) AS reason
FROM flow
WHERE coalesce(abs(interest_payment - beginning_balance * rate * fraction), 1) > 0.01
ORDER BY blkrock_id, period_number
LIMIT %(limit)s
