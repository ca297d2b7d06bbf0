-- purpose: Bought before sold, and nothing bought after the reinvestment period without a reason
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on assets, clo_deals, deal_assets
-- access: read-only
-- severity: error
-- kind: temporal
SELECT p.deal_id || '/' || p.blkrock_id AS key,
       format('bought %%s, sold %%s, reinvestment ended %%s', p.purchase_date, coalesce(p.sale_date::text, 'never'),
              d.reinvestment_end_date) AS reason
FROM deal_assets AS p JOIN clo_deals AS d USING (deal_id) JOIN assets AS a USING (blkrock_id)
WHERE p.purchase_date > p.sale_date
   OR (p.purchase_date > d.reinvestment_end_date
       AND NOT coalesce((a.flags ->> 'unscheduled_reinvestment')::boolean, false)
       AND NOT coalesce((a.flags ->> 'credit_risk')::boolean, false))
ORDER BY 1
LIMIT %(limit)s
