-- purpose: The last weighted averages follow from the positions: factor, spread, coupon, life, recovery
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on assets, compliance_test_results, compliance_tests, deal_assets, rating_scales
-- access: read-only
-- severity: error
-- kind: recompute
WITH last AS (
    SELECT deal_id, max(test_date) AS test_date FROM compliance_test_results GROUP BY deal_id
), position AS (
    SELECT p.deal_id, p.par_amount AS par, a.cpn_spread, a.coupon, a.wal, a.mdy_recovery_rate, s.warf_factor,
           a.coupon_type
    FROM deal_assets AS p JOIN assets AS a USING (blkrock_id)
    LEFT JOIN rating_scales AS s ON s.agency = 'Moody''s' AND s.rating_symbol = a.mdy_dp_rating_warf
    WHERE p.position_status = 'ACTIVE'
), pool AS (
    SELECT deal_id, sum(par * warf_factor) / sum(par) AS warf,
           sum(par * cpn_spread) FILTER (WHERE coupon_type = 'FLOAT')
               / nullif(sum(par) FILTER (WHERE coupon_type = 'FLOAT'), 0) AS was,
           sum(par * coupon) FILTER (WHERE coupon_type = 'FIXED')
               / nullif(sum(par) FILTER (WHERE coupon_type = 'FIXED'), 0) AS wac,
           sum(par * wal) / sum(par) AS wal, sum(par * mdy_recovery_rate) / sum(par) AS warr
    FROM position GROUP BY deal_id HAVING sum(par) > 0
), recomputed AS (
    SELECT p.deal_id, v.test_name, v.value, v.tolerance
    FROM pool AS p CROSS JOIN LATERAL (VALUES
        ('Weighted average rating factor', p.warf, 1), ('Weighted average spread', p.was, 0.00005),
        ('Weighted average coupon', p.wac, 0.00005), ('Weighted average life', p.wal, 0.01),
        ('Weighted average recovery rate', p.warr, 0.001)) AS v (test_name, value, tolerance)
)
SELECT r.deal_id || ' ' || r.test_date || ' ' || t.test_name AS key,
       format('stored %%s, recomputed %%s, tolerance %%s', r.calculated_value, round(c.value, 6), c.tolerance) AS reason
FROM recomputed AS c JOIN compliance_tests AS t USING (test_name) JOIN last AS l USING (deal_id)
LEFT JOIN compliance_test_results AS r ON r.deal_id = c.deal_id AND r.test_id = t.test_id AND r.test_date = l.test_date
WHERE (r.calculated_value IS NULL) <> (c.value IS NULL) OR abs(r.calculated_value - c.value) > c.tolerance
ORDER BY 1
LIMIT %(limit)s
