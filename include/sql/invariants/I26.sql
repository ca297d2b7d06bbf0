-- purpose: A floating coupon is index, floor, spread and cap of its last reset; a fixed one has no index
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on asset_cash_flows, assets, coverage_test_results, yield_curve_points, yield_curves
-- access: read-only
-- severity: error
-- kind: recompute
WITH books AS (
    SELECT max(test_date) AS day FROM coverage_test_results
), reset AS (
    SELECT f.blkrock_id, max(f.accrual_start_date) AS day
    FROM asset_cash_flows AS f, books WHERE f.accrual_start_date <= books.day GROUP BY f.blkrock_id
), floating AS (
    SELECT a.blkrock_id, a.coupon, reset.day,
           least(greatest(fixing.rate, coalesce(a.libor_floor, 0)) + a.cpn_spread, a.index_cap) AS rate
    FROM assets AS a JOIN reset USING (blkrock_id)
    LEFT JOIN LATERAL (
        SELECT p.rate FROM yield_curves AS c JOIN yield_curve_points AS p USING (curve_id)
        WHERE c.curve_name = split_part(a.index_name, ' ', 1) AND c.curve_date <= reset.day
          AND p.tenor_months = substring(a.index_name FROM '(\d+)M$')::int
        ORDER BY c.curve_date DESC LIMIT 1
    ) AS fixing ON true
    WHERE a.coupon_type = 'FLOAT' AND a.par_amount > 0
), fault (key, reason) AS (
    SELECT blkrock_id, 'floats without an index or a spread'
    FROM assets WHERE coupon_type = 'FLOAT' AND (index_name IS NULL OR cpn_spread IS NULL)
    UNION ALL
    SELECT blkrock_id, format('fixed, with index %%s and spread %%s', index_name, cpn_spread)
    FROM assets WHERE coupon_type = 'FIXED' AND (index_name IS NOT NULL OR cpn_spread IS NOT NULL)
    UNION ALL
    SELECT blkrock_id, format('coupon %%s, recomputed %%s for the reset of %%s', coupon, rate, day)
    FROM floating WHERE rate IS NULL OR abs(coupon - rate) > 0.0001
)
SELECT key, reason FROM fault ORDER BY 1, 2 LIMIT %(limit)s
