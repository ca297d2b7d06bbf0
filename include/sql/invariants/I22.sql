-- purpose: No par is held in an asset that has matured, nor unflagged in one that outlives the deal
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on assets, clo_deals, deal_assets
-- access: read-only
-- severity: error
-- kind: temporal
SELECT p.deal_id || '/' || p.blkrock_id AS key,
       format('asset matures %%s, deal %%s, par %%s', a.maturity, d.maturity_date, p.par_amount) AS reason
FROM deal_assets AS p JOIN assets AS a USING (blkrock_id) JOIN clo_deals AS d USING (deal_id)
WHERE p.position_status = 'ACTIVE' AND p.par_amount > 0
  AND (a.maturity <= %(at)s::timestamptz::date
       OR (a.maturity > d.maturity_date AND NOT coalesce((a.flags ->> 'long_dated')::boolean, false)))
ORDER BY 1
LIMIT %(limit)s
