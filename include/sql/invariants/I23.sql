-- purpose: The pool totals that are kept beside the positions are those of the positions
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on collateral_pools, deal_assets
-- access: read-only
-- severity: critical
-- kind: recompute
WITH held AS (
    SELECT deal_id, sum(par_amount) AS par, count(*) AS assets FROM deal_assets
    WHERE position_status = 'ACTIVE' GROUP BY deal_id
)
SELECT coalesce(c.deal_id, h.deal_id) AS key,
       format('kept %%s of %%s assets, %%s each; positions %%s of %%s', c.total_par_amount, c.total_assets,
              c.average_par_amount, coalesce(h.par, 0), coalesce(h.assets, 0)) AS reason
FROM collateral_pools AS c FULL JOIN held AS h USING (deal_id)
WHERE c.deal_id IS NULL OR c.total_assets <> coalesce(h.assets, 0)
   OR abs(c.total_par_amount - coalesce(h.par, 0)) > 0.01 * (1 + coalesce(h.assets, 0))
   OR abs(c.average_par_amount - coalesce(h.par / h.assets, 0)) > 0.01
ORDER BY 1
LIMIT %(limit)s
