-- purpose: A deal's classes are ranked without gaps and have one residual, which has no stated coupon
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on clo_tranches, liabilities
-- access: read-only
-- severity: error
-- kind: cross-row
WITH class AS (
    SELECT t.deal_id, t.tranche_id, t.seniority_level, t.payment_rank, t.coupon_rate, t.margin,
           coalesce(l.is_equity_tranche, false) AS residual,
           row_number() OVER (PARTITION BY t.deal_id ORDER BY t.seniority_level, t.tranche_id) AS place,
           lag(t.payment_rank) OVER (PARTITION BY t.deal_id ORDER BY t.seniority_level, t.tranche_id) AS before
    FROM clo_tranches AS t LEFT JOIN liabilities AS l USING (deal_id, tranche_name)
), fault (key, reason) AS (
    SELECT tranche_id, format('seniority level %%s in place %%s', seniority_level, place)
    FROM class WHERE seniority_level <> place
    UNION ALL
    SELECT tranche_id, format('payment rank %%s after %%s', payment_rank, before) FROM class WHERE payment_rank <= before
    UNION ALL
    SELECT deal_id, format('%%s residual classes, expected 1', count(*) FILTER (WHERE residual))
    FROM class GROUP BY deal_id HAVING count(*) FILTER (WHERE residual) <> 1
    UNION ALL
    SELECT tranche_id, 'a residual class with a stated coupon'
    FROM class WHERE residual AND (coupon_rate IS NOT NULL OR margin IS NOT NULL)
)
SELECT key, reason FROM fault ORDER BY 1, 2 LIMIT %(limit)s
